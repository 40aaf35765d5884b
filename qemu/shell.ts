/**
 * A dialogue with the guest's shell over the serial console.
 *
 * The command is wrapped in a pair of marks that the shell prints, not types: the echo of the line holds
 * `__%s_%d__`, the output holds `__BEGIN_7__`, so an echo is never taken for output.
 */

import type { SerialConsole } from "./serial.ts";

export interface CommandResult {
  readonly output: string;
  readonly status: number;
}

/** What rootfs/etc/profile sets PS1 to; the line editor may ask for the position of the cursor. */
const PROMPT = /limitless:\S* [#$] (?:\x1b\[6n)?$/;

export class Shell {
  private commands = 0;

  constructor(private readonly serial: SerialConsole) {}

  expectPrompt(timeoutMs: number): Promise<RegExpExecArray> {
    return this.serial.waitFor(PROMPT, timeoutMs);
  }

  /** The braces make the shell read the whole command, here-documents included, before it prints anything. */
  async run(command: string, timeoutMs: number): Promise<CommandResult> {
    const id = ++this.commands;
    const lines = [`{ printf '__%s_%d__\\n' BEGIN ${id}`, command, `}; printf '__%s_%d_%d__\\n' END ${id} $?`];
    this.serial.type(`${lines.join("\n").replaceAll("\n", "\r")}\r`);
    await this.serial.waitFor(new RegExp(`__BEGIN_${id}__\r?\n`), timeoutMs);
    const end = await this.serial.waitFor(new RegExp(`__END_${id}_(\\d+)__\r?\n`), timeoutMs);
    await this.serial.waitFor(PROMPT, timeoutMs);
    return { output: end.input.slice(0, end.index).replaceAll("\r\n", "\n"), status: Number(end[1]) };
  }
}
