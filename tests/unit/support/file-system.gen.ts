/**
 * Requests and replies of the file-system protocol.
 *
 * Generated from kernel/abi/protocol/file-system.ts by toolchain/protocol; do not edit.
 */
export interface Node { n0: bigint; n1: bigint }
export interface Attributes { mode: number; nlink: number; uid: number; gid: number; ino: bigint; size: bigint; blocks: bigint; atimeNs: bigint; mtimeNs: bigint; ctimeNs: bigint; btimeNs: bigint }
export interface Entry { node: Node; attributes: Attributes; position: bigint; name: Uint8Array }
export interface Extent { fileBlock: bigint; deviceBlock: bigint; blocks: bigint }

export interface FileSystemCalls {
  mount: { request: { readOnly: number; options: Uint8Array }; reply: { root: Node; attributes: Attributes; blockBytes: number; nameMax: number; deviceStart: bigint; maxBytes: bigint; flags: number; magic: number; blocksFree: bigint; mtimeStepNs: bigint; atimeStepNs: bigint } };
  attach: { request: { readOnly: number; options: Uint8Array }; reply: { root: Node; attributes: Attributes; blockBytes: number; nameMax: number; deviceStart: bigint; maxBytes: bigint; flags: number; magic: number; blocksFree: bigint; mtimeStepNs: bigint; atimeStepNs: bigint } };
  unmount: { request: Record<string, never>; reply: Record<string, never> };
  lookup: { request: { dir: Node; name: Uint8Array }; reply: { node: Node; attributes: Attributes; name: Uint8Array } };
  readdir: { request: { dir: Node; position: bigint }; reply: { entries: Entry[] } };
  create: { request: { dir: Node; timeNs: bigint; mode: number; name: Uint8Array }; reply: { node: Node; dir: Node; attributes: Attributes; blocksFree: bigint } };
  mkdir: { request: { dir: Node; timeNs: bigint; mode: number; name: Uint8Array }; reply: { node: Node; dir: Node; attributes: Attributes; blocksFree: bigint } };
  unlink: { request: { dir: Node; node: Node; timeNs: bigint; name: Uint8Array }; reply: { node: Node } };
  rmdir: { request: { dir: Node; node: Node; timeNs: bigint; name: Uint8Array }; reply: { node: Node } };
  rename: { request: { oldDir: Node; node: Node; newDir: Node; victim: Node; timeNs: bigint; hasVictim: number; oldName: Uint8Array; newName: Uint8Array }; reply: { node: Node; victim: Node; blocksFree: bigint } };
  setattr: { request: { node: Node; atimeNs: bigint; mtimeNs: bigint; valid: number; mode: number }; reply: { node: Node; attributes: Attributes } };
  extents: { request: { node: Node; fileBlock: bigint; blocks: bigint }; reply: { extents: Extent[] } };
  allocate: { request: { node: Node; have: bigint; blocks: bigint; size: bigint; timeNs: bigint }; reply: { node: Node; blocks: bigint; blocksFree: bigint; extents: Extent[] } };
  truncate: { request: { node: Node; blocks: bigint; size: bigint; timeNs: bigint; tailBlock: bigint }; reply: { node: Node; tail: Node; attributes: Attributes; blocksFree: bigint } };
  release: { request: { node: Node }; reply: { blocksFree: bigint } };
  statfs: { request: Record<string, never>; reply: { blocks: bigint; blocksFree: bigint; files: bigint; filesFree: bigint } };
  sync: { request: { clean: number }; reply: Record<string, never> };
}
