/** The line discipline: scripts of typed bytes, and random editing against a model. */
import fc from "fast-check";
import { structLayout } from "../../../support/struct-layout.ts";
import { BUFFER, type Vfs, bootVfs, startProcess } from "../vfs/vfs-machine.ts";

const TTY_AT = structLayout("kernel/services/tty/tty.ts", "Tty");
const LINEAR_BASE = 0xffffffff80000000n;
const RING = 4096;
const EAGAIN = -11;
const [IFLAG, OFLAG, LFLAG] = [0, 4, 12];
const CC = 17;
const [ICANON, ECHO, ECHOE, ECHOK, ECHONL, ECHOCTL, ECHOKE, IEXTEN] = [2, 8, 0x10, 0x20, 0x40, 0x200, 0x800, 0x8000];
const [ISTRIP, INLCR, IGNCR, IXON, IUTF8] = [0x20, 0x40, 0x80, 0x400, 0x4000];
const [VMIN, VTIME, VEOL] = [6, 5, 11];

class Terminal {
  constructor(private readonly vfs: Vfs, readonly tty: number) {}

  type(text: string | Uint8Array): void {
    const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
    new Uint8Array(this.vfs.memory.buffer, BUFFER, bytes.length).set(bytes);
    this.vfs.call("ttyReceive", this.tty, BUFFER, bytes.length);
  }

  /** What a non-blocking read gives: text, or a negated errno. */
  read(count = 4096): string | number {
    const got = this.vfs.call("ldiscRead", this.tty, LINEAR_BASE + BigInt(BUFFER), count, 1);
    return got < 0 ? got : Buffer.from(new Uint8Array(this.vfs.memory.buffer, BUFFER, got)).toString("utf8");
  }

  write(text: string): void {
    const bytes = new TextEncoder().encode(text);
    new Uint8Array(this.vfs.memory.buffer, BUFFER, bytes.length).set(bytes);
    this.vfs.call("ldiscWriteLocked", this.tty, BUFFER, bytes.length);
  }

  /** Takes everything in the output ring. */
  output(): string {
    const view = this.vfs.view();
    const [head, tail] = [view.getUint32(this.tty + TTY_AT["outHead"]!, true), view.getUint32(this.tty + TTY_AT["outTail"]!, true)];
    const ring = view.getUint32(this.tty + TTY_AT["outBuf"]!, true);
    const bytes: number[] = [];
    for (let at = tail; at !== head; at = (at + 1) >>> 0) bytes.push(view.getUint8(ring + (at % RING)));
    this.vfs.call("ttyOutTake", this.tty, bytes.length);
    return Buffer.from(bytes).toString("utf8");
  }

  change(field: number, set: number, clear = 0): void {
    const view = this.vfs.view();
    const before = view.getUint32(this.tty + field, true);
    view.setUint32(this.tty + field, (before & ~clear) | set, true);
    if (field === LFLAG && ((set | clear) & ICANON) !== 0) this.vfs.call("ldiscModeChangedLocked", this.tty, set & ICANON ? 1 : 0);
  }

  cc(index: number, value: number): void {
    this.vfs.view().setUint8(this.tty + CC + index, value);
  }
}

let vfs: Vfs;
beforeAll(async () => {
  vfs = await bootVfs();
  startProcess(vfs);
  vfs.call("ptyDriverInit");
});

const terminals: number[] = [];
function newTerminal(): Terminal {
  const tty = vfs.call("ttyNew", vfs.call("ptyDriver"), 0, 0n) >>> 0;
  terminals.push(tty);
  return new Terminal(vfs, tty);
}
afterEach(() => terminals.splice(0).forEach((tty) => vfs.call("ttyPut", tty)));

