/**
 * A simulated PC behind the kernel's intrinsics: RAM, ports, MMIO, page tables, clock, registers.
 *
 * Deterministic: time advances only when the kernel looks at it or waits, and hardware random numbers come from the
 * seed. What a test wants to be different it overrides: `machine.override({ context_switch: ... })`.
 *
 * Invariants  M1  every intrinsic of arch/x86_64/intrinsics.ts has a twin here, or calling it throws its name.
 *             M2  an access outside RAM and every MMIO range throws: no wild physical address goes unnoticed.
 */
import { type Access, translateUser } from "./page-walk.ts";

/** Wasm calls with numbers for 32-bit values and bigints for 64-bit ones. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Intrinsic = (...args: any[]) => number | bigint | void;
export type Intrinsics = Record<string, Intrinsic>;

export interface MachineOptions {
  /** Physical memory from address 0; a multiple of 4 KiB. Default 32 MiB. */
  ramBytes?: number;
  /** Seed of hw_random. */
  seed?: number;
}

/** A device's registers at physical addresses. */
export interface MmioRange {
  base: bigint;
  size: bigint;
  /** Width in bits. */
  load(offset: number, width: number): bigint;
  store(offset: number, width: number, value: bigint): void;
}

/** One port access, in order. */
export interface PortAccess {
  write: boolean;
  port: number;
  width: number;
  value: number;
}

const MIB = 1024 * 1024;
const DEFAULT_RAM_BYTES = 32 * MIB;
const USER_TOP = 0x00007ffffffff000n;
const PAGE = 4096n;
const EFAULT = -14;
const ENAMETOOLONG = -36;
const LINEAR_BASE = 0xffffffff80000000n;
const DIRECT_BASE = 0xffff888000000000n;
const TEXT_BASE = 0xffffffffe0000000n;
const COM1 = 0x3f8;
const COM1_STATUS = COM1 + 5;
const UART_EMPTY = 0x60;
const TSC_PER_READ = 100n;
const TSC_PER_PAUSE = 40n;
const TSC_PER_IDLE = 1_000_000n;
const MSR_FS_BASE = 0xc0000100;
const MSR_KERNEL_GS_BASE = 0xc0000102;
const SPIN_LIMIT = 1_000_000;
const U64 = (1n << 64n) - 1n;

export class Machine {
  readonly ram: Uint8Array;
  /** Linear memory of the kernel; set by loadKernel. */
  memory!: WebAssembly.Memory;

  cr0 = 0x80010033n;
  cr2 = 0n;
  cr3 = 0n;
  cr4 = 0x6a0n;
  tsc = 0n;
  readonly msrs: Map<number, bigint> = new Map();
  /** Linear addresses that this_cpu and current_task answer. */
  thisCpu = 0;
  currentTask = 0;

  readonly ports: PortAccess[] = [];
  readonly portReaders: Map<number, (width: number) => number> = new Map();
  readonly portWriters: Map<number, (value: number, width: number) => void> = new Map();
  readonly mmio: MmioRange[] = [];
  /** What the kernel wrote to COM1. */
  serial = "";
  /** Virtual addresses given to INVLPG since the test cleared the list. */
  readonly invalidated: bigint[] = [];

  /** Asked on a fault in user_*: true when it is resolved and the access shall be tried again. */
  userFault: ((va: bigint, errorCode: number) => boolean) | undefined;
  /** Called by idle_wait after the clock moved. */
  onIdle: (() => void) | undefined;
  /** CPUID: leaf, subleaf -> eax, ebx, ecx, edx. */
  cpuid: (leaf: number, subleaf: number) => readonly [number, number, number, number] = plainCpuid;
  /** image_address: ImageSymbol -> address. */
  imageAddress: (which: number) => bigint = (which) => IMAGE_ADDRESSES[which] ?? 0n;

  private readonly ramView: DataView;
  private random: bigint;
  private pauses = 0;
  private readonly overrides: Intrinsics = {};

  constructor(options: MachineOptions = {}) {
    this.ram = new Uint8Array(options.ramBytes ?? DEFAULT_RAM_BYTES);
    this.ramView = new DataView(this.ram.buffer);
    this.random = BigInt(options.seed ?? 1) | 1n;
    this.portReaders.set(COM1_STATUS, () => UART_EMPTY);
    this.portWriters.set(COM1, (value) => (this.serial += String.fromCharCode(value)));
  }

