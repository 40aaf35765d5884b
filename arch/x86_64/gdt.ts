/**
 * Segments and the task state: one GDT and one TSS per CPU.
 *
 *   0x08 kernel code   0x10 kernel data   0x1b user 32-bit code (SYSRET's base)   0x23 user data   0x2b user code
 *   0x30 TSS (two slots)
 *
 * SYSRET takes SS from STAR+8 and CS from STAR+16, hence the order.
 *
 * Locking  each CPU loads and changes its own.
 * Spec     SDM vol. 3A, 3.4.5 "Segment Descriptors", 7.7 "Task Management in 64-bit Mode"; vol. 2B "SYSRET".
 */
import { lgdt, linearBase, ltr, syscallEntryVa, wrmsr } from "./intrinsics";

export const KERNEL_CS: u32 = 0x08;
export const KERNEL_SS: u32 = 0x10;
export const USER_SS: u32 = 0x23;
export const USER_CS: u32 = 0x2b;
const TSS_SELECTOR: u32 = 0x30;

const GDT_BYTES: u32 = 64;
const TSS_BYTES: u32 = 104;
const IST_BYTES: u32 = 4096;
const CPUS_MAX: u32 = 64;

/** Interrupt stacks that do not depend on the state of the current one. */
export const enum Ist { NMI = 1, DOUBLE_FAULT = 2, MACHINE_CHECK = 3 }

const GDTS: usize = memory.data(64 * 64, 16);
const TSSES: usize = memory.data(64 * 128, 16);
const BOOT_ISTS: usize = memory.data(3 * 4096, 16);

const IA32_STAR: u32 = 0xc0000081;
const IA32_LSTAR: u32 = 0xc0000082;
const IA32_FMASK: u32 = 0xc0000084;
/** TF, IF, DF, NT, AC, IOPL are clear on entry. */
const SYSCALL_FLAG_MASK: u64 = 0x47700 | 0x4000 | 0x40000;

/** Loads GDT and TSS of CPU `id`; `istPtr` is linear memory of 3 * 4096 bytes, 0 for the boot CPU's static one. */
export function gdtInitCpu(id: u32, istPtr: usize): void {
  assert(id < CPUS_MAX);
  const gdt = GDTS + <usize>id * GDT_BYTES;
  const tss = TSSES + <usize>id * 128;
  const ists = istPtr != 0 ? istPtr : BOOT_ISTS;
  for (let i: u32 = 0; i < 3; i++) store<u64>(tss + i * 8, linearBase() + ists + (i + 1) * IST_BYTES, 36);
  store<u16>(tss, TSS_BYTES, 102); // I/O map base beyond the limit: no ports for ring 3
  store<u64>(gdt, 0);
  store<u64>(gdt, 0x00af9b000000ffff, 8);  // kernel code, 64-bit
  store<u64>(gdt, 0x00cf93000000ffff, 16); // kernel data
  store<u64>(gdt, 0x00cffb000000ffff, 24); // user code, 32-bit
  store<u64>(gdt, 0x00cff3000000ffff, 32); // user data
  store<u64>(gdt, 0x00affb000000ffff, 40); // user code, 64-bit
  const base = linearBase() + tss;
  store<u64>(gdt, (TSS_BYTES - 1) | ((base & 0xffffff) << 16) | (<u64>0x89 << 40) | ((base >> 24 & 0xff) << 56), 48);
  store<u64>(gdt, base >> 32, 56);
  lgdt(linearBase() + gdt, GDT_BYTES - 1);
  ltr(TSS_SELECTOR);
}

/** Where an interrupt from user mode finds CPU `id`'s kernel stack (native address). */
export function tssStackSet(id: u32, stackTop: u64): void {
  store<u64>(TSSES + <usize>id * 128, stackTop, 4);
}

/** Points SYSCALL at the kernel on this CPU. */
export function syscallInitCpu(): void {
  wrmsr(IA32_STAR, (<u64>(USER_SS - 8) << 48) | (<u64>KERNEL_CS << 32));
  wrmsr(IA32_LSTAR, syscallEntryVa());
  wrmsr(IA32_FMASK, SYSCALL_FLAG_MASK);
}
