/**
 * Partition tables: MBR with its chain of logical partitions, and GPT with its backup.
 *
 * Everything in a table is input like any other. One that makes no sense is refused as a whole, with the reason: half a table would show
 * data where other data is.
 *
 * Invariants  P1  partitions told lie within the disk, are not empty, and no two overlap.
 * Spec        UEFI 2.10, 5.2 "LBA 0 Format", 5.3 "GUID Partition Table (GPT) Disk Layout".
 * Units       sectors of 512 bytes.
 */
import { Errno } from "../../abi/errno";
import { kfree, kmalloc } from "../../core/mm/slab";
import { byteAt, wordAt16, wordAt32, wordAt64, wordPut32 } from "../../lib/bytes";
import { crc32 } from "../../lib/crc32";
import { kernelBuf } from "../vfs/io-buf";
import { buffersRead } from "./buffer-cache";
import { Disk } from "./disk";

const SECTOR: u32 = 512;
/** Numbers 1 … 15: more have no minor. */
export const PARTITION_MOST: u32 = 15;

@final @unmanaged
export class Partition {
  start: u64;
  sectors: u64; // 0: there is none of this number
}

/** What was found: partitions by number, and why there is none. */
@final @unmanaged
export class PartitionList {
  problem: u32;   // a string: the table makes no sense; 0: it does, or there is none
  highest: u32;   // number; 0: there is no table, or an empty one
  usesBackup: u32;
  ignored: u32;   // partitions whose number is too high
  first: u64;     // Partition[16] follow, by number
}
export const PARTITION_LIST_BYTES: u32 = <u32>offsetof<PartitionList>("first") + 16 * <u32>offsetof<Partition>();

export function partitionListAt(address: usize): PartitionList { return changetype<PartitionList>(address); } // SAFETY: the caller names one
/** Partition `number` (1 … 15). */
export function partitionOf(list: PartitionList, number: u32): Partition {
  return changetype<Partition>(changetype<usize>(list) + offsetof<PartitionList>("first") + <usize>number * offsetof<Partition>()); // SAFETY: in range
}

function refuse(list: PartitionList, reason: string): void { list.problem = <u32>changetype<usize>(reason); }

/** Adds a partition, if P1 lets it. */
function add(list: PartitionList, disk: Disk, number: u32, start: u64, sectors: u64): void {
  if (number > PARTITION_MOST) {
    list.ignored++;
    return;
  }
  if (start == 0 || sectors == 0 || start >= disk.sectors || sectors > disk.sectors - start) return refuse(list, "a partition leaves the disk");
  for (let i: u32 = 1; i <= list.highest; i++) {
    const other = partitionOf(list, i);
    if (other.sectors != 0 && start < other.start + other.sectors && other.start < start + sectors) return refuse(list, "partitions overlap");
  }
  partitionOf(list, number).start = start;
  partitionOf(list, number).sectors = sectors;
  list.highest = max<u32>(list.highest, number);
}

/** Fills `list` (zeroed). 0, or a negated errno of the disk. */
export function partitionsRead(disk: Disk, list: PartitionList): i32 {
  const sector = kmalloc(SECTOR);
  if (sector == 0) return -Errno.NOMEM;
  let failed = sectorsRead(disk, 0, sector, 1);
  if (failed == 0 && isMbr(sector)) failed = isProtective(sector) ? gptRead(disk, list, sector) : mbrRead(disk, list, sector);
  kfree(sector);
  return failed;
}

function sectorsRead(disk: Disk, sector: u64, to: usize, count: u32): i32 {
  return buffersRead(disk, sector * SECTOR, kernelBuf(to), count * SECTOR);
}

// ---- MBR ----

const MBR_ENTRIES: u32 = 446;
const MBR_ENTRY_BYTES: u32 = 16;
const MBR_SIGNATURE: u32 = 0xaa55;
const TYPE_PROTECTIVE: u32 = 0xee;
const FIRST_LOGICAL: u32 = 5;
/** More logical partitions than have a number, so that a chain that bites its tail ends. */
const CHAIN_MOST: u32 = 64;

