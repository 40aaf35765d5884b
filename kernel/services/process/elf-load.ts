/**
 * Mapping a checked ELF image into an address space that nobody runs in yet.
 *
 * Invariants  L1  on failure the address space is simply dropped by the caller: nothing is undone here.
 * Locking     the address space belongs to the caller alone.
 */
import { Errno } from "../../abi/errno";
import { AddressSpace } from "../../core/mm/address-space";
import { PAGE_MASK, pageAlignUp } from "../../core/mm/layout";
import { MapFlag, mmMap, mmUnmap } from "../../core/mm/mmap";
import { mmZeroRemote } from "../../core/mm/user-pages";
import { File } from "../vfs/types";
import { ElfImage, ElfSegment, elfSegmentAt, PF_R, PF_W, PF_X, PT_LOAD } from "./elf";

const PROT_READ: u32 = 1;
const PROT_WRITE: u32 = 2;
const PROT_EXEC: u32 = 4;

function protOf(flags: u32): u32 {
  return (flags & PF_R ? PROT_READ : 0) | (flags & PF_W ? PROT_WRITE : 0) | (flags & PF_X ? PROT_EXEC : 0);
}

/**
 * Finds room for a position-independent image and returns the base to add to its addresses, or -errno. `hint` is the
 * wished address of its first page, 0 for "where mappings go".
 */
export function elfBaseFind(mm: AddressSpace, image: ElfImage, hint: u64): i64 {
  const span = image.loadMax - image.loadMin;
  const slack = image.align > PAGE_MASK + 1 ? image.align : 0;
  if (hint != 0) {
    const start = slack != 0 ? hint & ~(slack - 1) : hint;
    return <i64>(start - image.loadMin);
  }
  const flags = <u32>MapFlag.PRIVATE | <u32>MapFlag.ANONYMOUS | <u32>MapFlag.NORESERVE;
  const found = mmMap(mm, 0, span + slack, 0, flags, 0, 0);
  if (found < 0) return found;
  const unmapped = mmUnmap(mm, <u64>found, span + slack); // it was only a reservation
  if (unmapped < 0) return unmapped;
  const start = slack != 0 ? (<u64>found + slack - 1) & ~(slack - 1) : <u64>found;
  return <i64>(start - image.loadMin);
}

/** Maps every PT_LOAD of `image` (headers at `segments`) at `base`: 0, or -errno. */
export function elfSegmentsMap(mm: AddressSpace, file: File, image: ElfImage, segments: usize, base: u64): i32 {
  for (let i: u32 = 0; i < image.phnum; i++) {
    const segment = elfSegmentAt(segments, i);
    if (segment.type != PT_LOAD || segment.memsz == 0) continue;
    const result = segmentMap(mm, file, segment, base);
    if (result != 0) return result;
    extentNote(mm, segment, base);
  }
  return 0;
}

/** File pages, the zeroes between the end of the file part and its page's end, then whole zero pages. */
function segmentMap(mm: AddressSpace, file: File, segment: ElfSegment, base: u64): i32 {
  const prot = protOf(segment.flags);
  const start = base + segment.vaddr;
  const fileEnd = start + segment.filesz;
  const memoryEnd = start + segment.memsz;
  let mapped = start & ~PAGE_MASK;
  if (segment.filesz != 0) {
    const end = pageAlignUp(fileEnd);
    const flags = <u32>MapFlag.PRIVATE | <u32>MapFlag.FIXED;
    const page = (segment.offset & ~PAGE_MASK) >> 12;
    const result = mmMap(mm, mapped, end - mapped, prot, flags, changetype<usize>(file), page);
    if (result < 0) return <i32>result;
    mapped = end;
    if (memoryEnd > fileEnd && prot & PROT_WRITE && end > fileEnd) {
      if (mmZeroRemote(mm, fileEnd, end - fileEnd) != 0) return -Errno.NOMEM;
    }
  }
  const zeroEnd = pageAlignUp(memoryEnd);
  if (zeroEnd <= mapped) return 0;
  const flags = <u32>MapFlag.PRIVATE | <u32>MapFlag.FIXED | <u32>MapFlag.ANONYMOUS;
  const result = mmMap(mm, mapped, zeroEnd - mapped, prot, flags, 0, 0);
  return result < 0 ? <i32>result : 0;
}

/** Code and data extents, for procfs. */
function extentNote(mm: AddressSpace, segment: ElfSegment, base: u64): void {
  const start = base + segment.vaddr;
  const end = start + segment.memsz;
  if (segment.flags & PF_X) {
    if (mm.codeStart == 0) mm.codeStart = start;
    mm.codeEnd = end;
  } else if (segment.flags & PF_W) {
    if (mm.dataStart == 0) mm.dataStart = start;
    mm.dataEnd = end;
  }
}
