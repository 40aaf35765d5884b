/** Manifest lines: what the toolchain writes is what the supervisor reads; hostile lines are refused whole. */
import { manifestLine, manifestProblem, type Manifest } from "../../../../../toolchain/manifest.ts";
import { COMPILE_MS, loadManaged, type Managed } from "../../../support/managed.ts";

const FULL: Manifest = {
  name: "nvme", about: "a test", memoryMiB: 2, start: "device", pci: [{ class: "010802" }, { vendor: "1af4", device: "1042" }],
  needs: ["pci", "log"], requires: ["first"], after: ["second", "third"], restart: "on-failure", failures: 3, silent: 40, quotaKiB: 512,
  schedule: "rr:7",
};
let supervisor: Managed;

beforeAll(async () => {
  supervisor = await loadManaged("tests/unit/servers/services/supervisor/pure.as.ts");
}, COMPILE_MS);

function parse(text: string): { name: string; problem: string; fields: string }[] {
  const count = supervisor.exports["parse"](supervisor.string(text)) as number;
  const textOf = (fn: string, index: number): string => supervisor.text(supervisor.exports[fn](index) as number);
  return Array.from({ length: count }, (_, i) => ({ name: textOf("nameOf", i), problem: textOf("problemOf", i), fields: textOf("fieldsOf", i) }));
}

test("every field arrives", () => {
  expect(parse(manifestLine(FULL))).toEqual([
    { name: "nvme", problem: "", fields: "device|class 10802,id 10421af4|pci,log|first|second,third|1,3,40,512,2,2,7" },
  ]);
});

test("what a manifest does not say has its default", () => {
  const line = manifestLine({ name: "a", about: "", memoryMiB: 1, start: "always", needs: [] });
  expect(parse(line)[0]).toEqual({ name: "a", problem: "", fields: "always|||||0,10,10,4096,1,0,0" });
});

test.each([
  ["fifo:90", "1,90"], ["rr:1", "2,1"], ["normal", "0,0"], ["batch", "3,0"], ["idle", "5,0"],
])("schedule=%s", (schedule, expected) => {
  expect(parse(`a schedule=${schedule}`)[0]?.fields).toMatch(new RegExp(`,${expected}$`));
  expect(manifestProblem({ ...FULL, schedule })).toBeUndefined();
});

test.each([
  ["an empty file", "", 0],
  ["empty lines", "\n\n\n", 0],
  ["no newline at the end", "a start=always", 1],
])("%s", (_, text, count) => {
  expect(parse(text)).toHaveLength(count);
});

test.each([
  "../../bin/sh start=always", "UPPER start=always", " start=always", "-rf start=always", "abcdefghijklmnop start=always",
])("refuses the name of %p", (line) => {
  expect(parse(line)).toEqual([expect.objectContaining({ name: "?", problem: "its name is not one" })]);
});

test.each([
  "a start=sometimes", "a start", "a =x", "a unknown=1", "a failures=-1", "a failures=99999999", "a failures=", "a quota=1e3", "a silent=0x10",
  "a pci=1af4", "a pci=1af4:10421", "a pci=1AF4:1042", "a pci=:", "a pci=class:", "a pci=1af4:1042,", "a needs=,", "a needs=a/b", "a needs=call:", "a requires=call:b",
  "a schedule=", "a schedule=fifo", "a schedule=fifo:0", "a schedule=fifo:91", "a schedule=rr:-1", "a schedule=batch:1", "a schedule=deadline", "a schedule=fifo:1:1",
  "a restart=maybe", `a needs=${Array.from({ length: 17 }, (_, i) => `n${i}`).join(",")}`, `a needs=${"n,".repeat(2000)}n`, "a  start=always",
])("refuses %p and says why", (line) => {
  const [manifest] = parse(line);
  expect(manifest?.problem).not.toBe("");
  expect(manifest?.problem.length).toBeLessThan(60);
});

test("a bad line leaves its neighbours alone; a name counts once", () => {
  const found = parse("a start=always\nb start=what\na start=never\nc start=always\n");
  expect(found.map(({ name, problem }) => `${name}:${problem}`)).toEqual(["a:", "b:it says start=what", "a:its name is taken", "c:"]);
});

test("random bytes and a file without end are survived", () => {
  let state = 12345;
  const next = (): number => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) >>> 16;
  const alphabet = "ab-=:, \n\x00\x1b\u20ac19start=needs=pci=class:";
  for (let round = 0; round < 300; round++) {
    const text = Array.from({ length: next() % 400 }, () => alphabet[next() % alphabet.length]).join("");
    for (const { name, problem } of parse(text)) if (problem === "") expect(name).toMatch(/^[a-z0-9][a-z0-9-]{0,14}$/);
  }
  expect(parse("x start=never\n".repeat(5000)).length).toBeLessThanOrEqual(64);
});

test.each<[string, Partial<Manifest> | { nonsense: number }]>([
  ["unknown field nonsense", { nonsense: 1 }],
  ["name:", { name: "Not A Name" }],
  ["start:", { start: "often" as "never" }],
  ["restart:", { restart: "maybe" as "never" }],
  ["memoryMiB:", { memoryMiB: 0 }],
  ["needs: nothing is called root", { needs: ["root"] }],
  ["needs: who calls b requires it too", { needs: ["call:b"] }],
  ["pci: a server that starts for a device", { pci: [] }],
  ["pci: each entry", { pci: [{ vendor: "1AF4", device: "1042" }] }],
  ["requires, after:", { after: ["no name"] }],
  ["failures, silent", { failures: 1.5 }],
  ["schedule:", { schedule: "fifo:91" }],
  ["schedule:", { schedule: "batch:2" }],
])("the build refuses a manifest: %s", (problem, change) => {
  expect(manifestProblem({ ...FULL, ...change } as Manifest)).toMatch(problem);
});

test("the build accepts every manifest of the tree's kinds", () => {
  expect(manifestProblem(FULL)).toBeUndefined();
});
