/** What the watchdog looks at each second: who owes an answer for too long is ended, who is not to blame is not, and nobody waits for ever. */
import { structLayout } from "../../../support/struct-layout.ts";
import { DiskMachine, OP, STATE } from "../block/disk-machine.ts";
import { bootVfs, PROCESS, type Vfs } from "../vfs/vfs-machine.ts";
import { KernelLog } from "./kernel-log.ts";

const PROCESS_AT = structLayout("kernel/services/process/process.ts", "Process");
const CONNECTION = structLayout("kernel/services/vfs/served/connection.ts", "Connection");
const EIO = -5;
const SECTORS = 8;
const PID = 57;

/** A server that lives, under the name that its process bears. */
function serverMake(vfs: Vfs, name: string): void {
  const view = vfs.view();
  view.setUint32(PROCESS + PROCESS_AT.pid!, PID, true);
  view.setUint32(PROCESS + PROCESS_AT.refs!, 1, true);
  view.setUint32(PROCESS + PROCESS_AT.liveThreads!, 1, true);
  new Uint8Array(vfs.memory.buffer).set(new TextEncoder().encode(`${name}\0`), PROCESS + PROCESS_AT.comm0!);
}

class Disks {
  readonly log: KernelLog;
  private constructor(readonly machine: DiskMachine) {
    this.log = new KernelLog(machine.vfs);
    this.log.timeSet(1);
    serverMake(machine.vfs, "blk");
  }

  static async start(): Promise<Disks> { return new Disks(await DiskMachine.start()); }

  submit(): number {
    const request = this.machine.vfs.call("requestCreatePages", OP.READ, 0n, SECTORS * 512);
    this.machine.vfs.exports.diskSubmit(this.machine.disk, request);
    return request;
  }

  /** A look at `seconds`: what was logged. */
  watch(seconds: number): string[] {
    this.log.timeSet(seconds);
    this.machine.vfs.exports.disksWatch();
    return this.log.lines();
  }

  drive(): void {
    this.machine.attach();
    this.machine.start();
    this.log.lines();
  }
}

test("a driver that owes an answer for ten seconds is ended, one with nothing to do never", async () => {
  const disks = await Disks.start();
  disks.drive();
  expect(disks.watch(1000)).toEqual([]);
  disks.submit();
  expect(disks.watch(1009.9)).toEqual([]);
  expect(disks.watch(1010.1)).toEqual([`server: blk (pid ${PID}) does not answer a disk's request: killed`]);
});

test("a driver is not to blame for requests of before its time", async () => {
  const disks = await Disks.start();
  disks.drive();
  disks.machine.detach();
  const request = disks.submit();
  expect(disks.watch(40)).toEqual([]);
  disks.drive();
  expect(disks.machine.requestField(request, "state")).toBe(STATE.ISSUED);
  expect(disks.watch(49)).toEqual([]);
  expect(disks.watch(51)).toHaveLength(1);
});

test("requests to a disk without a driver fail after a minute, not before", async () => {
  const disks = await Disks.start();
  disks.drive();
  disks.log.timeSet(100);
  disks.machine.detach();
  const request = disks.submit();
  disks.watch(159);
  expect(disks.machine.requestField(request, "state")).toBe(STATE.WAITING);
  disks.watch(161);
  expect([disks.machine.requestField(request, "state"), disks.machine.requestField(request, "status") | 0]).toEqual([STATE.DONE, EIO]);
});

/** A connection whose server took a call at `began` and gave its last sign of life at `active` (0: it waits for its device). */
async function connection(began: number, active: number): Promise<(seconds: number) => string[]> {
  const vfs = await bootVfs();
  const log = new KernelLog(vfs);
  serverMake(vfs, "fat");
  const at = vfs.call("connectionAt", 0);
  const ns = (seconds: number): bigint => BigInt(seconds) * 1_000_000_000n;
  vfs.view().setUint32(at + CONNECTION.process!, PROCESS, true);
  vfs.view().setBigUint64(at + CONNECTION.callBeganNs!, ns(began), true);
  vfs.view().setBigUint64(at + CONNECTION.callActiveNs!, ns(active), true);
  return (seconds) => {
    log.timeSet(seconds);
    vfs.exports.connectionsWatch();
    return log.lines();
  };
}

test.each([
  ["silent for ten seconds", 100, 100, 110, 111],
  ["silent since its device answered", 100, 150, 160, 161],
  ["that waits for its device: two minutes", 100, 0, 220, 221],
  ["that is active, but never done: two minutes too", 100, 218, 220, 221],
])("a file-system server %s", async (_, began, active, fine, late) => {
  const watch = await connection(began, active);
  expect(watch(fine - 0.1)).toEqual([]);
  expect(watch(late)).toEqual([`server: fat (pid ${PID}) does not answer a call: killed`]);
});

test("a server that owes nothing may be silent", async () => {
  const watch = await connection(0, 0);
  expect(watch(100_000)).toEqual([]);
});
