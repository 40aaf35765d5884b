/**
 * TLB shootdown: makes CPUs forget translations, and interrupts only those that may hold them.
 *
 * There is one request at a time, guarded by SHOOTDOWN_LOCK. Its author marks the mailboxes of the CPUs meant, sends
 * them an interrupt and waits. A CPU answers from the interrupt (user mode, idle), or while it spins for a lock
 * (tlbPoll is the spin hook); a CPU that is just leaving an address space has no bit in cpuMask and is not asked.
 *
 * Where the processor has PCIDs a CPU that is not asked may still know old entries of a space it left: pcid.ts sees to it that it
 * forgets them before it runs there again.
 *
 * Invariants  D1  REQUEST.waitingFor has bit n set while CPU n has not answered the request.
 *             D2  page-table entries are changed before cpuMask is read, and a CPU sets its bit in cpuMask before it
 *                 loads the page tables: whoever is not asked cannot have seen the old entry.
 * Locking     SHOOTDOWN_LOCK (Rank.SHOOTDOWN): REQUEST.
 */
import { cpuPause, invlpg, mfence, readCr4, writeCr3, writeCr4 } from "../../../arch/current";
import { SpinLock, spinInit, spinLock, spinUnlock } from "../../lib/spinlock";
import { Rank } from "../../lib/lock-rank";
import { Cpu, cpuAt, currentTask, thisCpu } from "../sched/cpu";
import { kernelRoot } from "./kernel-map";
import { PAGE_SIZE } from "./layout";
import { AddressSpace, mmOf, mmPtr } from "./mm-struct";
import { pcidEnter, pcidFlushBegin, pcidForget, pcidIsUsed, pcidStep } from "./pcid";

/** A range of more pages is flushed by reloading CR3. */
const FLUSH_ALL_PAGES: u64 = 32;
const CR4_PGE: u64 = 128;

const enum Kind {
  RANGE = 0,  // user pages [start, end) of `mm`
  LEAVE = 1,  // `mm` is dying: load the kernel's tables where it is only lazily kept
  KERNEL = 2, // global pages as well
}

@final @unmanaged
class Request {
  mm: u32;         // AddressSpace
  kind: u32;
  start: u64;
  end: u64;
  number: u64;     // of the flush (pcid.ts)
  waitingFor: u64; // D1, atomic
}
const SHOOTDOWN_LOCK = changetype<SpinLock>(memory.data(offsetof<SpinLock>()));
const REQUEST = changetype<Request>(memory.data(offsetof<Request>(), 64));

@final @unmanaged
class TlbHooks {
  sendIpi: (mask: u64) => void;
}
const HOOKS = changetype<TlbHooks>(memory.data(offsetof<TlbHooks>()));
/** CPUs that run with the kernel's page tables: a u64, atomic. */
const ONLINE: usize = memory.data(8, 8);
let isIpiReady: bool = false;

export function tlbInit(): void {
  spinInit(SHOOTDOWN_LOCK, Rank.SHOOTDOWN);
  REQUEST.waitingFor = 0;
  store<u64>(ONLINE, 1);
  isIpiReady = false;
}

/** `sendIpi` interrupts every CPU of the mask with a vector whose handler calls tlbPoll(). */
export function tlbIpiSet(sendIpi: (mask: u64) => void): void {
  HOOKS.sendIpi = sendIpi;
  isIpiReady = true;
}

/** CPU `id` runs with the kernel's page tables: it takes part in kernel flushes from now on. */
export function tlbCpuOnline(id: u32): void {
  atomic.or<u64>(ONLINE, <u64>1 << id);
}

/** This CPU, which runs in `mm`, does flush `number` of it. */
function flushLocal(mm: AddressSpace, start: u64, end: u64, number: u64): void {
  const isLong = (end - start) >> 12 > FLUSH_ALL_PAGES;
  if (pcidIsUsed()) {
    if (isLong || !pcidStep(thisCpu().id, number)) {
      writeCr3(pcidForget(thisCpu().id, mm));
      return;
    }
  } else if (isLong) {
    writeCr3(mm.rootPa);
    return;
  }
  for (let va = start; va < end; va += PAGE_SIZE) invlpg(va);
}

function flushGlobalLocal(): void {
  const cr4 = readCr4();
  writeCr4(cr4 & ~CR4_PGE);
  writeCr4(cr4);
}

/** Loads the kernel's own tables if this CPU keeps `mm` only for want of something better. */
function leaveLazy(cpu: Cpu, mm: AddressSpace): void {
  if (cpu.currentMm != mmPtr(mm)) return;
  writeCr3(kernelRoot());
  cpu.currentMm = 0;
  atomic.and<u64>(changetype<usize>(mm) + offsetof<AddressSpace>("cpuMask"), ~(<u64>1 << cpu.id));
}

