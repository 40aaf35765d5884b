/**
 * The FAT server with Node as the kernel: its port onto a disk in memory, and calls that are repeated when the server dies.
 *
 * What the server COMMITs is in `disk` at once, as in the kernel's buffer cache; tests of power cuts listen to `onCommit`.
 */
import { fileSystemPort } from "../../../support/file-system-port.gen.ts";
import { FileSystemStub, methodId, utf8, type Answer, type MethodName, type Reply, type Request } from "../../../support/protocol.ts";
import { loadServer, type Port, type Server } from "../../../support/server.ts";

/** One write of a COMMIT. */
export interface Write {
  offset: number;
  bytes: Uint8Array;
  stage: number;
}

export class Killed extends Error {}

const EINVAL = -22;
const EROFS = -30;
const EIO = -5;
const EUCLEAN = -117;
const WRITES_MOST = 256;
const COMMIT_MOST = 512 << 10;
const WRITE_BYTES = 24;
const WINDOW_BYTES = 65536;
const REPEATED = 1n;
export const MOUNT = 3;

export class FatMachine {
  server: Server;
  /** Calls of the server into the kernel since the last call into the server. */
  work = 0;
  /** It may make that many, or `work` throws: "bounded work". */
  workMost: number = Infinity;
  isReadOnly = false;
  /** Device reads of this byte range answer EIO. */
  broken: { from: number; to: number } | undefined;
  onCommit: (writes: Write[]) => void = () => undefined;
  /** Asked at each COMMIT ("before", "after") and before each reply: true kills the server there. */
  killAt: (point: "before" | "after" | "reply") => boolean = () => false;
  restarts = 0;
  logged: string[] = [];
  private window = 0;
  private isDead = false;
  private isDamaged = false;
  private options = "";

  private readonly port: Port = fileSystemPort.serve({
    read: ({ mount, offset, to, bytes }) => this.kernelCall(mount, () => this.read(offset, to, bytes)),
    commit: ({ mount, writes, count }) => this.kernelCall(mount, () => this.commit(writes, count)),
    deviceBytes: ({ mount }) => this.kernelCall(mount, () => ({ bytes: BigInt(this.disk.length) })),
  });

  constructor(public disk: Uint8Array) {
    this.server = this.start();
  }

  private start(): Server {
    const server = loadServer("fat32", { isUnmapped: true });
    this.window = server.exports["serverBuffer"](WINDOW_BYTES) as number;
    server.exports["portSet"](server.give(this.port));
    server.exports["windowSet"](this.window);
    this.isDead = false;
    return server;
  }

  readonly stub: FileSystemStub = new FileSystemStub(
    () => new DataView(this.server.memory.buffer, this.window, WINDOW_BYTES),
    (method, mount, flags) => {
      this.work = 0;
      const status = this.server.exports["answer"](method, mount, flags) as number;
      if (this.killAt("reply")) this.die();
      this.server.exports["__collect"](); // as the runtime's loop does
      return status;
    },
  );

  private die(): never {
    this.isDead = true;
    throw new Killed();
  }

  /** As the kernel makes a call: however many servers it takes. */
  call<M extends MethodName>(method: M, request: Request<M>): Answer<M> {
    let flags = 0n;
    if (method === "mount") this.isDamaged = false;
    while (true) {
      try {
        if (this.isDead) this.restart();
        return this.told(this.stub.call(method, MOUNT, request, flags));
      } catch (error) {
        if (!(error instanceof Killed)) throw error;
        flags = REPEATED;
      }
    }
  }

  /** A server that finds its volume damaged says so: read-only from now on, and EIO for the program. */
  private told<M extends MethodName>(answer: Answer<M>): Answer<M> {
    if (answer.status !== EUCLEAN) return answer;
    this.isDamaged = true;
    return { ...answer, status: EIO };
  }

  /** The reply of a call that must succeed. */
  must<M extends MethodName>(method: M, request: Request<M>): Reply<M> {
    const { status, reply } = this.call(method, request);
    if (status !== 0) throw new Error(`${method} answers ${status}`);
    return reply;
  }

  mount(options = ""): Answer<"mount"> {
    this.options = options;
    return this.call("mount", { readOnly: this.isReadOnly ? 1 : 0, options: utf8(options) });
  }

  unmount(): void {
    if (!this.isReadOnly) this.must("sync", { clean: 1 });
    this.must("unmount", {});
  }

  /** A successor takes over, as after a kill between calls. */
  restart(): void {
    this.server = this.start();
    this.restarts++;
    const { status } = this.stub.call("attach", MOUNT, { readOnly: this.isReadOnly || this.isDamaged ? 1 : 0, options: utf8(this.options) });
    if (status !== 0) throw new Error(`${methodId("attach")}: the successor answers ${status}`);
  }

  /** One call of the server into the kernel; `work` when it may have it. */
  private kernelCall<R>(mount: number, work: () => R): R | number {
    if (++this.work > this.workMost) throw new Error("the server works on and on");
    return mount === MOUNT ? work() : EINVAL;
  }

  private read(offset: bigint, to: bigint, bytes: bigint): number {
    const size = BigInt(this.disk.length);
    if (bytes > 1n << 20n || offset > size || bytes > size - offset) return EINVAL;
    const from = Number(offset);
    if (this.broken && from < this.broken.to && from + Number(bytes) > this.broken.from) return EIO;
    this.server.at(to, Number(bytes)).set(this.disk.subarray(from, from + Number(bytes)));
    return 0;
  }

  private commit(at: bigint, count: number): number {
    if (this.isReadOnly) return EROFS;
    if (count === 0 || count > WRITES_MOST) return EINVAL;
    const list = this.server.at(at, count * WRITE_BYTES);
    const view = new DataView(list.buffer, list.byteOffset, list.length);
    const writes: Write[] = [];
    let total = 0;
    for (let i = 0; i < count; i++) {
      const offset = Number(view.getBigUint64(i * WRITE_BYTES, true));
      const from = view.getBigUint64(i * WRITE_BYTES + 8, true);
      const bytes = view.getUint32(i * WRITE_BYTES + 16, true);
      total += bytes;
      if (bytes === 0 || total > COMMIT_MOST || offset + bytes > this.disk.length) return EINVAL;
      writes.push({ offset, bytes: this.server.at(from, bytes).slice(), stage: view.getUint32(i * WRITE_BYTES + 20, true) });
    }
    if (this.killAt("before")) this.die();
    for (const { offset, bytes } of writes) this.disk.set(bytes, offset);
    this.onCommit(writes);
    if (this.killAt("after")) this.die();
    return 0;
  }
}
