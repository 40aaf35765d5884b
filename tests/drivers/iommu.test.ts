/**
 * Devices behind an IOMMU (Intel VT-d) and behind bridges: drivers work, are killed and come back, and one whose device writes where
 * nothing was granted is stopped and named, while the others go on.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withVm, type Vm } from "../../qemu/harness.ts";
import { file } from "../../toolchain/cpio.ts";
import { rootWithServers } from "../support/servers.ts";
import { BOOT_MS, targetOptions } from "../support/target.ts";

const FOLDER = "build/tests/iommu";
/** Where instance 2 of tests/drivers/servers/edu sends its device: the kernel's text. */
const ASTRAY = 0x1040000;
const BYTES = 2048;
const RUN_MS = 180_000;
/** In edu's configuration space, as QEMU lays it out. */
const EDU_MSI_ADDRESS = 0x44;
/** Bit of a message's address: it names an entry of the table. */
const REMAPPABLE = 0x10;
/** Entry 0x9f, which no vector of a driver has so soon. */
const NOBODYS = 0xfee00010 + (0x9f << 5);

function disk(name: string): string {
  const image = join(FOLDER, name);
  rmSync(image, { force: true });
  writeFileSync(image, "");
  truncateSync(image, 64 << 20);
  execFileSync("mkfs.fat", ["-F", "32", image]);
  return image;
}

/** For each disk: a file is written while the driver is killed, and read back when nothing of it is cached any more. */
const KILLS = `#!/bin/sh
head -c 6000000 /dev/urandom > /tmp/data
for disk in vda vdb; do
  mount -t vfat /dev/$disk /mnt
  (for i in 1 2 3 4 5 6; do usleep 100000; kill -9 $(pidof virtio-blk); done) 2>/dev/null &
  cp /tmp/data /mnt/a && sync && cp /mnt/a /mnt/b
  wait
  umount /mnt
  mount -t vfat /dev/$disk /mnt
  cmp /tmp/data /mnt/a && cmp /tmp/data /mnt/b && echo the same
  umount /mnt
done
`;

/** Physical memory of the guest. */
async function memoryAt(vm: Vm, val: number, size: number): Promise<Buffer> {
  const filename = join(process.cwd(), FOLDER, "memory");
  await (await vm.qmp()).execute("pmemsave", { val, size, filename });
  return readFileSync(filename);
}

/** Configuration space of a function, by I/O ports from outside: what its driver may not write. */
async function configWord(vm: Vm, address: number, value?: number): Promise<number> {
  const monitor = async (line: string): Promise<string> => String(await (await vm.qmp()).execute("human-monitor-command", { "command-line": line }));
  await monitor(`o/4 0xcf8 0x${(0x80000000 + address).toString(16)}`);
  if (value !== undefined) await monitor(`o/4 0xcfc 0x${value.toString(16)}`);
  return parseInt(/= 0x([0-9a-f]+)/.exec(await monitor("i/4 0xcfc"))![1]!, 16);
}

/**
 * The message of instance 3 is changed, behind its driver's back, into one that is instance 0's, then into nobody's: neither arrives.
 * (QEMU's unit refuses those, but lets messages pass that are not in the remappable format, as hardware does not.)
 */
async function forgedMessages(vm: Vm): Promise<void> {
  await vm.run("until dmesg | grep -q 'edu 3: its message comes'; do usleep 100000; done", BOOT_MS);
  expect(await serverLog(vm)).toMatch(/iommu: interrupts are remapped/);
  const [victim, forger] = [0x10800 + EDU_MSI_ADDRESS, 0x4800 + EDU_MSI_ADDRESS];
  const own = await configWord(vm, forger);
  const handle = await configWord(vm, victim);
  expect([own & REMAPPABLE, handle & REMAPPABLE, own === handle]).toEqual([REMAPPABLE, REMAPPABLE, false]);
  for (const [times, forged] of [[1, handle], [2, NOBODYS]] as const) {
    await configWord(vm, forger, forged);
    await vm.run(`until [ $(dmesg | grep -c 'edu 3: its message does not come') = ${times} ]; do usleep 100000; done`, BOOT_MS);
    await configWord(vm, forger, own);
    await vm.run(`until [ $(dmesg | grep -c 'edu 3: its message comes') = ${times + 1} ]; do usleep 100000; done`, BOOT_MS);
  }
  expect(await serverLog(vm)).not.toMatch(/nobody asked for/);
}

async function serverLog(vm: Vm): Promise<string> {
  return (await vm.run("dmesg | grep -E 'server:|iommu:|pci:'")).output;
}

test("a driver reaches what it was granted, and one that does not keep to it is stopped", async () => {
  mkdirSync(FOLDER, { recursive: true });
  const [first, second] = [disk("first.img"), disk("second.img")];
  const machine = {
    cpus: 2, iommu: true, disks: [first], initrd: rootWithServers("iommu", "tests/drivers/servers", [file("bin/kills", Buffer.from(KILLS), 0o755)]), deadlineMs: RUN_MS,
    append: "console=ttyS0 lockdep",
    extraArgs: [
      ...["-device", "pci-bridge,chassis_nr=1,id=conventional,addr=5", "-device", "edu,bus=conventional,addr=1"], // instance 0
      ...["-device", "edu,addr=6", "-device", "edu,addr=7", "-device", "edu,addr=9"], // 1, 2 and 3
      ...["-device", "pcie-root-port,id=express,chassis=2,addr=8"],
      ...["-drive", `if=none,id=second,format=raw,file=${second}`],
      ...["-device", "virtio-blk-pci,bus=express,disable-legacy=on,iommu_platform=on,drive=second"],
    ],
  };
  await withVm(targetOptions(machine), async (vm) => {
    await vm.expectPrompt(BOOT_MS);
    const before = await memoryAt(vm, ASTRAY, BYTES);
    await vm.run("until [ $(dmesg | grep -c 'may not write') -gt 1 ]; do usleep 100000; done", BOOT_MS); // it was started again
    expect((await vm.run("kills", RUN_MS)).output).toBe("the same\n".repeat(2));
    await forgedMessages(vm);
    const log = await serverLog(vm);
    expect(log).toMatch(/iommu: VT-d unit ready/);
    expect(log).toMatch(/iommu: 00:07\.0 may not write 0x1040000: stopped reason=5 pid=(\d+) killed=edu\n(.*\n)*?.*edu \(pid \1\) killed/);
    expect(log).toMatch(/edu 0: ok/); // behind a bridge to conventional PCI: messages, DMA both ways
    expect(log).toMatch(/edu 1: ok/); // an interrupt line
    expect(log).toMatch(/ahci: ok/); // ports
    expect(log).not.toMatch(/still here/);
    expect(log).not.toMatch(/0[08]:0[0268]\.0 may not/); // nobody else
    const after = await memoryAt(vm, ASTRAY, BYTES);
    expect(after.equals(before)).toBe(true);
    expect(before.some((byte) => byte !== 0)).toBe(true); // the device would have written zeroes
  });
  for (const image of [first, second]) {
    execFileSync("fsck.fat", ["-n", image]);
    rmSync(image);
  }
}, RUN_MS);
