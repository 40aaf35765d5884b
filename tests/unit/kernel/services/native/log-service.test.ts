/** Lines of servers in the kernel's log: nobody drowns the others, forges a line or writes to a terminal. */
import { structLayout } from "../../../support/struct-layout.ts";
import { bootVfs, BUFFER, BUFFER_BYTES, type Vfs } from "../vfs/vfs-machine.ts";
import { KernelLog } from "./kernel-log.ts";

const PORT_BYTES = structLayout("kernel/core/cap/service-port.ts", "ServicePort").sizeof!;
const LINE = 1;
const LINES_MOST = 50;
const LINE_MAX = 240;
const [EFAULT, EINVAL] = [-14, -22];

class Service {
  readonly log: KernelLog;
  private constructor(readonly vfs: Vfs) {
    this.log = new KernelLog(vfs);
    this.log.nameSet("blk");
    this.log.timeSet(1);
  }

  static async start(): Promise<Service> { return new Service(await bootVfs()); }
  port(): number { return this.vfs.exports.kzalloc(PORT_BYTES) as number; }

  write(port: number, bytes: Uint8Array, op = LINE): number {
    new Uint8Array(this.vfs.memory.buffer).set(bytes, BUFFER);
    return this.call(port, BigInt(BUFFER), BigInt(bytes.length), op);
  }
  call(port: number, va: bigint, size: bigint, op = LINE): number { return this.vfs.call("logServiceCall", port, op, va, size, 0n, 0n); }
  say(port: number, text: string): number { return this.write(port, new TextEncoder().encode(text)); }
}

test("a port gets fifty lines a second; how many more there were is told with the first of a later one", async () => {
  const service = await Service.start();
  const port = service.port();
  for (let i = 0; i < LINES_MOST + 10; i++) expect(service.say(port, `line ${i}`)).toBe(`line ${i}`.length);
  expect(service.log.lines()).toEqual(Array.from({ length: LINES_MOST }, (_, i) => `server: blk: line ${i}`));
  service.log.timeSet(3600);
  service.say(port, "later");
  expect(service.log.lines()).toEqual(["server: blk: 10 lines left out", "server: blk: later"]);
  service.log.timeSet(3601);
  service.say(port, "again");
  expect(service.log.lines()).toEqual(["server: blk: again"]); // it was told once
});

test("exactly fifty lines leave nothing out, and one port's are not another's", async () => {
  const service = await Service.start();
  const [first, second] = [service.port(), service.port()];
  for (let i = 0; i < LINES_MOST; i++) service.say(first, "a");
  service.say(second, "b");
  expect(service.log.lines()).toHaveLength(LINES_MOST + 1);
  service.log.timeSet(2);
  service.say(first, "c");
  expect(service.log.lines()).toEqual(["server: blk: c"]);
});

test("control characters are made harmless, and a line has an end", async () => {
  const service = await Service.start();
  const port = service.port();
  service.write(port, new Uint8Array([0x41, 0x0a, 0x1b, 0x5b, 0x32, 0x4a, 0x00, 0x7f, 0x42]));
  expect(service.log.lines()).toEqual(["server: blk: A??[2J??B"]);
  expect(service.say(port, "x".repeat(LINE_MAX + 60))).toBe(LINE_MAX);
  expect(service.log.lines()).toEqual([`server: blk: ${"x".repeat(LINE_MAX)}`]);
});

test("bad addresses and operations are errors, and no lines", async () => {
  const service = await Service.start();
  const port = service.port();
  for (let i = 0; i < LINES_MOST + 10; i++) {
    expect(service.call(port, BigInt(BUFFER + BUFFER_BYTES - 4), 8n)).toBe(EFAULT);
    expect(service.call(port, 0xffffffff80010000n, 8n)).toBe(EFAULT);
    expect(service.call(port, 1n << 63n, (1n << 64n) - 1n)).toBe(EFAULT);
    expect(service.say(port, "")).toBe(0); // an empty line is one
    expect(service.write(port, new Uint8Array(1), 2)).toBe(EINVAL);
  }
  expect(service.log.lines()).toEqual(Array<string>(LINES_MOST).fill("server: blk: "));
});
