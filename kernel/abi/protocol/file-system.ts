/**
 * The file-system protocol: what the kernel asks of a file-system server, as data. Stubs for AssemblyScript and Node are generated.
 *
 * The kernel calls the server's endpoint with label = method id and w0 = mount id; request and reply stand in the connection's window
 * (a MEMORY object of FS_WINDOW_BYTES both map): the request from offset 0, the reply from FS_REPLY_OFFSET, fields in order at their
 * natural alignment. The reply's label is 0 or a negated errno. One call at a time stands on a connection.
 *
 * Statelessness. What the server must know of a file is in the `node` the kernel sends along: two words of the server's own choosing,
 * which the kernel keeps with its inode and replaces by what a reply says. A server that was killed is started again and ATTACHed to
 * every live mount; then the call that was under way is repeated with FS_REPEATED in w1: the server must answer as if it had been done
 * once (create of what is there, unlink of what is gone: success).
 * Atomicity. Each method that changes the disk does it by exactly one BlockDeviceOp.COMMIT, as its last act before the reply.
 *
 * Caching. The kernel keeps names, attributes and extents it was told until it asks for a change itself: a server never changes them
 * on its own. File data never passes through the server: the kernel reads and writes the extents.
 *
 * Types: u32 u64; name = u32 length + 768 bytes; T[n] = u32 count + n of T.
 * Units: blocks of FsMountReply.blockBytes; times in ns since the epoch (UTC).
 */
export interface ProtocolMethod {
  readonly id: number;
  readonly name: string;
  readonly request: string;
  readonly reply: string;
  /** What it may answer beside EIO (corrupt or unreadable). */
  readonly errors?: string;
}

export const FS_WINDOW_BYTES = 65536;
export const FS_REPLY_OFFSET = 8192;
export const FS_REPEATED = 1;

/** Structures that methods name. */
export const FS_STRUCTS: Readonly<Record<string, string>> = {
  node: "n0: u64, n1: u64",
  attributes: "mode: u32, nlink: u32, uid: u32, gid: u32, size: u64, blocks: u64, atimeNs: u64, mtimeNs: u64, ctimeNs: u64, btimeNs: u64",
  entry: "node: node, attributes: attributes, next: u64, name: name",
  extent: "fileBlock: u64, deviceBlock: u64, blocks: u64", // deviceBlock ~0: a hole
};

export const FS_METHODS: readonly ProtocolMethod[] = [
  /** w2 = handle of the BLOCK_DEVICE port. readOnly 1 must not write. EINVAL: no such file system on it. */
  { id: 1, name: "mount", request: "readOnly: u32, options: name",
    reply: "root: node, attributes: attributes, blockBytes: u32, nameMax: u32, maxBytes: u64, flags: u32, magic: u32", errors: "INVAL ROFS" },
  /** After a restart: take the mount up again; the disk is as the last COMMIT left it. Same arguments and answer. */
  { id: 2, name: "attach", request: "readOnly: u32, options: name",
    reply: "root: node, attributes: attributes, blockBytes: u32, nameMax: u32, maxBytes: u64, flags: u32, magic: u32" },
  { id: 3, name: "unmount", request: "", reply: "" },
  { id: 4, name: "lookup", request: "dir: node, name: name", reply: "node: node, attributes: attributes", errors: "NOENT" },
  /** Entries after `position` (0 = first; never . and ..), as many as fit; each carries the position after it. count 0: end. */
  { id: 5, name: "readdir", request: "dir: node, position: u64", reply: "entries: entry[48]" },
  { id: 6, name: "create", request: "dir: node, mode: u32, timeNs: u64, name: name", reply: "node: node, attributes: attributes, dir: node",
    errors: "EXIST NOSPC INVAL NAMETOOLONG PERM" },
  { id: 7, name: "mkdir", request: "dir: node, mode: u32, timeNs: u64, name: name", reply: "node: node, attributes: attributes, dir: node",
    errors: "EXIST NOSPC INVAL NAMETOOLONG" },
  /** The name goes; the data stays until `release` of the node in the reply (the file may be open). */
  { id: 8, name: "unlink", request: "dir: node, node: node, timeNs: u64, name: name", reply: "node: node", errors: "NOENT" },
  { id: 9, name: "rmdir", request: "dir: node, node: node, timeNs: u64, name: name", reply: "node: node", errors: "NOENT NOTEMPTY" },
  /** `victim` (valid when hasVictim) is replaced; its reply node is to be released like an unlinked one. */
  { id: 10, name: "rename", request: "oldDir: node, node: node, newDir: node, victim: node, hasVictim: u32, timeNs: u64, oldName: name, newName: name",
    reply: "node: node, victim: node, newDir: node", errors: "EXIST NOSPC INVAL NAMETOOLONG NOTEMPTY" },
  /** valid: 1 mode, 2 atime, 4 mtime, 8 size. size only says how many bytes count (blocks are allotted by `allocate`, cut by `truncate`). */
  { id: 11, name: "setattr", request: "node: node, valid: u32, mode: u32, size: u64, atimeNs: u64, mtimeNs: u64", reply: "node: node, attributes: attributes",
    errors: "PERM" },
  /** Where blocks [fileBlock, fileBlock + blocks) are; at least the first is covered by the answer, unless past the last block (count 0). */
  { id: 12, name: "extents", request: "node: node, fileBlock: u64, blocks: u64", reply: "extents: extent[256]" },
  /** Allots blocks so that the file has at least fileBlock + blocks; answers like extents. NOSPC: nothing was changed. */
  { id: 13, name: "allocate", request: "node: node, fileBlock: u64, blocks: u64", reply: "node: node, extents: extent[256]", errors: "NOSPC FBIG" },
  /** Keeps the first `blocks` blocks, frees the rest; size is set to `size`. */
  { id: 14, name: "truncate", request: "node: node, blocks: u64, size: u64, timeNs: u64", reply: "node: node, attributes: attributes" },
  /** Nobody holds the unlinked node any more: its blocks are free. */
  { id: 15, name: "release", request: "node: node", reply: "" },
  { id: 16, name: "statfs", request: "", reply: "blocks: u64, blocksFree: u64, files: u64, filesFree: u64" },
  /** Everything the server holds back (free counts, dirty mark) is committed; clean 1: the volume may be marked clean. */
  { id: 17, name: "sync", request: "clean: u32", reply: "" },
];

/** Operations of a FILE_SYSTEM port (service_call). */
export const FILE_SYSTEM_REGISTER = 1; // a0 = va of the type's name (NUL-terminated), a1 = endpoint handle, returns the window's MEMORY handle
