/* Control over single threads of a child: what they do, standing still, scheduling; and who may not have it. */
#include "tap.h"
#include "native.h"
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* What parent and children share. */
static struct shared {
  volatile uint64_t spins[2], receive, call;
  volatile int tid[2], quit, got_eintr, woken, go, served, answered;
} *shared;

static int gettid_(void) { return syscall(SYS_gettid); }

/* Counts in a loop that lies between two labels, so that its place is known. */
static void spin(volatile uint64_t *count) {
  while (!shared->quit) ++*count;
}

static void *second(void *argument) {
  shared->tid[1] = gettid_();
  spin(&shared->spins[1]);
  return 0;
}

static void two_threads(void) {
  pthread_t thread;
  pthread_create(&thread, 0, second, 0);
  shared->tid[0] = gettid_();
  spin(&shared->spins[0]);
  pthread_join(thread, 0);
}

static pid_t child(void (*body)(void)) {
  memset(shared, 0, sizeof *shared);
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) { body(); _exit(0); }
  return pid;
}

static int status_of(pid_t pid) {
  int status = -1;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
  return status;
}

static int moves(volatile uint64_t *count) {
  uint64_t before = *count;
  for (int i = 0; i < 500 && *count == before; i++) sleep_ms(2);
  return *count != before;
}

static int stands(volatile uint64_t *count) {
  uint64_t before = *count;
  sleep_ms(30);
  return *count == before;
}

static void suspending(void) {
  pid_t pid = child(two_threads);
  while (!shared->tid[0] || !shared->tid[1] || !shared->spins[0] || !shared->spins[1]) sleep_ms(1);
  long process = native1(PROCESS_OPEN, pid), first = native2(THREAD_OPEN, process, shared->tid[0]);
  long other = native2(THREAD_OPEN, process, shared->tid[1]);
  check(first > 0 && other > 0, "threads of a child are opened");
  check(native2(THREAD_OPEN, process, getpid()) == -ESRCH && native2(THREAD_OPEN, process, 0) == -ESRCH && native2(THREAD_OPEN, process, -1) == -ESRCH, "no others");
  check(native2(THREAD_NEXT, process, 0) == shared->tid[0] && native2(THREAD_NEXT, process, shared->tid[0]) == shared->tid[1] &&
    native2(THREAD_NEXT, process, shared->tid[1]) == -ESRCH && native2(THREAD_NEXT, process, -1) == -ESRCH, "and found one by one");
  thread_info info;
  check(native2(THREAD_INFO, first, 8) == -EFAULT && native2(THREAD_INFO, first, -4096) == -EFAULT, "a bad pointer");
  check(native2(THREAD_INFO, first, (uint64_t)&info) == 0 && info.tid == shared->tid[0] && info.policy == 0, "a thread tells of itself");
  check(native1(THREAD_SUSPEND, first) == 0 && stands(&shared->spins[0]), "suspended, it stands");
  check(moves(&shared->spins[1]), "its sibling does not");
  check(native2(THREAD_INFO, first, (uint64_t)&info) == 0 && info.state == THREAD_SUSPENDED && info.has_registers, "its registers can be read");
  check(info.rip >= (uint64_t)spin && info.rip < (uint64_t)spin + 200 && info.rsp > 0x10000, "and say where it is");
  check(info.frames >= 1 && info.user_ns + info.system_ns > 0, "its time and its place are known");
  check(native1(THREAD_SUSPEND, first) == 0 && native1(THREAD_RESUME, first) == 0 && moves(&shared->spins[0]), "resumed once, it goes on");
  check(native1(THREAD_RESUME, first) == 0, "resuming a thread that runs is harmless");

  long again = native2(THREAD_OPEN, process, shared->tid[0]), copy = native3(CAP_COPY, again, RIGHT_ALL, 0);
  check(native1(THREAD_SUSPEND, again) == 0 && native1(CAP_DROP, again) == 0 && stands(&shared->spins[0]), "suspended while somebody holds the capability");
  check(native1(CAP_DROP, copy) == 0 && moves(&shared->spins[0]), "no longer: nobody is left standing by a suspender that died");
  kill(pid, SIGSTOP);
  int status;
  waitpid(pid, &status, WUNTRACED);
  check(native2(THREAD_INFO, first, (uint64_t)&info) == 0 && info.state == THREAD_STOPPED, "a stopped thread says so");
  check(native1(THREAD_RESUME, first) == 0 && stands(&shared->spins[0]), "resuming does not undo a stop");
  native1(THREAD_SUSPEND, first);
  kill(pid, SIGCONT);
  check(moves(&shared->spins[1]) && stands(&shared->spins[0]), "nor SIGCONT a suspension");
  native1(THREAD_RESUME, first);
  check(moves(&shared->spins[0]), "both undone, it goes on");

  native1(THREAD_SUSPEND, first);
  native1(THREAD_SUSPEND, other);
  check(native2(PROCESS_KILL, process, SIGKILL) == 0 && WTERMSIG(status_of(pid)) == SIGKILL, "SIGKILL ends suspended threads");
  check(native2(THREAD_INFO, first, (uint64_t)&info) == -ESTALE && native1(THREAD_SUSPEND, first) == -ESTALE && native1(THREAD_RESUME, other) == -ESTALE &&
    native3(THREAD_SCHEDULE, other, 0, 0) == -ESTALE, "a thread that has ended is stale");
  check(native1(CAP_REVOKE, process) == 2 && native2(THREAD_INFO, first, (uint64_t)&info) == -ESTALE, "threads are revoked with their process");
  native1(CAP_DROP, process);
}

