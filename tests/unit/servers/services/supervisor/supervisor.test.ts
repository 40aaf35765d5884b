/** The supervisor as a whole, in a played world: what it starts when, whom it kills, what it shows and obeys. */
import { bits } from "../../../support/server.ts";
import { Time, World } from "./world.ts";

const NEEDS = "needs=notification,log,heartbeat";
const DISK = { address: 0x10, vendor: 0x1af4, device: 0x1042, classCode: 0x10000 };
const DISK2 = { ...DISK, address: 0x18 };
const NVME = { address: 0x20, vendor: 0x1b36, device: 0x0010, classCode: 0x10802 };

test("one instance for each device that matches, by id or by class", () => {
  const world = new World(`blk start=device pci=1af4:1042,1af4:1001 needs=pci\nnvme start=device pci=class:010802 needs=pci\n`, [DISK, NVME, DISK2]);
  world.run(function* () {
    expect(world.table()).toBe("SERVICE STATE PID RESTARTS STARTED DEVICE LAST\n" +
      "blk.0 running 100 0 1 00:02.0 -\nblk.1 running 101 0 1 00:03.0 -\nnvme.0 running 102 0 1 00:04.0 -\n");
    expect(world.children.map((child) => child.arguments.get("instance"))).toEqual(["0", "1", "0"]);
    world.pass(500);
    yield world.die("nvme");
    expect(world.state("nvme.0")).toBe("running: killed by signal 9");
  });
});

test("a server that is asked and answers is ready; who requires it starts then, who comes after it too", () => {
  const world = new World(`c start=always after=a needs=log\nb start=always requires=a needs=log\na start=always ${NEEDS}\n`);
  world.run(function* () {
    expect([world.state("a.0"), world.state("b.0"), world.state("c.0")]).toEqual(["starting", "blocked: waits for a", "blocked: waits for a"]);
    expect(world.wasAsked("a")).toBe(true);
    yield world.answers("a");
    expect([world.state("a.0"), world.state("b.0"), world.state("c.0")]).toEqual(["running", "running", "running"]);
  });
});

test("who requires a dead server waits for its successor; who only comes after it does not", () => {
  const world = new World(`a start=always ${NEEDS}\nb start=always requires=a needs=log\nc start=always after=a needs=log\n`);
  world.run(function* () {
    yield world.answers("a");
    world.pass(500);
    yield world.die("a"); // its life was useful: it starts at once
    expect(world.state("a.0")).toBe("starting: killed by signal 9");
    yield world.die("b");
    yield world.die("c");
    expect([world.state("b.0"), world.state("c.0")]).toEqual(["blocked: waits for a", "running: killed by signal 9"]);
    yield world.answers("a");
    expect(world.state("b.0")).toBe("running: killed by signal 9");
  });
});

test("a server that never answers is killed and shown as hung; one that answers now and then is not", () => {
  const world = new World(`a start=always silent=4 ${NEEDS}\nb start=always silent=4 ${NEEDS}\n`);
  world.run(function* () {
    yield world.answers("a", "b");
    for (let tick = 0; tick < 4; tick++) yield world.tick();
    yield world.answers("b");
    expect([world.child("a").killed, world.child("b").killed]).toEqual([0, 0]);
    yield world.tick();
    expect([world.child("a").killed, world.child("b").killed]).toEqual([1, 0]);
    expect(world.log).toContain("a (pid 100) hangs");
    yield world.die("a");
    expect(world.state("a.0")).toMatch(/: hung$/);
  });
});

test("where a hanging server stood is told once the next one runs", () => {
  const world = new World(`a start=always silent=1 ${NEEDS}\n`);
  world.files.set("/lib/servers/a.symbols", "f00 servers/a/main.ts:poll\n2000 servers/a/main.ts:turn\n3000 servers/a/main.ts:serverMain\n");
  world.run(function* () {
    yield world.answers("a");
    yield world.tick();
    yield world.tick();
    expect([world.child("a").isSuspended, world.child("a").killed]).toEqual([true, 1]);
    world.pass(500);
    yield world.die("a");
    expect(world.child("a").pid).toBe(101);
    expect(world.log.slice(-4)).toEqual([
      "a (pid 100) hangs", "a (pid 100) hung", "a was in servers/a/main.ts:poll, waiting in call 0x1022", "a called by turn",
    ]);
  });
});

