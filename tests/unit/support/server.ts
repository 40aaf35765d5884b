/**
 * A server for unit tests: its own TypeScript, as WebAssembly in V8, with the kernel behind it played by the test.
 *
 *   const server = loadServer("virtio-blk", { capabilities: { pci: device, block: port, ... }, numbers: { disk: 0n } });
 *   const outcome = server.run(function* () {
 *     ring.put(...);
 *     yield bits(BLOCK_DOORBELL);      // the server runs with these bits until it waits again
 *     expect(ring.answers()).toEqual(...);
 *     const { label, words } = (yield call(3, [1n, 2n]))!;   // the same for a call on its endpoint: its answer
 *   });
 *
 * The scenario and the server take turns: the server runs from one of its waits to the next. When the scenario ends the server is
 * stopped there; what became of it before that is the outcome.
 *
 * Memory objects lie in the server's linear memory, at the place of their first mapping: what a device is to reach by DMA is found there
 * by bus address. Registers are mapped ranges whose accesses go to the device. As on the metal, the heap ends at the manifest's
 * memoryMiB; unlike there, a wild access is not noticed.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { NATIVE_CALLS } from "../../../kernel/abi/native.ts";
import { log as logStub } from "./log.gen.ts";

/** A service port: SERVICE_CALL arrives here; a negated errno or a result. */
export interface Port {
  serviceCall(op: number, args: readonly bigint[]): bigint;
}

/** Registers that the server maps. */
export interface Registers {
  readonly bytes: number;
  load(offset: number, width: number): number;
  store(offset: number, width: number, value: number): void;
}

/** A PCI function. Reads of what is not there answer with all bits set, as on a bus. */
export interface PciFunction {
  configRead(offset: number, width: number): number;
  /** BAR `index`, or undefined. */
  bar(index: number): Registers | undefined;
  /** Bus mastering was switched. */
  master(isEnabled: boolean): void;
  /** Message `vector` was bound to bits of a notification. */
  irqBind(vector: number, bits: bigint): void;
}

/** Memory by MEMORY_CREATE or from the test; `at` is set by its mapping, which finds `contents` there and zeros behind. */
export class MemoryObject {
  at = -1;
  constructor(readonly bytes: number, readonly bus: bigint, readonly contents: Uint8Array = new Uint8Array(0)) {}
}

/** What a server's wait ends with. */
export type Wake = { readonly bits: bigint } | { readonly label: number; readonly badge: bigint; readonly words: readonly bigint[] };
export interface Answer {
  readonly label: number;
  readonly words: readonly bigint[];
}
export type Scenario = Generator<Wake, void, Answer | undefined>;

export type Outcome =
  /** The scenario ended; the server waited at that time. */
  | { readonly kind: "stopped" }
  /** serverMain returned. */
  | { readonly kind: "exited"; readonly status: number }
  /** A trap: a broken assertion, no memory, unreachable. */
  | { readonly kind: "died"; readonly reason: string };

/** Wakes for a scenario. */
export const bits = (value: bigint): Wake => ({ bits: value });
export function call(label: number, words: readonly bigint[] = [], badge = 0n): Wake {
  if (label < 0 || BigInt(label) >= NOTIFIED) throw new Error("no caller can send this label");
  return { label, badge, words };
}

export type NativeCall = (...args: bigint[]) => bigint;

/** A server that the test plays: one call, its answer. */
export type Callee = (label: number, words: readonly bigint[]) => Answer;

export interface ServerOptions {
  /** What the server has by name: objects of this file, or whatever the overridden calls understand. */
  readonly capabilities?: Readonly<Record<string, object>>;
  /** Numbers on its command line. */
  readonly numbers?: Readonly<Record<string, bigint>>;
  /** Native calls that replace those of this file, by the names in kernel/abi/native.ts. */
  readonly natives?: Readonly<Record<string, NativeCall>>;
  /** Other servers, by the name under which this one has their endpoints ("call:NAME"): what each answers. */
  readonly callees?: Readonly<Record<string, Callee>>;
  /** It maps nothing: its memory stays small, and a hundred loads are cheap. */
  readonly isUnmapped?: boolean;
  /** Bus address of the first memory object; 4 GiB unless told: devices that reach less say so. */
  readonly busStart?: bigint;
}

const PAGE = 65536;
/** Linear memory up to here can be mapped in; more cannot be had (toolchain/servers.ts), so the heap does not grow into it. */
const LINEAR_TOP = 0xc0000000;
/** Where the kernel sees the server's linear memory; far from 0, so that a pointer passed without linearVa is found. */
const LINEAR_VA = 0x7f5500000000n;
const BUS_START = 0x1_0000_0000n;
const NOTIFIED = 0x40000000n;
/** Time passes with every look at the clock, so that each bounded wait ends. */
const NS_PER_LOOK = 1_000_000n;
const ERRNO_MAX = 4095;
const EBADF = -9n;
const EFAULT = -14n;
const EINVAL = -22n;

