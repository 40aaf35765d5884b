/**
 * Mounts whose servers die, and lie: what a lawful server keeps is found again; what an unlawful one says ends in an errno, touches nothing
 * but its own device, and leaves nothing behind. SEED=n replays, SERVED_STEPS=n is the length of each of the rounds.
 */
import { Random } from "../../../../support/random.ts";
import { Liar } from "./liar.ts";
import { RandomProgram } from "./random-program.ts";
import { FOREIGN, RAM_POISON, ServedMachine } from "./served-machine.ts";
import { TreeServer } from "./tree-server.ts";

const SEED = Number(process.env["SEED"] ?? 20261126);
const STEPS = Number(process.env["SERVED_STEPS"] ?? 400);
const ROUNDS = 5;
const TAME = 0;
const WILD = 1;
const PAGE = 4096;
const EIO = -5;
const ENOMEM = -12;
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

function trees(): TreeServer[] { return [new TreeServer(512, 4096, 2000), new TreeServer(1024, 8192, 1000)]; }

test("a file written through a lawful server is there after the next mount", async () => {
  const machine = await ServedMachine.start(trees());
  const before = machine.vfs.inUse();
  expect(machine.mount(TAME)).toBe(0);
  const bytes = Uint8Array.from({ length: 20_000 }, (_, i) => i % 251);
  const fd = machine.path("sysOpen", "/tame/a", 0o102, 0o644);
  expect(machine.pwrite(fd, bytes, 100)).toBe(bytes.length);
  machine.vfs.sys("sysClose", fd);
  expect(machine.unmount(TAME)).toBe(0);
  expect(machine.mount(TAME)).toBe(0);
  const again = machine.path("sysOpen", "/tame/a", 0, 0);
  expect(machine.pread(again, 30_000, 100)).toEqual(bytes);
  machine.vfs.sys("sysClose", again);
  expect(machine.unmount(TAME)).toBe(0);
  expect(machine.trespasses).toEqual([]);
  expect(machine.vfs.inUse()).toEqual(before);
});

test("what is stored through a mapping after it was written back is written back too", async () => {
  const machine = await ServedMachine.start(trees());
  const before = machine.vfs.inUse();
  expect(machine.mount(TAME)).toBe(0);
  const fd = machine.path("sysOpen", "/tame/a", 0o102, 0o644);
  expect(machine.pwrite(fd, new Uint8Array(3 * PAGE), 0)).toBe(3 * PAGE);
  const va = machine.map(fd, 3 * PAGE);
  machine.store(va, utf8("AAAA"));
  machine.store(va + 4096n, utf8("AAAA"));
  machine.vfs.sys("sysSync");
  const stored: boolean[] = [];
  machine.onWrite = () => { stored.push(machine.store(va + 4096n, utf8(`C${stored.length}`))); }; // the device may have it, or not
  machine.store(va, utf8("BBBB"));
  machine.store(va + 4096n, utf8("BBBB"));
  expect(machine.vfs.sys("sysFsync", fd)).toBe(0);
  machine.onWrite = () => undefined;
  expect(stored.length).toBeGreaterThan(0);
  expect(machine.unmap(va, 3 * PAGE)).toBe(0);
  machine.vfs.sys("sysClose", fd);
  expect(machine.unmount(TAME)).toBe(0);
  expect(machine.mount(TAME)).toBe(0);
  const again = machine.path("sysOpen", "/tame/a", 0, 0);
  expect(machine.pread(again, 4, 0)).toEqual(utf8("BBBB"));
  expect(machine.pread(again, 4, PAGE)).toEqual(utf8(`C${stored.length - 1}BB`));
  machine.vfs.sys("sysClose", again);
  expect(machine.unmount(TAME)).toBe(0);
  expect(machine.vfs.inUse()).toEqual(before);
});

