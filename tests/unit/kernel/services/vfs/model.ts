/** A file system as JavaScript maps: what tmpfs must do, written for clarity. Errors are negative errnos. */
export const E = { PERM: -1, NOENT: -2, EXIST: -17, NOTDIR: -20, ISDIR: -21, INVAL: -22, NOTEMPTY: -39, LOOP: -40, BUSY: -16, ROFS: -30 };

export class Node {
  nlink = 1;
  entries?: Map<string, Node>;
  target?: string;
  data: Uint8Array = new Uint8Array();
  constructor(readonly kind: "dir" | "file" | "link", public parent: Node | undefined) {
    if (kind === "dir") {
      this.entries = new Map();
      this.nlink = 2;
    }
  }
}

interface Place { parent: Node; name: string; node: Node | undefined; slash: boolean; special: boolean }

export class Model {
  readonly root: Node = new Node("dir", undefined);

  /** The last component of `path`; `follow` resolves a link there. */
  private locate(path: string, follow: boolean, depth = { n: 0 }, from = this.root): Place | number {
    if (path === "") return E.NOENT;
    let at = path.startsWith("/") ? this.root : from;
    const parts = path.split("/").filter((p) => p !== "");
    const slash = path.endsWith("/") && parts.length > 0;
    if (parts.length === 0) return { parent: at, name: "", node: at, slash: false, special: true };
    for (let i = 0; i < parts.length; i++) {
      const name = parts[i]!;
      const isLast = i === parts.length - 1;
      if (at.kind !== "dir") return E.NOTDIR;
      if (name === "." || name === "..") {
        const next = name === "." ? at : at.parent ?? at;
        if (isLast) return { parent: at, name, node: next, slash, special: true };
        at = next;
        continue;
      }
      const node = at.entries!.get(name);
      if (node?.kind === "link" && (!isLast || follow || (slash && follow !== undefined && followsSlash))) {
        if (++depth.n > 40) return E.LOOP;
        const rest = parts.slice(i + 1).join("/");
        const joined = node.target! + (rest ? `/${rest}` : "") + (slash ? "/" : "");
        return this.locate(joined, follow, depth, at);
      }
      if (isLast) return { parent: at, name, node, slash, special: false };
      if (!node) return E.NOENT;
      at = node;
    }
    throw new Error("unreachable");
  }

  resolve(path: string, follow = true): Node | number {
    followsSlash = true;
    const place = this.locate(path, follow);
    if (typeof place === "number") return place;
    if (!place.node) return E.NOENT;
    if (place.slash && place.node.kind !== "dir") return E.NOTDIR;
    return place.node;
  }

  /** The parent of the last component, which is never followed. */
  private last(path: string): Place | number {
    followsSlash = false;
    const place = this.locate(path, false);
    followsSlash = true;
    return place;
  }

  mkdir(path: string): number {
    const p = this.last(path);
    if (typeof p === "number") return p;
    if (p.special || p.node) return E.EXIST;
    p.parent.entries!.set(p.name, new Node("dir", p.parent));
    p.parent.nlink++;
    return 0;
  }

  /** O_CREAT | O_EXCL. */
  create(path: string): number {
    const p = this.last(path);
    if (typeof p === "number") return p;
    if (p.special || p.node) return E.EXIST;
    if (p.slash) return E.ISDIR;
    p.parent.entries!.set(p.name, new Node("file", p.parent));
    return 0;
  }

  symlink(target: string, path: string): number {
    const p = this.last(path);
    if (typeof p === "number") return p;
    if (p.special || p.node) return E.EXIST;
    if (p.slash) return E.NOENT;
    const node = new Node("link", p.parent);
    node.target = target;
    p.parent.entries!.set(p.name, node);
    return 0;
  }

  link(from: string, to: string): number {
    const source = this.resolve(from, false);
    if (typeof source === "number") return source;
    const p = this.last(to);
    if (typeof p === "number") return p;
    if (p.special || p.node) return E.EXIST;
    if (p.slash) return E.NOENT;
    if (source.kind === "dir") return E.PERM;
    p.parent.entries!.set(p.name, source);
    source.nlink++;
    return 0;
  }

  unlink(path: string): number {
    const p = this.last(path);
    if (typeof p === "number") return p;
    if (p.special) return E.ISDIR;
    if (!p.node) return E.NOENT;
    if (p.slash) return p.node.kind === "dir" ? E.ISDIR : E.NOTDIR;
    if (p.node.kind === "dir") return E.ISDIR;
    p.parent.entries!.delete(p.name);
    p.node.nlink--;
    return 0;
  }

  rmdir(path: string): number {
    const p = this.last(path);
    if (typeof p === "number") return p;
    if (p.special) return p.name === "." ? E.INVAL : p.name === ".." ? E.NOTEMPTY : E.BUSY;
    if (!p.node) return E.NOENT;
    if (p.node.kind !== "dir") return E.NOTDIR;
    if (p.node.entries!.size) return E.NOTEMPTY;
    p.parent.entries!.delete(p.name);
    p.node.nlink = 0;
    p.parent.nlink--;
    return 0;
  }

  rename(from: string, to: string, flags: number): number {
    const s = this.last(from);
    if (typeof s === "number") return s;
    const t = this.last(to);
    if (typeof t === "number") return t;
    if (s.special) return E.BUSY;
    if (t.special) return flags & 1 ? E.EXIST : E.BUSY;
    const source = s.node;
    if (!source) return E.NOENT;
    const exchange = (flags & 2) !== 0;
    if (flags & 1 && t.node) return E.EXIST;
    if (exchange && !t.node) return E.NOENT;
    if (source.kind !== "dir" && (s.slash || (!exchange && t.slash))) return E.NOTDIR;
    if (exchange && t.slash && t.node!.kind !== "dir") return E.NOTDIR;
    if (isBelow(t.parent, source)) return E.INVAL;
    if (t.node && isBelow(s.parent, t.node)) return exchange ? E.INVAL : E.NOTEMPTY;
    if (t.node && !exchange) {
      if (source.kind === "dir" && t.node.kind !== "dir") return E.NOTDIR;
      if (source.kind !== "dir" && t.node.kind === "dir") return E.ISDIR;
    }
    if (t.node === source) return 0;
    if (t.node && !exchange && t.node.kind === "dir" && t.node.entries!.size) return E.NOTEMPTY;
    s.parent.entries!.delete(s.name);
    if (source.kind === "dir") s.parent.nlink--;
    if (t.node) {
      t.parent.entries!.delete(t.name);
      if (t.node.kind === "dir") t.parent.nlink--;
      if (exchange) place(s.parent, s.name, t.node);
      else t.node.nlink = t.node.kind === "dir" ? 0 : t.node.nlink - 1;
    }
    place(t.parent, t.name, source);
    return 0;
  }
}
let followsSlash = true;

function place(dir: Node, name: string, node: Node): void {
  dir.entries!.set(name, node);
  if (node.kind !== "dir") return;
  node.parent = dir;
  dir.nlink++;
}

/** True when `node` is `ancestor` or lies below it. */
function isBelow(node: Node, ancestor: Node): boolean {
  for (let at: Node | undefined = node; at; at = at.parent) if (at === ancestor) return true;
  return false;
}
