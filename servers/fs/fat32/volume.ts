/** Mounted volumes: geometry, options, what is remembered between calls (all of it can be read again). */
import { FileSystemOp } from "../../../kernel/abi/file-system";
import { linearVa } from "../../runtime/intrinsics";
import { get16, get32, get8, room } from "../../runtime/memory";
import { serviceCall } from "../../runtime/native-calls";
import { Boot, CLEAN_BIT, ENTRY_MASK, Err, Info, INFO_LEAD, INFO_STRUCT } from "./layout";

/** Chains walked lately: where in which. */
export class Cursor {
  first: u32 = 0;
  index: u32 = 0;
  cluster: u32 = 0;
}

export const CURSORS: u32 = 64;
const WINDOW: u32 = 4096;
const COUNT_CHUNK: u32 = 65536;

export class Volume {
  mount: u32;
  isReadOnly: bool = false;
  uid: u32 = 0;
  gid: u32 = 0;
  fileMask: u32 = 0o22;
  directoryMask: u32 = 0o22;
  deviceBytes: u64 = 0;
  sectorBytes: u32 = 0;
  clusterBytes: u32 = 0;
  clusters: u32 = 0;      // numbered 2 … clusters + 1
  rootCluster: u32 = 0;
  fatStart: u64 = 0;      // bytes on the device
  fatBytes: u64 = 0;      // of one copy
  fats: u32 = 0;          // copies that are written
  infoAt: u64 = 0;        // FSInfo, 0: none
  dataStart: u64 = 0;
  free: u32 = 0;          // clusters
  hint: u32 = 2;          // where to look for a free one
  isMarked: bool = false; // dirty on the device
  windowAt: u64 = ~0;     // what of the FAT stands in `window`
  window: usize = room(WINDOW);
  cursors: StaticArray<Cursor> = new StaticArray<Cursor>(CURSORS);

  constructor(mount: u32) {
    this.mount = mount;
    for (let i: u32 = 0; i < CURSORS; i++) this.cursors[i] = new Cursor();
  }
}

let port: u32 = 0;
const SECTOR = room(4096);
const CHUNK = room(COUNT_CHUNK);

export function portSet(handle: u32): void { port = handle; }

/** Reads from the device through the kernel's cache. 0 or a negated errno. */
export function deviceRead(mount: u32, offset: u64, to: usize, bytes: u32): i32 {
  return <i32>serviceCall(port, FileSystemOp.READ, mount, offset, linearVa(to), bytes);
}

export function deviceCommit(mount: u32, writes: usize, count: u32): i32 {
  return <i32>serviceCall(port, FileSystemOp.COMMIT, mount, linearVa(writes), count, 0);
}

function isPower(value: u32): bool { return value != 0 && (value & (value - 1)) == 0; }