test("a line is readable only when it ends, CR counts as newline, and is echoed with CR LF", () => {
  const t = newTerminal();
  t.type("abc");
  expect(t.read()).toBe(EAGAIN);
  t.type("\r");
  expect(t.read()).toBe("abc\n");
  expect(t.output()).toBe("abc\r\n");
  expect(t.read()).toBe(EAGAIN);
});

test("a read gives one line, a short read leaves the rest", () => {
  const t = newTerminal();
  t.type("one\ntwo\n");
  expect(t.read(2)).toBe("on");
  expect(t.read()).toBe("e\n");
  expect(t.read()).toBe("two\n");
});

test("^D ends a line without a byte; alone it is end of file", () => {
  const t = newTerminal();
  t.type("ab\x04");
  expect(t.read()).toBe("ab");
  t.type("\x04");
  expect(t.read()).toBe("");
  expect(t.read()).toBe(EAGAIN);
  t.type("abc\x04");
  expect(t.read(3)).toBe("abc"); // the mark goes with the bytes it ends
  expect(t.read()).toBe(EAGAIN);
});

test.each([
  ["erase", "abc\x7fd\n", "abd\n", "abc\b \bd\r\n"],
  ["erase at the start of a line", "\x7f\x7fa\n", "a\n", "a\r\n"],
  ["kill", "abc\x15x\n", "x\n", "abc\b \b\b \b\b \bx\r\n"],
  ["word erase", "one two\x17x\n", "one x\n", "one two\b \b\b \b\b \bx\r\n"],
  ["word erase takes blanks before it", "ab  \x17x\n", "x\n", "ab  \b \b\b \b\b \b\b \bx\r\n"],
  ["a control character shows as two cells", "a\x01\x7fb\n", "ab\n", "a^A\b \b\b \bb\r\n"],
  ["a tab goes back to where it began", "a\t\x7fb\n", "ab\n", "a\t\b\b\b\b\b\b\bb\r\n"],
  ["literal next", "a\x16\x03b\n", "a\x03b\n", "a^\b^Cb\r\n"],
  ["reprint", "ab\x12c\n", "abc\n", "ab^R\r\nabc\r\n"],
])("editing: %s", (_name, typed, line, echo) => {
  const t = newTerminal();
  t.type(typed);
  expect(t.read()).toBe(line);
  expect(t.output()).toBe(echo);
});

test("^C throws the line away and is shown", () => {
  const t = newTerminal();
  t.type("abc\x03def\n");
  expect(t.read()).toBe("def\n");
  expect(t.output()).toBe("^Cdef\r\n"); // the flush takes unsent echo with it
});

test("without ECHO nothing shows, with ECHONL the newline does", () => {
  const t = newTerminal();
  t.change(LFLAG, 0, ECHO);
  t.type("pw\x7fx\n");
  expect([t.read(), t.output()]).toEqual(["px\n", ""]);
  t.change(LFLAG, ECHONL);
  t.type("y\n");
  expect([t.read(), t.output()]).toEqual(["y\n", "\r\n"]);
});

test("UTF-8 is erased a character at a time", () => {
  const t = newTerminal();
  t.change(IFLAG, IUTF8);
  t.type("aé€\x7f\x7fz\n");
  expect([t.read(), t.output()]).toEqual(["az\n", "aé€\b \b\b \bz\r\n"]);
});

test("input flags: ISTRIP, IGNCR, INLCR", () => {
  const t = newTerminal();
  t.change(IFLAG, ISTRIP);
  t.type(Uint8Array.of(0xe1, 0x0a));
  expect(t.read()).toBe("a\n");
  t.change(IFLAG, IGNCR, ISTRIP);
  t.type("b\r\n");
  expect(t.read()).toBe("b\n");
  t.change(IFLAG, INLCR, IGNCR | 0x100);
  t.change(LFLAG, 0, ICANON);
  t.type("c\n");
  expect(t.read()).toBe("c\r");
});

test("EOL ends a line and stays in it", () => {
  const t = newTerminal();
  t.cc(VEOL, 0x3b);
  t.type("a;b\n");
  expect([t.read(), t.read()]).toEqual(["a;", "b\n"]);
});

