/* The native calls, for programs in C: numbers of kernel/abi/native.ts. */
#ifndef NATIVE_H
#define NATIVE_H

#include <stdint.h>

enum {
  CAP_COPY = 0x1000, CAP_DROP, CAP_REVOKE, CAP_INFO, CAP_INSTALL, ROOT_CLAIM,
  ENDPOINT_CREATE = 0x1010, IPC_CALL, IPC_REPLY_WAIT, IPC_CALL_EXTRA, IPC_REPLY_WAIT_EXTRA, ENDPOINT_BIND,
  NOTIFICATION_CREATE = 0x1020, NOTIFICATION_SIGNAL, NOTIFICATION_WAIT, NOTIFICATION_TIMER,
  TIME_NOW, CLOCK_NOW, CLOCK_SET, TIME_OPEN,
  MEMORY_CREATE = 0x1030, MEMORY_MAP, MEMORY_ADDRESSES, QUOTA_CREATE,
  IRQ_BIND = 0x1040, IRQ_ACK, PORT_IN, PORT_OUT,
  PCI_LIST = 0x1048, PCI_OPEN, PCI_INFO, PCI_CONFIG_READ, PCI_CONFIG_WRITE, PCI_BAR, PCI_IRQ, PCI_MASTER,
  PROCESS_OPEN = 0x1050, PROCESS_WATCH, PROCESS_KILL, PROCESS_CONFINE, PROCESS_CRASH,
  THREAD_OPEN = 0x1055, THREAD_NEXT, THREAD_INFO, THREAD_SUSPEND, THREAD_RESUME, THREAD_SCHEDULE,
  SERVICE_OPEN = 0x1060, SERVICE_CALL,
};
enum { RIGHT_READ = 1, RIGHT_WRITE = 2, RIGHT_CALL = 4, RIGHT_RECEIVE = 8, RIGHT_SIGNAL = 16, RIGHT_WAIT = 32, RIGHT_DMA = 64, RIGHT_GRANT = 128, RIGHT_MANAGE = 256, RIGHT_ALL = 0x1ff };
#define IPC_NOTIFIED 0x40000000

typedef struct {
  uint64_t badge, w[4];
} message;

/* IpcMessage of kernel/abi/capability.ts. */
typedef struct {
  int32_t label;
  uint32_t flags;
  uint64_t badge, w[4], send;
  uint32_t send_bytes, send_caps;
  uint64_t receive;
  uint32_t receive_max, receive_bytes, cap[4], receive_caps, how; /* SEND_HOW of each */
  uint64_t deadline;
  uint32_t rights[4];
  uint64_t badges[4];
} long_message;
enum { SEND_COPY, SEND_MOVE, SEND_MINT };
#define SEND_HOW(how, index) ((how) << 4 * (index))

/* ThreadInfo of kernel/abi/thread.ts. */
typedef struct {
  uint32_t tid, state, waits, call, cpu, policy, priority;
  int32_t nice;
  uint64_t user_ns, system_ns;
  uint32_t has_registers, frames;
  uint64_t rip, rsp, frame[16];
} thread_info;
enum { THREAD_RUNNING, THREAD_READY, THREAD_WAITING, THREAD_STOPPED, THREAD_SUSPENDED };

/* PciInfo of kernel/abi/capability.ts. */
typedef struct {
  uint32_t address;
  uint16_t vendor, device, sub_vendor, sub_device;
  uint32_t class_code, revision, msix_vectors, msi_vectors, pad, bar_mask, port_mask;
} pci_info;

/* CapInfo of kernel/abi/capability.ts. */
typedef struct {
  uint32_t kind, rights;
  uint64_t badge, size, detail;
} cap_info;

/* The result as the kernel gave it: a negated errno is negative. */
static inline long native(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f) {
  long result;
  register uint64_t r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
  __asm__ volatile("syscall" : "=a"(result), "+D"(a), "+S"(b), "+d"(c), "+r"(r10), "+r"(r8), "+r"(r9) : "a"(nr) : "rcx", "r11", "memory");
  return result;
}
#define native0(nr) native(nr, 0, 0, 0, 0, 0, 0)
#define native1(nr, a) native(nr, a, 0, 0, 0, 0, 0)
#define native2(nr, a, b) native(nr, a, b, 0, 0, 0, 0)
#define native3(nr, a, b, c) native(nr, a, b, c, 0, 0, 0)
#define native4(nr, a, b, c, d) native(nr, a, b, c, d, 0, 0)
#define native5(nr, a, b, c, d, e) native(nr, a, b, c, d, e, 0)

/* ipc_call and ipc_reply_wait: words go and come in m. */
static inline long ipc(long nr, uint64_t endpoint, int label, message *m) {
  long result;
  uint64_t rdi = endpoint, rsi = (uint32_t)label, rdx = m->w[0];
  register uint64_t r10 __asm__("r10") = m->w[1], r8 __asm__("r8") = m->w[2], r9 __asm__("r9") = m->w[3];
  __asm__ volatile("syscall" : "=a"(result), "+D"(rdi), "+S"(rsi), "+d"(rdx), "+r"(r10), "+r"(r8), "+r"(r9) : "a"(nr) : "rcx", "r11", "memory");
  m->badge = rdi;
  m->w[0] = rdx; m->w[1] = r10; m->w[2] = r8; m->w[3] = r9;
  return result;
}
#define ipc_call_extra(endpoint, m) native2(IPC_CALL_EXTRA, endpoint, (uint64_t)(m))
#define ipc_reply_wait_extra(endpoint, m) native2(IPC_REPLY_WAIT_EXTRA, endpoint, (uint64_t)(m))
#endif
