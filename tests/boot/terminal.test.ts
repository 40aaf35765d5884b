/** The console as a person uses it: job control, editing keys, vi, top. */

import { withVm, type Vm } from "../../qemu/harness.ts";
import { BOOT_MS, targetOptions } from "../support/target.ts";

const TEST_MS = 3 * BOOT_MS;
const CTRL_C = "\x03";
const CTRL_D = "\x04";
const CTRL_U = "\x15";
const CTRL_Z = "\x1a";
const CTRL_BACKSLASH = "\x1c";
const ESC = "\x1b";

/** Boots to the prompt, then `use`. */
function atPrompt(use: (vm: Vm) => Promise<void>): () => Promise<void> {
  return () =>
    withVm(targetOptions({ cpus: 2, deadlineMs: TEST_MS }), async (vm) => {
      await vm.expectPrompt(BOOT_MS);
      await use(vm);
    });
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** The shell is at its prompt again and works. */
async function expectShell(vm: Vm): Promise<void> {
  await vm.expectPrompt();
  expect((await vm.run("echo $((6*7))")).output).toBe("42\n");
}

test("^C ends the foreground command, not the shell", atPrompt(async (vm) => {
  vm.type("sleep 100; echo not $?\r");
  await pause(500);
  vm.type(CTRL_C);
  await expectShell(vm);
}), TEST_MS);

test("^Z stops, jobs lists, bg and fg resume", atPrompt(async (vm) => {
  vm.type("sleep 3; echo status $?\r");
  await pause(500);
  vm.type(CTRL_Z);
  await vm.waitFor(/Stopped/);
  await vm.expectPrompt();
  vm.type("jobs\r");
  await vm.waitFor(/\[1\]\+ +Stopped +sleep 3/);
  vm.type("bg\r");
  await vm.waitFor(/\[1\].*sleep 3/);
  await vm.expectPrompt();
  vm.type("fg\r");
  await vm.waitFor(/\r\nsleep 3/);
  await expectShell(vm);
  vm.type("jobs; echo no more jobs\r");
  await vm.waitFor(/\r\nno more jobs/);
}), TEST_MS);

test("a background job that reads the terminal is stopped", atPrompt(async (vm) => {
  vm.type("cat &\r");
  await vm.expectPrompt();
  await pause(500);
  vm.type("\r");
  await vm.waitFor(/Stopped.*tty input/);
  vm.type("kill %1\r");
  await expectShell(vm);
}), TEST_MS);

test("^D ends input, ^\\ dumps, ^U erases the line", atPrompt(async (vm) => {
  vm.type("cat; echo cat gave $?\r");
  await pause(300);
  vm.type(`line\r${CTRL_D}`);
  await vm.waitFor(/line\r\nline\r\n/);
  await vm.waitFor(/cat gave 0/);
  await vm.expectPrompt();
  vm.type("cat\r");
  await pause(300);
  vm.type(`erased${CTRL_U}kept\r`);
  await vm.waitFor(/\r\nkept\r\n/);
  vm.type(CTRL_BACKSLASH);
  await vm.waitFor(/Quit/);
  await expectShell(vm);
}), TEST_MS);

test("the line editor: history, cursor keys, completion", atPrompt(async (vm) => {
  vm.type("echo firs\x1b[Dx\x1b[C\x7fts\r"); // left, insert, right, erase
  await vm.waitFor(/\r\nfirxts\r\n/);
  await vm.expectPrompt();
  vm.type("\x1b[A\r"); // up: the same again
  await vm.waitFor(/\r\nfirxts\r\n/);
  await vm.expectPrompt();
  vm.type("cat /etc/hostn\t\r");
  await vm.waitFor(/\r\nlimitless\r\n/);
}), TEST_MS);

test("vi edits a file", atPrompt(async (vm) => {
  await vm.run("printf 'one\\ntwo\\nthree\\n' >/tmp/f");
  vm.type("vi /tmp/f\r");
  await vm.waitFor(/three[^]*\/tmp\/f/);
  for (const keys of ["j", "dd", "p", "ofour", ESC, ":%s/one/ONE/\r", ":wq\r"]) {
    vm.type(keys);
    await pause(300);
  }
  await vm.expectPrompt();
  expect((await vm.run("cat /tmp/f")).output).toBe("ONE\nthree\ntwo\nfour\n");
}), TEST_MS);

test("top shows processes on all CPUs, and q leaves", atPrompt(async (vm) => {
  await vm.run("while :; do :; done & while :; do :; done & sleep 1");
  vm.type("top -d 1\r");
  await vm.waitFor(/Mem: *\d+K used/);
  await vm.waitFor(/CPU: +\d+% usr/);
  await vm.waitFor(/PID +PPID +USER +STAT[^]*init/);
  vm.type("q");
  await vm.expectPrompt();
  await vm.run("kill %1 %2");
}), TEST_MS);

test("raw mode and back: stty", atPrompt(async (vm) => {
  expect((await vm.run("stty -a 2>/dev/null | grep -c ' icanon'")).output).toBe("1\n");
  expect((await vm.run("stty rows 40 cols 100; stty size")).output).toBe("40 100\n");
  vm.type("stty -echo; read x; stty echo; echo \"<$x>\"\r");
  await pause(500);
  vm.type("secret\r");
  const [, before = ""] = await vm.waitFor(/stty echo;[^\n]*\n([^]*)<secret>/);
  expect(before).not.toContain("secret");
}), TEST_MS);
