/** Address spaces: life, cloning, switching, statistics. */
import { AddressSpace, Vma } from "./mm-struct";
export { AddressSpace, Vma, VmFlag, mmOf, vmaOf } from "./mm-struct";
export { mmSwitch } from "./tlb";

/** An empty address space with one reference, or null when memory is full. */
export function mmCreate(): AddressSpace | null { unreachable(); return null; }
export function mmGet(mm: AddressSpace): AddressSpace { unreachable(); return mm; }
/** Drops a reference; the last one unmaps and frees everything. May sleep. */
export function mmPut(mm: AddressSpace): void { unreachable(); }
/** A copy-on-write copy with one reference (fork), or null when memory is full. */
export function mmClone(src: AddressSpace): AddressSpace | null { unreachable(); return null; }
export function mmLock(mm: AddressSpace): void { unreachable(); }
export function mmUnlock(mm: AddressSpace): void { unreachable(); }
/** Area number `i` by address, or null. The caller holds mmLock. */
export function mmEachVma(mm: AddressSpace, i: u32): Vma | null { unreachable(); return null; }
/** Resident pages. */
export function mmRssPages(mm: AddressSpace): u64 { unreachable(); return 0; }
/** Mapped pages. */
export function mmTotalPages(mm: AddressSpace): u64 { unreachable(); return 0; }
