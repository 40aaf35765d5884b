/**
 * A file system of nothing but a root directory, whose first look-up takes for ever while its server shows every sign of life: it
 * answers heartbeats and reads its device, so neither the supervisor nor the kernel ends it for minutes. Its successor finds nothing.
 */
import { FS_REPEATED } from "../../../../kernel/abi/file-system";
import { FsAttributes, FsMount, FsNode, FsStatfs, FS_WINDOW_BYTES } from "../../../../kernel/abi/file-system.gen";
import { HEARTBEAT, serveCalls, Words } from "../../../../servers/runtime/loop";
import { bytesFill, put32, put64, room } from "../../../../servers/runtime/memory";
import { memoryMap, notificationSignal, notificationWait } from "../../../../servers/runtime/native-calls";
import { fileSystemRead, fileSystemRegister } from "../../../../servers/runtime/protocol/file-system-port-client.gen";
import { FsServer } from "../../../../servers/runtime/protocol/file-system-server.gen";
import { handleNamed, heartbeatHandle, heartbeatMask, log } from "../../../../servers/runtime/start";

const WINDOW: usize = 0x90000000;
const PROT_RW: u32 = 3;
const ROOT_MODE: u32 = 0o40755;
const BLOCK_BYTES: u32 = 4096;
const NAME_MOST: u32 = 255;
const MAGIC: u32 = 0x5ca1ab1e;
const SECTOR: u64 = 512;
const NOENT: i32 = -2;
const NOSYS: i32 = -38;

/** Serves calls of `type` until its endpoint is gone. */
export function serveStuck(type: string): void {
  const endpoint = handleNamed("endpoint");
  const name = String.UTF8.encode(type, true);
  const window = fileSystemRegister(handleNamed("filesystem"), changetype<usize>(name), endpoint);
  if (window < 0 || memoryMap(<u32>window, WINDOW, 0, FS_WINDOW_BYTES, PROT_RW) < 0) return;
  STUCK.window = WINDOW;
  serveCalls(endpoint, handleNamed("notification"), onCall, onBits);
}

function onBits(bits: u64): void {}

class Stuck extends FsServer {
  mount(mount: u32, flags: u64): i32 { return mounted(); }
  attach(mount: u32, flags: u64): i32 { return mounted(); }
  unmount(mount: u32, flags: u64): i32 { return 0; }
  sync(mount: u32, flags: u64): i32 { return 0; }
  statfs(mount: u32, flags: u64): i32 {
    bytesFill(WINDOW + FsStatfs.R_BLOCKS, 0, FsStatfs.REPLY_END - FsStatfs.R_BLOCKS);
    return 0;
  }
  lookup(mount: u32, flags: u64): i32 {
    if (!(flags & FS_REPEATED)) stick(mount);
    return NOENT;
  }
  readdir(mount: u32, flags: u64): i32 { return NOSYS; }
  create(mount: u32, flags: u64): i32 { return NOSYS; }
  mkdir(mount: u32, flags: u64): i32 { return NOSYS; }
  unlink(mount: u32, flags: u64): i32 { return NOSYS; }
  rmdir(mount: u32, flags: u64): i32 { return NOSYS; }
  rename(mount: u32, flags: u64): i32 { return NOSYS; }
  setattr(mount: u32, flags: u64): i32 { return NOSYS; }
  extents(mount: u32, flags: u64): i32 { return NOSYS; }
  allocate(mount: u32, flags: u64): i32 { return NOSYS; }
  truncate(mount: u32, flags: u64): i32 { return NOSYS; }
  release(mount: u32, flags: u64): i32 { return NOSYS; }
}
const STUCK = new Stuck();

function onCall(label: i32, words: Words): i32 { return STUCK.serve(label, words.w0, words.w1); }

function mounted(): i32 {
  bytesFill(WINDOW + FsMount.R_ROOT, 0, FsMount.REPLY_END - FsMount.R_ROOT);
  put64(WINDOW + FsMount.R_ROOT + FsNode.N0, 1);
  put32(WINDOW + FsMount.R_ATTRIBUTES + FsAttributes.MODE, ROOT_MODE);
  put64(WINDOW + FsMount.R_ATTRIBUTES + FsAttributes.INO, 1);
  put32(WINDOW + FsMount.R_BLOCK_BYTES, BLOCK_BYTES);
  put32(WINDOW + FsMount.R_NAME_MAX, NAME_MOST);
  put32(WINDOW + FsMount.R_MAGIC, MAGIC);
  return 0;
}

function stick(mount: u32): void {
  const sector = room(<usize>SECTOR);
  log("does not come back");
  while (true) {
    if (!(notificationWait(handleNamed("notification"), 0) & HEARTBEAT)) continue;
    notificationSignal(heartbeatHandle(), heartbeatMask());
    fileSystemRead(handleNamed("filesystem"), mount, 0, sector, SECTOR);
  }
}
