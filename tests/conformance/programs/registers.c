/* SSE, AVX and x87 state: per thread, kept over switches, system calls, faults and signals. */
#include "tap.h"
#include <cpuid.h>
#include <math.h>
#include <pthread.h>

enum { THREADS = 6 };
static volatile int stop, broken;

static int has_avx(void) {
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & (1 << 27)) || !(c & (1 << 28))) return 0;
  __asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
  return (a & 6) == 6;
}

/* Fills every vector register with a pattern of this thread, yields, and looks. */
static void *hold(void *arg) {
  uint64_t pattern[4], seen[4], id = (uint64_t)arg;
  for (int i = 0; i < 4; i++) pattern[i] = id * 0x0101010101010101ull + i;
  int avx = has_avx();
  double sum = 0;
  for (int round = 0; round < 3000 && !broken; round++) {
    if (avx) {
      long result;
      __asm__ volatile("vmovdqu (%2), %%ymm7; mov $24, %%eax; syscall; vmovdqu %%ymm7, (%1)" /* sched_yield */
                       : "=a"(result) : "r"(seen), "r"(pattern) : "rcx", "r11", "xmm7", "memory");
      if (memcmp(seen, pattern, 32)) broken = 1;
    } else {
      long result;
      __asm__ volatile("movdqu (%2), %%xmm7; mov $24, %%eax; syscall; movdqu %%xmm7, (%1)"
                       : "=a"(result) : "r"(seen), "r"(pattern) : "rcx", "r11", "xmm7", "memory");
      if (memcmp(seen, pattern, 16)) broken = 1;
    }
    sum += sqrt(id + round);
    long double x = 1.0L / 3.0L * (id + 1);
    if ((double)(x * 3.0L) != (double)(id + 1)) broken = 1;
  }
  return (void *)(long)(sum > 0);
}

static void clobber(int sig) {
  (void)sig;
  __asm__ volatile("pxor %%xmm6, %%xmm6; fninit" ::: "xmm6");
}

int main(void) {
  pthread_t t[THREADS];
  for (long i = 0; i < THREADS; i++) pthread_create(&t[i], NULL, hold, (void *)(i + 1));
  for (int i = 0; i < THREADS; i++) pthread_join(t[i], NULL);
  check(!broken, "vector registers are per thread");

  signal(SIGUSR1, clobber);
  uint64_t pattern[2] = {0x123456789abcdef0, 0x0fedcba987654321}, seen[2];
  long result;
  __asm__ volatile("movdqu (%2), %%xmm6; syscall; movdqu %%xmm6, (%1)"
                   : "=a"(result) : "r"(seen), "r"(pattern), "a"(62L), "D"((long)getpid()), "S"((long)SIGUSR1) : "rcx", "r11", "xmm6", "memory");
  check(result == 0 && !memcmp(seen, pattern, 16), "a signal handler does not disturb them");

  unsigned mxcsr, changed = 0x7f80;
  __asm__ volatile("ldmxcsr %0" ::"m"(changed));
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
    _exit((mxcsr & 0x7fc0) != (changed & 0x7fc0));
  }
  int status;
  waitpid(pid, &status, 0);
  check(status == 0, "a child inherits the control word");
  unsigned usual = 0x1f80;
  __asm__ volatile("ldmxcsr %0" ::"m"(usual));

  uint64_t regs[6] = {0};
  __asm__ volatile("mov $11, %%rbx; mov $12, %%r12; mov $13, %%r13; mov $14, %%r14; mov $15, %%r15; mov $39, %%eax; syscall;"
                   "mov %%rbx, 0(%0); mov %%r12, 8(%0); mov %%r13, 16(%0); mov %%r14, 24(%0); mov %%r15, 32(%0)"
                   ::"D"(regs) : "rax", "rbx", "rcx", "r11", "r12", "r13", "r14", "r15", "memory");
  check(regs[0] == 11 && regs[1] == 12 && regs[2] == 13 && regs[3] == 14 && regs[4] == 15, "system calls keep the callee-saved registers");
  uint64_t rdi, rsi, rdx, r10, r8, r9;
  __asm__ volatile("mov $1, %%rdi; mov $2, %%rsi; mov $3, %%rdx; mov $4, %%r10; mov $5, %%r8; mov $6, %%r9; mov $39, %%eax; syscall;"
                   "mov %%r10, %3; mov %%r8, %4; mov %%r9, %5"
                   : "=D"(rdi), "=S"(rsi), "=d"(rdx), "=m"(r10), "=m"(r8), "=m"(r9) :: "rax", "rcx", "r8", "r9", "r10", "r11");
  check(rdi == 1 && rsi == 2 && rdx == 3 && r10 == 4 && r8 == 5 && r9 == 6, "and the arguments");
  return tap_done();
}
