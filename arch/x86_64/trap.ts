/**
 * Exceptions and interrupts: who gets them.
 *
 * Interrupt vectors go to the function registered for them. Page faults go to the memory manager first; what it cannot
 * resolve is the program's fault (a signal), a failed user copy (the exception table), or a kernel bug (panic).
 *
 * Invariants  R1  an interrupt from kernel mode arrives only inside idleWait() or irqWindow(): nothing is locked.
 * Locking     tables are filled at boot, or under irqLock by drivers; read without a lock.
 * Spec        SDM vol. 3A, ch. 6 "Interrupt and Exception Handling".
 */
import { apicEoi, Vector } from "./apic";
import { Exception } from "./idt";
import { faultFixup, readCr2, thisCpuPtr } from "./intrinsics";
import { TrapFrame, frameIsUser } from "./trap-frame";

/** #PF error-code bits. SDM vol. 3A, 4.7. */
export const enum PageFault { PRESENT = 1, WRITE = 2, USER = 4, RESERVED = 8, FETCH = 16 }

/**
 * What the rest of the kernel does about traps; set once at boot.
 *
 *   slot           called for                                    returns
 *   pageFault      any #PF on a user address (va), either mode   0 when resolved, else SEGV_* / a negated BUS_* code
 *   userException  an exception of ring 3; code is SEGV_*…       when the task may go on (signal queued)
 *   userReturn     work bits set on the way back to ring 3       when there is none left
 *   kernelFault    an exception of ring 0 nobody fixed           never
 *   hasWork        cheap test before userReturn                  non-zero when userReturn is wanted
 *   timer          Vector.TIMER; did it interrupt ring 3?        when the next alarm is set
 */
@final @unmanaged
export class TrapHooks {
  pageFault: (frame: TrapFrame, va: u64, error: u32) => i32;
  userException: (frame: TrapFrame, vector: u32, code: i32, va: u64) => void;
  userReturn: (frame: TrapFrame) => void;
  kernelFault: (frame: TrapFrame, va: u64) => void;
  hasWork: () => u32;
  timer: (wasUser: bool) => void;
}

export const TRAP_HOOKS = changetype<TrapHooks>(memory.data(offsetof<TrapHooks>()));
const HANDLERS: usize = memory.data(256 * 4); // (vector) => void, 0 when none
const COUNTS: usize = memory.data(256 * 4);   // interrupts taken, all CPUs (approximate: not atomic)
const USER_TOP: u64 = 0x00007ffffffff000;
const SEGV_MAPERR: i32 = 1;
/** Offset of Cpu.irqDepth (core/sched/cpu.ts): 1 while an interrupt is handled on the CPU. */
export const CPU_IRQ_DEPTH: usize = 68;

function unsetFault(frame: TrapFrame, va: u64, error: u32): i32 { return SEGV_MAPERR; }
function unsetException(frame: TrapFrame, vector: u32, code: i32, va: u64): void { unreachable(); }
function unsetReturn(frame: TrapFrame): void {}
function unsetKernelFault(frame: TrapFrame, va: u64): void { unreachable(); }
function unsetWork(): u32 { return 0; }
function unsetTimer(wasUser: bool): void {}

/** Fills the hook table with answers for early boot. */
export function trapInit(): void {
  TRAP_HOOKS.pageFault = unsetFault;
  TRAP_HOOKS.userException = unsetException;
  TRAP_HOOKS.userReturn = unsetReturn;
  TRAP_HOOKS.kernelFault = unsetKernelFault;
  TRAP_HOOKS.hasWork = unsetWork;
  TRAP_HOOKS.timer = unsetTimer;
}

/** Makes `handler` answer `vector` (32..255) on every CPU; it runs with interrupts off, before the EOI. */
export function irqRegister(vector: u32, handler: (vector: u32) => void): void {
  assert(vector >= 32 && vector < 256);
  atomic.store<u32>(HANDLERS + (vector << 2), <u32>changetype<usize>(handler));
}

/** Interrupts taken on `vector` since boot. */
export function irqCount(vector: u32): u32 {
  return load<u32>(COUNTS + (vector << 2));
}

/** First TypeScript of every exception and interrupt; called by entry.S with the frame. */
export function trapDispatch(frame: TrapFrame): void {
  const vector = <u32>frame.vector;
  if (vector == Exception.PF) pageFaultDispatch(frame);
  else if (vector < 32) exceptionDispatch(frame, vector);
  else interruptDispatch(frame, vector);
  if (frameIsUser(frame) && TRAP_HOOKS.hasWork()) TRAP_HOOKS.userReturn(frame);
}

function interruptDispatch(frame: TrapFrame, vector: u32): void {
  store<u32>(thisCpuPtr(), 1, CPU_IRQ_DEPTH);
  interruptHandle(frame, vector);
  store<u32>(thisCpuPtr(), 0, CPU_IRQ_DEPTH);
}

function interruptHandle(frame: TrapFrame, vector: u32): void {
  store<u32>(COUNTS + (vector << 2), load<u32>(COUNTS + (vector << 2)) + 1);
  if (vector != Vector.SPURIOUS) apicEoi(); // edge lines and messages: what comes during the handler must be kept
  if (vector == Vector.TIMER) {
    // A tick that waited while a system call ran arrives at the very instruction SYSRET went to (rcx): it is the kernel's.
    TRAP_HOOKS.timer(frameIsUser(frame) && frame.rip != frame.rcx);
    return;
  }
  const handler = atomic.load<u32>(HANDLERS + (vector << 2));
  if (handler != 0) changetype<(vector: u32) => void>(handler)(vector); // SAFETY: irqRegister stored it
}

function pageFaultDispatch(frame: TrapFrame): void {
  const va = readCr2();
  const error = <u32>frame.error;
  if (va < USER_TOP) {
    const code = TRAP_HOOKS.pageFault(frame, va, error);
    if (code == 0) return;
    if (frameIsUser(frame)) {
      TRAP_HOOKS.userException(frame, Exception.PF, code, va);
      return;
    }
  } else if (frameIsUser(frame)) {
    TRAP_HOOKS.userException(frame, Exception.PF, SEGV_MAPERR, va);
    return;
  }
  if (!fixupApply(frame)) TRAP_HOOKS.kernelFault(frame, va);
}

function exceptionDispatch(frame: TrapFrame, vector: u32): void {
  if (frameIsUser(frame) && vector != Exception.NMI && vector != Exception.DF && vector != Exception.MC) {
    TRAP_HOOKS.userException(frame, vector, 0, frame.rip);
    return;
  }
  if (!fixupApply(frame)) TRAP_HOOKS.kernelFault(frame, 0);
}

/** Goes on at the exception table's address for this rip, when it has one. */
function fixupApply(frame: TrapFrame): bool {
  const target = faultFixup(frame.rip);
  if (target == 0) return false;
  frame.rip = target;
  return true;
}
