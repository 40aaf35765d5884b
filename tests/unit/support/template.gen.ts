/**
 * Requests and replies of the template protocol.
 *
 * Generated from kernel/abi/protocol/template.ts by toolchain/protocol; do not edit.
 */
import { TEMPLATE } from "../../../kernel/abi/protocol/template.ts";
import { RegisterStub } from "./protocol-stubs.ts";

export interface TemplateCalls {
  add: { request: { a: bigint; b: bigint }; reply: { sum: bigint } };
  count: { request: Record<string, never>; reply: { sums: bigint } };
}

export const template: RegisterStub<TemplateCalls> = new RegisterStub(TEMPLATE);