function entryAt(sector: usize, index: u32): usize { return sector + MBR_ENTRIES + index * MBR_ENTRY_BYTES; }
function entryType(entry: usize): u32 { return byteAt(entry, 4); }
function entryStart(entry: usize): u32 { return wordAt32(entry + 8); }
function entrySectors(entry: usize): u32 { return wordAt32(entry + 12); }
function isExtended(type: u32): bool { return type == 0x05 || type == 0x0f || type == 0x85; }

/** The signature, and no boot flag but those there are: a boot sector of a file system has code where the flags would be. */
function isMbr(sector: usize): bool {
  if (wordAt16(sector + 510) != MBR_SIGNATURE) return false;
  for (let i: u32 = 0; i < 4; i++) if ((byteAt(entryAt(sector, i), 0) & 0x7f) != 0) return false;
  return true;
}

function isProtective(sector: usize): bool {
  for (let i: u32 = 0; i < 4; i++) if (entryType(entryAt(sector, i)) == TYPE_PROTECTIVE) return true;
  return false;
}

function mbrRead(disk: Disk, list: PartitionList, sector: usize): i32 {
  let extended: u64 = 0;
  let extendedSectors: u64 = 0;
  for (let i: u32 = 0; i < 4 && list.problem == 0; i++) {
    const entry = entryAt(sector, i);
    if (entryType(entry) == 0 || entrySectors(entry) == 0) continue;
    if (!isExtended(entryType(entry))) {
      add(list, disk, i + 1, entryStart(entry), entrySectors(entry));
      continue;
    }
    if (extended != 0) refuse(list, "two extended partitions");
    extended = entryStart(entry);
    extendedSectors = entrySectors(entry);
    if (extended == 0 || extended >= disk.sectors || extendedSectors > disk.sectors - extended) refuse(list, "the extended partition leaves the disk");
  }
  return extended != 0 && list.problem == 0 ? logicalRead(disk, list, sector, extended, extendedSectors) : 0;
}

/** The chain of boot records in the extended partition: each tells of one logical partition, relative to itself, and of the next record. */
function logicalRead(disk: Disk, list: PartitionList, sector: usize, extended: u64, sectors: u64): i32 {
  let record: u64 = 0; // relative to the extended partition
  for (let i: u32 = 0; list.problem == 0; i++) {
    if (i == CHAIN_MOST) refuse(list, "the chain of logical partitions has no end");
    const failed = sectorsRead(disk, extended + record, sector, 1);
    if (failed < 0) return failed;
    if (!isMbr(sector)) refuse(list, "the chain of logical partitions is broken");
    if (list.problem != 0) break;
    const entry = entryAt(sector, 0);
    const end = record + entryStart(entry) + entrySectors(entry);
    if (entryType(entry) != 0 && entrySectors(entry) != 0) {
      if (entryStart(entry) == 0 || end > sectors) refuse(list, "a logical partition leaves the extended one");
      else add(list, disk, FIRST_LOGICAL + i, extended + record + entryStart(entry), entrySectors(entry));
    }
    const link = entryAt(sector, 1);
    if (!isExtended(entryType(link)) || entrySectors(link) == 0) break;
    if (entryStart(link) == 0 || entryStart(link) >= sectors) refuse(list, "the chain of logical partitions leaves the extended one");
    record = entryStart(link);
  }
  return 0;
}

// ---- GPT ----

const GPT_SIGNATURE: u64 = 0x5452415020494645; // "EFI PART"
const GPT_REVISION: u32 = 0x00010000;
/** Offsets in the header; 5.3.2. */
const enum Gpt { REVISION = 8, HEADER_BYTES = 12, HEADER_CRC = 16, MY_LBA = 24, FIRST = 40, LAST = 48, ENTRIES_LBA = 72, ENTRIES = 80, ENTRY_BYTES = 84, ENTRIES_CRC = 88 }
const GPT_HEADER_LEAST: u32 = 92;
const GPT_ENTRY_LEAST: u32 = 128;
/** 128 entries of 128 bytes are what there is; four times that is taken. */
const GPT_TABLE_MOST: u32 = 65536;
/** Offsets in an entry; 5.3.3. */
const enum GptEntry { TYPE = 0, START = 32, END = 40 }

