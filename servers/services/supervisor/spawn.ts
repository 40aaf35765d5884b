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
  capDrop, capInstall, endpointCreate, notificationCreate, pciOpen, processConfine, processOpen, processWatch, quotaCreate, serviceOpen,
} from "../../runtime/native-calls";
import {
  linuxClose, linuxDieWithParent, linuxExec, linuxExit, linuxFork, linuxParent, linuxPipe, linuxRead, linuxSelf, linuxWait, linuxWrite, Pipe, Status,
} from "../../runtime/linux";
import { hex } from "../../runtime/start";
import { aliveBit, deathBit, Instance } from "./instance";
import { EXIT_NO_PROGRAM } from "./policy";

const TEXT_MAX: u32 = 512;
const FOLDER = "/lib/servers/";
/** The child could not even try. */
const EXIT_NOT_TRIED: i32 = 126;
const PIPE = changetype<Pipe>(memory.data(offsetof<Pipe>(), 8));
const STATUS = changetype<Status>(memory.data(offsetof<Status>(), 8));

/** Starts the server: "" when its process runs, or what went wrong; `root` and `watch` are the supervisor's own capabilities. */
export function spawn(it: Instance, root: u32, watch: u32): string {
  if (linuxPipe(changetype<usize>(PIPE)) < 0) return "no pipe";
  const readEnd = PIPE.readEnd;
  const writeEnd = PIPE.writeEnd;
  const supervisor = linuxSelf();
  const pid = linuxFork();
  if (pid == 0) childBecome(it, supervisor, readEnd, writeEnd);
  linuxClose(readEnd);
  const problem = pid < 0 ? "no process: errno " + (-pid).toString() : childEndow(it, pid, root, watch, writeEnd);
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
  const result = linuxExec(FOLDER + it.manifest.name, String.UTF8.decodeUnsafe(changetype<usize>(buffer), length - 1).split(" "));
  linuxExit(result == -Errno.NOMEM ? EXIT_NOT_TRIED : EXIT_NO_PROGRAM);
}

/** Gives the child its capabilities and its command line: "" or what it cannot have. */
function childEndow(it: Instance, pid: i32, root: u32, watch: u32, writeEnd: i32): string {
  const process = processOpen(pid);
  if (process < 0) return "no control: errno " + (-process).toString();
  let text = it.manifest.name;
  let problem = "";
  for (let i = 0; i < it.manifest.needs.length && problem == ""; i++) {
    const name = it.manifest.needs[i];
    const handle = give(it, name, root, <u32>process, watch);
    if (handle > 0) text += " " + name + "=" + hex(<u64>handle).substring(2);
    else problem = "no " + name + ": errno " + (-handle).toString();
  }
  text += " heartbeatBits=" + hex(aliveBit(it)).substring(2) + " disk=" + hex(it.ordinal).substring(2);
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
function give(it: Instance, name: string, root: u32, process: u32, watch: u32): i64 {
  if (name == "heartbeat") return capInstall(process, watch, CapRight.SIGNAL, 0);
  if (name == "notification") {
    if (it.notification != 0) capDrop(it.notification);
    it.notification = <u32>max<i64>(notificationCreate(), 0);
    return capInstall(process, it.notification, CapRight.SIGNAL | CapRight.WAIT, 0);
  }
  if (name == "endpoint") return passOn(process, endpointCreate());
  if (name == "quota") return passOn(process, quotaCreate(root, <u64>it.manifest.quotaKiB << 10));
  if (name == "pci") return passOn(process, pciOpen(root, it.device));
  const service = serviceNamed(name);
  return service == 0 ? -Errno.INVAL : passOn(process, serviceOpen(root, service));
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
