/** Attributes of files as the kernel is told them, and what of them can be changed. */
import { FsAttributes, FsSetattr } from "../../../kernel/abi/file-system.gen";
import { FsValid } from "../../../kernel/abi/file-system";
import { bytesFill, get16, get32, get64, get8, put16, put32, put64, put8, room } from "../../runtime/memory";
import { dateOf, nsOf } from "./date";
import { DirWalk, slotAt, slotCluster, slotIsDirectory, slotRead, subdirectories } from "./directory";
import { clustersOf } from "./files";
import { Attribute, Err, Slot } from "./layout";
import { begin, commit } from "./transaction";
import { Volume } from "./volume";
import { nodePlace, nodeStart, putNode, window } from "./window";

const IFDIR: u32 = 0x4000;
export const IFREG: u32 = 0x8000;
const OWNER_WRITE: u32 = 0o222;
/** Through the directories of a directory. */
const COUNTED = new DirWalk();
/** A short entry as it is on the device. */
const SLOT_BUFFER: usize = room(32);

/** Attributes of the short entry at `slot`, which is at `place`, at address `at`. */
export function putAttributes(v: Volume, at: usize, slot: usize, place: u64): void {
  const isDirectory = slotIsDirectory(slot);
  const isReadOnly = (get8(slot + Slot.ATTRIBUTES) & Attribute.READ_ONLY) != 0;
  const permissions = isDirectory ? 0o777 & ~v.directoryMask : 0o777 & ~v.fileMask & (isReadOnly ? ~OWNER_WRITE : ~0);
  const blocks = isDirectory ? 1 : clustersOf(v, get32(slot + Slot.SIZE));
  put32(at + FsAttributes.MODE, (isDirectory ? IFDIR : IFREG) | permissions);
  put32(at + FsAttributes.NLINK, isDirectory ? 2 : 1);
  put32(at + FsAttributes.UID, v.uid);
  put32(at + FsAttributes.GID, v.gid);
  put64(at + FsAttributes.INO, place >> 5);
  put64(at + FsAttributes.SIZE, isDirectory ? v.clusterBytes : get32(slot + Slot.SIZE));
  put64(at + FsAttributes.BLOCKS, slotCluster(v, slot) == 0 ? 0 : blocks);
  const written = nsOf(get16(slot + Slot.WRITE_DATE), get16(slot + Slot.WRITE_TIME), 0);
  put64(at + FsAttributes.ATIME_NS, get16(slot + Slot.ACCESS_DATE) != 0 ? nsOf(get16(slot + Slot.ACCESS_DATE), 0, 0) : written);
  put64(at + FsAttributes.MTIME_NS, written);
  put64(at + FsAttributes.CTIME_NS, written);
  put64(at + FsAttributes.BTIME_NS, nsOf(get16(slot + Slot.BIRTH_DATE), get16(slot + Slot.BIRTH_TIME), get8(slot + Slot.BIRTH_TENTHS)));
}

/** The same with the links of a directory, which must be read for them. */
export function putAllAttributes(v: Volume, at: usize, slot: usize, place: u64): void {
  putAttributes(v, at, slot, place);
  if (slotIsDirectory(slot)) put32(at + FsAttributes.NLINK, 2 + subdirectories(v, COUNTED, slotCluster(v, slot)));
}

/** Those of the root, which has no entry. */
export function putRootAttributes(v: Volume, at: usize): void {
  bytesFill(at, 0, FsAttributes.BYTES);
  put32(at + FsAttributes.MODE, IFDIR | 0o777 & ~v.directoryMask);
  put32(at + FsAttributes.NLINK, 2 + subdirectories(v, COUNTED, v.rootCluster));
  put32(at + FsAttributes.UID, v.uid);
  put32(at + FsAttributes.GID, v.gid);
  put64(at + FsAttributes.INO, 1);
  put64(at + FsAttributes.SIZE, v.clusterBytes);
  put64(at + FsAttributes.BLOCKS, 1);
}

/** FsMethod.SETATTR. */
export function setattr(v: Volume): i32 {
  const place = nodePlace(FsSetattr.NODE);
  const start = nodeStart(FsSetattr.NODE);
  putNode(FsSetattr.R_NODE, start, place);
  if (place == 0) {
    putRootAttributes(v, window + FsSetattr.R_ATTRIBUTES);
    return 0;
  }
  const valid = get32(window + FsSetattr.VALID);
  if (valid != 0) {
    if (v.isReadOnly) return Err.ROFS;
    begin(v);
    const slot = slotAt(v, place);
    if (slot == 0) return Err.IO;
    attributesSet(v, slot, valid);
    const failed = commit(v);
    if (failed < 0) return failed;
  }
  const failed = slotRead(v, place, SLOT_BUFFER);
  if (failed < 0) return failed;
  putAllAttributes(v, window + FsSetattr.R_ATTRIBUTES, SLOT_BUFFER, place);
  return 0;
}

/** As on Linux: of what the mask leaves, all bits to read and execute, and all or none to write. Anything else changes nothing, and is no error. */
function canKeep(v: Volume, mode: u32): bool {
  const all = 0o777 & ~v.fileMask;
  const writes = mode & all & OWNER_WRITE;
  return (all & OWNER_WRITE) != 0 && (mode & all & 0o555) == (all & 0o555) && (writes == 0 || writes == (all & OWNER_WRITE));
}

function attributesSet(v: Volume, slot: usize, valid: u32): void {
  if (valid & FsValid.MODE && !slotIsDirectory(slot) && canKeep(v, get32(window + FsSetattr.MODE))) {
    const others = get8(slot + Slot.ATTRIBUTES) & ~Attribute.READ_ONLY;
    put8(slot + Slot.ATTRIBUTES, others | (get32(window + FsSetattr.MODE) & OWNER_WRITE ? 0 : Attribute.READ_ONLY));
  }
  if (valid & FsValid.ATIME) put16(slot + Slot.ACCESS_DATE, dateOf(get64(window + FsSetattr.ATIME_NS)) >> 16);
  if (valid & FsValid.MTIME) {
    const date = dateOf(get64(window + FsSetattr.MTIME_NS));
    put16(slot + Slot.WRITE_DATE, date >> 16);
    put16(slot + Slot.WRITE_TIME, date & 0xffff);
  }
}
