/**
 * One server the supervisor keeps alive, and how it is given life.
 *
 *   fork ─ child: confine at execve, wait for the handles, execve
 *        └ parent: open the child, install what the manifest says, tell the handles
 *
 * The parent lets go of each device and port it passed on: when the server dies nobody holds them, and the kernel cleans up.
 */
import { CapRight } from "../../../kernel/abi/capability";
import {
  capDrop, capInstall, endpointCreate, notificationCreate, pciOpen, processConfine, processOpen, processWatch, quotaCreate, serviceOpen,
} from "../../runtime/native-calls";
import { linuxClose, linuxExec, linuxExit, linuxFork, linuxPipe, linuxRead, linuxWrite } from "../../runtime/linux";
import { hex } from "../../runtime/start";
import { Manifest } from "./manifests";

export const enum State { STOPPED, RUNNING, WAITING, GIVEN_UP }

const SERVICE_LOG: u32 = 1;
const SERVICE_BLOCK_DRIVER: u32 = 2;
const SERVICE_FILE_SYSTEM: u32 = 4;
const QUOTA_BYTES: u64 = 4 << 20;
const TEXT_MAX: u32 = 512;
const PIPE = changetype<Pipe>(memory.data(offsetof<Pipe>(), 8));

/** What pipe2 fills. */
@unmanaged
class Pipe {
  readEnd: i32;
  writeEnd: i32;
}

export class Instance {
  manifest: Manifest;
  /** Configuration address of its device, or -1. */
  device: i32;
  /** Which of its kind: /dev/vda has 0. */
  ordinal: i32;
  slot: i32;
  state: State = State.STOPPED;
  pid: i32 = 0;
  notification: u32 = 0;
  startedNs: u64 = 0;
  dueNs: u64 = 0;
  failures: u32 = 0;
  restarts: u32 = 0;
  /** Signs of life asked for since the last one came. */
  silent: u32 = 0;

  constructor(manifest: Manifest, device: i32, ordinal: i32, slot: i32) {
    this.manifest = manifest;
    this.device = device;
    this.ordinal = ordinal;
    this.slot = slot;
  }
}

/** Bits in the supervisor's notification: deaths below, signs of life above. */
export function deathBit(instance: Instance): u64 { return <u64>1 << instance.slot; }
export function aliveBit(instance: Instance): u64 { return <u64>1 << (instance.slot + 16); }

/** Starts the server: true when its process runs. */
export function instanceStart(instance: Instance, root: u32, watch: u32): bool {
  if (linuxPipe(changetype<usize>(PIPE)) < 0) return false;
  const readEnd = PIPE.readEnd;
  const writeEnd = PIPE.writeEnd;
  const pid = linuxFork();
  if (pid == 0) childBecome(instance, readEnd, writeEnd);
  linuxClose(readEnd);
  if (pid > 0) {
    const process = processOpen(pid);
    const text = String.UTF8.encode(endow(instance, root, <u32>process, watch), true);
    processWatch(<u32>process, watch, deathBit(instance));
    capDrop(<u32>process);
    linuxWrite(writeEnd, changetype<usize>(text), text.byteLength);
    instance.pid = pid;
  }
  linuxClose(writeEnd);
  return pid > 0;
}

/** The child: arguments come through the pipe, separated by spaces. */
function childBecome(instance: Instance, readEnd: i32, writeEnd: i32): void {
  linuxClose(writeEnd);
  processConfine();
  const buffer = new ArrayBuffer(TEXT_MAX);
  let length = 0;
  while (true) {
    const n = linuxRead(readEnd, changetype<usize>(buffer) + length, TEXT_MAX - length);
    if (n <= 0) break;
    length += n;
  }
  if (length > 1) {
    const words = String.UTF8.decodeUnsafe(changetype<usize>(buffer), length - 1).split(" ");
    linuxExec("/lib/servers/" + instance.manifest.name, words);
  }
  linuxExit(127);
}

/** Installs what the server needs: its command line. */
function endow(instance: Instance, root: u32, process: u32, watch: u32): string {
  let text = instance.manifest.name;
  const needs = instance.manifest.needs;
  for (let i = 0; i < needs.length; i++) {
    const handle = give(instance, needs[i], root, process, watch);
    if (handle > 0) text += " " + needs[i] + "=" + hex(<u64>handle).substring(2);
  }
  return text + " heartbeatBits=" + hex(aliveBit(instance)).substring(2) + " disk=" + hex(instance.ordinal).substring(2);
}

/** One capability by the name the manifest gives it: its handle in the server, or a negated errno. */
function give(instance: Instance, name: string, root: u32, process: u32, watch: u32): i64 {
  if (name == "heartbeat") return capInstall(process, watch, CapRight.SIGNAL, 0);
  if (name == "notification") {
    if (instance.notification != 0) capDrop(instance.notification);
    instance.notification = <u32>notificationCreate();
    return capInstall(process, instance.notification, CapRight.SIGNAL | CapRight.WAIT, 0);
  }
  if (name == "log") return passOn(process, serviceOpen(root, SERVICE_LOG));
  if (name == "block") return passOn(process, serviceOpen(root, SERVICE_BLOCK_DRIVER));
  if (name == "filesystem") return passOn(process, serviceOpen(root, SERVICE_FILE_SYSTEM));
  if (name == "endpoint") return passOn(process, endpointCreate());
  if (name == "quota") return passOn(process, quotaCreate(root, QUOTA_BYTES));
  if (name == "pci") return passOn(process, pciOpen(root, instance.device));
  return -1;
}

function passOn(process: u32, source: i64): i64 {
  if (source < 0) return source;
  const handle = capInstall(process, <u32>source, CapRight.ALL, 0);
  capDrop(<u32>source);
  return handle;
}
