/**
 * Virtual terminals tty1 to tty6 on one display and one keyboard.
 *
 * Programs' output changes the cells of a Screen at once; the display is brought up to date from them at most every
 * FRAME_NS, by comparing with what it shows already. So scrolling a thousand lines draws sixty pictures a second.
 *
 * Invariants  V1  SHOWN holds what the display shows, cell by cell.
 *             V2  a refresh is due exactly while refreshQueued is set: a timer will run it.
 * Locking     vtLock (Rank.CONSOLE, inside Tty.lock) guards screens, SHOWN and the display.
 */
import { monoNowNs } from "../../../arch/current";
import { kzalloc } from "../../core/mm/slab";
import { Timer, timerInit, timerStart } from "../../core/time/timer";
import { wakeUpAll } from "../../core/sync/wait-queue";
import { byteAt, bytesFill, wordAt32, wordPut32 } from "../../lib/bytes";
import { Rank } from "../../lib/lock-rank";
import { panicIsOn } from "../../lib/panic";
import { SpinLock, spinInit, spinLock, spinTryLock, spinUnlock } from "../../lib/spinlock";
import { CELL_CURSOR, CELL_REVERSE, DISPLAY } from "../driver/display";
import { framebufferInit } from "../driver/framebuffer";
import { vgaTextInit } from "../driver/vga-text";
import { InputFlag } from "../../abi/termios";
import { ldiscReceiveLocked } from "./ldisc-input";
import { Screen, ScreenMode, screenCell, screenInit, screenOf } from "./vt-screen";
import { vtPut } from "./vt-parser";
import {
  Tty, TtyDriver, ttyNew, ttyOf, ttyOutRun, ttyOutRunPtr, ttyOutTake, ttyOutUsed, ttyReadWait, ttyTermios, ttyWriteWait,
} from "./tty";

/** Virtual terminals there are. */
export const VT_COUNT: u32 = 6;
const FRAME_NS: u64 = 16_000_000;
const TTY_MAJOR: u32 = 4;
const SPIN_LIMIT: u32 = 100_000;

@final @unmanaged
class VtState {
  active: u32;        // index of the terminal on the display
  isUp: u32;
  shown: u32;         // V1: rows * cols words
  refreshQueued: u32; // V2, atomic
  lastRefreshNs: u64;
}
const STATE = changetype<VtState>(memory.data(offsetof<VtState>(), 8));
const SCREENS: usize = memory.data(6 * 256, 8);
const TTYS: usize = memory.data(6 * 4);
if (offsetof<Screen>() > 256) ERROR("SCREENS is indexed by 256 bytes");
const DRIVER = changetype<TtyDriver>(memory.data(offsetof<TtyDriver>()));
const refreshTimer = changetype<Timer>(memory.data(offsetof<Timer>(), 8));
const vtLock = changetype<SpinLock>(memory.data(16));

function screenAt(index: u32): Screen {
  return screenOf(SCREENS + (index << 8));
}

/** The Tty of terminal `index` (0-based), or 0. */
export function vtTty(index: u32): u32 {
  return index < VT_COUNT ? wordAt32(TTYS + (index << 2)) : 0;
}

export function vtActiveTty(): u32 {
  return vtTty(STATE.active);
}

/** Finds a display and puts six terminals on it; false when there is none (or no memory). */
export function vtInit(): bool {
  spinInit(vtLock, Rank.CONSOLE);
  if (!framebufferInit() && !vgaTextInit()) return false;
  const cellBytes = DISPLAY.rows * DISPLAY.cols * 4;
  STATE.shown = <u32>kzalloc(cellBytes);
  if (STATE.shown == 0) return false;
  bytesFill(STATE.shown, 0xff, cellBytes); // no cell looks like this: everything gets drawn
  DRIVER.kick = vtKick;
  DRIVER.unthrottle = vtNothing;
  DRIVER.configure = vtNothing;
  DRIVER.closed = vtNothing;
  timerInit(refreshTimer, vtRefreshDue, 0);
  for (let i: u32 = 0; i < VT_COUNT; i++) {
    if (!terminalAdd(i, cellBytes)) return i != 0;
  }
  STATE.isUp = 1;
  refreshLocked();
  return true;
}

