/* Signals: handlers, masks, restart, alternate stacks, what SIGSEGV tells, and waiting for them. */
#include "tap.h"
#include <setjmp.h>
#include <ucontext.h>

static volatile int hits, last;
static volatile siginfo_t info;
static sigjmp_buf back;
static volatile int on_alternate;
static char *alternate;
enum { ALTERNATE_SIZE = 65536 };

static void note(int sig) { hits++; last = sig; }
static void note_info(int sig, siginfo_t *si, void *context) {
  (void)context;
  hits++;
  last = sig;
  info = *si;
}
static void fault(int sig, siginfo_t *si, void *context) {
  (void)context;
  char here;
  last = sig;
  info = *si;
  on_alternate = &here >= alternate && &here < alternate + ALTERNATE_SIZE;
  siglongjmp(back, 1);
}
static void set(int sig, void (*handler)(int), int flags) {
  struct sigaction sa = {.sa_handler = handler, .sa_flags = flags};
  sigaction(sig, &sa, NULL);
}
static void set_info(int sig, void (*handler)(int, siginfo_t *, void *), int flags) {
  struct sigaction sa = {.sa_sigaction = handler, .sa_flags = flags | SA_SIGINFO};
  sigaction(sig, &sa, NULL);
}
static void skip_instruction(int sig, siginfo_t *si, void *context) {
  (void)sig; (void)si;
  ucontext_t *uc = context;
  uc->uc_mcontext.gregs[REG_RIP] += 2; /* ud2 */
  uc->uc_mcontext.gregs[REG_RAX] = 1234;
}
static int depth_reached;
static int recurse(int n) {
  volatile char block[4096];
  block[0] = n;
  depth_reached = n;
  return recurse(n + 1) + block[0];
}
static void child_after(long ms, int sig) {
  fflush(stdout);
  if (fork() == 0) { sleep_ms(ms); kill(getppid(), sig); _exit(0); }
}
static int entries;
static void nested(int sig) {
  if (++entries == 1) { raise(sig); last = hits; }
  hits++;
}
static void die_by_default(void) { signal(SIGTERM, SIG_DFL); raise(SIGTERM); }
static void abort_now(void) { abort(); }

