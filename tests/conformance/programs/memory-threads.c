/* Memory under load: threads of one program map, protect, move, drop and fork at once; every page keeps its tag. */
#include "tap.h"
#include <pthread.h>

#define THREADS 6
#define ROUNDS 200
#define PAGE 4096

static const int rw = PROT_READ | PROT_WRITE;
static volatile int broken;

static void want(int ok, int what) { if (!ok) broken = what; }

/** Both ends of each of `pages` pages hold `tag`. */
static int tagged(const char *p, int pages, char tag) {
  for (int i = 0; i < pages; i++) if (p[i * PAGE] != tag || p[i * PAGE + PAGE - 1] != tag) return 0;
  return 1;
}
static void tag_pages(char *p, int pages, char tag) {
  for (int i = 0; i < pages; i++) p[i * PAGE] = p[i * PAGE + PAGE - 1] = tag;
}

static void fork_and_overwrite(char *p, int pages, char tag) {
  int status = -1;
  pid_t child = fork();
  if (child == 0) {
    int seen = tagged(p, pages, tag);
    memset(p, 0, pages * PAGE);
    _exit(!seen);
  }
  want(child > 0 && waitpid(child, &status, 0) == child && status == 0, 5);
}

static void *work(void *argument) {
  unsigned seed = (unsigned)(long)argument * 7919 + 1;
  for (int round = 0; round < ROUNDS; round++) {
    int pages = 4 + (seed = seed * 1103515245 + 12345) / 65536 % 40;
    char tag = 1 + (seed >> 9) % 100;
    char *p = mmap(NULL, pages * PAGE, rw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) { broken = 1; break; }
    want(tagged(p, pages, 0), 2);
    tag_pages(p, pages, tag);
    want(mprotect(p + PAGE, PAGE, PROT_READ) == 0 && p[PAGE] == tag && mprotect(p + PAGE, PAGE, rw) == 0, 3);
    want(madvise(p + 2 * PAGE, PAGE, MADV_DONTNEED) == 0 && p[2 * PAGE] == 0, 4);
    tag_pages(p + PAGE, 2, tag);
    if (round % 50 == 0) fork_and_overwrite(p, pages, tag);
    char *q = round % 3 ? p : mremap(p, pages * PAGE, 2 * pages * PAGE, MREMAP_MAYMOVE);
    if (q == MAP_FAILED) { broken = 6; break; }
    want(tagged(q, pages, tag), 7);
    want(munmap(q, (q == p && round % 3 ? 1 : 2) * pages * PAGE) == 0, 8);
  }
  return NULL;
}

int main(void) {
  pthread_t threads[THREADS];
  for (long i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, work, (void *)i);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  if (broken) printf("# step %d\n", broken);
  check(!broken, "pages keep their tags while six threads map, protect, move and fork");
  return tap_done();
}
