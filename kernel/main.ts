/**
 * The kernel's entry points, called by boot.S, trampoline.S and entry.S; the boot sequence reads top to bottom.
 */
import { ACPI, acpiInit } from "../arch/x86_64/acpi";
import { BOOT_INFO, CMDLINE, CMDLINE_BYTES, bootInfoParse, bootProblem, cmdlineHas, cmdlineInt } from "../arch/x86_64/boot-info";
import { CPU_FEATURES, cpuFeaturesApply, cpuFeaturesDetect, cpuFeaturesEnable } from "../arch/x86_64/cpu-features";
import { fpuDetect } from "../arch/x86_64/fpu";
import { idtInit } from "../arch/x86_64/idt";
import { ioapicInit } from "../arch/x86_64/ioapic";
import { bootStackGuard } from "../arch/x86_64/paging";
import { serialEarlyInit, serialEarlyPut } from "../arch/x86_64/serial-early";
import { TIMEKEEPER, monoNowNs, timerCalibrate, timerInitCpu } from "../arch/x86_64/timer";
import { TRAP_HOOKS, trapDispatch, trapInit } from "../arch/x86_64/trap";
import { trapFrameOf } from "../arch/x86_64/trap-frame";
import { rdtsc } from "../arch/current";
import { bootStop } from "./boot-stop";
import { crashIfAsked } from "./crash";
import { cpuInterruptsInit } from "./core/irq/cpu-interrupts";
import { memoryInit } from "./core/mm/memory-init";
import { mmSelftestStart } from "./core/mm/mm-selftest";
import { MAX_CPUS, thisCpu } from "./core/sched/cpu";
import { cpuDevicesInit, cpuEnter, cpuRecordInit, cpuTablesInit, cpusStart } from "./core/sched/cpu-start";
import { taskCreateKernel, taskStart, threadBegin } from "./core/sched/sched";
import { schedBoot, schedRun } from "./core/sched/sched-boot";
import { schedSelftestStart } from "./core/sched/sched-selftest";
import { taskOf } from "./core/sched/task";
import { processSpawnInit, userThreadBegin } from "./services/process/init";
import { servicesStart } from "./services/start";
import { syscallFinish, syscallHandle, syscallIpc, syscallResumeEnd } from "./services/syscall-entry";
import { LogLevel, logBegin, logCString, logConsoleLevelSet, logEnd, logInfo, logInit, logKeyDec, logStr } from "./lib/log";
import { panicFrame } from "./lib/panic";

/** First TypeScript of the boot CPU: boot.S left a stack, page tables for 4 GiB and nothing else. */
export function kernelMain(magic: u32, infoPa: u64): void {
  earlyInit();
  machineInit(magic, infoPa);
  memoryInit();
  bootStackGuard();
  devicesInit();
  schedBoot();
  cpuInterruptsInit();
  cpusStart(<u32>max<i32>(1, cmdlineInt("maxcpus", <i32>MAX_CPUS)));
  crashIfAsked();
  if (cmdlineHas("selftest=sched")) schedSelftestStart();
  if (cmdlineHas("selftest=mm")) mmSelftestStart();
  const starter = taskCreateKernel("start", firstThread, 0);
  if (!starter) bootStop("no memory for the first thread");
  else taskStart(starter);
  schedRun();
}

/** The first kernel thread: services, then process 1. */
function firstThread(arg: u32): void {
  const problem = servicesStart();
  if (problem) bootStop(problem);
  processSpawnInit();
}

/** Output, exceptions: from here on a bug says what it is. */
function earlyInit(): void {
  TIMEKEEPER.tscBase = rdtsc();
  cpuRecordInit(0);
  serialEarlyInit();
  logInit(monoNowNs, logWhere, logToSerial, LogLevel.INFO);
  trapInit();
  TRAP_HOOKS.kernelFault = panicFrame;
  idtInit();
  cpuTablesInit(0, 0);
}

/** What the loader and the processor say about the machine. */
function machineInit(magic: u32, infoPa: u64): void {
  if (!bootInfoParse(magic, infoPa)) bootStop("started by an unknown boot loader (neither Multiboot2 nor PVH)");
  logConsoleLevelSet(<u32>cmdlineInt("loglevel", logLevelDefault()));
  logBegin(LogLevel.INFO, "boot");
  logStr("LimitlessOS cmdline: ");
  logCString(CMDLINE, CMDLINE_BYTES);
  logEnd();
  const problem = bootProblem();
  if (problem) bootStop(problem);
  cpuFeaturesDetect();
  cpuFeaturesApply();
  cpuFeaturesEnable();
  fpuDetect();
  if (!acpiInit(BOOT_INFO.rsdpPa)) logInfo("acpi", "no tables: one processor, no power off");
}

/** This CPU's interrupt controller and clock. */
function devicesInit(): void {
  cpuDevicesInit(0);
  ioapicInit();
  if (!timerCalibrate()) bootStop("neither HPET nor PIT runs: no clock to calibrate against");
  timerInitCpu(CPU_FEATURES.hasTscDeadline != 0);
  logBegin(LogLevel.INFO, "time");
  logStr(TIMEKEEPER.source == 1 ? "calibrated against HPET" : "calibrated against PIT");
  logKeyDec("tscHz", TIMEKEEPER.tscHz);
  logKeyDec("apicHz", TIMEKEEPER.apicHz);
  logKeyDec("deadline", TIMEKEEPER.isDeadlineMode);
  logKeyDec("ioapics", ACPI.ioapicCount);
  logEnd();
}

/** First TypeScript of any other processor, on a kernel stack of its own. */
export function apMain(cpu: u32): void {
  cpuEnter(cpu);
  schedRun();
}

/** Every exception and interrupt. */
export function trapEntry(frame: usize): void {
  trapDispatch(trapFrameOf(frame));
}

/** Every system call; 0 allows SYSRET at once, anything else is passed to syscallWork. */
export function syscallEntry(frame: usize): u32 {
  return syscallHandle(frame);
}

/** First for ipc_call and ipc_reply_wait; returns when the call is to go the way of all others, through syscallEntry. */
export function ipcEntry(frame: usize): void {
  syscallIpc(frame);
}

/** What a system call leaves to do on the way back; 1 leaves by IRET, 0 allows SYSRET. */
export function syscallWork(frame: usize, why: u32): u32 {
  return syscallFinish(frame, why);
}

/** A task whose system call nobody ended (core/sched/resume.ts) was switched to: the rest of the call, then the way out by IRET. */
export function syscallResumed(frame: usize): void {
  syscallResumeEnd(frame);
}

/** First run of a new kernel stack. */
export function threadStart(): void {
  threadBegin(); // a kernel thread does not come back
  userThreadBegin();
}

function logLevelDefault(): i32 {
  return cmdlineHas("quiet") ? LogLevel.WARN : cmdlineHas("debug") ? LogLevel.DEBUG : LogLevel.INFO;
}

/** CPU and thread of a log line, as logInit wants them. */
function logWhere(): u32 {
  const cpu = thisCpu();
  return cpu.id << 24 | (cpu.current != 0 ? taskOf(cpu.current).tid : 0);
}

function logToSerial(ptr: usize, length: u32): void {
  for (let i: u32 = 0; i < length; i++) {
    if (load<u8>(ptr + i) == 0x0a) serialEarlyPut(0x0d);
    serialEarlyPut(load<u8>(ptr + i));
  }
}
