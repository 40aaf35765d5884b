/**
 * Text on a linear framebuffer of 32 (or 24, 16) bits a pixel, with the 8x16 console font.
 *
 * Invariants  B1  the framebuffer is `pitch * height` bytes at framebufferPa, as the boot loader said.
 * Locking     vtLock: glyphRow is one buffer.
 */
import { physCopyOut, physZero } from "../../../arch/current";
import { BOOT_INFO } from "../../../arch/x86_64/boot-info";
import { byteAt, wordAt32, wordPut16, wordPut32 } from "../../lib/bytes";
import { CELL_UNDERLINE, SCREEN_MAX_COLS } from "../tty/vt-screen";
import { DISPLAY, cellBackground, cellForeground } from "./display";
import { FONT_GLYPHS, FONT_GLYPH_BYTES, FONT_MAP, FONT_MAP_COUNT } from "./font-data";

const RGB_TYPE: u32 = 1;
const GLYPH_WIDTH: u32 = 8;
const UNDERLINE_ROW: u32 = 14;
const MAX_ROWS: u32 = 100;
const REPLACEMENT: u32 = 0xfffd;
const QUESTION: u32 = 0x3f;

/** VGA's sixteen colours, red << 16 | green << 8 | blue. */
const PALETTE: usize = memory.data<u32>([
  0x000000, 0x0000aa, 0x00aa00, 0x00aaaa, 0xaa0000, 0xaa00aa, 0xaa5500, 0xaaaaaa,
  0x555555, 0x5555ff, 0x55ff55, 0x55ffff, 0xff5555, 0xff55ff, 0xffff55, 0xffffff,
]);
const GLYPH_ROW: usize = memory.data(40, 8); // 8 pixels, and room for 24-bit overlap

/** Takes the framebuffer over; false when the loader set up none that is understood here. */
export function framebufferInit(): bool {
  if (BOOT_INFO.framebufferPa == 0 || BOOT_INFO.framebufferType != RGB_TYPE) return false;
  const depth = BOOT_INFO.framebufferBpp;
  if (depth != 32 && depth != 24 && depth != 16 && depth != 15) return false;
  DISPLAY.cols = min<u32>(BOOT_INFO.framebufferWidth / GLYPH_WIDTH, SCREEN_MAX_COLS);
  DISPLAY.rows = min<u32>(BOOT_INFO.framebufferHeight / FONT_GLYPH_BYTES, MAX_ROWS);
  if (DISPLAY.cols < 20 || DISPLAY.rows < 5) return false;
  DISPLAY.draw = framebufferDraw;
  physZero(BOOT_INFO.framebufferPa, BOOT_INFO.framebufferPitch * BOOT_INFO.framebufferHeight & ~7);
  return true;
}

function framebufferDraw(row: u32, col: u32, cell: u32): void {
  const foreground = pixelOf(cellForeground(cell));
  const background = pixelOf(cellBackground(cell));
  const glyph = FONT_GLYPHS + glyphOf(cell & 0xffff) * FONT_GLYPH_BYTES;
  const depthBytes = (BOOT_INFO.framebufferBpp + 7) >> 3;
  let pa = BOOT_INFO.framebufferPa + <u64>(row * FONT_GLYPH_BYTES) * BOOT_INFO.framebufferPitch
    + col * GLYPH_WIDTH * depthBytes;
  for (let y: u32 = 0; y < FONT_GLYPH_BYTES; y++) {
    const bits = y == UNDERLINE_ROW && (cell & CELL_UNDERLINE) ? 0xff : byteAt(glyph, y);
    rowRender(bits, foreground, background, depthBytes);
    physCopyOut(pa, GLYPH_ROW, GLYPH_WIDTH * depthBytes);
    pa += BOOT_INFO.framebufferPitch;
  }
}

/** Eight pixels of `bits` into GLYPH_ROW. */
function rowRender(bits: u32, foreground: u32, background: u32, depthBytes: u32): void {
  for (let x: u32 = 0; x < GLYPH_WIDTH; x++) {
    const pixel = bits >> (7 - x) & 1 ? foreground : background;
    if (depthBytes == 2) wordPut16(GLYPH_ROW + (x << 1), pixel);
    else wordPut32(GLYPH_ROW + x * depthBytes, pixel); // 24 bits: the next pixel overwrites the fourth byte
  }
}

/** Pixel value of a palette colour in the framebuffer's layout. */
function pixelOf(color: u32): u32 {
  const rgb = wordAt32(PALETTE + (color << 2));
  const red = rgb >> 16;
  const green = rgb >> 8 & 255;
  const blue = rgb & 255;
  if (BOOT_INFO.framebufferBpp > 16) {
    return red << BOOT_INFO.redShift | green << BOOT_INFO.greenShift | blue << BOOT_INFO.blueShift;
  }
  const greenBits: u32 = BOOT_INFO.framebufferBpp == 16 ? 6 : 5;
  return red >> 3 << BOOT_INFO.redShift | green >> (8 - greenBits) << BOOT_INFO.greenShift
    | blue >> 3 << BOOT_INFO.blueShift;
}

/** Glyph number of a code point; a question mark for what the font lacks. */
function glyphOf(code: u32): u32 {
  const found = glyphFind(code);
  if (found >= 0) return found;
  const replacement = glyphFind(REPLACEMENT);
  return replacement >= 0 ? replacement : glyphFind(QUESTION);
}

/** Binary search in FONT_MAP; -1 when absent. */
function glyphFind(code: u32): i32 {
  let low: u32 = 0;
  let high = FONT_MAP_COUNT;
  while (low < high) {
    const middle = (low + high) >> 1;
    const entry = wordAt32(FONT_MAP + (middle << 2));
    if (entry >> 16 == code) return entry & 0xffff;
    if (entry >> 16 < code) low = middle + 1;
    else high = middle;
  }
  return -1;
}
