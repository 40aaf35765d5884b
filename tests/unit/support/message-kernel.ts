/**
 * The kernel under modules that send messages (loadManaged): IpcMessages in and out, handles, memory and bells. All memory objects are mapped at
 * once in the one linear memory, so of two at one place the later is seen; what was there is gone.
 */
import { NATIVE_CALLS } from "../../../kernel/abi/native.ts";
import type { Message } from "./protocol-stubs.ts";
import { structLayout } from "./struct-layout.ts";

const MESSAGE = structLayout("kernel/abi/capability.ts", "IpcMessage");
const CAP_BYTES = 4;
const EBADF = -9n;
const NAMES: ReadonlyMap<number, string> = new Map(NATIVE_CALLS.map(({ nr, name }) => [nr, name]));

export interface MemoryObject {
  readonly bytes: number;
  isRevoked: boolean;
}

export class MessageKernel {
  /** What was let go, by cap_drop. */
  readonly dropped: object[] = [];
  private readonly objects = new Map<number, object>();
  private readonly made: MemoryObject[] = [];
  private memory: WebAssembly.Memory | undefined;
  private carry: (endpoint: number, message: Message) => Message = () => { throw new Error("nobody is called"); };

  /** What loadManaged needs. */
  imports(): WebAssembly.ModuleImports {
    return {
      linear_va: (ptr: number) => BigInt(ptr >>> 0),
      server_call: (nr: number, ...args: bigint[]) => this.native(NAMES.get(nr) ?? "", args),
    };
  }

  /** `carry`: where calls go. */
  open(memory: WebAssembly.Memory, carry: (endpoint: number, message: Message) => Message): void {
    this.memory = memory;
    this.carry = carry;
  }

  next(): number { return 0x20000 + this.objects.size; }
  give(handle: number, object: object): number {
    this.objects.set(handle, object);
    return handle;
  }
  object(handle: number): object | undefined { return this.objects.get(handle); }
  memories(): readonly MemoryObject[] { return this.made; }

  /** What the IpcMessage at `at` sends, with this label. */
  sent(at: number, label: number): Message {
    const view = this.view();
    const from = Number(view.getBigUint64(at + MESSAGE.sendVa!, true));
    const caps = Array.from({ length: view.getUint32(at + MESSAGE.sendCaps!, true) }, (_, i) => this.object(view.getUint32(at + MESSAGE.cap0! + i * CAP_BYTES, true))!);
    return { label, bytes: new Uint8Array(view.buffer, from, view.getUint32(at + MESSAGE.sendBytes!, true)).slice(), caps };
  }

  /** Puts what arrives into the IpcMessage at `at`. */
  deliver(at: number, { bytes, caps }: Message): void {
    const view = this.view();
    if (bytes.length > view.getUint32(at + MESSAGE.receiveMax!, true)) throw new Error("there is no room for that");
    new Uint8Array(view.buffer).set(bytes, Number(view.getBigUint64(at + MESSAGE.receiveVa!, true)));
    view.setUint32(at + MESSAGE.receiveBytes!, bytes.length, true);
    view.setUint32(at + MESSAGE.receiveCaps!, caps.length, true);
    caps.forEach((object, i) => view.setUint32(at + MESSAGE.cap0! + i * CAP_BYTES, this.give(this.next(), object), true));
  }

  private view(): DataView { return new DataView(this.memory!.buffer); }

  private native(name: string, [first = 0n, second = 0n, third = 0n, fourth = 0n]: bigint[]): bigint {
    const object = this.object(Number(first));
    switch (name) {
      case "ipc_call_extra": {
        const at = Number(second);
        const answer = this.carry(Number(first), this.sent(at, this.view().getInt32(at + MESSAGE.label!, true)));
        this.deliver(at, answer);
        return BigInt(answer.label);
      }
      case "memory_create": {
        this.made.push({ bytes: Number(second), isRevoked: false });
        return object ? BigInt(this.give(this.next(), this.made.at(-1)!)) : EBADF;
      }
      case "memory_map": return this.map(object, Number(second), Number(fourth), third);
      case "cap_revoke": (object as MemoryObject).isRevoked = true; return 0n;
      case "cap_drop": if (object && !this.made.includes(object as MemoryObject)) this.dropped.push(object); return object ? 0n : EBADF;
      case "notification_signal": (object as { rung: bigint }).rung |= second; return 0n;
      default: throw new Error(`nobody answers ${name}`);
    }
  }

  /** Fresh memory is zero; a second mapping of the same finds what is there. */
  private readonly mapped = new Set<object>();
  private map(object: object | undefined, at: number, bytes: number, offset: bigint): bigint {
    if (!object || offset !== 0n) return EBADF;
    if (!this.mapped.has(object)) new Uint8Array(this.view().buffer, at, bytes).fill(0);
    this.mapped.add(object);
    return 0n;
  }
}
