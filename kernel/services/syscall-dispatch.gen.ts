/** System call number -> handler. Generated from kernel/abi/syscalls.ts by toolchain/generate.ts; do not edit. */
import { TrapFrame } from "../../arch/current";
import { nativeDispatch } from "./native-dispatch.gen";
import {
  sysRecvfrom,
  sysRecvmsg,
  sysSendmsg,
  sysSendto,
} from "./net/sys-message";
import {
  sysAccept,
  sysAccept4,
  sysBind,
  sysConnect,
  sysGetpeername,
  sysGetsockname,
  sysGetsockopt,
  sysListen,
  sysSetsockopt,
  sysShutdown,
  sysSocket,
  sysSocketpair,
} from "./net/sys-socket";
import {
  sysExecve,
  sysExecveat,
} from "./process/exec";
import {
  sysExit,
  sysExitGroup,
} from "./process/exit";
import {
  sysClone,
  sysClone3,
  sysFork,
  sysSetTidAddress,
  sysVfork,
} from "./process/fork";
import {
  sysGetpgid,
  sysGetpgrp,
  sysGetsid,
  sysSetpgid,
  sysSetsid,
} from "./process/job-control";
import {
  sysGetrlimit,
  sysPrlimit64,
  sysSetrlimit,
} from "./process/rlimit";
import {
  sysGetRobustList,
  sysSetRobustList,
} from "./process/robust-list";
import {
  sysGetrusage,
  sysTimes,
} from "./process/rusage";
import {
  sysCapget,
  sysCapset,
} from "./process/sys-capability";
import {
  sysGetegid,
  sysGeteuid,
  sysGetgid,
  sysGetgroups,
  sysGetresgid,
  sysGetresuid,
  sysGetuid,
  sysSetfsgid,
  sysSetfsuid,
  sysSetgid,
  sysSetgroups,
  sysSetregid,
  sysSetresgid,
  sysSetresuid,
  sysSetreuid,
  sysSetuid,
} from "./process/sys-cred";
import {
  sysFutex,
} from "./process/sys-futex";
import {
  sysGetpid,
  sysGetppid,
  sysGettid,
} from "./process/sys-identity";
import {
  sysBrk,
  sysMadvise,
  sysMincore,
  sysMlock,
  sysMlock2,
  sysMlockall,
  sysMmap,
  sysMprotect,
  sysMremap,
  sysMsync,
  sysMunlock,
  sysMunlockall,
  sysMunmap,
} from "./process/sys-mm";
import {
  sysArchPrctl,
  sysPersonality,
  sysPrctl,
} from "./process/sys-prctl";
import {
  sysGetcpu,
  sysGetpriority,
  sysSchedGetPriorityMax,
  sysSchedGetPriorityMin,
  sysSchedGetaffinity,
  sysSchedGetattr,
  sysSchedGetparam,
  sysSchedGetscheduler,
  sysSchedRrGetInterval,
  sysSchedSetaffinity,
  sysSchedSetattr,
  sysSchedSetparam,
  sysSchedSetscheduler,
  sysSchedYield,
  sysSetpriority,
} from "./process/sys-sched";
import {
  sysGetrandom,
  sysReboot,
  sysSysinfo,
} from "./process/sys-system";
import {
  sysAdjtimex,
  sysClockAdjtime,
  sysClockGetres,
  sysClockGettime,
  sysClockNanosleep,
  sysClockSettime,
  sysGettimeofday,
  sysNanosleep,
  sysRestartSyscall,
  sysSettimeofday,
  sysTime,
} from "./process/sys-time";
import {
  sysAlarm,
  sysGetitimer,
  sysSetitimer,
  sysTimerCreate,
  sysTimerDelete,
  sysTimerGetoverrun,
  sysTimerGettime,
  sysTimerSettime,
} from "./process/sys-timer";
import {
  sysSetdomainname,
  sysSethostname,
  sysUname,
} from "./process/uname";
import {
  sysWait4,
  sysWaitid,
} from "./process/wait";
import {
  sysKill,
  sysRtSigqueueinfo,
  sysRtTgsigqueueinfo,
  sysTgkill,
  sysTkill,
} from "./signal/sys-kill";
import {
  sysPause,
  sysRtSigaction,
  sysRtSigpending,
  sysRtSigprocmask,
  sysRtSigreturn,
  sysRtSigsuspend,
  sysRtSigtimedwait,
  sysSigaltstack,
} from "./signal/sys-sigaction";
import {
  sysSyslog,
} from "./vfs/dev/syslog";
import {
  sysEventfd,
  sysEventfd2,
} from "./vfs/eventfd";
import {
  sysMemfdCreate,
} from "./vfs/memfd";
import {
  sysPoll,
  sysPpoll,
} from "./vfs/poll";
import {
  sysPselect6,
  sysSelect,
} from "./vfs/select";
import {
  sysChmod,
  sysChown,
  sysFallocate,
  sysFchmod,
  sysFchmodat,
  sysFchown,
  sysFchownat,
  sysFtruncate,
  sysFutimesat,
  sysLchown,
  sysTruncate,
  sysUtime,
  sysUtimensat,
  sysUtimes,
} from "./vfs/sys-attr";
import {
  sysCopyFileRange,
  sysSendfile,
  sysSplice,
  sysTee,
  sysVmsplice,
} from "./vfs/sys-copy";
import {
  sysChdir,
  sysChroot,
  sysFchdir,
  sysGetcwd,
  sysGetdents,
  sysGetdents64,
  sysLink,
  sysLinkat,
  sysMkdir,
  sysMkdirat,
  sysMknod,
  sysMknodat,
  sysReadlink,
  sysReadlinkat,
  sysRename,
  sysRenameat,
  sysRenameat2,
  sysRmdir,
  sysSymlink,
  sysSymlinkat,
  sysUmask,
  sysUnlink,
  sysUnlinkat,
} from "./vfs/sys-dir";
import {
  sysEpollCreate,
  sysEpollCreate1,
  sysEpollCtl,
  sysEpollPwait,
  sysEpollPwait2,
  sysEpollWait,
} from "./vfs/sys-epoll";
import {
  sysDup,
  sysDup2,
  sysDup3,
  sysFadvise64,
  sysFcntl,
  sysFdatasync,
  sysFlock,
  sysFsync,
  sysIoctl,
  sysReadahead,
  sysSync,
  sysSyncFileRange,
  sysSyncfs,
} from "./vfs/sys-fd";
import {
  sysMount,
  sysPivotRoot,
  sysUmount2,
} from "./vfs/sys-mount";
import {
  sysClose,
  sysCloseRange,
  sysCreat,
  sysOpen,
  sysOpenat,
  sysOpenat2,
} from "./vfs/sys-open";
import {
  sysPipe,
  sysPipe2,
} from "./vfs/sys-pipe";
import {
  sysLseek,
  sysPread64,
  sysPreadv,
  sysPreadv2,
  sysPwrite64,
  sysPwritev,
  sysPwritev2,
  sysRead,
  sysReadv,
  sysWrite,
  sysWritev,
} from "./vfs/sys-rw";
import {
  sysAccess,
  sysFaccessat,
  sysFaccessat2,
  sysFstat,
  sysFstatfs,
  sysLstat,
  sysNewfstatat,
  sysStat,
  sysStatfs,
  sysStatx,
} from "./vfs/sys-stat";
import {
  sysFgetxattr,
  sysFlistxattr,
  sysFremovexattr,
  sysFsetxattr,
  sysGetxattr,
  sysLgetxattr,
  sysListxattr,
  sysLlistxattr,
  sysLremovexattr,
  sysLsetxattr,
  sysRemovexattr,
  sysSetxattr,
} from "./vfs/sys-xattr";
import {
  sysTimerfdCreate,
  sysTimerfdGettime,
  sysTimerfdSettime,
} from "./vfs/timerfd";

