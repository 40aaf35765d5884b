/**
 * The picture of a virtual terminal: a grid of character cells, a cursor, a scrolling region, tab stops.
 *
 * Pure data and arithmetic: the parser (vt-parser.ts) drives it, the display (vt.ts) copies it to glass.
 *
 *   cell, 32 bits:  | code point 16 | foreground 4 | background 4 | underline 1 | 0 |
 *
 * Invariants  N1  row < rows, col < cols, top < bottom <= rows.
 *             N2  wrapPending only in the last column: the next printed character goes to a new line first.
 * Locking     vtLock of the owner.
 * Spec        ECMA-48; DEC VT102 user guide; Linux console_codes(4).
 */
import { bytesCopy, wordAt32, wordPut32 } from "../../lib/bytes";

/** Most columns a display may have (tab stops are a bit set). */
export const SCREEN_MAX_COLS: u32 = 256;
export const SCREEN_PARAMS: u32 = 16;
export const CELL_UNDERLINE: u32 = 1 << 24;
const BLANK: u32 = 0x20;

export const enum ScreenMode {
  WRAP = 1, INSERT = 2, ORIGIN = 4, CURSOR = 8, NEWLINE = 16, APP_CURSOR = 32, REVERSE = 64, UTF8 = 128,
}

/** Bits of Screen.sgr besides the colours. */
export const enum Sgr { BOLD = 0x100, DIM = 0x200, UNDERLINE = 0x400, BLINK = 0x800, REVERSE = 0x1000 }
/** White on black. */
export const SGR_DEFAULT: u32 = 0x07;

@final @unmanaged
export class Screen {
  cells: u32;        // rows * cols words
  rows: u32;
  cols: u32;
  row: u32;          // cursor
  col: u32;
  top: u32;          // scrolling region: first row
  bottom: u32;       // scrolling region: row after the last
  sgr: u32;          // foreground | background << 4 | Sgr bits
  modes: u32;        // ScreenMode
  wrapPending: u32;
  charset: u32;      // 0: G0 in use, 1: G1
  g0: u32;           // 0 ASCII, 1 line drawing
  g1: u32;
  savedRow: u32;
  savedCol: u32;
  savedSgr: u32;
  savedCharset: u32;
  savedG0: u32;
  savedG1: u32;
  savedModes: u32;
  state: u32;        // ParserState
  marker: u32;       // private marker of the sequence: '?', '>' or 0
  paramCount: u32;
  utf8Left: u32;     // continuation bytes still to come
  utf8Code: u32;
  replyLength: u32;  // bytes to send back to the program
  lastCode: u32;     // for REP
  reserved: u32;
  tabs0: u64;        // a bit per column, 256 of them
  tabs1: u64;
  tabs2: u64;
  tabs3: u64;
  params: u64;       // SCREEN_PARAMS words, by value
  params1: u64;
  params2: u64;
  params3: u64;
  params4: u64;
  params5: u64;
  params6: u64;
  params7: u64;
  reply0: u64;       // 32 bytes, by value
  reply1: u64;
  reply2: u64;
  reply3: u64;
}

/** SAFETY: `address` is a Screen, as the tables of vt.ts. */
export function screenOf(address: usize): Screen { return changetype<Screen>(address); }

/** Sets up a cleared screen over `rows * cols` words at `cells`. */
export function screenInit(s: Screen, cells: usize, rows: u32, cols: u32): void {
  s.cells = <u32>cells;
  s.rows = rows;
  s.cols = cols < SCREEN_MAX_COLS ? cols : SCREEN_MAX_COLS;
  screenReset(s);
}

/** RIS: everything as after power-on. */
export function screenReset(s: Screen): void {
  s.row = 0;
  s.col = 0;
  s.top = 0;
  s.bottom = s.rows;
  s.sgr = SGR_DEFAULT;
  s.modes = ScreenMode.WRAP | ScreenMode.CURSOR | ScreenMode.UTF8;
  s.wrapPending = 0;
  s.charset = 0;
  s.g0 = 0;
  s.g1 = 1;
  s.state = 0;
  s.utf8Left = 0;
  s.replyLength = 0;
  screenSave(s);
  s.tabs0 = s.tabs1 = s.tabs2 = s.tabs3 = 0x0101010101010100;
  screenFill(s, 0, s.rows * s.cols);
}

// ---- attributes ----

