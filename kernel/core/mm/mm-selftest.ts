/**
 * Memory management's own test, run by `selftest=mm` on the command line: real page tables, real faults, costs.
 *
 * Unit tests cover the algorithms; what only a running machine shows is here. Each result is a TAP line with the mean
 * cost of one operation in TSC ticks: instructions, under `-icount shift=0,sleep=off`.
 */
import { irqWindow, powerOff, rdtsc, userLoad64, userStore64 } from "../../../arch/current";
import { LogLevel, logBegin, logDec, logEnd, logFlush, logKeyDec, logStr } from "../../lib/log";
import { currentTask, thisCpu } from "../sched/cpu";
import { cpuOnlineCount, cpusOnline } from "../sched/placement";
import { schedYieldPoint, taskCreateKernel, taskStart } from "../sched/sched";
import { sleepNs } from "../sched/sleep";
import { mmActivateForTask, mmClone, mmCreate, mmGet, mmOf, mmPut } from "./address-space";
import { freePageCount, pageAlloc } from "./buddy";
import { framePut } from "./frame";
import { PAGE_SIZE } from "./layout";
import { AddressSpace } from "./mm-struct";
import { MapFlag, mmMap, mmProtect, mmUnmap } from "./mmap";
import { memoryTrim } from "./oom";
import { kfree, kmalloc } from "./slab";

@final @unmanaged
class TestState {
  number: u32;
  failed: u32;
  word: u64;   // where userLoad64 puts what it finds
  startTsc: u64;
  mm: u32;
  writes: u32; // atomic
  stop: u32;   // atomic: 1 stop, 2 stopped
}
const STATE = changetype<TestState>(memory.data(offsetof<TestState>(), 8));
const WORD: usize = changetype<usize>(STATE) + offsetof<TestState>("word");

const WRITES: usize = changetype<usize>(STATE) + offsetof<TestState>("writes");
const STOP: usize = changetype<usize>(STATE) + offsetof<TestState>("stop");

const BASE: u64 = 0x10000000;
const PAGES: u32 = 256;
const ROUNDS: u32 = 200;
const RW: u32 = 3;
const ANON: u32 = MapFlag.PRIVATE | MapFlag.ANONYMOUS;

/** Starts the test thread; it powers the machine off at the end. */
export function mmSelftestStart(): void {
  const task = taskCreateKernel("selftest", selftestMain, 0);
  assert(task != null);
  taskStart(task!);
}

function begin(): void {
  STATE.startTsc = rdtsc();
}

/** One TAP line; the cost is what passed since begin(), over `count`. */
function end(ok: bool, name: string, count: u32): void {
  const ticks = (rdtsc() - STATE.startTsc) / count;
  STATE.number++;
  if (!ok) STATE.failed++;
  logBegin(LogLevel.INFO, "selftest");
  logStr(ok ? "ok " : "not ok ");
  logDec(STATE.number);
  logStr(" - ");
  logStr(name);
  logKeyDec("ticks", ticks);
  logEnd();
}

function selftestMain(arg: u32): void {
  round(); // fills caches, grows the heap
  STATE.number = 0;
  STATE.failed = 0;
  memoryTrim();
  const before = freePageCount();
  round();
  memoryTrim();
  begin();
  end(freePageCount() == before, "no page is lost", 1);
  logBegin(LogLevel.INFO, "selftest");
  logStr(STATE.failed == 0 ? "mm: all passed" : "mm: FAILED");
  logEnd();
  logFlush();
  powerOff();
}

function round(): void {
  allocatorCosts();
  const mm = mmCreate();
  assert(mm != null);
  mmActivateForTask(currentTask(), mm!);
  mapCosts(mm!);
  faultCosts(mm!);
  forkCosts(mm!);
  if (cpuOnlineCount() > 1) shootdownTest(mm!);
  currentTask().mm = 0;
  mmPut(mm!);
  begin();
  end(thisCpu().currentMm == 0, "a dead address space is loaded nowhere", 1);
}

/** Another CPU writes to a page without pause: it must fail from the moment mprotect has returned. */
function shootdownTest(mm: AddressSpace): void {
  const va = BASE + 0x40000000;
  let ok = mmMap(mm, va, PAGE_SIZE, RW, ANON | MapFlag.FIXED, 0, 0) == va;
  STATE.mm = <u32>changetype<usize>(mmGet(mm));
  atomic.store<u32>(WRITES, 0);
  atomic.store<u32>(STOP, 0);
  const writer = taskCreateKernel("selftest-writer", writerMain, 0);
  assert(writer != null);
  writer!.affinity = cpusOnline() & ~(<u64>1 << thisCpu().id);
  taskStart(writer!);
  let rounds: u32 = 0;
  begin();
  for (let i: u32 = 0; i < ROUNDS; i++) {
    writesWait(4);
    if (mmProtect(mm, va, PAGE_SIZE, 1)) ok = false;
    if (userLoad64(WORD, va)) ok = false;
    const before = STATE.word;
    writesWait(4);
    if (userLoad64(WORD, va) || STATE.word != before) ok = false;
    if (mmProtect(mm, va, PAGE_SIZE, RW)) ok = false;
    rounds++;
  }
  end(ok, "a page made read-only is so on another CPU at once", rounds);
  atomic.store<u32>(STOP, 1);
  while (atomic.load<u32>(STOP) != 2) sleepNs(1000000);
}

