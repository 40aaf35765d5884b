/**
 * Reading ELF64 headers: every field is checked before anything is believed.
 *
 * Invariants  E1  after elfSegmentsCheck succeeded, for every PT_LOAD: offset + filesz lies in the file, filesz <= memsz,
 *                 vaddr and offset agree modulo the page size, segments ascend, and the image lies in user space for
 *                 any base that leaves loadMin + base .. loadMax + base there.
 * Units       bytes; ptr: linear addresses of copies of file contents.
 * Spec        System V ABI, "Object Files"; AMD64 supplement, ch. 4 and 5.
 */
import { PAGE_MASK, USER_MIN, USER_TOP } from "../../core/mm/layout";
import { Errno } from "../../abi/errno";

/** Elf64_Ehdr. */
@final @unmanaged
export class ElfHeader {
  magic: u32;
  elfClass: u8;
  data: u8;
  identVersion: u8;
  osAbi: u8;
  identPad: u64;
  type: u16;
  machine: u16;
  version: u32;
  entry: u64;
  phoff: u64;
  shoff: u64;
  flags: u32;
  ehsize: u16;
  phentsize: u16;
  phnum: u16;
  shentsize: u16;
  shnum: u16;
  shstrndx: u16;
}

/** Elf64_Phdr. */
@final @unmanaged
export class ElfSegment {
  type: u32;
  flags: u32;
  offset: u64;
  vaddr: u64;
  paddr: u64;
  filesz: u64;
  memsz: u64;
  align: u64;
}

/** What loading needs to know. */
@final @unmanaged
export class ElfImage {
  entry: u64;        // as in the file: add the base
  loadMin: u64;      // page-aligned extent of the PT_LOADs
  loadMax: u64;
  align: u64;        // largest p_align
  phdrVa: u64;       // where the program headers land in memory, 0 when nowhere
  interpOffset: u64;
  interpSize: u32;   // 0: no PT_INTERP
  isDynamic: u32;    // ET_DYN: may go anywhere
  hasStackFlags: u32;
  isStackExecutable: u32;
  phoff: u32;
  phnum: u32;
}

export const ELF_HEADER_BYTES: u32 = 64;
export const ELF_SEGMENT_BYTES: u32 = 56;
if (offsetof<ElfHeader>() != 64) ERROR("Elf64_Ehdr is 64 bytes");
if (offsetof<ElfSegment>() != 56) ERROR("Elf64_Phdr is 56 bytes");

/** Most program headers a file may have (Linux: 64 KiB of them). */
const PHNUM_MAX: u32 = 1170;
const ELF_MAGIC: u32 = 0x464c457f;
const ELFCLASS64: u8 = 2;
const ELFDATA2LSB: u8 = 1;
const EV_CURRENT: u32 = 1;
const ET_EXEC: u16 = 2;
const ET_DYN: u16 = 3;
const EM_X86_64: u16 = 62;

export const PT_LOAD: u32 = 1;
const PT_INTERP: u32 = 3;
const PT_GNU_STACK: u32 = 0x6474e551;
export const PF_X: u32 = 1;
export const PF_W: u32 = 2;
export const PF_R: u32 = 4;

/** Longest interpreter path, with its NUL. */
export const INTERP_MAX: u32 = 4096;
const ALIGN_MAX: u64 = 1 << 30;
/** A position-independent image must leave room for stack, libraries and heap. */
const SPAN_MAX: u64 = USER_TOP >> 1;

const NOEXEC: i32 = -(<i32>Errno.NOEXEC);

/** SAFETY: `ptr` addresses at least ELF_SEGMENT_BYTES * (index + 1) bytes. */
export function elfSegmentAt(ptr: usize, index: u32): ElfSegment {
  return changetype<ElfSegment>(ptr + index * ELF_SEGMENT_BYTES);
}

