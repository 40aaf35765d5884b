/**
 * sync(2), write-back and unmounting of several mounts: what each waits for, and what it does not wait for. The test plays the flushers:
 * it decides whose turn it is. SEED=n replays.
 */
import { Random } from "../../../../support/random.ts";
import { ServedMachine } from "./served-machine.ts";
import { TreeServer } from "./tree-server.ts";

const SEED = Number(process.env["SEED"] ?? 20261126);
const STEPS = 400;
const SECTOR = 512;
const O_RDWR_CREAT = 0o102;
const MNT_DETACH = 2;
const TAME = 0;
const WILD = 1;
const NAMES = ["tame", "wild"];

/** Two mounts, tame at place 0 and wild at 1, which the kernel believes to have flushers. */
async function mounted(): Promise<ServedMachine> {
  const machine = await ServedMachine.start([new TreeServer(512, 4096, 2000), new TreeServer(1024, 8192, 1000)]);
  for (const index of [TAME, WILD]) {
    expect(machine.vfs.call("flusherTake", index)).toBe(1);
    expect(machine.mount(index)).toBe(0);
  }
  return machine;
}

/** Makes file f of a mount dirty. */
function write(machine: ServedMachine, index: number, text: string): void {
  const fd = machine.path("sysOpen", `/${NAMES[index]}/f`, O_RDWR_CREAT, 0o644);
  expect(machine.pwrite(fd, new TextEncoder().encode(text), 0)).toBe(text.length);
  machine.vfs.sys("sysClose", fd);
}

/** Its partition has `text` somewhere. */
function isOnDisk(machine: ServedMachine, index: number, text: string): boolean {
  const { firstSector, sectors } = machine.servers[index]!;
  return Buffer.from(machine.driver.contents.buffer, machine.driver.contents.byteOffset + firstSector * SECTOR, sectors * SECTOR).includes(text);
}

function draw(machine: ServedMachine): bigint { return machine.vfs.exports.syncDraw() as bigint; }
function isOwed(machine: ServedMachine, ticket: bigint): boolean { return machine.vfs.exports.syncIsOwed(ticket) !== 0; }

test("each mount pays what sync(2) waits for by itself, in any order of flushers, mounts and unmounts", async () => {
  const machine = await mounted();
  const random = new Random(SEED);
  const latest = ["", ""];
  const owing = [new Set<bigint>(), new Set<bigint>()];
  const tickets: bigint[] = [];
  const paid = (index: number): void => {
    owing[index]!.clear();
    expect({ index, latest: latest[index], there: isOnDisk(machine, index, latest[index]!) }).toEqual({ index, latest: latest[index], there: true });
  };
  const done = { write: 0, draw: 0, pay: 0, again: 0 };
  for (let step = 0; step < STEPS; step++) {
    const index = random.pick([TAME, WILD]);
    const what = random.pick(["write", "write", "draw", "pay", "again"] as const);
    done[what]++;
    if (what === "write") {
      latest[index] = `step ${step} of ${NAMES[index]}.`;
      write(machine, index, latest[index]!);
    } else if (what === "draw") {
      tickets.push(draw(machine));
      for (const each of owing) each.add(tickets.at(-1)!);
    } else if (what === "pay") {
      const owes = owing[index]!.size > 0;
      machine.vfs.exports.placeSync(index);
      if (owes) paid(index);
    } else {
      expect(machine.unmount(index)).toBe(0);
      paid(index);
      expect(machine.mount(index)).toBe(0);
    }
    const expected = tickets.map((ticket) => owing.some((each) => each.has(ticket)));
    expect({ step, owed: tickets.map((ticket) => isOwed(machine, ticket)) }).toEqual({ step, owed: expected });
  }
  expect(Math.min(...Object.values(done))).toBeGreaterThan(STEPS / 10);
});

