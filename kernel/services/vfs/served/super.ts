/** Mounts of served file systems: mount, remount, sync, unmount. What holds for one while it comes and goes: mount-table.ts. */
import { Errno } from "../../../abi/errno";
import { FsMethod, FsMount, FsStatfs, FsUnmount, FS_NAME_BYTES } from "../../../abi/file-system.gen";
import { BlockFeature } from "../../../abi/block-ring";
import { FsMountFlag } from "../../../abi/file-system";
import { kfree, kmalloc, kzalloc } from "../../../core/mm/slab";
import { scratchPop, scratchPush } from "../../../core/sched/scratch";
import { bytesCopy, byteAt, wordPut32 } from "../../../lib/bytes";
import { logWarn } from "../../../lib/log";
import { wordSet } from "../../../lib/words";
import {
  BlockDevice, BLOCK_MAJOR, blockDeviceAt, blockDeviceLeave, blockDeviceOf, blockDeviceSectors, blockDeviceUse, diskOf,
} from "../../block/block-device";
import { buffersDropAll, buffersWrite } from "../../block/buffer-cache";
import { Disk } from "../../block/disk";
import { deviceMajor, deviceMinor } from "../dev/device";
import { MountFlag, pathPut } from "../mount";
import { bytesLength } from "../name";
import { pathAt, pathWalk } from "../namei";
import { StatfsInfo, superAlloc, SuperOps, superOpsDefaults, superPut, superRootSet, serverMountSet } from "../super-block";
import { dentryOf, FileMode, inodeOf, isErrPtr, Path, SuperBlock, superOf } from "../types";
import { AT_FDCWD, WalkFlag } from "../walk";
import {
  callBegin, callEnd, callMake, Connection, connectionAt, connectionsInit, reply32, reply64, replyAt, requestPut32,
} from "./connection";
import { servedDirectoriesInit, servedInodeOf } from "./directory";
import { servedFilesInit } from "./file";
import { flusherStart } from "./flusher";
import { diskOfFs, mountOfFs, servedInodesInit, ServedSuper, servedSuperAt, superListsInit } from "./inode";
import { tableClose, tableEnter, tableInit, tableLeave, tableOpen, tableShut } from "./mount-table";
import { dirtyForget, doomedForget, servedSync } from "./sync";

const OPTIONS_BYTES: u32 = 4 + FS_NAME_BYTES;
const BLOCK_LEAST: u32 = 512;
/** Tries to write back for want of memory before a mount ends. */
const SYNC_TRIES: u32 = 16;
const BLOCK_MOST: u32 = 65536;
const SERVED_SUPER_OPS = changetype<SuperOps>(memory.data(offsetof<SuperOps>()));

export function servedInit(): void {
  connectionsInit();
  servedInodesInit();
  servedFilesInit();
  servedDirectoriesInit();
  tableInit();
  superOpsDefaults(SERVED_SUPER_OPS);
  SERVED_SUPER_OPS.statfs = servedStatfs;
  SERVED_SUPER_OPS.remount = servedRemount;
  SERVED_SUPER_OPS.sync = servedSuperSync;
  SERVED_SUPER_OPS.release = servedUnmount;
  serverMountSet(servedMount);
}

function fsOfSuper(sb: SuperBlock): ServedSuper { return servedSuperAt(sb.data); }

// ---- Mounting ----

/** The device that the NUL-terminated path names, used from now on; or a negated errno as pointer: ENOTBLK, ENXIO. */
function deviceOfPath(source: usize): usize {
  const path = pathAt(scratchPush(offsetof<Path>()));
  const failed = pathWalk(AT_FDCWD, source, WalkFlag.FOLLOW, path);
  let result = <usize>failed;
  if (failed == 0) {
    const inode = inodeOf(dentryOf(path.dentry).inode);
    const isDisk = (inode.mode & <u32>FileMode.IFMT) == FileMode.IFBLK && deviceMajor(inode.rdev) == BLOCK_MAJOR;
    const device = isDisk ? blockDeviceAt(deviceMinor(inode.rdev)) : null;
    const used = !isDisk ? -(<i32>Errno.NOTBLK) : device ? blockDeviceUse(device) : -(<i32>Errno.NXIO);
    result = used < 0 ? <usize>used : changetype<usize>(device);
    pathPut(path);
  }
  scratchPop(offsetof<Path>());
  return result;
}

/** mount(2) of a type whose connection is `context` - 1. The super block with its root, or a negated errno as pointer. */
function servedMount(context: u32, source: usize, flags: u32, options: usize): usize {
  const device = deviceOfPath(source);
  if (isErrPtr(device)) return device;
  const isReadOnly = (flags & MountFlag.RDONLY) != 0 || optionsSayReadOnly(options);
  if (!isReadOnly && !isWritable(diskOf(blockDeviceOf(device)))) { // mount(8) tries again, read-only
    blockDeviceLeave(blockDeviceOf(device));
    return <usize>-(<i32>Errno.ACCES);
  }
  const made = mountPrepare(connectionAt(context - 1), blockDeviceOf(device), flags, options);
  const sb = isErrPtr(made) ? made : mountCall(connectionAt(context - 1), servedSuperAt(made));
  if (isErrPtr(sb)) {
    if (!isErrPtr(made)) mountForget(servedSuperAt(made));
    blockDeviceLeave(blockDeviceOf(device));
    return sb;
  }
  buffersWrite(diskOf(blockDeviceOf(device))); // the mark that it is mounted is there before any change
  tableOpen(servedSuperAt(made));
  flusherStart(servedSuperAt(made).mount);
  return sb;
}

