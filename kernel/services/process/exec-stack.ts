/**
 * The first stack of a program, as the ABI lays it out.
 *
 *   sp -> argc | argv[] 0 | envp[] 0 | auxv pairs … AT_NULL | pad | random (16) | platform | strings | execfn | 8 zero
 *
 * Invariants  S1  sp is 16-byte aligned.
 * Spec        System V ABI AMD64, 3.4.1 "Initial Stack and Register State"; getauxval(3)
 */
import { CPU_FEATURES } from "../../../arch/x86_64/cpu-features";
import { Errno } from "../../abi/errno";
import { AddressSpace } from "../../core/mm/address-space";
import { kfree, kmalloc } from "../../core/mm/slab";
import { mmWriteRemote } from "../../core/mm/user-pages";
import { randomFill } from "../../core/random";
import { Cred } from "./process";
import { ExecArgs, execArgsBytes, execArgsCount, stringBytes } from "./exec-args";

/** Values of the auxiliary vector that the loader found out. */
@final @unmanaged
export class AuxValues {
  phdrVa: u64;
  phnum: u64;
  interpBase: u64;
  entry: u64;
  vdsoVa: u64;
  isSecure: u64;
}

const AUX_PAIRS: u32 = 22;
const AUX_BYTES: u32 = AUX_PAIRS * 16;
const PLATFORM_BYTES: u32 = 8; // "x86_64" and NULs
const RANDOM_BYTES: u32 = 16;
const CHUNK_WORDS: u32 = 512;
const CLOCK_TICKS: u64 = 100;
const MINSIGSTKSZ: u64 = 3632;

/** Where the pieces go. */
@final @unmanaged
class StackPlan {
  execfnVa: u64;
  stringsVa: u64;
  platformVa: u64;
  randomVa: u64;
  sp: u64;
  argEnd: u64;
}

/** Writes everything below `top` into `mm`; returns the stack pointer, or -errno. `limit`: bytes the strings may take. */
export function execStackBuild(
  mm: AddressSpace, top: u64, args: ExecArgs, execfn: usize, aux: AuxValues, cred: Cred, limit: u64,
): i64 {
  const ptr = kmalloc(4096 + offsetof<StackPlan>());
  if (ptr == 0) return -Errno.NOMEM;
  const plan = changetype<StackPlan>(ptr + 4096); // SAFETY: behind the page of words
  const words = execArgsCount(args) + args.envc + 3;
  const execfnBytes = stringBytes(execfn);
  plan.execfnVa = top - 8 - execfnBytes;
  plan.stringsVa = plan.execfnVa - execArgsBytes(args);
  plan.platformVa = (plan.stringsVa & ~7) - PLATFORM_BYTES;
  plan.randomVa = plan.platformVa - RANDOM_BYTES;
  plan.sp = (plan.randomVa - AUX_BYTES - (<u64>words << 3)) & ~15; // S1
  let result: i64 = -Errno.TOOBIG;
  if (top - plan.sp <= limit) {
    result = stringsWrite(mm, args, execfn, execfnBytes, plan);
    if (result == 0) result = vectorsWrite(mm, args, plan, ptr);
    if (result == 0) result = auxWrite(mm, plan, aux, cred, plan.sp + (<u64>words << 3), ptr);
    if (result == 0) result = <i64>plan.sp;
  }
  kfree(ptr);
  return result;
}

function stringsWrite(mm: AddressSpace, args: ExecArgs, execfn: usize, execfnBytes: u32, plan: StackPlan): i64 {
  let va = plan.stringsVa;
  mm.argStart = va;
  if (args.prefixBytes != 0) {
    if (mmWriteRemote(mm, va, args.prefix, args.prefixBytes) != 0) return -Errno.NOMEM;
    va += args.prefixBytes;
  }
  if (mmWriteRemote(mm, va, args.buffer + args.skip, args.used - args.skip) != 0) return -Errno.NOMEM;
  mm.argEnd = va + (args.argvBytes - args.skip);
  mm.envStart = mm.argEnd;
  mm.envEnd = va + (args.used - args.skip);
  return mmWriteRemote(mm, plan.execfnVa, execfn, execfnBytes) != 0 ? -<i64>Errno.NOMEM : 0;
}

