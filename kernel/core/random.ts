/**
 * The kernel's random numbers: a ChaCha20 generator with fast key erasure.
 *
 * The key is mixed at boot from RDSEED/RDRAND when there is one and from the jitter of the time-stamp counter; each
 * request makes one block for the next key before it gives any byte away, so a captured state tells nothing about
 * earlier output. Every RESEED_BYTES new jitter and hardware words are mixed in.
 *
 * Invariants  R1  the state's words 4..11 are the key; they change at every request.
 * Locking     randomLock (Rank.RANDOM).
 * Spec        RFC 8439, 2.3 "The ChaCha20 Block Function"; D. J. Bernstein, "Fast-key-erasure random-number generators".
 */
import { hwRandom, rdtsc } from "../../arch/current";
import { Rank } from "../lib/lock-rank";
import { SpinLock, spinInit, spinLock, spinUnlock } from "../lib/spinlock";

const BLOCK_BYTES: u32 = 64;
const KEY_BYTES: u32 = 32;
const RESEED_BYTES: u32 = 1 << 20;
const SEED_ROUNDS: u32 = 64;

const STATE: usize = memory.data(64, 16);  // constants, key, counter, nonce
const BLOCK: usize = memory.data(64, 16);  // the latest output block
const WORD: usize = memory.data(8);
const SPENT: usize = memory.data(4);       // bytes given since the last reseed
const randomLock = changetype<SpinLock>(memory.data(16));

/** Seeds the generator: once at boot. */
export function randomInit(): void {
  spinInit(randomLock, Rank.RANDOM);
  store<u32>(STATE, 0x61707865);
  store<u32>(STATE, 0x3320646e, 4);
  store<u32>(STATE, 0x79622d32, 8);
  store<u32>(STATE, 0x6b206574, 12);
  for (let i: u32 = 0; i < SEED_ROUNDS; i++) seedMix();
}

/** Folds one hardware word and one reading of the clock into the key, then hashes the key by a block. */
function seedMix(): void {
  let word = rdtsc();
  if (hwRandom(WORD)) word ^= load<u64>(WORD);
  store<u64>(STATE, load<u64>(STATE, 16) ^ word, 16);
  store<u64>(STATE, load<u64>(STATE, 24) ^ (rdtsc() * 0x9e3779b97f4a7c15), 24);
  rekeyLocked();
}

/** Makes the next block and moves its first half into the key. */
function rekeyLocked(): void {
  chachaBlock(BLOCK, STATE);
  counterStep();
  memory.copy(STATE + 16, BLOCK, KEY_BYTES);
}

function counterStep(): void {
  store<u64>(STATE, load<u64>(STATE, 48) + 1, 48);
}

/** Fills linear memory with random bytes. */
export function randomFill(ptr: usize, size: u32): void {
  spinLock(randomLock);
  store<u32>(SPENT, load<u32>(SPENT) + size);
  if (load<u32>(SPENT) > RESEED_BYTES) {
    store<u32>(SPENT, 0);
    seedMix();
  }
  rekeyLocked(); // R1
  let done: u32 = min<u32>(size, BLOCK_BYTES - KEY_BYTES);
  memory.copy(ptr, BLOCK + KEY_BYTES, done);
  while (done < size) {
    chachaBlock(BLOCK, STATE);
    counterStep();
    const part = min<u32>(size - done, BLOCK_BYTES);
    memory.copy(ptr + done, BLOCK, part);
    done += part;
  }
  if (done > BLOCK_BYTES - KEY_BYTES) rekeyLocked();
  memory.fill(BLOCK, 0, BLOCK_BYTES);
  spinUnlock(randomLock);
}

/** 64 random bits (address-space layout, hash keys). */
export function randomU64(): u64 {
  spinLock(randomLock);
  rekeyLocked();
  const value = load<u64>(BLOCK + KEY_BYTES);
  memory.fill(BLOCK, 0, BLOCK_BYTES);
  spinUnlock(randomLock);
  return value;
}

function quarter(p: usize, a: u32, b: u32, c: u32, d: u32): void {
  let va = load<u32>(p + (a << 2));
  let vb = load<u32>(p + (b << 2));
  let vc = load<u32>(p + (c << 2));
  let vd = load<u32>(p + (d << 2));
  va += vb;
  vd = rotl<u32>(vd ^ va, 16);
  vc += vd;
  vb = rotl<u32>(vb ^ vc, 12);
  va += vb;
  vd = rotl<u32>(vd ^ va, 8);
  vc += vd;
  vb = rotl<u32>(vb ^ vc, 7);
  store<u32>(p + (a << 2), va);
  store<u32>(p + (b << 2), vb);
  store<u32>(p + (c << 2), vc);
  store<u32>(p + (d << 2), vd);
}

/** The ChaCha20 block function: 64 bytes at `out` from the 16 words at `state`. */
export function chachaBlock(out: usize, state: usize): void {
  memory.copy(out, state, BLOCK_BYTES);
  for (let i = 0; i < 10; i++) {
    quarter(out, 0, 4, 8, 12);
    quarter(out, 1, 5, 9, 13);
    quarter(out, 2, 6, 10, 14);
    quarter(out, 3, 7, 11, 15);
    quarter(out, 0, 5, 10, 15);
    quarter(out, 1, 6, 11, 12);
    quarter(out, 2, 7, 8, 13);
    quarter(out, 3, 4, 9, 14);
  }
  for (let i: u32 = 0; i < BLOCK_BYTES; i += 4) store<u32>(out + i, load<u32>(out + i) + load<u32>(state + i));
}
