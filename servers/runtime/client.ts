/**
 * Calling another server: a label and four words there, a label and four words back. What is generated for a protocol (protocol/) calls by this.
 *
 * The endpoint comes from the manifest, as need "call:NAME". When that server dies the call answers -EPIPE, and its successor has another
 * endpoint: a client that cannot do without ends, and is started again with the new one (`requires`).
 */
import { Errno } from "../../kernel/abi/errno";
import { Words } from "./loop";
import { ipcCall } from "./native-calls";

const WORDS = changetype<Words>(memory.data(40, 8));

/** The label of the answer, or a negated errno; its words are in callWords(). */
export function callServer(endpoint: u32, label: i32, w0: u64, w1: u64, w2: u64, w3: u64): i64 {
  WORDS.w0 = w0;
  WORDS.w1 = w1;
  WORDS.w2 = w2;
  WORDS.w3 = w3;
  return ipcCall(endpoint, label, changetype<usize>(WORDS));
}

/** The words of the last answer. */
export function callWords(): Words { return WORDS; }

const ERRNO_MOST: i64 = 4095;

/** The label of an answer as a protocol has it: 0 or a negated errno; EIO for what is neither. */
export function statusOf(label: i64): i32 { return label <= 0 && label >= -ERRNO_MOST ? <i32>label : -Errno.IO; }

/** The status of an answer whose `word` must have no more than 32 bits. */
export function narrowed(status: i32, word: u64): i32 { return status == 0 && word > u32.MAX_VALUE ? -Errno.IO : status; }
