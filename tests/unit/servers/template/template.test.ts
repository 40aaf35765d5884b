/** The template in V8: what a copy of it begins with. */
import { bits, call, loadServer, Notification, type Answer } from "../../support/server.ts";

const [ADD, COUNT, UNKNOWN] = [1, 2, 77];
const HEARTBEAT = 1n << 62n;
const ENOSYS = -38;

test("sums, counts, refuses what it does not know, and shows that it lives", () => {
  const heartbeat = new Notification();
  const server = loadServer("template", { capabilities: { endpoint: {}, notification: new Notification(), heartbeat }, numbers: { heartbeatBits: 4n } });
  const answers: (Answer | undefined)[] = [];
  const outcome = server.run(function* () {
    answers.push(yield call(ADD, [40n, 2n]));
    answers.push(yield call(ADD, [0xffffffffffffffffn, 2n]));
    answers.push(yield call(COUNT));
    answers.push(yield call(UNKNOWN));
    yield bits(HEARTBEAT);
    expect(heartbeat.signalled).toBe(4n);
    yield bits(1n);
  });
  expect(outcome).toEqual({ kind: "stopped" });
  expect(answers.map((answer) => answer?.label)).toEqual([0, 0, 0, ENOSYS]);
  expect(answers.slice(0, 3).map((answer) => answer?.words[0])).toEqual([42n, 1n, 2n]);
  expect(server.log).toEqual(["ready", "bits came that nobody asked for"]);
});
