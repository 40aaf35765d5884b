/** The toolchain's command line; the Makefile calls nothing else. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { check } from "./check.ts";
import { writeGenerated } from "./generate.ts";
import { buildKernel, overrideGate } from "./kernel.ts";
import { BuildError, messages } from "./messages.ts";
import { BUILD, ISO_PATH } from "./paths.ts";
import { buildRuntimeTestWasm, buildServers, buildServerTestWasm, servers } from "./servers.ts";
import { buildIso } from "./steps/iso.ts";
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
  .action(async ({ dev }: { dev: boolean }) => {
    console.log(`kernel: ${await buildKernel(dev ? "dev" : "release")}`);
  });

program
  .command("iso")
  .description("dist/limitlessos.iso from the kernel and the root archive")
  .option("--dev", "with the quick build of the kernel", false)
  .option("--initramfs <path>", "newc archive that becomes the root", join(BUILD, "initramfs.cpio"))
  .action(async ({ dev, initramfs }: { dev: boolean; initramfs: string }) => {
    if (!existsSync(initramfs)) throw new BuildError(messages.noSource(initramfs));
    buildIso(await buildKernel(dev ? "dev" : "release"), initramfs, ISO_PATH);
    console.log(`image: ${ISO_PATH}`);
  });

program
  .command("servers")
  .description("build/servers/NAME/NAME for every manifest in servers/")
  .action(() => {
    for (const [name, path] of buildServers()) console.log(`server: ${name} ${path}`);
  });

program
  .command("check")
  .description("the gates: generated files, imports, raw access, line budget, the module")
  .option("--update-fence", "accept lower counts of raw memory access", false)
  .action((options: { updateFence: boolean }) => check(options));

program
  .command("override")
  .description("the gate against overridden methods, which compiles without optimisation")
  .action(overrideGate);

program
  .command("testwasm")
  .description("build/kernel-test.wasm and build/servers/NAME/test.wasm, kernel and servers for the unit tests")
  .action(() => {
    for (const server of servers()) buildServerTestWasm(server);
    buildRuntimeTestWasm();
    console.log(`test wasm: ${buildTestWasm()}`);
  });

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof BuildError)) throw error;
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
}
