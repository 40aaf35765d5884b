/**
 * /proc files about the whole system.
 *
 * Spec  proc(5); layouts byte for byte as Linux 6.1 prints them, with the lines that have a meaning here.
 */
import { monoNowNs } from "../../../../arch/current";
import { CMDLINE, CMDLINE_BYTES } from "../../../../arch/x86_64/boot-info";
import { Errno } from "../../../abi/errno";
import { freePageCount, totalPageCount } from "../../../core/mm/buddy";
import { heapFreePages, heapTotalPages } from "../../../core/mm/heap";
import { shmemPages } from "../../../core/mm/shmem";
import { slabAt, slabCount } from "../../../core/mm/slab-cache";
import { MAX_CPUS, cpuAt, currentTask } from "../../../core/sched/cpu";
import { cpuIdleNs } from "../../../core/sched/idle";
import { loadAverage, loadRunnable } from "../../../core/sched/load-average";
import { runQueueAt } from "../../../core/sched/run-queue";
import { taskCount, taskCreatedCount } from "../../../core/sched/task-table";
import { clockRealOffsetNs } from "../../../core/time/clock";
import { byteAt } from "../../../lib/bytes";
import { panic } from "../../../lib/panic";
import { powerReboot } from "../../../../arch/x86_64/power";
import { mountByIndex, mountTreeLock, mountTreeUnlock } from "../mount";
import { currentCred, currentProcess } from "../../process/process";
import { utsField } from "../../process/uname";
import { deviceAt, deviceCount, deviceMajor } from "../dev/device";
import { superOf } from "../types";
import { IPC_COUNTERS } from "../../../core/ipc/parcel";
import { capCountAll } from "../../../core/cap/space";
import { BLOCK_MAJOR, blockDeviceAt, blockDeviceSectors, PARTITIONS } from "../../block/block-device";
import { buffersCount } from "../../block/buffer-table";
import { connectionCalls } from "../served/connection";
import { diskAt, DISKS_MAX } from "../../block/disk";
import { fsTypeCount, fsTypeIsNoDev, fsTypeName } from "../super-block";
import { ProcNodeId, procFileAdd, procLinkAdd, procWriteSet } from "./node";
import { SeqBuf, seqByte, seqCString, seqDec, seqDecLine, seqDecPad, seqLine, seqSpaceDec, seqStr } from "./seq-buf";
import { cpuinfoShow } from "./show-cpuinfo";
import { interruptsCount, interruptsShow } from "./show-interrupts";
import { servedShow } from "./show-served";
import { zoneinfoShow } from "./show-zoneinfo";
import { tasksLog } from "./tasks-log";

export const NS_PER_TICK: u64 = 10_000_000; // USER_HZ is 100
const NS_PER_S: u64 = 1_000_000_000;
const KIB_PER_PAGE: u64 = 4;
const LOAD_SHIFT: u32 = 11; // loadAverage is 21.11 fixed point
const LOAD_ONE: u32 = 1 << LOAD_SHIFT;
const UTS_FIELD: u32 = 65;

export function systemNodesAdd(): void {
  const root = ProcNodeId.ROOT;
  procLinkAdd(root, "self", selfShow);
  procLinkAdd(root, "thread-self", threadSelfShow);
  procLinkAdd(root, "mounts", mountsLinkShow);
  procFileAdd(root, "cmdline", 0o444, cmdlineShow);
  procFileAdd(root, "cpuinfo", 0o444, cpuinfoShow);
  procFileAdd(root, "devices", 0o444, devicesShow);
  procFileAdd(root, "filesystems", 0o444, filesystemsShow);
  procFileAdd(root, "diskstats", 0o444, diskstatsShow);
  procFileAdd(root, "partitions", 0o444, partitionsShow);
  procFileAdd(root, "capabilities", 0o444, capabilitiesShow);
  procFileAdd(root, "ipc", 0o444, ipcShow);
  procFileAdd(root, "roundtrips", 0o444, roundTripsShow);
  procFileAdd(root, "served", 0o444, servedShow);
  procFileAdd(root, "interrupts", 0o444, interruptsShow);
  procFileAdd(root, "loadavg", 0o444, loadavgShow);
  procFileAdd(root, "meminfo", 0o444, meminfoShow);
  procFileAdd(root, "slabinfo", 0o400, slabinfoShow);
  procFileAdd(root, "stat", 0o444, statShow);
  procFileAdd(root, "swaps", 0o444, swapsShow);
  procFileAdd(root, "uptime", 0o444, uptimeShow);
  procFileAdd(root, "version", 0o444, versionShow);
  procFileAdd(root, "vmstat", 0o444, vmstatShow);
  procFileAdd(root, "zoneinfo", 0o444, zoneinfoShow);
  procWriteSet(procFileAdd(root, "sysrq-trigger", 0o200, emptyShow), sysrqWrite);
}

