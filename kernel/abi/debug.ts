/** Kinds of faults that a DEBUG port injects (protocol/debug.ts; docs/fault-injection.md). */
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
