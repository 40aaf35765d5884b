/**
 * memory_*, quota_create, port_*: memory and ports by handle. Contracts: kernel/abi/native.ts.
 *
 * A mapping is a shared one of an anonymous file whose pages are the object's, so that faults, munmap and the end of the process
 * need to know nothing of capabilities; the file holds a reference to the object.
 */
import { in16, in32, in8, out16, out32, out8, userCopyOut } from "../../../arch/current";
import { CapKind, CapRight, MemoryFlag } from "../../abi/capability";
import { Errno } from "../../abi/errno";
import {
  MemoryObject, memoryObjectAt, memoryObjectCreate, memoryObjectHead, memoryObjectPa, quotaCreate,
} from "../../core/cap/memory-object";
import { KObject, objectAt, objectGet, objectPut } from "../../core/cap/object";
import { mmOf } from "../../core/mm/address-space";
import { frameRefInc } from "../../core/mm/frame";
import { userRangeOk } from "../../core/mm/layout";
import { FileMmap } from "../../core/mm/mm-hooks";
import { mmMap } from "../../core/mm/mmap";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { wordPut64 } from "../../lib/bytes";
import { Domain, domainMapMemory } from "../driver/iommu/domain";
import { Access } from "../driver/iommu/regs";
import { pciObjectDomain, pciObjectKeeps } from "../driver/pci/pci-object";
import { currentProcess } from "../process/process";
import { fileAllocAnon, fileOpsDefaults, filePut } from "../vfs/file";
import { File, FileOps, fileOf, isErrPtr, OpenFlag } from "../vfs/types";
import { handleGiveUnder, handleLookup } from "./process-space";

const PROT_WRITE: u32 = 2;
const PROT_RW: u32 = 3;
const MAP_SHARED_FIXED: u32 = 0x11;
const BATCH: u32 = 32;
const OBJECT_OPS = changetype<FileOps>(memory.data(offsetof<FileOps>()));

export function memoryCallsInit(): void {
  fileOpsDefaults(OBJECT_OPS);
  OBJECT_OPS.mmap = objectMmap;
  OBJECT_OPS.mmapPage = objectMmapPage;
  OBJECT_OPS.release = objectRelease;
}

function objectOf(file: File): MemoryObject { return memoryObjectAt(file.data); }

function objectMmap(file: File, prot: u32, flags: u32): i32 {
  return memoryObjectHead(objectOf(file)).kind == CapKind.MMIO ? FileMmap.IO : FileMmap.PAGES;
}

function objectMmapPage(file: File, index: u64, forWrite: u32): i32 {
  const memory = objectOf(file);
  if (index >= memory.pages) return -(<i32>Errno.FAULT);
  const pa = memoryObjectPa(memory, <u32>index);
  if (memory.owner != 0 && pciObjectKeeps(memory.owner, pa)) return -(<i32>Errno.FAULT);
  if (memoryObjectHead(memory).kind == CapKind.MEMORY) frameRefInc(<u32>(pa >> 12));
  return <u32>(pa >> 12);
}

function objectRelease(file: File): void {
  objectPut(objectAt(file.data));
}

export function nativeQuotaCreate(root: u32, bytes: u64): i64 {
  const held = handleLookup(root, CapKind.ROOT, CapRight.MANAGE);
  if (isErrPtr(held)) return <i32>held;
  objectPut(objectAt(held));
  if (bytes >> 12 > u32.MAX_VALUE >> 1) return -Errno.INVAL;
  const quota = quotaCreate(<u32>((bytes + 4095) >> 12));
  return quota == 0 ? -Errno.NOMEM : handleGiveUnder(root, objectAt(quota), CapRight.ALL);
}

export function nativeMemoryCreate(quota: u32, bytes: u64, flags: u32): i64 {
  if (flags & ~(MemoryFlag.DMA | MemoryFlag.CONTIGUOUS)) return -Errno.INVAL;
  if (bytes == 0 || bytes > 1 << 28) return -Errno.INVAL;
  const held = handleLookup(quota, CapKind.QUOTA, CapRight.MANAGE);
  if (isErrPtr(held)) return <i32>held;
  const memory = memoryObjectCreate(<u32>((bytes + 4095) >> 12), (flags & MemoryFlag.CONTIGUOUS) != 0, held);
  objectPut(objectAt(held));
  if (!memory) return -Errno.NOMEM;
  return handleGiveUnder(quota, memoryObjectHead(memory), flags & MemoryFlag.DMA ? CapRight.ALL : CapRight.ALL & ~CapRight.DMA);
}

export function nativeMemoryMap(handle: u32, addr: u64, offset: u64, bytes: u64, prot: u32): i64 {
  if (prot & ~PROT_RW || (addr | offset) & 4095 || bytes == 0) return -Errno.INVAL;
  let mode: u32 = OpenFlag.RDWR; // what mprotect(2) may make of the mapping later
  let held = rangeLookup(handle, CapRight.READ | CapRight.WRITE);
  if (<i32>held == -Errno.ACCES && !(prot & PROT_WRITE)) {
    mode = OpenFlag.RDONLY;
    held = rangeLookup(handle, CapRight.READ);
  }
  if (isErrPtr(held)) return <i32>held;
  const end = <u64>memoryObjectAt(held).pages << 12;
  const result = offset > end || bytes > end - offset ? -Errno.INVAL : objectMap(objectAt(held), mode, addr, offset, bytes, prot);
  objectPut(objectAt(held));
  return result;
}

