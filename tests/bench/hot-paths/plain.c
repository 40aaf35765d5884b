/* The same algorithms in the C a kernel engineer would write: pointers, builtin atomics, gcc's own choice of everything. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "operations.h"

#undef assert
#define assert(condition) ((condition) ? (void)0 : __builtin_trap())
/* What other files call stands out of line, as in the kernel. */
#define API __attribute__((noinline))

static int debug_locks;
__attribute__((noinline, cold)) static void lock_slow(uint32_t *word) {
  while (__atomic_exchange_n(word, 1, __ATOMIC_SEQ_CST)) __builtin_ia32_pause();
}
static inline void lock_take(uint32_t *word) {
  uint32_t expected = 0;
  if (!__atomic_compare_exchange_n(word, &expected, 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST) | debug_locks) lock_slow(word);
}
static inline void lock_give(uint32_t *word) {
  if (debug_locks) lock_slow(word);
  __atomic_store_n(word, 0, __ATOMIC_SEQ_CST);
}

struct process { void *files; };
struct task { struct process *process; };
struct cpu { struct cpu *self; struct task *current; uint32_t id, node; };
static struct process process;
static struct task self_task = {&process};
static struct cpu cpu_record = {&cpu_record, &self_task, 0, 0};
static struct cpu *volatile cpu_pointer = &cpu_record; /* read once per use, as the kernel reads gs:0 */
#define this_cpu() cpu_pointer
#define current() (cpu_pointer->current)

/* ---- lists and red-black trees ---- */
struct list { struct list *next, *prev; };
static void list_append(struct list *head, struct list *node) {
  node->prev = head->prev, node->next = head, head->prev->next = node, head->prev = node;
}
static void list_remove(struct list *node) {
  node->prev->next = node->next, node->next->prev = node->prev, node->next = node->prev = node;
}

