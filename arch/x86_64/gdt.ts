/**
 * Segments and the task state: one GDT and one TSS per CPU.
 *
 *   0x08 kernel code  0x10 kernel data  0x23 user 32-bit code (SYSRET's base)  0x2b user data  0x33 user code
 *   0x40 TSS (two slots)
 *
 * SYSRET takes SS from STAR+8 and CS from STAR+16, hence the order; the user selectors are Linux's, which debuggers
 * and signal frames show.
 *
 * Locking  each CPU loads and changes its own.
 * Spec     SDM vol. 3A, 3.4.5 "Segment Descriptors", 7.7 "Task Management in 64-bit Mode"; vol. 2B "SYSRET".
 */
import { lgdt, linearBase, ltr, syscallEntryVa, wrmsr } from "./intrinsics";

export const KERNEL_CS: u32 = 0x08;
export const KERNEL_SS: u32 = 0x10;
export const USER_SS: u32 = 0x2b;
export const USER_CS: u32 = 0x33;
const TSS_SELECTOR: u32 = 0x40;

const GDT_BYTES: u32 = 80;
const TSS_SLOT_BYTES: u32 = 128;
const TSS_BYTES: u32 = 104;
const IST_BYTES: u32 = 8192; // a panic runs on it, console and all
const CPUS_MAX: u32 = 64;

/** Interrupt stacks that do not depend on the state of the current one. */
export const enum Ist { NMI = 1, DOUBLE_FAULT = 2, MACHINE_CHECK = 3 }

const GDTS: usize = memory.data(64 * 80, 16);
const TSSES: usize = memory.data(64 * 128, 16);
const BOOT_ISTS: usize = memory.data(3 * 8192, 16);

const IA32_STAR: u32 = 0xc0000081;
const IA32_LSTAR: u32 = 0xc0000082;
const IA32_FMASK: u32 = 0xc0000084;
/** TF, IF, DF, NT, AC, IOPL are clear on entry. */
const SYSCALL_FLAG_MASK: u64 = 0x47700 | 0x4000 | 0x40000;

/**
 * Loads GDT and TSS of CPU `id`, whose Cpu record is at linear `cpuPtr`; `istPtr` is linear memory of 3 * 8192 bytes,
 * 0 for the boot CPU's static one. The top word of each interrupt stack is the CPU's gs base (entry.S isr_paranoid).
 */
export function gdtInitCpu(id: u32, cpuPtr: usize, istPtr: usize): void {
  assert(id < CPUS_MAX);
  const gdt = GDTS + <usize>id * GDT_BYTES;
  const tss = TSSES + <usize>id * TSS_SLOT_BYTES;
  const ists = istPtr != 0 ? istPtr : BOOT_ISTS;
  for (let i: u32 = 0; i < 3; i++) {
    const top = ists + (i + 1) * IST_BYTES - 16;
    store<u64>(top, linearBase() + cpuPtr);
    store<u64>(tss + i * 8, linearBase() + top, 36);
  }
  store<u16>(tss, TSS_BYTES, 102); // I/O map base beyond the limit: no ports for ring 3
  descriptorsFill(gdt, linearBase() + tss);
  lgdt(linearBase() + gdt, GDT_BYTES - 1);
  ltr(TSS_SELECTOR);
}

function descriptorsFill(gdt: usize, tssVa: u64): void {
  store<u64>(gdt, 0x00af9b000000ffff, 0x08); // kernel code, 64-bit
  store<u64>(gdt, 0x00cf93000000ffff, 0x10); // kernel data
  store<u64>(gdt, 0x00cffb000000ffff, 0x20); // user code, 32-bit
  store<u64>(gdt, 0x00cff3000000ffff, 0x28); // user data
  store<u64>(gdt, 0x00affb000000ffff, 0x30); // user code, 64-bit
  const low = (TSS_BYTES - 1) | ((tssVa & 0xffffff) << 16) | (<u64>0x89 << 40) | ((tssVa >> 24 & 0xff) << 56);
  store<u64>(gdt, low, 0x40);
  store<u64>(gdt, tssVa >> 32, 0x48);
}

/** Where an interrupt from user mode finds CPU `id`'s kernel stack (native address). */
export function tssStackSet(id: u32, stackTop: u64): void {
  store<u64>(TSSES + <usize>id * TSS_SLOT_BYTES, stackTop, 4);
}

/** Points SYSCALL at the kernel on this CPU. */
export function syscallInitCpu(): void {
  wrmsr(IA32_STAR, (<u64>(USER_SS - 8) << 48) | (<u64>KERNEL_CS << 32));
  wrmsr(IA32_LSTAR, syscallEntryVa());
  wrmsr(IA32_FMASK, SYSCALL_FLAG_MASK);
}
