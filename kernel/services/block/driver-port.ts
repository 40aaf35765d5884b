/** The BLOCK_DRIVER service: how a driver server offers a disk. Operations: kernel/abi/block-ring.ts. */
import { userCopyIn } from "../../../arch/current";
import { BlockDriverOp } from "../../abi/block-driver.gen";
import { BlockGeometry, BLOCK_QUEUES, BLOCK_SECTORS } from "../../abi/block-ring";
import { CapKind, CapRight, ServiceId } from "../../abi/capability";
import { Errno } from "../../abi/errno";
import { objectAt, objectGet, objectPut } from "../../core/cap/object";
import { ServiceOps, ServicePort, serviceRegister } from "../../core/cap/service-port";
import { userRangeOk } from "../../core/mm/layout";
import { cpuOnlineCount } from "../../core/sched/placement";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { LogLevel, logBegin, logEnd, logKeyDec, logStr } from "../../lib/log";
import { serverDistrust } from "../native/distrust";
import { handleGive, handleLookup } from "../native/process-space";
import { currentProcess } from "../process/process";
import { isErrPtr } from "../vfs/types";
import { blockDeviceAppear } from "./block-file";
import { blockDiskStarted } from "./block-worker";
import { dmaAttach } from "./dma";
import { diskAt, diskAttach, diskComplete, diskDetach, diskRing, diskStart } from "./disk";
import { REQUEST_PIECES } from "./request";

const PORT_OPS = changetype<ServiceOps>(memory.data(offsetof<ServiceOps>()));
const SECTOR: u32 = 512;
/** 16 TiB: the number of a page of the disk has 32 bits. */
const SECTORS_MOST: u64 = 1 << 35;

/**
 * ServicePort.instance: the disk it may attach.
 * ServicePort.data: 1 + index of the disk it attached, 0: none yet.
 * ServicePort.data1: generation of its ring, by which a port of before is known.
 */
export function blockDriverInit(): void {
  PORT_OPS.call = driverCall;
  PORT_OPS.gone = driverGone;
  serviceRegister(ServiceId.BLOCK_DRIVER, PORT_OPS);
}

function driverGone(port: ServicePort): void {
  if (port.data == 0) return;
  const disk = diskAt(port.data - 1);
  if (!disk) return;
  diskDetach(disk, port.data1);
  logBegin(LogLevel.WARN, "block");
  logStr("driver gone, requests wait for the next one");
  logKeyDec("disk", disk.index);
  logEnd();
}

function driverCall(port: ServicePort, op: u32, a0: u64, a1: u64, a2: u64, a3: u64): i64 {
  if (op == <u32>BlockDriverOp.ATTACH) return driverAttach(port, a0, <u32>a1, <u32>a2);
  const disk = port.data != 0 ? diskAt(port.data - 1) : null;
  if (!disk) return -Errno.NODEV;
  switch (op) {
    case BlockDriverOp.RING: return ringGive(diskRing(disk, port.data1, <u32>a0));
    case BlockDriverOp.START: {
      const result = diskStart(disk, port.data1);
      if (result == 0) blockDiskStarted(disk);
      return result;
    }
    case BlockDriverOp.COMPLETE: {
      const result = diskComplete(disk, port.data1, <u32>a0);
      if (result == -Errno.PROTO) driverDistrust(port);
      return result;
    }
    default: return -Errno.INVAL;
  }
}

/** It wrote nonsense into the ring: its port is closed, and its life with it. */
function driverDistrust(port: ServicePort): void {
  serverDistrust(currentProcess(), "wrote nonsense into its ring");
  driverGone(port);
  port.data = 0;
}

/** A handle for a ring, whose reference it takes over. */
function ringGive(ring: usize): i64 {
  return isErrPtr(ring) ? <i32>ring : handleGive(objectAt(ring), CapRight.READ | CapRight.WRITE);
}

/** ATTACH: the number of queues. */
function driverAttach(port: ServicePort, geometryVa: u64, notification: u32, pci: u32): i64 {
  if (port.data != 0) return -Errno.BUSY;
  if (!userRangeOk(geometryVa, offsetof<BlockGeometry>())) return -Errno.FAULT;
  const n = handleLookup(notification, CapKind.NOTIFICATION, CapRight.SIGNAL);
  if (isErrPtr(n)) return <i32>n;
  const ptr = scratchPush(offsetof<BlockGeometry>());
  const failed = userCopyIn(ptr, geometryVa, offsetof<BlockGeometry>());
  const geometry = changetype<BlockGeometry>(ptr); // SAFETY: scratch of that size
  const result = failed != 0 ? -Errno.FAULT : geometryAttach(port, geometry, <u32>n, pci);
  scratchPop(offsetof<BlockGeometry>());
  if (result < 0) objectPut(objectAt(n));
  return result;
}

/** Takes the reference to the notification over when it succeeds. */
function geometryAttach(port: ServicePort, geometry: BlockGeometry, notification: u32, pci: u32): i64 {
  const disk = diskAt(port.instance);
  if (!disk || geometry.sectors == 0 || geometry.sectors > SECTORS_MOST) return -Errno.INVAL;
  if (geometry.sectorBytes != SECTOR || geometry.maxSectors < BLOCK_SECTORS || geometry.maxSegments < REQUEST_PIECES) return -Errno.INVAL;
  if (geometry.queues == 0) return -Errno.INVAL;
  const device = handleLookup(pci, CapKind.PCI, CapRight.MANAGE | CapRight.DMA); // who has none is told no addresses
  if (isErrPtr(device)) return <i32>device;
  const queues = diskAttach(disk, geometry, min<u32>(geometry.queues, min<u32>(cpuOnlineCount(), BLOCK_QUEUES)), notification);
  if (queues < 0) {
    objectPut(objectAt(device));
    return queues;
  }
  if (dmaAttach(disk.index, device, queues) != 0) {
    objectGet(objectAt(notification)); // the caller's, which the disk gives back
    diskDetach(disk, disk.generation);
    return -Errno.NOMEM;
  }
  port.data = disk.index + 1;
  port.data1 = disk.generation;
  blockDeviceAppear(disk);
  logBegin(LogLevel.INFO, "block");
  logStr("disk attached");
  logKeyDec("disk", disk.index);
  logKeyDec("sectors", disk.sectors);
  logKeyDec("queues", queues);
  logKeyDec("generation", disk.generation);
  logEnd();
  return queues;
}
