/** SGR: colours and rendition of characters. Spec: ECMA-48 8.3.117; ISO 8613-6 for 38 and 48. */
import { wordAt32 } from "../../lib/bytes";
import { SGR_DEFAULT, Screen, Sgr } from "./vt-screen";

/** ANSI's colour order in VGA's: red and blue swap. */
function vgaColor(ansi: u32): u32 {
  return (ansi & 2) | (ansi & 8) | (ansi & 1) << 2 | (ansi & 4) >> 2;
}

/** Applies `count` parameters at `params` (32-bit words). */
export function sgrApply(s: Screen, params: usize, count: u32): void {
  for (let i: u32 = 0; i < count; i++) {
    const p = wordAt32(params + (i << 2));
    if (p == 38 || p == 48) i += sgrExtended(s, params + (i << 2), count - i, p == 48);
    else sgrOne(s, p);
  }
}

function sgrOne(s: Screen, p: u32): void {
  if (p >= 30 && p <= 37) return colorSet(s, false, vgaColor(p - 30));
  if (p >= 40 && p <= 47) return colorSet(s, true, vgaColor(p - 40));
  if (p >= 90 && p <= 97) return colorSet(s, false, vgaColor(p - 90) | 8);
  if (p >= 100 && p <= 107) return colorSet(s, true, vgaColor(p - 100) | 8);
  switch (p) {
    case 0: s.sgr = SGR_DEFAULT; break;
    case 1: s.sgr = s.sgr & ~(<u32>Sgr.DIM) | Sgr.BOLD; break;
    case 2: s.sgr = s.sgr & ~(<u32>Sgr.BOLD) | Sgr.DIM; break;
    case 4: case 21: s.sgr |= Sgr.UNDERLINE; break;
    case 5: s.sgr |= Sgr.BLINK; break;
    case 7: s.sgr |= Sgr.REVERSE; break;
    case 22: s.sgr &= ~(<u32>Sgr.BOLD | <u32>Sgr.DIM); break;
    case 24: s.sgr &= ~(<u32>Sgr.UNDERLINE); break;
    case 25: s.sgr &= ~(<u32>Sgr.BLINK); break;
    case 27: s.sgr &= ~(<u32>Sgr.REVERSE); break;
    case 39: colorSet(s, false, 7); break;
    case 49: colorSet(s, true, 0); break;
    default: break;
  }
}

function colorSet(s: Screen, isBackground: bool, color: u32): void {
  s.sgr = isBackground ? s.sgr & ~(<u32>0xf0) | color << 4 : s.sgr & ~(<u32>0x0f) | color;
}

/** 38;5;n and 38;2;r;g;b (48 likewise): the nearest of 16 colours; parameters consumed after the first. */
function sgrExtended(s: Screen, params: usize, left: u32, isBackground: bool): u32 {
  const kind = left > 1 ? wordAt32(params + 4) : 0;
  if (kind == 5 && left > 2) {
    colorSet(s, isBackground, indexedColor(wordAt32(params + 8)));
    return 2;
  }
  if (kind == 2 && left > 4) {
    colorSet(s, isBackground, rgbColor(wordAt32(params + 8), wordAt32(params + 12), wordAt32(params + 16)));
    return 4;
  }
  return left - 1;
}

function indexedColor(index: u32): u32 {
  if (index < 16) return vgaColor(index & 7) | index & 8;
  if (index >= 232) return greyColor((index - 232) * 10 + 8);
  const cube = index - 16;
  return rgbColor(cube / 36 * 51, cube / 6 % 6 * 51, cube % 6 * 51);
}

function greyColor(level: u32): u32 {
  return level < 43 ? 0 : level < 128 ? 8 : level < 213 ? 7 : 15;
}

/** VGA bits 4 red, 2 green, 1 blue, 8 bright. */
function rgbColor(r: u32, g: u32, b: u32): u32 {
  const high = max<u32>(r, max<u32>(g, b));
  const low = min<u32>(r, min<u32>(g, b));
  if (high - low < 32) return greyColor(high);
  const half = high / 2;
  const bright: u32 = high > 192 ? 8 : 0;
  return bright | (r > half ? 4 : 0) | (g > half ? 2 : 0) | (b > half ? 1 : 0);
}
