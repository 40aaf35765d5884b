/** When a server is started again, in what order servers start, when one counts as hung, what root may ask. */
import { COMPILE_MS, loadManaged, type Managed } from "../../../support/managed.ts";

const MS = 1_000_000n;
const [ALWAYS, ON_FAILURE, NEVER] = [0, 1, 2];
const [START, WAIT, FINISHED, GIVEN_UP] = [0, 1, 2, 3];
const KILLED = 9;
const NO_PROGRAM = 127 << 8;
const HUNG = 0xffffffff;
let supervisor: Managed;

beforeAll(async () => {
  supervisor = await loadManaged("tests/unit/servers/services/supervisor/pure.as.ts");
}, COMPILE_MS);
const call = (name: string, ...args: unknown[]): number => supervisor.exports[name](...args) as number;
const textOf = (name: string, ...args: unknown[]): string => supervisor.text(call(name, ...args));

test("a useful life forgives every failure before it", () => {
  expect(call("failures", 9, 100n * MS)).toBe(0);
  expect(call("failures", 9, 99n * MS)).toBe(10);
  expect(call("failures", 0, 0n)).toBe(1);
});

test("delays double from 10 ms and stop at 2 s", () => {
  const delays = Array.from({ length: 12 }, (_, failures) => supervisor.exports["delay"](failures) as bigint);
  expect(delays.map((ns) => Number(ns / MS))).toEqual([0, 10, 20, 40, 80, 160, 320, 640, 1280, 2000, 2000, 2000]);
  expect(supervisor.exports["delay"](0xffffffff)).toBe(2000n * MS);
});

test.each([
  ["killed after a useful life", ALWAYS, 0, KILLED, START],
  ["killed soon", ALWAYS, 1, KILLED, WAIT],
  ["killed soon, the last time it may", ALWAYS, 3, KILLED, GIVEN_UP],
  ["ended by itself, though it should not", ALWAYS, 0, 0, START],
  ["ended by itself, as it may", ON_FAILURE, 0, 0, FINISHED],
  ["failed where ending is allowed", ON_FAILURE, 1, 1 << 8, WAIT],
  ["failed, and never restarted", NEVER, 1, KILLED, FINISHED],
  ["without a program", ALWAYS, 1, NO_PROGRAM, GIVEN_UP],
])("a server that was %s", (_, restart, failures, status, expected) => {
  expect(call("judge", restart, 3, failures, status)).toBe(expected);
});

test("a limit of 0 gives up at the first failure, not after a useful life", () => {
  expect(call("judge", ALWAYS, 0, 1, KILLED)).toBe(GIVEN_UP);
  expect(call("judge", ALWAYS, 0, 0, KILLED)).toBe(START);
});

test("how it ended, for people", () => {
  expect(textOf("end", KILLED)).toBe("killed by signal 9");
  expect(textOf("end", 0x8b)).toBe("killed by signal 11"); // with a core dump
  expect(textOf("end", 3 << 8)).toBe("exited with 3");
  expect(textOf("end", NO_PROGRAM)).toBe("its program is missing or damaged");
});

/** Ticks until a server that never answers is taken for hung. */
function ticksToHang(limit: number, isStarting: boolean): number {
  let open = 0;
  for (let tick = 1; tick < 1000; tick++) {
    open = call("silence", open, limit, isStarting ? 1 : 0) >>> 0;
    if (open === HUNG) return tick;
  }
  return Infinity;
}

test("open questions are counted; one that starts has four times the patience", () => {
  expect(ticksToHang(10, false)).toBe(11);
  expect(ticksToHang(10, true)).toBe(41);
  expect(ticksToHang(0, false)).toBe(Infinity);
});

/** Names that may start, in order, and what the others are refused for. */
function order(lines: readonly string[]): { order: string; refused: string[] } {
  call("parse", supervisor.string(lines.map((line) => `${line} start=always\n`).join("")));
  const result = textOf("order");
  const refused = lines.map((line, i) => `${line.split(" ")[0]}: ${textOf("problemOf", i)}`).filter((text) => !text.endsWith(": "));
  return { order: result, refused };
}

test("a server stands behind what it requires and comes after", () => {
  expect(order(["a requires=b", "b after=c,d", "c", "d requires=c"])).toEqual({ order: "c d b a", refused: [] });
});

test("who comes after somebody that does not exist just starts", () => {
  expect(order(["a after=ghost"])).toEqual({ order: "a", refused: [] });
});

test("who requires somebody that does not exist is refused, and whoever requires that one", () => {
  expect(order(["a requires=b", "b requires=ghost", "c"])).toEqual({
    order: "c", refused: ["a: it requires b, which there is not", "b: it requires ghost, which there is not"],
  });
});

