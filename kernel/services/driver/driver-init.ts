/** Brings up devices and terminals, in order. After slabs, interrupts, timers, the process table and vfsInit. */
import { blockFilesInit } from "../block/block-file";
import { blockDevicesInit } from "../block/block-device";
import { blockWorkerInit } from "../block/block-worker";
import { bufferTableInit } from "../block/buffer-table";
import { disksInit } from "../block/disk";
import { blockDriverInit } from "../block/driver-port";
import { debugServiceInit } from "../debug/debug-service";
import { watchdogStart } from "../native/watchdog";
import { consoleInit } from "../tty/console";
import { deviceInit } from "../vfs/dev/device";
import { devptsInit } from "../vfs/dev/devpts";
import { devtmpfsInit } from "../vfs/dev/devtmpfs";
import { kmsgInit } from "../vfs/dev/kmsg";
import { memoryDevicesInit } from "../vfs/dev/memory-devices";
import { randomDeviceInit } from "../vfs/dev/random-device";
import { flushersAllow } from "../vfs/served/flusher";
import { fileSystemPortInit } from "../vfs/served/port";
import { servedInit } from "../vfs/served/super";
import { procfsInit } from "../vfs/proc/procfs";
import { sysfsInit } from "../vfs/sys/sysfs";
import { deviceMapInit } from "./device-map";
import { keyboardInit } from "./i8042";
import { iommuInit } from "./iommu/iommu";
import { pciInit } from "./pci/scan";

export function driversInit(): void {
  deviceInit();
  memoryDevicesInit();
  randomDeviceInit();
  kmsgInit();
  consoleInit();
  deviceMapInit();
  pciInit();
  iommuInit();
  keyboardInit(); // a machine without one is served by its serial port
  disksInit();
  bufferTableInit();
  blockDevicesInit();
  blockFilesInit();
  blockDriverInit();
  blockWorkerInit();
  servedInit();
  flushersAllow();
  fileSystemPortInit();
  debugServiceInit();
  watchdogStart();
  devtmpfsInit();
  devptsInit();
  procfsInit();
  sysfsInit();
}
