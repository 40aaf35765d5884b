/** Random numbers that a seed decides: the same seed, the same faults. */

const GOLDEN: u64 = 0x9e3779b97f4a7c15;

/** Number `index` of the sequence that belongs to `seed` (splitmix64). */
export function seededAt(seed: u64, index: u64): u64 {
  let z = seed + (index + 1) * GOLDEN;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}
