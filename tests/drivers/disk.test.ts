/** Disks with partitions made by sfdisk, devices written to and read from, errors that QEMU makes. One boot does it all. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withVm, type Vm } from "../../qemu/harness.ts";
import { archive, file } from "../../toolchain/cpio.ts";
import { userlandEntries } from "../../toolchain/userland.ts";
import { BOOT_MS, targetOptions } from "../support/target.ts";

const FOLDER = "build/tests/disk";
const MIB = 1 << 20;
const SECTOR = 512;
const TEST_MS = 3 * BOOT_MS;
/** The second disk's sector that cannot be written, in its second partition, which begins with a file system until it is overwritten. */
const BAD_SECTOR = 30_000;
const SECOND_AT = 16_384;
const MARKED_BYTES = 7 * MIB;
const ERRORS_TOLD = [
  "write: 0", "fsync of the writer: EIO", "and again: 0", "fsync of the other: EIO", "and again: 0", "fsync of one who came later: 0",
  "write elsewhere: 0", "fsync: 0", "read of what could not be written: 0",
].join("\n");
/** Of the third disk, which has nothing on it. */
const UNREADABLE = 1000;
const UNREADABLE_TOLD = [
  "read: EIO", "read past the cache: EIO", "read past the cache from before it: 131072", "read at the position: EIO",
  "the position is: 0",
].join("\n");
const SYNCED = { o_sync: "O_SYNC: 262144", o_dsync: "O_DSYNC: 262144", writev: "O_SYNC by writev: 262144", rwf: "RWF_DSYNC: 262144", msync: "msync: 0" };
const LOST_TOLD = ["write: 0", "syncfs: EIO", "and again: 0", "syncfs of the other: EIO", "syncfs of one who came later: 0", "syncfs of a place: EBADF"].join("\n");
const path = (name: string): string => join(FOLDER, name);

function image(name: string, mib: number, table = ""): string {
  rmSync(path(name), { force: true });
  writeFileSync(path(name), "");
  truncateSync(path(name), mib * MIB);
  if (table !== "") execFileSync("sfdisk", ["--quiet", path(name)], { input: table });
  return path(name);
}

/** Bytes of a device as the medium has them, as md5sum prints. */
function hostSum(name: string, offset: number, size: number): string {
  const bytes = readFileSync(path(name)).subarray(offset, offset + size);
  return execFileSync("md5sum", { input: bytes, encoding: "utf8" }).split(" ")[0]!;
}

async function output(vm: Vm, command: string): Promise<string> {
  const result = await vm.run(command, TEST_MS);
  expect([command, result.status, result.output]).toEqual([command, 0, result.output]);
  return result.output.trim();
}

beforeAll(() => {
  mkdirSync(FOLDER, { recursive: true });
  execFileSync("gcc", ["-O1", "-static", "-w", "-o", path("disk-calls"), "tests/drivers/disk-calls.c"]);
  writeFileSync(path("root.cpio"), archive([...userlandEntries(), file("bin/disk-calls", readFileSync(path("disk-calls")), 0o755)]));
  const mbr = image("mbr.img", 64, "label: dos\nstart=2048,size=81920,type=c\nstart=90112,size=40000,type=5\nstart=92160,size=8192,type=83\nstart=102400,size=4096,type=83\n");
  execFileSync("mkfs.fat", ["--offset", "2048", "-F", "32", mbr, "40960"], { stdio: "ignore" });
  writeFileSync(path("hello.txt"), "from the host\n");
  execFileSync("mcopy", ["-i", `${mbr}@@${MIB}`, path("hello.txt"), "::hello.txt"]);
  image("gpt.img", 64, `label: gpt\nstart=2048,size=8192\nstart=${SECOND_AT},size=81920\n`);
  execFileSync("mkfs.fat", ["--offset", String(SECOND_AT), "-F", "32", "-s", "1", path("gpt.img"), "40960"], { stdio: "ignore" });
  const marks = Buffer.alloc(MARKED_BYTES);
  for (let at = 0; at < marks.length; at += SECTOR) marks.writeUInt32LE(at / SECTOR, at);
  writeFileSync(path("marks"), marks);
  execFileSync("mcopy", ["-i", `${path("gpt.img")}@@${SECOND_AT * SECTOR}`, path("marks"), "::marks"]);
  const readOnly = image("read-only.img", 4);
  execFileSync("mkfs.fat", [readOnly], { stdio: "ignore" });
  execFileSync("mcopy", ["-i", readOnly, path("hello.txt"), "::hello.txt"]);
  writeFileSync(path("unreadable.conf"), `[inject-error]\nevent = "none"\niotype = "read"\nsector = "${UNREADABLE}"\nerrno = "5"\nonce = "off"\n`);
  writeFileSync(path("bad.conf"), `[inject-error]\nevent = "none"\niotype = "write"\nsector = "${BAD_SECTOR}"\nerrno = "5"\nonce = "off"\n`);
});

