/** /proc/zoneinfo: the memory of each NUMA node, as far as a zone of ours has such numbers. Spec: proc(5). */
import { nodeFreePages, nodePages, nodesTotal } from "../../../core/mm/buddy";
import { SeqBuf, seqByte, seqDec, seqStr } from "./seq-buf";

export function zoneinfoShow(seq: SeqBuf, pid: u32, tid: u32): i32 {
  for (let node: u32 = 0; node < nodesTotal(); node++) {
    seqStr(seq, "Node ");
    seqDec(seq, node);
    seqStr(seq, ", zone   Normal\n  pages free     ");
    seqDec(seq, nodeFreePages(node));
    seqStr(seq, "\n        present  ");
    seqDec(seq, nodePages(node));
    seqStr(seq, "\n        managed  ");
    seqDec(seq, nodePages(node));
    seqByte(seq, 0x0a);
  }
  return 0;
}
