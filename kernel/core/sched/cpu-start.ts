/**
 * Every CPU's first steps: its record behind gs, its tables, its interrupt controller; and the boot CPU waking the rest.
 *
 * Locking  the boot CPU fills CPUS entries before the CPU they describe runs.
 */
import { ACPI, acpiCpuApicId } from "../../../arch/x86_64/acpi";
import { numaNodeOfApic } from "../../../arch/x86_64/acpi-srat";
import { apicId, apicInitCpu } from "../../../arch/x86_64/apic";
import { CPU_FEATURES, cpuFeaturesEnable } from "../../../arch/x86_64/cpu-features";
import { fpuInitCpu } from "../../../arch/x86_64/fpu";
import { gdtInitCpu, syscallInitCpu } from "../../../arch/x86_64/gdt";
import { idtLoad } from "../../../arch/x86_64/idt";
import { identityMap, identityUnmap, patInitCpu, tlbFlushAllLocal } from "../../../arch/x86_64/paging";
import { apArrive, apRelease, apStart } from "../../../arch/x86_64/smp";
import { timerInitCpu } from "../../../arch/x86_64/timer";
import { linearBase, wrmsr } from "../../../arch/current";
import { LogLevel, logBegin, logEnd, logKeyDec, logStr } from "../../lib/log";
import { heapPagesAlloc } from "../mm/heap";
import { KSTACK_BYTES, kstackAlloc } from "../mm/kernel-stack";
import { tlbCpuOnline } from "../mm/tlb";
import { MAX_CPUS, cpuAt } from "./cpu";

const IA32_GS_BASE: u32 = 0xc0000101;
const IA32_KERNEL_GS_BASE: u32 = 0xc0000102;
const IST_ORDER: u32 = 3; // 32 KiB hold the three interrupt stacks of gdt.ts

/** CPUs that run, the boot CPU included. */
let cpuTotal: u32 = 1;

export function cpuCount(): u32 {
  return cpuTotal;
}

/** Makes gs point at the record of CPU `id`: the first thing any CPU does. */
export function cpuRecordInit(id: u32): void {
  const cpu = cpuAt(id);
  cpu.self = <u32>changetype<usize>(cpu); // SAFETY: the record's own address is what thisCpu() returns
  cpu.id = id;
  cpu.bit = <u64>1 << id;
  wrmsr(IA32_GS_BASE, linearBase() + cpu.self);
  wrmsr(IA32_KERNEL_GS_BASE, 0);
}

/** Segments, interrupt table and features of CPU `id`; `istPtr` as gdtInitCpu wants it. */
export function cpuTablesInit(id: u32, istPtr: usize): void {
  gdtInitCpu(id, changetype<usize>(cpuAt(id)), istPtr); // SAFETY: its address, for the gs base on interrupt stacks
  idtLoad();
  patInitCpu();
}

/** Interrupt controller, timer and system calls of this CPU; ACPI tables and calibration are known. */
export function cpuDevicesInit(id: u32): void {
  apicInitCpu(ACPI.lapicPa, CPU_FEATURES.hasX2apic != 0);
  cpuAt(id).apicId = apicId();
  cpuAt(id).node = numaNodeOfApic(apicId());
  syscallInitCpu();
  fpuInitCpu();
}

/** Starts every processor the firmware lists, at most `limit` in all, then drops the identity map. */
export function cpusStart(limit: u32): void {
  const self = apicId();
  identityMap();
  for (let i: u32 = 0; i < ACPI.cpuCount && cpuTotal < min<u32>(limit, MAX_CPUS); i++) {
    const target = acpiCpuApicId(i);
    if (target == self) continue;
    if (!cpuStart(target, cpuTotal)) break; // should it arrive after all, its number and stack are still its own
    cpuTotal++;
  }
  identityUnmap();
  apRelease();
  logBegin(LogLevel.INFO, "smp");
  logStr("processors running");
  logKeyDec("cpus", cpuTotal);
  logEnd();
}

/** Gives CPU `id` its first stack and its interrupt stacks, and wakes the processor `target` as it. */
function cpuStart(target: u32, id: u32): bool {
  const stack = kstackAlloc();
  const ist = heapPagesAlloc(IST_ORDER);
  if (stack == 0 || ist == 0) return false;
  const cpu = cpuAt(id);
  cpu.id = id;
  cpu.scratch0 = stack;
  cpu.scratch1 = ist;
  if (apStart(target, id, linearBase() + stack + KSTACK_BYTES)) return true;
  logBegin(LogLevel.WARN, "smp");
  logStr("processor did not start");
  logKeyDec("apicId", target);
  logEnd();
  return false;
}

/** First steps of an application processor, on the stack cpuStart gave it. */
export function cpuEnter(id: u32): void {
  cpuRecordInit(id);
  cpuTablesInit(id, <usize>cpuAt(id).scratch1);
  cpuFeaturesEnable();
  cpuDevicesInit(id);
  timerInitCpu(CPU_FEATURES.hasTscDeadline != 0);
  tlbCpuOnline(id);
  apArrive(id);
  tlbFlushAllLocal(); // the identity map may linger as global entries
}