/* One thread comes and goes. */
static void brief(void) {
  pthread_t thread;
  shared->tid[0] = gettid_();
  pthread_create(&thread, 0, second, 0);
  pthread_join(thread, 0);
  shared->woken = 1;
  while (shared->quit < 2) sleep_ms(1);
}

static void ended_threads(void) {
  pid_t pid = child(brief);
  while (!shared->tid[1]) sleep_ms(1);
  long process = native1(PROCESS_OPEN, pid), thread = native2(THREAD_OPEN, process, shared->tid[1]), leader = native2(THREAD_OPEN, process, pid);
  shared->quit = 1;
  while (!shared->woken) sleep_ms(1);
  thread_info info;
  check(native2(THREAD_INFO, thread, (uint64_t)&info) == -ESTALE && native2(THREAD_OPEN, process, shared->tid[1]) == -ESRCH, "a thread ends, its process does not");
  check(native2(THREAD_INFO, leader, (uint64_t)&info) == 0, "the other one is there still");
  shared->quit = 2;
  status_of(pid);
  check(native2(THREAD_NEXT, process, 0) == -ESRCH, "the dead have no threads");
  native1(CAP_REVOKE, process);
  native1(CAP_DROP, process);
}

/* Waits in a call and says how it ended. */
static void waiter(void) {
  long n = native0(NOTIFICATION_CREATE);
  shared->tid[0] = gettid_();
  long result = native2(NOTIFICATION_WAIT, n, now_ns() + 150000000);
  shared->got_eintr = result != -ETIMEDOUT;
  shared->woken = 1;
}

static void in_a_call(void) {
  pid_t pid = child(waiter);
  while (!shared->tid[0]) sleep_ms(1);
  sleep_ms(20);
  long process = native1(PROCESS_OPEN, pid), thread = native2(THREAD_OPEN, process, pid);
  thread_info info;
  check(native2(THREAD_INFO, thread, (uint64_t)&info) == 0 && info.state == THREAD_WAITING && info.waits == 1 && info.call == NOTIFICATION_WAIT && info.has_registers,
    "a thread that waits says in which call");
  check(native1(THREAD_SUSPEND, thread) == 0, "it is suspended there");
  sleep_ms(250);
  check(native2(THREAD_INFO, thread, (uint64_t)&info) == 0 && info.state == THREAD_SUSPENDED && !shared->woken, "its wait is over, it does not return");
  check(native1(THREAD_RESUME, thread) == 0 && status_of(pid) == 0 && shared->woken && !shared->got_eintr, "resumed, it returns, and was not interrupted");
  native1(CAP_REVOKE, process);
  native1(CAP_DROP, process);
}

/* A server and its client on one CPU, where a call gives the CPU to the server at once: never to one that is suspended. */
static void on_one_cpu(void) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(0, &one);
  sched_setaffinity(0, sizeof one, &one);
}

static void server(void) {
  message m = {0};
  on_one_cpu();
  while (!shared->receive) sleep_ms(1);
  for (long label = 0;; label = 1) {
    ipc(IPC_REPLY_WAIT, shared->receive, label, &m);
    shared->served++;
  }
}

static void client(void) {
  message m = {0};
  on_one_cpu();
  while (shared->answered < 3) {
    while (shared->go == shared->answered) sleep_ms(1);
    ipc(IPC_CALL, shared->call, 1, &m);
    shared->answered++;
  }
}

