/**
 * The native calls: what a server asks of the kernel, beside Linux's table. Numbers from NATIVE_BASE, same registers
 * (rax number; rdi rsi rdx r10 r8 r9; result in rax, negated errno on failure).
 *
 * Authority: every call but those marked `anyone` names a capability of the caller's own space by its handle; those make or claim something
 * for the caller alone, and are EPERM for a confined process (but process_confine, which gives nothing).
 * What a call makes of a ROOT, a PCI or a PROCESS capability hangs below that one: it has at most its rights, and is revoked with it.
 *   EBADF   no such handle, one that was dropped or given away, or an object of another kind
 *   EACCES  the capability lacks the right the call needs
 *   ESTALE  what the handle named was revoked (for as long as its slot has not seen another one revoked: EBADF then), or has ended
 *   EPIPE   an endpoint whose receiver died before it replied
 * Kinds of arguments: as in syscalls.ts, and `cap` (u32 handle).
 */
export interface NativeRow {
  readonly nr: number;
  readonly name: string;
  readonly args: string;
  readonly blocks?: boolean;
  readonly flags?: string;
}

export const NATIVE_BASE = 0x1000;

export const NATIVE_CALLS: readonly NativeRow[] = [
  // ---- capability spaces ----
  /** A derived capability in the caller's space: rights = old & rights; a badge other than 0 is set once (endpoints). */
  { nr: 0x1000, name: "cap_copy", args: "source: cap, rights: uint, badge: ulong" },
  { nr: 0x1001, name: "cap_drop", args: "target: cap" },
  /** Takes away every capability derived from this one, in every space. */
  { nr: 0x1002, name: "cap_revoke", args: "target: cap" },
  { nr: 0x1003, name: "cap_info", args: "target: cap, info: out<CapInfo>" },
  /** Derives `source` into the space behind a PROCESS capability; the new handle there. */
  { nr: 0x1004, name: "cap_install", args: "process: cap, source: cap, rights: uint, badge: ulong" },
  /**
   * The ROOT capability: for an unconfined process with uid 0 only (anyone); all authority derives from it. share 0: EBUSY while somebody
   * has it, so that one supervisor runs. share 1: one more holder, a tool that drops it as soon as it has what it came for.
   */
  { nr: 0x1005, name: "root_claim", args: "share: uint" },

  // ---- IPC: label and four words each way ----
  /** An endpoint of the caller's own (anyone): it reaches nobody until a capability on it is given away. */
  { nr: 0x1010, name: "endpoint_create", args: "" },
  /**
   * Registers: rsi label, rdx r10 r8 r9 words; the reply comes back in the same registers, rax = reply label or -errno. A request's label is
   * 0 or more and less than IPC_NOTIFIED, in every way to call; EINVAL otherwise. A reply may bear those and negated errnos (-4095 … -1):
   * what a server answers so, EPIPE for one, its caller cannot tell from the kernel's.
   */
  { nr: 0x1011, name: "ipc_call", args: "endpoint: cap, label: uint, w0: ulong, w1: ulong, w2: ulong, w3: ulong", blocks: true, flags: "frame" },
  /**
   * Answers the caller last received (if any; label and words as above), then waits for the next call on `endpoint` or for bits of the
   * notification bound to it. Returns rax = label with rdi = badge and the words; or rax = IPC_NOTIFIED with rdx = bits.
   * EINVAL: a label that no reply may bear; the reply is still owed. ESTALE, EBADF: also when the handle is revoked or goes during the wait.
   */
  { nr: 0x1012, name: "ipc_reply_wait", args: "endpoint: cap, label: int, w0: ulong, w1: ulong, w2: ulong, w3: ulong", blocks: true, flags: "frame" },
  /**
   * ipc_call with an IpcMessage: its words and label, `sendBytes` bytes by copy, `sendCaps` capabilities copied, moved or minted for the other
   * side (SendHow; each needs GRANT), a deadline; the message comes back with the reply's. Mixes with plain calls, which have no room for more
   * than words.
   *   EINVAL     a label, unknown flags or SendHow, more than 4 capabilities     EMSGSIZE   more than 64 KiB, or more than the other side has room for
   *   EFAULT     a bad pointer of the caller's own           EIO        the other side could not read what it was sent
   *   EBADF, EACCES  a capability to send                    ESTALE     one that was revoked, before or on its way    ETIMEDOUT, EINTR, EPIPE
   *   EBUSY      memory to move that somebody has mapped, or looks at in a call
   * Nothing is transferred when a call fails before its request was taken: what was to move is the sender's again, under its old handle.
   */
  { nr: 0x1013, name: "ipc_call_extra", args: "endpoint: cap, message: inout<IpcMessage>", blocks: true },
  /** ipc_reply_wait with an IpcMessage; when the reply itself fails (EINVAL, EMSGSIZE, EFAULT, EBADF, ESTALE, EACCES, EBUSY) it is still owed. */
  { nr: 0x1014, name: "ipc_reply_wait_extra", args: "endpoint: cap, message: inout<IpcMessage>", blocks: true },
  /** The notification that also ends ipc_reply_wait on this endpoint. */
  { nr: 0x1015, name: "endpoint_bind", args: "endpoint: cap, notification: cap" },

  // ---- notifications: 64 bits that accumulate ----
  /** A notification of the caller's own (anyone). */
  { nr: 0x1020, name: "notification_create", args: "" },
  { nr: 0x1021, name: "notification_signal", args: "notification: cap, bits: ulong" },
  /** Waits until a bit is set or deadlineNs (monotonic, 0 = none, 1 = do not wait) passes; returns and clears all bits (positive i64). */
  { nr: 0x1022, name: "notification_wait", args: "notification: cap, deadlineNs: ulong", blocks: true },
  /**
   * Signals `bits` at deadlineNs, then every periodNs (0 = once): at the next whole period after the bits were taken. One timer a
   * notification; deadlineNs 0 stops it. Needs READ of a TIME.
   */
  { nr: 0x1023, name: "notification_timer", args: "notification: cap, bits: ulong, deadlineNs: ulong, periodNs: ulong, time: cap" },

  // ---- time: the machine's clocks ----
  /** Monotonic nanoseconds since boot. Needs READ. */
  { nr: 0x1024, name: "time_now", args: "time: cap" },
  /** Nanoseconds since 1970-01-01 UTC, by the wall clock. Needs READ. */
  { nr: 0x1025, name: "clock_now", args: "time: cap" },
  /** Sets the wall clock; EINVAL: more than 63 bits. Needs WRITE. */
  { nr: 0x1026, name: "clock_set", args: "time: cap, realNs: ulong" },
  /** A TIME capability. Needs ROOT. */
  { nr: 0x1027, name: "time_open", args: "root: cap" },

  // ---- memory ----
  /** A QUOTA for `bytes` of memory objects. Needs ROOT. */
  { nr: 0x1033, name: "quota_create", args: "root: cap, bytes: usize" },
  /** Zeroed frames against a QUOTA (ENOMEM when it is used up); MemoryFlag. CONTIGUOUS for devices that cannot scatter, up to 8 MiB. */
  { nr: 0x1030, name: "memory_create", args: "quota: cap, bytes: usize, flags: uint" },
  /** Maps a MEMORY or MMIO object at `addr` (page aligned, in the caller's own reserved range); prot as mmap's. */
  { nr: 0x1031, name: "memory_map", args: "memory: cap, addr: va, offset: off, bytes: usize, prot: uint" },
  /**
   * What a device must be told to reach each page: bus addresses (IOVA of `pci`'s domain, or physical where there is no IOMMU). Needs DMA
   * and READ; without WRITE the device may not write, and where nothing would keep it from that: EACCES.
   */
  { nr: 0x1032, name: "memory_addresses", args: "memory: cap, pci: cap, firstPage: uint, addresses: out<u64[count]>, count: uint" },

  // ---- devices ----
  { nr: 0x1040, name: "irq_bind", args: "irq: cap, notification: cap, bits: ulong" },
  /** The holder has looked at its device: an INTx line is masked from its arrival until then. Messages need none. */
  { nr: 0x1041, name: "irq_ack", args: "irq: cap" },
  { nr: 0x1042, name: "port_in", args: "ports: cap, offset: uint, width: uint" },
  { nr: 0x1043, name: "port_out", args: "ports: cap, offset: uint, width: uint, value: uint" },
  /** The machine's functions, by index; ENODEV past the last. Needs ROOT. */
  { nr: 0x1048, name: "pci_list", args: "root: cap, index: uint, info: out<PciInfo>" },
  /** EBUSY while somebody has the function, or anything made from it; ENODEV. Needs ROOT. */
  { nr: 0x1049, name: "pci_open", args: "root: cap, address: uint" },
  { nr: 0x104a, name: "pci_info", args: "pci: cap, info: out<PciInfo>" },
  { nr: 0x104b, name: "pci_config_read", args: "pci: cap, offset: uint, width: uint" },
  /** Capabilities' registers and device-specific ones only; BARs, command and MSI are the kernel's. */
  { nr: 0x104c, name: "pci_config_write", args: "pci: cap, offset: uint, width: uint, value: uint" },
  /**
   * An MMIO or PORTS capability over BAR `index`; pages with the table of MSI-X messages are not mapped (SIGBUS). ENODEV; EACCES: its pages
   * hold another's registers.
   */
  { nr: 0x104d, name: "pci_bar", args: "pci: cap, index: uint" },
  /**
   * An IRQ capability: MSI-X entry, MSI message, or the INTx line (PCI_IRQ_LINE; vector 0 of a function without messages). ENODEV; EBUSY: it
   * has an owner; ENOSPC: the function has 16, or no vector is left.
   */
  { nr: 0x104e, name: "pci_irq", args: "pci: cap, vector: uint" },
  /** Lets the device master the bus (1) or not (0). The kernel turns it off by itself when the capability's last holder dies. */
  { nr: 0x104f, name: "pci_master", args: "pci: cap, enable: uint" },

  // ---- processes ----
  /** Control over a child of the caller (anyone). EPERM: another's child, another user's process (but for CAP_SYS_NICE); ESRCH. */
  { nr: 0x1050, name: "process_open", args: "pid: pid" },
  /** Signals `bits` when the process ends. */
  { nr: 0x1051, name: "process_watch", args: "process: cap, notification: cap, bits: ulong" },
  /** EPERM without WRITE for a process that gained privileges by execve. */
  { nr: 0x1052, name: "process_kill", args: "process: cap, sig: sig" },
  /** Anyone: from the caller's next execve on, it and its children keep only the Linux calls that touch their own memory and life. */
  { nr: 0x1053, name: "process_confine", args: "" },
  /** What a confined process died of, until it is waited for: its exception, or the kernel's distrust. ENODATA: neither. */
  { nr: 0x1054, name: "process_crash", args: "process: cap, info: out<CrashInfo>" },

  // ---- threads of processes ----
  /**
   * Control over thread `tid` of the process, with the PROCESS capability's rights among READ, WRITE, MANAGE, GRANT.
   * ESRCH: it has no such thread. All calls on a THREAD: ESTALE once the thread has ended; EPERM without WRITE for a process that gained privileges by execve.
   */
  { nr: 0x1055, name: "thread_open", args: "process: cap, tid: tid" },
  /** The process's next thread: the least tid above `after`. ESRCH: there is none. */
  { nr: 0x1056, name: "thread_next", args: "process: cap, after: tid" },
  /** Needs READ. */
  { nr: 0x1057, name: "thread_info", args: "thread: cap, info: out<ThreadInfo>" },
  /**
   * From its return on the thread makes no step in user mode until thread_resume; what it waits for in a call goes on, and SIGKILL ends it
   * as ever. Suspensions are not counted: one resume ends them, and so does the end of the last capability made by the thread_open whose
   * capability suspended it. EINTR: the thread will stand soon. Needs MANAGE.
   */
  { nr: 0x1058, name: "thread_suspend", args: "thread: cap", blocks: true },
  { nr: 0x1059, name: "thread_resume", args: "thread: cap" },
  /** SCHED_* and priority as sched_setscheduler(2); EINVAL for what means nothing. Needs MANAGE, for SCHED_FIFO and SCHED_RR WRITE too. */
  { nr: 0x105a, name: "thread_schedule", args: "thread: cap, policy: uint, priority: uint" },

  // ---- kernel services: ports whose operations the service defines ----
  /** A port of service `id` (ServiceId). Needs ROOT. instance: which of its things the port is for, where it has several (BLOCK_DRIVER: the disk, 0 = vda), else 0. */
  { nr: 0x1060, name: "service_open", args: "root: cap, id: uint, instance: uint" },
  { nr: 0x1061, name: "service_call", args: "port: cap, op: uint, a0: ulong, a1: ulong, a2: ulong, a3: ulong", blocks: true },
];
