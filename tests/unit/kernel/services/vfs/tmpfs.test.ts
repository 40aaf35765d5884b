/** Random operations on tmpfs through the system calls, against a model; and nothing is left over afterwards. */
import { E, Model, Node } from "./model.ts";
import { BUFFER, bootVfs, endProcess, startProcess, type Vfs } from "./vfs-machine.ts";

const AT_FDCWD = -100;
const O_RDWR = 2, O_CREAT = 0o100, O_EXCL = 0o200, O_TRUNC = 0o1000, O_APPEND = 0o2000, O_DIRECTORY = 0o200000, O_NOFOLLOW = 0o400000;
const MS_RDONLY = 1, MS_REMOUNT = 32;
const DATA = BUFFER + 0x40000;
const STAT = BUFFER + 0x20000;
const SEED = Number(process.env["SEED"] ?? 20260101);

/** mulberry32. */
function random(seed: number): (n: number) => number {
  let a = seed >>> 0;
  return (n) => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % n;
  };
}

class Driver {
  constructor(readonly vfs: Vfs) {}
  private path(text: string, slot = 0): bigint {
    return BigInt(this.vfs.text(text, slot));
  }
  mkdir(p: string): number { return this.vfs.sys("sysMkdir", this.path(p), 0o755); }
  rmdir(p: string): number { return this.vfs.sys("sysRmdir", this.path(p)); }
  unlink(p: string): number { return this.vfs.sys("sysUnlink", this.path(p)); }
  symlink(t: string, p: string): number { return this.vfs.sys("sysSymlink", this.path(t), this.path(p, 1)); }
  link(a: string, b: string): number { return this.vfs.sys("sysLink", this.path(a), this.path(b, 1)); }
  rename(a: string, b: string, flags = 0): number {
    return this.vfs.sys("sysRenameat2", AT_FDCWD, this.path(a), AT_FDCWD, this.path(b, 1), flags);
  }
  open(p: string, flags: number): number { return this.vfs.sys("sysOpen", this.path(p), flags, 0o644); }
  close(fd: number): number { return this.vfs.sys("sysClose", fd); }
  truncate(p: string, n: number): number { return this.vfs.sys("sysTruncate", this.path(p), BigInt(n)); }
  pwrite(fd: number, bytes: Uint8Array, pos: number): number {
    new Uint8Array(this.vfs.memory.buffer).set(bytes, DATA);
    return this.vfs.sys("sysPwrite64", fd, BigInt(DATA), BigInt(bytes.length), BigInt(pos));
  }
  read(fd: number, n: number): Uint8Array | number {
    const got = this.vfs.sys("sysRead", fd, BigInt(DATA), BigInt(n));
    return got < 0 ? got : new Uint8Array(this.vfs.memory.buffer).slice(DATA, DATA + got);
  }
  stat(p: string, follow = true): { ino: bigint; nlink: number; mode: number; size: number } | number {
    const r = this.vfs.sys("sysNewfstatat", AT_FDCWD, this.path(p), BigInt(STAT), follow ? 0 : 0x100);
    if (r < 0) return r;
    const v = this.vfs.view();
    return { ino: v.getBigUint64(STAT + 8, true), nlink: Number(v.getBigUint64(STAT + 16, true)), mode: v.getUint32(STAT + 24, true), size: Number(v.getBigUint64(STAT + 48, true)) };
  }
  list(p: string, bufferBytes = 200): string[] | number {
    const fd = this.open(p, O_DIRECTORY);
    if (fd < 0) return fd;
    const names: string[] = [];
    for (;;) {
      const n = this.vfs.sys("sysGetdents64", fd, BigInt(DATA), bufferBytes);
      if (n < 0) return n;
      if (n === 0) break;
      const v = this.vfs.view();
      for (let at = DATA; at < DATA + n; at += v.getUint16(at + 16, true)) {
        const bytes = new Uint8Array(this.vfs.memory.buffer, at + 19, 256);
        names.push(new TextDecoder().decode(bytes.slice(0, bytes.indexOf(0))));
      }
    }
    this.close(fd);
    return names.filter((n) => n !== "." && n !== "..").sort();
  }
}

const KIND = { dir: 0o040000, file: 0o100000, link: 0o120000 };
const LONG = "a-name-that-does-not-fit-into-the-dentry-itself";
const NAMES = ["a", "b", "cc", "dir", LONG, "x1234567", "y"];

function somePath(pick: (n: number) => number): string {
  const depth = 1 + pick(3);
  let path = pick(5) ? "/t" : "t";
  for (let i = 0; i < depth; i++) path += "/" + (pick(12) ? NAMES[pick(NAMES.length)] : pick(2) ? "." : "..");
  return pick(10) ? path : `${path}/`;
}