/** Checks the file header at `ptr` (`size` bytes of it are there) and fills `image`: 0, or -ENOEXEC. */
export function elfHeaderCheck(ptr: usize, size: u32, fileSize: u64, image: ElfImage): i32 {
  memory.fill(changetype<usize>(image), 0, offsetof<ElfImage>());
  if (size < ELF_HEADER_BYTES) return NOEXEC;
  const header = changetype<ElfHeader>(ptr); // SAFETY: size was checked
  if (header.magic != ELF_MAGIC || header.elfClass != ELFCLASS64 || header.data != ELFDATA2LSB) return NOEXEC;
  if (header.machine != EM_X86_64 || header.version != EV_CURRENT) return NOEXEC;
  if (header.type != ET_EXEC && header.type != ET_DYN) return NOEXEC;
  if (<u32>header.phentsize != ELF_SEGMENT_BYTES || header.phnum == 0 || <u32>header.phnum > PHNUM_MAX) return NOEXEC;
  const tableBytes = <u64>header.phnum * ELF_SEGMENT_BYTES;
  if (header.phoff < <u64>ELF_HEADER_BYTES || header.phoff > fileSize || fileSize - header.phoff < tableBytes) return NOEXEC;
  if (header.phoff > <u64>i32.MAX_VALUE) return NOEXEC;
  image.entry = header.entry;
  image.isDynamic = header.type == ET_DYN ? 1 : 0;
  image.phoff = <u32>header.phoff;
  image.phnum = header.phnum;
  return 0;
}

/** Checks the program headers (image.phnum of them at `ptr`) and completes `image`: 0, or -ENOEXEC. */
export function elfSegmentsCheck(ptr: usize, fileSize: u64, image: ElfImage): i32 {
  image.loadMin = u64.MAX_VALUE;
  for (let i: u32 = 0; i < image.phnum; i++) {
    const segment = elfSegmentAt(ptr, i);
    let result: i32 = 0;
    if (segment.type == PT_LOAD) result = loadCheck(segment, fileSize, image);
    else if (segment.type == PT_INTERP) result = interpCheck(segment, fileSize, image);
    else if (segment.type == PT_GNU_STACK) {
      image.hasStackFlags = 1;
      image.isStackExecutable = segment.flags & PF_X;
    }
    if (result != 0) return result;
  }
  if (image.loadMax == 0) return NOEXEC; // nothing to load
  if (image.entry >= USER_TOP) return NOEXEC;
  if (image.isDynamic && image.loadMax - image.loadMin > SPAN_MAX) return NOEXEC;
  return 0;
}

function loadCheck(segment: ElfSegment, fileSize: u64, image: ElfImage): i32 {
  if (segment.memsz == 0) return segment.filesz == 0 ? 0 : NOEXEC;
  if (segment.filesz > segment.memsz) return NOEXEC;
  if (segment.offset > fileSize || fileSize - segment.offset < segment.filesz) return NOEXEC;
  if (segment.vaddr > USER_TOP || segment.memsz > USER_TOP - segment.vaddr) return NOEXEC;
  if (!image.isDynamic && segment.vaddr < USER_MIN) return NOEXEC;
  if ((segment.vaddr & PAGE_MASK) != (segment.offset & PAGE_MASK)) return NOEXEC;
  const start = segment.vaddr & ~PAGE_MASK;
  const end = (segment.vaddr + segment.memsz + PAGE_MASK) & ~PAGE_MASK;
  if (image.loadMax != 0 && segment.vaddr < image.loadMax - PAGE_MASK - 1) return NOEXEC; // must ascend
  if (image.loadMin == u64.MAX_VALUE) image.loadMin = start;
  image.loadMax = end;
  if (segment.align <= ALIGN_MAX && popcnt<u64>(segment.align) == 1) image.align = max<u64>(image.align, segment.align);
  if (image.phdrVa == 0 && segment.offset <= <u64>image.phoff) {
    const inside = <u64>image.phoff - segment.offset;
    if (inside + <u64>image.phnum * ELF_SEGMENT_BYTES <= segment.filesz) image.phdrVa = segment.vaddr + inside;
  }
  return 0;
}

function interpCheck(segment: ElfSegment, fileSize: u64, image: ElfImage): i32 {
  if (image.interpSize != 0) return 0; // the first one counts
  if (segment.filesz < 2 || segment.filesz > <u64>INTERP_MAX) return NOEXEC;
  if (segment.offset > fileSize || fileSize - segment.offset < segment.filesz) return NOEXEC;
  image.interpOffset = segment.offset;
  image.interpSize = <u32>segment.filesz;
  return 0;
}
