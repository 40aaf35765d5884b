/*
 * The vDSO: clock calls that never enter the kernel.
 *
 * The kernel maps one data page (struct vvar, kernel/services/process/vdso.ts) right before this image and keeps it
 * current under a sequence count. Everything it cannot answer becomes the real system call.
 *
 * Spec  vdso(7), clock_gettime(2).
 */
typedef unsigned long u64;
typedef unsigned int u32;
typedef long s64;

struct vvar {
  u32 sequence;        /* odd while the kernel writes */
  u32 isTscUsable;
  u64 tscBase;         /* TSC at boot */
  u64 mult;            /* ns per tick << 28 */
  u64 realOffsetNs;    /* real time at boot */
};
extern const volatile struct vvar vvar_page __attribute__((visibility("hidden")));

struct timespec { s64 seconds, nanoseconds; };
struct timeval { s64 seconds, microseconds; };

enum { REALTIME = 0, MONOTONIC = 1, MONOTONIC_RAW = 4, REALTIME_COARSE = 5, MONOTONIC_COARSE = 6, BOOTTIME = 7 };
enum { SYS_gettimeofday = 96, SYS_time = 201, SYS_clock_gettime = 228, SYS_getcpu = 309 };
#define NS_PER_S 1000000000ul

static inline long syscall3(long number, long a, long b, long c) {
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "0"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
  return result;
}

/* ns of the monotonic (or, with the offset, the real) clock; the same arithmetic as arch/x86_64/timer.ts. */
static inline int clock_read(int isReal, u64 *ns) {
  u32 sequence;
  do {
    do sequence = vvar_page.sequence; while (sequence & 1);
    if (!vvar_page.isTscUsable) return 0;
    u64 mult = vvar_page.mult;
    u64 ticks = __builtin_ia32_rdtsc() - vvar_page.tscBase;
    *ns = (((ticks >> 32) * mult) << 4) + (((ticks & 0xffffffff) * mult) >> 28);
    if (isReal) *ns += vvar_page.realOffsetNs;
  } while (vvar_page.sequence != sequence);
  return 1;
}

int __vdso_clock_gettime(int clock, struct timespec *out) {
  int isReal = clock == REALTIME || clock == REALTIME_COARSE;
  int isMono = clock == MONOTONIC || clock == MONOTONIC_RAW || clock == MONOTONIC_COARSE || clock == BOOTTIME;
  u64 ns;
  if (!(isReal || isMono) || !clock_read(isReal, &ns)) return syscall3(SYS_clock_gettime, clock, (long)out, 0);
  out->seconds = ns / NS_PER_S;
  out->nanoseconds = ns % NS_PER_S;
  return 0;
}

int __vdso_gettimeofday(struct timeval *out, void *zone) {
  u64 ns;
  if (zone || !clock_read(1, &ns)) return syscall3(SYS_gettimeofday, (long)out, (long)zone, 0);
  if (!out) return 0;
  out->seconds = ns / NS_PER_S;
  out->microseconds = ns % NS_PER_S / 1000;
  return 0;
}

long __vdso_time(long *out) {
  u64 ns;
  if (!clock_read(1, &ns)) return syscall3(SYS_time, (long)out, 0, 0);
  if (out) *out = ns / NS_PER_S;
  return ns / NS_PER_S;
}

long __vdso_getcpu(u32 *cpu, u32 *node, void *cache) {
  return syscall3(SYS_getcpu, (long)cpu, (long)node, (long)cache);
}
