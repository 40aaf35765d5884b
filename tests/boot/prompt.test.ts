/** The system reaches the shell's prompt, however it gets into the machine, and ends when told to. */

import { withVm, type Vm, type VmOptions } from "../../qemu/harness.ts";
import { BOOT_MS, isReference, targetOptions } from "../support/target.ts";

const DEADLINE_MS = 4 * BOOT_MS;

/** A sample of firmware × medium × CPUs × memory that has every value of each, and the extremes together. */
const MATRIX = [
  { medium: "kernel", firmware: "bios", cpus: 1, memMiB: 128 },
  { medium: "kernel", firmware: "bios", cpus: 2, memMiB: 1024 },
  { medium: "kernel", firmware: "bios", cpus: 8, memMiB: 4096 },
  { medium: "cd", firmware: "bios", cpus: 4, memMiB: 1024 },
  { medium: "usb", firmware: "bios", cpus: 2, memMiB: 128 },
  { medium: "cd", firmware: "uefi", cpus: 1, memMiB: 1024 },
  { medium: "usb", firmware: "uefi", cpus: 4, memMiB: 4096 },
] as const satisfies readonly VmOptions[];

const NUMA = {
  cpus: 4,
  memMiB: 512,
  numa: [
    { memMiB: 256, cpus: "0-1" },
    { memMiB: 256, cpus: "2-3" },
  ],
} as const satisfies VmOptions;

/** The reference kernel is on no ISO of ours. */
const sample = isReference ? MATRIX.filter(({ medium }) => medium === "kernel") : MATRIX;

test.each(sample)(
  "boots to a prompt: $medium, $firmware, $cpus CPUs, $memMiB MiB",
  (options) =>
    withVm(targetOptions({ ...options, deadlineMs: DEADLINE_MS }), async (vm) => {
      await vm.expectPrompt(DEADLINE_MS);
      expect(await vm.run("nproc")).toEqual({ output: `${options.cpus}\n`, status: 0 });
      expect(await memTotalMiB(vm)).toBeGreaterThan(options.memMiB * 0.6);
      vm.type("poweroff -f\r");
      expect(await vm.exit).toBe(0);
    }),
  DEADLINE_MS,
);

test(
  "two NUMA nodes: memory comes from the node of the CPU that asks, then from the other, and goes back",
  () =>
    withVm(targetOptions({ ...NUMA, deadlineMs: DEADLINE_MS }), async (vm) => {
      await vm.expectPrompt(DEADLINE_MS);
      expect(await vm.run("nproc")).toEqual({ output: "4\n", status: 0 });
      const before = await nodeFreeMiB(vm);
      expect(before.length).toBe(2);
      const write = (cpuMask: number, name: string, mib: number): string =>
        `taskset ${cpuMask} dd if=/dev/zero of=/tmp/${name} bs=1M count=${mib} 2>/dev/null`;
      await vm.run(`mount -o remount,size=400m /tmp; ${write(4, "a", 64)}; ${write(1, "b", 32)}`);
      const used = (await nodeFreeMiB(vm)).map((free, node) => before[node]! - free);
      expect(used[0]).toBeGreaterThanOrEqual(30);
      expect(used[0]).toBeLessThan(40);
      expect(used[1]).toBeGreaterThanOrEqual(62);
      expect(used[1]).toBeLessThan(72);
      expect((await vm.run(`rm /tmp/a /tmp/b; ${write(8, "c", 300)}`)).status).toBe(0);
      const [free0 = 0, free1 = 0] = await nodeFreeMiB(vm);
      expect(free1).toBeLessThan(8);
      expect(before[0]! - free0).toBeGreaterThan(40);
      await vm.run("rm /tmp/c");
      const after = await nodeFreeMiB(vm);
      for (const node of [0, 1]) expect(Math.abs(after[node]! - before[node]!)).toBeLessThan(3);
    }),
  DEADLINE_MS,
);

/** Free memory of each node. */
async function nodeFreeMiB(vm: Vm): Promise<number[]> {
  const { output } = await vm.run("awk '/pages free/ {print $3}' /proc/zoneinfo");
  return output.trim().split("\n").map((pages) => Number(pages) / 256);
}

test(
  "reboot -f resets the machine",
  () =>
    withVm(targetOptions(), async (vm) => {
      await vm.expectPrompt(BOOT_MS);
      vm.type("reboot -f\r");
      expect(await vm.exit).toBe(0); // -no-reboot: QEMU ends where the machine would start again
    }),
  DEADLINE_MS,
);

async function memTotalMiB(vm: Vm): Promise<number> {
  const { output } = await vm.run("awk '/^MemTotal/ {print $2}' /proc/meminfo");
  return Number(output) / 1024;
}
