/**
 * `make test [NAME=pattern]`: every Jest project, the fastest first, then one line: `N passed, N failed`.
 *
 * Projects run one after the other: those that boot machines would only slow each other down.
 */

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

interface Summary {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numFailedTestSuites: number;
}

const PROJECTS = ["unit", "toolchain", "boot", "conformance", "faults", "drivers"] as const;
const MACHINE_PROJECTS: readonly string[] = ["boot", "conformance", "faults", "drivers"];

/** Runs one project; a suite that does not even load counts as one failed test. */
function runProject(project: string, pattern: string | undefined): { passed: number; failed: number } {
  const report = `build/test-${project}.json`;
  const args = ["--selectProjects", project, "--passWithNoTests", "--json", `--outputFile=${report}`];
  if (MACHINE_PROJECTS.includes(project)) args.push("--runInBand");
  if (pattern) args.push(pattern);
  const { status } = spawnSync("node_modules/.bin/jest", args, { stdio: ["ignore", "ignore", "inherit"] });
  const summary = JSON.parse(readFileSync(report, "utf8")) as Summary;
  const failed = Math.max(summary.numFailedTests, summary.numFailedTestSuites, status === 0 ? 0 : 1);
  return { passed: summary.numPassedTests, failed };
}

let passed = 0;
let failed = 0;
for (const project of PROJECTS) {
  const result = runProject(project, process.argv[2]);
  passed += result.passed;
  failed += result.failed;
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
