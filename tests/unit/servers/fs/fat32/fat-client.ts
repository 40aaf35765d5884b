/**
 * What the kernel's VFS does with a served file system, in few words: paths, files and their data over the protocol. Operations answer
 * 0 or a negated errno, as the server does.
 */
import type { Attributes, Node } from "../../../support/file-system.gen.ts";
import { text, utf8 } from "../../../support/protocol.ts";
import type { FatMachine } from "./fat-machine.ts";

export interface Inode {
  node: Node;
  isDirectory: boolean;
  size: number;
  blocks: number;
  attributes: Attributes;
  children: Map<string, Inode>;
}

export const ENOENT = -2;
export const EIO = -5;
export const NOW = 1_700_000_000_000_000_000n;
const IFDIR = 0x4000;
const NO_NODE: Node = { n0: 0n, n1: 0n };

/** Folds as the kernel's cache does for FOLD_CASE. */
export function fold(name: string): string { return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase()); }

export class FatClient {
  readonly root: Inode;
  readonly blockBytes: number;
  readonly deviceStart: number;
  blocksFree: number;
  timeNs: bigint = NOW;

  constructor(readonly machine: FatMachine, options = "") {
    const { status, reply } = machine.mount(options);
    if (status !== 0) throw new Error(`mount answers ${status}`);
    this.root = inodeOf(reply.root, reply.attributes);
    this.blockBytes = reply.blockBytes;
    this.deviceStart = Number(reply.deviceStart);
    this.blocksFree = Number(reply.blocksFree);
  }

  // ---- Names ----

  lookup(dir: Inode, name: string): Inode | number {
    const known = dir.children.get(fold(name));
    if (known) return known;
    const { status, reply } = this.machine.call("lookup", { dir: dir.node, name: utf8(name) });
    if (status !== 0) return status;
    if (reply.name.length > 0) return ENOENT; // by its alias: the VFS never makes, moves or removes by that
    const inode = inodeOf(reply.node, reply.attributes);
    dir.children.set(fold(name), inode);
    return inode;
  }

  /** The inode of "/a/b". */
  walk(path: string): Inode | number {
    let at = this.root;
    for (const part of path.split("/").filter((each) => each !== "")) {
      const next = this.lookup(at, part);
      if (typeof next === "number") return next;
      at = next;
    }
    return at;
  }

  /** The same for what must be there. */
  at(path: string): Inode {
    const inode = this.walk(path);
    if (typeof inode === "number") throw new Error(`${path}: ${inode}`);
    return inode;
  }

  create(dir: Inode, name: string, isDirectory: boolean, mode = 0o644): number {
    const { status, reply } = this.machine.call(isDirectory ? "mkdir" : "create", { dir: dir.node, timeNs: this.timeNs, mode, name: utf8(name) });
    if (status !== 0) return status;
    dir.node = reply.dir;
    this.blocksFree = Number(reply.blocksFree);
    dir.children.set(fold(name), inodeOf(reply.node, reply.attributes));
    return 0;
  }

  /** `keep`: the file is still open, its blocks stay until release. */
  remove(dir: Inode, name: string, keep = false): number {
    const inode = this.lookup(dir, name);
    if (typeof inode === "number") return inode;
    const { status, reply } = this.machine.call(inode.isDirectory ? "rmdir" : "unlink", { dir: dir.node, node: inode.node, timeNs: this.timeNs, name: utf8(name) });
    if (status !== 0) return status;
    inode.node = reply.node;
    dir.children.delete(fold(name));
    if (!keep) this.release(inode.node);
    return 0;
  }

  /** Chains that are to be released when the medium knows of their end; undefined: at once. */
  doomed: Node[] | undefined;

  release(node: Node): void {
    if (this.doomed) {
      this.doomed.push(node);
      return;
    }
    this.releaseNow(node);
  }

  releaseNow(node: Node): void {
    this.blocksFree = Number(this.machine.must("release", { node }).blocksFree);
  }

  rename(oldDir: Inode, oldName: string, newDir: Inode, newName: string): number {
    const inode = this.lookup(oldDir, oldName);
    if (typeof inode === "number") return inode;
    const there = this.lookup(newDir, newName);
    const victim = typeof there === "number" || there === inode ? undefined : there;
    const { status, reply } = this.machine.call("rename", {
      oldDir: oldDir.node, node: inode.node, newDir: newDir.node, victim: victim?.node ?? NO_NODE, timeNs: this.timeNs,
      hasVictim: victim ? 1 : 0, oldName: utf8(oldName), newName: utf8(newName),
    });
    if (status !== 0) return status;
    this.blocksFree = Number(reply.blocksFree);
    inode.node = reply.node;
    oldDir.children.delete(fold(oldName));
    newDir.children.set(fold(newName), inode);
    if (victim) this.release(reply.victim);
    return 0;
  }

