/** What servers/template can be asked. */
import type { Protocol } from "./form.ts";

export const TEMPLATE: Protocol = {
  name: "template",
  prefix: "Template",
  travel: "registers",
  methods: [
    { id: 1, name: "add", request: "a: u64, b: u64", reply: "sum: u64", contract: "a + b modulo 2^64." },
    { id: 2, name: "count", request: "", reply: "sums: u64", contract: "How many sums so far." },
  ],
};