struct rb { uint64_t key; struct rb *left, *right, *parent; uint32_t red; };
struct tree { struct rb *root, *leftmost; uint32_t count; };
static void replace_child(struct tree *t, struct rb *parent, struct rb *from, struct rb *to) {
  if (!parent) t->root = to;
  else if (parent->left == from) parent->left = to;
  else parent->right = to;
}
static void rotate_left(struct tree *t, struct rb *x) {
  struct rb *y = x->right;
  x->right = y->left;
  if (y->left) y->left->parent = x;
  y->parent = x->parent;
  replace_child(t, x->parent, x, y);
  y->left = x;
  x->parent = y;
}
static void rotate_right(struct tree *t, struct rb *x) {
  struct rb *y = x->left;
  x->left = y->right;
  if (y->right) y->right->parent = x;
  y->parent = x->parent;
  replace_child(t, x->parent, x, y);
  y->right = x;
  x->parent = y;
}
static int is_red(struct rb *node) { return node && node->red; }
static void insert_fixup(struct tree *t, struct rb *z) {
  for (struct rb *parent; (parent = z->parent) && parent->red;) {
    struct rb *grand = parent->parent;
    int left = grand->left == parent;
    struct rb *uncle = left ? grand->right : grand->left;
    if (is_red(uncle)) {
      parent->red = uncle->red = 0;
      grand->red = 1;
      z = grand;
      continue;
    }
    if (left ? parent->right == z : parent->left == z) {
      if (left) rotate_left(t, parent); else rotate_right(t, parent);
      z = parent;
      parent = z->parent;
    }
    parent->red = 0;
    grand->red = 1;
    if (left) rotate_right(t, grand); else rotate_left(t, grand);
  }
  t->root->red = 0;
}
API static void rb_insert(struct tree *t, struct rb *node) {
  struct rb *parent = 0, *at = t->root;
  int left = 1, leftmost = 1;
  while (at) {
    parent = at;
    left = node->key < at->key;
    if (left) at = at->left;
    else at = at->right, leftmost = 0;
  }
  node->left = node->right = 0;
  node->parent = parent;
  node->red = 1;
  if (!parent) t->root = node;
  else if (left) parent->left = node;
  else parent->right = node;
  if (leftmost) t->leftmost = node;
  t->count++;
  insert_fixup(t, node);
}
static struct rb *rb_next(struct rb *node) {
  if (node->right) {
    for (node = node->right; node->left; node = node->left) {}
    return node;
  }
  struct rb *parent = node->parent;
  while (parent && parent->right == node) node = parent, parent = parent->parent;
  return parent;
}
static void transplant(struct tree *t, struct rb *from, struct rb *to) {
  replace_child(t, from->parent, from, to);
  if (to) to->parent = from->parent;
}
static void remove_fixup(struct tree *t, struct rb *x, struct rb *parent) {
  while (parent && !is_red(x)) {
    int left = parent->left == x;
    struct rb *sibling = left ? parent->right : parent->left;
    if (is_red(sibling)) {
      sibling->red = 0;
      parent->red = 1;
      if (left) rotate_left(t, parent); else rotate_right(t, parent);
      sibling = left ? parent->right : parent->left;
    }
    struct rb *near = left ? sibling->left : sibling->right, *far = left ? sibling->right : sibling->left;
    if (!is_red(near) && !is_red(far)) {
      sibling->red = 1;
      x = parent;
      parent = x->parent;
      continue;
    }
    if (!is_red(far)) {
      near->red = 0;
      sibling->red = 1;
      if (left) rotate_right(t, sibling); else rotate_left(t, sibling);
      sibling = near;
    }
    struct rb *outer = left ? sibling->right : sibling->left;
    sibling->red = parent->red;
    parent->red = 0;
    outer->red = 0;
    if (left) rotate_left(t, parent); else rotate_right(t, parent);
    x = t->root;
    break;
  }
  if (x) x->red = 0;
}
API static void rb_remove(struct tree *t, struct rb *node) {
  if (t->leftmost == node) t->leftmost = rb_next(node);
  t->count--;
  uint32_t removed_red = node->red;
  struct rb *child, *parent;
  if (!node->left) child = node->right, parent = node->parent, transplant(t, node, child);
  else if (!node->right) child = node->left, parent = node->parent, transplant(t, node, child);
  else {
    struct rb *y = node->right;
    while (y->left) y = y->left;
    removed_red = y->red;
    child = y->right;
    if (y->parent == node) parent = y;
    else {
      parent = y->parent;
      transplant(t, y, child);
      y->right = node->right;
      y->right->parent = y;
    }
    transplant(t, node, y);
    y->left = node->left;
    y->left->parent = y;
    y->red = node->red;
  }
  if (!removed_red) remove_fixup(t, child, parent);
}

/* ---- areas: the same balanced tree, built by halves ---- */
struct vma { uint64_t start, end; struct vma *left, *right; };
struct mm { struct vma *tree, *last_hit; };
API static struct vma *vma_find(struct mm *mm, uint64_t va) {
  struct vma *hit = mm->last_hit;
  if (hit && hit->start <= va && va < hit->end) return hit;
  struct vma *best = 0;
  for (struct vma *vma = mm->tree; vma;) {
    if (vma->end > va) {
      best = vma;
      if (vma->start <= va) break;
      vma = vma->left;
    } else vma = vma->right;
  }
  if (best) mm->last_hit = best;
  return best;
}

