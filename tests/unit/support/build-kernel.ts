/** Jest's global set-up for unit tests: compiles build/kernel-test.wasm once, or finds it unchanged in the cache. */
import { execFileSync } from "node:child_process";

export default function buildKernel(): void {
  execFileSync("node_modules/.bin/tsx", ["toolchain/build.ts", "testwasm"], { stdio: ["ignore", "inherit", "inherit"] });
}