function terminalAdd(index: u32, cellBytes: u32): bool {
  const cells = kzalloc(cellBytes);
  const tty = cells != 0 ? ttyNew(DRIVER, index, TTY_MAJOR << 8 | (index + 1)) : null;
  if (!tty) return false;
  screenInit(screenAt(index), cells, DISPLAY.rows, DISPLAY.cols);
  tty.rows = <u16>DISPLAY.rows;
  tty.cols = <u16>DISPLAY.cols;
  ttyTermios(tty).iflag |= InputFlag.IUTF8;
  wordPut32(TTYS + (index << 2), <u32>changetype<usize>(tty));
  return true;
}

function vtNothing(tty: Tty): void {}

/** Driver slot: all queued output goes into the screen; answers (DSR) come back as typed input. */
function vtKick(tty: Tty): void {
  const screen = screenAt(tty.driverData);
  spinLock(vtLock);
  while (ttyOutUsed(tty) != 0) {
    const run = ttyOutRun(tty);
    const from = ttyOutRunPtr(tty);
    for (let i: u32 = 0; i < run; i++) vtPut(screen, byteAt(from, i));
    ttyOutTake(tty, run);
  }
  const replies = screen.replyLength;
  screen.replyLength = 0;
  spinUnlock(vtLock);
  for (let i: u32 = 0; i < replies; i++) {
    ldiscReceiveLocked(tty, byteAt(changetype<usize>(screen) + offsetof<Screen>("reply0"), i));
  }
  if (replies != 0) wakeUpAll(ttyReadWait(tty));
  wakeUpAll(ttyWriteWait(tty));
  if (tty.driverData == STATE.active) refreshSoon();
}

/** Refreshes now when the last picture is old enough, else leaves it to the timer. */
function refreshSoon(): void {
  const now = monoNowNs();
  if (now - STATE.lastRefreshNs >= FRAME_NS) {
    spinLock(vtLock);
    refreshLocked();
    spinUnlock(vtLock);
  } else if (atomic.xchg<u32>(changetype<usize>(STATE) + offsetof<VtState>("refreshQueued"), 1) == 0) {
    timerStart(refreshTimer, STATE.lastRefreshNs + FRAME_NS);
  }
}

function vtRefreshDue(arg: u32): void {
  atomic.store<u32>(changetype<usize>(STATE) + offsetof<VtState>("refreshQueued"), 0);
  spinLock(vtLock);
  refreshLocked();
  spinUnlock(vtLock);
}

/** Draws every cell of the active screen that differs from what is shown (V1). */
function refreshLocked(): void {
  const screen = screenAt(STATE.active);
  const reverse: u32 = screen.modes & ScreenMode.REVERSE ? CELL_REVERSE : 0;
  let shown: usize = STATE.shown;
  for (let row: u32 = 0; row < screen.rows; row++) {
    for (let col: u32 = 0; col < screen.cols; col++, shown += 4) {
      let cell = screenCell(screen, row, col) | reverse;
      if (row == screen.row && col == screen.col && (screen.modes & ScreenMode.CURSOR)) cell |= CELL_CURSOR;
      if (wordAt32(shown) == cell) continue;
      wordPut32(shown, cell);
      DISPLAY.draw(row, col, cell);
    }
  }
  STATE.lastRefreshNs = monoNowNs();
}

/** Alt-Fn, VT_ACTIVATE: shows terminal `index`. */
export function vtSwitch(index: u32): void {
  if (index >= VT_COUNT || vtTty(index) == 0) return;
  spinLock(vtLock);
  STATE.active = index;
  refreshLocked();
  spinUnlock(vtLock);
}

/** True when the active terminal wants application cursor keys (ESC O A). */
export function vtAppCursor(): bool {
  return (screenAt(STATE.active).modes & ScreenMode.APP_CURSOR) != 0;
}

/** The terminal that typed keys go to. */
export function vtKeyboardTty(): Tty | null {
  const address = vtActiveTty();
  return address != 0 ? ttyOf(address) : null;
}

/** Log output on the active screen. Any context, any locks but this one held; in a panic the lock may be lost. */
export function vtLogWrite(ptr: usize, length: u32): void {
  if (!STATE.isUp) return;
  const locked = lockForLog();
  const screen = screenAt(STATE.active);
  for (let i: u32 = 0; i < length; i++) {
    if (byteAt(ptr, i) == 0x0a) vtPut(screen, 0x0d);
    vtPut(screen, byteAt(ptr, i));
  }
  if (panicIsOn() || monoNowNs() - STATE.lastRefreshNs >= FRAME_NS) refreshLocked();
  if (locked) spinUnlock(vtLock);
}

function lockForLog(): bool {
  for (let spins: u32 = 0; spins < SPIN_LIMIT; spins++) {
    if (spinTryLock(vtLock)) return true;
  }
  return false;
}
