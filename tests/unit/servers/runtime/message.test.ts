/** Long messages of servers: what the kernel is handed, and what a server makes of what arrived. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { structLayout } from "../../support/struct-layout.ts";

const MESSAGE = structLayout("kernel/abi/capability.ts", "IpcMessage");
const IPC = { CALL_EXTRA: 0x1013, REPLY_WAIT_EXTRA: 0x1014, CAP_DROP: 0x1001, MEMORY_MAP: 0x1031 } as const;
const VA = 0x7f00_0000_0000n; // of linear address 0
const EBADF = -9n;
const DATA = 0x80000;

// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Exports = Record<string, (...args: any[]) => any>;

/** The runtime on a kernel that `kernel` plays. */
function runtime(kernel: (nr: number, args: bigint[]) => bigint): { exports: Exports; view: DataView } {
  const module = new WebAssembly.Module(readFileSync(join(process.cwd(), "build/servers/runtime-test.wasm")));
  const known: Record<string, (...args: never[]) => unknown> = {
    linear_va: (ptr: number) => VA + BigInt(ptr >>> 0),
    server_call: (nr: number, ...args: bigint[]) => kernel(nr, args),
  };
  const names = WebAssembly.Module.imports(module).map(({ name }) => name);
  const imports = Object.fromEntries(names.map((name) => [name, known[name] ?? ((): number => 0)])) as WebAssembly.ModuleImports;
  const { exports } = new WebAssembly.Instance(module, { x86_64: imports, env: imports });
  (exports as unknown as Exports)["_initialize"]!();
  return { exports: exports as unknown as Exports, view: new DataView((exports["memory"] as WebAssembly.Memory).buffer) };
}

test("a call hands the kernel its bytes, capabilities, room and deadline, and gives back its answer", () => {
  const { exports, view } = runtime((nr, [endpoint, va]) => {
    const at = Number(va! - VA);
    expect([nr, endpoint, view.getInt32(at + MESSAGE.label!, true), view.getBigUint64(at + MESSAGE.deadlineNs!, true)]).toEqual([IPC.CALL_EXTRA, 9n, 3, 77n]);
    expect([view.getBigUint64(at + MESSAGE.sendVa!, true), view.getUint32(at + MESSAGE.sendBytes!, true)]).toEqual([VA + BigInt(DATA), 100]);
    expect([view.getBigUint64(at + MESSAGE.receiveVa!, true), view.getUint32(at + MESSAGE.receiveMax!, true)]).toEqual([VA + BigInt(DATA + 4096), 512]);
    expect([0, 1, 2, 3].map((i) => view.getUint32(at + MESSAGE.cap0! + i * 4, true))).toEqual([11, 12, 13, 14]);
    expect(view.getUint32(at + MESSAGE.sendCaps!, true)).toBe(4);
    return 5n;
  });
  const message = exports["messageNew"]!(DATA + 4096, 512) as number;
  exports["messageSendBytes"]!(message, DATA, 100);
  for (const handle of [11, 12, 13, 14]) expect(exports["messageSendCap"]!(message, handle)).toBe(1);
  expect(exports["messageSendCap"]!(message, 15)).toBe(0);
  expect(exports["messageCall"]!(9, message, 3, 77n)).toBe(5n);
});

test("what arrived can be mapped and let go; what did not is no handle", () => {
  const calls: [number, bigint][] = [];
  const { exports, view } = runtime((nr, [first, va]) => {
    calls.push([nr, first!]);
    if (nr !== IPC.REPLY_WAIT_EXTRA) return 0n;
    const at = Number(va! - VA);
    view.setUint32(at + MESSAGE.cap0!, 0x10007, true);
    view.setUint32(at + MESSAGE.receiveCaps!, 1, true);
    return 1n;
  });
  const message = exports["messageNew"]!(0, 0) as number;
  exports["messageClear"]!(message);
  expect(exports["messageReplyWait"]!(4, message, 0, 0n)).toBe(1n);
  expect([exports["messageCap"]!(message, 0), exports["messageCap"]!(message, 1)]).toEqual([0x10007, 0]);
  expect(exports["messageMap"]!(message, 0, 0x90000, 4096n)).toBe(0n);
  expect(exports["messageMap"]!(message, 1, 0x90000, 4096n)).toBe(EBADF);
  exports["messageDropCaps"]!(message);
  expect(exports["messageCap"]!(message, 0)).toBe(0);
  expect(calls).toEqual([[IPC.REPLY_WAIT_EXTRA, 4n], [IPC.MEMORY_MAP, 0x10007n], [IPC.CAP_DROP, 0x10007n]]);
});

test("each capability goes in its own way, and a cleared message sends none", () => {
  const { exports, view } = runtime(() => 0n);
  const message = exports["messageNew"]!(0, 0) as number;
  exports["messageSendCap"]!(message, 11);
  exports["messageMoveCap"]!(message, 12);
  exports["messageMintCap"]!(message, 13, 5, 99n);
  expect([view.getUint32(message + MESSAGE.sendCaps!, true), view.getUint32(message + MESSAGE.sendHow!, true)]).toEqual([3, 0x210]);
  expect([view.getUint32(message + MESSAGE.rights2!, true), view.getBigUint64(message + MESSAGE.badge2!, true)]).toEqual([5, 99n]);
  exports["messageMoveCap"]!(message, 14);
  expect([exports["messageMoveCap"]!(message, 15), exports["messageMintCap"]!(message, 15, 1, 1n)]).toEqual([0, 0]);
  exports["messageClear"]!(message);
  expect([view.getUint32(message + MESSAGE.sendCaps!, true), view.getUint32(message + MESSAGE.sendHow!, true)]).toEqual([0, 0]);
});
