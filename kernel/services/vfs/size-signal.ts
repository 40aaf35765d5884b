/** SIGXFSZ: what a process gets that writes beyond its file size limit. */
import { Signal } from "../../abi/signal";
import { currentTask } from "../../core/sched/cpu";
import { signalSendTask } from "../signal/send";
import { fileSizeSignalSet } from "./file-io";

export function sizeSignalInit(): void {
  fileSizeSignalSet(sizeSignalSend);
}

function sizeSignalSend(): void {
  signalSendTask(currentTask(), Signal.XFSZ, 0);
}
