/**
 * fork: a copy of an address space that shares pages until one side writes.
 *
 * Areas are copied with the shape of their tree. Entries are copied only where the child could not fault them in
 * again by itself: private anonymous pages and private copies of file pages. Pages of files and of shared memory are
 * left to fault-around.
 *
 * Locking  takes the lock of the source, then that of the copy.
 */
import { physLoad64, physStore64 } from "../../../arch/current";
import { processPagesLeft } from "./buddy";
import { frameOf, frameRefInc, paToPfn } from "./frame";
import { mmCreate, mmPut } from "./mm-life";
import { mmLock, mmUnlock } from "./mm-lock";
import { AddressSpace, Vma, VmFlag, mmPtr, vmaOf, vmaPages, vmaPtr } from "./mm-struct";
import { areaKill, mmAccount } from "./area";
import { memoryTrim } from "./oom";
import { nextTable, pteSlot, pteSlotMake, tableAtOrAfter, tableCountAdd } from "./page-table";
import { PTE_ADDRESS, Pte } from "./pte";
import { kmalloc } from "./slab";
import { tlbFlushMm } from "./tlb";
import { vmaChainFree, vmaCopy } from "./vma-alloc";

/** A copy-on-write copy with one reference (fork), or null when memory is full. */
export function mmClone(src: AddressSpace): AddressSpace | null {
  if (!processPagesLeft() && (!memoryTrim() || !processPagesLeft())) return null;
  const dst = mmCreate();
  if (!dst) return null;
  mmLock(src);
  mmLock(dst); // who goes through all address spaces finds it already
  fieldsCopy(src, dst);
  const isCopied = treeCopy(src, dst) && entriesCopy(src, dst);
  tlbFlushMm(src); // its writable pages have become read-only
  mmUnlock(src);
  if (isCopied) forkExclude(dst);
  mmUnlock(dst);
  if (isCopied) return dst;
  mmPut(dst);
  return null;
}

function fieldsCopy(src: AddressSpace, dst: AddressSpace): void {
  dst.mmapBase = src.mmapBase;
  dst.brkStart = src.brkStart;
  dst.brkEnd = src.brkEnd;
  dst.stackTop = src.stackTop;
  dst.totalPages = src.totalPages;
  dst.dataPages = src.dataPages;
  const from = changetype<usize>(src) + offsetof<AddressSpace>("codeStart");
  const to = changetype<usize>(dst) + offsetof<AddressSpace>("codeStart");
  memory.copy(to, from, offsetof<AddressSpace>("auxv") - offsetof<AddressSpace>("codeStart"));
  dst.vdsoBase = src.vdsoBase;
  dst.auxv = src.auxv ? <u32>kmalloc(src.auxvBytes) : 0;
  if (!dst.auxv) return; // only /proc/PID/auxv of the child misses it
  dst.auxvBytes = src.auxvBytes;
  memory.copy(dst.auxv, src.auxv, src.auxvBytes);
}

/** The copy of a source area (Vma.twin), 0 for none. */
function twinOf(vma: u32): u32 {
  return vma ? vmaOf(vma).twin : 0;
}

/** Copies all areas and gives the copies the links their originals have. */
function treeCopy(src: AddressSpace, dst: AddressSpace): bool {
  let last: u32 = 0;
  for (let at = src.first; at; at = vmaOf(at).next) {
    const twin = vmaCopy(vmaOf(at));
    if (!twin) {
      if (last) vmaOf(last).next = 0;
      vmaChainFree(dst.first);
      dst.first = 0;
      return false;
    }
    vmaOf(at).twin = vmaPtr(twin);
    if (last) vmaOf(last).next = vmaPtr(twin);
    else dst.first = vmaPtr(twin);
    last = vmaPtr(twin);
  }
  for (let at = src.first; at; at = vmaOf(at).next) {
    const vma = vmaOf(at);
    const twin = vmaOf(vma.twin);
    twin.mm = mmPtr(dst);
    twin.left = twinOf(vma.left);
    twin.right = twinOf(vma.right);
    twin.parent = twinOf(vma.parent);
    twin.prev = twinOf(vma.prev);
    twin.next = twinOf(vma.next);
    twin.flags = vma.flags & ~VmFlag.LOCKED;
  }
  dst.tree = twinOf(src.tree);
  dst.vmaCount = src.vmaCount;
  return true;
}

/** True when the child must get the entries of `vma` and cannot fault them in again. */
function needsEntries(vma: Vma): bool {
  if (vma.flags & VmFlag.SPECIAL) return true;
  if (vma.flags & (VmFlag.SHARED | VmFlag.NO_FORK | VmFlag.WIPE_FORK | VmFlag.IO)) return false;
  return !vma.file || (vma.flags & VmFlag.HAS_ANON) != 0;
}

function entriesCopy(src: AddressSpace, dst: AddressSpace): bool {
  for (let at = src.first; at; at = vmaOf(at).next) {
    const vma = vmaOf(at);
    if (!needsEntries(vma)) continue;
    let va = tableAtOrAfter(src, vma.start, vma.end);
    while (va < vma.end) {
      const top = min(nextTable(va), vma.end);
      if (!tableEntriesCopy(src, dst, va, top)) return false;
      va = tableAtOrAfter(src, top, vma.end);
    }
  }
  return true;
}

/** Copies the entries of [start, end), which one PT covers; both sides lose WRITE. */
function tableEntriesCopy(src: AddressSpace, dst: AddressSpace, start: u64, end: u64): bool {
  let from = pteSlot(src, start);
  const last = from + (((end - start) >> 12) << 3);
  while (from < last && !physLoad64(from)) from += 8;
  if (from == last) return true;
  let to = pteSlotMake(dst, start);
  if (!to) return false;
  to += from - pteSlot(src, start);
  const table = to;
  let copied: u32 = 0;
  let anon: u32 = 0;
  let left = frameOf(paToPfn(from)).link;
  for (; from < last && left; from += 8) {
    let entry = physLoad64(from);
    if (entry) {
      left--;
      copied++;
      if (!(entry & Pte.SPECIAL)) {
        if (entry & Pte.WRITE) {
          entry &= ~Pte.WRITE;
          physStore64(from, entry);
        }
        frameRefInc(paToPfn(entry & PTE_ADDRESS));
        if (entry & Pte.ANON) anon++;
        else dst.rssFile++;
      }
      physStore64(to, entry);
    }
    to += 8;
  }
  tableCountAdd(table, copied);
  dst.rssAnon += anon;
  return true;
}

/** Drops the areas that MADV_DONTFORK keeps from the child. */
function forkExclude(dst: AddressSpace): void {
  let at = dst.first;
  while (at) {
    const next = vmaOf(at).next;
    if (vmaOf(at).flags & VmFlag.NO_FORK) {
      mmAccount(dst, vmaOf(at).flags, -<i64>vmaPages(vmaOf(at)));
      areaKill(dst, vmaOf(at));
    }
    at = next;
  }
}
