/**
 * What stands between a function and the root: by which id the machine knows its DMA.
 *
 * Spec  PCI Express Base 4.0, 7.5.3.2 (port types); PCI Express to PCI/PCI-X Bridge 1.0, 2.3 (requester ids); Intel VT-d, 3.4.1 "Source
 *       Identifier".
 */
import { configRead } from "./config";
import { Config, pciAt, pciCount, PciFunction } from "./functions";

const HEADER_BRIDGE: u32 = 1;
/** PCI Express capabilities register: the type of device or port. */
const EXPRESS_TYPE_AT: u32 = 2;
const EXPRESS_TO_PCI: u32 = 7;
const PCI_TO_EXPRESS: u32 = 8;
/** As deep as the scan goes, and more. */
const HOPS_MAX: u32 = 16;

/** The bridge whose secondary bus holds `fn`, or null: it is on a root bus. */
export function pciBridgeAbove(fn: PciFunction): PciFunction | null {
  for (let i: u32 = 0; i < pciCount(); i++) {
    const bridge = pciAt(i);
    if (bridge.header == HEADER_BRIDGE && configRead(bridge.address, Config.SECONDARY_BUS, 1) == fn.address >> 8) return bridge;
  }
  return null;
}

function expressType(fn: PciFunction): u32 {
  return fn.express == 0 ? PCI_TO_EXPRESS : configRead(fn.address, fn.express + EXPRESS_TYPE_AT, 2) >> 4 & 15;
}

/**
 * The id with which DMA of `fn` arrives: its own on PCI Express; behind a bridge to conventional PCI, whose transactions name nobody,
 * the bridge's, which all functions behind it share.
 */
export function pciRequester(fn: PciFunction): u32 {
  let id = fn.address;
  let at: PciFunction = fn;
  for (let hop: u32 = 0; hop < HOPS_MAX; hop++) {
    const bridge = pciBridgeAbove(at);
    if (!bridge) break;
    const type = expressType(bridge);
    if (type == EXPRESS_TO_PCI) id = at.address & 0xff00; // the secondary bus, device 0
    else if (type == PCI_TO_EXPRESS) id = bridge.address;
    at = bridge;
  }
  return id;
}
