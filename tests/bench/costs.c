/* What one warm operation costs, seen from a program, in TSC counts: `name median`, a line each.
 * Under QEMU's icount with shift=0 a count is an instruction. `costs across` measures between two CPUs, `costs native` native calls only. */
#define _GNU_SOURCE
#include <errno.h>
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
#include "../conformance/programs/native.h"

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

static int far_cpu = -1; /* where children go, -1: anywhere */
static void pin(int cpu);

/* A child that answers each byte on `in` with one on `out`. */
static pid_t echo_child(int in, int out) {
  pid_t pid = fork();
  if (pid) return pid;
  char byte;
  if (far_cpu >= 0) pin(far_cpu);
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

/* ---- Native calls: Linux has none of them ---- */
static uint64_t endpoint, to_server, from_server; /* handles */

static void pin(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  sched_setaffinity(0, sizeof set, &set);
}
/* A child that runs `serve` on CPU `cpu` (-1: any) with copies of the handles. */
static pid_t native_child(void (*serve)(void), int cpu) {
  int go[2];
  if (pipe(go)) exit(1);
  pid_t pid = fork();
  if (pid == 0) {
    uint64_t given[3];
    if (cpu >= 0) pin(cpu);
    if (read(go[0], given, sizeof given) != sizeof given) _exit(1);
    endpoint = given[0], to_server = given[1], from_server = given[2];
    serve();
    _exit(0);
  }
  uint64_t process = native1(PROCESS_OPEN, pid), mine[3] = {endpoint, to_server, from_server}, given[3];
  for (int i = 0; i < 3; i++) given[i] = native4(CAP_INSTALL, process, mine[i], RIGHT_ALL, 0);
  if (write(go[1], given, sizeof given) != sizeof given) exit(1);
  close(go[0]);
  close(go[1]);
  return pid;
}
static void echo_calls(void) {
  message m = {0};
  for (long label = 0;;) label = ipc(IPC_REPLY_WAIT, endpoint, label, &m);
}
static void echo_bits(void) {
  for (;;) native2(NOTIFICATION_SIGNAL, from_server, native2(NOTIFICATION_WAIT, to_server, 0));
}
static void calls(void) {
  message m = {0, {1, 2, 3, 4}};
  for (int i = 0; i < 20; i++) if (ipc(IPC_CALL, endpoint, 1, &m) != 1) exit(1);
}
static void bits(void) {
  for (int i = 0; i < 20; i++) {
    native2(NOTIFICATION_SIGNAL, to_server, 1);
    native2(NOTIFICATION_WAIT, from_server, 0);
  }
}
static void bits_alone(void) {
  for (int i = 0; i < 20; i++) {
    native2(NOTIFICATION_SIGNAL, to_server, 1);
    native2(NOTIFICATION_WAIT, to_server, 0);
  }
}
/* 64 KiB that arrive by copy, or as memory that is mapped; the server looks at each page. */
static volatile char seen;
static char *area;
static uint64_t memory;
static void take_copies(void) {
  long_message m = {.receive = (uint64_t)area, .receive_max = CHUNK};
  for (;;) {
    ipc_reply_wait_extra(endpoint, &m);
    for (int i = 0; i < CHUNK; i += PAGE) seen = area[i];
  }
}
static void take_grants(void) {
  long_message m = {0};
  for (;;) {
    ipc_reply_wait_extra(endpoint, &m);
    native(MEMORY_MAP, m.cap[0], (uint64_t)area, 0, CHUNK, PROT_READ, 0);
    for (int i = 0; i < CHUNK; i += PAGE) seen = area[i];
    native1(CAP_DROP, m.cap[0]);
  }
}
static void send_copy(void) {
  long_message m = {.send = (uint64_t)buffer, .send_bytes = CHUNK};
  if (ipc_call_extra(endpoint, &m) < 0) exit(1);
}
static void send_grant(void) {
  long_message m = {.send_caps = 1, .cap = {memory}};
  if (ipc_call_extra(endpoint, &m) < 0) exit(1);
}
static void measure_native(const char *name, void (*serve)(void), int cpu, int operations, void (*body)(void)) {
  pid_t pid = native_child(serve, cpu);
  measure(name, SAMPLES, operations, body);
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
}
/* A line of /proc/ipc. */
static long moved(const char *what) {
  char text[512], *at;
  int fd = open("/proc/ipc", O_RDONLY);
  long n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  close(fd);
  text[n < 0 ? 0 : n] = 0;
  return (at = strstr(text, what)) ? atol(at + strlen(what)) : -1;
}
/* The same, and which way the data of one operation went, by the kernel's counters. */
static void measure_moving(const char *name, void (*serve)(void), void (*body)(void)) {
  pid_t pid = native_child(serve, -1);
  measure(name, SAMPLES, 1, body);
  long copied = moved("bytes_copied"), granted = moved("pages_granted");
  body();
  printf("cost %s_copied %ld\ncost %s_granted %ld\n", name, moved("bytes_copied") - copied, name, moved("pages_granted") - granted);
  fflush(stdout);
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
}
static int native_begin(void) {
  if (native0(TIME_NOW) == -ENOSYS) return 0;
  endpoint = native0(ENDPOINT_CREATE);
  to_server = native0(NOTIFICATION_CREATE);
  from_server = native0(NOTIFICATION_CREATE);
  return 1;
}
static void measure_all_native(void) {
  if (!native_begin()) return;
  measure_native("ipc_call", echo_calls, -1, 20, calls);
  measure_native("notification", echo_bits, -1, 20, bits);
  measure("notification_alone", SAMPLES, 20, bits_alone);
  area = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(area, 1, CHUNK);
  measure_moving("ipc_copy_64k", take_copies, send_copy);
  long root = native0(ROOT_CLAIM);
  memory = native3(MEMORY_CREATE, native2(QUOTA_CREATE, root, CHUNK), CHUNK, 0);
  if (root > 0) measure_moving("ipc_grant_64k", take_grants, send_grant);
}
/* Both ends on CPUs of their own. */
static void measure_across(void) {
  pin(1);
  far_cpu = 0;
  measure_ping_pong("pipe_across", 0);
  if (!native_begin()) return;
  measure_native("ipc_across", echo_calls, 0, 20, calls);
  measure_native("notification_across", echo_bits, 0, 20, bits);
}

static uint64_t now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000ull + t.tv_nsec / 1000;
}

int main(int argc, char **argv) {
  uint64_t first_tsc = __rdtsc(), first_us = now_us();
  if (argc > 1) {
    if (!strcmp(argv[1], "across")) measure_across();
    else measure_all_native();
    printf("cost tsc_khz %lu\n", (unsigned long)((__rdtsc() - first_tsc) * 1000 / (now_us() - first_us)));
    return 0;
  }
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
  measure_all_native();
  /* Ticks of the counter in a millisecond: turns counts into time where the counter is a clock. */
  printf("cost tsc_khz %lu\n", (unsigned long)((__rdtsc() - first_tsc) * 1000 / (now_us() - first_us)));
  return 0;
}
