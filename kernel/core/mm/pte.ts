/**
 * Page-table entries.
 *
 * Spec  SDM vol. 3, 5.5: figure "Formats of CR3 and Paging-Structure Entries with 4-Level Paging".
 */
export const enum Pte {
  PRESENT = 1,
  WRITE = 2,
  USER = 4,
  ACCESSED = 32,
  DIRTY = 64,
  LARGE = 128,
  GLOBAL = 256,
  SPECIAL = 512, // software: the frame is not counted (zero page, device memory)
  ANON = 1024,   // software: a page of this mapping (and of forked relatives, copy-on-write), not the file's
}
export const PTE_NX: u64 = 0x8000000000000000;
/** Bits of an entry that hold the physical address. */
export const PTE_ADDRESS: u64 = 0x000ffffffffff000;