/** Waits until the writer has tried `count` more times. */
function writesWait(count: u32): void {
  const until = atomic.load<u32>(WRITES) + count;
  while (<i32>(atomic.load<u32>(WRITES) - until) < 0) schedYieldPoint();
}

function writerMain(arg: u32): void {
  const mm = mmOf(STATE.mm);
  mmActivateForTask(currentTask(), mm);
  let value: u64 = 0;
  while (!atomic.load<u32>(STOP)) {
    if (userStore64(BASE + 0x40000000, ++value)) value--; // refused: read-only just now
    atomic.add<u32>(WRITES, 1);
    irqWindow();
  }
  currentTask().mm = 0;
  mmPut(mm);
  atomic.store<u32>(STOP, 2);
}

function allocatorCosts(): void {
  begin();
  for (let i: u32 = 0; i < ROUNDS; i++) kfree(kmalloc(64));
  end(true, "kmalloc(64) + kfree", ROUNDS);
  begin();
  for (let i: u32 = 0; i < ROUNDS; i++) framePut(pageAlloc());
  end(true, "pageAlloc + framePut", ROUNDS);
}

function mapCosts(mm: AddressSpace): void {
  let ok = true;
  begin();
  for (let i: u32 = 0; i < ROUNDS; i++) {
    const va = mmMap(mm, 0, PAGE_SIZE, RW, ANON, 0, 0);
    if (va < 0 || mmUnmap(mm, va, PAGE_SIZE)) ok = false;
  }
  end(ok, "mmap + munmap of 4 KiB", ROUNDS);
  begin();
  for (let i: u32 = 0; i < ROUNDS; i++) {
    const va = mmMap(mm, 0, PAGE_SIZE, RW, ANON, 0, 0);
    if (userStore64(va, i) || mmUnmap(mm, va, PAGE_SIZE)) ok = false;
  }
  end(ok, "mmap + touch + munmap of 4 KiB", ROUNDS);
}

function faultCosts(mm: AddressSpace): void {
  const size = <u64>PAGES * PAGE_SIZE;
  let ok = mmMap(mm, BASE, size, RW, ANON | MapFlag.FIXED, 0, 0) == BASE;
  begin();
  for (let i: u32 = 0; i < PAGES; i++) if (userStore64(BASE + <u64>i * PAGE_SIZE, i)) ok = false;
  end(ok, "anonymous fault (kernel entry included)", PAGES);
  for (let i: u32 = 0; i < PAGES; i++) {
    if (userLoad64(WORD, BASE + <u64>i * PAGE_SIZE) || STATE.word != i) ok = false;
  }
  begin();
  if (mmProtect(mm, BASE, size, 1)) ok = false;
  end(ok && userStore64(BASE, 1) != 0, "mprotect of 256 pages, writes refused", 1);
  if (mmProtect(mm, BASE, size, RW)) ok = false;
  begin();
  if (userStore64(BASE, 0)) ok = false;
  end(ok, "write again after mprotect", 1);
  begin();
  const refused = userLoad64(WORD, BASE + size) != 0;
  end(refused, "refused access beyond the area", 1);
}

/** fork of an address space with 256 pages, copy-on-write in the parent, exit of the child. */
function forkCosts(mm: AddressSpace): void {
  begin();
  const child = mmClone(mm);
  end(child != null, "fork of 256 pages", 1);
  let ok = true;
  begin();
  for (let i: u32 = 0; i < PAGES; i++) if (userStore64(BASE + <u64>i * PAGE_SIZE, i + 7)) ok = false;
  end(ok, "copy-on-write fault (kernel entry included)", PAGES);
  mmActivateForTask(currentTask(), child!);
  for (let i: u32 = 0; i < PAGES; i++) {
    if (userLoad64(WORD, BASE + <u64>i * PAGE_SIZE) || STATE.word != i) ok = false;
  }
  mmActivateForTask(currentTask(), mm);
  begin();
  mmPut(child!);
  end(ok, "exit of 256 pages; the child saw the old contents", 1);
  begin();
  for (let i: u32 = 0; i < ROUNDS; i++) {
    const twin = mmClone(mm);
    if (!twin) ok = false;
    else mmPut(twin);
  }
  end(ok, "fork + exit of 256 pages", ROUNDS);
}
