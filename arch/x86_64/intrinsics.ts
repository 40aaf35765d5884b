/**
 * Intrinsics: the only functions TypeScript cannot express, one C function or instruction each.
 *
 * Every declaration here has its body in intrinsics.c (or entry.S) and a twin in the simulated machine of the
 * unit tests. This list is the kernel's trusted base: page tables, user memory, physical memory and devices are
 * reachable through it and through nothing else.
 *
 * Units  pa: physical byte address.  va: 64-bit virtual address.  ptr: linear-memory address (usize).
 *        Sizes are bytes. Functions that touch user memory return 0 or -EFAULT (-14) unless said otherwise.
 */

// ---- Port I/O (SDM vol. 1, ch. 19) ----
@external("x86_64", "in8") export declare function in8(port: u32): u32;
@external("x86_64", "in16") export declare function in16(port: u32): u32;
@external("x86_64", "in32") export declare function in32(port: u32): u32;
@external("x86_64", "out8") export declare function out8(port: u32, value: u32): void;
@external("x86_64", "out16") export declare function out16(port: u32, value: u32): void;
@external("x86_64", "out32") export declare function out32(port: u32, value: u32): void;

// ---- Physical memory through the direct map; every access is volatile, so also fit for MMIO ----
@external("x86_64", "phys_load8") export declare function physLoad8(pa: u64): u32;
@external("x86_64", "phys_load16") export declare function physLoad16(pa: u64): u32;
@external("x86_64", "phys_load32") export declare function physLoad32(pa: u64): u32;
@external("x86_64", "phys_load64") export declare function physLoad64(pa: u64): u64;
@external("x86_64", "phys_store8") export declare function physStore8(pa: u64, value: u32): void;
@external("x86_64", "phys_store16") export declare function physStore16(pa: u64, value: u32): void;
@external("x86_64", "phys_store32") export declare function physStore32(pa: u64, value: u32): void;
@external("x86_64", "phys_store64") export declare function physStore64(pa: u64, value: u64): void;
/** LOCK CMPXCHG on a 64-bit word; returns the value found there (success when it equals `expected`). */
@external("x86_64", "phys_cmpxchg64") export declare function physCmpxchg64(pa: u64, expected: u64, value: u64): u64;
/** XCHG on a 64-bit word; returns the old value. */
@external("x86_64", "phys_xchg64") export declare function physXchg64(pa: u64, value: u64): u64;
/** Copies between two physical ranges that do not overlap. */
@external("x86_64", "phys_copy") export declare function physCopy(dstPa: u64, srcPa: u64, size: u32): void;
/** Copies overlapping ranges correctly (console scrolling). */
@external("x86_64", "phys_move") export declare function physMove(dstPa: u64, srcPa: u64, size: u32): void;
/** Fills `size` bytes (a multiple of 8) with zero. */
@external("x86_64", "phys_zero") export declare function physZero(pa: u64, size: u32): void;
/** Fills `count` 32-bit words with `value` (framebuffer). */
@external("x86_64", "phys_fill32") export declare function physFill32(pa: u64, value: u32, count: u32): void;
/** Writes the cache line at `pa` back to memory, for devices that do not look into caches. */
@external("x86_64", "phys_flush") export declare function physFlush(pa: u64): void;
/** Physical range -> linear memory. */
@external("x86_64", "phys_copy_in") export declare function physCopyIn(ptr: usize, srcPa: u64, size: u32): void;
/** Linear memory -> physical range. */
@external("x86_64", "phys_copy_out") export declare function physCopyOut(dstPa: u64, ptr: usize, size: u32): void;

// ---- User memory; faults inside are resolved by demand paging or reported, never a panic.
//      The range is checked against USER_TOP inside. May sleep: never call under a spinlock. ----
/** User -> linear memory. 0 or -EFAULT. */
@external("x86_64", "user_copy_in") export declare function userCopyIn(ptr: usize, srcVa: u64, size: u32): i32;
/** Linear memory -> user. 0 or -EFAULT. */
@external("x86_64", "user_copy_out") export declare function userCopyOut(dstVa: u64, ptr: usize, size: u32): i32;
/** User -> physical range (page cache). Returns the number of bytes NOT copied (0 = all). */
@external("x86_64", "user_copy_to_phys") export declare function userCopyToPhys(dstPa: u64, srcVa: u64, size: u32): u32;
/** Physical range -> user. Returns the number of bytes NOT copied (0 = all). */
@external("x86_64", "user_copy_from_phys") export declare function userCopyFromPhys(dstVa: u64, srcPa: u64, size: u32): u32;
/** Zeroes user memory. Returns the number of bytes NOT cleared (0 = all). */
@external("x86_64", "user_zero") export declare function userZero(va: u64, size: u32): u32;
/** Copies a NUL-terminated string of at most `max` bytes (with the NUL); its length without NUL, -EFAULT, or -ENAMETOOLONG (-36). */
@external("x86_64", "user_copy_string") export declare function userCopyString(ptr: usize, srcVa: u64, max: u32): i32;
/** One aligned 32-bit load, placed at `ptr`. 0 or -EFAULT. */
@external("x86_64", "user_load32") export declare function userLoad32(ptr: usize, srcVa: u64): i32;
/** One aligned 64-bit load, placed at `ptr`. 0 or -EFAULT. */
@external("x86_64", "user_load64") export declare function userLoad64(ptr: usize, srcVa: u64): i32;
@external("x86_64", "user_store32") export declare function userStore32(dstVa: u64, value: u32): i32;
@external("x86_64", "user_store64") export declare function userStore64(dstVa: u64, value: u64): i32;
/** LOCK CMPXCHG on a user futex word; the value found is placed at `foundPtr`. 0 or -EFAULT. */
@external("x86_64", "user_cmpxchg32") export declare function userCmpxchg32(foundPtr: usize, va: u64, expected: u32, value: u32): i32;

