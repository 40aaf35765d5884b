/** Sizes of what is in an ELF image, by `size`. */

import { execFileSync } from "node:child_process";

export interface SectionSizes {
  /** Code and read-only data, in bytes. */
  readonly text: number;
  readonly data: number;
  readonly bss: number;
}

export function sectionSizes(path: string): SectionSizes {
  const [, line = ""] = execFileSync("size", [path], { encoding: "utf8" }).split("\n");
  const [text = 0, data = 0, bss = 0] = line.trim().split(/\s+/).map(Number);
  return { text, data, bss };
}