/** With so many disks SeaBIOS keeps memory into which QEMU has put the end of the initramfs. */
async function manyDisks(vm: Vm): Promise<void> {
  await output(vm, "dmesg | grep 'mm: the initramfs ended in memory the firmware keeps'");
  await output(vm, "for i in 1 2 3 4 5 6 7 8 9; do [ -b /dev/vdc ] && [ -b /dev/vdd ] && break; sleep 1; done");
  expect(await output(vm, "blockdev --getsize64 /dev/vdc; blockdev --getsize64 /dev/vdd")).toBe(`${MIB}\n${2 * MIB}`);
}

async function partitions(vm: Vm): Promise<void> {
  await output(vm, "for i in 1 2 3 4 5 6 7 8 9; do [ -b /dev/vdb2 ] && break; sleep 1; done");
  expect(await output(vm, "cd /dev; echo vd*")).toBe("vda vda1 vda5 vda6 vdb vdb1 vdb2 vdc vdd vde");
  expect(await output(vm, "awk '/vd[ab]/ {print $1, $2, $3, $4}' /proc/partitions")).toBe(
    ["254 0 65536 vda", "254 1 40960 vda1", "254 5 4096 vda5", "254 6 2048 vda6", "254 16 65536 vdb", "254 17 4096 vdb1", "254 18 40960 vdb2"].join("\n"));
  expect(await output(vm, "blockdev --getsize64 /dev/vda5; blockdev --getsize64 /dev/vda")).toBe(`${8192 * SECTOR}\n${64 * MIB}`);
}

/** Disks and partitions in /sys: commands and what they print. */
const SYSFS: readonly (readonly [command: string, output: string])[] = [
  ["cd /sys/block; echo *", "vda vdb vdc vdd vde"],
  ["cd /sys/class/block; echo *", "vda vda1 vda5 vda6 vdb vdb1 vdb2 vdc vdd vde"],
  ["cd /sys/block/vda; cat size ro removable range dev", "131072\n0\n0\n16\n254:0"],
  ["cd /sys/block/vda/vda5; cat size start partition dev ro", "8192\n92160\n5\n254:5\n0"],
  ["cd /sys/dev/block/254:18; cat size start uevent", "81920\n16384\nMAJOR=254\nMINOR=18\nDEVNAME=vdb2\nDEVTYPE=partition\nPARTN=2"],
  ["cat /sys/block/vde/ro", "1"],
  ["cd /sys/block/vdb/queue; cat logical_block_size write_cache max_sectors_kb", "512\nwrite back\n128"],
  ["cat /sys/block/vdc/device/vendor; readlink -f /sys/class/block/vda1 | sed 's|.*/block/||'", "0x1af4\nvda/vda1"],
  ["awk '{print ($1 > 0), NF}' /sys/block/vda/stat", "1 17"],
  ["cat /sys/block/vdf/size 2>&1 | grep -c 'No such'; echo 1 2>/dev/null >/sys/block/vda/size || echo refused", "1\nrefused"],
];

async function sysfs(vm: Vm): Promise<void> {
  const found: [string, string][] = [];
  for (const [command] of SYSFS) found.push([command, (await vm.run(`(${command})`)).output.trim()]);
  expect(found).toEqual(SYSFS);
}

