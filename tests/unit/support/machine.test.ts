/** The simulated machine itself: what the other unit tests stand on. */
import { loadKernel, MIB } from "./kernel.ts";
import { Machine } from "./machine.ts";
import { PTE_PRESENT, PTE_USER, PTE_WRITE } from "./page-walk.ts";

const TABLE_FLAGS = PTE_PRESENT | PTE_WRITE | PTE_USER;

/** Tables at 1..3 MiB map 0x400000 to 4 MiB with the flags given. */
function mapOnePage(machine: Machine, leafFlags: bigint): void {
  machine.cr3 = 0x100000n;
  machine.store64(0x100000n, 0x200000n | TABLE_FLAGS);
  machine.store64(0x200000n, 0x300000n | TABLE_FLAGS);
  machine.store64(0x300000n + 2n * 8n, 0x310000n | TABLE_FLAGS);
  machine.store64(0x310000n, 0x400000n | leafFlags);
}

test("user memory is reached through the page tables", () => {
  const machine = new Machine({ ramBytes: 8 * MIB });
  mapOnePage(machine, TABLE_FLAGS);
  machine.userWrite(0x400ffen, new Uint8Array([1, 2]));
  expect([...machine.bytes(0x400ffen, 2)]).toEqual([1, 2]);
});

test("a fault asks the hook, with the processor's error code, and tries again", () => {
  const machine = new Machine({ ramBytes: 8 * MIB });
  mapOnePage(machine, 0n);
  const faults: [bigint, number][] = [];
  machine.userFault = (va, errorCode) => {
    faults.push([va, errorCode]);
    machine.store64(0x310000n, 0x400000n | TABLE_FLAGS);
    return true;
  };
  machine.userWrite(0x400010n, new Uint8Array([7]));
  expect(faults).toEqual([[0x400010n, 6]]);
});

test("a read-only page refuses a write and no more", () => {
  const machine = new Machine({ ramBytes: 8 * MIB });
  mapOnePage(machine, PTE_PRESENT | PTE_USER);
  expect(machine.userRead(0x400000n, 4)).toEqual(new Uint8Array(4));
  expect(() => machine.userWrite(0x400000n, new Uint8Array(1))).toThrow("not writable");
});

test("a wild physical address throws", () => {
  expect(() => new Machine({ ramBytes: MIB }).load64(BigInt(MIB))).toThrow("outside RAM");
});

test("loading twice gives two kernels", async () => {
  const [a, b] = [await loadKernel(), await loadKernel()];
  new Uint8Array(a.memory.buffer)[70000] = 1;
  expect(new Uint8Array(b.memory.buffer)[70000]).toBe(0);
  expect(() => a.exports["noSuchFunction"]).toThrow("noSuchFunction");
});