/** Reads the geometry and what mount options left open. 0, EINVAL when it is no FAT32, EIO when it is a broken one. */
export function volumeOpen(v: Volume): i32 {
  const bytes = serviceCall(port, FileSystemOp.DEVICE_BYTES, v.mount, 0, 0, 0);
  if (bytes < 0) return <i32>bytes;
  v.deviceBytes = <u64>bytes;
  if (v.deviceBytes < 65536) return Err.INVAL;
  const failed = deviceRead(v.mount, 0, SECTOR, 512);
  if (failed < 0) return failed;
  const sectorBytes = get16(SECTOR + Boot.SECTOR_BYTES);
  const clusterSectors = get8(SECTOR + Boot.CLUSTER_SECTORS);
  const reserved = get16(SECTOR + Boot.RESERVED_SECTORS);
  const fats = get8(SECTOR + Boot.FATS);
  const fatSectors = get32(SECTOR + Boot.FAT_SECTORS_32);
  if (get16(SECTOR + Boot.SIGNATURE) != 0xaa55 || !isPower(sectorBytes) || sectorBytes < 512 || sectorBytes > 4096) return Err.INVAL;
  if (!isPower(clusterSectors) || clusterSectors * sectorBytes > 65536 || reserved == 0 || fats == 0 || fats > 2) return Err.INVAL;
  if (get16(SECTOR + Boot.FAT_SECTORS_16) != 0 || get16(SECTOR + Boot.ROOT_ENTRIES) != 0 || fatSectors == 0) return Err.INVAL; // FAT12, FAT16
  if (get16(SECTOR + Boot.VERSION) != 0) return Err.INVAL;
  const small = get16(SECTOR + Boot.SECTORS_16);
  const sectors = small != 0 ? small : get32(SECTOR + Boot.SECTORS_32);
  const dataSector = <u64>reserved + <u64>fats * fatSectors;
  if (sectors == 0 || dataSector >= sectors || <u64>sectors * sectorBytes > v.deviceBytes) return Err.INVAL;
  v.sectorBytes = sectorBytes;
  v.clusterBytes = clusterSectors * sectorBytes;
  v.clusters = <u32>((sectors - dataSector) / clusterSectors);
  v.fatStart = <u64>reserved * sectorBytes;
  v.fatBytes = <u64>fatSectors * sectorBytes;
  v.dataStart = dataSector * sectorBytes;
  if (v.clusters < 1 || v.clusters > 0x0ffffff0 || (<u64>v.clusters + 2) << 2 > v.fatBytes) return Err.IO;
  v.rootCluster = get32(SECTOR + Boot.ROOT_CLUSTER);
  if (!isCluster(v, v.rootCluster)) return Err.IO;
  v.fats = fats;
  const flags = get16(SECTOR + Boot.EXT_FLAGS);
  if (flags & 0x80) { // one copy alone is kept
    if ((flags & 15) >= fats) return Err.IO;
    v.fatStart += v.fatBytes * (flags & 15);
    v.fats = 1;
  }
  const info = get16(SECTOR + Boot.FS_INFO);
  v.infoAt = info != 0 && info < reserved ? <u64>info * sectorBytes : 0;
  return stateRead(v, (get8(SECTOR + Boot.STATE) & 1) != 0);
}

/** The free count: from FSInfo when the volume is clean or `isTrusted` says that we wrote it, counted otherwise. */
export let trustsInfo: bool = false;
export function trustInfo(isTrusted: bool): void { trustsInfo = isTrusted; }

function stateRead(v: Volume, isMarked: bool): i32 {
  let failed = deviceRead(v.mount, v.fatStart, SECTOR, 8);
  if (failed < 0) return failed;
  v.isMarked = isMarked || (get32(SECTOR + 4) & CLEAN_BIT) == 0;
  let free: u32 = u32.MAX_VALUE;
  if (v.infoAt != 0) {
    failed = deviceRead(v.mount, v.infoAt, SECTOR, 512);
    if (failed < 0) return failed;
    const isInfo = get32(SECTOR + Info.LEAD) == INFO_LEAD && get32(SECTOR + Info.STRUCT) == INFO_STRUCT;
    if (!isInfo) v.infoAt = 0;
    else {
      free = get32(SECTOR + Info.FREE);
      v.hint = get32(SECTOR + Info.NEXT);
    }
  }
  if (!isCluster(v, v.hint)) v.hint = 2;
  if (free <= v.clusters && (trustsInfo || !v.isMarked)) {
    v.free = free;
    return 0;
  }
  return freeCount(v);
}

function freeCount(v: Volume): i32 {
  let free: u32 = 0;
  const end = (v.clusters + 2) << 2;
  for (let at: u32 = 0; at < end; at += COUNT_CHUNK) {
    const bytes = min<u32>(COUNT_CHUNK, end - at);
    const failed = deviceRead(v.mount, v.fatStart + at, CHUNK, bytes);
    if (failed < 0) return failed;
    for (let i: u32 = at == 0 ? 8 : 0; i < bytes; i += 4) if ((get32(CHUNK + i) & ENTRY_MASK) == 0) free++;
  }
  v.free = free;
  return 0;
}

export function isCluster(v: Volume, cluster: u32): bool { return cluster >= 2 && cluster - 2 < v.clusters; }
export function clusterAt(v: Volume, cluster: u32): u64 { return v.dataStart + <u64>(cluster - 2) * v.clusterBytes; }

/** The FAT's 4 KiB around byte `at` of it, which must not be changed there. 0 or a negated errno; the address is v.window. */
export function windowLoad(v: Volume, at: u64): i32 {
  const start = at & ~<u64>(WINDOW - 1);
  if (v.windowAt == start) return 0;
  v.windowAt = ~0;
  const failed = deviceRead(v.mount, v.fatStart + start, v.window, <u32>min<u64>(WINDOW, v.fatBytes - start));
  if (failed == 0) v.windowAt = start;
  return failed;
}
