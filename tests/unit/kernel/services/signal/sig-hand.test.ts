/** Pending sets and queues against a model: a list of (signal, value). */
import fc from "fast-check";
import { bootVfs, BUFFER } from "../vfs/vfs-machine.ts";

const SET = BUFFER;
const QUEUE = BUFFER + 8;
const INFO = BUFFER + 64;
const OUT = BUFFER + 128;
const RTMIN = 32;
const NSIG = 64;
const EAGAIN = -11;

const operations = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ op: fc.constant("send" as const), sig: fc.integer({ min: 1, max: NSIG }) }) },
    { weight: 2, arbitrary: fc.record({ op: fc.constant("take" as const), sig: fc.constant(0) }) },
    { weight: 1, arbitrary: fc.record({ op: fc.constant("discard" as const), sig: fc.integer({ min: 1, max: NSIG }) }) },
  ),
  { maxLength: 200 },
);

test("standard signals are queued once, real-time ones each time and in order; nothing leaks", async () => {
  const kernel = await bootVfs();
  kernel.call("sigHandInit");
  const before = kernel.inUse().objects;
  fc.assert(
    fc.property(operations, (ops) => {
      const view = kernel.view();
      view.setBigUint64(SET, 0n, true);
      view.setUint32(QUEUE, 0, true);
      let model: { sig: number; value: number }[] = [];
      ops.forEach(({ op, sig }, value) => {
        if (op === "send") {
          new Uint8Array(kernel.memory.buffer, INFO, 48).fill(0);
          view.setInt32(INFO, sig, true);
          view.setUint32(INFO + 24, value, true);
          expect(kernel.call("sigEnqueueLocked", SET, QUEUE, sig, INFO)).toBe(0);
          if (sig >= RTMIN || !model.some((entry) => entry.sig === sig)) model.push({ sig, value });
        } else if (op === "discard") {
          kernel.call("sigDiscardLocked", SET, QUEUE, 1n << BigInt(sig - 1));
          model = model.filter((entry) => entry.sig !== sig);
        } else if (model.length > 0) {
          const taken = kernel.call("sigNext", view.getBigUint64(SET, true));
          const index = model.findIndex((entry) => entry.sig === taken);
          expect(index).toBeGreaterThanOrEqual(0);
          kernel.call("sigDequeueLocked", SET, QUEUE, taken, OUT);
          expect(view.getInt32(OUT, true)).toBe(taken);
          expect(view.getUint32(OUT + 24, true)).toBe(model[index]!.value);
          model.splice(index, 1);
        }
        const set = model.reduce((bits, entry) => bits | (1n << BigInt(entry.sig - 1)), 0n);
        expect(view.getBigUint64(SET, true)).toBe(set);
      });
      kernel.call("sigDiscardLocked", SET, QUEUE, -1n);
    }),
    { numRuns: 200 },
  );
  expect(kernel.inUse().objects).toBe(before);
});

test("faults go before other signals, then the lowest number", async () => {
  const kernel = await bootVfs();
  const set = (...signals: number[]): bigint => BigInt.asIntN(64, signals.reduce((bits, sig) => bits | (1n << BigInt(sig - 1)), 0n));
  expect(kernel.call("sigNext", set())).toBe(0);
  expect(kernel.call("sigNext", set(1, 2, 11))).toBe(11);
  expect(kernel.call("sigNext", set(2, 1, 17))).toBe(1);
  expect(kernel.call("sigNext", set(34, 64))).toBe(34);
  expect(kernel.call("sigNext", set(64))).toBe(64);
});

test("a real-time signal that finds the queue full is refused, a standard one is remembered without its siginfo", async () => {
  const kernel = await bootVfs();
  kernel.call("sigHandInit");
  const view = kernel.view();
  view.setBigUint64(SET, 0n, true);
  view.setUint32(QUEUE, 0, true);
  view.setInt32(INFO, 40, true);
  let sent = 0;
  while (kernel.call("sigEnqueueLocked", SET, QUEUE, 40, INFO) === 0) sent++;
  expect(sent).toBe(1024);
  expect(kernel.call("sigEnqueueLocked", SET, QUEUE, 40, INFO)).toBe(EAGAIN);
  expect(kernel.call("sigEnqueueLocked", SET, QUEUE, 10, INFO)).toBe(0);
  kernel.call("sigDequeueLocked", SET, QUEUE, 10, OUT);
  expect(view.getInt32(OUT, true)).toBe(10);
  expect(view.getInt32(OUT + 8, true)).toBe(0x80);
  kernel.call("sigDiscardLocked", SET, QUEUE, -1n);
});
