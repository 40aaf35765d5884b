/** /proc/served: file systems whose servers the kernel calls. */
import { connectionAt, CONNECTIONS } from "../served/connection";
import { SeqBuf, seqByte, seqDec, seqStr } from "./seq-buf";

/** "vfat calls 17 servers 2": how often a served type's servers were called, and how many there were. What caches answer makes no call. */
export function servedShow(seq: SeqBuf, pid: u32, tid: u32): i32 {
  for (let i: u32 = 0; i < CONNECTIONS; i++) {
    const connection = connectionAt(i);
    if (connection.typeName == 0) continue;
    seqStr(seq, changetype<string>(<usize>connection.typeName)); // SAFETY: connectionCreate's
    seqStr(seq, " calls ");
    seqDec(seq, connection.calls);
    seqStr(seq, " servers ");
    seqDec(seq, connection.generation);
    seqByte(seq, 0x0a);
  }
  return 0;
}
