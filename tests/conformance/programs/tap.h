/* Self-checking programs: one line of TAP for each check; the exit status is 0 when all hold. */
#ifndef TAP_H
#define TAP_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int tap_count, tap_failed;

#define check(condition, what) tap_check((condition) != 0, what, #condition, __LINE__)
/* The call fails with this error. */
#define check_errno(call, error, what) \
  do { errno = 0; long r_ = (long)(call); tap_check(r_ == -1 && errno == (error), what, #call " -> " #error, __LINE__); } while (0)

static inline void tap_check(int good, const char *what, const char *condition, int line) {
  int error = errno;
  printf("%s %d - %s\n", good ? "ok" : "not ok", ++tap_count, what);
  if (!good) { tap_failed++; printf("# line %d: %s (errno %d %s)\n", line, condition, error, strerror(error)); }
  fflush(stdout);
}

static inline int tap_done(void) {
  printf("1..%d\n", tap_count);
  return tap_failed != 0;
}

/* Runs `body` in a child; gives its wait status. */
static inline int in_child(void (*body)(void)) {
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) { body(); _exit(0); }
  int status = -1;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
  return status;
}

static inline int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static inline void sleep_ms(long ms) {
  struct timespec t = {ms / 1000, ms % 1000 * 1000000};
  while (nanosleep(&t, &t) < 0 && errno == EINTR) {}
}
#endif