test("a new supervisor waits for the servers of the one before, but not for ever", () => {
  const table = "SERVICE STATE PID RESTARTS STARTED DEVICE LAST\na.0 running 55 0 1 - -\nb.0 running 56 0 1 - -\n";
  const world = new World("a start=always needs=log\n");
  world.files.set("/run/services", table);
  world.files.set("/proc/55/stat", "55 (a) R 1");
  world.files.set("/proc/56/stat", "56 (b) Z 1");
  world.run(function* () {
    yield bits(0n);
    expect(world.children).toHaveLength(0);
    world.files.delete("/proc/55/stat");
    yield bits(0n);
    expect(world.state("a.0")).toBe("running");
  });
  const stubborn = new World("a start=always needs=log\n");
  stubborn.files.set("/run/services", table);
  stubborn.files.set("/proc/55/stat", "55 (other) R 1");
  stubborn.run(function* () {
    yield bits(0n);
    expect(stubborn.children).toHaveLength(0);
    stubborn.pass(1000);
    yield bits(0n);
    expect(stubborn.state("a.0")).toBe("running");
  });
});

test("clocks are for those whose manifest needs them, to set for fewer", () => {
  const world = new World("a start=always needs=time\nb start=always needs=clock\nc start=always needs=log\n");
  world.run(function* () {
    expect(world.installed.filter(({ object }) => object instanceof Time).map(({ child, rights }) => [child.name, rights])).toEqual([["a", 1], ["b", 3]]);
  });
});

test("each server is scheduled as its manifest says; above real-time ones stands the supervisor", () => {
  const world = new World("a start=always needs=log\nb start=always schedule=fifo:20 needs=log\nc start=always schedule=idle needs=log\n");
  world.run(function* () {
    expect(world.children.map(({ schedule }) => schedule)).toEqual(["0,0", "1,20", "5,0"]);
    expect(world.ownSchedule).toBe("1,91");
  });
  const other = new World("a start=always schedule=batch needs=log\n");
  other.run(function* () {
    expect(other.ownSchedule).toBe("");
  });
});

test("a machine that stood still for an hour wakes with every server alive", () => {
  const world = new World(`a start=always ${NEEDS}\n`);
  world.run(function* () {
    yield world.answers("a");
    yield world.tick();
    world.pass(3_600_000);
    yield world.tick();
    expect(world.child("a").killed).toBe(0);
  });
});

test("a server that dies soon is started later and later, then given up; root can start it again", () => {
  const world = new World(`a start=always failures=3 needs=log\n`);
  world.run(function* () {
    yield world.die("a", 139);
    expect(world.state("a.0")).toBe("waiting: killed by signal 11");
    world.pass(1);
    yield world.tick();
    expect(world.children).toHaveLength(1);
    world.pass(10);
    yield world.tick();
    yield world.die("a", 139);
    world.pass(100);
    yield world.tick();
    yield world.die("a", 3 << 8);
    expect(world.state("a.0")).toBe("given-up: exited with 3");
    expect(world.log.at(-1)).toBe("a is given up: exited with 3");
    world.pass(100_000);
    yield world.tick();
    expect(world.children).toHaveLength(3);
    world.request("7 start a");
    yield world.tick();
    expect(world.state("a.0")).toMatch(/^running/);
    expect(world.files.get("/run/services.answers")).toBe("7 ok\n");
  });
});

test("a missing or damaged program is given up at once", () => {
  const world = new World(`a start=always needs=log\n`);
  world.run(function* () {
    yield world.die("a", 127 << 8);
    expect(world.state("a.0")).toBe("given-up: its program is missing or damaged");
  });
});

