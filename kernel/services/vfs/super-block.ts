/**
 * Super blocks and file-system types.
 *
 * Invariants  B1  a super block lives as long as a mount of it; its root dentry holds one reference of its own.
 *             B2  SuperBlock.writers counts the files with FileRight.WRITER; -1: there are none, and none may come.
 * Locking     the type table only grows: at boot, and as servers register their types. refs, writers: atomic.
 */
import { Errno } from "../../abi/errno";
import { kfree, kzalloc } from "../../core/mm/slab";
import { SuperBlock, dentryOf, inodeOf, superOf } from "./types";
import { dcachePrune, dentryAlloc, dentryPut } from "./dcache";
import { inodePut } from "./inode";
import { bytesAre, NAME_MAX } from "./name";

/** What statfs(2) answers; superStatfs fills it. */
@final @unmanaged
export class StatfsInfo {
  blocks: u64;
  blocksFree: u64;
  files: u64;
  filesFree: u64;
}

/**
 * What a mounted file system does as a whole; a slot is never null.
 *
 *   slot     may sleep  does
 *   statfs   no         fills `info`, which is zeroed
 *   remount  yes        new MountFlags and option string; 0 or -errno
 *   sync     yes        writes back; 0 or -errno
 *   release  yes        the last mount is gone, no inode is left: frees sb.data
 */
@final @unmanaged
export class SuperOps {
  statfs: (sb: SuperBlock, info: StatfsInfo) => void;
  remount: (sb: SuperBlock, flags: u32, options: usize) => i32;
  sync: (sb: SuperBlock) => i32;
  release: (sb: SuperBlock) => void;
}

@final @unmanaged
class FsType {
  name: usize;   // a string
  isNoDev: u32;  // 0: it is mounted from a block device
  context: u32;  // of serverMount: the file system is a server
  mount: (source: usize, flags: u32, options: usize) => usize;
}
const FS_TYPE_MAX: u32 = 16;
const FS_TYPES: usize = memory.data(16 * offsetof<FsType>(), 8);
@final @unmanaged
class ServerMount {
  /** Mounts a type of fsServerTypeRegister. */
  mount: (context: u32, source: usize, flags: u32, options: usize) => usize;
}
const SERVER_MOUNT = changetype<ServerMount>(memory.data(offsetof<ServerMount>()));
const SUPER_OPS_NONE = changetype<SuperOps>(memory.data(offsetof<SuperOps>()));
/** [0] types registered, [1] next anonymous st_dev minor. */
const SUPER_COUNTS: usize = memory.data(8, 4);

function noneStatfs(sb: SuperBlock, info: StatfsInfo): void {}
function noneRemount(sb: SuperBlock, flags: u32, options: usize): i32 { return 0; }
function noneSync(sb: SuperBlock): i32 { return 0; }
function noneRelease(sb: SuperBlock): void {}

/** Fills every slot with "nothing to do"; then set what you have. */
export function superOpsDefaults(ops: SuperOps): void {
  ops.statfs = noneStatfs;
  ops.remount = noneRemount;
  ops.sync = noneSync;
  ops.release = noneRelease;
}

export function superInit(): void {
  superOpsDefaults(SUPER_OPS_NONE);
}

/** SAFETY: set by superAlloc or its owner. */
export function superOpsOf(sb: SuperBlock): SuperOps { return changetype<SuperOps>(sb.ops); }

function fsTypeAt(i: u32): FsType {
  return changetype<FsType>(FS_TYPES + i * offsetof<FsType>()); // SAFETY: i < FS_TYPE_MAX
}

/**
 * Makes a file system mountable. `mount` gets the source and option strings (linear, NUL-terminated, never 0) and the
 * MS_* flags; it returns a SuperBlock with `root` set (superRootSet) and one reference, or an errno as pointer.
 */
export function fsTypeRegister(name: string, mount: (source: usize, flags: u32, options: usize) => usize): void {
  const count = load<u32>(SUPER_COUNTS);
  assert(count < FS_TYPE_MAX);
  fsTypeAt(count).name = changetype<usize>(name);
  fsTypeAt(count).isNoDev = 1;
  fsTypeAt(count).mount = mount;
  store<u32>(SUPER_COUNTS, count + 1);
}

/** Who mounts the types whose file system is a server; before the first of them. */
export function serverMountSet(mount: (context: u32, source: usize, flags: u32, options: usize) => usize): void {
  SERVER_MOUNT.mount = mount;
}

/** Makes a server's type mountable. False when the table is full. Callers exclude one another; types stay. */
export function fsServerTypeRegister(name: string, context: u32): bool {
  const count = fsTypeCount();
  if (count == FS_TYPE_MAX) return false;
  fsTypeAt(count).name = changetype<usize>(name);
  fsTypeAt(count).isNoDev = 0;
  fsTypeAt(count).context = context;
  atomic.store<u32>(SUPER_COUNTS, count + 1);
  return true;
}

