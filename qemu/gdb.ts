/** `make gdb`: the kernel stopped at its first instruction, with gdb attached. Serial goes to build/serial.log. */

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { acceleratorArgs, machineArgs } from "./arguments.ts";
import { withDefaults } from "./options.ts";

const SERIAL_LOG = "build/serial.log";
const { CPUS, MEM } = process.env;

const config = withDefaults({ cpus: Number(CPUS || 1), memMiB: Number(MEM || 1024) });
const machine = spawn(
  "qemu-system-x86_64",
  [
    ...acceleratorArgs(config),
    ...machineArgs(config),
    ...["-display", "none", "-monitor", "none", "-serial", `file:${SERIAL_LOG}`, "-gdb", "tcp:localhost:1234", "-S"],
  ],
  { stdio: "inherit", detached: true }, // its own process group: ^C in gdb must not end it
);
await once(machine, "spawn");
process.on("SIGINT", () => undefined); // ^C belongs to gdb

console.log(`gdb: serial output is in ${SERIAL_LOG}`);
const gdb = spawnSync("gdb", ["-q", config.kernel, "-ex", "target remote localhost:1234"], { stdio: "inherit" });
machine.kill();
process.exitCode = gdb.status ?? 1;
