/**
 * The entries of one tmpfs directory.
 *
 * Every entry has a slot number, which is its readdir position minus 2 for as long as it lives. Small directories are
 * searched slot by slot; larger ones have a hash table of chains.
 *
 *   TmpDir.slots -> Entry* (0: free; free numbers are chained through freeHead)    TmpDir.table -> Entry -> Entry
 *
 * Invariants  R1  an entry holds one reference on its inode.
 *             R2  table != 0 exactly when the directory has outgrown SMALL slots.
 * Locking     the directory's Inode.lock.
 */
import { Errno } from "../../abi/errno";
import { kfree, kmalloc, kzalloc } from "../../core/mm/slab";
import { nameEqual, nameHash } from "./name";

@final @unmanaged
export class TmpDir {
  slots: usize;      // array of Entry addresses, or tagged free-chain links (next slot << 1 | 1)
  slotCapacity: u32;
  slotEnd: u32;      // slots used so far
  freeHead: u32;     // first free slot + 1, 0 for none
  count: u32;        // entries
  table: usize;      // buckets
  tableMask: u32;
}

@final @unmanaged
export class TmpEntry {
  inode: usize;
  hash: u32;
  length: u32;
  slot: u32;
  next: usize;       // bucket chain
  name: u64;         // first bytes of the name; the rest follows
}

const SMALL: u32 = 8;
const FIRST_SLOTS: u32 = 8;
const MAX_SLOTS: u32 = 262144;
const NAME_AT: u32 = 24;
if (offsetof<TmpEntry>("name") != 24) ERROR("NAME_AT is the offset of the name");

export function tmpDirNew(): usize {
  return kzalloc(offsetof<TmpDir>());
}

/** Frees an empty directory's tables. */
export function tmpDirFree(dir: TmpDir): void {
  kfree(dir.slots);
  kfree(dir.table);
  kfree(changetype<usize>(dir));
}

/** SAFETY: `p` is Inode.data of a tmpfs directory. */
export function tmpDirOf(p: usize): TmpDir { return changetype<TmpDir>(p); }
/** SAFETY: `p` is an entry's address. */
export function tmpEntryOf(p: usize): TmpEntry { return changetype<TmpEntry>(p); }
export function tmpEntryName(entry: usize): usize { return entry + NAME_AT; }

/** The entry in slot `i`, or 0. */
export function tmpDirSlot(dir: TmpDir, i: u32): usize {
  const word = load<usize>(dir.slots + (i << 2));
  return word & 1 ? 0 : word;
}

function bucketAt(dir: TmpDir, hash: u32): usize {
  return dir.table + ((hash & dir.tableMask) << 2);
}

/** The entry of that name, or 0. */
export function tmpDirFind(dir: TmpDir, name: usize, length: u32): usize {
  const hash = nameHash(name, length);
  if (dir.table) {
    let at = load<usize>(bucketAt(dir, hash));
    while (at && !entryIs(at, hash, name, length)) at = tmpEntryOf(at).next;
    return at;
  }
  for (let i: u32 = 0; i < dir.slotEnd; i++) {
    const at = tmpDirSlot(dir, i);
    if (at && entryIs(at, hash, name, length)) return at;
  }
  return 0;
}

function entryIs(entry: usize, hash: u32, name: usize, length: u32): bool {
  const e = tmpEntryOf(entry);
  return e.hash == hash && e.length == length && nameEqual(entry + NAME_AT, name, length);
}

/** Adds a name that is not there yet, taking over one reference on `inode`. 0, -ENOMEM or -ENOSPC. */
export function tmpDirAdd(dir: TmpDir, name: usize, length: u32, inode: usize): i32 {
  const entry = kmalloc(NAME_AT + length + 8);
  if (!entry) return -(<i32>Errno.NOMEM);
  const slot = slotTake(dir);
  if (slot < 0) {
    kfree(entry);
    return slot;
  }
  const e = tmpEntryOf(entry);
  e.inode = inode;
  e.hash = nameHash(name, length);
  e.length = length;
  e.slot = slot;
  memory.copy(entry + NAME_AT, name, length);
  store<usize>(dir.slots + (slot << 2), entry);
  dir.count++;
  tableGrow(dir);
  if (dir.table) tableInsert(dir, entry);
  return 0;
}

/** A free slot number, or -errno. */
function slotTake(dir: TmpDir): i32 {
  if (dir.freeHead) {
    const slot = dir.freeHead - 1;
    dir.freeHead = load<u32>(dir.slots + (slot << 2)) >> 1;
    return slot;
  }
  if (dir.slotEnd == dir.slotCapacity) {
    const capacity = dir.slotCapacity ? dir.slotCapacity << 1 : FIRST_SLOTS;
    if (capacity > MAX_SLOTS) return -(<i32>Errno.NOSPC);
    const slots = kmalloc(capacity << 2);
    if (!slots) return -(<i32>Errno.NOMEM);
    memory.copy(slots, dir.slots, dir.slotEnd << 2);
    kfree(dir.slots);
    dir.slots = slots;
    dir.slotCapacity = capacity;
  }
  return dir.slotEnd++;
}

function slotGive(dir: TmpDir, slot: u32): void {
  if (dir.count == 0) { // numbers start over
    dir.slotEnd = 0;
    dir.freeHead = 0;
    return;
  }
  store<u32>(dir.slots + (slot << 2), dir.freeHead << 1 | 1);
  dir.freeHead = slot + 1;
}

/** Makes or doubles the hash table when chains would get longer than two; without memory chains just grow. */
function tableGrow(dir: TmpDir): void {
  if (dir.count <= SMALL && !dir.table) return;
  if (dir.table && dir.count <= (dir.tableMask + 1) << 1) return;
  const buckets: u32 = dir.table ? (dir.tableMask + 1) << 2 : 16;
  if (buckets > MAX_SLOTS) return;
  const table = kzalloc(buckets << 2);
  if (!table) return;
  kfree(dir.table);
  dir.table = table;
  dir.tableMask = buckets - 1;
  for (let i: u32 = 0; i < dir.slotEnd; i++) {
    const entry = tmpDirSlot(dir, i);
    if (entry) tableInsert(dir, entry);
  }
}

function tableInsert(dir: TmpDir, entry: usize): void {
  const bucket = bucketAt(dir, tmpEntryOf(entry).hash);
  for (let at = load<usize>(bucket); at; at = tmpEntryOf(at).next) if (at == entry) return; // tableGrow put it there
  tmpEntryOf(entry).next = load<usize>(bucket);
  store<usize>(bucket, entry);
}

/** Removes an entry; its reference on the inode passes to the caller. */
export function tmpDirRemove(dir: TmpDir, entry: usize): void {
  const e = tmpEntryOf(entry);
  if (dir.table) {
    let link = bucketAt(dir, e.hash);
    while (load<usize>(link) != entry) link = load<usize>(link) + offsetof<TmpEntry>("next");
    store<usize>(link, e.next);
  }
  dir.count--;
  slotGive(dir, e.slot);
  kfree(entry);
}
