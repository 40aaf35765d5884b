/**
 * A program that does anything with files below one mount, and a model of what it must find there when its server is lawful.
 *
 * Results are looked at in any case: a count, or an errno that a program may be told.
 */
import type { Random } from "../../../../support/random.ts";
import { structLayout } from "../../../../support/struct-layout.ts";
import { FOREIGN, RAM_POISON, ServedMachine } from "./served-machine.ts";

const FILE = structLayout("kernel/services/vfs/types.ts", "File");
const INODE = structLayout("kernel/services/vfs/types.ts", "Inode");
const SERVED = structLayout("kernel/services/vfs/served/inode.ts", "ServedInode");
const SUPER = structLayout("kernel/services/vfs/served/inode.ts", "ServedSuper");
const O_RDWR = 2, O_CREAT = 0o100, O_TRUNC = 0o1000;
const AT_FDCWD = -100;
const IFREG = 0o100000;
const FILES_OPEN = 6;
const MAPPINGS = 3;
const PAGE = 4096;
const FILE_BYTES = 30_000;
/** PERM NOENT INTR IO BADF NOMEM EXIST NOTDIR ISDIR INVAL FBIG NOSPC ROFS NAMETOOLONG NOTEMPTY BUSY, and what the VFS says by itself. */
const TOLD = new Set([-1, -2, -5, -9, -12, -13, -16, -17, -20, -21, -22, -27, -28, -30, -36, -39, -40, -75]);
const EMPTY = new Uint8Array();

interface Mapping {
  readonly va: bigint;
  readonly bytes: number;
  readonly inode: number;
  readonly file: { bytes: Uint8Array };
}

interface Open {
  readonly fd: number;
  /** Of the model: what every other name of it shares. */
  readonly file: { bytes: Uint8Array };
}

export class RandomProgram {
  readonly results: Map<string, number> = new Map<string, number>();
  private readonly files = new Map<string, { bytes: Uint8Array }>();
  private readonly folders = new Set<string>();
  private opened: Open[] = [];
  private mapped: Mapping[] = [];
  /** ServedSuper of the mount, once a file was open. */
  private fs = 0;

  /** `isModelled`: everything must be as the model has it. `isAlone`: nobody else has files that are not written back. */
  constructor(
    private readonly machine: ServedMachine, private readonly random: Random, private readonly top: string, private readonly isModelled: boolean,
    private readonly isAlone: boolean = isModelled,
  ) {}

  /** One operation. */
  step(): void {
    const steps = [
      () => this.open(), () => this.open(), () => this.write(), () => this.write(), () => this.write(), () => this.read(), () => this.read(), () => this.truncate(),
      () => this.mkdir(), () => this.rename(), () => this.unlink(), () => this.rmdir(), () => this.list(), () => this.close(), () => this.sync(),
      () => this.forget(), () => this.map(), () => this.store(), () => this.store(), () => this.store(), () => this.load(), () => this.unmap(),
    ];
    this.random.pick(steps)();
    this.invariantsCheck();
  }

  /** Closes what is open; nothing is promised to anybody then. */
  end(): void {
    while (this.mapped.length > 0) this.unmap();
    while (this.opened.length > 0) this.close();
    this.machine.vfs.sys("sysSync");
    this.machine.vfs.inUse(); // empties the caches
    if (this.fs !== 0) expect(this.machine.vfs.view().getBigUint64(this.fs + SUPER.reserved!, true)).toBe(0n); // S4
    if (this.isAlone) expect(this.machine.vfs.call("dirtyPages")).toBe(0);
    this.fs = 0;
  }

  /** Everything the model has is there, and nothing else. */
  compare(): void {
    for (const folder of ["", ...this.folders]) {
      const expected = [...this.files.keys(), ...this.folders].filter((path) => path.slice(0, Math.max(0, path.lastIndexOf("/"))) === folder)
        .map((path) => path.slice(path.lastIndexOf("/") + 1));
      const names = this.machine.list(`${this.top}${folder}`);
      expect(names).not.toBe(undefined);
      expect([...(names as string[])].sort()).toEqual(expected.sort());
    }
    for (const [path, { bytes }] of this.files) {
      const fd = this.machine.path("sysOpen", this.top + path, 0, 0);
      expect({ path, fd: fd >= 0, same: Buffer.compare(this.machine.pread(fd, FILE_BYTES * 2, 0) as Uint8Array, bytes) }).toEqual({ path, fd: true, same: 0 });
      this.machine.vfs.sys("sysClose", fd);
    }
  }

