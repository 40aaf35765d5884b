/**
 * The watch over what servers owe the kernel: once a second, in a thread that itself waits for none of them.
 *
 * A server in an endless loop is found by the supervisor's heartbeat. One that answers heartbeats but not its calls or its disk's
 * requests is found here, and so is a server that nobody starts again.
 */
import { monoNowNs } from "../../../arch/current";
import { taskCreateKernel, taskStart } from "../../core/sched/sched";
import { sleepUntil } from "../../core/sched/sleep";
import { logWarn } from "../../lib/log";
import { disksWatch } from "../block/disk-watch";
import { connectionsWatch } from "../vfs/served/connection";

const ROUND_NS: u64 = 1_000_000_000;

export function watchdogStart(): void {
  const watchdog = taskCreateKernel("watchdog", watchdogMain, 0);
  if (watchdog) taskStart(watchdog);
  else logWarn("server", "no watchdog: a server that does not answer is not found");
}

function watchdogMain(arg: u32): void {
  while (true) {
    sleepUntil(monoNowNs() + ROUND_NS);
    disksWatch();
    connectionsWatch();
  }
}
