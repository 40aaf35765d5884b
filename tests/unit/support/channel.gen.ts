/**
 * Requests and replies of the channel protocol.
 *
 * Generated from kernel/abi/protocol/channel.ts by toolchain/protocol; do not edit.
 */
import { CHANNEL } from "../../../kernel/abi/protocol/channel.ts";
import { MessageStub } from "./protocol-stubs.ts";

export interface ChannelCalls {
  attach: { request: { workBytes: number; answerBytes: number; bits: bigint; name: Uint8Array; bell: object }; reply: { generation: number; bytes: number; answersAt: number; bits: bigint; memory: object; bell: object } };
  check: { request: { generation: number }; reply: Record<string, never> };
}

export const channel: MessageStub<ChannelCalls> = new MessageStub(CHANNEL);
