/**
 * fault: injects faults into servers, by root's command (docs/fault-injection.md).
 *
 * It is built like a server and run like any program, unconfined: it claims ROOT for a moment, to open a DEBUG port and the clock.
 */
import { ServiceId } from "../../../kernel/abi/capability";
import { DebugOp } from "../../../kernel/abi/debug.gen";
import { timeNow, timeTake } from "../../runtime/clock";
import { capDrop, notificationCreate, notificationWait, rootShare, serviceOpen, timeOpen } from "../../runtime/native-calls";
import { fileText, linuxWrite } from "../../runtime/linux";
import { debugDma, debugFlip, debugHang, debugIrq, debugKill, debugReply, debugRing } from "../../runtime/protocol/debug-client.gen";
import { argumentAt, runtimeStart, serverBuffer } from "../../runtime/start";
import { Kind, kindChoose, kindNamed, KINDS, seeded, targetOf } from "./faults";

export { serverBuffer };

const TABLE = "/run/services";
const MS: u64 = 1_000_000;
/** How long messages go astray when nobody says otherwise, and at most in a campaign. */
const IRQ_MS: u64 = 200;
const FLIPS: u64 = 16;
/** A server is hurt when it has lived so long, so that each fault meets it at work. */
const SETTLE_NS: u64 = 120 * MS;
const POLL_NS: u64 = 10 * MS;
const PATIENCE_NS: u64 = 90_000 * MS;
const REPORT_EVERY: u64 = 100;

let port: u32 = 0;
let pause: u32 = 0;
/** Globals, because __collect sees no locals. */
let servers: string[] = [];
let lastPid: i32[] = [];
let aliveSince: u64[] = [];
/** Pids that were hung: they meet no other fault. */
let hungPid: i32[] = [];

export function serverMain(count: u32): u32 {
  runtimeStart(count);
  const words: string[] = [];
  for (let i: u32 = 1; i < count; i++) words.push(argumentAt(i));
  if (words.length < 2) return usage();
  const root = rootShare();
  if (root < 0) return failed("only root may", root);
  const opened = serviceOpen(<u32>root, ServiceId.DEBUG);
  timeTake(<u32>max<i64>(timeOpen(<u32>root), 0));
  capDrop(<u32>root);
  if (opened < 0) return failed("no DEBUG service", opened);
  port = <u32>opened;
  pause = <u32>notificationCreate();
  return words[0] == "storm" ? storm(words) : single(words);
}

function say(text: string): void {
  const bytes = String.UTF8.encode(text + "\n");
  linuxWrite(1, changetype<usize>(bytes), bytes.byteLength);
}

function failed(what: string, error: i64): u32 {
  say("fault: " + what + ": error " + (-error).toString());
  return 1;
}

function usage(): u32 {
  say("usage: fault SERVER|PID KIND [WHAT] [NUMBER]\n       fault storm SEED COUNT SERVER,... PAUSE_MS\nkinds:");
  for (let i = 0; i < KINDS.length; i++) say("  " + KINDS[i].verb + " " + KINDS[i].noun);
  return 2;
}

/** fault SERVER KIND [WHAT] [NUMBER]: a signal, milliseconds of an irq fault, or a seed. */
function single(words: string[]): u32 {
  const kind = kindNamed(words[1], words.length > 2 ? words[2] : "");
  const pid = pidOf(words[0]);
  if (!kind) return usage();
  if (pid <= 0) return failed(words[0] + " does not run", 3);
  const number = words.length > 3 ? u64.parse(words[3]) : kind.op == DebugOp.IRQ ? IRQ_MS : 1;
  const result = inject(pid, kind, kind.op == DebugOp.IRQ ? number * MS : number);
  return result < 0 ? failed(kind.verb, result) : 0;
}

/** `value`: the seed, or nanoseconds. */
function inject(pid: i32, kind: Kind, value: u64): i64 {
  switch (kind.op) {
    case DebugOp.KILL: return debugKill(port, pid, kind.argument);
    case DebugOp.HANG: return debugHang(port, pid, kind.argument);
    case DebugOp.FLIP: return debugFlip(port, pid, kind.argument, value, 1 + seeded(value, 0) % FLIPS);
    case DebugOp.IRQ: return debugIrq(port, pid, kind.argument, value);
    case DebugOp.RING: return debugRing(port, pid, kind.argument, value);
    case DebugOp.REPLY: return debugReply(port, pid, kind.argument, value);
    default: return debugDma(port, pid, kind.argument, value);
  }
}

/** The pid of a server by the supervisor's table ("name.0 running 57 ..."), or the number itself; 0: it does not run. */
function pidOf(server: string): i32 {
  const number = I32.parseInt(server);
  if (server.charCodeAt(0) <= 0x39) return number;
  const lines = fileText(TABLE).split("\n");
  for (let i = 1; i < lines.length; i++) {
    const words = lines[i].split(" ");
    if (words.length > 2 && words[0].split(".")[0] == server && words[1] == "running") return I32.parseInt(words[2]);
  }
  return 0;
}

function sleep(ns: u64): void { notificationWait(pause, timeNow() + ns); }

// ---- Campaigns ----

/** fault storm SEED COUNT SERVERS PAUSE_MS: COUNT faults of mixed kinds, one after the other. */
function storm(words: string[]): u32 {
  if (words.length < 5) return usage();
  const seed = u64.parse(words[1]);
  const count = u64.parse(words[2]);
  servers = words[3].split(",");
  const pauseNs = u64.parse(words[4]) * MS;
  lastPid = new Array<i32>(servers.length).fill(0);
  aliveSince = new Array<u64>(servers.length).fill(0);
  hungPid = new Array<i32>(servers.length).fill(0);
  for (let i: u64 = 0; i < count; i++) {
    if (!stormFault(seed + i)) return 1;
    sleep(pauseNs / 2 + seeded(seed + i, 7) % (pauseNs + 1));
    if ((i + 1) % REPORT_EVERY == 0) say("storm: " + (i + 1).toString() + " faults");
    __collect();
  }
  say("storm: done");
  return 0;
}

/** One fault, again with other choices while the chosen one finds nothing to spoil. False: no server comes back. */
function stormFault(seed: u64): bool {
  const deadline = timeNow() + PATIENCE_NS;
  for (let attempt: u64 = 0; timeNow() < deadline; attempt++) {
    const which = <i32>(seeded(seed, attempt * 4 + 1) % <u64>servers.length);
    const pid = settledPid(which);
    const kind = kindChoose(targetOf(servers[which]), seeded(seed, attempt * 4 + 2));
    const value = kind.op == DebugOp.IRQ ? seeded(seed, 3) % (IRQ_MS * MS) : seed;
    if (pid != 0 && inject(pid, kind, value) >= 0) {
      if (kind.op == DebugOp.HANG) hungPid[which] = pid;
      return true;
    }
    sleep(POLL_NS);
    __collect();
  }
  say("storm: no server comes back");
  return false;
}

/** The server's pid once it has lived SETTLE_NS and while it does not hang, else 0. */
function settledPid(which: i32): i32 {
  const pid = pidOf(servers[which]);
  if (pid != lastPid[which]) {
    lastPid[which] = pid;
    aliveSince[which] = timeNow();
  }
  return pid != hungPid[which] && timeNow() - aliveSince[which] > SETTLE_NS ? pid : 0;
}
