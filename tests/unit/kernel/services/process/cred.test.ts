/** The rules of credentials(7) and capabilities(7), on the system calls themselves. */
import { structLayout } from "../../../support/struct-layout.ts";
import { bootVfs, BUFFER, startProcess, type Vfs } from "../vfs/vfs-machine.ts";

const PROCESS_AT = structLayout("kernel/services/process/process.ts", "Process");
const CRED_AT = structLayout("kernel/services/process/process.ts", "Cred");
const TASK_AT = structLayout("kernel/core/sched/task.ts", "Task");
const KEEP = -1;
const EPERM = -1;
const EINVAL = -22;
const CAP_ALL = (1n << 41n) - 1n;

interface Ids { uid: number; euid: number; suid: number; fsuid: number }

async function boot(): Promise<Vfs & { ids(): Ids; caps(): bigint; become(ids: Partial<Ids>, caps: bigint): void }> {
  const vfs = await bootVfs();
  startProcess(vfs);
  const process = (): number => vfs.view().getUint32(vfs.machine.currentTask + TASK_AT["process"]!, true);
  vfs.view().setUint32(process() + PROCESS_AT["creds"]!, vfs.call("credNewRoot"), true);
  const cred = (): number => vfs.view().getUint32(process() + PROCESS_AT["creds"]!, true);
  const get = (name: string): number => vfs.view().getUint32(cred() + CRED_AT[name]!, true);
  return {
    ...vfs,
    ids: () => ({ uid: get("uid"), euid: get("euid"), suid: get("suid"), fsuid: get("fsuid") }),
    caps: () => vfs.view().getBigUint64(cred() + CRED_AT["capEffective"]!, true),
    become: (ids, caps) => {
      for (const [name, value] of Object.entries(ids)) vfs.view().setUint32(cred() + CRED_AT[name]!, value, true);
      vfs.view().setBigUint64(cred() + CRED_AT["capEffective"]!, caps, true);
      vfs.view().setBigUint64(cred() + CRED_AT["capPermitted"]!, caps, true);
    },
  };
}

test("root's setuid changes all ids and drops every capability for good", async () => {
  const k = await boot();
  expect(k.caps()).toBe(CAP_ALL);
  expect(k.sys("sysSetuid", 5)).toBe(0);
  expect(k.ids()).toEqual({ uid: 5, euid: 5, suid: 5, fsuid: 5 });
  expect(k.caps()).toBe(0n);
  expect(k.sys("sysSetuid", 0)).toBe(EPERM);
  expect(k.sys("sysSetuid", KEEP)).toBe(EINVAL);
});

test("a set-user-ID program moves between its real and saved id, and nowhere else", async () => {
  const k = await boot();
  k.become({ uid: 10, euid: 20, suid: 20, fsuid: 20 }, 0n);
  expect(k.sys("sysSetuid", 10)).toBe(0);
  expect(k.ids()).toEqual({ uid: 10, euid: 10, suid: 20, fsuid: 10 });
  expect(k.sys("sysSetuid", 20)).toBe(0);
  expect(k.ids()).toEqual({ uid: 10, euid: 20, suid: 20, fsuid: 20 });
  expect(k.sys("sysSetuid", 30)).toBe(EPERM);
  expect(k.sys("sysSetreuid", 30, KEEP)).toBe(EPERM);
  expect(k.sys("sysSetreuid", 20, 10)).toBe(0); // swap
  expect(k.ids()).toEqual({ uid: 20, euid: 10, suid: 10, fsuid: 10 });
});

test("setresuid takes any of the three ids, one at a time or together", async () => {
  const k = await boot();
  k.become({ uid: 1, euid: 2, suid: 3, fsuid: 2 }, 0n);
  expect(k.sys("sysSetresuid", 3, 1, 2)).toBe(0);
  expect(k.ids()).toEqual({ uid: 3, euid: 1, suid: 2, fsuid: 1 });
  expect(k.sys("sysSetresuid", KEEP, 9, KEEP)).toBe(EPERM);
  expect(k.sys("sysSetresuid", KEEP, KEEP, KEEP)).toBe(0);
  expect(k.ids()).toEqual({ uid: 3, euid: 1, suid: 2, fsuid: 1 });
});

test("the effective set follows the effective id while root stays among the others", async () => {
  const k = await boot();
  expect(k.sys("sysSetresuid", KEEP, 7, KEEP)).toBe(0);
  expect(k.caps()).toBe(0n);
  expect(k.sys("sysSetresuid", KEEP, 0, KEEP)).toBe(0);
  expect(k.caps()).toBe(CAP_ALL);
});

test("setfsuid answers the old id always, and obeys only for own ids", async () => {
  const k = await boot();
  k.become({ uid: 4, euid: 4, suid: 4, fsuid: 4 }, 0n);
  expect(k.sys("sysSetfsuid", 9)).toBe(4);
  expect(k.ids().fsuid).toBe(4);
  expect(k.sys("sysSetfsuid", KEEP)).toBe(4);
});

test("setgroups stores what getgroups gives back; ordinary users may not", async () => {
  const k = await boot();
  [3, 4, 5].forEach((gid, i) => k.view().setUint32(BUFFER + i * 4, gid, true));
  expect(k.sys("sysSetgroups", 3n, BigInt(BUFFER))).toBe(0);
  expect(k.sys("sysGetgroups", 0, 0n)).toBe(3);
  expect(k.sys("sysGetgroups", 2, BigInt(BUFFER))).toBe(EINVAL);
  expect(k.sys("sysGetgroups", 8, BigInt(BUFFER + 64))).toBe(3);
  expect(k.view().getUint32(BUFFER + 72, true)).toBe(5);
  k.become({ uid: 4, euid: 4, suid: 4, fsuid: 4 }, 0n);
  expect(k.sys("sysSetgroups", 0n, 0n)).toBe(EPERM);
});
