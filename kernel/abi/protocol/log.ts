/** The LOG port: lines of servers in the kernel's log. */
import type { Protocol } from "./form.ts";

export const LOG: Protocol = {
  name: "log",
  prefix: "Log",
  travel: "service",
  methods: [
    { id: 1, name: "line", request: "text: va, bytes: u64", reply: "taken: u32", errors: "FAULT",
      contract: "One line: its first 240 bytes are taken, control characters become question marks. Beyond 50 lines a second lines are counted only." },
  ],
};
