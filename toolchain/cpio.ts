/**
 * A cpio archive in "newc" format, byte for byte the same for the same entries: no times, no owners but root,
 * entries in the order of their names.
 *
 * Spec: cpio(5), section "New ASCII Format".
 */

export interface ArchiveEntry {
  /** Path without a leading slash. */
  readonly path: string;
  /** Type and permission bits, as in stat(2)'s st_mode. */
  readonly mode: number;
  /** File content, or a symbolic link's target. */
  readonly data: Buffer;
  /** Device number of a character or block device. */
  readonly device?: readonly [major: number, minor: number];
}

const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;
const S_IFLNK = 0o120000;
const S_IFCHR = 0o020000;
const NOTHING = Buffer.alloc(0);

export function directory(path: string, permissions = 0o755): ArchiveEntry {
  return { path, mode: S_IFDIR | permissions, data: NOTHING };
}

export function file(path: string, data: Buffer, permissions = 0o644): ArchiveEntry {
  return { path, mode: S_IFREG | permissions, data };
}

export function symlink(path: string, target: string): ArchiveEntry {
  return { path, mode: S_IFLNK | 0o777, data: Buffer.from(target) };
}

export function characterDevice(path: string, major: number, minor: number, permissions = 0o600): ArchiveEntry {
  return { path, mode: S_IFCHR | permissions, data: NOTHING, device: [major, minor] };
}

/** The archive of `entries`, which need not name their parent directories. */
export function archive(entries: readonly ArchiveEntry[]): Buffer {
  const byPath = new Map<string, ArchiveEntry>();
  for (const entry of entries) {
    for (const parent of parentsOf(entry.path)) if (!byPath.has(parent)) byPath.set(parent, directory(parent));
    byPath.set(entry.path, entry);
  }
  const sorted = [...byPath.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  const records = sorted.map((entry, index) => record(entry, index + 1));
  records.push(record({ path: "TRAILER!!!", mode: 0, data: NOTHING }, 0));
  return Buffer.concat(records);
}

/** "a/b/c" has the parents "a" and "a/b". */
function parentsOf(path: string): string[] {
  const parts = path.split("/").slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join("/"));
}

function record(entry: ArchiveEntry, inode: number): Buffer {
  const name = Buffer.from(`${entry.path}\0`);
  const [major, minor] = entry.device ?? [0, 0];
  const links = (entry.mode & S_IFDIR) === S_IFDIR ? 2 : 1;
  const fields = [
    ...[inode, entry.mode, 0, 0, links, 0, entry.data.length], // owner 0:0, time 0
    ...[0, 0, major, minor, name.length, 0],
  ];
  const header = Buffer.from(`070701${fields.map(hex8).join("")}`);
  return Buffer.concat([padTo4(Buffer.concat([header, name])), padTo4(entry.data)]);
}

function hex8(value: number): string {
  return value.toString(16).padStart(8, "0");
}

function padTo4(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
}
