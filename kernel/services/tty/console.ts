/**
 * The console: /dev/console, /dev/tty, the named terminals, and where the kernel log appears.
 *
 * `console=` may stand on the command line several times: the log goes to every one named, /dev/console is the last.
 * Without any, both are the screen (tty0) when there is one, else the first serial port.
 *
 * Locking  written once at boot.
 * Spec     Linux Documentation/admin-guide/serial-console.rst.
 */
import { CMDLINE } from "../../../arch/x86_64/boot-info";
import { Errno } from "../../abi/errno";
import { byteAt, bytesSpell } from "../../lib/bytes";
import { logSinkSet } from "../../lib/log";
import { uartFlush, uartLogWrite } from "../driver/uart-send";
import { uartInit } from "../driver/uart16550";
import { currentProcess } from "../process/process";
import { deviceMinor, deviceRegisterChar } from "../vfs/dev/device";
import { fileAllocAnon, fileOpsDefaults } from "../vfs/file";
import { File, FileOps, Inode, OpenFlag, fileOf, isErrPtr } from "../vfs/types";
import { ptyInit } from "./pty";
import { signalLinkInit } from "./signal-link";
import { TTY_FILE_OPS, ttyFileInit, ttyFileOpen } from "./tty-file";
import { ttyOf } from "./tty";
import { VT_COUNT, vtActiveTty, vtInit, vtLogWrite, vtTty } from "./vt";

const TTY_MAJOR: u32 = 4;
const AUX_MAJOR: u32 = 5;
const SERIAL_MINOR: u32 = 64;
const MODE_TTY: u32 = 0o620;

@final @unmanaged
class ConsoleState {
  serial: u32;       // Tty of ttyS0, or 0
  hasScreen: u32;
  isSerialMain: u32; // /dev/console is ttyS0
  logsToSerial: u32;
  logsToScreen: u32;
}
const STATE = changetype<ConsoleState>(memory.data(offsetof<ConsoleState>()));
const TTY_NODE_OPS = changetype<FileOps>(memory.data(offsetof<FileOps>()));
const CONSOLE_OPS = changetype<FileOps>(memory.data(offsetof<FileOps>()));
const CONTROLLING_OPS = changetype<FileOps>(memory.data(offsetof<FileOps>()));

/** Brings up every terminal, their devices and the log's outlets. After slabs, interrupts and deviceInit. */
export function consoleInit(): void {
  signalLinkInit();
  ttyFileInit();
  const serial = uartInit();
  STATE.serial = serial ? <u32>changetype<usize>(serial) : 0;
  STATE.hasScreen = vtInit() ? 1 : 0;
  outletsChoose();
  nodesRegister();
  ptyInit();
  logSinkSet(consoleLogWrite, uartFlush);
}

function outletsChoose(): void {
  let at = CMDLINE;
  let named = false;
  while (byteAt(at, 0) != 0) {
    while (byteAt(at, 0) == 0x20) at++;
    let length: u32 = 0;
    while (byteAt(at, length) != 0 && byteAt(at, length) != 0x20) length++;
    if (outletTake(at, length)) named = true;
    at += length;
  }
  if (named) return;
  STATE.logsToScreen = STATE.hasScreen;
  STATE.logsToSerial = STATE.hasScreen ? 0 : 1;
  STATE.isSerialMain = STATE.logsToSerial;
}

/** One word of the command line; true when it names a console that exists. */
function outletTake(at: usize, length: u32): bool {
  if (length < 12 || !bytesSpell(at, 8, "console=")) return false;
  const value = at + 8;
  if (STATE.serial != 0 && length >= 13 && bytesSpell(value, 5, "ttyS0")) {
    STATE.logsToSerial = 1;
    STATE.isSerialMain = 1;
    return true;
  }
  if (STATE.hasScreen != 0 && bytesSpell(value, 4, "tty0")) {
    STATE.logsToScreen = 1;
    STATE.isSerialMain = 0;
    return true;
  }
  return false;
}

