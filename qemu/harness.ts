/**
 * The one way to use a virtual machine: `withVm(options, async (vm) => …)`.
 *
 * The machine is always ended; a failure carries the whole serial log; nothing outlives its deadline.
 */

import { withDefaults, type VmOptions } from "./options.ts";
import { Vm } from "./vm.ts";

export type { Vm } from "./vm.ts";
export type { VmOptions } from "./options.ts";

export async function withVm<T>(options: VmOptions, use: (vm: Vm) => Promise<T>): Promise<T> {
  const vm = new Vm(withDefaults(options));
  const deadline = new Deadline(vm.config.deadlineMs);
  try {
    return await Promise.race([use(vm), deadline.passed]);
  } catch (error) {
    throw withSerialLog(error, vm.serial.log);
  } finally {
    deadline.cancel();
    await vm.destroy();
  }
}

/** A promise that is rejected after `ms`, unless cancelled before. */
class Deadline {
  readonly passed: Promise<never>;
  private timer: NodeJS.Timeout | null = null;

  constructor(ms: number) {
    this.passed = new Promise((_, reject) => {
      this.timer = setTimeout(() => reject(new Error(`vm: still running after ${ms} ms`)), ms);
    });
  }

  cancel(): void {
    if (this.timer) clearTimeout(this.timer);
  }
}

function withSerialLog(error: unknown, log: string): Error {
  const reason = error instanceof Error ? error : new Error(String(error));
  reason.message += `\n--- serial log ---\n${log}\n--- end of serial log ---`;
  return reason;
}
