/** What a campaign did, from the kernel's log: which faults showed, how soon the service was there again. */

/** One injected fault. */
export interface Fault {
  /** "flip text" */
  readonly kind: string;
  readonly server: string;
  /** Seconds since boot. */
  readonly at: number;
  /** When the server was gone because of it, and when its service was back. */
  gone?: number;
  back?: number;
}

export interface Report {
  readonly faults: readonly Fault[];
  /** Servers that ended without a fault of their own since their start: waiting for one that had it, or late victims. */
  readonly others: number;
  /** Lines by which the kernel says that it ended a server, by their reason. */
  readonly distrusted: ReadonlyMap<string, number>;
}

const NOUNS: Readonly<Record<string, readonly string[]>> = {
  kill: [], hang: ["", "stop", "spin"], flip: ["", "text", "data", "stack", "heap", "shared"], irq: ["", "drop", "delay", "repeat"],
  ring: ["", "counter", "too-many", "id", "status", "header"], reply: ["", "label", "errno", "window"],
  dma: ["", "bogus"],
};

export function reportOf(log: string): Report {
  const faults: Fault[] = [];
  const open = new Map<string, Fault>();
  const away = new Map<string, Fault | undefined>();
  const distrusted = new Map<string, number>();
  let others = 0;
  for (const line of log.split("\n")) {
    const at = Number(/^\[ *(\d+\.\d+)\]/.exec(line)?.[1]);
    const injected = /debug: fault for (\S*) \(pid \d+\) (\w+) kind=(\d+)/.exec(line);
    if (injected) {
      const [, server = "", verb = "", noun] = injected;
      const fault: Fault = { kind: `${verb} ${NOUNS[verb]?.[Number(noun)] ?? ""}`.trim(), server, at };
      faults.push(fault);
      open.set(server, fault);
    }
    if (/debug: fault refused/.test(line)) faults.pop();
    const reason = /server: \S+ \(pid \d+\) (.*): killed/.exec(line)?.[1];
    if (reason !== undefined) distrusted.set(reason, (distrusted.get(reason) ?? 0) + 1);
    const gone = /block: driver gone/.test(line) ? "virtio-blk" : /fs: server gone/.test(line) ? "fat32" : undefined;
    if (gone !== undefined) {
      const fault = open.get(gone);
      if (fault) fault.gone = at;
      else others++;
      away.set(gone, fault);
      open.delete(gone);
    }
    const back = /server: virtio-blk: ready/.test(line) ? "virtio-blk" : /fs: served: vfat/.test(line) ? "fat32" : undefined;
    if (back !== undefined) {
      const fault = away.get(back);
      if (fault) fault.back = at;
      away.delete(back);
    }
  }
  return { faults, others, distrusted };
}

function ms(seconds: readonly number[], at: number): string {
  const sorted = [...seconds].sort((a, b) => a - b);
  return sorted.length === 0 ? "-" : ((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * at))] ?? 0) * 1000).toFixed(0);
}

/** Rows of a Markdown table, one a kind of fault: injected, showed, recovered, milliseconds from fault to service. */
export function tableOf(faults: readonly Fault[]): string[] {
  const kinds = [...new Set(faults.map(({ server, kind }) => `${kind} | ${server}`))].sort();
  const row = (name: string, group: readonly Fault[]): string => {
    const showed = group.filter(({ gone }) => gone !== undefined);
    const times = showed.flatMap(({ at, back }) => (back === undefined ? [] : [back - at]));
    return `| ${name} | ${group.length} | ${showed.length} | ${times.length} | ${ms(times, 0.5)} | ${ms(times, 1)} |`;
  };
  return [
    "| fault | into | injected | server ended | back | median ms | worst ms |",
    "|---|---|---:|---:|---:|---:|---:|",
    ...kinds.map((name) => row(name, faults.filter(({ server, kind }) => `${kind} | ${server}` === name))),
    row("all | ", faults),
  ];
}
