/**
 * A reference model of a vfat tree, and random operations done on it and on the server alike: each answer must be the same, and at
 * last so must be the tree that the checker reads from the image.
 */
import { ENOENT, FatClient, fold, type Inode } from "./fat-client.ts";
import type { Report } from "./fat-check.ts";
import type { Random } from "../../../support/random.ts";

export interface Entry {
  name: string;
  /** undefined: a file. */
  children: Map<string, Entry> | undefined;
  content: Uint8Array;
  /** Nothing happened to its bytes, or to it, since they were synced: a power cut must not touch them. */
  synced?: Uint8Array | undefined;
  /** It got another name in its directory since: its old and its new entry may stand in one sector. */
  isRenamed?: boolean;
}

const EEXIST = -17;
const ENOTEMPTY = -39;
const FILE_MOST = 9000;
/** Names that make aliases collide, need long names, differ in case alone, or are not ASCII. */
const NAMES = [
  "a", "B", "readme.txt", "README.TXT", "ReadMe.Txt", "Makefile", "longish name.text", "longish name.texture", "longish name two.tex",
  "longish.name.three.tex", ".hidden", "x.y.z", "UPPER.txt", "lower.TXT", "twelve345678.doc", "ünïcödé.txt", "日本語のファイル名", "🙂.png",
  "a name of exactly thirteen+", "1234567890123", "12345678901234", `${"very ".repeat(40)}long`, "con.fig", "~tilde~1", "LONGIS~1.TEX", "+plus,comma;=[x]",
];

export class Model {
  readonly root: Entry = { name: "", children: new Map(), content: new Uint8Array() };
  private readonly operations: readonly (() => string)[];

  /** `isGuarded`: names are looked up before they are made, as the VFS does; a repeated call could not tell them from its own. */
  constructor(private readonly client: FatClient, private readonly random: Random, private readonly isGuarded = false) {
    this.operations = [
      () => this.make(false), () => this.make(false), () => this.make(true), () => this.write(), () => this.write(), () => this.write(),
      () => this.truncate(), () => this.remove(), () => this.remove(), () => this.rename(), () => this.rename(), () => this.read(), () => this.list(),
    ];
  }

  /** One operation; what it was. Throws when the server answers something else than the model. */
  step(): string { return this.random.pick(this.operations)(); }

  private same(operation: string, actual: number, expected: number): string {
    if (actual !== expected) throw new Error(`${operation}: ${actual}, not ${expected}`);
    return operation;
  }

  /** A directory and its inode, and the path. */
  private directory(): { entry: Entry; inode: Inode; path: string } {
    let at = { entry: this.root, inode: this.client.root, path: "" };
    while (this.random.chance(60)) {
      const below = [...at.entry.children!.values()].filter((each) => each.children);
      if (below.length === 0) break;
      const next = this.random.pick(below);
      const inode = this.client.lookup(at.inode, next.name);
      if (typeof inode === "number") throw new Error(`${at.path}/${next.name}: ${inode}`);
      at = { entry: next, inode, path: `${at.path}/${next.name}` };
    }
    return at;
  }

  /** Mostly a name that is there. */
  private name(entry: Entry, present: number): string {
    const names = [...entry.children!.values()].map(({ name }) => name);
    return names.length > 0 && this.random.chance(present) ? this.random.pick(names) : this.random.pick(NAMES);
  }

  private make(isDirectory: boolean): string {
    const { entry, inode, path } = this.directory();
    const name = this.name(entry, 10);
    const exists = entry.children!.has(fold(name));
    if (exists && this.isGuarded) return `make ${path}/${name}: not tried`;
    const result = this.client.create(inode, name, isDirectory);
    if (!exists) entry.children!.set(fold(name), { name, children: isDirectory ? new Map() : undefined, content: new Uint8Array() });
    return this.same(`make ${path}/${name}`, result, exists ? EEXIST : 0);
  }

  private file(): { entry: Entry; inode: Inode; path: string } | undefined {
    const { entry, inode, path } = this.directory();
    const files = [...entry.children!.values()].filter(({ children }) => !children);
    if (files.length === 0) return undefined;
    const file = this.random.pick(files);
    const found = this.client.lookup(inode, file.name);
    if (typeof found === "number") throw new Error(`${path}/${file.name}: ${found}`);
    return { entry: file, inode: found, path: `${path}/${file.name}` };
  }

  private write(): string {
    const file = this.file();
    if (!file) return "nothing to write";
    const at = this.random.below(Math.min(FILE_MOST, file.entry.content.length + 700));
    const bytes = this.random.bytes(this.random.below(FILE_MOST - at));
    const content = new Uint8Array(Math.max(file.entry.content.length, at + bytes.length));
    content.set(file.entry.content);
    content.set(bytes, at);
    file.entry.content = content;
    file.entry.synced = undefined;
    return this.same(`write ${file.path} ${at}+${bytes.length}`, this.client.write(file.inode, at, bytes), 0);
  }

