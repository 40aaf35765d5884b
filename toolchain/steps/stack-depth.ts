/**
 * Worst-case depth of the kernel stack, from gcc's call graph (-fcallgraph-info=su).
 *
 * A frame is what gcc reports, return address included. Rules for what the graph does not say:
 *
 *   indirect call   the deepest function that the TypeScript can have put there (function-values.ts); where that is
 *                   unknown, those that stack-rules.json names, or all of the call's type in the function table
 *   user_* natives  may fault: FAULT_FRAME and the depth of kernel_trapEntry, counted once, since the handler of a
 *                   kernel-mode fault returns to the fixup instead of touching user memory again
 *   recursion       must be listed in stack-rules.json with the number of rounds that are possible and why; a cycle
 *                   costs all its frames that often
 *
 * Units  bytes.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { BuildError, messages } from "../messages.ts";
import { ROOT } from "../paths.ts";
import { type IndirectRule, type IndirectTargets, LEAF, kernelIndirectTargets } from "./function-values.ts";
import type { NameMap } from "./wasm2c.ts";

/** 16 KiB less the TrapFrame (22 words) and the scratch area above it (docs/decisions/0003). */
const STACK_LIMIT = 16384 - 22 * 8 - 1024;
/** Pushed by the processor and entry.S when the kernel itself faults. */
const FAULT_FRAME = 22 * 8 + 16;
/** Assembly functions save at most the callee-saved registers. */
const NATIVE_FRAME = 7 * 8;
const TRAP_ENTRY = "kernel_trapEntry";
const MAY_FAULT = /^(?:user|probe)_\w+_native$/;
const ENTRIES = ["kernel_kernelMain", "kernel_apMain", "kernel_trapEntry", "kernel_syscallEntry", "kernel_syscallWork", "kernel_threadStart",
  "kernel_ipcEntry", "kernel_syscallResumed"];
const INDIRECT = "__indirect_call";
export const STACK_RULES: string = join(ROOT, "toolchain/stack-rules.json");

/** What a reviewer vouches for. */
export interface StackRules {
  /** For calls that function-values.ts cannot follow; names are "kernel/lib/spinlock.ts:spinLock". */
  indirect: IndirectRule[];
  /** A cycle through `through` turns at most `rounds` times. */
  recursion: { through: string; rounds: number; why: string }[];
}

export interface CallGraph {
  frames: Map<string, number>;
  calls: Map<string, Set<string>>;
}

export interface DepthResult {
  depth: number;
  /** Functions on the deepest path, outermost first. */
  path: string[];
}

/** Prints the table and fails when an entry may overflow the stack or a recursion is not listed. */
export function stackDepthCheck(callGraph: string, code: string, names: string): void {
  const map = (JSON.parse(readFileSync(names, "utf8")) as NameMap).names;
  const nameOf = (cName: string): string => map[plain(cName)] ?? cName;
  const rules = JSON.parse(readFileSync(STACK_RULES, "utf8")) as StackRules;
  const text = readFileSync(code, "utf8");
  const targets = targetsByCName(kernelIndirectTargets(rules.indirect, new Set(Object.values(map))), map);
  const graph = readCallGraph(readFileSync(callGraph, "utf8"), text, targets);
  const depths = new Depths(graph, (members) =>
    rules.recursion.find(({ through }) => members.some((member) => nameOf(member).endsWith(`:${through}`)))?.rounds);
  const problems: string[] = [];
  console.log(`  stack depth      (limit ${STACK_LIMIT} bytes)`);
  for (const entry of ENTRIES.filter((name) => graph.frames.has(name))) {
    const { depth, path } = depths.of(entry);
    console.log(`    ${String(depth).padStart(6)}  ${entry.replace("kernel_", "")}: ${deepest(path, nameOf)}`);
    if (depth > STACK_LIMIT) problems.push(`${entry}: ${depth} bytes: ${path.map(nameOf).join(" > ")}`);
  }
  for (const cycle of depths.unbounded) problems.push(`recursion: ${cycle.map(nameOf).join(", ")}`);
  if (problems.length > 0) throw new BuildError(messages.stackDepth(problems));
}

const SHOWN = 6;

function deepest(path: readonly string[], nameOf: (cName: string) => string): string {
  const short = path.map((cName) => nameOf(cName).replace(/^.*:/, ""));
  return short.length <= SHOWN ? short.join(" > ") : `${short.slice(1, SHOWN).join(" > ")} > ... > ${short.at(-1)}`;
}

function plain(cName: string): string {
  return cName.replace(/\.(?:constprop|part|isra|cold)(?:\.\d+)*/g, "");
}

/** The graph with indirect calls resolved by rule or type. */
export function readCallGraph(ci: string, code: string, reach: ReadonlyMap<string, ReadonlySet<string>>): CallGraph {
  const resolver = new IndirectResolver(code.split("\n"), reach);
  const frames = new Map<string, number>();
  const calls = new Map<string, Set<string>>();
  for (const line of ci.split("\n")) {
    const node = /^node: \{ title: "([^"]*)" label: "[^"]*\\n(\d+) bytes \(([^)]*)\)/.exec(line);
    const edge = /^edge: \{ sourcename: "([^"]*)" targetname: "([^"]*)"(?: label: "([^"]*)")?/.exec(line);
    if (node) frames.set(bare(node[1] as string), Number(node[2]));
    if (!edge) continue;
    const source = bare(edge[1] as string);
    const target = bare(edge[2] as string);
    const targets = target === INDIRECT ? resolver.targets(edge[3] ?? "") : [target];
    const known = calls.get(source) ?? new Set();
    calls.set(source, known);
    for (const each of targets) known.add(each);
  }
  return { frames, calls };
}

