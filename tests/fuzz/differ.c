/*
 * One call a child, always from the same state: what each answers, to be compared between kernels.
 *
 *   differ SEED CASES UID      prints "NAME CASE ANSWER", ANSWER = 0, an errno, or -SIGNAL
 *
 * Case n of a call has the same arguments on every kernel, but for addresses inside the arena and process numbers.
 */
#include "arguments.h"

static void case_run(const struct Call *call, unsigned uid) {
  child_setup();
  if (uid != 0 && (setgroups(0, 0) || setgid(uid) || setuid(uid))) _exit(255);
  unsigned long a[6];
  for (int i = 0; i < 6; i++) a[i] = argument(call->args[i].kind, call->args[i].set);
  alarm(1);
  errno = 0;
  long result = syscall(call->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
  syscall(SYS_exit_group, result == -1 ? errno : 0);
}

int main(int argc, char **argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: differ SEED CASES UID\n");
    return 2;
  }
  unsigned long seed = strtoul(argv[1], 0, 0);
  int cases = atoi(argv[2]);
  if (!arena_make() || chdir("/tmp")) return 3;
  for (unsigned i = 0; i < ARRAY_SIZE(CALLS); i++) {
    for (int n = 0; n < cases; n++) {
      if (system("rm -rf /tmp/fuzz")) return 3;
      files_make();
      if (chdir("/tmp/fuzz")) return 3;
      fflush(0);
      pid_t child = fork();
      if (child == 0) {
        state = (seed + 1) * 0x9e3779b97f4a7c15ul ^ ((unsigned long)CALLS[i].nr << 32) ^ ((unsigned long)n * 0xbf58476d1ce4e5b9ul) ^ 1;
        case_run(&CALLS[i], strtoul(argv[3], 0, 0));
      }
      int status = 0;
      while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
      printf("%s %d %d\n", CALLS[i].name, n, WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status));
    }
  }
  return 0;
}