/** A mount that did not come about; what was read for it may be made anew before the next try. */
function mountForget(fs: ServedSuper): void {
  tableShut(fs);
  buffersDropAll(diskOfFs(fs), fs.deviceBase, fs.deviceBytes - fs.deviceBase);
  tableLeave(fs);
  superFree(changetype<usize>(fs), fs.options);
}

/** A ServedSuper with a place in the table, NEW; or a negated errno as pointer. */
function mountPrepare(c: Connection, device: BlockDevice, flags: u32, options: usize): usize {
  if (bytesLength(options) > FS_NAME_BYTES) return <usize>-(<i32>Errno.INVAL);
  const address = kzalloc(offsetof<ServedSuper>());
  const text = kmalloc(OPTIONS_BYTES);
  const fs = servedSuperAt(address);
  if (address == 0 || text == 0) {
    superFree(address, text);
    return <usize>-(<i32>Errno.NOMEM);
  }
  wordPut32(text, bytesLength(options));
  bytesCopy(text + 4, options, bytesLength(options));
  fs.connection = <u32>changetype<usize>(c);
  fs.isReadOnly = flags & MountFlag.RDONLY || optionsSayReadOnly(options) ? 1 : 0;
  fs.options = <u32>text;
  fs.disk = <u32>changetype<usize>(diskOf(device));
  fs.device = <u32>changetype<usize>(device);
  fs.deviceBase = device.start << 9;
  fs.deviceBytes = fs.deviceBase + (blockDeviceSectors(device) << 9);
  superListsInit(fs);
  const failed = tableEnter(fs);
  if (failed < 0) superFree(address, text);
  return failed < 0 ? <usize>failed : address;
}

function isWritable(disk: Disk): bool { return (disk.features & BlockFeature.READ_ONLY) == 0; }

function superFree(address: usize, text: usize): void {
  if (address != 0) kfree(address);
  if (text != 0) kfree(text);
}

/** True for "ro" among the options. */
function optionsSayReadOnly(options: usize): bool {
  let isStart = true;
  for (let at = options; byteAt(at, 0) != 0; at++) {
    const next = byteAt(at, 2);
    if (isStart && byteAt(at, 0) == 0x72 && byteAt(at, 1) == 0x6f && (next == 0 || next == 0x2c)) return true;
    isStart = byteAt(at, 0) == 0x2c;
  }
  return false;
}

/** MOUNT, and from its answer the super block and root. */
function mountCall(c: Connection, fs: ServedSuper): usize {
  callBegin(mountOfFs(fs));
  requestPut32(c, FsMount.READ_ONLY, fs.isReadOnly);
  bytesCopy(<usize>c.request + FsMount.OPTIONS, fs.options, OPTIONS_BYTES);
  const result = callMake(c, mountOfFs(fs), FsMethod.MOUNT, FsMount.REQUEST_END, FsMount.REPLY_END);
  const sb = result < 0 ? <usize>result : superFromReply(c, fs);
  if (!isErrPtr(sb)) wordSet(c.mounts, fs.mount, <u32>changetype<usize>(fs)); // a successor is told of it
  callEnd(c);
  if (isErrPtr(sb)) return sb;
  totalsAsk(fs);
  return sb;
}

function superFromReply(c: Connection, fs: ServedSuper): usize {
  fs.blockBytes = reply32(c, FsMount.R_BLOCK_BYTES);
  fs.nameMax = min<u32>(reply32(c, FsMount.R_NAME_MAX), FS_NAME_BYTES);
  fs.deviceStart = fs.deviceBase + min<u64>(reply64(c, FsMount.R_DEVICE_START), fs.deviceBytes);
  fs.maxBytes = min<u64>(reply64(c, FsMount.R_MAX_BYTES), 1 << 44);
  fs.flags = reply32(c, FsMount.R_FLAGS);
  fs.mtimeStepNs = max<u64>(1, reply64(c, FsMount.R_MTIME_STEP_NS));
  fs.atimeStepNs = max<u64>(1, reply64(c, FsMount.R_ATIME_STEP_NS));
  fs.blocksFree = reply64(c, FsMount.R_BLOCKS_FREE);
  if (fs.flags & FsMountFlag.READ_ONLY) fs.isReadOnly = 1;
  const isPower = fs.blockBytes != 0 && (fs.blockBytes & (fs.blockBytes - 1)) == 0;
  if (!isPower || fs.blockBytes < BLOCK_LEAST || fs.blockBytes > BLOCK_MOST || fs.deviceStart >= fs.deviceBytes || fs.deviceStart & 511) {
    return <usize>-(<i32>Errno.IO);
  }
  const sb = superAlloc(changetype<string>(<usize>c.typeName), reply32(c, FsMount.R_MAGIC)); // SAFETY: connectionCreate's
  if (!sb) return <usize>-(<i32>Errno.NOMEM);
  fs.sb = <u32>changetype<usize>(sb);
  sb.data = <u32>changetype<usize>(fs);
  sb.blockSize = fs.blockBytes;
  sb.maxBytes = fs.maxBytes;
  sb.nameMax = fs.nameMax;
  sb.foldsCase = fs.flags & FsMountFlag.FOLD_CASE ? 1 : 0;
  if (fs.isReadOnly) sb.flags |= MountFlag.RDONLY;
  const root = servedInodeOf(fs, replyAt(c, FsMount.R_ROOT), replyAt(c, FsMount.R_ATTRIBUTES));
  const failed = isErrPtr(root) ? <i32>root : superRootSet(sb, root);
  if (failed < 0) {
    superPut(sb);
    return <usize>failed;
  }
  sb.ops = changetype<usize>(SERVED_SUPER_OPS);
  return changetype<usize>(sb);
}

