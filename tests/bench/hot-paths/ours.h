/* The kernel's own paths: the translated TypeScript stands above this text in the same unit. Offsets come with -D. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "operations.h"

enum { ARCH_SET_GS = 0x1001, LINEAR_BYTES = 0x7f000000, CPU = 0x04000000, TASK = CPU + 0x1000, PROCESS = TASK + 0x1000,
       HEAP = 0x06000000, NODES = 0x05000000, PAGE_BYTES = 4096 };
#define WORD(at) (*(u32*)LINEAR(at))
#define LONG(at) (*(u64*)LINEAR(at))

void wasm_trap(u32 code) { fprintf(stderr, "trap %u\n", code); _exit(1); }

static u32 slab_of(const char *what, u32 size) {
  for (u32 i = 0; i < kernel_slabCount(); i++) if (WORD(kernel_slabAt(i) + SLAB_SIZE) == size) return kernel_slabAt(i);
  fprintf(stderr, "no slab for %s\n", what);
  _exit(1);
}

static u32 next_page = HEAP + 0x10000; /* the first pages of a chunk describe it */
/* Puts objects into this CPU's magazine, as a slab's first use would. */
static void magazine_fill(u32 cache, u32 size) {
  u32 page = next_page;
  next_page += 4 * PAGE_BYTES;
  kernel_heapDescSet(page, 2, cache);
  for (u32 i = 0; i < 3; i++) kernel_slabFree(cache, page + i * ((size + 63) & ~63));
}

static u32 lock = NODES, mutex = NODES + 64, list = NODES + 128, list_node = NODES + 136, tree = NODES + 192;
static u32 tree_nodes = NODES + 0x1000, mm = NODES + 0x4000, vmas = NODES + 0x5000, cache = NODES + 0x300, pages = NODES + 0x400;
static u32 names = NODES + 0x500, table_held = NODES + 0x600, tasks = NODES + 0x20000, root_dentry, rq;

void ours_init(const u8 *const *data, const u32 *offsets, const u32 *sizes, int count) {
  mmap((void*)LINEAR_BASE, LINEAR_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
  for (int i = 0; i < count; i++) memcpy(LINEAR(offsets[i]), data[i], sizes[i]);
  WORD(CPU) = CPU;
  WORD(CPU + 4) = TASK;
  syscall(SYS_arch_prctl, ARCH_SET_GS, LINEAR(CPU));

  kernel_mutexInit(mutex);
  kernel_listInit(list);
  kernel_rbInit(tree);
  for (u32 i = 0; i < TREE_NODES; i++) {
    LONG(tree_nodes + i * 32) = tree_key(i);
    if (i != 0) kernel_rbInsert(tree, tree_nodes + i * 32);
  }
  for (u32 i = 0; i < AREAS; i++) {
    u32 vma = vmas + i * 128;
    LONG(vma + VMA_START) = area_start(i);
    LONG(vma + VMA_END) = area_start(i) + AREA_BYTES;
    kernel_vmaInsert(mm, vma);
  }
  kernel_frameLimitSet(0x10000);
  kernel_buddyInit(1);
  kernel_buddyAddRange(0x100000, 64 << 20, 0);
  kernel_pageFree(kernel_pageAlloc());
  kernel_slabReset();
  kernel_slabInit(cache, 0, 128);
  magazine_fill(cache, 128);
  kernel_kmallocInit();
  kernel_pageTreeCacheInit();
  magazine_fill(slab_of("page tree", 256), 256);
  for (u32 i = 0; i < kernel_slabCount(); i++) if (WORD(kernel_slabAt(i) + SLAB_SIZE) == 256) magazine_fill(kernel_slabAt(i), 256);
  kernel_pageTreeSet(pages, 100, 1);
  kernel_pageTreeSet(pages, PAGE_INDEX, 7);
  magazine_fill(slab_of("hash table", 2048), 2048);
  kernel_dcacheInit(512, 1000);
  u32 dentries = kernel_slabAt(kernel_slabCount() - 1);
  magazine_fill(dentries, DENTRY_BYTES);
  strcpy((char*)LINEAR(names), NAME "/rest");
  root_dentry = kernel_dentryAlloc(0, 0, 0, names, 1);
  u64 scanned = kernel_componentScan(names);
  kernel_dentryHashLocked(kernel_dentryAlloc(root_dentry, 0, scanned >> 32, names, (u32)scanned));
  kernel_schedClassesInit();
  kernel_runQueuesInit();
  rq = kernel_runQueueAt(0);
  WORD(rq + RQ_CURRENT) = TASK;
  for (u32 i = 0; i < TASKS; i++) {
    kernel_taskDefaults(tasks + i * 1024);
    LONG(tasks + i * 1024 + TASK_VRUNTIME) = (1ull << 40) + tree_key(i);
    if (i != 0) kernel_fairEnqueue(rq, tasks + i * 1024, 0);
  }
  WORD(TASK + TASK_PROCESS) = PROCESS;
  WORD(PROCESS + PROCESS_FILES) = table_held;
  WORD(table_held) = 1;
  WORD(table_held + TABLE_CAPACITY) = 64;
  WORD(table_held + TABLE_SLOTS) = names;
}

OPERATION(ours, nothing) { return i; }
OPERATION(ours, spinlock) { ts_spinLock(lock); ts_spinUnlock(lock); return i; }
OPERATION(ours, mutex) { ts_mutexLock(mutex); ts_mutexUnlock(mutex); return i; }
OPERATION(ours, list) { ts_listAppend(list, list_node); ts_listRemove(list_node); return i; }
OPERATION(ours, tree) { ts_rbInsert(tree, tree_nodes); ts_rbRemove(tree, tree_nodes); return i; }
OPERATION(ours, area) { WORD(mm + MM_LAST_HIT) = 0; return ts_vmaFind(mm, area_start(i % AREAS) + 4096); }
OPERATION(ours, page) { ts_pageFree(ts_pageAlloc()); return i; }
OPERATION(ours, block) { ts_pagesFree(ts_pagesAlloc(3), 3); return i; }
OPERATION(ours, slab) { ts_slabFree(cache, ts_slabAlloc(cache)); return i; }
OPERATION(ours, name) {
  u64 scanned = ts_componentScan(names);
  return ts_dentryFindLocked(root_dentry, scanned >> 32, names, (u32)scanned);
}
OPERATION(ours, page_index) { return ts_pageTreeGet(pages, PAGE_INDEX); }
OPERATION(ours, run_queue) { ts_fairEnqueue(rq, tasks, 0); return ts_fairPick(rq); }
OPERATION(ours, descriptor) { return ts_fdBorrow(3); }
