/**
 * The methods of the file-system protocol (kernel/abi/protocol/file-system.ts) on FAT: a handler each, and mounts themselves. The others are in
 * names.ts, attributes.ts and data.ts.
 */
import { FsMethod, FsMount, FsStatfs, FsSync } from "../../../kernel/abi/file-system.gen";
import { FsMountFlag, FS_MOUNTS, FS_REPEATED } from "../../../kernel/abi/file-system";
import { get32, put32, put64 } from "../../runtime/memory";
import { FsServer } from "../../runtime/protocol/file-system-server.gen";
import { putRootAttributes, setattr } from "./attributes";
import { allocateBlocks, extents, MAX_BYTES, release, truncate } from "./data";
import { DAY_NS, MTIME_STEP_NS } from "./date";
import { slotAt } from "./directory";
import { indexesDrop } from "./index";
import { Err } from "./layout";
import { lookup, make, readdir, remove, rename } from "./names";
import { optionsTake } from "./options";
import { recover } from "./recovery";
import { begin, commit, commitClean, hasFailed } from "./transaction";
import { deviceFailed, trustInfo, Volume, volumeOpen } from "./volume";
import { putNode, window, windowPlace } from "./window";

const MAGIC: u32 = 0x4d44;
const NAME_MAX: u32 = 765;
const VOLUMES = new StaticArray<Volume | null>(FS_MOUNTS);

/** The volume of the call under way. */
let current: Volume | null = null;

function isAgain(flags: u64): bool { return (flags & FS_REPEATED) != 0; }
function volume(): Volume { return current!; }

class Fat extends FsServer {
  mount(mount: u32, flags: u64): i32 { return mountMethod(mount, isAgain(flags)); }
  attach(mount: u32, flags: u64): i32 { return mountMethod(mount, true); }
  unmount(mount: u32, flags: u64): i32 { return unmount(mount); }
  lookup(mount: u32, flags: u64): i32 { return lookup(volume()); }
  readdir(mount: u32, flags: u64): i32 { return readdir(volume()); }
  create(mount: u32, flags: u64): i32 { return make(volume(), false, isAgain(flags)); }
  mkdir(mount: u32, flags: u64): i32 { return make(volume(), true, isAgain(flags)); }
  unlink(mount: u32, flags: u64): i32 { return remove(volume(), false, isAgain(flags)); }
  rmdir(mount: u32, flags: u64): i32 { return remove(volume(), true, isAgain(flags)); }
  rename(mount: u32, flags: u64): i32 { return rename(volume(), isAgain(flags)); }
  setattr(mount: u32, flags: u64): i32 { return setattr(volume()); }
  extents(mount: u32, flags: u64): i32 { return extents(volume()); }
  allocate(mount: u32, flags: u64): i32 { return allocateBlocks(volume()); }
  truncate(mount: u32, flags: u64): i32 { return truncate(volume()); }
  release(mount: u32, flags: u64): i32 { return release(volume()); }
  statfs(mount: u32, flags: u64): i32 { return statfs(volume()); }
  sync(mount: u32, flags: u64): i32 { return sync(volume()); }
}
const FAT = new Fat();

export function windowSet(at: usize): void {
  FAT.window = at;
  windowPlace(at);
}

/** Answers one call: 0 or a negated errno. */
export function answer(method: i32, mount: u64, flags: u64): i32 {
  if (mount >= FS_MOUNTS) return Err.INVAL;
  current = VOLUMES[<u32>mount];
  const isMount = method == FsMethod.MOUNT || method == FsMethod.ATTACH;
  deviceFailed(); // of calls before
  const result = isMount || current !== null ? FAT.serve(method, mount, flags) : Err.NODEV;
  if (hasFailed()) indexesDrop();
  return result == Err.IO && !isMount && !deviceFailed() ? damaged(volume()) : result;
}

/** What stands on the device makes no sense: unless it is to go on all the same, the volume is left as it is. */
function damaged(v: Volume): i32 {
  if (v.goesOn) return Err.IO;
  v.isReadOnly = true;
  return Err.UCLEAN;
}

function mountMethod(mount: u32, isAgain: bool): i32 {
  const v = new Volume(mount);
  const failedOption = optionsTake(v, window + FsMount.OPTIONS + 4, get32(window + FsMount.OPTIONS));
  if (failedOption < 0) return failedOption;
  if (get32(window + FsMount.READ_ONLY) != 0) v.isReadOnly = true;
  trustInfo(isAgain && !v.isReadOnly);
  const failed = volumeOpen(v);
  if (failed < 0) return failed;
  VOLUMES[mount] = v;
  indexesDrop();
  const mended = isAgain || v.isReadOnly || !v.isMarked ? 0 : recover(v);
  if (mended < 0) return mended;
  putNode(FsMount.R_ROOT, v.rootCluster, 0);
  putRootAttributes(v, window + FsMount.R_ATTRIBUTES);
  put32(window + FsMount.R_BLOCK_BYTES, v.clusterBytes);
  put32(window + FsMount.R_NAME_MAX, NAME_MAX);
  put64(window + FsMount.R_DEVICE_START, v.dataStart);
  put64(window + FsMount.R_MAX_BYTES, MAX_BYTES);
  put32(window + FsMount.R_FLAGS, FsMountFlag.NO_HOLES | FsMountFlag.FOLD_CASE | (v.isReadOnly ? FsMountFlag.READ_ONLY : 0) | (v.isQuiet ? FsMountFlag.QUIET : 0));
  put32(window + FsMount.R_MAGIC, MAGIC);
  put64(window + FsMount.R_BLOCKS_FREE, v.free);
  put64(window + FsMount.R_MTIME_STEP_NS, MTIME_STEP_NS);
  put64(window + FsMount.R_ATIME_STEP_NS, DAY_NS);
  if (isAgain || v.isReadOnly) return 0;
  return commitMounted(v);
}

/** Marks the volume as mounted; and from now on FSInfo is right with every commit: a successor need not count. */
function commitMounted(v: Volume): i32 {
  begin(v);
  return slotAt(v, v.infoAt) == 0 ? Err.IO : commit(v); // of FAT12 and FAT16 that is the boot sector
}

function unmount(mount: u32): i32 {
  indexesDrop();
  VOLUMES[mount] = null;
  return 0;
}

/** Counts of the volume. */
function statfs(v: Volume): i32 {
  put64(window + FsStatfs.R_BLOCKS, v.clusters);
  put64(window + FsStatfs.R_BLOCKS_FREE, v.free);
  put64(window + FsStatfs.R_FILES, 0);
  put64(window + FsStatfs.R_FILES_FREE, 0);
  return 0;
}

function sync(v: Volume): i32 {
  return get32(window + FsSync.CLEAN) == 1 && v.isMarked && !v.isReadOnly ? commitClean(v) : 0;
}
