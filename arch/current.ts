/** The port the kernel is built for: portable code imports the machine from here and from nowhere else. */
export * from "./x86_64/intrinsics";
export * from "./x86_64/trap-frame";
export { monoNowNs, ticksToNs, timerArm, timerDisarm, tscToNs } from "./x86_64/timer";
export { tssStackSet } from "./x86_64/gdt";
export { apicSendIpi, Vector } from "./x86_64/apic";
export { fpuAreaBytes, fpuAreaInit, fpuFeatureMask } from "./x86_64/fpu";
export { Exception } from "./x86_64/idt";
export { cpuHasPcid } from "./x86_64/cpu-features";
export { powerHalt, powerOff, powerReboot } from "./x86_64/power";
export { CPU_IRQ_DEPTH, irqRegister } from "./x86_64/trap";
export { rtcReadSeconds } from "./x86_64/rtc";
