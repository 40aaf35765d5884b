/**
 * VGA text mode, 80 by 25: two bytes a cell at 0xb8000.
 *
 * Spec  IBM VGA technical reference: text modes; CRT controller registers 0x0a (cursor start) and attribute controller
 *       0x10 (mode control: bit 3 chooses blinking or bright backgrounds).
 */
import { in8, out8, physLoad16, physStore16 } from "../../../arch/current";
import { CELL_UNDERLINE } from "../tty/vt-screen";
import { DISPLAY, cellBackground, cellForeground } from "./display";

const TEXT_PA: u64 = 0xb8000;
const COLS: u32 = 80;
const ROWS: u32 = 25;
const CRTC_INDEX: u32 = 0x3d4;
const CRTC_DATA: u32 = 0x3d5;
const CURSOR_START: u32 = 0x0a;
const CURSOR_OFF: u32 = 1 << 5;
const ATTRIBUTE_PORT: u32 = 0x3c0;
const ATTRIBUTE_READ: u32 = 0x3c1;
const ATTRIBUTE_RESET: u32 = 0x3da;
const ATTRIBUTE_MODE: u32 = 0x10 | 0x20; // index 0x10, screen stays on
const MODE_BLINK: u32 = 1 << 3;
const TEST_PATTERN: u32 = 0x5aa5;
/** Code points of the glyphs 0x80 to 0xff. */
const CODE_PAGE_437: string =
  "\u00c7\u00fc\u00e9\u00e2\u00e4\u00e0\u00e5\u00e7\u00ea\u00eb\u00e8\u00ef\u00ee\u00ec\u00c4\u00c5\u00c9\u00e6\u00c6\u00f4\u00f6\u00f2\u00fb\u00f9\u00ff\u00d6\u00dc\u00a2\u00a3\u00a5\u20a7\u0192\u00e1\u00ed\u00f3\u00fa\u00f1\u00d1\u00aa\u00ba\u00bf\u2310\u00ac\u00bd\u00bc\u00a1\u00ab\u00bb\u2591\u2592\u2593\u2502\u2524\u2561\u2562\u2556\u2555\u2563\u2551\u2557\u255d\u255c\u255b\u2510\u2514\u2534\u252c\u251c\u2500\u253c\u255e\u255f\u255a\u2554\u2569\u2566\u2560\u2550\u256c\u2567\u2568\u2564\u2565\u2559\u2558\u2552\u2553\u256b\u256a\u2518\u250c\u2588\u2584\u258c\u2590\u2580\u03b1\u00df\u0393\u03c0\u03a3\u03c3\u00b5\u03c4\u03a6\u0398\u03a9\u03b4\u221e\u03c6\u03b5\u2229\u2261\u00b1\u2265\u2264\u2320\u2321\u00f7\u2248\u00b0\u2219\u00b7\u221a\u207f\u00b2\u25a0\u00a0";
const CYAN: u32 = 3; // how underlined text shows, as on Linux

/** Takes the display over; false when no text memory answers. */
export function vgaTextInit(): bool {
  const before = physLoad16(TEXT_PA);
  physStore16(TEXT_PA, TEST_PATTERN);
  const answers = physLoad16(TEXT_PA) == TEST_PATTERN;
  physStore16(TEXT_PA, before);
  if (!answers) return false;
  cursorOff();
  brightBackgrounds();
  DISPLAY.rows = ROWS;
  DISPLAY.cols = COLS;
  DISPLAY.draw = vgaTextDraw;
  return true;
}

/** The cursor is a reversed cell here: the hardware's is off. */
function cursorOff(): void {
  out8(CRTC_INDEX, CURSOR_START);
  out8(CRTC_DATA, in8(CRTC_DATA) | CURSOR_OFF);
}

function brightBackgrounds(): void {
  in8(ATTRIBUTE_RESET);
  out8(ATTRIBUTE_PORT, ATTRIBUTE_MODE);
  const mode = in8(ATTRIBUTE_READ);
  out8(ATTRIBUTE_PORT, mode & ~MODE_BLINK);
}

function vgaTextDraw(row: u32, col: u32, cell: u32): void {
  let fg = cellForeground(cell);
  if ((cell & CELL_UNDERLINE) && fg == 7) fg = CYAN;
  const attribute = cellBackground(cell) << 4 | fg;
  physStore16(TEXT_PA + ((row * COLS + col) << 1), attribute << 8 | codePage437(cell & 0xffff));
}

/** The glyph of the card's own character set for a code point. */
function codePage437(code: u32): u32 {
  if (code < 0x7f) return code < 0x20 ? 0x20 : code;
  for (let i = 0; i < CODE_PAGE_437.length; i++) {
    if (<u32>CODE_PAGE_437.charCodeAt(i) == code) return 0x80 + <u32>i;
  }
  return fallback(code);
}

/** Line-drawing characters the code page lacks, and everything else as a block or a question mark. */
function fallback(code: u32): u32 {
  if (code == 0xa0) return 0x20;
  if (code >= 0x23ba && code <= 0x23bd) return 0xc4;
  if (code == 0x25c6) return 0x04;
  if (code == 0x2022) return 0x07;
  if (code == 0x2190) return 0x1b;
  if (code == 0x2191) return 0x18;
  if (code == 0x2192) return 0x1a;
  if (code == 0x2193) return 0x19;
  return 0x3f;
}
