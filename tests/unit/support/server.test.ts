/** Servers in V8, with the template as the example: what the servers' own unit tests stand on. */
import { bits, call, loadServer, Notification, type Answer } from "./server.ts";

const HEARTBEAT = 1n << 62n;

test("a server takes turns with its scenario, and is stopped where that ends", () => {
  const heartbeat = new Notification();
  const capabilities = { endpoint: {}, notification: new Notification(), heartbeat };
  const server = loadServer("template", { capabilities, numbers: { heartbeatBits: 0x20n } });
  let answer: Answer | undefined;
  const outcome = server.run(function* () {
    expect(server.log).toEqual(["ready"]);
    answer = yield call(1, [40n, 2n]);
    expect(heartbeat.signalled).toBe(0n);
    yield bits(HEARTBEAT);
  });
  expect(outcome).toEqual({ kind: "stopped" });
  expect(answer?.label).toBe(0);
  expect(answer?.words[0]).toBe(42n);
  expect(heartbeat.signalled).toBe(0x20n);
});

test("a server's heap ends where its manifest says", () => {
  const server = loadServer("template");
  expect(server.exports["serverBuffer"](1 << 20)).toBeGreaterThan(0);
  expect(() => server.exports["serverBuffer"](2 << 20)).toThrow(WebAssembly.RuntimeError);
});

test("an address that did not come from linearVa is found", () => {
  expect(() => loadServer("template").at(0x20000n, 8)).toThrow("wild address");
});
