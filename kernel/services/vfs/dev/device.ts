/**
 * Character devices: which driver answers which device number, and under which name devtmpfs shows it.
 *
 * Invariants  D1  a device number is registered at most once; entries are never removed.
 * Locking     filled at boot before the first open; read without a lock.
 * Units       rdev: Linux's 64-bit dev_t.
 */
import { Errno } from "../../../abi/errno";
import { fileOpsDefaults } from "../file";
import { File, FileMode, FileOps, Inode } from "../types";
import { specialFileOpsSet } from "../vfs";

const MAX_DEVICES: u32 = 64;

@final @unmanaged
export class Device {
  rdev: u64;
  name: usize;     // a string literal: path below /dev; 0: devtmpfs shows none
  mode: u32;       // permission bits
  ops: usize;      // FileOps an open file starts with; its `open` slot is called
  hasAnyMinor: u32; // 1: answers every minor of its major
}

@final @unmanaged
class DeviceTable {
  count: u32;
}

const TABLE = changetype<DeviceTable>(memory.data(offsetof<DeviceTable>()));
const DEVICES: usize = memory.data(64 * 24, 8);
if (offsetof<Device>() != 24) ERROR("DEVICES is indexed by 24 bytes");
const CHAR_OPS = changetype<FileOps>(memory.data(offsetof<FileOps>()));

/** dev_t of (major, minor), as makedev(3). */
export function deviceNumber(major: u32, minor: u32): u64 {
  return <u64>((minor & 0xff) | (major & 0xfff) << 8) | <u64>(minor & ~0xff) << 12 | <u64>(major & ~0xfff) << 32;
}

export function deviceMajor(rdev: u64): u32 {
  return <u32>(rdev >> 8) & 0xfff | <u32>(rdev >> 32) & ~0xfff;
}

export function deviceMinor(rdev: u64): u32 {
  return <u32>rdev & 0xff | <u32>(rdev >> 12) & ~0xff;
}

/** Opens of character special files come here from now on. */
export function deviceInit(): void {
  fileOpsDefaults(CHAR_OPS);
  CHAR_OPS.open = deviceOpen;
  specialFileOpsSet(FileMode.IFCHR, CHAR_OPS);
}

/** Announces a driver: `ops.open` runs for every open and may replace file.ops. */
export function deviceRegisterChar(major: u32, minor: u32, name: string, mode: u32, ops: FileOps): void {
  assert(TABLE.count < MAX_DEVICES);
  const device = deviceAt(TABLE.count);
  device.rdev = deviceNumber(major, minor);
  device.name = changetype<usize>(name);
  device.mode = mode;
  device.ops = changetype<usize>(ops);
  TABLE.count = TABLE.count + 1;
}

/** Announces a driver of all minors of `major` (ptys); its nodes are somebody else's. */
export function deviceRegisterMajor(major: u32, ops: FileOps): void {
  deviceRegisterChar(major, 0, "", 0, ops);
  const device = deviceAt(TABLE.count - 1);
  device.name = 0;
  device.hasAnyMinor = 1;
}

/** File operations of any character device node. */
export function deviceFileOps(): usize {
  return changetype<usize>(CHAR_OPS);
}

export function deviceCount(): u32 {
  return TABLE.count;
}

export function deviceAt(index: u32): Device {
  return changetype<Device>(DEVICES + index * offsetof<Device>()); // SAFETY: index < MAX_DEVICES
}

function deviceOpen(inode: Inode, file: File): i32 {
  for (let i: u32 = 0; i < TABLE.count; i++) {
    const device = deviceAt(i);
    const matches = device.hasAnyMinor ? deviceMajor(device.rdev) == deviceMajor(inode.rdev) : device.rdev == inode.rdev;
    if (!matches) continue;
    file.ops = device.ops;
    return changetype<FileOps>(device.ops).open(inode, file); // SAFETY: registered as FileOps
  }
  return -(<i32>Errno.NXIO);
}
