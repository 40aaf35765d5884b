/**
 * The frame a signal handler runs on, exactly as Linux x86-64 lays it out, and its way back.
 *
 *   user stack, ascending:
 *   | pretcode | ucontext (304)                              | siginfo (128) | pad | fpstate (XSAVE area) | magic2 |
 *              | flags link stack sigcontext (256) sigmask   |
 *
 * Invariants  F1  at the handler's first instruction rsp + 8 is 16-byte aligned, fpstate 64-byte aligned.
 *             F2  whatever a program puts into a frame, sigreturn leaves it in ring 3 with interrupts on.
 * Spec        Linux arch/x86/include/uapi/asm/sigcontext.h, asm-generic/ucontext.h, System V ABI 3.2.2 (red zone)
 */
import {
  fpuAreaBytes, fpuAreaInit, fpuFeatureMask, Rflag, TrapFrame, userCopyIn, userCopyOut, userFpuRestore, userFpuSave,
  userStore32,
} from "../../../arch/current";
import { SigInfo, SIGINFO_BYTES, SigActionFlag } from "../../abi/signal";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { fpuFlush, fpuReload } from "../../core/sched/switch";
import { Task } from "../../core/sched/task";
import { SigAction } from "./sig-hand";

/** struct rt_sigframe up to the siginfo. */
@final @unmanaged
class UserSigFrame {
  pretcode: u64;
  ucFlags: u64;
  ucLink: u64;
  ssSp: u64;
  ssFlags: u64;
  ssSize: u64;
  r8: u64;
  r9: u64;
  r10: u64;
  r11: u64;
  r12: u64;
  r13: u64;
  r14: u64;
  r15: u64;
  rdi: u64;
  rsi: u64;
  rbp: u64;
  rbx: u64;
  rdx: u64;
  rax: u64;
  rcx: u64;
  rsp: u64;
  rip: u64;
  eflags: u64;
  cs: u16;
  gs: u16;
  fs: u16;
  ss: u16;
  err: u64;
  trapno: u64;
  oldmask: u64;
  cr2: u64;
  fpstate: u64;
  reserved0: u64;
  reserved1: u64;
  reserved2: u64;
  reserved3: u64;
  reserved4: u64;
  reserved5: u64;
  reserved6: u64;
  reserved7: u64;
  sigmask: u64;
}
const HEAD_BYTES: u32 = offsetof<UserSigFrame>();
if (offsetof<UserSigFrame>() != 312) ERROR("pretcode + ucontext are 312 bytes");
const FRAME_BYTES: u32 = 440; // with the siginfo

const UC_FP_XSTATE: u64 = 1;
const UC_SIGCONTEXT_SS: u64 = 2;
const UC_STRICT_RESTORE_SS: u64 = 4;
const RED_ZONE: u64 = 128;
const USER_CS: u16 = 0x33;
const USER_SS: u16 = 0x2b;

const FP_XSTATE_MAGIC1: u32 = 0x46505853;
const FP_XSTATE_MAGIC2: u32 = 0x46505845;
const SW_RESERVED: u32 = 464; // software-reserved bytes of the legacy area
const LEGACY_BYTES: u32 = 512;
const XSTATE_HEADER_BYTES: u32 = 64;
/** Software-reserved bytes and XSAVE header, in the order of the frame. */
const MARKER_BYTES: u32 = LEGACY_BYTES - SW_RESERVED + XSTATE_HEADER_BYTES;
const XSTATE_MARKERS: usize = memory.data(LEGACY_BYTES - SW_RESERVED + XSTATE_HEADER_BYTES, 8);
const SW_CHECKED_BYTES: u32 = 24; // magic, sizes, features
const MXCSR_OFFSET: u32 = 24;
const MXCSR_MASK: u32 = 0xffff;

const SS_ONSTACK: u32 = 1;
const SS_DISABLE: u32 = 2;
const SS_AUTODISARM: u32 = 0x80000000;
const FLAGS_RESTORED: u64 = 0x40dd5; // AC OF DF TF SF ZF AF PF CF of sigcontext

/** True when `sp` lies on the task's alternate stack. */
export function isOnAltStack(task: Task, sp: u64): bool {
  if (task.altStackFlags & SS_AUTODISARM) return false;
  return sp > task.altStackBase && sp - task.altStackBase <= task.altStackSize;
}

/** ss_flags as sigaltstack(2) and the frame show them. */
export function altStackState(task: Task, sp: u64): u32 {
  if (task.altStackSize == 0) return SS_DISABLE;
  return (isOnAltStack(task, sp) ? SS_ONSTACK : 0) | (task.altStackFlags & SS_AUTODISARM);
}

/** Where the frame goes: below the red zone, or on the alternate stack when the action wants it. */
function frameTop(task: Task, frame: TrapFrame, action: SigAction): u64 {
  const isFree = task.altStackSize != 0 && !isOnAltStack(task, frame.rsp);
  if ((action.flags & SigActionFlag.ONSTACK) != 0 && isFree) return task.altStackBase + task.altStackSize;
  return frame.rsp - RED_ZONE;
}

