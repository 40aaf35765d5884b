/**
 * A kernel in V8 with a disk of two partitions, each mounted from a file-system server that Node plays: types "tame" and "wild".
 *
 * A server answers while the kernel's task sleeps in its call. One that the kernel has lost faith in is replaced at the next sleep, as
 * the supervisor would do it.
 */
import { FILE_SYSTEM } from "../../../../../../kernel/abi/protocol/file-system.ts";
import { replyEncode, requestDecode } from "../../../../support/protocol.ts";
import { structLayout } from "../../../../support/struct-layout.ts";
import { DiskMachine, HonestDriver, OP } from "../../block/disk-machine.ts";
import { BUFFER, PROCESS, startProcess, type Vfs } from "../vfs-machine.ts";
import type { Method, TreeServer } from "./tree-server.ts";

const CONNECTION = structLayout("kernel/services/vfs/served/connection.ts", "Connection");
const CALL = structLayout("kernel/core/ipc/endpoint.ts", "IpcCall");
const ENDPOINT = structLayout("kernel/core/ipc/endpoint.ts", "Endpoint");
const WAIT_QUEUE = structLayout("kernel/core/sync/wait-queue.ts", "WaitQueue");
const PROCESS_AT = structLayout("kernel/services/process/process.ts", "Process");
const FRAME = structLayout("arch/x86_64/trap-frame.ts", "TrapFrame");
const SECTOR = 512;
const PAGE = 4096;
export const WINDOW_BYTES = 65536;
const REPEATED = 1n;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const EPIPE = -32;
const SECTORS = 8192;
const POISONED = 4000;
/** What the disk holds outside of the partitions: nobody may see or change it. */
export const FOREIGN = 0xee;
/** What the machine's memory is full of at first. */
export const RAM_POISON = 0xdd;

/** One try of a call as the server sees it. */
export interface Call {
  readonly method: Method;
  /** The window: request at 0, reply behind it. */
  readonly window: DataView;
  /** What is answered: 0 or a negated errno; "die" for none. */
  status: number | "die";
}

export class Server {
  /** Changes what a lawful server would answer, or does not. */
  spoil: (call: Call) => void = () => undefined;
  /** True: it dies with the call, before it has done anything. */
  isKilledBefore: () => boolean = () => false;
  /** It leaves its calls where they are. */
  isHung = false;
  endpoint = 0;
  /** Servers that ended. */
  ended = 0;
  calls = 0;
  /** The last call that was carried out: a repetition is answered as it was. */
  private last: { request: string; status: number; reply: Uint8Array } | undefined;

  constructor(readonly connection: number, public tree: TreeServer, readonly firstSector: number, readonly sectors: number) {}

  /** The answer to the call whose request stands in `window`; the reply goes there. */
  answer(method: Method, window: DataView, isRepeated: boolean): number {
    const bytes = new Uint8Array(window.buffer, window.byteOffset, window.byteLength);
    const layout = requestDecode(window, method);
    const request = method + JSON.stringify(layout, (_, value: unknown) => (typeof value === "bigint" ? value.toString() : value));
    if (isRepeated && this.last?.request === request) {
      bytes.set(this.last.reply, 8192);
      return this.last.status;
    }
    const reply = this.tree.answer(method, layout);
    if (typeof reply !== "number") replyEncode(window, method, reply);
    const status = typeof reply === "number" ? reply : 0;
    if (method !== "attach") this.last = { request, status, reply: bytes.slice(8192) };
    return status;
  }
}

export class ServedMachine {
  readonly servers: Server[] = [];
  /** What the kernel did to the disk that it must not do. */
  readonly trespasses: string[] = [];
  /** Servers whose partitions it may touch now. */
  allowed: readonly number[] = [0, 1];
  /** Called when the kernel sleeps and no server and no driver has anything to do; true: it did something about it. */
  onIdle: () => boolean = () => false;
  /** Called while the device writes, before it looks at the pages; the kernel cannot sleep in it. */
  onWrite: () => void = () => undefined;
  readonly driver: HonestDriver;

  private constructor(readonly machine: DiskMachine) {
    const { vfs } = machine;
    const { exports } = vfs;
    for (const name of ["pcidInit", "tlbInit", "pageTableInit", "sharedPagesInit", "vmaCacheInit", "mmCacheInit", "faultInit"]) exports[name]!();
    exports.bufferTableInit();
    exports.blockDevicesInit();
    exports.servedInit();
    startProcess(vfs);
    vfs.view().setUint32(PROCESS + PROCESS_AT.refs!, 1, true);
    machine.sleepingInit();
    this.driver = new HonestDriver(machine, SECTORS);
    this.driver.contents.fill(FOREIGN);
    this.driver.serve();
    machine.onSleep = () => this.turn();
    this.driver.statusOf = ({ op, sector, sectors }) => {
      const isInside = this.allowed.map((index) => this.servers[index]!)
        .some(({ firstSector, sectors: most }) => sector >= firstSector && sector + sectors <= firstSector + most);
      if (op === OP.WRITE) this.onWrite();
      if (op !== OP.FLUSH && !isInside) this.trespasses.push(`${op === OP.WRITE ? "write" : "read"} ${sector}+${sectors}`);
      return 0;
    };
    vfs.exports.partitionsBegin(machine.disk);
    this.memoryPoison();
    this.space = vfs.call("mmCreate");
    this.spaceUse(this.space);
    vfs.machine.userFault = (va, errorCode) => exports.mmFault!(this.inUse, va, errorCode, 0n) === 0;
  }