/* ---- pages ---- */
enum { MAX_ORDER = 11, FREE = 1, RAM = 2, HIGH = 96 };
struct frame { uint32_t refs; uint8_t flags, order, node, pad; uint32_t link, owner; };
struct zone { uint32_t lock, free_pages, non_empty, node, heads[MAX_ORDER + 1]; };
struct page_cache { uint32_t head, count; };
static struct frame frames[1 << 16];
static struct zone zones[8];
static struct page_cache caches[64];
static uint32_t zone_count = 1;
static void block_push(struct zone *zone, uint32_t pfn, uint32_t order) {
  struct frame *frame = &frames[pfn];
  frame->flags |= FREE;
  frame->order = order;
  frame->link = zone->heads[order];
  frame->owner = 0;
  if (frame->link) frames[frame->link].owner = pfn;
  zone->heads[order] = pfn;
  zone->non_empty |= 1u << order;
}
static void block_remove(struct zone *zone, uint32_t pfn, uint32_t order) {
  struct frame *frame = &frames[pfn];
  frame->flags &= ~FREE;
  if (frame->link) frames[frame->link].owner = frame->owner;
  if (frame->owner) {
    frames[frame->owner].link = frame->link;
    return;
  }
  zone->heads[order] = frame->link;
  if (!frame->link) zone->non_empty &= ~(1u << order);
}
static uint32_t zone_alloc(struct zone *zone, uint32_t order) {
  lock_take(&zone->lock);
  uint32_t pfn = 0, candidates = zone->non_empty >> order;
  if (candidates) {
    uint32_t at = order + __builtin_ctz(candidates);
    pfn = zone->heads[at];
    block_remove(zone, pfn, at);
    while (at > order) at--, block_push(zone, pfn + (1u << at), at);
    zone->free_pages -= 1u << order;
  }
  lock_give(&zone->lock);
  return pfn;
}
static void zone_free(struct zone *zone, uint32_t pfn, uint32_t order) {
  lock_take(&zone->lock);
  assert(!(frames[pfn].flags & FREE));
  zone->free_pages += 1u << order;
  while (order < MAX_ORDER) {
    uint32_t buddy = pfn ^ (1u << order);
    struct frame *frame = &frames[buddy];
    if (!(frame->flags & FREE) || frame->order != order || frame->node != zone->node) break;
    block_remove(zone, buddy, order);
    pfn &= buddy;
    order++;
  }
  block_push(zone, pfn, order);
  lock_give(&zone->lock);
}
API static uint32_t blocks_alloc(uint32_t order) {
  uint32_t home = this_cpu()->node < zone_count ? this_cpu()->node : 0;
  uint32_t pfn = zone_alloc(&zones[home], order);
  for (uint32_t node = 0; !pfn && node < zone_count; node++) if (node != home) pfn = zone_alloc(&zones[node], order);
  if (!pfn) return 0;
  struct frame *frame = &frames[pfn];
  frame->order = order;
  frame->refs = 1;
  frame->link = frame->owner = 0;
  return pfn;
}
API static void blocks_free(uint32_t pfn, uint32_t order) {
  frames[pfn].refs = 0;
  zone_free(&zones[frames[pfn].node], pfn, order);
}
API static uint32_t page_alloc(void) {
  struct page_cache *cache = &caches[this_cpu()->id];
  uint32_t pfn = cache->head;
  if (!pfn) return 0;
  struct frame *frame = &frames[pfn];
  cache->head = frame->link;
  cache->count--;
  frame->refs = 1;
  frame->link = frame->owner = 0;
  return pfn;
}
API static void page_free(uint32_t pfn) {
  struct cpu *cpu = this_cpu();
  struct page_cache *cache = &caches[cpu->id];
  struct frame *frame = &frames[pfn];
  assert(frame->flags == RAM);
  frame->refs = 0;
  if (frame->node != cpu->node) {
    zone_free(&zones[frame->node], pfn, 0);
    return;
  }
  frame->link = cache->head;
  cache->head = pfn;
  if (++cache->count >= HIGH) __builtin_trap();
}

/* ---- slabs ---- */
struct magazine { void **head; uint32_t count; };
struct slab_cache { uint32_t limit, magazine; };
static struct magazine magazines[64][128];
static struct slab_cache slab;
static struct slab_cache *descriptors[16];
static char *slab_page;
API static void *slab_alloc(struct slab_cache *cache) {
  struct magazine *magazine = &magazines[this_cpu()->id][cache->magazine];
  void **head = magazine->head;
  if (!head) return 0;
  magazine->head = *head;
  magazine->count--;
  return head;
}
API static void slab_free(struct slab_cache *cache, void *object) {
  assert(descriptors[((char*)object - slab_page) >> 12] == cache);
  struct magazine *magazine = &magazines[this_cpu()->id][cache->magazine];
  *(void**)object = magazine->head;
  magazine->head = object;
  if (++magazine->count > cache->limit) __builtin_trap();
}

