/** Single behaviours of the FAT server: options, full volumes, spellings, what a call may cost. */
import { text, utf8 } from "../../../support/protocol.ts";
import { EIO, ENOENT, FatClient, NOW } from "./fat-client.ts";
import { fatCheck } from "./fat-check.ts";
import { fatFormat, fatPut, geometryOf, SMALL_FAT16, SMALL_FAT32, type FatShape } from "./fat-image.ts";
import { FatMachine } from "./fat-machine.ts";

const EINVAL = -22;
const ENOSPC = -28;
const EROFS = -30;
/** Clusters of a chain that is freed in several pieces (files.ts). */
const LONG = 20_000n;
const OWNER_BITS = 0o777;

const machineOf = (shape: FatShape): FatMachine => new FatMachine(fatFormat(shape));
const statusOf = (machine: FatMachine, options: string): number => {
  const { status } = machine.mount(options);
  if (status === 0) machine.unmount();
  return status;
};

test("mount options: those of Linux's vfat that are kept; all others are EINVAL", () => {
  const machine = machineOf(SMALL_FAT32);
  for (const options of ["", "rw", "uid=7,gid=8,umask=027", "utf8=1,iocharset=utf8,codepage=437,shortname=mixed,errors=remount-ro", "flush,quiet"]) {
    expect({ options, status: statusOf(machine, options) }).toEqual({ options, status: 0 });
  }
  for (const options of ["bogus", "uid=x", "umask=888", "uid", "shortname=long", "iocharset=latin1", "uid=1,,x=1", "ro=1"]) {
    expect({ options, status: statusOf(machine, options) }).toEqual({ options, status: EINVAL });
  }
});

test("what is no FAT volume is EINVAL: zeros, another file system, a boot sector that claims more than the disk has", () => {
  const machine = machineOf(SMALL_FAT32);
  const good = machine.disk;
  machine.disk = new Uint8Array(1 << 20);
  expect(statusOf(machine, "")).toBe(EINVAL);
  machine.disk = good.slice(0, good.length - 4096);
  expect(statusOf(machine, "")).toBe(EINVAL);
  machine.disk = new Uint8Array(1024);
  expect(statusOf(machine, "")).toBe(EINVAL);
});

test("modes and owners come from the options; the read-only attribute is all that chmod keeps", () => {
  const machine = machineOf(SMALL_FAT32);
  const client = new FatClient(machine, "uid=7,gid=8,fmask=0137,dmask=0027");
  client.create(client.root, "f", false);
  const { node, attributes } = client.at("/f");
  expect({ mode: attributes.mode & OWNER_BITS, uid: attributes.uid, gid: attributes.gid }).toEqual({ mode: 0o640, uid: 7, gid: 8 });
  const set = (mode: number): number => machine.must("setattr", { node, atimeNs: 0n, mtimeNs: 0n, valid: 1, mode }).attributes.mode & OWNER_BITS;
  expect([set(0o444), set(0o700), set(0o644)]).toEqual([0o440, 0o440, 0o640]); // 0700 lacks what the mask leaves the group: nothing happens
});

test("times: mtime to two seconds, atime to the day", () => {
  const machine = machineOf(SMALL_FAT32);
  const client = new FatClient(machine);
  client.create(client.root, "f", false);
  const times = { atimeNs: NOW + 5n, mtimeNs: NOW + 3_999_999_999n };
  const { attributes } = machine.must("setattr", { node: client.at("/f").node, ...times, valid: 6, mode: 0 });
  expect([attributes.atimeNs, attributes.mtimeNs]).toEqual([NOW - NOW % 86_400_000_000_000n, NOW + 2_000_000_000n]);
});

