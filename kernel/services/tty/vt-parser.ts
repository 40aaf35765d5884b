/**
 * The VT100/ANSI parser: bytes from programs become operations on a Screen.
 *
 * It understands what the terminfo entry "linux" uses and what full-screen programs ask besides; sequences it does
 * not know are swallowed whole.
 *
 * Locking  vtLock of the owner.
 * Spec     ECMA-48 5th ed.; Linux console_codes(4); states after Paul Williams' DEC-compatible parser.
 */
import { bytePut, wordAt32, wordPut32 } from "../../lib/bytes";
import {
  SCREEN_PARAMS, Screen, ScreenMode, screenAlign, screenDeleteChars, screenDeleteLines, screenEraseChars,
  screenEraseDisplay, screenEraseLine, screenGoto, screenGotoOrigin, screenInsertChars, screenInsertLines,
  screenLineFeed, screenPut, screenRegion, screenReset, screenRestore, screenReverseFeed, screenSave, screenScrollDown,
  screenScrollUp, screenStep, screenTab, screenTabSet, screenTabsClear,
} from "./vt-screen";
import { sgrApply } from "./vt-sgr";
import { LINE_DRAWING } from "./vt-charset";

const enum ParserState { GROUND = 0, ESCAPE = 1, CSI = 2, CSI_IGNORE = 3, STRING = 4, STRING_ESCAPE = 5, CHARSET0 = 6, CHARSET1 = 7, HASH = 8, PERCENT = 9 }

const ESC: u32 = 0x1b;
const REPLACEMENT: u32 = 0xfffd;
const REPLY_BYTES: u32 = 32;

/** One byte of program output. */
export function vtPut(s: Screen, byte: u32): void {
  if (byte < 0x20 && s.state < <u32>ParserState.STRING) {
    if (byte == ESC) {
      s.state = ParserState.ESCAPE;
      s.utf8Left = 0;
    } else {
      controlByte(s, byte);
    }
    return;
  }
  if (s.state == ParserState.GROUND) return groundByte(s, byte);
  stateByte(s, byte);
}

function stateByte(s: Screen, byte: u32): void {
  switch (s.state) {
    case ParserState.ESCAPE: return escapeByte(s, byte);
    case ParserState.CSI: return csiByte(s, byte);
    case ParserState.CSI_IGNORE:
      if (byte >= 0x40 && byte <= 0x7e) s.state = ParserState.GROUND;
      return;
    case ParserState.STRING: return stringByte(s, byte);
    case ParserState.STRING_ESCAPE:
      s.state = ParserState.GROUND; // ESC \ ends a string; any other escape ends it too
      if (byte != 0x5c) escapeByte(s, byte);
      return;
    case ParserState.CHARSET0: case ParserState.CHARSET1: return charsetByte(s, byte);
    case ParserState.HASH:
      s.state = ParserState.GROUND;
      if (byte == 0x38) screenAlign(s);
      return;
    default: // ESC % G and ESC % @: UTF-8 on and off
      s.state = ParserState.GROUND;
      if (byte == 0x40) s.modes &= ~(<u32>ScreenMode.UTF8);
      else s.modes |= ScreenMode.UTF8;
  }
}

/** C0 controls act even inside a sequence. */
function controlByte(s: Screen, byte: u32): void {
  switch (byte) {
    case 0x08:
      if (s.wrapPending) s.wrapPending = 0;
      else if (s.col > 0) s.col--;
      return;
    case 0x09: return screenTab(s);
    case 0x0a: case 0x0b: case 0x0c:
      screenLineFeed(s);
      if (s.modes & ScreenMode.NEWLINE) s.col = 0;
      return;
    case 0x0d:
      s.col = 0;
      s.wrapPending = 0;
      return;
    case 0x0e:
      s.charset = 1;
      return;
    case 0x0f:
      s.charset = 0;
      return;
    case 0x18: case 0x1a: // CAN, SUB
      s.state = ParserState.GROUND;
      return;
    default: return; // BEL and the rest show nothing
  }
}

// ---- text ----

function groundByte(s: Screen, byte: u32): void {
  if (byte < 0x80) {
    if (s.utf8Left != 0) {
      s.utf8Left = 0;
      screenPut(s, REPLACEMENT);
    }
    if (byte != 0x7f) screenPut(s, glyphCode(s, byte));
    return;
  }
  if (!(s.modes & ScreenMode.UTF8)) return screenPut(s, byte);
  if ((byte & 0xc0) == 0x80) return continuationByte(s, byte);
  if (s.utf8Left != 0) screenPut(s, REPLACEMENT);
  utf8Start(s, byte);
}

function utf8Start(s: Screen, byte: u32): void {
  s.utf8Left = byte >= 0xf8 ? 0 : byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : byte >= 0xc2 ? 1 : 0;
  s.utf8Code = byte & (0x3f >> s.utf8Left);
  if (s.utf8Left == 0) screenPut(s, REPLACEMENT);
}

