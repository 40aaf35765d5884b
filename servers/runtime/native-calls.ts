/** The native calls by name; contracts and errors: kernel/abi/native.ts. Pointers are linear addresses of the server. */
import { linearVa, serverCall, serverIpc } from "./intrinsics";

/** Numbers of kernel/abi/native.ts. */
export const enum Native {
  CAP_COPY = 0x1000, CAP_DROP = 0x1001, CAP_REVOKE = 0x1002, CAP_INFO = 0x1003, CAP_INSTALL = 0x1004, ROOT_CLAIM = 0x1005,
  ENDPOINT_CREATE = 0x1010, IPC_CALL = 0x1011, IPC_REPLY_WAIT = 0x1012, ENDPOINT_BIND = 0x1015,
  NOTIFICATION_CREATE = 0x1020, NOTIFICATION_SIGNAL = 0x1021, NOTIFICATION_WAIT = 0x1022, NOTIFICATION_TIMER = 0x1023,
  TIME_NOW = 0x1024, CLOCK_NOW = 0x1025, CLOCK_SET = 0x1026, TIME_OPEN = 0x1027,
  MEMORY_CREATE = 0x1030, MEMORY_MAP = 0x1031, MEMORY_ADDRESSES = 0x1032, QUOTA_CREATE = 0x1033,
  IRQ_BIND = 0x1040, IRQ_ACK = 0x1041, PORT_IN = 0x1042, PORT_OUT = 0x1043,
  PCI_LIST = 0x1048, PCI_OPEN = 0x1049, PCI_INFO = 0x104a, PCI_CONFIG_READ = 0x104b, PCI_CONFIG_WRITE = 0x104c, PCI_BAR = 0x104d,
  PCI_IRQ = 0x104e, PCI_MASTER = 0x104f,
  PROCESS_OPEN = 0x1050, PROCESS_WATCH = 0x1051, PROCESS_KILL = 0x1052, PROCESS_CONFINE = 0x1053, PROCESS_CRASH = 0x1054,
  THREAD_OPEN = 0x1055, THREAD_NEXT = 0x1056, THREAD_INFO = 0x1057, THREAD_SUSPEND = 0x1058, THREAD_RESUME = 0x1059, THREAD_SCHEDULE = 0x105a,
  SERVICE_OPEN = 0x1060, SERVICE_CALL = 0x1061,
}

function call0(nr: Native): i64 { return serverCall(nr, 0, 0, 0, 0, 0, 0); }
function call1(nr: Native, a: u64): i64 { return serverCall(nr, a, 0, 0, 0, 0, 0); }
function call2(nr: Native, a: u64, b: u64): i64 { return serverCall(nr, a, b, 0, 0, 0, 0); }
function call3(nr: Native, a: u64, b: u64, c: u64): i64 { return serverCall(nr, a, b, c, 0, 0, 0); }
function call4(nr: Native, a: u64, b: u64, c: u64, d: u64): i64 { return serverCall(nr, a, b, c, d, 0, 0); }

