/**
 * The file-system protocol: what the kernel asks of a file-system server.
 *
 * A server registers one type ("vfat") with `register` on its FILE_SYSTEM port and gets the window, a MEMORY object of
 * FS_WINDOW_BYTES that both map. The kernel calls its endpoint with label = method id, w0 = mount, w1 = FS_REPEATED or 0; the request
 * stands in the window from offset 0, the reply goes to FS_REPLY_OFFSET, fields in order at their natural alignment. The reply's label
 * is 0 or a negated errno. One call at a time stands on a connection. The server reads and changes the device through its port
 * (file-system-port.ts), by the same mount number: it has no other device than those the kernel mounts with it.
 *
 * Statelessness. What the server must know of a file is in the `node` the kernel sends along: two words of the server's own choosing,
 * which the kernel keeps with its inode and replaces by what a reply says; a file that has a name is told from others by them. A server that was killed is started again and ATTACHed to
 * every live mount; then the call that was under way is repeated with FS_REPEATED: the server must answer as if it had been done
 * once (create of what is there, unlink of what is gone: success).
 * Atomicity. Each method that changes the device does it by one COMMIT, as its last act before the reply; `release` of long files may
 * take several, each of which leaves a sound volume and a call that can be repeated.
 * Damage. EUCLEAN from any method but `mount` and `attach`: what the device holds makes no sense, and the mount is to be read-only from now
 * on, to the server too. The program hears EIO.
 * Power cuts. The medium gets a COMMIT sector by sector, in the order of its stages. The kernel calls `release` when what it knows has
 * reached the medium, and lets the medium have the freed blocks before it makes another call: blocks that are allotted are free on the
 * medium, with nothing that leads to them.
 *
 * Caching. The kernel keeps names, attributes and extents it was told until it asks for a change itself: a server never changes them
 * on its own. File data never passes through the server: the kernel reads and writes the extents.
 *
 * Types: u32 u64; name = u32 length + FS_NAME_BYTES bytes of UTF-8; T[n] = u32 count, then n of T from the next multiple of 8.
 * Units: blocks of mount's blockBytes; deviceBlock counts blocks from deviceStart bytes; times in ns since the epoch (UTC).
 */
import type { Protocol } from "./form.ts";

/** Structures that methods name. */
const STRUCTS: Readonly<Record<string, string>> = {
  node: "n0: u64, n1: u64",
  attributes: "mode: u32, nlink: u32, uid: u32, gid: u32, ino: u64, size: u64, blocks: u64, atimeNs: u64, mtimeNs: u64, ctimeNs: u64, btimeNs: u64",
  entry: "node: node, attributes: attributes, position: u64, name: name",
  extent: "fileBlock: u64, deviceBlock: u64, blocks: u64",
};

const MOUNTED = "root: node, attributes: attributes, blockBytes: u32, nameMax: u32, deviceStart: u64, maxBytes: u64, flags: u32, magic: u32, blocksFree: u64, mtimeStepNs: u64, atimeStepNs: u64";

