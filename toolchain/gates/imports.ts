/**
 * Gate: imports point one way, and files do not import each other in a circle.
 *
 *   kernel/abi <- arch <- kernel/lib <- kernel/core <- kernel/services <- kernel/*.ts (the boot sequence)
 *   servers/<name> may import itself, kernel/abi and servers/runtime
 */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { filesUnder } from "../cache.ts";
import { BuildError, messages } from "../messages.ts";
import { ROOT } from "../paths.ts";

const LAYERS: readonly string[] = ["kernel/abi/", "arch/", "kernel/lib/", "kernel/core/", "kernel/services/", "kernel/"];
const IMPORT = /^(?:import|export)\b[^;"]*"(\.[^"]*)"/gm;

/** File -> files it imports, all relative to the root. */
export type ImportGraph = Map<string, string[]>;

export function importCheck(): void {
  const graph = importGraph();
  const upward = [...graph].flatMap(([file, targets]) =>
    targets.filter((target) => !mayImport(file, target)).map((target) => `${file} imports ${target}`));
  if (upward.length > 0) throw new BuildError(messages.importDirection(upward));
  const cycles = importCycles(graph);
  if (cycles.length > 0) throw new BuildError(messages.importCycle(cycles.map((cycle) => cycle.join(" -> "))));
}

function importGraph(): ImportGraph {
  const files = ["kernel", "arch", "servers"].flatMap((folder) => filesUnder(join(ROOT, folder), ".ts"));
  return new Map(files.map((path) => [relative(ROOT, path), importsOf(path)]));
}

function importsOf(path: string): string[] {
  const text = readFileSync(path, "utf8");
  return [...text.matchAll(IMPORT)].map((match) => {
    const target = resolve(dirname(path), match[1] as string);
    return relative(ROOT, existsSync(`${target}.ts`) ? `${target}.ts` : target);
  });
}

export function mayImport(file: string, target: string): boolean {
  const server = /^servers\/[^/]+\//.exec(file)?.[0];
  if (server) return [server, "servers/runtime/", "kernel/abi/"].some((folder) => target.startsWith(folder));
  const layerOf = (path: string): number => LAYERS.findIndex((layer) => path.startsWith(layer));
  return layerOf(target) >= 0 && layerOf(target) <= layerOf(file);
}

/** One cycle per strongly connected component (Tarjan), as a path that ends where it starts. */
export function importCycles(graph: ImportGraph): string[][] {
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const cycles: string[][] = [];

  const visit = (file: string): void => {
    index.set(file, index.size);
    low.set(file, index.get(file) as number);
    stack.push(file);
    for (const target of graph.get(file) ?? []) {
      if (!index.has(target)) visit(target);
      if (stack.includes(target)) low.set(file, Math.min(low.get(file) as number, low.get(target) as number));
    }
    if (low.get(file) !== index.get(file)) return;
    const component = new Set(stack.splice(stack.indexOf(file)));
    const selfImport = graph.get(file)?.includes(file) ?? false;
    if (component.size > 1 || selfImport) cycles.push(cycleWithin(component, graph));
  };
  for (const file of graph.keys()) if (!index.has(file)) visit(file);
  return cycles;
}

function cycleWithin(component: Set<string>, graph: ImportGraph): string[] {
  const [start] = component;
  const path = [start as string];
  for (;;) {
    const targets: string[] = (graph.get(path.at(-1) as string) ?? []).filter((target) => component.has(target));
    const back = targets.map((target) => path.indexOf(target)).filter((at) => at >= 0);
    if (back.length > 0) return [...path.slice(Math.min(...back)), path[Math.min(...back)] as string];
    path.push(targets[0] as string);
  }
}
