/**
 * Load weights: each nice step changes a task's share of the CPU by about a tenth.
 *
 * Spec  the weights are Linux's sched_prio_to_weight, so that `nice` means the same here; nice 0 weighs 1024.
 */
const NICE_WEIGHTS: usize = memory.data<u32>([
  88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916, // -20 ..
  9548, 7620, 6100, 4904, 3906, 3121, 2501, 1991, 1586, 1277,           // -10 ..
  1024, 820, 655, 526, 423, 335, 272, 215, 172, 137,                    //   0 ..
  110, 87, 70, 56, 45, 36, 29, 23, 18, 15,                              //  10 ..
]);

export const WEIGHT_NICE_0: u32 = 1024;
/** SCHED_IDLE: runs when hardly anybody else wants to. */
export const WEIGHT_IDLE_POLICY: u32 = 3;
export const NICE_MIN: i32 = -20;
export const NICE_MAX: i32 = 19;

/** Weight of a nice value within NICE_MIN..NICE_MAX. */
export function niceToWeight(nice: i32): u32 {
  assert(nice >= NICE_MIN && nice <= NICE_MAX);
  return load<u32>(NICE_WEIGHTS + (<usize>(nice - NICE_MIN) << 2));
}

/** Virtual time that `deltaNs` of CPU time costs a task of `weight`. */
export function weighedNs(deltaNs: u64, weight: u32): u64 {
  return weight == WEIGHT_NICE_0 ? deltaNs : deltaNs * WEIGHT_NICE_0 / weight;
}
