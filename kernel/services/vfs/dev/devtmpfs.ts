/**
 * devtmpfs: a tmpfs with a node for every registered device. There is one; every mount shows the same tree.
 *
 * Locking  the first mount makes the tree; mounts are serialised by the mount lock of the VFS, which guards NAME and TARGET, too.
 */
import { bytePut } from "../../../lib/bytes";
import { Errno } from "../../../abi/errno";
import { kfree, kmalloc } from "../../../core/mm/slab";
import { fsTypeRegister } from "../super-block";
import { tmpfsSuperNew } from "../tmpfs";
import { FileMode, SuperBlock, dentryOf, inodeOf, inodeOpsOf, isErrPtr, superOf } from "../types";
import { vfsCreateIn } from "../vfs";
import { inodeLock, inodePut, inodeUnlock } from "../inode";
import { deviceAt, deviceCount } from "./device";

const NAME_MAX: u32 = 32;
/** A letter and two digits. */
const NUMBER_MOST: u32 = 3;
const NAME: usize = memory.data(32);
const TARGET: usize = memory.data(32);
/** "mode=755", NUL terminated. */
const ROOT_OPTIONS: usize = memory.data<u8>([0x6d, 0x6f, 0x64, 0x65, 0x3d, 0x37, 0x35, 0x35, 0]);

@final @unmanaged
class DevtmpfsState {
  sb: usize; // the one instance, 0 before the first mount
}
const STATE = changetype<DevtmpfsState>(memory.data(offsetof<DevtmpfsState>()));

export function devtmpfsInit(): void {
  fsTypeRegister("devtmpfs", devtmpfsMount);
}

function devtmpfsMount(source: usize, flags: u32, options: usize): usize {
  if (STATE.sb != 0) {
    atomic.add<u32>(STATE.sb, 1, offsetof<SuperBlock>("refs"));
    return STATE.sb;
  }
  const made = tmpfsSuperNew("devtmpfs", ROOT_OPTIONS);
  if (isErrPtr(made)) return made;
  const r = populate(superOf(made));
  if (r != 0) return <usize>r;
  atomic.add<u32>(made, 1, offsetof<SuperBlock>("refs")); // kept for the next mount
  STATE.sb = made;
  return made;
}

/** Every device, the mount point of devpts, and the customary links. */
function populate(sb: SuperBlock): i32 {
  for (let i: u32 = 0; i < deviceCount(); i++) {
    const device = deviceAt(i);
    if (device.name == 0) continue;
    const length = nameBytes(changetype<string>(device.name), NAME); // SAFETY: a literal
    const r = vfsCreateIn(dentryOf(sb.root), NAME, length, FileMode.IFCHR | device.mode, device.rdev);
    if (r != 0) return r;
  }
  const pts = vfsCreateIn(dentryOf(sb.root), NAME, nameBytes("pts", NAME), FileMode.IFDIR | 0o755, 0);
  if (pts != 0) return pts;
  return linksMake(sb);
}

function linksMake(sb: SuperBlock): i32 {
  let r = linkMake(sb, "fd", "/proc/self/fd");
  if (r == 0) r = linkMake(sb, "stdin", "/proc/self/fd/0");
  if (r == 0) r = linkMake(sb, "stdout", "/proc/self/fd/1");
  if (r == 0) r = linkMake(sb, "stderr", "/proc/self/fd/2");
  return r;
}

function linkMake(sb: SuperBlock, name: string, target: string): i32 {
  const dir = inodeOf(dentryOf(sb.root).inode);
  const length = nameBytes(name, NAME);
  const targetLength = nameBytes(target, TARGET);
  inodeLock(dir);
  const made = inodeOpsOf(dir).symlink(dir, NAME, length, TARGET, targetLength);
  inodeUnlock(dir);
  if (isErrPtr(made)) return made == <usize>-(<i32>Errno.EXIST) ? 0 : <i32>made;
  inodePut(inodeOf(made));
  return 0;
}

/**
 * A node for a device that appeared while the system runs: "vd" and the letter 0x61 make vda. Nothing happens when it is there
 * already, or when nobody has mounted devtmpfs (who wants the node then makes it).
 */
export function devtmpfsNodeAdd(prefix: string, letter: u32, number: u32, mode: u32, rdev: u64): i32 {
  if (STATE.sb == 0) return 0;
  const name = kmalloc(NAME_MAX + NUMBER_MOST); // not NAME: drivers of several disks come at the same time, and the directory's lock sleeps
  if (name == 0) return -(<i32>Errno.NOMEM);
  let length = nameBytes(prefix, name);
  bytePut(name, length++, letter);
  if (number > 9) bytePut(name, length++, 0x30 + number / 10);
  if (number > 0) bytePut(name, length++, 0x30 + number % 10);
  const r = vfsCreateIn(dentryOf(superOf(STATE.sb).root), name, length, mode, rdev);
  kfree(name);
  return r == -(<i32>Errno.EXIST) ? 0 : r;
}

/** A literal as bytes at `to`; its length. */
function nameBytes(text: string, to: usize): u32 {
  const length = min<u32>(text.length, NAME_MAX);
  for (let i: u32 = 0; i < length; i++) bytePut(to, i, text.charCodeAt(<i32>i));
  return length;
}