test("a server that ends by itself: as its manifest says", () => {
  const world = new World("a start=always needs=log\nb start=always restart=on-failure needs=log\nc start=always restart=never needs=log\n");
  world.run(function* () {
    world.pass(1000);
    yield world.die("a", 0);
    yield world.die("b", 0);
    yield world.die("c", 9);
    expect(["a.0", "b.0", "c.0"].map((name) => world.state(name))).toEqual([
      "running: exited with 0", "finished: exited with 0", "finished: killed by signal 9",
    ]);
  });
});

test("root stops, starts and restarts, one or all of a kind; nonsense is answered", () => {
  const world = new World("blk start=device pci=1af4:1042 needs=pci\n", [DISK, DISK2]);
  world.run(function* () {
    world.request("1 stop blk.1");
    yield world.tick();
    expect(world.children.map((child) => child.killed)).toEqual([0, 1]);
    world.children[1]!.status = 9;
    yield world.die("blk"); // the other one, which nobody asked to stop
    yield { bits: world.children[1]!.deathBits };
    expect(world.state("blk.1")).toBe("stopped: stopped on request");
    world.request("2 restart blk");
    yield world.tick();
    expect(world.state("blk.1")).toBe("running: stopped on request");
    world.request("3 stop nobody\n4 explode blk\nrubbish\n5 stop blk");
    yield world.tick();
    expect(world.files.get("/run/services.answers")).toBe(
      "1 ok\n2 ok\n3 there is no server of that name\n4 this is not a request\n5 ok\n");
  });
});

test("a device that somebody still holds: not started without it, tried again", () => {
  const world = new World("blk start=device pci=1af4:1042 needs=pci,log\n", [DISK]);
  world.busy.add(DISK.address);
  world.run(function* () {
    expect(world.state("blk.0")).toBe("waiting: no pci: errno 16");
    expect(world.children.every((child) => child.name === "" && child.status === 126 << 8)).toBe(true);
    world.busy.clear();
    world.pass(20);
    yield world.tick();
    expect(world.state("blk.0")).toMatch(/^running/);
  });
});

test("no memory for a process is a failure like any other", () => {
  const world = new World("a start=always needs=log\n");
  world.forksToFail = 1;
  world.run(function* () {
    expect(world.state("a.0")).toBe("waiting: no process: errno 11");
    world.pass(20);
    yield world.tick();
    expect(world.state("a.0")).toMatch(/^running/);
  });
});

test("refused manifests stand in the table with the reason", () => {
  const world = new World("a start=sometimes\nb start=always requires=ghost\nc start=always after=c\nd start=always needs=magic\ne start=always\n");
  world.run(function* () {
    expect(["a.0", "b.0", "c.0", "d.0", "e.0"].map((name) => world.state(name))).toEqual([
      "refused: it says start=sometimes", "refused: it requires ghost, which there is not", "refused: it waits in a circle for itself",
      "waiting: no magic: errno 22", "running",
    ]);
    expect(world.log).toContain("manifest of a refused: it says start=sometimes");
    world.request("1 start a");
    yield world.tick();
    expect(world.state("a.0")).toMatch(/^refused/);
  });
});

test("more devices than it can keep are named in the log", () => {
  const world = new World("blk start=device pci=1af4:1042 needs=log\n", Array.from({ length: 30 }, (_, i) => ({ ...DISK, address: i << 3 })));
  world.run(function* () {
    yield world.tick();
    expect(world.children).toHaveLength(24);
    expect(world.log.filter((line) => line.startsWith("too many servers"))).toHaveLength(6);
    yield world.die("blk");
    expect(world.state("blk.23")).toMatch(/^waiting|^running/);
  });
});

test("who may call another server gets that one's endpoint, and after a death its successor's", () => {
  const world = new World("a start=always needs=endpoint,log\nb start=always requires=a needs=call:a,log\n");
  world.run(function* () {
    const first = world.endpointCalledBy("b");
    expect(first).toBe(world.endpointOf("a"));
    world.pass(500);
    yield world.die("a");
    yield world.die("b");
    expect(world.endpointCalledBy("b")).toBe(world.endpointOf("a"));
    expect(world.endpointCalledBy("b")).not.toBe(first);
  });
});
