/**
 * The supervisor: starts a server for each device and service it knows, and starts it again when it ends.
 *
 * It runs as root, unconfined, holds ROOT, and decides everything about restarts; the kernel only tells it of deaths. What it keeps is
 * shown in /run/services.
 */
import { PciInfo } from "../../../kernel/abi/capability";
import {
  notificationCreate, notificationSignal, notificationTimer, notificationWait, pciList, rootClaim, serviceOpen, timeNow,
} from "../../runtime/native-calls";
import { serverCall } from "../../runtime/intrinsics";
import { fileReplace, fileText, linuxReap } from "../../runtime/linux";
import { HEARTBEAT } from "../../runtime/loop";
import { log, logTo, runtimeStart, serverBuffer } from "../../runtime/start";
import { aliveBit, deathBit, Instance, instanceStart, State } from "./instance";
import { Manifest, manifestsParse } from "./manifests";
import { delayNs, failuresAfter, isGivenUp } from "./policy";

export { serverBuffer };

const MANIFESTS = "/lib/servers/manifests";
const TABLE = "/run/services";
const INSTANCES_MAX = 16;
const TIMER_BIT: u64 = 1 << 40;
const TICK_NS: u64 = 500_000_000;
/** Ticks without a sign of life after which a server is taken for hung. */
const SILENT_MAX: u32 = 4;
const SERVICE_LOG: u32 = 1;
const SYS_KILL: u32 = 62;
const SIGKILL: u32 = 9;
const INFO = changetype<PciInfo>(memory.data(48, 8));
const STATUS = changetype<Status>(memory.data(offsetof<Status>(), 8));

/** The word wait4 fills. */
@unmanaged
class Status { word: u32; }
const instances: Instance[] = [];

let root: u32 = 0;
let watch: u32 = 0;

export function serverMain(count: u32): u32 {
  runtimeStart(count);
  const claimed = rootClaim();
  if (claimed < 0) return <u32>-claimed; // another one runs, or this is not root
  root = <u32>claimed;
  logTo(<u32>serviceOpen(root, SERVICE_LOG));
  watch = <u32>notificationCreate();
  instancesMake(manifestsParse(fileText(MANIFESTS)));
  for (let i = 0; i < instances.length; i++) startNow(instances[i]);
  tableWrite();
  notificationTimer(watch, TIMER_BIT, timeNow() + TICK_NS, TICK_NS);
  while (true) {
    const bits = notificationWait(watch, nextDue());
    if (bits > 0) bitsTake(<u64>bits);
    startDue();
    __collect();
  }
}

/** One instance for each server that always runs, and for each device a server knows. */
function instancesMake(manifests: Manifest[]): void {
  for (let i = 0; i < manifests.length; i++) {
    if (manifests[i].start == "always") instanceAdd(manifests[i], -1, 0);
    if (manifests[i].start == "device") devicesMatch(manifests[i]);
  }
}

function devicesMatch(manifest: Manifest): void {
  let ordinal = 0;
  for (let index: u32 = 0; pciList(root, index, changetype<usize>(INFO)) >= 0; index++) {
    const id = <u32>INFO.device << 16 | INFO.vendor;
    if (manifest.pci.indexOf(id) >= 0) instanceAdd(manifest, INFO.address, ordinal++);
  }
}

function instanceAdd(manifest: Manifest, device: i32, ordinal: i32): void {
  if (instances.length < INSTANCES_MAX) instances.push(new Instance(manifest, device, ordinal, instances.length));
}

function startNow(instance: Instance): void {
  instance.startedNs = timeNow();
  instance.silent = 0;
  instance.state = instanceStart(instance, root, watch) ? State.RUNNING : State.WAITING;
  if (instance.state == State.WAITING) endedAfter(instance, 0);
}

/** It ended after a life of `livedNs`: when to try again, if at all. */
function endedAfter(instance: Instance, livedNs: u64): void {
  instance.failures = failuresAfter(instance.failures, livedNs);
  if (isGivenUp(instance.failures)) {
    instance.state = State.GIVEN_UP;
    log(instance.manifest.name + " is given up");
    return;
  }
  instance.state = State.WAITING;
  instance.dueNs = timeNow() + delayNs(instance.failures);
}

/** When the next waiting server is due, 0 for none. */
function nextDue(): u64 {
  let due: u64 = 0;
  for (let i = 0; i < instances.length; i++) {
    if (instances[i].state == State.WAITING && (due == 0 || instances[i].dueNs < due)) due = instances[i].dueNs;
  }
  return due == 1 ? 2 : due;
}

function startDue(): void {
  let changed = false;
  for (let i = 0; i < instances.length; i++) {
    const instance = instances[i];
    if (instance.state != State.WAITING || instance.dueNs > timeNow()) continue;
    instance.restarts++;
    startNow(instance);
    changed = true;
  }
  if (changed) tableWrite();
}

function bitsTake(bits: u64): void {
  for (let i = 0; i < instances.length; i++) {
    const instance = instances[i];
    if (bits & aliveBit(instance)) instance.silent = 0;
    if (bits & deathBit(instance)) bury(instance);
  }
  if (bits & TIMER_BIT) heartbeats();
}

/** A death was signalled: takes the status, logs it, plans the restart. */
function bury(instance: Instance): void {
  if (instance.state != State.RUNNING || linuxReap(instance.pid, changetype<usize>(STATUS)) != instance.pid) return;
  const status = STATUS.word;
  const how = status & 0x7f ? "killed by signal " + (status & 0x7f).toString() : "exited with " + (status >> 8).toString();
  log(instance.manifest.name + " (pid " + instance.pid.toString() + ") " + how);
  endedAfter(instance, timeNow() - instance.startedNs);
  tableWrite();
}

/** Asks every server for a sign of life; one that gave none for long is killed, and its death does the rest. */
function heartbeats(): void {
  for (let i = 0; i < instances.length; i++) {
    const instance = instances[i];
    if (instance.state != State.RUNNING || instance.notification == 0) continue;
    if (++instance.silent > SILENT_MAX) {
      log(instance.manifest.name + " (pid " + instance.pid.toString() + ") hangs");
      serverCall(SYS_KILL, instance.pid, SIGKILL, 0, 0, 0, 0);
    } else {
      notificationSignal(instance.notification, HEARTBEAT);
    }
  }
}

function stateName(state: State): string {
  return state == State.RUNNING ? "running" : state == State.WAITING ? "waiting" : state == State.GIVEN_UP ? "given-up" : "stopped";
}

/** What `services` shows: name, state, pid, restarts, start in seconds since boot. */
function tableWrite(): void {
  let text = "SERVICE STATE PID RESTARTS STARTED\n";
  for (let i = 0; i < instances.length; i++) {
    const it = instances[i];
    text += it.manifest.name + "." + it.ordinal.toString() + " " + stateName(it.state) + " " + it.pid.toString() + " " +
      it.restarts.toString() + " " + (it.startedNs / 1_000_000_000).toString() + "\n";
  }
  fileReplace(TABLE, text);
}
