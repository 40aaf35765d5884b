/* What one warm operation costs, seen from a program, in TSC counts: `name median`, a line each.
 * Under QEMU's icount with shift=0 a count is an instruction. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

enum { SAMPLES = 41, PAGE = 4096, CHUNK = 65536 };

static int by_value(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

/* Runs `body` SAMPLES times after a warm-up; prints the median divided by `operations`. */
static void measure(const char *name, int samples, int operations, void (*body)(void)) {
  uint64_t counts[SAMPLES];
  body();
  body();
  for (int i = 0; i < samples; i++) {
    uint64_t start = __rdtsc();
    body();
    counts[i] = __rdtsc() - start;
  }
  qsort(counts, samples, sizeof *counts, by_value);
  printf("cost %s %lu\n", name, (unsigned long)(counts[samples / 2] / operations));
  fflush(stdout);
}

static int to_child[2], from_child[2], file;
static char *page_area, buffer[CHUNK];
static volatile int handled;

static void nothing(void) {}
static void null_syscall(void) {
  long result;
  for (int i = 0; i < 100; i++)
    __asm__ volatile("syscall" : "=a"(result) : "0"(SYS_getppid) : "rcx", "r11", "memory");
}
static void ping_pong(void) {
  char byte = 'x';
  for (int i = 0; i < 20; i++)
    if (write(to_child[1], &byte, 1) != 1 || read(from_child[0], &byte, 1) != 1) exit(1);
}
static void touch_pages(void) {
  char *p = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  uint64_t start = __rdtsc();
  for (int i = 0; i < 64; i++) p[i * PAGE] = 1;
  page_area = (char *)(__rdtsc() - start);
  munmap(p, 64 * PAGE);
}
static void stat_path(void) {
  struct stat st;
  for (int i = 0; i < 20; i++) stat("/bin/busybox", &st);
}
static void open_close(void) { for (int i = 0; i < 20; i++) close(open("/bin/busybox", O_RDONLY)); }
static void handler(int sig) { handled = sig; }
static void signal_self(void) { for (int i = 0; i < 20; i++) kill(getpid(), SIGUSR1); }
static void fork_wait(void) {
  pid_t pid = fork();
  if (pid == 0) _exit(0);
  waitpid(pid, NULL, 0);
}
static void fork_exec(void) {
  pid_t pid = fork();
  if (pid == 0) { execl("/bin/busybox", "true", NULL); _exit(1); }
  waitpid(pid, NULL, 0);
}
static void vfork_exec(void) {
  pid_t pid = vfork();
  if (pid == 0) { execl("/bin/busybox", "true", NULL); _exit(1); }
  waitpid(pid, NULL, 0);
}
static void map_unmap(void) {
  for (int i = 0; i < 20; i++) munmap(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), PAGE);
}
static void write_file(void) { if (pwrite(file, buffer, CHUNK, 0) != CHUNK) exit(1); }
static void read_file(void) { if (pread(file, buffer, CHUNK, 0) != CHUNK) exit(1); }
static void yield(void) { for (int i = 0; i < 20; i++) sched_yield(); }

/* A child that answers each byte on `in` with one on `out`. */
static pid_t echo_child(int in, int out) {
  pid_t pid = fork();
  if (pid) return pid;
  char byte;
  while (read(in, &byte, 1) == 1 && write(out, &byte, 1) == 1) {}
  _exit(0);
}
static void measure_ping_pong(const char *name, int use_socket) {
  int a[2], b[2];
  if (use_socket) {
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, a)) return;
    memcpy(b, (int[]){a[0], a[0]}, sizeof b);
    to_child[1] = from_child[0] = a[0];
    pid_t pid = echo_child(a[1], a[1]);
    measure(name, SAMPLES, 20, ping_pong);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return;
  }
  if (pipe(a) || pipe(b)) return;
  to_child[1] = a[1];
  from_child[0] = b[0];
  pid_t pid = echo_child(a[0], b[1]);
  measure(name, SAMPLES, 20, ping_pong);
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
}

/* Faults are timed inside: mapping and unmapping are not part of them. */
static void measure_faults(void) {
  uint64_t counts[SAMPLES];
  touch_pages();
  for (int i = 0; i < SAMPLES; i++) { touch_pages(); counts[i] = (uint64_t)page_area; }
  qsort(counts, SAMPLES, sizeof *counts, by_value);
  printf("cost anonymous_fault %lu\n", (unsigned long)(counts[SAMPLES / 2] / 64));

  char *p = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  uint64_t *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  memset(p, 1, 64 * PAGE);
  for (int i = 0; i < SAMPLES; i++) {
    pid_t pid = fork();
    if (pid == 0) {
      uint64_t start = __rdtsc();
      for (int page = 0; page < 64; page++) p[page * PAGE] = 2;
      *shared = __rdtsc() - start;
      _exit(0);
    }
    waitpid(pid, NULL, 0);
    counts[i] = *shared;
  }
  qsort(counts, SAMPLES, sizeof *counts, by_value);
  printf("cost cow_fault %lu\n", (unsigned long)(counts[SAMPLES / 2] / 64));
  fflush(stdout);
}

static uint64_t now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000ull + t.tv_nsec / 1000;
}

int main(void) {
  uint64_t first_tsc = __rdtsc(), first_us = now_us();
  measure("measuring", SAMPLES, 1, nothing);
  measure("null_syscall", SAMPLES, 100, null_syscall);
  measure_ping_pong("pipe_ping_pong", 0);
  measure_ping_pong("socket_ping_pong", 1);
  measure_faults();
  measure("stat", SAMPLES, 20, stat_path);
  measure("open_close", SAMPLES, 20, open_close);
  signal(SIGUSR1, handler);
  measure("signal", SAMPLES, 20, signal_self);
  measure("fork_exit_wait", 21, 1, fork_wait);
  measure("vfork_exec", 11, 1, vfork_exec);
  measure("fork_exec", 11, 1, fork_exec);
  measure("mmap_munmap", SAMPLES, 20, map_unmap);
  measure("sched_yield", SAMPLES, 20, yield);
  file = open("/tmp/bench", O_RDWR | O_CREAT, 0600);
  memset(buffer, 'b', sizeof buffer);
  measure("write_4k", SAMPLES, CHUNK / PAGE, write_file);
  measure("read_4k", SAMPLES, CHUNK / PAGE, read_file);
  /* Ticks of the counter in a millisecond: turns counts into time where the counter is a clock. */
  printf("cost tsc_khz %lu\n", (unsigned long)((__rdtsc() - first_tsc) * 1000 / (now_us() - first_us)));
  return 0;
}
