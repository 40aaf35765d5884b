/* Random arguments for the calls of the contract (grammar.h), and the few files that make descriptors worth guessing. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "grammar.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof *(a))
enum { ARENA_BYTES = 16 * 4096 };

static unsigned long state;
static unsigned char *arena; /* ARENA_BYTES, then an unmapped page */

static unsigned long rnd(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state * 0x2545f4914f6cdd1dul;
}

static unsigned long below(unsigned long n) { return (rnd() >> 11) % n; }

static const char *const PATHS[] = {
  "/tmp/fuzz", "/tmp/fuzz/a", "/tmp/fuzz/b", "/tmp/fuzz/d", "/tmp/fuzz/d/e", "/tmp/fuzz/d/e/f", "/tmp/fuzz/l", "a", "b",
  "d/../a", ".", "..", "", "/", "//tmp//fuzz/./a/", "/dev/null", "/dev/zero", "/dev/full", "/proc/self/maps",
  "/proc/self/fd/3", "/proc/self/exe", "/proc/self/status", "/proc/self", "/proc/meminfo", "/no/such/path", "/tmp/fuzz/fifo",
  "/tmp/fuzz/fat", "/tmp/fuzz/fat/a", "/tmp/fuzz/fat/A Long Name.text", "/tmp/fuzz/fat/d", "/tmp/fuzz/fat/d/e", "/dev/vda",
  "/proc/diskstats", "/proc/capabilities",
  "tmpfs", "user.fuzz", "/tmp/fuzz/loop/loop/loop",
};

static const unsigned long WORDS[] = {
  0, 1, 2, 3, 7, 8, 16, 63, 64, 127, 255, 256, 4095, 4096, 4097, 8192, 65535, 65536, 0x7fffffff, 0x80000000, 0xffffffff,
  0x100000000, 0x7fffffffffff, 0x800000000000, 0x7fffffffffffffff, 0x8000000000000000, -1ul, -2ul, -4096ul,
};

static unsigned long word(void) {
  switch (below(4)) {
    case 0: return rnd();
    case 1: return below(64);
    default: return WORDS[below(ARRAY_SIZE(WORDS))];
  }
}

static unsigned long pointer(void) {
  switch (below(16)) {
    case 0: return 0;
    case 1: return word();
    case 2: return (unsigned long)arena + ARENA_BYTES - below(64);      /* runs into the hole */
    case 3: return (unsigned long)arena + ARENA_BYTES;                  /* unmapped */
    case 4: return 0xffffffff80000000ul + below(1ul << 30);             /* kernel memory */
    case 5: return 0x7fffffffe000ul + below(8192);                      /* the top of user space */
    default: return (unsigned long)arena + below(ARENA_BYTES - 4096);
  }
}

static unsigned long path(void) {
  if (below(12) == 0) return pointer();
  return (unsigned long)PATHS[below(ARRAY_SIZE(PATHS))];
}

static unsigned long argument(int kind, int set) {
  const struct Set *s = &SETS[set];
  unsigned long bits = 0;
  switch (kind) {
    case KIND_NONE: return 0;
    case KIND_FD: return below(20) == 0 ? word() : below(24);
    case KIND_DIRFD: return below(3) == 0 ? (unsigned long)AT_FDCWD : below(24);
    case KIND_PID: return below(3) == 0 ? 0 : below(4) == 0 ? 0x3ffff000 + below(4096) : (unsigned long)getpid();
    case KIND_SIG: return below(12) == 0 ? word() : below(66);
    case KIND_ID: return below(2) ? -1ul : below(4) * 1000;
    case KIND_MODE: return below(2) ? rnd() & 07777 : rnd() & 0177777;
    case KIND_SIZE: return below(3) ? below(8192) : word();
    case KIND_OFFSET: return below(3) ? below(65536) : word();
    case KIND_CAP: return below(12) == 0 ? word() : below(4) << 16 | below(12);
    case KIND_VA: return below(3) == 0 ? 0 : below(4) == 0 ? word() : 0x10000000 + below(64) * 4096;
    case KIND_PATH: return path();
    case KIND_POINTER: return pointer();
    case KIND_FLAGS:
      if (below(16) == 0) return word();
      for (int i = 0; i < s->count; i++) if (below(3) == 0) bits |= s->values[i];
      return bits;
    case KIND_VALUE: return s->count && below(16) ? s->values[below(s->count)] : word();
    default: return word();
  }
}

/* A few plausible files, so that descriptors are worth guessing; then anything goes. */
static void child_setup(void) {
  for (int fd = 0; fd < 64; fd++) close(fd);
  open("/dev/null", O_RDWR);
  open("/dev/null", O_RDWR);
  open("/dev/null", O_RDWR);
  open("/tmp/fuzz/a", O_RDWR | O_CREAT, 0666);
  open("/tmp/fuzz", O_RDONLY | O_DIRECTORY);
  open("/tmp/fuzz/fat/a", O_RDWR | O_CREAT, 0666);
  int fds[2];
  if (pipe2(fds, O_NONBLOCK) == 0) fcntl(fds[0], F_GETFL);
  setpgid(0, 0);
  for (unsigned i = 0; i < ARENA_BYTES; i += 8) *(unsigned long *)(arena + i) = word();
}

/* The arena, with a hole behind it; nothing otherwise. */
static int arena_make(void) {
  arena = mmap(0, ARENA_BYTES + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return arena != MAP_FAILED && munmap(arena + ARENA_BYTES, 4096) == 0;
}

static void files_make(void) {
  mkdir("/tmp/fuzz", 0777);
  chmod("/tmp/fuzz", 0777);
  mkdir("/tmp/fuzz/d", 0777);
  mkfifo("/tmp/fuzz/fifo", 0666);
  if (symlink("loop", "/tmp/fuzz/loop")) errno = 0;
}
