/** Native call number -> handler. Generated from kernel/abi/native.ts by toolchain/generate.ts; do not edit. */
import { TrapFrame } from "../../arch/current";
import {
  nativeIrqAck,
  nativeIrqBind,
  nativePciBar,
  nativePciConfigRead,
  nativePciConfigWrite,
  nativePciInfo,
  nativePciIrq,
  nativePciList,
  nativePciMaster,
  nativePciOpen,
} from "./driver/pci/pci-object";
import {
  nativeCapCopy,
  nativeCapDrop,
  nativeCapInfo,
  nativeCapInstall,
  nativeCapRevoke,
  nativeRootClaim,
  nativeServiceCall,
  nativeServiceOpen,
} from "./native/capability-calls";
import {
  nativeEndpointBind,
  nativeEndpointCreate,
  nativeIpcCall,
  nativeIpcReplyWait,
  nativeNotificationCreate,
  nativeNotificationSignal,
  nativeNotificationTimer,
  nativeNotificationWait,
} from "./native/ipc-calls";
import {
  nativeIpcCallExtra,
  nativeIpcReplyWaitExtra,
} from "./native/ipc-extra-calls";
import {
  nativeMemoryAddresses,
  nativeMemoryCreate,
  nativeMemoryMap,
  nativePortIn,
  nativePortOut,
  nativeQuotaCreate,
} from "./native/memory-calls";
import {
  nativeProcessConfine,
  nativeProcessCrash,
  nativeProcessKill,
  nativeProcessOpen,
  nativeProcessWatch,
} from "./native/process-object";
import {
  nativeThreadInfo,
} from "./native/thread-info";
import {
  nativeThreadNext,
  nativeThreadOpen,
  nativeThreadResume,
  nativeThreadSchedule,
  nativeThreadSuspend,
} from "./native/thread-object";
import {
  nativeClockNow,
  nativeClockSet,
  nativeTimeNow,
  nativeTimeOpen,
} from "./native/time-object";

const ENOSYS: i64 = 38;

/** One more than the highest number answered. */
const CALLS: u32 = 4194;
/** Table indices of the functions below, by number. */
const TABLE: usize = memory.data(392, 4);

/** Calls the handler of `nr` with its arguments from `frame`; its result, or -ENOSYS when nothing answers the number. */
export function nativeDispatch(nr: u64, frame: TrapFrame): i64 {
  if (nr >= CALLS) return -ENOSYS;
  return call_indirect<i64>(load<u32>(TABLE + (<usize>(nr - 4096) << 2)), frame);
}

/** SAFETY: a function reference is the address of a word with its table index. */
function nativeSet(index: u32, call: (frame: TrapFrame) => i64): void {
  store<u32>(TABLE + (<usize>index << 2), load<u32>(changetype<usize>(call)));
}

