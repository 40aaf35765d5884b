/** Runs one tool; on failure the exact command and its output are in the error. */
import { spawnSync } from "node:child_process";
import { BuildError, messages } from "./messages.ts";
import { ROOT } from "./paths.ts";

const MAX_OUTPUT_BYTES = 512 * 1024 * 1024;

export interface RunOptions {
  cwd?: string;
  env?: Record<string, string>;
  input?: Buffer | string;
}

/** Standard output and error of `command args...`, which must succeed. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): string {
  const result = spawnSync(command, args, {
    cwd: options.cwd ?? ROOT,
    env: { ...process.env, LC_ALL: "C", ...options.env },
    input: options.input,
    encoding: "utf8",
    maxBuffer: MAX_OUTPUT_BYTES,
  });
  if (result.error && "code" in result.error && result.error.code === "ENOENT") {
    throw new BuildError(messages.commandMissing(command));
  }
  if (result.status !== 0) {
    throw new BuildError(
      messages.commandFailed([command, ...args].join(" "), result.status, `${result.stdout}${result.stderr}`),
    );
  }
  return result.stdout + result.stderr;
}

/** Like run(), with the Node that runs the toolchain. */
export function runNode(args: readonly string[], options: RunOptions = {}): string {
  return run(process.execPath, args, options);
}
