/**
 * From an opened file to a loaded address space: interpreters of scripts, the ELF loader, the program's interpreter.
 *
 * Invariants  I1  nothing here touches the running program: a failure leaves it as it was.
 * Spec        execve(2); System V ABI, "Program Loading and Dynamic Linking"
 */
import { Errno } from "../../abi/errno";
import { AddressSpace, mmCreate, mmPut } from "../../core/mm/address-space";
import { mmBrkInit, mmPieBase, mmSetupStack } from "../../core/mm/mmap";
import { kfree, kmalloc } from "../../core/mm/slab";
import { filePut, fileReadKernel } from "../vfs/file";
import { AT_FDCWD } from "../vfs/namei";
import { fileOpenExec } from "../vfs/open";
import { fileOf, inodeOf, isErrPtr } from "../vfs/types";
import { elfHeaderCheck, ElfImage, elfSegmentsCheck, ELF_SEGMENT_BYTES, INTERP_MAX } from "./elf";
import { elfBaseFind, elfSegmentsMap } from "./elf-load";
import { ExecArgs, execArgsPrepend, stringBytes } from "./exec-args";
import { AuxValues, execStackBuild } from "./exec-stack";
import { Confinement, Cred, currentProcess } from "./process";
import { Rlimit, rlimitSoft } from "./rlimit";
import { vdsoMap } from "./vdso";

/** Bytes of a file's start that decide what it is (and hold the headers of nearly every ELF file). */
export const HEAD_BYTES: u32 = 4096;
/** Longest `#!` line, as on Linux. */
const SCRIPT_LINE: u32 = 256;
/** Scripts may be run by scripts this often. */
export const SCRIPT_DEPTH: u32 = 5;

/** One execve under way; kernel memory, freed by exec.ts. */
@final @unmanaged
export class ExecState {
  pathPtr: usize;     // NUL-terminated path as given (AT_EXECFN)
  head: usize;        // HEAD_BYTES of the file
  headBytes: u32;
  file: usize;        // File of the program, one reference
  interp: usize;      // File of PT_INTERP, one reference, or 0
  mm: u32;            // the new AddressSpace, one reference, or 0
  segments: usize;    // program headers
  interpSegments: usize;
  sp: u64;            // of the new program
  entry: u64;
  cred: u32;          // Cred of the new program, one reference
  isSecure: u32;
  atFlags: u32;
  dirFd: i32;
  isScript: u32;      // some `#!` was followed
  pad: u32;
  image: u64;         // ElfImage by value, 80 bytes
  image1: u64;
  image2: u64;
  image3: u64;
  image4: u64;
  image5: u64;
  image6: u64;
  image7: u64;
  image8: u64;
  image9: u64;
  interpImage: u64;   // ElfImage by value
  interpImage1: u64;
  interpImage2: u64;
  interpImage3: u64;
  interpImage4: u64;
  interpImage5: u64;
  interpImage6: u64;
  interpImage7: u64;
  interpImage8: u64;
  interpImage9: u64;
  args: u64;          // ExecArgs by value, 48 bytes
  args1: u64;
  args2: u64;
  args3: u64;
  args4: u64;
  args5: u64;
  aux: u64;           // AuxValues by value, 48 bytes
  aux1: u64;
  aux2: u64;
  aux3: u64;
  aux4: u64;
  aux5: u64;
}
if (offsetof<ElfImage>() > 80) ERROR("ExecState.image is too small");
if (offsetof<ExecArgs>() > 48) ERROR("ExecState.args is too small");
if (offsetof<AuxValues>() > 48) ERROR("ExecState.aux is too small");

// SAFETY of the four: held by value in the record.
function imageOf(state: ExecState): ElfImage {
  return changetype<ElfImage>(changetype<usize>(state) + offsetof<ExecState>("image"));
}
function interpImageOf(state: ExecState): ElfImage {
  return changetype<ElfImage>(changetype<usize>(state) + offsetof<ExecState>("interpImage"));
}
export function execArgsOf(state: ExecState): ExecArgs {
  return changetype<ExecArgs>(changetype<usize>(state) + offsetof<ExecState>("args"));
}
function auxOf(state: ExecState): AuxValues {
  return changetype<AuxValues>(changetype<usize>(state) + offsetof<ExecState>("aux"));
}

