/**
 * A terminal: settings, an input ring that the line discipline fills, an output ring that a driver drains.
 *
 *   driver --ttyReceive--> ldisc-input --> input ring --> ttyRead (ldisc-read)
 *   driver <----kick------ output ring <-- ldisc-output <-- ttyWrite and echo
 *
 * Invariants  Y1  inTail <= canonHead <= inHead (free-running counters, difference at most TTY_RING).
 *             Y2  in canonical mode bytes before canonHead are whole lines; each line's last byte has its line bit set.
 *             Y3  a set line bit over a NUL byte is an end-of-file mark, never delivered.
 *             Y4  in raw mode canonHead == inHead.
 * Locking     Tty.lock (Rank.TTY) guards every field. Interrupt handlers take it too: interrupts never arrive in
 *             kernel mode while it is held (docs/decisions/0001). User memory is never touched under it.
 * Units       columns, bytes; winsize as struct winsize.
 * Spec        termios(3), POSIX.1-2017 chapter 11, Linux N_TTY.
 */
import { kfree, kzalloc } from "../../core/mm/slab";
import { WaitQueue, waitQueueInit } from "../../core/sync/wait-queue";
import { Rank } from "../../lib/lock-rank";
import { SpinLock, spinInit } from "../../lib/spinlock";
import { byteAt, bytePut } from "../../lib/bytes";
import { Cc, ControlFlag, InputFlag, LocalFlag, OutputFlag, TERMIOS_CC, Termios } from "../../abi/termios";

/** Bytes of the input and of the output ring. */
export const TTY_RING: u32 = 4096;
const TTY_RING_MASK: u32 = TTY_RING - 1;

export const enum TtyFlag {
  STOPPED = 1,      // output halted by ^S or TCOOFF
  HUNG_UP = 2,      // carrier or pty master gone: reads end, writes fail
  LNEXT = 4,        // the next byte is literal (^V)
  THROTTLED = 8,    // the driver holds input back until ttyUnthrottle
  EXCLUSIVE = 16,   // TIOCEXCL
  PTY_SLAVE = 32,
  PTY_LOCKED = 64,  // TIOCSPTLCK
  PACKET = 128,     // TIOCPKT on the master
}

@final @unmanaged
export class Tty {
  termios0: u64;   // Termios by value, 48 bytes
  termios1: u64;
  termios2: u64;
  termios3: u64;
  termios4: u64;
  termios5: u64;
  lock0: u64;      // SpinLock by value
  lock1: u64;
  readWait0: u64;  // WaitQueue by value: readers and pollers of input
  readWait1: u64;
  readWait2: u64;
  readWait3: u64;
  writeWait0: u64; // WaitQueue by value: writers, drainers
  writeWait1: u64;
  writeWait2: u64;
  writeWait3: u64;
  driver: u32;     // TtyDriver
  driverData: u32; // driver's own
  rdev: u64;       // device number shown by stat and TIOCGDEV
  flags: u32;      // TtyFlag
  openCount: u32;
  sid: u32;        // session it controls, 0 for none
  pgrp: u32;       // foreground process group
  rows: u16;
  cols: u16;
  xpixel: u16;
  ypixel: u16;
  inBuf: u32;      // TTY_RING bytes, then TTY_RING bits of line ends
  inHead: u32;     // next byte to fill
  inTail: u32;     // next byte to read
  canonHead: u32;  // end of complete lines (Y2)
  outBuf: u32;     // TTY_RING bytes
  outHead: u32;
  outTail: u32;
  column: u32;     // of the cursor, as far as output processing knows
  canonColumn: u32; // column at which the edited line began
  kdMode: u32;     // KDSETMODE of a virtual terminal
  masterWait0: u64; // WaitQueue by value: readers of a pty master
  masterWait1: u64;
  masterWait2: u64;
  masterWait3: u64;
  masterOpen: u32; // 1 while the pty master is open
  ptyIndex: u32;
  wasOpened: u32;  // 1 once a slave file existed
  refs: u32;       // atomic: files, sessions (pty pairs are freed at 0)
}

