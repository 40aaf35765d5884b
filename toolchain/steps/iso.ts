/**
 * kernel.elf + root archive -> dist/limitlessos.iso: BIOS and UEFI, CD and USB stick (grub-mkrescue).
 *
 * Reproducible: file times, volume dates and the EFI partition's serial number follow from IMAGE_EPOCH.
 * The archive is stored as gzip, which GRUB unpacks as it loads.
 */
import { copyFileSync, mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { cachedStep } from "../cache.ts";
import { BOOT, BUILD } from "../paths.ts";
import { run } from "../run.ts";

/** Seconds since 1970: 1 January 2026, the date of every image. */
const IMAGE_EPOCH = 1767225600;
const IMAGE_DATE = "2026010100000000";
/** What the menu needs, and nothing else: GRUB's modules are most of an image's size. */
const GRUB_MODULES = [
  "multiboot2", "normal", "gzio", "all_video", "iso9660", "part_msdos", "part_gpt", "fat", "configfile", "serial",
  "terminal", "gfxterm", "font", "boot", "echo", "search", "search_fs_uuid", "search_fs_file", "test", "ls",
];

export function buildIso(kernel: string, archive: string, output: string): void {
  cachedStep({
    name: "iso",
    inputs: [kernel, archive, join(BOOT, "grub.cfg")],
    parameters: [grubVersion()],
    outputs: [output],
    action: () => makeRescueImage(kernel, archive, output),
  });
}

function makeRescueImage(kernel: string, archive: string, output: string): void {
  const tree = join(BUILD, "iso");
  rmSync(tree, { recursive: true, force: true });
  mkdirSync(join(tree, "boot/grub"), { recursive: true });
  mkdirSync(dirname(output), { recursive: true });
  copyFileSync(kernel, join(tree, "boot/kernel.elf"));
  copyFileSync(join(BOOT, "grub.cfg"), join(tree, "boot/grub/grub.cfg"));
  writeFileSync(join(tree, "boot/initramfs.cpio.gz"), gzipSync(readFileSync(archive), { level: 9 }));
  for (const path of ["boot/kernel.elf", "boot/grub/grub.cfg", "boot/initramfs.cpio.gz", "boot/grub", "boot", "."]) {
    utimesSync(join(tree, path), IMAGE_EPOCH, IMAGE_EPOCH);
  }
  const modules = GRUB_MODULES.join(" ");
  run(
    "grub-mkrescue",
    [
      `--install-modules=${modules}`, "--fonts=", "--locales=", "--themes=", `--output=${output}`, tree,
      "--", "-volid", "LIMITLESSOS", "-volume_date", "all_file_dates", `=${IMAGE_EPOCH}`,
      "-volume_date", "uuid", IMAGE_DATE,
    ],
    { env: { SOURCE_DATE_EPOCH: String(IMAGE_EPOCH), TZ: "UTC" } },
  );
  fixSerialNumber(output);
}

const SECTOR = 512;
const FAT_OEM_NAME = 3;
const FAT_SERIAL = 39;
const FAT_SIGNATURE = 510;

/** mformat draws the EFI partition's serial number at random; nothing refers to it. (FAT specification, BS_VolID) */
function fixSerialNumber(image: string): void {
  const bytes = readFileSync(image);
  for (let at = 0; at + SECTOR <= bytes.length; at += SECTOR) {
    const oemName = bytes.toString("latin1", at + FAT_OEM_NAME, at + FAT_OEM_NAME + 4);
    if (oemName !== "MTOO" || bytes.readUInt16LE(at + FAT_SIGNATURE) !== 0xaa55) continue;
    bytes.writeUInt32LE(IMAGE_EPOCH, at + FAT_SERIAL);
  }
  writeFileSync(image, bytes);
}

function grubVersion(): string {
  return run("grub-mkrescue", ["--version"]).trim();
}
