/** cap_*, root_claim, service_*: native calls on capabilities themselves. Contracts: kernel/abi/native.ts. */
import { userCopyOut } from "../../../arch/current";
import { CapInfo, CapKind, CapRight } from "../../abi/capability";
import { Errno } from "../../abi/errno";
import { MemoryObject, memoryObjectAt } from "../../core/cap/memory-object";
import { KObject, objectAt, objectInit, objectPut } from "../../core/cap/object";
import { ServicePort, serviceOpen, serviceOpsOf, servicePortAt } from "../../core/cap/service-port";
import { CapSlot } from "../../core/cap/slot";
import { capDerive, capDescribe, capDrop, capInsert, capRevoke, capSpaceAt, capSpacePut } from "../../core/cap/space";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { currentCred, currentProcess } from "../process/process";
import { userRangeOk } from "../../core/mm/layout";
import { isErrPtr } from "../vfs/types";
import { handleGiveUnder, handleLookup, spaceOfCurrent, spaceOfProcess } from "./process-space";
import { processObjectOf } from "./process-object";
import { threadObjectAt } from "./thread-object";

/** The object of the one ROOT capability. */
const ROOT = changetype<KObject>(memory.data(offsetof<KObject>())); // SAFETY: static storage of that size

export function rootObjectInit(): void {
  objectInit(ROOT, CapKind.ROOT);
}

export function nativeRootClaim(share: u32): i64 {
  if (currentCred().euid != 0) return -Errno.PERM;
  if (currentProcess().confinement != 0) return -Errno.PERM;
  if (share == 0 && ROOT.slots != 0) return -Errno.BUSY;
  const space = spaceOfCurrent();
  return space ? capInsert(space, ROOT, CapRight.ALL, 0) : -Errno.NOMEM;
}

export function nativeCapCopy(source: u32, rights: u32, badge: u64): i64 {
  const space = spaceOfCurrent();
  return space ? capDerive(space, source, space, rights, badge) : -Errno.NOMEM;
}

export function nativeCapDrop(target: u32): i64 {
  const caps = currentProcess().caps;
  return caps == 0 ? -Errno.BADF : capDrop(capSpaceAt(caps), target);
}

export function nativeCapRevoke(target: u32): i64 {
  const caps = currentProcess().caps;
  return caps == 0 ? -Errno.BADF : capRevoke(capSpaceAt(caps), target);
}

export function nativeCapInstall(process: u32, source: u32, rights: u32, badge: u64): i64 {
  const control = handleLookup(process, CapKind.PROCESS, CapRight.MANAGE);
  if (isErrPtr(control)) return <i32>control;
  const to = spaceOfProcess(processObjectOf(control));
  const result = to ? capDerive(capSpaceAt(currentProcess().caps), source, to, rights, badge) : -Errno.STALE;
  if (to) capSpacePut(to);
  objectPut(objectAt(control));
  return result;
}

export function nativeCapInfo(target: u32, infoVa: u64): i64 {
  const caps = currentProcess().caps;
  if (caps == 0) return -Errno.BADF;
  if (!userRangeOk(infoVa, offsetof<CapInfo>())) return -Errno.FAULT;
  const slotPtr = scratchPush(offsetof<CapSlot>());
  const infoPtr = scratchPush(offsetof<CapInfo>());
  const result = infoFill(changetype<CapSlot>(slotPtr), changetype<CapInfo>(infoPtr), caps, target); // SAFETY: scratch of these sizes
  const failed = result < 0 ? 0 : userCopyOut(infoVa, infoPtr, offsetof<CapInfo>());
  scratchPop(offsetof<CapInfo>());
  scratchPop(offsetof<CapSlot>());
  return failed != 0 ? -Errno.FAULT : result;
}

function infoFill(slot: CapSlot, info: CapInfo, caps: u32, target: u32): i32 {
  const result = capDescribe(capSpaceAt(caps), target, slot);
  if (result < 0) return result;
  const object = objectAt(slot.object);
  info.kind = object.kind;
  info.rights = slot.rights;
  info.badge = slot.badge;
  info.sizeBytes = 0;
  info.detail = 0;
  if (isRange(object.kind)) info.sizeBytes = memoryObjectAt(slot.object).bytes;
  if (object.kind == CapKind.MEMORY) info.detail = memoryOthers(memoryObjectAt(slot.object));
  if (object.kind == CapKind.SERVICE) info.detail = servicePortAt(slot.object).id;
  if (object.kind == CapKind.PROCESS) info.detail = processObjectOf(slot.object).pid;
  if (object.kind == CapKind.THREAD) info.detail = threadObjectAt(slot.object).tid;
  objectPut(object);
  return 0;
}

function isRange(kind: u32): bool { return kind == CapKind.MEMORY || kind == CapKind.MMIO || kind == CapKind.PORTS; }

/** References to memory besides the capability asked about and infoFill's own, each a slot, a mapping or a call; a device counts as one. */
function memoryOthers(memory: MemoryObject): u32 {
  const refs = atomic.load<u32>(changetype<usize>(memory) + offsetof<KObject>("refs"));
  return refs - min<u32>(refs, 2) + (memory.mappings != 0 ? 1 : 0);
}

export function nativeServiceOpen(root: u32, id: u32, instance: u32): i64 {
  const held = handleLookup(root, CapKind.ROOT, CapRight.MANAGE);
  if (isErrPtr(held)) return <i32>held;
  objectPut(objectAt(held));
  const port = serviceOpen(id, instance);
  return isErrPtr(port) ? <i32>port : handleGiveUnder(root, objectAt(port), CapRight.ALL);
}

export function nativeServiceCall(port: u32, op: u32, a0: u64, a1: u64, a2: u64, a3: u64): i64 {
  const held = handleLookup(port, CapKind.SERVICE, CapRight.CALL);
  if (isErrPtr(held)) return <i32>held;
  const result = serviceOpsOf(servicePortAt(held)).call(servicePortAt(held), op, a0, a1, a2, a3);
  objectPut(objectAt(held));
  return result;
}
