/** make run DISK=…: each way in which that can be wrong is said before QEMU starts. */
import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { diskProblem } from "../../../qemu/disk-file.ts";

const FOLDER = "build/tests/disk-file";
const image = join(FOLDER, "disk.img");

beforeAll(() => {
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(image, "");
  truncateSync(image, 1 << 20);
});

test("a good image has no problem", () => {
  expect(diskProblem(image)).toBeUndefined();
});

test("what is missing, a folder, empty or no file is named, with what to do", () => {
  expect(diskProblem(join(FOLDER, "none.img"))).toMatch(/none.img: there is no such file; make one:\n {2}truncate/);
  expect(diskProblem(FOLDER)).toMatch(/is a folder/);
  expect(diskProblem("/dev/null")).toMatch(/neither a file nor a block device/);
  writeFileSync(join(FOLDER, "empty.img"), "");
  expect(diskProblem(join(FOLDER, "empty.img"))).toMatch(/is empty/);
});

const asUser = process.getuid?.() === 0 ? test.skip : test; // root may write everything
asUser("a file that may not be written", () => {
  const path = join(FOLDER, "locked.img");
  writeFileSync(path, "x".repeat(512));
  chmodSync(path, 0o400);
  expect(diskProblem(path)).toMatch(/you may not read and write it \(EACCES\)/);
  chmodSync(path, 0o600);
});

test("an image that a machine has open is in use", async () => {
  const machine = spawn("qemu-system-x86_64", [
    "-nodefaults", "-display", "none", "-S", "-machine", "q35", "-monitor", "stdio", "-drive", `if=none,id=d,format=raw,file=${image}`,
    "-device", "virtio-blk-pci,drive=d",
  ], { stdio: ["pipe", "pipe", "ignore"] });
  const ended = new Promise((resolve) => machine.once("close", resolve));
  await new Promise((resolve) => machine.stdout.once("data", resolve)); // its prompt: the drives are open
  const problem = diskProblem(image);
  machine.kill("SIGKILL");
  await ended;
  expect(problem).toMatch(/is in use by another machine/);
  expect(diskProblem(image)).toBeUndefined();
}, 60_000);
