/**
 * Faults by name: what `fault` understands, what a campaign chooses from. Pure: no kernel in here.
 */
import { DebugOp } from "../../../kernel/abi/debug.gen";
import { FlipRegion, HangKind, IrqFault, ReplyFault, RingFault } from "../../../kernel/abi/debug";

/** Which servers a kind of fault means something to. */
export const enum Target { ANY = 0, DISK = 1, FILE_SYSTEM = 2 }

export class Kind {
  constructor(
    public verb: string,
    public noun: string,
    public op: u32,
    public argument: u32,
    public target: Target,
    /** How often a campaign chooses it, beside the others. */
    public weight: u32,
  ) {}
}

export const KINDS: Kind[] = [
  new Kind("kill", "", DebugOp.KILL, 9, Target.ANY, 8),
  new Kind("hang", "stop", DebugOp.HANG, HangKind.STOP, Target.ANY, 1),
  new Kind("hang", "spin", DebugOp.HANG, HangKind.SPIN, Target.ANY, 2),
  new Kind("flip", "text", DebugOp.FLIP, FlipRegion.TEXT, Target.ANY, 20),
  new Kind("flip", "data", DebugOp.FLIP, FlipRegion.DATA, Target.ANY, 4),
  new Kind("flip", "stack", DebugOp.FLIP, FlipRegion.STACK, Target.ANY, 12),
  new Kind("flip", "heap", DebugOp.FLIP, FlipRegion.HEAP, Target.ANY, 20),
  new Kind("flip", "shared", DebugOp.FLIP, FlipRegion.SHARED, Target.FILE_SYSTEM, 8),
  new Kind("irq", "drop", DebugOp.IRQ, IrqFault.DROP, Target.DISK, 4),
  new Kind("irq", "delay", DebugOp.IRQ, IrqFault.DELAY, Target.DISK, 4),
  new Kind("irq", "repeat", DebugOp.IRQ, IrqFault.REPEAT, Target.DISK, 4),
  new Kind("ring", "counter", DebugOp.RING, RingFault.COUNTER, Target.DISK, 3),
  new Kind("ring", "too-many", DebugOp.RING, RingFault.TOO_MANY, Target.DISK, 3),
  new Kind("ring", "id", DebugOp.RING, RingFault.ID, Target.DISK, 3),
  new Kind("ring", "status", DebugOp.RING, RingFault.STATUS, Target.DISK, 1),
  new Kind("ring", "header", DebugOp.RING, RingFault.HEADER, Target.DISK, 3),
  new Kind("dma", "bogus", DebugOp.DMA, 1, Target.DISK, 8),
  new Kind("flip", "shared", DebugOp.FLIP, FlipRegion.SHARED, Target.DISK, 6),
  new Kind("reply", "label", DebugOp.REPLY, ReplyFault.LABEL, Target.FILE_SYSTEM, 4),
  new Kind("reply", "errno", DebugOp.REPLY, ReplyFault.ERRNO, Target.FILE_SYSTEM, 4),
  new Kind("reply", "window", DebugOp.REPLY, ReplyFault.WINDOW, Target.FILE_SYSTEM, 4),
];

/** splitmix64, as the kernel's (kernel/lib/seeded.ts). */
export function seeded(seed: u64, index: u64): u64 {
  let z = seed + (index + 1) * 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

export function kindNamed(verb: string, noun: string): Kind | null {
  for (let i = 0; i < KINDS.length; i++) {
    if (KINDS[i].verb == verb && (noun == "" || KINDS[i].noun == "" || KINDS[i].noun == noun)) return KINDS[i];
  }
  return null;
}

/** What the server of that name is. */
export function targetOf(server: string): Target { return server == "fat32" ? Target.FILE_SYSTEM : Target.DISK; }

/** A kind that means something to `target`, by its weight. */
export function kindChoose(target: Target, random: u64): Kind {
  let total: u64 = 0;
  for (let i = 0; i < KINDS.length; i++) if (isFor(KINDS[i], target)) total += KINDS[i].weight;
  let at = random % total;
  for (let i = 0; i < KINDS.length; i++) {
    if (!isFor(KINDS[i], target)) continue;
    if (at < KINDS[i].weight) return KINDS[i];
    at -= KINDS[i].weight;
  }
  return KINDS[0];
}

function isFor(kind: Kind, target: Target): bool { return kind.target == Target.ANY || kind.target == target; }