const NAMES: ReadonlyMap<number, string> = new Map(NATIVE_CALLS.map(({ nr, name }) => [nr, name]));

/** Thrown through the server's frames when the scenario is over. */
class Stopped extends Error {}

/** A port that keeps the lines of the server's log. */
class LogPort implements Port {
  readonly lines: string[] = [];
  constructor(private readonly server: () => Server) {}
  readonly serviceCall: Port["serviceCall"] = logStub.serve({
    line: ({ text, bytes }) => {
      this.lines.push(new TextDecoder().decode(this.server().at(text, Number(bytes))));
      return { taken: Number(bytes) };
    },
  }).serviceCall;
}

/** What NOTIFICATION_SIGNAL and the timer did. */
export class Notification {
  signalled = 0n;
  timer: { bits: bigint; deadlineNs: bigint; periodNs: bigint } | undefined;
}

interface Irq {
  readonly pci: PciFunction;
  readonly vector: number;
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type ServerExports = Record<string, any>;

export class Server {
  /** Lines written to the log, oldest first. */
  get log(): readonly string[] { return this.logPort.lines; }
  readonly exports: ServerExports;
  readonly memory: WebAssembly.Memory;
  readonly view: DataView;
  /** NATIVE_CALLs made, by name. */
  readonly calls: Map<string, number> = new Map();
  nowNs = 1_000_000_000n;

  private readonly logPort = new LogPort(() => this);
  private readonly objects = new Map<number, object>();
  private readonly mapped: { start: number; registers: Registers }[] = [];
  private readonly memories: MemoryObject[] = [];
  private nextBus: bigint;
  private scenario: Scenario | undefined;
  private isAnswering = false;
  private readonly natives: Readonly<Record<string, NativeCall>>;

  constructor(module: WebAssembly.Module, readonly name: string, private readonly options: ServerOptions) {
    this.natives = { ...this.defaults(), ...options.natives };
    this.nextBus = options.busStart ?? BUS_START;
    const instance = new WebAssembly.Instance(module, { x86_64: this.imports() });
    this.exports = instance.exports as ServerExports;
    this.memory = instance.exports["memory"] as WebAssembly.Memory;
    this.exports["_initialize"]();
    this.placeArguments(); // the first allocation: the heap ends where the memory ends now
    if (!options.isUnmapped) this.memory.grow(LINEAR_TOP / PAGE - this.memory.buffer.byteLength / PAGE);
    this.view = new DataView(this.memory.buffer);
  }

  /** Runs serverMain beside the scenario, until either ends. */
  run(scenario: () => Scenario): Outcome {
    this.scenario = scenario();
    this.isAnswering = false;
    try {
      return { kind: "exited", status: this.exports["serverMain"](this.argumentCount) as number };
    } catch (error) {
      if (error instanceof Stopped) return { kind: "stopped" };
      if (error instanceof WebAssembly.RuntimeError) return { kind: "died", reason: error.message };
      throw error;
    }
  }

  /** A capability for `object`: its handle. */
  give(object: object): number {
    const handle = 0x10000 + this.objects.size + 1;
    this.objects.set(handle, object);
    return handle;
  }

  object(handle: bigint): object | undefined { return this.objects.get(Number(handle)); }

  /** The bytes at an address that the server passed in a call. */
  at(va: bigint, size: number): Uint8Array {
    const ptr = Number(va - LINEAR_VA);
    if (ptr < PAGE || ptr + size > this.memory.buffer.byteLength) throw new Error(`${this.name} passed a wild address: 0x${va.toString(16)}`);
    return new Uint8Array(this.memory.buffer, ptr, size);
  }

  /** A memory object that the test gives, at a bus address of its own. */
  memoryObject(bytes: number, contents?: Uint8Array): MemoryObject {
    const object = new MemoryObject(bytes, this.nextBus, contents);
    this.nextBus += BigInt(bytes + 0x10000) & ~0xfffn;
    this.memories.push(object);
    return object;
  }

  /** What a device finds at a bus address: a view of at most `size` bytes, or undefined where no memory object is mapped. */
  dma(bus: bigint, size: number): DataView | undefined {
    const object = this.memories.find((memory) => memory.at >= 0 && bus >= memory.bus && bus + BigInt(size) <= memory.bus + BigInt(memory.bytes));
    return object ? new DataView(this.memory.buffer, object.at + Number(bus - object.bus), size) : undefined;
  }

  private argumentCount = 0;

