/* Memory that is full: who filled it hears of it or ends; nobody else does. */
#include "tap.h"
#include <setjmp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <sys/vfs.h>

enum { CHUNK = 1 << 20 };

static sigjmp_buf back;
static void jump(int sig) { (void)sig; siglongjmp(back, 1); }

static unsigned long free_now(void) {
  struct sysinfo info;
  sysinfo(&info);
  return info.freeram * info.mem_unit;
}

static unsigned long total(void) {
  struct sysinfo info;
  sysinfo(&info);
  return info.totalram * info.mem_unit;
}

/* Gives `fd` room until there is none: whether ENOSPC said so. */
static int fill(int fd) {
  for (off_t at = 0;; at += CHUNK) if (fallocate(fd, 0, at, CHUNK) != 0) return errno == ENOSPC;
}

/* Writes to shared anonymous memory as large as the RAM: whether SIGBUS ended it. */
static int share_all(void) {
  size_t size = total();
  volatile char *shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return 0;
  signal(SIGBUS, jump);
  if (sigsetjmp(back, 1)) return munmap((void *)shared, size) == 0;
  for (size_t at = 0; at < size; at += 4096) shared[at] = 1;
  return 0;
}

/* Nobody, with all the files in memory it can have. Its exit status tells what went wrong. */
static void hoard_files(void) {
  int other = open("/tmp/hoard", O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (setgid(65534) != 0 || setuid(65534) != 0) _exit(1);
  int first = memfd_create("first", 0), second = memfd_create("second", 0);
  if (!fill(first)) _exit(2);
  if (free_now() < total() / 8) _exit(3);
  if (fallocate(second, 0, 0, CHUNK) == 0 || errno != ENOSPC) _exit(4);
  if (pwrite(other, "x", 1, 0) != -1 || errno != ENOSPC) _exit(5);
  struct statfs tmp;
  if (statfs("/tmp", &tmp) != 0 || tmp.f_bavail != 0) _exit(6);
  if (ftruncate(first, 0) != 0 || pwrite(other, "x", 1, 0) != 1) _exit(7);
  if (!share_all()) _exit(8);
  _exit(0);
}

/* Nobody, with all the files it can have, takes private memory as well. */
static void hoard_all(void) {
  if (setgid(65534) != 0 || setuid(65534) != 0) _exit(1);
  if (!fill(memfd_create("all", 0))) _exit(2);
  size_t size = total();
  char *mine = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mine == MAP_FAILED) _exit(3);
  for (size_t at = 0; at < size; at += 4096) mine[at] = 1;
  _exit(4);
}

/* Nobody, with as much as there is in pipes and sockets: pages that no address space shows. Says so and waits for its end. */
static void hoard_pipes(volatile int *ready) {
  static char block[65536];
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (setgid(65534) != 0 || setuid(65534) != 0) _exit(1);
  for (int made = 0; made < 400; made++) {
    int fds[2];
    if (made & 1 ? pipe2(fds, O_NONBLOCK) : socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds)) break;
    while (write(fds[1], block, sizeof block) > 0) {}
    if (errno == ENOMEM || errno == ENOBUFS) break;
  }
  *ready = 1;
  for (;;) pause();
}

/* With memory full of such pages a program that needs little gets it, and one of those that have much is ended. */
static int hoarders_pay(void) {
  enum { HOARDERS = 16, NEED = 16 << 20 };
  int ended = 0, made = 0;
  pid_t hoarders[HOARDERS];
  volatile int *ready = mmap(NULL, HOARDERS * sizeof *ready, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  memset((void *)ready, 0, HOARDERS * sizeof *ready);
  fflush(stdout);
  for (; made < HOARDERS; made++) {
    if ((hoarders[made] = fork()) == 0) hoard_pipes(&ready[made]);
    if (hoarders[made] < 0) break; // forks fail before the faults of programs that exist
    for (int tries = 0; !ready[made] && tries < 5000; tries++) sleep_ms(1);
  }
  char *mine = mmap(NULL, NEED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(mine, 1, NEED);
  for (int i = 0; i < made; i++) {
    int status;
    ended += waitpid(hoarders[i], &status, WNOHANG) == hoarders[i] && WIFSIGNALED(status);
    kill(hoarders[i], SIGKILL);
    waitpid(hoarders[i], &status, 0);
  }
  return munmap(mine, NEED) == 0 && ended > 0 && ended < made;
}

static void bystand(void) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (;;) pause();
}

int main(void) {
  unsigned long before = free_now();
  fflush(stdout);
  pid_t bystander = fork();
  if (bystander == 0) bystand();

  int status = in_child(hoard_files);
  check(status == 0, "files in memory end before the memory does");
  if (status != 0) printf("# status %#x\n", status);
  unlink("/tmp/hoard");
  status = in_child(hoard_all);
  check(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "who takes the rest is ended");
  check(hoarders_pay(), "so is who has it in pipes and sockets");
  check(waitpid(bystander, &status, WNOHANG) == 0, "and a bystander is not");
  kill(bystander, SIGKILL);
  waitpid(bystander, &status, 0);
  int came_back = 0;
  for (int tries = 0; tries < 100 && !(came_back = free_now() + (8 << 20) > before); tries++) sleep_ms(20);
  check(came_back, "all of it comes back");
  return tap_done();
}
