/** The initramfs unpacker: what a good archive becomes, and that no bad one hurts. */
import { BUFFER, bootVfs, type Vfs } from "./vfs-machine.ts";

const ARCHIVE_PA = 0x2000000n; // 32 MiB

interface Member { name: string; mode: number; data?: Uint8Array | string; nlink?: number; ino?: number; rdev?: [number, number] }

function pad4(bytes: number[]): void {
  while (bytes.length % 4) bytes.push(0);
}

export function newc(members: Member[]): Uint8Array {
  const out: number[] = [];
  const all = [...members, { name: "TRAILER!!!", mode: 0 }] as Member[];
  all.forEach((m, i) => {
    const data = typeof m.data === "string" ? new TextEncoder().encode(m.data) : m.data ?? new Uint8Array();
    const name = new TextEncoder().encode(`${m.name}\0`);
    const numbers = [m.ino ?? i + 1, m.mode, 0, 0, m.nlink ?? 1, 1700000000, data.length, 0, 0, m.rdev?.[0] ?? 0, m.rdev?.[1] ?? 0, name.length, 0];
    out.push(...new TextEncoder().encode("070701" + numbers.map((n) => n.toString(16).padStart(8, "0")).join("")));
    out.push(...name);
    pad4(out);
    for (const b of data) out.push(b);
    pad4(out);
  });
  return Uint8Array.from(out);
}

function unpack(vfs: Vfs, archive: Uint8Array): number {
  vfs.machine.bytes(ARCHIVE_PA, archive.length).set(archive);
  return vfs.call("initramfsUnpack", ARCHIVE_PA, BigInt(archive.length));
}

function readAll(vfs: Vfs, path: string): string {
  const length = path.length;
  const file = vfs.call("fileOpenKernel", vfs.text(path), length, 0) >>> 0;
  if (file > 0xfffff000) return `error ${file | 0}`;
  const n = vfs.call("fileReadKernel", file, BUFFER + 65536, 65536, 0n);
  const text = new TextDecoder().decode(new Uint8Array(vfs.memory.buffer, BUFFER + 65536, n).slice());
  vfs.call("filePut", file);
  return text;
}

test("a good archive: directories, files, links, devices, hard links", async () => {
  const vfs = await bootVfs();
  const big = "x".repeat(10000);
  const n = unpack(vfs, newc([
    { name: ".", mode: 0o40755 },
    { name: "bin", mode: 0o40755 },
    { name: "bin/busybox", mode: 0o100755, data: big },
    { name: "bin/sh", mode: 0o120777, data: "busybox" },
    { name: "init", mode: 0o120777, data: "/bin/sh" },
    { name: "deep/er/file", mode: 0o100644, data: "hello" },
    { name: "a", mode: 0o100644, nlink: 2, ino: 77 },
    { name: "b", mode: 0o100644, nlink: 2, ino: 77, data: "shared" },
    { name: "dev/null", mode: 0o20666, rdev: [1, 3] },
  ]));
  expect(n).toBe(8);
  expect(readAll(vfs, "/init")).toBe(big);
  expect(readAll(vfs, "/deep/../deep//er/./file")).toBe("hello");
  expect(readAll(vfs, "/a")).toBe("shared");
  expect(readAll(vfs, "/b")).toBe("shared");
  expect(readAll(vfs, "/dev/null")).toBe("error -6");
  expect(readAll(vfs, "/none")).toBe("error -2");
});

test("names that climb out, and a file where a directory must be, stop the unpacking", async () => {
  const vfs = await bootVfs();
  expect(unpack(vfs, newc([{ name: "../x", mode: 0o100644 }]))).toBe(-22);
  expect(unpack(vfs, newc([{ name: "f", mode: 0o100644 }, { name: "f/g", mode: 0o100644 }]))).toBe(1);
  expect(unpack(vfs, new Uint8Array(100).fill(0x31))).toBe(-22);
});

/** xorshift32. */
function random(seed: number): (n: number) => number {
  let x = seed | 1;
  return (n) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % n;
  };
}

const GOOD = newc([
  { name: "d", mode: 0o40755 },
  { name: "d/f", mode: 0o100644, data: "z".repeat(5000) },
  { name: "d/l", mode: 0o120777, data: "f" },
  { name: "h1", mode: 0o100644, nlink: 2, ino: 5 },
  { name: "h2", mode: 0o100644, nlink: 2, ino: 5, data: "linked" },
  { name: "null", mode: 0o20666, rdev: [1, 3] },
]);

/** One to four edits: digits, bytes, cuts, doubled pieces. */
function mutate(pick: (n: number) => number): Uint8Array {
  let bytes = Uint8Array.from(GOOD);
  for (let edits = 1 + pick(4); edits > 0; edits--) {
    const at = pick(bytes.length);
    const kind = pick(5);
    if (kind === 0) bytes[at] = pick(256);
    else if (kind === 1) bytes[at] = "0123456789abcdefF/.\0"[pick(20)]!.charCodeAt(0);
    else if (kind === 2) bytes = bytes.slice(0, at + 1);
    else if (kind === 3) bytes = Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(pick(at + 1))]);
    else bytes.set(new TextEncoder().encode("ffffffff").subarray(0, Math.min(8, bytes.length - at)), at);
  }
  return bytes.length ? bytes : GOOD;
}

test("10,000 damaged archives: an answer each time, and the kernel goes on", async () => {
  const seed = Number(process.env["SEED"] ?? 4711);
  const pick = random(seed);
  for (let batch = 0; batch < 10; batch++) {
    const vfs = await bootVfs();
    for (let i = 0; i < 1000; i++) {
      const archive = mutate(pick);
      const result = unpack(vfs, archive);
      if (result < -4095 || result > 200) throw new Error(`seed ${seed} batch ${batch} archive ${i}: ${result}`);
    }
    const fresh = newc([{ name: "proof", mode: 0o100644, data: "alive" }]);
    expect(unpack(vfs, fresh)).toBe(1);
    expect(readAll(vfs, "/proof")).toBe("alive");
  }
}, 120_000);