  /** The program's address space, for its mappings alone: system calls take linear memory for user memory (vfs-machine.ts). */
  readonly space: number;
  private inUse = 0;

  /** What programs store from now on, they store in this address space. */
  spaceUse(mm: number): void {
    this.vfs.exports.mmSwitch!(mm);
    this.inUse = mm;
  }

  /** Maps [0, bytes) of an open file, shared, for reading and writing: its address, or a negated errno. */
  map(fd: number, bytes: number): bigint {
    const { exports } = this.vfs;
    const file = exports.fdGet!(fd) as number;
    const va = exports.mmMap!(this.space, 0n, BigInt(bytes), PROT_READ_WRITE, MAP_SHARED, file, 0n) as bigint;
    exports.filePut!(file);
    return va;
  }

  unmap(va: bigint, bytes: number): number { return this.vfs.call("mmUnmap", this.space, va, BigInt(bytes)); }

  /** Stores to mapped memory; false: the program gets SIGBUS. */
  store(va: bigint, bytes: Uint8Array): boolean {
    try {
      this.vfs.machine.userWrite(va, bytes);
      return true;
    } catch (error) {
      if (!(error as Error).message.includes("not writable")) throw error;
      return false;
    }
  }

  load(va: bigint, bytes: number): Uint8Array | undefined {
    try {
      return this.vfs.machine.userRead(va, bytes);
    } catch (error) {
      if (!(error as Error).message.includes("not mapped")) throw error;
      return undefined;
    }
  }

  /** Servers of the types "tame" and "wild", for partitions 1 and 2. */
  static async start(trees: readonly TreeServer[]): Promise<ServedMachine> {
    const machine = new ServedMachine(await DiskMachine.start());
    const { exports } = machine.vfs;
    trees.forEach((tree, index) => {
      const [firstSector, sectors] = [64 + index * 3000, 2048];
      exports.partitionAdd(machine.machine.disk, index + 1, BigInt(firstSector), BigInt(sectors));
      machine.driver.contents.fill(0, firstSector * SECTOR, (firstSector + sectors) * SECTOR);
      const name = index === 0 ? "tame" : "wild";
      const text = exports.connectionCreate(index, machine.vfs.text(name), name.length) as number;
      expect(exports.fsServerTypeRegister(text, index + 1)).toBeTruthy();
      const server = new Server(exports.connectionAt(index) as number, tree, firstSector, sectors);
      machine.servers.push(server);
      machine.serverStart(server);
      expect(machine.vfs.sys("sysMknod", BigInt(machine.vfs.text(`/disk${index + 1}`)), 0o60600, 254 << 8 | index + 1)).toBe(0);
      expect(machine.vfs.sys("sysMkdir", BigInt(machine.vfs.text(`/${name}`)), 0o755)).toBe(0);
    });
    exports.partitionsEnd();
    return machine;
  }

  /** Frames that are free hold nothing that may be shown. */
  private memoryPoison(): void {
    const { exports, machine } = this.vfs;
    const pages: number[] = [];
    for (let pfn = exports.pageAlloc() as number; pfn !== 0 && pages.length < POISONED; pfn = exports.pageAlloc() as number) pages.push(pfn);
    for (const pfn of pages) {
      machine.bytes(BigInt(pfn) << 12n, PAGE).fill(RAM_POISON);
      exports.framePut(pfn);
    }
  }

  get vfs(): Vfs { return this.machine.vfs; }
  private u32(at: number): number { return this.vfs.view().getUint32(at >>> 0, true); }

  private serverStart(server: Server): void {
    server.endpoint = this.vfs.exports.endpointCreate() as number;
    const window = this.vfs.call("connectionServe", server.connection, server.endpoint);
    expect(window).not.toBe(-17);
    this.vfs.exports.objectPut(window); // its handle: this test reaches the pages without one
  }

  private serverEnd(server: Server): void {
    server.ended++;
    this.vfs.exports.connectionLeft(server.connection, this.u32(server.connection + CONNECTION.generation!));
  }

  // ---- While the kernel sleeps ----

