/** /sys as Linux lays it out, for devices that the machine of the test surely has. KERNEL=linux shows that it does. */
import { withVm } from "../../qemu/harness.ts";
import { BOOT_MS, targetOptions } from "../support/target.ts";

/** An edu device behind a bridge to conventional PCI, and a port of PCI Express. */
const DEVICES = [
  ...["-device", "pci-bridge,chassis_nr=1,id=conventional,addr=5", "-device", "edu,bus=conventional,addr=1"],
  ...["-device", "pcie-root-port,id=express,chassis=2,addr=8"],
];

const EDU = "/sys/bus/pci/devices/0000:01:01.0";
const BRIDGE = "/sys/bus/pci/devices/0000:00:05.0";

/** Commands and what they print. */
const FACTS: readonly (readonly [command: string, output: string])[] = [
  ["for d in block bus class dev devices firmware fs kernel module power; do [ -d /sys/$d ] || echo no $d; done", ""],
  ["stat -f -c %T /sys; grep -c ' /sys sysfs ' /proc/mounts", "sysfs\n1\n"],
  ["ls -1 /sys/bus/pci/devices", "0000:00:00.0\n0000:00:01.0\n0000:00:05.0\n0000:00:08.0\n0000:00:1f.0\n0000:00:1f.2\n0000:00:1f.3\n0000:01:01.0\n"],
  [`readlink ${EDU}; cd ${EDU}; pwd -P`, "../../../devices/pci0000:00/0000:00:05.0/0000:01:01.0\n/sys/devices/pci0000:00/0000:00:05.0/0000:01:01.0\n"],
  [`cd ${EDU}; readlink subsystem; cat subsystem/devices/0000:01:01.0/vendor`, "../../../../bus/pci\n0x1234\n"],
  [`cd ${EDU}; cat vendor device subsystem_vendor subsystem_device class revision`, "0x1234\n0x11e8\n0x1af4\n0x1100\n0x00ff00\n0x10\n"],
  [`cd ${EDU}; grep -v DRIVER uevent`,
    "PCI_CLASS=FF00\nPCI_ID=1234:11E8\nPCI_SUBSYS_ID=1AF4:1100\nPCI_SLOT_NAME=0000:01:01.0\nMODALIAS=pci:v00001234d000011E8sv00001AF4sd00001100bc00scFFi00\n"],
  [`cat ${EDU}/modalias`, "pci:v00001234d000011E8sv00001AF4sd00001100bc00scFFi00\n"],
  [`cd ${EDU}; wc -l <resource; sed -n '2,$p' resource | sort -u; sed -n 1p resource | sed 's/0xf[0-9a-f]*/0x/; s/0x0*f[e-f][0-9a-f]*/at/g'`,
    `13\n${Array(3).fill("0x0000000000000000").join(" ")}\nat at 0x0000000000040200\n`],
  [`wc -c <${EDU}/config; head -c 4 ${EDU}/config | od -An -tx1; dd if=${EDU}/config bs=1 skip=8 count=4 2>/dev/null | od -An -tx1`, "256\n 34 12 e8 11\n 10 00 ff 00\n"],
  ["wc -c </sys/bus/pci/devices/0000:00:08.0/config", "4096\n"],
  [`cd ${BRIDGE}; cat class secondary_bus_number subordinate_bus_number; wc -l <resource`, "0x060400\n1\n1\n17\n"],
  ["cd /sys/devices/system/cpu; cat online possible present offline; ls -1d cpu[0-9]*", "0-1\n0-1\n0-1\n\ncpu0\ncpu1\n"],
  ["cd /sys/devices/system/cpu/cpu1/topology; cat core_id physical_package_id thread_siblings_list", "1\n0\n1\n"],
  [`[ -e ${EDU}/none ] || echo absent; echo x 2>/dev/null >${EDU}/vendor || echo refused`, "absent\nrefused\n"],
];

test("/sys has Linux' names, links and texts", () =>
  withVm(targetOptions({ cpus: 2, extraArgs: DEVICES }), async (vm) => {
    await vm.expectPrompt(BOOT_MS);
    const found: [string, string][] = [];
    for (const [command] of FACTS) found.push([command, (await vm.run(`(${command})`)).output]);
    expect(found).toEqual(FACTS);
    expect((await vm.run("find /sys -type l | while read -r l; do [ -e \"$l\" ] || echo \"$l\"; done")).output).toBe(""); // no link leads nowhere
  }), 2 * BOOT_MS);
