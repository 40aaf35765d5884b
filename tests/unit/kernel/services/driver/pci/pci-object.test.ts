/** What the holder of a PCI capability gets, and when its device is another's: by native calls, on a simulated machine. */
import { addressOf, COMMAND_MASTER, PciSpace, type SimulatedFunction } from "../../../../support/pci-space.ts";
import { structLayout } from "../../../../support/struct-layout.ts";
import { bootVfs, BUFFER, PROCESS, startProcess, type Vfs } from "../../vfs/vfs-machine.ts";

const INFO = structLayout("kernel/abi/capability.ts", "PciInfo");
const PROCESS_AT = structLayout("kernel/services/process/process.ts", "Process");
const SCRATCH = 512;
const ERRNO = { ACCES: -13, BUSY: -16, NODEV: -19, NOSPC: -28, STALE: -116 } as const;
const [BUSY_AT, QUIET_AT, PLAIN_AT] = [addressOf(0, 3), addressOf(0, 4), addressOf(0, 5)];
const TABLE = 0xfe802000n;
const ENTRY_CONTROL = 12n;
const MASKED = 1n;
const SHARE = 16;

class Machine {
  readonly root: number;
  readonly busy: SimulatedFunction;

  private constructor(readonly vfs: Vfs) {
    const space = new PciSpace(vfs.machine);
    const bars = { 0: { base: 0xfe800000n, size: 0x4000n }, 4: { base: 0xc000n, size: 0x40n, kind: "ports" as const } };
    this.busy = space.add(BUSY_AT, { bars, msix: { vectors: 64, bar: 0, offset: 0x2000 } });
    space.add(QUIET_AT, { bars: { 0: { base: 0xfe900000n, size: 0x4000n } }, msix: { vectors: 64, bar: 0, offset: 0 } });
    space.add(PLAIN_AT, { hasMsi: true });
    for (const init of ["capInit", "endpointsInit", "memoryObjectsInit", "pciInit", "irqObjectsInit", "pciObjectsInit", "rootObjectInit"]) vfs.exports[init]();
    startProcess(vfs);
    for (const name of ["mm", "liveThreads"]) vfs.view().setUint32(PROCESS + PROCESS_AT[name]!, 1, true); // it may have capabilities
    this.root = vfs.call("nativeRootClaim", 0);
  }

  static async start(): Promise<Machine> {
    return new Machine(await bootVfs());
  }

  open(address: number): number { return this.vfs.call("nativePciOpen", this.root, address); }
  bar(pci: number, index: number): number { return this.vfs.call("nativePciBar", pci, index); }
  irq(pci: number, vector: number): number { return this.vfs.call("nativePciIrq", pci, vector); }
  master(pci: number): number { return this.vfs.call("nativePciMaster", pci, 1); }
  drop(handle: number): void { expect(this.vfs.call("nativeCapDrop", handle)).toBe(0); }
  isMaster(): boolean { return (this.busy.command & COMMAND_MASTER) !== 0; }
  isMasked(entry: number): boolean { return (this.vfs.machine.load(TABLE + BigInt(entry * 16) + ENTRY_CONTROL, 32) & MASKED) !== 0n; }
}

test("a function is another's only when nothing made from it is left", async () => {
  const m = await Machine.start();
  const pci = m.open(BUSY_AT);
  const made = [m.bar(pci, 0), m.bar(pci, 4), m.irq(pci, 3)];
  expect(made.every((handle) => handle > 0)).toBe(true);
  expect([m.master(pci), m.isMaster()]).toEqual([0, true]);
  m.drop(pci);
  expect(m.isMaster()).toBe(false);
  for (const handle of made) {
    expect(m.open(BUSY_AT)).toBe(ERRNO.BUSY);
    m.drop(handle);
  }
  const next = m.open(BUSY_AT);
  expect(next).toBeGreaterThan(0);
  expect([m.isMaster(), m.master(next), m.isMaster()]).toEqual([false, 0, true]);
  m.drop(next);
  expect(m.isMaster()).toBe(false);
});