test("a circle is refused, who only waits for its members is not", () => {
  const circle = "it waits in a circle for itself";
  expect(order(["a after=b", "b requires=c", "c after=a", "d after=a", "e requires=a", "f"])).toEqual({
    order: "d f", refused: [`a: ${circle}`, `b: ${circle}`, `c: ${circle}`, "e: it requires a, which there is not"],
  });
  expect(order(["self requires=self"])).toEqual({ order: "", refused: [`self: ${circle}`] });
});

test("random graphs: whatever starts stands behind all it waits for, and nothing is lost", () => {
  let state = 7;
  const next = (below: number): number => ((state = (Math.imul(state, 1103515245) + 12345) >>> 0) >>> 16) % below;
  for (let round = 0; round < 200; round++) {
    const names = Array.from({ length: 1 + next(12) }, (_, i) => `n${i}`);
    const waits = new Map(names.map((name) => [name, names.filter(() => next(8) === 0)]));
    const lines = names.map((name) => `${name} ${waits.get(name)?.length ? `${next(2) ? "requires" : "after"}=${waits.get(name)?.join(",")}` : "after="}`);
    const { order: started, refused } = order(lines);
    const list = started.split(" ").filter(Boolean);
    const bad = new Set(refused.map((text) => text.split(":")[0]));
    expect([...list, ...bad].sort()).toEqual([...names].sort());
    for (const name of list) for (const other of waits.get(name) ?? []) if (!bad.has(other)) expect(list.indexOf(other)).toBeLessThan(list.indexOf(name));
  }
});

test.each([
  ["1 stop virtio-blk", "1|2|virtio-blk"],
  ["4711 restart virtio-blk.0", "4711|3|virtio-blk.0"],
  ["5 start a", "5|1|a"],
  ["5 destroy a", "5|0|a"],
  ["x stop a", "|0|"],
  ["1 stop", "|0|"],
  ["1 stop a b", "|0|"],
  ["", "|0|"],
  [`1 stop ${"a".repeat(200)}`, "|0|"],
  ["99999999999 stop a", "|0|"],
])("the request %p", (line, expected) => {
  expect(textOf("request", supervisor.string(line))).toBe(expected);
});

test.each([
  [0x10n, 0x20n, "0 a\n10 b\n20 c\n", "b < b"], // a return address belongs to the function that called
  [0x0fn, 0xffffn, "0 a\n10 b\n20 c\n", "a < c"],
  [0x5n, 0x6n, "10 b\n", "+0x5 < +0x6"],
  [0x10n, 0x10n, "", "+0x10 < +0x10"],
  [0x10n, 0x10n, "0 a\nrubbish\n10 b", "a < a"],
])("the functions at %p and above %p", (first, second, symbols, expected) => {
  expect(textOf("names", first, second, supervisor.string(symbols))).toBe(expected);
});

test("why a server crashed, for people", () => {
  expect(textOf("crash", 6, 6, 0n)).toBe("out of memory");
  expect(textOf("crash", 0, 14, 0x7f00n)).toBe("access outside its memory, at 0x7f00");
  expect(textOf("crash", 0, 6, 0n)).toBe("invalid instruction");
  expect(textOf("crash", 0, 13, 0n)).toBe("exception 13");
  expect(textOf("crash", 99, 6, 0n)).toBe("invalid instruction");
  expect(textOf("crash", 7, 0, 0n)).toBe("ended by the kernel");
});

test.each([
  [0, 0, "running"],
  [1, 0, "running"], // ready is no news to people
  [2, 0x1022, "waiting in call 0x1022"],
  [2, 0, "waiting for memory"],
  [3, 0, "stopped"],
  [4, 0, "suspended"],
  [99, 0, "running"],
])("what a thread in state %p does in call %p", (state, number, expected) => {
  expect(textOf("doing", state, number)).toBe(expected);
});

test.each([
  ["SERVICE STATE PID RESTARTS STARTED DEVICE LAST\nblk.0 running 57 0 1 00:02.0 -\nx.0 waiting - 1 1 - hung\ny.0 starting 60 0 1 - -\n", "57,60"],
  ["", ""],
  ["one line", ""],
  ["head\na b\na b 0 c\na b -5 c\na b 99999999999 c\na b 7x c", ""],
])("the servers that ran by the table %p", (table, expected) => {
  expect(textOf("pids", supervisor.string(table))).toBe(expected);
});

test.each([
  ["57 (virtio-blk) S 17 57", 1],
  ["57 (a) Z b) R 17 57", 1],
  ["57 (virtio-blk) Z 17 57", 0],
  ["", 0],
  ["rubbish", 0],
])("whether %p is alive", (stat, expected) => {
  expect(call("alive", supervisor.string(stat))).toBe(expected);
});
