/** /proc/PID/maps. Spec: proc(5); Linux fs/proc/task_mmu.c show_map_vma. */
import { Errno } from "../../../abi/errno";
import { AddressSpace, mmLock, mmPut, mmUnlock } from "../../../core/mm/address-space";
import { Vma, VmFlag, vmaOf } from "../../../core/mm/mm-struct";
import { kfree, kmalloc } from "../../../core/mm/slab";
import { processByPid, processPut } from "../../process/process-table";
import { deviceMajor, deviceMinor } from "../dev/device";
import { fileNameBytes } from "../namei";
import { fileOf, inodeOf, superOf } from "../types";
import { SeqBuf, seqByte, seqBytes, seqDec, seqHex, seqStr } from "./seq-buf";
import { procMm } from "./subject";

const NAME_COLUMN: u32 = 73;
const NAME_MAX: u32 = 4096;
const PAGE_SHIFT: u64 = 12;

export function mapsShow(seq: SeqBuf, pid: u32, tid: u32): i32 {
  const process = processByPid(pid);
  if (!process) return -(<i32>Errno.SRCH);
  const mm = procMm(process);
  processPut(process);
  if (!mm) return 0;
  const name = kmalloc(NAME_MAX);
  if (name != 0) {
    mmLock(mm);
    areasPut(seq, mm, name);
    mmUnlock(mm);
    kfree(name);
  }
  mmPut(mm);
  return name != 0 ? 0 : -(<i32>Errno.NOMEM);
}

function areasPut(seq: SeqBuf, mm: AddressSpace, name: usize): void {
  for (let at = mm.first; at != 0; at = vmaOf(at).next) areaPut(seq, vmaOf(at), name);
}

function areaPut(seq: SeqBuf, vma: Vma, name: usize): void {
  const start = seq.length;
  seqHex(seq, vma.start, 8);
  seqByte(seq, 0x2d);
  seqHex(seq, vma.end, 8);
  seqByte(seq, 0x20);
  seqByte(seq, vma.flags & VmFlag.READ ? 0x72 : 0x2d);
  seqByte(seq, vma.flags & VmFlag.WRITE ? 0x77 : 0x2d);
  seqByte(seq, vma.flags & VmFlag.EXEC ? 0x78 : 0x2d);
  seqByte(seq, vma.flags & VmFlag.SHARED ? 0x73 : 0x70);
  seqByte(seq, 0x20);
  seqHex(seq, vma.file != 0 ? vma.pgoff << PAGE_SHIFT : 0, 8);
  seqByte(seq, 0x20);
  fileFields(seq, vma);
  namePut(seq, vma, name, start);
  seqByte(seq, 0x0a);
}

/** `major:minor inode` of the file, zeroes without one. */
function fileFields(seq: SeqBuf, vma: Vma): void {
  if (vma.file == 0) return seqStr(seq, "00:00 0");
  const inode = inodeOf(fileOf(vma.file).inode);
  const dev = superOf(inode.sb).dev;
  seqHex(seq, deviceMajor(dev), 2);
  seqByte(seq, 0x3a);
  seqHex(seq, deviceMinor(dev), 2);
  seqByte(seq, 0x20);
  seqDec(seq, inode.ino);
}

function namePut(seq: SeqBuf, vma: Vma, name: usize, start: u32): void {
  let length: i32 = 0;
  if (vma.file != 0) length = fileNameBytes(fileOf(vma.file), name, NAME_MAX);
  const label = areaLabel(vma);
  if (length <= 0 && label.length == 0) return;
  while (seq.length - start < NAME_COLUMN && !seq.isFull) seqByte(seq, 0x20);
  if (length > 0) seqBytes(seq, name, length);
  else seqStr(seq, label);
}

function areaLabel(vma: Vma): string {
  if (vma.flags & VmFlag.STACK) return "[stack]";
  if (vma.flags & VmFlag.HEAP) return "[heap]";
  return vma.name != 0 ? changetype<string>(vma.name) : ""; // SAFETY: Vma.name is a literal or 0
}
