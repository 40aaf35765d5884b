/**
 * The structures of stat, statx and statfs as x86-64 programs see them.
 *
 * Spec  arch/x86/include/uapi/asm/stat.h, include/uapi/linux/stat.h, asm-generic/statfs.h (Linux 6.1)
 */
import { userCopyOut } from "../../../arch/current";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { Inode, Mount, SuperBlock, inodeOpsOf, superOf } from "./types";
import { StatfsInfo, superOpsOf } from "./super-block";

const NS_PER_SEC: u64 = 1000000000;

/** struct stat. */
@final @unmanaged
class Stat {
  dev: u64;
  ino: u64;
  nlink: u64;
  mode: u32;
  uid: u32;
  gid: u32;
  pad0: u32;
  rdev: u64;
  size: u64;
  blockSize: u64;
  blocks: u64;
  atime: u64;
  atimeNs: u64;
  mtime: u64;
  mtimeNs: u64;
  ctime: u64;
  ctimeNs: u64;
  unused0: u64;
  unused1: u64;
  unused2: u64;
}
if (offsetof<Stat>() != 144) ERROR("struct stat has 144 bytes");

/** Answers stat for `inode` at user address `va`. 0 or -errno. */
export function statOut(inode: Inode, va: u64): i64 {
  const refreshed = inodeOpsOf(inode).getattr(inode);
  if (refreshed < 0) return refreshed;
  const st = changetype<Stat>(scratchPush(offsetof<Stat>())); // SAFETY: scratch of that size
  const sb = superOf(inode.sb);
  st.dev = sb.dev;
  st.ino = inode.ino;
  st.nlink = inode.nlink;
  st.mode = inode.mode;
  st.uid = inode.uid;
  st.gid = inode.gid;
  st.pad0 = 0;
  st.rdev = inode.rdev;
  st.size = inode.size;
  st.blockSize = sb.blockSize;
  st.blocks = inode.blocks;
  const a = inode.atimeNs;
  st.atime = a / NS_PER_SEC;
  st.atimeNs = a - st.atime * NS_PER_SEC;
  const m = inode.mtimeNs;
  st.mtime = m / NS_PER_SEC;
  st.mtimeNs = m - st.mtime * NS_PER_SEC;
  const c = inode.ctimeNs;
  st.ctime = c / NS_PER_SEC;
  st.ctimeNs = c - st.ctime * NS_PER_SEC;
  st.unused0 = 0;
  st.unused1 = 0;
  st.unused2 = 0;
  const r = userCopyOut(va, changetype<usize>(st), offsetof<Stat>());
  scratchPop(offsetof<Stat>());
  return r;
}

/** struct statx, without its spare tail. */
@final @unmanaged
class Statx {
  mask: u32;
  blockSize: u32;
  attributes: u64;
  nlink: u32;
  uid: u32;
  gid: u32;
  mode: u16;
  pad0: u16;
  ino: u64;
  size: u64;
  blocks: u64;
  attributesMask: u64;
  atime: u64;
  atimeNs: u64;
  btime: u64;
  btimeNs: u64;
  ctime: u64;
  ctimeNs: u64;
  mtime: u64;
  mtimeNs: u64;
  rdevMajor: u32;
  rdevMinor: u32;
  devMajor: u32;
  devMinor: u32;
  mountId: u64;
}
const STATX_BYTES: u32 = 256;
const STATX_BASIC_BTIME: u32 = 0xfff;
const STATX_MNT_ID: u32 = 0x1000;
const STATX_ATTR_MOUNT_ROOT: u64 = 0x2000;