test("while a server hangs in sync(2), the other mount is pinned, synced and owes nothing", async () => {
  const machine = await mounted();
  write(machine, TAME, "of the tame one");
  write(machine, WILD, "of the wild one");
  const ticket = draw(machine);
  machine.vfs.exports.placeSync(TAME);
  expect(isOnDisk(machine, TAME, "of the tame one")).toBe(true);
  expect(isOwed(machine, ticket)).toBe(true);
  let looked = 0;
  machine.servers[WILD]!.isHung = true;
  machine.onIdle = () => {
    const fs = machine.vfs.call("tablePin", TAME);
    expect(fs).not.toBe(0);
    expect(BigInt(machine.vfs.exports.syncOwed(fs) as bigint)).toBe(0n);
    machine.vfs.exports.tableUnpin(fs);
    expect([isOwed(machine, ticket), isOnDisk(machine, WILD, "of the wild one")]).toEqual([true, false]);
    looked++;
    machine.servers[WILD]!.isHung = false;
    return true;
  };
  machine.vfs.exports.placeSync(WILD);
  expect([looked, isOwed(machine, ticket), isOnDisk(machine, WILD, "of the wild one")]).toEqual([1, false, true]);
});

test("unmounting waits for who uses the mount, lets nobody begin, and goes on when they are gone", async () => {
  const machine = await mounted();
  const { exports } = machine.vfs;
  const server = machine.servers[TAME]!;
  const told: string[] = [];
  server.spoil = ({ method }) => { told.push(method); };
  write(machine, TAME, "held back");
  const ticket = draw(machine);
  exports.placeSync(WILD);
  const pinned = machine.vfs.call("tablePin", TAME);
  expect(machine.vfs.call("tableUse", server.connection, 0n)).toBe(pinned);
  const waits: (() => void)[] = [
    () => { // CLOSING
      expect(told).not.toContain("unmount");
      expect([machine.vfs.call("tablePin", TAME), isOwed(machine, ticket)]).toEqual([0, true]);
      expect(machine.vfs.call("tableUse", server.connection, 0n)).toBe(pinned); // the server still needs its device
      exports.tableUnuse(pinned);
      exports.tableUnpin(pinned);
    },
    () => { // SHUT
      expect(told.at(-1)).toBe("unmount");
      expect([machine.vfs.call("tableUse", server.connection, 0n), isOwed(machine, ticket)]).toEqual([0, false]);
      expect(isOnDisk(machine, TAME, "held back")).toBe(true);
      exports.tableUnuse(pinned);
    },
  ];
  machine.onIdle = () => {
    const next = waits.shift();
    next?.();
    return next !== undefined;
  };
  expect(machine.unmount(TAME)).toBe(0);
  expect(waits).toEqual([]);
  expect(machine.vfs.call("tablePin", TAME)).toBe(0);
  expect(exports.flusherAwait(TAME, 0n)).toBe(0); // its flusher ends
  expect(exports.flusherIsThere(TAME)).toBe(0);
  expect(machine.mount(TAME)).toBe(0);
  expect(isOwed(machine, ticket)).toBe(false);
});

test("umount -l of a tree calls the servers of what was mounted in it with the tree of mounts free", async () => {
  const machine = await ServedMachine.start([new TreeServer(512, 4096, 2000), new TreeServer(1024, 8192, 1000)]);
  const { vfs } = machine;
  const before = vfs.inUse();
  expect(machine.mount(TAME)).toBe(0);
  expect(machine.path("sysMkdir", "/tame/sub", 0o755)).toBe(0);
  expect(vfs.sys("sysMount", BigInt(vfs.text("/disk2")), BigInt(vfs.text("/tame/sub", 1)), BigInt(vfs.text("wild", 2)), 0, 0n)).toBe(0);
  let looked = 0;
  machine.servers[WILD]!.isHung = true;
  machine.onIdle = () => {
    machine.servers[WILD]!.isHung = false;
    vfs.exports.mountTreeLock(); // throws, or sleeps for ever, when somebody has it
    vfs.exports.mountTreeUnlock();
    looked++;
    return true;
  };
  expect(machine.path("sysUmount2", "/tame", 0)).toBe(-16);
  expect(machine.path("sysUmount2", "/tame", MNT_DETACH)).toBe(0);
  expect(looked).toBe(1);
  expect(machine.path("sysUmount2", "/tame", MNT_DETACH)).toBe(-22);
  expect(vfs.inUse()).toEqual(before);
});
