/** Kinds of kernel objects and the services servers may ask for; before the first program. */
import { memoryObjectsInit } from "../../core/cap/memory-object";
import { servicePortsInit } from "../../core/cap/service-port";
import { capInit } from "../../core/cap/space";
import { endpointsInit } from "../../core/ipc/endpoint";
import { irqObjectsInit } from "../driver/pci/irq-object";
import { pciObjectsInit } from "../driver/pci/pci-object";
import { rootObjectInit } from "./capability-calls";
import { logServiceInit } from "./log-service";
import { memoryCallsInit } from "./memory-calls";
import { processObjectsInit } from "./process-object";
import { threadObjectsInit } from "./thread-object";
import { timeObjectInit } from "./time-object";

export function nativeInit(): void {
  capInit();
  endpointsInit();
  servicePortsInit();
  rootObjectInit();
  timeObjectInit();
  processObjectsInit();
  threadObjectsInit();
  logServiceInit();
  memoryObjectsInit();
  memoryCallsInit();
  pciObjectsInit();
  irqObjectsInit();
}
