/** What the supervisor's tests call of its pure parts: objects stay here, texts and numbers go out. */
import { namesOf, reasonText } from "../../../../../servers/services/supervisor/crash";
import { requestParse } from "../../../../../servers/services/supervisor/control";
import { silenceAfter } from "../../../../../servers/services/supervisor/heartbeat";
import { Manifest, manifestsParse } from "../../../../../servers/services/supervisor/manifest";
import { startOrder } from "../../../../../servers/services/supervisor/order";
import { delayNs, endText, failuresAfter, verdict } from "../../../../../servers/services/supervisor/policy";
import { isAliveStat, pidsOf } from "../../../../../servers/services/supervisor/predecessor";
import { doingText } from "../../../../../servers/services/supervisor/threads";

let parsed: Manifest[] = [];

export function parse(text: string): i32 {
  parsed = manifestsParse(text);
  return parsed.length;
}
export function nameOf(index: i32): string { return parsed[index].name; }
export function problemOf(index: i32): string { return parsed[index].problem; }
export function fieldsOf(index: i32): string {
  const it = parsed[index];
  const pci = it.pci.map<string>((match) => (match.isClass ? "class " : "id ") + match.value.toString(16)).join(",");
  const numbers = [it.restart, it.failures, it.silent, it.quotaKiB, it.memoryMiB, it.policy, it.priority].map<string>((n) => n.toString()).join(",");
  return [it.start, pci, it.needs.join(","), it.requires.join(","), it.after.join(","), numbers].join("|");
}
/** Names of those that may start, in order. */
export function order(): string { return startOrder(parsed).map<string>((it) => it.name).join(" "); }

export function failures(before: u32, livedNs: u64): u32 { return failuresAfter(before, livedNs); }
export function judge(restart: i32, limit: u32, failed: u32, status: u32): i32 { return verdict(restart, limit, failed, status); }
export function delay(failed: u32): u64 { return delayNs(failed); }
export function end(status: u32): string { return endText(status); }
export function silence(open: u32, limit: u32, isStarting: bool): u32 { return silenceAfter(open, limit, isStarting); }
export function request(line: string): string {
  const it = requestParse(line);
  return it.id + "|" + (<i32>it.verb).toString() + "|" + it.name;
}

/** Names of the functions at two offsets. */
export function names(first: u64, second: u64, symbols: string): string { return namesOf([first, second], symbols).join(" < "); }
export function crash(reason: u32, vector: u32, va: u64): string { return reasonText(reason, vector, va); }

export function doing(state: u32, number: u32): string { return doingText(state, number); }
export function pids(table: string): string { return pidsOf(table).join(","); }
export function alive(stat: string): bool { return isAliveStat(stat); }
