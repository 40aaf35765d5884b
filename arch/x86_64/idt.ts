/**
 * The interrupt descriptor table: one for all CPUs, every vector an interrupt gate to its stub in entry.S.
 *
 * It lies outside linear memory and is read-only once filled: no wild store of TypeScript reaches it.
 *
 * Locking  filled on the boot CPU; every CPU loads it.
 * Spec     SDM vol. 3A, 6.14.1 "64-Bit Mode IDT".
 */
import { Ist, KERNEL_CS } from "./gdt";
import { ImageSymbol, imageAddress, isrStubVa, lidt, physStore64 } from "./intrinsics";
import { imagePageProtect } from "./paging";

const VECTORS: u32 = 256;
const GATE_BYTES: u32 = 16;
const GATE_INTERRUPT: u32 = 0x8e;
const GATE_INTERRUPT_USER: u32 = 0xee; // reachable by INT n from ring 3: #BP and #OF only

/** Architectural exceptions. SDM table 6-1. */
export const enum Exception {
  DE = 0, DB = 1, NMI = 2, BP = 3, OF = 4, BR = 5, UD = 6, NM = 7, DF = 8, TS = 10, NP = 11, SS = 12, GP = 13,
  PF = 14, MF = 16, AC = 17, MC = 18, XM = 19, CP = 21,
}

/** Fills the table and takes away the right to write it. */
export function idtInit(): void {
  for (let vector: u32 = 0; vector < VECTORS; vector++) {
    gateSet(vector, vector == Exception.BP || vector == Exception.OF ? GATE_INTERRUPT_USER : GATE_INTERRUPT, istOf(vector));
  }
  imagePageProtect(imageAddress(ImageSymbol.IDT_VA));
}

function istOf(vector: u32): u32 {
  if (vector == Exception.NMI) return Ist.NMI;
  if (vector == Exception.DF) return Ist.DOUBLE_FAULT;
  return vector == Exception.MC ? Ist.MACHINE_CHECK : 0;
}

function gateSet(vector: u32, attributes: u32, ist: u32): void {
  const gate = imageAddress(ImageSymbol.IDT_VA) - imageAddress(ImageSymbol.KERNEL_OFFSET) + <u64>vector * GATE_BYTES;
  const target = isrStubVa(vector);
  const middle = <u64>KERNEL_CS << 16 | <u64>ist << 32 | <u64>attributes << 40;
  physStore64(gate, (target & 0xffff) | middle | (target >> 16 & 0xffff) << 48);
  physStore64(gate + 8, target >> 32);
}

/** Loads the table on this CPU. */
export function idtLoad(): void {
  lidt(imageAddress(ImageSymbol.IDT_VA), VECTORS * GATE_BYTES - 1);
}
