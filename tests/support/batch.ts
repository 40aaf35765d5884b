/**
 * Many commands in one boot: the guest's first process runs them one after the other, and frames what each prints.
 *
 * Should the machine die or a command hang, that command has failed, and a new machine goes on with the next one.
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { withVm, type Vm, type VmOptions } from "../../qemu/harness.ts";
import { archive, file, type ArchiveEntry } from "../../toolchain/cpio.ts";
import { userlandEntries } from "../../toolchain/userland.ts";
import { BOOT_MS, targetOptions } from "./target.ts";

export interface BatchItem {
  readonly title: string;
  /** Shell script; it runs in an empty folder /tmp/work. */
  readonly script: string;
}

export interface BatchResult {
  readonly output: string;
  /** Exit status, or why there is none. */
  readonly status: number | string;
}

export interface BatchOptions extends VmOptions {
  /** Name of the root archive below build/tests/. */
  readonly name: string;
  readonly items: readonly BatchItem[];
  /** Files the scripts need. */
  readonly entries?: readonly ArchiveEntry[];
  readonly itemSeconds?: number;
  /** Output goes straight to the console: seen even when the machine dies, but it is a terminal's. */
  readonly live?: boolean;
}

/** After this many machines lost, the rest is reported as not run. */
const MACHINES = 12;
const GRACE_MS = 10_000;

/** A line of the kernel's log among the output; it may stand in the middle of a line that a program is writing. */
const KERNEL_LOG = /\[ *\d+\.\d{6}\] c\d+ t\d+ .*\n/g;

export async function runBatch(options: BatchOptions): Promise<Map<string, BatchResult>> {
  const { name, items, entries = [], itemSeconds = 30, live = false, ...machine } = options;
  const initrd = `build/tests/${name}.cpio`;
  mkdirSync(dirname(initrd), { recursive: true });
  writeFileSync(initrd, archive([...userlandEntries(), ...entries, ...batchEntries(items, itemSeconds, live)]));

  const results = new Map<string, BatchResult>();
  for (let machines = 0; machines < MACHINES && results.size < items.length; machines++) {
    const base = targetOptions({ deadlineMs: items.length * itemSeconds * 1000, ...machine, initrd });
    const append = `${base.append} rdinit=/batch/run batch.skip=${results.size}`;
    await collect({ ...base, append }, items, results, itemSeconds * 1000 + GRACE_MS);
  }
  for (const { title } of items) if (!results.has(title)) results.set(title, { output: "", status: "was not run" });
  return results;
}

/** Takes results until all are there, or one cannot be had: that one has failed. */
async function collect(
  machine: VmOptions,
  items: readonly BatchItem[],
  results: Map<string, BatchResult>,
  limitMs: number,
): Promise<void> {
  try {
    await withVm(machine, async (vm) => {
      await vm.waitFor(/<<<BATCH>>>/, BOOT_MS);
      while (results.size < items.length) await collectOne(vm, items[results.size]!, results.size, results, limitMs);
    });
  } catch (error) {
    const item = items[results.size];
    if (item) results.set(item.title, { output: String(error).slice(-4000), status: "the machine died or hung" });
  }
}

async function collectOne(
  vm: Vm,
  item: BatchItem,
  index: number,
  results: Map<string, BatchResult>,
  limitMs: number,
): Promise<void> {
  const [, raw = "", status = ""] = await vm.waitFor(
    new RegExp(`<<<BEGIN ${index}>>>\r?\n([^]*?)<<<END ${index} (\\d+)>>>`),
    limitMs,
  );
  results.set(item.title, { output: raw.replaceAll("\r\n", "\n").replace(KERNEL_LOG, ""), status: Number(status) });
}

function batchEntries(items: readonly BatchItem[], itemSeconds: number, live: boolean): ArchiveEntry[] {
  const scripts = items.map((item, index) => file(`batch/${index}.sh`, Buffer.from(item.script)));
  return [file("batch/run", Buffer.from(runnerScript(items.length, itemSeconds, live)), 0o755), ...scripts];
}

function runnerScript(count: number, itemSeconds: number, live: boolean): string {
  return `#!/bin/sh
export PATH=/bin:/sbin HOME=/tmp/work
mount -t devtmpfs dev /dev 2>/dev/null
mount -t proc proc /proc
[ -e /dev/fd ] || ln -s /proc/self/fd /dev/fd
mount -t tmpfs -o mode=1777 tmp /tmp
i=0
for word in $(cat /proc/cmdline); do
  case $word in batch.skip=*) i=\${word#*=} ;; esac
done
echo "<<<BATCH>>>"
while [ $i -lt ${count} ]; do
  mkdir /tmp/work && cd /tmp/work
  echo "<<<BEGIN $i>>>"
  cp /batch/$i.sh ../script
  timeout -s KILL ${itemSeconds} env -i PATH=$PATH HOME=$HOME sh ../script </dev/null ${live ? "" : ">../output"} 2>&1
  status=$?
  ${live ? "" : "cat ../output"}
  echo "<<<END $i $status>>>"
  cd / && rm -rf /tmp/work
  i=$((i + 1))
done
poweroff -f
`;
}
