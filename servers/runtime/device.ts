/**
 * What a driver has of its device: registers, memory that the device reaches, interrupts. Every access to either is one that neither
 * Binaryen nor gcc merges, splits or moves: plain loads and stores must not touch them.
 *
 *   registers   registersMap(pci, 0, bytes)  -> where they lie; regLoad32(at), regStore32(at, value)
 *   memory      dmaCreate(quota, pci, bytes) -> dmaAt() here, dmaBus() as the device must be told
 *   ports       portsOpen(pci, 1)            -> a range that is ports; portLoad(ports, offset, 4), portStore(ports, offset, 4, value)
 *   interrupts  irqOpen(pci, 0, n, bits)     -> each sets `bits` of notification n; a line's is over with irqDone(irq)
 *
 * The pages with a function's table of MSI-X messages are the kernel's: they lie in the range, and an access to them ends the server.
 *
 * Upper half of linear memory: BAR i at 0x80000000 + 16 MiB * i, memory for devices from 0xb8000000 to 0xc0000000.
 */
import { MemoryFlag } from "../../kernel/abi/capability";
import { mmioLoad16, mmioLoad32, mmioLoad8, mmioStore16, mmioStore32, mmioStore8 } from "./intrinsics";
import { capDrop, irqAck, irqBind, memoryAddresses, memoryCreate, memoryMap, pciBar, pciIrq, portIn, portOut } from "./native-calls";

const BARS: usize = 0x80000000;
const BAR_STRIDE: usize = 0x1000000;
const BARS_MAX: u32 = 6;
const DMA_START: usize = 0xb8000000;
const DMA_END: usize = 0xc0000000;
const PAGE: usize = 4096;
const PROT_RW: u32 = 3;
const ADDRESS = changetype<Address>(memory.data(offsetof<Address>(), 8));

@unmanaged
class Address { bus: u64; }

let dmaNext: usize = DMA_START;
let dmaLast: usize = 0;

/** Maps the first `bytes` of BAR `bar`: where they lie, 0 when the function has no such range or it is shorter. */
export function registersMap(pci: u32, bar: u32, bytes: usize): usize {
  if (bar >= BARS_MAX || bytes == 0 || bytes > BAR_STRIDE) return 0;
  const range = pciBar(pci, bar);
  const at = BARS + bar * BAR_STRIDE;
  const size = (bytes + PAGE - 1) & ~(PAGE - 1);
  return range < 0 || memoryMap(<u32>range, at, 0, size, PROT_RW) < 0 ? 0 : at;
}

/**
 * Zeroed memory of `bytes` in one piece, for the device `pci` to read and write: 0 when there is none, or `quota` is used up; dmaAt() and
 * dmaBus() tell of the newest.
 */
export function dmaCreate(quota: u32, pci: u32, bytes: usize): bool {
  const size = (bytes + PAGE - 1) & ~(PAGE - 1);
  if (size == 0 || size > DMA_END - dmaNext) return false;
  const made = memoryCreate(quota, size, MemoryFlag.DMA | MemoryFlag.CONTIGUOUS);
  if (made < 0 || memoryMap(<u32>made, dmaNext, 0, size, PROT_RW) < 0) return false;
  if (memoryAddresses(<u32>made, pci, 0, changetype<usize>(ADDRESS), 1) < 0) return false;
  dmaLast = dmaNext;
  dmaNext += size;
  return true;
}
export function dmaAt(): usize { return dmaLast; }
export function dmaBus(): u64 { return ADDRESS.bus; }

/**
 * From now on message `index` of the device, or its line (PCI_IRQ_LINE), sets `bits` of notification `n`: the interrupt, or 0 when it has
 * no such. Each has one owner.
 */
export function irqOpen(pci: u32, index: u32, n: u32, bits: u64): u32 {
  const irq = pciIrq(pci, index);
  if (irq < 0) return 0;
  if (irqBind(<u32>irq, n, bits) >= 0) return <u32>irq;
  capDrop(<u32>irq);
  return 0;
}

/**
 * The device has been looked at: a line that was silent since its bits came may come again. Whoever shares the line waits for this.
 * Messages need it not.
 */
export function irqDone(irq: u32): void { irqAck(irq); } // cannot fail: the handle is the server's own

/** The ports of BAR `bar`, or 0 when the function has none there. */
export function portsOpen(pci: u32, bar: u32): u32 { return <u32>max<i64>(pciBar(pci, bar), 0); }
/** Reads 1, 2 or 4 bytes of ports; all ones outside the range. */
export function portLoad(ports: u32, offset: u32, width: u32): u32 {
  const value = portIn(ports, offset, width);
  return value < 0 ? u32.MAX_VALUE : <u32>value;
}
/** False: outside the range. */
export function portStore(ports: u32, offset: u32, width: u32, value: u32): bool { return portOut(ports, offset, width, value) >= 0; }

export function regLoad8(at: usize): u32 { return mmioLoad8(at); }
export function regLoad16(at: usize): u32 { return mmioLoad16(at); }
export function regLoad32(at: usize): u32 { return mmioLoad32(at); }
export function regStore8(at: usize, value: u32): void { mmioStore8(at, value); }
export function regStore16(at: usize, value: u32): void { mmioStore16(at, value); }
export function regStore32(at: usize, value: u32): void { mmioStore32(at, value); }
/** Two accesses, the lower half first: for addresses, never for counters that run. */
export function regStore64(at: usize, value: u64): void {
  mmioStore32(at, <u32>value);
  mmioStore32(at + 4, <u32>(value >> 32));
}