int main(void) {
  set(SIGUSR1, note, 0);
  raise(SIGUSR1);
  check(hits == 1 && last == SIGUSR1, "raise runs the handler");

  set_info(SIGUSR2, note_info, 0);
  kill(getpid(), SIGUSR2);
  check(info.si_signo == SIGUSR2 && info.si_code == SI_USER && info.si_pid == getpid(), "siginfo names the sender");
  union sigval value = {.sival_int = 77};
  sigqueue(getpid(), SIGUSR2, value);
  check(info.si_code == SI_QUEUE && info.si_value.sival_int == 77, "sigqueue carries its value");

  sigset_t set1, old, pending;
  sigemptyset(&set1);
  sigaddset(&set1, SIGUSR1);
  sigprocmask(SIG_BLOCK, &set1, &old);
  hits = 0;
  raise(SIGUSR1);
  raise(SIGUSR1);
  sigpending(&pending);
  check(hits == 0 && sigismember(&pending, SIGUSR1), "a blocked signal stays pending");
  sigprocmask(SIG_SETMASK, &old, NULL);
  check(hits == 1, "a standard signal is delivered once when unblocked");

  int rt = SIGRTMIN + 3;
  set(rt, note, 0);
  sigemptyset(&set1);
  sigaddset(&set1, rt);
  sigprocmask(SIG_BLOCK, &set1, NULL);
  hits = 0;
  for (int i = 0; i < 5; i++) kill(getpid(), rt);
  sigprocmask(SIG_UNBLOCK, &set1, NULL);
  check(hits == 5, "real-time signals queue");

  hits = 0;
  set(SIGUSR1, nested, 0);
  raise(SIGUSR1);
  check(hits == 2 && last == 0, "a handler's own signal waits until it returns");
  hits = entries = 0;
  last = -1;
  set(SIGUSR1, nested, SA_NODEFER);
  raise(SIGUSR1);
  check(hits == 2 && last == 1, "SA_NODEFER lets it in");

  set(SIGUSR1, note, SA_RESETHAND);
  raise(SIGUSR1);
  struct sigaction now;
  sigaction(SIGUSR1, NULL, &now);
  check(now.sa_handler == SIG_DFL, "SA_RESETHAND resets");

  int p[2];
  char byte;
  check(pipe(p) == 0, "pipe");
  set(SIGUSR1, note, 0);
  child_after(30, SIGUSR1);
  check_errno(read(p[0], &byte, 1), EINTR, "without SA_RESTART read is interrupted");
  wait(NULL);
  set(SIGUSR1, note, SA_RESTART);
  fflush(stdout);
  hits = 0;
  if (fork() == 0) { kill(getppid(), SIGUSR1); sleep_ms(40); if (write(p[1], "x", 1) != 1) _exit(1); _exit(0); }
  check(read(p[0], &byte, 1) == 1 && byte == 'x', "with SA_RESTART read goes on");
  wait(NULL);
  check(hits == 1, "and the handler ran");

  struct timespec nap = {5, 0}, left;
  child_after(30, SIGUSR1);
  check_errno(nanosleep(&nap, &left), EINTR, "nanosleep is interrupted even with SA_RESTART");
  check(left.tv_sec == 4, "and tells the time left");
  wait(NULL);

  sigemptyset(&set1);
  sigaddset(&set1, SIGUSR1);
  sigprocmask(SIG_BLOCK, &set1, &old);
  child_after(20, SIGUSR1);
  hits = 0;
  check_errno(sigsuspend(&old), EINTR, "sigsuspend returns after the handler");
  check(hits == 1, "which ran once");
  wait(NULL);
  child_after(20, SIGUSR1);
  siginfo_t got;
  check(sigwaitinfo(&set1, &got) == SIGUSR1 && got.si_code == SI_USER, "sigwaitinfo takes it without a handler");
  wait(NULL);
  struct timespec brief = {0, 10000000};
  check_errno(sigtimedwait(&set1, &got, &brief), EAGAIN, "sigtimedwait times out");
  sigprocmask(SIG_SETMASK, &old, NULL);

  set_info(SIGSEGV, fault, 0);
  if (!sigsetjmp(back, 1)) *(volatile int *)0x1234 = 1;
  check(info.si_signo == SIGSEGV && info.si_code == SEGV_MAPERR && info.si_addr == (void *)0x1234, "SIGSEGV: unmapped address");
  char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (!sigsetjmp(back, 1)) page[5] = 1;
  check(info.si_code == SEGV_ACCERR && info.si_addr == page + 5, "SIGSEGV: write to a read-only page");

  alternate = malloc(ALTERNATE_SIZE);
  stack_t ss = {.ss_sp = alternate, .ss_size = ALTERNATE_SIZE};
  check(sigaltstack(&ss, NULL) == 0, "sigaltstack");
  set_info(SIGSEGV, fault, SA_ONSTACK);
  if (!sigsetjmp(back, 1)) recurse(0);
  check(last == SIGSEGV && on_alternate && depth_reached > 100, "stack overflow is handled on the alternate stack");
  stack_t current;
  sigaltstack(NULL, &current);
  check(current.ss_sp == alternate && !(current.ss_flags & SS_ONSTACK), "and left again");

  set_info(SIGFPE, fault, 0);
  volatile int zero = 0;
  if (!sigsetjmp(back, 1)) zero = 7 / zero;
  check(info.si_signo == SIGFPE && info.si_code == FPE_INTDIV, "SIGFPE: integer division");
  set_info(SIGILL, skip_instruction, 0);
  long rax;
  __asm__ volatile("ud2" : "=a"(rax) : "a"(1L));
  check(rax == 1234, "a handler may change the registers");
  set_info(SIGTRAP, note_info, 0);
  __asm__ volatile("int3");
  check(last == SIGTRAP, "int3 raises SIGTRAP");

  int status = in_child(die_by_default);
  check(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM, "the default of SIGTERM is death");
  status = in_child(abort_now);
  check(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "abort");
  signal(SIGUSR1, SIG_IGN);
  raise(SIGUSR1);
  check(1, "an ignored signal does nothing");
  check_errno(kill(getpid(), 65), EINVAL, "no such signal");
  check_errno(kill(999999, 0), ESRCH, "no such process");
  check_errno(sigaction(SIGKILL, &(struct sigaction){.sa_handler = note}, NULL), EINVAL, "SIGKILL cannot be caught");

  set_info(SIGCHLD, note_info, 0);
  hits = 0;
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) _exit(3);
  while (!hits) sleep_ms(1);
  check(info.si_signo == SIGCHLD && info.si_code == CLD_EXITED && info.si_pid == pid && info.si_status == 3, "SIGCHLD tells who and how");
  wait(NULL);
  signal(SIGCHLD, SIG_IGN);
  if (fork() == 0) _exit(0);
  check_errno(wait(NULL), ECHILD, "with SIGCHLD ignored children leave no zombie");
  return tap_done();
}
