/** Images of FAT file systems, made in memory: what mkfs.fat would write, in any shape a test wants. */
export interface FatShape {
  bits: 12 | 16 | 32;
  sectorBytes: number;
  clusterSectors: number;
  /** Clusters of data. */
  clusters: number;
  fats: number;
  reserved: number;
  /** FAT12 and FAT16. */
  rootEntries: number;
}

export const SMALL_FAT32: FatShape = { bits: 32, sectorBytes: 512, clusterSectors: 1, clusters: 2000, fats: 2, reserved: 32, rootEntries: 0 };
export const SMALL_FAT16: FatShape = { bits: 16, sectorBytes: 512, clusterSectors: 1, clusters: 5000, fats: 2, reserved: 4, rootEntries: 512 };
export const SMALL_FAT12: FatShape = { bits: 12, sectorBytes: 512, clusterSectors: 1, clusters: 2000, fats: 2, reserved: 1, rootEntries: 224 };

export const END: Readonly<Record<FatShape["bits"], number>> = { 12: 0xfff, 16: 0xffff, 32: 0x0fffffff };

export interface Geometry {
  bits: 12 | 16 | 32;
  sectorBytes: number;
  clusterBytes: number;
  clusters: number;
  fats: number;
  fatStart: number;
  fatBytes: number;
  /** FAT12 and FAT16: where the root directory lies. */
  rootStart: number;
  rootBytes: number;
  rootCluster: number;
  infoAt: number;
  dataStart: number;
}

/** Geometry of an image, by the boot sector. */
export function geometryOf(image: Uint8Array): Geometry {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const sectorBytes = view.getUint16(11, true);
  const clusterBytes = sectorBytes * view.getUint8(13);
  const reserved = view.getUint16(14, true);
  const fats = view.getUint8(16);
  const rootBytes = view.getUint16(17, true) * 32;
  const sectors = view.getUint16(19, true) || view.getUint32(32, true);
  const fatSectors = view.getUint16(22, true) || view.getUint32(36, true);
  const isFat32 = view.getUint16(22, true) === 0;
  const fatStart = reserved * sectorBytes;
  const fatBytes = fatSectors * sectorBytes;
  const rootStart = fatStart + fats * fatBytes;
  const dataStart = rootStart + rootBytes;
  const clusters = Math.floor((sectors * sectorBytes - dataStart) / clusterBytes);
  return {
    bits: isFat32 ? 32 : clusters < 4085 ? 12 : 16, sectorBytes, clusterBytes, clusters, fats, fatStart, fatBytes, rootStart, rootBytes,
    rootCluster: isFat32 ? view.getUint32(44, true) : 0, infoAt: isFat32 ? view.getUint16(48, true) * sectorBytes : 0, dataStart,
  };
}

/** An empty volume. */
export function fatFormat(shape: FatShape): Uint8Array {
  const { bits, sectorBytes, clusterSectors, clusters, fats, reserved, rootEntries } = shape;
  const fatSectors = Math.ceil(Math.ceil((clusters + 2) * bits / 8) / sectorBytes);
  const sectors = reserved + fats * fatSectors + rootEntries * 32 / sectorBytes + clusters * clusterSectors;
  const image = new Uint8Array(sectors * sectorBytes);
  const view = new DataView(image.buffer);
  image.set([0xeb, 0x58, 0x90, ...new TextEncoder().encode("mkfs.fat")], 0);
  view.setUint16(11, sectorBytes, true);
  view.setUint8(13, clusterSectors);
  view.setUint16(14, reserved, true);
  view.setUint8(16, fats);
  view.setUint16(17, rootEntries, true);
  view.setUint8(21, 0xf8);
  view.setUint16(24, 32, true); // mtools wants a geometry
  view.setUint16(26, 8, true);
  if (bits !== 32 && sectors < 65536) view.setUint16(19, sectors, true);
  else view.setUint32(32, sectors, true);
  const extended = bits === 32 ? 64 : 36;
  if (bits === 32) {
    view.setUint32(36, fatSectors, true);
    view.setUint32(44, 2, true);
    view.setUint16(48, 1, true);
    view.setUint16(50, 6, true);
    infoFormat(view, sectorBytes, clusters - 1);
  } else {
    view.setUint16(22, fatSectors, true);
  }
  view.setUint8(extended, 0x80);
  view.setUint8(extended + 2, 0x29);
  view.setUint32(extended + 3, 0x12345678, true);
  image.set(new TextEncoder().encode("NO NAME    "), extended + 7);
  image.set(new TextEncoder().encode(`FAT${bits}   `), extended + 18);
  view.setUint16(510, 0xaa55, true);
  if (bits === 32) image.copyWithin(6 * sectorBytes, 0, 512);
  const geometry = geometryOf(image);
  fatPut(image, geometry, 0, END[bits] - 7);
  fatPut(image, geometry, 1, END[bits]);
  if (bits === 32) fatPut(image, geometry, 2, END[32]);
  return image;
}

function infoFormat(view: DataView, at: number, free: number): void {
  view.setUint32(at, 0x41615252, true);
  view.setUint32(at + 484, 0x61417272, true);
  view.setUint32(at + 488, free, true);
  view.setUint32(at + 492, 2, true);
  view.setUint16(at + 510, 0xaa55, true);
}

/** The entry of a cluster in copy `copy` of the FAT. */
export function fatGet(image: Uint8Array, geometry: Geometry, cluster: number, copy = 0): number {
  const view = new DataView(image.buffer, image.byteOffset + geometry.fatStart + copy * geometry.fatBytes, geometry.fatBytes);
  if (geometry.bits === 32) return view.getUint32(cluster * 4, true) & 0x0fffffff;
  if (geometry.bits === 16) return view.getUint16(cluster * 2, true);
  const pair = view.getUint8(cluster + (cluster >> 1)) | view.getUint8(cluster + (cluster >> 1) + 1) << 8;
  return cluster & 1 ? pair >> 4 : pair & 0xfff;
}

/** Sets the entry of a cluster in every copy. */
export function fatPut(image: Uint8Array, geometry: Geometry, cluster: number, value: number): void {
  for (let copy = 0; copy < geometry.fats; copy++) {
    const view = new DataView(image.buffer, image.byteOffset + geometry.fatStart + copy * geometry.fatBytes, geometry.fatBytes);
    if (geometry.bits === 32) view.setUint32(cluster * 4, value, true);
    else if (geometry.bits === 16) view.setUint16(cluster * 2, value, true);
    else {
      const at = cluster + (cluster >> 1);
      const pair = view.getUint8(at) | view.getUint8(at + 1) << 8;
      const fresh = cluster & 1 ? pair & 0xf | value << 4 : pair & 0xf000 | value;
      view.setUint8(at, fresh & 0xff);
      view.setUint8(at + 1, fresh >> 8);
    }
  }
}
