/**
 * What lives in memory only: pages of tmpfs, memfd and shared anonymous memory, which no process need have in its address space.
 *
 * Invariants  M1  they are at most three quarters of the RAM together. The rest is for what processes map as their own: so whoever fills
 *                 memory to the last page is one who shows it in his resident set, and the kernel ends him and not a bystander.
 * Locking     atomic.
 */
import { totalPageCount } from "./buddy";

/** Pages in use. */
const USED: usize = memory.data(4, 4);

/** Pages there may be. */
function limit(): u32 {
  return <u32>(totalPageCount() * 3 >> 2);
}

/** Counts one page more; false, with nothing counted, when M1 forbids it. */
export function shmemCharge(): bool {
  if (atomic.add<u32>(USED, 1) < limit()) return true;
  shmemUncharge(1);
  return false;
}

/** `count` pages were freed. */
export function shmemUncharge(count: u32): void {
  atomic.sub<u32>(USED, count);
}

/** Pages in use (Shmem of /proc/meminfo). */
export function shmemPages(): u32 {
  return atomic.load<u32>(USED);
}

/** Pages that may still be had. */
export function shmemPagesLeft(): u32 {
  const used = shmemPages();
  return used < limit() ? limit() - used : 0;
}
