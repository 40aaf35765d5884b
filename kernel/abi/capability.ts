/**
 * Capabilities as ring 3 sees them: kinds, rights, structures of the native calls (native.ts).
 *
 * Handle: slot in the low 16 bits, the slot's generation in the high 16; 0 is never a handle.
 */

export const enum CapKind {
  NONE = 0, ROOT = 1, ENDPOINT = 2, NOTIFICATION = 3, MEMORY = 4, IRQ = 5, MMIO = 6, PORTS = 7, PCI = 8, PROCESS = 9,
  SERVICE = 10, QUOTA = 11, THREAD = 12, TIME = 13,
}

/**
 * READ and WRITE: mapping; CALL, RECEIVE: endpoints; SIGNAL, WAIT: notifications; DMA: bus addresses; MANAGE: the rest.
 *
 * PROCESS and THREAD: READ to look, MANAGE to control, WRITE for what takes privilege: real-time scheduling, and whoever gained privileges by
 * itself (a set-id program). process_open gives WRITE to holders of CAP_SYS_NICE only.
 */
export const enum CapRight { READ = 1, WRITE = 2, CALL = 4, RECEIVE = 8, SIGNAL = 16, WAIT = 32, DMA = 64, GRANT = 128, MANAGE = 256, ALL = 0x1ff }

/** The vector of pci_irq that asks for the INTx line of a function that has messages, too. */
export const PCI_IRQ_LINE: u32 = 0xffff;

export const enum MemoryFlag { DMA = 1, CONTIGUOUS = 2 }

/** What a kernel service port is for (service_open). */
export const enum ServiceId { LOG = 1, BLOCK_DRIVER = 2, BLOCK_DEVICE = 3, FILE_SYSTEM = 4, DEBUG = 5 }

/** rax of ipc_reply_wait when the bound notification, not a call, ended the wait. */
export const IPC_NOTIFIED: i32 = 0x40000000;

@final @unmanaged
export class CapInfo {
  kind: u32;      // CapKind
  rights: u32;    // CapRight bits
  badge: u64;
  sizeBytes: u64; // MEMORY, MMIO, PORTS
  detail: u64;    // MEMORY: 0 when nobody else can reach it, by capability, mapping or device; PCI: address; PROCESS: pid; THREAD: tid; SERVICE: id
}

/**
 * How a capability goes with a message. COPY: one is derived from the sender's, with the same rights. MOVE: the sender's own, which it has no
 * more. MINT: one is derived with the rights that stand in rights0… and, once, a badge.
 */
export const enum SendHow { COPY = 0, MOVE = 1, MINT = 2 }
export const SEND_HOW_BITS: u32 = 4;

/** Up to 4 capabilities and 64 KiB by copy, either way. The kernel fills it again with the answer (or the next call). */
@final @unmanaged
export class IpcMessage {
  label: i32;
  flags: u32;        // 0
  badge: u64;        // received
  w0: u64;
  w1: u64;
  w2: u64;
  w3: u64;
  sendVa: u64;       // bytes to send
  sendBytes: u32;
  sendCaps: u32;     // how many of cap0..cap3
  receiveVa: u64;    // room for what arrives
  receiveMax: u32;
  receiveBytes: u32; // what arrived; more than receiveMax is EMSGSIZE for the sender
  cap0: u32;         // sent: handles of the sender's; received: handles of the receiver's
  cap1: u32;
  cap2: u32;
  cap3: u32;
  receiveCaps: u32;  // how many arrived
  sendHow: u32;      // SendHow of each sent, SEND_HOW_BITS apart, cap0's lowest
  deadlineNs: u64;   // monotonic, 0 = none
  rights0: u32;      // MINT: which of its rights it keeps
  rights1: u32;
  rights2: u32;
  rights3: u32;
  badge0: u64;       // MINT: its badge, 0 = none
  badge1: u64;
  badge2: u64;
  badge3: u64;
}

@final @unmanaged
export class PciInfo {
  address: u32;      // bus << 8 | device << 3 | function
  vendor: u16;
  device: u16;
  subVendor: u16;
  subDevice: u16;
  classCode: u32;    // class << 16 | subclass << 8 | interface
  revision: u32;
  msixVectors: u32;  // 0 = has none
  msiVectors: u32;
  pad: u32;
  barMask: u32;      // bit i: BAR i exists
  portMask: u32;     // bit i: BAR i is I/O ports
}

export const CRASH_FRAMES: u32 = 16;

/** Why a confined process died, and where: offsets count from the start of its code, innermost first. */
@final @unmanaged
export class CrashInfo {
  vector: u32; // of the exception; SDM vol. 3A, 6.15
  reason: u32; // CrashReason
  va: u64;     // page fault: the address
  frames: u32; // how many of frame0… are there
  pad: u32;
  frame0: u64; // CRASH_FRAMES of them
}

/** What native.h's traps say; an exception of the program itself otherwise. DISTRUSTED: the kernel ended it (native/distrust.ts). */
export const enum CrashReason {
  EXCEPTION = 0, UNREACHABLE = 1, DIVISION_BY_ZERO = 2, DIVISION_OVERFLOW = 3, WILD_CALL = 4, UNALIGNED = 5, OUT_OF_MEMORY = 6,
  DISTRUSTED = 7,
}
