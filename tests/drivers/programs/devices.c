/* PCI functions from ring 3: what is found, what of it is given, and to whom. */
#include "../../conformance/programs/tap.h"
#include "../../conformance/programs/native.h"
#include <setjmp.h>
#include <signal.h>

#define NVME 0x00101b36
#define XHCI 0x000d1b36
#define EDU 0x11e81234
#define AHCI 0x29228086
#define EDU_IDENTITY 0x010000ed
#define PAGE 4096
#define BAR_BYTES 0x4000

static long root;
static sigjmp_buf back;

/* The `n`th function of that kind, 0: none. */
static uint32_t find(uint32_t id, int n, pci_info *info) {
  for (int i = 0; native3(PCI_LIST, root, i, (uint64_t)info) == 0; i++)
    if ((info->vendor | (uint32_t)info->device << 16) == id && n-- == 0) return info->address;
  return 0;
}

static volatile uint32_t *map(long range, uint64_t bytes) {
  void *at = mmap(0, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return native5(MEMORY_MAP, range, (uint64_t)at, 0, bytes, PROT_READ | PROT_WRITE) < 0 ? 0 : at;
}

static void bus_error(int sig) { siglongjmp(back, sig); }

/* Whether a word can be read: SIGBUS when there is nothing. */
static int readable(volatile uint32_t *at) {
  if (sigsetjmp(back, 1) != 0) return 0;
  (void)*at;
  return 1;
}

/* The range with the table of messages, without the table; a register of it to see that it is the right one. */
static void all_but_the_table(const char *name, uint32_t id, int reg, uint32_t mask, uint32_t value) {
  pci_info info;
  uint32_t address = find(id, 0, &info), msix = 0;
  long pci = native2(PCI_OPEN, root, address), bar = native2(PCI_BAR, pci, 0);
  printf("# %s at %x: %u messages\n", name, address, info.msix_vectors);
  check(pci > 0 && bar > 0 && info.msix_vectors > 1, "its BAR 0 is given");
  for (uint32_t at = native3(PCI_CONFIG_READ, pci, 0x34, 1); at; at = native3(PCI_CONFIG_READ, pci, at + 1, 1))
    if (native3(PCI_CONFIG_READ, pci, at, 1) == 0x11) msix = at;
  uint32_t table = native3(PCI_CONFIG_READ, pci, msix + 4, 4), kept = (table & ~7u) / PAGE;
  volatile uint32_t *at = map(bar, BAR_BYTES);
  check(msix && (table & 7) == 0 && at && (at[reg] & mask) == value, "its registers are there, and the table is among them");
  int holes = 0, wrong = 0;
  for (uint32_t page = 0; page < BAR_BYTES / PAGE; page++) {
    int is_hole = !readable(at + page * PAGE / 4);
    holes += is_hole;
    wrong += is_hole != (page == kept);
  }
  check(holes == 1 && wrong == 0, "all pages but the table's can be read");
  if (sigsetjmp(back, 1) == 0) {
    at[(table & ~7u) / 4 + 3] = 0;
    check(0, "the table can be written to");
  } else check(1, "the table cannot be written to");
  check(native2(PCI_IRQ, pci, 1) > 0 && native2(PCI_IRQ, pci, 1) == -EBUSY, "a message has one owner");
  munmap((void *)at, BAR_BYTES);
  native1(CAP_REVOKE, pci);
  native1(CAP_DROP, pci);
}

static void one_holder_at_a_time(void) {
  pci_info info;
  uint32_t address = find(AHCI, 0, &info);
  long pci = native2(PCI_OPEN, root, address), bar = native2(PCI_BAR, pci, 5);
  volatile uint32_t *at = map(bar, PAGE);
  check(at && at[0] != 0 && at[0] != ~0u, "registers are mapped");
  native1(CAP_REVOKE, root);
  check(native2(PCI_OPEN, root, address) == -EBUSY && at[0] != ~0u, "who has them mapped keeps the function busy");
  munmap((void *)at, PAGE);
  pci = native2(PCI_OPEN, root, address);
  check(pci > 0, "until they are unmapped");
  long irq = native2(PCI_IRQ, pci, 0);
  native1(CAP_DROP, pci);
  check(irq > 0 && native2(PCI_OPEN, root, address) == -EBUSY, "so does who has its interrupt");
  native1(CAP_DROP, irq);
  fflush(stdout);
  pci = native2(PCI_OPEN, root, address);
  long process, given;
  int go[2];
  pipe(go);
  pid_t pid = fork();
  if (pid == 0) {
    uint64_t handle = 0;
    if (read(go[0], &handle, sizeof handle) != sizeof handle) _exit(1);
    volatile uint32_t *mine = map(native2(PCI_BAR, handle, 5), PAGE);
    kill(getpid(), mine && mine[0] != ~0u ? SIGKILL : SIGTERM);
  }
  process = native1(PROCESS_OPEN, pid);
  given = native4(CAP_INSTALL, process, pci, RIGHT_ALL, 0);
  native1(CAP_DROP, pci);
  write(go[1], &given, sizeof given);
  int status = 0;
  waitpid(pid, &status, 0);
  pci = native2(PCI_OPEN, root, address);
  check(given > 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && pci > 0, "a holder that was killed has let go when its parent hears of it");
  native1(CAP_DROP, pci);
}

/* No unit watches over this machine's DMA. */
static void memory_that_may_not_be_written(void) {
  pci_info info;
  uint64_t address = 0;
  long pci = native2(PCI_OPEN, root, find(EDU, 0, &info));
  long memory = native3(MEMORY_CREATE, native2(QUOTA_CREATE, root, PAGE), PAGE, 1);
  long read_only = native3(CAP_COPY, memory, RIGHT_READ | RIGHT_DMA, 0);
  check(native5(MEMORY_ADDRESSES, read_only, pci, 0, (uint64_t)&address, 1) == -EACCES && address == 0, "nothing would keep the device from writing");
  check(native5(MEMORY_ADDRESSES, memory, pci, 0, (uint64_t)&address, 1) == 0 && address != 0, "with the right to write it may");
  native1(CAP_DROP, pci);
}

static void behind_another_root(void) {
  pci_info info;
  uint32_t address = find(EDU, 1, &info);
  check(address >> 8 > 0x40, "a function behind another root is found");
  long pci = native2(PCI_OPEN, root, address);
  volatile uint32_t *at = map(native2(PCI_BAR, pci, 0), PAGE);
  check(at && at[0] == EDU_IDENTITY, "and reached");
}

int main(void) {
  signal(SIGBUS, bus_error);
  root = native0(ROOT_CLAIM);
  all_but_the_table("nvme", NVME, 2, ~0u, 0x00010400);
  all_but_the_table("xhci", XHCI, 0, 0xffff00ff, 0x01000040);
  one_holder_at_a_time();
  memory_that_may_not_be_written();
  behind_another_root();
  return tap_done();
}