/**
 * What stands behind a terminal. Slots are called with Tty.lock held, must not sleep, and are never null.
 *
 *   kick        the output ring has bytes (or the halt ended): take what you can with ttyOutTake
 *   unthrottle  the input ring has room again after TtyFlag.THROTTLED
 *   configure   termios changed
 *   closed      the last file of the terminal was closed
 */
@final @unmanaged
export class TtyDriver {
  kick: (tty: Tty) => void;
  unthrottle: (tty: Tty) => void;
  configure: (tty: Tty) => void;
  closed: (tty: Tty) => void;
}

/** SAFETY: `address` is a Tty or 0, as Process.ctty and File.data of a terminal. */
export function ttyOf(address: u32): Tty { return changetype<Tty>(address); }
export function ttyLock(tty: Tty): SpinLock { return changetype<SpinLock>(changetype<usize>(tty) + offsetof<Tty>("lock0")); } // SAFETY: by value
export function ttyTermios(tty: Tty): Termios { return changetype<Termios>(changetype<usize>(tty)); } // SAFETY: first field, by value
export function ttyReadWait(tty: Tty): WaitQueue { return changetype<WaitQueue>(changetype<usize>(tty) + offsetof<Tty>("readWait0")); } // SAFETY: by value
export function ttyWriteWait(tty: Tty): WaitQueue { return changetype<WaitQueue>(changetype<usize>(tty) + offsetof<Tty>("writeWait0")); } // SAFETY: by value
export function ttyMasterWait(tty: Tty): WaitQueue { return changetype<WaitQueue>(changetype<usize>(tty) + offsetof<Tty>("masterWait0")); } // SAFETY: by value
export function ttyDriverOf(tty: Tty): TtyDriver { return changetype<TtyDriver>(tty.driver); } // SAFETY: set by ttyNew

/** A terminal of `driver` with Linux's default settings; null when memory is full. */
export function ttyNew(driver: TtyDriver, driverData: u32, rdev: u64): Tty | null {
  const address = kzalloc(offsetof<Tty>());
  if (address == 0) return null;
  const rings = kzalloc(TTY_RING * 2 + TTY_RING / 8);
  if (rings == 0) {
    kfree(address);
    return null;
  }
  const tty = ttyOf(address);
  tty.inBuf = rings;
  tty.outBuf = rings + TTY_RING + TTY_RING / 8;
  tty.driver = changetype<usize>(driver);
  tty.driverData = driverData;
  tty.rdev = rdev;
  tty.refs = 1;
  spinInit(ttyLock(tty), Rank.TTY);
  waitQueueInit(ttyReadWait(tty));
  waitQueueInit(ttyWriteWait(tty));
  waitQueueInit(ttyMasterWait(tty));
  ttyTermiosReset(ttyTermios(tty));
  return tty;
}

/** Drops one reference; the last one frees the terminal (only ptys ever get there). */
export function ttyPut(tty: Tty): void {
  if (atomic.sub<u32>(changetype<usize>(tty), 1, offsetof<Tty>("refs")) != 1) return;
  kfree(tty.inBuf);
  kfree(changetype<usize>(tty));
}

export function ttyGet(tty: Tty): Tty {
  atomic.add<u32>(changetype<usize>(tty), 1, offsetof<Tty>("refs"));
  return tty;
}

/** Linux's tty_std_termios. */
export function ttyTermiosReset(t: Termios): void {
  t.iflag = InputFlag.ICRNL | InputFlag.IXON;
  t.oflag = OutputFlag.OPOST | OutputFlag.ONLCR;
  t.cflag = ControlFlag.B38400 | ControlFlag.CS8 | ControlFlag.CREAD | ControlFlag.HUPCL;
  t.lflag = LocalFlag.ISIG | LocalFlag.ICANON | LocalFlag.ECHO | LocalFlag.ECHOE | LocalFlag.ECHOK |
    LocalFlag.ECHOCTL | LocalFlag.ECHOKE | LocalFlag.IEXTEN;
  t.line = 0;
  ccPut(t, Cc.INTR, 0x03);
  ccPut(t, Cc.QUIT, 0x1c);
  ccPut(t, Cc.ERASE, 0x7f);
  ccPut(t, Cc.KILL, 0x15);
  ccPut(t, Cc.EOF, 0x04);
  ccPut(t, Cc.TIME, 0);
  ccPut(t, Cc.MIN, 1);
  ccPut(t, Cc.START, 0x11);
  ccPut(t, Cc.STOP, 0x13);
  ccPut(t, Cc.SUSP, 0x1a);
  ccPut(t, Cc.REPRINT, 0x12);
  ccPut(t, Cc.DISCARD, 0x0f);
  ccPut(t, Cc.WERASE, 0x17);
  ccPut(t, Cc.LNEXT, 0x16);
  t.ispeed = 38400;
  t.ospeed = 38400;
}