  /** The command line as the supervisor writes it. */
  private placeArguments(): void {
    const words = [this.name];
    const capabilities = { log: this.logPort, heartbeat: new Notification(), time: {}, ...this.options.capabilities };
    for (const [name, object] of Object.entries(capabilities)) words.push(`${name}=${this.give(object).toString(16)}`);
    for (const [name, callee] of Object.entries(this.options.callees ?? {})) words.push(`call:${name}=${this.give(callee).toString(16)}`);
    for (const [name, value] of Object.entries(this.options.numbers ?? {})) words.push(`${name}=${value.toString(16)}`);
    this.argumentCount = words.length;
    const bytes = new TextEncoder().encode(words.map((word) => `${word}\0`).join(""));
    const ptr = this.exports["serverBuffer"](bytes.length) as number;
    new Uint8Array(this.memory.buffer, ptr, bytes.length).set(bytes);
  }

  // ---- The imports of servers/runtime/intrinsics.ts ----

  private imports(): Record<string, (...args: never[]) => unknown> {
    return {
      server_call: (nr: number, ...args: bigint[]) => this.native(nr, args.map((arg) => BigInt.asUintN(64, arg))),
      server_ipc: (nr: number, endpoint: number, label: number, words: number) => this.ipc(nr, endpoint, label, words >>> 0),
      linear_va: (ptr: number) => LINEAR_VA + BigInt(ptr >>> 0),
      ...Object.fromEntries([8, 16, 32].flatMap((width) => [
        [`mmio_load${width}`, (ptr: number) => this.load(ptr >>> 0, width)],
        [`mmio_store${width}`, (ptr: number, value: number) => this.store(ptr >>> 0, width, value)],
      ])),
    };
  }

  private registersAt(ptr: number): { start: number; registers: Registers } | undefined {
    return this.mapped.find(({ start, registers }) => ptr >= start && ptr < start + registers.bytes);
  }

  private load(ptr: number, width: number): number {
    const range = this.registersAt(ptr);
    if (range) return range.registers.load(ptr - range.start, width);
    return width === 8 ? this.view.getUint8(ptr) : width === 16 ? this.view.getUint16(ptr, true) : this.view.getInt32(ptr, true);
  }

  private store(ptr: number, width: number, value: number): void {
    const range = this.registersAt(ptr);
    if (range) range.registers.store(ptr - range.start, width, width === 32 ? value >>> 0 : value & (2 ** width - 1));
    else if (width === 8) this.view.setUint8(ptr, value);
    else if (width === 16) this.view.setUint16(ptr, value, true);
    else this.view.setInt32(ptr, value, true);
  }

  private native(nr: number, args: bigint[]): bigint {
    const name = NAMES.get(nr) ?? `call ${nr}`;
    this.calls.set(name, (this.calls.get(name) ?? 0) + 1);
    const result = this.natives[name]?.(...args);
    if (result === undefined) throw new Error(`${this.name} makes ${name}, which nobody answers`);
    return result;
  }

  /** ipc_reply_wait, and ipc_call of the callees. */
  private ipc(nr: number, endpoint: number, label: number, words: number): bigint {
    const at = (index: number): bigint => this.view.getBigUint64(words + index * 8, true);
    const sent = [at(1), at(2), at(3), at(4)];
    if (NAMES.get(nr) !== "ipc_reply_wait") return this.call(endpoint, label, sent, words);
    if (label < -ERRNO_MAX || BigInt(label) >= NOTIFIED) return EINVAL;
    const wake = this.turn(this.isAnswering ? { label, words: sent } : undefined);
    this.isAnswering = !("bits" in wake);
    const received = "bits" in wake ? [0n, wake.bits] : [wake.badge, ...wake.words];
    for (let i = 0; i < 5; i++) this.view.setBigUint64(words + i * 8, received[i] ?? 0n, true);
    return "bits" in wake ? NOTIFIED : BigInt(wake.label);
  }

  private call(endpoint: number, label: number, sent: readonly bigint[], words: number): bigint {
    const callee = this.object(BigInt(endpoint));
    if (typeof callee !== "function") return EBADF;
    const answer = (callee as Callee)(label, sent);
    answer.words.forEach((word, i) => this.view.setBigUint64(words + (i + 1) * 8, word, true));
    return BigInt(answer.label);
  }

  /** The scenario's turn, up to its next wake. */
  private turn(answer: Answer | undefined): Wake {
    const next = this.scenario?.next(answer);
    if (!next || next.done) throw new Stopped("the scenario is over");
    return next.value;
  }

  // ---- The native calls ----