test("a chain that is longer than its file's size says goes with the file", () => {
  const machine = machineOf({ ...SMALL_FAT32, clusters: 30_000 });
  const client = new FatClient(machine);
  client.create(client.root, "f", false);
  const before = client.blocksFree;
  let { node } = client.at("/f");
  let have = 0n;
  while (have < LONG) {
    const allotted = machine.must("allocate", { node, have, blocks: LONG, size: 0n, timeNs: NOW });
    node = allotted.node;
    have = allotted.blocks;
  }
  machine.unmount();
  const again = new FatClient(machine);
  const { attributes } = again.at("/f");
  expect([attributes.size, attributes.blocks]).toEqual([0n, 0n]);
  expect(again.remove(again.root, "f")).toBe(0);
  expect(again.blocksFree).toBe(before);
  machine.unmount();
  expect(fatCheck(machine.disk)).toMatchObject({ problems: [], lost: 0 });
});

test("a volume mounted read-only is not written to, marked neither", () => {
  const machine = machineOf(SMALL_FAT32);
  const before = machine.disk.slice();
  const client = new FatClient(machine, "ro");
  expect(client.create(client.root, "f", false)).toBe(EROFS);
  expect(machine.call("sync", { clean: 1 }).status).toBe(0);
  expect(Buffer.compare(machine.disk, before)).toBe(0);
});

test("a full volume: as many blocks as there are, then ENOSPC with nothing changed; a full root of FAT16", () => {
  const machine = machineOf({ ...SMALL_FAT32, clusters: 100 });
  const client = new FatClient(machine);
  client.create(client.root, "f", false);
  expect(client.reserve(client.at("/f"), 1000 * 512)).toBe(ENOSPC);
  expect(client.at("/f").blocks).toBe(99);
  expect(client.create(client.root, "d", true)).toBe(ENOSPC);
  expect(client.remove(client.root, "f")).toBe(0);
  machine.unmount();
  expect(fatCheck(machine.disk)).toMatchObject({ problems: [], lost: 0, isCountRight: true, free: 99 });

  const small = new FatClient(machineOf({ ...SMALL_FAT16, rootEntries: 16 }));
  for (let i = 0; i < 16; i++) expect(small.create(small.root, `f${i}`, false)).toBe(0);
  expect(small.create(small.root, "f16", false)).toBe(ENOSPC);
});

test("spellings: a change of case stays in its entry, a file renamed over another takes over its entry", () => {
  const machine = machineOf(SMALL_FAT32);
  const client = new FatClient(machine);
  for (const name of ["A Long Name.text", "short.txt", "victim.txt"]) client.create(client.root, name, false);
  const places = (): number[] => [...fatCheck(machine.disk).tree.values()].map(({ at }) => at);
  const before = places();
  expect(client.rename(client.root, "A Long Name.text", client.root, "a LONG name.TEXT")).toBe(0);
  expect(client.rename(client.root, "short.txt", client.root, "SHORT.TXT")).toBe(0);
  expect(places()).toEqual(before);
  expect([...fatCheck(machine.disk).tree.keys()]).toEqual(["/a LONG name.TEXT", "/SHORT.TXT", "/victim.txt"]);
  expect(client.rename(client.root, "short.txt", client.root, "VICTIM.TXT")).toBe(0);
  expect(places()).toEqual([before[0], before[2]]);
  expect([...fatCheck(machine.disk).tree.keys()]).toEqual(["/a LONG name.TEXT", "/victim.txt"]);
});

test("aliases: what has a long name is found by its short one too, in any case, and named by the long one; an own name comes first", () => {
  const machine = machineOf(SMALL_FAT32);
  const client = new FatClient(machine);
  for (const name of ["Longish name.text", "longish name.texture", "dot.at.last.md", "short.txt", "a~b"]) client.create(client.root, name, false);
  const listed = (alias: string): string | number => {
    const { status, reply } = machine.call("lookup", { dir: client.root.node, name: utf8(alias) });
    return status === 0 ? text(reply.name) : status;
  };
  expect(["LONGIS~1.TEX", "longis~1.Tex", "LONGIS~2.TEX", "dotatl~1.md"].map(listed)).toEqual(
    ["Longish name.text", "Longish name.text", "longish name.texture", "dot.at.last.md"]);
  expect(["SHORT.TXT", "A~B", "Longish Name.TEXT"].map(listed)).toEqual(["", "", ""]);
  expect(["LONGIS~3.TEX", "LONGIS~1.TEXT", "LONGIS~1", "DOT.AT~1.MD", "short~1.txt"].map(listed)).toEqual([ENOENT, ENOENT, ENOENT, ENOENT, ENOENT]);
  expect(client.remove(client.root, "Longish name.text")).toBe(0);
  expect(listed("LONGIS~1.TEX")).toBe(ENOENT);
});

