/**
 * The serial console seen as text: everything that was received, and a cursor that expectations move forward.
 *
 * Invariants  S1  a match consumes the text up to its end: the next expectation starts after it.
 *             S2  every wait ends: by a match, by its time limit, or because the machine ended.
 */

import type { Readable, Writable } from "node:stream";

interface Waiter {
  readonly pattern: RegExp;
  readonly resolve: (match: RegExpExecArray) => void;
  readonly reject: (reason: Error) => void;
  readonly timer: NodeJS.Timeout;
}

export class SerialConsole {
  private text = "";
  private cursor = 0;
  private waiter: Waiter | null = null;
  private endedBecause: string | null = null;
  /** Told everything received, when the machine has ended. */
  onEnd: ((log: string) => void) | undefined;

  constructor(output: Readable, private readonly input: Writable) {
    output.setEncoding("latin1");
    output.on("data", (chunk: string) => {
      this.text += chunk;
      this.tryMatch();
    });
    input.on("error", () => undefined); // the machine went away: its exit is reported elsewhere
  }

  /** Everything received so far. */
  get log(): string {
    return this.text;
  }

  /** What no expectation has consumed yet. */
  get pending(): string {
    return this.text.slice(this.cursor);
  }

  /** Waits for `pattern` in the text not consumed yet (S1). */
  waitFor(pattern: RegExp, timeoutMs: number): Promise<RegExpExecArray> {
    if (this.waiter) throw new Error("serial: two waits at the same time");
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.fail(`no ${String(pattern)} within ${timeoutMs} ms`);
      }, timeoutMs);
      this.waiter = { pattern, resolve, reject, timer };
      this.tryMatch();
      if (this.waiter && this.endedBecause) this.fail(this.endedBecause);
    });
  }

  /** Sends `keys` as they are: a line ends with "\r". */
  type(keys: string): void {
    this.input.write(Buffer.from(keys, "utf8"));
  }

  /** The machine ended: no wait can succeed any more (S2). */
  end(reason: string): void {
    this.endedBecause = reason;
    this.onEnd?.(this.text);
    this.tryMatch();
    if (this.waiter) this.fail(reason);
  }

  private tryMatch(): void {
    const waiter = this.waiter;
    if (!waiter) return;
    const match = waiter.pattern.exec(this.pending);
    if (!match) return;
    this.cursor += match.index + match[0].length;
    clearTimeout(waiter.timer);
    this.waiter = null;
    waiter.resolve(match);
  }

  private fail(why: string): void {
    const waiter = this.waiter;
    if (!waiter) return;
    clearTimeout(waiter.timer);
    this.waiter = null;
    waiter.reject(new Error(`serial: waiting for ${String(waiter.pattern)}: ${why}`));
  }
}