test("revoking takes the device and what was made from it, and it can be opened again", async () => {
  const m = await Machine.start();
  const pci = m.open(BUSY_AT);
  const [range, irq] = [m.bar(pci, 0), m.irq(pci, 0)];
  expect(m.vfs.call("nativeCapRevoke", m.root)).toBe(3);
  for (const handle of [range, irq]) expect(m.vfs.call("nativeCapDrop", handle)).toBe(ERRNO.STALE);
  expect(m.master(pci)).toBe(ERRNO.STALE);
  expect(m.open(BUSY_AT)).toBeGreaterThan(0);
});

test("a call that is under way when the last capability goes does not give the bus back", async () => {
  const m = await Machine.start();
  const pci = m.open(BUSY_AT);
  const range = m.bar(pci, 0); // keeps the object
  m.drop(pci);
  expect(m.vfs.call("commandMaster", m.vfs.call("pciFind", BUSY_AT), 1)).toBe(0);
  expect(m.isMaster()).toBe(false);
  m.drop(range);
});

test("a message has one object, a function sixteen, and others get theirs", async () => {
  const m = await Machine.start();
  const [pci, other, plain] = [m.open(BUSY_AT), m.open(QUIET_AT), m.open(PLAIN_AT)];
  const irqs = Array.from({ length: SHARE }, (_, vector) => m.irq(pci, vector));
  expect(irqs.every((handle) => handle > 0)).toBe(true);
  for (let i = 0; i < 200; i++) expect(m.irq(pci, 0)).toBe(ERRNO.BUSY);
  expect(m.irq(pci, SHARE)).toBe(ERRNO.NOSPC);
  expect(m.irq(pci, 64)).toBe(ERRNO.NODEV);
  expect(m.irq(other, 0)).toBeGreaterThan(0);
  const message = m.irq(plain, 0);
  expect([message > 0, m.irq(plain, 0), m.irq(plain, 1)]).toEqual([true, ERRNO.BUSY, ERRNO.NODEV]);
  m.drop(message);
  expect(m.irq(plain, 0)).toBeGreaterThan(0);
  m.drop(irqs[0]!);
  expect(m.irq(pci, SHARE)).toBeGreaterThan(0);
  expect(m.irq(pci, 0)).toBe(ERRNO.NOSPC);
});

test("a message is masked until it is bound, and when its object ends", async () => {
  const m = await Machine.start();
  const pci = m.open(BUSY_AT);
  const irq = m.irq(pci, 5);
  expect(m.isMasked(5)).toBe(true);
  const n = m.vfs.call("nativeNotificationCreate");
  expect(m.vfs.call("nativeIrqBind", irq, n, 1n)).toBe(0);
  expect(m.isMasked(5)).toBe(false);
  m.drop(irq);
  expect(m.isMasked(5)).toBe(true);
});

test("the header and the messages are not the driver's to write", async () => {
  const m = await Machine.start();
  const pci = m.open(BUSY_AT);
  const write = (offset: number): number => m.vfs.call("nativePciConfigWrite", pci, offset, 4, 0);
  expect([write(4), write(0x10), write(0x40), write(0x48)]).toEqual(Array(4).fill(ERRNO.ACCES));
  expect(write(0x60)).toBe(0);
  expect([m.bar(pci, 1), m.bar(pci, 6)]).toEqual([ERRNO.NODEV, ERRNO.NODEV]);
});

test("what is told of a function has nothing of the kernel's in it", async () => {
  const m = await Machine.start();
  const pci = m.open(BUSY_AT);
  const info = new Uint8Array(m.vfs.memory.buffer, BUFFER, INFO.sizeof!);
  const scratch = m.vfs.call("scratchPush", SCRATCH); // which was used before
  new Uint8Array(m.vfs.memory.buffer, scratch, SCRATCH).fill(0xee);
  m.vfs.call("scratchPop", SCRATCH);
  info.fill(0xdd);
  expect(m.vfs.call("nativePciInfo", pci, BigInt(BUFFER))).toBe(0);
  const view = new DataView(m.vfs.memory.buffer, BUFFER);
  expect([view.getUint32(INFO.address!, true), view.getUint32(INFO.msixVectors!, true), view.getUint32(INFO.pad!, true)]).toEqual([BUSY_AT, 64, 0]);
});
