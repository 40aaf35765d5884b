/**
 * Disks below the function that drives them, partitions below their disk; links in /sys/block, /sys/class/block and /sys/dev/block.
 * A partition that a new table no longer has stays as a directory, with size 0.
 *
 * Object: the minor. Spec: Linux, Documentation/ABI/stable/sysfs-block.
 */
import { BlockFeature, BLOCK_ENTRIES } from "../../../abi/block-ring";
import { wordAt, wordSet } from "../../../lib/words";
import { BLOCK_MAJOR, BlockDevice, blockDeviceAt, blockDeviceSectors, diskOf, PARTITIONS } from "../../block/block-device";
import { Disk } from "../../block/disk";
import { dmaFunction } from "../../block/dma";
import { REQUEST_PIECES } from "../../block/request";
import { sysAttributeAdd, sysAttributeMode, sysDirMake, SysKind, sysLinkAdd, sysLinkMake, SysNode, sysNodeAt } from "./node";
import { SeqBuf, seqByte, seqDec, seqDecLine, seqDecPad, seqLine, seqStr, seqWord } from "../proc/seq-buf";
import { pciIndexOf, sysPciNode } from "./show-pci";
import { sysPlace, SysPlace } from "./tree";

const SECTOR: u32 = 512;
const PIECE_KIB: u32 = 4;
const WIDTH: u32 = 8; // of the columns of stat
const SPACE: u32 = 0x20;
/** SysNode of each device, by minor. */
const BLOCK_NODES: usize = memory.data(8 * 16 * 4, 4);
const BOTH: u32 = SysKind.DISK | SysKind.PARTITION;

export function sysBlockInit(): void {
  sysAttributeMode(BOTH, "uevent", 0o644, ueventShow);
  sysAttributeAdd(BOTH, "dev", devShow);
  sysAttributeAdd(BOTH, "size", (seq, object) => seqDecLine(seq, blockDeviceSectors(deviceOf(object))));
  sysAttributeAdd(SysKind.PARTITION, "start", (seq, object) => seqDecLine(seq, deviceOf(object).start));
  sysAttributeAdd(SysKind.PARTITION, "partition", (seq, object) => seqDecLine(seq, object % PARTITIONS));
  sysAttributeAdd(BOTH, "ro", (seq, object) => flagShow(seq, object, BlockFeature.READ_ONLY));
  sysAttributeAdd(SysKind.DISK, "removable", (seq, object) => seqDecLine(seq, 0));
  sysAttributeAdd(SysKind.DISK, "hidden", (seq, object) => seqDecLine(seq, 0));
  sysAttributeAdd(SysKind.DISK, "range", (seq, object) => seqDecLine(seq, PARTITIONS));
  sysAttributeAdd(BOTH, "alignment_offset", (seq, object) => seqDecLine(seq, 0));
  sysAttributeAdd(SysKind.DISK, "stat", statShow);
  sysAttributeAdd(SysKind.QUEUE, "logical_block_size", (seq, object) => seqDecLine(seq, SECTOR));
  sysAttributeAdd(SysKind.QUEUE, "physical_block_size", (seq, object) => seqDecLine(seq, SECTOR));
  sysAttributeAdd(SysKind.QUEUE, "hw_sector_size", (seq, object) => seqDecLine(seq, SECTOR));
  sysAttributeAdd(SysKind.QUEUE, "minimum_io_size", (seq, object) => seqDecLine(seq, SECTOR));
  sysAttributeAdd(SysKind.QUEUE, "optimal_io_size", (seq, object) => seqDecLine(seq, 0));
  sysAttributeAdd(SysKind.QUEUE, "max_sectors_kb", (seq, object) => seqDecLine(seq, REQUEST_PIECES * PIECE_KIB));
  sysAttributeAdd(SysKind.QUEUE, "max_segments", (seq, object) => seqDecLine(seq, REQUEST_PIECES));
  sysAttributeAdd(SysKind.QUEUE, "nr_requests", (seq, object) => seqDecLine(seq, BLOCK_ENTRIES));
  sysAttributeAdd(SysKind.QUEUE, "rotational", (seq, object) => seqDecLine(seq, 1)); // unknown: what Linux says then
  sysAttributeAdd(SysKind.QUEUE, "scheduler", (seq, object) => seqLine(seq, "[none]"));
  sysAttributeAdd(SysKind.QUEUE, "write_cache", writeCacheShow);
}

function deviceOf(object: u32): BlockDevice { return changetype<BlockDevice>(blockDeviceAt(object)); } // SAFETY: minors of nodes are in range

