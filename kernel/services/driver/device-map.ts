/**
 * Device registers wherever the machine has them: below 4 GiB they are in the direct map from the start, above it on demand.
 *
 * Locking  REACH_LOCK (Rank.DEVICE_MAP): the tables of the direct map are edited by one CPU at a time.
 * Units    pa: physical address.
 */
import { DeviceCache, directMapDevice } from "../../../arch/x86_64/paging";
import { tablePageAlloc } from "../../core/mm/memory-init";
import { Rank } from "../../lib/lock-rank";
import { SpinLock, spinInit, spinLock, spinUnlock } from "../../lib/spinlock";

const DIRECT_TOP: u64 = 0x100000000;
const REACH_LOCK = changetype<SpinLock>(memory.data(offsetof<SpinLock>()));

export function deviceMapInit(): void { spinInit(REACH_LOCK, Rank.DEVICE_MAP); }

/** Makes [pa, pa + bytes) reachable by phys*, uncached; false when it is out of the direct map's reach, or memory is full. */
export function deviceReach(pa: u64, bytes: u64): bool {
  if (pa + bytes < pa) return false;
  if (pa + bytes <= DIRECT_TOP) return true;
  spinLock(REACH_LOCK);
  const isReached = directMapDevice(pa, bytes, DeviceCache.UNCACHED, tablePageAlloc);
  spinUnlock(REACH_LOCK);
  return isReached;
}
