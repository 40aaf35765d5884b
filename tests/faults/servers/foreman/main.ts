/**
 * The host of a channel (servers/runtime/channel.ts) that has sums done by whoever is its guest, and sees to it that each is answered once and
 * right: a fixture of tests/faults/supervisor.test.ts, which kills the guest in between.
 */
import { Channel, channelPut, channelRing, channelSleep, channelTake, channelWelcome } from "../../../../servers/runtime/channel";
import { serveMessages } from "../../../../servers/runtime/message";
import { get64, put64 } from "../../../../servers/runtime/memory";
import { notificationSignal } from "../../../../servers/runtime/native-calls";
import { ChannelAttachReply, ChannelServer } from "../../../../servers/runtime/protocol/channel-server.gen";
import { RingResult } from "../../../../servers/runtime/ring";
import { handleNamed, log, runtimeStart, serverBuffer } from "../../../../servers/runtime/start";

export { serverBuffer };

const AT: usize = 0x90000000;
const ENTRIES: u32 = 16;
/** Work and answer: a number, and a value. */
const ENTRY_BYTES: u32 = 16;
const BELL: u64 = 1;
/** Answers in one turn; the supervisor's questions are answered between turns. */
const TURN: u32 = 256;
/** Pieces of work in all. */
const TOTAL: u64 = 30_000;
const ESTALE: i32 = 116;
const ENTRY = memory.data(16, 8);

const ANSWERED = new StaticArray<u8>(<i32>TOTAL);
let answers: u64 = 0;
let wrong: u64 = 0;
let channel: Channel | null = null;

class Foreman extends ChannelServer {
  attach(workBytes: u32, answerBytes: u32, bits: u64, name: string, bell: u32, reply: ChannelAttachReply): i32 {
    const status = channelWelcome(channel!, workBytes, answerBytes, bell, bits, reply);
    reply.bell = handleNamed("notification");
    reply.bits = BELL;
    if (status == 0) log(name + " is guest " + channel!.generation.toString() + " after " + answers.toString() + " answers");
    return status;
  }

  check(generation: u32): i32 { return generation == channel!.generation ? 0 : -ESTALE; }
}
const FOREMAN = new Foreman();

export function serverMain(count: u32): u32 {
  runtimeStart(count);
  channel = new Channel(handleNamed("quota"), AT, ENTRIES, ENTRY_BYTES, ENTRY_BYTES);
  workPut();
  serveMessages(handleNamed("endpoint"), handleNamed("notification"), FOREMAN.message, onCall, onBits);
  return 0;
}

function onCall(label: i32): i32 { return FOREMAN.serve(label); }

/** As much work as goes in; its value is its number. */
function workPut(): void {
  while (channel!.next < TOTAL) {
    put64(ENTRY + 8, channel!.next);
    if (!channelPut(channel!, ENTRY)) break;
  }
  channelRing(channel!);
}

function onBits(bits: u64): void {
  for (let i: u32 = 0; i < TURN; i++) {
    const taken = channelTake(channel!, ENTRY);
    if (taken == RingResult.OK) answerCount(get64(ENTRY), get64(ENTRY + 8));
    else if (channelSleep(channel!)) return;
    workPut();
  }
  notificationSignal(handleNamed("notification"), BELL); // there is more: another turn
}

function answerCount(number: u64, value: u64): void {
  answers++;
  if (value != number * number || ++ANSWERED[<i32>number] != 1) wrong++;
  if (answers == TOTAL) log(summary());
}

function summary(): string {
  let missing: u64 = 0;
  for (let i = 0; i < <i32>TOTAL; i++) if (ANSWERED[i] != 1) missing++;
  return answers.toString() + " answers, " + wrong.toString() + " wrong, " + missing.toString() + " missing, " + channel!.generation.toString() +
    " guests, " + channel!.repeated.toString() + " pieces of work came again";
}