  /** Names of a directory, as readdir gives them. */
  list(dir: Inode): { name: string; attributes: Attributes }[] {
    const found: { name: string; attributes: Attributes }[] = [];
    let position = 0n;
    while (true) {
      const { entries } = this.machine.must("readdir", { dir: dir.node, position });
      if (entries.length === 0) return found;
      for (const entry of entries) {
        if (entry.position <= position) throw new Error(`readdir stands still at ${position}`);
        position = entry.position;
        found.push({ name: text(entry.name), attributes: entry.attributes });
      }
    }
  }

  // ---- Data ----

  /** Sees to it that the file has blocks for `size` bytes. */
  reserve(inode: Inode, size: number): number {
    const need = Math.ceil(size / this.blockBytes);
    while (inode.blocks < need) {
      const request = { node: inode.node, have: BigInt(inode.blocks), blocks: BigInt(need), size: BigInt(inode.size), timeNs: this.timeNs };
      const { status, reply } = this.machine.call("allocate", request);
      if (status !== 0) return status;
      if (Number(reply.blocks) <= inode.blocks) throw new Error("allocate allots nothing");
      inode.node = reply.node;
      inode.blocks = Number(reply.blocks);
      this.blocksFree = Number(reply.blocksFree);
    }
    return 0;
  }

  /** Replaces [at, at + bytes.length), zeros before it if there is a gap. */
  write(inode: Inode, at: number, bytes: Uint8Array): number {
    const end = Math.max(inode.size, at + bytes.length);
    const failed = this.reserve(inode, end);
    if (failed !== 0) return failed;
    const gap = at > inode.size ? new Uint8Array(at - inode.size) : new Uint8Array();
    this.transfer(inode, at - gap.length, gap.length + bytes.length, (offset, from, length) => {
      const whole = Buffer.concat([gap, bytes]);
      this.machine.disk.set(whole.subarray(from, from + length), offset);
      this.onData(offset, whole.subarray(from, from + length));
    });
    return this.sizeSet(inode, end);
  }
  /** Hears of file data on its way to the device. */
  onData: (offset: number, bytes: Uint8Array) => void = () => undefined;

  private sizeSet(inode: Inode, size: number): number {
    const request = { node: inode.node, have: BigInt(inode.blocks), blocks: BigInt(inode.blocks), size: BigInt(size), timeNs: this.timeNs };
    const { status, reply } = this.machine.call("allocate", request);
    if (status !== 0) return status;
    inode.node = reply.node;
    inode.size = size;
    return 0;
  }

  read(inode: Inode): Uint8Array {
    const content = new Uint8Array(inode.size);
    this.transfer(inode, 0, inode.size, (offset, from, length) => content.set(this.machine.disk.subarray(offset, offset + length), from));
    return content;
  }

  /** Calls `move` for each piece of [at, at + bytes) that lies together on the device. */
  private transfer(inode: Inode, at: number, bytes: number, move: (offset: number, from: number, length: number) => void): void {
    for (let done = 0; done < bytes;) {
      const block = Math.floor((at + done) / this.blockBytes);
      const { extents } = this.machine.must("extents", { node: inode.node, fileBlock: BigInt(block), blocks: BigInt(inode.blocks - block) });
      const first = extents[0];
      if (!first || Number(first.fileBlock) !== block) throw new Error(`no extent for block ${block}`);
      const within = (at + done) % this.blockBytes;
      const length = Math.min(bytes - done, Number(first.blocks) * this.blockBytes - within);
      move(this.deviceStart + Number(first.deviceBlock) * this.blockBytes + within, done, length);
      done += length;
    }
  }

  truncate(inode: Inode, size: number): number {
    if (size > inode.size) return this.write(inode, size, new Uint8Array());
    const keep = Math.ceil(size / this.blockBytes);
    const hasTail = keep !== 0 && keep < inode.blocks;
    const tailBlock = hasTail ? this.machine.must("extents", { node: inode.node, fileBlock: BigInt(keep), blocks: 1n }).extents[0]!.deviceBlock : 1n << 63n;
    const { status, reply } = this.machine.call("truncate", { node: inode.node, blocks: BigInt(keep), size: BigInt(size), timeNs: this.timeNs, tailBlock });
    if (status !== 0) return status;
    if (reply.tail.n0 !== 0n) this.release(reply.tail);
    inode.node = reply.node;
    inode.size = size;
    inode.blocks = Number(reply.attributes.blocks);
    this.blocksFree = Number(reply.blocksFree);
    return 0;
  }
}

function inodeOf(node: Node, attributes: Attributes): Inode {
  const isDirectory = (attributes.mode & 0xf000) === IFDIR;
  return { node, isDirectory, size: Number(attributes.size), blocks: Number(attributes.blocks), attributes, children: new Map() };
}
