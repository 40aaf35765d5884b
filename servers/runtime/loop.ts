/**
 * The life of a server: wait for calls and for bits, answer, stay alive in the supervisor's eyes.
 *
 *   bit 62 of the server's own notification   the supervisor asks for a sign of life
 */
import { Errno } from "../../kernel/abi/errno";
import { heartbeatHandle, heartbeatMask } from "./start";
import { endpointBind, ipcReplyWait, notificationSignal, notificationWait } from "./native-calls";

/** Bit by which the supervisor asks. */
export const HEARTBEAT: u64 = 1 << 62;
/** ipc_reply_wait ended by bits (kernel/abi/capability.ts). */
export const NOTIFIED: i64 = 0x40000000;

/** A call as it arrived, and the words of its answer. */
@unmanaged
export class Words {
  badge: u64;
  w0: u64;
  w1: u64;
  w2: u64;
  w3: u64;
}
const WORDS = changetype<Words>(memory.data(40, 8));

/** Where an answer's words lie, all 0. */
export function wordsClear(words: Words): usize {
  words.w0 = 0;
  words.w1 = 0;
  words.w2 = 0;
  words.w3 = 0;
  return changetype<usize>(words);
}

/**
 * Waits for bits of `n` for ever, answering the supervisor, and gives every other bit to `onBits`; with each sign of life that is 0 at
 * least, for a driver to look whether an interrupt got lost. Does not return.
 */
export function serveBits(n: u32, onBits: (bits: u64) => void): void {
  while (true) {
    const bits = notificationWait(n, 0);
    if (bits < 0) continue; // a signal
    if (<u64>bits & HEARTBEAT) notificationSignal(heartbeatHandle(), heartbeatMask());
    onBits(<u64>bits & ~HEARTBEAT);
    __collect();
  }
}

/** Bits ended a wait: the supervisor has its answer, `onBits` the rest. */
export function bitsTake(bits: u64, onBits: (bits: u64) => void): void {
  if (bits & HEARTBEAT) notificationSignal(heartbeatHandle(), heartbeatMask());
  if (bits & ~HEARTBEAT) onBits(bits & ~HEARTBEAT);
}

/**
 * Answers calls on `endpoint` with what `onCall` returns (a label: 0 or more, or a negated errno) and the words it leaves, and gives
 * bits of `n` to `onBits`. Returns only when the endpoint is gone.
 */
export function serveCalls(
  endpoint: u32, n: u32, onCall: (label: i32, words: Words) => i32, onBits: (bits: u64) => void,
): i64 {
  endpointBind(endpoint, n);
  let answer: i32 = 0;
  while (true) {
    const got = ipcReplyWait(endpoint, answer, changetype<usize>(WORDS));
    if (got == NOTIFIED) bitsTake(WORDS.w0, onBits);
    else if (got >= 0) answer = onCall(<i32>got, WORDS);
    else if (got != -Errno.INTR) return got;
    __collect();
  }
}
