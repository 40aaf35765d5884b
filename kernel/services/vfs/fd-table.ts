/**
 * Descriptor tables: a growable array of files with a bitmap of the used and of the close-on-exec numbers.
 *
 * Invariants  T1  bit n of openBits is set exactly when slot n is taken; nextFree is <= the lowest clear bit.
 *             T2  each taken slot holds one reference on its file.
 * Locking     FdTable.lock (Rank.FD_TABLE) for every change and for readers of another process. The only owner of a
 *             table (refs == 1) reads its slots without it: nobody else changes them.
 */
import { Errno } from "../../abi/errno";
import { SlabCache, kfree, kmalloc, slabAlloc, slabFree, slabInit } from "../../core/mm/slab";
import { SpinLock, spinInit, spinLock, spinUnlock } from "../../lib/spinlock";
import { Rank } from "../../lib/lock-rank";
import { currentProcess } from "../process/process";
import { File, fileOf, inodeOf } from "./types";
import { fileGet, filePut } from "./file";
import { recordLocksRelease } from "./file-lock";

@final @unmanaged
export class FdTable {
  refs: u32;       // atomic: processes and threads sharing it
  capacity: u32;   // descriptors `slots` has room for, a multiple of 64
  slots: usize;    // File pointers
  openBits: usize; // bit per descriptor in use
  cloexecBits: usize;
  nextFree: u32;   // no free descriptor below it
  lock0: u32;      // SpinLock by value, Rank.FD_TABLE
  lock1: u32;
  lock2: u32;
  lock3: u32;
  pad: u32;
}

const FIRST_CAPACITY: u32 = 64;
/** No descriptor reaches this, whatever the limit says. */
export const FD_MAX: u32 = 131072;
const RLIMIT_NOFILE: u32 = 7;
const FD_TABLE_SLAB = changetype<SlabCache>(memory.data(offsetof<SlabCache>(), 64));

export function fdTableInit(): void {
  slabInit(FD_TABLE_SLAB, "fd-table", offsetof<FdTable>());
}

/** SAFETY: `address` is an FdTable, as Process.files. */
export function fdTableOf(address: u32): FdTable { return changetype<FdTable>(address); }
export function fdTableNow(): FdTable { return fdTableOf(currentProcess().files); }

function lockOfTable(table: FdTable): SpinLock {
  return changetype<SpinLock>(changetype<usize>(table) + offsetof<FdTable>("lock0")); // SAFETY: lock0..3 by value
}

function slotAt(table: FdTable, fd: u32): usize {
  return table.slots + (<usize>fd << 2);
}

/** The soft limit of resource `which` of the caller. */
export function rlimitNow(which: u32): u64 {
  return load<u64>(<usize>currentProcess().rlimits + (which << 4));
}

/** Arrays for `capacity` descriptors in one block: slots, then openBits, then cloexecBits; 0 when memory is full. */
function arraysAlloc(capacity: u32): usize {
  const bytes = (capacity << 2) + (capacity >> 2);
  const block = kmalloc(bytes);
  if (block) memory.fill(block, 0, bytes);
  return block;
}

function arraysSet(table: FdTable, block: usize, capacity: u32): void {
  table.slots = block;
  table.openBits = block + (capacity << 2);
  table.cloexecBits = table.openBits + (capacity >> 3);
  table.capacity = capacity;
}

function tableAlloc(capacity: u32): FdTable | null {
  const ptr = slabAlloc(FD_TABLE_SLAB);
  if (!ptr) return null;
  const block = arraysAlloc(capacity);
  if (!block) {
    slabFree(FD_TABLE_SLAB, ptr);
    return null;
  }
  const table = fdTableOf(ptr);
  table.refs = 1;
  table.nextFree = 0;
  spinInit(lockOfTable(table), Rank.FD_TABLE);
  arraysSet(table, block, capacity);
  return table;
}

/** A new empty table with one reference, or null. */
export function fdTableNew(): FdTable | null {
  return tableAlloc(FIRST_CAPACITY);
}

/** A copy sharing the open files (fork), or null. */
export function fdTableClone(table: FdTable): FdTable | null {
  // The source may grow between the two looks when threads share it: then take the larger size.
  while (true) {
    const capacity = table.capacity;
    const copy = tableAlloc(capacity);
    if (!copy) return null;
    spinLock(lockOfTable(table));
    const isSame = table.capacity == capacity;
    if (isSame) slotsCopyLocked(table, copy);
    spinUnlock(lockOfTable(table));
    if (isSame) return copy;
    kfree(copy.slots);
    slabFree(FD_TABLE_SLAB, changetype<usize>(copy));
  }
}

function slotsCopyLocked(table: FdTable, copy: FdTable): void {
  copy.nextFree = table.nextFree;
  for (let word: u32 = 0; word < table.capacity >> 6; word++) {
    let bits = load<u64>(table.openBits + (word << 3));
    store<u64>(copy.cloexecBits + (word << 3), load<u64>(table.cloexecBits + (word << 3)));
    let taken: u64 = 0;
    while (bits) {
      const bit = <u32>ctz(bits);
      bits &= bits - 1;
      const fd = (word << 6) + bit;
      const file = load<usize>(slotAt(table, fd));
      if (!file) continue;
      fileGet(fileOf(file));
      store<usize>(slotAt(copy, fd), file);
      taken |= <u64>1 << bit;
    }
    store<u64>(copy.openBits + (word << 3), taken);
  }
}