/** The colour word that a printed character gets now. */
export function screenAttribute(s: Screen): u32 {
  let fg = s.sgr & 15;
  let bg = s.sgr >> 4 & 15;
  if (s.sgr & Sgr.BOLD) fg |= 8;
  else if (s.sgr & Sgr.DIM) fg = fg & 7 ? 8 : fg;
  if (s.sgr & Sgr.BLINK) bg |= 8;
  if (s.sgr & Sgr.REVERSE) {
    const swap = fg;
    fg = bg;
    bg = swap;
  }
  const line: u32 = s.sgr & Sgr.UNDERLINE ? CELL_UNDERLINE : 0;
  return fg << 16 | bg << 20 | line;
}

/** What erased cells hold: a blank on the current background. */
function blankCell(s: Screen): u32 {
  return BLANK | 7 << 16 | (s.sgr >> 4 & 15) << 20;
}

// ---- cells ----

function cellPtr(s: Screen, row: u32, col: u32): usize {
  return s.cells + ((row * s.cols + col) << 2);
}

export function screenCell(s: Screen, row: u32, col: u32): u32 {
  return wordAt32(cellPtr(s, row, col));
}

/** Blanks `count` cells from cell number `first`. */
function screenFill(s: Screen, first: u32, count: u32): void {
  const cell = blankCell(s);
  for (let i: u32 = 0; i < count; i++) wordPut32(s.cells + ((first + i) << 2), cell);
}

/** Moves `count` cells; the ranges may overlap. */
function screenMove(s: Screen, to: u32, from: u32, count: u32): void {
  bytesCopy(s.cells + (to << 2), s.cells + (from << 2), count << 2);
}

/** Prints one character at the cursor. */
export function screenPut(s: Screen, code: u32): void {
  if (s.wrapPending) {
    s.wrapPending = 0;
    s.col = 0;
    screenLineFeed(s);
  }
  if (s.modes & ScreenMode.INSERT) screenInsertChars(s, 1);
  wordPut32(cellPtr(s, s.row, s.col), code | screenAttribute(s));
  s.lastCode = code;
  if (s.col + 1 < s.cols) s.col++;
  else if (s.modes & ScreenMode.WRAP) s.wrapPending = 1; // N2
}

/** Moves [top, bottom) up by `lines`, blanking below. */
export function screenScrollUp(s: Screen, top: u32, bottom: u32, lines: u32): void {
  const n = min<u32>(lines, bottom - top);
  screenMove(s, top * s.cols, (top + n) * s.cols, (bottom - top - n) * s.cols);
  screenFill(s, (bottom - n) * s.cols, n * s.cols);
}

/** Moves [top, bottom) down by `lines`, blanking above. */
export function screenScrollDown(s: Screen, top: u32, bottom: u32, lines: u32): void {
  const n = min<u32>(lines, bottom - top);
  screenMove(s, (top + n) * s.cols, top * s.cols, (bottom - top - n) * s.cols);
  screenFill(s, top * s.cols, n * s.cols);
}

/** IND: down one line, scrolling at the bottom of the region. */
export function screenLineFeed(s: Screen): void {
  if (s.row + 1 == s.bottom) screenScrollUp(s, s.top, s.bottom, 1);
  else if (s.row + 1 < s.rows) s.row++;
  s.wrapPending = 0;
}

/** RI: up one line, scrolling at the top of the region. */
export function screenReverseFeed(s: Screen): void {
  if (s.row == s.top) screenScrollDown(s, s.top, s.bottom, 1);
  else if (s.row > 0) s.row--;
  s.wrapPending = 0;
}

// ---- cursor ----

/** Places the cursor, clamped to the screen. */
export function screenGoto(s: Screen, row: i32, col: i32): void {
  s.row = <u32>max<i32>(0, min<i32>(row, <i32>s.rows - 1));
  s.col = <u32>max<i32>(0, min<i32>(col, <i32>s.cols - 1));
  s.wrapPending = 0;
}

/** CUP: rows count from the region's top in origin mode, and stay inside it. */
export function screenGotoOrigin(s: Screen, row: i32, col: i32): void {
  if (!(s.modes & ScreenMode.ORIGIN)) return screenGoto(s, row, col);
  screenGoto(s, min<i32>(row + <i32>s.top, <i32>s.bottom - 1), col);
}

/** CUU and CUD: vertical steps stop at the region's edge when they start inside it. */
export function screenStep(s: Screen, rows: i32): void {
  const inside = s.row >= s.top && s.row < s.bottom;
  const low = inside ? <i32>s.top : 0;
  const high = inside ? <i32>s.bottom - 1 : <i32>s.rows - 1;
  screenGoto(s, max<i32>(low, min<i32>(high, <i32>s.row + rows)), <i32>s.col);
}

