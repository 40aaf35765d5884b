/**
 * Descriptors on their way through a socket (SCM_RIGHTS): a list of files, and the control data that names them.
 *
 *   struct cmsghdr, 8-byte aligned:   | len: u64 | level: i32 | type: i32 | data |
 *
 * A socket that travels through itself and is closed on both sides is never freed: nobody looks for such rings.
 *
 * Spec  unix(7) "Ancillary messages", cmsg(3).
 */
import { userCopyIn, userCopyOut } from "../../../../arch/current";
import { Errno } from "../../../abi/errno";
import { kfree, kmalloc } from "../../../core/mm/slab";
import { scratchPop, scratchPush } from "../../../core/sched/scratch";
import { wordAt32, wordAt64, wordPut32, wordPut64 } from "../../../lib/bytes";
import { SpinLock, spinLock, spinUnlock } from "../../../lib/spinlock";
import { fdGet, fdInstall } from "../../vfs/fd-table";
import { fileGet, filePut } from "../../vfs/file";
import { fileOf } from "../../vfs/types";

const SOL_SOCKET: u32 = 1;
const SCM_RIGHTS: u32 = 1;
const HEADER_BYTES: u64 = 16;
/** Most descriptors in one message, as Linux. */
const FILES_MAX: u32 = 253;
const CONTROL_MAX: u64 = 20480;

@final @unmanaged
export class RightsList {
  count: u32;
  next: u32; // RightsList: among those to be dropped
  // FILES_MAX File pointers follow
}

function slotOf(list: RightsList, index: u32): usize {
  return changetype<usize>(list) + offsetof<RightsList>() + (<usize>index << 2);
}

/** Lists to be dropped, and whether somebody is at it. */
@final @unmanaged
class Doomed {
  lock0: u64; // a SpinLock by value: nothing is taken under it
  lock1: u64;
  head: u32;  // RightsList
  isBusy: u32;
}
const DOOMED = changetype<Doomed>(memory.data(offsetof<Doomed>())); // SAFETY: static storage of that size

function doomedLock(): SpinLock { return changetype<SpinLock>(DOOMED); } // SAFETY: lock0 stands first

/**
 * Drops the files of a list, and the list. May sleep. A socket among them may have lists in its own queue, and so on
 * without end: they are put into line here, and whoever came first drops them all one after the other.
 */
export function rightsFree(list: RightsList): void {
  spinLock(doomedLock());
  list.next = DOOMED.head;
  DOOMED.head = <u32>changetype<usize>(list);
  const isFirst = DOOMED.isBusy == 0;
  if (isFirst) DOOMED.isBusy = 1;
  spinUnlock(doomedLock());
  if (isFirst) while (doomedDropOne()) continue;
}

/** False when the line is empty. */
function doomedDropOne(): bool {
  spinLock(doomedLock());
  const list = changetype<RightsList>(DOOMED.head); // SAFETY: as rightsFree queued it
  const isEmpty = DOOMED.head == 0;
  if (isEmpty) DOOMED.isBusy = 0;
  else DOOMED.head = list.next;
  spinUnlock(doomedLock());
  if (isEmpty) return false;
  for (let i: u32 = 0; i < list.count; i++) filePut(fileOf(wordAt32(slotOf(list, i))));
  kfree(changetype<usize>(list));
  return true;
}

function listNew(): RightsList | null {
  const address = kmalloc(offsetof<RightsList>() + (FILES_MAX << 2));
  if (address == 0) return null;
  const list = changetype<RightsList>(address); // SAFETY: of that size
  list.count = 0;
  return list;
}

/** Another list of the same files (MSG_PEEK leaves the first where it is); 0 when memory is full. */
export function rightsCopy(list: RightsList): u32 {
  const copy = listNew();
  if (!copy) return 0;
  for (; copy.count < list.count; copy.count++) {
    const file = wordAt32(slotOf(list, copy.count));
    fileGet(fileOf(file));
    wordPut32(slotOf(copy, copy.count), file);
  }
  return <u32>changetype<usize>(copy);
}

