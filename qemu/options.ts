/**
 * What a test or `make run` may choose about a virtual machine.
 *
 * Units: memMiB in MiB, times in milliseconds.
 */

export type Firmware = "bios" | "uefi";

/** How the system gets into the machine: loaded by QEMU itself, or from the ISO as a CD or a USB stick. */
export type Medium = "kernel" | "cd" | "usb";

/** One NUMA node: its share of memory and its CPUs ("0-1"). */
export interface NumaNode {
  readonly memMiB: number;
  readonly cpus: string;
}

export interface VmOptions {
  readonly cpus?: number;
  readonly memMiB?: number;
  readonly firmware?: Firmware;
  readonly medium?: Medium;
  /** Kernel image for medium "kernel"; build/kernel.elf unless told. */
  readonly kernel?: string;
  /** Archive that becomes the root for medium "kernel"; build/initramfs.cpio unless told, none when empty. */
  readonly initrd?: string;
  /** Kernel command line for medium "kernel". */
  readonly append?: string;
  /** ISO image for media "cd" and "usb"; dist/limitlessos.iso unless told. */
  readonly iso?: string;
  /** Disk images in raw format, each a virtio block device: /dev/vda for the first. */
  readonly disks?: readonly string[];
  /** An IOMMU (Intel VT-d) that the disks' DMA goes through. */
  readonly iommu?: boolean;
  readonly numa?: readonly NumaNode[];
  readonly cpuModel?: string;
  /** One TSC count for one executed instruction: measurements that hold on any machine. */
  readonly icount?: boolean;
  readonly extraArgs?: readonly string[];
  /** The machine is killed, and the test fails, this long after start. */
  readonly deadlineMs?: number;
}

/** Every choice made. */
export type VmConfig = Required<VmOptions>;

export const DEFAULT_APPEND = "console=ttyS0";

export function withDefaults(options: VmOptions): VmConfig {
  return {
    cpus: 1,
    memMiB: 256,
    firmware: "bios",
    medium: "kernel",
    kernel: "build/kernel.elf",
    initrd: "build/initramfs.cpio",
    append: DEFAULT_APPEND,
    iso: "dist/limitlessos.iso",
    disks: [],
    iommu: false,
    numa: [],
    cpuModel: "max",
    icount: false,
    extraArgs: [],
    deadlineMs: 120_000,
    ...options,
  };
}