export const FILE_SYSTEM: Protocol = {
  name: "file-system",
  prefix: "Fs",
  travel: "window",
  words: "mount: u32, flags: u64",
  structs: STRUCTS,
  methods: [
    { id: 1, name: "mount",
      request: "readOnly: u32, options: name",
      reply: MOUNTED, errors: "INVAL ROFS",
      contract: "readOnly 1: nothing is written. EINVAL: no such file system on the device. options: what mount(8) passed, \"uid=1,ro\". flags: FsMountFlag. Steps: times are kept that precisely." },
    { id: 2, name: "attach",
      request: "readOnly: u32, options: name",
      reply: MOUNTED,
      contract: "After a restart: take the mount up again; the device is as the last COMMIT left it. Same arguments and answer." },
    { id: 3, name: "unmount",
      request: "",
      reply: "",
      contract: "The mount number is free afterwards. `sync` with clean 1 came before." },
    { id: 4, name: "lookup",
      request: "dir: node, name: name",
      reply: "node: node, attributes: attributes, name: name", errors: "NOENT",
      contract: "Found by another name than it is listed by (an 8.3 alias): `name` is that one. Else it is empty." },
    { id: 5, name: "readdir",
      request: "dir: node, position: u64",
      reply: "entries: entry[48]",
      contract: "Entries after `position` (0 = first; never . and ..), as many as fit; each carries the position after it. count 0: end." },
    { id: 6, name: "create",
      request: "dir: node, timeNs: u64, mode: u32, name: name",
      reply: "node: node, dir: node, attributes: attributes, blocksFree: u64", errors: "EXIST NOSPC INVAL NAMETOOLONG PERM",
      contract: "Makes an empty file. A name that is there: EEXIST." },
    { id: 7, name: "mkdir",
      request: "dir: node, timeNs: u64, mode: u32, name: name",
      reply: "node: node, dir: node, attributes: attributes, blocksFree: u64", errors: "EXIST NOSPC INVAL NAMETOOLONG PERM",
      contract: "Makes an empty directory." },
    { id: 8, name: "unlink",
      request: "dir: node, node: node, timeNs: u64, name: name",
      reply: "node: node", errors: "NOENT",
      contract: "The name goes; the data stays until `release` of the node in the reply (the file may be open)." },
    { id: 9, name: "rmdir",
      request: "dir: node, node: node, timeNs: u64, name: name",
      reply: "node: node", errors: "NOENT NOTEMPTY",
      contract: "The same for a directory, which must be empty." },
    { id: 10, name: "rename",
      request: "oldDir: node, node: node, newDir: node, victim: node, timeNs: u64, hasVictim: u32, oldName: name, newName: name",
      reply: "node: node, victim: node, blocksFree: u64", errors: "NOSPC INVAL NAMETOOLONG NOTEMPTY",
      contract: "`victim` (valid when hasVictim) is what newName named: replaced, its reply node is to be released like an unlinked one." },
    { id: 11, name: "setattr",
      request: "node: node, atimeNs: u64, mtimeNs: u64, valid: u32, mode: u32",
      reply: "node: node, attributes: attributes", errors: "PERM",
      contract: "valid: FsValid bits; the rest stays. mode: only what the file system can keep, the reply says what became of it." },
    { id: 12, name: "extents",
      request: "node: node, fileBlock: u64, blocks: u64",
      reply: "extents: extent[256]",
      contract: "Where blocks [fileBlock, fileBlock + blocks) are: at least the first of them when the file has it, in order of fileBlock. count 0: past the last." },
    { id: 13, name: "allocate",
      request: "node: node, have: u64, blocks: u64, size: u64, timeNs: u64",
      reply: "node: node, blocks: u64, blocksFree: u64, extents: extent[256]", errors: "NOSPC FBIG",
      contract: "Allots blocks behind the last one (the kernel knows of `have`) so that the file has `blocks` in all, or fewer (at least one more) when that is too much for one COMMIT, and sets its size to min(size, all its blocks); answers with the extents of blocks from `have` on. Nothing to allot: only the size is set. NOSPC: nothing was changed." },
    { id: 14, name: "truncate",
      request: "node: node, blocks: u64, size: u64, timeNs: u64, tailBlock: u64",
      reply: "node: node, tail: node, attributes: attributes, blocksFree: u64",
      contract: "Keeps the first `blocks` blocks at most; size is set to `size` (within the kept blocks). The rest becomes `tail`, which is to be released like an unlinked file; n0 0: there is none. tailBlock: the device block of block `blocks`, if the file has it and keeps some; else beyond the device." },
    { id: 15, name: "release",
      request: "node: node",
      reply: "blocksFree: u64",
      contract: "Nobody holds the unlinked node any more, and the medium does not lead to it either: its blocks are free." },
    { id: 16, name: "statfs",
      request: "",
      reply: "blocks: u64, blocksFree: u64, files: u64, filesFree: u64",
      contract: "Of the whole file system; 0 files: it has no such count." },
    { id: 17, name: "sync",
      request: "clean: u32",
      reply: "",
      contract: "Everything the server holds back (free counts) is committed; clean 1: the volume is marked clean, until the next change." },
  ],
};
