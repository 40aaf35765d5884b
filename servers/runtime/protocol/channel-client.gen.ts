/**
 * Calls: 0, or a negated errno of the server's or the call's own; EIO for an answer that is none. Then the reply's fields, up to the next call.
 *
 * Generated from kernel/abi/protocol/channel.ts by toolchain/protocol; do not edit.
 */
import { ChannelMethod } from "../../../kernel/abi/channel.gen";
import { CapRight } from "../../../kernel/abi/capability";
import { Errno } from "../../../kernel/abi/errno";
import { get32, get64, namePut, put32, put64 } from "../memory";
import { messageAsk, messageCap, messageClear, messageMintCap, messageNew, messageSendBytes } from "../message";

const REQUEST = memory.data(792, 8);
const REPLY = memory.data(24, 8);
const MESSAGE = messageNew(REPLY, 24);

/**
 * The caller is the guest from now on; who was it before is none any more, and its memory is looked at no longer. The
 * memory has a ring of work at 0 and one of answers at answersAt (servers/runtime/ring.ts), of entries of those sizes:
 * EINVAL when the host's are others. Either side signals the other's bits on its bell. What was not answered stands in the
 * new ring again, oldest first. Errors: INVAL NOMEM.
 */
export function channelAttach(endpoint: u32, workBytes: u32, answerBytes: u32, bits: u64, name: string, bell: u32): i32 {
  messageClear(MESSAGE);
  put32(REQUEST + 0, workBytes);
  put32(REQUEST + 4, answerBytes);
  put64(REQUEST + 8, bits);
  if (!namePut(REQUEST + 16, name, 768)) return -Errno.NAMETOOLONG;
  messageSendBytes(MESSAGE, REQUEST, 792);
  messageMintCap(MESSAGE, bell, CapRight.SIGNAL, 0);
  return messageAsk(MESSAGE, endpoint, ChannelMethod.ATTACH, 24, 2);
}
export function channelAttachGeneration(): u32 { return get32(REPLY + 0); }
export function channelAttachBytes(): u32 { return get32(REPLY + 4); }
export function channelAttachAnswersAt(): u32 { return get32(REPLY + 8); }
export function channelAttachBits(): u64 { return get64(REPLY + 16); }
/** A handle, the caller's to let go. */
export function channelAttachMemory(): u32 { return messageCap(MESSAGE, 0); }
/** A handle, the caller's to let go. */
export function channelAttachBell(): u32 { return messageCap(MESSAGE, 1); }

/**
 * 0: who attached as that generation is the guest still. ESTALE: there is a later one. The call itself fails when the host
 * is gone. Errors: STALE.
 */
export function channelCheck(endpoint: u32, generation: u32): i32 {
  messageClear(MESSAGE);
  put32(REQUEST + 0, generation);
  messageSendBytes(MESSAGE, REQUEST, 8);
  return messageAsk(MESSAGE, endpoint, ChannelMethod.CHECK, 0, 0);
}