/* ---- names ---- */
#define ONES 0x0101010101010101ull
#define HIGHS 0x8080808080808080ull
struct dentry { struct dentry *hash_next, *parent; char *name; uint32_t hash, length; char inline_name[40]; };
static struct dentry root, child, *buckets[512];
static uint32_t bucket_mask = 511;
static char path[64] = NAME "/rest";
static inline uint64_t hash_step(uint64_t h, uint64_t word) {
  h = (h ^ word) * 0x9e3779b97f4a7c15ull;
  return h ^ (h >> 29);
}
static inline uint32_t hash_fold(uint64_t h) { return (uint32_t)(h ^ (h >> 32)); }
static inline uint64_t word_at(const char *at) {
  uint64_t word;
  memcpy(&word, at, 8);
  return word;
}
static inline uint64_t zero_bytes(uint64_t word) { return (word - ONES) & ~word & HIGHS; }
API static uint64_t component_scan(const char *at) {
  uint64_t h = 0;
  for (uint32_t length = 0;; length += 8) {
    uint64_t word = word_at(at + length), ends = zero_bytes(word) | zero_bytes(word ^ (ONES * '/'));
    if (ends) {
      uint32_t bits = __builtin_ctzll(ends) & ~7;
      h = hash_step(h, word & ((1ull << bits) - 1));
      return (length + (bits >> 3)) | (uint64_t)hash_fold(h) << 32;
    }
    h = hash_step(h, word);
  }
}
static int name_equal(const char *a, const char *b, uint32_t length) {
  uint32_t at = 0;
  for (; at + 8 <= length; at += 8) if (word_at(a + at) != word_at(b + at)) return 0;
  return ((word_at(a + at) ^ word_at(b + at)) & ((1ull << ((length - at) << 3)) - 1)) == 0;
}
static struct dentry **bucket_of(struct dentry *parent, uint32_t hash) {
  uint32_t mixed = hash ^ (uint32_t)((uintptr_t)parent >> 3) * 0x9e3779b1;
  return &buckets[(mixed ^ (mixed >> 15)) & bucket_mask];
}
API static struct dentry *dentry_find(struct dentry *parent, uint32_t hash, const char *name, uint32_t length) {
  for (struct dentry *d = *bucket_of(parent, hash); d; d = d->hash_next)
    if (d->hash == hash && d->parent == parent && d->length == length && name_equal(d->name, name, length)) return d;
  return 0;
}

/* ---- radix tree, run queue, descriptors ---- */
struct radix { void **root; uint32_t height; };
API static uintptr_t radix_get(struct radix *tree, uint64_t index) {
  if (!tree->root || !(tree->height >= 11 || index >> (tree->height * 6) == 0)) return 0;
  void **node = tree->root;
  for (uint32_t level = tree->height - 1; level > 0; level--) {
    node = node[(index >> (level * 6)) & 63];
    if (!node) return 0;
  }
  return (uintptr_t)node[index & 63];
}
struct fair_task { struct rb node; uint64_t vruntime; uint32_t weight; };
struct run_queue { struct tree tree; uint64_t min_vruntime; uint32_t load, count; };
API static void fair_enqueue(struct run_queue *rq, struct fair_task *task, uint32_t flags) {
  if (flags & 1) {
    if (task->vruntime < rq->min_vruntime - 6000000) task->vruntime = rq->min_vruntime - 6000000;
  } else if (flags & 2) task->vruntime = rq->min_vruntime + (task->weight == 1024 ? 1500000 : 1500000ull * 1024 / task->weight);
  rq->load += task->weight;
  rq->count++;
  task->node.key = task->vruntime;
  rb_insert(&rq->tree, &task->node);
}
API static struct fair_task *fair_pick(struct run_queue *rq) {
  struct rb *first = rq->tree.leftmost;
  if (!first) return 0;
  rb_remove(&rq->tree, first);
  return (struct fair_task*)first;
}
struct fd_table { uint32_t refs, capacity, lock; void **slots; };
__attribute__((noinline)) static uintptr_t fd_borrow_shared(struct fd_table *table, uint32_t fd) {
  lock_take(&table->lock);
  void *file = fd < table->capacity ? table->slots[fd] : 0;
  lock_give(&table->lock);
  return (uintptr_t)file | 1;
}
API static uintptr_t fd_borrow(uint32_t fd) {
  struct fd_table *table = current()->process->files;
  if (__atomic_load_n(&table->refs, __ATOMIC_SEQ_CST) == 1) return fd < table->capacity ? (uintptr_t)table->slots[fd] : 0;
  return fd_borrow_shared(table, fd);
}

