/** What a disk keeps back reaches its medium. */
import { BlockFeature, BlockOp } from "../../abi/block-ring";
import { Errno } from "../../abi/errno";
import { Disk, diskTransfer } from "./disk";
import { requestCreate, requestFree } from "./request";

/** Everything written before is on the medium. */
export function diskFlush(disk: Disk): i32 {
  if (!(disk.features & BlockFeature.FLUSH)) return 0; // the device keeps nothing back
  const request = requestCreate(BlockOp.FLUSH, 0);
  if (!request) return -Errno.NOMEM;
  const result = diskTransfer(disk, request);
  requestFree(request);
  return result;
}
