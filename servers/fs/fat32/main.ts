/**
 * fat32: the server of FAT32 file systems, which the kernel mounts as type "vfat".
 *
 * It answers one call after the other and keeps nothing that cannot be read from the device again: when it is killed, its successor is
 * told of the mounts and goes on. Names and data of files are cached by the kernel; file data never comes here.
 *
 * Capabilities: `filesystem` (a FILE_SYSTEM port), `endpoint`, `notification`, `log`, `heartbeat`.
 */
import { FS_WINDOW_BYTES } from "../../../kernel/abi/file-system.gen";
import { serveCalls, Words } from "../../runtime/loop";
import { memoryMap } from "../../runtime/native-calls";
import { fileSystemRegister } from "../../runtime/protocol/file-system-port-client.gen";
import { handleNamed, hex, log, runtimeStart, serverBuffer } from "../../runtime/start";
import { answer, windowSet } from "./methods";
import { portSet } from "./volume";

export { serverBuffer };

const WINDOW: usize = 0x90000000;
const PROT_RW: u32 = 3;

export function serverMain(count: u32): u32 {
  runtimeStart(count);
  const port = handleNamed("filesystem");
  const endpoint = handleNamed("endpoint");
  const name = String.UTF8.encode("vfat", true);
  const window = fileSystemRegister(port, changetype<usize>(name), endpoint);
  if (window < 0 || memoryMap(<u32>window, WINDOW, 0, FS_WINDOW_BYTES, PROT_RW) < 0) {
    log("the kernel does not take it: " + hex(-window));
    return 1;
  }
  portSet(port);
  windowSet(WINDOW);
  serveCalls(endpoint, handleNamed("notification"), onCall, onBits);
  return 0;
}

function onCall(label: i32, words: Words): i32 { return answer(label, words.w0, words.w1); }

function onBits(bits: u64): void {}
