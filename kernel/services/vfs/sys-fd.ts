/** Descriptors: dup, fcntl, ioctl, flock, fsync and what else works on an open file. */
import { servedSyncAll } from "./served/flusher";
import { userLoad32, userStore32 } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { errseqCheck } from "../../lib/errseq";
import { File, FileMode, FileRight, OpenFlag, SuperBlock, fileOpsOf, inodeOf, superOf } from "./types";
import { fileGet, filePut } from "./file";
import {
  fdBorrow, fdCloexec, fdCloexecSet, fdInstallFrom, fdReplace, fdReturn, heldFile, rlimitNow,
} from "./fd-table";
import { inodeOwnerCheck } from "./credentials";
import { superErrors, superOpsOf } from "./super-block";
import { fcntlLock, flockFile } from "./file-lock";
import { fileSealsControl } from "./memfd";
import { fileIsPipe, pipeCapacity, pipeResize } from "./pipe";

const RLIMIT_NOFILE: u32 = 7;
const FD_CLOEXEC: u64 = 1;
/** What F_SETFL may change: O_APPEND, O_ASYNC, O_DIRECT, O_NOATIME, O_NONBLOCK. */
const SETFL_MASK: u32 = 0x400 | 0x2000 | 0x4000 | 0x40000 | 0x800;

const enum Fcntl {
  DUPFD = 0, GETFD = 1, SETFD = 2, GETFL = 3, SETFL = 4, GETLK = 5, SETLK = 6, SETLKW = 7, SETOWN = 8, GETOWN = 9,
  SETSIG = 10, GETSIG = 11, SETOWN_EX = 15, GETOWN_EX = 16, OFD_GETLK = 36, OFD_SETLK = 37, OFD_SETLKW = 38,
  SETLEASE = 1024, GETLEASE = 1025, NOTIFY = 1026, DUPFD_CLOEXEC = 1030, SETPIPE_SZ = 1031, GETPIPE_SZ = 1032,
  ADD_SEALS = 1033, GET_SEALS = 1034, GET_RW_HINT = 1035, SET_RW_HINT = 1036,
}
const F_UNLCK: i64 = 2;

export function sysDup(fd: i32): i64 {
  return dupFrom(fd, 0, false);
}

function dupFrom(fd: i32, from: u32, cloexec: bool): i64 {
  const held = fdBorrow(fd);
  if (!held) return -(<i64>Errno.BADF);
  const file = fileGet(heldFile(held));
  fdReturn(held);
  const r = fdInstallFrom(file, cloexec, from);
  if (r < 0) filePut(file);
  return r;
}

export function sysDup2(oldFd: i32, newFd: i32): i64 {
  if (oldFd != newFd) return dupTo(oldFd, newFd, false);
  const held = fdBorrow(oldFd);
  if (!held) return -(<i64>Errno.BADF);
  fdReturn(held);
  return newFd;
}

export function sysDup3(oldFd: i32, newFd: i32, flags: u32): i64 {
  if (flags & ~<u32>OpenFlag.CLOEXEC || oldFd == newFd) return -(<i64>Errno.INVAL);
  return dupTo(oldFd, newFd, flags != 0);
}

function dupTo(oldFd: i32, newFd: i32, cloexec: bool): i64 {
  const held = fdBorrow(oldFd);
  if (!held) return -(<i64>Errno.BADF);
  const file = fileGet(heldFile(held));
  fdReturn(held);
  const r = fdReplace(newFd, file, cloexec);
  if (r < 0) filePut(file);
  return r;
}

export function sysFcntl(fd: i32, cmd: u32, arg: u64): i64 {
  const held = fdBorrow(fd);
  if (!held) return -(<i64>Errno.BADF);
  const r = fcntlFile(fd, heldFile(held), cmd, arg);
  fdReturn(held);
  return r;
}

