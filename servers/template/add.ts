/** What the template does, apart from being a server: sums, and how many there were. */
let sums: u64 = 0;

export function add(a: u64, b: u64): u64 {
  sums++;
  return a + b;
}

export function sumsSoFar(): u64 { return sums; }
