/**
 * ipc_call_extra and ipc_reply_wait_extra: messages with bytes, capabilities and a deadline. Contracts: kernel/abi/native.ts.
 *
 * The program's IpcMessage is read once, at the beginning, and written once, at the end; the words travel in a frame of scratch memory.
 */
import { TRAP_FRAME_BYTES, TrapFrame, trapFrameOf, userCopyIn, userCopyOut } from "../../../arch/current";
import { CapKind, CapRight, IPC_NOTIFIED, IpcMessage } from "../../abi/capability";
import { Errno } from "../../abi/errno";
import { objectAt, objectGet, objectPut } from "../../core/cap/object";
import { capLookupBadge, CapSpace, capSpaceAt } from "../../core/cap/space";
import { endpointCallUser } from "../../core/ipc/call";
import { CallState, endpointAt, IpcCall, ipcCallAt, labelIsReply, labelIsRequest } from "../../core/ipc/endpoint";
import { capsDrop, PARCEL_CAPS_MAX, parcelAt, parcelFree, parcelOpen, parcelPack } from "../../core/ipc/parcel";
import { endpointReceive, endpointRefuse, endpointReply, Received } from "../../core/ipc/receive";
import { userRangeOk } from "../../core/mm/layout";
import { currentTask } from "../../core/sched/cpu";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { currentProcess } from "../process/process";
import { isErrPtr } from "../vfs/types";
import { badgeOf, waitTargetFind } from "./ipc-calls";
import { spaceOfCurrent } from "./process-space";

type Handler = (endpoint: u32, message: IpcMessage, registers: TrapFrame) => i32;

function handlesOf(message: IpcMessage): usize {
  return changetype<usize>(message) + offsetof<IpcMessage>("cap0");
}

/** The caller's space, null when it has none. */
function spaceIfAny(): CapSpace | null {
  const caps = currentProcess().caps;
  return caps == 0 ? null : capSpaceAt(caps);
}

function wordsToRegisters(registers: TrapFrame, message: IpcMessage): void {
  registers.rdx = message.w0;
  registers.r10 = message.w1;
  registers.r8 = message.w2;
  registers.r9 = message.w3;
}

function wordsFromRegisters(message: IpcMessage, registers: TrapFrame): void {
  message.w0 = registers.rdx;
  message.w1 = registers.r10;
  message.w2 = registers.r8;
  message.w3 = registers.r9;
}

/** Runs a handler on a copy of the program's message and gives the copy back, whatever the result is. */
function withMessage(endpoint: u32, va: u64, handler: Handler): i64 {
  if (!userRangeOk(va, offsetof<IpcMessage>())) return -Errno.FAULT;
  const ptr = scratchPush(offsetof<IpcMessage>());
  const frame = scratchPush(TRAP_FRAME_BYTES);
  const message = changetype<IpcMessage>(ptr); // SAFETY: scratch of that size
  let result: i32 = userCopyIn(ptr, va, offsetof<IpcMessage>()) == 0 ? 0 : -Errno.FAULT;
  if (result == 0 && (message.flags != 0 || message.sendCaps > PARCEL_CAPS_MAX)) result = -Errno.INVAL;
  if (result == 0) {
    result = handler(endpoint, message, trapFrameOf(frame));
    if (userCopyOut(va, ptr, offsetof<IpcMessage>()) != 0) result = messageLost(message);
  }
  scratchPop(TRAP_FRAME_BYTES);
  scratchPop(offsetof<IpcMessage>());
  return result;
}

/** The program cannot read what arrived: capabilities go, and who waits for an answer hears that there is none. */
function messageLost(message: IpcMessage): i32 {
  const space = spaceIfAny();
  if (space) capsDrop(space, handlesOf(message), message.receiveCaps);
  endpointRefuse(-Errno.IO);
  return -Errno.FAULT;
}

/** Opens what arrived (0: words only) into the program's memory and space. 0, or why nothing arrived. */
function arrivalOpen(message: IpcMessage, parcel: u32): i32 {
  message.receiveBytes = 0;
  message.receiveCaps = 0;
  if (parcel == 0) return 0;
  const bytes = parcelAt(parcel).bytes;
  const caps = parcelAt(parcel).caps;
  const failed = parcelOpen(parcel, message.receiveVa, caps != 0 ? spaceOfCurrent() : null, handlesOf(message));
  if (failed != 0) return failed;
  message.receiveBytes = bytes;
  message.receiveCaps = caps;
  return 0;
}