test("a hole is written without memory for it, and reads of a mapping make nothing dirty", async () => {
  const machine = await ServedMachine.start(trees());
  expect(machine.mount(TAME)).toBe(0);
  const fd = machine.path("sysOpen", "/tame/a", 0o102, 0o644);
  expect(machine.pwrite(fd, utf8("precious"), 0)).toBe(8);
  expect(machine.vfs.sys("sysFtruncate", fd, 100n * 4096n)).toBe(0);
  const pages = machine.vfs.freePages();
  expect(machine.vfs.sys("sysFsync", fd)).toBe(0);
  expect(Number(pages - machine.vfs.freePages())).toBeLessThan(20); // buffers of metadata may come
  const { firstSector, tree } = machine.servers[TAME]!;
  expect(tree.blocksFree()).toBe(2000 - 800);
  const data = machine.driver.contents.subarray((firstSector + tree.deviceStart / 512) * 512, (firstSector + 2048) * 512);
  expect([data.includes(FOREIGN), data.includes(RAM_POISON)]).toEqual([false, false]);
  const va = machine.map(fd, 100 * PAGE);
  expect(machine.load(va, 100 * PAGE)).toEqual(Uint8Array.from({ length: 100 * PAGE }, (_, i) => utf8("precious")[i] ?? 0));
  expect(machine.vfs.call("dirtyPages")).toBe(0);
  expect(machine.unmap(va, 100 * PAGE)).toBe(0);
  machine.vfs.sys("sysClose", fd);
  expect(machine.unmount(TAME)).toBe(0);
});

test("want of memory gives nothing up: it is tried again", async () => {
  const machine = await ServedMachine.start(trees());
  expect(machine.mount(TAME)).toBe(0);
  const server = machine.servers[TAME]!;
  const fd = machine.path("sysOpen", "/tame/a", 0o102, 0o644);
  const bytes = Uint8Array.from({ length: 20_000 }, (_, i) => i % 251);
  expect(machine.pwrite(fd, bytes, 100)).toBe(bytes.length);
  server.spoil = (call) => { if (call.method === "allocate") call.status = ENOMEM; };
  expect(machine.vfs.sys("sysFsync", fd)).toBe(ENOMEM);
  machine.vfs.sys("sysSync");
  server.spoil = () => undefined;
  expect(machine.vfs.sys("sysFsync", fd)).toBe(0);
  machine.vfs.sys("sysClose", fd);
  expect(machine.unmount(TAME)).toBe(0);
  expect(machine.mount(TAME)).toBe(0);
  const again = machine.path("sysOpen", "/tame/a", 0, 0);
  expect(machine.pread(again, 30_000, 100)).toEqual(bytes);
  machine.vfs.sys("sysClose", again);
  server.spoil = (call) => { if (call.method === "allocate") call.status = ENOMEM; };
  const other = machine.path("sysOpen", "/tame/b", 0o102, 0o644);
  expect(machine.pwrite(other, bytes, 0)).toBe(bytes.length);
  machine.vfs.sys("sysClose", other);
  expect(machine.unmount(TAME)).toBe(0); // not for ever
  expect(machine.vfs.call("dirtyPages")).toBe(0);
});

test("a page that cannot be read ahead is no reader's error until somebody wants it; one that cannot be written is lost alone", async () => {
  const machine = await ServedMachine.start(trees());
  expect(machine.mount(TAME)).toBe(0);
  const fd = machine.path("sysOpen", "/tame/a", 0o102, 0o644);
  const bytes = Uint8Array.from({ length: 40 * PAGE }, (_, i) => i % 251);
  bytes.set(utf8("bad one"), 20 * PAGE);
  expect(machine.pwrite(fd, bytes, 0)).toBe(bytes.length);
  expect(machine.vfs.sys("sysFsync", fd)).toBe(0);
  const bad = Buffer.from(machine.driver.contents).indexOf("bad one") / 512;
  const honest = machine.driver.statusOf!;
  machine.driver.statusOf = (request) => (request.sector <= bad && bad < request.sector + request.sectors ? EIO : honest(request));
  expect(machine.pwrite(fd, utf8("new"), 5 * PAGE)).toBe(3);
  expect(machine.pwrite(fd, utf8("lost"), 20 * PAGE)).toBe(4);
  expect(machine.pwrite(fd, utf8("new"), 30 * PAGE)).toBe(3);
  expect(machine.vfs.sys("sysFsync", fd)).toBe(EIO);
  machine.vfs.exports.servedPagesTrim!(1000);
  for (let page = 0; page < 40; page++) {
    const expected = bytes.slice(page * PAGE, (page + 1) * PAGE);
    if (page === 5 || page === 30) expected.set(utf8("new"));
    const got = machine.pread(fd, PAGE, page * PAGE);
    if (page === 20) expect(got).toBe(EIO);
    else expect({ page, same: Buffer.compare(got as Uint8Array, expected) }).toEqual({ page, same: 0 });
  }
  machine.vfs.sys("sysClose", fd);
  expect(machine.unmount(TAME)).toBe(0);
});

