/**
 * Handlers of calls: 0 or a negated errno.
 *
 * Generated from kernel/abi/protocol/file-system.ts by toolchain/protocol; do not edit.
 */
import { FS_NAME_BYTES, FsAttach, FsCreate, FsLookup, FsMethod, FsMkdir, FsMount, FsRename, FsRmdir, FsUnlink } from "../../../kernel/abi/file-system.gen";
import { Errno } from "../../../kernel/abi/errno";
import { get32 } from "../memory";

export abstract class FsServer {
  /** Where the window is mapped: requests stand in it, replies go there. */
  window: usize = 0;

  /**
   * readOnly 1: nothing is written. EINVAL: no such file system on the device. options: what mount(8) passed, "uid=1,ro".
   * flags: FsMountFlag. Steps: times are kept that precisely. Errors: INVAL ROFS.
   */
  abstract mount(mount: u32, flags: u64): i32;
  /** After a restart: take the mount up again; the device is as the last COMMIT left it. Same arguments and answer. */
  abstract attach(mount: u32, flags: u64): i32;
  /** The mount number is free afterwards. `sync` with clean 1 came before. */
  abstract unmount(mount: u32, flags: u64): i32;
  /** Found by another name than it is listed by (an 8.3 alias): `name` is that one. Else it is empty. Errors: NOENT. */
  abstract lookup(mount: u32, flags: u64): i32;
  /**
   * Entries after `position` (0 = first; never . and ..), as many as fit; each carries the position after it. count 0: end.
   */
  abstract readdir(mount: u32, flags: u64): i32;
  /** Makes an empty file. A name that is there: EEXIST. Errors: EXIST NOSPC INVAL NAMETOOLONG PERM. */
  abstract create(mount: u32, flags: u64): i32;
  /** Makes an empty directory. Errors: EXIST NOSPC INVAL NAMETOOLONG PERM. */
  abstract mkdir(mount: u32, flags: u64): i32;
  /** The name goes; the data stays until `release` of the node in the reply (the file may be open). Errors: NOENT. */
  abstract unlink(mount: u32, flags: u64): i32;
  /** The same for a directory, which must be empty. Errors: NOENT NOTEMPTY. */
  abstract rmdir(mount: u32, flags: u64): i32;
  /**
   * `victim` (valid when hasVictim) is what newName named: replaced, its reply node is to be released like an unlinked one.
   * Errors: NOSPC INVAL NAMETOOLONG NOTEMPTY.
   */
  abstract rename(mount: u32, flags: u64): i32;
  /**
   * valid: FsValid bits; the rest stays. mode: only what the file system can keep, the reply says what became of it. Errors:
   * PERM.
   */
  abstract setattr(mount: u32, flags: u64): i32;
  /**
   * Where blocks [fileBlock, fileBlock + blocks) are: at least the first of them when the file has it, in order of fileBlock.
   * count 0: past the last.
   */
  abstract extents(mount: u32, flags: u64): i32;
  /**
   * Allots blocks behind the last one (the kernel knows of `have`) so that the file has `blocks` in all, or fewer (at least
   * one more) when that is too much for one COMMIT, and sets its size to min(size, all its blocks); answers with the extents
   * of blocks from `have` on. Nothing to allot: only the size is set. NOSPC: nothing was changed. Errors: NOSPC FBIG.
   */
  abstract allocate(mount: u32, flags: u64): i32;
  /**
   * Keeps the first `blocks` blocks at most; size is set to `size` (within the kept blocks). The rest becomes `tail`, which
   * is to be released like an unlinked file; n0 0: there is none. tailBlock: the device block of block `blocks`, if the file
   * has it and keeps some; else beyond the device.
   */
  abstract truncate(mount: u32, flags: u64): i32;
  /** Nobody holds the unlinked node any more, and the medium does not lead to it either: its blocks are free. */
  abstract release(mount: u32, flags: u64): i32;
  /** Of the whole file system; 0 files: it has no such count. */
  abstract statfs(mount: u32, flags: u64): i32;
  /**
   * Everything the server holds back (free counts) is committed; clean 1: the volume is marked clean, until the next change.
   */
  abstract sync(mount: u32, flags: u64): i32;

  /** Answers one call (serveCalls) with its label and words. */
  serve(label: i32, mount: u64, flags: u64): i32 {
    if (mount > u32.MAX_VALUE) return -Errno.INVAL;
    switch (label) {
      case FsMethod.MOUNT: return get32(this.window + FsMount.OPTIONS) > FS_NAME_BYTES ? -Errno.INVAL : this.mount(<u32>mount, flags);
      case FsMethod.ATTACH: return get32(this.window + FsAttach.OPTIONS) > FS_NAME_BYTES ? -Errno.INVAL : this.attach(<u32>mount, flags);
      case FsMethod.UNMOUNT: return this.unmount(<u32>mount, flags);
      case FsMethod.LOOKUP: return get32(this.window + FsLookup.NAME) > FS_NAME_BYTES ? -Errno.INVAL : this.lookup(<u32>mount, flags);
      case FsMethod.READDIR: return this.readdir(<u32>mount, flags);
      case FsMethod.CREATE: return get32(this.window + FsCreate.NAME) > FS_NAME_BYTES ? -Errno.INVAL : this.create(<u32>mount, flags);
      case FsMethod.MKDIR: return get32(this.window + FsMkdir.NAME) > FS_NAME_BYTES ? -Errno.INVAL : this.mkdir(<u32>mount, flags);
      case FsMethod.UNLINK: return get32(this.window + FsUnlink.NAME) > FS_NAME_BYTES ? -Errno.INVAL : this.unlink(<u32>mount, flags);
      case FsMethod.RMDIR: return get32(this.window + FsRmdir.NAME) > FS_NAME_BYTES ? -Errno.INVAL : this.rmdir(<u32>mount, flags);
      case FsMethod.RENAME: return get32(this.window + FsRename.OLD_NAME) > FS_NAME_BYTES || get32(this.window + FsRename.NEW_NAME) > FS_NAME_BYTES ? -Errno.INVAL : this.rename(<u32>mount, flags);
      case FsMethod.SETATTR: return this.setattr(<u32>mount, flags);
      case FsMethod.EXTENTS: return this.extents(<u32>mount, flags);
      case FsMethod.ALLOCATE: return this.allocate(<u32>mount, flags);
      case FsMethod.TRUNCATE: return this.truncate(<u32>mount, flags);
      case FsMethod.RELEASE: return this.release(<u32>mount, flags);
      case FsMethod.STATFS: return this.statfs(<u32>mount, flags);
      case FsMethod.SYNC: return this.sync(<u32>mount, flags);
      default: return -Errno.NOSYS;
    }
  }
}
