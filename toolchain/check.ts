/** `make check`: every gate that needs no linking. */
import { generatedCheck } from "./generate.ts";
import { fenceCheck } from "./gates/fence.ts";
import { importCheck } from "./gates/imports.ts";
import { lineBudgetCheck } from "./gates/line-budget.ts";
import { checkModule, checkStackDepth } from "./kernel.ts";
import { BuildError } from "./messages.ts";

export interface CheckOptions {
  updateFence: boolean;
}

export function check(options: CheckOptions): void {
  const gates: [string, () => void][] = [
    ["generated files", generatedCheck],
    ["imports", importCheck],
    ["raw access", () => fenceCheck(options.updateFence)],
    ["line budget", lineBudgetCheck],
    ["module", checkModule],
    ["stack depth", checkStackDepth],
  ];
  const failures = gates.map(([name, gate]) => runGate(name, gate)).filter((failure) => failure !== "");
  if (failures.length > 0) throw new BuildError(failures.join("\nerror: "));
}

/** The gate's message, or "" when it passes: one broken rule does not hide another. */
function runGate(name: string, gate: () => void): string {
  try {
    gate();
    console.log(`  passed           ${name}`);
    return "";
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    return error.message;
  }
}
