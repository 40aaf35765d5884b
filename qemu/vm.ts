/**
 * One running virtual machine: its process, serial console, QMP connection and end.
 *
 * Invariants  V1  only the child this object started is ever signalled.
 *             V2  `exit` settles exactly once, with QEMU's exit status.
 */

import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { acceleratorArgs, machineArgs } from "./arguments.ts";
import type { VmConfig } from "./options.ts";
import { QmpClient } from "./qmp.ts";
import { pngEncode, ppmDecode, type Picture } from "./screenshot.ts";
import { SerialConsole } from "./serial.ts";
import { Shell, type CommandResult } from "./shell.ts";

export class Vm {
  readonly serial: SerialConsole;
  /** QEMU's exit status; -1 when a signal ended it. */
  readonly exit: Promise<number>;
  readonly startedAt: number = Date.now();
  private readonly child: ChildProcess;
  private readonly directory: string;
  private readonly shell: Shell;
  private qmpClient: Promise<QmpClient> | null = null;
  private stderr = "";

  constructor(readonly config: VmConfig) {
    this.directory = mkdtempSync(join(tmpdir(), "limitless-vm-"));
    this.child = spawn("qemu-system-x86_64", this.commandLine(), { stdio: "pipe" });
    this.serial = new SerialConsole(this.child.stdout!, this.child.stdin!);
    this.shell = new Shell(this.serial);
    this.child.stderr!.on("data", (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.exit = new Promise((resolve, reject) => {
      this.child.once("error", reject); // QEMU is not installed
      this.child.once("close", (status) => {
        this.serial.end(`QEMU ended with status ${status ?? "of a signal"} ${this.stderr}`);
        resolve(status ?? -1);
      });
    });
    this.exit.catch((error: Error) => this.serial.end(error.message));
  }

  /** Waits for `pattern` on the serial console, after everything already consumed. */
  waitFor(pattern: RegExp, timeoutMs = 30_000): Promise<RegExpExecArray> {
    return this.serial.waitFor(pattern, timeoutMs);
  }

  /** Types on the serial console; a line ends with "\r". */
  type(keys: string): void {
    this.serial.type(keys);
  }

  /** Waits for the shell's prompt. */
  expectPrompt(timeoutMs = 60_000): Promise<RegExpExecArray> {
    return this.shell.expectPrompt(timeoutMs);
  }

  /** Runs one shell command at the prompt: what it printed, and its exit status. */
  run(command: string, timeoutMs = 30_000): Promise<CommandResult> {
    return this.shell.run(command, timeoutMs);
  }

  qmp(): Promise<QmpClient> {
    this.qmpClient ??= QmpClient.open(this.qmpPath());
    return this.qmpClient;
  }

  /** The screen as it is now. */
  async screen(): Promise<Picture> {
    const path = join(this.directory, "screen.ppm");
    await (await this.qmp()).execute("screendump", { filename: path });
    return ppmDecode(readFileSync(path));
  }

  async screenshot(): Promise<Buffer> {
    return pngEncode(await this.screen());
  }

  /** Presses keys together, by QEMU's names: sendKey("ctrl", "c"). */
  async sendKey(...names: string[]): Promise<void> {
    const keys = names.map((data) => ({ type: "qcode", data }));
    await (await this.qmp()).execute("send-key", { keys });
  }

  /** Milliseconds of wall time since QEMU was started. */
  elapsedMs(): number {
    return Date.now() - this.startedAt;
  }

  /** Ends the machine, if it still runs, and removes its files. */
  async destroy(): Promise<void> {
    const client = await this.qmpClient?.catch(() => null);
    client?.close();
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill("SIGKILL"); // V1
    await this.exit.catch(() => -1);
    rmSync(this.directory, { recursive: true, force: true });
  }

  private qmpPath(): string {
    return join(this.directory, "qmp");
  }

  private commandLine(): string[] {
    return [
      ...acceleratorArgs(this.config),
      ...machineArgs(this.config),
      ...["-display", "none", "-monitor", "none", "-parallel", "none"],
      ...["-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"],
      ...["-qmp", `unix:${this.qmpPath()},server=on,wait=off`],
    ];
  }
}
