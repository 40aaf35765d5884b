/**
 * Keys to bytes: modifiers, control characters, escape sequences, and the keys the kernel keeps for itself.
 *
 * Alt-F1 to Alt-F6 choose a terminal; Ctrl-Alt-Delete sends SIGINT to process 1, as Linux does when C-A-D is off
 * (busybox init runs its ctrlaltdel action), and restarts the machine when there is no process 1.
 *
 * Locking  runs in one CPU's keyboard interrupt only.
 */
import { powerReboot } from "../../../arch/x86_64/power";
import { Signal } from "../../abi/signal";
import { bytePut } from "../../lib/bytes";
import { processByPid, processPut } from "../process/process-table";
import { signalSendProcess } from "../signal/send";
import { ttyReceive, ttyReceiveRoom } from "../tty/ldisc-input";
import { vtAppCursor, vtKeyboardTty, vtSwitch } from "../tty/vt";
import { KEY_PAD, KEY_PLAIN, KEY_SHIFT, Scan, keySequence } from "./keymap";

const ESC: u32 = 0x1b;
const RELEASE: u32 = 0x80;
const PREFIX_E0: u32 = 0xe0;
const PREFIX_E1: u32 = 0xe1;
const VT_KEYS: u32 = 6;

const enum Mod { SHIFT_LEFT = 1, SHIFT_RIGHT = 2, SHIFT = 3, CTRL_LEFT = 4, CTRL_RIGHT = 8, CTRL = 12, ALT_LEFT = 16, ALT_RIGHT = 32, ALT = 48, CAPS = 64, NUM = 128 }

@final @unmanaged
class KeyState {
  mods: u32;       // Mod
  isExtended: u32; // an 0xe0 came before
  skip: u32;       // bytes of an 0xe1 sequence (Pause) still to ignore
  length: u32;     // bytes in OUT
}
const STATE = changetype<KeyState>(memory.data(offsetof<KeyState>()));
const OUT: usize = memory.data(16);

/** One byte from the keyboard. */
export function keyScanCode(code: u32): void {
  if (STATE.skip != 0) {
    STATE.skip = STATE.skip - 1;
    return;
  }
  if (code == PREFIX_E0) {
    STATE.isExtended = 1;
    return;
  }
  if (code == PREFIX_E1) {
    STATE.skip = 2;
    return;
  }
  const extended = STATE.isExtended != 0;
  STATE.isExtended = 0;
  const scan = code & ~RELEASE;
  if (modifierKey(scan, extended, (code & RELEASE) != 0) || (code & RELEASE) != 0) return;
  if (kernelKey(scan)) return;
  STATE.length = 0;
  keyBytes(scan, extended);
  deliver();
}

/** Shift, Ctrl, Alt and the locks; true when the key was one. */
function modifierKey(scan: u32, extended: bool, isUp: bool): bool {
  let bit: u32 = 0;
  if (scan == Scan.SHIFT_LEFT) bit = extended ? 0 : Mod.SHIFT_LEFT; // E0 2A: fake shift, ignored
  else if (scan == Scan.SHIFT_RIGHT) bit = extended ? 0 : Mod.SHIFT_RIGHT;
  else if (scan == Scan.CTRL) bit = extended ? Mod.CTRL_RIGHT : Mod.CTRL_LEFT;
  else if (scan == Scan.ALT) bit = extended ? Mod.ALT_RIGHT : Mod.ALT_LEFT;
  else if (scan == Scan.CAPS || scan == Scan.NUM) {
    const lock: u32 = scan == Scan.CAPS ? Mod.CAPS : Mod.NUM;
    if (!isUp) STATE.mods = STATE.mods ^ lock;
    return true;
  } else return false;
  STATE.mods = isUp ? STATE.mods & ~bit : STATE.mods | bit;
  return true;
}

/** Keys the kernel acts on; true when it did. */
function kernelKey(scan: u32): bool {
  if (!(STATE.mods & Mod.ALT)) return false;
  if ((STATE.mods & Mod.CTRL) && scan == Scan.DELETE) {
    ctrlAltDelete();
    return true;
  }
  if (scan < <u32>Scan.F1 || scan >= <u32>Scan.F1 + VT_KEYS) return false;
  vtSwitch(scan - Scan.F1);
  return true;
}

function ctrlAltDelete(): void {
  const init = processByPid(1);
  if (!init) {
    powerReboot();
    return;
  }
  signalSendProcess(init, Signal.INT, 0); // a full queue cannot happen: kernel signals take no entry
  processPut(init);
}

/** What the key types, into OUT. */
function keyBytes(scan: u32, extended: bool): void {
  if (extended && scan == Scan.PAD_ENTER) return put(0x0d);
  if (extended && scan == Scan.PAD_SLASH) return put(0x2f);
  if (!extended && scan >= <u32>Scan.HOME && scan <= <u32>Scan.DELETE && padDigit(scan)) return;
  const sequence = keySequence(scan, vtAppCursor());
  if (sequence.length != 0) {
    put(ESC);
    for (let i = 0; i < sequence.length; i++) put(sequence.charCodeAt(i));
    return;
  }
  if (!extended) character(scan);
}

/** The number pad types digits with NumLock, and always + and -. */
function padDigit(scan: u32): bool {
  const c = <u32>KEY_PAD.charCodeAt(scan - Scan.HOME);
  if (!(STATE.mods & Mod.NUM) && c != 0x2b && c != 0x2d) return false;
  put(c);
  return true;
}

function character(scan: u32): void {
  let c: u32 = 0;
  const shifted = (STATE.mods & Mod.SHIFT) != 0;
  if (scan == Scan.LESS) c = shifted ? 0x7c : 0x5c;
  else if (scan < <u32>KEY_PLAIN.length) c = shifted ? KEY_SHIFT.charCodeAt(scan) : KEY_PLAIN.charCodeAt(scan);
  if (c == 0) return;
  if ((STATE.mods & Mod.CAPS) && isLetter(c)) c ^= 0x20;
  if (STATE.mods & Mod.CTRL) c = controlOf(c);
  if (STATE.mods & Mod.ALT) put(ESC);
  put(c);
}

function isLetter(c: u32): bool {
  return (c | 0x20) >= 0x61 && (c | 0x20) <= 0x7a;
}

/** Ctrl with a key: @ to _ and letters give 0 to 31; the rest stays, as on Linux. */
function controlOf(c: u32): u32 {
  if (c == 0x20 || c == 0x32) return 0;
  if (c == 0x2f || c == 0x2d) return 0x1f;
  if (c == 0x7f) return 0x08;
  return c >= 0x40 && c < 0x7f ? c & 0x1f : c;
}

function put(byte: u32): void {
  bytePut(OUT, STATE.length, byte);
  STATE.length = STATE.length + 1;
}

/** Hands the bytes over whole, or drops the key when the terminal has no room. */
function deliver(): void {
  const tty = vtKeyboardTty();
  if (STATE.length == 0 || !tty || ttyReceiveRoom(tty) < STATE.length) return;
  ttyReceive(tty, OUT, STATE.length);
}
