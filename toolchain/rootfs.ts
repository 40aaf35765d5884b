/** `tsx toolchain/rootfs.ts OUT`: writes the root archive, if its content changed. */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { archive } from "./cpio.ts";
import { userlandEntries } from "./userland.ts";

const out = process.argv[2] ?? "build/initramfs.cpio";
const bytes = archive(userlandEntries());

mkdirSync(dirname(out), { recursive: true });
if (!existsSync(out) || !readFileSync(out).equals(bytes)) writeFileSync(out, bytes);
console.log(`rootfs: ${out}, ${(bytes.length / 1024).toFixed(0)} KiB`);
