/** Shell snippets print in the guest what they print on the host, with the same busybox. */

import { readSnippets, HostShell } from "../support/snippets.ts";
import { runBatch, type BatchResult } from "../support/batch.ts";

const snippets = readSnippets("tests/conformance/snippets").filter(({ title }) => title.includes(process.env["ONLY"] ?? ""));
const SUITE_MS = 20 * 60_000;

let results: Map<string, BatchResult>;
let host: HostShell;

beforeAll(async () => {
  host = new HostShell();
  results = await runBatch({ name: "snippets", items: snippets, cpus: 2, memMiB: 512 });
}, SUITE_MS);

afterAll(() => host.remove());

test.each(snippets)("$title", ({ title, script, expected }) => {
  const { output, status } = results.get(title)!;
  expect({ output, ended: typeof status }).toEqual({ output: expected ?? host.run(script), ended: "number" });
}, 60_000);