function continuationByte(s: Screen, byte: u32): void {
  if (s.utf8Left == 0) return screenPut(s, REPLACEMENT);
  s.utf8Code = s.utf8Code << 6 | byte & 0x3f;
  s.utf8Left--;
  if (s.utf8Left != 0) return;
  const code = s.utf8Code;
  if (code >= 0x300 && code < 0x370) return; // combining marks take no cell
  screenPut(s, code < 0x10000 ? code : REPLACEMENT);
}

/** The line-drawing set replaces 0x60..0x7e when it is invoked. */
function glyphCode(s: Screen, byte: u32): u32 {
  const set = s.charset ? s.g1 : s.g0;
  if (set == 0 || byte < 0x5f) return byte;
  return <u32>LINE_DRAWING.charCodeAt(<i32>byte - 0x5f);
}

// ---- ESC ----

function escapeByte(s: Screen, byte: u32): void {
  s.state = ParserState.GROUND;
  switch (byte) {
    case 0x5b: return csiStart(s); // [
    case 0x5d: case 0x50: case 0x5e: case 0x5f: case 0x58: // ] P ^ _ X
      s.state = ParserState.STRING;
      return;
    case 0x28: // (
      s.state = ParserState.CHARSET0;
      return;
    case 0x29: // )
      s.state = ParserState.CHARSET1;
      return;
    case 0x23: // #
      s.state = ParserState.HASH;
      return;
    case 0x25: // %
      s.state = ParserState.PERCENT;
      return;
    default: escapeFinal(s, byte);
  }
}

function escapeFinal(s: Screen, byte: u32): void {
  switch (byte) {
    case 0x37: return screenSave(s);        // 7
    case 0x38: return screenRestore(s);     // 8
    case 0x44: return screenLineFeed(s);    // D
    case 0x45:                              // E
      s.col = 0;
      return screenLineFeed(s);
    case 0x48: return screenTabSet(s, true); // H
    case 0x4d: return screenReverseFeed(s); // M
    case 0x5a: return identify(s);          // Z
    case 0x63: return screenReset(s);       // c
    default: return;
  }
}

function charsetByte(s: Screen, byte: u32): void {
  const set: u32 = byte == 0x30 ? 1 : 0;
  if (s.state == ParserState.CHARSET0) s.g0 = set;
  else s.g1 = set;
  s.state = ParserState.GROUND;
}

/** OSC, DCS and friends: ignored up to BEL or ESC \. */
function stringByte(s: Screen, byte: u32): void {
  if (byte == 0x07 || byte == 0x18 || byte == 0x1a) s.state = ParserState.GROUND;
  else if (byte == ESC) s.state = ParserState.STRING_ESCAPE;
}

// ---- CSI ----

function csiStart(s: Screen): void {
  s.state = ParserState.CSI;
  s.marker = 0;
  s.paramCount = 0;
  for (let i: u32 = 0; i < SCREEN_PARAMS; i++) paramPut(s, i, 0);
}

function paramPtr(s: Screen, index: u32): usize {
  return changetype<usize>(s) + offsetof<Screen>("params") + (index << 2);
}

function paramPut(s: Screen, index: u32, value: u32): void {
  wordPut32(paramPtr(s, index), value);
}

/** Parameter `index`, 0 when absent. */
export function vtParam(s: Screen, index: u32): u32 {
  return index < SCREEN_PARAMS ? wordAt32(paramPtr(s, index)) : 0;
}

/** Parameter `index` as a count: 0 means 1. */
function paramCount1(s: Screen, index: u32): u32 {
  const value = vtParam(s, index);
  return value == 0 ? 1 : value;
}

function csiByte(s: Screen, byte: u32): void {
  if (byte >= 0x30 && byte <= 0x39) {
    const value = vtParam(s, s.paramCount);
    if (s.paramCount < SCREEN_PARAMS) paramPut(s, s.paramCount, min<u32>(value * 10 + byte - 0x30, 9999));
    return;
  }
  if (byte == 0x3b || byte == 0x3a) {
    if (s.paramCount < SCREEN_PARAMS) s.paramCount++;
    return;
  }
  if (byte >= 0x3c && byte <= 0x3f) {
    s.marker = byte;
    return;
  }
  if (byte == 0x5b) { // ESC [ [ x: a function key echoed back
    s.state = ParserState.CSI_IGNORE;
    return;
  }
  if (byte < 0x40) {
    s.state = ParserState.CSI_IGNORE; // intermediate bytes belong to sequences unknown here
    return;
  }
  s.state = ParserState.GROUND;
  if (s.paramCount < SCREEN_PARAMS) s.paramCount++;
  if (s.marker == 0) csiFinal(s, byte);
  else if (s.marker == 0x3f) privateFinal(s, byte);
}

