/* Capabilities and messages between processes: rights, derivation, revocation, calls, notifications, deaths. */
#include "tap.h"
#include "native.h"
#include <sys/prctl.h>

static uint64_t given[4]; /* handles the parent installed, in a child */

/* A child that runs `body` once the parent has installed `count` capabilities of its own in it. */
static pid_t child_with(void (*body)(void), int count, const uint64_t *handles, const uint32_t *rights, const uint64_t *badges) {
  int go[2];
  if (pipe(go) != 0) exit(99);
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    if (read(go[0], given, sizeof given) != sizeof given) _exit(98);
    body();
    _exit(0);
  }
  long process = native1(PROCESS_OPEN, pid);
  uint64_t there[4] = {0};
  for (int i = 0; i < count; i++) there[i] = native4(CAP_INSTALL, process, handles[i], rights[i], badges[i]);
  if (write(go[1], there, sizeof there) != sizeof there) exit(97);
  close(go[0]);
  close(go[1]);
  native1(CAP_DROP, process);
  return pid;
}

static int status_of(pid_t pid) {
  int status = -1;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
  return status;
}

static void capabilities(void) {
  check(native0(ENDPOINT_CREATE) > 0, "a process may make endpoints");
  long n = native0(NOTIFICATION_CREATE);
  check(n > 0, "and notifications");
  long copy = native3(CAP_COPY, n, RIGHT_SIGNAL, 0);
  check(copy > 0 && copy != n, "a copy with one right");
  check(native2(NOTIFICATION_SIGNAL, copy, 5) == 0, "signals");
  check(native2(NOTIFICATION_WAIT, copy, 1) == -EACCES, "and does not wait");
  check(native2(NOTIFICATION_WAIT, n, 1) == 5, "the bits are there, once");
  check(native2(NOTIFICATION_WAIT, n, 1) == -ETIMEDOUT, "and then gone");
  long again = native3(CAP_COPY, copy, RIGHT_ALL, 0);
  check(again > 0 && native2(NOTIFICATION_WAIT, again, 1) == -EACCES, "a copy of a copy gains no right");
  check(native1(CAP_REVOKE, n) == 2, "revoking takes both copies away");
  check(native2(NOTIFICATION_SIGNAL, copy, 1) == -EBADF && native2(NOTIFICATION_SIGNAL, again, 1) == -EBADF, "their handles name nothing");
  check(native2(NOTIFICATION_SIGNAL, n, 2) == 0, "the first one stays");
  check(native1(CAP_DROP, n) == 0 && native2(NOTIFICATION_SIGNAL, n, 2) == -EBADF, "until it is dropped");
  long other = native0(NOTIFICATION_CREATE);
  check(other != n && (other & 0xffff) == (n & 0xffff), "its slot is used again with another generation");
  check(native2(IPC_CALL, other, 0) == -EBADF, "a notification is no endpoint");
  check(native0(0x1fff) == -ENOSYS && native0(0x100f) == -ENOSYS, "no such native call");
  check(native1(CAP_DROP, 0) == -EBADF && native1(CAP_DROP, 0xffffffff) == -EBADF && native1(CAP_REVOKE, 12345) == -EBADF, "wild handles");
  check(native3(CAP_INFO, other, 8, 0) == -EFAULT, "a bad pointer");
}

static void root_is_one(void) {
  long root = native0(ROOT_CLAIM);
  check(root > 0, "root claims ROOT");
  check(native0(ROOT_CLAIM) == -EBUSY, "once");
  check(native2(SERVICE_OPEN, root, 77) == -ENODEV, "no such service");
  long log = native2(SERVICE_OPEN, root, 1);
  static const char line[] = "the log service speaks";
  check(log > 0 && native4(SERVICE_CALL, log, 1, (uint64_t)line, sizeof line - 1) == sizeof line - 1, "a line in the kernel's log");
  check(native4(SERVICE_CALL, log, 1, 16, 10) == -EFAULT, "from memory that is there");
  check(native1(CAP_DROP, root) == 0 && (root = native0(ROOT_CLAIM)) > 0, "dropped, it can be claimed again");
  native1(CAP_DROP, root);
  native1(CAP_DROP, log);
}

static void nobody_claims(void) {
  if (setuid(65534) != 0 || native0(ROOT_CLAIM) != -EPERM) _exit(1);
}

