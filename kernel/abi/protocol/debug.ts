/**
 * The DEBUG port (service_open with ROOT; docs/fault-injection.md): fault injection.
 *
 * `pid` is a confined process, a server, in every operation; a seed decides all that is random, so that a fault can be injected again.
 * ESRCH: no such process; EPERM: no server; ENODEV: the server has no such thing; EBUSY: a fault of that kind is under way; EAGAIN: nothing
 * there to spoil just now. Kinds of faults: kernel/abi/debug.ts.
 */
import type { Protocol } from "./form.ts";

const ERRORS = "SRCH PERM NODEV BUSY AGAIN";

export const DEBUG: Protocol = {
  name: "debug",
  prefix: "Debug",
  travel: "service",
  methods: [
    { id: 1, name: "kill", request: "pid: u32, signal: u32", reply: "", errors: ERRORS, contract: "Sends it a signal." },
    { id: 2, name: "hang", request: "pid: u32, kind: u32", reply: "", errors: ERRORS, contract: "kind: HangKind." },
    { id: 3, name: "flip", request: "pid: u32, region: u32, seed: u64, bits: u64", reply: "", errors: ERRORS,
      contract: "Flips 1 to FLIPS_MOST bits of the FlipRegion." },
    { id: 4, name: "irq", request: "pid: u32, fault: u32, ns: u64", reply: "", errors: ERRORS,
      contract: "For so long messages of its device are treated as the IrqFault says." },
    { id: 5, name: "ring", request: "pid: u32, fault: u32, seed: u64", reply: "", errors: ERRORS,
      contract: "RingFault of the disk the server drives, when it next completes a request." },
    { id: 6, name: "reply", request: "pid: u32, fault: u32, seed: u64", reply: "", errors: ERRORS,
      contract: "ReplyFault of its next answer to a call of the kernel." },
    { id: 7, name: "dma", request: "pid: u32, one: u32, seed: u64", reply: "", errors: ERRORS,
      contract: "one: 1. The next request to the disk's device names memory it was not given; ENODEV unless an IOMMU is in its way." },
  ],
};
