/* Counts instructions: the parent steps the child through ROUNDS calls of each operation between two breakpoints. */
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>
#include "operations.h"

enum { ROUNDS = 100, WARM_UP = 3 };
#define BOTH(name) unsigned long long ours_##name(unsigned), plain_##name(unsigned);
OPERATIONS(BOTH)
#define ENTRY(name) {#name, ours_##name, plain_##name},
static const struct { const char *name; unsigned long long (*ours)(unsigned), (*plain)(unsigned); } operations[] = {OPERATIONS(ENTRY)};
enum { COUNT = sizeof operations / sizeof *operations };
void start_ours(void), plain_init(void);

static void run(unsigned long long (*operation)(unsigned)) {
  for (int i = 0; i < WARM_UP; i++) operation(i);
  __asm__ volatile("int3");
  for (int i = 0; i < ROUNDS; i++) operation(i);
  __asm__ volatile("int3");
}

static void child(void) {
  ptrace(PTRACE_TRACEME, 0, 0, 0);
  start_ours();
  plain_init();
  for (int i = 0; i < COUNT; i++) run(operations[i].ours), run(operations[i].plain);
  _exit(0);
}

static long between_breakpoints(pid_t pid) {
  int status;
  ptrace(PTRACE_CONT, pid, 0, 0);
  waitpid(pid, &status, 0);
  if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP) return -1;
  for (long steps = 0;; steps++) {
    siginfo_t info;
    ptrace(PTRACE_SINGLESTEP, pid, 0, 0);
    waitpid(pid, &status, 0);
    if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP) return -1;
    ptrace(PTRACE_GETSIGINFO, pid, 0, &info);
    if (info.si_code == SI_KERNEL) return steps; /* the second breakpoint */
  }
}

int main(void) {
  pid_t pid = fork();
  if (pid == 0) child();
  long base[2] = {0, 0};
  for (int i = 0; i < COUNT; i++) {
    long counts[2];
    for (int side = 0; side < 2; side++) if ((counts[side] = between_breakpoints(pid)) < 0) return fprintf(stderr, "%s: the child ended\n", operations[i].name), 1;
    if (i == 0) base[0] = counts[0], base[1] = counts[1];
    else printf("%s %ld %ld\n", operations[i].name, (counts[0] - base[0]) / ROUNDS, (counts[1] - base[1]) / ROUNDS);
  }
  kill(pid, SIGKILL);
  return 0;
}
