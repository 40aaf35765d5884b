/**
 * `npx tsx tests/bench/hot-paths.ts`: instructions of the kernel's hot operations beside the same algorithms in C.
 *
 * The kernel's files go through the kernel's own pipeline (asc, wasm2c, native.h) into a host process; plain.c is compiled
 * by the same gcc with the same flags. A debugger's single steps are counted, so the numbers are exact.
 */

import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { ascCompile } from "../../toolchain/steps/asc.ts";
import { rewriteWasm2c } from "../../toolchain/steps/rewrite.ts";
import { wasm2cText } from "../../toolchain/steps/wasm2c.ts";
import { readWasm } from "../../toolchain/wasm.ts";
import { structLayout } from "../unit/support/struct-layout.ts";

const OUT = "build/bench/hot-paths";
const SOURCES = "tests/bench/hot-paths";
const LINEAR_PAGES = "1024";

const ENTRIES: readonly string[] = [
  "kernel/lib/list.ts", "kernel/lib/rb-tree.ts", "kernel/lib/spinlock.ts", "kernel/core/sync/mutex.ts",
  "kernel/core/mm/vma.ts", "kernel/core/mm/buddy.ts", "kernel/core/mm/frame-table.ts", "kernel/core/mm/heap.ts",
  "kernel/core/mm/slab-cache.ts", "kernel/core/mm/slab.ts", "kernel/core/mm/page-tree.ts",
  "kernel/core/sched/fair.ts", "kernel/core/sched/run-queue.ts", "kernel/core/sched/sched-class.ts",
  "kernel/core/sched/task-table.ts",
  "kernel/services/vfs/dcache.ts", "kernel/services/vfs/name.ts", "kernel/services/vfs/fd-table.ts",
];

/** What the rows are called in docs/measurements.md. */
const TITLES: Readonly<Record<string, string>> = {
  spinlock: "spinlock, take and give up", mutex: "mutex, take and give up", list: "list, append and remove",
  tree: "red-black tree of 64, insert and remove", area: "area of an address, 100 areas", page: "page, allocate and free",
  block: "block of 8 pages, allocate and free (buddy)", slab: "slab object, allocate and free",
  name: "path component: scan, hash, look up", page_index: "page of a file (radix tree)",
  run_queue: "run queue of 8: enqueue and pick", descriptor: "descriptor to file",
};

const FLAGS: readonly string[] = [
  "-std=gnu11", "-O2", "--param=max-inline-insns-auto=30", "--param=early-inlining-insns=14", "-fno-strict-aliasing", "-fwrapv",
  "-fno-delete-null-pointer-checks", "-fno-omit-frame-pointer", "-mgeneral-regs-only", "-fno-pie", "-fno-stack-protector",
  "-fcf-protection=none", "-w", "-DNATIVE_HOST", "-DLINEAR_BASE=0x40000000ull", "-Iarch/x86_64", `-I${SOURCES}`,
];

function offset(macro: string, file: string, struct: string, field: string): string {
  return `-D${macro}=${structLayout(file, struct)[field]}`;
}

function offsets(): string[] {
  const dentry = structLayout("kernel/services/vfs/types.ts", "Dentry");
  return [
    offset("SLAB_SIZE", "kernel/core/mm/slab-cache.ts", "SlabCache", "size"),
    offset("VMA_START", "kernel/core/mm/mm-struct.ts", "Vma", "start"),
    offset("VMA_END", "kernel/core/mm/mm-struct.ts", "Vma", "end"),
    offset("MM_LAST_HIT", "kernel/core/mm/mm-struct.ts", "AddressSpace", "lastHit"),
    offset("RQ_CURRENT", "kernel/core/sched/run-queue.ts", "RunQueue", "current"),
    offset("TASK_VRUNTIME", "kernel/core/sched/task.ts", "Task", "vruntime"),
    offset("TASK_PROCESS", "kernel/core/sched/task.ts", "Task", "process"),
    offset("PROCESS_FILES", "kernel/services/process/process.ts", "Process", "files"),
    offset("TABLE_CAPACITY", "kernel/services/vfs/fd-table.ts", "FdTable", "capacity"),
    offset("TABLE_SLOTS", "kernel/services/vfs/fd-table.ts", "FdTable", "slots"),
    `-DDENTRY_BYTES=${Math.max(...Object.values(dentry)) + 8}`,
  ];
}

/** The data segments and the call that places them. */
function dataText(wasm: Buffer): string {
  const segments = readWasm(wasm).data;
  const arrays = segments.map(({ bytes }, index) => `static const u8 data${index}[] = {${[...bytes].join(",")}};`);
  const list = (of: (index: number) => string | number): string => segments.map((_, index) => of(index)).join(", ");
  return `${arrays.join("\n")}
void start_ours(void) {
  static const u8 *const data[] = {${list((index) => `data${index}`)}};
  static const u32 offsets[] = {${list((index) => segments[index]!.offset)}};
  static const u32 sizes[] = {${list((index) => segments[index]!.bytes.length)}};
  ours_init(data, offsets, sizes, ${segments.length});
}
`;
}

function build(): string {
  mkdirSync(OUT, { recursive: true });
  const wasm = `${OUT}/module.wasm`;
  const extra = ["--initialMemory", LINEAR_PAGES, "--disableWarning", "235"];
  ascCompile({ name: "asc-hot-paths", target: "release", entries: ENTRIES, wasm, wat: `${OUT}/module.wat`, extra });
  const { code } = rewriteWasm2c(wasm2cText(wasm));
  const data = dataText(readFileSync(wasm));
  writeFileSync(`${OUT}/ours.c`, `#include "native.h"\n#include "intrinsics.c"\n${code}\n#include "ours.h"\n${data}`);
  const objects = [["ours", `${OUT}/ours.c`], ["plain", `${SOURCES}/plain.c`], ["count", `${SOURCES}/count.c`]] as const;
  for (const [name, source] of objects) {
    execFileSync("gcc", [...FLAGS, ...(name === "ours" ? offsets() : []), "-c", source, "-o", `${OUT}/${name}.o`], { stdio: "inherit" });
  }
  const linked = objects.map(([name]) => `${OUT}/${name}.o`);
  execFileSync("gcc", ["-no-pie", "-Wl,--unresolved-symbols=ignore-all", ...linked, "-o", `${OUT}/count`], { stdio: "inherit" });
  return `${OUT}/count`;
}

const rows = execFileSync(build(), { encoding: "utf8" }).trim().split("\n").map((line) => line.split(" ") as [string, string, string]);
console.log("| operation | TypeScript | C | ratio |\n|---|--:|--:|--:|");
for (const [name, ours, plain] of rows) {
  console.log(`| ${TITLES[name] ?? name} | ${Math.round(Number(ours))} | ${Math.round(Number(plain))} | ${(Number(ours) / Number(plain)).toFixed(2)} |`);
}
