/** Faults in a server's own life and memory: killed, stopped, in a loop, bits flipped. */
import { trapFrameOf } from "../../../arch/current";
import { FlipRegion, FLIPS_MOST, HangKind } from "../../abi/debug";
import { Errno } from "../../abi/errno";
import { CapKind } from "../../abi/capability";
import { Signal } from "../../abi/signal";
import { objectAt, objectPut } from "../../core/cap/object";
import { capNth, capSpacePut } from "../../core/cap/space";
import { mmByteSpoil, mmRegionPick } from "../../core/mm/corrupt";
import { mmPut } from "../../core/mm/address-space";
import { taskOf } from "../../core/sched/task";
import { seededAt } from "../../lib/seeded";
import { spinLock, spinUnlock } from "../../lib/spinlock";
import { pciObjectDomain } from "../driver/pci/pci-object";
import { spaceOfProcess } from "../native/process-space";
import { Process } from "../process/process";
import { processLock } from "../process/process-table";
import { signalSendProcess } from "../signal/send";
import { procMm } from "../vfs/proc/subject";

const SIGNALS: u64 = 64;
const KEEP_ALL: u32 = 0xff;
/** jmp to itself. */
const LOOP_0: u32 = 0xeb;
const LOOP_1: u32 = 0xfe;

export function processSignal(process: Process, sig: u64): i32 {
  return sig == 0 || sig > SIGNALS ? -Errno.INVAL : signalSendProcess(process, <u32>sig, 0);
}

/** STOP: no thread runs any more. SPIN: the code at its next instruction becomes an endless loop. */
export function processHang(process: Process, kind: u32): i32 {
  if (kind == <u32>HangKind.STOP) return signalSendProcess(process, Signal.STOP, 0);
  if (kind != <u32>HangKind.SPIN) return -Errno.INVAL;
  const mm = procMm(process);
  const rip = userRegister(process, true);
  if (!mm || rip == 0) {
    if (mm) mmPut(mm);
    return -Errno.SRCH;
  }
  const failed = mmByteSpoil(mm, rip, 0, LOOP_0);
  const result = failed == 0 ? mmByteSpoil(mm, rip + 1, 0, LOOP_1) : failed;
  mmPut(mm);
  return result;
}

/** Where its leader was last in user mode: the instruction pointer or the stack pointer; 0 when it has none any more. */
function userRegister(process: Process, isInstruction: bool): u64 {
  spinLock(processLock);
  const frame = process.leader != 0 ? taskOf(process.leader).frame : 0;
  const value = frame == 0 ? 0 : isInstruction ? trapFrameOf(frame).rip : trapFrameOf(frame).rsp;
  spinUnlock(processLock);
  return value;
}

/** Flips `count` bits of `region`, chosen by `seed`. What a device follows (SHARED of a driver) is left alone unless an IOMMU watches it. */
export function bitsFlip(process: Process, region: u32, seed: u64, count: u64): i32 {
  if (region < <u32>FlipRegion.TEXT || region > <u32>FlipRegion.SHARED || count == 0 || count > FLIPS_MOST) return -Errno.INVAL;
  if (region == <u32>FlipRegion.SHARED && !isTranslated(process)) return -Errno.ACCES;
  const mm = procMm(process);
  if (!mm) return -Errno.SRCH;
  const sp = userRegister(process, false);
  let result: i32 = 0;
  for (let i: u64 = 0; i < count && result == 0; i++) {
    const random = seededAt(seed, i);
    const va = mmRegionPick(mm, region, sp, random);
    result = va == 0 ? -Errno.AGAIN : mmByteSpoil(mm, va, KEEP_ALL, 1 << <u32>(random >> 61));
  }
  mmPut(mm);
  return result;
}

/** Whether nothing the process tells a device can reach memory it was not given: it has no device, or an IOMMU watches it. */
export function isTranslated(process: Process): bool {
  const device = processCapability(process, CapKind.PCI, 0);
  if (device == 0) return true;
  const isWatched = pciObjectDomain(device) != null;
  objectPut(objectAt(device));
  return isWatched;
}

/** The `n`th object of `kind` that the process can name, with a reference; 0 when there are fewer. */
export function processCapability(process: Process, kind: u32, n: u32): usize {
  const space = spaceOfProcess(process);
  if (!space) return 0;
  const object = capNth(space, kind, n);
  capSpacePut(space);
  return object;
}
