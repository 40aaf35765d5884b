/**
 * Mapping and unmapping: mmap, munmap, brk and the pieces exec places.
 *
 * Locking  every exported function takes AddressSpace.lock itself.
 * Spec     mmap(2), brk(2).
 */
import { Errno } from "../../abi/errno";
import { MAX_AREAS, areaCanMerge, areaMerge, areasRemove, isData, mmAccount } from "./area";
import { totalPageCount } from "./buddy";
import { rangePopulate } from "./fault";
import { kernelNoExecute } from "./kernel-map";
import { PAGE_MASK, PAGE_SIZE, USER_MIN, USER_TOP, pageAlignUp, userRangeOk } from "./layout";
import { FileMmap, MM_HOOKS } from "./mm-hooks";
import { mmLock, mmUnlock } from "./mm-lock";
import { AddressSpace, MmFlag, Vma, VmFlag, mmPtr, vmaOf } from "./mm-struct";
import { pteSlotMake, tableCountAdd } from "./page-table";
import { Pte } from "./pte";
import { sharedPagesCreate } from "./shared-pages";
import { RLIMIT_DATA, RLIMIT_MEMLOCK, brkRandom, mmMayMap, mmapBaseRandom, stackTopRandom } from "./stack";
import { gapFindBottom, gapFindTop, vmaFind, vmaInsert, vmaResize } from "./vma";
import { vmaAlloc, vmaFree } from "./vma-alloc";
import { physLoad64, physStore64 } from "../../../arch/current";

export { userRangeOk } from "./layout";
export { mmPieBase } from "./stack";
export { mmProtect } from "./protect";

/** Flags of mmap(2). */
export const enum MapFlag {
  SHARED = 1, PRIVATE = 2, SHARED_VALIDATE = 3, TYPE = 15, FIXED = 0x10, ANONYMOUS = 0x20, LOW_2GIB = 0x40,
  GROWSDOWN = 0x100, DENYWRITE = 0x800, EXECUTABLE = 0x1000, LOCKED = 0x2000, NORESERVE = 0x4000, POPULATE = 0x8000,
  NONBLOCK = 0x10000, STACK = 0x20000, HUGETLB = 0x40000, SYNC = 0x80000, FIXED_NOREPLACE = 0x100000,
  UNINITIALIZED = 0x4000000,
}
const KNOWN_FLAGS: u32 = 0x41fff7f; // every flag above; MAP_SHARED_VALIDATE refuses the rest
const HUGE_SIZE_MASK: u32 = 0xfc000000;
const LOW_START: u64 = 0x40000000;
const LOW_END: u64 = 0x80000000;
const INITIAL_STACK: u64 = 33 * 4096;
const MAY_ALL: u32 = VmFlag.MAY_READ | VmFlag.MAY_WRITE | VmFlag.MAY_EXEC;

/** Area flags of an mmap request. */
function areaFlags(mm: AddressSpace, prot: u32, flags: u32): u32 {
  let bits: u32 = (prot & VmFlag.PROT) | MAY_ALL;
  if ((flags & MapFlag.TYPE) != MapFlag.PRIVATE) bits |= VmFlag.SHARED;
  if (flags & MapFlag.GROWSDOWN) bits |= VmFlag.GROWS_DOWN;
  if (flags & MapFlag.NORESERVE) bits |= VmFlag.NO_RESERVE;
  if (flags & MapFlag.LOCKED || mm.flags & MmFlag.LOCK_FUTURE) bits |= VmFlag.LOCKED;
  return bits;
}

