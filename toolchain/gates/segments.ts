/** Gate: no segment of the kernel is writable and executable. */
import { BuildError, messages } from "../messages.ts";
import { run } from "../run.ts";

export function segmentPermissionsCheck(elf: string): void {
  const lines = run("readelf", ["--program-headers", "--wide", elf]).split("\n");
  const bad = lines.filter((line) => /^\s+LOAD\s/.test(line) && / (?:R|\s)WE\s/.test(line));
  if (bad.length > 0) throw new BuildError(messages.segmentPermissions(elf, bad.map((line) => line.trim())));
}
