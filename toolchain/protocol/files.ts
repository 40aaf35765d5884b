/** Everything that is made of the protocols. */
import { join } from "node:path";
import { protocolClient } from "./client.ts";
import { protocolConstants } from "./constants.ts";
import { protocolTypes } from "./node.ts";
import { protocols } from "./schemas.ts";
import { protocolServer } from "./server.ts";

const STUBS = "servers/runtime/protocol";
const NODE = "tests/unit/support";

/** Path (relative to the root) -> content. */
export function protocolFiles(): Map<string, string> {
  const files = new Map<string, string>();
  for (const protocol of protocols()) {
    files.set(`kernel/abi/${protocol.name}.gen.ts`, protocolConstants(protocol));
    files.set(join(NODE, `${protocol.name}.gen.ts`), protocolTypes(protocol));
    const stubs = { client: protocolClient(protocol), server: protocolServer(protocol) };
    for (const [side, text] of Object.entries(stubs)) if (text !== undefined) files.set(join(STUBS, `${protocol.name}-${side}.gen.ts`), text);
  }
  return files;
}
