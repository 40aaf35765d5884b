/* irq-costs: from a device's interrupt to its handler in ring 3, in instructions under QEMU's icount (machine with -device edu).
 * The program is its own driver: it opens the device by the native calls, and raises interrupts by a register. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <x86intrin.h>

/* kernel/abi/native.ts */
enum {
  ROOT_CLAIM = 0x1005, NOTIFICATION_CREATE = 0x1020, NOTIFICATION_WAIT = 0x1022, MEMORY_MAP = 0x1031, IRQ_BIND = 0x1040, IRQ_ACK = 0x1041,
  PCI_LIST = 0x1048, PCI_OPEN = 0x1049, PCI_BAR = 0x104d, PCI_IRQ = 0x104e, PCI_MASTER = 0x104f,
};
/* QEMU's docs/specs/edu: the device, its registers that raise and acknowledge. */
enum { EDU = 0x11e81234, RAISE = 0x60 / 4, ACKNOWLEDGE = 0x64 / 4 };
enum { SAMPLES = 41, BAR_BYTES = 4096 };

static volatile uint32_t *registers;
static volatile uint64_t handled_at;
static long notification, irq;

static long need(const char *what, long result) {
  if (result >= 0) return result;
  printf("irq-costs: %s: %ld\n", what, result);
  exit(1);
}

static long device_open(long root) {
  struct { uint32_t address, id, rest[16]; } info;
  for (long i = 0; syscall(PCI_LIST, root, i, &info) >= 0; i++) if (info.id == EDU) return need("open", syscall(PCI_OPEN, root, info.address));
  return need("no edu device", -1);
}

static void wait_for_it(void) {
  need("wait", syscall(NOTIFICATION_WAIT, notification, 0));
  handled_at = __rdtsc();
  registers[ACKNOWLEDGE] = 1;
  syscall(IRQ_ACK, irq);
}

static void *handler(void *unused) { for (;;) wait_for_it(); }

static int by_value(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

static void measure(const char *name, int waits) {
  uint64_t counts[SAMPLES];
  for (int i = -3; i < SAMPLES; i++) {
    handled_at = 0;
    uint64_t start = __rdtsc();
    registers[RAISE] = 1;
    if (waits) wait_for_it();
    while (handled_at == 0) {}
    if (i >= 0) counts[i] = handled_at - start;
    usleep(1000);
  }
  qsort(counts, SAMPLES, sizeof *counts, by_value);
  printf("cost %s %lu\n", name, (unsigned long)counts[SAMPLES / 2]);
  fflush(stdout);
}

int main(void) {
  long device = device_open(need("root", syscall(ROOT_CLAIM)));
  registers = mmap(NULL, BAR_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  need("map", syscall(MEMORY_MAP, need("bar", syscall(PCI_BAR, device, 0)), registers, 0, BAR_BYTES, PROT_READ | PROT_WRITE));
  notification = need("notification", syscall(NOTIFICATION_CREATE));
  irq = need("irq", syscall(PCI_IRQ, device, 0));
  need("bind", syscall(IRQ_BIND, irq, notification, 1));
  need("master", syscall(PCI_MASTER, device, 1));
  measure("irq_running", 1);
  pthread_t thread;
  pthread_create(&thread, NULL, handler, NULL);
  usleep(10000);
  measure("irq_waiting", 0);
  return 0;
}
