/** Runs the cost program on one kernel: counts under icount, and wall time under plain TCG. */

import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { withVm, type Vm, type VmOptions } from "../../qemu/harness.ts";
import { archive, file } from "../../toolchain/cpio.ts";
import { userlandEntries } from "../../toolchain/userland.ts";

export interface Measurements {
  /** Instructions for one operation, by row name. */
  readonly counts: ReadonlyMap<string, number>;
  /** Nanoseconds of the emulator's time for one operation, by row name. */
  readonly wallNs: ReadonlyMap<string, number>;
  /** From the start of QEMU to the prompt. */
  readonly bootMs: number;
  /** Memory in use at the prompt. */
  readonly usedKiB: number;
}

const INITRD = "build/bench/initramfs.cpio";
const PROGRAM = "build/bench/costs";
const PROGRAM_MS = 400_000;
const BOOT_MS = 300_000; // Linux under -icount on a busy machine
/** The program makes memory objects, for which it claims the one ROOT capability; nothing needs a server here. */
const FREE_ROOT = "sed -i /supervisor/d /etc/inittab; kill -HUP 1; sleep 1; killall -9 supervisor 2>/dev/null; sleep 1";
/** Boots whose median time to the prompt is told. */
const BOOTS = 3;

/** The root archive with the cost program in it. */
export function prepare(): void {
  mkdirSync("build/bench", { recursive: true });
  execFileSync("gcc", ["-O2", "-static", "-o", PROGRAM, "tests/bench/costs.c"]);
  writeFileSync(INITRD, archive([...userlandEntries(), file("bin/costs", readFileSync(PROGRAM), 0o755)]));
}

function machineOf(kernel: string, append: string): VmOptions {
  return { kernel, append, initrd: INITRD, memMiB: 512, deadlineMs: PROGRAM_MS + BOOT_MS };
}

/** Our kernel: with the rows of two CPUs, on which Linux does not come up in minutes under -icount. */
export async function measureOurs(kernel: string, append: string): Promise<Measurements> {
  const machine: VmOptions = { ...machineOf(kernel, append), cpus: 2 };
  const across = await withVm({ ...machine, icount: true }, (vm) => costsAtPrompt(vm, "costs across"));
  const acrossTicks = await withVm(machine, (vm) => costsAtPrompt(vm, "costs across"));
  const one = await measureKernel(kernel, append);
  return { ...one, counts: new Map([...across, ...one.counts]), wallNs: new Map([...nanoseconds(acrossTicks), ...one.wallNs]) };
}

/** Either kernel, on one CPU. */
export async function measureKernel(kernel: string, append: string): Promise<Measurements> {
  const machine = machineOf(kernel, append);
  const counts = await withVm({ ...machine, icount: true }, (vm) => costsAtPrompt(vm, "costs"));
  const boots: number[] = [];
  for (let i = 0; i < BOOTS; i++) boots.push(await withVm(machine, bootTime));
  return await withVm(machine, async (vm) => {
    await vm.expectPrompt(BOOT_MS);
    const used = await vm.run("awk '/^MemTotal/ {t=$2} /^MemFree/ {f=$2} END {print t-f}' /proc/meminfo");
    const ticks = parseCosts((await vm.run(`${FREE_ROOT}; costs`, PROGRAM_MS)).output);
    return { counts, wallNs: nanoseconds(ticks), bootMs: boots.sort((a, b) => a - b)[BOOTS >> 1]!, usedKiB: Number(used.output) };
  });
}

async function costsAtPrompt(vm: Vm, command: string): Promise<Map<string, number>> {
  await vm.expectPrompt(BOOT_MS);
  return parseCosts((await vm.run(`${FREE_ROOT}; ${command}`, PROGRAM_MS)).output);
}

function nanoseconds(ticks: ReadonlyMap<string, number>): Map<string, number> {
  const khz = ticks.get("tsc_khz") ?? NaN;
  return new Map([...ticks].map(([name, count]) => [name, (count / khz) * 1e6]));
}

async function bootTime(vm: Vm): Promise<number> {
  await vm.expectPrompt(BOOT_MS);
  return vm.elapsedMs();
}

export function parseCosts(output: string): Map<string, number> {
  return new Map([...output.matchAll(/^cost (\w+) (\d+)$/gm)].map(([, name, count]) => [name!, Number(count)]));
}