/** FAT on a partition: what the host put there is read, what is written is where the host finds it, and nothing lies elsewhere. */
async function mounted(vm: Vm): Promise<void> {
  expect(await output(vm, "mount -t vfat /dev/vda1 /mnt && cat /mnt/hello.txt")).toBe("from the host");
  await output(vm, "head -c 3000000 /dev/urandom > /mnt/data && md5sum < /mnt/data > /tmp/sum && sync");
  expect((await vm.run("mount -t vfat /dev/vda /tmp")).status).not.toBe(0); // the disk under a mounted partition
  expect((await vm.run("blockdev --rereadpt /dev/vda")).output).toMatch(/busy/i);
  await output(vm, "umount /mnt");
  await output(vm, "blockdev --rereadpt /dev/vda");
}

/** The same of a file: the sector is one of its. */
async function errorsOfFile(vm: Vm): Promise<void> {
  const mark = readFileSync(path("gpt.img")).readUInt32LE(BAD_SECTOR * SECTOR);
  await output(vm, "mount -t vfat /dev/vdb2 /mnt");
  expect(await output(vm, `disk-calls errors /mnt/marks ${mark * SECTOR}`)).toBe(ERRORS_TOLD);
  expect(await output(vm, `disk-calls lost /mnt/marks ${mark * SECTOR} /mnt`)).toBe(LOST_TOLD);
  await output(vm, "umount /mnt");
}

async function devices(vm: Vm): Promise<void> {
  await output(vm, "head -c 4000000 /dev/urandom > /tmp/random");
  await output(vm, "dd if=/tmp/random of=/dev/vdb2 bs=7001 seek=3 conv=notrunc 2>/dev/null && sync");
  const sum = (await output(vm, "md5sum < /tmp/random")).split(" ")[0]!;
  expect(hostSum("gpt.img", SECOND_AT * SECTOR + 21003, 4_000_000)).toBe(sum);
  // Through the disk, past the cache, and in order: the same bytes.
  expect(await output(vm, `tail -c +$((${SECOND_AT}*512+21003+1)) /dev/vdb | head -c 4000000 | md5sum`)).toMatch(sum);
  expect(await output(vm, "disk-calls direct /dev/vdb1")).toBe([
    "write through the cache: 0", "read past it: 0", "the same: yes", "write past it: 0", "read through it: 0", "the same: yes",
    "part of a sector: EINVAL", "from the middle of one: EINVAL", "into the middle of one: EINVAL",
  ].join("\n"));
  expect(hostSum("gpt.img", 2048 * SECTOR, 409_600)).toBe((await output(vm, "head -c 409600 /dev/vdb1 | md5sum")).split(" ")[0]);
  // A partition ends where it ends.
  expect((await vm.run("dd if=/dev/zero of=/dev/vdb1 bs=4k seek=1023 count=2 conv=notrunc")).output).toMatch(/No space left/);
  expect(await output(vm, "dd if=/dev/vdb1 bs=4k skip=1024 count=1 2>/dev/null | wc -c")).toBe("0");
  await output(vm, "blkdiscard -o 1048576 -l 65536 /dev/vdb2 && sync");
  await output(vm, "md5sum /dev/vdb > /dev/null; grep -q vdb /proc/diskstats");
}

/** What says that it is on the medium is there, as the host finds at once; so is everything on a mount that is synchronous. */
async function synced(vm: Vm): Promise<void> {
  const onMedium = (name: string): string => execFileSync("mcopy", ["-i", `${path("mbr.img")}@@${MIB}`, `::${name}`, "-"], { encoding: "latin1" });
  await output(vm, "mount -t vfat /dev/vda1 /mnt && mkdir /mnt/s && sync");
  expect(await output(vm, "disk-calls synced /mnt/s")).toBe(Object.values(SYNCED).join("\n"));
  const sums = Object.keys(SYNCED).map((name) => execFileSync("md5sum", { input: Buffer.from(onMedium(`s/${name}`), "latin1"), encoding: "utf8" }));
  expect(new Set(sums)).toEqual(new Set([`${(await output(vm, "md5sum < /mnt/s/o_sync")).split(" ")[0]!}  -\n`]));
  await output(vm, "umount /mnt; mount -t vfat -o sync /dev/vda1 /mnt; echo at once > /mnt/new; mkdir /mnt/dir; mv /mnt/new /mnt/dir/moved; rm -r /mnt/s");
  expect(onMedium("dir/moved")).toBe("at once\n");
  expect(() => execFileSync("mdir", ["-b", "-i", `${path("mbr.img")}@@${MIB}`, "::s"], { stdio: "ignore" })).toThrow();
  expect(await output(vm, "grep -o 'vfat rw,sync' /proc/mounts; rm -r /mnt/dir; umount /mnt")).toBe("vfat rw,sync");
}