/** Answers statx; `mount` may be null for anonymous files. */
export function statxOut(inode: Inode, mount: Mount | null, isMountRoot: bool, va: u64): i64 {
  const refreshed = inodeOpsOf(inode).getattr(inode);
  if (refreshed < 0) return refreshed;
  const stx = changetype<Statx>(scratchPush(STATX_BYTES)); // SAFETY: scratch of that size
  memory.fill(changetype<usize>(stx), 0, STATX_BYTES);
  const sb = superOf(inode.sb);
  stx.mask = STATX_BASIC_BTIME | (mount ? STATX_MNT_ID : 0);
  stx.blockSize = sb.blockSize;
  stx.attributes = isMountRoot ? STATX_ATTR_MOUNT_ROOT : 0;
  stx.attributesMask = STATX_ATTR_MOUNT_ROOT;
  stx.nlink = inode.nlink;
  stx.uid = inode.uid;
  stx.gid = inode.gid;
  stx.mode = <u16>inode.mode;
  stx.ino = inode.ino;
  stx.size = inode.size;
  stx.blocks = inode.blocks;
  timePut(changetype<usize>(stx) + offsetof<Statx>("atime"), inode.atimeNs);
  timePut(changetype<usize>(stx) + offsetof<Statx>("btime"), inode.btimeNs);
  timePut(changetype<usize>(stx) + offsetof<Statx>("ctime"), inode.ctimeNs);
  timePut(changetype<usize>(stx) + offsetof<Statx>("mtime"), inode.mtimeNs);
  stx.rdevMajor = devMajor(inode.rdev);
  stx.rdevMinor = devMinor(inode.rdev);
  stx.devMajor = devMajor(sb.dev);
  stx.devMinor = devMinor(sb.dev);
  stx.mountId = mount ? mount.id : 0;
  const r = userCopyOut(va, changetype<usize>(stx), STATX_BYTES);
  scratchPop(STATX_BYTES);
  return r;
}

/** struct statx_timestamp: seconds, then 32 bits of ns. */
function timePut(at: usize, ns: u64): void {
  store<u64>(at, ns / NS_PER_SEC);
  store<u64>(at + 8, ns % NS_PER_SEC);
}

export function devMajor(dev: u64): u32 {
  return <u32>(dev >> 8) & 0xfff | <u32>(dev >> 32) & ~0xfff;
}

export function devMinor(dev: u64): u32 {
  return <u32>dev & 0xff | <u32>(dev >> 12) & ~0xff;
}

/** struct statfs. */
@final @unmanaged
class Statfs {
  type: u64;
  blockSize: u64;
  blocks: u64;
  blocksFree: u64;
  blocksAvailable: u64;
  files: u64;
  filesFree: u64;
  fsid: u64;
  nameLength: u64;
  fragmentSize: u64;
  flags: u64;
  spare0: u64;
  spare1: u64;
  spare2: u64;
  spare3: u64;
}
if (offsetof<Statfs>() != 120) ERROR("struct statfs has 120 bytes");
const ST_VALID: u64 = 0x20;
const ST_RELATIME: u64 = 0x1000;

/** Answers statfs for the file system `sb` seen through a mount with `mountFlags`. */
export function statfsOut(sb: SuperBlock, mountFlags: u32, va: u64): i64 {
  const out = changetype<Statfs>(scratchPush(offsetof<Statfs>())); // SAFETY: scratch of that size
  const info = changetype<StatfsInfo>(scratchPush(offsetof<StatfsInfo>())); // SAFETY: as above
  memory.fill(changetype<usize>(out), 0, offsetof<Statfs>());
  memory.fill(changetype<usize>(info), 0, offsetof<StatfsInfo>());
  superOpsOf(sb).statfs(sb, info);
  out.type = sb.magic;
  out.blockSize = sb.blockSize;
  out.blocks = info.blocks;
  out.blocksFree = info.blocksFree;
  out.blocksAvailable = info.blocksFree;
  out.files = info.files;
  out.filesFree = info.filesFree;
  out.fsid = sb.dev;
  out.nameLength = sb.nameMax;
  out.fragmentSize = sb.blockSize;
  out.flags = ST_VALID | ST_RELATIME | (mountFlags & 15);
  const r = userCopyOut(va, changetype<usize>(out), offsetof<Statfs>());
  scratchPop(offsetof<StatfsInfo>());
  scratchPop(offsetof<Statfs>());
  return r;
}
