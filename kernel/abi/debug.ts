/**
 * Fault injection: operations of a DEBUG port (service_open with ROOT; docs/fault-injection.md).
 *
 * a0 is the pid of a confined process, a server, in every operation; a seed decides all that is random, so that a fault can be
 * injected again. Results: 0, or a negated errno: ESRCH (no such process), EPERM (no server), ENODEV (the server has no such thing),
 * EBUSY (a fault of that kind is under way), EAGAIN (nothing there to spoil just now).
 */
export const enum DebugOp {
  /** a1 = signal. */
  KILL = 1,
  /** a1 = HangKind. */
  HANG = 2,
  /** a1 = FlipRegion, a2 = seed, a3 = how many bits (1 to FLIPS_MOST). */
  FLIP = 3,
  /** a1 = IrqFault, a2 = nanoseconds for which messages of its device are treated so. */
  IRQ = 4,
  /** a1 = RingFault, a2 = seed. Of the disk the server drives, when it next completes a request. */
  RING = 5,
  /** a1 = ReplyFault, a2 = seed. Of its next answer to a call of the kernel. */
  REPLY = 6,
  /** a1 = 1, a2 = seed. The next request to the disk's device names memory it was not given; ENODEV unless an IOMMU is in its way. */
  DMA = 7,
}

export const enum HangKind { STOP = 1, SPIN = 2 }

/** TEXT: code. DATA: the rest of its file. STACK: what is in use. HEAP: linear memory. SHARED: rings, windows, DMA memory. */
export const enum FlipRegion { TEXT = 1, DATA = 2, STACK = 3, HEAP = 4, SHARED = 5 }
export const FLIPS_MOST: u32 = 64;

/** REPEAT: delivered, and once more at the end. */
export const enum IrqFault { DROP = 1, DELAY = 2, REPEAT = 3 }
export const IRQ_FAULT_MOST_NS: u64 = 10_000_000_000;

/** COUNTER: completeHead is nonsense. TOO_MANY: one completion more than there are. ID, STATUS: of the next completion. HEADER: any counter. */
export const enum RingFault { COUNTER = 1, TOO_MANY = 2, ID = 3, STATUS = 4, HEADER = 5 }

/** LABEL: no errno at all. ERRNO: one the method may not give. WINDOW: bits of the reply in the window. */
export const enum ReplyFault { LABEL = 1, ERRNO = 2, WINDOW = 3 }
