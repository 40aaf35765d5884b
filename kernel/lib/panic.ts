/**
 * The end of the kernel: say why, where and on what registers; then halt, restart, or end the emulator.
 *
 * Locking  takes none: the log lock is broken first, the other CPUs are stopped by the hook.
 */
import { framePointer, halt, out8, readCr3 } from "../../arch/current";
import { cmdlineHas, cmdlineInt } from "../../arch/x86_64/boot-info";
import { powerReboot } from "../../arch/x86_64/power";
import { delayNs } from "../../arch/x86_64/timer";
import { TrapFrame } from "../../arch/x86_64/trap-frame";
import { backtraceLog } from "./backtrace";
import { LogLevel, logBegin, logBreakLock, logConsoleLevelSet, logDec, logEnd, logHex, logKeyHex, logStr } from "./log";

const DEBUG_EXIT_PORT: u32 = 0xf4; // QEMU's isa-debug-exit: status (value << 1) | 1
const DEBUG_EXIT_PANIC: u32 = 0x7e;
const NS_PER_S: u64 = 1_000_000_000;
const TRAP_MAGIC: u64 = 0x7472; // native.h: edx at a wasm trap, the kind in eax

@final @unmanaged
export class PanicHooks {
  stopOthers: () => void;
  extra: () => void; // held locks, the running task
}
const HOOKS = changetype<PanicHooks>(memory.data(offsetof<PanicHooks>()));
let isHooked: bool = false;
const PANICKING: usize = memory.data(4);

export function panicHooksSet(stopOthers: () => void, extra: () => void): void {
  HOOKS.stopOthers = stopOthers;
  HOOKS.extra = extra;
  isHooked = true;
}

/** True once the kernel is ending: consoles show every line at once. */
export function panicIsOn(): bool {
  return atomic.load<u32>(PANICKING) != 0;
}

/** Ends the kernel for `reason`, with a backtrace from here. */
export function panic(reason: string): void {
  panicBegin(reason);
  backtraceLog(0, framePointer());
  panicEnd();
}

/** Ends the kernel for an exception of its own; `va` is the address a page fault was for. */
export function panicFrame(frame: TrapFrame, va: u64): void {
  panicBegin(trapReason(frame));
  registersLog(frame, va);
  backtraceLog(frame.rip, frame.rbp);
  panicEnd();
}

function trapReason(frame: TrapFrame): string {
  const vector = <u32>frame.vector;
  if (vector == 6 && frame.rdx == TRAP_MAGIC) return wasmTrapName(<u32>frame.rax);
  if (vector == 2) return "non-maskable interrupt";
  if (vector == 8) return "double fault (kernel stack overflow?)";
  if (vector == 13) return "general protection fault in the kernel";
  if (vector == 14) return "page fault in the kernel";
  if (vector == 18) return "machine check";
  return "unexpected exception in the kernel";
}

/** What a trap's code means (native.h's TRAP_). */
export function wasmTrapName(code: u32): string {
  if (code == 1) return "broken invariant (assert or unreachable)";
  if (code == 2) return "division by zero";
  if (code == 3) return "integer overflow in a division";
  if (code == 4) return "call through a wild function pointer";
  if (code == 6) return "out of memory";
  return "unaligned atomic access";
}

function panicBegin(reason: string): void {
  if (atomic.add<u32>(PANICKING, 1) != 0) halt(); // a second panic, or another CPU's
  if (isHooked) HOOKS.stopOthers();
  logBreakLock();
  logConsoleLevelSet(LogLevel.DEBUG);
  logBegin(LogLevel.ERR, "panic");
  logStr("kernel panic: ");
  logStr(reason);
  logEnd();
}

function registersLog(frame: TrapFrame, va: u64): void {
  logBegin(LogLevel.ERR, "panic");
  logStr("vector=");
  logDec(frame.vector);
  logKeyHex("error", frame.error);
  logKeyHex("cr2", va);
  logKeyHex("cr3", readCr3());
  logKeyHex("rflags", frame.rflags);
  logEnd();
  line3("rip", frame.rip, "rsp", frame.rsp, "rbp", frame.rbp);
  line3("rax", frame.rax, "rbx", frame.rbx, "rcx", frame.rcx);
  line3("rdx", frame.rdx, "rsi", frame.rsi, "rdi", frame.rdi);
  line3("r8", frame.r8, "r9", frame.r9, "r10", frame.r10);
  line3("r11", frame.r11, "r12", frame.r12, "r13", frame.r13);
  line3("r14", frame.r14, "r15", frame.r15, "cs", frame.cs);
}

function line3(a: string, aValue: u64, b: string, bValue: u64, c: string, cValue: u64): void {
  logBegin(LogLevel.ERR, "panic");
  logStr(" ");
  logKeyHex(a, aValue);
  logKeyHex(b, bValue);
  logKeyHex(c, cValue);
  logEnd();
}

/** `panic=N` restarts after N seconds (at once when negative), `debugexit` ends QEMU; otherwise the machine halts. */
function panicEnd(): void {
  if (isHooked) HOOKS.extra();
  if (cmdlineHas("debugexit")) out8(DEBUG_EXIT_PORT, DEBUG_EXIT_PANIC);
  const seconds = cmdlineInt("panic", 0);
  if (seconds > 0) delayNs(<u64>seconds * NS_PER_S);
  if (seconds != 0) powerReboot();
  halt();
}