  private defaults(): Readonly<Record<string, NativeCall>> {
    const as = <T extends object>(handle: bigint | undefined, kind: (object: object) => object is T): T | undefined => {
      const object = this.object(handle ?? 0n);
      return object && kind(object) ? object : undefined;
    };
    return {
      time_now: (time) => (this.object(time!) ? (this.nowNs += NS_PER_LOOK) : EBADF),
      cap_drop: (handle) => (this.object(handle!) ? 0n : EBADF),
      cap_copy: (handle) => this.derive(handle!),
      endpoint_bind: () => 0n,
      service_call: (port, op, ...args) => as(port, isPort)?.serviceCall(Number(op), args) ?? EBADF,
      notification_wait: () => {
        const wake = this.turn(undefined);
        if (!("bits" in wake)) throw new Error("the scenario calls a server that waits for bits only");
        return wake.bits;
      },
      notification_signal: (n, value) => {
        const notification = as(n, isNotification);
        if (notification) notification.signalled |= value!;
        return notification ? 0n : EBADF;
      },
      notification_timer: (n, value, deadlineNs, periodNs, time) => {
        const notification = this.object(time!) ? as(n, isNotification) : undefined;
        if (notification) notification.timer = deadlineNs === 0n ? undefined : { bits: value!, deadlineNs: deadlineNs!, periodNs: periodNs! };
        return notification ? 0n : EBADF;
      },
      memory_create: (quota, size) => (this.object(quota!) ? BigInt(this.give(this.memoryObject(Number(size)))) : EBADF),
      memory_map: (memory, va, offset, size) => this.map(memory!, Number(va! - LINEAR_VA), Number(offset), Number(size)),
      memory_addresses: (memory, pci, first, out, count) => this.addresses(as(memory, isMemory), as(pci, isPci), [first!, out!, count!]),
      pci_config_read: (pci, offset, width) => {
        const value = as(pci, isPci)?.configRead(Number(offset), Number(width));
        return value === undefined ? EBADF : BigInt(value >>> 0);
      },
      pci_bar: (pci, index) => {
        const registers = as(pci, isPci)?.bar(Number(index));
        return registers ? BigInt(this.give(registers)) : EINVAL;
      },
      pci_irq: (pci, vector) => {
        const device = as(pci, isPci);
        return device ? BigInt(this.give({ pci: device, vector: Number(vector) } satisfies Irq)) : EBADF;
      },
      irq_bind: (irq, n, value) => {
        const bound = as(irq, isIrq);
        if (!bound || !this.object(n!)) return EBADF;
        bound.pci.irqBind(bound.vector, value!);
        return 0n;
      },
      irq_ack: (irq) => (as(irq, isIrq) ? 0n : EBADF),
      pci_master: (pci, enable) => {
        as(pci, isPci)?.master(enable !== 0n);
        return 0n;
      },
    };
  }

  private derive(handle: bigint): bigint {
    const object = this.object(handle);
    return object ? BigInt(this.give(object)) : EBADF;
  }

  private map(handle: bigint, ptr: number, offset: number, size: number): bigint {
    const object = this.object(handle);
    if (!object || ptr % 4096 !== 0 || ptr + size > LINEAR_TOP) return object ? EINVAL : EBADF;
    if (isMemory(object)) {
      if (offset + size > object.bytes) return EINVAL;
      if (object.at >= 0 && object.at !== ptr - offset) throw new Error(`${this.name} maps memory twice, which this kernel cannot`);
      if (object.at < 0) new Uint8Array(this.memory.buffer, ptr - offset).set(object.contents);
      object.at = ptr - offset;
      return 0n;
    }
    if (!isRegisters(object)) return EBADF;
    if (offset + size > object.bytes) return EINVAL;
    this.mapped.push({ start: ptr - offset, registers: object });
    return 0n;
  }

  private addresses(memory: MemoryObject | undefined, pci: PciFunction | undefined, [first, out, count]: readonly bigint[]): bigint {
    if (!memory || !pci) return EBADF;
    if ((first! + count!) << 12n > BigInt(memory.bytes)) return EFAULT;
    const to = this.at(out!, Number(count) * 8);
    const view = new DataView(to.buffer, to.byteOffset, to.byteLength);
    for (let i = 0n; i < count!; i++) view.setBigUint64(Number(i) * 8, memory.bus + ((first! + i) << 12n), true);
    return 0n;
  }
}

const isPort = (object: object): object is Port => "serviceCall" in object;
const isNotification = (object: object): object is Notification => object instanceof Notification;
const isMemory = (object: object): object is MemoryObject => object instanceof MemoryObject;
const isPci = (object: object): object is PciFunction => "configRead" in object;
const isRegisters = (object: object): object is Registers => "load" in object && "store" in object;
const isIrq = (object: object): object is Irq => "pci" in object && "vector" in object;

const compiled = new Map<string, WebAssembly.Module>();

/** A fresh server of this name, its arguments in place; build/servers/NAME/test.wasm is made by `toolchain/build.ts testwasm`. */
export function loadServer(name: string, options: ServerOptions = {}): Server {
  let module = compiled.get(name);
  if (!module) {
    module = new WebAssembly.Module(readFileSync(join(process.cwd(), "build/servers", name, "test.wasm")));
    compiled.set(name, module);
  }
  return new Server(module, name, options);
}