static void timers_and_waits(void) {
  long n = native0(NOTIFICATION_CREATE);
  int64_t start = now_ns();
  check(native4(NOTIFICATION_TIMER, n, 8, start + 30000000, 0) == 0 && native2(NOTIFICATION_WAIT, n, 0) == 8, "a timer's bit");
  check(now_ns() - start >= 30000000, "not before its time");
  check(native4(NOTIFICATION_TIMER, n, 1, now_ns(), 5000000) == 0, "a periodic one");
  int rings = 0;
  while (rings < 5 && native2(NOTIFICATION_WAIT, n, 0) == 1) rings++;
  check(rings == 5, "rings again and again");
  check(native4(NOTIFICATION_TIMER, n, 1, 0, 0) == 0, "until it is stopped");
  native2(NOTIFICATION_WAIT, n, 1);
  check(native2(NOTIFICATION_WAIT, n, now_ns() + 20000000) == -ETIMEDOUT, "then a wait times out");
  native1(CAP_DROP, n);
}

static void server(void) {
  message m = {0};
  int label = 0;
  for (;;) {
    label = ipc(IPC_REPLY_WAIT, given[0], label, &m);
    if (label < 0) _exit(-label);
    if (label == 99) _exit(42); /* dies owing an answer */
    for (int i = 0; i < 4; i++) m.w[i] = m.w[i] * 2 + m.badge;
    label++;
  }
}

static void calls(void) {
  long ep = native0(ENDPOINT_CREATE);
  uint64_t handle[] = {ep};
  pid_t pid = child_with(server, 1, handle, (uint32_t[]){RIGHT_RECEIVE}, (uint64_t[]){0});
  long badged = native3(CAP_COPY, ep, RIGHT_CALL, 1000);
  check(native3(CAP_COPY, badged, RIGHT_CALL, 7) == -EACCES, "a badge is given once");
  native3(CAP_COPY, ep, RIGHT_CALL, 0);
  message m = {0, {1, 2, 3, 4}};
  check(ipc(IPC_CALL, badged, 10, &m) == 11, "a call is answered");
  check(m.w[0] == 1002 && m.w[1] == 1004 && m.w[2] == 1006 && m.w[3] == 1008, "words and badge arrive");
  int good = 1;
  for (int i = 0; i < 5000; i++) {
    m.w[0] = i;
    good &= ipc(IPC_CALL, ep, i & 0x3f, &m) == (i & 0x3f) + 1 && m.w[0] == 2ull * i;
  }
  check(good, "five thousand calls");
  /* Only the child may receive from here on: its death is the endpoint's. */
  uint64_t caller = native3(CAP_COPY, ep, RIGHT_CALL, 0);
  check(ipc(IPC_CALL, caller, 99, &m) == -EPIPE, "a server that dies owes no answer for ever");
  check(WEXITSTATUS(status_of(pid)) == 42, "it did die");
  native1(CAP_DROP, ep); /* and with it the copies' last receiver */
  check(ipc(IPC_CALL, caller, 1, &m) == -EPIPE, "a dead endpoint says so at once");
}

static void many_callers(void) {
  message m = {0};
  for (int i = 0; i < 2000; i++) {
    m.w[0] = i;
    if (ipc(IPC_CALL, given[0], 5, &m) != 6 || m.w[0] != 2ull * i + given[1]) _exit(1);
  }
}

static void callers_at_once(void) {
  long ep = native0(ENDPOINT_CREATE);
  pid_t servers[2], callers[4];
  for (int i = 0; i < 2; i++) servers[i] = child_with(server, 1, (uint64_t[]){ep}, (uint32_t[]){RIGHT_RECEIVE}, (uint64_t[]){0});
  for (int i = 0; i < 4; i++) {
    int go[2];
    if (pipe(go) != 0) exit(96);
    callers[i] = fork();
    if (callers[i] == 0) {
      if (read(go[0], given, sizeof given) != sizeof given) _exit(98);
      many_callers();
      _exit(0);
    }
    long process = native1(PROCESS_OPEN, callers[i]);
    uint64_t there[4] = {native4(CAP_INSTALL, process, ep, RIGHT_CALL, i + 1), i + 1};
    if (write(go[1], there, sizeof there) != sizeof there) exit(97);
    native1(CAP_DROP, process);
    close(go[0]);
    close(go[1]);
  }
  int good = 1;
  for (int i = 0; i < 4; i++) good &= status_of(callers[i]) == 0;
  check(good, "four callers, two servers, each answer its caller's");
  for (int i = 0; i < 2; i++) kill(servers[i], SIGKILL), status_of(servers[i]);
  native1(CAP_DROP, ep);
}

