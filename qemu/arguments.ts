/** A machine's choices as QEMU's command line. Pure: no file is touched here. */

import type { VmConfig } from "./options.ts";

/** Writing `code` to this port ends QEMU with exit status (code << 1) | 1. */
export const DEBUG_EXIT_PORT = 0xf4;

/** The firmware image of Debian's package ovmf. */
export const OVMF_IMAGE = "/usr/share/ovmf/OVMF.fd";

/** The part common to tests and to `make run`: machine, CPUs, memory, firmware and media. */
export function machineArgs(config: VmConfig): string[] {
  return [
    ...["-machine", "q35", "-m", String(config.memMiB)],
    ...["-smp", String(config.cpus), "-cpu", config.cpuModel],
    ...["-device", `isa-debug-exit,iobase=0x${DEBUG_EXIT_PORT.toString(16)},iosize=0x04`],
    ...["-no-reboot", "-nic", "none"],
    ...(config.iommu ? ["-device", "intel-iommu"] : []), // before the devices behind it
    ...numaArgs(config),
    ...(config.firmware === "uefi" ? ["-bios", OVMF_IMAGE] : []),
    ...mediumArgs(config),
    ...config.disks.flatMap((file, index) => diskArgs(file, index, config.iommu)),
    ...config.extraArgs,
  ];
}

/** A disk as a modern virtio block device: /dev/vda for the first. */
function diskArgs(file: string, index: number, isTranslated: boolean): string[] {
  const device = `virtio-blk-pci,disable-legacy=on,drive=disk${index}${isTranslated ? ",iommu_platform=on" : ""}`;
  return ["-drive", `if=none,id=disk${index},format=raw,file=${file}`, "-device", device];
}

/** The emulator: never KVM in tests, so that a run means the same on every machine. */
export function acceleratorArgs(config: VmConfig): string[] {
  if (config.icount) return ["-accel", "tcg", "-icount", "shift=0,sleep=off"];
  return ["-accel", "tcg,thread=multi"];
}

function mediumArgs(config: VmConfig): string[] {
  switch (config.medium) {
    case "kernel":
      return ["-kernel", config.kernel, ...(config.initrd ? ["-initrd", config.initrd] : []), "-append", config.append];
    case "cd":
      return ["-cdrom", config.iso, "-boot", "d"];
    case "usb":
      return [
        ...["-drive", `if=none,id=stick,format=raw,readonly=on,file=${config.iso}`],
        ...["-device", "qemu-xhci", "-device", "usb-storage,drive=stick,bootindex=0"],
      ];
  }
}

function numaArgs(config: VmConfig): string[] {
  return config.numa.flatMap((node, index) => [
    ...["-object", `memory-backend-ram,id=node${index},size=${node.memMiB}M`],
    ...["-numa", `node,nodeid=${index},memdev=node${index},cpus=${node.cpus}`],
  ]);
}
