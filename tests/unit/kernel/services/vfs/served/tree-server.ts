/**
 * A lawful file-system server in Node: a tree in memory, whose files lie in blocks of a device it never sees. What it answers is what
 * kernel/abi/protocol/file-system.ts asks for; every name has an alias with "~" behind it; spoiling that is liar.ts's work.
 */
import type { Attributes, Entry, Extent, FileSystemCalls, Node } from "../../../../support/file-system.gen.ts";
import { text, utf8 } from "../../../../support/protocol.ts";

type Calls = FileSystemCalls;
export type Method = keyof Calls;
/** A reply, or a negated errno. */
type Answer<M extends Method> = Calls[M]["reply"] | number;

interface Item {
  id: bigint;
  mode: number;
  /** Device blocks, in order. */
  blocks: number[];
  size: bigint;
  mtimeNs: bigint;
  children: Map<string, Item> | undefined;
}

const E = { NOENT: -2, IO: -5, EXIST: -17, NOSPC: -28, NOTEMPTY: -39 } as const;
const IFDIR = 0x4000;
const IFREG = 0x8000;
const NO_HOLES = 1;
const EXTENTS_MOST = 256;
const ENTRIES_MOST = 48;
/** As if a COMMIT had no room for more. */
const ALLOCATE_MOST = 40;
const NO_NODE: Node = { n0: 0n, n1: 0n };

export class TreeServer {
  private readonly items = new Map<bigint, Item>();
  private readonly used: boolean[];
  private nextId = 1n;
  private readonly root: Item;
  /** Where the next block is looked for: files are scattered. */
  private hint = 0;

  constructor(readonly blockBytes: number, readonly deviceStart: number, blocks: number) {
    this.used = Array<boolean>(blocks).fill(false);
    this.root = this.itemNew(IFDIR | 0o755);
  }

  private itemNew(mode: number): Item {
    const item: Item = { id: this.nextId++, mode, blocks: [], size: 0n, mtimeNs: 0n, children: (mode & IFDIR) !== 0 ? new Map() : undefined };
    this.items.set(item.id, item);
    return item;
  }

  blocksFree(): number { return this.used.filter((isUsed) => !isUsed).length; }

  private nodeOf({ id }: Item): Node { return { n0: id, n1: id * 77n }; }

  private attributesOf(item: Item): Attributes {
    return {
      mode: item.mode, nlink: item.children ? 2 : 1, uid: 0, gid: 0, ino: item.id, size: item.size, blocks: BigInt(item.blocks.length),
      atimeNs: item.mtimeNs, mtimeNs: item.mtimeNs, ctimeNs: item.mtimeNs, btimeNs: item.mtimeNs,
    };
  }

  private extentsOf({ blocks }: Item, from: number, count: number): Extent[] {
    const extents: Extent[] = [];
    for (let block = from; block < Math.min(blocks.length, from + count); block++) {
      const last = extents.at(-1);
      if (last && last.deviceBlock + last.blocks === BigInt(blocks[block]!)) last.blocks++;
      else if (extents.length === EXTENTS_MOST) break;
      else extents.push({ fileBlock: BigInt(block), deviceBlock: BigInt(blocks[block]!), blocks: 1n });
    }
    return extents;
  }

  /** The reply to a request, or a negated errno. */
  answer<M extends Method>(method: M, request: Calls[M]["request"]): Answer<M> {
    return (this.methods[method] as (request: Calls[M]["request"]) => Answer<M>)(request);
  }

