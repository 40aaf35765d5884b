/** The FILE_SYSTEM service: how a server offers a type of file system, and reaches the devices mounted with it. Operations: kernel/abi/file-system.ts. */
import { userCopyIn, userCopyString } from "../../../../arch/current";
import { BlockStage, BlockWrite } from "../../../abi/block-ring";
import { CapKind, CapRight, ServiceId } from "../../../abi/capability";
import { Errno } from "../../../abi/errno";
import { FileSystemOp } from "../../../abi/file-system-port.gen";
import { objectAt, objectPut } from "../../../core/cap/object";
import { ServiceOps, ServicePort, serviceRegister } from "../../../core/cap/service-port";
import { userRangeOk } from "../../../core/mm/layout";
import { kfree, kmalloc } from "../../../core/mm/slab";
import { scratchPop, scratchPush } from "../../../core/sched/scratch";
import { mutexAt, mutexInit, mutexLock, mutexUnlock } from "../../../core/sync/mutex";
import { LogLevel, logBegin, logCString, logEnd, logStr, logWarn } from "../../../lib/log";
import { buffersCommit, buffersRead } from "../../block/buffer-cache";
import { handleGive, handleLookup } from "../../native/process-space";
import { bytesAre, bytesLength } from "../name";
import { fsServerTypeRegister, fsTypeKnown } from "../super-block";
import { isErrPtr } from "../types";
import { Connection, connectionAt, connectionCreate, connectionDeviceWait, connectionLeft, CONNECTIONS, connectionServe } from "./connection";
import { diskOfFs, ServedSuper } from "./inode";
import { tableUnuse, tableUse } from "./mount-table";

const NAME_BYTES: u32 = 16;
const READ_MOST: u64 = 1 << 20;
const WRITES_MOST: u64 = 256;
const COMMIT_MOST: u32 = 512 << 10;
const FS_PORT_OPS = changetype<ServiceOps>(memory.data(offsetof<ServiceOps>()));
/** One server registers at a time. */
const REGISTER_MUTEX: usize = memory.data(32, 8);

/**
 * ServicePort.data: 1 + index of the connection it serves, 0: none yet.
 * ServicePort.data1: its generation, by which a port of before is known.
 */
export function fileSystemPortInit(): void {
  mutexInit(mutexAt(REGISTER_MUTEX));
  FS_PORT_OPS.call = fsPortCall;
  FS_PORT_OPS.gone = fsPortGone;
  serviceRegister(ServiceId.FILE_SYSTEM, FS_PORT_OPS);
}

function fsPortGone(port: ServicePort): void {
  if (port.data == 0) return;
  connectionLeft(connectionAt(port.data - 1), port.data1);
  logWarn("fs", "server gone, calls wait for the next one");
}

function fsPortCall(port: ServicePort, op: u32, a0: u64, a1: u64, a2: u64, a3: u64): i64 {
  if (op == <u32>FileSystemOp.REGISTER) return typeRegister(port, a0, <u32>a1);
  if (port.data == 0) return -Errno.NODEV;
  const c = connectionAt(port.data - 1);
  if (c.generation != port.data1) return -Errno.STALE;
  const fs = tableUse(c, a0);
  if (!fs) return -Errno.NODEV;
  connectionDeviceWait(c, true);
  const result = deviceCall(fs, op, a1, a2, a3);
  connectionDeviceWait(c, false);
  tableUnuse(fs);
  return result;
}

function deviceCall(fs: ServedSuper, op: u32, a1: u64, a2: u64, a3: u64): i64 {
  switch (op) {
    case FileSystemOp.READ: return deviceRead(fs, a1, a2, a3);
    case FileSystemOp.COMMIT: return deviceCommit(fs, a1, a2);
    case FileSystemOp.DEVICE_BYTES: return <i64>bytesOf(fs);
    default: return -Errno.INVAL;
  }
}

/** Of the device: servers count from its beginning, not the disk's. */
function bytesOf(fs: ServedSuper): u64 { return fs.deviceBytes - fs.deviceBase; }

function deviceRead(fs: ServedSuper, offset: u64, va: u64, bytes: u64): i64 {
  if (bytes > READ_MOST || offset > bytesOf(fs) || bytes > bytesOf(fs) - offset) return -Errno.INVAL;
  if (!userRangeOk(va, bytes)) return -Errno.FAULT;
  return buffersRead(diskOfFs(fs), fs.deviceBase + offset, va, <u32>bytes);
}

