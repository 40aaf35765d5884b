/** /proc/interrupts: counts by line and by kernel vector. Spec: proc(5). */
import { Vector } from "../../../../arch/x86_64/apic";
import { irqCount } from "../../../../arch/x86_64/trap";
import { SeqBuf, seqByte, seqDecPad, seqStr } from "./seq-buf";

const ISA_LINES: u32 = 16;
const FIRST_VECTOR: u32 = 32;
const VECTORS: u32 = 256;

/** Interrupts taken since boot. */
export function interruptsCount(): u64 {
  let count: u64 = 0;
  for (let vector = FIRST_VECTOR; vector < VECTORS; vector++) count += irqCount(vector);
  return count;
}

/** Counts are kept for all CPUs together, so there is one column. */
export function interruptsShow(seq: SeqBuf, pid: u32, tid: u32): i32 {
  seqStr(seq, "           ALL CPUS\n");
  for (let line: u32 = 0; line < ISA_LINES; line++) {
    const count = irqCount(Vector.DEVICE_FIRST + line);
    if (count == 0) continue;
    seqDecPad(seq, line, 3, 0x20);
    lineRest(seq, count, lineName(line));
  }
  kernelLine(seq, "LOC", Vector.TIMER, "Local timer interrupts");
  kernelLine(seq, "RES", Vector.RESCHEDULE, "Rescheduling interrupts");
  kernelLine(seq, "CAL", Vector.CALL, "Function call interrupts");
  kernelLine(seq, "TLB", Vector.SHOOTDOWN, "TLB shootdowns");
  kernelLine(seq, "SPU", Vector.SPURIOUS, "Spurious interrupts");
  return 0;
}

function kernelLine(seq: SeqBuf, name: string, vector: u32, what: string): void {
  seqStr(seq, name);
  lineRest(seq, irqCount(vector), what);
}

function lineRest(seq: SeqBuf, count: u64, what: string): void {
  seqStr(seq, ": ");
  seqDecPad(seq, count, 14, 0x20);
  seqStr(seq, "   ");
  seqStr(seq, what);
  seqByte(seq, 0x0a);
}

function lineName(line: u32): string {
  if (line == 1) return "IO-APIC    1-edge      i8042";
  if (line == 4) return "IO-APIC    4-edge      ttyS0";
  return "IO-APIC";
}
