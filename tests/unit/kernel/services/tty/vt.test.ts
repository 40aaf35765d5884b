/** The VT100 parser: scripts from the manuals, and random sequences against a model. */
import fc from "fast-check";
import { structLayout } from "../../../support/struct-layout.ts";
import { type Vfs, bootVfs } from "../vfs/vfs-machine.ts";

const SCREEN_AT = structLayout("kernel/services/tty/vt-screen.ts", "Screen");
const [ROWS, COLS] = [8, 20];

let vfs: Vfs;
beforeAll(async () => {
  vfs = await bootVfs();
});

class Vt {
  readonly screen: number;
  private readonly cells: number;

  constructor(readonly rows = ROWS, readonly cols = COLS) {
    this.screen = vfs.call("kzalloc", 512) >>> 0;
    this.cells = vfs.call("kzalloc", rows * cols * 4) >>> 0;
    vfs.call("screenInit", this.screen, this.cells, rows, cols);
  }

  put(text: string): this {
    for (const byte of new TextEncoder().encode(text)) vfs.call("vtPut", this.screen, byte);
    return this;
  }

  cell(row: number, col: number): number {
    return vfs.view().getUint32(this.cells + (row * this.cols + col) * 4, true);
  }

  line(row: number): string {
    let text = "";
    for (let col = 0; col < this.cols; col++) text += String.fromCharCode(this.cell(row, col) & 0xffff);
    return text;
  }

  /** Lines without the blanks at their ends, and without empty ones at the bottom. */
  text(): string {
    return Array.from({ length: this.rows }, (_, row) => this.line(row).trimEnd()).join("\n").trimEnd();
  }

  field(name: string): number {
    return vfs.view().getUint32(this.screen + SCREEN_AT[name]!, true);
  }

  get cursor(): [number, number] {
    return [this.field("row"), this.field("col")];
  }

  reply(): string {
    const length = this.field("replyLength");
    return Buffer.from(new Uint8Array(vfs.memory.buffer, this.screen + SCREEN_AT["reply0"]!, length)).toString();
  }

  free(): void {
    vfs.call("kfree", this.cells);
    vfs.call("kfree", this.screen);
  }
}

test.each([
  ["text, CR, LF", "ab\r\ncd", "ab\ncd"],
  ["LF keeps the column", "ab\ncd", "ab\n  cd"],
  ["backspace and tab stops", "a\b\tx", "a       x"],
  ["cursor addressing", "\x1b[3;5Hx\x1b[Hy", "y\n\n    x"],
  ["relative moves", "\x1b[2B\x1b[4Cx\x1b[2D\x1b[Ay", "\n   y\n    x"],
  ["erase to the end of the line", "abcdef\x1b[4G\x1b[K", "abc"],
  ["erase to its start", "abcdef\x1b[3G\x1b[1Kx", "  xdef"],
  ["erase below", "ab\r\ncd\x1b[1;2H\x1b[J", "a"],
  ["insert and delete characters", "abcd\x1b[2G\x1b[2@\x1b[1G\x1b[P", "  bcd"],
  ["erase characters", "abcd\x1b[2G\x1b[2X", "a  d"],
  ["insert mode", "ad\x1b[2G\x1b[4hbc", "abcd"],
  ["insert and delete lines", "a\r\nb\r\nc\x1b[2H\x1b[L\x1b[1H\x1b[M", "\nb\nc"],
  ["scroll region", "1\r\n2\r\n3\r\n4\x1b[2;3r\x1b[3H\n\nx\x1b[r", "1\n\nx\n4"],
  ["reverse index scrolls down at the top", "a\x1b[H\x1bMb", "b\na"],
  ["wrap at the right margin only when a character follows", "x".repeat(20) + "\r\ny", "x".repeat(20) + "\ny"],
  ["no wrap without DECAWM", "\x1b[?7l" + "x".repeat(22) + "y", "x".repeat(19) + "y"],
  ["save and restore", "ab\x1b7\x1b[5;5H\x1b8c", "abc"],
  ["origin mode", "\x1b[3;5r\x1b[?6hx", "\n\nx"],
  ["UTF-8", "é€x", "é€x"],
  ["a broken sequence shows a replacement", "a\u{10ffff}b", "a\ufffdb"],
  ["line drawing", "\x1b(0lqk\x1b(Bq", "┌─┐q"],
  ["shift out uses G1", "\x0eq\x0fq", "─q"],
  ["operating system commands are swallowed", "\x1b]0;title\x07a\x1b]2;b\x1b\\c", "ac"],
  ["unknown sequences are swallowed", "a\x1b[>4;2mb\x1b[!pc\x1b[[Ad", "abcd"],
  ["cancel inside a sequence", "\x1b[12\x18a", "a"],
  ["controls act inside a sequence", "a\x1b[\b1;1Hb", "b"],
  ["repeat", "-\x1b[4b", "-----"],
  ["reset", "abc\x1bcx", "x"],
  ["tab stops set and cleared", "\x1b[3g\x1b[5G\x1bH\r\tx", "    x"],
])("%s", (_name, input, expected) => {
  const vt = new Vt().put(input);
  expect(vt.text()).toBe(expected);
  vt.free();
});

test("text scrolls up at the bottom", () => {
  const vt = new Vt().put(Array.from({ length: 12 }, (_, i) => String(i)).join("\r\n"));
  expect(vt.text()).toBe("4\n5\n6\n7\n8\n9\n10\n11");
  vt.free();
});