function ccPut(t: Termios, index: u32, value: u32): void {
  bytePut(changetype<usize>(t) + TERMIOS_CC, index, value);
}

/** Control character `index` of the terminal. */
export function ttyCc(tty: Tty, index: u32): u32 {
  return byteAt(changetype<usize>(tty) + TERMIOS_CC, index);
}

/** True when `byte` is control character `index` and that one is enabled. */
export function ttyCcIs(tty: Tty, index: u32, byte: u32): bool {
  return byte != 0 && ttyCc(tty, index) == byte;
}

// ---- rings ----

export function ttyInUsed(tty: Tty): u32 { return tty.inHead - tty.inTail; }
export function ttyOutUsed(tty: Tty): u32 { return tty.outHead - tty.outTail; }
export function ttyOutRoom(tty: Tty): u32 { return TTY_RING - (tty.outHead - tty.outTail); }

export function ttyInByte(tty: Tty, index: u32): u32 {
  return byteAt(tty.inBuf, index & TTY_RING_MASK);
}

/** Stores one byte of input; the caller has checked for room. */
export function ttyInPut(tty: Tty, byte: u32): void {
  const at = tty.inHead & TTY_RING_MASK;
  bytePut(tty.inBuf, at, byte);
  lineBitSet(tty, at, false);
  tty.inHead++;
}

/** True when the byte at counter `index` ends a line (Y2). */
export function ttyLineEnd(tty: Tty, index: u32): bool {
  const at = index & TTY_RING_MASK;
  return (byteAt(tty.inBuf, TTY_RING + (at >> 3)) >> (at & 7) & 1) != 0;
}

export function ttyLineEndSet(tty: Tty, index: u32, isEnd: bool): void {
  lineBitSet(tty, index & TTY_RING_MASK, isEnd);
}

function lineBitSet(tty: Tty, at: u32, isEnd: bool): void {
  const cell = byteAt(tty.inBuf, TTY_RING + (at >> 3));
  const bit: u32 = 1 << (at & 7);
  bytePut(tty.inBuf, TTY_RING + (at >> 3), isEnd ? cell | bit : cell & ~bit);
}

/** Queues one byte for the driver; the caller has checked for room. */
export function ttyOutPut(tty: Tty, byte: u32): void {
  bytePut(tty.outBuf, tty.outHead & TTY_RING_MASK, byte);
  tty.outHead++;
}

/** Driver: the longest run of queued bytes that lies in one piece; its address is ttyOutRunPtr. */
export function ttyOutRun(tty: Tty): u32 {
  const used = ttyOutUsed(tty);
  const toEnd = TTY_RING - (tty.outTail & TTY_RING_MASK);
  return used < toEnd ? used : toEnd;
}

export function ttyOutRunPtr(tty: Tty): usize {
  return tty.outBuf + (tty.outTail & TTY_RING_MASK);
}

/** Driver: the first queued byte. */
export function ttyOutByte(tty: Tty): u32 {
  return byteAt(tty.outBuf, tty.outTail & TTY_RING_MASK);
}

/** Driver: `n` bytes of the run are gone. */
export function ttyOutTake(tty: Tty, n: u32): void {
  tty.outTail += n;
}

export function ttyIsStopped(tty: Tty): bool {
  return (tty.flags & TtyFlag.STOPPED) != 0;
}