/**
 * Builds the frame for `sig` on the user stack and points `frame` at the handler. `savedMask` is what sigreturn
 * restores. False when the stack cannot take it (the caller raises SIGSEGV).
 */
export function signalFrameBuild(
  task: Task, frame: TrapFrame, action: SigAction, info: SigInfo, savedMask: u64,
): bool {
  if ((action.flags & SigActionFlag.RESTORER) == 0) return false;
  const stateBytes = fpuAreaBytes();
  const hasXstate = stateBytes > LEGACY_BYTES;
  const top = frameTop(task, frame, action);
  const fpVa = (top - stateBytes - (hasXstate ? 4 : 0)) & ~63;
  const va = ((fpVa - FRAME_BYTES) & ~15) - 8; // F1
  if (isOnAltStack(task, frame.rsp) && !isOnAltStack(task, va)) return false; // overflowed
  if (!fpStateOut(task, fpVa, stateBytes, hasXstate)) return false;

  const head = scratchPush(FRAME_BYTES);
  headFill(changetype<UserSigFrame>(head), task, frame, savedMask); // SAFETY: FRAME_BYTES of scratch
  const user = changetype<UserSigFrame>(head);
  user.pretcode = action.restorer;
  user.ucFlags = UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS | (hasXstate ? UC_FP_XSTATE : 0);
  user.fpstate = fpVa;
  memory.copy(head + HEAD_BYTES, changetype<usize>(info), offsetof<SigInfo>());
  memory.fill(head + HEAD_BYTES + offsetof<SigInfo>(), 0, SIGINFO_BYTES - offsetof<SigInfo>());
  const result = userCopyOut(va, head, FRAME_BYTES);
  scratchPop(FRAME_BYTES);
  if (result != 0) return false;

  if (task.altStackFlags & SS_AUTODISARM) task.altStackSize = 0;
  frame.rdi = <u64>info.signo;
  frame.rsi = va + HEAD_BYTES;
  frame.rdx = va + 8;
  frame.rax = 0;
  frame.rsp = va;
  frame.rip = action.handler;
  frame.cs = USER_CS;
  frame.ss = USER_SS;
  frame.rflags &= ~<u64>(Rflag.DF | Rflag.RF | Rflag.TF);
  return true;
}

function headFill(user: UserSigFrame, task: Task, frame: TrapFrame, savedMask: u64): void {
  user.ucLink = 0;
  user.gs = 0;
  user.fs = 0;
  memory.fill(changetype<usize>(user) + offsetof<UserSigFrame>("reserved0"), 0, 64);
  user.ssSp = task.altStackBase;
  user.ssFlags = altStackState(task, frame.rsp);
  user.ssSize = task.altStackSize;
  user.r8 = frame.r8;
  user.r9 = frame.r9;
  user.r10 = frame.r10;
  user.r11 = frame.r11;
  user.r12 = frame.r12;
  user.r13 = frame.r13;
  user.r14 = frame.r14;
  user.r15 = frame.r15;
  user.rdi = frame.rdi;
  user.rsi = frame.rsi;
  user.rbp = frame.rbp;
  user.rbx = frame.rbx;
  user.rdx = frame.rdx;
  user.rax = frame.rax;
  user.rcx = frame.rcx;
  user.rsp = frame.rsp;
  user.rip = frame.rip;
  user.eflags = frame.rflags;
  user.cs = <u16>frame.cs;
  user.ss = <u16>frame.ss;
  user.err = task.faultError;
  user.trapno = task.faultVector;
  user.oldmask = savedMask;
  user.cr2 = task.faultVa;
  user.sigmask = savedMask;
}

/** Writes the FPU state, straight from the registers where XSAVE can. */
function fpStateOut(task: Task, fpVa: u64, stateBytes: u32, hasXstate: bool): bool {
  if (hasXstate) return xstateOut(fpVa, stateBytes);
  fpuFlush(task);
  const area: usize = task.fpuArea;
  memory.fill(area + SW_RESERVED, 0, LEGACY_BYTES - SW_RESERVED);
  return userCopyOut(fpVa, area, LEGACY_BYTES) == 0;
}

/** An XSAVE image between the markers that tell user space so. XSAVE leaves the first ones and most of the header alone. */
function xstateOut(fpVa: u64, stateBytes: u32): bool {
  if (load<u32>(XSTATE_MARKERS) == 0) xstateMarkersFill(stateBytes);
  return userCopyOut(fpVa + SW_RESERVED, XSTATE_MARKERS, MARKER_BYTES) == 0 && userFpuSave(fpVa) == 0 &&
    userStore32(fpVa + stateBytes, FP_XSTATE_MAGIC2) == 0;
}

/** The same for every frame; CPUs that do this at once write the same. */
function xstateMarkersFill(stateBytes: u32): void {
  store<u32>(XSTATE_MARKERS, stateBytes + 4, 4);
  store<u64>(XSTATE_MARKERS, fpuFeatureMask(), 8);
  store<u32>(XSTATE_MARKERS, stateBytes, 16);
  store<u32>(XSTATE_MARKERS, FP_XSTATE_MAGIC1);
}

