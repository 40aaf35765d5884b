/**
 * Page-table entries.
 *
 * Spec  SDM vol. 3, 5.5: figure "Formats of CR3 and Paging-Structure Entries with 4-Level Paging".
 */
export namespace Pte {
  export const PRESENT: u64 = 1;
  export const WRITE: u64 = 2;
  export const USER: u64 = 4;
  export const ACCESSED: u64 = 32;
  export const DIRTY: u64 = 64;
  export const LARGE: u64 = 128;
  export const GLOBAL: u64 = 256;
  /** Software: the frame is not counted (zero page, device memory). */
  export const SPECIAL: u64 = 512;
  /** Software: a page that belongs to this mapping alone or is shared copy-on-write with relatives, not the file's. */
  export const ANON: u64 = 1024;
  export const NX: u64 = 0x8000000000000000;
}

/** Bits of an entry that hold the physical address. */
export const PTE_ADDRESS: u64 = 0x000ffffffffff000;
