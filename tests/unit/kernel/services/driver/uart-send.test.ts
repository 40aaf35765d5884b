/** Output of the terminal and lines of the kernel's log through a serial port that is slow, or takes nothing at all. */
import { Random } from "../../../support/random.ts";
import { BUFFER, type Vfs, bootVfs, startProcess } from "../vfs/vfs-machine.ts";

const COM1 = 0x3f8;
const [IER, LSR, SCRATCH] = [COM1 + 1, COM1 + 5, COM1 + 7];
const [THRE, ETBEI, FIFO] = [0x20, 2, 16];
const SEED = Number(process.env["SEED"] ?? 16550);

/** A 16550 whose wire the test moves on by hand. */
class Port {
  wire = "";
  ier = 0;
  /** While it is set the port sends whatever it is given at once. */
  isFast = true;
  private readonly fifo: number[] = [];

  constructor(machine: Vfs["machine"]) {
    machine.portReaders.set(LSR, () => (this.fifo.length === 0 ? THRE : 0));
    machine.portReaders.set(SCRATCH, () => 0xa5);
    machine.portWriters.set(IER, (value) => (this.ier = value));
    machine.portWriters.set(COM1, (value) => {
      expect(this.fifo.length).toBeLessThan(FIFO); // else the byte would be lost
      this.fifo.push(value);
      if (this.isFast) this.drain();
    });
  }

  drain(): void {
    this.wire += String.fromCharCode(...this.fifo.splice(0));
  }
}

let vfs: Vfs;
let port: Port;
let tty: number;

function put(text: string): number {
  new Uint8Array(vfs.memory.buffer).set(Buffer.from(text, "latin1"), BUFFER);
  return BUFFER;
}

/** A program's write: into the ring, then the driver's kick. */
function write(text: string): void {
  expect(vfs.call("ldiscWriteLocked", tty, put(text), text.length)).toBe(text.length);
  vfs.call("uartKick", tty);
}

function log(text: string): void {
  vfs.call("uartLogWrite", put(`${text}\n`), text.length + 1);
}

/** What the transmit interrupt does, as long as the kernel asks for it. */
function settle(): void {
  for (let rounds = 0; rounds < 10_000 && port.ier & ETBEI; rounds++) {
    port.drain();
    vfs.call("uartTransmitMore");
  }
  port.drain();
  expect(port.ier & ETBEI).toBe(0);
}

beforeEach(async () => {
  vfs = await bootVfs();
  startProcess(vfs);
  vfs.call("ptyDriverInit");
  port = new Port(vfs.machine);
  vfs.call("serialEarlyInit");
  port.wire = "";
  vfs.call("uartSendInit");
  tty = vfs.call("ttyNew", vfs.call("ptyDriver"), 0, 0n) >>> 0;
  vfs.call("uartSendTty", tty);
});

test("a fast port shows everything at once", () => {
  write("prompt# ");
  log("[ 1.0] a line");
  write("done\n");
  expect(port.wire).toBe("prompt# [ 1.0] a line\r\ndone\r\n");
  expect(port.ier & ETBEI).toBe(0);
});

test("a slow port breaks no line", () => {
  port.isFast = false;
  write("ok 11 - their handles name nothing\nok 12 - next\n");
  log("[ 1.0] the log speaks");
  log("[ 1.1] twice");
  write("ok 13 - last\n");
  settle();
  expect(port.wire).toBe("ok 11 - their handles name nothing\r\n[ 1.0] the log speaks\r\n[ 1.1] twice\r\nok 12 - next\r\nok 13 - last\r\n");
});

test("a halted terminal does not hold the log up", () => {
  port.isFast = false;
  write("a long line that is not over when the terminal is halted\n");
  vfs.call("ttyReceive", tty, put("\x13"), 1); // ^S
  log("[ 1.0] the log speaks");
  settle();
  expect(port.wire).toContain("[ 1.0] the log speaks\r\n");
  expect(port.wire).not.toContain("halted");
});

test("lines that find no room are left out whole, and counted", () => {
  port.isFast = false;
  const lines = Array.from({ length: 1000 }, (_, n) => `[ ${n}] ${"x".repeat(80)}`);
  lines.forEach(log);
  settle();
  log("[ 1001] again");
  settle();
  const shown = port.wire.split("\r\n");
  const kept = shown.findIndex((line) => line.endsWith("left out"));
  expect(kept).toBeGreaterThan(100);
  expect(shown).toEqual([...lines.slice(0, kept), `${1000 - kept} lines of the log left out`, "[ 1001] again", ""]);
});

test(`lines arrive whole and in order however the port stalls (seed ${SEED})`, () => {
  const random = new Random(SEED);
  const [programs, logs]: [string[], string[]] = [[], []];
  for (let step = 0; step < 3000; step++) {
    port.isFast = random.chance(20);
    if (random.chance(50)) port.drain();
    if (random.chance(30)) {
      programs.push(`program ${step} ${"p".repeat(random.below(60))}`);
      write(`${programs.at(-1)!}\n`);
    }
    if (random.chance(20)) {
      logs.push(`[ ${step}] ${"l".repeat(random.below(60))}`);
      log(logs.at(-1)!);
    }
    if (random.chance(60) && port.ier & ETBEI) vfs.call("uartTransmitMore");
    if (random.chance(5)) settle();
  }
  settle();
  const shown = port.wire.split("\r\n").slice(0, -1);
  expect(shown.filter((line) => line.startsWith("program"))).toEqual(programs);
  expect(shown.filter((line) => line.startsWith("["))).toEqual(logs);
  expect(shown).toHaveLength(programs.length + logs.length);
});

test("before the power goes, what waits is sent; a port that takes nothing is not waited for for ever", () => {
  port.isFast = false;
  log("[ 1.0] one");
  log("[ 1.1] two");
  port.isFast = true;
  port.drain();
  vfs.call("uartFlush");
  expect(port.wire).toBe("[ 1.0] one\r\n[ 1.1] two\r\n");
  port.isFast = false;
  for (let n = 0; n < 4; n++) log("[ 2.0] into the void");
  vfs.call("uartFlush");
  expect(port.wire).toBe("[ 1.0] one\r\n[ 1.1] two\r\n");
});
