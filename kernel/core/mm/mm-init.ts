/** Brings up virtual memory once kmalloc works. */
import { faultInit } from "./fault";
import { mmHooksInit } from "./mm-hooks";
import { mmCacheInit } from "./mm-life";
import { pageTableInit } from "./page-table";
import { pageTreeCacheInit } from "./page-tree";
import { pcidInit } from "./pcid";
import { sharedPagesInit } from "./shared-pages";
import { tlbInit } from "./tlb";
import { vmaCacheInit } from "./vma-alloc";

export function mmInit(): void {
  pcidInit();
  tlbInit();
  mmHooksInit();
  pageTableInit();
  pageTreeCacheInit();
  sharedPagesInit();
  vmaCacheInit();
  mmCacheInit();
  faultInit();
}
