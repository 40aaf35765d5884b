/**
 * Writing back what has been dirty for a while, and sync(2).
 *
 * Each mount has a thread of its own, so that one whose server hangs keeps no other's data from its disk; it ends with the mount. sync(2)
 * wakes all of them at once and waits for the last. A mount whose thread could not be made is written by sync(2) alone.
 */
import { monoNowNs } from "../../../../arch/current";
import { FS_MOUNTS } from "../../../abi/file-system";
import { totalPageCount } from "../../../core/mm/buddy";
import { taskCreateKernel, taskStart } from "../../../core/sched/sched";
import { logWarn } from "../../../lib/log";
import { wordAt, wordSet } from "../../../lib/words";
import { buffersWrite } from "../../block/buffer-cache";
import { dirtySinceNs } from "../../block/buffer-table";
import { diskOfFs, hasDirty, hasDoomed, ServedSuper } from "./inode";
import { flusherAwait, flusherIsThere, flusherLost, flusherTake, syncAwait, syncDraw, syncOwed, syncPaid, tablePin, tableUnpin } from "./mount-table";
import { dirtyPages } from "./page-state";
import { dataSync, doomedRelease, failureNote, metadataSync, servedSync } from "./sync";

/** Files and metadata are written back when they have been dirty for so long. */
const DIRTY_NS: u64 = 5_000_000_000;
const ROUND_NS: u64 = 1_000_000_000;
/** [0] 1: mounts get flushers. */
const FLUSHERS_ON: usize = memory.data(4, 4);

/** Every mount from now on gets its thread. */
export function flushersAllow(): void { wordSet(FLUSHERS_ON, 0, 1); }

/** The mount at `place` is open: sees to it that a thread writes it back. */
export function flusherStart(place: u32): void {
  if (wordAt(FLUSHERS_ON, 0) == 0 || !flusherTake(place)) return;
  const flusher = taskCreateKernel("flusher", flusherMain, place);
  if (flusher) return taskStart(flusher);
  flusherLost(place);
  logWarn("fs", "no flusher: files of a mount reach their disk by sync alone");
}

function flusherMain(place: u32): void {
  let metadataAtNs: u64 = 0;
  while (flusherAwait(place, monoNowNs() + ROUND_NS)) {
    const fs = tablePin(place);
    if (!fs) continue; // it is coming, or going
    const now = monoNowNs();
    const isMetadataDue = now - metadataAtNs > DIRTY_NS;
    if (!debtPay(fs)) flush(fs, now, isMetadataDue);
    if (isMetadataDue) metadataAtNs = now;
    tableUnpin(fs);
  }
}

function flush(fs: ServedSuper, now: u64, isMetadataDue: bool): void {
  const isCrowded = dirtyPages() > <u32>(totalPageCount() >> 4);
  if (hasDirty(fs)) dataSync(fs, isCrowded ? now : now > DIRTY_NS ? now - DIRTY_NS : 0);
  if (!isMetadataDue || (dirtySinceNs(diskOfFs(fs)) == u64.MAX_VALUE && !hasDoomed(fs))) return;
  failureNote(fs, metadataSync(fs, false));
  failureNote(fs, doomedRelease(fs));
  failureNote(fs, buffersWrite(diskOfFs(fs)));
}

/** Writes what sync(2) waits for; the mount is pinned. False: it waits for nothing here. */
function debtPay(fs: ServedSuper): bool {
  const ticket = syncOwed(fs);
  if (ticket == 0) return false;
  servedSync(fs, false);
  syncPaid(fs, ticket);
  return true;
}

/** sync(2). */
export function servedSyncAll(): void {
  const ticket = syncDraw();
  for (let place: u32 = 0; place < FS_MOUNTS; place++) if (!flusherIsThere(place)) placeSync(place);
  syncAwait(ticket);
}

/** What its flusher would do for sync(2). */
export function placeSync(place: u32): void {
  const fs = tablePin(place);
  if (!fs) return;
  debtPay(fs);
  tableUnpin(fs);
}
