/**
 * From a running core to what process 1 needs: every service in the order of its needs. Runs in a kernel thread of its own.
 */
import { rtcReadSeconds } from "../../arch/current";
import { BOOT_INFO } from "../../arch/x86_64/boot-info";
import { initrdFree } from "../core/mm/memory-init";
import { futexInit } from "../core/sync/futex";
import { NS_PER_SEC, clockSetReal } from "../core/time/clock";
import { LogLevel, logBegin, logEnd, logInfo, logInt, logStr } from "../lib/log";
import { driversInit } from "./driver/driver-init";
import { unixSocketsInit } from "./net/unix/socket-file";
import { nativeTableInit } from "./native-dispatch.gen";
import { nativeInit } from "./native/native-init";
import { processInit } from "./process/init";
import { robustListsInit } from "./process/robust-list";
import { timersInit } from "./process/sys-timer";
import { vdsoInit } from "./process/vdso";
import { syscallTableInit } from "./syscall-dispatch.gen";
import { epollInit } from "./vfs/epoll";
import { eventfdInit } from "./vfs/eventfd";
import { pipeInit } from "./vfs/sys-pipe";
import { timerfdInit } from "./vfs/timerfd";
import { FileMode } from "./vfs/types";
import { initramfsProblem, initramfsUnpack, vfsInit, vfsMkdir, vfsMknod } from "./vfs/vfs";

/** Everything but process 1, on the first kernel thread; why the boot cannot go on, or null. */
export function servicesStart(): string | null {
  syscallTableInit();
  nativeTableInit();
  nativeInit();
  processInit();
  futexInit();
  robustListsInit();
  timersInit();
  clockSetReal(rtcReadSeconds() * NS_PER_SEC);
  vfsInit();
  pipeInit();
  eventfdInit();
  epollInit();
  timerfdInit();
  unixSocketsInit();
  driversInit();
  if (!vdsoInit()) logInfo("boot", "no vDSO: programs ask for the time by system call");
  return rootFill();
}

/**
 * The initramfs becomes the root; a console node is there even when the archive has none, as on Linux. A damaged or
 * truncated one ends the boot here: half a root would only fail later, and less clearly.
 */
function rootFill(): string | null {
  const files = initramfsUnpack(BOOT_INFO.initrdPa, BOOT_INFO.initrdBytes);
  const problem = initramfsProblem();
  if (problem) return problem;
  vfsMkdir("/dev", 0o755); // EEXIST when the archive brought it
  vfsMknod("/dev/console", FileMode.IFCHR | 0o600, (5 << 8) | 1);
  if (files < 0) {
    logBegin(LogLevel.ERR, "initramfs");
    logStr("cannot unpack errno=");
    logInt(-files);
    logEnd();
  }
  initrdFree(); // every file has its own pages now
  return null;
}
