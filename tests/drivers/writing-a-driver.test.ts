/**
 * docs/writing-a-driver.md, followed word by word in a copy of the tree: its files are written, its commands run, its machine is booted, and
 * what it says must come, comes.
 */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { withVm, type VmOptions } from "../../qemu/harness.ts";
import { BOOT_MS, targetOptions } from "../support/target.ts";

const DOCUMENT = "docs/writing-a-driver.md";
const TREE = "build/tests/driver-document";
/** What a copy of the tree needs to build servers and their tests. */
const PARTS = [
  "arch", "boot", "kernel", "servers", "toolchain", "tests/unit/support", "tests/support", "rootfs", "qemu", "docs", ".gitignore", "Makefile", "asconfig.json",
  "package.json", "package-lock.json", "tsconfig.json", "jest.config.js", "eslint.config.js",
];
const STEP_MS = 300_000;
const STAMP = /^\[ *\d+\.\d+\] c\d+ t\d+ /;

interface Block {
  readonly language: string;
  readonly text: string;
  /** The path that stands alone before the block, in backquotes. */
  readonly path: string | undefined;
}

/** The fenced blocks, in order. */
function blocksOf(markdown: string): Block[] {
  return [...markdown.matchAll(/(?:^`([^`\n]+)`\n\n)?^```(\w+)\n([^]*?)^```$/gm)].map(([, path, language = "", text = ""]) => ({ language, text, path }));
}

function copyTree(): void {
  rmSync(TREE, { recursive: true, force: true });
  for (const part of PARTS) cpSync(part, join(TREE, part), { recursive: true });
  mkdirSync(join(TREE, "build"));
  cpSync("build/.cache", join(TREE, "build/.cache"), { recursive: true, mode: 0, preserveTimestamps: true });
  symlinkSync(resolve("node_modules"), join(TREE, "node_modules"));
}

function follow(block: Block): void {
  if (block.path !== undefined) {
    const path = join(TREE, block.path);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, block.text);
  } else if (block.language === "sh") {
    try {
      execFileSync("sh", ["-e", "-c", block.text], { cwd: TREE, encoding: "utf8", stdio: "pipe", env: { ...process.env, JEST_WORKER_ID: undefined } });
    } catch (error) {
      const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
      throw new Error(`${block.text}${stdout}${stderr}`);
    }
  }
}

/** `make run A=x B="y z"` as options of a machine. */
function machineOf(command: string): VmOptions {
  const words = new Map([...command.matchAll(/(\w+)=(?:"([^"]*)"|(\S+))/g)].map((match) => [match[1], match[2] ?? match[3] ?? ""]));
  return { memMiB: Number(words.get("MEM")), extraArgs: (words.get("QEMU") ?? "").split(" "), initrd: join(TREE, "build/initramfs.cpio") };
}

/** A text block as commands at the prompt, each with what it prints. */
function dialogueOf(text: string): { command: string; expected: string }[] {
  return text.split(/^limitless:~ # /m).slice(1).map((part) => {
    const end = part.indexOf("\n");
    return { command: part.slice(0, end), expected: part.slice(end + 1) };
  });
}

test("the steps of docs/writing-a-driver.md work", async () => {
  const blocks = blocksOf(readFileSync(DOCUMENT, "utf8"));
  expect(blocks.length).toBeGreaterThan(8);
  copyTree();
  let machine: VmOptions | undefined;
  let spoken = 0;
  for (const block of blocks) {
    if (block.text.startsWith("make run")) machine = machineOf(block.text);
    else if (block.language !== "text") follow(block);
    else spoken += await speak(targetOptions({ ...machine, deadlineMs: STEP_MS }), block.text);
  }
  expect(spoken).toBeGreaterThan(3);
}, 2 * STEP_MS);

/** Says the block's commands to a machine; how many. */
async function speak(machine: VmOptions, text: string): Promise<number> {
  const dialogue = dialogueOf(text);
  await withVm(machine, async (vm) => {
    await vm.expectPrompt(BOOT_MS);
    await vm.run("n=0; until services | grep -q '^edu.0 *running' || [ $n -gt 100 ]; do usleep 100000; n=$((n+1)); done");
    for (const { command, expected } of dialogue) {
      const { output } = await vm.run(command, BOOT_MS);
      expect(`${command}\n${output.split("\n").map((line) => line.replace(STAMP, "")).join("\n")}`).toBe(`${command}\n${expected}`);
    }
  });
  return dialogue.length;
}
