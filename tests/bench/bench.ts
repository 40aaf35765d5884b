/**
 * `make bench`: the table of costs, ours beside Debian's Linux, under the same emulator with the same programs.
 *
 * Counts are exact and repeatable; wall times and boot times are this machine's, now. KERNEL=linux or KERNEL=ours
 * measures only one, ONLY=disk only the disk. The table also goes to build/bench/table.md.
 */

import { existsSync, statSync, writeFileSync } from "node:fs";
import { measureDisk, measureDiskTranslated, prepareDisk } from "./disk.ts";
import { COST_ROWS, DISK_ROWS, IRQ_ROWS, RESTART_ROWS, TRIP_ROWS } from "./rows.ts";
import { measureKernel, measureOurs, prepare, type Measurements } from "./measure.ts";
import { sectionSizes } from "./sizes.ts";

const OURS = "build/kernel.elf";
const LINUX = "build/reference/vmlinuz";
const ISO = "dist/limitlessos.iso";
const TABLE = "build/bench/table.md";

type Costs = ReadonlyMap<string, number> | null;

async function measureIfThere<T>(which: string, kernel: string, measure: (kernel: string, append: string) => Promise<T>): Promise<T | null> {
  const only = process.env["KERNEL"];
  if ((only && only !== which) || !existsSync(kernel)) return null;
  console.error(`bench: measuring ${which}`);
  return measure(kernel, which === "linux" ? "console=ttyS0 quiet" : "console=ttyS0");
}

const number = (value: number | null | undefined): string =>
  value === null || value === undefined || Number.isNaN(value) ? "–" : Math.round(value).toLocaleString("en");

const ratio = (a: number | undefined, b: number | undefined): string => (a && b ? (a / b).toFixed(2) : "–");

function costTable(ours: Measurements | null, linux: Measurements | null): string[] {
  const rows = COST_ROWS.map(({ name, title, budget }) => {
    const [a, b] = [ours?.counts.get(name), linux?.counts.get(name)];
    const verdict = a === undefined || budget === null ? "" : a < budget ? "met" : "missed";
    const cells = [title, number(a), number(budget), verdict, number(b), ratio(a, b)];
    return [...cells, number(ours?.wallNs.get(name)), number(linux?.wallNs.get(name))];
  });
  return [
    "| operation | ours | budget | | Linux 6.1 | ours / Linux | ours, TCG ns | Linux, TCG ns |",
    "|---|--:|--:|---|--:|--:|--:|--:|",
    ...rows.map((cells) => `| ${cells.join(" | ")} |`),
  ];
}

/** Which way 64 KiB went from one process to another, by the counters of /proc/ipc. */
function movedTable(ours: Measurements | null): string[] {
  const rows = [["by copy", "ipc_copy_64k"], ["granted", "ipc_grant_64k"]].map(([title, name]) =>
    `| ${title} | ${number(ours?.counts.get(`${name}_copied`))} | ${number(ours?.counts.get(`${name}_granted`))} |`);
  return ["| 64 KiB in one call | bytes copied | pages granted |", "|---|--:|--:|", ...rows];
}

function systemTable(ours: Measurements | null, linux: Measurements | null): string[] {
  const size = (path: string): string => (existsSync(path) ? `${number(statSync(path).size / 1024)} KiB` : "–");
  return [
    "| | ours | Linux 6.1 |",
    "|---|--:|--:|",
    `| start of QEMU to the prompt | ${number(ours?.bootMs)} ms | ${number(linux?.bootMs)} ms |`,
    `| memory used at the prompt | ${number(ours?.usedKiB)} KiB | ${number(linux?.usedKiB)} KiB |`,
    `| kernel image | ${size(OURS)} | ${size(LINUX)} (compressed) |`,
    `| code and constants in it | ${existsSync(OURS) ? `${number(sectionSizes(OURS).text / 1024)} KiB` : "–"} | |`,
    `| ISO image | ${size(ISO)} | |`,
  ];
}

function diskTable(ours: Costs, translated: Costs, linux: Costs): string[] {
  const rows = DISK_ROWS.map(({ name, title }) => {
    const [a, b] = [ours?.get(name), linux?.get(name)];
    return `| ${title} | ${number(a)} | ${number(translated?.get(name))} | ${number(b)} | ${ratio(a, b)} |`;
  });
  return ["| operation | ours | ours, behind an IOMMU | Linux 6.1 | ours / Linux |", "|---|--:|--:|--:|--:|", ...rows];
}

function irqTable(ours: Costs): string[] {
  return ["| operation | ours |", "|---|--:|", ...IRQ_ROWS.map(({ name, title }) => `| ${title} | ${number(ours?.get(name))} |`)];
}

function restartTable(ours: Costs): string[] {
  const rows = RESTART_ROWS.map(({ name, title }) => `| ${title} | ${number(ours?.get(name))} | ${number(ours?.get(`${name}_worst`))} |`);
  return ["| a server's death | median of 11 | worst |", "|---|--:|--:|", ...rows];
}

function tripTable(ours: Costs): string[] {
  const rows = TRIP_ROWS.map(({ name, title }) => `| ${title} | ${number(ours?.get(name))} |`);
  return ["| on a cached file | calls into its server |", "|---|--:|", ...rows];
}

/** ONLY=disk leaves the rest out. */
const only = process.env["ONLY"];
const parts: string[] = [];
if (only !== "disk") {
  prepare();
  const ours = await measureIfThere("ours", OURS, measureOurs);
  const linux = await measureIfThere("linux", LINUX, measureKernel);
  parts.push(...costTable(ours, linux), "", ...movedTable(ours), "", ...systemTable(ours, linux), "");
}
prepareDisk();
const [ours, linux] = [await measureIfThere("ours", OURS, measureDisk), await measureIfThere("linux", LINUX, measureDisk)];
const translated = await measureIfThere("ours", OURS, measureDiskTranslated);
parts.push(...diskTable(ours, translated, linux), "", ...irqTable(ours), "", ...restartTable(ours), "", ...tripTable(ours), "");
const table = parts.join("\n");
writeFileSync(TABLE, table);
console.log(table);
