/**
 * The interrupts CPUs keep for themselves: the timer, and the messages between them.
 *
 *   TIMER       this CPU's alarm                    timers, then the scheduler's tick
 *   RESCHEDULE  another CPU wants this one to look  nothing: the way back to user mode or to idle looks
 *   SHOOTDOWN   translations must be forgotten      tlb.ts
 *
 * Locking  none; handlers are installed before interrupts are first let in.
 */
import { apicSendIpi, apicSendNmi, Vector } from "../../../arch/x86_64/apic";
import { cmdlineHas } from "../../../arch/x86_64/boot-info";
import { TRAP_HOOKS, irqRegister } from "../../../arch/x86_64/trap";
import { panicHooksSet } from "../../lib/panic";
import { LogLevel, logBegin, logCString, logDec, logEnd, logStr } from "../../lib/log";
import { spinHooksSet } from "../../lib/spinlock";
import { lockdepAcquired, lockdepReleased } from "../sync/lockdep";
import { tlbIpiSet, tlbPoll } from "../mm/tlb";
import { cpuAt, thisCpu } from "../sched/cpu";
import { cpusOnline } from "../sched/placement";
import { Task, taskOf } from "../sched/task";
import { timerInterrupt } from "../sched/tick";

const COMM_BYTES: u32 = 16;

/** Installs the handlers, the spin hook and what a panic does about the other CPUs. */
export function cpuInterruptsInit(): void {
  TRAP_HOOKS.timer = timerInterrupt;
  irqRegister(Vector.RESCHEDULE, rescheduleInterrupt);
  irqRegister(Vector.SHOOTDOWN, shootdownInterrupt);
  tlbIpiSet(shootdownSend);
  spinHooksSet(tlbPoll, lockdepAcquired, lockdepReleased, cmdlineHas("lockdep"));
  panicHooksSet(othersStop, taskReport);
}

function rescheduleInterrupt(vector: u32): void {}

function shootdownInterrupt(vector: u32): void {
  tlbPoll();
}

function shootdownSend(mask: u64): void {
  for (let left = mask; left != 0; left &= left - 1) apicSendIpi(cpuAt(<u32>ctz(left)).apicId, Vector.SHOOTDOWN);
}

/** The other CPUs halt in their NMI handler: a panic is under way (panic.ts). */
function othersStop(): void {
  for (let left = cpusOnline() & ~(<u64>1 << thisCpu().id); left != 0; left &= left - 1) {
    apicSendNmi(cpuAt(<u32>ctz(left)).apicId);
  }
}

/** The running task, for the end of a panic's report. */
function taskReport(): void {
  const address = thisCpu().current;
  if (address == 0) return;
  logBegin(LogLevel.ERR, "panic");
  logStr("running task ");
  logDec(taskOf(address).tid);
  logStr(" ");
  logCString(<usize>address + offsetof<Task>("comm0"), COMM_BYTES);
  logEnd();
}