export function nativeIpcCallExtra(endpoint: u32, messageVa: u64): i64 {
  return withMessage(endpoint, messageVa, callExtra);
}

function callExtra(endpoint: u32, message: IpcMessage, registers: TrapFrame): i32 {
  if (!labelIsRequest(message.label)) return -Errno.INVAL;
  const call = ipcCallAt(scratchPush(offsetof<IpcCall>()));
  const held = capLookupBadge(currentProcess().caps, endpoint, CapKind.ENDPOINT, CapRight.CALL, badgeOf(call));
  let result = <i32>held;
  if (!isErrPtr(held)) {
    result = parcelPack(message, spaceIfAny());
    message.receiveBytes = 0;
    message.receiveCaps = 0;
    if (result >= 0) result = callMake(held, call, message, registers, <u32>result);
    objectPut(objectAt(held));
  }
  scratchPop(offsetof<IpcCall>());
  return result;
}

/** The call proper; the parcel is its own. */
function callMake(endpoint: usize, call: IpcCall, message: IpcMessage, registers: TrapFrame, parcel: u32): i32 {
  wordsToRegisters(registers, message);
  call.label = message.label;
  call.registers = <u32>changetype<usize>(registers);
  call.parcel = parcel;
  call.roomBytes = message.receiveMax;
  call.roomCaps = PARCEL_CAPS_MAX;
  const result = endpointCallUser(endpointAt(endpoint), call, message.deadlineNs);
  if (call.state != CallState.DONE) {
    if (call.parcel != 0) parcelFree(call.parcel); // nobody took it
    return result;
  }
  wordsFromRegisters(message, registers);
  message.label = result;
  const failed = arrivalOpen(message, call.parcel);
  return failed != 0 ? failed : result;
}

export function nativeIpcReplyWaitExtra(endpoint: u32, messageVa: u64): i64 {
  return withMessage(endpoint, messageVa, replyWaitExtra);
}

function replyWaitExtra(endpoint: u32, message: IpcMessage, registers: TrapFrame): i32 {
  if (!labelIsReply(message.label)) return -Errno.INVAL;
  const failed = replyExtra(message, registers);
  message.receiveBytes = 0;
  message.receiveCaps = 0;
  if (failed != 0) return failed;
  while (true) {
    const target = waitTargetFind(currentTask(), endpoint);
    if (isErrPtr(target)) return <i32>target;
    objectGet(objectAt(target));
    const result = receiveExtra(target, message, registers);
    if (result != AGAIN) return result;
  }
}

/** Of receiveExtra: the call could not be delivered, and its caller knows; or the handle must be looked up again. */
const AGAIN: i32 = i32.MIN_VALUE;

/** The reply half. On failure the reply is still owed. */
function replyExtra(message: IpcMessage, registers: TrapFrame): i32 {
  if (currentTask().ipcCall == 0) return 0;
  const parcel = parcelPack(message, spaceIfAny());
  if (parcel < 0) return parcel;
  wordsToRegisters(registers, message);
  const answered = endpointReply(message.label, changetype<usize>(registers), <u32>parcel);
  if (parcel != 0 && answered <= 0) parcelFree(<u32>parcel);
  return answered < 0 ? answered : 0;
}

/** The waiting half; the reference to the endpoint is given up. */
function receiveExtra(endpoint: usize, message: IpcMessage, registers: TrapFrame): i32 {
  const task = currentTask();
  task.ipcRegisters = <u32>changetype<usize>(registers);
  task.ipcRoomBytes = message.receiveMax;
  task.ipcRoomCaps = PARCEL_CAPS_MAX;
  const result = endpointReceive(endpointAt(endpoint), message.deadlineNs);
  if (result < 0) return result;
  if (result == <i32>Received.AGAIN) return AGAIN;
  message.badge = result == <i32>Received.CALL ? registers.rdi : 0;
  wordsFromRegisters(message, registers);
  if (result == <i32>Received.BITS) return IPC_NOTIFIED;
  message.label = task.ipcLabel;
  const failed = arrivalOpen(message, task.ipcParcel);
  task.ipcParcel = 0;
  if (failed == 0) return message.label;
  endpointRefuse(failed == -Errno.FAULT ? -Errno.IO : failed);
  return failed == -Errno.FAULT ? failed : AGAIN;
}
