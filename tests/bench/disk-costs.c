/* disk-costs DEVICE FILE: what reading a disk costs, in instructions under QEMU's icount: `cost name median`, a line each.
 *
 * Cold reads wait for the disk. What the processors do meanwhile is not counted: a process that does nothing but count, of the lowest
 * priority, takes every idle instruction, and its count is taken off. FILE lies on a file system that was mounted just now; each cold
 * read is of a place nobody has read, far from the last one. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <x86intrin.h>

enum { SAMPLES = 41, WARM = 20, SPACING = 512 << 10 };

static volatile uint64_t *idle_loops;
static char buffer[65536] __attribute__((aligned(4096)));

static int by_value(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

/* Two instructions a turn. */
static void idle(void) {
  for (;;) __asm__ volatile("1: addq $1, (%0); jmp 1b" : : "r"(idle_loops) : "memory");
}

static pid_t idle_start(void) {
  idle_loops = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid_t pid = fork();
  if (pid) return pid;
  struct sched_param lowest = {0};
  if (sched_setscheduler(0, SCHED_IDLE, &lowest)) nice(19);
  idle();
  return 0;
}

static void tell(const char *name, const char *what, int64_t *counts) {
  qsort(counts, SAMPLES, sizeof *counts, by_value);
  printf("cost %s_%s %ld\n", name, what, (long)counts[SAMPLES / 2]);
  fflush(stdout);
}

/* Reads of `size` bytes: from places nobody has read, then one place again and again. */
static void measure(const char *name, int fd, long size, long first) {
  int64_t counts[SAMPLES];
  char what[32];
  pid_t pid = idle_start();
  usleep(20000);
  for (int i = 0; i < SAMPLES; i++) {
    uint64_t start = __rdtsc(), loops = *idle_loops;
    if (pread(fd, buffer, size, first + (long)i * SPACING) != size) exit(1);
    counts[i] = (int64_t)(__rdtsc() - start) - 2 * (int64_t)(*idle_loops - loops);
  }
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
  snprintf(what, sizeof what, "%ldk_cold", size >> 10);
  tell(name, what, counts);
  for (int i = 0; i < SAMPLES; i++) {
    uint64_t start = __rdtsc();
    for (int j = 0; j < WARM; j++) if (pread(fd, buffer, size, first) != size) exit(1);
    counts[i] = (__rdtsc() - start) / WARM;
  }
  snprintf(what, sizeof what, "%ldk_cached", size >> 10);
  tell(name, what, counts);
}

/* Calls into the file system's server since boot; -1 where there is none. */
static long round_trips(void) {
  char text[32] = {0};
  int fd = open("/proc/roundtrips", O_RDONLY);
  if (fd < 0) return -1;
  read(fd, text, sizeof text - 1);
  close(fd);
  return atol(text);
}

static void measure_round_trips(const char *path) {
  struct stat st;
  if (round_trips() < 0) return;
  int fd = open(path, O_RDONLY);
  pread(fd, buffer, 4096, 0);
  stat(path, &st);
  long before = round_trips();
  for (int i = 0; i < 100; i++) pread(fd, buffer, 4096, 0);
  printf("cost trips_read %ld\n", round_trips() - before);
  before = round_trips();
  for (int i = 0; i < 100; i++) stat(path, &st);
  printf("cost trips_stat %ld\n", round_trips() - before);
  before = round_trips();
  for (int i = 0; i < 100; i++) close(open(path, O_RDONLY));
  printf("cost trips_open %ld\n", round_trips() - before);
}

int main(int argc, char **argv) {
  int device = open(argv[1], O_RDONLY), file = open(argv[2], O_RDONLY);
  if (device < 0 || file < 0) return 1;
  measure("file", file, 4096, 0);
  measure("file", file, 65536, SPACING / 2);
  /* The second half of the disk: the file lies in the first. */
  measure("device", device, 4096, 64 << 20);
  measure("device", device, 65536, (64 << 20) + SPACING / 2);
  measure_round_trips(argv[2]);
  return 0;
}
