/**
 * The supervisor: starts a server for each device and service it knows, and starts it again when it ends.
 *
 * It runs as root, unconfined, holds ROOT, and decides everything about restarts; the kernel only tells it of deaths. What it keeps is
 * shown in /run/services; what root may ask of it comes through control.ts. When it dies its servers die with it, and its successor
 * (keep-supervisor's) waits until every device is free: what programs asked of the servers waits in the kernel meanwhile.
 */
import { PciInfo, ServiceId } from "../../../kernel/abi/capability";
import {
  capDrop, notificationCreate, notificationSignal, notificationWait, pciList, rootClaim, serviceOpen, timeOpen,
} from "../../runtime/native-calls";
import { timeNow, timerSet, timeTake } from "../../runtime/clock";
import { fileReplace, fileText, linuxKill, linuxReap, linuxRunFirst, Status } from "../../runtime/linux";
import { HEARTBEAT } from "../../runtime/loop";
import { log, logTo, runtimeStart, serverBuffer } from "../../runtime/start";
import { answerPut, controlOpen, controlRead, Request, requestParse, Verb } from "./control";
import { backtrace, crashOf } from "./crash";
import { HUNG, silenceAfter } from "./heartbeat";
import { After, aliveBit, awaited, deathBit, Instance, INSTANCES_MAX, instanceName, isAlive, State } from "./instance";
import { isRealTime, Manifest, manifestsParse, PRIORITY_MOST } from "./manifest";
import { startOrder } from "./order";
import { delayNs, endText, failuresAfter, Verdict, verdict } from "./policy";
import { predecessorsAwait } from "./predecessor";
import { spawn, spawnInit } from "./spawn";
import { tableText } from "./table";
import { standsDrop, threadsStand } from "./threads";

export { serverBuffer };

const MANIFESTS = "/lib/servers/manifests";
const MANIFESTS_BYTES: i32 = 65536;
const TABLE = "/run/services";
const TIMER_BIT: u64 = 1 << 60;
const TICK_NS: u64 = 250_000_000;
/** A deadline of 0 is none, of 1 "do not wait". */
const DUE_FIRST: u64 = 2;
/** As if the server had ended so: it was never born. */
const STATUS_UNBORN: u32 = 126 << 8;
const INFO = changetype<PciInfo>(memory.data(48, 8));
const STATUS = changetype<Status>(memory.data(offsetof<Status>(), 8));
const instances: Instance[] = [];

let root: u32 = 0;
let watch: u32 = 0;
let isChanged: bool = true;

export function serverMain(count: u32): u32 {
  runtimeStart(count);
  const problem = supervisorBegin();
  if (problem < 0) return <u32>-problem; // another one runs, or this is not root
  while (true) {
    supervisorTurn();
    __collect();
  }
}

/** Claims ROOT and makes what is to be kept: 0 or a negated errno. */
export function supervisorBegin(): i32 {
  const claimed = rootClaim();
  if (claimed < 0) return <i32>claimed;
  root = <u32>claimed;
  logTo(<u32>serviceOpen(root, ServiceId.LOG));
  timeTake(<u32>timeOpen(root));
  predecessorsAwait(fileText(TABLE));
  watch = <u32>notificationCreate();
  spawnInit(root, watch, instances);
  controlOpen();
  instancesMake(manifestsParse(fileText(MANIFESTS, MANIFESTS_BYTES)));
  if (instances.some((it) => isRealTime(it.manifest))) linuxRunFirst(PRIORITY_MOST + 1);
  log("keeps " + instances.length.toString() + " servers");
  startDue();
  timerSet(watch, TIMER_BIT, timeNow() + TICK_NS, TICK_NS);
  return 0;
}

/** Waits for something to happen, and does what is to be done about it. */
export function supervisorTurn(): void {
  if (isChanged) fileReplace(TABLE, tableText(instances));
  isChanged = false;
  const bits = notificationWait(watch, nextDue());
  if (bits > 0) bitsTake(<u64>bits);
  startDue();
}