/** What can be mapped, as handleLookup. */
function rangeLookup(handle: u32, rights: u32): usize {
  const held = handleLookup(handle, CapKind.MEMORY, rights);
  return <i32>held == -Errno.BADF ? handleLookup(handle, CapKind.MMIO, rights) : held;
}

function objectMap(object: KObject, mode: u32, addr: u64, offset: u64, bytes: u64, prot: u32): i64 {
  const made = fileAllocAnon(OBJECT_OPS, "[capability]", mode);
  if (isErrPtr(made)) return <i32>made;
  objectGet(object);
  fileOf(made).data = <u32>changetype<usize>(object);
  const result = mmMap(mmOf(currentProcess().mm), addr, bytes, prot, MAP_SHARED_FIXED, made, offset >> 12);
  filePut(fileOf(made)); // the area holds its own reference
  return result;
}

/**
 * memory_addresses: where an IOMMU translates, the object is mapped for the device first, to write to only with the right to. Where there
 * is none nothing would keep the device from writing: EACCES without it. ESTALE: the device is its no longer.
 */
export function nativeMemoryAddresses(memory: u32, pci: u32, firstPage: u32, outVa: u64, count: u32): i64 {
  if (!userRangeOk(outVa, <u64>count << 3)) return -Errno.FAULT;
  const device = handleLookup(pci, CapKind.PCI, CapRight.MANAGE);
  if (isErrPtr(device)) return <i32>device;
  const domain = pciObjectDomain(device);
  let access: u32 = Access.READ | Access.WRITE;
  let held = handleLookup(memory, CapKind.MEMORY, CapRight.DMA | CapRight.READ | CapRight.WRITE);
  if (<i32>held == -Errno.ACCES && domain) {
    access = Access.READ;
    held = handleLookup(memory, CapKind.MEMORY, CapRight.DMA | CapRight.READ);
  }
  let result = <i32>held;
  if (!isErrPtr(held)) {
    const iova = domain ? mapFor(domain, memoryObjectAt(held), access) : 0;
    result = <i64>iova < 0 ? <i32>iova : addressesOut(memoryObjectAt(held), iova, firstPage, outVa, count);
    objectPut(objectAt(held));
  }
  objectPut(objectAt(device));
  return result;
}

/** The device's address of page 0, or a negated errno. */
function mapFor(domain: Domain, memory: MemoryObject, access: u32): u64 {
  if (domain.rootPa == 0) return -Errno.STALE;
  const iova = domainMapMemory(domain, memory, access);
  return iova == 0 ? -Errno.NOMEM : iova;
}

/** Addresses from page `first` on: physical ones when `iova`, the device's address of page 0, is 0. */
function addressesOut(memory: MemoryObject, iova: u64, first: u32, outVa: u64, count: u32): i32 {
  if (first > memory.pages || count > memory.pages - first) return -Errno.INVAL;
  const batch = scratchPush(BATCH << 3);
  let failed: i32 = 0;
  for (let done: u32 = 0; done < count && failed == 0; done += BATCH) {
    const n = min<u32>(BATCH, count - done);
    for (let i: u32 = 0; i < n; i++) {
      const page = first + done + i;
      wordPut64(batch + (i << 3), iova != 0 ? iova + (<u64>page << 12) : memoryObjectPa(memory, page));
    }
    failed = userCopyOut(outVa + (<u64>done << 3), batch, n << 3);
  }
  scratchPop(BATCH << 3);
  return failed != 0 ? -Errno.FAULT : 0;
}

/** The port behind (handle, offset) when `width` bytes there are the caller's, or a negated errno. */
function portFind(handle: u32, offset: u32, width: u32, right: u32): i32 {
  if (width != 1 && width != 2 && width != 4) return -Errno.INVAL;
  const held = handleLookup(handle, CapKind.PORTS, right);
  if (isErrPtr(held)) return <i32>held;
  const range = memoryObjectAt(held);
  const result: i32 = offset + width <= <u32>range.bytes && offset < 0x10000 ? <i32>range.base + <i32>offset : -Errno.INVAL;
  objectPut(objectAt(held));
  return result;
}

export function nativePortIn(handle: u32, offset: u32, width: u32): i64 {
  const port = portFind(handle, offset, width, CapRight.READ);
  if (port < 0) return port;
  return width == 1 ? in8(port) : width == 2 ? in16(port) : <i64>in32(port);
}

export function nativePortOut(handle: u32, offset: u32, width: u32, value: u32): i64 {
  const port = portFind(handle, offset, width, CapRight.WRITE);
  if (port < 0) return port;
  if (width == 1) out8(port, value);
  else if (width == 2) out16(port, value);
  else out32(port, value);
  return 0;
}
