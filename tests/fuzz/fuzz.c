/*
 * A seeded system call fuzzer: random calls with random arguments from the contract's grammar.
 *
 *   fuzz SEED CALLS WORKERS UID
 *
 * Every worker forks children that make a batch of calls each and may die of what they did; a child that hangs is
 * killed. Batches are seeded by (SEED, worker, batch), so a failure replays. Ends with one line of counts.
 */
#include "arguments.h"
#include <sys/prctl.h>

enum { BATCH = 1000, BATCH_LIMIT_MS = 3000, NATIVE_PROCESS_OPEN = 0x1050, NATIVE_THREAD_OPEN = 0x1055 };

static volatile unsigned long *counters; /* shared: calls, batches, killed, crashed */

/* A child to have control over, which ends with its parent: handles on it and on its thread are guessed like any other. */
static void prey_make(void) {
  pid_t parent = getpid(), prey = fork();
  if (prey == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (getppid() == parent) pause();
    _exit(0);
  }
  long process = syscall(NATIVE_PROCESS_OPEN, prey);
  if (process > 0) syscall(NATIVE_THREAD_OPEN, process, prey);
}

static void batch_run(void) {
  child_setup();
  prey_make();
  for (int n = 0; n < BATCH; n++) {
    const struct Call *call = &CALLS[below(ARRAY_SIZE(CALLS))];
    if (call->blocks && below(8)) continue;
    unsigned long a[6];
    for (int i = 0; i < 6; i++) a[i] = argument(call->args[i].kind, call->args[i].set);
    alarm(1);
    __atomic_add_fetch(&counters[0], 1, __ATOMIC_RELAXED);
    syscall(call->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
  }
  syscall(SYS_exit_group, 0);
}

static void batch_wait(pid_t child) {
  struct timespec step = { 0, 2000000 };
  int status;
  for (int waited = 0; waited < BATCH_LIMIT_MS; waited += 2) {
    if (waitpid(child, &status, WNOHANG | WUNTRACED) == child) {
      if (WIFSTOPPED(status)) break;
      if (WIFSIGNALED(status)) __atomic_add_fetch(&counters[3], 1, __ATOMIC_RELAXED);
      return;
    }
    nanosleep(&step, 0);
  }
  kill(child, SIGKILL);
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
  __atomic_add_fetch(&counters[2], 1, __ATOMIC_RELAXED);
}

static void worker_run(unsigned long seed, unsigned long calls, int worker, unsigned uid) {
  if (chdir("/tmp/fuzz") != 0) _exit(3);
  for (unsigned long batch = 0; counters[0] < calls; batch++) {
    fflush(0);
    pid_t child = fork();
    if (child < 0) continue;
    if (child == 0) {
      state = (seed + 1) * 0x9e3779b97f4a7c15ul ^ ((unsigned long)worker << 48) ^ (batch * 0xbf58476d1ce4e5b9ul) ^ 1;
      if (uid != 0 && (setgroups(0, 0) || setgid(uid) || setuid(uid))) _exit(3);
      batch_run();
    }
    batch_wait(child);
    __atomic_add_fetch(&counters[1], 1, __ATOMIC_RELAXED);
  }
}

int main(int argc, char **argv) {
  if (argc != 5) {
    fprintf(stderr, "usage: fuzz SEED CALLS WORKERS UID\n");
    return 2;
  }
  unsigned long seed = strtoul(argv[1], 0, 0), calls = strtoul(argv[2], 0, 0);
  int workers = atoi(argv[3]);
  counters = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (!arena_make() || counters == MAP_FAILED) return 3;
  files_make();
  for (int i = 0; i < workers; i++) {
    if (fork() == 0) {
      worker_run(seed, calls, i, strtoul(argv[4], 0, 0));
      _exit(0);
    }
  }
  while (wait(0) > 0 || errno == EINTR) {}
  printf("fuzz: seed=%lu calls=%lu batches=%lu killed=%lu crashed=%lu\n", seed, counters[0], counters[1], counters[2], counters[3]);
  return 0;
}
