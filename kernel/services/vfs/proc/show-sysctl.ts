/** /proc/sys: the settings that exist, most of them facts. Spec: Linux Documentation/admin-guide/sysctl. */
import { Errno } from "../../../abi/errno";
import { randomFill } from "../../../core/random";
import { TID_MAX } from "../../../core/sched/tid";
import { byteAt, bytePut } from "../../../lib/bytes";
import { logConsoleLevelGet, logConsoleLevelSet } from "../../../lib/log";
import { utsField } from "../../process/uname";
import { scratchPop, scratchPush } from "../../../core/sched/scratch";
import { ProcNodeId, procDirAdd, procFileAdd, procWriteSet } from "./node";
import { SeqBuf, seqByte, seqCString, seqDec, seqHex, seqStr } from "./seq-buf";

const UTS_FIELD: u32 = 65;
const UUID_BYTES: u32 = 16;
const BOOT_ID: usize = memory.data(16, 8);

export function sysctlNodesAdd(): void {
  const sys = procDirAdd(ProcNodeId.ROOT, "sys");
  kernelNodesAdd(procDirAdd(sys, "kernel"));
  const vm = procDirAdd(sys, "vm");
  procFileAdd(vm, "overcommit_memory", 0o444, zeroShow);
  procFileAdd(vm, "max_map_count", 0o444, mapCountShow);
  const fs = procDirAdd(sys, "fs");
  procFileAdd(fs, "file-max", 0o444, fileMaxShow);
  procFileAdd(fs, "nr_open", 0o444, nrOpenShow);
  procFileAdd(fs, "pipe-max-size", 0o444, pipeMaxShow);
  randomFill(BOOT_ID, UUID_BYTES);
}

function kernelNodesAdd(kernel: u32): void {
  procFileAdd(kernel, "ostype", 0o444, ostypeShow);
  procFileAdd(kernel, "hostname", 0o444, hostnameShow);
  procFileAdd(kernel, "osrelease", 0o444, osreleaseShow);
  procFileAdd(kernel, "version", 0o444, versionFieldShow);
  procFileAdd(kernel, "domainname", 0o444, domainnameShow);
  procFileAdd(kernel, "pid_max", 0o444, pidMaxShow);
  procFileAdd(kernel, "threads-max", 0o444, pidMaxShow);
  procFileAdd(kernel, "ngroups_max", 0o444, ngroupsShow);
  procFileAdd(kernel, "cap_last_cap", 0o444, capLastShow);
  procFileAdd(kernel, "randomize_va_space", 0o444, twoShow);
  procFileAdd(kernel, "overflowuid", 0o444, overflowShow);
  procFileAdd(kernel, "overflowgid", 0o444, overflowShow);
  procWriteSet(procFileAdd(kernel, "printk", 0o644, printkShow), printkWrite);
  const random = procDirAdd(kernel, "random");
  procFileAdd(random, "uuid", 0o444, uuidShow);
  procFileAdd(random, "boot_id", 0o444, bootIdShow);
  procFileAdd(random, "entropy_avail", 0o444, entropyShow);
  procFileAdd(random, "poolsize", 0o444, entropyShow);
}

function line(seq: SeqBuf, value: u64): i32 {
  seqDec(seq, value);
  seqByte(seq, 0x0a);
  return 0;
}

function uts(seq: SeqBuf, field: u32): i32 {
  seqCString(seq, utsField(field), UTS_FIELD);
  seqByte(seq, 0x0a);
  return 0;
}

function zeroShow(seq: SeqBuf, pid: u32, tid: u32): i32 { return line(seq, 0); }
function twoShow(seq: SeqBuf, pid: u32, tid: u32): i32 { return line(seq, 2); }
function mapCountShow(seq: SeqBuf, pid: u32, tid: u32): i32 { return line(seq, 65530); }
function fileMaxShow(seq: SeqBuf, pid: u32, tid: u32): i32 { return line(seq, <u64>i64.MAX_VALUE); }
function nrOpenShow(seq: SeqBuf, pid: u32, tid: u32): i32 { return line(seq, 1048576); }
function pipeMaxShow(seq: SeqBuf, pid: u32, tid: u32): i32 { return line(seq, 1048576); }
function ostypeShow(seq: SeqBuf, pid: u32, tid: u32): i32 { return uts(seq, 0); }
function hostnameShow(seq: SeqBuf, pid: u32, tid: u32): i32 { return uts(seq, 1); }
function osreleaseShow(seq: SeqBuf, pid: u32, tid: u32): i32 { return uts(seq, 2); }
function versionFieldShow(seq: SeqBuf, pid: u32, tid: u32): i32 { return uts(seq, 3); }
function domainnameShow(seq: SeqBuf, pid: u32, tid: u32): i32 { return uts(seq, 5); }
function pidMaxShow(seq: SeqBuf, pid: u32, tid: u32): i32 { return line(seq, TID_MAX); }
function ngroupsShow(seq: SeqBuf, pid: u32, tid: u32): i32 { return line(seq, 65536); }
function capLastShow(seq: SeqBuf, pid: u32, tid: u32): i32 { return line(seq, 40); }
function overflowShow(seq: SeqBuf, pid: u32, tid: u32): i32 { return line(seq, 65534); }
function entropyShow(seq: SeqBuf, pid: u32, tid: u32): i32 { return line(seq, 256); }

/** Console level, and the three numbers that mean nothing here but belong to the format. */
function printkShow(seq: SeqBuf, pid: u32, tid: u32): i32 {
  seqDec(seq, logConsoleLevelGet() + 1);
  seqStr(seq, "\t4\t1\t7\n");
  return 0;
}

/** Linux's console_loglevel shows what is more urgent than it; ours shows up to and including the level. */
function printkWrite(pid: u32, tid: u32, ptr: usize, size: u32): i32 {
  const digit = size > 0 ? byteAt(ptr, 0) - 0x30 : 10;
  if (digit > 9) return -(<i32>Errno.INVAL);
  logConsoleLevelSet(digit == 0 ? 0 : digit - 1);
  return 0;
}

/** A random (version 4) UUID, another one each time. */
function uuidShow(seq: SeqBuf, pid: u32, tid: u32): i32 {
  const bytes = scratchPush(UUID_BYTES);
  randomFill(bytes, UUID_BYTES);
  uuidPut(seq, bytes);
  scratchPop(UUID_BYTES);
  return 0;
}

function bootIdShow(seq: SeqBuf, pid: u32, tid: u32): i32 {
  uuidPut(seq, BOOT_ID);
  return 0;
}

/** Spec: RFC 4122, 4.4: version 4, variant 10. */
function uuidPut(seq: SeqBuf, bytes: usize): void {
  bytePut(bytes, 6, byteAt(bytes, 6) & 0x0f | 0x40);
  bytePut(bytes, 8, byteAt(bytes, 8) & 0x3f | 0x80);
  for (let i: u32 = 0; i < UUID_BYTES; i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10) seqByte(seq, 0x2d);
    seqHex(seq, byteAt(bytes, i), 2);
  }
  seqByte(seq, 0x0a);
}
