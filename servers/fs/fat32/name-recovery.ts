/**
 * Two entries with one name, or one alias: a power cut can leave the old one, whose going did not reach the medium, beside a new one. Nobody
 * knows which was meant to stay, so both do: the older one gets an alias that tells, "FSCK0000.REN", and that as its name when it had the
 * other's.
 */
import { bytesCopy, bytesSame, get16, get8, put8, room } from "../../runtime/memory";
import { log } from "../../runtime/start";
import { DirWalk, slotAt, slotRead, walkBegin, walkBeginAt, walkNext } from "./directory";
import { shortHash } from "./index";
import { Err, FREED, Long, Slot } from "./layout";
import { nameHash, nameSame, SHORT_BYTES, shortChecksum } from "./name";
import { begin, commit } from "./transaction";
import { Volume } from "./volume";

const SLOT: u32 = Slot.BYTES;
const NUMBERS: u32 = 10000;
/** Files and directories that are looked at: as many as the server has memory for. */
export const ENTRIES_MOST = 100000;
const SLOT_A: usize = room(SLOT);
const SLOT_B: usize = room(SLOT);
const ALIAS: usize = room(16);
const WALK = new DirWalk();
const TWIN = new DirWalk();

/** The names of one directory, as far as it was looked through: by their hashes, where entries begin. */
class NamesSeen {
  names: Map<u32, u32> = new Map<u32, u32>();
  aliases: Map<u32, u32> = new Map<u32, u32>();
  clusters: Array<u32> = [];
  positions: Array<u32> = [];
}

/** Sees to it that all names and aliases in the directory at `start` are different. 0 or a negated errno. */
export function namesMend(v: Volume, start: u32): i32 {
  const seen = new NamesSeen();
  let failed = walkBegin(v, WALK, start, 0);
  while (failed == 0 && seen.clusters.length < ENTRIES_MOST) {
    const more = walkNext(v, WALK);
    if (more <= 0) return more;
    const next = WALK.position;
    const changed = entryMend(v, seen);
    if (changed != 0) failed = changed < 0 ? changed : walkBegin(v, WALK, start, next);
  }
  return failed;
}

/** WALK stands at an entry: 1 when others were looked at besides, so that its cluster is another by now; 0; a negated errno. */
function entryMend(v: Volume, seen: NamesSeen): i32 {
  const name = nameHash(WALK.name);
  const alias = shortHash(WALK.slot);
  const ofName: i32 = seen.names.has(name) ? <i32>seen.names.get(name) : -1;
  const ofAlias: i32 = seen.aliases.has(alias) ? <i32>seen.aliases.get(alias) : -1;
  if (ofName < 0) seen.names.set(name, seen.clusters.length);
  if (ofAlias < 0) seen.aliases.set(alias, seen.clusters.length);
  seen.clusters.push(WALK.entryCluster);
  seen.positions.push(WALK.entryPosition);
  if (ofName < 0 && ofAlias < 0) return 0;
  if (slotRead(v, WALK.places[WALK.run - 1], SLOT_A) < 0) return Err.IO;
  const failed = ofName < 0 ? 0 : twinMend(v, seen, ofName);
  if (failed < 0) return failed;
  const failedAlias = ofAlias < 0 || ofAlias == ofName ? 0 : twinMend(v, seen, ofAlias);
  return failedAlias < 0 ? failedAlias : 1;
}

/** WALK's entry, whose short one stands in SLOT_A, and entry `other`, whose hash is the same. */
function twinMend(v: Volume, seen: NamesSeen, other: i32): i32 {
  if (walkBeginAt(v, TWIN, seen.clusters[other], seen.positions[other]) < 0 || walkNext(v, TWIN) != 1) return Err.IO;
  const isOneName = nameSame(TWIN.name, WALK.name);
  if (slotRead(v, TWIN.places[TWIN.run - 1], SLOT_B) < 0) return Err.IO;
  if (!isOneName && !bytesSame(SLOT_A, SLOT_B, SHORT_BYTES)) return 0;
  return aliasGive(v, birth(SLOT_A) <= birth(SLOT_B) ? WALK : TWIN, seen, isOneName);
}

function birth(slot: usize): u32 { return get16(slot + Slot.BIRTH_DATE) << 16 | get16(slot + Slot.BIRTH_TIME); }

/** A new alias for an entry; its long name goes when it `losesName`. 0 or a negated errno. */
function aliasGive(v: Volume, walk: DirWalk, seen: NamesSeen, losesName: bool): i32 {
  if (!aliasFind(seen)) return 0;
  log("two files of one name: one is called FSCK" + digits(ALIAS) + ".REN now");
  begin(v);
  const sum = shortChecksum(ALIAS);
  for (let i: u32 = 0; i + 1 < walk.run; i++) {
    const part = slotAt(v, walk.places[i]);
    if (part == 0) return Err.IO;
    if (losesName) put8(part, FREED);
    else put8(part + Long.CHECKSUM, sum);
  }
  const slot = slotAt(v, walk.places[walk.run - 1]);
  if (slot == 0) return Err.IO;
  bytesCopy(slot, ALIAS, SHORT_BYTES);
  return commit(v);
}

/** Makes ALIAS one that was not seen; names behind the place where the walk stands are mended when it comes to them. */
function aliasFind(seen: NamesSeen): bool {
  const text = "FSCK0000REN";
  for (let number: u32 = 0; number < NUMBERS; number++) {
    for (let i = 0; i < text.length; i++) put8(ALIAS + i, text.charCodeAt(i));
    for (let i: u32 = 7, rest = number; i > 3; i--, rest /= 10) put8(ALIAS + i, 0x30 + rest % 10);
    if (seen.aliases.has(shortHash(ALIAS))) continue;
    seen.aliases.set(shortHash(ALIAS), 0); // whose entry it is does not matter: nobody else gets it
    return true;
  }
  return false;
}

function digits(alias: usize): string {
  let text = "";
  for (let i: u32 = 4; i < 8; i++) text += String.fromCharCode(get8(alias + i));
  return text;
}