static uint32_t lock;
static uintptr_t owner;
static struct list head = {&head, &head}, node = {&node, &node};
static struct tree tree;
static struct rb nodes[TREE_NODES];
static struct vma areas[AREAS];
static struct mm mm;
static struct radix radix;
static struct fair_task tasks[TASKS];
static struct run_queue queue;
static void *slots[64] = {&slots, &slots, &slots, &slots};
static struct fd_table table = {1, 64, 0, slots};

static struct vma *areas_build(int from, int to) {
  if (from >= to) return 0;
  int middle = (from + to) / 2;
  areas[middle].left = areas_build(from, middle);
  areas[middle].right = areas_build(middle + 1, to);
  return &areas[middle];
}
void plain_init(void) {
  for (unsigned i = 0; i < TREE_NODES; i++) {
    nodes[i].key = tree_key(i);
    if (i) rb_insert(&tree, &nodes[i]);
  }
  for (unsigned i = 0; i < AREAS; i++) areas[i].start = area_start(i), areas[i].end = area_start(i) + AREA_BYTES;
  mm.tree = areas_build(0, AREAS);
  for (uint32_t pfn = 256; pfn < 256 + 16384; pfn++) frames[pfn].flags = RAM;
  for (uint32_t pfn = 256; pfn < 256 + 16384; pfn += 256) zone_free(&zones[0], pfn, 8);
  page_free(zone_alloc(&zones[0], 5)); /* as a refilled cache leaves the zone */
  slab.limit = 64;
  slab_page = aligned_alloc(4096, 4096);
  descriptors[0] = &slab;
  for (int i = 0; i < 3; i++) slab_free(&slab, slab_page + i * 128);
  uint64_t scanned = component_scan(path);
  child.parent = &root, child.hash = scanned >> 32, child.length = (uint32_t)scanned, child.name = child.inline_name;
  memcpy(child.inline_name, path, child.length);
  *bucket_of(&root, child.hash) = &child;
  radix.height = 2;
  radix.root = calloc(64, 8);
  radix.root[PAGE_INDEX >> 6] = calloc(64, 8);
  ((void**)radix.root[PAGE_INDEX >> 6])[PAGE_INDEX & 63] = &radix;
  for (unsigned i = 0; i < TASKS; i++) {
    tasks[i].weight = 1024;
    tasks[i].vruntime = (1ull << 40) + tree_key(i);
    if (i) fair_enqueue(&queue, &tasks[i], 0);
  }
  process.files = &table;
}

OPERATION(plain, nothing) { return i; }
OPERATION(plain, spinlock) { lock_take(&lock); lock_give(&lock); return i; }
OPERATION(plain, mutex) {
  uintptr_t self = (uintptr_t)current(), expected = 0;
  if (!__atomic_compare_exchange_n(&owner, &expected, self, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) lock_slow(&lock);
  expected = self = (uintptr_t)current();
  if (!__atomic_compare_exchange_n(&owner, &expected, 0, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) lock_slow(&lock);
  return i;
}
OPERATION(plain, list) { list_append(&head, &node); __asm__ volatile("" : : : "memory"); list_remove(&node); return i; }
OPERATION(plain, tree) { rb_insert(&tree, &nodes[0]); rb_remove(&tree, &nodes[0]); return i; }
OPERATION(plain, area) { mm.last_hit = 0; return (uintptr_t)vma_find(&mm, area_start(i % AREAS) + 4096); }
OPERATION(plain, page) { page_free(page_alloc()); return i; }
OPERATION(plain, block) { blocks_free(blocks_alloc(3), 3); return i; }
OPERATION(plain, slab) { slab_free(&slab, slab_alloc(&slab)); return i; }
OPERATION(plain, name) {
  uint64_t scanned = component_scan(path);
  return (uintptr_t)dentry_find(&root, scanned >> 32, path, (uint32_t)scanned);
}
OPERATION(plain, page_index) { return radix_get(&radix, PAGE_INDEX); }
OPERATION(plain, run_queue) { fair_enqueue(&queue, &tasks[0], 0); return (uintptr_t)fair_pick(&queue); }
OPERATION(plain, descriptor) { return fd_borrow(3); }
