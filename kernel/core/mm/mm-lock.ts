/**
 * The lock of an address space, and what waits for its release.
 *
 * Areas taken out of the tree are chained on AddressSpace.dead: dropping their files may run a file's last release,
 * which takes locks that come before this one, so that happens after the unlock.
 */
import { cpuPause } from "../../../arch/current";
import { AddressSpace } from "./mm-struct";
import { vmaChainFree } from "./vma-alloc";

function lockAddress(mm: AddressSpace): usize {
  return changetype<usize>(mm) + offsetof<AddressSpace>("lock0");
}

export function mmLockInit(mm: AddressSpace): void {
  atomic.store<u32>(lockAddress(mm), 0);
}

export function mmLock(mm: AddressSpace): void {
  while (atomic.cmpxchg<u32>(lockAddress(mm), 0, 1) != 0) cpuPause();
}

export function mmUnlock(mm: AddressSpace): void {
  const dead = mm.dead;
  mm.dead = 0;
  atomic.store<u32>(lockAddress(mm), 0);
  if (dead) vmaChainFree(dead);
}
