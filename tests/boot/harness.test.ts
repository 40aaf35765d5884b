/** The harness itself: what it promises when a machine does not do as it should. */

import { withVm } from "../../qemu/harness.ts";
import { targetOptions } from "../support/target.ts";

test("a machine that hangs is ended at its deadline, and its serial log is shown", async () => {
  const stopped = targetOptions({ extraArgs: ["-S"], deadlineMs: 1_500 });
  const hung = withVm(stopped, (vm) => vm.waitFor(/never printed/, 60_000));
  await expect(hung).rejects.toThrow(/still running after 1500 ms[^]*serial log/);
});

test("a wait ends when the machine does", async () => {
  const broken = withVm({ extraArgs: ["-no-such-option"] }, (vm) => vm.waitFor(/never printed/, 60_000));
  await expect(broken).rejects.toThrow(/QEMU ended with status 1/);
});