/** Opens the program, follows `#!` lines, and leaves the ELF file open with its head read: 0 or -errno. */
export function execProgramOpen(state: ExecState): i32 {
  let result = fileOpenInto(state, state.dirFd, state.pathPtr, state.atFlags);
  for (let depth: u32 = 0; result == 0; depth++) {
    const isScript = state.headBytes >= 2 && load<u16>(state.head) == 0x2123; // "#!"
    if (!isScript) return 0;
    if (depth == SCRIPT_DEPTH) return -Errno.LOOP;
    result = scriptFollow(state);
  }
  return result;
}

function fileOpenInto(state: ExecState, dirFd: i32, path: usize, flags: u32): i32 {
  const opened = fileOpenExec(dirFd, path, flags);
  if (isErrPtr(opened)) return <i32>opened;
  if (state.file != 0) filePut(fileOf(state.file));
  state.file = opened;
  const got = fileReadKernel(fileOf(opened), state.head, HEAD_BYTES, 0);
  if (got < 0) return <i32>got;
  state.headBytes = <u32>got;
  return 0;
}

function isBlank(byte: u32): bool { return byte == 0x20 || byte == 9; }

/** `#! interpreter [argument]`: the rest of the line, without blanks at its ends, is one argument. */
function scriptFollow(state: ExecState): i32 {
  const end = lineEnd(state.head, min<u32>(state.headBytes, SCRIPT_LINE));
  if (end == 0) return -Errno.NOEXEC;
  let at: u32 = 2;
  while (at < end && isBlank(load<u8>(state.head + at))) at++;
  let nameEnd = at;
  while (nameEnd < end && !isBlank(load<u8>(state.head + nameEnd))) nameEnd++;
  if (nameEnd == at) return -Errno.NOEXEC;
  let argument = nameEnd;
  while (argument < end && isBlank(load<u8>(state.head + argument))) argument++;
  let argumentEnd = end;
  while (argumentEnd > argument && isBlank(load<u8>(state.head + argumentEnd - 1))) argumentEnd--;

  const args = execArgsOf(state);
  const script = state.isScript ? args.prefix : state.pathPtr; // what the previous level called this file
  const scriptLength = stringBytes(script) - 1;
  const copy = kmalloc(scriptLength + 9); // prefix moves while it is read
  if (copy == 0) return -Errno.NOMEM;
  memory.copy(copy, script, scriptLength + 1);
  const hasArgument = argumentEnd > argument;
  const result = execArgsPrepend(
    args, state.head + at, nameEnd - at, hasArgument ? state.head + argument : 0, argumentEnd - argument,
    copy, scriptLength);
  kfree(copy);
  if (result != 0) return result;
  state.isScript = 1;
  return fileOpenInto(state, AT_FDCWD, args.prefix, 0);
}

/** Index of the newline (or of the end of a short file); 0 when the line is longer than can be believed. */
function lineEnd(ptr: usize, size: u32): u32 {
  for (let i: u32 = 2; i < size; i++) {
    const byte = load<u8>(ptr + i);
    if (byte == 0x0a || byte == 0) return i;
  }
  return size < SCRIPT_LINE ? size : 0;
}

function fileSizeOf(file: usize): u64 {
  return inodeOf(fileOf(file).inode).size;
}

/** Reads and checks the headers of an ELF file whose head is at state.head; its segments' table in *tablePtr. */
function headersRead(state: ExecState, file: usize, image: ElfImage, tablePtr: usize): i32 {
  const size = fileSizeOf(file);
  const checked = elfHeaderCheck(state.head, state.headBytes, size, image);
  if (checked != 0) return checked;
  const bytes = image.phnum * ELF_SEGMENT_BYTES;
  const table = kmalloc(bytes);
  if (table == 0) return -Errno.NOMEM;
  store<u32>(tablePtr, <u32>table);
  if (image.phoff + bytes <= state.headBytes) memory.copy(table, state.head + image.phoff, bytes);
  else if (fileReadKernel(fileOf(file), table, bytes, image.phoff) != <i64>bytes) return -Errno.NOEXEC;
  return elfSegmentsCheck(table, size, image);
}

/** Loads the opened program into a new address space: 0 or -errno. */
export function execImageLoad(state: ExecState): i32 {
  const image = imageOf(state);
  let result = headersRead(
    state, state.file, image, changetype<usize>(state) + offsetof<ExecState>("segments"));
  if (result == 0 && image.interpSize != 0) result = interpreterOpen(state, image);
  if (result != 0) return result;
  const mm = mmCreate();
  if (!mm) return -Errno.NOMEM;
  state.mm = <u32>changetype<usize>(mm);
  mm.owner = <u32>changetype<usize>(currentProcess());
  return spaceFill(state, mm, image);
}