/** Answers a shootdown meant for this CPU, if there is one. Interrupt handler and spin hook. */
export function tlbPoll(): void {
  const cpu = thisCpu();
  const mailbox = changetype<usize>(cpu) + offsetof<Cpu>("shootdownPending");
  if (!atomic.load<u32>(mailbox)) return;
  atomic.store<u32>(mailbox, 0);
  const kind = REQUEST.kind;
  if (kind == Kind.KERNEL) {
    flushGlobalLocal();
  } else if (cpu.currentMm == REQUEST.mm) {
    if (kind == Kind.LEAVE || currentTask().mm != REQUEST.mm) leaveLazy(cpu, mmOf(REQUEST.mm));
    else flushLocal(mmOf(REQUEST.mm), REQUEST.start, REQUEST.end, REQUEST.number);
  } else {
    atomic.and<u64>(<usize>REQUEST.mm + offsetof<AddressSpace>("cpuMask"), ~(<u64>1 << cpu.id)); // left by mmExchange
  }
  atomic.and<u64>(changetype<usize>(REQUEST) + offsetof<Request>("waitingFor"), ~(<u64>1 << cpu.id));
}

/** Asks the CPUs of `mask` (not this one) and waits until all have answered. */
function shoot(mask: u64, kind: u32, mm: u32, start: u64, end: u64, number: u64): void {
  spinLock(SHOOTDOWN_LOCK);
  REQUEST.mm = mm;
  REQUEST.kind = kind;
  REQUEST.start = start;
  REQUEST.end = end;
  REQUEST.number = number;
  const waitingFor = changetype<usize>(REQUEST) + offsetof<Request>("waitingFor");
  atomic.store<u64>(waitingFor, mask);
  for (let left = mask; left; left &= left - 1) {
    atomic.store<u32>(changetype<usize>(cpuAt(<u32>ctz(left))) + offsetof<Cpu>("shootdownPending"), 1);
  }
  if (isIpiReady) HOOKS.sendIpi(mask);
  while (atomic.load<u64>(waitingFor)) cpuPause();
  spinUnlock(SHOOTDOWN_LOCK);
}

/** CPUs other than this one that may hold translations of `mm` (D2). */
function othersOf(mm: AddressSpace): u64 {
  mfence();
  const mask = atomic.load<u64>(changetype<usize>(mm) + offsetof<AddressSpace>("cpuMask"));
  return mask & ~(<u64>1 << thisCpu().id);
}

/** True when no other CPU has the tables of `mm` loaded now; one may come at any time. */
export function tlbIsLocal(mm: AddressSpace): bool {
  return othersOf(mm) == 0;
}

/** Makes every CPU forget the user pages [start, end) of `mm`. */
export function tlbFlushRange(mm: AddressSpace, start: u64, end: u64): void {
  const number = pcidIsUsed() ? pcidFlushBegin(mm) : 0;
  if (thisCpu().currentMm == mmPtr(mm)) flushLocal(mm, start, end, number);
  const others = othersOf(mm);
  if (others) shoot(others, Kind.RANGE, mmPtr(mm), start, end, number);
}

export function tlbFlushPage(mm: AddressSpace, va: u64): void {
  tlbFlushRange(mm, va, va + PAGE_SIZE);
}

/** Makes this CPU alone forget one page: other CPUs may fault once more and find all well. */
export function tlbFlushPageLocal(va: u64): void {
  invlpg(va);
}

export function tlbFlushMm(mm: AddressSpace): void {
  tlbFlushRange(mm, 0, ~<u64>0);
}

/** `mm` is dying and runs nowhere: no CPU shall have its tables loaded any more. */
export function tlbLeaveMm(mm: AddressSpace): void {
  leaveLazy(thisCpu(), mm);
  const others = othersOf(mm);
  if (others) shoot(others, Kind.LEAVE, mmPtr(mm), 0, 0, 0);
}

/** Makes every CPU forget everything, the kernel's own pages too. */
export function tlbFlushKernel(): void {
  flushGlobalLocal();
  mfence();
  const others = atomic.load<u64>(ONLINE) & ~(<u64>1 << thisCpu().id);
  if (others) shoot(others, Kind.KERNEL, 0, 0, 0, 0);
}

/**
 * mmSwitch between two programs that call each other: the bit of the space that is left stays set, so that the way back costs no atomic
 * operation. A CPU that is asked in vain takes its bit out (tlbPoll). `cpu` is this one and runs in another space.
 */
export function mmExchange(cpu: Cpu, mm: AddressSpace): void {
  const mask = changetype<usize>(mm) + offsetof<AddressSpace>("cpuMask");
  if ((atomic.load<u64>(mask) & cpu.bit) == 0) atomic.or<u64>(mask, cpu.bit);
  cpu.currentMm = mmPtr(mm);
  writeCr3(pcidIsUsed() ? pcidEnter(cpu.id, mm) : mm.rootPa);
}

/**
 * Loads the page tables of `mm` on this CPU. Null (a kernel thread comes next) keeps those that are loaded: kernel
 * mappings are the same everywhere, and the next task may be of the same process.
 */
export function mmSwitch(mm: AddressSpace | null): void {
  if (!mm) return;
  const cpu = thisCpu();
  const before = cpu.currentMm;
  if (before == mmPtr(mm)) return;
  const bit = <u64>1 << cpu.id;
  atomic.or<u64>(changetype<usize>(mm) + offsetof<AddressSpace>("cpuMask"), bit);
  cpu.currentMm = mmPtr(mm);
  writeCr3(pcidIsUsed() ? pcidEnter(cpu.id, mm) : mm.rootPa);
  if (before) atomic.and<u64>(<usize>before + offsetof<AddressSpace>("cpuMask"), ~bit);
}