export function screenSave(s: Screen): void {
  s.savedRow = s.row;
  s.savedCol = s.col;
  s.savedSgr = s.sgr;
  s.savedCharset = s.charset;
  s.savedG0 = s.g0;
  s.savedG1 = s.g1;
  s.savedModes = s.modes & ScreenMode.ORIGIN;
}

export function screenRestore(s: Screen): void {
  screenGoto(s, <i32>s.savedRow, <i32>s.savedCol);
  s.sgr = s.savedSgr;
  s.charset = s.savedCharset;
  s.g0 = s.savedG0;
  s.g1 = s.savedG1;
  s.modes = s.modes & ~(<u32>ScreenMode.ORIGIN) | s.savedModes;
}

/** DECSTBM: a region of at least two lines; the cursor goes home. */
export function screenRegion(s: Screen, top: u32, bottom: u32): void {
  if (top + 1 >= bottom || bottom > s.rows) return;
  s.top = top;
  s.bottom = bottom;
  screenGotoOrigin(s, 0, 0);
}

// ---- editing ----

/** ED: 0 to the end, 1 from the start, 2 and 3 all. */
export function screenEraseDisplay(s: Screen, what: u32): void {
  const at = s.row * s.cols + s.col;
  const all = s.rows * s.cols;
  s.wrapPending = 0;
  if (what == 0) screenFill(s, at, all - at);
  else if (what == 1) screenFill(s, 0, at + 1);
  else if (what <= 3) screenFill(s, 0, all);
}

/** EL: the same within the line. */
export function screenEraseLine(s: Screen, what: u32): void {
  const start = s.row * s.cols;
  s.wrapPending = 0;
  if (what == 0) screenFill(s, start + s.col, s.cols - s.col);
  else if (what == 1) screenFill(s, start, s.col + 1);
  else if (what == 2) screenFill(s, start, s.cols);
}

export function screenEraseChars(s: Screen, count: u32): void {
  screenFill(s, s.row * s.cols + s.col, min<u32>(count, s.cols - s.col));
}

export function screenInsertChars(s: Screen, count: u32): void {
  const n = min<u32>(count, s.cols - s.col);
  const at = s.row * s.cols + s.col;
  screenMove(s, at + n, at, s.cols - s.col - n);
  screenFill(s, at, n);
}

export function screenDeleteChars(s: Screen, count: u32): void {
  const n = min<u32>(count, s.cols - s.col);
  const at = s.row * s.cols + s.col;
  screenMove(s, at, at + n, s.cols - s.col - n);
  screenFill(s, at + s.cols - s.col - n, n);
}

/** IL and DL work from the cursor's line to the end of the region, and only inside it. */
export function screenInsertLines(s: Screen, count: u32): void {
  if (s.row >= s.top && s.row < s.bottom) screenScrollDown(s, s.row, s.bottom, count);
}

export function screenDeleteLines(s: Screen, count: u32): void {
  if (s.row >= s.top && s.row < s.bottom) screenScrollUp(s, s.row, s.bottom, count);
}

// ---- tab stops ----

function tabPtr(s: Screen, col: u32): usize {
  return changetype<usize>(s) + offsetof<Screen>("tabs0") + (col >> 5 << 2);
}

export function screenTabSet(s: Screen, isSet: bool): void {
  const word = wordAt32(tabPtr(s, s.col));
  const bit: u32 = 1 << (s.col & 31);
  wordPut32(tabPtr(s, s.col), isSet ? word | bit : word & ~bit);
}

export function screenTabsClear(s: Screen): void {
  s.tabs0 = s.tabs1 = s.tabs2 = s.tabs3 = 0;
}

/** HT: to the next stop, or the last column. */
export function screenTab(s: Screen): void {
  let col = s.col;
  do col++;
  while (col < s.cols && (wordAt32(tabPtr(s, col)) >> (col & 31) & 1) == 0);
  screenGoto(s, <i32>s.row, <i32>col);
}

/** DECALN: fills the screen with E for adjusting the display. */
export function screenAlign(s: Screen): void {
  for (let i: u32 = 0; i < s.rows * s.cols; i++) wordPut32(s.cells + (i << 2), 0x45 | 7 << 16);
  screenGoto(s, 0, 0);
}