// ---- What there is to keep ----

/** One instance for each server that always runs, and for each device a server knows. */
function instancesMake(manifests: Manifest[]): void {
  const order = startOrder(manifests);
  for (let i = 0; i < order.length; i++) {
    if (order[i].start == "always") instanceAdd(order[i], -1, 0);
    if (order[i].start == "device") devicesMatch(order[i]);
  }
  for (let i = 0; i < manifests.length; i++) if (manifests[i].problem != "") refuse(manifests[i]);
}

function refuse(manifest: Manifest): void {
  log("manifest of " + manifest.name + " refused: " + manifest.problem);
  const it = instanceAdd(manifest, -1, 0);
  if (!it) return;
  it.state = State.REFUSED;
  it.hadChance = true;
  it.last = manifest.problem;
}

function devicesMatch(manifest: Manifest): void {
  let ordinal = 0;
  for (let index: u32 = 0; pciList(root, index, changetype<usize>(INFO)) >= 0; index++) {
    if (isMatch(manifest)) instanceAdd(manifest, INFO.address, ordinal++);
  }
}

/** Whether the server drives what INFO describes. */
function isMatch(manifest: Manifest): bool {
  const id = <u32>INFO.device << 16 | INFO.vendor;
  for (let i = 0; i < manifest.pci.length; i++) {
    if (manifest.pci[i].value == (manifest.pci[i].isClass ? INFO.classCode : id)) return true;
  }
  return false;
}

function instanceAdd(manifest: Manifest, device: i32, ordinal: i32): Instance | null {
  if (instances.length == INSTANCES_MAX) {
    log("too many servers: no " + manifest.name + "." + ordinal.toString());
    return null;
  }
  const it = new Instance(manifest, device, ordinal, instances.length);
  instances.push(it);
  return it;
}

// ---- Starting ----

function startDue(): void {
  for (let i = 0; i < instances.length; i++) {
    const it = instances[i];
    if (it.state == State.WAITING && it.dueNs <= timeNow()) it.state = State.BLOCKED;
    if (it.state == State.BLOCKED && awaited(it, instances) == "") start(it);
  }
}

function start(it: Instance): void {
  isChanged = true;
  it.startedNs = timeNow();
  it.silent = 0;
  it.isHung = false;
  it.starts++;
  const problem = spawn(it);
  if (problem != "") {
    log(instanceName(it) + " cannot start: " + problem);
    return ended(it, STATUS_UNBORN, problem);
  }
  const canBeAsked = it.notification != 0 && it.manifest.needs.includes("heartbeat");
  if (canBeAsked) notificationSignal(it.notification, HEARTBEAT); // its first answer says that it is ready
  else ready(it);
  if (canBeAsked) it.state = State.STARTING;
}

function ready(it: Instance): void {
  it.state = State.RUNNING;
  it.hadChance = true;
  isChanged = true;
}

/** When the next waiting server is due, 0 for none. */
function nextDue(): u64 {
  let due: u64 = 0;
  for (let i = 0; i < instances.length; i++) {
    if (instances[i].state == State.WAITING && (due == 0 || instances[i].dueNs < due)) due = instances[i].dueNs;
  }
  return due == 0 ? 0 : max<u64>(due, DUE_FIRST);
}

// ---- Watching ----

function bitsTake(bits: u64): void {
  for (let i = 0; i < instances.length; i++) {
    const it = instances[i];
    if (bits & aliveBit(it)) answered(it);
    if (bits & deathBit(it)) bury(it);
  }
  if (!(bits & TIMER_BIT)) return;
  for (let i = 0; i < instances.length; i++) if (isAlive(instances[i])) ask(instances[i]);
  const lines = controlRead();
  for (let i = 0; i < lines.length; i++) obey(requestParse(lines[i]));
}

