/**
 * What the boot loader says: memory map, command line, initramfs, framebuffer, ACPI root pointer.
 *
 * Multiboot2 and PVH give the same facts in two forms; both are copied into one BootInfo here, validated, and never
 * looked at again. A problem is reported by bootProblem() in words a user can act on.
 *
 * Invariants  B1  ranges never wrap and are at most MAX_RANGES; the command line is NUL terminated.
 * Locking     written once on the boot CPU.
 * Spec        Multiboot2 specification 2.0, 3.6 "Boot information format"; Xen public/arch-x86/hvm/start_info.h.
 */
import { physCopyIn, physLoad16, physLoad32, physLoad64, physLoad8 } from "./intrinsics";

/** Value in eax after a Multiboot2 boot. */
export const MULTIBOOT2_MAGIC: u32 = 0x36d76289;
/** Value that the PVH entry passes on. */
export const PVH_MAGIC: u32 = 0x336ec578;
const PVH_INFO_MAGIC: u32 = 0x336ec578;

export const MAX_RANGES: u32 = 128;
/** Bytes kept of the command line, with its NUL. */
export const CMDLINE_BYTES: u32 = 2048;

/** Kinds of memory, as in the E820 interface. */
export const enum RangeKind { USABLE = 1, RESERVED = 2, ACPI_RECLAIM = 3, ACPI_NVS = 4, BAD = 5 }

@final @unmanaged
export class BootInfo {
  rangeCount: u32;
  hasMemoryMap: u32;
  initrdPa: u64;       // 0: none
  initrdBytes: u64;
  rsdpPa: u64;         // 0: search for it
  framebufferPa: u64;  // 0: none, VGA text is assumed
  framebufferPitch: u32;
  framebufferWidth: u32;
  framebufferHeight: u32;
  framebufferBpp: u32;
  framebufferType: u32; // 0 indexed, 1 RGB, 2 EGA text
  redShift: u32;
  greenShift: u32;
  blueShift: u32;
  cmdlineLength: u32;
  magic: u32;
  infoPa: u64;         // the loader's own structure, to be kept out of the allocator until read
  infoBytes: u64;
}

export const BOOT_INFO = changetype<BootInfo>(memory.data(offsetof<BootInfo>(), 16));
const RANGES: usize = memory.data(128 * 24, 8);
/** The kernel command line, NUL terminated. */
export const CMDLINE: usize = memory.data(2048);

export function bootRangePa(index: u32): u64 {
  return load<u64>(RANGES + <usize>index * 24);
}

export function bootRangeBytes(index: u32): u64 {
  return load<u64>(RANGES + <usize>index * 24, 8);
}

export function bootRangeKind(index: u32): u32 {
  return load<u32>(RANGES + <usize>index * 24, 16);
}

/** Parses the structure at `infoPa` (below 4 GiB). False when `magic` is no loader we know. */
export function bootInfoParse(magic: u32, infoPa: u64): bool {
  BOOT_INFO.magic = magic;
  BOOT_INFO.infoPa = infoPa;
  if (magic == MULTIBOOT2_MAGIC) multibootParse(infoPa);
  else if (magic == PVH_MAGIC && physLoad32(infoPa) == PVH_INFO_MAGIC) pvhParse(infoPa);
  else return false;
  return true;
}

/** Why this machine cannot be booted with what the loader gave, or null when it can. */
export function bootProblem(): string | null {
  if (!BOOT_INFO.hasMemoryMap) return "the boot loader passed no memory map";
  if (BOOT_INFO.initrdPa == 0) return "no initramfs: pass one with -initrd or a GRUB module2 line";
  if (!rangeIsRam(BOOT_INFO.initrdPa, BOOT_INFO.initrdBytes)) {
    return "the initramfs is truncated: the machine has too little memory for it";
  }
  return null;
}

/**
 * Bytes of [pa, pa+size) that lie beyond the usable range it begins in; `size` when it begins in none.
 *
 * QEMU puts an initramfs 160 KiB below the end of RAM, whatever SeaBIOS has taken there for itself: with three or more virtio disks its
 * drivers' queues reach below that. The loader writes last, so the archive is whole, but its end lies in memory that the map reserves.
 */
