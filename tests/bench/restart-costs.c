/* restart-costs DEVICE FOLDER: what it takes from a server's death to the first answer of its successor, in instructions under QEMU's
 * icount: `cost name median`, `cost name_worst most`.
 *
 * What is asked needs the server: a place of the disk that nobody has read, a new name. Idle instructions are taken off as in disk-costs.c. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <x86intrin.h>

enum { SAMPLES = 11, BETWEEN_US = 200000, SPACING = 1 << 20, FIRST = 96 << 20 };

static char buffer[4096] __attribute__((aligned(4096)));
static const char *device, *folder;

static int by_value(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

/* The process of that name, as pidof finds it. */
static pid_t process_of(const char *name) {
  DIR *proc = opendir("/proc");
  for (struct dirent *entry; proc && (entry = readdir(proc));) {
    char path[300], comm[32] = {0};
    snprintf(path, sizeof path, "/proc/%s/comm", entry->d_name);
    int fd = atoi(entry->d_name) > 0 ? open(path, O_RDONLY) : -1;
    if (fd < 0) continue;
    read(fd, comm, sizeof comm - 1);
    close(fd);
    comm[strcspn(comm, "\n")] = 0;
    if (strcmp(comm, name)) continue;
    pid_t pid = atoi(entry->d_name);
    closedir(proc);
    return pid;
  }
  exit(2);
}

static void ask_disk(int i) {
  int fd = open(device, O_RDONLY);
  if (pread(fd, buffer, sizeof buffer, FIRST + (long)i * SPACING) != sizeof buffer) exit(3);
  close(fd);
}
static void ask_files(int i) {
  char path[300];
  snprintf(path, sizeof path, "%s/new%d", folder, i);
  int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0644);
  if (fd < 0) exit(4);
  close(fd);
}

static volatile uint64_t *idle_loops;

/* Two instructions a turn, when nobody else wants the processor. */
static pid_t idle_start(void) {
  idle_loops = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid_t pid = fork();
  if (pid) return pid;
  struct sched_param lowest = {0};
  sched_setscheduler(0, SCHED_IDLE, &lowest);
  for (;;) __asm__ volatile("1: addq $1, (%0); jmp 1b" : : "r"(idle_loops) : "memory");
}

static void measure(const char *server, const char *row, void (*ask)(int)) {
  uint64_t counts[SAMPLES];
  for (int i = 0; i < SAMPLES; i++) {
    usleep(BETWEEN_US);
    pid_t pid = process_of(server);
    uint64_t start = __rdtsc(), loops = *idle_loops;
    kill(pid, SIGKILL);
    ask(i);
    counts[i] = __rdtsc() - start - 2 * (*idle_loops - loops);
  }
  qsort(counts, SAMPLES, sizeof *counts, by_value);
  printf("cost %s %lu\ncost %s_worst %lu\n", row, counts[SAMPLES / 2], row, counts[SAMPLES - 1]);
  fflush(stdout);
}

int main(int argc, char **argv) {
  if (argc < 3) return 1;
  pid_t idle = idle_start();
  device = argv[1], folder = argv[2];
  measure("virtio-blk", "restart_driver", ask_disk);
  measure("fat32", "restart_files", ask_files);
  kill(idle, SIGKILL);
  return 0;
}
