/**
 * Memory at boot, in order: the firmware's map, the direct map, frame records, page allocator, heap, stacks.
 *
 * Invariants  I1  nothing the loader left for us (image, initramfs, start-up page) is handed out before its owner is done.
 * Locking     none: only the boot CPU runs.
 * Units       pa, bytes; pfn.
 */
import { ImageSymbol, imageAddress, physZero } from "../../../arch/current";
import {
  BOOT_INFO, RangeKind, bootBytesNotUsable, bootRangeBytes, bootRangeKind, bootRangePa,
} from "../../../arch/x86_64/boot-info";
import { numaNodeCount, numaNodeOf, numaRunEnd } from "../../../arch/x86_64/acpi-srat";
import { CPU_FEATURES } from "../../../arch/x86_64/cpu-features";
import { DeviceCache, directMapDevice, directMapExtend, directMapUncacheAbove } from "../../../arch/x86_64/paging";
import { trampolinePage } from "../../../arch/x86_64/smp";
import { LogLevel, logBegin, logEnd, logKeyDec, logStr } from "../../lib/log";
import { buddyAddRange, buddyInit, freePageCount, nodePages, pageAlloc, totalPageCount } from "./buddy";
import {
  earlyPageAlloc, earlyRangeAdd, earlyRangeCount, earlyRangeEnd, earlyRangeStart, earlyReserve,
} from "./early-memory";
import { frameLimitSet, pfnToPa } from "./frame-table";
import { faultEntryInit } from "./fault-entry";
import { heapInit } from "./heap";
import { kernelMapInit, kernelMapPage, kernelMapReady } from "./kernel-map";
import { kstackInit } from "./kernel-stack";
import { FRAME_TABLE, LINEAR_WINDOW_END, PAGE_SHIFT, PAGE_SIZE, pageAlignUp } from "./layout";
import { mmInit } from "./mm-init";
import { kmallocInit } from "./slab";

/** Frame records are made for whole blocks of this size (F3 of frame-table.ts). */
const BLOCK: u64 = 0x800000;
const FRAME_BYTES: u64 = 16;
const FOUR_GIB: u64 = 0x100000000;
const STACK_REGION: usize = 0x10000000;
/** The frame table may take half a GiB of the window: 128 GiB of RAM. */
const RAM_LIMIT: u64 = 0x2000000000;
const LARGE: usize = 0x200000;

/** Brings up all of memory management; RAM is all of the map except what I1 names. */
export function memoryInit(): void {
  kernelMapInit(imageAddress(ImageSymbol.BOOT_PML4_PA), CPU_FEATURES.hasNx != 0);
  rangesTake();
  const end = directMapExtend(min<u64>(rangesEnd(), RAM_LIMIT), CPU_FEATURES.hasPage1g != 0, earlyPageAlloc);
  directMapUncacheAbove(lowRamEnd());
  framebufferMap();
  const heapBase = frameTableMake(end);
  buddyInit(numaNodeCount());
  for (let i: u32 = 0; i < earlyRangeCount(); i++) {
    const start = earlyRangeStart(i);
    const stop = min<u64>(earlyRangeEnd(i), end);
    if (start < stop) ramAdd(start, stop);
  }
  kernelMapReady();
  heapInit(heapBase, LINEAR_WINDOW_END - STACK_REGION);
  kstackInit(LINEAR_WINDOW_END - STACK_REGION, LINEAR_WINDOW_END);
  kmallocInit();
  mmInit();
  faultEntryInit();
  memoryReport();
}

/** Hands RAM [start, end) to the nodes it belongs to. */
function ramAdd(start: u64, end: u64): void {
  for (let at = start; at < end; ) {
    const stop = numaRunEnd(at, end);
    buddyAddRange(at, stop - at, numaNodeOf(at));
    at = stop;
  }
}

/** Usable RAM of the map, less what I1 keeps. */
function rangesTake(): void {
  for (let i: u32 = 0; i < BOOT_INFO.rangeCount; i++) {
    if (bootRangeKind(i) == RangeKind.USABLE) earlyRangeAdd(bootRangePa(i), bootRangeBytes(i));
  }
  for (let i: u32 = 0; i < BOOT_INFO.rangeCount; i++) {
    if (bootRangeKind(i) != RangeKind.USABLE) earlyReserve(bootRangePa(i), bootRangeBytes(i));
  }
  const imagePa = imageAddress(ImageSymbol.IMAGE_PA);
  earlyReserve(imagePa, imageAddress(ImageSymbol.IMAGE_END_PA) - imagePa);
  if (BOOT_INFO.initrdPa != 0) earlyReserve(BOOT_INFO.initrdPa, BOOT_INFO.initrdBytes);
  const startUp = trampolinePage();
  if (startUp != 0) earlyReserve(startUp, PAGE_SIZE);
}

