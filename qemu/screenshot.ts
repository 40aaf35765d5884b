/** QEMU's screen dumps (binary PPM) as PNG. */

import { PNG } from "pngjs";

export interface Picture {
  readonly width: number;
  readonly height: number;
  /** Three bytes a pixel, red first, rows from the top. */
  readonly rgb: Buffer;
}

const PPM_HEADER = /^P6\s+(\d+)\s+(\d+)\s+255\s/;

export function ppmDecode(ppm: Buffer): Picture {
  const header = PPM_HEADER.exec(ppm.subarray(0, 64).toString("latin1"));
  if (!header) throw new Error("screenshot: not a binary PPM with 8 bits a channel");
  const [width, height] = [Number(header[1]), Number(header[2])];
  return { width, height, rgb: ppm.subarray(header[0].length) };
}

/** The picture without the black rows at its end, but for a margin of `margin` rows. */
export function cropBottom(picture: Picture, margin: number): Picture {
  const row = picture.width * 3;
  let height = picture.height;
  while (height > 1 && picture.rgb.subarray((height - 1) * row, height * row).every((byte) => byte === 0)) height--;
  height = Math.min(height + margin, picture.height);
  return { width: picture.width, height, rgb: picture.rgb.subarray(0, height * row) };
}

export function pngEncode(picture: Picture): Buffer {
  const png = new PNG({ width: picture.width, height: picture.height });
  for (let pixel = 0; pixel < picture.width * picture.height; pixel++) {
    picture.rgb.copy(png.data, pixel * 4, pixel * 3, pixel * 3 + 3);
    png.data[pixel * 4 + 3] = 255;
  }
  return PNG.sync.write(png);
}

/** How many different colours there are: 1 means a blank screen. */
export function colourCount(picture: Picture): number {
  const seen = new Set<number>();
  for (let at = 0; at + 2 < picture.rgb.length; at += 3) seen.add(picture.rgb.readUIntBE(at, 3));
  return seen.size;
}
