/**
 * The build itself: the same sources in another folder give the same kernel and the same ISO, byte for byte, and a
 * change of one line does not build everything again.
 */

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, mkdtempSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const BUILD_MS = 600_000;
/** Half a minute is the promise, on an idle machine with two cores; this one may be busy. */
const REBUILD_MS = 60_000;
const PRODUCTS = ["build/kernel.elf", "build/initramfs.cpio", "dist/limitlessos.iso"] as const;

/** Every file that git knows or would, at `to`, with the modules that are installed here. */
function copyTree(to: string): void {
  const listing = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], { encoding: "utf8" });
  for (const path of listing.split("\0").filter(Boolean)) {
    mkdirSync(dirname(join(to, path)), { recursive: true });
    cpSync(path, join(to, path));
  }
  symlinkSync(join(process.cwd(), "node_modules"), join(to, "node_modules"));
}

function build(folder: string): void {
  const tool = (...args: string[]): void => {
    execFileSync("node_modules/.bin/tsx", args, { cwd: folder, stdio: ["ignore", "ignore", "inherit"] });
  };
  tool("toolchain/build.ts", "kernel");
  tool("toolchain/rootfs.ts", "build/initramfs.cpio");
  tool("toolchain/build.ts", "iso");
}

const sums = (folder: string): string[] =>
  PRODUCTS.map((path) => `${path} ${createHash("sha256").update(readFileSync(join(folder, path))).digest("hex")}`);

describe("two folders", () => {
  let other: string;

  beforeAll(() => {
    other = join(mkdtempSync(join(tmpdir(), "limitless-build-")), "a-folder-with-another-name");
    mkdirSync(other);
    copyTree(other);
    build(process.cwd());
    build(other);
  }, BUILD_MS);
  afterAll(() => rmSync(dirname(other), { recursive: true, force: true }));

  test("one source gives the same bytes in both", () => {
    expect(sums(other)).toEqual(sums(process.cwd()));
  });

  test("one changed line of the kernel is built in well under a minute, and changes the kernel", () => {
    const path = join(other, "kernel/boot-stop.ts");
    const before = sums(other)[0];
    writeFileSync(path, readFileSync(path, "utf8").replace("LimitlessOS cannot boot: ", "LimitlessOS can not boot: "));
    const start = Date.now();
    execFileSync("node_modules/.bin/tsx", ["toolchain/build.ts", "kernel"], { cwd: other, stdio: "ignore" });
    const took = Date.now() - start;
    console.log(`rebuild after a change of one line: ${took} ms`);
    expect(took).toBeLessThan(REBUILD_MS);
    expect(sums(other)[0]).not.toBe(before);
  }, BUILD_MS);
});