const ENOSYS: i64 = 38;

/** One more than the highest number answered. */
const CALLS: u32 = 442;
/** Table indices of the functions below, by number. */
const TABLE: usize = memory.data(1768, 4);

/** Calls the handler of `nr` with its arguments from `frame`; its result, or -ENOSYS when nothing answers the number. */
export function syscallDispatch(nr: u64, frame: TrapFrame): i64 {
  if (nr >= CALLS) return nr >= 4096 ? nativeDispatch(nr, frame) : -ENOSYS;
  return call_indirect<i64>(load<u32>(TABLE + (<usize>nr << 2)), frame);
}

/** SAFETY: a function reference is the address of a word with its table index. */
function callSet(index: u32, call: (frame: TrapFrame) => i64): void {
  store<u32>(TABLE + (<usize>index << 2), load<u32>(changetype<usize>(call)));
}

function callNone(frame: TrapFrame): i64 { return -ENOSYS; }
function call0(frame: TrapFrame): i64 { return sysRead(<i32>frame.rdi, frame.rsi, frame.rdx); }
function call1(frame: TrapFrame): i64 { return sysWrite(<i32>frame.rdi, frame.rsi, frame.rdx); }
function call2(frame: TrapFrame): i64 { return sysOpen(frame.rdi, <u32>frame.rsi, <u32>frame.rdx); }
function call3(frame: TrapFrame): i64 { return sysClose(<i32>frame.rdi); }
function call4(frame: TrapFrame): i64 { return sysStat(frame.rdi, frame.rsi); }
function call5(frame: TrapFrame): i64 { return sysFstat(<i32>frame.rdi, frame.rsi); }
function call6(frame: TrapFrame): i64 { return sysLstat(frame.rdi, frame.rsi); }
function call7(frame: TrapFrame): i64 { return sysPoll(frame.rdi, frame.rsi, <i32>frame.rdx); }
function call8(frame: TrapFrame): i64 { return sysLseek(<i32>frame.rdi, <i64>frame.rsi, <u32>frame.rdx); }
function call9(frame: TrapFrame): i64 { return sysMmap(frame.rdi, frame.rsi, <u32>frame.rdx, <u32>frame.r10, <i32>frame.r8, frame.r9); }
function call10(frame: TrapFrame): i64 { return sysMprotect(frame.rdi, frame.rsi, <u32>frame.rdx); }
function call11(frame: TrapFrame): i64 { return sysMunmap(frame.rdi, frame.rsi); }
function call12(frame: TrapFrame): i64 { return sysBrk(frame.rdi); }
function call13(frame: TrapFrame): i64 { return sysRtSigaction(<i32>frame.rdi, frame.rsi, frame.rdx, frame.r10); }
function call14(frame: TrapFrame): i64 { return sysRtSigprocmask(<i32>frame.rdi, frame.rsi, frame.rdx, frame.r10); }
function call15(frame: TrapFrame): i64 { return sysRtSigreturn(); }
function call16(frame: TrapFrame): i64 { return sysIoctl(<i32>frame.rdi, <u32>frame.rsi, frame.rdx); }
function call17(frame: TrapFrame): i64 { return sysPread64(<i32>frame.rdi, frame.rsi, frame.rdx, <i64>frame.r10); }
function call18(frame: TrapFrame): i64 { return sysPwrite64(<i32>frame.rdi, frame.rsi, frame.rdx, <i64>frame.r10); }
function call19(frame: TrapFrame): i64 { return sysReadv(<i32>frame.rdi, frame.rsi, frame.rdx); }
function call20(frame: TrapFrame): i64 { return sysWritev(<i32>frame.rdi, frame.rsi, frame.rdx); }
function call21(frame: TrapFrame): i64 { return sysAccess(frame.rdi, <u32>frame.rsi); }
function call22(frame: TrapFrame): i64 { return sysPipe(frame.rdi); }
function call23(frame: TrapFrame): i64 { return sysSelect(<i32>frame.rdi, frame.rsi, frame.rdx, frame.r10, frame.r8); }
function call24(frame: TrapFrame): i64 { return sysSchedYield(); }
function call25(frame: TrapFrame): i64 { return sysMremap(frame.rdi, frame.rsi, frame.rdx, <u32>frame.r10, frame.r8); }
function call26(frame: TrapFrame): i64 { return sysMsync(frame.rdi, frame.rsi, <u32>frame.rdx); }
function call27(frame: TrapFrame): i64 { return sysMincore(frame.rdi, frame.rsi, frame.rdx); }
function call28(frame: TrapFrame): i64 { return sysMadvise(frame.rdi, frame.rsi, <u32>frame.rdx); }
function call32(frame: TrapFrame): i64 { return sysDup(<i32>frame.rdi); }
function call33(frame: TrapFrame): i64 { return sysDup2(<i32>frame.rdi, <i32>frame.rsi); }
function call34(frame: TrapFrame): i64 { return sysPause(); }
function call35(frame: TrapFrame): i64 { return sysNanosleep(frame.rdi, frame.rsi); }
function call36(frame: TrapFrame): i64 { return sysGetitimer(<i32>frame.rdi, frame.rsi); }
function call37(frame: TrapFrame): i64 { return sysAlarm(<u32>frame.rdi); }
function call38(frame: TrapFrame): i64 { return sysSetitimer(<i32>frame.rdi, frame.rsi, frame.rdx); }
function call39(frame: TrapFrame): i64 { return sysGetpid(); }
function call40(frame: TrapFrame): i64 { return sysSendfile(<i32>frame.rdi, <i32>frame.rsi, frame.rdx, frame.r10); }
function call41(frame: TrapFrame): i64 { return sysSocket(<i32>frame.rdi, <i32>frame.rsi, <i32>frame.rdx); }
function call42(frame: TrapFrame): i64 { return sysConnect(<i32>frame.rdi, frame.rsi, <i32>frame.rdx); }
function call43(frame: TrapFrame): i64 { return sysAccept(<i32>frame.rdi, frame.rsi, frame.rdx); }
function call44(frame: TrapFrame): i64 { return sysSendto(<i32>frame.rdi, frame.rsi, frame.rdx, <u32>frame.r10, frame.r8, <i32>frame.r9); }
function call45(frame: TrapFrame): i64 { return sysRecvfrom(<i32>frame.rdi, frame.rsi, frame.rdx, <u32>frame.r10, frame.r8, frame.r9); }
function call46(frame: TrapFrame): i64 { return sysSendmsg(<i32>frame.rdi, frame.rsi, <u32>frame.rdx); }
function call47(frame: TrapFrame): i64 { return sysRecvmsg(<i32>frame.rdi, frame.rsi, <u32>frame.rdx); }
function call48(frame: TrapFrame): i64 { return sysShutdown(<i32>frame.rdi, <i32>frame.rsi); }
function call49(frame: TrapFrame): i64 { return sysBind(<i32>frame.rdi, frame.rsi, <i32>frame.rdx); }
function call50(frame: TrapFrame): i64 { return sysListen(<i32>frame.rdi, <i32>frame.rsi); }
function call51(frame: TrapFrame): i64 { return sysGetsockname(<i32>frame.rdi, frame.rsi, frame.rdx); }
function call52(frame: TrapFrame): i64 { return sysGetpeername(<i32>frame.rdi, frame.rsi, frame.rdx); }
function call53(frame: TrapFrame): i64 { return sysSocketpair(<i32>frame.rdi, <i32>frame.rsi, <i32>frame.rdx, frame.r10); }
function call54(frame: TrapFrame): i64 { return sysSetsockopt(<i32>frame.rdi, <i32>frame.rsi, <i32>frame.rdx, frame.r10, <i32>frame.r8); }
function call55(frame: TrapFrame): i64 { return sysGetsockopt(<i32>frame.rdi, <i32>frame.rsi, <i32>frame.rdx, frame.r10, frame.r8); }
function call56(frame: TrapFrame): i64 { return sysClone(frame.rdi, frame.rsi, frame.rdx, frame.r10, frame.r8); }
function call57(frame: TrapFrame): i64 { return sysFork(); }
function call58(frame: TrapFrame): i64 { return sysVfork(); }
function call59(frame: TrapFrame): i64 { return sysExecve(frame.rdi, frame.rsi, frame.rdx); }
function call60(frame: TrapFrame): i64 { sysExit(<i32>frame.rdi); return 0; }
function call61(frame: TrapFrame): i64 { return sysWait4(<i32>frame.rdi, frame.rsi, <u32>frame.rdx, frame.r10); }
function call62(frame: TrapFrame): i64 { return sysKill(<i32>frame.rdi, <i32>frame.rsi); }
function call63(frame: TrapFrame): i64 { return sysUname(frame.rdi); }
function call72(frame: TrapFrame): i64 { return sysFcntl(<i32>frame.rdi, <u32>frame.rsi, frame.rdx); }
function call73(frame: TrapFrame): i64 { return sysFlock(<i32>frame.rdi, <u32>frame.rsi); }
function call74(frame: TrapFrame): i64 { return sysFsync(<i32>frame.rdi); }
function call75(frame: TrapFrame): i64 { return sysFdatasync(<i32>frame.rdi); }
function call76(frame: TrapFrame): i64 { return sysTruncate(frame.rdi, <i64>frame.rsi); }
function call77(frame: TrapFrame): i64 { return sysFtruncate(<i32>frame.rdi, <i64>frame.rsi); }
function call78(frame: TrapFrame): i64 { return sysGetdents(<i32>frame.rdi, frame.rsi, <u32>frame.rdx); }
function call79(frame: TrapFrame): i64 { return sysGetcwd(frame.rdi, frame.rsi); }
function call80(frame: TrapFrame): i64 { return sysChdir(frame.rdi); }
function call81(frame: TrapFrame): i64 { return sysFchdir(<i32>frame.rdi); }
function call82(frame: TrapFrame): i64 { return sysRename(frame.rdi, frame.rsi); }
function call83(frame: TrapFrame): i64 { return sysMkdir(frame.rdi, <u32>frame.rsi); }
function call84(frame: TrapFrame): i64 { return sysRmdir(frame.rdi); }
function call85(frame: TrapFrame): i64 { return sysCreat(frame.rdi, <u32>frame.rsi); }
function call86(frame: TrapFrame): i64 { return sysLink(frame.rdi, frame.rsi); }
function call87(frame: TrapFrame): i64 { return sysUnlink(frame.rdi); }
function call88(frame: TrapFrame): i64 { return sysSymlink(frame.rdi, frame.rsi); }
function call89(frame: TrapFrame): i64 { return sysReadlink(frame.rdi, frame.rsi, <i32>frame.rdx); }
function call90(frame: TrapFrame): i64 { return sysChmod(frame.rdi, <u32>frame.rsi); }
function call91(frame: TrapFrame): i64 { return sysFchmod(<i32>frame.rdi, <u32>frame.rsi); }
function call92(frame: TrapFrame): i64 { return sysChown(frame.rdi, <i32>frame.rsi, <i32>frame.rdx); }
function call93(frame: TrapFrame): i64 { return sysFchown(<i32>frame.rdi, <i32>frame.rsi, <i32>frame.rdx); }
function call94(frame: TrapFrame): i64 { return sysLchown(frame.rdi, <i32>frame.rsi, <i32>frame.rdx); }
function call95(frame: TrapFrame): i64 { return sysUmask(<u32>frame.rdi); }
function call96(frame: TrapFrame): i64 { return sysGettimeofday(frame.rdi, frame.rsi); }
function call97(frame: TrapFrame): i64 { return sysGetrlimit(<u32>frame.rdi, frame.rsi); }
function call98(frame: TrapFrame): i64 { return sysGetrusage(<i32>frame.rdi, frame.rsi); }
function call99(frame: TrapFrame): i64 { return sysSysinfo(frame.rdi); }
function call100(frame: TrapFrame): i64 { return sysTimes(frame.rdi); }
function call102(frame: TrapFrame): i64 { return sysGetuid(); }
function call103(frame: TrapFrame): i64 { return sysSyslog(<i32>frame.rdi, frame.rsi, <i32>frame.rdx); }
function call104(frame: TrapFrame): i64 { return sysGetgid(); }
function call105(frame: TrapFrame): i64 { return sysSetuid(<u32>frame.rdi); }
function call106(frame: TrapFrame): i64 { return sysSetgid(<u32>frame.rdi); }
function call107(frame: TrapFrame): i64 { return sysGeteuid(); }
function call108(frame: TrapFrame): i64 { return sysGetegid(); }
function call109(frame: TrapFrame): i64 { return sysSetpgid(<i32>frame.rdi, <i32>frame.rsi); }
function call110(frame: TrapFrame): i64 { return sysGetppid(); }
function call111(frame: TrapFrame): i64 { return sysGetpgrp(); }
function call112(frame: TrapFrame): i64 { return sysSetsid(); }
function call113(frame: TrapFrame): i64 { return sysSetreuid(<u32>frame.rdi, <u32>frame.rsi); }
function call114(frame: TrapFrame): i64 { return sysSetregid(<u32>frame.rdi, <u32>frame.rsi); }
function call115(frame: TrapFrame): i64 { return sysGetgroups(<i32>frame.rdi, frame.rsi); }
function call116(frame: TrapFrame): i64 { return sysSetgroups(frame.rdi, frame.rsi); }
function call117(frame: TrapFrame): i64 { return sysSetresuid(<u32>frame.rdi, <u32>frame.rsi, <u32>frame.rdx); }
function call118(frame: TrapFrame): i64 { return sysGetresuid(frame.rdi, frame.rsi, frame.rdx); }
function call119(frame: TrapFrame): i64 { return sysSetresgid(<u32>frame.rdi, <u32>frame.rsi, <u32>frame.rdx); }
function call120(frame: TrapFrame): i64 { return sysGetresgid(frame.rdi, frame.rsi, frame.rdx); }
function call121(frame: TrapFrame): i64 { return sysGetpgid(<i32>frame.rdi); }
function call122(frame: TrapFrame): i64 { return sysSetfsuid(<u32>frame.rdi); }
function call123(frame: TrapFrame): i64 { return sysSetfsgid(<u32>frame.rdi); }
function call124(frame: TrapFrame): i64 { return sysGetsid(<i32>frame.rdi); }
function call125(frame: TrapFrame): i64 { return sysCapget(frame.rdi, frame.rsi); }
function call126(frame: TrapFrame): i64 { return sysCapset(frame.rdi, frame.rsi); }
function call127(frame: TrapFrame): i64 { return sysRtSigpending(frame.rdi, frame.rsi); }
function call128(frame: TrapFrame): i64 { return sysRtSigtimedwait(frame.rdi, frame.rsi, frame.rdx, frame.r10); }
function call129(frame: TrapFrame): i64 { return sysRtSigqueueinfo(<i32>frame.rdi, <i32>frame.rsi, frame.rdx); }
function call130(frame: TrapFrame): i64 { return sysRtSigsuspend(frame.rdi, frame.rsi); }
function call131(frame: TrapFrame): i64 { return sysSigaltstack(frame.rdi, frame.rsi); }
function call132(frame: TrapFrame): i64 { return sysUtime(frame.rdi, frame.rsi); }
function call133(frame: TrapFrame): i64 { return sysMknod(frame.rdi, <u32>frame.rsi, <u32>frame.rdx); }
function call135(frame: TrapFrame): i64 { return sysPersonality(frame.rdi); }
function call137(frame: TrapFrame): i64 { return sysStatfs(frame.rdi, frame.rsi); }
function call138(frame: TrapFrame): i64 { return sysFstatfs(<i32>frame.rdi, frame.rsi); }
function call140(frame: TrapFrame): i64 { return sysGetpriority(<i32>frame.rdi, <i32>frame.rsi); }
function call141(frame: TrapFrame): i64 { return sysSetpriority(<i32>frame.rdi, <i32>frame.rsi, <i32>frame.rdx); }
function call142(frame: TrapFrame): i64 { return sysSchedSetparam(<i32>frame.rdi, frame.rsi); }
function call143(frame: TrapFrame): i64 { return sysSchedGetparam(<i32>frame.rdi, frame.rsi); }
function call144(frame: TrapFrame): i64 { return sysSchedSetscheduler(<i32>frame.rdi, <i32>frame.rsi, frame.rdx); }
function call145(frame: TrapFrame): i64 { return sysSchedGetscheduler(<i32>frame.rdi); }
function call146(frame: TrapFrame): i64 { return sysSchedGetPriorityMax(<i32>frame.rdi); }
function call147(frame: TrapFrame): i64 { return sysSchedGetPriorityMin(<i32>frame.rdi); }
function call148(frame: TrapFrame): i64 { return sysSchedRrGetInterval(<i32>frame.rdi, frame.rsi); }
function call149(frame: TrapFrame): i64 { return sysMlock(frame.rdi, frame.rsi); }
function call150(frame: TrapFrame): i64 { return sysMunlock(frame.rdi, frame.rsi); }
function call151(frame: TrapFrame): i64 { return sysMlockall(<u32>frame.rdi); }
function call152(frame: TrapFrame): i64 { return sysMunlockall(); }
function call155(frame: TrapFrame): i64 { return sysPivotRoot(frame.rdi, frame.rsi); }
function call157(frame: TrapFrame): i64 { return sysPrctl(<i32>frame.rdi, frame.rsi, frame.rdx, frame.r10, frame.r8); }
function call158(frame: TrapFrame): i64 { return sysArchPrctl(<i32>frame.rdi, frame.rsi); }
function call159(frame: TrapFrame): i64 { return sysAdjtimex(frame.rdi); }
function call160(frame: TrapFrame): i64 { return sysSetrlimit(<u32>frame.rdi, frame.rsi); }
function call161(frame: TrapFrame): i64 { return sysChroot(frame.rdi); }
function call162(frame: TrapFrame): i64 { return sysSync(); }
function call164(frame: TrapFrame): i64 { return sysSettimeofday(frame.rdi, frame.rsi); }
function call165(frame: TrapFrame): i64 { return sysMount(frame.rdi, frame.rsi, frame.rdx, <u32>frame.r10, frame.r8); }
function call166(frame: TrapFrame): i64 { return sysUmount2(frame.rdi, <u32>frame.rsi); }
function call169(frame: TrapFrame): i64 { return sysReboot(<u32>frame.rdi, <u32>frame.rsi, <u32>frame.rdx, frame.r10); }
function call170(frame: TrapFrame): i64 { return sysSethostname(frame.rdi, frame.rsi); }
function call171(frame: TrapFrame): i64 { return sysSetdomainname(frame.rdi, frame.rsi); }
function call186(frame: TrapFrame): i64 { return sysGettid(); }
function call187(frame: TrapFrame): i64 { return sysReadahead(<i32>frame.rdi, <i64>frame.rsi, frame.rdx); }
function call188(frame: TrapFrame): i64 { return sysSetxattr(frame.rdi, frame.rsi, frame.rdx, frame.r10, <u32>frame.r8); }
function call189(frame: TrapFrame): i64 { return sysLsetxattr(frame.rdi, frame.rsi, frame.rdx, frame.r10, <u32>frame.r8); }
function call190(frame: TrapFrame): i64 { return sysFsetxattr(<i32>frame.rdi, frame.rsi, frame.rdx, frame.r10, <u32>frame.r8); }
function call191(frame: TrapFrame): i64 { return sysGetxattr(frame.rdi, frame.rsi, frame.rdx, frame.r10); }
function call192(frame: TrapFrame): i64 { return sysLgetxattr(frame.rdi, frame.rsi, frame.rdx, frame.r10); }
function call193(frame: TrapFrame): i64 { return sysFgetxattr(<i32>frame.rdi, frame.rsi, frame.rdx, frame.r10); }
function call194(frame: TrapFrame): i64 { return sysListxattr(frame.rdi, frame.rsi, frame.rdx); }
function call195(frame: TrapFrame): i64 { return sysLlistxattr(frame.rdi, frame.rsi, frame.rdx); }
function call196(frame: TrapFrame): i64 { return sysFlistxattr(<i32>frame.rdi, frame.rsi, frame.rdx); }
function call197(frame: TrapFrame): i64 { return sysRemovexattr(frame.rdi, frame.rsi); }
function call198(frame: TrapFrame): i64 { return sysLremovexattr(frame.rdi, frame.rsi); }
function call199(frame: TrapFrame): i64 { return sysFremovexattr(<i32>frame.rdi, frame.rsi); }
function call200(frame: TrapFrame): i64 { return sysTkill(<i32>frame.rdi, <i32>frame.rsi); }
function call201(frame: TrapFrame): i64 { return sysTime(frame.rdi); }
function call202(frame: TrapFrame): i64 { return sysFutex(frame.rdi, <u32>frame.rsi, <u32>frame.rdx, frame.r10, frame.r8, <u32>frame.r9); }
function call203(frame: TrapFrame): i64 { return sysSchedSetaffinity(<i32>frame.rdi, frame.rsi, frame.rdx); }
function call204(frame: TrapFrame): i64 { return sysSchedGetaffinity(<i32>frame.rdi, frame.rsi, frame.rdx); }
function call213(frame: TrapFrame): i64 { return sysEpollCreate(<i32>frame.rdi); }
function call217(frame: TrapFrame): i64 { return sysGetdents64(<i32>frame.rdi, frame.rsi, <u32>frame.rdx); }
function call218(frame: TrapFrame): i64 { return sysSetTidAddress(frame.rdi); }
function call219(frame: TrapFrame): i64 { return sysRestartSyscall(); }
function call221(frame: TrapFrame): i64 { return sysFadvise64(<i32>frame.rdi, <i64>frame.rsi, <i64>frame.rdx, <u32>frame.r10); }
function call222(frame: TrapFrame): i64 { return sysTimerCreate(<i32>frame.rdi, frame.rsi, frame.rdx); }
function call223(frame: TrapFrame): i64 { return sysTimerSettime(<i32>frame.rdi, <u32>frame.rsi, frame.rdx, frame.r10); }
function call224(frame: TrapFrame): i64 { return sysTimerGettime(<i32>frame.rdi, frame.rsi); }
function call225(frame: TrapFrame): i64 { return sysTimerGetoverrun(<i32>frame.rdi); }
function call226(frame: TrapFrame): i64 { return sysTimerDelete(<i32>frame.rdi); }
function call227(frame: TrapFrame): i64 { return sysClockSettime(<i32>frame.rdi, frame.rsi); }
function call228(frame: TrapFrame): i64 { return sysClockGettime(<i32>frame.rdi, frame.rsi); }
function call229(frame: TrapFrame): i64 { return sysClockGetres(<i32>frame.rdi, frame.rsi); }
function call230(frame: TrapFrame): i64 { return sysClockNanosleep(<i32>frame.rdi, <u32>frame.rsi, frame.rdx, frame.r10); }
function call231(frame: TrapFrame): i64 { sysExitGroup(<i32>frame.rdi); return 0; }
function call232(frame: TrapFrame): i64 { return sysEpollWait(<i32>frame.rdi, frame.rsi, <i32>frame.rdx, <i32>frame.r10); }
function call233(frame: TrapFrame): i64 { return sysEpollCtl(<i32>frame.rdi, <i32>frame.rsi, <i32>frame.rdx, frame.r10); }
function call234(frame: TrapFrame): i64 { return sysTgkill(<i32>frame.rdi, <i32>frame.rsi, <i32>frame.rdx); }
function call235(frame: TrapFrame): i64 { return sysUtimes(frame.rdi, frame.rsi); }
function call247(frame: TrapFrame): i64 { return sysWaitid(<u32>frame.rdi, <i32>frame.rsi, frame.rdx, <u32>frame.r10, frame.r8); }
function call257(frame: TrapFrame): i64 { return sysOpenat(<i32>frame.rdi, frame.rsi, <u32>frame.rdx, <u32>frame.r10); }
function call258(frame: TrapFrame): i64 { return sysMkdirat(<i32>frame.rdi, frame.rsi, <u32>frame.rdx); }
function call259(frame: TrapFrame): i64 { return sysMknodat(<i32>frame.rdi, frame.rsi, <u32>frame.rdx, <u32>frame.r10); }
function call260(frame: TrapFrame): i64 { return sysFchownat(<i32>frame.rdi, frame.rsi, <i32>frame.rdx, <i32>frame.r10, <u32>frame.r8); }
function call261(frame: TrapFrame): i64 { return sysFutimesat(<i32>frame.rdi, frame.rsi, frame.rdx); }
function call262(frame: TrapFrame): i64 { return sysNewfstatat(<i32>frame.rdi, frame.rsi, frame.rdx, <u32>frame.r10); }
function call263(frame: TrapFrame): i64 { return sysUnlinkat(<i32>frame.rdi, frame.rsi, <u32>frame.rdx); }
function call264(frame: TrapFrame): i64 { return sysRenameat(<i32>frame.rdi, frame.rsi, <i32>frame.rdx, frame.r10); }
function call265(frame: TrapFrame): i64 { return sysLinkat(<i32>frame.rdi, frame.rsi, <i32>frame.rdx, frame.r10, <u32>frame.r8); }
function call266(frame: TrapFrame): i64 { return sysSymlinkat(frame.rdi, <i32>frame.rsi, frame.rdx); }
function call267(frame: TrapFrame): i64 { return sysReadlinkat(<i32>frame.rdi, frame.rsi, frame.rdx, <i32>frame.r10); }
function call268(frame: TrapFrame): i64 { return sysFchmodat(<i32>frame.rdi, frame.rsi, <u32>frame.rdx); }
function call269(frame: TrapFrame): i64 { return sysFaccessat(<i32>frame.rdi, frame.rsi, <u32>frame.rdx); }
function call270(frame: TrapFrame): i64 { return sysPselect6(<i32>frame.rdi, frame.rsi, frame.rdx, frame.r10, frame.r8, frame.r9); }
function call271(frame: TrapFrame): i64 { return sysPpoll(frame.rdi, frame.rsi, frame.rdx, frame.r10, frame.r8); }
function call273(frame: TrapFrame): i64 { return sysSetRobustList(frame.rdi, frame.rsi); }
function call274(frame: TrapFrame): i64 { return sysGetRobustList(<i32>frame.rdi, frame.rsi, frame.rdx); }
function call275(frame: TrapFrame): i64 { return sysSplice(<i32>frame.rdi, frame.rsi, <i32>frame.rdx, frame.r10, frame.r8, <u32>frame.r9); }
function call276(frame: TrapFrame): i64 { return sysTee(<i32>frame.rdi, <i32>frame.rsi, frame.rdx, <u32>frame.r10); }
function call277(frame: TrapFrame): i64 { return sysSyncFileRange(<i32>frame.rdi, <i64>frame.rsi, <i64>frame.rdx, <u32>frame.r10); }
function call278(frame: TrapFrame): i64 { return sysVmsplice(<i32>frame.rdi, frame.rsi, frame.rdx, <u32>frame.r10); }
function call280(frame: TrapFrame): i64 { return sysUtimensat(<i32>frame.rdi, frame.rsi, frame.rdx, <u32>frame.r10); }
function call281(frame: TrapFrame): i64 { return sysEpollPwait(<i32>frame.rdi, frame.rsi, <i32>frame.rdx, <i32>frame.r10, frame.r8, frame.r9); }
function call283(frame: TrapFrame): i64 { return sysTimerfdCreate(<i32>frame.rdi, <u32>frame.rsi); }
function call284(frame: TrapFrame): i64 { return sysEventfd(<u32>frame.rdi); }
function call285(frame: TrapFrame): i64 { return sysFallocate(<i32>frame.rdi, <u32>frame.rsi, <i64>frame.rdx, <i64>frame.r10); }
function call286(frame: TrapFrame): i64 { return sysTimerfdSettime(<i32>frame.rdi, <u32>frame.rsi, frame.rdx, frame.r10); }
function call287(frame: TrapFrame): i64 { return sysTimerfdGettime(<i32>frame.rdi, frame.rsi); }
function call288(frame: TrapFrame): i64 { return sysAccept4(<i32>frame.rdi, frame.rsi, frame.rdx, <u32>frame.r10); }
function call290(frame: TrapFrame): i64 { return sysEventfd2(<u32>frame.rdi, <u32>frame.rsi); }
function call291(frame: TrapFrame): i64 { return sysEpollCreate1(<u32>frame.rdi); }
function call292(frame: TrapFrame): i64 { return sysDup3(<i32>frame.rdi, <i32>frame.rsi, <u32>frame.rdx); }
function call293(frame: TrapFrame): i64 { return sysPipe2(frame.rdi, <u32>frame.rsi); }
function call295(frame: TrapFrame): i64 { return sysPreadv(<i32>frame.rdi, frame.rsi, frame.rdx, frame.r10, frame.r8); }
function call296(frame: TrapFrame): i64 { return sysPwritev(<i32>frame.rdi, frame.rsi, frame.rdx, frame.r10, frame.r8); }
function call297(frame: TrapFrame): i64 { return sysRtTgsigqueueinfo(<i32>frame.rdi, <i32>frame.rsi, <i32>frame.rdx, frame.r10); }
function call302(frame: TrapFrame): i64 { return sysPrlimit64(<i32>frame.rdi, <u32>frame.rsi, frame.rdx, frame.r10); }
function call305(frame: TrapFrame): i64 { return sysClockAdjtime(<i32>frame.rdi, frame.rsi); }
function call306(frame: TrapFrame): i64 { return sysSyncfs(<i32>frame.rdi); }
function call309(frame: TrapFrame): i64 { return sysGetcpu(frame.rdi, frame.rsi, frame.rdx); }
function call314(frame: TrapFrame): i64 { return sysSchedSetattr(<i32>frame.rdi, frame.rsi, <u32>frame.rdx); }
function call315(frame: TrapFrame): i64 { return sysSchedGetattr(<i32>frame.rdi, frame.rsi, <u32>frame.rdx, <u32>frame.r10); }
function call316(frame: TrapFrame): i64 { return sysRenameat2(<i32>frame.rdi, frame.rsi, <i32>frame.rdx, frame.r10, <u32>frame.r8); }
function call318(frame: TrapFrame): i64 { return sysGetrandom(frame.rdi, frame.rsi, <u32>frame.rdx); }
function call319(frame: TrapFrame): i64 { return sysMemfdCreate(frame.rdi, <u32>frame.rsi); }
function call322(frame: TrapFrame): i64 { return sysExecveat(<i32>frame.rdi, frame.rsi, frame.rdx, frame.r10, <u32>frame.r8); }
function call325(frame: TrapFrame): i64 { return sysMlock2(frame.rdi, frame.rsi, <u32>frame.rdx); }
function call326(frame: TrapFrame): i64 { return sysCopyFileRange(<i32>frame.rdi, frame.rsi, <i32>frame.rdx, frame.r10, frame.r8, <u32>frame.r9); }
function call327(frame: TrapFrame): i64 { return sysPreadv2(<i32>frame.rdi, frame.rsi, frame.rdx, frame.r10, frame.r8, <u32>frame.r9); }
function call328(frame: TrapFrame): i64 { return sysPwritev2(<i32>frame.rdi, frame.rsi, frame.rdx, frame.r10, frame.r8, <u32>frame.r9); }
function call332(frame: TrapFrame): i64 { return sysStatx(<i32>frame.rdi, frame.rsi, <u32>frame.rdx, <u32>frame.r10, frame.r8); }
function call435(frame: TrapFrame): i64 { return sysClone3(frame.rdi, frame.rsi); }
function call436(frame: TrapFrame): i64 { return sysCloseRange(<u32>frame.rdi, <u32>frame.rsi, <u32>frame.rdx); }
function call437(frame: TrapFrame): i64 { return sysOpenat2(<i32>frame.rdi, frame.rsi, frame.rdx, frame.r10); }
function call439(frame: TrapFrame): i64 { return sysFaccessat2(<i32>frame.rdi, frame.rsi, <u32>frame.rdx, <u32>frame.r10); }
function call441(frame: TrapFrame): i64 { return sysEpollPwait2(<i32>frame.rdi, frame.rsi, <i32>frame.rdx, frame.r10, frame.r8, frame.r9); }