function csiFinal(s: Screen, byte: u32): void {
  const n = paramCount1(s, 0);
  switch (byte) {
    case 0x40: return screenInsertChars(s, n);                                // @
    case 0x41: return screenStep(s, -(<i32>n));                               // A
    case 0x42: case 0x65: return screenStep(s, n);                            // B e
    case 0x43: case 0x61: return screenGoto(s, s.row, s.col + n);             // C a
    case 0x44: return screenGoto(s, s.row, <i32>s.col - <i32>n);              // D
    case 0x45:                                                                // E
      s.col = 0;
      return screenStep(s, n);
    case 0x46:                                                                // F
      s.col = 0;
      return screenStep(s, -(<i32>n));
    case 0x47: case 0x60: return screenGoto(s, s.row, n - 1);                 // G `
    case 0x48: case 0x66: return screenGotoOrigin(s, n - 1, paramCount1(s, 1) - 1); // H f
    case 0x49:                                                                // I
      for (let i: u32 = 0; i < min<u32>(n, s.cols); i++) screenTab(s);
      return;
    case 0x4a: return screenEraseDisplay(s, vtParam(s, 0));                   // J
    case 0x4b: return screenEraseLine(s, vtParam(s, 0));                      // K
    case 0x4c: return screenInsertLines(s, n);                                // L
    case 0x4d: return screenDeleteLines(s, n);                                // M
    case 0x50: return screenDeleteChars(s, n);                                // P
    case 0x53: return screenScrollUp(s, s.top, s.bottom, n);                  // S
    case 0x54: return screenScrollDown(s, s.top, s.bottom, n);                // T
    default: csiFinalMore(s, byte, n);
  }
}

function csiFinalMore(s: Screen, byte: u32, n: u32): void {
  switch (byte) {
    case 0x58: return screenEraseChars(s, n);                                 // X
    case 0x62:                                                                // b
      for (let i: u32 = 0; i < min<u32>(n, s.cols * s.rows); i++) screenPut(s, s.lastCode);
      return;
    case 0x63: return identify(s);                                            // c
    case 0x64: return screenGotoOrigin(s, n - 1, s.col);                      // d
    case 0x67:                                                                // g
      if (vtParam(s, 0) == 0) screenTabSet(s, false);
      else if (vtParam(s, 0) == 3) screenTabsClear(s);
      return;
    case 0x68: return modeSet(s, true);                                       // h
    case 0x6c: return modeSet(s, false);                                      // l
    case 0x6d: return sgrApply(s, paramPtr(s, 0), s.paramCount);              // m
    case 0x6e: return statusReport(s);                                        // n
    case 0x72: return screenRegion(s, paramCount1(s, 0) - 1, vtParam(s, 1) == 0 ? s.rows : vtParam(s, 1)); // r
    case 0x73: return screenSave(s);                                          // s
    case 0x75: return screenRestore(s);                                       // u
    default: return;
  }
}

/** SM, RM. */
function modeSet(s: Screen, isOn: bool): void {
  for (let i: u32 = 0; i < s.paramCount; i++) {
    if (vtParam(s, i) == 4) modeBit(s, ScreenMode.INSERT, isOn);
    else if (vtParam(s, i) == 20) modeBit(s, ScreenMode.NEWLINE, isOn);
  }
}

/** DECSET, DECRST. */
function privateFinal(s: Screen, byte: u32): void {
  if (byte != 0x68 && byte != 0x6c) return;
  const isOn = byte == 0x68;
  for (let i: u32 = 0; i < s.paramCount; i++) {
    switch (vtParam(s, i)) {
      case 1: modeBit(s, ScreenMode.APP_CURSOR, isOn); break;
      case 5: modeBit(s, ScreenMode.REVERSE, isOn); break;
      case 6:
        modeBit(s, ScreenMode.ORIGIN, isOn);
        screenGotoOrigin(s, 0, 0);
        break;
      case 7:
        modeBit(s, ScreenMode.WRAP, isOn);
        s.wrapPending = 0;
        break;
      case 25: modeBit(s, ScreenMode.CURSOR, isOn); break;
      default: break;
    }
  }
}

function modeBit(s: Screen, bit: u32, isOn: bool): void {
  s.modes = isOn ? s.modes | bit : s.modes & ~bit;
}

// ---- answers ----

function replyByte(s: Screen, byte: u32): void {
  if (s.replyLength == REPLY_BYTES) return;
  bytePut(changetype<usize>(s) + offsetof<Screen>("reply0"), s.replyLength, byte);
  s.replyLength++;
}

function replyText(s: Screen, text: string): void {
  for (let i = 0; i < text.length; i++) replyByte(s, text.charCodeAt(i));
}

function replyDec(s: Screen, value: u32): void {
  if (value >= 10) replyDec(s, value / 10);
  replyByte(s, 0x30 + value % 10);
}

/** DA: "I am a VT102". */
function identify(s: Screen): void {
  if (vtParam(s, 0) == 0) replyText(s, "\x1b[?6c");
}

/** DSR: 5 status, 6 cursor position. */
function statusReport(s: Screen): void {
  if (vtParam(s, 0) == 5) return replyText(s, "\x1b[0n");
  if (vtParam(s, 0) != 6) return;
  replyText(s, "\x1b[");
  replyDec(s, s.row + 1 - (s.modes & ScreenMode.ORIGIN ? s.top : 0));
  replyByte(s, 0x3b);
  replyDec(s, s.col + 1);
  replyByte(s, 0x52);
}
