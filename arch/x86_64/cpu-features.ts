/**
 * What this processor can do, and the control bits that switch it on.
 *
 * Locking  detected once on the boot CPU; cpuFeaturesEnable() runs on every CPU.
 * Spec     SDM vol. 2A "CPUID"; vol. 3A, 2.5 "Control Registers".
 */
import {
  CpuOption, ImageSymbol, cpuOptionsSet, cpuid, imageAddress, physLoad64, physStore8, rdmsr, readCr0, readCr4, writeCr0,
  writeCr4, wrmsr,
} from "./intrinsics";

@final @unmanaged
export class CpuFeatures {
  hasNx: u32;
  hasSmep: u32;
  hasSmap: u32;
  hasUmip: u32;
  hasPcid: u32;
  hasInvpcid: u32;
  hasFsgsbase: u32;
  hasXsave: u32;
  hasXsaveopt: u32;
  hasX2apic: u32;
  hasTscDeadline: u32;
  hasInvariantTsc: u32;
  hasRdrand: u32;
  hasRdseed: u32;
  hasPage1g: u32;
  hasAvx: u32;
  hasRdtscp: u32;
  hasErms: u32;
  hwcap: u32;        // AT_HWCAP: CPUID.1:EDX
  hwcap2: u32;       // AT_HWCAP2
  family: u32;
  model: u32;
  stepping: u32;
  physicalBits: u32;
  vendor0: u32;      // ebx, edx, ecx of leaf 0
  vendor1: u32;
  vendor2: u32;
  featuresEcx: u32;  // CPUID.1:ECX
  features7Ebx: u32; // CPUID.7.0:EBX
  features7Ecx: u32;
  featuresExtEdx: u32; // CPUID.80000001:EDX
  featuresExtEcx: u32;
}

export const CPU_FEATURES = changetype<CpuFeatures>(memory.data(offsetof<CpuFeatures>()));
/** Brand string, 48 bytes, NUL padded. */
export const CPU_BRAND: usize = memory.data(48);
const REGS: usize = memory.data(16);

const CR0_MP: u64 = 1 << 1;
const CR0_EM: u64 = 1 << 2;
const CR0_TS: u64 = 1 << 3;
const CR0_NE: u64 = 1 << 5;
const CR0_WP: u64 = 1 << 16;
const CR4_PGE: u64 = 1 << 7;
const CR4_OSFXSR: u64 = 1 << 9;
const CR4_OSXMMEXCPT: u64 = 1 << 10;
const CR4_UMIP: u64 = 1 << 11;
const CR4_FSGSBASE: u64 = 1 << 16;
const CR4_PCIDE: u64 = 1 << 17;
const CR4_OSXSAVE: u64 = 1 << 18;
const CR4_SMEP: u64 = 1 << 20;
const CR4_SMAP: u64 = 1 << 21;
const IA32_EFER: u32 = 0xc0000080;
const EFER_SCE: u64 = 1;
const EFER_NXE: u64 = 1 << 11;

function bit(value: u32, index: u32): u32 {
  return (value >> index) & 1;
}

/** Reads CPUID into CPU_FEATURES (boot CPU). */
export function cpuFeaturesDetect(): void {
  const f = CPU_FEATURES;
  cpuid(0, 0, REGS);
  const maxLeaf = load<u32>(REGS);
  f.vendor0 = load<u32>(REGS, 4);
  f.vendor1 = load<u32>(REGS, 12);
  f.vendor2 = load<u32>(REGS, 8);
  detectBasic(f);
  if (maxLeaf >= 7) detectStructured(f);
  if (maxLeaf >= 0xd && f.hasXsave) {
    cpuid(0xd, 1, REGS);
    f.hasXsaveopt = bit(load<u32>(REGS), 0);
  }
  detectExtended(f);
}

function detectBasic(f: CpuFeatures): void {
  cpuid(1, 0, REGS);
  const signature = load<u32>(REGS);
  f.stepping = signature & 15;
  f.family = (signature >> 8) & 15;
  f.model = (signature >> 4) & 15;
  if (f.family == 15) f.family += (signature >> 20) & 0xff;
  if (f.family == 6 || f.family >= 15) f.model |= (signature >> 12) & 0xf0;
  const ecx = load<u32>(REGS, 8);
  f.featuresEcx = ecx;
  f.hwcap = load<u32>(REGS, 12);
  f.hasPcid = bit(ecx, 17);
  f.hasX2apic = bit(ecx, 21);
  f.hasTscDeadline = bit(ecx, 24);
  f.hasXsave = bit(ecx, 26);
  f.hasAvx = bit(ecx, 28);
  f.hasRdrand = bit(ecx, 30);
}

