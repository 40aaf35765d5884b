/**
 * `make bench`: the table of costs, ours beside Debian's Linux, under the same emulator with the same programs.
 *
 * Counts are exact and repeatable; wall times and boot times are this machine's, now. KERNEL=linux or KERNEL=ours
 * measures only one. The table also goes to build/bench/table.md.
 */

import { existsSync, statSync, writeFileSync } from "node:fs";
import { COST_ROWS } from "./rows.ts";
import { measureKernel, prepare, type Measurements } from "./measure.ts";
import { sectionSizes } from "./sizes.ts";

const OURS = "build/kernel.elf";
const LINUX = "build/reference/vmlinuz";
const ISO = "dist/limitlessos.iso";
const TABLE = "build/bench/table.md";

async function measureIfThere(which: string, kernel: string, append: string): Promise<Measurements | null> {
  const only = process.env["KERNEL"];
  if ((only && only !== which) || !existsSync(kernel)) return null;
  console.error(`bench: measuring ${which}`);
  return measureKernel(kernel, append);
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

prepare();
const ours = await measureIfThere("ours", OURS, "console=ttyS0");
const linux = await measureIfThere("linux", LINUX, "console=ttyS0 quiet");
const table = [...costTable(ours, linux), "", ...systemTable(ours, linux), ""].join("\n");
writeFileSync(TABLE, table);
console.log(table);
