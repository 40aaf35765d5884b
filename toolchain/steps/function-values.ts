/**
 * Which functions can an indirect call reach? Read from the TypeScript with the compiler's own type checker.
 *
 * Function values live in slots: a field ("FileOps.read"), a parameter ("spinHooksSet#0"), a module's or a function's
 * variable. Every assignment or argument is an edge from a function or another slot to a slot; a slot holds all that
 * reaches it.
 *
 * Invariants  V1  a value of another shape (a load, a cast, a conditional of unknown parts) makes its slot unknown, and
 *                 a call through an unknown slot may reach any function of its type.
 */
import { join, relative } from "node:path";
import ts from "typescript";
import { ROOT } from "../paths.ts";
import { kernelSources } from "./asc.ts";

/** Function -> targets of the indirect calls in its text; undefined where they are unknown. Names: "file.ts:name". */
export type IndirectTargets = Map<string, Set<string> | undefined>;

const STD = join(ROOT, "node_modules/assemblyscript/std/assembly/index.d.ts");
/** Data for the toolchain, not part of the module. */
const CONTRACTS = new Set(["kernel/abi/syscalls.ts", "kernel/abi/native.ts", "kernel/abi/protocol/file-system.ts"]);
const ANY = "?";

/** What a reviewer vouches for: the calls in `in` reach what `targets` names, functions or slots. */
export interface IndirectRule {
  in: string;
  targets: string[];
  why: string;
}

/**
 * Targets for the kernel as it lies on disk. `compiled` are the functions that exist in the module: the calls of one
 * that does not were inlined into its callers, so they count as theirs.
 */
export function kernelIndirectTargets(rules: readonly IndirectRule[], compiled: ReadonlySet<string>): IndirectTargets {
  const files = kernelSources().filter((path) => !CONTRACTS.has(relative(ROOT, path)));
  const values = new FunctionValues([...files, STD]);
  const targets = values.targets();
  for (const rule of rules) targets.set(rule.in, values.reach(new Set(rule.targets)));
  return withMerged(withInlined(targets, values.direct, compiled), values.bodies, compiled);
}

/** Stands for a function without calls that the optimiser merged with another: no more than a small frame. */
export const LEAF = "leaf";

/** Binaryen keeps one of several functions with the same body: a target that is gone is the one that was kept. */
function withMerged(
  targets: IndirectTargets, bodies: ReadonlyMap<string, string>, compiled: ReadonlySet<string>,
): IndirectTargets {
  const kept = new Map([...bodies].filter(([name]) => compiled.has(name)).map(([name, body]) => [body, name]));
  const standIn = (name: string): string | undefined => {
    if (compiled.has(name)) return name;
    const body = bodies.get(name) ?? "";
    return kept.get(body) ?? (body.includes("(") ? undefined : LEAF);
  };
  const result: IndirectTargets = new Map();
  for (const [caller, reached] of targets) {
    const names = [...(reached ?? [])].map(standIn);
    const known = reached !== undefined && !names.includes(undefined);
    result.set(caller, known ? new Set(names as string[]) : undefined);
  }
  return result;
}

function withInlined(
  targets: IndirectTargets, direct: ReadonlyMap<string, ReadonlySet<string>>, compiled: ReadonlySet<string>,
): IndirectTargets {
  const result: IndirectTargets = new Map();
  for (const name of compiled) {
    const text = new Set([name]);
    for (const part of text) for (const callee of direct.get(part) ?? []) if (!compiled.has(callee)) text.add(callee);
    const parts = [...text].filter((part) => targets.has(part));
    if (parts.length === 0) continue;
    const reached = parts.map((part) => targets.get(part));
    result.set(name, reached.includes(undefined) ? undefined : new Set(reached.flatMap((each) => [...(each ?? [])])));
  }
  return result;
}

/** The text of a body without what leaves no trace in the module: blanks, comments, parameters' names, casts. */
function bodyShape(node: ts.FunctionDeclaration): string {
  const text = (node.body?.getText() ?? "").replace(/\s+|\/\/.*$/gm, " ").trim();
  const bare = text.replace(/\bchangetype<\w+>\((\w+)\)/g, "$1");
  return node.parameters.reduce(
    (shape, parameter, index) => shape.replace(new RegExp(`\\b${parameter.name.getText()}\\b`, "g"), `$${index}`), bare);
}

export class FunctionValues {
  private readonly program: ts.Program;
  private readonly checker: ts.TypeChecker;
  /** Slot -> what flows into it: other slots, functions ("file.ts:name"), or ANY. */
  private readonly flows: Map<string, Set<string>> = new Map();
  /** Function -> slots it calls through. */
  private readonly calls: Map<string, Set<string>> = new Map();
  private readonly functions: Set<string> = new Set();
  /** Function -> text of its body. */
  readonly bodies: Map<string, string> = new Map();
  /** Function -> functions it calls by name. */
  readonly direct: Map<string, Set<string>> = new Map();