function nativeNone(frame: TrapFrame): i64 { return -ENOSYS; }
function call4096(frame: TrapFrame): i64 { return nativeCapCopy(<u32>frame.rdi, <u32>frame.rsi, frame.rdx); }
function call4097(frame: TrapFrame): i64 { return nativeCapDrop(<u32>frame.rdi); }
function call4098(frame: TrapFrame): i64 { return nativeCapRevoke(<u32>frame.rdi); }
function call4099(frame: TrapFrame): i64 { return nativeCapInfo(<u32>frame.rdi, frame.rsi); }
function call4100(frame: TrapFrame): i64 { return nativeCapInstall(<u32>frame.rdi, <u32>frame.rsi, <u32>frame.rdx, frame.r10); }
function call4101(frame: TrapFrame): i64 { return nativeRootClaim(<u32>frame.rdi); }
function call4112(frame: TrapFrame): i64 { return nativeEndpointCreate(); }
function call4113(frame: TrapFrame): i64 { return nativeIpcCall(<u32>frame.rdi, <u32>frame.rsi, frame.rdx, frame.r10, frame.r8, frame.r9); }
function call4114(frame: TrapFrame): i64 { return nativeIpcReplyWait(<u32>frame.rdi, <i32>frame.rsi, frame.rdx, frame.r10, frame.r8, frame.r9); }
function call4115(frame: TrapFrame): i64 { return nativeIpcCallExtra(<u32>frame.rdi, frame.rsi); }
function call4116(frame: TrapFrame): i64 { return nativeIpcReplyWaitExtra(<u32>frame.rdi, frame.rsi); }
function call4117(frame: TrapFrame): i64 { return nativeEndpointBind(<u32>frame.rdi, <u32>frame.rsi); }
function call4128(frame: TrapFrame): i64 { return nativeNotificationCreate(); }
function call4129(frame: TrapFrame): i64 { return nativeNotificationSignal(<u32>frame.rdi, frame.rsi); }
function call4130(frame: TrapFrame): i64 { return nativeNotificationWait(<u32>frame.rdi, frame.rsi); }
function call4131(frame: TrapFrame): i64 { return nativeNotificationTimer(<u32>frame.rdi, frame.rsi, frame.rdx, frame.r10, <u32>frame.r8); }
function call4132(frame: TrapFrame): i64 { return nativeTimeNow(<u32>frame.rdi); }
function call4133(frame: TrapFrame): i64 { return nativeClockNow(<u32>frame.rdi); }
function call4134(frame: TrapFrame): i64 { return nativeClockSet(<u32>frame.rdi, frame.rsi); }
function call4135(frame: TrapFrame): i64 { return nativeTimeOpen(<u32>frame.rdi); }
function call4147(frame: TrapFrame): i64 { return nativeQuotaCreate(<u32>frame.rdi, frame.rsi); }
function call4144(frame: TrapFrame): i64 { return nativeMemoryCreate(<u32>frame.rdi, frame.rsi, <u32>frame.rdx); }
function call4145(frame: TrapFrame): i64 { return nativeMemoryMap(<u32>frame.rdi, frame.rsi, frame.rdx, frame.r10, <u32>frame.r8); }
function call4146(frame: TrapFrame): i64 { return nativeMemoryAddresses(<u32>frame.rdi, <u32>frame.rsi, <u32>frame.rdx, frame.r10, <u32>frame.r8); }
function call4160(frame: TrapFrame): i64 { return nativeIrqBind(<u32>frame.rdi, <u32>frame.rsi, frame.rdx); }
function call4161(frame: TrapFrame): i64 { return nativeIrqAck(<u32>frame.rdi); }
function call4162(frame: TrapFrame): i64 { return nativePortIn(<u32>frame.rdi, <u32>frame.rsi, <u32>frame.rdx); }
function call4163(frame: TrapFrame): i64 { return nativePortOut(<u32>frame.rdi, <u32>frame.rsi, <u32>frame.rdx, <u32>frame.r10); }
function call4168(frame: TrapFrame): i64 { return nativePciList(<u32>frame.rdi, <u32>frame.rsi, frame.rdx); }
function call4169(frame: TrapFrame): i64 { return nativePciOpen(<u32>frame.rdi, <u32>frame.rsi); }
function call4170(frame: TrapFrame): i64 { return nativePciInfo(<u32>frame.rdi, frame.rsi); }
function call4171(frame: TrapFrame): i64 { return nativePciConfigRead(<u32>frame.rdi, <u32>frame.rsi, <u32>frame.rdx); }
function call4172(frame: TrapFrame): i64 { return nativePciConfigWrite(<u32>frame.rdi, <u32>frame.rsi, <u32>frame.rdx, <u32>frame.r10); }
function call4173(frame: TrapFrame): i64 { return nativePciBar(<u32>frame.rdi, <u32>frame.rsi); }
function call4174(frame: TrapFrame): i64 { return nativePciIrq(<u32>frame.rdi, <u32>frame.rsi); }
function call4175(frame: TrapFrame): i64 { return nativePciMaster(<u32>frame.rdi, <u32>frame.rsi); }
function call4176(frame: TrapFrame): i64 { return nativeProcessOpen(<i32>frame.rdi); }
function call4177(frame: TrapFrame): i64 { return nativeProcessWatch(<u32>frame.rdi, <u32>frame.rsi, frame.rdx); }
function call4178(frame: TrapFrame): i64 { return nativeProcessKill(<u32>frame.rdi, <i32>frame.rsi); }
function call4179(frame: TrapFrame): i64 { return nativeProcessConfine(); }
function call4180(frame: TrapFrame): i64 { return nativeProcessCrash(<u32>frame.rdi, frame.rsi); }
function call4181(frame: TrapFrame): i64 { return nativeThreadOpen(<u32>frame.rdi, <i32>frame.rsi); }
function call4182(frame: TrapFrame): i64 { return nativeThreadNext(<u32>frame.rdi, <i32>frame.rsi); }
function call4183(frame: TrapFrame): i64 { return nativeThreadInfo(<u32>frame.rdi, frame.rsi); }
function call4184(frame: TrapFrame): i64 { return nativeThreadSuspend(<u32>frame.rdi); }
function call4185(frame: TrapFrame): i64 { return nativeThreadResume(<u32>frame.rdi); }
function call4186(frame: TrapFrame): i64 { return nativeThreadSchedule(<u32>frame.rdi, <u32>frame.rsi, <u32>frame.rdx); }
function call4192(frame: TrapFrame): i64 { return nativeServiceOpen(<u32>frame.rdi, <u32>frame.rsi, <u32>frame.rdx); }
function call4193(frame: TrapFrame): i64 { return nativeServiceCall(<u32>frame.rdi, <u32>frame.rsi, frame.rdx, frame.r10, frame.r8, frame.r9); }

/** Fills the table; before the first program runs. */
export function nativeTableInit(): void {
  for (let index: u32 = 0; index < CALLS - 4096; index++) nativeSet(index, nativeNone);
  nativeSet(0, call4096);
  nativeSet(1, call4097);
  nativeSet(2, call4098);
  nativeSet(3, call4099);
  nativeSet(4, call4100);
  nativeSet(5, call4101);
  nativeSet(16, call4112);
  nativeSet(17, call4113);
  nativeSet(18, call4114);
  nativeSet(19, call4115);
  nativeSet(20, call4116);
  nativeSet(21, call4117);
  nativeSet(32, call4128);
  nativeSet(33, call4129);
  nativeSet(34, call4130);
  nativeSet(35, call4131);
  nativeSet(36, call4132);
  nativeSet(37, call4133);
  nativeSet(38, call4134);
  nativeSet(39, call4135);
  nativeSet(51, call4147);
  nativeSet(48, call4144);
  nativeSet(49, call4145);
  nativeSet(50, call4146);
  nativeSet(64, call4160);
  nativeSet(65, call4161);
  nativeSet(66, call4162);
  nativeSet(67, call4163);
  nativeSet(72, call4168);
  nativeSet(73, call4169);
  nativeSet(74, call4170);
  nativeSet(75, call4171);
  nativeSet(76, call4172);
  nativeSet(77, call4173);
  nativeSet(78, call4174);
  nativeSet(79, call4175);
  nativeSet(80, call4176);
  nativeSet(81, call4177);
  nativeSet(82, call4178);
  nativeSet(83, call4179);
  nativeSet(84, call4180);
  nativeSet(85, call4181);
  nativeSet(86, call4182);
  nativeSet(87, call4183);
  nativeSet(88, call4184);
  nativeSet(89, call4185);
  nativeSet(90, call4186);
  nativeSet(96, call4192);
  nativeSet(97, call4193);
}
