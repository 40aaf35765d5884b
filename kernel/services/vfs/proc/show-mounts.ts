/** /proc/PID/mounts and mountinfo. Spec: fstab(5), proc(5) "mountinfo"; blanks in names are octal escapes. */
import { Errno } from "../../../abi/errno";
import { kfree, kmalloc } from "../../../core/mm/slab";
import { byteAt, bytesLength } from "../../../lib/bytes";
import { deviceMajor, deviceMinor } from "../dev/device";
import { mountByIndex, mountTreeLock, mountTreeUnlock } from "../mount";
import { pathToBytes } from "../namei";
import { Mount, Path, mountOf, superOf } from "../types";
import { SeqBuf, seqByte, seqDec, seqOct, seqStr } from "./seq-buf";

const NAME_MAX: u32 = 4096;
const SOURCE_MAX: u32 = 256;
const MS_RDONLY: u32 = 1;
const MS_NOSUID: u32 = 2;
const MS_NODEV: u32 = 4;
const MS_NOEXEC: u32 = 8;
const MS_SYNCHRONOUS: u32 = 16;
const MS_DIRSYNC: u32 = 128;
const MS_NOATIME: u32 = 1024;

export function mountsShow(seq: SeqBuf, pid: u32, tid: u32): i32 {
  return eachMount(seq, false);
}

export function mountInfoShow(seq: SeqBuf, pid: u32, tid: u32): i32 {
  return eachMount(seq, true);
}

function eachMount(seq: SeqBuf, isInfo: bool): i32 {
  const name = kmalloc(NAME_MAX + offsetof<Path>());
  if (name == 0) return -(<i32>Errno.NOMEM);
  mountTreeLock();
  for (let i: u32 = 0; ; i++) {
    const mount = mountByIndex(i);
    if (!mount) break;
    if (isInfo) infoLine(seq, mount, name);
    else mountLine(seq, mount, name);
  }
  mountTreeUnlock();
  kfree(name);
  return 0;
}

function mountLine(seq: SeqBuf, mount: Mount, name: usize): void {
  sourcePut(seq, mount);
  seqByte(seq, 0x20);
  pointPut(seq, mount, name);
  seqByte(seq, 0x20);
  typePut(seq, mount);
  seqByte(seq, 0x20);
  optionsPut(seq, mount);
  seqStr(seq, " 0 0\n");
}

/** id parent major:minor root point options - type source super-options */
function infoLine(seq: SeqBuf, mount: Mount, name: usize): void {
  seqDec(seq, mount.id);
  seqByte(seq, 0x20);
  seqDec(seq, mount.parent != 0 ? mountOf(mount.parent).id : mount.id);
  seqByte(seq, 0x20);
  const dev = superOf(mount.sb).dev;
  seqDec(seq, deviceMajor(dev));
  seqByte(seq, 0x3a);
  seqDec(seq, deviceMinor(dev));
  seqStr(seq, " / ");
  pointPut(seq, mount, name);
  seqByte(seq, 0x20);
  optionsPut(seq, mount);
  seqStr(seq, " - ");
  typePut(seq, mount);
  seqByte(seq, 0x20);
  sourcePut(seq, mount);
  seqStr(seq, mount.flags & MS_RDONLY ? " ro\n" : " rw\n");
}

function typePut(seq: SeqBuf, mount: Mount): void {
  seqStr(seq, changetype<string>(superOf(mount.sb).typeName)); // SAFETY: a literal
}

function sourcePut(seq: SeqBuf, mount: Mount): void {
  const length = mount.sourcePtr != 0 ? bytesLength(mount.sourcePtr, SOURCE_MAX) : 0;
  if (length == 0) return seqStr(seq, "none");
  escapedPut(seq, mount.sourcePtr, length);
}

function pointPut(seq: SeqBuf, mount: Mount, name: usize): void {
  const path = changetype<Path>(name + NAME_MAX); // SAFETY: room made behind the name
  path.mount = changetype<usize>(mount);
  path.dentry = mount.root;
  const length = pathToBytes(path, name, NAME_MAX);
  if (length > 0) escapedPut(seq, name, length);
  else seqByte(seq, 0x2f);
}

function optionsPut(seq: SeqBuf, mount: Mount): void {
  const shared = superOf(mount.sb).flags;
  seqStr(seq, (mount.flags | shared) & MS_RDONLY ? "ro" : "rw");
  if (mount.flags & MS_NOSUID) seqStr(seq, ",nosuid");
  if (mount.flags & MS_NODEV) seqStr(seq, ",nodev");
  if (mount.flags & MS_NOEXEC) seqStr(seq, ",noexec");
  if (shared & MS_SYNCHRONOUS) seqStr(seq, ",sync");
  if (shared & MS_DIRSYNC) seqStr(seq, ",dirsync");
  seqStr(seq, mount.flags & MS_NOATIME ? ",noatime" : ",relatime");
}

function escapedPut(seq: SeqBuf, ptr: usize, length: u32): void {
  for (let i: u32 = 0; i < length; i++) {
    const byte = byteAt(ptr, i);
    if (byte > 0x20 && byte != 0x5c) {
      seqByte(seq, byte);
      continue;
    }
    seqByte(seq, 0x5c);
    seqOct(seq, byte, 3);
  }
}
