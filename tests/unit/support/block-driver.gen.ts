/**
 * Requests and replies of the block-driver protocol.
 *
 * Generated from kernel/abi/protocol/block-driver.ts by toolchain/protocol; do not edit.
 */
import { BLOCK_DRIVER } from "../../../kernel/abi/protocol/block-driver.ts";
import { ServiceStub } from "./protocol-stubs.ts";

export interface BlockDriverCalls {
  attach: { request: { geometry: bigint; notification: number; pci: number }; reply: { queues: number } };
  ring: { request: { queue: number }; reply: { memory: number } };
  complete: { request: { queue: number }; reply: { taken: number } };
  start: { request: Record<string, never>; reply: Record<string, never> };
}

export const blockDriver: ServiceStub<BlockDriverCalls> = new ServiceStub(BLOCK_DRIVER);
