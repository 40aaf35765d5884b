/**
 * Service ports: capabilities on what a kernel service offers to servers (disks to drivers, file systems to theirs).
 *
 * A service registers how a port of it is made; what its operations mean is its own affair, declared in kernel/abi.
 *
 *   slot  may sleep  returns
 *   call  yes        >= 0 or a negated errno; the addresses among a0..a3 are hostile user addresses of the running process
 *   gone  no         nothing: no capability names the port any more (its process died or let it go)
 */
import { CapKind } from "../../abi/capability";
import { Errno } from "../../abi/errno";
import { wordAt, wordSet } from "../../lib/words";
import { kfree, kzalloc } from "../mm/slab";
import { KObject, objectAt, objectFree, objectIgnore, objectInit, objectKindSet } from "./object";

@final @unmanaged
export class ServicePort {
  object: u64;  // a KObject held by value
  object1: u64;
  ops: u32;     // ServiceOps
  id: u32;      // ServiceId
  data: u32;    // the service's own
  data1: u32;
  instance: u32; // which of the service's things it was opened for
  pad: u32;
}

@final @unmanaged
export class ServiceOps {
  call: (port: ServicePort, op: u32, a0: u64, a1: u64, a2: u64, a3: u64) => i64;
  gone: (port: ServicePort) => void;
}

const SERVICES: u32 = 8;
/** ServiceOps of each service that ROOT may open, by ServiceId. */
const OPENABLE: usize = memory.data(8 * 4, 4);

export function servicePortAt(address: usize): ServicePort { return changetype<ServicePort>(address); } // SAFETY: the caller names one
export function servicePortObject(port: ServicePort): KObject { return objectAt(changetype<usize>(port)); }
/** SAFETY: ServicePort.ops is set when the port is made. */
export function serviceOpsOf(port: ServicePort): ServiceOps { return serviceOpsAt(port.ops); }
function serviceOpsAt(address: u32): ServiceOps { return changetype<ServiceOps>(<usize>address); } // SAFETY: serviceRegister's

export function servicePortsInit(): void {
  objectKindSet(CapKind.SERVICE, portOrphaned, objectIgnore, objectFree);
}

function portOrphaned(object: KObject): void {
  const port = servicePortAt(changetype<usize>(object));
  serviceOpsOf(port).gone(port);
}

/** From now on ROOT opens ports of service `id`; what `ops` points at stays for ever. */
export function serviceRegister(id: u32, ops: ServiceOps): void {
  assert(id < SERVICES);
  wordSet(OPENABLE, id, <u32>changetype<usize>(ops));
}

/** A port of `id` for one of its things, with one reference, or a negated errno as pointer: ENODEV for a service nobody offers, ENOMEM. */
export function serviceOpen(id: u32, instance: u32): usize {
  if (id >= SERVICES || wordAt(OPENABLE, id) == 0) return <usize>-Errno.NODEV;
  return servicePortCreate(id, instance, serviceOpsAt(wordAt(OPENABLE, id)), 0);
}

/** A port on `data` with one reference; -ENOMEM as pointer. */
export function servicePortCreate(id: u32, instance: u32, ops: ServiceOps, data: u32): usize {
  const address = kzalloc(offsetof<ServicePort>());
  if (address == 0) return <usize>-Errno.NOMEM;
  const port = servicePortAt(address);
  objectInit(servicePortObject(port), CapKind.SERVICE);
  port.ops = <u32>changetype<usize>(ops);
  port.id = id;
  port.instance = instance;
  port.data = data;
  return address;
}
