/**
 * What the supervisor has around it, played: processes that start and die when the test says so, a few files, a PCI bus.
 *
 * fork always returns in the parent; a child lives until `die`, and its command line is what came through its pipe.
 */
import { bits, loadServer, Notification, type Port, type Scenario, type Server, type Wake } from "../../../support/server.ts";

export interface Child {
  readonly pid: number;
  name: string;
  /** Handles and numbers by name. */
  arguments: Map<string, string>;
  /** Bits of its death, of its signs of life. */
  deathBits: bigint;
  notification: Notification | undefined;
  status: number | undefined;
  killed: number;
  /** How its thread is scheduled: policy, priority. */
  schedule: string;
  isSuspended: boolean;
}

/** What a TIME capability names. */
export class Time {}

/** The one thread of a child. */
class Thread {
  constructor(readonly child: Child) {}
}

export interface PciSlot {
  readonly address: number;
  readonly vendor: number;
  readonly device: number;
  readonly classCode: number;
}

const SUPERVISOR_PID = 17;
const TIMER = 1n << 60n;
const HEARTBEAT = 1n << 62n;
const NODEV = -19n;
const BUSY = -16n;
const NODATA = -61n;
const SRCH = -3n;
const FIFO = "/run/services.ctl";

export class World {
  readonly files: Map<string, string> = new Map();
  readonly children: Child[] = [];
  readonly log: string[] = [];
  /** Devices that somebody holds. */
  readonly busy: Set<number> = new Set();
  /** Forks that fail. */
  forksToFail = 0;
  /** What was installed in whom. */
  readonly installed: { child: Child; object: object | undefined; rights: number }[] = [];
  /** How the supervisor itself is scheduled: policy, priority. */
  ownSchedule = "";
  private readonly server: Server;
  private readonly descriptors = new Map<number, { path: string; text: string }>();
  private nextFd = 3;

  constructor(manifests: string, readonly pci: readonly PciSlot[] = []) {
    this.files.set("/lib/servers/manifests", manifests);
    this.server = loadServer("supervisor", { natives: { ...this.capabilityCalls(), ...this.linuxCalls() } });
  }

  get nowNs(): bigint { return this.server.nowNs; }

  /** Lets `ms` pass. */
  pass(ms: number): void { this.server.nowNs += BigInt(ms) * 1_000_000n; }

  /** Runs the supervisor beside `scenario`; what became of it. */
  run(scenario: () => Scenario): ReturnType<Server["run"]> { return this.server.run(scenario); }

  /** The living child of that name, the newest. */
  child(name: string): Child {
    const found = this.children.filter((child) => child.name === name && child.status === undefined).at(-1);
    if (!found) throw new Error(`${name} does not run; table:\n${this.table()}`);
    return found;
  }

  /** Bits with which the children's answers to what they were asked arrive. */
  answers(...names: string[]): Wake {
    return bits(names.reduce((sum, name) => sum | BigInt(`0x${this.child(name).arguments.get("heartbeatBits")}`), 0n));
  }

  /** The child ends with `status`: the bits that tell of it. */
  die(name: string, status = 9): Wake {
    const child = this.child(name);
    child.status = status;
    return bits(child.deathBits);
  }

  tick(): Wake { return bits(TIMER); }

  /** Whether the child was asked for a sign of life since the last look. */
  wasAsked(name: string): boolean {
    const notification = this.child(name).notification;
    const asked = ((notification?.signalled ?? 0n) & HEARTBEAT) !== 0n;
    if (notification) notification.signalled = 0n;
    return asked;
  }

  /** The object behind a handle on the child's command line. */
  endpointOf(name: string): object | undefined { return this.given(name, "endpoint"); }
  endpointCalledBy(name: string): object | undefined { return this.given(name, "call:a"); }
  private given(name: string, argument: string): object | undefined {
    return this.server.object(BigInt(`0x${this.child(name).arguments.get(argument)}`));
  }

  request(line: string): void { this.files.set(FIFO, `${this.files.get(FIFO) ?? ""}${line}\n`); }
  table(): string { return this.files.get("/run/services") ?? ""; }

  /** "state" or "state: last" of an instance. */
  state(instance: string): string {
    const row = this.table().split("\n").find((line) => line.startsWith(`${instance} `))?.split(" ") ?? [];
    return [row[1], row.slice(6).join(" ")].filter((text) => text !== "-").join(": ");
  }

  private text(va: bigint): string {
    let end = 0;
    while (this.server.at(va + BigInt(end), 1)[0] !== 0) end++;
    return new TextDecoder().decode(this.server.at(va, end));
  }

  private give(object: object): bigint { return BigInt(this.server.give(object)); }

  private capabilityCalls(): Record<string, (...args: bigint[]) => bigint> {
    const log: Port = { serviceCall: (_op, [va, size]) => (this.log.push(new TextDecoder().decode(this.server.at(va!, Number(size)))), 0n) };
    return {
      root_claim: () => this.give({}),
      service_open: () => this.give(log),
      time_open: () => this.give(new Time()),
      notification_create: () => this.give(new Notification()),
      endpoint_create: () => this.give({}),
      quota_create: () => this.give({}),
      pci_open: (_root, address) => (this.busy.has(Number(address)) ? BUSY : this.give({})),
      pci_list: (_root, index, out) => this.pciList(Number(index), out!),
      process_open: (pid) => this.give(this.children.find((child) => child.pid === Number(pid))!),
      process_watch: (process, _n, value) => {
        (this.server.object(process!) as Child).deathBits = value!;
        return 0n;
      },
      process_crash: () => NODATA,
      thread_next: (process, after) => {
        const { pid } = this.server.object(process!) as Child;
        return after! < BigInt(pid) ? BigInt(pid) : SRCH;
      },
      thread_open: (process) => this.give(new Thread(this.server.object(process!) as Child)),
      thread_suspend: (thread) => {
        (this.server.object(thread!) as Thread).child.isSuspended = true;
        return 0n;
      },
      thread_schedule: (thread, policy, priority) => {
        (this.server.object(thread!) as Thread).child.schedule = `${policy},${priority}`;
        return 0n;
      },
      thread_info: (thread, out) => this.threadInfo((this.server.object(thread!) as Thread).child, out!),
      cap_install: (process, source, rights) => {
        const child = this.server.object(process!) as Child;
        const object = this.server.object(source!);
        this.installed.push({ child, object, rights: Number(rights) });
        if (object instanceof Notification && child.deathBits === 0n && child.notification === undefined) child.notification = object;
        return this.give(object ?? {});
      },
    };
  }

