/** Servers that die of themselves: each takes nobody along, and the log says who, why and where in the names of its source. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withVm } from "../../qemu/harness.ts";
import { archive, file } from "../../toolchain/cpio.ts";
import { buildServers, symbolsOf } from "../../toolchain/servers.ts";
import { userlandEntries } from "../../toolchain/userland.ts";
import { BOOT_MS, targetOptions } from "../support/target.ts";

const FOLDER = "build/tests/crashes";
const INITRD = join(FOLDER, "root.cpio");
const TEST_MS = 3 * BOOT_MS;

/** What each says of its death, and a function it must name. */
const CRASHES: readonly (readonly [name: string, reason: string, place: string])[] = [
  ["crash-null", "access outside its memory, at 0x[0-9a-f]+", "serverMain"],
  ["crash-far", "access outside its memory, at 0x[0-9a-f]+", "serverMain"],
  ["crash-farthest", "access outside its memory, at 0x[0-9a-f]+", "serverMain"],
  ["crash-assert", "broken assertion", "serverMain"],
  ["crash-divide", "division by zero", "serverMain"],
  ["crash-memory", "out of memory", "main.ts:hoard|growMemory|serverMain"],
  ["crash-stack", "access outside its memory, at 0x[0-9a-f]+", "dive"],
];

beforeAll(() => {
  mkdirSync(FOLDER, { recursive: true });
  const program = buildServers("tests/faults/servers").get("crasher")!;
  const manifests = userlandEntries().find((entry) => entry.path === "lib/servers/manifests")!;
  const lines = CRASHES.map(([name]) => `${name} start=always restart=never needs=log\n`).join("");
  writeFileSync(INITRD, archive([
    ...userlandEntries().filter((entry) => entry !== manifests && entry.path !== manifests.path),
    file(manifests.path, Buffer.concat([manifests.data, Buffer.from(lines)]), 0o644),
    ...CRASHES.flatMap(([name]) => [
      file(`lib/servers/${name}`, readFileSync(program), 0o755),
      file(`lib/servers/${name}.symbols`, readFileSync(symbolsOf(program)), 0o644),
    ]),
  ]));
}, BOOT_MS);

test("a crash ends one server, and is told with reason, function and callers", () =>
  withVm(targetOptions({ cpus: 2, initrd: INITRD, deadlineMs: TEST_MS }), async (vm) => {
    await vm.expectPrompt(BOOT_MS);
    const { output: table } = await vm.run("n=0; until [ $(services | grep -c '^crash.* finished') = 7 ] || [ $n -gt 100 ]; do usleep 100000; n=$((n+1)); done; services");
    const { output: log } = await vm.run("dmesg");
    for (const [name, reason, place] of CRASHES) {
      expect(table).toMatch(new RegExp(`^${name}\\S* +finished .* ${reason}$`, "m"));
      expect(log).toMatch(new RegExp(`server: supervisor: ${name} was in tests/faults/servers/crasher/main.ts:\\w+|${name} was in ~lib/`));
      const told = log.split("\n").filter((line) => line.includes(`: ${name} was in`) || line.includes(`: ${name} called by`)).join("\n");
      expect(told).toMatch(new RegExp(place));
    }
    expect(table).toMatch(/^fat32\.0 +running/m);
    expect(log).not.toMatch(/panic|ended too early/);
  }), TEST_MS);
