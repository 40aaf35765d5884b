/**
 * How a server is given life.
 *
 *   fork ─ child: dies with the supervisor, confined at execve, waits for the handles, execve
 *        └ parent: opens the child, installs what the manifest says, tells the handles
 *
 * The parent lets go of each device and port it passed on: when the server dies nobody holds them, and the kernel cleans up. A server
 * that cannot be given everything it needs is not started: the pipe is closed without handles, and the child ends.
 */
import { CapRight, ServiceId } from "../../../kernel/abi/capability";
import { Errno } from "../../../kernel/abi/errno";
import {
  capCopy, capDrop, capInstall, endpointCreate, notificationCreate, pciOpen, processConfine, processOpen, processWatch, quotaCreate, serviceOpen,
} from "../../runtime/native-calls";
import {
  linuxClose, linuxDieWithParent, linuxExec, linuxExit, linuxFork, linuxLimitMemory, linuxParent, linuxPipe, linuxRead, linuxSelf, linuxWait, linuxWrite, Pipe, Status,
} from "../../runtime/linux";
import { timeHandle } from "../../runtime/clock";
import { hex } from "../../runtime/start";
import { aliveBit, deathBit, Instance, isAlive } from "./instance";
import { CALL_PREFIX } from "./manifest";
import { EXIT_NO_PROGRAM } from "./policy";
import { scheduleAs } from "./threads";

const TEXT_MAX: u32 = 512;
/** Private memory beyond the linear one: the program's own data. */
const DATA_MIB: u64 = 4;
const FOLDER = "/lib/servers/";
/** The child could not even try. */
const EXIT_NOT_TRIED: i32 = 126;
const PIPE = changetype<Pipe>(memory.data(offsetof<Pipe>(), 8));
const STATUS = changetype<Status>(memory.data(offsetof<Status>(), 8));

/** The supervisor's own: ROOT, the notification of deaths and signs of life, and all it keeps. */
let root: u32 = 0;
let watch: u32 = 0;
let peers: Instance[] = [];

export function spawnInit(rootHandle: u32, watchHandle: u32, all: Instance[]): void {
  root = rootHandle;
  watch = watchHandle;
  peers = all;
}

/** Starts the server: "" when its process runs, or what went wrong. */
export function spawn(it: Instance): string {
  if (linuxPipe(changetype<usize>(PIPE)) < 0) return "no pipe";
  const readEnd = PIPE.readEnd;
  const writeEnd = PIPE.writeEnd;
  const supervisor = linuxSelf();
  const pid = linuxFork();
  if (pid == 0) childBecome(it, supervisor, readEnd, writeEnd);
  linuxClose(readEnd);
  const problem = pid < 0 ? "no process: errno " + (-pid).toString() : childEndow(it, pid, writeEnd);
  linuxClose(writeEnd);
  if (pid > 0 && problem != "") linuxWait(pid, changetype<usize>(STATUS)); // it ends by itself: nothing came through the pipe
  return problem;
}

/** The child: arguments come through the pipe, separated by spaces. */
function childBecome(it: Instance, supervisor: i32, readEnd: i32, writeEnd: i32): void {
  linuxClose(writeEnd);
  linuxDieWithParent();
  if (linuxParent() != supervisor) linuxExit(EXIT_NOT_TRIED); // it died before
  processConfine();
  const buffer = new ArrayBuffer(TEXT_MAX);
  let length = 0;
  while (true) {
    const n = linuxRead(readEnd, changetype<usize>(buffer) + length, TEXT_MAX - length);
    if (n <= 0) break;
    length += n;
  }
  if (length <= 1) linuxExit(EXIT_NOT_TRIED);
  linuxLimitMemory((<u64>it.manifest.memoryMiB + DATA_MIB) << 20);
  const result = linuxExec(FOLDER + it.manifest.name, String.UTF8.decodeUnsafe(changetype<usize>(buffer), length - 1).split(" "));
  linuxExit(result == -Errno.NOMEM ? EXIT_NOT_TRIED : EXIT_NO_PROGRAM);
}

