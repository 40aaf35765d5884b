/** vdso.c -> a small shared object -> an assembly file that carries it in the kernel's .vdso section. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cachedStep } from "../cache.ts";
import { ARCH, BUILD, ROOT } from "../paths.ts";
import { run } from "../run.ts";
import type { Flavour } from "./cc.ts";

const FLAGS = [
  "-std=gnu11", "-O2", "-ffreestanding", "-nostdlib", "-shared", "-fPIC", "-mno-sse", "-fno-stack-protector",
  "-fcf-protection=none", "-fno-asynchronous-unwind-tables", "-fno-ident", "-g0", "-Wall", "-Wextra",
  "-Wl,-soname=linux-vdso.so.1", "-Wl,--hash-style=both", "-Wl,-Bsymbolic", "-Wl,--build-id=none",
  "-Wl,-z,max-page-size=4096", "-Wl,-z,noexecstack",
];

/** Builds the image and returns the path of the assembly file. */
export function vdsoAssembly(flavour: Flavour): string {
  const source = join(ARCH, "vdso/vdso.c");
  const script = join(ARCH, "vdso/vdso.lds");
  const image = join(BUILD, flavour, "vdso.so");
  const assembly = join(BUILD, flavour, "vdso.S");
  cachedStep({
    name: `vdso-${flavour}`,
    inputs: [source, script],
    parameters: FLAGS,
    outputs: [image, assembly],
    action: () => {
      process.stderr.write(run("gcc", [...FLAGS, `-ffile-prefix-map=${ROOT}/=`, `-Wl,-T,${script}`, source, "-o", image]));
      run("strip", ["--strip-all", image]);
      writeFileSync(assembly, bytesAssembly(readFileSync(image)));
    },
  });
  return assembly;
}

function bytesAssembly(image: Buffer): string {
  const lines = ['  .section .vdso, "a"', "  .balign 4096"];
  for (let at = 0; at < image.length; at += 32) lines.push(`  .byte ${[...image.subarray(at, at + 32)].join(",")}`);
  lines.push("  .balign 4096", '  .section .note.GNU-stack, "", @progbits', "");
  return lines.join("\n");
}