/** Everything is copied in and checked before anything is changed. */
function deviceCommit(fs: ServedSuper, writesVa: u64, count: u64): i64 {
  if (fs.isReadOnly) return -Errno.ROFS;
  if (count == 0 || count > WRITES_MOST) return -Errno.INVAL;
  if (!userRangeOk(writesVa, count * offsetof<BlockWrite>())) return -Errno.FAULT;
  const writes = kmalloc(<u32>count * offsetof<BlockWrite>());
  if (writes == 0) return -Errno.NOMEM;
  let result: i32 = userCopyIn(writes, writesVa, <u32>count * offsetof<BlockWrite>()) != 0 ? -Errno.FAULT : 0;
  if (result == 0) result = writesApply(fs, writes, <u32>count);
  kfree(writes);
  return result;
}

function writeOf(writes: usize, index: u32): BlockWrite {
  return changetype<BlockWrite>(writes + index * offsetof<BlockWrite>()); // SAFETY: deviceCommit made room for them
}

function stageOf(writes: usize, index: u32): u32 { return writeOf(writes, index).stage & BlockStage.NUMBER; }

function writesApply(fs: ServedSuper, writes: usize, count: u32): i32 {
  let total: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const write = writeOf(writes, i);
    if (write.bytes == 0 || write.bytes > COMMIT_MOST - total || (i != 0 && stageOf(writes, i) < stageOf(writes, i - 1))) return -Errno.INVAL;
    if (write.offset > bytesOf(fs) || write.bytes > bytesOf(fs) - write.offset) return -Errno.INVAL;
    write.offset += fs.deviceBase;
    if (!userRangeOk(write.va, write.bytes)) return -Errno.FAULT;
    total += write.bytes;
  }
  const data = kmalloc(total);
  if (data == 0) return -Errno.NOMEM;
  let failed: i32 = 0;
  let at = data;
  for (let i: u32 = 0; i < count && failed == 0; i++) {
    if (userCopyIn(at, writeOf(writes, i).va, writeOf(writes, i).bytes) != 0) failed = -Errno.FAULT;
    at += writeOf(writes, i).bytes;
  }
  if (failed == 0) failed = buffersCommit(diskOfFs(fs), writes, count, data);
  kfree(data);
  return failed;
}

// ---- REGISTER ----

function typeRegister(port: ServicePort, nameVa: u64, endpoint: u32): i64 {
  if (port.data != 0) return -Errno.BUSY;
  const held = handleLookup(endpoint, CapKind.ENDPOINT, CapRight.CALL);
  if (isErrPtr(held)) return <i32>held;
  const name = scratchPush(NAME_BYTES);
  const length = userCopyString(name, nameVa, NAME_BYTES);
  mutexLock(mutexAt(REGISTER_MUTEX));
  const window = length <= 0 ? <usize>(length == 0 ? -Errno.INVAL : <i32>length) : typeServe(port, name, <u32>held);
  mutexUnlock(mutexAt(REGISTER_MUTEX));
  if (!isErrPtr(window)) registeredLog(name);
  scratchPop(NAME_BYTES);
  if (!isErrPtr(window)) return handleGive(objectAt(window), CapRight.READ | CapRight.WRITE);
  objectPut(objectAt(held));
  return <i32>window;
}

function registeredLog(name: usize): void {
  logBegin(LogLevel.INFO, "fs");
  logStr("served: ");
  logCString(name, NAME_BYTES);
  logEnd();
}

/** The window, or a negated errno as pointer. */
function typeServe(port: ServicePort, name: usize, endpoint: u32): usize {
  let index: u32 = 0;
  while (index < CONNECTIONS && !isOfType(connectionAt(index), name)) index++;
  if (index == CONNECTIONS) {
    index = 0;
    while (index < CONNECTIONS && connectionAt(index).typeName != 0) index++;
    if (index == CONNECTIONS || fsTypeKnown(name)) return <usize>-(<i32>Errno.EXIST);
    const text = connectionCreate(index, name, bytesLength(name));
    if (text == 0 || !fsServerTypeRegister(changetype<string>(text), index + 1)) return <usize>-Errno.NOMEM; // SAFETY: a string's
  }
  const window = connectionServe(connectionAt(index), endpoint);
  if (isErrPtr(window)) return window;
  port.data = index + 1;
  port.data1 = connectionAt(index).generation;
  return window;
}

function isOfType(c: Connection, name: usize): bool {
  return c.typeName != 0 && bytesAre(name, changetype<string>(<usize>c.typeName)); // SAFETY: connectionCreate's
}
