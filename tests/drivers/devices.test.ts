/** Devices as a holder of ROOT sees them: ranges with a table of messages, one holder at a time, functions behind another root bus. */
import { buildPrograms, guestPath, programEntries } from "../support/programs.ts";
import { runBatch } from "../support/batch.ts";

const RUN_MS = 120_000;
const DEVICES = [
  ...["-device", "nvme,serial=none", "-device", "qemu-xhci", "-device", "edu,addr=9"],
  ...["-device", "pxb-pcie,bus_nr=64,id=root", "-device", "pcie-root-port,bus=root,id=other,chassis=9", "-device", "edu,bus=other"],
];

test("what is given of a device, and to whom", async () => {
  const [program] = buildPrograms("tests/drivers/programs").filter(({ name }) => name === "devices.musl-static");
  const items = [
    { title: "devices", script: `exec ${guestPath(program!)}\n` },
    { title: "sysfs", script: "mount -t sysfs sys /sys; cd /sys/bus/pci/devices/0000:41:00.0 && pwd -P && cat vendor; dmesg | grep -c 'pci: one more root: bus 40'\n" },
  ];
  const results = await runBatch({ name: "devices", items, entries: programEntries([program!]), cpus: 2, extraArgs: DEVICES, itemSeconds: 60, live: true });
  const { output, status } = results.get("devices")!;
  const failures = output.split("\n").filter((line) => !/^(ok |# )/.test(line));
  expect({ failures, status }).toEqual({ failures: [expect.stringMatching(/^1\.\.\d+$/), ""], status: 0 });
  const sysfs = results.get("sysfs")!.output;
  expect(sysfs).toMatch(/^\/sys\/devices\/pci0000:40\/0000:40:[0-9a-f]{2}\.0\/0000:41:00\.0\r?\n0x1234\r?\n1\r?\n$/);
}, RUN_MS);
