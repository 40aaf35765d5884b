/** The pid table. */
import { SpinLock } from "../../lib/spinlock";
import { Process } from "./process";

/** Rank.PROCESS_TREE: the pid hash, parents and children, groups, sessions, states of all processes. */
export const processLock = changetype<SpinLock>(memory.data(16));

/** The process `pid` with a reference (processPut it), or null. Zombies included. */
export function processByPid(pid: u32): Process | null { unreachable(); return null; }
export function processPut(process: Process): void { unreachable(); }
/** The process with the lowest pid >= `pid`, with a reference, or null: the walk of procfs and kill(-1). */
export function processNext(pid: u32): Process | null { unreachable(); return null; }