export function fdTableGet(table: FdTable): FdTable {
  atomic.add<u32>(changetype<usize>(table), 1);
  return table;
}

/** Drops one reference; the last one closes every file. */
export function fdTablePut(table: FdTable): void {
  if (atomic.sub<u32>(changetype<usize>(table), 1) != 1) return;
  let fd = fdTableNextOpen(table, 0);
  while (fd >= 0) {
    const file = slotTake(table, fd);
    if (file) fileCloseFor(table, fileOf(file));
    fd = fdTableNextOpen(table, fd + 1);
  }
  kfree(table.slots);
  slabFree(FD_TABLE_SLAB, changetype<usize>(table));
}

/** What close does besides dropping the reference: POSIX record locks go with any descriptor of the file. */
function fileCloseFor(table: FdTable, file: File): void {
  const inode = inodeOf(file.inode);
  if (inode.lockList) recordLocksRelease(inode, changetype<usize>(table));
  filePut(file);
}

/** Closes what is marked close-on-exec (execve; the table must not be shared any more). */
export function fdTableCloseOnExec(table: FdTable): void {
  for (let word: u32 = 0; word < table.capacity >> 6; word++) {
    let bits = load<u64>(table.cloexecBits + (word << 3)) & load<u64>(table.openBits + (word << 3));
    while (bits) {
      fdCloseIn(table, (word << 6) + <u32>ctz(bits));
      bits &= bits - 1;
    }
  }
}

/** Number of descriptors the caller may have. */
function fdLimit(): u32 {
  return <u32>min<u64>(rlimitNow(RLIMIT_NOFILE), FD_MAX);
}

/** Makes room for descriptor `fd`; called and returning without the lock. 0 or -ENOMEM. */
function tableGrow(table: FdTable, fd: u32): i32 {
  let capacity = table.capacity;
  while (capacity <= fd) capacity <<= 1;
  const block = arraysAlloc(capacity);
  if (!block) return -(<i32>Errno.NOMEM);
  spinLock(lockOfTable(table));
  const old = table.slots;
  const oldCapacity = table.capacity;
  const isLarger = capacity > oldCapacity;
  if (isLarger) {
    memory.copy(block, old, oldCapacity << 2);
    memory.copy(block + (capacity << 2), table.openBits, oldCapacity >> 3);
    memory.copy(block + (capacity << 2) + (capacity >> 3), table.cloexecBits, oldCapacity >> 3);
    arraysSet(table, block, capacity);
  }
  spinUnlock(lockOfTable(table));
  kfree(isLarger ? old : block);
  return 0;
}

/** The lowest clear bit >= `from`, or the capacity. */
function lowestFreeLocked(table: FdTable, from: u32): u32 {
  const words = table.capacity >> 6;
  let word = from >> 6;
  if (word >= words) return table.capacity;
  let bits = ~load<u64>(table.openBits + (word << 3)) & (~(<u64>0) << <u64>(from & 63));
  while (!bits) {
    if (++word == words) return table.capacity;
    bits = ~load<u64>(table.openBits + (word << 3));
  }
  return (word << 6) + <u32>ctz(bits);
}

function bitSet(bits: usize, fd: u32, value: bool): void {
  const at = bits + ((fd >> 6) << 3);
  const mask = <u64>1 << <u64>(fd & 63);
  store<u64>(at, value ? load<u64>(at) | mask : load<u64>(at) & ~mask);
}

function bitIsSet(bits: usize, fd: u32): bool {
  return (load<u64>(bits + ((fd >> 6) << 3)) >> <u64>(fd & 63) & 1) != 0;
}

/** Gives `file` the lowest free descriptor >= 0 and consumes the caller's reference; -EMFILE or -ENOMEM leave it with the caller. */
export function fdInstall(file: File, cloexec: bool): i32 {
  return fdInstallFrom(file, cloexec, 0);
}

/** The same from `from` on (F_DUPFD). */
export function fdInstallFrom(file: File, cloexec: bool, from: u32): i32 {
  const table = fdTableNow();
  const limit = fdLimit();
  while (true) {
    spinLock(lockOfTable(table));
    const fd = lowestFreeLocked(table, max<u32>(from, table.nextFree));
    if (fd >= limit) {
      spinUnlock(lockOfTable(table));
      return -(<i32>Errno.MFILE);
    }
    if (fd < table.capacity) {
      slotFillLocked(table, fd, changetype<usize>(file), cloexec);
      if (from <= table.nextFree) table.nextFree = fd + 1; // T1
      spinUnlock(lockOfTable(table));
      return <i32>fd;
    }
    spinUnlock(lockOfTable(table));
    const grown = tableGrow(table, fd);
    if (grown < 0) return grown;
  }
}

