/**
 * The guest of the foreman's channel: squares numbers. The first two guests stop answering after a while and keep what they take, so that they
 * are killed with work in hand: a fixture of tests/faults/supervisor.test.ts.
 */
import { Guest, guestAnswer, guestAttach, guestIsWelcome, guestRing, guestSleep, guestTake } from "../../../../servers/runtime/channel";
import { serveBits } from "../../../../servers/runtime/loop";
import { get64, put64 } from "../../../../servers/runtime/memory";
import { notificationSignal } from "../../../../servers/runtime/native-calls";
import { RingResult } from "../../../../servers/runtime/ring";
import { handleNamed, log, runtimeStart, serverBuffer } from "../../../../servers/runtime/start";

export { serverBuffer };

const AT: usize = 0x90000000;
const ENTRY_BYTES: u32 = 16;
const BELL: u64 = 1;
/** Pieces of work in one turn. */
const TURN: u32 = 256;
/** Those that the first two guests answer. */
const ENOUGH: u64 = 8_000;
const LAZY: u32 = 2;
/** What the host keeps unanswered at most. */
const ENTRIES: u64 = 16;
const ENTRY = memory.data(16, 8);

let guest: Guest | null = null;
let answered: u64 = 0;
let inHand: u64 = 0;

export function serverMain(count: u32): u32 {
  runtimeStart(count);
  const notification = handleNamed("notification");
  guest = guestAttach(handleNamed("call:foreman"), "worker", AT, ENTRY_BYTES, ENTRY_BYTES, notification, BELL);
  if (!guest) {
    log("nobody has work");
    return 1;
  }
  onBits(BELL);
  serveBits(notification, onBits);
  return 0;
}

function onBits(bits: u64): void {
  if (bits == 0 && !guestIsWelcome(guest!)) giveUp();
  for (let i: u32 = 0; i < TURN; i++) {
    const taken = guestTake(guest!, ENTRY);
    if (taken == RingResult.OK) work();
    else if (taken == RingResult.BROKEN || guestSleep(guest!)) return guestRing(guest!);
  }
  guestRing(guest!);
  notificationSignal(handleNamed("notification"), BELL); // there is more: another turn
}

function work(): void {
  if (guest!.generation <= LAZY && answered == ENOUGH) {
    if (++inHand == ENTRIES) log("has work in hand and does not do it");
    return;
  }
  const value = get64(ENTRY + 8);
  put64(ENTRY + 8, value * value);
  if (guestAnswer(guest!, ENTRY) != RingResult.OK) giveUp();
  answered++;
}

/** The next one attaches to the next host. */
function giveUp(): void {
  log("its host is gone");
  unreachable();
}