/** One random operation on both; what it was, for the failure message. */
function step(d: Driver, m: Model, pick: (n: number) => number): void {
  const p = somePath(pick);
  const q = somePath(pick);
  const check = (what: string, got: unknown, wanted: unknown): void => {
    if (JSON.stringify(got) !== JSON.stringify(wanted)) throw new Error(`seed ${SEED}: ${what}: got ${JSON.stringify(got)}, the model says ${JSON.stringify(wanted)}`);
  };
  switch (pick(11)) {
    case 0: return check(`mkdir ${p}`, d.mkdir(p), m.mkdir(p));
    case 1: return check(`rmdir ${p}`, d.rmdir(p), m.rmdir(p));
    case 2: return check(`unlink ${p}`, d.unlink(p), m.unlink(p));
    case 3: return check(`symlink ${q} ${p}`, d.symlink(q, p), m.symlink(q, p));
    case 4: return check(`link ${p} ${q}`, d.link(p, q), m.link(p, q));
    case 5:
    case 6: {
      const flags = [0, 0, 1, 2][pick(4)]!;
      return check(`rename ${p} ${q} ${flags}`, d.rename(p, q, flags), m.rename(p, q, flags));
    }
    case 7: {
      const fd = d.open(p, O_RDWR | O_CREAT | O_EXCL);
      if (fd >= 0) d.close(fd);
      return check(`create ${p}`, Math.min(fd, 0), m.create(p));
    }
    case 8: {
      const node = m.resolve(p);
      const fd = d.open(p, O_RDWR);
      const wanted = typeof node === "number" ? node : node.kind === "dir" ? E.ISDIR : 0;
      check(`open ${p}`, Math.min(fd, 0), wanted);
      if (fd >= 0) writeBoth(d, fd, node as Node, pick);
      return;
    }
    case 9: {
      const node = m.resolve(p);
      const size = pick(3) ? pick(20000) : pick(300);
      const wanted = typeof node === "number" ? node : node.kind === "dir" ? E.ISDIR : 0;
      check(`truncate ${p}`, d.truncate(p, size), wanted);
      if (wanted === 0) (node as Node).data = resized((node as Node).data, size);
      return;
    }
    default: {
      const follow = pick(2) === 0;
      const node = m.resolve(p, follow);
      const st = d.stat(p, follow);
      if (typeof node === "number") return check(`stat ${p}`, st, node);
      const size = node.kind === "file" ? node.data.length : node.kind === "link" ? node.target!.length : (st as { size: number }).size;
      return check(`stat ${p}`, typeof st === "number" ? st : { nlink: st.nlink, kind: st.mode & 0o170000, size: st.size }, { nlink: node.nlink, kind: KIND[node.kind], size });
    }
  }
}

function resized(data: Uint8Array, size: number): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(size);
  out.set(data.subarray(0, size));
  return out;
}

function writeBoth(d: Driver, fd: number, node: Node, pick: (n: number) => number): void {
  const bytes = Uint8Array.from({ length: 1 + pick(9000) }, () => pick(256));
  const pos = pick(12000);
  expect(d.pwrite(fd, bytes, pos)).toBe(bytes.length);
  node.data = resized(node.data, Math.max(node.data.length, pos + bytes.length));
  node.data.set(bytes, pos);
  const back = d.read(fd, 100000) as Uint8Array;
  expect(Buffer.compare(Buffer.from(back), Buffer.from(node.data))).toBe(0);
  expect(d.close(fd)).toBe(0);
}

/** Compares the whole trees. */
function compareTree(d: Driver, node: Node, path: string): void {
  expect(d.list(path || "/")).toEqual([...node.entries!.keys()].sort());
  for (const [name, child] of node.entries!) {
    const at = `${path}/${name}`;
    const st = d.stat(at, false) as { nlink: number; mode: number; size: number };
    expect({ at, nlink: st.nlink, kind: st.mode & 0o170000 }).toEqual({ at, nlink: child.nlink, kind: KIND[child.kind] });
    if (child.kind === "dir") compareTree(d, child, at);
    if (child.kind === "file") {
      const fd = d.open(at, 0);
      expect(Buffer.compare(Buffer.from(d.read(fd, 200000) as Uint8Array), Buffer.from(child.data))).toBe(0);
      d.close(fd);
    }
  }
}

