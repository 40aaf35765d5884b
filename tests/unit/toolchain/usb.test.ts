/** `make usb`: which disks it refuses, and that what it writes is the image. */

import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, mkdtempSync, openSync, readSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { objectionTo, type BlockDevice } from "../../../toolchain/usb.ts";

const MIB = 1024 * 1024;
const stick: BlockDevice = { name: "sdx", type: "disk", rm: true, hotplug: true, mountpoints: [null] };

test.each<[string, Partial<BlockDevice>, RegExp | null]>([
  ["a stick that nobody uses", {}, null],
  ["a removable disk behind a bus without hotplug", { hotplug: false }, null],
  ["a USB disk that does not call itself removable", { rm: false }, null],
  ["the machine's own disk", { rm: false, hotplug: false }, /not removable/],
  ["a mounted stick", { mountpoints: ["/mnt"] }, /in use: \/mnt/],
  ["a stick with a mounted partition", { children: [{ ...stick, type: "part", mountpoints: ["/media/x"] }] }, /in use: \/media\/x/],
  ["a stick that swap is on", { mountpoints: ["[SWAP]"] }, /in use/],
  ["a partition", { type: "part" }, /not a whole disk/],
])("%s", (_, difference, words) => {
  const objection = objectionTo({ ...stick, ...difference });
  if (words) expect(objection).toMatch(words);
  else expect(objection).toBeNull();
});

/** `toolchain/usb.ts` as make calls it. */
function usb(args: readonly string[], force: boolean): { status: number | null; output: string } {
  const env = { ...process.env, FORCE: force ? "1" : "" };
  const { status, stdout, stderr } = spawnSync("node_modules/.bin/tsx", ["toolchain/usb.ts", ...args], { encoding: "utf8", env });
  return { status, output: stdout + stderr };
}

describe("the command", () => {
  let folder: string;
  let image: string;
  const content = randomBytes(5 * MIB + 2048); // not a whole number of dd's blocks, like an ISO

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "limitless-usb-"));
    image = join(folder, "image.iso");
    writeFileSync(image, content);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test("wants a device, an image, and a block device", () => {
    expect(usb([], false)).toEqual({ status: 2, output: expect.stringContaining("DEV=/dev/sdX") as unknown });
    expect(usb([image, join(folder, "nothing")], true)).toEqual({ status: 2, output: expect.stringContaining("make iso") as unknown });
    expect(usb([image, image], true)).toEqual({ status: 2, output: expect.stringContaining("no block device") as unknown });
    expect(statSync(image).size).toBe(content.length);
  });

  test("refuses a loop device until forced, then writes the image byte for byte", () => {
    const disk = join(folder, "disk");
    writeFileSync(disk, Buffer.alloc(8 * MIB, 0xee));
    const loop = spawnSync("losetup", ["--find", "--show", disk], { encoding: "utf8" });
    if (loop.status !== 0) return; // this user may have no loop devices
    const device = loop.stdout.trim();
    const read = (): Buffer => {
      const bytes = Buffer.alloc(8 * MIB);
      const fd = openSync(device, "r");
      readSync(fd, bytes, 0, bytes.length, 0);
      closeSync(fd);
      return bytes;
    };
    try {
      expect(usb([device, image], false)).toEqual({ status: 1, output: expect.stringMatching(/is a loop, not a whole disk; FORCE=1/) as unknown });
      expect(read().every((byte) => byte === 0xee)).toBe(true);
      expect(usb([device, image], true).status).toBe(0);
      expect(read().subarray(0, content.length).equals(content)).toBe(true);
    } finally {
      spawnSync("losetup", ["--detach", device]);
    }
  });
});