/** Undoes signalFrameBuild for the frame the handler's restorer left: false when the frame cannot be believed. */
export function signalFrameRestore(task: Task, frame: TrapFrame): bool {
  const head = scratchPush(HEAD_BYTES);
  const user = changetype<UserSigFrame>(head); // SAFETY: HEAD_BYTES of scratch
  const isRead = userCopyIn(head, frame.rsp - 8, HEAD_BYTES) == 0;
  const isGood = isRead && fpStateIn(task, user.fpstate);
  if (isGood) registersRestore(task, frame, user);
  scratchPop(HEAD_BYTES);
  return isGood;
}

function registersRestore(task: Task, frame: TrapFrame, user: UserSigFrame): void {
  frame.r8 = user.r8;
  frame.r9 = user.r9;
  frame.r10 = user.r10;
  frame.r11 = user.r11;
  frame.r12 = user.r12;
  frame.r13 = user.r13;
  frame.r14 = user.r14;
  frame.r15 = user.r15;
  frame.rdi = user.rdi;
  frame.rsi = user.rsi;
  frame.rbp = user.rbp;
  frame.rbx = user.rbx;
  frame.rdx = user.rdx;
  frame.rax = user.rax;
  frame.rcx = user.rcx;
  frame.rsp = user.rsp;
  frame.rip = user.rip;
  frame.rflags = (frame.rflags & ~FLAGS_RESTORED) | (user.eflags & FLAGS_RESTORED) | Rflag.IF; // F2
  frame.cs = USER_CS; // F2
  frame.ss = USER_SS;
  frame.error = 0; // no longer a system call: nothing to restart
  task.sigMask = user.sigmask;
  altStackRestore(task, user);
}

function altStackRestore(task: Task, user: UserSigFrame): void {
  const flags = <u32>user.ssFlags;
  if (isOnAltStack(task, user.rsp)) return;
  if (flags & SS_DISABLE) {
    task.altStackSize = 0;
    task.altStackFlags = 0;
    return;
  }
  task.altStackBase = user.ssSp;
  task.altStackSize = user.ssSize;
  task.altStackFlags = flags & SS_AUTODISARM;
}

/** Loads the FPU state of the frame; a null pointer means the initial state. */
function fpStateIn(task: Task, fpVa: u64): bool {
  const area: usize = task.fpuArea;
  if (fpVa == 0) {
    fpuAreaInit(area);
    fpuReload(task);
    return true;
  }
  const stateBytes = fpuAreaBytes();
  if (stateBytes > LEGACY_BYTES && xstateIsMarked(fpVa, stateBytes)) {
    return userFpuRestore(fpVa) == 0 || fpStateBroken(task);
  }
  let isRead = true;
  let switches: u64 = 0;
  do { // a page fault may switch tasks, which saves the registers over what was read so far: once more then
    switches = task.voluntarySwitches + task.involuntarySwitches;
    isRead = legacyStateIn(area, fpVa, stateBytes);
  } while (isRead && switches != task.voluntarySwitches + task.involuntarySwitches);
  if (!isRead) return fpStateBroken(task);
  fpStateSanitize(area, stateBytes);
  fpuReload(task);
  return true;
}

/** The frame has an XSAVE image of the size that this kernel makes. */
function xstateIsMarked(fpVa: u64, stateBytes: u32): bool {
  const words = scratchPush(SW_CHECKED_BYTES);
  const isRead = userCopyIn(words, fpVa + SW_RESERVED, SW_CHECKED_BYTES) == 0;
  const isMarked = isRead && load<u32>(words) == FP_XSTATE_MAGIC1 && load<u32>(words, 16) == stateBytes;
  scratchPop(SW_CHECKED_BYTES);
  return isMarked;
}

/** A frame without the extended half: that half takes its initial state. */
function legacyStateIn(area: usize, fpVa: u64, stateBytes: u32): bool {
  if (userCopyIn(area, fpVa, LEGACY_BYTES) != 0) return false;
  if (stateBytes > LEGACY_BYTES) {
    memory.fill(area + LEGACY_BYTES, 0, stateBytes - LEGACY_BYTES);
    store<u64>(area + LEGACY_BYTES, 3); // x87 and SSE come from the legacy area
  }
  return true;
}

function fpStateBroken(task: Task): bool {
  fpuAreaInit(task.fpuArea);
  fpuReload(task);
  return false;
}

/** XRSTOR and FXRSTOR fault on reserved bits: clear them (F2). SDM vol. 1, 13.8.1. */
function fpStateSanitize(area: usize, stateBytes: u32): void {
  store<u32>(area, load<u32>(area, MXCSR_OFFSET) & MXCSR_MASK, MXCSR_OFFSET);
  if (stateBytes <= LEGACY_BYTES) return;
  const features = load<u64>(area + LEGACY_BYTES) & fpuFeatureMask();
  memory.fill(area + LEGACY_BYTES, 0, XSTATE_HEADER_BYTES);
  store<u64>(area + LEGACY_BYTES, features);
}
