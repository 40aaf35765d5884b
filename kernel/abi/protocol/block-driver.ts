/** The BLOCK_DRIVER port: what a driver of a disk asks of the kernel's block layer. Requests themselves go through rings: kernel/abi/block-ring.ts. */
import type { Protocol } from "./form.ts";

export const BLOCK_DRIVER: Protocol = {
  name: "block-driver",
  prefix: "BlockDriver",
  travel: "service",
  methods: [
    { id: 1, name: "attach", request: "geometry: va, notification: cap, pci: cap", reply: "queues: u32",
      contract: "Registers, or takes over, the disk the port is for, as the BlockGeometry says it is. How many of its queues the kernel uses: as many as there are CPUs." },
    { id: 2, name: "ring", request: "queue: u32", reply: "memory: cap", contract: "That queue's ring, for the driver to map." },
    { id: 3, name: "complete", request: "queue: u32", reply: "taken: u32", contract: "Completions stand in the ring." },
    { id: 4, name: "start", request: "", reply: "", contract: "The driver is ready: requests may flow, on all its queues." },
  ],
};
