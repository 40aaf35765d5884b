/** The local APIC by its registers in memory and, as x2APIC, by MSR: the same commands, in the layout each mode wants. */
import { loadKernel } from "../../support/kernel.ts";

const BASE = 0xfee00000n;
const IA32_APIC_BASE = 0x1b;
const X2APIC_MSR = 0x800;
const REG = { id: 0x20, eoi: 0xb0, spurious: 0xf0, icrLow: 0x300, icrHigh: 0x310, lvtTimer: 0x320, timerInitial: 0x380 } as const;
const RESCHEDULE = 0xf1;
const ASSERT = 1 << 14;

/** Every register write of the kernel, by register offset, in order. */
async function apic(isX2apic: boolean) {
  const writes: [reg: number, value: bigint][] = [];
  const registers = new Map<number, bigint>([[REG.id, isX2apic ? 0x12345n : 7n << 24n]]);
  const { exports: k, machine } = await loadKernel();
  machine.mmio.push({
    base: BASE,
    size: 4096n,
    load: (offset) => {
      if (isX2apic) throw new Error("x2APIC registers are not in memory"); // SDM vol. 3A, 11.12.2
      return registers.get(offset) ?? 0n;
    },
    store: (offset, _width, value) => {
      if (isX2apic) throw new Error("x2APIC registers are not in memory");
      writes.push([offset, value]);
      registers.set(offset, value);
    },
  });
  const plain = new Map<number, bigint>([[IA32_APIC_BASE, BASE | 0x100n]]);
  const modes: bigint[] = [];
  machine.override({
    rdmsr: (msr: number) => (msr < X2APIC_MSR || msr > X2APIC_MSR + 0xff ? plain.get(msr) ?? 0n : registers.get((msr - X2APIC_MSR) << 4) ?? 0n),
    wrmsr: (msr: number, value: bigint) => {
      const word = BigInt.asUintN(64, value);
      if (msr === IA32_APIC_BASE) modes.push(word & 0xc00n);
      if (msr < X2APIC_MSR || msr > X2APIC_MSR + 0xff) return void plain.set(msr, word);
      if (!isX2apic) throw new Error("no x2APIC");
      if (((msr - X2APIC_MSR) << 4) === REG.icrHigh) throw new Error("ICR is one 64-bit register in x2APIC mode"); // table 11-6
      writes.push([(msr - X2APIC_MSR) << 4, word]);
    },
  });
  k["apicInitCpu"]!(BASE, isX2apic ? 1 : 0);
  return { k, writes, modes };
}

test("xAPIC: registers in memory, the target in the upper half of ICR first", async () => {
  const { k, writes, modes } = await apic(false);
  expect(modes).toEqual([0x800n]);
  expect(writes).toContainEqual([REG.spurious, 0x1ffn]);
  expect(k["apicId"]!()).toBe(7);
  writes.length = 0;
  k["apicSendIpi"]!(3, RESCHEDULE);
  expect(writes).toEqual([[REG.icrHigh, 3n << 24n], [REG.icrLow, BigInt(ASSERT | RESCHEDULE)]]);
});

test("x2APIC: enabled in two steps, ids of 32 bits, ICR in one write", async () => {
  const { k, writes, modes } = await apic(true);
  expect(modes).toEqual([0x800n, 0xc00n]); // SDM vol. 3A, 11.12.1: enabled before x2APIC mode
  expect(writes).toContainEqual([REG.spurious, 0x1ffn]);
  expect(k["apicId"]!()).toBe(0x12345);
  writes.length = 0;
  k["apicSendIpi"]!(0x12345, RESCHEDULE);
  k["apicEoi"]!();
  expect(writes).toEqual([[REG.icrLow, 0x12345n << 32n | BigInt(ASSERT | RESCHEDULE)], [REG.eoi, 0n]]);
});

test.each([false, true])("the timer counts once, or fires at a deadline (x2APIC: %s)", async (isX2apic) => {
  const { k, writes } = await apic(isX2apic);
  writes.length = 0;
  k["apicTimerOneShot"]!();
  k["apicTimerStart"]!(12345);
  expect(writes).toContainEqual([REG.lvtTimer, 0xf0n]);
  expect(writes.at(-1)).toEqual([REG.timerInitial, 12345n]);
  k["apicTimerDeadlineMode"]!();
  expect(writes.at(-1)).toEqual([REG.lvtTimer, (2n << 17n) | 0xf0n]);
});