/** Checks what can be known without looking at the address space; 0 or -errno. */
function mapCheck(addr: u64, size: u64, flags: u32, file: usize, pgoff: u64): i32 {
  const type = flags & MapFlag.TYPE;
  if (type == 0 || type > <u32>MapFlag.SHARED_VALIDATE) return -Errno.INVAL;
  if (type == MapFlag.SHARED_VALIDATE && flags & ~(KNOWN_FLAGS | HUGE_SIZE_MASK)) return -Errno.OPNOTSUPP;
  if (size == 0 || size > USER_TOP) return -Errno.NOMEM;
  if (flags & MapFlag.HUGETLB) return -Errno.NOMEM; // the pool of huge pages is empty
  if (file && pgoff + (size >> 12) < pgoff) return -Errno.OVERFLOW;
  if (flags & MapFlag.GROWSDOWN && (file || type != MapFlag.PRIVATE)) return -Errno.INVAL;
  if (!(flags & (MapFlag.FIXED | MapFlag.FIXED_NOREPLACE))) return 0;
  if (addr & PAGE_MASK) return -Errno.INVAL;
  if (!userRangeOk(addr, size)) return -Errno.NOMEM;
  return addr < USER_MIN ? -Errno.PERM : 0;
}

/** Checks limits for `pages` more with area flags `bits`; 0 or -errno. */
export function mapLimits(mm: AddressSpace, bits: u32, pages: u64): i32 {
  if (mm.vmaCount >= MAX_AREAS || !mmMayMap(mm, pages)) return -Errno.NOMEM;
  if (isData(bits)) {
    const limit = MM_HOOKS.limit(RLIMIT_DATA);
    if (limit != ~<u64>0 && mm.dataPages + pages > limit >> 12) return -Errno.NOMEM;
    if (!(bits & VmFlag.NO_RESERVE) && pages > totalPageCount()) return -Errno.NOMEM; // plainly beyond this machine
  }
  if (bits & VmFlag.LOCKED && !MM_HOOKS.mayLockAny()) {
    if (mm.lockedPages + pages > MM_HOOKS.limit(RLIMIT_MEMLOCK) >> 12) return -Errno.AGAIN;
  }
  return 0;
}

/** True when nothing is mapped in [start, start + size), a range of user space. */
export function rangeIsFree(mm: AddressSpace, start: u64, size: u64): bool {
  const above = vmaFind(mm, start);
  return !above || above.start >= start + size;
}

/** Chooses the place of a mapping; its address or -errno. */
export function placeFind(mm: AddressSpace, hint: u64, size: u64, flags: u32): i64 {
  const wanted = hint & ~PAGE_MASK;
  const high = flags & MapFlag.LOW_2GIB ? LOW_END : USER_TOP;
  if (wanted >= USER_MIN && userRangeOk(wanted, size) && wanted + size <= high && rangeIsFree(mm, wanted, size)) {
    return wanted;
  }
  let found: u64;
  if (flags & MapFlag.LOW_2GIB) {
    found = gapFindBottom(mm, size, LOW_START, LOW_END);
  } else {
    found = gapFindTop(mm, size, USER_MIN, mm.mmapBase);
    if (!found) found = gapFindBottom(mm, size, mm.mmapBase, USER_TOP);
  }
  return found ? found : -<i64>Errno.NOMEM;
}

/**
 * Maps `len` bytes as mmap(2); `file` is 0 for anonymous memory (the area takes a reference of its own), pgoff is in
 * pages. The address, or -errno.
 */
export function mmMap(mm: AddressSpace, addr: u64, len: u64, prot: u32, flags: u32, file: usize, pgoff: u64): i64 {
  if (len == 0) return -Errno.INVAL;
  const size = pageAlignUp(len);
  const checked = mapCheck(addr, size, flags, file, pgoff);
  if (checked) return checked;
  let backing = file;
  let kind: i32 = FileMmap.PAGES;
  if (file) {
    kind = MM_HOOKS.fileMmap(file, prot, flags);
    if (kind < 0) return kind;
    if (kind == FileMmap.ANON) backing = 0;
  }
  mmLock(mm);
  let bits = areaFlags(mm, prot, flags);
  if (kind == FileMmap.IO) bits |= VmFlag.IO;
  if (kind == FileMmap.TRACKED && bits & VmFlag.SHARED) bits |= VmFlag.TRACKED;
  const result = mapLocked(mm, addr, size, bits, flags, backing, pgoff);
  mmUnlock(mm);
  return result;
}

