/** The template in V8, asked by what is generated for its protocol: what a copy of it begins with. */
import { bits, call, loadServer, Notification, type Answer } from "../../support/server.ts";
import { template } from "../../support/template.gen.ts";

const UNKNOWN = 77;
const HEARTBEAT = 1n << 62n;
const ENOSYS = -38;

test("sums, counts, refuses what it does not know, and shows that it lives", () => {
  const heartbeat = new Notification();
  const server = loadServer("template", { capabilities: { endpoint: {}, notification: new Notification(), heartbeat }, numbers: { heartbeatBits: 4n } });
  const answers: (Answer | undefined)[] = [];
  const outcome = server.run(function* () {
    answers.push(yield template.call("add", { a: 40n, b: 2n }));
    answers.push(yield template.call("add", { a: 0xffffffffffffffffn, b: 2n }));
    answers.push(yield template.call("count", {}));
    answers.push(yield call(UNKNOWN));
    yield bits(HEARTBEAT);
    expect(heartbeat.signalled).toBe(4n);
    yield bits(1n);
  });
  expect(outcome).toEqual({ kind: "stopped" });
  expect(answers.slice(0, 2).map((answer) => template.answer("add", answer))).toEqual([{ status: 0, reply: { sum: 42n } }, { status: 0, reply: { sum: 1n } }]);
  expect(template.answer("count", answers[2])).toEqual({ status: 0, reply: { sums: 2n } });
  expect(answers[3]?.label).toBe(ENOSYS);
  expect(server.log).toEqual(["ready", "bits came that nobody asked for"]);
});
