/**
 * What reading a disk costs: a FAT file and the device itself, on a virtio disk, with our driver in ring 3 and with Linux's in its kernel;
 * how far it is from an interrupt to a driver in ring 3, and how long a dead server is missed.
 */

import { execFileSync } from "node:child_process";
import { readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withVm } from "../../qemu/harness.ts";
import { archive, file } from "../../toolchain/cpio.ts";
import { userlandEntries } from "../../toolchain/userland.ts";
import { hasReference, REFERENCE_MODULES, referenceModules } from "../support/reference.ts";
import { parseCosts } from "./measure.ts";

const FOLDER = "build/bench";
const INITRD = join(FOLDER, "disk-initramfs.cpio");
const IMAGE = join(FOLDER, "disk.img");
const PROGRAMS = ["disk-costs", "irq-costs", "restart-costs"];
const IMAGE_BYTES = 128 << 20;
const FILE_BYTES = 40 << 20;
const MEASURE_MS = 300_000;
const BOOT_MS = 180_000;

/** Archive and disk; a disk for each machine, since mounting writes to it. */
export function prepareDisk(): void {
  for (const name of PROGRAMS) execFileSync("gcc", ["-O2", "-static", "-pthread", "-w", "-o", join(FOLDER, name), `tests/bench/${name}.c`]);
  const programs = PROGRAMS.map((name) => file(`bin/${name}`, readFileSync(join(FOLDER, name)), 0o755));
  const modules = hasReference ? referenceModules() : [];
  writeFileSync(INITRD, archive([...userlandEntries(), ...modules, ...programs]));
  rmSync(IMAGE, { force: true });
  writeFileSync(IMAGE, "");
  truncateSync(IMAGE, IMAGE_BYTES);
  execFileSync("mkfs.fat", ["-F", "32", IMAGE], { stdio: "ignore" });
  const data = join(FOLDER, "data");
  writeFileSync(data, Buffer.alloc(FILE_BYTES, "limitless"));
  execFileSync("mcopy", ["-i", IMAGE, data, "::data"]);
  rmSync(data);
}

/** The same of the disk alone, behind an IOMMU. */
export function measureDiskTranslated(kernel: string, append: string): Promise<ReadonlyMap<string, number> | null> {
  return measureDisk(kernel, append, true);
}

/** Instructions by row name, and round trips where there are any; null when this kernel cannot read the disk. */
export async function measureDisk(kernel: string, append: string, iommu = false): Promise<ReadonlyMap<string, number> | null> {
  const isLinux = kernel.endsWith("vmlinuz");
  if (isLinux && !hasReference) return null;
  const copy = `${IMAGE}.used`;
  execFileSync("cp", [IMAGE, copy]);
  const extraArgs = isLinux || iommu ? [] : ["-device", "edu"]; // a device that interrupts when it is told to
  const machine = { kernel, append, initrd: INITRD, memMiB: 512, disks: [copy], iommu, icount: true, extraArgs, deadlineMs: MEASURE_MS + BOOT_MS };
  return await withVm(machine, async (vm) => {
    await vm.expectPrompt(BOOT_MS);
    if (isLinux) await vm.run(`for m in ${REFERENCE_MODULES.join(" ")}; do insmod /modules/$m.ko; done`, MEASURE_MS);
    await vm.run("for i in 1 2 3 4 5 6 7 8 9; do [ -b /dev/vda ] && mount -t vfat /dev/vda /mnt && break; sleep 1; done", MEASURE_MS);
    const { output, status } = await vm.run("disk-costs /dev/vda /mnt/data", MEASURE_MS);
    if (status !== 0) throw new Error(`disk-costs ended with ${status}: ${output}`);
    if (isLinux || iommu) return parseCosts(output);
    const irqs = await vm.run("irq-costs", MEASURE_MS);
    const restarts = await vm.run("restart-costs /dev/vda /mnt", MEASURE_MS);
    if (restarts.status !== 0) throw new Error(`restart-costs ended with ${restarts.status}: ${restarts.output}`);
    return parseCosts(`${output}\n${irqs.output}\n${restarts.output}`);
  });
}
