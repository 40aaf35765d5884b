/**
 * What the root archive holds: Debian's busybox and musl as they are on this machine, and the files of rootfs/.
 */

import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { buildServers, manifestLines, symbolsOf } from "./servers.ts";
import { characterDevice, directory, file, symlink, type ArchiveEntry } from "./cpio.ts";

/** Of the package busybox-static. */
const BUSYBOX = "/bin/busybox";
/** Of the package musl: the C library, which is its own dynamic loader. */
const MUSL = "/lib/x86_64-linux-musl/libc.so";
const MUSL_LOADER = "lib/ld-musl-x86_64.so.1";

/** Where programs look for an applet that is not in /bin. */
const IN_SBIN = new Set(["init", "reboot", "poweroff", "halt", "getty", "mdev", "modprobe", "insmod", "ifconfig", "route"]);

export function userlandEntries(): ArchiveEntry[] {
  return [
    ...["proc", "sys", "dev", "mnt", "run", "home/user", "var/log"].map((path) => directory(path)),
    directory("root", 0o700),
    directory("tmp", 0o1777),
    characterDevice("dev/console", 5, 1),
    characterDevice("dev/null", 1, 3, 0o666),
    ...busyboxEntries(),
    file(MUSL.slice(1), readFileSync(MUSL), 0o755),
    symlink(MUSL_LOADER, MUSL),
    ...treeEntries("rootfs", ""),
    ...serverEntries(),
  ];
}

/** Built like servers, run like programs. */
const COMMANDS = new Set(["supervisor", "fault"]);

/** The ring-3 servers, and what the supervisor knows of them. */
function serverEntries(): ArchiveEntry[] {
  const programs = [...buildServers()].flatMap(([name, path]) => [
    file(COMMANDS.has(name) ? `sbin/${name}` : `lib/servers/${name}`, readFileSync(path), 0o755),
    file(`lib/servers/${name}.symbols`, readFileSync(symbolsOf(path)), 0o644),
  ]);
  return [...programs, file("lib/servers/manifests", Buffer.from(manifestLines()), 0o644)];
}

function busyboxEntries(): ArchiveEntry[] {
  const applets = execFileSync(BUSYBOX, ["--list"], { encoding: "utf8" }).split("\n").filter(Boolean);
  return [
    file("bin/busybox", readFileSync(BUSYBOX), 0o755),
    ...applets
      .filter((applet) => applet !== "busybox")
      .map((applet) => symlink(`${IN_SBIN.has(applet) ? "sbin" : "bin"}/${applet}`, BUSYBOX)),
  ];
}

/** Every file below the host's folder `from`, placed below `to` in the archive; only the owner's x bit matters. */
export function treeEntries(from: string, to: string): ArchiveEntry[] {
  return readdirSync(from, { recursive: true, withFileTypes: true })
    .filter((found) => found.isFile())
    .map((found) => {
      const path = join(found.parentPath, found.name);
      const permissions = statSync(path).mode & 0o100 ? 0o755 : 0o644;
      return file(join(to, relative(from, path)), readFileSync(path), permissions);
    });
}
