/**
 * QEMU's machine protocol over a Unix socket: one JSON object a line, answers in the order of the commands.
 *
 * Spec: QEMU Machine Protocol Specification, docs/interop/qmp-spec.
 */

import { connect, type Socket } from "node:net";

interface Answer {
  readonly return?: unknown;
  readonly error?: { readonly desc: string };
  readonly event?: string;
}

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: Error) => void;
}

const CONNECT_TRIES = 100;
const CONNECT_PAUSE_MS = 50;

export class QmpClient {
  private readonly pending: Pending[] = [];
  private partial = "";

  private constructor(private readonly socket: Socket) {
    socket.setEncoding("utf8");
    socket.on("data", (chunk: string) => this.receive(chunk));
    socket.on("error", () => this.abandon("the connection broke"));
    socket.on("close", () => this.abandon("the machine closed the connection"));
  }

  /** Connects as soon as QEMU listens at `path`. */
  static async open(path: string): Promise<QmpClient> {
    const client = new QmpClient(await connectPatiently(path));
    await client.execute("qmp_capabilities");
    return client;
  }

  execute(command: string, args: object = {}): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.pending.push({ resolve, reject });
      this.socket.write(`${JSON.stringify({ execute: command, arguments: args })}\n`);
    });
  }

  close(): void {
    this.socket.destroy();
  }

  private receive(chunk: string): void {
    const lines = (this.partial + chunk).split("\n");
    this.partial = lines.pop() ?? "";
    for (const line of lines) this.answer(JSON.parse(line) as Answer);
  }

  private answer(message: Answer): void {
    if (message.error) this.pending.shift()?.reject(new Error(`qmp: ${message.error.desc}`));
    else if ("return" in message) this.pending.shift()?.resolve(message.return);
    // anything else is the greeting or an event
  }

  private abandon(why: string): void {
    for (const { reject } of this.pending.splice(0)) reject(new Error(`qmp: ${why}`));
  }
}

async function connectPatiently(path: string): Promise<Socket> {
  for (let tries = 1; ; tries++) {
    try {
      return await connectOnce(path);
    } catch (error) {
      if (tries === CONNECT_TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, CONNECT_PAUSE_MS));
    }
  }
}

function connectOnce(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once("connect", () => resolve(socket));
    socket.once("error", reject);
  });
}