/** argc, then the addresses of the strings; they lie in order, so one walk over them finds each. */
function vectorsWrite(mm: AddressSpace, args: ExecArgs, plan: StackPlan, page: usize): i64 {
  const argc = execArgsCount(args);
  const total = argc + args.envc + 3;
  let va = plan.stringsVa;
  let source = args.prefixCount != 0 ? args.prefix : args.buffer;
  let prefixLeft = args.prefixCount;
  let filled: u32 = 0;
  let out = plan.sp;
  for (let i: u32 = 0; i < total; i++) {
    let word: u64 = 0;
    if (i == 0) word = argc;
    else if (i != argc + 1 && i != total - 1) {
      const bytes = stringBytes(source);
      word = va;
      va += bytes;
      source += bytes;
      if (prefixLeft != 0 && --prefixLeft == 0) source = args.buffer + args.skip;
    }
    store<u64>(page + (<usize>filled << 3), word);
    filled++;
    if (filled < CHUNK_WORDS && i != total - 1) continue;
    if (mmWriteRemote(mm, out, page, filled << 3) != 0) return -Errno.NOMEM;
    out += <u64>filled << 3;
    filled = 0;
  }
  return 0;
}

function pairPut(at: usize, type: u64, value: u64): usize {
  store<u64>(at, type);
  store<u64>(at, value, 8);
  return at + 16;
}

function auxWrite(mm: AddressSpace, plan: StackPlan, aux: AuxValues, cred: Cred, va: u64, page: usize): i64 {
  memory.fill(page, 0, AUX_BYTES);
  let at = page;
  if (aux.vdsoVa != 0) at = pairPut(at, 33, aux.vdsoVa);  // AT_SYSINFO_EHDR
  at = pairPut(at, 51, MINSIGSTKSZ);                      // AT_MINSIGSTKSZ
  at = pairPut(at, 16, CPU_FEATURES.hwcap);               // AT_HWCAP
  at = pairPut(at, 6, 4096);                              // AT_PAGESZ
  at = pairPut(at, 17, CLOCK_TICKS);                      // AT_CLKTCK
  at = pairPut(at, 3, aux.phdrVa);                        // AT_PHDR
  at = pairPut(at, 4, 56);                                // AT_PHENT
  at = pairPut(at, 5, aux.phnum);                         // AT_PHNUM
  at = pairPut(at, 7, aux.interpBase);                    // AT_BASE
  at = pairPut(at, 8, 0);                                 // AT_FLAGS
  at = pairPut(at, 9, aux.entry);                         // AT_ENTRY
  at = pairPut(at, 11, cred.uid);                         // AT_UID
  at = pairPut(at, 12, cred.euid);                        // AT_EUID
  at = pairPut(at, 13, cred.gid);                         // AT_GID
  at = pairPut(at, 14, cred.egid);                        // AT_EGID
  at = pairPut(at, 23, aux.isSecure);                     // AT_SECURE
  at = pairPut(at, 25, plan.randomVa);                    // AT_RANDOM
  at = pairPut(at, 26, CPU_FEATURES.hwcap2);              // AT_HWCAP2
  at = pairPut(at, 31, plan.execfnVa);                    // AT_EXECFN
  at = pairPut(at, 15, plan.platformVa);                  // AT_PLATFORM
  at = pairPut(at, 0, 0);                                 // AT_NULL
  const used = <u32>(at - page);
  if (mmWriteRemote(mm, va, page, used) != 0) return -Errno.NOMEM;
  auxKeep(mm, page, used);
  randomFill(page, RANDOM_BYTES);
  if (mmWriteRemote(mm, plan.randomVa, page, RANDOM_BYTES) != 0) return -Errno.NOMEM;
  store<u64>(page, 0x34365f363878); // "x86_64"
  return mmWriteRemote(mm, plan.platformVa, page, PLATFORM_BYTES) != 0 ? -<i64>Errno.NOMEM : 0;
}

/** /proc/PID/auxv; without memory it stays empty. */
function auxKeep(mm: AddressSpace, page: usize, bytes: u32): void {
  mm.auxv = <u32>kmalloc(bytes);
  if (mm.auxv == 0) return;
  memory.copy(mm.auxv, page, bytes);
  mm.auxvBytes = bytes;
}
