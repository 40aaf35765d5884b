/**
 * `make usb DEV=/dev/sdX`: writes the ISO (or the image named after the device) to a USB stick.
 *
 * Refuses a disk that is mounted anywhere or not removable, unless FORCE=1.
 */

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

export interface BlockDevice {
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

/** What lsblk knows about `path`; null when that is no block device. */
function look(path: string): BlockDevice | null {
  const columns = "NAME,TYPE,RM,HOTPLUG,MOUNTPOINTS";
  const { status, stdout } = spawnSync("lsblk", ["--json", "-o", columns, path], { encoding: "utf8" });
  if (status !== 0) return null;
  const { blockdevices } = JSON.parse(stdout) as { blockdevices: BlockDevice[] };
  return blockdevices[0] ?? null;
}

function main(path: string | undefined, image: string): number {
  if (!path) {
    console.error("usb: say which disk: make usb DEV=/dev/sdX");
    return 2;
  }
  if (!existsSync(image)) {
    console.error(`usb: there is no ${image}: make iso`);
    return 2;
  }
  const device = look(path);
  if (!device) {
    console.error(`usb: ${path} is no block device`);
    return 2;
  }
  const objection = objectionTo(device);
  if (objection && !process.env["FORCE"]) {
    console.error(`usb: ${path} ${objection}; FORCE=1 overrides`);
    return 1;
  }
  console.log(`usb: writing ${image} to ${path}`);
  const dd = ["dd", `if=${image}`, `of=${path}`, "bs=4M", "conv=fsync", "oflag=direct", "status=progress"];
  const [command, ...args] = process.getuid?.() === 0 ? dd : ["sudo", ...dd];
  return spawnSync(command!, args, { stdio: "inherit" }).status ?? 1;
}

if (process.argv[1]?.endsWith("usb.ts")) process.exitCode = main(process.argv[2], process.argv[3] ?? ISO);
