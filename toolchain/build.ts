/** The toolchain's command line; the Makefile calls nothing else. */
import { Command } from "commander";
import { writeGenerated } from "./generate.ts";
import { buildKernel } from "./kernel.ts";
import { BuildError } from "./messages.ts";
import { buildTestWasm } from "./testwasm.ts";

const program = new Command("build");

program
  .command("generate")
  .description("what follows from kernel/abi/syscalls.ts")
  .action(writeGenerated);

program
  .command("kernel")
  .description("build/kernel.elf")
  .option("--dev", "quick build with debug checks", false)
  .action(({ dev }: { dev: boolean }) => {
    console.log(`kernel: ${buildKernel(dev ? "dev" : "release")}`);
  });

program
  .command("testwasm")
  .description("build/kernel-test.wasm, the kernel for the unit tests")
  .action(() => {
    console.log(`test wasm: ${buildTestWasm()}`);
  });

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof BuildError)) throw error;
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
}
