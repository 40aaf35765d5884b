/** Root archives with servers of a test's own beside the system's: the supervisor starts them like any other. */
import { mkdirSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { archive, file, type ArchiveEntry } from "../../toolchain/cpio.ts";
import { readFileSync } from "node:fs";
import { buildServers, manifestLines } from "../../toolchain/servers.ts";
import { userlandEntries } from "../../toolchain/userland.ts";

/** Writes build/tests/<name>.cpio with the servers below `folder` and whatever else; its path. */
export function rootWithServers(name: string, folder: string, entries: readonly ArchiveEntry[] = []): string {
  const programs = [...buildServers(join(process.cwd(), folder)).values()].map((path) => file(`lib/servers/${basename(path)}`, readFileSync(path), 0o755));
  const manifests = file("lib/servers/manifests", Buffer.from(manifestLines() + manifestLines(join(process.cwd(), folder))), 0o644);
  const out = `build/tests/${name}.cpio`;
  mkdirSync(dirname(out), { recursive: true });
  writeFileSync(out, archive([...userlandEntries(), ...programs, manifests, ...entries]));
  return out;
}