function answered(it: Instance): void {
  it.silent = 0;
  if (it.state == State.STARTING) ready(it);
}

/** Asks for a sign of life; who gave none for long is killed, and its death does the rest. */
function ask(it: Instance): void {
  if (it.notification == 0 || !it.manifest.needs.includes("heartbeat")) return;
  const open = silenceAfter(it.silent, it.manifest.silent, it.state == State.STARTING);
  if (open != HUNG) {
    it.silent = open;
    notificationSignal(it.notification, HEARTBEAT);
    return;
  }
  if (!it.isHung) {
    log(it.manifest.name + " (pid " + it.pid.toString() + ") hangs");
    it.stands = threadsStand(it.process);
  }
  it.isHung = true;
  linuxKill(it.pid);
}

/** A death was signalled: takes the status, logs it, decides. */
function bury(it: Instance): void {
  if (!isAlive(it) || linuxReap(it.pid, changetype<usize>(STATUS)) != it.pid) return;
  const crash = crashOf(it.process);
  const how = it.isHung ? "hung" : crash ? crash.reason : endText(STATUS.word);
  log(it.manifest.name + " (pid " + it.pid.toString() + ") " + how);
  capDrop(it.process);
  ended(it, STATUS.word, how);
  if (!crash && it.stands.length == 0) return;
  const stands = it.stands;
  standsDrop(stands);
  it.stands = [];
  startDue(); // names can wait, programs that use the server should not
  for (let i = 0; i < stands.length; i++) logAll(backtrace(stands[i].frames, it.manifest.name, stands[i].doing));
  if (crash) logAll(backtrace(crash.frames, it.manifest.name, ""));
}

function logAll(lines: string[]): void {
  for (let i = 0; i < lines.length; i++) log(lines[i]);
}

/** It ended with `status`, for people `how`: what becomes of it. */
function ended(it: Instance, status: u32, how: string): void {
  const now = timeNow();
  const after = it.after;
  isChanged = true;
  it.pid = 0;
  it.last = after == After.STOP ? "stopped on request" : after == After.START ? "restarted on request" : how;
  it.hadChance = true;
  it.after = After.POLICY;
  if (after == After.STOP) it.state = State.STOPPED;
  else if (after == After.START) startAgain(it);
  else judge(it, status, now);
}

function judge(it: Instance, status: u32, now: u64): void {
  it.failures = failuresAfter(it.failures, now - it.startedNs);
  const decision = verdict(it.manifest.restart, it.manifest.failures, it.failures, status);
  if (decision == Verdict.FINISHED) it.state = State.FINISHED;
  else if (decision == Verdict.GIVEN_UP) {
    it.state = State.GIVEN_UP;
    log(it.manifest.name + " is given up: " + it.last);
  } else {
    it.state = State.WAITING;
    it.dueNs = now + delayNs(it.failures);
  }
}

/** Starts as soon as it may, with a clean slate. */
function startAgain(it: Instance): void {
  it.failures = 0;
  it.state = State.BLOCKED;
  isChanged = true;
}

// ---- What root asks ----

function obey(request: Request): void {
  if (request.id == "") return; // nobody to answer
  if (request.verb == Verb.NONE) return answerPut(request.id, "this is not a request");
  let count = 0;
  for (let i = 0; i < instances.length; i++) {
    const it = instances[i];
    if (request.name != it.manifest.name && request.name != instanceName(it)) continue;
    if (it.state != State.REFUSED) change(it, request.verb);
    count++;
  }
  answerPut(request.id, count > 0 ? "ok" : "there is no server of that name");
}

function change(it: Instance, verb: Verb): void {
  if (isAlive(it) && verb != Verb.START) {
    it.after = verb == Verb.STOP ? After.STOP : After.START;
    linuxKill(it.pid);
  } else if (!isAlive(it)) {
    if (verb != Verb.STOP) return startAgain(it);
    it.state = State.STOPPED;
    it.hadChance = true;
    isChanged = true;
  }
}