/** The files that control data at `va` names: a RightsList, 0 for none, or a negated errno. */
export function rightsFetch(va: u64, size: u64): i64 {
  if (size < HEADER_BYTES) return 0;
  if (size > CONTROL_MAX) return -Errno.NOBUFS;
  const list = listNew();
  if (!list) return -Errno.NOMEM;
  let r: i32 = 0;
  for (let at: u64 = 0; r == 0 && at + HEADER_BYTES <= size;) {
    const length = headerCheck(va + at, size - at);
    r = length < 0 ? <i32>length : filesAdd(list, va + at + HEADER_BYTES, <u64>length - HEADER_BYTES);
    at += (<u64>length + 7) & ~7;
  }
  if (r == 0 && list.count != 0) return <i64><u32>changetype<usize>(list);
  rightsFree(list);
  return r;
}

/** Length of the SCM_RIGHTS part at `va`, or -EFAULT, -EINVAL. */
function headerCheck(va: u64, left: u64): i64 {
  const header = scratchPush(<u32>HEADER_BYTES);
  const failed = userCopyIn(header, va, <u32>HEADER_BYTES);
  const length = wordAt64(header);
  const isRights = wordAt32(header + 8) == SOL_SOCKET && wordAt32(header + 12) == SCM_RIGHTS;
  scratchPop(<u32>HEADER_BYTES);
  if (failed != 0) return -Errno.FAULT;
  return isRights && length >= HEADER_BYTES && length <= left ? <i64>length : -Errno.INVAL;
}

/** Adds the descriptors at `va`: 0 or -errno. */
function filesAdd(list: RightsList, va: u64, bytes: u64): i32 {
  if (<u64>list.count + (bytes >> 2) > FILES_MAX) return -Errno.INVAL;
  const word = scratchPush(4);
  let r: i32 = 0;
  for (let at: u64 = 0; r == 0 && at + 4 <= bytes; at += 4) {
    r = userCopyIn(word, va + at, 4) != 0 ? -Errno.FAULT : fileAdd(list, wordAt32(word));
  }
  scratchPop(4);
  return r;
}

function fileAdd(list: RightsList, fd: u32): i32 {
  const file = fdGet(<i32>fd);
  if (!file) return -Errno.BADF;
  wordPut32(slotOf(list, list.count), <u32>changetype<usize>(file));
  list.count++;
  return 0;
}

/** Descriptors that fit into `room` bytes of control data. */
function fitting(list: RightsList, room: u64): u32 {
  return room < HEADER_BYTES + 4 ? 0 : <u32>min<u64>(list.count, (room - HEADER_BYTES) >> 2);
}

/**
 * Gives the files of a list to the caller as new descriptors, told in the control data at `va`; the list is used up.
 * Bytes of control data written, or -EFAULT. `*cut` becomes 1 when files were dropped for want of room or descriptors.
 */
export function rightsDeliver(list: RightsList, va: u64, room: u64, cloexec: bool, cut: usize): i64 {
  const wanted = fitting(list, room);
  let done: u32 = 0;
  let failed: i32 = 0;
  while (done < wanted && failed == 0) {
    const fd = fdInstall(fileGet(fileOf(wordAt32(slotOf(list, done)))), cloexec);
    if (fd < 0) {
      filePut(fileOf(wordAt32(slotOf(list, done))));
      break;
    }
    failed = wordOut(va + HEADER_BYTES + (<u64>done << 2), fd);
    done++;
  }
  wordPut32(cut, done < list.count ? 1 : 0);
  rightsFree(list);
  if (failed != 0) return failed;
  return done == 0 ? 0 : headerOut(va, HEADER_BYTES + (<u64>done << 2), room);
}

function wordOut(va: u64, value: u32): i32 {
  const word = scratchPush(4);
  wordPut32(word, value);
  const r = userCopyOut(va, word, 4);
  scratchPop(4);
  return r;
}

/** The header in front; the bytes of control data that are used, padding included where there is room. */
function headerOut(va: u64, length: u64, room: u64): i64 {
  const header = scratchPush(<u32>HEADER_BYTES);
  wordPut64(header, length);
  wordPut32(header + 8, SOL_SOCKET);
  wordPut32(header + 12, SCM_RIGHTS);
  const r = userCopyOut(va, header, <u32>HEADER_BYTES);
  scratchPop(<u32>HEADER_BYTES);
  return r != 0 ? <i64>r : <i64>min<u64>((length + 7) & ~7, room);
}