  private name(): string {
    const name = this.random.pick(["a", "b", "file with a long name", "c.txt", "d"]);
    return this.random.chance(50) ? `/${name}` : `/${this.random.pick(["sub", "other"])}/${name}`;
  }

  /** What is there goes by its alias at times (tree-server.ts). */
  private spelt(path: string): string { return this.top + path + ((this.files.has(path) || this.folders.has(path)) && this.random.chance(25) ? "~" : ""); }

  private tell(what: string, result: number, expected?: number): number {
    if (result < 0 && !TOLD.has(result)) throw new Error(`${what} answers ${result}`);
    if (this.isModelled && expected !== undefined && Math.min(result, 0) !== expected) throw new Error(`${what} answers ${result}, not ${expected}`);
    const key = result < 0 ? `${what} ${result}` : what;
    this.results.set(key, (this.results.get(key) ?? 0) + 1);
    return result;
  }

  private parentIsThere(path: string): boolean {
    const parent = path.slice(0, path.lastIndexOf("/"));
    return parent === "" || this.folders.has(parent);
  }

  private open(): void {
    if (this.opened.length === FILES_OPEN) this.close();
    const path = this.name();
    const isNew = !this.files.has(path);
    const isCut = this.random.chance(20);
    const fails = this.folders.has(path) ? -21 : this.parentIsThere(path) ? 0 : -2;
    const fd = this.tell("open", this.machine.path("sysOpen", this.spelt(path), O_RDWR | O_CREAT | (isCut ? O_TRUNC : 0), 0o644), fails);
    if (fd < 0) return;
    if (isNew) this.files.set(path, { bytes: EMPTY });
    const file = this.files.get(path)!;
    if (isCut) file.bytes = EMPTY;
    this.opened.push({ fd, file });
  }

  private some(): Open | undefined { return this.opened.length > 0 ? this.random.pick(this.opened) : undefined; }

  private write(): void {
    const open = this.some();
    if (!open) return;
    const at = this.random.below(this.random.chance(80) ? 9000 : FILE_BYTES - 5000);
    const bytes = this.random.bytes(1 + this.random.below(5000)).map((byte) => byte & 0x7f);
    const result = this.tell("write", this.machine.pwrite(open.fd, bytes, at), 0);
    if (result <= 0) return;
    if (this.isModelled) expect(result).toBe(bytes.length);
    const whole = new Uint8Array(Math.max(open.file.bytes.length, at + result));
    whole.set(open.file.bytes);
    whole.set(bytes.subarray(0, result), at);
    open.file.bytes = whole;
  }

  private read(): void {
    const open = this.some();
    if (!open) return;
    const at = this.random.below(12000);
    const size = 1 + this.random.below(20000);
    const got = this.machine.pread(open.fd, size, at);
    this.tell("read", typeof got === "number" ? got : got.length, 0);
    if (typeof got === "number") return;
    if (got.includes(FOREIGN) || got.includes(RAM_POISON)) throw new Error("a program reads what is not the file system's");
    if (!this.isModelled) return;
    const expected = open.file.bytes.subarray(at, at + size);
    const first = got.findIndex((byte, i) => byte !== expected[i]);
    expect({ length: got.length, differsAt: first < 0 ? -1 : at + first }).toEqual({ length: expected.length, differsAt: -1 });
  }

  private truncate(): void {
    const open = this.some();
    if (!open) return;
    const size = this.random.below(this.random.chance(60) ? 10_000 : FILE_BYTES);
    if (this.tell("truncate", this.machine.vfs.sys("sysFtruncate", open.fd, BigInt(size)), 0) < 0) return;
    const whole = new Uint8Array(size);
    whole.set(open.file.bytes.subarray(0, size));
    open.file.bytes = whole;
  }

  // ---- Mappings ----

  private map(): void {
    const open = this.some();
    if (!open || open.file.bytes.length === 0) return;
    if (this.mapped.length === MAPPINGS) this.unmap();
    const bytes = open.file.bytes.length;
    const va = this.machine.map(open.fd, bytes);
    this.tell("map", Number(va > 0n ? 0n : va), 0);
    if (va > 0n) this.mapped.push({ va, bytes, inode: this.inodeOf(open.fd), file: open.file });
  }