function rangesEnd(): u64 {
  let end: u64 = 0;
  for (let i: u32 = 0; i < earlyRangeCount(); i++) end = max<u64>(end, earlyRangeEnd(i));
  return end;
}

/** End of what is RAM below 4 GiB, ACPI tables included; device registers come after. */
function lowRamEnd(): u64 {
  let end: u64 = 0;
  for (let i: u32 = 0; i < BOOT_INFO.rangeCount; i++) {
    const stop = bootRangePa(i) + bootRangeBytes(i);
    if (bootRangeKind(i) != RangeKind.RESERVED && stop <= FOUR_GIB) end = max<u64>(end, stop);
  }
  return end;
}

function framebufferMap(): void {
  if (BOOT_INFO.framebufferPa == 0 || BOOT_INFO.framebufferType != 1) return;
  const size = <u64>BOOT_INFO.framebufferPitch * BOOT_INFO.framebufferHeight;
  if (!directMapDevice(BOOT_INFO.framebufferPa, size, DeviceCache.WRITE_COMBINING, earlyPageAlloc)) {
    BOOT_INFO.framebufferPa = 0; // out of reach: text is all there is
  }
}

/** Maps and clears the records of every block that holds usable RAM below `end`; where the heap may begin. */
function frameTableMake(end: u64): usize {
  frameLimitSet(<u32>(end >> PAGE_SHIFT));
  let done: u64 = 0;
  for (let block: u64 = 0; block < end; block += BLOCK) {
    if (!blockIsUsed(block)) continue;
    const first = FRAME_TABLE + <usize>((block >> PAGE_SHIFT) * FRAME_BYTES);
    const last = first + <usize>((BLOCK >> PAGE_SHIFT) * FRAME_BYTES);
    for (let at = first; at < last; at += PAGE_SIZE) {
      const pa = earlyPageAlloc();
      assert(pa != 0 && kernelMapPage(at, pa));
      physZero(pa, PAGE_SIZE);
    }
    done = block + BLOCK;
  }
  return (FRAME_TABLE + <usize>((done >> PAGE_SHIFT) * FRAME_BYTES) + LARGE - 1) & ~(LARGE - 1);
}

/** True when the firmware's map has usable RAM in the block, reserved by us or not. */
function blockIsUsed(block: u64): bool {
  for (let i: u32 = 0; i < BOOT_INFO.rangeCount; i++) {
    const start = bootRangePa(i);
    if (bootRangeKind(i) != RangeKind.USABLE || start >= block + BLOCK) continue;
    if (start + bootRangeBytes(i) > block) return true;
  }
  return false;
}

/** One cleared page for page tables after boot; 0 when memory is full. */
export function tablePageAlloc(): u64 {
  const pa = pfnToPa(pageAlloc());
  if (pa != 0) physZero(pa, PAGE_SIZE);
  return pa;
}

/** Gives the pages of the initramfs, but for those that the firmware's map reserves, to the allocator once it is unpacked (I1). */
export function initrdFree(): void {
  if (BOOT_INFO.initrdPa == 0) return;
  const reserved = bootBytesNotUsable(BOOT_INFO.initrdPa, BOOT_INFO.initrdBytes);
  ramAdd(pageAlignUp(BOOT_INFO.initrdPa), BOOT_INFO.initrdPa + BOOT_INFO.initrdBytes - reserved);
  if (reserved != 0) {
    logBegin(LogLevel.INFO, "mm");
    logStr("the initramfs ended in memory the firmware keeps");
    logKeyDec("bytes", reserved);
    logEnd();
  }
  BOOT_INFO.initrdPa = 0;
}

function memoryReport(): void {
  logBegin(LogLevel.INFO, "mm");
  logStr("memory ready");
  logKeyDec("totalKiB", totalPageCount() << 2);
  logKeyDec("freeKiB", freePageCount() << 2);
  logEnd();
  if (numaNodeCount() == 1) return;
  for (let node: u32 = 0; node < numaNodeCount(); node++) {
    logBegin(LogLevel.INFO, "mm");
    logStr("node");
    logKeyDec("id", node);
    logKeyDec("totalKiB", <u64>nodePages(node) << 2);
    logEnd();
  }
}
