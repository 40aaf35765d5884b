/**
 * Where a dentry's name stands: short ones in the dentry itself, others in a buffer of their own.
 *
 * Locking  dentryLock, unless nobody else has the dentry yet.
 */
import { kfree, kmalloc } from "../../core/mm/slab";
import { bytesCopy, wordAt64, wordPut64 } from "../../lib/bytes";
import { nameHash, nameHashFolded } from "./name";
import { Dentry, superOf } from "./types";

/** Names up to this long live in the dentry. */
const INLINE_MAX: u32 = 31;

/** A buffer for a dentry's name; 0 when the name fits inline, <usize>-1 when memory is full. */
export function dentryNameBuffer(length: u32): usize {
  if (length <= INLINE_MAX) return 0;
  const ptr = kmalloc(length + 8);
  return ptr ? ptr : <usize>-1;
}

/** Gives back a buffer of dentryNameBuffer that was not used. */
export function nameBufferFree(buffer: usize): void {
  kfree(buffer);
}

/** The buffer that holds the dentry's name; 0: it stands in the dentry. */
export function nameBufferOf(d: Dentry): usize { return d.nameLength > INLINE_MAX ? d.namePtr : 0; }

function inlineName(d: Dentry): usize { return changetype<usize>(d) + offsetof<Dentry>("inlineName0"); }

/** Copies a name to `buffer`, which is dentryNameBuffer of it, or into the dentry. */
export function nameTake(d: Dentry, buffer: usize, name: usize, length: u32): void {
  d.namePtr = buffer ? buffer : inlineName(d);
  bytesCopy(d.namePtr, name, length);
  d.nameLength = length;
}

/** `d`, which is not in the cache, gets another name. False: memory is full. */
export function dentryRename(d: Dentry, name: usize, length: u32): bool {
  const buffer = dentryNameBuffer(length);
  if (buffer == <usize>-1) return false;
  kfree(nameBufferOf(d));
  nameTake(d, buffer, name, length);
  d.nameHash = superOf(d.sb).foldsCase ? nameHashFolded(d.namePtr, length) : nameHash(d.namePtr, length);
  return true;
}

/** Two dentries exchange their names. */
export function nameSwap(a: Dentry, b: Dentry): void {
  const bufferA = nameBufferOf(a);
  const bufferB = nameBufferOf(b);
  for (let i: usize = 0; i <= INLINE_MAX; i += 8) {
    const word = wordAt64(inlineName(a) + i);
    wordPut64(inlineName(a) + i, wordAt64(inlineName(b) + i));
    wordPut64(inlineName(b) + i, word);
  }
  a.namePtr = bufferB ? bufferB : inlineName(a);
  b.namePtr = bufferA ? bufferA : inlineName(b);
  const length = a.nameLength;
  a.nameLength = b.nameLength;
  b.nameLength = length;
  const hash = a.nameHash;
  a.nameHash = b.nameHash;
  b.nameHash = hash;
}