// ---- This CPU ----
/** Linear address of this CPU's `Cpu` record (gs:[CPU_SELF]). Stale after anything that may sleep. */
@external("x86_64", "this_cpu") export declare function thisCpuPtr(): usize;
/** Linear address of the running `Task` (gs:[CPU_CURRENT]). */
@external("x86_64", "current_task") export declare function currentTaskPtr(): usize;
@external("x86_64", "rdtsc") export declare function rdtsc(): u64;
/** CPUID leaf/subleaf; eax, ebx, ecx, edx are stored as four u32 at `ptr`. */
@external("x86_64", "cpuid") export declare function cpuid(leaf: u32, subleaf: u32, ptr: usize): void;
@external("x86_64", "rdmsr") export declare function rdmsr(msr: u32): u64;
/** RDFSBASE; CR4.FSGSBASE is set. */
@external("x86_64", "rdfsbase") export declare function rdfsbase(): u64;
/** RDGSBASE between two SWAPGS: the base that user mode has; CR4.FSGSBASE is set. */
@external("x86_64", "rdgsbase_user") export declare function rdgsbaseUser(): u64;
@external("x86_64", "wrmsr") export declare function wrmsr(msr: u32, value: u64): void;
@external("x86_64", "read_cr0") export declare function readCr0(): u64;
@external("x86_64", "write_cr0") export declare function writeCr0(value: u64): void;
@external("x86_64", "read_cr2") export declare function readCr2(): u64;
@external("x86_64", "read_cr3") export declare function readCr3(): u64;
@external("x86_64", "write_cr3") export declare function writeCr3(value: u64): void;
@external("x86_64", "read_cr4") export declare function readCr4(): u64;
@external("x86_64", "write_cr4") export declare function writeCr4(value: u64): void;
@external("x86_64", "invlpg") export declare function invlpg(va: u64): void;
/** LGDT / LIDT with a descriptor built on the stack; `va` is the table's native address. lgdt reloads the segment registers. */
@external("x86_64", "lgdt") export declare function lgdt(va: u64, limit: u32): void;
@external("x86_64", "lidt") export declare function lidt(va: u64, limit: u32): void;
@external("x86_64", "ltr") export declare function ltr(selector: u32): void;
@external("x86_64", "xsetbv") export declare function xsetbv(index: u32, value: u64): void;
/** XSAVE(OPT)/FXSAVE to, XRSTOR/FXRSTOR from a 64-byte aligned linear address, whichever the CPU has. */
@external("x86_64", "fpu_save") export declare function fpuSave(ptr: usize): void;
@external("x86_64", "fpu_restore") export declare function fpuRestore(ptr: usize): void;
/** fpuSave to `savePtr` and fpuRestore from `restorePtr` in one. */
@external("x86_64", "fpu_exchange") export declare function fpuExchange(savePtr: usize, restorePtr: usize): void;
/** XSAVE to and XRSTOR from a 64-byte aligned area of user memory, on CPUs that have them: 0 or -EFAULT. */
@external("x86_64", "user_fpu_save") export declare function userFpuSave(va: u64): i32;
@external("x86_64", "user_fpu_restore") export declare function userFpuRestore(va: u64): i32;
/** Tells fpuSave, fpuRestore and hwRandom what this CPU has: CpuOption bits. Once, before other CPUs run. */
@external("x86_64", "cpu_options_set") export declare function cpuOptionsSet(options: u32): void;
/** FNINIT and a clean MXCSR. */
@external("x86_64", "fpu_reset") export declare function fpuReset(): void;
/** PAUSE. */
@external("x86_64", "pause") export declare function cpuPause(): void;
/** STI; HLT; CLI: sleeps until an interrupt, takes it, and returns with interrupts off. */
@external("x86_64", "idle_wait") export declare function idleWait(): void;
/** STI; NOP; CLI: lets pending interrupts in at a point where no spinlock is held. */
@external("x86_64", "irq_window") export declare function irqWindow(): void;
/** CLI; HLT for ever. */
@external("x86_64", "halt") export declare function halt(): void;
/** LFENCE/MFENCE for device ordering; ordinary memory needs only `atomic`. */
@external("x86_64", "mfence") export declare function mfence(): void;
/** One hardware random word at `ptr` (RDSEED, else RDRAND); 1 when it worked, 0 when there is none. */
@external("x86_64", "hw_random") export declare function hwRandom(ptr: usize): u32;

