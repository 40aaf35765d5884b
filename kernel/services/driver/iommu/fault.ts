/**
 * DMA and messages outside a grant: the unit has stopped them and tells; the device loses the bus, its driver its life, and the log says
 * who it was.
 *
 * Locking  in the interrupt nothing is held (R1 of trap.ts).
 * Spec     Intel VT-d, 7 "Translation Faults", 11.4.9 (fault status, control, data, address), 11.4.15 (fault records).
 */
import { irqRegister, physLoad32, physLoad64, physStore32, Vector } from "../../../../arch/current";
import { Signal } from "../../../abi/signal";
import { cpuAt } from "../../../core/sched/cpu";
import { Task, taskOf } from "../../../core/sched/task";
import { LogLevel, logBegin, logCString, logEnd, logHex, logKeyDec, logStr } from "../../../lib/log";
import { Process } from "../../process/process";
import { processByPid, processPut } from "../../process/process-table";
import { signalSendProcess } from "../../signal/send";
import { commandChange } from "../pci/command";
import { Command, logPciAddress, pciFind } from "../pci/functions";
import { domainOfLocked, iommuLock, iommuUnlock } from "./domain";
import {
  capFaultOffset, capFaultRecords, FAULT_INDEX_SHIFT, FAULT_IS_READ, FAULT_MASKED, FAULT_PRESENT, FAULT_RECORD_BYTES, FaultStatus, REASON_INTERRUPTS,
  REASON_INTERRUPTS_END, Reg, regLoad32, regStore32,
} from "./regs";
import { DmaUnit, dmaUnitAt, DMA_UNITS_MAX } from "./unit";

const MESSAGE_ADDRESS: u32 = 0xfee00000;
const PAGE_MASK: u64 = 4095;
/** Lines of the log for faults of devices that nobody opened; the rest is counted only. */
const STRAY_LINES: u32 = 8;
/** Interrupts a unit may make for such devices before it is told to be silent. */
const STRAY_MAX: u32 = 1000;
const COMM_BYTES: u32 = 16;

@final @unmanaged
class Strays {
  count: u32;
}
const STRAYS = changetype<Strays>(memory.data(offsetof<Strays>()));

/** One fault, as a record tells it. */
@final @unmanaged
class Fault {
  address: u64;  // or, of an interrupt, its entry of the table above FAULT_INDEX_SHIFT
  requester: u32;
  reason: u32;
  isRead: u32;
  function: u32; // configuration address of the function it is about
  pid: u32;      // 0: nobody's
  ordinal: u32;  // 1 for the first of its domain
  bornNs: u64;   // of that process
}

export function faultsInit(): void {
  irqRegister(Vector.IOMMU, faultInterrupt);
}

/** From now on the unit's faults arrive on CPU 0. */
export function faultsReport(unit: DmaUnit): void {
  regStore32(unit.registersPa, Reg.FEDATA, Vector.IOMMU);
  regStore32(unit.registersPa, Reg.FEADDR, MESSAGE_ADDRESS | cpuAt(0).apicId << 12);
  regStore32(unit.registersPa, Reg.FEUADDR, 0);
  regStore32(unit.registersPa, Reg.FECTL, 0);
}

function faultInterrupt(vector: u32): void {
  for (let i: u32 = 0; i < DMA_UNITS_MAX; i++) if (dmaUnitAt(i).isOn) faultsTake(dmaUnitAt(i));
}

/** Every record once: what comes meanwhile interrupts again. */
export function faultsTake(unit: DmaUnit): void {
  for (let i: u32 = 0; i < capFaultRecords(unit.cap); i++) {
    const record = unit.registersPa + capFaultOffset(unit.cap) + i * FAULT_RECORD_BYTES;
    const top = physLoad32(record + 12);
    if (!(top & FAULT_PRESENT)) continue;
    const fault = changetype<Fault>(memory.data(offsetof<Fault>(), 8)); // SAFETY: static; the interrupt arrives on one CPU
    fault.address = physLoad64(record);
    fault.requester = physLoad32(record + 8) & 0xffff;
    fault.reason = top & 0xff;
    fault.isRead = top & FAULT_IS_READ;
    unit.faults++;
    faultAct(fault);
    physStore32(record + 12, FAULT_PRESENT);
  }
  regStore32(unit.registersPa, Reg.FSTS, FaultStatus.OVERFLOW);
  if (STRAYS.count > STRAY_MAX) regStore32(unit.registersPa, Reg.FECTL, FAULT_MASKED);
}

/** Quiet first, then dead. */
function faultAct(fault: Fault): void {
  domainLook(fault);
  const fn = pciFind(fault.function);
  if (fn) commandChange(fn, Command.MASTER, 0);
  if (fault.ordinal == 0) {
    if (STRAYS.count++ < STRAY_LINES) faultLog(fault, null);
    return;
  }
  const process = processOfFault(fault);
  if (fault.ordinal == 1) faultLog(fault, process);
  if (!process) return;
  signalSendProcess(process, Signal.KILL, 0);
  processPut(process);
}

/** Who let the device master the bus, with a reference; null when it has ended, whoever has its number now. */
function processOfFault(fault: Fault): Process | null {
  const process = fault.pid != 0 ? processByPid(fault.pid) : null;
  if (!process || process.startNs == fault.bornNs) return process;
  processPut(process);
  return null;
}

function domainLook(fault: Fault): void {
  fault.function = fault.requester;
  fault.pid = 0;
  fault.ordinal = 0;
  iommuLock();
  const domain = domainOfLocked(fault.requester);
  if (domain) {
    fault.function = domain.address;
    fault.pid = domain.pid;
    fault.bornNs = domain.bornNs;
    fault.ordinal = ++domain.faults;
  }
  iommuUnlock();
}

function faultLog(fault: Fault, process: Process | null): void {
  logBegin(LogLevel.WARN, "iommu");
  logPciAddress(fault.function);
  if (fault.reason >= REASON_INTERRUPTS && fault.reason < REASON_INTERRUPTS_END) {
    logStr(" may not interrupt as ");
    logHex(fault.address >> FAULT_INDEX_SHIFT);
  } else {
    logStr(fault.isRead ? " may not read " : " may not write ");
    logHex(fault.address & ~PAGE_MASK);
  }
  logStr(": stopped");
  logKeyDec("reason", fault.reason);
  if (process) {
    logKeyDec("pid", process.pid);
    logStr(" killed=");
    if (process.leader != 0) logCString(<usize>process.leader + offsetof<Task>("comm0"), COMM_BYTES);
  }
  logEnd();
}
