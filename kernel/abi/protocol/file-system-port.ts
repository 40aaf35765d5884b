/** The FILE_SYSTEM port: what a file-system server asks of the kernel. `mount`: a number that the kernel named in a call of the file-system protocol. */
import type { Protocol } from "./form.ts";

export const FILE_SYSTEM_PORT: Protocol = {
  name: "file-system-port",
  prefix: "FileSystem",
  travel: "service",
  methods: [
    { id: 1, name: "register", request: "type: va, endpoint: cap", reply: "window: cap", errors: "EXIST",
      contract: "Offers the type whose name stands there (NUL-terminated, at most 15 bytes). EEXIST: another server has it." },
    { id: 2, name: "read", request: "mount: u32, offset: u64, to: va, bytes: u64", reply: "",
      contract: "Bytes of the device, at most 1 MiB, through the kernel's buffer cache." },
    { id: 3, name: "commit", request: "mount: u32, writes: va, count: u32", reply: "", errors: "ROFS",
      contract: "BlockWrite[count] (kernel/abi/block-ring.ts), at most 256 of 512 KiB in all. All of it or nothing is done, as far as servers see. The medium gets it later, sector by sector, in any order but that of the pieces' stages." },
    { id: 4, name: "deviceBytes", request: "mount: u32", reply: "bytes: u64", contract: "The device's size." },
  ],
};
