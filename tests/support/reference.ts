/** Debian's Linux, to compare with: its kernel, and the modules with which it mounts FAT volumes on virtio disks (toolchain/deps.sh). */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { file, type ArchiveEntry } from "../../toolchain/cpio.ts";

export const REFERENCE_KERNEL = "build/reference/vmlinuz";
const FOLDER = "build/reference/modules";
/** False when `make deps` could not fetch it: nothing is compared then. */
export const hasReference: boolean = existsSync(REFERENCE_KERNEL) && existsSync(FOLDER);
/** In the order of their needs. */
export const REFERENCE_MODULES: readonly string[] = [
  "virtio_ring", "virtio", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci", "virtio_blk", "fat", "vfat", "nls_cp437", "nls_ascii",
];

/** The modules in /modules. */
export function referenceModules(): ArchiveEntry[] {
  return REFERENCE_MODULES.map((name) => file(`modules/${name}.ko`, readFileSync(join(FOLDER, `${name}.ko`)), 0o644));
}
