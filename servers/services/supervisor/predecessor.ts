/**
 * The servers of the supervisor before this one: they die with it, but not in the same moment, and a device is free once its driver is gone.
 *
 * Who they were stands in the table it left (table.ts). A pid may be somebody else's by now: the wait has an end.
 */
import { timeNow } from "../../runtime/clock";
import { fileText } from "../../runtime/linux";
import { capDrop, notificationCreate, notificationWait } from "../../runtime/native-calls";
import { numberOf } from "./manifest";

const PATIENCE_NS: u64 = 1_000_000_000;
const LOOK_NS: u64 = 5_000_000;
const PID_COLUMN: i32 = 2;
const PID_DIGITS: i32 = 9;
const STAT_MOST: i32 = 512;

/** Pids in a table of services. */
export function pidsOf(table: string): i32[] {
  const pids: i32[] = [];
  const lines = table.split("\n");
  for (let i = 1; i < lines.length; i++) {
    const words = lines[i].split(" ");
    const pid = words.length > PID_COLUMN ? numberOf(words[PID_COLUMN], 10, PID_DIGITS) : -1;
    if (pid > 0) pids.push(<i32>pid);
  }
  return pids;
}

/** Whether /proc/PID/stat is that of a process that still has something: no zombie. */
export function isAliveStat(stat: string): bool {
  const at = stat.lastIndexOf(")");
  return at >= 0 && !stat.substring(at).startsWith(") Z");
}

/** Waits until all whose pids stand in `table` are gone, for a second at most. */
export function predecessorsAwait(table: string): void {
  const pids = pidsOf(table);
  const deadline = timeNow() + PATIENCE_NS;
  const pause = notificationCreate();
  if (pause < 0) return;
  for (let i = 0; i < pids.length; i++) {
    const path = "/proc/" + pids[i].toString() + "/stat";
    while (isAliveStat(fileText(path, STAT_MOST)) && timeNow() < deadline) notificationWait(<u32>pause, timeNow() + LOOK_NS);
  }
  capDrop(<u32>pause);
}
