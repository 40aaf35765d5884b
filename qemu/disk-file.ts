/** Whether a file on the host can be a machine's disk; asked before QEMU is, whose own words say less. */
import { closeSync, openSync, statSync } from "node:fs";
import { spawnSync } from "node:child_process";

const SECTOR = 512;
const PROBE_MS = 10_000;

/** What is wrong with `path` as a disk image, and what to do; undefined when nothing is. */
export function diskProblem(path: string): string | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat) return `${path}: there is no such file; make one:\n  truncate -s 1G ${path} && mkfs.fat -F 32 ${path}`;
  if (stat.isDirectory()) return `${path}: is a folder; a disk is a file with the whole image`;
  if (!stat.isFile() && !stat.isBlockDevice()) return `${path}: is neither a file nor a block device`;
  if (stat.isFile() && stat.size < SECTOR) return `${path}: is empty; a disk has at least one sector of ${SECTOR} bytes`;
  try {
    closeSync(openSync(path, "r+"));
  } catch (error) {
    return `${path}: you may not read and write it (${(error as NodeJS.ErrnoException).code ?? "unknown"})`;
  }
  return isLocked(path) ? `${path}: is in use by another machine` : undefined;
}

/** Opens it with a machine that is never started, which takes the lock that any machine takes. */
function isLocked(path: string): boolean {
  const disk = ["-drive", `if=none,id=disk,format=raw,file=${path}`, "-device", "virtio-blk-pci,drive=disk"];
  const machine = ["-machine", "q35", "-nodefaults", "-display", "none", "-S", "-monitor", "stdio", ...disk];
  const { status, stderr } = spawnSync("qemu-system-x86_64", machine, { input: "quit\n", encoding: "utf8", timeout: PROBE_MS });
  return status !== 0 && /lock/i.test(stderr);
}
