/** Where things are: every path of the build in one place, relative to the repository's root. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

/** The repository's root: the nearest folder above the working directory that holds asconfig.json. */
function findRoot(folder: string): string {
  if (existsSync(join(folder, "asconfig.json")) || dirname(folder) === folder) return folder;
  return findRoot(dirname(folder));
}

export const ROOT: string = findRoot(process.cwd());
export const BUILD: string = join(ROOT, "build");
export const CACHE: string = join(BUILD, ".cache");
export const DIST: string = join(ROOT, "dist");
export const ARCH: string = join(ROOT, "arch/x86_64");
export const BOOT: string = join(ROOT, "boot");

/** The native kernel's entry, and the extra export that tells where static data ends. */
export const KERNEL_ENTRY = "kernel/main.ts";
export const STATIC_END_ENTRY = "toolchain/asc/static-end.ts";

/** Linear address of the first byte of static data: asc's --memoryBase, kernel.lds' linear_start. */
export const LINEAR_START = 65536;

export const ISO_PATH: string = join(DIST, "limitlessos.iso");
