/**
 * Requests and replies of the file-system-port protocol.
 *
 * Generated from kernel/abi/protocol/file-system-port.ts by toolchain/protocol; do not edit.
 */
import { FILE_SYSTEM_PORT } from "../../../kernel/abi/protocol/file-system-port.ts";
import { ServiceStub } from "./protocol-stubs.ts";

export interface FileSystemPortCalls {
  register: { request: { type: bigint; endpoint: number }; reply: { window: number } };
  read: { request: { mount: number; offset: bigint; to: bigint; bytes: bigint }; reply: Record<string, never> };
  commit: { request: { mount: number; writes: bigint; count: number }; reply: Record<string, never> };
  deviceBytes: { request: { mount: number }; reply: { bytes: bigint } };
}

export const fileSystemPort: ServiceStub<FileSystemPortCalls> = new ServiceStub(FILE_SYSTEM_PORT);
