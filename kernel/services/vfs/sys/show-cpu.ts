/** Processors in /sys/devices/system/cpu. Object: the processor's number. Spec: Linux, Documentation/ABI/testing/sysfs-devices-system-cpu. */
import { cpuAt, MAX_CPUS } from "../../../core/sched/cpu";
import { sysAttributeAdd, sysDirMake, SysKind } from "./node";
import { SeqBuf, seqByte, seqDec, seqDecLine, seqLine, seqStr, seqWord } from "../proc/seq-buf";
import { sysPlace, SysPlace } from "./tree";

export function sysCpuInit(): void {
  sysAttributeAdd(SysKind.CPUS, "online", (seq, object) => cpuListPut(seq));
  sysAttributeAdd(SysKind.CPUS, "possible", (seq, object) => cpuListPut(seq));
  sysAttributeAdd(SysKind.CPUS, "present", (seq, object) => cpuListPut(seq));
  sysAttributeAdd(SysKind.CPUS, "offline", (seq, object) => seqLine(seq, ""));
  sysAttributeAdd(SysKind.CPUS, "isolated", (seq, object) => seqLine(seq, ""));
  sysAttributeAdd(SysKind.CPUS, "kernel_max", (seq, object) => seqDecLine(seq, MAX_CPUS - 1));
  sysAttributeAdd(SysKind.TOPOLOGY, "core_id", (seq, object) => seqDecLine(seq, object));
  sysAttributeAdd(SysKind.TOPOLOGY, "core_cpus_list", (seq, object) => seqDecLine(seq, object));
  sysAttributeAdd(SysKind.TOPOLOGY, "thread_siblings_list", (seq, object) => seqDecLine(seq, object));
  sysAttributeAdd(SysKind.TOPOLOGY, "physical_package_id", (seq, object) => seqDecLine(seq, 0));
  const cpus = sysDirMake(sysPlace(SysPlace.SYSTEM), SysKind.CPUS, 0, (seq, object) => seqWord(seq, "cpu"));
  if (!cpus) return;
  for (let id: u32 = 0; id < MAX_CPUS; id++) {
    if (!cpuAt(id).isOnline) continue;
    const cpu = sysDirMake(cpus, SysKind.CPU, id, cpuNamePut);
    if (cpu) sysDirMake(cpu, SysKind.TOPOLOGY, id, (seq, object) => seqWord(seq, "topology"));
  }
}

function cpuNamePut(seq: SeqBuf, object: u32): i32 {
  seqStr(seq, "cpu");
  seqDec(seq, object);
  return 0;
}

/** The processors that run, as ranges: `0-3`. */
export function cpuListPut(seq: SeqBuf): i32 {
  let isFirst = true;
  for (let id: u32 = 0; id < MAX_CPUS; id++) {
    if (!cpuAt(id).isOnline) continue;
    let last = id;
    while (last + 1 < MAX_CPUS && cpuAt(last + 1).isOnline) last++;
    if (!isFirst) seqByte(seq, 0x2c);
    isFirst = false;
    seqDec(seq, id);
    if (last != id) {
      seqByte(seq, 0x2d);
      seqDec(seq, last);
    }
    id = last;
  }
  seqByte(seq, 0x0a);
  return 0;
}