  private readonly methods: { [M in Method]: (request: Calls[M]["request"]) => Answer<M> } = {
    mount: () => this.mounted(),
    attach: () => this.mounted(),
    unmount: () => ({}),
    sync: () => ({}),
    statfs: () => ({ blocks: BigInt(this.used.length), blocksFree: BigInt(this.blocksFree()), files: 0n, filesFree: 0n }),
    lookup: ({ dir, name }) => {
      const children = this.items.get(dir.n0)?.children;
      const listed = children?.has(text(name)) ? "" : text(name).replace(/~$/, "");
      const item = children?.get(listed || text(name));
      return item ? { node: this.nodeOf(item), attributes: this.attributesOf(item), name: utf8(listed) } : E.NOENT;
    },
    readdir: ({ dir, position }) => {
      const children = this.items.get(dir.n0)?.children;
      if (!children) return E.IO;
      const entries = [...children].sort(([, a], [, b]) => Number(a.id - b.id)).filter(([, { id }]) => id > position).slice(0, ENTRIES_MOST);
      return {
        entries: entries.map(([name, item]): Entry => (
          { node: this.nodeOf(item), attributes: this.attributesOf(item), position: item.id, name: new TextEncoder().encode(name) })),
      };
    },
    create: (request) => this.make(request, IFREG),
    mkdir: (request) => this.make(request, IFDIR),
    unlink: (request) => this.remove(request),
    rmdir: (request) => this.remove(request),
    rename: ({ oldDir, oldName, newDir, newName }) => {
      const from = this.items.get(oldDir.n0)?.children;
      const to = this.items.get(newDir.n0)?.children;
      const item = from?.get(text(oldName));
      if (!from || !to || !item) return E.NOENT;
      const victim = to.get(text(newName));
      if (victim?.children && victim.children.size > 0) return E.NOTEMPTY;
      from.delete(text(oldName));
      to.set(text(newName), item);
      return { node: this.nodeOf(item), victim: victim && victim !== item ? this.nodeOf(victim) : NO_NODE, blocksFree: BigInt(this.blocksFree()) };
    },
    setattr: ({ node }) => {
      const item = this.items.get(node.n0);
      return item ? { node, attributes: this.attributesOf(item) } : E.IO;
    },
    extents: ({ node, fileBlock, blocks }) => {
      const item = this.items.get(node.n0);
      return item ? { extents: this.extentsOf(item, Number(fileBlock), Number(blocks)) } : E.IO;
    },
    allocate: (request) => this.allocate(request),
    truncate: ({ node, blocks, size }) => {
      const item = this.items.get(node.n0);
      if (!item) return E.IO;
      const cut = item.blocks.splice(Number(blocks));
      const tail = cut.length > 0 ? this.itemNew(IFREG) : undefined;
      if (tail) tail.blocks = cut;
      item.size = BigInt(Math.min(Number(size), item.blocks.length * this.blockBytes));
      return { node, tail: tail ? this.nodeOf(tail) : NO_NODE, attributes: this.attributesOf(item), blocksFree: BigInt(this.blocksFree()) };
    },
    release: ({ node }) => {
      for (const block of this.items.get(node.n0)?.blocks ?? []) this.used[block] = false;
      this.items.delete(node.n0);
      return { blocksFree: BigInt(this.blocksFree()) };
    },
  };

  private mounted(): Calls["mount"]["reply"] {
    return {
      root: this.nodeOf(this.root), attributes: this.attributesOf(this.root), blockBytes: this.blockBytes, nameMax: 255,
      deviceStart: BigInt(this.deviceStart), maxBytes: 1n << 32n, flags: NO_HOLES, magic: 0x1234, blocksFree: BigInt(this.blocksFree()),
      mtimeStepNs: 1n, atimeStepNs: 1n,
    };
  }

  private make({ dir, name, mode }: Calls["create"]["request"], kind: number): Answer<"create"> {
    const children = this.items.get(dir.n0)?.children;
    if (!children) return E.IO;
    if (children.has(text(name))) return E.EXIST;
    const item = this.itemNew(kind | mode & 0o777);
    children.set(text(name), item);
    return { node: this.nodeOf(item), dir, attributes: this.attributesOf(item), blocksFree: BigInt(this.blocksFree()) };
  }

  private remove({ dir, node, name }: Calls["unlink"]["request"]): Answer<"unlink"> {
    const children = this.items.get(dir.n0)?.children;
    const item = children?.get(text(name));
    if (!children || !item) return E.NOENT;
    if (item.children && item.children.size > 0) return E.NOTEMPTY;
    children.delete(text(name));
    return { node };
  }

  private allocate({ node, have, blocks, size, timeNs }: Calls["allocate"]["request"]): Answer<"allocate"> {
    const item = this.items.get(node.n0);
    if (!item || item.blocks.length < Number(have)) return E.IO;
    const before = item.blocks.length;
    while (item.blocks.length < Number(blocks) && item.blocks.length < before + ALLOCATE_MOST) {
      const block = this.blockTake(item.blocks.length);
      if (block === undefined) break;
      item.blocks.push(block);
    }
    if (item.blocks.length < Number(blocks) && item.blocks.length === Number(have)) return E.NOSPC;
    item.size = BigInt(Math.min(Number(size), item.blocks.length * this.blockBytes));
    item.mtimeNs = timeNs;
    const extents = this.extentsOf(item, Number(have), item.blocks.length);
    return { node, blocks: BigInt(item.blocks.length), blocksFree: BigInt(this.blocksFree()), extents };
  }

  /** A free block: mostly the next one, now and then one elsewhere. */
  private blockTake(index: number): number | undefined {
    if (index % 5 === 4) this.hint += 7;
    for (let i = 0; i < this.used.length; i++) {
      const block = (this.hint + i) % this.used.length;
      if (this.used[block]) continue;
      this.used[block] = true;
      this.hint = block + 1;
      return block;
    }
    return undefined;
  }
}
