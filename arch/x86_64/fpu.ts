/**
 * Floating-point and vector state: what XSAVE keeps, how large it is, and a clean image to start from.
 *
 * Locking  sizes are set once on the boot CPU; fpuInitCpu() runs on each.
 * Units    bytes.
 * Spec     SDM vol. 1, ch. 13 "Managing State Using the XSAVE Feature Set"; 10.5 FXSAVE.
 */
import { CPU_FEATURES } from "./cpu-features";
import { cpuid, fpuReset, xsetbv } from "./intrinsics";

const XCR0_X87: u64 = 1;
const XCR0_SSE: u64 = 2;
const XCR0_AVX: u64 = 4;
const XCR0_AVX512: u64 = 0xe0;
const LEGACY_BYTES: u32 = 512;
const XSAVE_HEADER_BYTES: u32 = 64;
const FCW_DEFAULT: u32 = 0x37f;
const MXCSR_DEFAULT: u32 = 0x1f80;

/** Largest state the kernel keeps; features beyond it (AMX tiles) stay off. */
export const FPU_AREA_MAX: u32 = 2816;

let areaBytes: u32 = 512;
let enabledMask: u64 = 3;
const REGS: usize = memory.data(16);

/** Chooses the features to enable (boot CPU, after cpuFeaturesEnable). */
export function fpuDetect(): void {
  if (!CPU_FEATURES.hasXsave) return;
  cpuid(0xd, 0, REGS);
  const supported = <u64>load<u32>(REGS) | (<u64>load<u32>(REGS, 12) << 32);
  enabledMask = supported & (XCR0_X87 | XCR0_SSE | XCR0_AVX);
  if ((supported & XCR0_AVX512) == XCR0_AVX512) enabledMask |= XCR0_AVX512;
  xsetbv(0, enabledMask);
  cpuid(0xd, 0, REGS); // EBX now tells the size for what is enabled
  areaBytes = max<u32>(load<u32>(REGS, 4), LEGACY_BYTES + XSAVE_HEADER_BYTES);
  if (areaBytes <= FPU_AREA_MAX) return;
  enabledMask &= XCR0_X87 | XCR0_SSE | XCR0_AVX;
  xsetbv(0, enabledMask);
  cpuid(0xd, 0, REGS);
  areaBytes = load<u32>(REGS, 4);
}

/** Enables the chosen features on this CPU. */
export function fpuInitCpu(): void {
  if (CPU_FEATURES.hasXsave) xsetbv(0, enabledMask);
  fpuReset();
}

/** Bytes of one saved state; areas are 64-byte aligned. */
export function fpuAreaBytes(): u32 {
  return areaBytes;
}

/** XCR0 as enabled: what the signal frame announces. */
export function fpuFeatureMask(): u64 {
  return enabledMask;
}

/** Writes the initial state of a new program to `ptr`. */
export function fpuAreaInit(ptr: usize): void {
  memory.fill(ptr, 0, areaBytes);
  store<u16>(ptr, FCW_DEFAULT);
  store<u32>(ptr, MXCSR_DEFAULT, 24);
  if (CPU_FEATURES.hasXsave) store<u64>(ptr, XCR0_X87 | XCR0_SSE, 512); // XSTATE_BV: take both from here
}
