/**
 * Requests and replies of the debug protocol.
 *
 * Generated from kernel/abi/protocol/debug.ts by toolchain/protocol; do not edit.
 */
import { DEBUG } from "../../../kernel/abi/protocol/debug.ts";
import { ServiceStub } from "./protocol-stubs.ts";

export interface DebugCalls {
  kill: { request: { pid: number; signal: number }; reply: Record<string, never> };
  hang: { request: { pid: number; kind: number }; reply: Record<string, never> };
  flip: { request: { pid: number; region: number; seed: bigint; bits: bigint }; reply: Record<string, never> };
  irq: { request: { pid: number; fault: number; ns: bigint }; reply: Record<string, never> };
  ring: { request: { pid: number; fault: number; seed: bigint }; reply: Record<string, never> };
  reply: { request: { pid: number; fault: number; seed: bigint }; reply: Record<string, never> };
  dma: { request: { pid: number; one: number; seed: bigint }; reply: Record<string, never> };
}

export const debug: ServiceStub<DebugCalls> = new ServiceStub(DEBUG);
