/**
 * Shell snippets: sections of a file, each `### what it shows` and the lines below.
 *
 * What a snippet must print is what the host's busybox prints for it, or, where that would need root or depend on
 * the machine, the section's lines that start with `#= `.
 */

import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Snippet {
  /** The file's name and the section's title. */
  readonly title: string;
  readonly script: string;
  /** Lines given in the section, or null when the host decides. */
  readonly expected: string | null;
}

const BUSYBOX = "/bin/busybox";
const HOST_LIMIT_MS = 30_000;

export function readSnippets(folder: string): Snippet[] {
  return readdirSync(folder).sort().flatMap((name) => sectionsOf(name.replace(/\.sh$/, ""), readFileSync(join(folder, name), "utf8")));
}

function sectionsOf(group: string, text: string): Snippet[] {
  return text.split(/^### /m).slice(1).map((section) => {
    const [title = "", ...lines] = section.trimEnd().split("\n");
    const expected = lines.filter((line) => line.startsWith("#= ")).map((line) => `${line.slice(3)}\n`);
    return {
      title: `${group}: ${title}`,
      script: `${lines.join("\n")}\n`,
      expected: expected.length > 0 ? expected.join("") : null,
    };
  });
}

/** The host's busybox, alone on the search path. */
export class HostShell {
  private readonly folder = mkdtempSync(join(tmpdir(), "limitless-host-"));
  private readonly applets = join(this.folder, "bin");

  constructor() {
    mkdirSync(this.applets);
    const names = execFileSync(BUSYBOX, ["--list"], { encoding: "utf8" }).split("\n").filter(Boolean);
    for (const name of names) symlinkSync(BUSYBOX, join(this.applets, name));
  }

  /** Standard output and error of `script`, mixed, in an empty folder called work. */
  run(script: string): string {
    const work = join(this.folder, "work");
    mkdirSync(work);
    const file = join(this.folder, "script"); // "../script" from the working folder, as in the guest
    writeFileSync(file, script);
    const { stdout } = spawnSync(BUSYBOX, ["sh", "-c", "exec sh ../script 2>&1"], {
      cwd: work,
      env: { PATH: this.applets, HOME: work },
      encoding: "latin1",
      stdio: ["ignore", "pipe", "inherit"],
      timeout: HOST_LIMIT_MS,
    });
    rmSync(work, { recursive: true, force: true });
    return stdout;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
