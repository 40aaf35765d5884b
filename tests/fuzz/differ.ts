/**
 * `npx tsx tests/fuzz/differ.ts [SEED [CASES [UID]]]`: the same random calls, made of the contract, on our kernel and on Linux; prints
 * where the answers differ. A difference is a place to look, not a verdict: one of the two may lack the call, or be stricter.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { withVm, type VmOptions } from "../../qemu/harness.ts";
import { archive, file } from "../../toolchain/cpio.ts";
import { userlandEntries } from "../../toolchain/userland.ts";
import { writeGrammar } from "./grammar.ts";

const FOLDER = "build/tests/fuzz";
const REFERENCE = "build/reference/vmlinuz";
const RUN_MS = 20 * 60_000;
const BOOT_MS = 120_000;
const [seed = "1", cases = "8", uid = "65534"] = process.argv.slice(2);

function initrdMake(): string {
  mkdirSync(FOLDER, { recursive: true });
  writeGrammar(`${FOLDER}/grammar.h`, "linux");
  execFileSync("gcc", ["-O1", "-static", "-w", `-I${FOLDER}`, "-o", `${FOLDER}/differ`, "tests/fuzz/differ.c"]);
  const initrd = `${FOLDER}/differ.cpio`;
  writeFileSync(initrd, archive([...userlandEntries(), file("bin/differ", readFileSync(`${FOLDER}/differ`), 0o755)]));
  return initrd;
}

/** Answers by "name case". */
async function answers(machine: VmOptions): Promise<Map<string, number>> {
  return withVm({ cpus: 2, memMiB: 512, append: "console=ttyS0 quiet", deadlineMs: RUN_MS, ...machine }, async (vm) => {
    await vm.expectPrompt(BOOT_MS);
    const { output } = await vm.run(`differ ${seed} ${cases} ${uid} >/run/answers 2>/dev/null; cat /run/answers`, RUN_MS);
    const lines = [...output.matchAll(/^(\w+ \d+) (-?\d+)$/gm)];
    return new Map(lines.map(([, key = "", answer]) => [key, Number(answer)]));
  });
}

const initrd = initrdMake();
const ours = await answers({ initrd });
const linux = await answers({ initrd, kernel: REFERENCE });
const differing = [...linux].filter(([key, answer]) => ours.get(key) !== answer);
const byCall = new Map<string, string[]>();
for (const [key, answer] of differing) {
  const [name = "", n = ""] = key.split(" ");
  byCall.set(name, [...(byCall.get(name) ?? []), `#${n} ours ${ours.get(key) ?? "none"} Linux ${answer}`]);
}
for (const [name, list] of byCall) console.log(`${name}: ${list.join("; ")}`);
console.log(`differ: seed ${seed}, uid ${uid}: ${linux.size} calls, ${differing.length} answers differ, in ${byCall.size} calls`);
