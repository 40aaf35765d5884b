/** Statically linked programs of Debian, as they are: they print in the guest what they print on the host. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { runBatch, type BatchItem, type BatchResult } from "../support/batch.ts";
import { file } from "../../toolchain/cpio.ts";

const SUITE_MS = 5 * 60_000;
const HOST_LIMIT_MS = 30_000;
const IMAGE = "build/tests/ext4.img";

interface Run extends BatchItem {
  /** The program, at the same path on both sides, and its arguments after a copy of `input` has been put into the working folder. */
  readonly program: string;
  readonly args: readonly string[];
  readonly input: string;
}

const RUNS: readonly Run[] = [
  run("bash runs a script of arrays, coprocesses, jobs and globs", "/bin/bash-static", ["bash.sh"], "tests/conformance/debian/bash.sh"),
  run("zsh runs a script of hashes, globs and traps", "/bin/zsh-static", ["-f", "zsh.sh"], "tests/conformance/debian/zsh.sh"),
  run("e2fsck looks through an ext4 image", "/sbin/e2fsck.static", ["-f", "-n", "ext4.img"], IMAGE),
];

function run(title: string, program: string, args: readonly string[], input: string): Run {
  return { title, program, args, input, script: `cp /debian/${basename(input)} .\nexec ${program} ${args.join(" ")}\n` };
}

/** An ext4 file system with something in it. */
function imageMake(): void {
  mkdirSync("build/tests", { recursive: true });
  writeFileSync(IMAGE, "");
  truncateSync(IMAGE, 8 << 20);
  execFileSync("mke2fs", ["-q", "-t", "ext4", "-d", "kernel/abi", "-E", "lazy_itable_init=0", IMAGE]);
}

function onHost({ program, args, input }: Run): string {
  const folder = mkdtempSync(join(tmpdir(), "limitless-debian-"));
  writeFileSync(join(folder, basename(input)), readFileSync(input));
  const command = `exec ${program} ${args.join(" ")} 2>&1`;
  const env = { PATH: "/bin:/sbin", HOME: folder };
  const { stdout } = spawnSync("/bin/busybox", ["sh", "-c", command], { cwd: folder, env, encoding: "latin1", timeout: HOST_LIMIT_MS });
  rmSync(folder, { recursive: true });
  return stdout;
}

let results: Map<string, BatchResult>;

beforeAll(async () => {
  imageMake();
  const entries = [
    ...RUNS.map(({ program }) => file(program.slice(1), readFileSync(program), 0o755)),
    ...RUNS.map(({ input }) => file(`debian/${basename(input)}`, readFileSync(input), 0o644)),
  ];
  results = await runBatch({ name: "debian", items: RUNS, entries, cpus: 4, memMiB: 512, itemSeconds: 60 });
}, SUITE_MS);

test.each(RUNS)("$title", (program) => {
  const host = onHost(program);
  expect(host.length).toBeGreaterThan(100);
  expect(results.get(program.title)!.output).toBe(host);
});