function mapLocked(mm: AddressSpace, addr: u64, size: u64, bits: u32, flags: u32, file: usize, pgoff: u64): i64 {
  let start = addr;
  const limits = mapLimits(mm, bits, size >> 12);
  if (limits) return limits;
  if (flags & MapFlag.FIXED_NOREPLACE) {
    if (!rangeIsFree(mm, start, size)) return -Errno.EXIST;
  } else if (flags & MapFlag.FIXED) {
    const removed = areasRemove(mm, start, start + size);
    if (removed) return removed;
  } else {
    const place = placeFind(mm, addr, size, flags);
    if (place < 0) return place;
    start = place;
  }
  const vma = areaAdd(mm, start, size, bits, file, pgoff);
  if (!vma) return -Errno.NOMEM;
  const wantsPages = (flags & (MapFlag.POPULATE | MapFlag.NONBLOCK)) == MapFlag.POPULATE || bits & VmFlag.LOCKED;
  if (wantsPages && bits & VmFlag.PROT) {
    rangePopulate(mm, vma, start, start + size); // best effort, as Linux: the mapping stands either way
  }
  return start;
}

/** Adds an area for the free range [start, start + size), merged with its neighbours; null when memory is full. */
export function areaAdd(mm: AddressSpace, start: u64, size: u64, bits: u32, file: usize, pgoff: u64): Vma | null {
  const vma = vmaAlloc();
  if (!vma) return null;
  vma.start = start;
  vma.end = start + size;
  vma.mm = mmPtr(mm);
  vma.flags = bits;
  vma.file = file;
  vma.pgoff = file ? pgoff : 0;
  if (!file && bits & VmFlag.SHARED) {
    const shared = sharedPagesCreate();
    if (!shared) {
      vma.file = 0;
      vmaFree(vma);
      return null;
    }
    vma.pages = <u32>changetype<usize>(shared);
  }
  if (file) MM_HOOKS.fileRef(file, 1);
  mmAccount(mm, bits, size >> 12);
  const grown = neighbourExtend(mm, vma);
  if (grown) return grown;
  vmaInsert(mm, vma);
  return areaMerge(mm, vma);
}

/** Lets the area just above or below swallow private anonymous `vma`, sparing the tree; null when neither can. */
function neighbourExtend(mm: AddressSpace, vma: Vma): Vma | null {
  if (vma.file || vma.pages) return null;
  const above = vmaFind(mm, vma.start);
  const below = above ? above.prev : 0;
  if (above && areaCanMerge(vma, above)) {
    vmaResize(mm, above, vma.start, above.end);
    vmaFree(vma);
    return areaMerge(mm, above);
  }
  if (below && areaCanMerge(vmaOf(below), vma)) {
    vmaResize(mm, vmaOf(below), vmaOf(below).start, vma.end);
    vmaFree(vma);
    return vmaOf(below);
  }
  return null;
}

/** Unmaps [va, va + len) as munmap(2): 0 or -errno. */
export function mmUnmap(mm: AddressSpace, va: u64, len: u64): i32 {
  if (va & PAGE_MASK || len == 0 || !userRangeOk(va, len)) return -Errno.INVAL;
  mmLock(mm);
  const result = areasRemove(mm, va, va + pageAlignUp(len));
  mmUnlock(mm);
  return result;
}

/** brk(2): the new break, or the old one when it cannot be. */
export function mmBrk(mm: AddressSpace, newBrk: u64): u64 {
  mmLock(mm);
  if (newBrk >= mm.brkStart && newBrk < USER_TOP && brkMove(mm, newBrk)) mm.brkEnd = newBrk;
  const result = mm.brkEnd;
  mmUnlock(mm);
  return result;
}