  /** Stores to what is mapped and still there, now and then in a child's address space, or behind the end in the file's last page. */
  private store(): void {
    const mapping = this.mapped.length > 0 ? this.random.pick(this.mapped) : undefined;
    if (!mapping) return;
    const end = Math.min(mapping.bytes, mapping.file.bytes.length);
    if (end === 0) return;
    const at = this.random.below(end);
    const bytes = this.random.bytes(1 + this.random.below(300)).map((byte) => byte & 0x7f).subarray(0, end - at);
    const child = this.random.chance(10) ? this.machine.vfs.call("mmClone", this.machine.space) : 0;
    if (child !== 0) this.machine.spaceUse(child);
    const isStored = this.machine.store(mapping.va + BigInt(at), bytes);
    if (this.isModelled && !isStored) throw new Error("a store to a mapping fails");
    if (isStored) mapping.file.bytes.set(bytes, at);
    if (isStored && this.random.chance(10) && end === mapping.file.bytes.length && end % PAGE !== 0) this.machine.store(mapping.va + BigInt(end), Uint8Array.of(0x7e));
    if (child !== 0) this.machine.spaceUse(this.machine.space);
    if (child !== 0) this.machine.vfs.exports.mmPut!(child);
    this.tell(child !== 0 ? "store in a child" : "store", 0);
  }

  /** A store while the device writes: to pages in memory alone, as nobody can sleep now. */
  storeAtOnce(): void {
    const { vfs } = this.machine;
    const mapping = this.mapped.length > 0 ? this.random.pick(this.mapped) : undefined;
    const end = mapping ? Math.min(mapping.bytes, mapping.file.bytes.length) : 0;
    if (!mapping || end === 0) return;
    const at = this.random.below(end);
    const pfn = vfs.call("pageCacheFind", mapping.inode, BigInt(at >> 12));
    if (pfn === 0) return;
    vfs.exports.framePut!(pfn);
    const byte = Uint8Array.of(this.random.below(128));
    if (!this.machine.store(mapping.va + BigInt(at), byte)) throw new Error("a store to a mapping fails");
    mapping.file.bytes.set(byte, at);
    this.tell("store at once", 0);
  }

  private load(): void {
    const mapping = this.mapped.length > 0 ? this.random.pick(this.mapped) : undefined;
    const end = mapping ? Math.min(mapping.bytes, mapping.file.bytes.length) : 0;
    if (!mapping || end === 0) return;
    const got = this.machine.load(mapping.va, end);
    this.tell(got ? "load" : "load: SIGBUS", 0);
    if (got && (got.includes(FOREIGN) || got.includes(RAM_POISON))) throw new Error("a program is shown what is not the file system's");
    if (this.isModelled) expect(got && Buffer.compare(got, mapping.file.bytes.subarray(0, end))).toBe(0);
  }

  private unmap(): void {
    if (this.mapped.length === 0) return;
    const [gone] = this.mapped.splice(this.random.below(this.mapped.length), 1);
    this.tell("unmap", this.machine.unmap(gone!.va, gone!.bytes), 0);
  }

  private inodeOf(fd: number): number {
    const { vfs } = this.machine;
    const file = vfs.exports.fdGet!(fd) as number;
    const inode = vfs.view().getUint32(file + FILE.inode!, true);
    vfs.exports.filePut!(file);
    return inode;
  }

  private mkdir(): void {
    const path = this.random.pick(["/sub", "/other", "/a"]);
    const expected = this.files.has(path) || this.folders.has(path) ? -17 : 0;
    if (this.tell("mkdir", this.machine.path("sysMkdir", this.spelt(path), 0o755), expected) === 0) this.folders.add(path);
  }

  private isEmpty(folder: string): boolean {
    return ![...this.files.keys()].some((path) => path.startsWith(`${folder}/`));
  }

  private rmdir(): void {
    const path = this.random.pick(["/sub", "/other", "/a"]);
    const expected = this.files.has(path) ? -20 : !this.folders.has(path) ? -2 : this.isEmpty(path) ? 0 : -39;
    if (this.tell("rmdir", this.machine.path("sysRmdir", this.spelt(path)), expected) === 0) this.folders.delete(path);
  }

