/** Programs that check themselves: every check holds, in a machine with four CPUs. */

import { runBatch, type BatchResult } from "../support/batch.ts";
import { buildPrograms, guestPath, programEntries } from "../support/programs.ts";

const programs = buildPrograms("tests/conformance/programs").filter(({ name }) => name.includes(process.env["ONLY"] ?? ""));
const SUITE_MS = 20 * 60_000;

let results: Map<string, BatchResult>;

beforeAll(async () => {
  const items = programs.map((program) => ({ title: program.name, script: `exec ${guestPath(program)}\n` }));
  results = await runBatch({ name: "programs", items, entries: programEntries(programs), cpus: 4, memMiB: 512, itemSeconds: 60, live: true });
}, SUITE_MS);

test.each(programs)("$name", ({ name }) => {
  const { output, status } = results.get(name)!;
  const failures = output.split("\n").filter((line) => !line.startsWith("ok "));
  expect({ failures, status }).toEqual({ failures: [expect.stringMatching(/^1\.\.\d+$/), ""], status: 0 });
});