static void suspended_server(void) {
  pid_t pid = child(server);
  fflush(stdout);
  pid_t other = fork();
  if (other == 0) { client(); _exit(0); }
  long process = native1(PROCESS_OPEN, pid), thread = native2(THREAD_OPEN, process, pid), theirs = native1(PROCESS_OPEN, other), ep = native0(ENDPOINT_CREATE);
  shared->receive = native4(CAP_INSTALL, process, ep, RIGHT_RECEIVE, 0);
  shared->call = native4(CAP_INSTALL, theirs, ep, RIGHT_CALL, 0);
  native1(CAP_DROP, ep);
  shared->go = 2;
  while (shared->answered < 2) sleep_ms(1);
  sleep_ms(10);
  native1(THREAD_SUSPEND, thread);
  shared->go = 3;
  sleep_ms(60);
  check(shared->served == 2 && shared->answered == 2, "a suspended server takes no call");
  native1(THREAD_RESUME, thread);
  check(status_of(other) == 0 && shared->served == 3, "resumed, it does");
  kill(pid, SIGKILL);
  status_of(pid);
  native1(CAP_REVOKE, process);
  native1(CAP_DROP, process);
  native1(CAP_DROP, theirs);
}

static void scheduling(void) {
  pid_t pid = child(two_threads);
  while (!shared->tid[0]) sleep_ms(1);
  long process = native1(PROCESS_OPEN, pid), thread = native2(THREAD_OPEN, process, pid);
  thread_info info;
  check(native3(THREAD_SCHEDULE, thread, SCHED_BATCH, 0) == 0 && syscall(SYS_sched_getscheduler, pid) == SCHED_BATCH, "a thread is scheduled otherwise");
  check(native3(THREAD_SCHEDULE, thread, SCHED_RR, 3) == 0 && native2(THREAD_INFO, thread, (uint64_t)&info) == 0 && info.policy == SCHED_RR && info.priority == 3,
    "in real time too");
  check(native3(THREAD_SCHEDULE, thread, 0, 0) == 0, "and as before");
  check(native3(THREAD_SCHEDULE, thread, 4, 0) == -EINVAL && native3(THREAD_SCHEDULE, thread, 77, 0) == -EINVAL && native3(THREAD_SCHEDULE, thread, SCHED_FIFO, 0) == -EINVAL &&
    native3(THREAD_SCHEDULE, thread, SCHED_FIFO, 100) == -EINVAL && native3(THREAD_SCHEDULE, thread, 0, 1) == -EINVAL &&
    native3(THREAD_SCHEDULE, thread, -1, -1) == -EINVAL, "never as nonsense says");
  long look = native3(CAP_COPY, thread, RIGHT_READ, 0);
  check(native2(THREAD_INFO, look, (uint64_t)&info) == 0 && native1(THREAD_SUSPEND, look) == -EACCES && native1(THREAD_RESUME, look) == -EACCES &&
    native3(THREAD_SCHEDULE, look, 0, 0) == -EACCES, "who may look may do no more");
  long control = native3(CAP_COPY, thread, RIGHT_MANAGE, 0);
  check(native2(THREAD_INFO, control, (uint64_t)&info) == -EACCES && native3(THREAD_SCHEDULE, control, SCHED_FIFO, 1) == -EACCES && native3(THREAD_SCHEDULE, control, 0, 0) == 0,
    "who may control may not look, nor schedule in real time");
  long watcher = native3(CAP_COPY, process, RIGHT_READ, 0);
  check(native2(THREAD_OPEN, watcher, pid) == -EACCES && native2(THREAD_NEXT, watcher, 0) == -EACCES, "threads are opened by who controls the process");
  check(native2(THREAD_OPEN, thread, pid) == -EBADF && native2(THREAD_INFO, process, (uint64_t)&info) == -EBADF && native1(THREAD_SUSPEND, 0) == -EBADF &&
    native1(THREAD_RESUME, 0x7fff0001) == -EBADF && native3(THREAD_SCHEDULE, 12345, 0, 0) == -EBADF, "wild handles and other kinds");
  cap_info cap;
  check(native2(CAP_INFO, thread, (uint64_t)&cap) == 0 && cap.kind == 12 && cap.detail == pid, "the capability says whose it is");
  kill(pid, SIGKILL);
  status_of(pid);
  native1(CAP_REVOKE, process);
  native1(CAP_DROP, process);
}

