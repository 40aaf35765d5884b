/**
 * Messages by which a function interrupts: MSI-X (a table of them, in a range of the function) and MSI (one, in configuration space).
 *
 * Locking  irqObjectLock (irq-object.ts).
 * Spec     PCI Local Bus 3.0, 6.8.1 (MSI), 6.8.2 (MSI-X); SDM vol. 3A, 11.11 "Message Signalled Interrupts".
 */
import { physLoad32, physStore32 } from "../../../../arch/current";
import { cpuAt } from "../../../core/sched/cpu";
import { deviceReach } from "../device-map";
import { remapMessage } from "../iommu/interrupt-table";
import { pciRequester } from "./bridges";
import { configRead, configWrite } from "./config";
import { MSIX_ENTRY_BYTES, PciFunction } from "./functions";

const ENTRY_CONTROL: u32 = 12;
const MASKED: u32 = 1;
const CONTROL: u32 = 2;              // of both capabilities
const MSIX_ENABLE: u32 = 0x8000;
const MSIX_FUNCTION_MASK: u32 = 0x4000;
const MSI_ENABLE: u32 = 1;
const MSI_SEVERAL: u32 = 0x70;       // how many messages are enabled, as a power of two
const MSI_64: u32 = 0x80;
const MSI_MASKS: u32 = 0x100;        // it has mask bits

/** Where entry `index` of the function's MSI-X table lies, reachable; 0 when there is none. */
export function msixEntry(fn: PciFunction, index: u32): u64 {
  if (fn.tablePa == 0 || index >= fn.msixVectors) return 0;
  const pa = fn.tablePa + index * MSIX_ENTRY_BYTES;
  return deviceReach(pa, MSIX_ENTRY_BYTES) ? pa : 0;
}

/** Makes the MSI-X message at `entryPa` interrupt at `vector`, masked. */
export function msixProgram(fn: PciFunction, entryPa: u64, vector: u32): void {
  msixMask(entryPa, true);
  physStore32(entryPa, remapMessage(pciRequester(fn), vector, cpuAt(0).apicId));
  physStore32(entryPa + 4, 0);
  physStore32(entryPa + 8, vector);
  const control = configRead(fn.address, fn.msix + CONTROL, 2);
  configWrite(fn.address, fn.msix + CONTROL, 2, control & ~MSIX_FUNCTION_MASK | MSIX_ENABLE);
}

export function msixMask(entryPa: u64, isMasked: bool): void {
  const control = physLoad32(entryPa + ENTRY_CONTROL) & ~MASKED;
  physStore32(entryPa + ENTRY_CONTROL, isMasked ? control | MASKED : control);
}

/** Makes the function's one MSI message interrupt at `vector`, masked. */
export function msiProgram(fn: PciFunction, vector: u32): void {
  msiMask(fn, true);
  const wide = configRead(fn.address, fn.msi + CONTROL, 2) & MSI_64;
  configWrite(fn.address, fn.msi + 4, 4, remapMessage(pciRequester(fn), vector, cpuAt(0).apicId));
  if (wide) configWrite(fn.address, fn.msi + 8, 4, 0);
  configWrite(fn.address, msiDataAt(fn), 2, vector);
}

function msiDataAt(fn: PciFunction): u32 { return fn.msi + (configRead(fn.address, fn.msi + CONTROL, 2) & MSI_64 ? 12 : 8); }

/** A function without mask bits does not send at all while it is masked: what happens meanwhile is not told later. */
export function msiMask(fn: PciFunction, isMasked: bool): void {
  const control = configRead(fn.address, fn.msi + CONTROL, 2) & ~(MSI_ENABLE | MSI_SEVERAL);
  if (control & MSI_MASKS) {
    const at = fn.msi + (control & MSI_64 ? 16 : 12);
    configWrite(fn.address, at, 4, isMasked ? 1 : 0);
  }
  configWrite(fn.address, fn.msi + CONTROL, 2, isMasked ? control : control | MSI_ENABLE);
}
