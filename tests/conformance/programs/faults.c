/* What a broken program does kills that program, with the right signal, and nothing else. */
#include "tap.h"
#include <sys/syscall.h>
#include <sys/uio.h>

static void null_read(void) { *(volatile int *)0; }
static void null_write(void) { *(volatile int *)0 = 1; }
static void kernel_read(void) { *(volatile char *)0xffffffff80000000ul; }
static void kernel_write(void) { *(volatile char *)0xffff888000000000ul = 1; }
static void non_canonical(void) { *(volatile char *)0x8000000000000000ul; }
static void divide(void) { volatile int zero = 0; zero = 7 / zero; }
static void divide_overflow(void) { volatile int least = -2147483647 - 1, minus = -1; least = least / minus; }
static void wild_jump(void) { ((void (*)(void))0x123456789ul)(); }
static void null_call(void) { ((void (*)(void))0)(); }
static void kernel_jump(void) { ((void (*)(void))0xffffffffe0000000ul)(); }
static void execute_data(void) {
  static unsigned char code[] = {0xc3};
  ((void (*)(void))code)();
}
static void execute_stack(void) {
  unsigned char code[] = {0xc3};
  ((void (*)(void))code)();
}
static int recurse(volatile int n) { volatile char block[512]; block[0] = n; return recurse(n + 1) + block[0]; }
static void overflow(void) { recurse(0); }
static void write_text(void) { *(volatile char *)(void *)write_text = 0; }
static void write_rodata(void) { static const char text[] = "constant"; *(volatile char *)(uintptr_t)text = 'x'; }
static void privileged(void) { __asm__ volatile("hlt"); }
static void port(void) { __asm__ volatile("outb %%al, $0x80" ::"a"(0)); }
static void clear_interrupts(void) { __asm__ volatile("cli"); }
static void write_cr3(void) { __asm__ volatile("mov %0, %%cr3" ::"r"(0L)); }
static void read_msr(void) { __asm__ volatile("rdmsr" ::"c"(0xc0000080) : "eax", "edx"); }
static void undefined(void) { __asm__ volatile("ud2"); }
static void breakpoint(void) { __asm__ volatile("int3"); }
static void bad_interrupt(void) { __asm__ volatile("int $0x21"); }
static void bad_stack(void) { __asm__ volatile("mov $0x10, %rsp; push %rax"); }
static void bad_segment(void) { __asm__ volatile("mov %0, %%ds" ::"r"(0x1234)); }
static void sigreturn_garbage(void) { syscall(SYS_rt_sigreturn); for (;;) {} }
static void bus(void) {
  int fd = open("/tmp/faults-bus", O_RDWR | O_CREAT | O_TRUNC, 0600);
  char *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
  *(volatile char *)p;
}
static void alignment(void) {
  static char buffer[64] __attribute__((aligned(64)));
  __asm__ volatile("movaps (%0), %%xmm0" ::"r"(buffer + 1) : "xmm0");
}

static const struct { const char *what; void (*body)(void); int signal; } FAULTS[] = {
  {"read of address 0", null_read, SIGSEGV},
  {"write to address 0", null_write, SIGSEGV},
  {"read of kernel memory", kernel_read, SIGSEGV},
  {"write to the direct map", kernel_write, SIGSEGV},
  {"non-canonical address", non_canonical, SIGSEGV},
  {"division by zero", divide, SIGFPE},
  {"division overflow", divide_overflow, SIGFPE},
  {"wild jump", wild_jump, SIGSEGV},
  {"call of a null function", null_call, SIGSEGV},
  {"jump into the kernel", kernel_jump, SIGSEGV},
  {"execution of data", execute_data, SIGSEGV},
  {"execution of the stack", execute_stack, SIGSEGV},
  {"stack overflow", overflow, SIGSEGV},
  {"write to code", write_text, SIGSEGV},
  {"write to constants", write_rodata, SIGSEGV},
  {"hlt", privileged, SIGSEGV},
  {"port access", port, SIGSEGV},
  {"cli", clear_interrupts, SIGSEGV},
  {"write of CR3", write_cr3, SIGSEGV},
  {"rdmsr", read_msr, SIGSEGV},
  {"undefined instruction", undefined, SIGILL},
  {"breakpoint", breakpoint, SIGTRAP},
  {"interrupt not for programs", bad_interrupt, SIGSEGV},
  {"stack pointer into nothing", bad_stack, SIGSEGV},
  {"bad segment selector", bad_segment, SIGSEGV},
  {"misaligned SSE access", alignment, SIGSEGV},
  {"mapping beyond the end of a file", bus, SIGBUS},
  {"sigreturn without a frame", sigreturn_garbage, SIGSEGV},
};

int main(void) {
  for (size_t i = 0; i < sizeof FAULTS / sizeof *FAULTS; i++) {
    int status = in_child(FAULTS[i].body);
    check(WIFSIGNALED(status) && WTERMSIG(status) == FAULTS[i].signal, FAULTS[i].what);
    if (WIFSIGNALED(status) && WTERMSIG(status) != FAULTS[i].signal) printf("# signal %d\n", WTERMSIG(status));
    else if (!WIFSIGNALED(status)) printf("# status %x\n", status);
  }

  void *const bad[] = {(void *)8, (void *)0xffffffff80000000ul, (void *)0xffff888000000000ul, (void *)0x8000000000000000ul,
                       (void *)0x00007ffffffff000ul, (void *)-1l};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    int p[2];
    if (pipe(p)) return 1;
    check_errno(write(p[1], bad[i], 16), EFAULT, "write from a bad pointer");
    check(write(p[1], "0123456789abcdef", 16) == 16, "the pipe still works");
    check_errno(syscall(SYS_read, p[0], bad[i], 16), EFAULT, "read to a bad pointer");
    check_errno(syscall(SYS_stat, "/", bad[i]), EFAULT, "stat to a bad pointer");
    check_errno(syscall(SYS_open, bad[i], 0), EFAULT, "open of a bad pointer");
    check_errno(syscall(SYS_pipe, bad[i]), EFAULT, "pipe to a bad pointer");
    check_errno(syscall(SYS_clock_gettime, 1, bad[i]), EFAULT, "clock_gettime to a bad pointer");
    check_errno(syscall(SYS_rt_sigaction, 10, bad[i], NULL, 8), EFAULT, "sigaction from a bad pointer");
    check_errno(syscall(SYS_execve, bad[i], NULL, NULL), EFAULT, "execve of a bad pointer");
    check_errno(syscall(SYS_writev, p[1], bad[i], 1), EFAULT, "writev from a bad pointer");
    check_errno(syscall(SYS_uname, bad[i]), EFAULT, "uname to a bad pointer");
    close(p[0]);
    close(p[1]);
  }
  check_errno(syscall(4000), ENOSYS, "no such system call");
  check_errno(syscall(-1), ENOSYS, "system call -1");
  return tap_done();
}
