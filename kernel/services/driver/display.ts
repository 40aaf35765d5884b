/**
 * What a console display does: it shows character cells. One of two is active: VGA text or a linear framebuffer.
 *
 *   slot   arguments                 contract
 *   draw   row, col, cell            shows one cell (vt-screen.ts) with CELL_CURSOR inverted; vtLock held, never sleeps
 */
@final @unmanaged
export class Display {
  rows: u32;
  cols: u32;
  draw: (row: u32, col: u32, cell: u32) => void;
}

/** Added to a cell under the cursor: its colours are swapped. */
export const CELL_CURSOR: u32 = 1 << 25;
/** The whole screen is shown reversed (DECSCNM). */
export const CELL_REVERSE: u32 = 1 << 26;

export const DISPLAY = changetype<Display>(memory.data(offsetof<Display>()));

/** Foreground of a cell, after cursor and reverse video. */
export function cellForeground(cell: u32): u32 {
  return isSwapped(cell) ? cell >> 20 & 15 : cell >> 16 & 15;
}

/** Background of a cell, after cursor and reverse video. */
export function cellBackground(cell: u32): u32 {
  return isSwapped(cell) ? cell >> 16 & 15 : cell >> 20 & 15;
}

function isSwapped(cell: u32): bool {
  return ((cell & CELL_CURSOR) != 0) != ((cell & CELL_REVERSE) != 0);
}