/** rm -r of everything below `path`. */
function removeTree(d: Driver, node: Node, path: string): void {
  for (const [name, child] of node.entries!) {
    if (child.kind === "dir") {
      removeTree(d, child, `${path}/${name}`);
      expect(d.rmdir(`${path}/${name}`)).toBe(0);
    } else {
      expect(d.unlink(`${path}/${name}`)).toBe(0);
    }
  }
}

test("random operations agree with the model and leak nothing", async () => {
  const vfs = await bootVfs();
  startProcess(vfs);
  const d = new Driver(vfs);
  d.close(d.open("/warm", O_RDWR | O_CREAT));
  d.unlink("/warm");
  const before = vfs.inUse();
  for (let round = 0; round < 4; round++) {
    const pick = random(SEED + round);
    const m = new Model();
    expect(d.mkdir("/t")).toBe(m.mkdir("/t"));
    for (let i = 0; i < 4000; i++) {
      step(d, m, pick);
      if (i % 500 === 0) vfs.call("dcacheShrink", 1000); // the cache must never be what remembers
    }
    compareTree(d, m.root, "");
    removeTree(d, m.root, "");
    expect(vfs.inUse()).toEqual(before);
  }
  endProcess(vfs);
}, 60_000);

test("10,000 names in one directory: found, listed once each, removed", async () => {
  const vfs = await bootVfs();
  startProcess(vfs);
  const d = new Driver(vfs);
  d.mkdir("/big");
  for (let i = 0; i < 10_000; i++) d.close(d.open(`/big/f${i}`, O_RDWR | O_CREAT));
  expect((d.list("/big", 4096) as string[]).length).toBe(10_000);
  expect(new Set(d.list("/big", 4096) as string[]).size).toBe(10_000);
  for (let i = 0; i < 10_000; i++) expect(d.unlink(`/big/f${i}`)).toBe(0);
  expect(d.list("/big")).toEqual([]);
  expect(d.rmdir("/big")).toBe(0);
}, 60_000);

test("open flags: O_TRUNC, O_APPEND, O_NOFOLLOW, unlinked files live on, descriptors are the lowest free", async () => {
  const vfs = await bootVfs();
  startProcess(vfs);
  const d = new Driver(vfs);
  const fd = d.open("/f", O_RDWR | O_CREAT);
  expect(fd).toBe(0);
  expect(d.pwrite(fd, Uint8Array.from([1, 2, 3]), 0)).toBe(3);
  expect(d.unlink("/f")).toBe(0);
  expect(d.stat("/f")).toBe(E.NOENT);
  expect([...(d.read(fd, 10) as Uint8Array)]).toEqual([1, 2, 3]);
  const again = d.open("/f", O_RDWR | O_CREAT | O_APPEND);
  expect(again).toBe(1);
  vfs.sys("sysWrite", again, BigInt(DATA), 3n);
  vfs.sys("sysWrite", again, BigInt(DATA), 3n);
  expect((d.stat("/f") as { size: number }).size).toBe(6);
  d.close(d.open("/f", O_RDWR | O_TRUNC));
  expect((d.stat("/f") as { size: number }).size).toBe(0);
  d.symlink("/f", "/l");
  expect(d.open("/l", O_NOFOLLOW)).toBe(E.LOOP);
  expect(d.open("/l/", 0)).toBe(E.NOTDIR);
  expect(d.close(0)).toBe(0);
  expect(d.close(0)).toBe(-9);
  expect(vfs.sys("sysDup", 1)).toBe(0);
  expect(vfs.sys("sysFcntl", 1, 0, 100n)).toBe(100);
  expect(d.close(100)).toBe(0);
});

test("a remount read-only is busy while a file is open for writing, and lets nobody write afterwards", async () => {
  const vfs = await bootVfs();
  startProcess(vfs);
  const d = new Driver(vfs);
  const remount = (flags: number): number =>
    vfs.sys("sysMount", BigInt(vfs.text("none", 1)), BigInt(vfs.text("/", 2)), 0n, MS_REMOUNT | flags, 0n);
  const writer = d.open("/f", O_RDWR | O_CREAT);
  expect(remount(MS_RDONLY)).toBe(E.BUSY);
  expect(d.pwrite(writer, Uint8Array.of(1), 0)).toBe(1);
  expect(d.close(writer)).toBe(0);
  const reader = d.open("/f", 0);
  expect(remount(MS_RDONLY)).toBe(0);
  expect(d.open("/f", O_RDWR)).toBe(E.ROFS);
  expect(d.open("/f", O_TRUNC)).toBe(E.ROFS);
  expect(remount(0)).toBe(0);
  expect(d.close(d.open("/f", O_RDWR))).toBe(0);
  expect(remount(MS_RDONLY)).toBe(0);
  expect(d.close(reader)).toBe(0);
});