  private unlink(): void {
    const path = this.name();
    const expected = this.folders.has(path) ? -21 : this.files.has(path) ? 0 : -2;
    if (this.tell("unlink", this.machine.path("sysUnlink", this.spelt(path)), expected) === 0) this.files.delete(path);
  }

  /** Of files alone: the rules for directories are the VFS's, and tmpfs's tests'. */
  private rename(): void {
    const [from, to] = [this.name(), this.name()];
    if (this.isModelled && (this.folders.has(from) || this.folders.has(to))) return;
    const expected = this.files.has(from) && this.parentIsThere(to) ? 0 : -2;
    const result = this.tell("rename", this.machine.rename(this.spelt(from), this.spelt(to)), expected);
    const file = this.files.get(from);
    if (result !== 0 || !file || from === to) return;
    this.files.delete(from);
    this.files.set(to, file);
  }

  private list(): void {
    const path = this.random.pick(["", "/sub", "/other"]);
    const names = this.machine.list(this.top + path);
    this.tell("list", typeof names === "number" ? names : names.length);
    if (typeof names === "number") return;
    for (const name of names) if (name === "" || name.includes("/")) throw new Error(`a program is shown the name "${name}"`);
    if (this.isModelled) expect(new Set(names).size).toBe(names.length);
  }

  private close(): void {
    const open = this.opened.pop();
    if (open) this.tell("close", this.machine.vfs.sys("sysClose", open.fd), 0);
  }

  private sync(): void {
    const open = this.some();
    if (!open || this.random.chance(30)) this.machine.vfs.sys("sysSync");
    else this.tell("fsync", this.machine.vfs.sys("sysFsync", open.fd), 0);
  }

  /** Caches lose what they have, or times are set, or the sizes are asked. */
  private forget(): void {
    const { vfs } = this.machine;
    vfs.exports.servedPagesTrim(this.random.below(30));
    if (this.random.chance(50)) vfs.exports.dcacheShrink(0x7fffffff);
    this.tell("stat", this.machine.path("sysStat", this.top + this.name(), BigInt(ServedMachine.data)));
    this.tell("utimes", vfs.sys("sysUtimensat", AT_FDCWD, BigInt(vfs.text(this.top + this.name())), 0n, 0));
    this.tell("statfs", this.machine.path("sysStatfs", this.top, BigInt(ServedMachine.data)), 0);
  }

  /** S2 and the bounds of the device, for every open file. */
  private invariantsCheck(): void {
    const { vfs } = this.machine;
    const view = vfs.view();
    const u32 = (at: number): number => view.getUint32(at >>> 0, true);
    for (const { fd, file: { bytes } } of this.opened) {
      const file = vfs.exports.fdGet(fd) as number;
      const inode = u32(file + FILE.inode!);
      const si = u32(inode + INODE.data!);
      vfs.exports.filePut(file);
      if ((u32(inode + INODE.mode!) & 0o170000) !== IFREG) throw new Error("an open file turned into something else");
      const size = Number(view.getBigUint64(inode + INODE.size!, true));
      if (this.isModelled && size !== bytes.length) throw new Error(`fd ${fd} has ${size} bytes, not ${bytes.length}`);
      this.fs = u32(si + SERVED.fs!);
      const blockBytes = BigInt(u32(this.fs + SUPER.blockBytes!));
      const most = (view.getBigUint64(this.fs + SUPER.deviceBytes!, true) - view.getBigUint64(this.fs + SUPER.deviceStart!, true)) / blockBytes;
      let at = 0;
      for (let i = 0; i < u32(si + SERVED.extentCount!); i++) {
        const [fileBlock, deviceBlock, blocks] = [0, 1, 2].map((word) => u32(u32(si + SERVED.extents!) + (i * 3 + word) * 4));
        if (fileBlock !== at || blocks === 0 || BigInt(deviceBlock!) + BigInt(blocks!) > most) throw new Error(`extent ${i}: ${fileBlock} ${deviceBlock} ${blocks}`);
        at += blocks!;
      }
      const promised = (u32(si + SERVED.blocks!) + u32(si + SERVED.reserved!)) * Number(blockBytes);
      if (this.isModelled && promised < size) throw new Error(`fd ${fd} has ${size} bytes, and room for ${promised}`);
      if (at !== u32(si + SERVED.mapped!) || at > u32(si + SERVED.blocks!)) throw new Error(`extents reach to ${at} of ${u32(si + SERVED.blocks!)}`);
    }
  }
}
