/** Kinds of kernel objects and the services servers may ask for; before the first program. */
import { servicePortsInit } from "../../core/cap/service-port";
import { capInit } from "../../core/cap/space";
import { endpointsInit } from "../../core/ipc/endpoint";
import { rootObjectInit } from "./capability-calls";
import { logServiceInit } from "./log-service";
import { processObjectsInit } from "./process-object";

export function nativeInit(): void {
  capInit();
  endpointsInit();
  servicePortsInit();
  rootObjectInit();
  processObjectsInit();
  logServiceInit();
}