  /** Replaces intrinsics by their names in intrinsics.ts. Works before and after loading. */
  override(intrinsics: Intrinsics): void {
    Object.assign(this.overrides, intrinsics);
  }

  // ---- Physical memory ----

  load(pa: bigint, width: number): bigint {
    const device = this.deviceAt(pa);
    if (device) return device.load(Number(pa - device.base), width);
    const at = this.ramOffset(pa, width / 8);
    if (width === 8) return BigInt(this.ramView.getUint8(at));
    if (width === 16) return BigInt(this.ramView.getUint16(at, true));
    if (width === 32) return BigInt(this.ramView.getUint32(at, true));
    return this.ramView.getBigUint64(at, true);
  }

  store(pa: bigint, width: number, value: bigint): void {
    const device = this.deviceAt(pa);
    if (device) return device.store(Number(pa - device.base), width, value);
    const at = this.ramOffset(pa, width / 8);
    if (width === 8) this.ramView.setUint8(at, Number(value & 0xffn));
    else if (width === 16) this.ramView.setUint16(at, Number(value & 0xffffn), true);
    else if (width === 32) this.ramView.setUint32(at, Number(value & 0xffffffffn), true);
    else this.ramView.setBigUint64(at, value & U64, true);
  }

  load64(pa: bigint): bigint {
    return this.load(pa, 64);
  }

  store64(pa: bigint, value: bigint): void {
    this.store(pa, 64, value);
  }

  /** The bytes of a physical range of RAM: a view, not a copy. */
  bytes(pa: bigint, size: number): Uint8Array {
    const at = this.ramOffset(pa, size);
    return this.ram.subarray(at, at + size);
  }

