/** Both ends of a channel in one module: the test carries the messages between them. */
import {
  Channel, channelPut, channelRing, channelSleep, channelTake, channelWelcome, Guest, guestAnswer, guestAttach, guestIsWelcome, guestRing, guestSleep,
  guestTake,
} from "../../../../servers/runtime/channel";
import { ChannelAttachReply, ChannelServer } from "../../../../servers/runtime/protocol/channel-server.gen";

const AT: usize = 0x300000;
const ENTRY_BYTES: u32 = 16;
const HOST_BITS: u64 = 2;
const GUEST_BITS: u64 = 4;
const ESTALE: i32 = 116;
let channel: Channel | null = null;
let guest: Guest | null = null;

class Host extends ChannelServer {
  attach(workBytes: u32, answerBytes: u32, bits: u64, name: string, bell: u32, reply: ChannelAttachReply): i32 {
    reply.bell = 7;
    reply.bits = HOST_BITS;
    return channelWelcome(channel!, workBytes, answerBytes, bell, bits, reply);
  }
  check(generation: u32): i32 { return generation == channel!.generation ? 0 : -ESTALE; }
}
const HOST = new Host();

export function hostOpen(quota: u32, entries: u32): void { channel = new Channel(quota, AT, entries, ENTRY_BYTES, ENTRY_BYTES); }
/** Where the host's IpcMessage lies. */
export function hostMessage(): usize { return changetype<usize>(HOST.message); }
export function hostServe(label: i32): i32 { return HOST.serve(label); }
export function put(from: usize): bool { return channelPut(channel!, from); }
export function take(to: usize): i32 { return channelTake(channel!, to); }
export function ringGuest(): void { channelRing(channel!); }
export function sleep(): bool { return channelSleep(channel!); }
export function repeated(): u64 { return channel!.repeated; }

/** A new guest, which takes the old one's place. */
export function attach(endpoint: u32, bell: u32): bool {
  guest = guestAttach(endpoint, "guest", AT, ENTRY_BYTES, ENTRY_BYTES, bell, GUEST_BITS);
  return guest !== null;
}
export function workTake(to: usize): i32 { return guestTake(guest!, to); }
export function answer(from: usize): i32 { return guestAnswer(guest!, from); }
export function ringHost(): void { guestRing(guest!); }
export function guestMaySleep(): bool { return guestSleep(guest!); }
export function isWelcome(): bool { return guestIsWelcome(guest!); }