/** Fills the table; before the first program runs. */
export function syscallTableInit(): void {
  for (let index: u32 = 0; index < CALLS - 0; index++) callSet(index, callNone);
  callSet(0, call0);
  callSet(1, call1);
  callSet(2, call2);
  callSet(3, call3);
  callSet(4, call4);
  callSet(5, call5);
  callSet(6, call6);
  callSet(7, call7);
  callSet(8, call8);
  callSet(9, call9);
  callSet(10, call10);
  callSet(11, call11);
  callSet(12, call12);
  callSet(13, call13);
  callSet(14, call14);
  callSet(15, call15);
  callSet(16, call16);
  callSet(17, call17);
  callSet(18, call18);
  callSet(19, call19);
  callSet(20, call20);
  callSet(21, call21);
  callSet(22, call22);
  callSet(23, call23);
  callSet(24, call24);
  callSet(25, call25);
  callSet(26, call26);
  callSet(27, call27);
  callSet(28, call28);
  callSet(32, call32);
  callSet(33, call33);
  callSet(34, call34);
  callSet(35, call35);
  callSet(36, call36);
  callSet(37, call37);
  callSet(38, call38);
  callSet(39, call39);
  callSet(40, call40);
  callSet(41, call41);
  callSet(42, call42);
  callSet(43, call43);
  callSet(44, call44);
  callSet(45, call45);
  callSet(46, call46);
  callSet(47, call47);
  callSet(48, call48);
  callSet(49, call49);
  callSet(50, call50);
  callSet(51, call51);
  callSet(52, call52);
  callSet(53, call53);
  callSet(54, call54);
  callSet(55, call55);
  callSet(56, call56);
  callSet(57, call57);
  callSet(58, call58);
  callSet(59, call59);
  callSet(60, call60);
  callSet(61, call61);
  callSet(62, call62);
  callSet(63, call63);
  callSet(72, call72);
  callSet(73, call73);
  callSet(74, call74);
  callSet(75, call75);
  callSet(76, call76);
  callSet(77, call77);
  callSet(78, call78);
  callSet(79, call79);
  callSet(80, call80);
  callSet(81, call81);
  callSet(82, call82);
  callSet(83, call83);
  callSet(84, call84);
  callSet(85, call85);
  callSet(86, call86);
  callSet(87, call87);
  callSet(88, call88);
  callSet(89, call89);
  callSet(90, call90);
  callSet(91, call91);
  callSet(92, call92);
  callSet(93, call93);
  callSet(94, call94);
  callSet(95, call95);
  callSet(96, call96);
  callSet(97, call97);
  callSet(98, call98);
  callSet(99, call99);
  callSet(100, call100);
  callSet(102, call102);
  callSet(103, call103);
  callSet(104, call104);
  callSet(105, call105);
  callSet(106, call106);
  callSet(107, call107);
  callSet(108, call108);
  callSet(109, call109);
  callSet(110, call110);
  callSet(111, call111);
  callSet(112, call112);
  callSet(113, call113);
  callSet(114, call114);
  callSet(115, call115);
  callSet(116, call116);
  callSet(117, call117);
  callSet(118, call118);
  callSet(119, call119);
  callSet(120, call120);
  callSet(121, call121);
  callSet(122, call122);
  callSet(123, call123);
  callSet(124, call124);
  callSet(125, call125);
  callSet(126, call126);
  callSet(127, call127);
  callSet(128, call128);
  callSet(129, call129);
  callSet(130, call130);
  callSet(131, call131);
  callSet(132, call132);
  callSet(133, call133);
  callSet(135, call135);
  callSet(137, call137);
  callSet(138, call138);
  callSet(140, call140);
  callSet(141, call141);
  callSet(142, call142);
  callSet(143, call143);
  callSet(144, call144);
  callSet(145, call145);
  callSet(146, call146);
  callSet(147, call147);
  callSet(148, call148);
  callSet(149, call149);
  callSet(150, call150);
  callSet(151, call151);
  callSet(152, call152);
  callSet(155, call155);
  callSet(157, call157);
  callSet(158, call158);
  callSet(159, call159);
  callSet(160, call160);
  callSet(161, call161);
  callSet(162, call162);
  callSet(164, call164);
  callSet(165, call165);
  callSet(166, call166);
  callSet(169, call169);
  callSet(170, call170);
  callSet(171, call171);
  callSet(186, call186);
  callSet(187, call187);
  callSet(188, call188);
  callSet(189, call189);
  callSet(190, call190);
  callSet(191, call191);
  callSet(192, call192);
  callSet(193, call193);
  callSet(194, call194);
  callSet(195, call195);
  callSet(196, call196);
  callSet(197, call197);
  callSet(198, call198);
  callSet(199, call199);
  callSet(200, call200);
  callSet(201, call201);
  callSet(202, call202);
  callSet(203, call203);
  callSet(204, call204);
  callSet(213, call213);
  callSet(217, call217);
  callSet(218, call218);
  callSet(219, call219);
  callSet(221, call221);
  callSet(222, call222);
  callSet(223, call223);
  callSet(224, call224);
  callSet(225, call225);
  callSet(226, call226);
  callSet(227, call227);
  callSet(228, call228);
  callSet(229, call229);
  callSet(230, call230);
  callSet(231, call231);
  callSet(232, call232);
  callSet(233, call233);
  callSet(234, call234);
  callSet(235, call235);
  callSet(247, call247);
  callSet(257, call257);
  callSet(258, call258);
  callSet(259, call259);
  callSet(260, call260);
  callSet(261, call261);
  callSet(262, call262);
  callSet(263, call263);
  callSet(264, call264);
  callSet(265, call265);
  callSet(266, call266);
  callSet(267, call267);
  callSet(268, call268);
  callSet(269, call269);
  callSet(270, call270);
  callSet(271, call271);
  callSet(273, call273);
  callSet(274, call274);
  callSet(275, call275);
  callSet(276, call276);
  callSet(277, call277);
  callSet(278, call278);
  callSet(280, call280);
  callSet(281, call281);
  callSet(283, call283);
  callSet(284, call284);
  callSet(285, call285);
  callSet(286, call286);
  callSet(287, call287);
  callSet(288, call288);
  callSet(290, call290);
  callSet(291, call291);
  callSet(292, call292);
  callSet(293, call293);
  callSet(295, call295);
  callSet(296, call296);
  callSet(297, call297);
  callSet(302, call302);
  callSet(305, call305);
  callSet(306, call306);
  callSet(309, call309);
  callSet(314, call314);
  callSet(315, call315);
  callSet(316, call316);
  callSet(318, call318);
  callSet(319, call319);
  callSet(322, call322);
  callSet(325, call325);
  callSet(326, call326);
  callSet(327, call327);
  callSet(328, call328);
  callSet(332, call332);
  callSet(435, call435);
  callSet(436, call436);
  callSet(437, call437);
  callSet(439, call439);
  callSet(441, call441);
}
