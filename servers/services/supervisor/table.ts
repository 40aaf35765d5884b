/**
 * /run/services, what the command `services` shows. One line an instance, fields separated by one space:
 *
 *   SERVICE STATE PID RESTARTS STARTED DEVICE LAST          STARTED: seconds since boot; LAST: how it ended last (or what it waits for), the rest of the line
 */
import { awaited, Instance, instanceName, State } from "./instance";

const HEAD = "SERVICE STATE PID RESTARTS STARTED DEVICE LAST\n";
const NS: u64 = 1_000_000_000;

export function stateName(state: State): string {
  switch (state) {
    case State.BLOCKED: return "blocked";
    case State.STARTING: return "starting";
    case State.RUNNING: return "running";
    case State.WAITING: return "waiting";
    case State.FINISHED: return "finished";
    case State.STOPPED: return "stopped";
    case State.GIVEN_UP: return "given-up";
    default: return "refused";
  }
}

export function tableText(all: Instance[]): string {
  let text = HEAD;
  for (let i = 0; i < all.length; i++) text += row(all[i], all);
  return text;
}

function row(it: Instance, all: Instance[]): string {
  const last = it.state == State.BLOCKED ? "waits for " + awaited(it, all) : it.last;
  const restarts = it.starts > 0 ? it.starts - 1 : 0;
  const words = [
    instanceName(it), stateName(it.state), it.pid != 0 ? it.pid.toString() : "-", restarts.toString(), (it.startedNs / NS).toString(), deviceName(it.device), last,
  ];
  return words.join(" ") + "\n";
}

/** As lspci has it: bus:device.function; "-" for none. */
function deviceName(address: i32): string {
  if (address < 0) return "-";
  return digits(address >> 8) + ":" + digits(address >> 3 & 31) + "." + (address & 7).toString();
}

function digits(value: i32): string {
  const text = value.toString(16);
  return text.length < 2 ? "0" + text : text;
}
