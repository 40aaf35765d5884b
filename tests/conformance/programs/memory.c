/* Memory: mappings of every kind, protection, copy on write, brk, sharing, and limits. */
#include "tap.h"
#include <setjmp.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static sigjmp_buf back;
static void jump(int sig) { (void)sig; siglongjmp(back, 1); }
static int can_read(volatile char *p) { if (sigsetjmp(back, 1)) return 0; (void)*p; return 1; }
static int can_write(volatile char *p) { if (sigsetjmp(back, 1)) return 0; *p = *p; return 1; }
static char *anonymous(size_t size, int prot, int flags) {
  return mmap(NULL, size, prot, flags | MAP_ANONYMOUS, -1, 0);
}
static char *shared, *private_page;
static void change_both(void) { shared[0] = 'B'; private_page[0] = 'B'; }
static void use_too_much(void) {
  struct rlimit limit = {64 << 20, 64 << 20};
  setrlimit(RLIMIT_AS, &limit);
  if (anonymous(256 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE) != MAP_FAILED || errno != ENOMEM) _exit(1);
  _exit(0);
}
static long resident(void) {
  long size, pages = 0;
  FILE *f = fopen("/proc/self/statm", "r");
  if (!f || fscanf(f, "%ld %ld", &size, &pages) != 2) pages = -1;
  if (f) fclose(f);
  return pages;
}

int main(void) {
  signal(SIGSEGV, jump);
  signal(SIGBUS, jump);
  const int rw = PROT_READ | PROT_WRITE;

  char *p = anonymous(1 << 20, rw, MAP_PRIVATE);
  int zero = 1;
  for (int i = 0; i < 1 << 20; i += 512) zero &= p[i] == 0;
  check(p != MAP_FAILED && zero, "fresh memory is zero");
  memset(p, 0x5a, 1 << 20);
  check(mprotect(p + 4096, 4096, PROT_READ) == 0 && !can_write(p + 4096) && can_read(p + 4096), "mprotect read-only");
  check(can_write(p) && can_write(p + 8192), "its neighbours stay writable");
  check(mprotect(p + 4096, 4096, PROT_NONE) == 0 && !can_read(p + 4096), "mprotect none");
  check(mprotect(p + 4096, 4096, rw) == 0 && p[4096] == 0x5a, "content survives");
  check(munmap(p + 8192, 4096) == 0 && !can_read(p + 8192) && can_read(p + 12288), "munmap makes a hole");
  check(mmap(p + 8192, 4096, rw, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p + 8192 && p[8192] == 0, "MAP_FIXED fills it");
  check_errno((long)mmap(p, 4096, rw, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0), EEXIST, "MAP_FIXED_NOREPLACE refuses");
  check(madvise(p, 1 << 20, MADV_DONTNEED) == 0 && p[0] == 0, "MADV_DONTNEED drops content");
  check(munmap(p, 1 << 20) == 0, "munmap of all");
  check_errno(munmap(p + 1, 4096), EINVAL, "munmap misaligned");
  check_errno((long)mmap(NULL, 0, rw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EINVAL, "mmap of nothing");
  check_errno((long)mmap(NULL, 4096, rw, MAP_PRIVATE, 99, 0), EBADF, "mmap of a bad descriptor");
  check_errno((long)mmap(NULL, 1ul << 48, rw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM, "mmap of more than there is");

  shared = anonymous(4096, rw, MAP_SHARED);
  private_page = anonymous(4096, rw, MAP_PRIVATE);
  shared[0] = private_page[0] = 'A';
  in_child(change_both);
  check(shared[0] == 'B', "shared memory is shared with a child");
  check(private_page[0] == 'A', "private memory is copied on write");

  int fd = open("/tmp/memory-test", O_RDWR | O_CREAT | O_TRUNC, 0600);
  char block[8192];
  for (int i = 0; i < 8192; i++) block[i] = i / 64;
  check(write(fd, block, 8192) == 8192, "file written");
  char *map = mmap(NULL, 8192, rw, MAP_SHARED, fd, 0);
  check(map != MAP_FAILED && memcmp(map, block, 8192) == 0, "a shared file mapping shows the file");
  map[100] = 'M';
  char byte = 0;
  check(pread(fd, &byte, 1, 100) == 1 && byte == 'M', "a write through the mapping is in the file");
  check(pwrite(fd, "W", 1, 5000) == 1 && map[5000] == 'W', "a write to the file is in the mapping");
  check(msync(map, 8192, MS_SYNC) == 0, "msync");
  char *copy = mmap(NULL, 4096, rw, MAP_PRIVATE, fd, 4096);
  copy[0] = 'P';
  check(pread(fd, &byte, 1, 4096) == 1 && byte != 'P', "a private file mapping keeps its writes");
  check(ftruncate(fd, 4096) == 0 && !can_read(map + 4096), "beyond the new end: SIGBUS");
  check_errno((long)mmap(NULL, 4096, rw, MAP_SHARED, open("/tmp/memory-test", O_RDONLY), 0), EACCES, "shared writable needs a writable file");
  unlink("/tmp/memory-test");
  check(map[100] == 'M', "an unlinked file stays mapped");

  char *end = (char *)syscall(SYS_brk, 0);
  check((char *)syscall(SYS_brk, end + 65536) == end + 65536 && (end[65535] = 1), "brk grows");
  check((char *)syscall(SYS_brk, end) == end && (char *)syscall(SYS_brk, 0) == end, "brk shrinks");

  p = anonymous(8192, rw, MAP_PRIVATE);
  p[0] = 'r';
  char *moved = mremap(p, 8192, 1 << 20, MREMAP_MAYMOVE);
  check(moved != MAP_FAILED && moved[0] == 'r' && moved[(1 << 20) - 1] == 0, "mremap grows");
  check(mremap(moved, 1 << 20, 4096, 0) == moved && !can_read(moved + 4096), "mremap shrinks");

  long before = resident();
  p = anonymous(32 << 20, rw, MAP_PRIVATE);
  check(before > 0 && resident() - before < 100, "memory not touched costs nothing");
  for (int i = 0; i < 32 << 20; i += 4096) p[i] = 1;
  check(resident() - before >= 8192 - 256, "touched memory is resident") /* Linux counts in batches */;
  munmap(p, 32 << 20);
  check(resident() - before < 100, "and is given back");

  unsigned char *code = (unsigned char *)anonymous(4096, rw, MAP_PRIVATE);
  memcpy(code, "\xb8\x2a\x00\x00\x00\xc3", 6); /* mov $42, %eax; ret */
  check(mprotect(code, 4096, PROT_READ | PROT_EXEC) == 0 && ((int (*)(void))code)() == 42, "generated code runs after mprotect");

  unsigned char resident_map[2];
  p = anonymous(8192, rw, MAP_PRIVATE);
  p[0] = 1;
  check(mincore(p, 8192, resident_map) == 0 && (resident_map[0] & 1), "mincore");
  check(WEXITSTATUS(in_child(use_too_much)) == 0, "RLIMIT_AS gives ENOMEM");
  return tap_done();
}