export function bootBytesNotUsable(pa: u64, size: u64): u64 {
  for (let i: u32 = 0; i < BOOT_INFO.rangeCount; i++) {
    const end = bootRangePa(i) + bootRangeBytes(i);
    if (bootRangeKind(i) != RangeKind.USABLE || pa < bootRangePa(i) || pa >= end) continue;
    return pa + size > end ? pa + size - end : 0;
  }
  return size;
}

/** True when [pa, pa+size) begins in usable memory and ends there, or in what firmware has reserved right behind it. */
function rangeIsRam(pa: u64, size: u64): bool {
  if (pa + size < pa) return false;
  const rest = bootBytesNotUsable(pa, size);
  if (rest == 0 || rest == size) return rest == 0;
  for (let i: u32 = 0; i < BOOT_INFO.rangeCount; i++) {
    if (bootRangePa(i) == pa + size - rest) return bootRangeKind(i) == RangeKind.RESERVED && rest <= bootRangeBytes(i);
  }
  return false;
}

function rangeAdd(pa: u64, size: u64, kind: u32): void {
  if (size == 0 || pa + size < pa || BOOT_INFO.rangeCount >= MAX_RANGES) return; // B1
  const at = RANGES + <usize>BOOT_INFO.rangeCount * 24;
  BOOT_INFO.rangeCount++;
  store<u64>(at, pa);
  store<u64>(at, size, 8);
  store<u32>(at, kind, 16);
  BOOT_INFO.hasMemoryMap = 1;
}

function cmdlineCopy(pa: u64, max: u32): void {
  let length: u32 = 0;
  while (length < max && length < CMDLINE_BYTES - 1 && physLoad8(pa + length) != 0) length++;
  physCopyIn(CMDLINE, pa, length);
  store<u8>(CMDLINE + length, 0);
  BOOT_INFO.cmdlineLength = length;
}

const TAG_END: u32 = 0;
const TAG_CMDLINE: u32 = 1;
const TAG_MODULE: u32 = 3;
const TAG_MMAP: u32 = 6;
const TAG_FRAMEBUFFER: u32 = 8;
const TAG_ACPI_OLD: u32 = 14;
const TAG_ACPI_NEW: u32 = 15;

function multibootParse(pa: u64): void {
  const total = physLoad32(pa);
  BOOT_INFO.infoBytes = total;
  let at: u32 = 8;
  while (at + 8 <= total) {
    const type = physLoad32(pa + at);
    const size = physLoad32(pa + at + 4);
    if (type == TAG_END || size < 8 || at + size > total) return;
    multibootTag(pa + at, type, size);
    at += (size + 7) & ~7;
  }
}

function multibootTag(pa: u64, type: u32, size: u32): void {
  if (type == TAG_CMDLINE) cmdlineCopy(pa + 8, size - 8);
  else if (type == TAG_MMAP && size >= 16) multibootMemoryMap(pa, size);
  else if (type == TAG_MODULE && size >= 16 && BOOT_INFO.initrdPa == 0) {
    BOOT_INFO.initrdPa = physLoad32(pa + 8);
    BOOT_INFO.initrdBytes = physLoad32(pa + 12) - physLoad32(pa + 8);
  } else if (type == TAG_FRAMEBUFFER && size >= 31) multibootFramebuffer(pa, size);
  else if (type == TAG_ACPI_NEW || (type == TAG_ACPI_OLD && BOOT_INFO.rsdpPa == 0)) BOOT_INFO.rsdpPa = pa + 8;
}

function multibootMemoryMap(pa: u64, size: u32): void {
  const entryBytes = physLoad32(pa + 8);
  if (entryBytes < 24) return;
  for (let at: u32 = 16; at + entryBytes <= size; at += entryBytes) {
    rangeAdd(physLoad64(pa + at), physLoad64(pa + at + 8), physLoad32(pa + at + 16));
  }
}

function multibootFramebuffer(pa: u64, size: u32): void {
  BOOT_INFO.framebufferPa = physLoad64(pa + 8);
  BOOT_INFO.framebufferPitch = physLoad32(pa + 16);
  BOOT_INFO.framebufferWidth = physLoad32(pa + 20);
  BOOT_INFO.framebufferHeight = physLoad32(pa + 24);
  BOOT_INFO.framebufferBpp = physLoad8(pa + 28);
  BOOT_INFO.framebufferType = physLoad8(pa + 29);
  if (BOOT_INFO.framebufferType != 1 || size < 38) return;
  BOOT_INFO.redShift = physLoad8(pa + 32);
  BOOT_INFO.greenShift = physLoad8(pa + 34);
  BOOT_INFO.blueShift = physLoad8(pa + 36);
}

