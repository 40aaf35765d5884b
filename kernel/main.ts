/** The kernel's entry points; the boot sequence reads top to bottom. */
import { serialEarlyInit, serialEarlyPut } from "../arch/x86_64/serial-early";
import { bootInfoParse, BOOT_INFO, CMDLINE } from "../arch/x86_64/boot-info";
import { cpuFeaturesDetect, cpuFeaturesEnable } from "../arch/x86_64/cpu-features";
import { logBegin, logEnd, logInfo, logInit, logKeyDec, logStr, logCString, logKeyHex } from "./lib/log";
import { trapDispatch } from "../arch/x86_64/trap";
import { trapFrameOf } from "../arch/x86_64/trap-frame";
import { rdtsc, halt } from "../arch/current";
function now(): u64 { return rdtsc(); }
function where(): u32 { return 0; }
function sink(ptr: usize, n: u32): void { for (let i: u32 = 0; i < n; i++) serialEarlyPut(load<u8>(ptr + i)); }
export function kernelMain(magic: u32, infoPa: u64): void {
  serialEarlyInit();
  logInit(now, where, sink, 7);
  logInfo("boot", "LimitlessOS");
  bootInfoParse(magic, infoPa);
  logBegin(6, "boot"); logStr("cmdline "); logCString(CMDLINE, 100); logKeyDec("ranges", BOOT_INFO.rangeCount); logKeyHex("initrd", BOOT_INFO.initrdPa); logEnd();
  cpuFeaturesDetect(); cpuFeaturesEnable(false);
  logInfo("boot", "features");
  halt();
}
export function apMain(cpu: u32): void {}
export function trapEntry(frame: usize): void { trapDispatch(trapFrameOf(frame)); }
export function syscallEntry(frame: usize): u32 {return 0;}
export function threadStart(): void {}