  /** It waits in call 0x1022; its registers are told once it is suspended. */
  private threadInfo(child: Child, out: bigint): bigint {
    const bytes = this.server.at(out, 200).fill(0);
    const view = new DataView(bytes.buffer, bytes.byteOffset, 200);
    view.setUint32(4, 2, true);
    view.setUint32(12, 0x1022, true);
    view.setUint32(52, child.isSuspended ? 2 : 0, true);
    view.setBigUint64(72, 0x1000n, true);
    view.setBigUint64(80, 0x2004n, true);
    return 0n;
  }

  private pciList(index: number, out: bigint): bigint {
    const slot = this.pci[index];
    if (!slot) return NODEV;
    const bytes = this.server.at(out, 48);
    const view = new DataView(bytes.buffer, bytes.byteOffset, 48);
    view.setUint32(0, slot.address, true);
    view.setUint16(4, slot.vendor, true);
    view.setUint16(6, slot.device, true);
    view.setUint32(12, slot.classCode, true);
    return 0n;
  }

  private linuxCalls(): Record<string, (...args: bigint[]) => bigint> {
    return {
      "call 0": (fd, va, size) => this.read(Number(fd), va!, Number(size)),
      "call 1": (fd, va, size) => this.write(Number(fd), va!, Number(size)),
      "call 2": (path, flags) => this.open(this.text(path!), Number(flags)),
      "call 3": () => 0n,
      "call 39": () => BigInt(SUPERVISOR_PID),
      "call 57": () => this.fork(),
      "call 61": (pid, status) => this.wait(Number(pid), status!),
      "call 62": (pid) => this.kill(Number(pid)),
      "call 82": (from, to) => this.rename(this.text(from!), this.text(to!)),
      "call 87": () => 0n,
      "call 133": () => 0n,
      "call 144": (_pid, policy, param) => {
        this.ownSchedule = `${policy},${this.server.at(param!, 1)[0]}`;
        return 0n;
      },
      "call 293": (va) => this.pipe(va!),
    };
  }

  private open(path: string, flags: number): bigint {
    const isNew = (flags & 0x40) !== 0;
    if (!isNew && path !== FIFO && !this.files.has(path)) return -2n;
    this.descriptors.set(this.nextFd, { path, text: isNew ? "" : (this.files.get(path) ?? "") });
    if (isNew) this.files.set(path, "");
    return BigInt(this.nextFd++);
  }

  private read(fd: number, va: bigint, size: number): bigint {
    const file = this.descriptors.get(fd)!;
    if (file.path === FIFO) file.text = this.files.get(FIFO) ?? "";
    const bytes = new TextEncoder().encode(file.text).subarray(0, size);
    if (file.path === FIFO && bytes.length === 0) return -11n;
    this.server.at(va, bytes.length).set(bytes);
    file.text = file.text.slice(bytes.length);
    if (file.path === FIFO) this.files.set(FIFO, file.text);
    return BigInt(bytes.length);
  }

  private write(fd: number, va: bigint, size: number): bigint {
    const text = new TextDecoder().decode(this.server.at(va, size));
    const file = this.descriptors.get(fd);
    if (file) {
      this.files.set(file.path, (this.files.get(file.path) ?? "") + text);
    } else {
      const words = text.replace(/\0$/, "").split(" ");
      const child = this.children.at(-1)!;
      child.name = words[0]!;
      child.arguments = new Map(words.slice(1).map((word) => word.split("=") as [string, string]));
    }
    return BigInt(size);
  }

  private fork(): bigint {
    if (this.forksToFail > 0) {
      this.forksToFail--;
      return -11n;
    }
    const pid = 100 + this.children.length;
    this.children.push({ pid, name: "", arguments: new Map(), deathBits: 0n, notification: undefined, status: undefined, killed: 0, schedule: "", isSuspended: false });
    return BigInt(pid);
  }

  private wait(pid: number, va: bigint): bigint {
    const child = this.children.find((it) => it.pid === pid)!;
    child.status ??= child.name === "" ? 126 << 8 : undefined; // nothing came through its pipe
    if (child.status === undefined) return 0n;
    const bytes = this.server.at(va, 4);
    new DataView(bytes.buffer, bytes.byteOffset, 4).setUint32(0, child.status, true);
    return BigInt(pid);
  }

  private kill(pid: number): bigint {
    this.children.find((child) => child.pid === pid)!.killed++;
    return 0n;
  }

  private rename(from: string, to: string): bigint {
    this.files.set(to, this.files.get(from) ?? "");
    this.files.delete(from);
    return 0n;
  }

  private pipe(va: bigint): bigint {
    const bytes = this.server.at(va, 8);
    const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
    view.setInt32(0, 1000, true);
    view.setInt32(4, 1001, true);
    return 0n;
  }
}