/** PT_INTERP: opens the dynamic linker and reads its headers. */
function interpreterOpen(state: ExecState, image: ElfImage): i32 {
  const path = kmalloc(INTERP_MAX + 8); // the path walk reads words
  if (path == 0) return -Errno.NOMEM;
  let result: i32 = -Errno.NOEXEC;
  const got = fileReadKernel(fileOf(state.file), path, image.interpSize, image.interpOffset);
  if (got == <i64>image.interpSize && load<u8>(path + image.interpSize - 1) == 0) {
    const opened = fileOpenExec(AT_FDCWD, path, 0);
    if (isErrPtr(opened)) result = <i32>opened;
    else {
      state.interp = opened;
      result = interpreterCheck(state);
    }
  }
  kfree(path);
  return result;
}

function interpreterCheck(state: ExecState): i32 {
  const got = fileReadKernel(fileOf(state.interp), state.head, HEAD_BYTES, 0);
  if (got < 0) return <i32>got;
  state.headBytes = <u32>got;
  const image = interpImageOf(state);
  const result = headersRead(
    state, state.interp, image, changetype<usize>(state) + offsetof<ExecState>("interpSegments"));
  return result == -Errno.NOEXEC ? -<i32>Errno.LIBBAD : result;
}

/** Stack first (it fixes where mappings go), then program, interpreter, vDSO, arguments. */
function spaceFill(state: ExecState, mm: AddressSpace, image: ElfImage): i32 {
  const stackLimit = rlimitSoft(currentProcess(), Rlimit.STACK);
  const top = mmSetupStack(mm, stackLimit, image.isStackExecutable != 0);
  if (top < 0) return <i32>top;
  let base: i64 = 0;
  if (image.isDynamic) {
    const isProgram = image.interpSize != 0 || state.interp == 0;
    base = elfBaseFind(mm, image, isProgram ? mmPieBase() : 0);
    if (base < 0) return <i32>base;
  }
  const mapped = elfSegmentsMap(mm, fileOf(state.file), image, state.segments, base);
  if (mapped != 0) return mapped;
  mmBrkInit(mm, <u64>base + image.loadMax);
  const aux = auxOf(state);
  aux.entry = <u64>base + image.entry;
  aux.phdrVa = image.phdrVa != 0 ? <u64>base + image.phdrVa : 0;
  aux.phnum = image.phnum;
  state.entry = aux.entry;
  const linked = interpreterMap(state, mm, aux);
  if (linked != 0) return linked;
  aux.vdsoVa = currentProcess().confinement == <u32>Confinement.NONE ? vdsoMap(mm) : 0; // its clocks take a TIME capability
  aux.isSecure = state.isSecure;
  const cred = changetype<Cred>(<usize>state.cred); // SAFETY: ExecState.cred is a Cred
  const limit = max<u64>(min<u64>(stackLimit, 8 << 20) >> 2, 131072);
  const sp = execStackBuild(mm, <u64>top, execArgsOf(state), state.pathPtr, aux, cred, limit);
  if (sp < 0) return <i32>sp;
  state.sp = <u64>sp;
  return 0;
}

function interpreterMap(state: ExecState, mm: AddressSpace, aux: AuxValues): i32 {
  if (state.interp == 0) return 0;
  const image = interpImageOf(state);
  let base: i64 = 0;
  if (image.isDynamic) {
    base = elfBaseFind(mm, image, 0);
    if (base < 0) return <i32>base;
  }
  const result = elfSegmentsMap(mm, fileOf(state.interp), image, state.interpSegments, base);
  aux.interpBase = <u64>base;
  state.entry = <u64>base + image.entry;
  return result;
}

/** Frees what the state holds; the address space too unless it was taken over (mm set to 0). */
export function execStateRelease(state: ExecState): void {
  if (state.interp != 0) filePut(fileOf(state.interp));
  if (state.file != 0) filePut(fileOf(state.file));
  if (state.mm != 0) mmPut(changetype<AddressSpace>(<usize>state.mm)); // SAFETY: ExecState.mm is an AddressSpace
  if (state.segments != 0) kfree(state.segments);
  if (state.interpSegments != 0) kfree(state.interpSegments);
  if (state.head != 0) kfree(state.head);
}
