/**
 * Manifests as the root image carries them: one line a server, made from servers/<kind>/<name>/manifest.json by toolchain/servers.ts.
 *
 *   name start=device pci=1af4:1042,1af4:1001 needs=pci,block,log
 */
export class Manifest {
  name: string = "";
  start: string = "never";
  /** device << 16 | vendor, as configuration space has them. */
  pci: u32[] = [];
  needs: string[] = [];
}

export function manifestsParse(text: string): Manifest[] {
  const result: Manifest[] = [];
  const lines = text.split("\n");
  for (let i = 0; i < lines.length; i++) if (lines[i].length > 0) result.push(lineParse(lines[i]));
  return result;
}

function lineParse(line: string): Manifest {
  const words = line.split(" ");
  const manifest = new Manifest();
  manifest.name = words[0];
  for (let i = 1; i < words.length; i++) {
    const at = words[i].indexOf("=");
    if (at < 0) continue;
    const key = words[i].substring(0, at);
    const value = words[i].substring(at + 1);
    if (key == "start") manifest.start = value;
    if (key == "needs") manifest.needs = value.split(",");
    if (key == "pci" && value.length > 0) manifest.pci = value.split(",").map<u32>((id) => idParse(id));
  }
  return manifest;
}

/** "vendor:device" in hexadecimal. */
function idParse(text: string): u32 {
  return hexOf(text.substring(text.indexOf(":") + 1)) << 16 | hexOf(text.substring(0, text.indexOf(":")));
}

function hexOf(text: string): u32 {
  let value: u32 = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    value = value << 4 | <u32>(c >= 0x61 ? c - 0x57 : c - 0x30);
  }
  return value;
}
