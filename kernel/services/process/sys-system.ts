/**
 * System calls about the whole machine: sysinfo, getrandom, reboot.
 *
 * Spec  sysinfo(2), getrandom(2), reboot(2)
 */
import { monoNowNs, powerHalt, powerOff, powerReboot, userCopyOut } from "../../../arch/current";
import { Errno } from "../../abi/errno";
import { freePageCount, totalPageCount } from "../../core/mm/buddy";
import { kfree, kmalloc } from "../../core/mm/slab";
import { randomFill } from "../../core/random";
import { currentTask } from "../../core/sched/cpu";
import { loadAverage } from "../../core/sched/load-average";
import { schedYieldPoint, taskSignalPending } from "../../core/sched/sched";
import { scratchPop, scratchPush } from "../../core/sched/scratch";
import { logFlush, logInfo } from "../../lib/log";
import { Cap, capable } from "./cred";
import { processCount } from "./process-table";

const SYSINFO_BYTES: u32 = 112;
const NS_PER_SEC: u64 = 1_000_000_000;

const GRND_NONBLOCK: u32 = 1;
const GRND_RANDOM: u32 = 2;
const GRND_INSECURE: u32 = 4;
const RANDOM_CHUNK: u32 = 4096;
const RANDOM_MAX: u64 = 0x1ffffff; // as Linux: 32 MiB - 1

const REBOOT_MAGIC1: u32 = 0xfee1dead;
const REBOOT_RESTART: u32 = 0x01234567;
const REBOOT_HALT: u32 = 0xcdef0123;
const REBOOT_CAD_ON: u32 = 0x89abcdef;
const REBOOT_CAD_OFF: u32 = 0;
const REBOOT_POWER_OFF: u32 = 0x4321fedc;
const REBOOT_RESTART2: u32 = 0xa1b2c3d4;

/** struct sysinfo: uptime, loads[3], totalram, freeram, sharedram, bufferram, totalswap, freeswap, procs, …, mem_unit. */
export function sysSysinfo(va: u64): i64 {
  const ptr = scratchPush(SYSINFO_BYTES);
  memory.fill(ptr, 0, SYSINFO_BYTES);
  store<u64>(ptr, monoNowNs() / NS_PER_SEC);
  for (let i: u32 = 0; i < 3; i++) store<u64>(ptr + 8 + (i << 3), <u64>loadAverage(i) << 5); // 11 to 16 fraction bits
  store<u64>(ptr, totalPageCount() << 12, 32);
  store<u64>(ptr, freePageCount() << 12, 40);
  store<u16>(ptr, <u16>min<u32>(processCount(), 0xffff), 80);
  store<u32>(ptr, 1, 104);
  const result = userCopyOut(va, ptr, SYSINFO_BYTES);
  scratchPop(SYSINFO_BYTES);
  return result;
}

/** Random bytes; the generator is seeded at boot, so this never waits. Long requests can be interrupted. */
export function sysGetrandom(va: u64, count: u64, flags: u32): i64 {
  if (flags & ~(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE)) return -Errno.INVAL;
  if ((flags & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE)) return -Errno.INVAL;
  const total = min<u64>(count, RANDOM_MAX);
  if (total <= 256) return randomSmall(va, <u32>total);
  const chunk = kmalloc(RANDOM_CHUNK);
  if (chunk == 0) return -Errno.NOMEM;
  let done: u64 = 0;
  let isFaulty = false;
  while (done < total) {
    const part = <u32>min<u64>(total - done, RANDOM_CHUNK);
    randomFill(chunk, part);
    isFaulty = userCopyOut(va + done, chunk, part) != 0;
    if (isFaulty) break;
    done += part;
    schedYieldPoint();
    if (taskSignalPending(currentTask())) break;
  }
  memory.fill(chunk, 0, RANDOM_CHUNK);
  kfree(chunk);
  return done == 0 && isFaulty ? -<i64>Errno.FAULT : <i64>done;
}

function randomSmall(va: u64, count: u32): i64 {
  if (count == 0) return 0;
  const ptr = scratchPush(count);
  randomFill(ptr, count);
  const result = userCopyOut(va, ptr, count);
  scratchPop(count);
  return result != 0 ? result : <i64>count;
}

function magicOk(magic2: u32): bool {
  return magic2 == 672274793 || magic2 == 85072278 || magic2 == 369367448 || magic2 == 537993216;
}

/** A line that is on the console when the machine stops. */
function lastWords(text: string): void {
  logInfo("power", text);
  logFlush();
}

export function sysReboot(magic: u32, magic2: u32, command: u32, argVa: u64): i64 {
  if (!capable(Cap.SYS_BOOT)) return -Errno.PERM;
  if (magic != REBOOT_MAGIC1 || !magicOk(magic2)) return -Errno.INVAL;
  switch (command) {
    case REBOOT_CAD_ON:
    case REBOOT_CAD_OFF: return 0; // Ctrl-Alt-Del goes to no one here
    case REBOOT_RESTART:
    case REBOOT_RESTART2:
      lastWords("restarting");
      powerReboot();
      return 0;
    case REBOOT_POWER_OFF:
      lastWords("power off");
      powerOff();
      lastWords("no ACPI power off: halted");
      powerHalt();
      return 0;
    case REBOOT_HALT:
      lastWords("halted");
      powerHalt();
      return 0;
    default: return -Errno.INVAL;
  }
}