test("servers that die at any moment of a call: programs see files as the model has them", async () => {
  const random = new Random(SEED);
  const machine = await ServedMachine.start(trees());
  const before = machine.vfs.inUse();
  const server = machine.servers[TAME]!;
  server.isKilledBefore = () => random.chance(3);
  server.spoil = (call) => { if (random.chance(3)) call.status = "die"; };
  expect(machine.mount(TAME)).toBe(0);
  const program = new RandomProgram(machine, random, "/tame", true);
  machine.onWrite = () => { if (random.chance(20)) program.storeAtOnce(); };
  for (let round = 0; round < ROUNDS; round++) {
    for (let i = 0; i < STEPS; i++) program.step();
    program.end();
    program.compare();
    expect(machine.unmount(TAME)).toBe(0);
    expect(machine.mount(TAME)).toBe(0);
    program.compare();
  }
  expect(machine.unmount(TAME)).toBe(0);
  expect(server.ended).toBeGreaterThan(20);
  for (const what of ["store", "store in a child", "store at once", "load"]) expect(program.results.get(what)).toBeGreaterThan(STEPS / 40);
  expect(machine.trespasses).toEqual([]);
  expect(machine.vfs.inUse()).toEqual(before);
}, 60_000);

test("servers that answer anything at all", async () => {
  const machine = await ServedMachine.start(trees());
  const tame = new RandomProgram(machine, new Random(SEED), "/tame", true);
  expect(machine.mount(TAME)).toBe(0);
  for (let i = 0; i < STEPS; i++) tame.step();
  tame.end();
  const before = machine.vfs.inUse();
  const told = new Map<string, number>();
  let mounted = 0;
  for (let round = 0; round < ROUNDS * 12; round++) {
    const random = new Random(SEED + round);
    const server = machine.servers[WILD]!;
    server.tree = trees()[WILD]!;
    const liar = new Liar(random);
    const [percent, isMountLied] = [random.pick([1, 5, 30, 100]), random.chance(30)];
    server.spoil = (call) => { if (random.chance(percent) && (isMountLied || !/mount|attach/.test(call.method))) liar.spoil(call); };
    machine.allowed = [WILD];
    if (machine.mount(WILD) === 0) {
      mounted++;
      const program = new RandomProgram(machine, random, "/wild", false);
      for (let i = 0; i < STEPS / 4; i++) program.step();
      program.end();
      expect({ round, unmounted: machine.unmount(WILD) }).toEqual({ round, unmounted: 0 });
    }
    machine.allowed = [TAME, WILD];
    liar.told.forEach((count, kind) => told.set(kind, (told.get(kind) ?? 0) + count));
    expect({ round, trespasses: machine.trespasses }).toEqual({ round, trespasses: [] });
    expect({ round, ...machine.vfs.inUse() }).toEqual({ round, ...before });
  }
  tame.compare();
  expect(machine.unmount(TAME)).toBe(0);
  expect(mounted).toBeGreaterThan(ROUNDS * 6);
  expect([...told.values()].every((count) => count > 20) && told.size).toBe(9);
}, 60_000);