/** A disk that has got a driver, its first or another. */
export function sysDiskAppear(disk: Disk): void {
  const object = disk.index * PARTITIONS;
  if (wordAt(BLOCK_NODES, object) != 0) return;
  const fn = dmaFunction(disk.index);
  const parent = fn ? sysPciNode(pciIndexOf(fn)) : null;
  const folder = sysDirMake(parent ? parent : sysPlace(SysPlace.VIRTUAL), SysKind.PLAIN, 0, (seq, object) => seqWord(seq, "block"));
  const node = folder ? sysDirMake(folder, SysKind.DISK, object, namePut) : null;
  if (!node) return;
  wordSet(BLOCK_NODES, object, <u32>changetype<usize>(node));
  sysDirMake(node, SysKind.QUEUE, object, (seq, object) => seqWord(seq, "queue"));
  if (parent) sysLinkAdd(node, "device", parent);
  sysLinkAdd(sysPlace(SysPlace.BLOCK), "", node);
  linksAdd(node, object);
}

/** Partition `number` of a disk that has its directory; for the first time or again. */
export function sysPartitionAppear(disk: Disk, number: u32): void {
  const above = wordAt(BLOCK_NODES, disk.index * PARTITIONS);
  const object = disk.index * PARTITIONS + number;
  if (above == 0 || wordAt(BLOCK_NODES, object) != 0) return;
  const node = sysDirMake(sysNodeAt(above), SysKind.PARTITION, object, namePut);
  if (!node) return;
  wordSet(BLOCK_NODES, object, <u32>changetype<usize>(node));
  linksAdd(node, object);
}

function linksAdd(node: SysNode, object: u32): void {
  sysLinkAdd(node, "subsystem", sysPlace(SysPlace.CLASS_BLOCK));
  sysLinkAdd(sysPlace(SysPlace.CLASS_BLOCK), "", node);
  sysLinkMake(sysPlace(SysPlace.DEV_BLOCK), node, object, numberPut);
}

function namePut(seq: SeqBuf, object: u32): i32 {
  seqStr(seq, "vd");
  seqByte(seq, 0x61 + object / PARTITIONS);
  if (object % PARTITIONS != 0) seqDec(seq, object % PARTITIONS);
  return 0;
}

/** major:minor. */
function numberPut(seq: SeqBuf, object: u32): i32 {
  seqDec(seq, BLOCK_MAJOR);
  seqByte(seq, 0x3a);
  seqDec(seq, object);
  return 0;
}

function devShow(seq: SeqBuf, object: u32): i32 {
  numberPut(seq, object);
  seqByte(seq, 0x0a);
  return 0;
}

function flagShow(seq: SeqBuf, object: u32, feature: u32): i32 {
  return seqDecLine(seq, diskOf(deviceOf(object)).features & feature ? 1 : 0);
}

function writeCacheShow(seq: SeqBuf, object: u32): i32 {
  return seqLine(seq, diskOf(deviceOf(object)).features & BlockFeature.FLUSH ? "write back" : "write through");
}

function ueventShow(seq: SeqBuf, object: u32): i32 {
  seqStr(seq, "MAJOR=");
  seqDec(seq, BLOCK_MAJOR);
  seqStr(seq, "\nMINOR=");
  seqDec(seq, object);
  seqStr(seq, "\nDEVNAME=");
  namePut(seq, object);
  if (object % PARTITIONS == 0) return seqLine(seq, "\nDEVTYPE=disk");
  seqStr(seq, "\nDEVTYPE=partition\nPARTN=");
  return seqDecLine(seq, object % PARTITIONS);
}

/** Linux' 17 columns; what is not counted is 0. */
function statShow(seq: SeqBuf, object: u32): i32 {
  const disk = diskOf(deviceOf(object));
  columnsPut(seq, disk.reads, disk.readSectors);
  columnsPut(seq, disk.writes, disk.writeSectors);
  for (let i = 0; i < 9; i++) columnPut(seq, 0);
  seqByte(seq, 0x0a);
  return 0;
}

function columnsPut(seq: SeqBuf, requests: u64, sectors: u64): void {
  columnPut(seq, requests);
  columnPut(seq, 0);
  columnPut(seq, sectors);
  columnPut(seq, 0);
}

function columnPut(seq: SeqBuf, value: u64): void {
  if (seq.length != 0) seqByte(seq, SPACE);
  seqDecPad(seq, value, WIDTH, SPACE);
}