/** True when NUL-terminated `name` is a registered type. */
export function fsTypeKnown(name: usize): bool {
  for (let i: u32 = 0; i < fsTypeCount(); i++) if (bytesAre(name, fsTypeName(i))) return true;
  return false;
}

/** True for a type that needs no block device ("nodev" in /proc/filesystems). */
export function fsTypeIsNoDev(i: u32): bool { return fsTypeAt(i).isNoDev != 0; }

/** Registered types; fsTypeName(i) names them (for /proc/filesystems). */
export function fsTypeCount(): u32 { return load<u32>(SUPER_COUNTS); }
export function fsTypeName(i: u32): string { return changetype<string>(fsTypeAt(i).name); } // SAFETY: set by fsTypeRegister

/** Mounts a new super block of the type named by NUL-terminated `name`; an errno as pointer, ENODEV when unknown. */
export function fsTypeMount(name: usize, source: usize, flags: u32, options: usize): usize {
  for (let i: u32 = 0; i < load<u32>(SUPER_COUNTS); i++) {
    const type = fsTypeAt(i);
    if (!bytesAre(name, fsTypeName(i))) continue;
    return type.context ? SERVER_MOUNT.mount(type.context, source, flags, options) : type.mount(source, flags, options);
  }
  return <usize>-(<i32>Errno.NODEV);
}

/** The word where errors of write-back of anything in it are kept (lib/errseq.ts). */
export function superErrors(sb: SuperBlock): usize { return changetype<usize>(sb) + offsetof<SuperBlock>("errors"); }

/** A new super block with its own st_dev and one reference; null when memory is full. */
export function superAlloc(typeName: string, magic: u32): SuperBlock | null {
  const ptr = kzalloc(offsetof<SuperBlock>());
  if (!ptr) return null;
  const sb = superOf(ptr);
  sb.typeName = changetype<usize>(typeName);
  sb.ops = changetype<usize>(SUPER_OPS_NONE);
  sb.magic = magic;
  sb.refs = 1;
  sb.nextIno = 1;
  sb.blockSize = 4096;
  sb.nameMax = NAME_MAX;
  sb.maxBytes = 0x7fffffffffffffff;
  const minor = atomic.add<u32>(SUPER_COUNTS, 1, 4) + 1;
  sb.dev = <u64>(minor & 0xff) | (<u64>(minor & ~0xff) << 12);
  return sb;
}

/** Makes the root dentry of `sb` from its root inode (consumes the caller's inode reference). 0 or -errno. */
export function superRootSet(sb: SuperBlock, rootInode: usize): i32 {
  const slash: u32 = 0x2f;
  store<u32>(ROOT_NAME, slash);
  const root = dentryAlloc(0, changetype<usize>(sb), 0, ROOT_NAME, 1);
  if (!root) {
    inodePut(inodeOf(rootInode));
    return -(<i32>Errno.NOMEM);
  }
  root.inode = rootInode;
  sb.root = changetype<usize>(root);
  return 0;
}
const ROOT_NAME: usize = memory.data(16, 8);

export function superGet(sb: SuperBlock): SuperBlock {
  atomic.add<u32>(changetype<usize>(sb), 1, offsetof<SuperBlock>("refs"));
  return sb;
}

/** Drops one reference; the last one forgets every cached name and frees the super block. */
export function superPut(sb: SuperBlock): void {
  if (atomic.sub<u32>(changetype<usize>(sb), 1, offsetof<SuperBlock>("refs")) != 1) return;
  if (sb.root) {
    const root = dentryOf(sb.root);
    dcachePrune(root);
    dentryPut(root);
  }
  superOpsOf(sb).release(sb);
  kfree(changetype<usize>(sb));
}

/** Counts one file more that is open for writing. False while a remount forbids it (B2). */
export function superWriterGet(sb: SuperBlock): bool {
  const counter = changetype<usize>(sb) + offsetof<SuperBlock>("writers");
  while (true) {
    const now = atomic.load<i32>(counter);
    if (now < 0) return false;
    if (atomic.cmpxchg<i32>(counter, now, now + 1) == now) return true;
  }
}

export function superWriterPut(sb: SuperBlock): void {
  atomic.sub<i32>(changetype<usize>(sb), 1, offsetof<SuperBlock>("writers"));
}

/** No file may be opened for writing until superWritersAllow. False when one is open (B2). */
export function superWritersForbid(sb: SuperBlock): bool {
  return atomic.cmpxchg<i32>(changetype<usize>(sb), 0, -1, offsetof<SuperBlock>("writers")) == 0;
}

export function superWritersAllow(sb: SuperBlock): void {
  atomic.store<i32>(changetype<usize>(sb), 0, offsetof<SuperBlock>("writers"));
}