/** Gives the child its capabilities and its command line: "" or what it cannot have. */
function childEndow(it: Instance, pid: i32, writeEnd: i32): string {
  const process = processOpen(pid);
  if (process < 0) return "no control: errno " + (-process).toString();
  let text = it.manifest.name;
  const scheduled = scheduleAs(<u32>process, pid, it.manifest.policy, it.manifest.priority); // it has the supervisor's own so far
  let problem = scheduled < 0 ? "no scheduling: errno " + (-scheduled).toString() : "";
  for (let i = 0; i < it.manifest.needs.length && problem == ""; i++) {
    const name = it.manifest.needs[i];
    const handle = give(it, name, <u32>process);
    if (handle > 0) text += " " + name + "=" + hex(<u64>handle).substring(2);
    else problem = "no " + name + ": errno " + (-handle).toString();
  }
  text += " heartbeatBits=" + hex(aliveBit(it)).substring(2) + " instance=" + hex(it.ordinal).substring(2);
  if (problem == "") {
    const bytes = String.UTF8.encode(text, true);
    processWatch(<u32>process, watch, deathBit(it));
    it.pid = pid;
    it.process = <u32>process;
    if (<u32>bytes.byteLength > TEXT_MAX) problem = "too many needs";
    else linuxWrite(writeEnd, changetype<usize>(bytes), bytes.byteLength);
  }
  if (problem != "") capDrop(<u32>process);
  return problem;
}

/** One capability by the name the manifest gives it: its handle in the server, or a negated errno. */
function give(it: Instance, name: string, process: u32): i64 {
  if (name == "heartbeat") return capInstall(process, watch, CapRight.SIGNAL, 0);
  if (name == "notification") {
    if (it.notification != 0) capDrop(it.notification);
    it.notification = <u32>max<i64>(notificationCreate(), 0);
    return capInstall(process, it.notification, CapRight.SIGNAL | CapRight.WAIT | CapRight.GRANT, 0); // others may ring it, if the server says so
  }
  if (name == "time") return capInstall(process, timeHandle(), CapRight.READ, 0);
  if (name == "clock") return capInstall(process, timeHandle(), CapRight.READ | CapRight.WRITE, 0);
  if (name == "endpoint") return endpointGive(it, process);
  if (name.startsWith(CALL_PREFIX)) return callGive(name.substring(CALL_PREFIX.length), process);
  if (name == "quota") return passOn(process, quotaCreate(root, <u64>it.manifest.quotaKiB << 10));
  if (name == "pci") return passOn(process, pciOpen(root, it.device));
  const service = serviceNamed(name);
  return service == 0 ? -Errno.INVAL : passOn(process, serviceOpen(root, service, service == ServiceId.BLOCK_DRIVER ? it.ordinal : 0));
}

/** An endpoint to be called on; the right to call it stays here, for others. When the server dies nobody can receive any more. */
function endpointGive(it: Instance, process: u32): i64 {
  if (it.endpoint != 0) capDrop(it.endpoint);
  it.endpoint = 0;
  const made = endpointCreate();
  if (made < 0) return made;
  it.endpoint = <u32>max<i64>(capCopy(<u32>made, CapRight.CALL, 0), 0);
  return passOn(process, made);
}

/** The right to call the first server of that name that runs. */
function callGive(name: string, process: u32): i64 {
  for (let i = 0; i < peers.length; i++) {
    const peer = peers[i];
    if (peer.manifest.name == name && isAlive(peer) && peer.endpoint != 0) return capInstall(process, peer.endpoint, CapRight.CALL, 0);
  }
  return -Errno.PIPE;
}

function serviceNamed(name: string): u32 {
  if (name == "log") return ServiceId.LOG;
  if (name == "block") return ServiceId.BLOCK_DRIVER;
  if (name == "filesystem") return ServiceId.FILE_SYSTEM;
  return 0;
}

function passOn(process: u32, source: i64): i64 {
  if (source < 0) return source;
  const handle = capInstall(process, <u32>source, CapRight.ALL, 0);
  capDrop(<u32>source);
  return handle;
}
