/**
 * Channels: one server, the host, has work done by another, the guest, through two rings in memory that the host grants (ring.ts). They meet by
 * calls (kernel/abi/protocol/channel.ts); work and answers need none, only a bell when the other side sleeps.
 *
 *   host    channelPut ──▶ | ring of work    | ──▶ guestTake      guest
 *           channelTake ◀── | ring of answers | ◀── guestAnswer
 *
 * An entry of either ring begins with the work's number (u64), which the host gives; the rest is the two servers' own.
 *
 * Invariants  C1  the host has in memory of its own every piece of work that is not answered; what a guest does to the rings loses nothing.
 *             C2  each guest gets memory of its own, so that an earlier one reaches nothing. It begins with what is not answered, oldest first.
 *             C3  an answer counts once: its work must be under way, and is not afterwards. A guest that answers anything else is
 *                 broken (ring.ts, G2), and is not heard until another attaches.
 */
import { Errno } from "../../kernel/abi/errno";
import { ChannelAttachReply } from "./protocol/channel-server.gen";
import {
  channelAttach, channelAttachAnswersAt, channelAttachBell, channelAttachBits, channelAttachBytes, channelAttachGeneration, channelAttachMemory,
  channelCheck,
} from "./protocol/channel-client.gen";
import { capDrop, capRevoke, memoryCreate, memoryMap, notificationSignal } from "./native-calls";
import { Ring, ringBell, ringBytes, ringMake, ringOpen, ringPut, RingResult, ringSleepBegin, ringTake } from "./ring";

const PAGE: u32 = 4096;
const PROT_RW: u32 = 3;
const NUMBER_BYTES: u32 = 8;

/** A channel as its host has it. */
export class Channel {
  /** Guests so far; 0: there was none. */
  generation: u32 = 0;
  /** Work put again because a guest left it unanswered. */
  repeated: u64 = 0;
  work: Ring | null = null;
  answers: Ring | null = null;
  memory: u32 = 0;
  /** The guest's notification, and its bits there. */
  bell: u32 = 0;
  bits: u64 = 0;
  /** Number of the next piece of work, and the oldest that may still be unanswered. */
  next: u64 = 0;
  oldest: u64 = 0;
  /** By number modulo entries: the work (C1), and whether it is under way. */
  kept: usize;
  isOpen: StaticArray<bool>;

  /** `at`: where the host maps the memory, which is made of `quota`. Sizes of entries count from the number on, in multiples of 8. */
  constructor(readonly quota: u32, readonly at: usize, readonly entries: u32, readonly workBytes: u32, readonly answerBytes: u32) {
    this.kept = heap.alloc(<usize>entries * workBytes);
    this.isOpen = new StaticArray<bool>(entries);
  }
}

// ---- The host ----

function answersAt(channel: Channel): u32 { return (ringBytes(channel.workBytes, channel.entries) + PAGE - 1) & ~(PAGE - 1); }
function memoryBytes(channel: Channel): u32 {
  return (answersAt(channel) + ringBytes(channel.answerBytes, channel.entries) + PAGE - 1) & ~(PAGE - 1);
}
function keptAt(channel: Channel, number: u64): usize { return channel.kept + <usize>(number % channel.entries) * channel.workBytes; }
function isOpen(channel: Channel, number: u64): bool {
  return number >= channel.oldest && number < channel.next && channel.isOpen[<u32>(number % channel.entries)];
}

/** Handler of ChannelMethod.ATTACH; what is left of the reply is the host's own bell and its bits, for the guest to ring. */
export function channelWelcome(channel: Channel, workBytes: u32, answerBytes: u32, guestBell: u32, guestBits: u64, reply: ChannelAttachReply): i32 {
  if (workBytes != channel.workBytes || answerBytes != channel.answerBytes) return -Errno.INVAL;
  const made = memoryRenew(channel);
  if (made < 0) return made;
  if (channel.bell != 0) capDrop(channel.bell);
  channel.bell = guestBell;
  channel.bits = guestBits;
  channel.generation++;
  for (let number = channel.oldest; number < channel.next; number++) { // C2
    if (!isOpen(channel, number)) continue;
    ringPut(channel.work!, keptAt(channel, number)); // cannot fail: as many entries as are kept
    if (channel.generation > 1) channel.repeated++;
  }
  channelSleep(channel); // the first answer rings, if the host looks no sooner
  reply.generation = channel.generation;
  reply.bytes = memoryBytes(channel);
  reply.answersAt = answersAt(channel);
  reply.memory = channel.memory;
  return 0;
}