export function emptyShow(seq: SeqBuf, pid: u32, tid: u32): i32 {
  return 0;
}

function selfShow(seq: SeqBuf, pid: u32, tid: u32): i32 {
  seqDec(seq, currentProcess().pid);
  return 0;
}

function threadSelfShow(seq: SeqBuf, pid: u32, tid: u32): i32 {
  seqDec(seq, currentProcess().pid);
  seqStr(seq, "/task/");
  seqDec(seq, currentTask().tid);
  return 0;
}

function mountsLinkShow(seq: SeqBuf, pid: u32, tid: u32): i32 {
  seqStr(seq, "self/mounts");
  return 0;
}

function cmdlineShow(seq: SeqBuf, pid: u32, tid: u32): i32 {
  seqCString(seq, CMDLINE, CMDLINE_BYTES);
  return seqLine(seq, "");
}

function devicesShow(seq: SeqBuf, pid: u32, tid: u32): i32 {
  seqStr(seq, "Character devices:\n");
  for (let i: u32 = 0; i < deviceCount(); i++) {
    const device = deviceAt(i);
    if (device.name == 0) continue;
    seqDecPad(seq, deviceMajor(device.rdev), 3, 0x20);
    seqByte(seq, 0x20);
    seqStr(seq, changetype<string>(device.name)); // SAFETY: a literal
    seqByte(seq, 0x0a);
  }
  seqStr(seq, "\nBlock devices:\n254 virtblk\n");
  return 0;
}

/** Linux' columns; what is not counted is 0. */
function diskstatsShow(seq: SeqBuf, pid: u32, tid: u32): i32 {
  for (let i: u32 = 0; i < DISKS_MAX; i++) {
    const disk = diskAt(i);
    if (!disk || !disk.isPresent) continue;
    seqDecPad(seq, BLOCK_MAJOR, 4, 0x20);
    seqDecPad(seq, i * PARTITIONS, 8, 0x20);
    seqStr(seq, " vd");
    seqByte(seq, 0x61 + i);
    diskColumns(seq, disk.reads, disk.readSectors);
    diskColumns(seq, disk.writes, disk.writeSectors);
    seqStr(seq, " 0 0 0\n");
  }
  return 0;
}

/** Disks and partitions, with their size in KiB. */
function partitionsShow(seq: SeqBuf, pid: u32, tid: u32): i32 {
  seqStr(seq, "major minor  #blocks  name\n\n");
  for (let minor: u32 = 0; minor < DISKS_MAX * PARTITIONS; minor++) {
    const device = blockDeviceAt(minor);
    const sectors = device ? blockDeviceSectors(device) : 0;
    if (sectors == 0) continue;
    seqDecPad(seq, BLOCK_MAJOR, 4, 0x20);
    seqDecPad(seq, minor, 9, 0x20);
    seqDecPad(seq, sectors >> 1, 11, 0x20);
    seqStr(seq, " vd");
    seqByte(seq, 0x61 + minor / PARTITIONS);
    if (minor % PARTITIONS != 0) seqDec(seq, minor % PARTITIONS);
    seqByte(seq, 0x0a);
  }
  return 0;
}

function diskColumns(seq: SeqBuf, requests: u64, sectors: u64): void {
  seqByte(seq, 0x20);
  seqDec(seq, requests);
  seqStr(seq, " 0 ");
  seqDec(seq, sectors);
  seqStr(seq, " 0");
}

/** How many capabilities all processes hold together: what servers took, their deaths give back. */
function capabilitiesShow(seq: SeqBuf, pid: u32, tid: u32): i32 {
  return seqDecLine(seq, capCountAll());
}

/** What calls between servers moved since boot: what was granted was not copied. */
function ipcShow(seq: SeqBuf, pid: u32, tid: u32): i32 {
  let handoffs: u64 = 0;
  for (let cpu: u32 = 0; cpu < MAX_CPUS; cpu++) handoffs += runQueueAt(cpu).handoffs;
  ipcLine(seq, "handoffs ", handoffs);
  ipcLine(seq, "bytes_copied ", IPC_COUNTERS.bytesCopied);
  ipcLine(seq, "capabilities_sent ", IPC_COUNTERS.capsSent);
  ipcLine(seq, "pages_granted ", IPC_COUNTERS.pagesGranted);
  return 0;
}

function ipcLine(seq: SeqBuf, name: string, value: u64): void {
  seqStr(seq, name);
  seqDec(seq, value);
  seqByte(seq, 0x0a);
}

