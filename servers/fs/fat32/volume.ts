/** Mounted volumes: geometry, options, what is remembered between calls (all of it can be read again). */
import { get16, get32, get8, room } from "../../runtime/memory";
import { fileSystemCommit, fileSystemDeviceBytes, fileSystemRead } from "../../runtime/protocol/file-system-port-client.gen";
import { FS_MOUNTS } from "../../../kernel/abi/file-system";
import {
  Boot, CLEAN_BIT, CLEAN_BIT_16, CLUSTERS_12, CLUSTERS_16, ENTRY_MASK, Err, FIXED_ROOT, Info, INFO_LEAD, INFO_STRUCT, Slot,
} from "./layout";

/** Chains walked lately: where in which. */
export class Cursor {
  first: u32 = 0;
  index: u32 = 0;
  cluster: u32 = 0;
}

/** How short names show when there is no long one: shortname=lower, win95, winnt and mixed. */
export const enum ShortNames { SMALL, CAPITAL, FLAGS }

export const CURSORS: u32 = 64;
const WINDOW: u32 = 4096;
const COUNT_CHUNK: u32 = 65536;
/** 2 MiB, as Windows allows. */
const DIRECTORY_BYTES: u32 = 65536 * Slot.BYTES;
const WINDOWS = new StaticArray<usize>(FS_MOUNTS);

export class Volume {
  mount: u32;
  isReadOnly: bool = false;
  uid: u32 = 0;
  gid: u32 = 0;
  fileMask: u32 = 0o22;
  directoryMask: u32 = 0o22;
  isQuiet: bool = false;
  goesOn: bool = false;   // when it is found damaged (errors=continue)
  shortNames: ShortNames = ShortNames.FLAGS;
  deviceBytes: u64 = 0;
  bits: u32 = 32;         // of an entry of the FAT: 12, 16, 32
  clusterBytes: u32 = 0;
  clusters: u32 = 0;      // numbered 2 … clusters + 1
  rootCluster: u32 = 0;   // FIXED_ROOT when it lies outside
  rootStart: u64 = 0;     // of such a root, and its size
  rootBytes: u32 = 0;
  fatStart: u64 = 0;      // bytes on the device
  fatBytes: u64 = 0;      // of one copy
  fats: u32 = 0;          // copies that are written
  infoAt: u64 = 0;        // FSInfo, 0: none
  dataStart: u64 = 0;
  free: u32 = 0;          // clusters
  hint: u32 = 2;          // where to look for a free one
  isMarked: bool = false; // dirty on the device
  windowAt: u64 = ~0;     // what of the FAT stands in `window`
  window: usize;
  cursors: StaticArray<Cursor> = new StaticArray<Cursor>(CURSORS);

  constructor(mount: u32) {
    this.mount = mount;
    if (WINDOWS[mount] == 0) WINDOWS[mount] = room(WINDOW);
    this.window = WINDOWS[mount];
    for (let i: u32 = 0; i < CURSORS; i++) this.cursors[i] = new Cursor();
  }
}

let port: u32 = 0;
const SECTOR = room(4096);
const CHUNK = room(COUNT_CHUNK);

export function portSet(handle: u32): void { port = handle; }

/** Reads from the device through the kernel's cache. 0 or a negated errno. */
let hasDeviceFailed: bool = false;

/** Whether the device has failed since this was asked last. */
export function deviceFailed(): bool {
  const failed = hasDeviceFailed;
  hasDeviceFailed = false;
  return failed;
}

export function deviceRead(mount: u32, offset: u64, to: usize, bytes: u32): i32 {
  const result = fileSystemRead(port, mount, offset, to, bytes);
  if (result < 0 && result != Err.INVAL) hasDeviceFailed = true; // which is no place on it
  return result;
}

export function deviceCommit(mount: u32, writes: usize, count: u32): i32 {
  const result = fileSystemCommit(port, mount, writes, count);
  if (result < 0 && result != Err.INVAL) hasDeviceFailed = true; // which is no place on it
  return result;
}

function isPower(value: u32): bool { return value != 0 && (value & (value - 1)) == 0; }

/** Reads the geometry. 0, EINVAL when it is no FAT, EIO when it is a broken one. */
export function volumeOpen(v: Volume): i32 {
  const bytes = fileSystemDeviceBytes(port, v.mount);
  if (bytes < 0) return <i32>bytes;
  v.deviceBytes = <u64>bytes;
  if (v.deviceBytes < 65536) return Err.INVAL;
  const failed = deviceRead(v.mount, 0, SECTOR, 512);
  if (failed < 0) return failed;
  const geometry = geometryRead(v);
  if (geometry < 0) return geometry;
  return stateRead(v, (get8(SECTOR + (v.bits == 32 ? Boot.STATE_32 : Boot.STATE_16)) & 1) != 0);
}

