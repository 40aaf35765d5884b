/**
 * The kernel under test: ours, or with KERNEL=linux Debian's, which shows that a test asks for what Linux does.
 */

import type { VmOptions } from "../../qemu/harness.ts";

export const isReference: boolean = process.env["KERNEL"] === "linux";

export const KERNEL_IMAGE: string = isReference ? "build/reference/vmlinuz" : "build/kernel.elf";

/** Options every machine of the tests starts from. */
export function targetOptions(options: VmOptions = {}): VmOptions {
  return {
    kernel: KERNEL_IMAGE,
    append: `console=ttyS0${isReference ? " quiet" : ""}`,
    ...options,
  };
}

/** The time a boot may take on a busy machine with two cores. */
export const BOOT_MS = 60_000;
