/** Areas as objects: made, copied, freed. */
import { MM_HOOKS } from "./mm-hooks";
import { Vma, vmaOf } from "./mm-struct";
import { sharedPagesGet, sharedPagesOf, sharedPagesPut } from "./shared-pages";
import { SlabCache, slabAlloc, slabFree, slabInit } from "./slab-cache";

const CACHE = changetype<SlabCache>(memory.data(offsetof<SlabCache>()));

export function vmaCacheInit(): void {
  slabInit(CACHE, "vma", offsetof<Vma>());
}

/** A cleared area, or null when memory is full. */
export function vmaAlloc(): Vma | null {
  const ptr = slabAlloc(CACHE);
  if (!ptr) return null;
  memory.fill(ptr, 0, offsetof<Vma>());
  return changetype<Vma>(ptr); // SAFETY: fresh object of this type's cache
}

/** A copy of `vma` with references of its own, in no tree; null when memory is full. */
export function vmaCopy(vma: Vma): Vma | null {
  const ptr = slabAlloc(CACHE);
  if (!ptr) return null;
  memory.copy(ptr, changetype<usize>(vma), offsetof<Vma>());
  if (vma.file) MM_HOOKS.fileRef(vma.file, 1);
  if (vma.pages) sharedPagesGet(sharedPagesOf(vma.pages));
  return changetype<Vma>(ptr); // SAFETY: fresh object of this type's cache
}

/** Frees an area that is in no tree; dropping its file may sleep. */
export function vmaFree(vma: Vma): void {
  if (vma.file) MM_HOOKS.fileRef(vma.file, -1);
  if (vma.pages) sharedPagesPut(sharedPagesOf(vma.pages));
  slabFree(CACHE, changetype<usize>(vma));
}

/** Frees a chain through Vma.next. */
export function vmaChainFree(first: u32): void {
  let at = first;
  while (at) {
    const next = vmaOf(at).next;
    vmaFree(vmaOf(at));
    at = next;
  }
}