/** "kernel.c:ts_foo" -> "ts_foo". */
function bare(title: string): string {
  return title.slice(title.lastIndexOf(":") + 1);
}

/** C function -> C functions its indirect calls reach, where that is known. */
function targetsByCName(targets: IndirectTargets, names: Readonly<Record<string, string>>): Map<string, Set<string>> {
  const cNames = new Map(Object.entries(names).filter(([cName]) => cName.startsWith("ts_"))
    .map(([cName, name]) => [name, cName]));
  const result = new Map<string, Set<string>>();
  for (const [caller, reached] of targets) {
    const cName = cNames.get(caller);
    if (cName !== undefined && reached) result.set(cName, new Set([...reached].map((name) => cNames.get(name) ?? name)));
  }
  return result;
}

/** Finds what an indirect call may reach, from its line in the generated C. */
class IndirectResolver {
  private readonly table: Map<string, string[]> = new Map();

  constructor(
    private readonly lines: readonly string[],
    private readonly reach: ReadonlyMap<string, ReadonlySet<string>>,
  ) {
    for (const line of lines) {
      const entry = /^ {2}\[\d+\] = \{(\d+), \(void \(\*\)\(void\)\)(\w+)\},$/.exec(line);
      if (entry) this.table.set(entry[1] as string, [...(this.table.get(entry[1] as string) ?? []), entry[2] as string]);
    }
  }

  targets(label: string): string[] {
    const at = Number(/:(\d+):\d+$/.exec(label)?.[1]) - 1;
    const type = /CALL_INDIRECT\(.*?\), (\d+)u, /.exec(this.lines[at] ?? "")?.[1];
    const candidates = type === undefined ? [...this.table.values()].flat() : (this.table.get(type) ?? []);
    const known = this.reach.get(this.functionAt(at));
    if (!known) return candidates;
    const reached = candidates.filter((name) => known.has(name));
    return reached.length > 0 || !known.has(LEAF) ? reached : [LEAF];
  }

  /** The function whose body holds a line: inlining does not move it. */
  private functionAt(at: number): string {
    for (let line = at; line >= 0; line--) {
      const head = /^static \w+ (\w+)\(.*\) \{$/.exec(this.lines[line] ?? "");
      if (head) return head[1] as string;
    }
    return "";
  }
}

/** Depths by strongly connected component; a component is computed once per fault budget. */
export class Depths {
  readonly unbounded: string[][] = [];
  private readonly component: Map<string, string[]>;
  private readonly known: Map<string, DepthResult> = new Map();
  private readonly reported: Set<string[]> = new Set();

  constructor(
    private readonly graph: CallGraph,
    private readonly roundsOf: (members: readonly string[]) => number | undefined,
  ) {
    this.component = components(graph);
  }

  /** Depth from `name`; user accesses below it may fault once. */
  of(name: string): DepthResult {
    return this.depth(name, true);
  }

  private depth(name: string, mayFault: boolean): DepthResult {
    if (MAY_FAULT.test(name)) return this.native(name, mayFault);
    if (!this.graph.frames.has(name)) return { depth: NATIVE_FRAME, path: [name] };
    const members = this.component.get(name) ?? [name];
    const key = `${members[0]} ${mayFault}`;
    const cached = this.known.get(key);
    const inner = cached ?? this.componentDepth(members, mayFault);
    this.known.set(key, inner);
    return members.length === 1 ? inner : { depth: inner.depth, path: [name, ...inner.path.slice(1)] };
  }

  private native(name: string, mayFault: boolean): DepthResult {
    if (!mayFault || !this.graph.frames.has(TRAP_ENTRY)) return { depth: NATIVE_FRAME, path: [name] };
    const handler = this.depth(TRAP_ENTRY, false);
    return { depth: NATIVE_FRAME + FAULT_FRAME + handler.depth, path: [name, ...handler.path] };
  }

  private componentDepth(members: readonly string[], mayFault: boolean): DepthResult {
    const frames = members.reduce((sum, member) => sum + (this.graph.frames.get(member) ?? 0), 0);
    let worst: DepthResult = { depth: 0, path: [] };
    for (const member of members) {
      for (const target of this.graph.calls.get(member) ?? []) {
        if (members.includes(target)) continue;
        const below = this.depth(target, mayFault);
        if (below.depth > worst.depth) worst = below;
      }
    }
    return { depth: frames * this.rounds(members) + worst.depth, path: [members[0] as string, ...worst.path] };
  }

  private rounds(members: readonly string[]): number {
    const self = members[0] as string;
    const recursive = members.length > 1 || (this.graph.calls.get(self)?.has(self) ?? false);
    if (!recursive) return 1;
    const rounds = this.roundsOf(members);
    if (rounds === undefined && !this.reported.has(this.component.get(self) as string[])) {
      this.reported.add(this.component.get(self) as string[]);
      this.unbounded.push([...members]);
    }
    return rounds ?? 1;
  }
}

/** Function -> members of its strongly connected component (Tarjan). */
function components(graph: CallGraph): Map<string, string[]> {
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const onStack = new Set<string>();
  const result = new Map<string, string[]>();
  const visit = (name: string): void => {
    index.set(name, index.size);
    low.set(name, index.get(name) as number);
    stack.push(name);
    onStack.add(name);
    for (const target of graph.calls.get(name) ?? []) {
      if (!graph.frames.has(target)) continue;
      if (!index.has(target)) visit(target);
      if (onStack.has(target)) low.set(name, Math.min(low.get(name) as number, low.get(target) as number));
    }
    if (low.get(name) !== index.get(name)) return;
    const members = stack.splice(stack.indexOf(name)).sort();
    for (const member of members) {
      onStack.delete(member);
      result.set(member, members);
    }
  };
  for (const name of graph.frames.keys()) if (!index.has(name)) visit(name);
  return result;
}