/** The primary table or, when it is damaged, the backup at the end of the disk. */
function gptRead(disk: Disk, list: PartitionList, sector: usize): i32 {
  const failed = gptReadAt(disk, list, sector, 1);
  if (failed < 0 || list.problem == 0) return failed;
  const problem = list.problem;
  listClear(list);
  list.usesBackup = 1;
  const again = gptReadAt(disk, list, sector, disk.sectors - 1);
  if (again < 0 || list.problem == 0) return again;
  listClear(list);
  list.problem = problem;
  return 0;
}

function listClear(list: PartitionList): void {
  list.problem = 0;
  list.highest = 0;
  list.ignored = 0;
  list.usesBackup = 0;
  for (let i: u32 = 0; i <= PARTITION_MOST; i++) partitionOf(list, i).sectors = 0;
}

function gptReadAt(disk: Disk, list: PartitionList, header: usize, lba: u64): i32 {
  const failed = sectorsRead(disk, lba, header, 1);
  if (failed < 0) return failed;
  const problem = gptHeaderProblem(disk, header, lba);
  if (problem) {
    refuse(list, problem);
    return 0;
  }
  const bytes = (wordAt32(header + Gpt.ENTRIES) * wordAt32(header + Gpt.ENTRY_BYTES) + SECTOR - 1) & ~(SECTOR - 1);
  const table = kmalloc(bytes);
  if (table == 0) return -Errno.NOMEM;
  const result = sectorsRead(disk, wordAt64(header + Gpt.ENTRIES_LBA), table, bytes / SECTOR);
  if (result == 0) gptEntriesTake(disk, list, header, table);
  kfree(table);
  return result;
}

/** What is wrong with the header, or null. */
function gptHeaderProblem(disk: Disk, header: usize, lba: u64): string | null {
  const bytes = wordAt32(header + Gpt.HEADER_BYTES);
  if (wordAt64(header) != GPT_SIGNATURE || wordAt32(header + Gpt.REVISION) != GPT_REVISION) return "there is no GPT header";
  if (bytes < GPT_HEADER_LEAST || bytes > SECTOR || wordAt64(header + Gpt.MY_LBA) != lba) return "the GPT header makes no sense";
  const told = wordAt32(header + Gpt.HEADER_CRC);
  wordPut32(header + Gpt.HEADER_CRC, 0);
  if (crc32(header, bytes) != told) return "the GPT header is damaged";
  const count = wordAt32(header + Gpt.ENTRIES);
  const each = wordAt32(header + Gpt.ENTRY_BYTES);
  if (each < GPT_ENTRY_LEAST || (each & (each - 1)) != 0 || each > SECTOR || count > GPT_TABLE_MOST / each) return "the GPT has entries of another size";
  const at = wordAt64(header + Gpt.ENTRIES_LBA);
  const sectors = (count * each + SECTOR - 1) / SECTOR;
  if (count == 0 || at < 2 || at >= disk.sectors || sectors > disk.sectors - at) return "the GPT's entries leave the disk";
  if (wordAt64(header + Gpt.FIRST) > wordAt64(header + Gpt.LAST) + 1 || wordAt64(header + Gpt.LAST) >= disk.sectors) return "the GPT's range leaves the disk";
  return null;
}

function gptEntriesTake(disk: Disk, list: PartitionList, header: usize, table: usize): void {
  const count = wordAt32(header + Gpt.ENTRIES);
  const each = wordAt32(header + Gpt.ENTRY_BYTES);
  if (crc32(table, count * each) != wordAt32(header + Gpt.ENTRIES_CRC)) return refuse(list, "the GPT's entries are damaged");
  for (let i: u32 = 0; i < count && list.problem == 0; i++) {
    const entry = table + i * each;
    if (wordAt64(entry + GptEntry.TYPE) == 0 && wordAt64(entry + GptEntry.TYPE + 8) == 0) continue;
    const start = wordAt64(entry + GptEntry.START);
    const end = wordAt64(entry + GptEntry.END);
    if (start < wordAt64(header + Gpt.FIRST) || end > wordAt64(header + Gpt.LAST) || end < start) return refuse(list, "a partition leaves the GPT's range");
    add(list, disk, i + 1, start, end - start + 1);
  }
}
