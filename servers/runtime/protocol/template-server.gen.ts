/**
 * Handlers of calls: 0 or a negated errno.
 *
 * Generated from kernel/abi/protocol/template.ts by toolchain/protocol; do not edit.
 */
import { TemplateMethod } from "../../../kernel/abi/template.gen";
import { Errno } from "../../../kernel/abi/errno";
import { Words, wordsClear } from "../loop";

/** The words of an answer, all 0 when the handler begins. */
@final @unmanaged
export class TemplateAddReply { badge: u64; sum: u64; }

/** The words of an answer, all 0 when the handler begins. */
@final @unmanaged
export class TemplateCountReply { badge: u64; sums: u64; }

export abstract class TemplateServer {
  /** a + b modulo 2^64. */
  abstract add(a: u64, b: u64, reply: TemplateAddReply): i32;
  /** How many sums so far. */
  abstract count(reply: TemplateCountReply): i32;

  /** Answers one call (serveCalls). */
  serve(label: i32, words: Words): i32 {
    switch (label) {
      case TemplateMethod.ADD: return this.add(words.w0, words.w1, changetype<TemplateAddReply>(wordsClear(words)));
      case TemplateMethod.COUNT: return this.count(changetype<TemplateCountReply>(wordsClear(words)));
      default: return -Errno.NOSYS;
    }
  }
}