static void impatient(void) {
  message m = {0};
  ipc(IPC_CALL, given[0], 1, &m);
}

static void deaths(void) {
  long ep = native0(ENDPOINT_CREATE);
  pid_t pid = child_with(impatient, 1, (uint64_t[]){ep}, (uint32_t[]){RIGHT_CALL}, (uint64_t[]){3});
  message m = {0};
  check(ipc(IPC_REPLY_WAIT, ep, 0, &m) == 1 && m.badge == 3, "a call is taken");
  kill(pid, SIGKILL);
  check(WTERMSIG(status_of(pid)) == SIGKILL, "its caller dies");
  long n = native0(NOTIFICATION_CREATE);
  check(native2(ENDPOINT_BIND, ep, n) == 0 && native2(NOTIFICATION_SIGNAL, n, 4) == 0, "a notification bound to the endpoint");
  check(ipc(IPC_REPLY_WAIT, ep, 0, &m) == IPC_NOTIFIED && m.w[0] == 4, "the answer goes nowhere; the bits end the wait");
  pid = child_with(impatient, 1, (uint64_t[]){ep}, (uint32_t[]){RIGHT_CALL}, (uint64_t[]){0});
  sleep_ms(30);
  kill(pid, SIGKILL);
  status_of(pid);
  native2(NOTIFICATION_SIGNAL, n, 16);
  check(ipc(IPC_REPLY_WAIT, ep, 0, &m) == IPC_NOTIFIED && m.w[0] == 16, "a dead caller's call is not on the queue");
  pid = fork();
  if (pid == 0) { pause(); _exit(0); }
  long process = native1(PROCESS_OPEN, pid);
  check(process > 0 && native3(PROCESS_WATCH, process, n, 32) == 0, "a watch");
  check(native2(PROCESS_KILL, process, SIGKILL) == 0 && native2(NOTIFICATION_WAIT, n, 0) == 32, "tells of the end");
  status_of(pid);
  check(native1(PROCESS_OPEN, getppid()) == -EPERM && native1(PROCESS_OPEN, 4000000) == -ESRCH, "only of children");
  native1(CAP_DROP, process);
  native1(CAP_DROP, n);
  native1(CAP_DROP, ep);
}

static void inheritance(void) {
  long n = native0(NOTIFICATION_CREATE);
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) _exit(native2(NOTIFICATION_SIGNAL, n, 1) == -EBADF ? 0 : 1);
  check(status_of(pid) == 0, "fork passes no capability on");
  native1(CAP_DROP, n);
}

/* What this program does when it was started confined: only its own memory and its own end are left to it. */
static void confined(long handle) {
  if (native2(NOTIFICATION_SIGNAL, handle, 1) != 0) _exit(11);
  if (open("/etc/passwd", O_RDONLY) >= 0 || errno != EPERM) _exit(12);
  if (getpid() >= 0 || write(1, "x", 1) >= 0 || fork() >= 0) _exit(13);
  if (mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED) _exit(14);
  if (mmap(0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED) _exit(15);
  if (native0(ROOT_CLAIM) != -EPERM) _exit(16);
  _exit(0);
}

static void confinement(void) {
  long n = native0(NOTIFICATION_CREATE);
  int go[2];
  if (pipe(go) != 0) exit(96);
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    uint64_t handle;
    char text[32];
    native0(PROCESS_CONFINE);
    if (read(go[0], &handle, sizeof handle) != sizeof handle) _exit(98);
    snprintf(text, sizeof text, "%lu", (unsigned long)handle);
    execl("/proc/self/exe", "ipc", "confined", text, (char *)0);
    _exit(97);
  }
  long process = native1(PROCESS_OPEN, pid);
  uint64_t there = native4(CAP_INSTALL, process, n, RIGHT_SIGNAL, 0);
  if (write(go[1], &there, sizeof there) != sizeof there) exit(95);
  int status = status_of(pid);
  check(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a confined program has its capabilities and nothing else");
  if (status) printf("# status %x\n", status);
  check(native2(NOTIFICATION_WAIT, n, 1) == 1, "it signalled");
  native1(CAP_DROP, process);
  native1(CAP_DROP, n);
}

int main(int argc, char **argv) {
  if (argc == 3 && !strcmp(argv[1], "confined")) confined(atol(argv[2]));
  capabilities();
  root_is_one();
  check(in_child(nobody_claims) == 0, "nobody does not");
  timers_and_waits();
  calls();
  callers_at_once();
  deaths();
  inheritance();
  confinement();
  return tap_done();
}