function fcntlFile(fd: i32, file: File, cmd: u32, arg: u64): i64 {
  if (file.mode & FileRight.PATH_ONLY && cmd > <u32>Fcntl.GETFL && cmd != Fcntl.DUPFD_CLOEXEC) return -(<i64>Errno.BADF);
  if (cmd == Fcntl.DUPFD || cmd == Fcntl.DUPFD_CLOEXEC) {
    return arg >= rlimitNow(RLIMIT_NOFILE) ? -(<i64>Errno.INVAL) : dupFrom(fd, <u32>arg, cmd == Fcntl.DUPFD_CLOEXEC);
  }
  switch (cmd) {
    case Fcntl.GETFD: return fdCloexec(fd);
    case Fcntl.SETFD: {
      fdCloexecSet(fd, (arg & FD_CLOEXEC) != 0);
      return 0;
    }
    case Fcntl.GETFL: return file.flags;
    case Fcntl.SETFL: return flagsSet(file, <u32>arg);
    case Fcntl.GETLK:
    case Fcntl.SETLK:
    case Fcntl.SETLKW:
    case Fcntl.OFD_GETLK:
    case Fcntl.OFD_SETLK:
    case Fcntl.OFD_SETLKW: return fcntlLock(file, cmd, arg);
    case Fcntl.SETOWN: {
      file.ownerPid = <i32>arg;
      return 0;
    }
    case Fcntl.GETOWN: return file.ownerPid;
    case Fcntl.SETSIG: {
      if (arg > 64) return -(<i64>Errno.INVAL);
      file.ownerSignal = <u32>arg;
      return 0;
    }
    case Fcntl.GETSIG: return file.ownerSignal;
    case Fcntl.GETLEASE: return F_UNLCK;
    case Fcntl.SETPIPE_SZ:
    case Fcntl.GETPIPE_SZ: return pipeSize(file, cmd, arg);
    case Fcntl.ADD_SEALS:
    case Fcntl.GET_SEALS: return fileSealsControl(file, cmd, arg);
    default: return -(<i64>Errno.INVAL);
  }
}

function pipeSize(file: File, cmd: u32, arg: u64): i64 {
  if (!fileIsPipe(file)) return -(<i64>Errno.BADF);
  return cmd == Fcntl.SETPIPE_SZ ? pipeResize(file, arg) : pipeCapacity(file);
}

function flagsSet(file: File, flags: u32): i64 {
  const gainsNoatime = flags & ~file.flags & <u32>OpenFlag.NOATIME;
  if (gainsNoatime) {
    const denied = inodeOwnerCheck(inodeOf(file.inode));
    if (denied) return denied;
  }
  file.flags = (file.flags & ~SETFL_MASK) | (flags & SETFL_MASK);
  return 0;
}

const FIONREAD: u32 = 0x541b;
const FIONBIO: u32 = 0x5421;
const FIONCLEX: u32 = 0x5450;
const FIOCLEX: u32 = 0x5451;
const FIOASYNC: u32 = 0x5452;
const FIOQSIZE: u32 = 0x5460;

export function sysIoctl(fd: i32, cmd: u32, argVa: u64): i64 {
  const held = fdBorrow(fd);
  if (!held) return -(<i64>Errno.BADF);
  const r = ioctlFile(fd, heldFile(held), cmd, argVa);
  fdReturn(held);
  return r;
}

function ioctlFile(fd: i32, file: File, cmd: u32, argVa: u64): i64 {
  if (file.mode & FileRight.PATH_ONLY) return -(<i64>Errno.BADF);
  switch (cmd) {
    case FIOCLEX:
    case FIONCLEX: {
      fdCloexecSet(fd, cmd == FIOCLEX);
      return 0;
    }
    case FIONBIO: return flagFromUser(file, <u32>OpenFlag.NONBLOCK, argVa);
    case FIOASYNC: return flagFromUser(file, <u32>OpenFlag.ASYNC, argVa);
    case FIONREAD:
    case FIOQSIZE: {
      const inode = inodeOf(file.inode);
      const isRegular = (inode.mode & <u32>FileMode.IFMT) == FileMode.IFREG;
      if (isRegular && file.dentry && cmd == FIONREAD) return userStore32(argVa, <u32>max<i64>(<i64>inode.size - <i64>file.pos, 0));
      break;
    }
  }
  return fileOpsOf(file).ioctl(file, cmd, argVa);
}

