/**
 * The local APIC: this CPU's interrupt controller, by MMIO or, when the CPU has x2APIC, by MSR.
 *
 * Locking  each CPU touches its own; the mode is set once on the boot CPU.
 * Spec     SDM vol. 3A, ch. 11 "Advanced Programmable Interrupt Controller".
 */
import { cpuPause, mfence, physLoad32, physStore32, rdmsr, wrmsr } from "./intrinsics";

const IA32_APIC_BASE: u32 = 0x1b;
const APIC_BASE_ENABLE: u64 = 1 << 11;
const APIC_BASE_X2APIC: u64 = 1 << 10;
const X2APIC_MSR: u32 = 0x800; // + register offset / 16

// Register offsets; SDM table 11-1 "Local APIC Register Address Map".
const ID: u32 = 0x20;
const TPR: u32 = 0x80;
const EOI: u32 = 0xb0;
const SPURIOUS: u32 = 0xf0;
const ESR: u32 = 0x280;
const ICR_LOW: u32 = 0x300;
const ICR_HIGH: u32 = 0x310;
const LVT_TIMER: u32 = 0x320;
const LVT_LINT0: u32 = 0x350;
const LVT_LINT1: u32 = 0x360;
const LVT_ERROR: u32 = 0x370;
const TIMER_INITIAL: u32 = 0x380;
const TIMER_CURRENT: u32 = 0x390;
const TIMER_DIVIDE: u32 = 0x3e0;

const SPURIOUS_ENABLE: u32 = 1 << 8;
const LVT_MASKED: u32 = 1 << 16;
const LVT_NMI: u32 = 4 << 8;
const LVT_TSC_DEADLINE: u32 = 2 << 17;
const ICR_PENDING: u32 = 1 << 12;
const ICR_ASSERT: u32 = 1 << 14;
const ICR_INIT: u32 = 5 << 8;
const ICR_STARTUP: u32 = 6 << 8;
const ICR_NMI: u32 = 4 << 8;
const DIVIDE_BY_1: u32 = 0xb;
const ICR_SPIN_LIMIT: u32 = 1_000_000; // a delivery takes microseconds; a dead APIC must not hang the kernel

/** Vectors the kernel keeps for itself, above all devices. */
export const enum Vector {
  DEVICE_FIRST = 0x30, // ISA line n arrives at DEVICE_FIRST + n
  TIMER = 0xf0,
  RESCHEDULE = 0xf1,
  SHOOTDOWN = 0xf2,
  CALL = 0xf3,
  IOMMU = 0xf4,
  ERROR = 0xfe,
  SPURIOUS = 0xff,
}

let isX2apic: bool = false;
let lapicPa: u64 = 0xfee00000;

function apicRead(reg: u32): u32 {
  return isX2apic ? <u32>rdmsr(X2APIC_MSR + (reg >> 4)) : physLoad32(lapicPa + reg);
}

function apicWrite(reg: u32, value: u32): void {
  if (isX2apic) wrmsr(X2APIC_MSR + (reg >> 4), value);
  else physStore32(lapicPa + reg, value);
}

/** True when processors have ids of 32 bits, which a message has no room for. */
export function apicIsX2(): bool { return isX2apic; }

/** Chooses the mode and enables this CPU's APIC; on the boot CPU first, then on every other. */
export function apicInitCpu(pa: u64, useX2apic: bool): void {
  lapicPa = pa;
  isX2apic = useX2apic;
  const base = rdmsr(IA32_APIC_BASE) | APIC_BASE_ENABLE;
  wrmsr(IA32_APIC_BASE, base);
  if (useX2apic) wrmsr(IA32_APIC_BASE, base | APIC_BASE_X2APIC);
  apicWrite(SPURIOUS, SPURIOUS_ENABLE | Vector.SPURIOUS);
  apicWrite(LVT_TIMER, LVT_MASKED);
  apicWrite(LVT_LINT0, LVT_MASKED);
  apicWrite(LVT_LINT1, LVT_NMI);
  apicWrite(LVT_ERROR, Vector.ERROR);
  if (!useX2apic) apicWrite(ESR, 0);
  apicWrite(TPR, 0);
  apicWrite(EOI, 0);
}

/** This CPU's APIC id. */
export function apicId(): u32 {
  return isX2apic ? apicRead(ID) : apicRead(ID) >> 24;
}

/** Ends the interrupt in service. */
export function apicEoi(): void {
  apicWrite(EOI, 0);
}

function icrSend(target: u32, command: u32): void {
  if (isX2apic) {
    mfence(); // x2APIC MSR writes do not order earlier stores; SDM 11.12.3
    wrmsr(X2APIC_MSR + (ICR_LOW >> 4), (<u64>target << 32) | command);
    return;
  }
  icrWaitIdle();
  apicWrite(ICR_HIGH, target << 24);
  apicWrite(ICR_LOW, command);
}

function icrWaitIdle(): void {
  for (let spins: u32 = 0; spins < ICR_SPIN_LIMIT; spins++) {
    if ((apicRead(ICR_LOW) & ICR_PENDING) == 0) return;
    cpuPause();
  }
}

/** Sends `vector` to the CPU with APIC id `target`. */
export function apicSendIpi(target: u32, vector: u32): void {
  icrSend(target, ICR_ASSERT | vector);
}

/** Sends a non-maskable interrupt (panic stops the other CPUs with it). */
export function apicSendNmi(target: u32): void {
  icrSend(target, ICR_ASSERT | ICR_NMI);
}

/** Resets an application processor: the INIT of SDM 9.4.4 "MP Initialization". */
export function apicSendInit(target: u32): void {
  icrSend(target, ICR_ASSERT | ICR_INIT);
  icrWaitIdleIfMmio();
}

/** Starts an application processor at physical page `page` (below 256). */
export function apicSendStartup(target: u32, page: u32): void {
  icrSend(target, ICR_ASSERT | ICR_STARTUP | page);
  icrWaitIdleIfMmio();
}

function icrWaitIdleIfMmio(): void {
  if (!isX2apic) icrWaitIdle();
}

/** Sets the timer to one-shot by count, interrupting at Vector.TIMER. */
export function apicTimerOneShot(): void {
  apicWrite(TIMER_DIVIDE, DIVIDE_BY_1);
  apicWrite(LVT_TIMER, Vector.TIMER);
}

/** Sets the timer to TSC-deadline mode. */
export function apicTimerDeadlineMode(): void {
  apicWrite(LVT_TIMER, LVT_TSC_DEADLINE | Vector.TIMER);
  mfence(); // the mode must be in force before the first deadline; SDM 11.5.4.1
}

/** Starts (or, with 0, stops) the one-shot count. */
export function apicTimerStart(count: u32): void {
  apicWrite(TIMER_INITIAL, count);
}

/** What is left of the count (calibration). */
export function apicTimerCurrent(): u32 {
  return apicRead(TIMER_CURRENT);
}
