/** Which functions are found on the buses of a simulated machine, and what of them is given to drivers. */
import type { KernelExports } from "../../../../support/kernel.ts";
import { addressOf, PciSpace } from "../../../../support/pci-space.ts";
import { structLayout } from "../../../../support/struct-layout.ts";
import { KernelLog } from "../../native/kernel-log.ts";
import { bootVfs } from "../../vfs/vfs-machine.ts";

const FN = structLayout("kernel/services/driver/pci/functions.ts", "PciFunction");
const TABLE_MOST = 256;

interface Scan {
  readonly k: KernelExports;
  readonly space: PciSpace;
  /** What was logged. */
  log(): string;
  /** Addresses of the functions that were found, in the table's order. */
  run(): number[];
  field(address: number, name: string): number;
  field64(address: number, name: string): bigint;
}

async function scan(): Promise<Scan> {
  const kernel = await bootVfs();
  const k = kernel.exports;
  const view = (): DataView => new DataView(kernel.memory.buffer);
  const find = (address: number): number => k.pciFind(address) as number;
  return {
    k, space: new PciSpace(kernel.machine), log: () => new KernelLog(kernel).lines().join("\n"),
    run: () => {
      k.pciInit();
      return Array.from({ length: k.pciCount() as number }, (_, i) => view().getUint32((k.pciAt(i) as number) + FN.address!, true));
    },
    field: (address, name) => view().getUint32(find(address) + FN[name]!, true),
    field64: (address, name) => view().getBigUint64(find(address) + FN[name]!, true),
  };
}

test("buses behind bridges are found through them, all others are roots", async () => {
  const { space, run } = await scan();
  space.add(addressOf(0, 1));
  space.add(addressOf(0, 2), { buses: [1, 3] });
  space.add(addressOf(1, 0), { buses: [2, 3] });
  space.add(addressOf(2, 31), { isMultiFunction: true });
  space.add(addressOf(2, 31, 5));
  space.add(addressOf(3, 0)); // no bridge leads there, and it is no root: it lies in a bridge's range
  space.add(addressOf(0x40, 0), { buses: [0x41, 0x41] });
  space.add(addressOf(0x41, 0));
  space.add(addressOf(0xff, 0));
  const addresses = [addressOf(0, 1), addressOf(0, 2), addressOf(1, 0), addressOf(2, 31), addressOf(2, 31, 5), addressOf(0x40, 0), addressOf(0x41, 0), addressOf(0xff, 0)];
  expect(run()).toEqual(addresses);
});

test("a bridge that leads nowhere or back does not hang the walk", async () => {
  const { space, run } = await scan();
  space.add(addressOf(0, 1), { buses: [0, 0] });
  space.add(addressOf(0, 2), { buses: [4, 0xff] });
  space.add(addressOf(4, 0), { buses: [2, 9] });
  expect(run()).toEqual([addressOf(0, 1), addressOf(0, 2), addressOf(4, 0)]);
});

test("what the table has no room for is told", async () => {
  const { space, run, log } = await scan();
  for (let device = 0; device < 32; device++) {
    for (let fn = 0; fn < 8; fn++) for (const bus of [0, 9]) space.add(addressOf(bus, device, fn), { isMultiFunction: true });
  }
  expect(run()).toHaveLength(TABLE_MOST);
  expect(log()).toMatch(/functions=256 .*left out, for want of room: 256/);
});

test("ranges are sized and left where they are", async () => {
  const { space, run, field, field64 } = await scan();
  const at = addressOf(0, 3);
  const bars = {
    0: { base: 0xfebf0000n, size: 0x4000n }, 1: { base: 0xc040n, size: 0x20n, kind: "ports" as const },
    2: { base: 0x38_0000_0000n, size: 0x2_0000_0000n, kind: "wide" as const }, 5: { base: 0n, size: 0x1000n }, // the firmware had no room for 5
  };
  const fn = space.add(at, { bars });
  const before = [...new Uint8Array(fn.space.buffer)];
  run();
  expect([field(at, "barMask"), field(at, "portMask")]).toEqual([7, 2]);
  expect([field64(at, "bar0"), field64(at, "bar1"), field64(at, "bar2")]).toEqual([0xfebf0000n, 0xc040n, 0x38_0000_0000n]);
  expect([field64(at, "size0"), field64(at, "size1"), field64(at, "size2")]).toEqual([0x4000n, 0x20n, 0x2_0000_0000n]);
  expect([...new Uint8Array(fn.space.buffer)]).toEqual(before);
});

test("a range that shares a page with another function's, or does not begin with one, is nobody's", async () => {
  const { space, run, field, log } = await scan();
  const [alone, first, second, crooked, own] = [1, 2, 3, 4, 5].map((device) => addressOf(0, device)) as [number, number, number, number, number];
  const small = (base: bigint) => ({ base, size: 0x100n });
  space.add(alone, { bars: { 0: small(0xfe000000n) } });
  space.add(first, { bars: { 0: small(0xfe001000n), 1: { base: 0xfe010000n, size: 0x1000n } } });
  space.add(second, { bars: { 2: small(0xfe001100n) } });
  space.add(crooked, { bars: { 0: small(0xfe002800n) } });
  space.add(own, { bars: { 0: small(0xfe003000n), 1: small(0xfe003100n), 2: { base: 0xe000n, size: 0x10n, kind: "ports" } } });
  run();
  expect([alone, first, second, crooked, own].map((at) => field(at, "keptMask"))).toEqual([0, 1, 4, 1, 2]);
  expect(log()).toMatch(/00:02\.0 BAR 0 shares a page with another range: no driver gets it at=0xfe001000/);
  expect(log()).toMatch(/00:04\.0 BAR 0 does not begin with a page/);
});

test("the pages of a table of messages are the kernel's, the rest of its range is the driver's", async () => {
  const { k, space, run, field, field64 } = await scan();
  const at = addressOf(0, 4);
  const bars = { 0: { base: 0xfe800000n, size: 0x4000n } };
  space.add(at, { bars, msix: { vectors: 257, bar: 0, offset: 0x2000 } }); // one entry more than a page holds
  const [none, beyond] = [addressOf(0, 5), addressOf(0, 6)];
  space.add(none, { msix: { vectors: 4, bar: 3, offset: 0 } });
  space.add(beyond, { bars: { 0: { base: 0xfe900000n, size: 0x1000n } }, msix: { vectors: 4, bar: 0, offset: 0xff0 } });
  run();
  const isKept = (page: bigint): number => k.pciPageIsTable(k.pciFind(at), 0xfe800000n + page * 0x1000n) as number;
  expect([0n, 1n, 2n, 3n, 4n].map(isKept)).toEqual([0, 0, 1, 1, 0]);
  expect([field64(at, "tablePa"), field(at, "keptMask")]).toEqual([0xfe802000n, 0]);
  expect([field64(none, "tablePa"), field64(beyond, "tablePa")]).toEqual([0n, 0n]);
});
