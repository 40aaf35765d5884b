/**
 * Switching the machine off and restarting it.
 *
 * Spec  ACPI 6.5, 4.8.3.2.1 "PM1 Control Registers", 4.8.3.6 "Reset Register"; 8042 pulse of the reset line; the
 *       chipset's reset control register at port 0xCF9.
 */
import { ACPI } from "./acpi";
import { cpuPause, halt, in16, in8, lidt, out16, out8, physStore8, rdtsc } from "./intrinsics";

const SLP_EN: u32 = 1 << 13;
const SCI_EN: u32 = 1;
const KBC_STATUS: u32 = 0x64;
const KBC_INPUT_FULL: u32 = 2;
const KBC_PULSE_RESET: u32 = 0xfe;
const RESET_CONTROL: u32 = 0xcf9;
const SETTLE_TICKS: u64 = 100_000_000; // tens of milliseconds for each method to work

function settle(): void {
  const start = rdtsc();
  while (rdtsc() - start < SETTLE_TICKS) cpuPause();
}

/** Enters S5. Returns only when the machine has no working ACPI: the caller says so and halts. */
export function powerOff(): void {
  if (!ACPI.hasS5 || ACPI.pm1aControl == 0) return;
  if (ACPI.smiCommand != 0 && ACPI.acpiEnable != 0 && (in16(ACPI.pm1aControl) & SCI_EN) == 0) {
    out8(ACPI.smiCommand, ACPI.acpiEnable);
    settle();
  }
  out16(ACPI.pm1aControl, (ACPI.sleepTypeA << 10) | SLP_EN);
  if (ACPI.pm1bControl != 0) out16(ACPI.pm1bControl, (ACPI.sleepTypeB << 10) | SLP_EN);
  settle();
}

/** Restarts the machine by the first method that works; never returns. */
export function powerReboot(): void {
  resetByAcpi();
  resetByKeyboardController();
  out8(RESET_CONTROL, 2);
  out8(RESET_CONTROL, 6);
  settle();
  lidt(0, 0); // no IDT: the next exception is a triple fault
  unreachable();
}

function resetByAcpi(): void {
  if (ACPI.resetSpace == 1) out8(<u32>ACPI.resetAddress, ACPI.resetValue);
  else if (ACPI.resetSpace == 0 && ACPI.resetAddress != 0) physStore8(ACPI.resetAddress, ACPI.resetValue);
  else return;
  settle();
}

function resetByKeyboardController(): void {
  for (let spins: u32 = 0; spins < 100_000; spins++) {
    if ((in8(KBC_STATUS) & KBC_INPUT_FULL) == 0) break;
  }
  out8(KBC_STATUS, KBC_PULSE_RESET);
  settle();
}

/** Stops this CPU for good. */
export function powerHalt(): void {
  halt();
}
