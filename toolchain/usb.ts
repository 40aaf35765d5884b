/**
 * `make usb DEV=/dev/sdX`: writes the ISO to a USB stick.
 *
 * Refuses a disk that is mounted anywhere or not removable, unless FORCE=1.
 */

import { execFileSync, spawnSync } from "node:child_process";

interface BlockDevice {
  readonly name: string;
  readonly type: string;
  readonly rm: boolean;
  readonly hotplug: boolean;
  readonly mountpoints: readonly (string | null)[];
  readonly children?: readonly BlockDevice[];
}

const ISO = "dist/limitlessos.iso";

/** Why `device` must not be overwritten, or null when it may be. */
export function objectionTo(device: BlockDevice): string | null {
  if (device.type !== "disk") return `is a ${device.type}, not a whole disk`;
  const mounts = mountsOf(device);
  if (mounts.length > 0) return `is in use: ${mounts.join(", ")}`;
  if (!device.rm && !device.hotplug) return "is not removable";
  return null;
}

function mountsOf(device: BlockDevice): string[] {
  const own = device.mountpoints.filter((mount): mount is string => mount !== null);
  return [...own, ...(device.children ?? []).flatMap(mountsOf)];
}

function look(path: string): BlockDevice {
  const columns = "NAME,TYPE,RM,HOTPLUG,MOUNTPOINTS";
  const listing = execFileSync("lsblk", ["--json", "-o", columns, path], { encoding: "utf8" });
  const { blockdevices } = JSON.parse(listing) as { blockdevices: BlockDevice[] };
  if (!blockdevices[0]) throw new Error(`usb: ${path} is no block device`);
  return blockdevices[0];
}

function main(path: string | undefined): number {
  if (!path) {
    console.error("usb: say which disk: make usb DEV=/dev/sdX");
    return 2;
  }
  const objection = objectionTo(look(path));
  if (objection && !process.env["FORCE"]) {
    console.error(`usb: ${path} ${objection}; FORCE=1 overrides`);
    return 1;
  }
  console.log(`usb: writing ${ISO} to ${path}`);
  const dd = ["dd", `if=${ISO}`, `of=${path}`, "bs=4M", "conv=fsync", "oflag=direct", "status=progress"];
  const [command, ...args] = process.getuid?.() === 0 ? dd : ["sudo", ...dd];
  return spawnSync(command!, args, { stdio: "inherit" }).status ?? 1;
}

if (process.argv[1]?.endsWith("usb.ts")) process.exitCode = main(process.argv[2]);