/** Sets or clears a File flag as the user's int says. */
function flagFromUser(file: File, flag: u32, argVa: u64): i64 {
  const word = scratchPush(8);
  const r = userLoad32(word, argVa);
  const isOn = load<u32>(word) != 0;
  scratchPop(8);
  if (r < 0) return r;
  file.flags = isOn ? file.flags | flag : file.flags & ~flag;
  return 0;
}

export function sysFlock(fd: i32, operation: u32): i64 {
  const held = fdBorrow(fd);
  if (!held) return -(<i64>Errno.BADF);
  const file = heldFile(held);
  const r = file.mode & FileRight.PATH_ONLY ? -(<i64>Errno.BADF) : flockFile(file, operation);
  fdReturn(held);
  return r;
}

export function sysFsync(fd: i32): i64 {
  const held = fdBorrow(fd);
  if (!held) return -(<i64>Errno.BADF);
  const file = heldFile(held);
  const r = file.mode & FileRight.PATH_ONLY ? -(<i32>Errno.BADF) : fileOpsOf(file).fsync(file);
  fdReturn(held);
  return r;
}

export function sysFdatasync(fd: i32): i64 {
  return sysFsync(fd);
}

export function sysSync(): i64 {
  servedSyncAll();
  return 0;
}

/** All of `sb`; an error of before that nobody told `file` of is told now. */
function fileSyncAll(file: File, sb: SuperBlock): i32 {
  const failed = superOpsOf(sb).sync(sb);
  const told = errseqCheck(superErrors(sb), changetype<usize>(file) + offsetof<File>("superErrorsSeen"));
  return failed < 0 ? failed : told;
}

export function sysSyncfs(fd: i32): i64 {
  const held = fdBorrow(fd);
  if (!held) return -(<i64>Errno.BADF);
  const file = heldFile(held);
  const r = file.mode & FileRight.PATH_ONLY ? -(<i32>Errno.BADF) : fileSyncAll(file, superOf(inodeOf(file.inode).sb));
  fdReturn(held);
  return r;
}

export function sysSyncFileRange(fd: i32, offset: i64, length: i64, flags: u32): i64 {
  if (offset < 0 || length < 0 || flags & ~7) return -(<i64>Errno.INVAL);
  return adviceAnswer(fd);
}

export function sysFadvise64(fd: i32, offset: i64, length: i64, advice: u32): i64 {
  if (length < 0 || advice > 5) return -(<i64>Errno.INVAL);
  return adviceAnswer(fd);
}

export function sysReadahead(fd: i32, offset: i64, count: u64): i64 {
  const held = fdBorrow(fd);
  if (!held) return -(<i64>Errno.BADF);
  const file = heldFile(held);
  const isRegular = (inodeOf(file.inode).mode & <u32>FileMode.IFMT) == FileMode.IFREG;
  const r = !(file.mode & FileRight.READ) ? -(<i64>Errno.BADF) : isRegular ? 0 : -(<i64>Errno.INVAL);
  fdReturn(held);
  return r;
}

/** Advice is taken note of by doing nothing: the data is in memory. Streams have no ranges. */
function adviceAnswer(fd: i32): i64 {
  const held = fdBorrow(fd);
  if (!held) return -(<i64>Errno.BADF);
  const kind = inodeOf(heldFile(held).inode).mode & <u32>FileMode.IFMT;
  fdReturn(held);
  return kind == FileMode.IFIFO || kind == FileMode.IFSOCK ? -(<i64>Errno.SPIPE) : 0;
}