function brkMove(mm: AddressSpace, newBrk: u64): bool {
  const from = pageAlignUp(mm.brkEnd);
  const to = pageAlignUp(newBrk);
  if (to == from) return true;
  if (to < from) return areasRemove(mm, to, from) == 0;
  const limit = MM_HOOKS.limit(RLIMIT_DATA);
  if (limit != ~<u64>0 && newBrk - mm.brkStart + (mm.dataEnd - mm.dataStart) > limit) return false;
  if (!rangeIsFree(mm, from, to - from + PAGE_SIZE)) return false;
  let bits: u32 = VmFlag.READ | VmFlag.WRITE | MAY_ALL | VmFlag.HEAP;
  if (mm.flags & MmFlag.LOCK_FUTURE) bits |= VmFlag.LOCKED;
  if (mapLimits(mm, bits, (to - from) >> 12)) return false;
  const vma = areaAdd(mm, from, to - from, bits, 0, 0);
  if (vma && bits & VmFlag.LOCKED) rangePopulate(mm, vma, from, to);
  return vma != null;
}

/** exec: the break starts at a random place at or above `end`, the end of the image. */
export function mmBrkInit(mm: AddressSpace, end: u64): void {
  mm.brkStart = brkRandom(end);
  mm.brkEnd = mm.brkStart;
}

/** exec: makes the main stack below a random top and sets the base of mappings; the top, or -errno. */
export function mmSetupStack(mm: AddressSpace, stackLimit: u64, isExecutable: bool): i64 {
  mmLock(mm);
  mm.mmapBase = mmapBaseRandom(stackLimit);
  mm.stackTop = stackTopRandom();
  let bits: u32 = VmFlag.READ | VmFlag.WRITE | MAY_ALL | VmFlag.STACK | VmFlag.GROWS_DOWN;
  if (isExecutable) bits |= VmFlag.EXEC;
  const vma = areaAdd(mm, mm.stackTop - INITIAL_STACK, INITIAL_STACK, bits, 0, 0);
  mmUnlock(mm);
  return vma ? <i64>mm.stackTop : -<i64>Errno.NOMEM;
}

/**
 * Maps `count` frames that live as long as the kernel (vDSO, vvar; u32 pfns at `pfnsPtr`) side by side at a free
 * address; they are not counted. The address, or -errno.
 */
export function mmMapSpecial(mm: AddressSpace, pfnsPtr: usize, count: u32, prot: u32, name: string): i64 {
  mmLock(mm);
  const result = specialLocked(mm, pfnsPtr, count, prot, name);
  mmUnlock(mm);
  return result;
}

function specialLocked(mm: AddressSpace, pfnsPtr: usize, count: u32, prot: u32, name: string): i64 {
  const size = <u64>count << 12;
  const place = placeFind(mm, 0, size, 0);
  if (place < 0) return place;
  const bits = (prot & (VmFlag.READ | VmFlag.EXEC)) | VmFlag.MAY_READ | VmFlag.MAY_EXEC | VmFlag.SPECIAL;
  const vma = areaAdd(mm, place, size, bits, 0, 0);
  if (!vma) return -Errno.NOMEM;
  vma.name = <u32>changetype<usize>(name);
  const noExecute = prot & VmFlag.EXEC ? 0 : kernelNoExecute();
  for (let i: u32 = 0; i < count; i++) {
    const slot = pteSlotMake(mm, <u64>place + (<u64>i << 12));
    if (!slot) {
      areasRemove(mm, place, place + size);
      return -Errno.NOMEM;
    }
    assert(!physLoad64(slot)); // the place was free
    const pa = <u64>load<u32>(pfnsPtr + (<usize>i << 2)) << 12;
    physStore64(slot, pa | Pte.PRESENT | Pte.USER | Pte.ACCESSED | Pte.SPECIAL | noExecute);
    tableCountAdd(slot, 1);
  }
  return place;
}