/** hvm_start_info: version 1 and later carry the memory map. */
function pvhParse(pa: u64): void {
  BOOT_INFO.infoBytes = 56;
  const version = physLoad32(pa + 4);
  const moduleCount = physLoad32(pa + 12);
  const modules = physLoad64(pa + 16);
  const cmdline = physLoad64(pa + 24);
  BOOT_INFO.rsdpPa = physLoad64(pa + 32);
  if (cmdline != 0) cmdlineCopy(cmdline, CMDLINE_BYTES);
  if (moduleCount != 0 && modules != 0) {
    BOOT_INFO.initrdPa = physLoad64(modules);
    BOOT_INFO.initrdBytes = physLoad64(modules + 8);
  }
  if (version < 1) return;
  const map = physLoad64(pa + 40);
  const count = min<u32>(physLoad32(pa + 48), MAX_RANGES);
  for (let i: u32 = 0; i < count; i++) {
    const entry = map + <u64>i * 24;
    rangeAdd(physLoad64(entry), physLoad64(entry + 8), physLoad32(entry + 16));
  }
}

/** True when the word `name` stands on the command line, alone or as `name=…`. */
export function cmdlineHas(name: string): bool {
  return cmdlineFind(name) != 0;
}

/** Linear address of the value of the last `name=value` (up to a blank), or of its end for a bare `name`; 0 when absent. */
export function cmdlineFind(name: string): usize {
  let found: usize = 0;
  let at = CMDLINE;
  while (load<u8>(at) != 0) {
    while (load<u8>(at) == 0x20) at++;
    if (isSeparator(at)) break;
    const value = wordMatch(at, name);
    if (value != 0) found = value;
    while (load<u8>(at) != 0 && load<u8>(at) != 0x20) at++;
  }
  return found;
}

/** True at the word `--`: what follows is for process 1, not for the kernel. */
function isSeparator(at: usize): bool {
  if (load<u8>(at) != 0x2d || load<u8>(at + 1) != 0x2d) return false;
  return load<u8>(at + 2) == 0x20 || load<u8>(at + 2) == 0;
}

/** Copies word number `index` after the word `--` to `to`, with a NUL; bytes written, 0 when there is no such word. */
export function cmdlineRestWord(index: u32, to: usize): u32 {
  let at = CMDLINE;
  let left: i32 = -1; // words still to skip, once the separator was seen
  while (load<u8>(at) != 0) {
    while (load<u8>(at) == 0x20) at++;
    const length = cmdlineValueLength(at);
    if (length == 0) return 0;
    if (left == 0) {
      memory.copy(to, at, length);
      store<u8>(to + length, 0);
      return length + 1;
    }
    if (left > 0) left--;
    else if (isSeparator(at)) left = index;
    at += length;
  }
  return 0;
}

/** Length of a value that cmdlineFind returned. */
export function cmdlineValueLength(value: usize): u32 {
  let length: u32 = 0;
  while (load<u8>(value + length) != 0 && load<u8>(value + length) != 0x20) length++;
  return length;
}

/** The value of `name=` as a signed decimal number, `fallback` when it is absent or no number. */
export function cmdlineInt(name: string, fallback: i32): i32 {
  let at = cmdlineFind(name);
  if (at == 0) return fallback;
  const isNegative = load<u8>(at) == 0x2d;
  if (isNegative) at++;
  let value: i32 = 0;
  let digits: u32 = 0;
  for (; load<u8>(at) >= 0x30 && load<u8>(at) <= 0x39; at++, digits++) value = value * 10 + (load<u8>(at) - 0x30);
  if (digits == 0) return fallback;
  return isNegative ? -value : value;
}

function wordMatch(at: usize, name: string): usize {
  const text = changetype<usize>(name); // SAFETY: literals are static data
  let i: usize = 0;
  for (; i < <usize>name.length; i++) {
    if (load<u8>(at + i) != <u8>load<u16>(text + (i << 1))) return 0;
  }
  const next = load<u8>(at + i);
  if (next == 0x3d) return at + i + 1;
  return next == 0 || next == 0x20 ? at + i : 0;
}
