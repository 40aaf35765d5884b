/**
 * Advisory locks: flock(2), and POSIX and OFD record locks of fcntl(2).
 *
 * All locks of an inode form one list. A lock has a range (flock: everything) and an owner: the descriptor table for
 * POSIX locks, the File for OFD locks and flock. flock and record locks do not see each other.
 *
 * Locking  LOCK_TABLE.lock guards every list; blocked callers sleep on one queue and look again when any lock goes.
 */
import { Inode } from "./types";

/** close(2) of any descriptor of the file drops the table's POSIX locks. */
export function recordLocksRelease(inode: Inode, owner: usize): void { unreachable(); }
/** The last reference of a File is gone: its flock and OFD locks go. */
export function fileLocksRelease(inode: Inode, owner: usize): void { unreachable(); }

export function fileLockInit(): void {}