/** A disk that nobody may write: mount(8) hears so and mounts it read-only. */
async function readOnly(vm: Vm): Promise<void> {
  await output(vm, "mount -t vfat -o rw /dev/vde /mnt");
  expect(await output(vm, "grep -c '^/dev/vde /mnt vfat ro,' /proc/mounts; cat /mnt/hello.txt")).toBe("1\nfrom the host");
  expect((await vm.run("echo x > /mnt/new")).output).toMatch(/Read-only/);
  expect((await vm.run("mount -o remount,rw /mnt")).status).not.toBe(0);
  expect((await vm.run("echo x > /dev/vde")).output).toMatch(/Read-only/);
  await output(vm, "umount /mnt");
}

/** The table is damaged while the system runs. */
async function damaged(vm: Vm): Promise<void> {
  await output(vm, "for at in 572 $((64*1048576-512+60)); do printf X | dd of=/dev/vdb bs=1 seek=$at conv=notrunc 2>/dev/null; done");
  expect((await vm.run("blockdev --rereadpt /dev/vdb")).status).not.toBe(0);
  expect(await output(vm, "dmesg | grep -o 'vdb: no partitions.*'")).toBe("vdb: no partitions: the GPT header is damaged");
  expect((await vm.run("head -c 1 /dev/vdb1")).status).not.toBe(0);
  expect(await output(vm, "cat /sys/block/vdb/vdb1/size /sys/block/vdb/size; grep -c 'vdb[12]' /proc/partitions || true")).toBe("0\n131072\n0");
}

test("partitions, a file system on one, and the devices themselves", () => {
  const unreadable = `blkdebug:${path("unreadable.conf")}:${image("third.img", 1)}`;
  const disks = [path("mbr.img"), `blkdebug:${path("bad.conf")}:${path("gpt.img")}`, unreadable, image("fourth.img", 2)];
  const extraArgs = ["-drive", `if=none,id=ro,format=raw,readonly=on,file=${path("read-only.img")}`, "-device", "virtio-blk-pci,disable-legacy=on,drive=ro"];
  return withVm(targetOptions({ cpus: 2, initrd: path("root.cpio"), disks, extraArgs, deadlineMs: TEST_MS }), async (vm) => {
    await vm.expectPrompt(BOOT_MS);
    await manyDisks(vm);
    await partitions(vm);
    await sysfs(vm);
    await mounted(vm);
    await synced(vm);
    await errorsOfFile(vm);
    await devices(vm);
    expect(await output(vm, `disk-calls unreadable /dev/vdc ${UNREADABLE * SECTOR}`)).toBe(UNREADABLE_TOLD);
    await readOnly(vm);
    expect(await output(vm, `disk-calls errors /dev/vdb2 $((${BAD_SECTOR - SECOND_AT} * 512))`)).toBe(ERRORS_TOLD);
    await damaged(vm);
    const sum = (await output(vm, "cat /tmp/sum")).split(" ")[0]!;
    execFileSync("dd", [`if=${path("mbr.img")}`, `of=${path("part.img")}`, "bs=512", "skip=2048", "count=81920"], { stdio: "ignore" });
    execFileSync("fsck.fat", ["-n", path("part.img")]); // throws unless it is clean
    const data = execFileSync("mcopy", ["-i", path("part.img"), "::data", "-"], { maxBuffer: 16 * MIB });
    expect(execFileSync("md5sum", { input: data, encoding: "utf8" }).split(" ")[0]).toBe(sum);
  });
}, TEST_MS + BOOT_MS);
