/**
 * The devices without hardware: null, zero, full; and what such devices share.
 *
 * Spec  null(4), full(4).
 */
import { Errno } from "../../../abi/errno";
import { FileMmap } from "../../../core/mm/mm-hooks";
import { schedYieldPoint, taskSignalPending } from "../../../core/sched/sched";
import { currentTask } from "../../../core/sched/cpu";
import { fileOpsDefaults } from "../file";
import { bufZero } from "../io-buf";
import { File, FileOps, Inode, PollEvent } from "../types";
import { deviceRegisterChar } from "./device";

const MEM_MAJOR: u32 = 1;
/** Bytes cleared between two looks at signals and at the scheduler. */
const ZERO_STEP: u32 = 65536;

const NULL_OPS = changetype<FileOps>(memory.data(offsetof<FileOps>()));
const ZERO_OPS = changetype<FileOps>(memory.data(offsetof<FileOps>()));
const FULL_OPS = changetype<FileOps>(memory.data(offsetof<FileOps>()));

export function memoryDevicesInit(): void {
  deviceOpsEndless(NULL_OPS);
  NULL_OPS.read = nullRead;
  deviceOpsEndless(ZERO_OPS);
  ZERO_OPS.mmap = zeroMmap;
  deviceOpsEndless(FULL_OPS);
  FULL_OPS.write = fullWrite;
  deviceRegisterChar(MEM_MAJOR, 3, "null", 0o666, NULL_OPS);
  deviceRegisterChar(MEM_MAJOR, 5, "zero", 0o666, ZERO_OPS);
  deviceRegisterChar(MEM_MAJOR, 7, "full", 0o666, FULL_OPS);
}

/** What they share: reads of zeroes, writes swallowed, always ready, seeks that go nowhere. */
export function deviceOpsEndless(ops: FileOps): void {
  fileOpsDefaults(ops);
  ops.read = zeroRead;
  ops.write = nullWrite;
  ops.poll = alwaysReady;
  ops.seek = seekNowhere;
  ops.open = openPlain;
}

function openPlain(inode: Inode, file: File): i32 {
  return 0;
}

function alwaysReady(file: File, table: usize): u32 {
  return PollEvent.IN | PollEvent.OUT | PollEvent.RDNORM | PollEvent.WRNORM;
}

function seekNowhere(file: File, offset: i64, whence: u32): i64 {
  return 0;
}

function nullRead(file: File, bufVa: u64, count: u32, pos: u64): i64 {
  return 0;
}

function nullWrite(file: File, bufVa: u64, count: u32, pos: u64): i64 {
  return count;
}

function fullWrite(file: File, bufVa: u64, count: u32, pos: u64): i64 {
  return -(<i64>Errno.NOSPC);
}

/** Mappings of /dev/zero are anonymous memory, private or shared. */
function zeroMmap(file: File, prot: u32, flags: u32): i32 {
  return FileMmap.ANON;
}

function zeroRead(file: File, bufVa: u64, count: u32, pos: u64): i64 {
  let done: u32 = 0;
  while (done < count) {
    const n = min<u32>(count - done, ZERO_STEP);
    const left = bufZero(bufVa + done, n);
    done += n - left;
    if (left != 0) return done != 0 ? <i64>done : -(<i64>Errno.FAULT);
    if (taskSignalPending(currentTask())) break;
    schedYieldPoint();
  }
  return done;
}