  constructor(files: readonly string[]) {
    this.program = ts.createProgram(files, {
      noLib: true, noEmit: true, experimentalDecorators: true, target: ts.ScriptTarget.ESNext,
      module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler, types: [],
    });
    this.checker = this.program.getTypeChecker();
    for (const source of this.program.getSourceFiles()) if (!source.isDeclarationFile) this.visit(source, "");
  }

  targets(): IndirectTargets {
    const result: IndirectTargets = new Map();
    for (const [caller, slots] of this.calls) {
      const reached = this.reach(slots);
      result.set(caller, reached.has(ANY) ? undefined : reached);
    }
    return result;
  }

  /** Functions (and ANY) from which a value can flow into one of the slots. */
  reach(slots: Set<string>): Set<string> {
    const seen = new Set(slots);
    for (const slot of seen) for (const from of this.flows.get(slot) ?? []) seen.add(from); // grows while it is read
    return new Set([...seen].filter((value) => value === ANY || this.functions.has(value)));
  }

  private visit(node: ts.Node, owner: string): void {
    let inside = owner;
    if (ts.isFunctionDeclaration(node) && node.name) {
      inside = `${this.fileOf(node)}:${node.name.text}`;
      this.functions.add(inside);
      this.bodies.set(inside, bodyShape(node));
    } else if (ts.isMethodDeclaration(node) && ts.isClassDeclaration(node.parent)) {
      inside = `${this.fileOf(node)}:${node.parent.name?.text}#${node.name.getText()}`;
    } else if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.EqualsToken) {
      this.flow(this.slotOf(node.left), node.right);
    } else if (ts.isVariableDeclaration(node) && node.initializer) {
      this.flow(this.slotOf(node.name), node.initializer);
    } else if (ts.isCallExpression(node)) {
      this.visitCall(node, inside);
    }
    ts.forEachChild(node, (child) => this.visit(child, inside));
  }

  private visitCall(node: ts.CallExpression, caller: string): void {
    const through = this.slotOf(node.expression);
    if (through !== undefined) {
      this.calls.set(caller, (this.calls.get(caller) ?? new Set()).add(through));
    }
    const target = this.symbolOf(node.expression)?.valueDeclaration;
    if (target && ts.isFunctionDeclaration(target) && target.name) {
      const callee = `${this.fileOf(target)}:${target.name.text}`;
      this.direct.set(caller, (this.direct.get(caller) ?? new Set()).add(callee));
    }
    node.arguments.forEach((argument, index) => {
      if (!this.isFunctionTyped(argument)) return;
      if (target && ts.isFunctionDeclaration(target) && target.name) {
        this.flow(`${this.fileOf(target)}:${target.name.text}#${index}`, argument);
      } else if (through !== undefined) {
        this.flow(`${through}()#${index}`, argument); // an argument of an indirect call: who takes it is not followed
      }
    });
  }

  private flow(slot: string | undefined, value: ts.Expression): void {
    if (slot === undefined || !this.isFunctionTyped(value)) return;
    const from = this.flows.get(slot) ?? new Set();
    this.flows.set(slot, from);
    if (ts.isConditionalExpression(value)) {
      this.flow(slot, value.whenTrue);
      this.flow(slot, value.whenFalse);
      return;
    }
    const declaration = this.symbolOf(value)?.valueDeclaration;
    if (declaration && ts.isFunctionDeclaration(declaration) && declaration.name) {
      from.add(`${this.fileOf(declaration)}:${declaration.name.text}`);
    } else {
      from.add(this.slotOf(value) ?? ANY); // V1
    }
  }

  /** The slot an expression names, when it is function-typed; parameters are numbered. */
  private slotOf(node: ts.Node): string | undefined {
    const declaration = this.symbolOf(node)?.valueDeclaration;
    if (!declaration || !this.isFunctionTyped(node)) return undefined;
    if (ts.isPropertyDeclaration(declaration)) {
      return `${this.fileOf(declaration)}:${declaration.parent.name?.text}.${declaration.name.getText()}`;
    }
    if (ts.isParameter(declaration) && ts.isFunctionDeclaration(declaration.parent)) {
      const fn = declaration.parent;
      return `${this.fileOf(fn)}:${fn.name?.text}#${fn.parameters.indexOf(declaration)}`;
    }
    if (ts.isVariableDeclaration(declaration)) {
      return `${this.fileOf(declaration)}@${declaration.pos}`;
    }
    return undefined;
  }

  private symbolOf(node: ts.Node): ts.Symbol | undefined {
    const name = ts.isPropertyAccessExpression(node) ? node.name : node;
    const symbol = this.checker.getSymbolAtLocation(name);
    if (!symbol) return undefined;
    return symbol.flags & ts.SymbolFlags.Alias ? this.checker.getAliasedSymbol(symbol) : symbol;
  }

  private isFunctionTyped(node: ts.Node): boolean {
    return this.checker.getTypeAtLocation(node).getCallSignatures().length > 0;
  }

  private fileOf(node: ts.Node): string {
    return relative(ROOT, node.getSourceFile().fileName);
  }
}
