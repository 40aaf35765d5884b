/** TIME capabilities: the machine's clocks. time_open, time_now, clock_now, clock_set. Contracts: kernel/abi/native.ts. */
import { monoNowNs } from "../../../arch/current";
import { CapKind, CapRight } from "../../abi/capability";
import { Errno } from "../../abi/errno";
import { KObject, objectAt, objectGet, objectInit, objectPut } from "../../core/cap/object";
import { clockSetReal, realNowNs } from "../../core/time/clock";
import { isErrPtr } from "../vfs/types";
import { handleGiveUnder, handleLookup } from "./process-space";

/** The object of all TIME capabilities: there is one machine. */
const TIME: usize = memory.data(offsetof<KObject>(), 8);

export function timeObjectInit(): void {
  objectInit(objectAt(TIME), CapKind.TIME);
}

/** Why the running process may not do with its capability `time` what needs `right`, or 0. */
export function timeDenied(time: u32, right: u32): i64 {
  const held = handleLookup(time, CapKind.TIME, right);
  if (isErrPtr(held)) return <i32>held;
  objectPut(objectAt(held));
  return 0;
}

export function nativeTimeOpen(root: u32): i64 {
  const held = handleLookup(root, CapKind.ROOT, CapRight.MANAGE);
  if (isErrPtr(held)) return <i32>held;
  objectPut(objectAt(held));
  objectGet(objectAt(TIME));
  return handleGiveUnder(root, objectAt(TIME), CapRight.READ | CapRight.WRITE | CapRight.GRANT);
}

export function nativeTimeNow(time: u32): i64 {
  const denied = timeDenied(time, CapRight.READ);
  return denied != 0 ? denied : <i64>monoNowNs();
}

export function nativeClockNow(time: u32): i64 {
  const denied = timeDenied(time, CapRight.READ);
  return denied != 0 ? denied : <i64>realNowNs();
}

export function nativeClockSet(time: u32, realNs: u64): i64 {
  if (<i64>realNs < 0) return -Errno.INVAL;
  const denied = timeDenied(time, CapRight.WRITE);
  if (denied != 0) return denied;
  clockSetReal(realNs);
  return 0;
}
