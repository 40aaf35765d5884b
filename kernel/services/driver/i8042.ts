/**
 * PS/2 keyboard on an 8042 controller, ISA line 1.
 *
 * The controller translates to scan code set 1; keys become bytes for the terminal on the display (keymap.ts).
 *
 * Invariants  every wait is bounded: a machine without the controller must not hang.
 * Locking     keys are handled in the interrupt of one CPU only; nothing is shared.
 * Spec        IBM PS/2 technical reference, keyboard and auxiliary device controller.
 */
import { in8, out8 } from "../../../arch/current";
import { Vector, apicId } from "../../../arch/x86_64/apic";
import { ioapicRouteIsa } from "../../../arch/x86_64/ioapic";
import { irqRegister } from "../../../arch/x86_64/trap";
import { logInfo } from "../../lib/log";
import { keyScanCode } from "./keyboard";

const DATA: u32 = 0x60;
const STATUS: u32 = 0x64;
const COMMAND: u32 = 0x64;
const KEYBOARD_IRQ: u32 = 1;
const STATUS_OUTPUT_FULL: u32 = 1;
const STATUS_INPUT_FULL: u32 = 2;
const STATUS_AUX: u32 = 1 << 5;
const STATUS_ABSENT: u32 = 0xff;
const COMMAND_READ_CONFIG: u32 = 0x20;
const COMMAND_WRITE_CONFIG: u32 = 0x60;
const COMMAND_DISABLE_AUX: u32 = 0xa7;
const COMMAND_DISABLE_KEYBOARD: u32 = 0xad;
const COMMAND_ENABLE_KEYBOARD: u32 = 0xae;
const CONFIG_KEYBOARD_IRQ: u32 = 1;
const CONFIG_AUX_IRQ: u32 = 2;
const CONFIG_KEYBOARD_OFF: u32 = 1 << 4;
const CONFIG_TRANSLATE: u32 = 1 << 6;
const SPIN_LIMIT: u32 = 10_000;
const DRAIN_LIMIT: u32 = 64;

/** Finds the controller and takes its interrupt; false when there is none. */
export function keyboardInit(): bool {
  if (in8(STATUS) == STATUS_ABSENT) return false;
  if (!commandSend(COMMAND_DISABLE_KEYBOARD) || !commandSend(COMMAND_DISABLE_AUX)) return false;
  drain();
  if (!commandSend(COMMAND_READ_CONFIG)) return false;
  const read = dataRead();
  if (read < 0) return false;
  const config = (<u32>read | CONFIG_KEYBOARD_IRQ | CONFIG_TRANSLATE) & ~(CONFIG_AUX_IRQ | CONFIG_KEYBOARD_OFF);
  if (!commandSend(COMMAND_WRITE_CONFIG) || !inputWait()) return false;
  out8(DATA, config);
  irqRegister(Vector.DEVICE_FIRST + KEYBOARD_IRQ, keyboardInterrupt);
  ioapicRouteIsa(KEYBOARD_IRQ, Vector.DEVICE_FIRST + KEYBOARD_IRQ, apicId());
  if (!commandSend(COMMAND_ENABLE_KEYBOARD)) return false;
  drain();
  logInfo("keyboard", "PS/2 keyboard on the 8042 controller");
  return true;
}

/** Waits until the controller takes a byte. */
function inputWait(): bool {
  for (let spins: u32 = 0; spins < SPIN_LIMIT; spins++) {
    if (!(in8(STATUS) & STATUS_INPUT_FULL)) return true;
  }
  return false;
}

function commandSend(command: u32): bool {
  if (!inputWait()) return false;
  out8(COMMAND, command);
  return true;
}

/** The next byte from the controller, or -1 after a bounded wait. */
function dataRead(): i32 {
  for (let spins: u32 = 0; spins < SPIN_LIMIT; spins++) {
    if (in8(STATUS) & STATUS_OUTPUT_FULL) return in8(DATA);
  }
  return -1;
}

/** Throws away what was typed before anybody listened. */
function drain(): void {
  for (let i: u32 = 0; i < DRAIN_LIMIT && (in8(STATUS) & STATUS_OUTPUT_FULL); i++) in8(DATA);
}

function keyboardInterrupt(vector: u32): void {
  for (let i: u32 = 0; i < DRAIN_LIMIT; i++) {
    const status = in8(STATUS);
    if (!(status & STATUS_OUTPUT_FULL)) return;
    const code = in8(DATA);
    if (!(status & STATUS_AUX)) keyScanCode(code);
  }
}