  private turn(): void {
    for (const server of this.servers) {
      const call = this.u32(server.endpoint + ENDPOINT.queue!);
      if (call !== server.endpoint + ENDPOINT.queue! && !server.isHung) {
        this.serve(server, call);
        return;
      }
    }
    const before = this.driver.done.length;
    this.driver.turn();
    if (this.driver.done.length > before || this.onIdle()) return;
    // Nobody has anything to do: the kernel waits for a successor.
    const lost = this.servers.find(({ connection }) => {
      const waiters = connection + CONNECTION.wait! + WAIT_QUEUE.head!;
      return this.u32(waiters) !== waiters;
    });
    if (!lost) throw new Error("the kernel sleeps for nothing");
    this.serverEnd(lost);
    this.serverStart(lost);
  }

  private serve(server: Server, call: number): void {
    const { exports } = this.vfs;
    const registers = this.u32(call + CALL.registers!);
    const isRepeated = (this.vfs.view().getBigUint64(registers + FRAME.r10!, true) & REPEATED) !== 0n;
    const method = FILE_SYSTEM.methods.find(({ id }) => id === this.u32(call + CALL.label!))!.name as Method;
    const bytes = this.window(server);
    const window = new DataView(bytes.buffer);
    const answer: Call = { method, window, status: 0 };
    server.calls++;
    if (server.isKilledBefore()) answer.status = "die";
    else {
      answer.status = server.answer(method, window, isRepeated);
      server.spoil(answer);
    }
    this.windowPut(server, bytes);
    exports.callRefuseLocked(server.endpoint, call, answer.status === "die" ? EPIPE : answer.status); // ends the call with that label
  }

  private window(server: Server): Uint8Array {
    const bytes = new Uint8Array(WINDOW_BYTES);
    this.windowPages(server).forEach((page, index) => bytes.set(page, index * PAGE));
    return bytes;
  }

  private windowPut(server: Server, bytes: Uint8Array): void {
    this.windowPages(server).forEach((page, index) => page.set(bytes.subarray(index * PAGE, (index + 1) * PAGE)));
  }

  private windowPages(server: Server): Uint8Array[] {
    const object = this.u32(server.connection + CONNECTION.window!);
    return Array.from({ length: WINDOW_BYTES / PAGE }, (_, i) => this.vfs.machine.bytes(BigInt.asUintN(64, this.vfs.exports.memoryObjectPa(object, i) as bigint), PAGE));
  }

  // ---- As a program ----

  private text(value: string, slot = 0): bigint { return BigInt(this.vfs.text(value, slot)); }

  mount(index: number): number {
    const name = index === 0 ? "tame" : "wild";
    return this.vfs.sys("sysMount", this.text(`/disk${index + 1}`), this.text(`/${name}`, 1), this.text(name, 2), 0, 0n);
  }

  unmount(index: number): number { return this.vfs.sys("sysUmount2", this.text(index === 0 ? "/tame" : "/wild"), 0); }

  /** A call with one path. */
  path(name: string, path: string, ...args: (number | bigint)[]): number { return this.vfs.sys(name, this.text(path), ...args); }
  rename(from: string, to: string): number { return this.vfs.sys("sysRename", this.text(from), this.text(to, 1)); }

  static readonly data: number = BUFFER + 0x40000;
  static readonly dataMost: number = 0x80000;

  pwrite(fd: number, bytes: Uint8Array, at: number): number {
    new Uint8Array(this.vfs.memory.buffer).set(bytes, ServedMachine.data);
    return this.vfs.sys("sysPwrite64", fd, BigInt(ServedMachine.data), BigInt(bytes.length), BigInt(at));
  }

  pread(fd: number, size: number, at: number): Uint8Array | number {
    const got = this.vfs.sys("sysPread64", fd, BigInt(ServedMachine.data), BigInt(size), BigInt(at));
    return got < 0 ? got : new Uint8Array(this.vfs.memory.buffer, ServedMachine.data, got).slice();
  }

  /** Names that getdents64 gives, at most `most` calls long; a negated errno. */
  list(path: string, most = 50): string[] | number {
    const fd = this.path("sysOpen", path, 0o200000, 0);
    if (fd < 0) return fd;
    const names: string[] = [];
    let got = 0;
    for (let i = 0; i < most; i++) {
      got = this.vfs.sys("sysGetdents64", fd, BigInt(ServedMachine.data), 2048);
      if (got <= 0) break;
      const view = this.vfs.view();
      for (let at = ServedMachine.data; at < ServedMachine.data + got; at += view.getUint16(at + 16, true)) {
        const bytes = new Uint8Array(this.vfs.memory.buffer, at + 19, view.getUint16(at + 16, true) - 19);
        names.push(new TextDecoder().decode(bytes.slice(0, bytes.indexOf(0))));
      }
    }
    this.vfs.sys("sysClose", fd);
    return got < 0 ? got : names.filter((name) => name !== "." && name !== "..");
  }
}
