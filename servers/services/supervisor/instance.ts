/**
 * One server the supervisor keeps: a manifest, for one device or for none. The record only; spawn.ts gives it life.
 *
 *   BLOCKED ──▶ STARTING ──first sign of life──▶ RUNNING ──end──▶ WAITING ──▶ STARTING …
 *      ▲ what it requires is not ready                     └─────▶ FINISHED, GIVEN_UP, or STOPPED when root asked for it
 */
import { Manifest } from "./manifest";
import { Stand } from "./threads";

export const enum State { BLOCKED, STARTING, RUNNING, WAITING, FINISHED, STOPPED, GIVEN_UP, REFUSED }

/** What is to become of a server once its process has ended. */
export const enum After { POLICY, STOP, START }

export const INSTANCES_MAX: i32 = 24;

export class Instance {
  manifest: Manifest;
  /** Configuration address of its device, or -1. */
  device: i32;
  /** Which of its kind: /dev/vda has 0. */
  ordinal: i32;
  /** Its bits in the supervisor's notification. */
  slot: i32;
  state: State = State.BLOCKED;
  after: After = After.POLICY;
  pid: i32 = 0;
  /** PROCESS capability on it, while it lives. */
  process: u32 = 0;
  notification: u32 = 0;
  /** The right to call its endpoint, for servers that need "call:" it; 0: it has none. */
  endpoint: u32 = 0;
  startedNs: u64 = 0;
  /** WAITING: when it starts. */
  dueNs: u64 = 0;
  failures: u32 = 0;
  starts: u32 = 0;
  /** It was ready, or ended, once: who comes after it may go. */
  hadChance: bool = false;
  isHung: bool = false;
  /** Where its threads stood when it hung. */
  stands: Stand[] = [];
  /** Signs of life asked for since the last one came. */
  silent: u32 = 0;
  /** How it ended last, or why it is refused. */
  last: string = "-";

  constructor(manifest: Manifest, device: i32, ordinal: i32, slot: i32) {
    this.manifest = manifest;
    this.device = device;
    this.ordinal = ordinal;
    this.slot = slot;
  }
}

/** Its name in the table: "virtio-blk.0". */
export function instanceName(it: Instance): string { return it.manifest.name + "." + it.ordinal.toString(); }
export function isAlive(it: Instance): bool { return it.state == State.STARTING || it.state == State.RUNNING; }

/** Bits in the supervisor's notification: deaths below, signs of life above. */
export function deathBit(it: Instance): u64 { return <u64>1 << it.slot; }
export function aliveBit(it: Instance): u64 { return <u64>1 << (it.slot + INSTANCES_MAX); }

/** The server `it` must wait for before it starts, "" when everything is there. */
export function awaited(it: Instance, all: Instance[]): string {
  const manifest = it.manifest;
  for (let i = 0; i < manifest.requires.length; i++) if (!isReady(manifest.requires[i], all)) return manifest.requires[i];
  for (let i = 0; i < manifest.after.length; i++) if (!hadChance(manifest.after[i], all)) return manifest.after[i];
  return "";
}

/** One of that name runs. */
function isReady(name: string, all: Instance[]): bool {
  for (let i = 0; i < all.length; i++) if (all[i].manifest.name == name && all[i].state == State.RUNNING) return true;
  return false;
}

/** All of that name, even if there is none, had their chance. */
function hadChance(name: string, all: Instance[]): bool {
  for (let i = 0; i < all.length; i++) if (all[i].manifest.name == name && !all[i].hadChance) return false;
  return true;
}
