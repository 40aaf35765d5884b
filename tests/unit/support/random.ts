/** Repeatable random numbers (mulberry32): a failing test names its seed. */
export class Random {
  constructor(private state: number) {}

  /** 0 up to below 2^32. */
  word(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }

  /** 0 up to below `end`. */
  below(end: number): number { return this.word() % end; }
  chance(percent: number): boolean { return this.below(100) < percent; }
  pick<T>(from: readonly T[]): T { return from[this.below(from.length)]!; }
  bytes(count: number): Uint8Array { return Uint8Array.from({ length: count }, () => this.below(256)); }
}

/** The numbers of one seed as a function: an integer from 0 and below `below` at each call. */
export function random(seed: number): (below: number) => number {
  const numbers = new Random(seed >>> 0);
  return (below) => numbers.below(below);
}
