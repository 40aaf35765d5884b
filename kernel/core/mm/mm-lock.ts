/**
 * The lock of an address space, and what waits for its release.
 *
 * Areas taken out of the tree are chained on AddressSpace.dead: dropping their files may run a file's last release,
 * which takes locks that come before this one, so that happens after the unlock.
 */
import { mutexAt, mutexInit, mutexLock, mutexUnlock } from "../sync/mutex";
import { AddressSpace } from "./mm-struct";
import { vmaChainFree } from "./vma-alloc";

function lockAddress(mm: AddressSpace): usize {
  return changetype<usize>(mm) + offsetof<AddressSpace>("lock0");
}

export function mmLockInit(mm: AddressSpace): void {
  mutexInit(mutexAt(lockAddress(mm)));
}

export function mmLock(mm: AddressSpace): void {
  mutexLock(mutexAt(lockAddress(mm)));
}

export function mmUnlock(mm: AddressSpace): void {
  const dead = mm.dead;
  mm.dead = 0;
  mutexUnlock(mutexAt(lockAddress(mm)));
  if (dead) vmaChainFree(dead);
}