function nodesRegister(): void {
  fileOpsDefaults(TTY_NODE_OPS);
  TTY_NODE_OPS.open = ttyNodeOpen;
  fileOpsDefaults(CONSOLE_OPS);
  CONSOLE_OPS.open = consoleOpen;
  fileOpsDefaults(CONTROLLING_OPS);
  CONTROLLING_OPS.open = controllingOpen;
  deviceRegisterChar(AUX_MAJOR, 0, "tty", 0o666, CONTROLLING_OPS);
  deviceRegisterChar(AUX_MAJOR, 1, "console", 0o600, CONSOLE_OPS);
  if (STATE.serial != 0) deviceRegisterChar(TTY_MAJOR, SERIAL_MINOR, "ttyS0", MODE_TTY, TTY_NODE_OPS);
  if (STATE.hasScreen == 0) return;
  deviceRegisterChar(TTY_MAJOR, 0, "tty0", MODE_TTY, TTY_NODE_OPS);
  deviceRegisterChar(TTY_MAJOR, 1, "tty1", MODE_TTY, TTY_NODE_OPS);
  deviceRegisterChar(TTY_MAJOR, 2, "tty2", MODE_TTY, TTY_NODE_OPS);
  deviceRegisterChar(TTY_MAJOR, 3, "tty3", MODE_TTY, TTY_NODE_OPS);
  deviceRegisterChar(TTY_MAJOR, 4, "tty4", MODE_TTY, TTY_NODE_OPS);
  deviceRegisterChar(TTY_MAJOR, 5, "tty5", MODE_TTY, TTY_NODE_OPS);
  deviceRegisterChar(TTY_MAJOR, 6, "tty6", MODE_TTY, TTY_NODE_OPS);
}

function ttyNodeOpen(inode: Inode, file: File): i32 {
  const minor = deviceMinor(inode.rdev);
  let tty: u32 = 0;
  if (minor == SERIAL_MINOR) tty = STATE.serial;
  else if (minor == 0) tty = vtActiveTty();
  else if (minor <= VT_COUNT) tty = vtTty(minor - 1);
  return tty != 0 ? ttyFileOpen(file, ttyOf(tty)) : -(<i32>Errno.NXIO);
}

/** /dev/console is the main console, and never becomes a controlling terminal by opening it. */
function consoleOpen(inode: Inode, file: File): i32 {
  const tty = consoleTty();
  if (tty == 0) return -(<i32>Errno.NODEV);
  file.flags |= OpenFlag.NOCTTY;
  return ttyFileOpen(file, ttyOf(tty));
}

/** The terminal behind /dev/console, or 0. */
export function consoleTty(): u32 {
  return STATE.isSerialMain || STATE.hasScreen == 0 ? STATE.serial : vtActiveTty();
}

/** /dev/tty is whatever terminal controls the caller. */
function controllingOpen(inode: Inode, file: File): i32 {
  const tty = currentProcess().ctty;
  if (tty == 0) return -(<i32>Errno.NXIO);
  file.flags |= OpenFlag.NOCTTY;
  return ttyFileOpen(file, ttyOf(tty));
}

/** The log's sink: every outlet named on the command line. The log's lock is held. */
function consoleLogWrite(ptr: usize, length: u32): void {
  if (STATE.logsToSerial) uartLogWrite(ptr, length);
  if (STATE.logsToScreen) vtLogWrite(ptr, length);
}

/** The console as an open file for process 1, whose archive may lack /dev/console; a File or an errno as pointer. */
export function consoleFile(): usize {
  const tty = consoleTty();
  if (tty == 0) return <usize>-(<i32>Errno.NODEV);
  const made = fileAllocAnon(TTY_FILE_OPS, "/dev/console", OpenFlag.RDWR | OpenFlag.NOCTTY);
  if (isErrPtr(made)) return made;
  const r = ttyFileOpen(fileOf(made), ttyOf(tty));
  return r != 0 ? <usize>r : made;
}