/** How often file systems' servers were called: the bench counts that none is for what is cached. */
function roundTripsShow(seq: SeqBuf, pid: u32, tid: u32): i32 {
  return seqDecLine(seq, connectionCalls());
}

function filesystemsShow(seq: SeqBuf, pid: u32, tid: u32): i32 {
  for (let i: u32 = 0; i < fsTypeCount(); i++) {
    seqStr(seq, fsTypeIsNoDev(i) ? "nodev\t" : "\t");
    seqStr(seq, fsTypeName(i));
    seqByte(seq, 0x0a);
  }
  return 0;
}

/** `0.12`: a load average. */
function loadPut(seq: SeqBuf, load: u32): void {
  const rounded = load + LOAD_ONE / 200;
  seqDec(seq, rounded >> LOAD_SHIFT);
  seqByte(seq, 0x2e);
  seqDecPad(seq, <u64>(rounded & (LOAD_ONE - 1)) * 100 >> LOAD_SHIFT, 2, 0x30);
  seqByte(seq, 0x20);
}

function loadavgShow(seq: SeqBuf, pid: u32, tid: u32): i32 {
  for (let i: u32 = 0; i < 3; i++) loadPut(seq, loadAverage(i));
  seqDec(seq, loadRunnable());
  seqByte(seq, 0x2f);
  seqDec(seq, taskCount());
  seqSpaceDec(seq, currentProcess().pid);
  seqByte(seq, 0x0a);
  return 0;
}

/** Pages that mounted file systems keep of what is on a disk. */
function cachePageCount(): u64 {
  let pages: u64 = 0;
  mountTreeLock();
  for (let i: u32 = 0, sb = mountSuper(0); sb != 0; sb = mountSuper(++i)) {
    if (!superOf(sb).isMemory && isFirstMount(sb, i)) pages += superOf(sb).usedPages;
  }
  mountTreeUnlock();
  return pages;
}

/** The file system of mount number `i`; 0 past the last. */
function mountSuper(i: u32): usize {
  const mount = mountByIndex(i);
  return mount ? mount.sb : 0;
}

/** True when no mount before number `i` shows the same file system. */
function isFirstMount(sb: usize, i: u32): bool {
  for (let earlier: u32 = 0; earlier < i; earlier++) {
    if (mountSuper(earlier) == sb) return false;
  }
  return true;
}

/** `Name:` padded to 16, the value to 8, ` kB`. */
function memPut(seq: SeqBuf, name: string, kib: u64): void {
  seqStr(seq, name);
  for (let i = name.length; i < 16; i++) seqByte(seq, 0x20);
  seqDecPad(seq, kib, 8, 0x20);
  seqStr(seq, " kB\n");
}

function meminfoShow(seq: SeqBuf, pid: u32, tid: u32): i32 {
  const free = freePageCount() * KIB_PER_PAGE;
  const cached = cachePageCount() * KIB_PER_PAGE;
  const shmem = <u64>shmemPages() * KIB_PER_PAGE;
  const slab = <u64>(heapTotalPages() - heapFreePages()) * KIB_PER_PAGE;
  memPut(seq, "MemTotal:", totalPageCount() * KIB_PER_PAGE);
  memPut(seq, "MemFree:", free);
  memPut(seq, "MemAvailable:", free + cached);
  memPut(seq, "Buffers:", buffersCount() * KIB_PER_PAGE);
  memPut(seq, "Cached:", cached + shmem);
  memPut(seq, "SwapCached:", 0);
  memPut(seq, "SwapTotal:", 0);
  memPut(seq, "SwapFree:", 0);
  memPut(seq, "Dirty:", 0);
  memPut(seq, "Writeback:", 0);
  memPut(seq, "Shmem:", shmem);
  memPut(seq, "KReclaimable:", 0);
  memPut(seq, "Slab:", slab);
  memPut(seq, "SReclaimable:", 0);
  memPut(seq, "SUnreclaim:", slab);
  return 0;
}

function slabinfoShow(seq: SeqBuf, pid: u32, tid: u32): i32 {
  seqStr(seq, "slabinfo - version: 2.1\n");
  seqStr(seq, "# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab>\n");
  for (let i: u32 = 0; i < slabCount(); i++) {
    const cache = slabAt(i);
    const name = changetype<string>(cache.name); // SAFETY: a literal
    seqStr(seq, name);
    for (let pad = name.length; pad < 17; pad++) seqByte(seq, 0x20);
    seqByte(seq, 0x20);
    seqDecPad(seq, cache.inUse, 6, 0x20);
    seqByte(seq, 0x20);
    seqDecPad(seq, <u64>cache.slabCount * cache.perSlab, 6, 0x20);
    seqByte(seq, 0x20);
    seqDecPad(seq, cache.size, 6, 0x20);
    seqByte(seq, 0x20);
    seqDecPad(seq, cache.perSlab, 4, 0x20);
    seqByte(seq, 0x20);
    seqDecPad(seq, 1 << cache.order, 4, 0x20);
    seqByte(seq, 0x0a);
  }
  return 0;
}

