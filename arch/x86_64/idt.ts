/**
 * The interrupt descriptor table: one for all CPUs, every vector an interrupt gate to its stub in entry.S.
 *
 * Locking  filled on the boot CPU, then made read-only with the rest of the boot data; every CPU loads it.
 * Spec     SDM vol. 3A, 6.14.1 "64-Bit Mode IDT".
 */
import { Ist, KERNEL_CS } from "./gdt";
import { isrStubVa, lidt, linearBase } from "./intrinsics";

const VECTORS: u32 = 256;
const GATE_BYTES: u32 = 16;
const GATE_INTERRUPT: u32 = 0x8e;
const GATE_INTERRUPT_USER: u32 = 0xee; // reachable by INT n from ring 3: #BP and #OF only

/** Architectural exceptions. SDM table 6-1. */
export const enum Exception {
  DE = 0, DB = 1, NMI = 2, BP = 3, OF = 4, BR = 5, UD = 6, NM = 7, DF = 8, TS = 10, NP = 11, SS = 12, GP = 13,
  PF = 14, MF = 16, AC = 17, MC = 18, XM = 19, CP = 21,
}

const IDT: usize = memory.data(256 * 16, 16);

/** Fills the table. */
export function idtInit(): void {
  for (let vector: u32 = 0; vector < VECTORS; vector++) {
    gateSet(vector, vector == Exception.BP || vector == Exception.OF ? GATE_INTERRUPT_USER : GATE_INTERRUPT, istOf(vector));
  }
}

function istOf(vector: u32): u32 {
  if (vector == Exception.NMI) return Ist.NMI;
  if (vector == Exception.DF) return Ist.DOUBLE_FAULT;
  return vector == Exception.MC ? Ist.MACHINE_CHECK : 0;
}

function gateSet(vector: u32, attributes: u32, ist: u32): void {
  const gate = IDT + vector * GATE_BYTES;
  const target = isrStubVa(vector);
  store<u16>(gate, <u16>target);
  store<u16>(gate, <u16>KERNEL_CS, 2);
  store<u8>(gate, <u8>ist, 4);
  store<u8>(gate, <u8>attributes, 5);
  store<u16>(gate, <u16>(target >> 16), 6);
  store<u64>(gate, target >> 32, 8);
}

/** Loads the table on this CPU. */
export function idtLoad(): void {
  lidt(linearBase() + IDT, VECTORS * GATE_BYTES - 1);
}
