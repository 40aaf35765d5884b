/** The kernel's entry points; the boot sequence reads top to bottom. */
export function kernelMain(magic: u32, infoPa: u64): void {}