  /** The bytes of a range of linear memory: a view, not a copy. */
  linear(ptr: number, size: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, ptr >>> 0, size >>> 0);
  }

  private deviceAt(pa: bigint): MmioRange | undefined {
    return this.mmio.find(({ base, size }) => pa >= base && pa < base + size);
  }

  private ramOffset(pa: bigint, size: number): number {
    const address = BigInt.asUintN(64, pa);
    if (address + BigInt(size >>> 0) > BigInt(this.ram.length)) {
      throw new Error(`physical access outside RAM: 0x${address.toString(16)}, ${size} bytes`); // M2
    }
    return Number(address);
  }

  // ---- User memory ----

  /** Physical address of a user access, faults resolved by the test's hook; undefined when it stays a fault. */
  private userPa(va: bigint, access: Access): bigint | undefined {
    const address = BigInt.asUintN(64, va);
    if (address >= USER_TOP) return undefined;
    for (let tries = 0; tries < 4; tries++) {
      const result = translateUser(this, this.cr3, address, access);
      if (result.ok) return result.pa;
      this.cr2 = address;
      if (!this.userFault?.(address, result.errorCode)) return undefined;
    }
    throw new Error(`the fault handler does not resolve 0x${address.toString(16)}`);
  }

  /** Calls `visit` with RAM for each page of the range; the number of bytes before the first bad page. */
  userRange(va: bigint, size: number, access: Access, visit: (ram: Uint8Array, at: number) => void): number {
    const start = BigInt.asUintN(64, va);
    if (start + BigInt(size >>> 0) > USER_TOP) return 0;
    for (let done = 0; done < size; ) {
      const at = start + BigInt(done);
      const chunk = Math.min(size - done, Number(PAGE - (at % PAGE)));
      const pa = this.userPa(at, access);
      if (pa === undefined) return done;
      visit(this.bytes(pa, chunk), done);
      done += chunk;
    }
    return size;
  }

  /** Test convenience: bytes of the simulated user space, which must be mapped. */
  userRead(va: bigint, size: number): Uint8Array {
    const result = new Uint8Array(size);
    const done = this.userRange(va, size, "read", (ram, at) => result.set(ram, at));
    if (done !== size) throw new Error(`user memory at 0x${va.toString(16)} is not mapped`);
    return result;
  }

  userWrite(va: bigint, bytes: Uint8Array): void {
    const done = this.userRange(va, bytes.length, "write", (ram, at) => ram.set(bytes.subarray(at, at + ram.length)));
    if (done !== bytes.length) throw new Error(`user memory at 0x${va.toString(16)} is not writable`);
  }

  private userCopyString(ptr: number, va: bigint, max: number): number {
    const one = new Uint8Array(1);
    for (let length = 0; length < max; length++) {
      const done = this.userRange(va + BigInt(length), 1, "read", (ram) => one.set(ram));
      if (done !== 1) return EFAULT;
      this.linear(ptr + length, 1)[0] = one[0] as number;
      if (one[0] === 0) return length;
    }
    return ENAMETOOLONG;
  }

  private userLoad(ptr: number, va: bigint, size: number): number {
    return this.userRange(va, size, "read", (ram, at) => this.linear(ptr + at, ram.length).set(ram)) === size ? 0 : EFAULT;
  }

  private userStore(va: bigint, width: number, value: bigint): number {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, value & U64, true);
    return this.userCopyOut(va, bytes.subarray(0, width / 8));
  }

  private userCopyOut(va: bigint, bytes: Uint8Array): number {
    const done = this.userRange(va, bytes.length, "write", (ram, at) => ram.set(bytes.subarray(at, at + ram.length)));
    return done === bytes.length ? 0 : EFAULT;
  }

  private userCmpxchg32(foundPtr: number, va: bigint, expected: number, value: number): number {
    let found = 0;
    const done = this.userRange(va, 4, "write", (ram) => {
      const view = new DataView(ram.buffer, ram.byteOffset, 4);
      found = view.getUint32(0, true);
      if (found === expected >>> 0) view.setUint32(0, value >>> 0, true);
    });
    if (done !== 4) return EFAULT;
    new DataView(this.memory.buffer).setUint32(foundPtr >>> 0, found, true);
    return 0;
  }

  // ---- Ports ----

  private portRead(port: number, width: number): number {
    const value = this.portReaders.get(port)?.(width) ?? 2 ** width - 1; // nobody there: the bus floats
    this.ports.push({ write: false, port, width, value });
    return value;
  }

  private portWrite(port: number, width: number, value: number): void {
    const masked = width === 32 ? value >>> 0 : value & (2 ** width - 1);
    this.ports.push({ write: true, port, width, value: masked });
    this.portWriters.get(port)?.(masked, width);
  }

  // ---- Processor ----

  private rdtsc(): bigint {
    this.pauses = 0;
    return (this.tsc += TSC_PER_READ);
  }

  private pause(): void {
    this.tsc += TSC_PER_PAUSE;
    if (++this.pauses > SPIN_LIMIT) throw new Error("the kernel spins for ever: deadlock on one CPU?");
  }

  private idle(): void {
    this.pauses = 0;
    this.tsc += TSC_PER_IDLE;
    this.onIdle?.();
  }

  /** xorshift64 (Marsaglia): a fixed sequence for a seed. */
  private nextRandom(): bigint {
    let x = this.random;
    x ^= (x << 13n) & U64;
    x ^= x >> 7n;
    x ^= (x << 17n) & U64;
    return (this.random = x);
  }

  private probe(ptr: number, va: bigint): number {
    const address = BigInt.asUintN(64, va);
    const view = new DataView(this.memory.buffer);
    const linear = address - LINEAR_BASE;
    const physical = address - DIRECT_BASE;
    if (linear >= PAGE && linear + 8n <= BigInt(this.memory.buffer.byteLength)) {
      view.setBigUint64(ptr >>> 0, view.getBigUint64(Number(linear), true), true);
    } else if (physical >= 0n && physical + 8n <= BigInt(this.ram.length)) {
      view.setBigUint64(ptr >>> 0, this.load64(physical), true);
    } else {
      return EFAULT;
    }
    return 0;
  }

  // ---- The import object ----

  /** Functions for the given names; those without a twin throw when called (M1). */
  imports(names: readonly string[]): Intrinsics {
    const twins = this.twins();
    return Object.fromEntries(names.map((name) => [name, (...args: unknown[]) => {
      const twin = this.overrides[name] ?? twins[name];
      if (!twin) throw new Error(`intrinsic ${name} is not simulated; machine.override({ ${name}: ... })`);
      return twin(...args);
    }]));
  }

  private twins(): Intrinsics {
    return { ...this.portTwins(), ...this.physicalTwins(), ...this.userTwins(), ...this.cpuTwins(), ...this.imageTwins() };
  }

  private portTwins(): Intrinsics {
    return {
      in8: (port: number) => this.portRead(port, 8),
      in16: (port: number) => this.portRead(port, 16),
      in32: (port: number) => this.portRead(port, 32),
      out8: (port: number, value: number) => this.portWrite(port, 8, value),
      out16: (port: number, value: number) => this.portWrite(port, 16, value),
      out32: (port: number, value: number) => this.portWrite(port, 32, value),
    };
  }

  private physicalTwins(): Intrinsics {
    const word = (width: number): Intrinsics => ({
      [`phys_load${width}`]: (pa: bigint) =>
        width === 64 ? this.load(pa, width) : Number(this.load(BigInt.asUintN(64, pa), width)),
      [`phys_store${width}`]: (pa: bigint, value: number | bigint) =>
        this.store(BigInt.asUintN(64, pa), width, BigInt(value)),
    });
    return {
      ...word(8), ...word(16), ...word(32), ...word(64),
      phys_cmpxchg64: (pa: bigint, expected: bigint, value: bigint) => {
        const found = this.load64(pa);
        if (found === BigInt.asUintN(64, expected)) this.store64(pa, value);
        return found;
      },
      phys_xchg64: (pa: bigint, value: bigint) => {
        const found = this.load64(pa);
        this.store64(pa, value);
        return found;
      },
      phys_copy: (dst: bigint, src: bigint, size: number) => this.bytes(dst, size >>> 0).set(this.bytes(src, size >>> 0)),
      phys_move: (dst: bigint, src: bigint, size: number) =>
        this.bytes(dst, size >>> 0).set(this.bytes(src, size >>> 0).slice()),
      phys_zero: (pa: bigint, size: number) => void this.bytes(pa, size >>> 0).fill(0),
      phys_fill32: (pa: bigint, value: number, count: number) => {
        for (let i = 0; i < count; i++) this.store(pa + BigInt(i * 4), 32, BigInt(value >>> 0));
      },
      phys_copy_in: (ptr: number, src: bigint, size: number) =>
        this.linear(ptr, size).set(this.bytes(src, size >>> 0)),
      phys_copy_out: (dst: bigint, ptr: number, size: number) =>
        this.bytes(dst, size >>> 0).set(this.linear(ptr, size)),
    };
  }

  private userTwins(): Intrinsics {
    return {
      user_copy_in: (ptr: number, va: bigint, size: number) => this.userLoad(ptr, va, size >>> 0),
      user_copy_out: (va: bigint, ptr: number, size: number) => this.userCopyOut(va, this.linear(ptr, size).slice()),
      user_copy_to_phys: (pa: bigint, va: bigint, size: number) =>
        (size >>> 0) - this.userRange(va, size >>> 0, "read", (ram, at) => this.bytes(pa + BigInt(at), ram.length).set(ram)),
      user_copy_from_phys: (va: bigint, pa: bigint, size: number) =>
        (size >>> 0) - this.userRange(va, size >>> 0, "write", (ram, at) => ram.set(this.bytes(pa + BigInt(at), ram.length))),
      user_zero: (va: bigint, size: number) =>
        (size >>> 0) - this.userRange(va, size >>> 0, "write", (ram) => void ram.fill(0)),
      user_copy_string: (ptr: number, va: bigint, max: number) => this.userCopyString(ptr, va, max >>> 0),
      user_load32: (ptr: number, va: bigint) => this.userLoad(ptr, va, 4),
      user_load64: (ptr: number, va: bigint) => this.userLoad(ptr, va, 8),
      user_store32: (va: bigint, value: number) => this.userStore(va, 32, BigInt(value >>> 0)),
      user_store64: (va: bigint, value: bigint) => this.userStore(va, 64, value),
      user_cmpxchg32: (found: number, va: bigint, expected: number, value: number) =>
        this.userCmpxchg32(found, va, expected, value),
    };
  }

  private cpuTwins(): Intrinsics {
    const nothing = (): void => undefined;
    return {
      this_cpu: () => this.thisCpu,
      current_task: () => this.currentTask,
      rdtsc: () => this.rdtsc(),
      cpuid: (leaf: number, subleaf: number, ptr: number) =>
        this.storeWords(ptr, this.cpuid(leaf >>> 0, subleaf >>> 0)),
      rdmsr: (msr: number) => this.msrs.get(msr >>> 0) ?? 0n,
      rdfsbase: () => this.msrs.get(MSR_FS_BASE) ?? 0n,
      rdgsbase_user: () => this.msrs.get(MSR_KERNEL_GS_BASE) ?? 0n,
      wrmsr: (msr: number, value: bigint) => void this.msrs.set(msr >>> 0, BigInt.asUintN(64, value)),
      read_cr0: () => this.cr0,
      write_cr0: (value: bigint) => void (this.cr0 = BigInt.asUintN(64, value)),
      read_cr2: () => this.cr2,
      read_cr3: () => this.cr3,
      write_cr3: (value: bigint) => void (this.cr3 = BigInt.asUintN(64, value) & ~(1n << 63n)),
      read_cr4: () => this.cr4,
      write_cr4: (value: bigint) => void (this.cr4 = BigInt.asUintN(64, value)),
      invlpg: (va: bigint) => void this.invalidated.push(BigInt.asUintN(64, va)),
      lgdt: nothing, lidt: nothing, ltr: nothing, xsetbv: nothing, mfence: nothing, phys_flush: nothing,
      fpu_save: nothing, fpu_restore: nothing, fpu_exchange: nothing, fpu_reset: nothing, user_fpu_save: () => 0, user_fpu_restore: () => 0,
      pause: () => this.pause(),
      idle_wait: () => this.idle(),
      irq_window: nothing,
      halt: () => { throw new Error("the kernel halted"); },
      hw_random: (ptr: number) => {
        new DataView(this.memory.buffer).setBigUint64(ptr >>> 0, this.nextRandom(), true);
        return 1;
      },
      frame_pointer: () => 0n,
      cpu_options_set: nothing,
      fault_fixup: () => 0n,
      extable_fixup: () => 0n,
      probe_load64: (ptr: number, va: bigint) => this.probe(ptr, va),
    };
  }

  private imageTwins(): Intrinsics {
    return {
      thread_entry_va: () => TEXT_BASE + 0x100n,
      isr_stub_va: (vector: number) => TEXT_BASE + 0x1000n + BigInt(vector) * 16n,
      syscall_entry_va: () => TEXT_BASE + 0x200n,
      linear_base: () => LINEAR_BASE,
      direct_base: () => DIRECT_BASE,
      image_address: (which: number) => this.imageAddress(which),
    };
  }

  private storeWords(ptr: number, words: readonly number[]): void {
    const view = new DataView(this.memory.buffer);
    words.forEach((word, index) => view.setUint32((ptr >>> 0) + index * 4, word >>> 0, true));
  }
}