/** Fresh memory with two empty rings, in the place of what an earlier guest had. 0 or a negated errno. */
function memoryRenew(channel: Channel): i32 {
  const bytes = memoryBytes(channel);
  const made = memoryCreate(channel.quota, bytes, 0);
  if (made < 0) return <i32>made;
  const mapped = memoryMap(<u32>made, channel.at, 0, bytes, PROT_RW);
  if (mapped < 0) {
    capDrop(<u32>made);
    return <i32>mapped;
  }
  if (channel.memory != 0) {
    capRevoke(channel.memory);
    capDrop(channel.memory);
  }
  channel.memory = <u32>made;
  channel.work = ringMake(channel.at, answersAt(channel), channel.workBytes, channel.entries);
  channel.answers = ringMake(channel.at + answersAt(channel), bytes - answersAt(channel), channel.answerBytes, channel.entries);
  return 0;
}

/** Has the work at `from` done, whose number is written there. False: as many as there are entries are unanswered. Then channelRing. */
export function channelPut(channel: Channel, from: usize): bool {
  if (channel.next - channel.oldest == channel.entries) return false;
  const number = channel.next++;
  store<u64>(from, number);
  memory.copy(keptAt(channel, number), from, channel.workBytes);
  channel.isOpen[<u32>(number % channel.entries)] = true;
  const work = channel.work;
  if (work) ringPut(work, keptAt(channel, number)); // of a broken guest: the next one gets it
  return true;
}

/** Wakes the guest if it sleeps; after the last of a batch. */
export function channelRing(channel: Channel): void {
  const work = channel.work;
  if (work && ringBell(work)) notificationSignal(channel.bell, channel.bits);
}

/** The next answer, at `to`, and so its work is done (C3). */
export function channelTake(channel: Channel, to: usize): RingResult {
  const answers = channel.answers;
  if (!answers) return RingResult.NOTHING;
  const result = ringTake(answers, to);
  if (result != RingResult.OK) return result;
  const number = load<u64>(to);
  if (!isOpen(channel, number)) {
    answers.isBroken = true;
    return RingResult.BROKEN;
  }
  channel.isOpen[<u32>(number % channel.entries)] = false;
  while (channel.oldest < channel.next && !channel.isOpen[<u32>(channel.oldest % channel.entries)]) channel.oldest++;
  return RingResult.OK;
}

/** True when the host may sleep until its bell rings. */
export function channelSleep(channel: Channel): bool {
  const answers = channel.answers;
  return !answers || answers.isBroken || ringSleepBegin(answers);
}

// ---- The guest ----

/** A channel as its guest has it. */
export class Guest {
  constructor(readonly host: u32, readonly generation: u32, readonly work: Ring, readonly answers: Ring, readonly bell: u32, readonly bits: u64) {}
}

/** Attaches to the host behind `endpoint`, whose memory is mapped at `at`; the host rings `bits` of `bell`. Null: it will not have it. */
export function guestAttach(endpoint: u32, name: string, at: usize, workBytes: u32, answerBytes: u32, bell: u32, bits: u64): Guest | null {
  if (channelAttach(endpoint, workBytes, answerBytes, bits, name, bell) != 0) return null;
  const bytes = channelAttachBytes();
  const middle = channelAttachAnswersAt();
  if (middle > bytes || memoryMap(channelAttachMemory(), at, 0, bytes, PROT_RW) < 0) return null;
  capDrop(channelAttachMemory()); // the mapping stays
  const work = ringOpen(at, middle, workBytes);
  const answers = ringOpen(at + middle, bytes - middle, answerBytes);
  return work && answers ? new Guest(endpoint, channelAttachGeneration(), work, answers, channelAttachBell(), channelAttachBits()) : null;
}

/** The next piece of work, at `to`. */
export function guestTake(guest: Guest, to: usize): RingResult { return ringTake(guest.work, to); }

/** Answers with what lies at `from`, the work's number first. */
export function guestAnswer(guest: Guest, from: usize): RingResult { return ringPut(guest.answers, from); }

/** Wakes the host if it sleeps; after the last of a batch. */
export function guestRing(guest: Guest): void {
  if (ringBell(guest.answers)) notificationSignal(guest.bell, guest.bits);
}

/** True when the guest may sleep until its bell rings. */
export function guestSleep(guest: Guest): bool { return ringSleepBegin(guest.work); }

/** False when the host is gone, has another guest, or has spoilt a ring: nothing more comes. */
export function guestIsWelcome(guest: Guest): bool {
  return !guest.work.isBroken && !guest.answers.isBroken && channelCheck(guest.host, guest.generation) == 0;
}
