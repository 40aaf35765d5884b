/**
 * What root may ask of the supervisor: start, stop, restart.
 *
 * A request is a line in the FIFO /run/services.ctl, which only root may write: the file's owner is the whole authority, and there is no
 * other. The answer goes into /run/services.answers, where the last ANSWERS of them stand, newest last.
 *
 *   4711 restart virtio-blk.0        4711 ok        4711 there is no server of that name
 */
import {
  fileReplace, linuxMakeFifo, linuxOpen, linuxRead, linuxUnlink, O_RDWR_NONBLOCK,
} from "../../runtime/linux";
import { numberOf } from "./manifest";

const FIFO = "/run/services.ctl";
const ANSWERS_FILE = "/run/services.answers";
const ANSWERS: i32 = 8;
const ROOT_ONLY: u32 = 0o600;
const CHUNK: u32 = 512;
const LINE_MAX: i32 = 128;
const ID_DIGITS: i32 = 9;

export const enum Verb { NONE, START, STOP, RESTART }

/** One request; `verb` is NONE for a line that means nothing. */
export class Request {
  id: string = "";
  verb: Verb = Verb.NONE;
  name: string = "";
}

let fifo: i32 = -1;
let partial: string = "";
const answers: string[] = [];

/** A new FIFO, whatever was there before. */
export function controlOpen(): void {
  linuxUnlink(FIFO);
  linuxMakeFifo(FIFO, ROOT_ONLY);
  fifo = linuxOpen(FIFO, O_RDWR_NONBLOCK, 0); // also for writing: it never ends
  fileReplace(ANSWERS_FILE, "");
}

/** The whole lines that came since the last time. */
export function controlRead(): string[] {
  const buffer = new ArrayBuffer(CHUNK);
  const n = fifo < 0 ? 0 : linuxRead(fifo, changetype<usize>(buffer), CHUNK);
  if (n <= 0) return [];
  const lines = (partial + String.UTF8.decodeUnsafe(changetype<usize>(buffer), n)).split("\n");
  partial = lines.pop();
  if (partial.length > LINE_MAX) partial = "";
  return lines;
}

export function requestParse(line: string): Request {
  const request = new Request();
  const words = line.split(" ");
  if (words.length != 3 || line.length > LINE_MAX || numberOf(words[0], 10, ID_DIGITS) < 0) return request;
  request.id = words[0];
  request.name = words[2];
  if (words[1] == "start") request.verb = Verb.START;
  if (words[1] == "stop") request.verb = Verb.STOP;
  if (words[1] == "restart") request.verb = Verb.RESTART;
  return request;
}

export function answerPut(id: string, text: string): void {
  if (answers.length == ANSWERS) answers.shift();
  answers.push(id + " " + text);
  fileReplace(ANSWERS_FILE, answers.join("\n") + "\n");
}