function slotFillLocked(table: FdTable, fd: u32, file: usize, cloexec: bool): void {
  bitSet(table.openBits, fd, true);
  bitSet(table.cloexecBits, fd, cloexec);
  store<usize>(slotAt(table, fd), file);
}

/** Puts `file` at exactly `fd`, closing what was there (dup2); consumes the reference on success. */
export function fdReplace(fd: u32, file: File, cloexec: bool): i32 {
  if (fd >= fdLimit()) return -(<i32>Errno.BADF);
  return fdPlace(fdTableNow(), fd, file, cloexec);
}

/** Installs into table `table` at exactly `fd`, for the first process. */
export function fdInstallAt(table: FdTable, fd: u32, file: File): i32 {
  return fdPlace(table, fd, file, false);
}

function fdPlace(table: FdTable, fd: u32, file: File, cloexec: bool): i32 {
  if (fd >= table.capacity) {
    const grown = tableGrow(table, fd);
    if (grown < 0) return grown;
  }
  spinLock(lockOfTable(table));
  const old = load<usize>(slotAt(table, fd));
  slotFillLocked(table, fd, changetype<usize>(file), cloexec);
  spinUnlock(lockOfTable(table));
  if (old) fileCloseFor(table, fileOf(old));
  return <i32>fd;
}

/** Empties slot `fd`; the File it held (its reference passes to the caller) or 0. */
function slotTake(table: FdTable, fd: u32): usize {
  spinLock(lockOfTable(table));
  let file: usize = 0;
  if (fd < table.capacity) {
    file = load<usize>(slotAt(table, fd));
    if (file) {
      store<usize>(slotAt(table, fd), 0);
      bitSet(table.openBits, fd, false);
      if (fd < table.nextFree) table.nextFree = fd; // T1
    }
  }
  spinUnlock(lockOfTable(table));
  return file;
}

export function fdClose(fd: i32): i32 {
  return fdCloseIn(fdTableNow(), fd);
}

function fdCloseIn(table: FdTable, fd: u32): i32 {
  const file = slotTake(table, fd);
  if (!file) return -(<i32>Errno.BADF);
  fileCloseFor(table, fileOf(file));
  return 0;
}

/** The file of descriptor `fd` of this process with a reference (filePut it), or null. */
export function fdGet(fd: i32): File | null {
  return fdTableFile(fdTableNow(), fd);
}

/** For procfs: file of a descriptor in any table with a reference, or null. */
export function fdTableFile(table: FdTable, fd: u32): File | null {
  let file: usize = 0;
  spinLock(lockOfTable(table));
  if (fd < table.capacity) file = load<usize>(slotAt(table, fd));
  if (file) fileGet(fileOf(file));
  spinUnlock(lockOfTable(table));
  return file ? fileOf(file) : null;
}

/**
 * The file of `fd` for the length of one system call, 0 when there is none: without a reference when the table is
 * ours alone. Give it back by fdReturn; heldFile names the file.
 */
export function fdBorrow(fd: i32): usize {
  const table = fdTableNow();
  if (atomic.load<u32>(changetype<usize>(table)) == 1) {
    return <u32>fd < table.capacity ? load<usize>(slotAt(table, fd)) : 0;
  }
  const file = fdTableFile(table, fd);
  return file ? changetype<usize>(file) | 1 : 0;
}

/** The file of a borrowed descriptor. */
export function heldFile(held: usize): File {
  return fileOf(held & ~1);
}

export function fdReturn(held: usize): void {
  if (held & 1) filePut(fileOf(held & ~1));
}

/** For procfs: the lowest open descriptor >= `from` in any table, or -1. */
export function fdTableNextOpen(table: FdTable, from: u32): i32 {
  for (let fd = from; fd < table.capacity;) {
    const bits = load<u64>(table.openBits + ((fd >> 6) << 3)) >> <u64>(fd & 63);
    if (bits) return <i32>(fd + <u32>ctz(bits));
    fd = (fd | 63) + 1;
  }
  return -1;
}

/** The sum of `measure` over the open files of any table; `measure` runs under its lock. */
export function fdTableSum(table: FdTable, measure: (file: File) => u64): u64 {
  let sum: u64 = 0;
  spinLock(lockOfTable(table));
  for (let fd = fdTableNextOpen(table, 0); fd >= 0; fd = fdTableNextOpen(table, <u32>fd + 1)) {
    const file = load<usize>(slotAt(table, <u32>fd));
    if (file) sum += measure(fileOf(file)); // a number may be taken before its file is there
  }
  spinUnlock(lockOfTable(table));
  return sum;
}

/** 1 or 0 as FD_CLOEXEC of an open descriptor. */
export function fdCloexec(fd: i32): i32 {
  return bitIsSet(fdTableNow().cloexecBits, fd) ? 1 : 0;
}

/** Sets FD_CLOEXEC of an open descriptor. */
export function fdCloexecSet(fd: i32, value: bool): void {
  const table = fdTableNow();
  spinLock(lockOfTable(table));
  if (<u32>fd < table.capacity) bitSet(table.cloexecBits, fd, value);
  spinUnlock(lockOfTable(table));
}

/** Descriptors the table has room for. */
export function fdTableCapacity(table: FdTable): u32 { return table.capacity; }