/** From the boot sector in SECTOR. Step by step as "Determination of FAT type": everything follows from the count of clusters, but FAT32. */
function geometryRead(v: Volume): i32 {
  const sectorBytes = get16(SECTOR + Boot.SECTOR_BYTES);
  const clusterSectors = get8(SECTOR + Boot.CLUSTER_SECTORS);
  const reserved = get16(SECTOR + Boot.RESERVED_SECTORS);
  const fats = get8(SECTOR + Boot.FATS);
  const is32 = get16(SECTOR + Boot.FAT_SECTORS_16) == 0;
  const fatSectors = is32 ? get32(SECTOR + Boot.FAT_SECTORS_32) : get16(SECTOR + Boot.FAT_SECTORS_16);
  if (get16(SECTOR + Boot.SIGNATURE) != 0xaa55 || !isPower(sectorBytes) || sectorBytes < 512 || sectorBytes > 4096) return Err.INVAL;
  if (!isPower(clusterSectors) || clusterSectors * sectorBytes > 65536 || reserved == 0 || fats == 0 || fats > 2 || fatSectors == 0) return Err.INVAL;
  v.rootBytes = get16(SECTOR + Boot.ROOT_ENTRIES) * <u32>Slot.BYTES;
  if (is32 ? v.rootBytes != 0 || get16(SECTOR + Boot.VERSION) != 0 : v.rootBytes == 0 || v.rootBytes % sectorBytes != 0) return Err.INVAL;
  const small = get16(SECTOR + Boot.SECTORS_16);
  const sectors = small != 0 ? small : get32(SECTOR + Boot.SECTORS_32);
  const dataSector = <u64>reserved + <u64>fats * fatSectors + v.rootBytes / sectorBytes;
  if (dataSector >= sectors || <u64>sectors * sectorBytes > v.deviceBytes) return Err.INVAL;
  v.clusterBytes = clusterSectors * sectorBytes;
  v.clusters = <u32>((sectors - dataSector) / clusterSectors);
  v.bits = is32 ? 32 : v.clusters > CLUSTERS_12 ? 16 : 12;
  v.fats = fats;
  v.fatStart = <u64>reserved * sectorBytes;
  v.fatBytes = <u64>fatSectors * sectorBytes;
  v.rootStart = v.fatStart + v.fatBytes * fats;
  v.dataStart = dataSector * sectorBytes;
  const most = is32 ? <u32>0x0ffffff0 : CLUSTERS_16;
  if (v.clusters < 1 || v.clusters > most || (<u64>v.clusters + 2) * v.bits > v.fatBytes << 3) return Err.IO;
  v.rootCluster = FIXED_ROOT;
  return is32 ? geometry32Read(v, reserved, sectorBytes) : 0;
}

function geometry32Read(v: Volume, reserved: u32, sectorBytes: u32): i32 {
  v.rootCluster = get32(SECTOR + Boot.ROOT_CLUSTER);
  if (!isCluster(v, v.rootCluster)) return Err.IO;
  const flags = get16(SECTOR + Boot.EXT_FLAGS);
  if (flags & 0x80) { // one copy alone is kept
    if ((flags & 15) >= v.fats) return Err.IO;
    v.fatStart += v.fatBytes * (flags & 15);
    v.fats = 1;
  }
  const info = get16(SECTOR + Boot.FS_INFO);
  v.infoAt = info != 0 && info < reserved ? <u64>info * sectorBytes : 0;
  return 0;
}

/** The free count: from FSInfo when the volume is clean or `isTrusted` says that we wrote it, counted otherwise. */
export let trustsInfo: bool = false;
export function trustInfo(isTrusted: bool): void { trustsInfo = isTrusted; }

function stateRead(v: Volume, isMarked: bool): i32 {
  let failed = deviceRead(v.mount, v.fatStart, SECTOR, 8);
  if (failed < 0) return failed;
  v.isMarked = isMarked || (v.bits == 32 && (get32(SECTOR + 4) & CLEAN_BIT) == 0) || (v.bits == 16 && (get16(SECTOR + 2) & CLEAN_BIT_16) == 0);
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
  return v.bits == 32 ? freeCount(v) : SMALL_COUNT(v);
}

/** Counts free entries of 12 and 16 bits; set by table.ts, which can read them. */
let SMALL_COUNT: (v: Volume) => i32 = freeCount;
export function smallCountSet(count: (v: Volume) => i32): void { SMALL_COUNT = count; }

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
/** A cluster, or a piece of the root outside the clusters. */
export function isDirectoryPiece(v: Volume, cluster: u32): bool {
  return isCluster(v, cluster) || (v.bits != 32 && cluster >= FIXED_ROOT && (cluster - FIXED_ROOT) * v.clusterBytes < v.rootBytes);
}
/** Where a cluster or piece lies on the device. */
export function clusterAt(v: Volume, cluster: u32): u64 {
  if (v.bits != 32 && cluster >= FIXED_ROOT) return v.rootStart + <u64>(cluster - FIXED_ROOT) * v.clusterBytes;
  return v.dataStart + <u64>(cluster - 2) * v.clusterBytes;
}
/** The most bytes of the directory that begins at `start`. */
export function directoryBytes(v: Volume, start: u32): u32 { return v.bits != 32 && start == FIXED_ROOT ? v.rootBytes : DIRECTORY_BYTES; }

/** The FAT's 4 KiB around byte `at` of it, which must not be changed there. 0 or a negated errno; the address is v.window. */
export function windowLoad(v: Volume, at: u64): i32 {
  const start = at & ~<u64>(WINDOW - 1);
  if (v.windowAt == start) return 0;
  v.windowAt = ~0;
  const failed = deviceRead(v.mount, v.fatStart + start, v.window, <u32>min<u64>(WINDOW, v.fatBytes - start));
  if (failed == 0) v.windowAt = start;
  return failed;
}
