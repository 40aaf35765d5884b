/**
 * US keyboard layout for scan code set 1.
 *
 * Spec  IBM PS/2 technical reference, "Scan code set 1".
 */

/** Bytes of scan codes 0x00 to 0x39 without and with shift; 0: no character. */
export const KEY_PLAIN: string = "\u0000\u001b1234567890-=\u007f\tqwertyuiop[]\r\u0000asdfghjkl;'`\u0000\\zxcvbnm,./\u0000*\u0000 ";
export const KEY_SHIFT: string = "\u0000\u001b!@#$%^&*()_+\u007f\tQWERTYUIOP{}\r\u0000ASDFGHJKL:\"~\u0000|ZXCVBNM<>?\u0000*\u0000 ";
/** The number pad, 0x47 to 0x53, with NumLock. */
export const KEY_PAD: string = "789-456+1230.";

/** Scan codes with a meaning of their own. */
export const enum Scan {
  CTRL = 0x1d, SHIFT_LEFT = 0x2a, SHIFT_RIGHT = 0x36, ALT = 0x38, CAPS = 0x3a, F1 = 0x3b, F10 = 0x44, NUM = 0x45,
  HOME = 0x47, UP = 0x48, PAGE_UP = 0x49, LEFT = 0x4b, RIGHT = 0x4d, END = 0x4f, DOWN = 0x50, PAGE_DOWN = 0x51,
  INSERT = 0x52, DELETE = 0x53, LESS = 0x56, F11 = 0x57, F12 = 0x58, PAD_ENTER = 0x1c, PAD_SLASH = 0x35,
}

/** What a function or cursor key sends, without the leading ESC (the terminfo entry "linux"); "" for none. */
export function keySequence(scan: u32, isAppCursor: bool): string {
  switch (scan) {
    case Scan.UP: return isAppCursor ? "OA" : "[A";
    case Scan.DOWN: return isAppCursor ? "OB" : "[B";
    case Scan.RIGHT: return isAppCursor ? "OC" : "[C";
    case Scan.LEFT: return isAppCursor ? "OD" : "[D";
    case Scan.HOME: return "[1~";
    case Scan.INSERT: return "[2~";
    case Scan.DELETE: return "[3~";
    case Scan.END: return "[4~";
    case Scan.PAGE_UP: return "[5~";
    case Scan.PAGE_DOWN: return "[6~";
    default: return functionKey(scan);
  }
}

function functionKey(scan: u32): string {
  switch (scan) {
    case 0x3b: return "[[A";
    case 0x3c: return "[[B";
    case 0x3d: return "[[C";
    case 0x3e: return "[[D";
    case 0x3f: return "[[E";
    case 0x40: return "[17~";
    case 0x41: return "[18~";
    case 0x42: return "[19~";
    case 0x43: return "[20~";
    case 0x44: return "[21~";
    case Scan.F11: return "[23~";
    case Scan.F12: return "[24~";
    default: return "";
  }
}
