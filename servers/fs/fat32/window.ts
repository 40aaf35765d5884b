/** Fields of a call: requests and replies stand in the window (kernel/abi/protocol/file-system.ts). */
import { FsNode } from "../../../kernel/abi/file-system.gen";
import { get32, get64, put64 } from "../../runtime/memory";
import { Err } from "./layout";
import { Name, NAME_UNITS, nameDecode, nameIsAllowed } from "./name";

/** Where it is mapped. */
export let window: usize = 0;
export function windowPlace(at: usize): void { window = at; }

/** Two words of a node in the reply. */
export function putNode(field: u32, n0: u64, n1: u64): void {
  put64(window + field + FsNode.N0, n0);
  put64(window + field + FsNode.N1, n1);
}

/** Of a node in the request: the first cluster, and where its entry is. */
export function nodeStart(field: u32): u32 { return <u32>get64(window + field + FsNode.N0); }
export function nodePlace(field: u32): u64 { return get64(window + field + FsNode.N1); }

/** A name of the request, whose length was found possible; false: it is malformed. */
export function takeName(field: u32, name: Name): bool { return nameDecode(name, window + field + 4, get32(window + field)); }

/** A name that is to be made: 0, or why it cannot be. */
export function takeNewName(field: u32, name: Name): i32 {
  if (!takeName(field, name)) return name.length > NAME_UNITS ? Err.NAMETOOLONG : Err.INVAL;
  return nameIsAllowed(name) ? 0 : Err.INVAL;
}
