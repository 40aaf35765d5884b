/**
 * `make run`: the ISO in QEMU with the serial console on this terminal. Ctrl-A x quits.
 *
 * Environment: CPUS, MEM (MiB), UEFI=1, GUI=1, DISK=file, IOMMU=1, QEMU="more words for QEMU".
 */

import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { machineArgs } from "./arguments.ts";
import { diskProblem } from "./disk-file.ts";
import { withDefaults } from "./options.ts";

const EMULATION = "tcg,thread=multi";
const PROBE_MS = 10_000;
const { CPUS, MEM, UEFI, GUI, DISK, IOMMU, QEMU } = process.env;

/** KVM when this user may use it and it carries a machine like ours as far as its first instruction, else emulation. */
function accelerator(): string {
  try {
    accessSync("/dev/kvm", constants.R_OK | constants.W_OK);
  } catch {
    return EMULATION;
  }
  const probe = ["-accel", "kvm", "-machine", "q35", "-cpu", "max", "-nodefaults", "-display", "none", "-S", "-monitor", "stdio"];
  const { status } = spawnSync("qemu-system-x86_64", probe, { input: "quit\n", timeout: PROBE_MS, stdio: ["pipe", "ignore", "ignore"] });
  if (status === 0) return "kvm";
  console.log("run: /dev/kvm is there but does not work (nested virtualisation?): emulating instead");
  return EMULATION;
}

const problem = DISK ? diskProblem(DISK) : undefined;
if (problem !== undefined) {
  console.error(`run: DISK=${problem}`);
  process.exit(1);
}

const config = withDefaults({
  cpus: Number(CPUS || 4),
  memMiB: Number(MEM || 1024),
  firmware: UEFI ? "uefi" : "bios",
  medium: "cd",
  disks: DISK ? [DISK] : [],
  iommu: Boolean(IOMMU),
  extraArgs: QEMU ? QEMU.split(/\s+/).filter(Boolean) : [],
});

const result = spawnSync(
  "qemu-system-x86_64",
  [
    ...["-accel", accelerator()],
    ...machineArgs(config),
    ...(GUI ? [] : ["-display", "none"]),
    ...["-serial", "mon:stdio"],
  ],
  { stdio: "inherit" },
);
if (result.error) throw result.error;
process.exitCode = result.status ?? 1;