function totalsAsk(fs: ServedSuper): void {
  const c = callBegin(mountOfFs(fs));
  if (callMake(c, mountOfFs(fs), FsMethod.STATFS, FsStatfs.REQUEST_END, FsStatfs.REPLY_END) == 0) fs.blocksTotal = reply64(c, FsStatfs.R_BLOCKS);
  callEnd(c);
}

// ---- SuperOps ----

function servedStatfs(sb: SuperBlock, info: StatfsInfo): void {
  const fs = fsOfSuper(sb);
  info.blocks = fs.blocksTotal;
  const free = fs.blocksFree + fs.doomedBlocks;
  info.blocksFree = free > fs.reserved ? free - fs.reserved : 0;
}

/** Options are those of the mount, as with Linux's vfat; read-only comes and goes. */
function servedRemount(sb: SuperBlock, flags: u32, options: usize): i32 {
  const fs = fsOfSuper(sb);
  const isToBeReadOnly = (flags & MountFlag.RDONLY) != 0;
  if (!isToBeReadOnly && !isWritable(diskOfFs(fs))) return -Errno.ROFS;
  const failed = isToBeReadOnly ? servedSync(fs, true) : mountOfFs(fs).isReadOnly ? writableAsk(fs) : servedSync(fs, false);
  if (failed < 0) return failed;
  sb.flags = sb.flags & ~(<u32>MountFlag.RDONLY) | flags & MountFlag.RDONLY;
  return 0;
}

/** MOUNT once more, of what was mounted read-only. */
function writableAsk(fs: ServedSuper): i32 {
  const c = callBegin(mountOfFs(fs));
  mountOfFs(fs).isReadOnly = 0; // the server may write from now on
  requestPut32(c, FsMount.READ_ONLY, 0);
  bytesCopy(<usize>c.request + FsMount.OPTIONS, fs.options, OPTIONS_BYTES);
  let failed = callMake(c, mountOfFs(fs), FsMethod.MOUNT, FsMount.REQUEST_END, FsMount.REPLY_END);
  if (failed == 0 && reply32(c, FsMount.R_FLAGS) & FsMountFlag.READ_ONLY) failed = -Errno.ROFS;
  if (failed == 0) fs.blocksFree = reply64(c, FsMount.R_BLOCKS_FREE);
  else mountOfFs(fs).isReadOnly = 1;
  callEnd(c);
  return failed < 0 ? failed : buffersWrite(diskOfFs(fs));
}

function servedSuperSync(sb: SuperBlock): i32 {
  return servedSync(fsOfSuper(sb), false);
}

/** The last mount is gone and no name is cached: files that are still dirty are written, and the volume is clean. */
function servedUnmount(sb: SuperBlock): void {
  const fs = fsOfSuper(sb);
  tableClose(fs); // who writes it back has ended: nothing reaches the server after UNMOUNT
  let failed = servedSync(fs, true);
  for (let tries: u32 = 1; failed == -Errno.NOMEM && tries < SYNC_TRIES; tries++) failed = servedSync(fs, true);
  if (failed < 0) logWarn("fs", "unmounted with errors: some of it did not reach the disk");
  dirtyForget(fs);
  const c = callBegin(mountOfFs(fs));
  callMake(c, mountOfFs(fs), FsMethod.UNMOUNT, FsUnmount.REQUEST_END, FsUnmount.REPLY_END);
  wordSet(c.mounts, fs.mount, 0);
  callEnd(c);
  tableShut(fs); // nor does anything of it come: the buffers stay dropped
  buffersDropAll(diskOfFs(fs), fs.deviceBase, fs.deviceBytes - fs.deviceBase);
  tableLeave(fs);
  blockDeviceLeave(blockDeviceOf(fs.device));
  doomedForget(fs);
  superFree(changetype<usize>(fs), fs.options);
}
