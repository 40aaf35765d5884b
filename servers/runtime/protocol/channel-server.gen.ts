/**
 * Handlers of calls: 0 or a negated errno.
 *
 * Generated from kernel/abi/protocol/channel.ts by toolchain/protocol; do not edit.
 */
import { ChannelMethod } from "../../../kernel/abi/channel.gen";
import { CapRight, IpcMessage } from "../../../kernel/abi/capability";
import { Errno } from "../../../kernel/abi/errno";
import { get32, get64, nameGet, put32, put64 } from "../memory";
import { messageAnswer, messageCap, messageIs, messageMintCap, messageNew, messageRefuse } from "../message";

const REQUEST = memory.data(792, 8);
const REPLY = memory.data(24, 8);

export class ChannelAttachReply { generation: u32 = 0; bytes: u32 = 0; answersAt: u32 = 0; bits: u64 = 0; memory: u32 = 0; bell: u32 = 0; }

export abstract class ChannelServer {
  readonly message: IpcMessage = messageNew(REQUEST, 792);

  /**
   * The caller is the guest from now on; who was it before is none any more, and its memory is looked at no longer. The
   * memory has a ring of work at 0 and one of answers at answersAt (servers/runtime/ring.ts), of entries of those sizes:
   * EINVAL when the host's are others. Either side signals the other's bits on its bell. What was not answered stands in the
   * new ring again, oldest first. Errors: INVAL NOMEM.
   */
  abstract attach(workBytes: u32, answerBytes: u32, bits: u64, name: string, bell: u32, reply: ChannelAttachReply): i32;
  /**
   * 0: who attached as that generation is the guest still. ESTALE: there is a later one. The call itself fails when the host
   * is gone. Errors: STALE.
   */
  abstract check(generation: u32): i32;

  /** Answers one call (serveMessages). Capabilities that came are the handler's when it answers 0, else let go. */
  serve(label: i32): i32 {
    switch (label) {
      case ChannelMethod.ATTACH: return this.attachTake();
      case ChannelMethod.CHECK: return this.checkTake();
      default: return messageRefuse(this.message, -Errno.NOSYS);
    }
  }

  private attachTake(): i32 {
    if (!messageIs(this.message, 792, 1) || get32(REQUEST + 16) > 768) return messageRefuse(this.message, -Errno.INVAL);
    const reply = new ChannelAttachReply();
    const status = this.attach(get32(REQUEST + 0), get32(REQUEST + 4), get64(REQUEST + 8), nameGet(REQUEST + 16, 768), messageCap(this.message, 0), reply);
    if (status != 0) return messageRefuse(this.message, status);
    put32(REPLY + 0, reply.generation);
    put32(REPLY + 4, reply.bytes);
    put32(REPLY + 8, reply.answersAt);
    put64(REPLY + 16, reply.bits);
    messageAnswer(this.message, REPLY, 24);
    messageMintCap(this.message, reply.memory, CapRight.READ | CapRight.WRITE, 0);
    messageMintCap(this.message, reply.bell, CapRight.SIGNAL, 0);
    return 0;
  }

  private checkTake(): i32 {
    if (!messageIs(this.message, 8, 0)) return messageRefuse(this.message, -Errno.INVAL);
    const status = this.check(get32(REQUEST + 0));
    if (status != 0) return messageRefuse(this.message, status);
    messageAnswer(this.message, REPLY, 0);
    return 0;
  }
}
