/**
 * Requests that every driver dies of: they end in EIO, so that one does not cost everybody the disk.
 *
 * Which request it was a death does not tell when many are under way. A request that was with several drivers when they died is suspect;
 * as long as there is one, requests are issued one at a time (D4 of disk.ts), and a death then is put down to the one. A driver that is
 * killed again and again for other reasons makes suspects, too, but it gets work done between two deaths: it would have to die too often
 * over the same request.
 *
 * Locking  the disk's lock.
 */
import { LogLevel, logBegin, logByte, logEnd, logKeyDec, logStr } from "../../lib/log";
import { Request } from "./request";

/** Deaths that make a request suspect; deaths over it alone that end it. Together fewer than the supervisor gives a server up after. */
const SUSPECT: u32 = 3;
const ALONE_MOST: u32 = 5;

export function isSuspect(request: Request): bool { return request.deaths >= SUSPECT; }

/** A driver died that had the request, and no other when `isAlone`. True: it is to fail. */
export function requestBlame(request: Request, isAlone: bool): bool {
  request.deaths++;
  if (isAlone) request.deathsAlone++;
  return request.deathsAlone >= ALONE_MOST;
}

export function requestGivenUpLog(disk: u32, request: Request): void {
  logBegin(LogLevel.WARN, "block");
  logStr("vd");
  logByte(0x61 + disk);
  logStr(": a request fails because every driver dies of it");
  logKeyDec("op", request.op);
  logKeyDec("sector", request.sector);
  logKeyDec("sectors", request.sectors);
  logKeyDec("deaths", request.deaths);
  logEnd();
}