  private truncate(): string {
    const file = this.file();
    if (!file) return "nothing to truncate";
    const size = this.random.chance(30) ? 0 : this.random.below(file.entry.content.length + 1);
    file.entry.content = file.entry.content.slice(0, size);
    file.entry.synced = undefined;
    return this.same(`truncate ${file.path} ${size}`, this.client.truncate(file.inode, size), 0);
  }

  private remove(): string {
    const { entry, inode, path } = this.directory();
    const name = this.name(entry, 80);
    const target = entry.children!.get(fold(name));
    const expected = !target ? ENOENT : target.children && target.children.size > 0 ? ENOTEMPTY : 0;
    if (expected === 0) entry.children!.delete(fold(name));
    return this.same(`remove ${path}/${name}`, this.client.remove(inode, name), expected);
  }

  private rename(): string {
    const from = this.directory();
    const to = this.random.chance(50) ? from : this.directory();
    const oldName = this.name(from.entry, 90);
    const newName = this.random.chance(20) ? caseChanged(oldName) : this.name(to.entry, 40);
    const what = `rename ${from.path}/${oldName} ${to.path}/${newName}`;
    const target = from.entry.children!.get(fold(oldName));
    const victim = to.entry.children!.get(fold(newName));
    // The VFS answers these before a file system hears of them.
    const isInside = target?.children && `${to.path}/`.startsWith(`${from.path}/${target.name}/`);
    const isMixed = target && victim && target !== victim && (target.children === undefined) !== (victim.children === undefined);
    const isAncestor = victim?.children && `${from.path}/`.startsWith(`${to.path}/${victim.name}/`);
    if (isInside || isMixed || isAncestor || (target === victim && oldName === newName)) return `${what}: not tried`;
    const isFull = victim !== target && victim?.children && victim.children.size > 0;
    const expected = !target ? ENOENT : isFull ? ENOTEMPTY : 0;
    const result = this.client.rename(from.inode, oldName, to.inode, newName);
    if (expected === 0 && target) {
      from.entry.children!.delete(fold(oldName));
      if (from.entry === to.entry) target.isRenamed = true;
      target.name = victim && victim !== target ? victim.name : newName; // a victim's entry is taken over, with its spelling
      to.entry.children!.set(fold(newName), target);
    }
    return this.same(what, result, expected);
  }

  /** All files, in no order; but those that lie below a renamed name, if told. */
  files(isWithoutRenamed = false): Entry[] {
    return [...this.entries(isWithoutRenamed)].filter(({ children }) => !children);
  }

  /** Everything is on the medium. */
  synced(): void {
    for (const entry of this.entries(false)) {
      entry.isRenamed = false;
      if (!entry.children) entry.synced = entry.content;
    }
  }

  private *entries(isWithoutRenamed: boolean, entry = this.root): Generator<Entry> {
    for (const child of entry.children!.values()) {
      if (isWithoutRenamed && child.isRenamed) continue;
      yield child;
      if (child.children) yield* this.entries(isWithoutRenamed, child);
    }
  }

  private read(): string {
    const file = this.file();
    if (!file) return "nothing to read";
    if (Buffer.compare(this.client.read(file.inode), file.entry.content) !== 0) throw new Error(`${file.path}: other bytes`);
    return `read ${file.path}`;
  }

  private list(): string {
    const { entry, inode, path } = this.directory();
    const names = this.client.list(inode).map(({ name }) => name).sort();
    const expected = [...entry.children!.values()].map(({ name }) => name).sort();
    if (names.join("\n") !== expected.join("\n")) throw new Error(`list ${path}: ${names.join(" ")}, not ${expected.join(" ")}`);
    return `list ${path}`;
  }
}

function caseChanged(name: string): string {
  return name === name.toUpperCase() ? name.toLowerCase() : name.toUpperCase();
}

/** How the tree on an image differs from the model's, in words; empty when it does not. */
export function differences(root: Entry, report: Report): string[] {
  const found: string[] = [];
  const seen = new Set<string>();
  const visit = (entry: Entry, path: string): void => {
    for (const child of entry.children!.values()) {
      const at = `${path}/${child.name}`;
      seen.add(at);
      const there = report.tree.get(at);
      if (!there) found.push(`${at} is missing`);
      else if (there.isDirectory !== (child.children !== undefined)) found.push(`${at} is of another kind`);
      else if (!there.isDirectory && Buffer.compare(there.content, child.content) !== 0) found.push(`${at} has other bytes`);
      if (child.children) visit(child, at);
    }
  };
  visit(root, "");
  for (const path of report.tree.keys()) if (!seen.has(path)) found.push(`${path} should not be there`);
  return found;
}
