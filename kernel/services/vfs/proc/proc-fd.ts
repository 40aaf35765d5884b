/**
 * /proc/PID/fd and fdinfo: a magic link and a description for every open descriptor.
 *
 * Spec  proc(5), /proc/pid/fd, /proc/pid/fdinfo.
 */
import { Errno } from "../../../abi/errno";
import { Process } from "../../process/process";
import { processByPid, processPut } from "../../process/process-table";
import { fdTableFile, fdTableNextOpen, fdTablePut } from "../fd-table";
import { filePut } from "../file";
import { filePath, fileNameBytes } from "../namei";
import { File, Path } from "../types";
import { SeqBuf, seqDec, seqOct, seqStr } from "./seq-buf";
import { procFiles } from "./subject";

/** The file of descriptor `fd` of a process with a reference, or null. */
export function procFdFile(process: Process, fd: u32): File | null {
  const files = procFiles(process);
  if (!files) return null;
  const file = fdTableFile(files, fd);
  fdTablePut(files);
  return file;
}

/** The lowest open descriptor >= `from` of process `pid`, or -1. */
export function procFdNext(pid: u32, from: u32): i32 {
  const process = processByPid(pid);
  if (!process) return -1;
  const files = procFiles(process);
  let fd: i32 = -1;
  if (files) {
    fd = fdTableNextOpen(files, from);
    fdTablePut(files);
  }
  processPut(process);
  return fd;
}

export function procFdIsOpen(pid: u32, fd: u32): bool {
  return procFdNext(pid, fd) == <i32>fd;
}

function fileOfPid(pid: u32, fd: u32): File | null {
  const process = processByPid(pid);
  if (!process) return null;
  const file = procFdFile(process, fd);
  processPut(process);
  return file;
}

/** The name of the file behind a descriptor to linear `ptr`: its length or -errno. */
export function procFdName(pid: u32, fd: u32, ptr: usize, max: u32): i32 {
  const file = fileOfPid(pid, fd);
  if (!file) return -(<i32>Errno.NOENT);
  const length = fileNameBytes(file, ptr, max);
  filePut(file);
  return length;
}

/** Fills `path` with the object behind a descriptor: 1 or -errno. */
export function procFdFollow(pid: u32, fd: u32, path: Path): i32 {
  const file = fileOfPid(pid, fd);
  if (!file) return -(<i32>Errno.NOENT);
  const r = filePath(file, path);
  filePut(file);
  return r != 0 ? r : 1;
}

/** Text of /proc/PID/fdinfo/FD. */
export function procFdInfoShow(seq: SeqBuf, pid: u32, fd: u32): i32 {
  const file = fileOfPid(pid, fd);
  if (!file) return -(<i32>Errno.NOENT);
  seqStr(seq, "pos:\t");
  seqDec(seq, file.pos);
  seqStr(seq, "\nflags:\t0");
  seqOct(seq, file.flags, 1);
  seqStr(seq, "\nmnt_id:\t1\n");
  filePut(file);
  return 0;
}
