/**
 * syslog(2), which dmesg and klogd use: the kernel log as text, and the console level.
 *
 * Locking  the clear mark is one word, written by root only.
 * Spec     syslog(2).
 */
import { Errno } from "../../../abi/errno";
import { kfree, kmalloc } from "../../../core/mm/slab";
import { byteAt } from "../../../lib/bytes";
import { LOG_RING_BYTES, LogLevel, logConsoleLevelSet, logRead, logWritten } from "../../../lib/log";
import { currentCred } from "../../process/process";
import { bufCopyOut, bufRangeOk } from "../io-buf";

const enum Action { CLOSE = 0, OPEN = 1, READ = 2, READ_ALL = 3, READ_CLEAR = 4, CLEAR = 5, CONSOLE_OFF = 6, CONSOLE_ON = 7, CONSOLE_LEVEL = 8, SIZE_UNREAD = 9, SIZE_BUFFER = 10 }

const CHUNK: u32 = 4096;

@final @unmanaged
class SyslogState {
  clearedAt: u64; // READ_ALL shows what came after it
  readAt: u64;    // READ goes on here
}
const STATE = changetype<SyslogState>(memory.data(offsetof<SyslogState>(), 8));

export function sysSyslog(type: i32, bufVa: u64, length: i32): i64 {
  if (type < Action.CLOSE || type > Action.SIZE_BUFFER) return -Errno.INVAL;
  const isPublic = type == Action.READ_ALL || type == Action.SIZE_BUFFER;
  if (!isPublic && currentCred().euid != 0) return -Errno.PERM;
  switch (type) {
    case Action.READ: return textOut(bufVa, length, false);
    case Action.READ_ALL: return textOut(bufVa, length, true);
    case Action.READ_CLEAR: return textOutAndClear(bufVa, length);
    case Action.CLEAR:
      STATE.clearedAt = logWritten();
      return 0;
    case Action.CONSOLE_OFF:
      logConsoleLevelSet(0);
      return 0;
    case Action.CONSOLE_ON:
      logConsoleLevelSet(LogLevel.INFO);
      return 0;
    case Action.CONSOLE_LEVEL: return levelSet(length);
    case Action.SIZE_UNREAD: return <i64>(logWritten() - oldestFrom(STATE.readAt));
    case Action.SIZE_BUFFER: return LOG_RING_BYTES;
    default: return 0;
  }
}

/** Levels 1 to 8 as Linux counts them: messages more urgent than the level are shown. */
function levelSet(level: i32): i64 {
  if (level < 1 || level > 8) return -Errno.INVAL;
  logConsoleLevelSet(level - 1);
  return 0;
}

function oldestFrom(at: u64): u64 {
  const oldest = logWritten() > LOG_RING_BYTES ? logWritten() - LOG_RING_BYTES : 0;
  return at > oldest ? at : oldest;
}

function textOutAndClear(bufVa: u64, length: i32): i64 {
  const n = textOut(bufVa, length, true);
  if (n >= 0) STATE.clearedAt = logWritten();
  return n;
}

/** Copies the newest whole lines that fit (`isAll`), or the next unread bytes. */
function textOut(bufVa: u64, length: i32, isAll: bool): i64 {
  if (length < 0) return -Errno.INVAL;
  if (!bufRangeOk(bufVa, length)) return -Errno.FAULT;
  const chunk = kmalloc(CHUNK);
  if (chunk == 0) return -Errno.NOMEM;
  let at = isAll ? newestThatFit(chunk, length) : oldestFrom(STATE.readAt);
  let done: u32 = 0;
  let result: i32 = 0;
  while (done < <u32>length && result == 0) {
    const n = logRead(at, chunk, min<u32>(CHUNK, length - done));
    if (n == 0) break;
    result = bufCopyOut(bufVa + done, chunk, n);
    done += n;
    at += n;
  }
  if (!isAll) STATE.readAt = at;
  kfree(chunk);
  return result != 0 ? -Errno.FAULT : <i64>done;
}

/** Position of the first line of the last `length` bytes since the clear mark. */
function newestThatFit(chunk: usize, length: u32): u64 {
  const end = logWritten();
  const from = oldestFrom(STATE.clearedAt);
  if (end - from <= length) return from;
  const at = end - length;
  const n = logRead(at, chunk, CHUNK);
  for (let i: u32 = 0; i < n; i++) {
    if (byteAt(chunk, i) == 0x0a) return at + i + 1;
  }
  return at;
}