function detectStructured(f: CpuFeatures): void {
  cpuid(7, 0, REGS);
  const ebx = load<u32>(REGS, 4);
  const ecx = load<u32>(REGS, 8);
  f.features7Ebx = ebx;
  f.features7Ecx = ecx;
  f.hasFsgsbase = bit(ebx, 0);
  f.hasSmep = bit(ebx, 7);
  f.hasErms = bit(ebx, 9);
  f.hasInvpcid = bit(ebx, 10);
  f.hasRdseed = bit(ebx, 18);
  f.hasSmap = bit(ebx, 20);
  f.hasUmip = bit(ecx, 2);
  f.hwcap2 = f.hasFsgsbase ? 2 : 0; // HWCAP2_FSGSBASE
}

function detectExtended(f: CpuFeatures): void {
  cpuid(0x80000000, 0, REGS);
  const maxLeaf = load<u32>(REGS);
  if (maxLeaf >= 0x80000001) {
    cpuid(0x80000001, 0, REGS);
    f.featuresExtEcx = load<u32>(REGS, 8);
    f.featuresExtEdx = load<u32>(REGS, 12);
    f.hasNx = bit(f.featuresExtEdx, 20);
    f.hasPage1g = bit(f.featuresExtEdx, 26);
    f.hasRdtscp = bit(f.featuresExtEdx, 27);
  }
  if (maxLeaf >= 0x80000004) {
    for (let i: u32 = 0; i < 3; i++) cpuid(0x80000002 + i, 0, CPU_BRAND + (i << 4));
  }
  if (maxLeaf >= 0x80000007) {
    cpuid(0x80000007, 0, REGS);
    f.hasInvariantTsc = bit(load<u32>(REGS, 12), 8);
  }
  f.physicalBits = 36;
  if (maxLeaf >= 0x80000008) {
    cpuid(0x80000008, 0, REGS);
    f.physicalBits = load<u32>(REGS) & 0xff;
  }
}

/** True when CR4.PCIDE is set on every CPU. */
export function cpuHasPcid(): bool { return CPU_FEATURES.hasPcid != 0; }

/** Switches on what was detected, on this CPU. CR3 names PCID 0 (SDM vol. 3A, 4.10.1). */
export function cpuFeaturesEnable(): void {
  const f = CPU_FEATURES;
  writeCr0((readCr0() | CR0_MP | CR0_NE | CR0_WP) & ~(CR0_EM | CR0_TS));
  let cr4 = readCr4() | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT;
  if (f.hasUmip) cr4 |= CR4_UMIP;
  if (f.hasFsgsbase) cr4 |= CR4_FSGSBASE;
  if (f.hasXsave) cr4 |= CR4_OSXSAVE;
  if (f.hasSmep) cr4 |= CR4_SMEP;
  if (f.hasSmap) cr4 |= CR4_SMAP;
  if (f.hasPcid) cr4 |= CR4_PCIDE;
  writeCr4(cr4);
  wrmsr(IA32_EFER, rdmsr(IA32_EFER) | EFER_SCE | (f.hasNx ? EFER_NXE : 0));
}

/** Tells the intrinsics what there is, and puts STAC and CLAC into the user-access code when the CPU has SMAP. */
export function cpuFeaturesApply(): void {
  const f = CPU_FEATURES;
  let options: u32 = 0;
  if (f.hasXsave) options |= CpuOption.XSAVE;
  if (f.hasXsaveopt) options |= CpuOption.XSAVEOPT;
  if (f.hasRdrand) options |= CpuOption.RDRAND;
  if (f.hasRdseed) options |= CpuOption.RDSEED;
  cpuOptionsSet(options);
  if (f.hasSmap) smapSitesPatch();
}

/** user-access.inc: records { site, instruction }; text is written through the direct map, before it ever ran. */
function smapSitesPatch(): void {
  const offset = imageAddress(ImageSymbol.KERNEL_OFFSET);
  const end = imageAddress(ImageSymbol.SMAP_SITES_END_VA) - offset;
  for (let record = imageAddress(ImageSymbol.SMAP_SITES_VA) - offset; record < end; record += 16) {
    const site = physLoad64(record) - offset;
    const instruction = physLoad64(record + 8);
    for (let i: u64 = 0; i < 3; i++) physStore8(site + i, <u32>(instruction >> (i * 8)) & 0xff);
  }
}
