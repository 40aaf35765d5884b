/** Pipes against a model: an array of bytes. */
import fc from "fast-check";
import { structLayout } from "../../../support/struct-layout.ts";
import { BUFFER, type Vfs, bootVfs } from "./vfs-machine.ts";

const EAGAIN = -11;
const EBUSY = -16;
const NONBLOCK = 0x800;
const PIPE_BUF = 4096;
const LINEAR_BASE = 0xffffffff80000000n;
const FILE_AT = structLayout("kernel/services/vfs/types.ts", "File");
const PIPE_AT = structLayout("kernel/services/vfs/pipe.ts", "Pipe");

interface Ends { pipe: number; reader: number; writer: number }

/** A pipe with one non-blocking end of each kind; files without inode, which pipe operations never look at. */
function openPipe(vfs: Vfs): Ends {
  const pipe = vfs.call("pipeNew") >>> 0;
  const end = (access: number): number => {
    const file = vfs.call("fileAlloc") >>> 0;
    vfs.view().setUint32(file + FILE_AT.flags!, access | NONBLOCK, true);
    vfs.call("pipeEndOpen", pipe, file);
    return file;
  };
  return { pipe, reader: end(0), writer: end(1) };
}

function write(vfs: Vfs, ends: Ends, data: Uint8Array): number {
  new Uint8Array(vfs.memory.buffer, BUFFER, data.length).set(data);
  return vfs.call("pipeWrite", ends.writer, LINEAR_BASE + BigInt(BUFFER), data.length, 0n);
}

function read(vfs: Vfs, ends: Ends, count: number): number | Uint8Array {
  const got = vfs.call("pipeRead", ends.reader, LINEAR_BASE + BigInt(BUFFER), count, 0n);
  return got < 0 ? got : new Uint8Array(vfs.memory.buffer, BUFFER, got).slice();
}

test("who opens a FIFO waits for nobody who was there, or came and went since", async () => {
  const vfs = await bootVfs();
  const open = (pipe: number, access: number): { file: number; opens: number } => {
    const file = vfs.call("fileAlloc") >>> 0;
    vfs.view().setUint32(file + FILE_AT.flags!, access, true);
    return { file, opens: vfs.call("pipeEndOpen", pipe, file) };
  };
  for (const [first, second] of [[0, 1], [1, 0]] as const) {
    const pipe = vfs.call("pipeNew") >>> 0;
    const early = open(pipe, first);
    const late = open(pipe, second);
    vfs.call("pipeEndClose", pipe, late.file);
    expect(vfs.call("pipeWaitPeer", pipe, first, early.opens)).toBe(0); // its machine has nobody to wait with
    vfs.call("pipeEndClose", pipe, early.file);
    expect(vfs.call("pipeWaitPeer", pipe, second, late.opens)).toBe(0);
  }
});

const operations = fc.array(
  fc.oneof(
    fc.record({ op: fc.constant("write" as const), size: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 20000 })) }),
    fc.record({ op: fc.constant("read" as const), size: fc.integer({ min: 1, max: 20000 }) }),
    fc.record({ op: fc.constant("resize" as const), size: fc.constantFrom(4096, 8192, 65536, 262144) }),
  ),
  { maxLength: 60 },
);

test("bytes come out in order, writes up to PIPE_BUF whole or not at all, no frame is lost", async () => {
  const vfs = await bootVfs();
  openPipe(vfs); // slabs and lists exist before the count
  const before = vfs.inUse();
  fc.assert(
    fc.property(operations, (ops) => {
      const ends = openPipe(vfs);
      let model: number[] = [];
      let next = 1;
      for (const { op, size } of ops) {
        if (op === "write") {
          const data = Uint8Array.from({ length: size }, () => (next = (next * 1103515245 + 12345) & 0xff));
          const wrote = write(vfs, ends, data);
          if (wrote === EAGAIN) expect(model.length).toBeGreaterThan(0);
          else if (size <= PIPE_BUF) expect(wrote).toBe(size);
          if (wrote > 0) model.push(...data.subarray(0, wrote));
        } else if (op === "read") {
          const got = read(vfs, ends, size);
          const expected = model.slice(0, size);
          expect(got).toEqual(expected.length ? Uint8Array.from(expected) : EAGAIN);
          model = model.slice(size);
        } else {
          const result = vfs.call("pipeResize", ends.reader, BigInt(size));
          expect([size, EBUSY]).toContain(result);
        }
        expect(vfs.view().getUint32(ends.pipe + PIPE_AT.bytes!, true)).toBe(model.length);
      }
      vfs.call("pipeEndClose", ends.pipe, ends.reader);
      vfs.call("pipeEndClose", ends.pipe, ends.writer);
      vfs.call("pipeFree", ends.pipe);
      vfs.call("fileFree", ends.reader);
      vfs.call("fileFree", ends.writer);
    }),
    { numRuns: 60 },
  );
  expect(vfs.inUse()).toEqual(before);
});

test("end of file once the last writer is gone, after the data", async () => {
  const vfs = await bootVfs();
  const ends = openPipe(vfs);
  expect(write(vfs, ends, Uint8Array.of(1, 2, 3))).toBe(3);
  vfs.call("pipeEndClose", ends.pipe, ends.writer);
  expect(read(vfs, ends, 10)).toEqual(Uint8Array.of(1, 2, 3));
  expect(read(vfs, ends, 10)).toEqual(new Uint8Array());
});

test("poll tells readable, writable, hung up", async () => {
  const vfs = await bootVfs();
  const ends = openPipe(vfs);
  const [IN, OUT, HUP] = [1, 4, 16];
  const ready = (file: number): number => vfs.call("pipePoll", file, 0) & (IN | OUT | HUP);
  expect(ready(ends.reader)).toBe(0);
  expect(ready(ends.writer)).toBe(OUT);
  write(vfs, ends, Uint8Array.of(9));
  expect(ready(ends.reader)).toBe(IN);
  while (write(vfs, ends, new Uint8Array(4096)) > 0);
  expect(ready(ends.writer)).toBe(0);
  vfs.call("pipeEndClose", ends.pipe, ends.writer);
  expect(ready(ends.reader)).toBe(IN | HUP);
});
