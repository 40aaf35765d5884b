/**
 * The processor's page-table walk over simulated RAM.
 *
 * Spec  SDM vol. 3, 5.5 4-level paging; 5.7 page-fault error code.
 */
export const PTE_PRESENT: bigint = 1n << 0n;
export const PTE_WRITE: bigint = 1n << 1n;
export const PTE_USER: bigint = 1n << 2n;
export const PTE_ACCESSED: bigint = 1n << 5n;
export const PTE_DIRTY: bigint = 1n << 6n;
export const PTE_LARGE: bigint = 1n << 7n;
export const PTE_NX: bigint = 1n << 63n;

const ADDRESS = 0x000ffffffffff000n;
const LEVEL_SHIFTS = [39n, 30n, 21n, 12n] as const;
const INDEX = 511n;

/** Bits of the error code a page fault pushes. */
export const PF_PRESENT = 1;
export const PF_WRITE = 2;
export const PF_USER = 4;
export const PF_INSTRUCTION = 16;

export type Access = "read" | "write" | "execute";

export interface Translation {
  ok: true;
  pa: bigint;
}

export interface PageFault {
  ok: false;
  errorCode: number;
}

/** RAM as the walker sees it. */
export interface PhysicalWords {
  load64(pa: bigint): bigint;
  store64(pa: bigint, value: bigint): void;
}

/** Translates a user-mode access; sets accessed and dirty bits as the processor does. */
export function translateUser(ram: PhysicalWords, cr3: bigint, va: bigint, access: Access): Translation | PageFault {
  const wants = PF_USER | (access === "write" ? PF_WRITE : 0) | (access === "execute" ? PF_INSTRUCTION : 0);
  let table = cr3 & ADDRESS;
  for (const shift of LEVEL_SHIFTS) {
    const entryPa = table + ((va >> shift) & INDEX) * 8n;
    const entry = ram.load64(entryPa);
    if (!(entry & PTE_PRESENT)) return { ok: false, errorCode: wants };
    const denied =
      !(entry & PTE_USER) || (access === "write" && !(entry & PTE_WRITE)) || (access === "execute" && (entry & PTE_NX) !== 0n);
    if (denied) return { ok: false, errorCode: wants | PF_PRESENT };
    const leaf = shift === 12n || (shift < 39n && (entry & PTE_LARGE) !== 0n);
    ram.store64(entryPa, entry | PTE_ACCESSED | (leaf && access === "write" ? PTE_DIRTY : 0n));
    if (leaf) {
      const offset = va & ((1n << shift) - 1n);
      return { ok: true, pa: (entry & ADDRESS & ~((1n << shift) - 1n)) | offset };
    }
    table = entry & ADDRESS;
  }
  throw new Error("unreachable: the last level is a leaf");
}
