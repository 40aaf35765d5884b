/** /proc/cpuinfo. Spec: Linux arch/x86/kernel/cpu/proc.c. */
import { CPU_BRAND, CPU_FEATURES, CpuFeatures } from "../../../../arch/x86_64/cpu-features";
import { TIMEKEEPER } from "../../../../arch/x86_64/timer";
import { MAX_CPUS, cpuAt } from "../../../core/sched/cpu";
import { byteAt } from "../../../lib/bytes";
import { SeqBuf, seqByte, seqCString, seqDec, seqDecPad, seqStr } from "./seq-buf";

const BRAND_BYTES: u32 = 48;
const VIRTUAL_BITS: u32 = 48;

/** Flag names by bit of CPUID.1:EDX, "" for reserved; then ECX. Space-separated literals walked by flagsPut. */
const FLAGS_EDX: string = "fpu vme de pse tsc msr pae mce cx8 apic - sep mtrr pge mca cmov pat pse36 pn clflush - dts acpi mmx fxsr sse sse2 ss ht tm ia64 pbe ";
const FLAGS_ECX: string = "pni pclmulqdq dtes64 monitor ds_cpl vmx smx est tm2 ssse3 cid sdbg fma cx16 xtpr pdcm - pcid dca sse4_1 sse4_2 x2apic movbe popcnt tsc_deadline_timer aes xsave - avx f16c rdrand hypervisor ";
const FLAGS_7EBX: string = "fsgsbase tsc_adjust - bmi1 hle avx2 - smep bmi2 erms invpcid rtm cqm - mpx rdt_a avx512f avx512dq rdseed adx smap avx512ifma - clflushopt clwb intel_pt avx512pf avx512er avx512cd sha_ni avx512bw avx512vl ";
const FLAGS_EXT_EDX: string = "- - - - - - - - - - - syscall - - - - - - - mp nx - mmxext - - fxsr_opt pdpe1gb rdtscp - lm 3dnowext 3dnow ";
const FLAGS_EXT_ECX: string = "lahf_lm cmp_legacy svm extapic cr8_legacy abm sse4a misalignsse 3dnowprefetch osvw ibs xop skinit wdt - lwp fma4 tce - nodeid_msr - tbm topoext perfctr_core perfctr_nb - bpext ptsc perfctr_llc mwaitx - - ";

export function cpuinfoShow(seq: SeqBuf, pid: u32, tid: u32): i32 {
  for (let i: u32 = 0; i < MAX_CPUS; i++) {
    if (cpuAt(i).isOnline) cpuPut(seq, i);
  }
  return 0;
}

function cpuPut(seq: SeqBuf, id: u32): void {
  field(seq, "processor\t: ", id);
  seqStr(seq, "vendor_id\t: ");
  seqCString(seq, changetype<usize>(CPU_FEATURES) + offsetof<CpuFeatures>("vendor0"), 12);
  field(seq, "\ncpu family\t: ", CPU_FEATURES.family);
  field(seq, "model\t\t: ", CPU_FEATURES.model);
  seqStr(seq, "model name\t: ");
  brandPut(seq);
  field(seq, "\nstepping\t: ", CPU_FEATURES.stepping);
  seqStr(seq, "cpu MHz\t\t: ");
  seqDec(seq, TIMEKEEPER.tscHz / 1_000_000);
  seqByte(seq, 0x2e);
  seqDecPad(seq, TIMEKEEPER.tscHz / 1000 % 1000, 3, 0x30);
  seqStr(seq, "\nphysical id\t: 0\n");
  field(seq, "apicid\t\t: ", cpuAt(id).apicId);
  seqStr(seq, "fpu\t\t: yes\nfpu_exception\t: yes\nwp\t\t: yes\nflags\t\t:");
  flagsPut(seq, FLAGS_EDX, CPU_FEATURES.hwcap);
  flagsPut(seq, FLAGS_EXT_EDX, CPU_FEATURES.featuresExtEdx);
  flagsPut(seq, FLAGS_ECX, CPU_FEATURES.featuresEcx);
  flagsPut(seq, FLAGS_EXT_ECX, CPU_FEATURES.featuresExtEcx);
  flagsPut(seq, FLAGS_7EBX, CPU_FEATURES.features7Ebx);
  seqStr(seq, "\nclflush size\t: 64\ncache_alignment\t: 64\naddress sizes\t: ");
  seqDec(seq, CPU_FEATURES.physicalBits);
  seqStr(seq, " bits physical, ");
  seqDec(seq, VIRTUAL_BITS);
  seqStr(seq, " bits virtual\n\n");
}

function field(seq: SeqBuf, name: string, value: u64): void {
  seqStr(seq, name);
  seqDec(seq, value);
  seqByte(seq, 0x0a);
}

/** The brand string without the blanks that pad it on the left. */
function brandPut(seq: SeqBuf): void {
  let from: u32 = 0;
  while (from < BRAND_BYTES && byteAt(CPU_BRAND, from) == 0x20) from++;
  seqCString(seq, CPU_BRAND + from, BRAND_BYTES - from);
}

/** The names of the bits that are set; a name of "-" stands for a bit without one. */
function flagsPut(seq: SeqBuf, names: string, bits: u32): void {
  let bit: u32 = 0;
  let start = 0;
  for (let i = 0; i < names.length; i++) {
    if (names.charCodeAt(i) != 0x20) continue;
    if ((bits >> bit & 1) && names.charCodeAt(start) != 0x2d) {
      seqByte(seq, 0x20);
      for (let at = start; at < i; at++) seqByte(seq, names.charCodeAt(at));
    }
    bit++;
    start = i + 1;
  }
}