test("short names are in code page 437: shown as its letters, small ones where a flag says so, and found by them", () => {
  const machine = machineOf(SMALL_FAT32);
  const client = new FatClient(machine);
  for (const name of ["XXPER.TXT", "yyer.txt"]) client.create(client.root, name, false);
  machine.unmount();
  const disk = Buffer.from(machine.disk.buffer);
  for (const [short, bytes] of [["XXPER   TXT", [0x9a, 0x80]], ["YYER    TXT", [0x9a, 0xe1]]] as const) disk.set(bytes, disk.indexOf(short, 0, "latin1"));
  const again = new FatClient(machine);
  expect(again.list(again.root).map(({ name }) => name)).toEqual(["ÜÇPER.TXT", "üßer.txt"]);
  expect(again.rename(again.root, "ÜÇPER.TXT", again.root, "Ünglich.text")).toBe(0);
  expect(again.remove(again.root, "üßer.txt")).toBe(0);
  expect(again.list(again.root).map(({ name }) => name)).toEqual(["Ünglich.text"]);
});

test.each([["", EROFS], ["errors=continue", 0]])("a damaged volume (%s): EIO, and then it is read-only unless told otherwise", (options, after) => {
  const machine = machineOf(SMALL_FAT32);
  const client = new FatClient(machine, options);
  client.create(client.root, "f", false);
  expect(client.reserve(client.at("/f"), 3000)).toBe(0);
  const geometry = geometryOf(machine.disk);
  fatPut(machine.disk, geometry, Number(client.at("/f").node.n0), 0x0ffff000);
  machine.restart();
  const { status } = machine.call("extents", { node: client.at("/f").node, fileBlock: 0n, blocks: 5n });
  expect(status).toBe(EIO);
  expect(client.create(client.root, "g", false)).toBe(after);
  machine.restart();
  expect(client.create(client.root, "h", false)).toBe(after);
});

test("shortname=lower shows names without a long one in small letters", () => {
  const machine = machineOf(SMALL_FAT32);
  const client = new FatClient(machine);
  client.create(client.root, "UPPER.TXT", false);
  machine.unmount();
  expect(new FatClient(machine, "shortname=lower").list(new FatClient(machine, "shortname=lower").root).map(({ name }) => name)).toEqual(["upper.txt"]);
});

test("a directory of thousands: making, finding and removing one name costs no walk through it", () => {
  const machine = machineOf({ ...SMALL_FAT32, clusterSectors: 8, clusters: 2000 });
  const client = new FatClient(machine);
  const work = { create: 0, lookup: 0, unlink: 0 };
  for (let i = 0; i < 4000; i++) {
    expect(client.create(client.root, `a longer name for ${i}.text`, false)).toBe(0);
    if (i > 3900) work.create = Math.max(work.create, machine.work);
  }
  client.root.children.clear();
  for (let i = 0; i < 4000; i += 13) {
    const name = `a longer name for ${i}.text`;
    const found = machine.must("lookup", { dir: client.root.node, name: utf8(name) });
    work.lookup = Math.max(work.lookup, i > 0 ? machine.work : 0);
    machine.must("unlink", { dir: client.root.node, node: found.node, timeNs: NOW, name: utf8(name) });
    work.unlink = Math.max(work.unlink, machine.work);
  }
  expect(work.create).toBeLessThan(40);
  expect(work.lookup).toBeLessThan(8);
  expect(work.unlink).toBeLessThan(16);
  expect(client.list(client.root)).toHaveLength(4000 - Math.ceil(4000 / 13));
});