export function capCopy(source: u32, rights: u32, badge: u64): i64 { return call3(Native.CAP_COPY, source, rights, badge); }
export function capDrop(target: u32): i64 { return call1(Native.CAP_DROP, target); }
/** Takes away what was derived of it, in every space. */
export function capRevoke(target: u32): i64 { return call1(Native.CAP_REVOKE, target); }
export function capInstall(process: u32, source: u32, rights: u32, badge: u64): i64 { return call4(Native.CAP_INSTALL, process, source, rights, badge); }
export function rootClaim(): i64 { return call1(Native.ROOT_CLAIM, 0); }
/** For a tool beside the supervisor. */
export function rootShare(): i64 { return call1(Native.ROOT_CLAIM, 1); }
export function endpointCreate(): i64 { return call0(Native.ENDPOINT_CREATE); }
export function endpointBind(endpoint: u32, notification: u32): i64 { return call2(Native.ENDPOINT_BIND, endpoint, notification); }
export function ipcCall(endpoint: u32, label: i32, words: usize): i64 { return serverIpc(Native.IPC_CALL, endpoint, label, words); }
export function ipcReplyWait(endpoint: u32, label: i32, words: usize): i64 { return serverIpc(Native.IPC_REPLY_WAIT, endpoint, label, words); }
export function notificationCreate(): i64 { return call0(Native.NOTIFICATION_CREATE); }
export function notificationSignal(n: u32, bits: u64): i64 { return call2(Native.NOTIFICATION_SIGNAL, n, bits); }
export function notificationWait(n: u32, deadlineNs: u64): i64 { return call2(Native.NOTIFICATION_WAIT, n, deadlineNs); }
/** With a TIME capability, as the four after it; a server has its own in clock.ts. */
export function notificationTimer(n: u32, bits: u64, deadlineNs: u64, periodNs: u64, time: u32): i64 {
  return serverCall(Native.NOTIFICATION_TIMER, n, bits, deadlineNs, periodNs, time, 0);
}
export function timeRead(time: u32): i64 { return call1(Native.TIME_NOW, time); }
export function clockRead(time: u32): i64 { return call1(Native.CLOCK_NOW, time); }
export function clockWrite(time: u32, realNs: u64): i64 { return call2(Native.CLOCK_SET, time, realNs); }
export function timeOpen(root: u32): i64 { return call1(Native.TIME_OPEN, root); }
export function memoryCreate(quota: u32, bytes: u64, flags: u32): i64 { return call3(Native.MEMORY_CREATE, quota, bytes, flags); }
/** Maps at linear address `at`, in the upper half. */
export function memoryMap(memory: u32, at: usize, offset: u64, bytes: u64, prot: u32): i64 {
  return serverCall(Native.MEMORY_MAP, memory, linearVa(at), offset, bytes, prot, 0);
}
export function memoryAddresses(memory: u32, pci: u32, firstPage: u32, out: usize, count: u32): i64 {
  return serverCall(Native.MEMORY_ADDRESSES, memory, pci, firstPage, linearVa(out), count, 0);
}
export function quotaCreate(root: u32, bytes: u64): i64 { return call2(Native.QUOTA_CREATE, root, bytes); }
export function irqBind(irq: u32, n: u32, bits: u64): i64 { return call3(Native.IRQ_BIND, irq, n, bits); }
export function irqAck(irq: u32): i64 { return call1(Native.IRQ_ACK, irq); }
export function portIn(ports: u32, offset: u32, width: u32): i64 { return call3(Native.PORT_IN, ports, offset, width); }
export function portOut(ports: u32, offset: u32, width: u32, value: u32): i64 { return call4(Native.PORT_OUT, ports, offset, width, value); }
export function pciList(root: u32, index: u32, out: usize): i64 { return call3(Native.PCI_LIST, root, index, linearVa(out)); }
export function pciOpen(root: u32, address: u32): i64 { return call2(Native.PCI_OPEN, root, address); }
export function pciConfigRead(pci: u32, offset: u32, width: u32): i64 { return call3(Native.PCI_CONFIG_READ, pci, offset, width); }
export function pciBar(pci: u32, index: u32): i64 { return call2(Native.PCI_BAR, pci, index); }
export function pciIrq(pci: u32, vector: u32): i64 { return call2(Native.PCI_IRQ, pci, vector); }
export function pciMaster(pci: u32, enable: u32): i64 { return call2(Native.PCI_MASTER, pci, enable); }
export function processOpen(pid: i32): i64 { return call1(Native.PROCESS_OPEN, pid); }
export function processWatch(process: u32, n: u32, bits: u64): i64 { return call3(Native.PROCESS_WATCH, process, n, bits); }
export function processKill(process: u32, sig: u32): i64 { return call2(Native.PROCESS_KILL, process, sig); }
export function processCrash(process: u32, out: usize): i64 { return call2(Native.PROCESS_CRASH, process, linearVa(out)); }
export function threadOpen(process: u32, tid: u32): i64 { return call2(Native.THREAD_OPEN, process, tid); }
export function threadNext(process: u32, after: u32): i64 { return call2(Native.THREAD_NEXT, process, after); }
/** ThreadInfo at `out`, THREAD_INFO_BYTES of room. */
export function threadInfo(thread: u32, out: usize): i64 { return call2(Native.THREAD_INFO, thread, linearVa(out)); }
export function threadSuspend(thread: u32): i64 { return call1(Native.THREAD_SUSPEND, thread); }
export function threadResume(thread: u32): i64 { return call1(Native.THREAD_RESUME, thread); }
export function threadSchedule(thread: u32, policy: u32, priority: u32): i64 { return call3(Native.THREAD_SCHEDULE, thread, policy, priority); }
export function processConfine(): i64 { return call0(Native.PROCESS_CONFINE); }
export function serviceOpen(root: u32, id: u32, instance: u32 = 0): i64 { return call3(Native.SERVICE_OPEN, root, id, instance); }
export function serviceCall(port: u32, op: u32, a0: u64, a1: u64, a2: u64, a3: u64): i64 {
  return serverCall(Native.SERVICE_CALL, port, op, a0, a1, a2, a3);
}
