/** Arrays of 32-bit words in linear memory: tables of addresses, counters. */

/** Word `index` of the array at `base`. */
export function wordAt(base: usize, index: u32): u32 { return load<u32>(base + (<usize>index << 2)); }

export function wordSet(base: usize, index: u32, value: u32): void { store<u32>(base + (<usize>index << 2), value); }