test("^S halts output, ^Q resumes it, neither is read", () => {
  const t = newTerminal();
  t.type("\x13");
  expect(vfs.call("ttyIsStopped", t.tty)).toBe(1);
  t.type("a\x11\n");
  expect(vfs.call("ttyIsStopped", t.tty)).toBe(0);
  expect(t.read()).toBe("a\n");
  t.change(IFLAG, 0, IXON);
  t.type("\x13\n");
  expect(t.read()).toBe("\x13\n");
});

test("raw mode delivers each byte; VMIN 0 polls", () => {
  const t = newTerminal();
  t.change(LFLAG, 0, ICANON | ECHO | 1);
  expect(t.read()).toBe(EAGAIN);
  t.type("\x03\x04");
  expect(t.read()).toBe("\x03\x04");
  t.cc(VMIN, 0);
  t.cc(VTIME, 0);
  expect(t.read()).toBe("");
});

test("a change of mode keeps what was typed", () => {
  const t = newTerminal();
  t.type("half");
  t.change(LFLAG, 0, ICANON);
  expect(t.read(2)).toBe("ha");
  t.change(LFLAG, ICANON);
  expect(t.read()).toBe("lf");
});

test("a line longer than the ring loses its middle, not its end; the terminal goes on", () => {
  const t = newTerminal();
  t.type("x".repeat(6000) + "\n");
  const line = t.read(8192) as string;
  expect(line.length).toBeGreaterThan(4000);
  expect(line.endsWith("x\n")).toBe(true);
  t.output();
  t.type("ok\n");
  expect(t.read()).toBe("ok\n");
});

test("output flags: tabs to spaces, CR to NL, no CR at column 0, upper case, raw", () => {
  const t = newTerminal();
  t.change(OFLAG, 0x1800);
  t.write("ab\tc\n");
  expect(t.output()).toBe("ab      c\r\n");
  t.change(OFLAG, 0x10 | 0x2, 0x1800);
  t.write("\ra\r");
  expect(t.output()).toBe("A\r");
  t.change(OFLAG, 0x8, 0x10 | 0x2);
  t.write("a\r");
  expect(t.output()).toBe("a\n");
  t.change(OFLAG, 0, 0xffff);
  t.write("a\n");
  expect(t.output()).toBe("a\n");
});

/** What a screen shows after these bytes: one line, backspaces and blanks applied. */
function shown(output: string): string {
  const cells: string[] = [];
  let col = 0;
  for (const c of output) {
    if (c === "\b") col--;
    else cells[col++] = c;
  }
  return cells.slice(0, col).join("");
}

test("random editing: the line read and the line shown are the model's", () => {
  const keys = fc.array(fc.constantFrom("a", "b", "_", " ", ".", "7", "\x7f", "\x17", "\x15"), { maxLength: 80 });
  fc.assert(fc.property(keys, (typed) => {
    const t = newTerminal();
    let model = "";
    for (const key of typed) {
      if (key === "\x7f") model = model.slice(0, -1);
      else if (key === "\x15") model = "";
      else if (key === "\x17") model = model.replace(/[A-Za-z0-9_]*[^A-Za-z0-9_]*$/, "");
      else model += key;
    }
    t.type(typed.join(""));
    expect(shown(t.output())).toBe(model);
    t.type("\n");
    expect(t.read()).toBe(model + "\n");
  }), { seed: 20240607, numRuns: 300 });
});

test("defaults are Linux's", () => {
  const t = newTerminal();
  const view = vfs.view();
  expect(view.getUint32(t.tty + IFLAG, true)).toBe(0x500);
  expect(view.getUint32(t.tty + OFLAG, true)).toBe(5);
  expect(view.getUint32(t.tty + LFLAG, true)).toBe(1 | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN);
});