/** A plain 64-bit processor: one core, NX, no SMEP, SMAP, XSAVE or RDRAND. */
function plainCpuid(leaf: number): readonly [number, number, number, number] {
  switch (leaf) {
    case 0x0: return [0x7, 0x696d694c, 0x73736c65, 0x6c746974]; // highest leaf, vendor
    case 0x1: return [0x000006f0, 0x00010800, 0x00000000, 0x078bfbff]; // FPU..SSE2, APIC
    case 0x80000000: return [0x80000008, 0, 0, 0];
    case 0x80000001: return [0, 0, 1, (1 << 29) | (1 << 20) | (1 << 11)]; // LM, NX, SYSCALL
    case 0x80000008: return [0x3028, 0, 0, 0]; // 40 physical, 48 virtual address bits
    default: return [0, 0, 0, 0];
  }
}

/** By ImageSymbol: where a small kernel would lie. */
const IMAGE_ADDRESSES: readonly bigint[] = [
  0x1400000n, 0x10000n, 0x100000n, TEXT_BASE, TEXT_BASE + 0x200000n, TEXT_BASE + 0x200000n, TEXT_BASE + 0x300000n,
  TEXT_BASE + 0x300000n, TEXT_BASE + 0x400000n, 0x1000000n, 0x1500000n, 0n, TEXT_BASE + 0x2f0000n,
  TEXT_BASE + 0x2f1000n, 0x1380000n, TEXT_BASE + 0x2f2000n, TEXT_BASE + 0x2f3000n, TEXT_BASE - 0x1000000n,
];