/** User, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice in ticks. */
function cpuTimes(seq: SeqBuf, user: u64, system: u64, idle: u64): void {
  seqDec(seq, user / NS_PER_TICK);
  seqSpaceDec(seq, 0);
  seqSpaceDec(seq, system / NS_PER_TICK);
  seqSpaceDec(seq, idle / NS_PER_TICK);
  seqStr(seq, " 0 0 0 0 0 0\n");
}

function statShow(seq: SeqBuf, pid: u32, tid: u32): i32 {
  let user: u64 = 0;
  let system: u64 = 0;
  let idle: u64 = 0;
  let switches: u64 = 0;
  for (let i: u32 = 0; i < MAX_CPUS; i++) {
    if (!cpuAt(i).isOnline) continue;
    user += cpuAt(i).userNs;
    system += cpuAt(i).systemNs;
    idle += cpuIdleNs(i);
    switches += cpuAt(i).contextSwitches + runQueueAt(i).handoffs;
  }
  seqStr(seq, "cpu  ");
  cpuTimes(seq, user, system, idle);
  for (let i: u32 = 0; i < MAX_CPUS; i++) {
    if (!cpuAt(i).isOnline) continue;
    seqStr(seq, "cpu");
    seqDec(seq, i);
    seqByte(seq, 0x20);
    cpuTimes(seq, cpuAt(i).userNs, cpuAt(i).systemNs, cpuIdleNs(i));
  }
  seqStr(seq, "intr ");
  seqDec(seq, interruptsCount());
  seqStr(seq, "\nctxt ");
  seqDec(seq, switches);
  seqStr(seq, "\nbtime ");
  seqDec(seq, clockRealOffsetNs() / NS_PER_S);
  seqStr(seq, "\nprocesses ");
  seqDec(seq, taskCreatedCount());
  seqStr(seq, "\nprocs_running ");
  seqDec(seq, loadRunnable());
  seqStr(seq, "\nprocs_blocked 0\n");
  return 0;
}

function swapsShow(seq: SeqBuf, pid: u32, tid: u32): i32 {
  seqStr(seq, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
  return 0;
}

/** Seconds with two decimals. */
function secondsPut(seq: SeqBuf, ns: u64): void {
  seqDec(seq, ns / NS_PER_S);
  seqByte(seq, 0x2e);
  seqDecPad(seq, ns / NS_PER_TICK % 100, 2, 0x30);
}

function uptimeShow(seq: SeqBuf, pid: u32, tid: u32): i32 {
  let idle: u64 = 0;
  for (let i: u32 = 0; i < MAX_CPUS; i++) {
    if (cpuAt(i).isOnline) idle += cpuIdleNs(i);
  }
  secondsPut(seq, monoNowNs());
  seqByte(seq, 0x20);
  secondsPut(seq, idle);
  seqByte(seq, 0x0a);
  return 0;
}

function versionShow(seq: SeqBuf, pid: u32, tid: u32): i32 {
  seqCString(seq, utsField(0), UTS_FIELD);
  seqStr(seq, " version ");
  seqCString(seq, utsField(2), UTS_FIELD);
  seqStr(seq, " (limitlessos) (AssemblyScript) ");
  seqCString(seq, utsField(3), UTS_FIELD);
  seqByte(seq, 0x0a);
  return 0;
}

function vmstatShow(seq: SeqBuf, pid: u32, tid: u32): i32 {
  seqStr(seq, "nr_free_pages ");
  seqDec(seq, freePageCount());
  seqStr(seq, "\nnr_file_pages ");
  seqDec(seq, cachePageCount());
  seqStr(seq, "\nnr_shmem ");
  seqDec(seq, cachePageCount());
  seqStr(seq, "\nnr_dirty 0\nnr_writeback 0\npgpgin 0\npgpgout 0\npswpin 0\npswpout 0\n");
  return 0;
}

/** `echo X > /proc/sysrq-trigger`: b restarts, c crashes on purpose, t lists the tasks in the log. */
function sysrqWrite(pid: u32, tid: u32, ptr: usize, size: u32): i32 {
  if (currentCred().euid != 0) return -(<i32>Errno.PERM);
  if (size == 0) return 0;
  switch (byteAt(ptr, 0)) {
    case 0x62:
      powerReboot();
      return 0;
    case 0x63:
      panic("sysrq: crash asked for");
      return 0;
    case 0x74:
      tasksLog();
      return 0;
    default:
      return -(<i32>Errno.INVAL);
  }
}