/* As nobody: a child may be slowed down, never put before all others, and is out of reach while it is another's or hides. */
static void hiding_child(void) {
  while (!shared->quit) sleep_ms(1);
  prctl(PR_SET_DUMPABLE, 0); /* as after a set-id program was executed */
  shared->woken = 1;
  while (shared->quit < 2) sleep_ms(1);
}

static void without_privilege(void) {
  pid_t of_root = child(hiding_child);
  if (setresuid(65534, 65534, 65534) != 0 || prctl(PR_SET_DUMPABLE, 1) != 0) _exit(9);
  if (native1(PROCESS_OPEN, of_root) != -EPERM) _exit(1);
  shared->quit = 2;
  status_of(of_root);

  pid_t pid = child(hiding_child);
  thread_info info;
  long process = native1(PROCESS_OPEN, pid), thread = native2(THREAD_OPEN, process, pid);
  if (native3(THREAD_SCHEDULE, thread, SCHED_FIFO, 1) != -EACCES || native3(THREAD_SCHEDULE, thread, SCHED_IDLE, 0) != 0) _exit(2);
  if (native2(THREAD_INFO, thread, (uint64_t)&info) != 0 || native1(THREAD_SUSPEND, thread) != 0 || native1(THREAD_RESUME, thread) != 0) _exit(3);
  shared->quit = 1;
  while (!shared->woken) sleep_ms(1);
  if (native2(THREAD_INFO, thread, (uint64_t)&info) != -EPERM || native1(THREAD_SUSPEND, thread) != -EPERM || native1(THREAD_RESUME, thread) != -EPERM) _exit(4);
  if (native3(THREAD_SCHEDULE, thread, 0, 0) != -EPERM || native2(PROCESS_KILL, process, SIGTERM) != -EPERM) _exit(5);
  shared->quit = 2;
  status_of(pid);
}

/* ---- The machine's clocks ---- */
static int64_t real_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static int near(int64_t a, int64_t b) { return a - b < 5000000000ll && b - a < 5000000000ll; }

static void clocks(void) {
  long root = native0(ROOT_CLAIM), time = native1(TIME_OPEN, root), n = native0(NOTIFICATION_CREATE);
  check(time > 0 && near(native1(TIME_NOW, time), now_ns()) && near(native1(CLOCK_NOW, time), real_ns()), "both clocks, by capability");
  check(native1(TIME_NOW, 0) == -EBADF && native1(CLOCK_NOW, n) == -EBADF && native2(CLOCK_SET, root, 0) == -EBADF && native1(TIME_OPEN, time) == -EBADF &&
    native5(NOTIFICATION_TIMER, n, 1, 1, 0, 0) == -EBADF && native5(NOTIFICATION_TIMER, n, 1, 1, 0, root) == -EBADF, "and not without");
  long reader = native3(CAP_COPY, time, RIGHT_READ, 0), setter = native3(CAP_COPY, time, RIGHT_WRITE, 0);
  check(native1(TIME_NOW, reader) > 0 && native2(CLOCK_SET, reader, real_ns()) == -EACCES, "who may read does not set");
  check(native1(TIME_NOW, setter) == -EACCES && native1(CLOCK_NOW, setter) == -EACCES && native5(NOTIFICATION_TIMER, n, 1, 1, 0, setter) == -EACCES, "nor the other way round");
  int64_t before = real_ns(), then = before + 86400000000000ll, mono = now_ns();
  check(native2(CLOCK_SET, setter, -1) == -EINVAL && native2(CLOCK_SET, setter, then) == 0 && near(real_ns(), then) && near(now_ns(), mono), "the date is set, monotonic time goes on");
  check(native2(CLOCK_SET, setter, before) == 0 && near(real_ns(), before), "and set back");
  check(native1(CAP_REVOKE, root) == 3 && native1(TIME_NOW, time) == -ESTALE && native1(TIME_NOW, reader) == -ESTALE, "ROOT's holder takes it all away");
  native1(CAP_DROP, root);
  native1(CAP_DROP, n);
}

int main(void) {
  clocks();
  shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  suspending();
  ended_threads();
  in_a_call();
  suspended_server();
  scheduling();
  int status = in_child(without_privilege);
  check(status == 0, "who has no privilege schedules nobody in real time, and controls nobody of another identity");
  if (status) printf("# status %x\n", status);
  return tap_done();
}
