/** What a kernel of vfs-machine.ts logged, on a clock that the test sets. */
import { structLayout } from "../../../support/struct-layout.ts";
import { BUFFER, type Vfs } from "../vfs/vfs-machine.ts";

const KEEPER = structLayout("arch/x86_64/timer.ts", "Timekeeper");
const TASK = structLayout("kernel/core/sched/task.ts", "Task");
const ROOM = BUFFER + 0x80000;
const ROOM_BYTES = 0x10000;
const ONE_NS_A_TICK = 1n << 28n;

export class KernelLog {
  private at = 0n;

  constructor(private readonly vfs: Vfs) {
    const keeper = vfs.constant("TIMEKEEPER");
    vfs.view().setBigUint64(keeper + KEEPER.mult!, ONE_NS_A_TICK, true);
    vfs.view().setBigUint64(keeper + KEEPER.tscHz!, 1_000_000_000n, true);
  }

  /** Now it is `seconds` after boot. */
  timeSet(seconds: number): void { this.vfs.machine.tsc = BigInt(Math.round(seconds * 1e9)); }

  /** The running task is called so. */
  nameSet(name: string): void {
    new Uint8Array(this.vfs.memory.buffer).set(new TextEncoder().encode(`${name}\0`), this.vfs.machine.currentTask + TASK.comm0!);
  }

  /** The lines since the last look, without time and place. */
  lines(): string[] {
    const count = this.vfs.exports.logRead(this.at, ROOM, ROOM_BYTES) as number;
    this.at += BigInt(count);
    const text = new TextDecoder("latin1").decode(new Uint8Array(this.vfs.memory.buffer, ROOM, count));
    return text.split("\n").slice(0, -1).map((line) => line.replace(/^\[.*?\] c\d+ t\d+ /, ""));
  }
}
