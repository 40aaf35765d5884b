/**
 * From a running core to process 1: every service in the order of its needs. Runs in a kernel thread of its own.
 */
import { rtcReadSeconds } from "../../arch/current";
import { futexInit } from "../core/sync/futex";
import { NS_PER_SEC, clockSetReal } from "../core/time/clock";
import { logInfo } from "../lib/log";
import { exitInit } from "./process/exit";
import { processTableInit } from "./process/process-table";
import { robustListsInit } from "./process/robust-list";
import { timersInit } from "./process/sys-timer";
import { vdsoInit } from "./process/vdso";
import { waitInit } from "./process/wait";
import { sigHandInit } from "./signal/sig-hand";

/** The body of the first kernel thread. */
export function servicesStart(arg: u32): void {
  processTableInit();
  sigHandInit();
  exitInit();
  waitInit();
  futexInit();
  robustListsInit();
  timersInit();
  clockSetReal(rtcReadSeconds() * NS_PER_SEC);
  if (!vdsoInit()) logInfo("boot", "no vDSO: programs ask for the time by system call");
  logInfo("boot", "services running");
}