test("attributes: ANSI colours in VGA order, bold, reverse, 256 and 24-bit colours", () => {
  const vt = new Vt().put("\x1b[31mr\x1b[1mR\x1b[0;44mb\x1b[0;7mv\x1b[0;38;5;196mx\x1b[0;38;2;0;255;0my\x1b[39;4mz");
  const colors = Array.from({ length: 7 }, (_, col) => vt.cell(0, col) >>> 16);
  expect(colors).toEqual([0x04, 0x0c, 0x17, 0x70, 0x0c, 0x0a, 0x107]);
  vt.free();
});

test("reports: status, cursor position, identity", () => {
  const vt = new Vt().put("\x1b[5n\x1b[3;4H\x1b[6n\x1b[c");
  expect(vt.reply()).toBe("\x1b[0n\x1b[3;4R\x1b[?6c");
  vt.free();
});

/** A model of the plain operations, on arrays of characters. */
class Model {
  rows = Array.from({ length: ROWS }, () => " ".repeat(COLS));
  row = 0;
  col = 0;
  wrap = false;

  private set(row: number, from: number, text: string): void {
    const line = this.rows[row]!;
    this.rows[row] = (line.slice(0, from) + text + line.slice(from + text.length)).slice(0, COLS);
  }

  put(c: string): void {
    if (this.wrap) {
      this.wrap = false;
      this.col = 0;
      this.feed();
    }
    this.set(this.row, this.col, c);
    if (this.col + 1 < COLS) this.col++;
    else this.wrap = true;
  }

  feed(): void {
    this.wrap = false;
    if (this.row + 1 < ROWS) this.row++;
    else this.rows = [...this.rows.slice(1), " ".repeat(COLS)];
  }

  move(row: number, col: number): void {
    this.row = Math.min(Math.max(row, 0), ROWS - 1);
    this.col = Math.min(Math.max(col, 0), COLS - 1);
    this.wrap = false;
  }

  eraseLine(what: number): void {
    const [from, to] = what === 0 ? [this.col, COLS] : what === 1 ? [0, this.col + 1] : [0, COLS];
    this.set(this.row, from, " ".repeat(to - from));
    this.wrap = false;
  }

  insert(n: number): void {
    const line = this.rows[this.row]!;
    this.rows[this.row] = (line.slice(0, this.col) + " ".repeat(n) + line.slice(this.col)).slice(0, COLS);
  }

  remove(n: number): void {
    const line = this.rows[this.row]!;
    this.rows[this.row] = (line.slice(0, this.col) + line.slice(this.col + n)).padEnd(COLS);
  }

  insertLines(n: number): void {
    const blank = Array.from({ length: Math.min(n, ROWS) }, () => " ".repeat(COLS));
    this.rows.splice(this.row, 0, ...blank);
    this.rows.length = ROWS;
  }

  removeLines(n: number): void {
    this.rows.splice(this.row, n);
    while (this.rows.length < ROWS) this.rows.push(" ".repeat(COLS));
  }
}

test("random sequences leave the model's picture", () => {
  const n = fc.integer({ min: 1, max: 12 });
  const step = fc.oneof(
    fc.record({ op: fc.constant("text"), n }), fc.record({ op: fc.constant("crlf"), n }),
    fc.record({ op: fc.constant("goto"), n, m: fc.integer({ min: 1, max: 25 }) }),
    fc.record({ op: fc.constantFrom("erase", "insert", "remove", "insertLines", "removeLines", "up", "left"), n }),
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const vt = new Vt();
    const model = new Model();
    let next = 0;
    for (const { op, n: count, ...rest } of steps) {
      const letter = (): string => String.fromCharCode(0x61 + (next++ % 26));
      if (op === "text") for (let i = 0; i < count; i++) {
        const c = letter();
        vt.put(c);
        model.put(c);
      }
      else if (op === "crlf") {
        vt.put("\r\n");
        model.col = 0;
        model.feed();
      } else if (op === "goto") {
        const m = (rest as { m: number }).m;
        vt.put(`\x1b[${count};${m}H`);
        model.move(count - 1, m - 1);
      } else if (op === "erase") {
        vt.put(`\x1b[${count % 3}K`);
        model.eraseLine(count % 3);
      } else if (op === "insert") {
        vt.put(`\x1b[${count}@`);
        model.insert(count);
      } else if (op === "remove") {
        vt.put(`\x1b[${count}P`);
        model.remove(count);
      } else if (op === "insertLines") {
        vt.put(`\x1b[${count}L`);
        model.insertLines(count);
      } else if (op === "removeLines") {
        vt.put(`\x1b[${count}M`);
        model.removeLines(count);
      } else if (op === "up") {
        vt.put(`\x1b[${count}A`);
        model.move(model.row - count, model.col);
      } else {
        vt.put(`\x1b[${count}D`);
        model.move(model.row, model.col - count);
      }
    }
    expect(Array.from({ length: ROWS }, (_, row) => vt.line(row))).toEqual(model.rows);
    expect(vt.cursor).toEqual([model.row, model.col]);
    vt.free();
  }), { seed: 4711, numRuns: 300 });
});

test("any bytes at all keep the cursor on the screen", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
    const vt = new Vt();
    for (const byte of bytes) vfs.call("vtPut", vt.screen, byte);
    const [row, col] = vt.cursor;
    expect(row).toBeLessThan(ROWS);
    expect(col).toBeLessThan(COLS);
    vt.free();
  }), { seed: 99, numRuns: 500 });
});
