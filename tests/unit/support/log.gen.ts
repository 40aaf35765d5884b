/**
 * Requests and replies of the log protocol.
 *
 * Generated from kernel/abi/protocol/log.ts by toolchain/protocol; do not edit.
 */
import { LOG } from "../../../kernel/abi/protocol/log.ts";
import { ServiceStub } from "./protocol-stubs.ts";

export interface LogCalls {
  line: { request: { text: bigint; bytes: bigint }; reply: { taken: number } };
}

export const log: ServiceStub<LogCalls> = new ServiceStub(LOG);