// ---- Control flow that is not a call ----
/**
 * Saves callee-saved registers on this stack, stores the stack pointer (native u64) at `savedSpPtr`, loads `nextSp`
 * (native u64) and returns on that stack.
 */
@external("x86_64", "context_switch") export declare function contextSwitch(savedSpPtr: usize, nextSp: u64): void;
/**
 * contextSwitch from task `prevPtr` to the end of another task's system call: leaves through the TrapFrame at `nextFrame`, in which every
 * register is right; whatever that task had on its stack below is forgotten. Once on that stack it stores 0 at Task.onCpu of `prevPtr` and
 * at `lockPtr`. Never returns: when `prevPtr` is switched to again it begins anew with the export `syscallResumed`.
 */
@external("x86_64", "syscall_resume") export declare function syscallResume(prevPtr: usize, nextFrame: usize, lockPtr: usize): void;
/** Native address of the code at which a new kernel stack starts (it calls the export `threadStart`, then leaves through the TrapFrame above it). */
@external("x86_64", "thread_entry_va") export declare function threadEntryVa(): u64;
/** Native address of interrupt stub `vector` (0..255), for the IDT. */
@external("x86_64", "isr_stub_va") export declare function isrStubVa(vector: u32): u64;
@external("x86_64", "syscall_entry_va") export declare function syscallEntryVa(): u64;
/** Native frame pointer of the caller: [0] is the next frame up, [8] its return address. */
@external("x86_64", "frame_pointer") export declare function framePointer(): u64;
/** Loads a u64 from any native address; placed at `ptr`; 0, or -EFAULT when it is not mapped (backtraces, kdb). */
@external("x86_64", "probe_load64") export declare function probeLoad64(ptr: usize, va: u64): i32;
/** Where to go on after a fault at native `rip` inside a user copy or a probe (the exception table); 0 when there is none. */
@external("x86_64", "fault_fixup") export declare function faultFixup(rip: u64): u64;

// ---- The image (values fixed by the linker script and the boot stub) ----
/** Native virtual address of linear address 0. */
@external("x86_64", "linear_base") export declare function linearBase(): u64;
/** Native virtual address of physical address 0 (the direct map). */
@external("x86_64", "direct_base") export declare function directBase(): u64;
/** One address of the loaded image; `which` is an ImageSymbol. */
@external("x86_64", "image_address") export declare function imageAddress(which: u32): u64;

/** What cpuOptionsSet() takes. */
export const enum CpuOption {
  XSAVE = 1,
  XSAVEOPT = 2,
  RDRAND = 4,
  RDSEED = 8,
}

/** What imageAddress() answers. Pa: physical, Va: native virtual. */
export const enum ImageSymbol {
  LINEAR_PA = 0,     // physical address of the page at linear LINEAR_DATA_START
  LINEAR_START = 1,  // linear address of the first byte of static data
  LINEAR_END = 2,    // linear address after the last byte of static data, page aligned
  TEXT_VA = 3,       // text start
  TEXT_END_VA = 4,
  RODATA_VA = 5,
  RODATA_END_VA = 6,
  DATA_VA = 7,       // C data and bss: tables, boot stack
  DATA_END_VA = 8,
  IMAGE_PA = 9,      // whole image, physical, page aligned
  IMAGE_END_PA = 10,
  SYMTAB_VA = 11,    // symbol table blob for backtraces (0 when absent)
  TRAMPOLINE_VA = 12, // application-processor start code, to be copied below 1 MiB
  TRAMPOLINE_END_VA = 13,
  BOOT_PML4_PA = 14,
  VDSO_VA = 15,      // vDSO ELF image, page aligned
  VDSO_END_VA = 16,
  KERNEL_OFFSET = 17, // native va - pa of the text/rodata/data segments
  SYMTAB_END_VA = 18,
  SMAP_SITES_VA = 19, // records {u64 site, u64 instruction} of user-access.inc
  SMAP_SITES_END_VA = 20,
  BOOT_STACK_GUARD = 21, // linear address of the page below the boot stack
  IDT_VA = 22, // the interrupt descriptor table, a page of C data
}
