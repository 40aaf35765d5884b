/* What is compared: each operation exists twice, ours_NAME from the kernel's TypeScript and plain_NAME in C. */
#pragma once
enum { TREE_NODES = 64, AREAS = 100, TASKS = 8, AREA_BYTES = 8192, PAGE_INDEX = 3000 };
#define NAME "busybox-static"
#define OPERATION(side, name) __attribute__((noinline)) unsigned long long side##_##name(unsigned i)
static inline unsigned long long tree_key(unsigned i) { return (i * 2654435761u) & 0xfffff; }
static inline unsigned long long area_start(unsigned i) { return 0x400000ull + i * 0x10000ull; }
#define OPERATIONS(X) \
  X(nothing) X(spinlock) X(mutex) X(list) X(tree) X(area) X(page) X(block) X(slab) X(name) X(page_index) X(run_queue) X(descriptor)
