/**
 * Waking an application processor: its start-up code, its parameters, and the INIT-STARTUP sequence.
 *
 * Locking  boot CPU only; one processor is on its way at a time, because they share the trampoline page.
 * Units    ns.
 * Spec     SDM vol. 3A, 9.4.4 "MP Initialization Protocol"; boot/trampoline.S.
 */
import { apicSendInit, apicSendStartup } from "./apic";
import { RangeKind, BOOT_INFO, bootRangeBytes, bootRangeKind, bootRangePa } from "./boot-info";
import {
  ImageSymbol, cpuPause, imageAddress, physCopy, physStore32, physStore64, rdmsr, readCr3,
} from "./intrinsics";
import { delayNs, monoNowNs } from "./timer";

const PAGE: u64 = 4096;
const LOW_LIMIT: u64 = 0x9f000;   // the extended BIOS data area begins about here
const PARAM_CR3: u64 = 8;
const PARAM_CPU: u64 = 12;
const PARAM_STACK: u64 = 16;
const PARAM_EFER: u64 = 24;
const IA32_EFER: u32 = 0xc0000080;
const EFER_LMA: u64 = 1 << 10;    // read-only on the way into long mode
const INIT_DELAY_NS: u64 = 10_000;
const FIRST_WAIT_NS: u64 = 2_000_000;
const SECOND_WAIT_NS: u64 = 5_000_000_000; // a processor that takes longer is dead, even on a crowded emulator

/** Highest CPU id + 1 that arrived; one processor at a time writes it. */
const ARRIVED: usize = memory.data(4, 4);
/** 1 once all processors may go on. */
const RELEASED: usize = memory.data(4, 4);

/** A usable page below 1 MiB for the start-up code; 0 when the firmware left none. */
export function trampolinePage(): u64 {
  for (let i: u32 = 0; i < BOOT_INFO.rangeCount; i++) {
    if (bootRangeKind(i) != RangeKind.USABLE) continue;
    const start = max<u64>(bootRangePa(i), 0x8000) + PAGE - 1 & ~(PAGE - 1);
    const end = min<u64>(bootRangePa(i) + bootRangeBytes(i), LOW_LIMIT);
    if (start + PAGE <= end) return start;
  }
  return 0;
}

/** Starts the processor `apicId` as CPU `id` on a stack that ends at native `stackTop`; false when it never arrives. */
export function apStart(apicId: u32, id: u32, stackTop: u64): bool {
  const page = trampolinePage();
  if (page == 0) return false;
  const code = imageAddress(ImageSymbol.TRAMPOLINE_VA) - imageAddress(ImageSymbol.KERNEL_OFFSET);
  const size = imageAddress(ImageSymbol.TRAMPOLINE_END_VA) - imageAddress(ImageSymbol.TRAMPOLINE_VA);
  physCopy(page, code, <u32>size);
  physStore32(page + PARAM_CR3, <u32>readCr3());
  physStore32(page + PARAM_CPU, id);
  physStore64(page + PARAM_STACK, stackTop);
  physStore64(page + PARAM_EFER, rdmsr(IA32_EFER) & ~EFER_LMA);

  apicSendInit(apicId);
  delayNs(INIT_DELAY_NS);
  apicSendStartup(apicId, <u32>(page >> 12));
  if (arrivalWait(id, FIRST_WAIT_NS)) return true;
  apicSendStartup(apicId, <u32>(page >> 12));
  return arrivalWait(id, SECOND_WAIT_NS);
}

function arrivalWait(id: u32, limitNs: u64): bool {
  const end = monoNowNs() + limitNs;
  while (atomic.load<u32>(ARRIVED) != id) {
    if (monoNowNs() > end) return false;
    cpuPause();
  }
  return true;
}

/** CPU `id` tells the boot CPU that it left the trampoline page, and waits for all others. */
export function apArrive(id: u32): void {
  atomic.store<u32>(ARRIVED, id);
  while (atomic.load<u32>(RELEASED) == 0) cpuPause();
}

/** Lets the processors that arrived go on. */
export function apRelease(): void {
  atomic.store<u32>(RELEASED, 1);
}
