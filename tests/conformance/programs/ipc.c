/* Capabilities and messages between processes: rights, derivation, revocation, calls, notifications, deaths. */
#include "tap.h"
#include "native.h"
#include <pthread.h>
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
  check(native2(NOTIFICATION_SIGNAL, copy, 1) == -ESTALE && native2(NOTIFICATION_SIGNAL, again, 1) == -ESTALE, "their handles name nothing");
  check(native2(NOTIFICATION_SIGNAL, n, 2) == 0, "the first one stays");
  check(native1(CAP_DROP, n) == 0 && native2(NOTIFICATION_SIGNAL, n, 2) == -EBADF, "until it is dropped");
  long other = native0(NOTIFICATION_CREATE);
  check(other != n && native2(NOTIFICATION_SIGNAL, n, 2) == -EBADF, "the next one has another handle");
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
  long port = native2(SERVICE_OPEN, root, 1), quota = native2(QUOTA_CREATE, root, 4096);
  check(native1(CAP_REVOKE, root) == 2 && native4(SERVICE_CALL, port, 1, (uint64_t)line, 1) == -ESTALE && native3(MEMORY_CREATE, quota, 4096, 0) == -ESTALE,
    "revoking it takes what was made of it");
  check(native4(SERVICE_CALL, log, 1, (uint64_t)line, 1) == 1, "not what the one before made");
  native1(CAP_DROP, root);
  native1(CAP_DROP, log);
}

static void nobody_claims(void) {
  if (setuid(65534) != 0 || native0(ROOT_CLAIM) != -EPERM) _exit(1);
}

static long raced, race_time;
static int64_t race_end;

/* Sets, lets ring and stops the one timer as fast as it can. */
static void *timer_race(void *arg) {
  while (now_ns() < race_end) {
    native5(NOTIFICATION_TIMER, raced, 1, now_ns() + 300000 + (long)arg * 777, (long)arg % 2 * 1000, race_time);
    if ((long)arg > 1) native2(NOTIFICATION_WAIT, raced, now_ns() + 1000);
  }
  return 0;
}

static void timer_of_several(long time) {
  pthread_t threads[4];
  raced = native0(NOTIFICATION_CREATE);
  race_time = time;
  race_end = now_ns() + 600000000;
  for (long i = 0; i < 4; i++) pthread_create(&threads[i], NULL, timer_race, (void *)i);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  native5(NOTIFICATION_TIMER, raced, 1, 0, 0, time);
  native2(NOTIFICATION_WAIT, raced, 1);
  check(native2(NOTIFICATION_WAIT, raced, now_ns() + 5000000) == -ETIMEDOUT, "four threads set one timer, and it is silent when it is stopped");
  check(native5(NOTIFICATION_TIMER, raced, 2, now_ns() + 1000000, 0, time) == 0 && native2(NOTIFICATION_WAIT, raced, 0) == 2, "and rings when it is set");
  native1(CAP_DROP, raced);
}

/* More than one CPU could serve, were they not armed by who takes their bits. */
static void timers_of_no_period(long time) {
  long n[200];
  for (int i = 0; i < 200; i++) {
    n[i] = native0(NOTIFICATION_CREATE);
    native5(NOTIFICATION_TIMER, n[i], 1, now_ns(), 1, time);
  }
  int rang = 0;
  for (int i = 0; i < 200; i++) rang += native2(NOTIFICATION_WAIT, n[i], 0) == 1;
  check(rang == 200, "200 timers with a period of 1 ns");
  for (int i = 0; i < 200; i++) native1(CAP_DROP, n[i]);
}

static void timers_and_waits(void) {
  long n = native0(NOTIFICATION_CREATE), root = native0(ROOT_CLAIM), time = native1(TIME_OPEN, root);
  native1(CAP_DROP, root);
  int64_t start = now_ns();
  check(native5(NOTIFICATION_TIMER, n, 8, start + 30000000, 0, time) == 0 && native2(NOTIFICATION_WAIT, n, 0) == 8, "a timer's bit");
  check(now_ns() - start >= 30000000, "not before its time");
  check(native5(NOTIFICATION_TIMER, n, 1, now_ns(), 5000000, time) == 0, "a periodic one");
  int rings = 0;
  while (rings < 5 && native2(NOTIFICATION_WAIT, n, 0) == 1) rings++;
  check(rings == 5, "rings again and again");
  check(native5(NOTIFICATION_TIMER, n, 1, 0, 0, time) == 0, "until it is stopped");
  native2(NOTIFICATION_WAIT, n, 1);
  check(native2(NOTIFICATION_WAIT, n, now_ns() + 20000000) == -ETIMEDOUT, "then a wait times out");
  timer_of_several(time);
  timers_of_no_period(time);
  native1(CAP_DROP, time);
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

/* A server cannot be told of errors or bits by who calls it, nor tell of bits. */
static void labels(void) {
  long ep = native0(ENDPOINT_CREATE);
  pid_t pid = child_with(server, 1, (uint64_t[]){ep}, (uint32_t[]){RIGHT_RECEIVE}, (uint64_t[]){0});
  message m = {0};
  static const int bad[] = {-1, -EINTR, -EPIPE, INT32_MIN, IPC_NOTIFIED, INT32_MAX};
  int good = 1;
  for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
    long_message extra = {.label = bad[i]};
    good &= ipc(IPC_CALL, ep, 1, &m) == 2 && ipc(IPC_CALL, ep, bad[i], &m) == -EINVAL && ipc_call_extra(ep, &extra) == -EINVAL;
  }
  check(good && ipc(IPC_CALL, ep, 1, &m) == 2, "no request bears a label that its receiver could mistake");
  long_message extra = {.label = IPC_NOTIFIED};
  check(ipc(IPC_REPLY_WAIT, ep, -4096, &m) == -EINVAL && ipc_reply_wait_extra(ep, &extra) == -EINVAL, "nor does a reply");
  kill(pid, SIGKILL);
  status_of(pid);
  native1(CAP_DROP, ep);
}

static void receives(void) {
  message m = {0};
  _exit(-ipc(IPC_REPLY_WAIT, given[0], 0, &m));
}

static void receives_long(void) {
  long_message m = {0};
  _exit(-ipc_reply_wait_extra(given[0], &m));
}

static void waits(void) {
  _exit(-native2(NOTIFICATION_WAIT, given[0], 0));
}

static void calls_twice(void) {
  message m = {0};
  int first = ipc(IPC_CALL, given[0], 1, &m), second = ipc(IPC_CALL, given[0], 1, &m);
  _exit(first == 2 && second == -ESTALE ? 0 : 1);
}

/* Who waits by a right that is revoked hears so; a call that was made goes on. */
static void revoked_while_waiting(void) {
  static void (*const bodies[])(void) = {receives, receives_long, waits, server};
  long ep = native0(ENDPOINT_CREATE), warm = native0(ENDPOINT_CREATE), n = native0(NOTIFICATION_CREATE);
  const long objects[] = {ep, ep, n, warm};
  pid_t pids[4];
  for (int i = 0; i < 4; i++) pids[i] = child_with(bodies[i], 1, (uint64_t[]){objects[i]}, (uint32_t[]){RIGHT_RECEIVE | RIGHT_WAIT}, (uint64_t[]){0});
  sleep_ms(50);
  message m = {0};
  int good = 1;
  for (int i = 0; i < 10; i++) good &= ipc(IPC_CALL, warm, 5, &m) == 6;
  check(good && native1(CAP_REVOKE, ep) == 2 && native1(CAP_REVOKE, n) == 1 && native1(CAP_REVOKE, warm) == 1, "rights by which others wait are revoked");
  for (int i = 0; i < 4; i++) good &= WEXITSTATUS(status_of(pids[i])) == ESTALE;
  check(good, "they hear so");
  long_message late = {.label = 1, .deadline = now_ns() + 20000000};
  check(ipc_call_extra(ep, &late) == -ETIMEDOUT, "and take no call");
  pid_t pid = child_with(calls_twice, 1, (uint64_t[]){ep}, (uint32_t[]){RIGHT_CALL}, (uint64_t[]){0});
  sleep_ms(50);
  check(native1(CAP_REVOKE, ep) == 1 && ipc(IPC_REPLY_WAIT, ep, 0, &m) == 1, "a call that was made before its right was revoked");
  late = (long_message){.label = 2, .deadline = 1};
  check(ipc_reply_wait_extra(ep, &late) == -ETIMEDOUT && status_of(pid) == 0, "is answered, the next one is not");
  native1(CAP_DROP, ep);
  native1(CAP_DROP, warm);
  native1(CAP_DROP, n);
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

/* ---- Messages with bytes and capabilities ---- */
enum { BIG = 65536 };
static unsigned char sent[BIG], got[BIG];

/*
 * Turns every byte around; label 6: signals the capability that came; 7: sends it back; 8: keeps the caller waiting; 9: dies; 10: moves it
 * back; 11: tells its rights and badge, and drops it.
 */
static void long_server(void) {
  long_message m = {.receive = (uint64_t)got, .receive_max = BIG};
  for (;;) {
    long label = ipc_reply_wait_extra(given[0], &m);
    if (label == 9) _exit(9);
    if (label == 8) sleep_ms(200);
    if (label < 0) _exit(1);
    for (uint32_t i = 0; i < m.receive_bytes; i++) got[i] ^= 0xff;
    m.w[0] += m.badge, m.w[1] = m.receive_bytes, m.w[2] = m.receive_caps;
    if (label == 6) m.w[3] = native2(NOTIFICATION_SIGNAL, m.cap[0], 1 << m.receive_caps);
    if (label == 11) {
      cap_info info;
      native2(CAP_INFO, m.cap[0], (uint64_t)&info);
      native1(CAP_DROP, m.cap[0]);
      m.w[2] = info.rights, m.w[3] = info.badge;
    }
    m.send = (uint64_t)got, m.send_bytes = label == 5 ? 0 : m.receive_bytes, m.send_caps = label == 7 || label == 10 ? m.receive_caps : 0;
    m.how = label == 10 ? SEND_HOW(SEND_MOVE, 0) : 0;
    m.label = label + 1;
  }
}

/* Plain calls only. */
static void short_server(void) {
  message m = {0};
  for (long label = 0;;) label = ipc(IPC_REPLY_WAIT, given[0], label, &m) + 1;
}

static long long_call(uint64_t ep, int label, uint32_t bytes, long_message *m) {
  memset(m, 0, sizeof *m);
  m->label = label, m->w[0] = 1000, m->send = (uint64_t)sent, m->send_bytes = bytes, m->receive = (uint64_t)got, m->receive_max = BIG;
  return ipc_call_extra(ep, m);
}

static int turned_around(uint32_t bytes) {
  for (uint32_t i = 0; i < bytes; i++) if (got[i] != (sent[i] ^ 0xff)) return 0;
  return 1;
}

static long cap_call(uint64_t ep, int label, uint64_t cap, uint32_t how, uint32_t rights, uint64_t badge, long_message *m) {
  *m = (long_message){.label = label, .send_caps = 1, .cap = {cap}, .how = how, .rights = {rights}, .badges = {badge}};
  return ipc_call_extra(ep, m);
}

/* `ep`: of long_server; `n`: a notification without bits. */
static void moving(long ep, long n) {
  long_message m;
  native1(CAP_REVOKE, n);
  long moved = native3(CAP_COPY, n, RIGHT_ALL, 0), child = native3(CAP_COPY, moved, RIGHT_SIGNAL, 0);
  check(cap_call(ep, 10, moved, SEND_MOVE, 0, 0, &m) == 11 && m.receive_caps == 1 && native2(NOTIFICATION_SIGNAL, m.cap[0], 1) == 0, "a capability moves there and back");
  check(native2(NOTIFICATION_SIGNAL, moved, 1) == -EBADF && native1(CAP_REVOKE, moved) == -EBADF, "its old handle names nothing");
  check(native1(CAP_REVOKE, m.cap[0]) == 1 && native2(NOTIFICATION_SIGNAL, child, 1) == -ESTALE, "what was derived from it stayed below it");
  check(native1(CAP_REVOKE, n) == 1, "and it below its parent; nobody kept any");
  moved = native3(CAP_COPY, n, RIGHT_ALL, 0);
  m = (long_message){.label = 1, .send_caps = 2, .cap = {moved, native3(CAP_COPY, n, RIGHT_SIGNAL, 0)}, .how = SEND_HOW(SEND_MOVE, 0) | SEND_HOW(SEND_MOVE, 1)};
  check(ipc_call_extra(ep, &m) == -EACCES && native2(NOTIFICATION_SIGNAL, moved, 1) == 0, "without GRANT nothing moves, what set out is back");
  m = (long_message){.label = 1, .send_caps = 1, .cap = {moved}, .how = 3};
  check(ipc_call_extra(ep, &m) == -EINVAL, "there is no fourth way");
  m = (long_message){.label = 1, .send_caps = 1, .cap = {moved}, .how = SEND_HOW(SEND_MOVE, 1)};
  check(ipc_call_extra(ep, &m) == -EINVAL, "nor one for a capability that is not sent");
  long silent = native0(ENDPOINT_CREATE);
  m = (long_message){.label = 1, .send_caps = 1, .cap = {moved}, .how = SEND_MOVE, .deadline = now_ns() + 20000000};
  check(ipc_call_extra(silent, &m) == -ETIMEDOUT && native2(NOTIFICATION_SIGNAL, moved, 1) == 0, "nobody took the message: it is back under its handle");
  message plain = {0};
  long caller = native3(CAP_COPY, ep, RIGHT_CALL | RIGHT_GRANT, 0);
  check(ipc(IPC_CALL, caller, 1, &plain) == 2 && cap_call(ep, 1, caller, SEND_MOVE, 0, 0, &m) == 2 && ipc(IPC_CALL, caller, 1, &plain) == -EBADF, "who moved the right to call calls no more");
  check(cap_call(ep, 11, n, SEND_MINT, RIGHT_SIGNAL | RIGHT_CALL, 77, &m) == 12 && m.w[2] == (RIGHT_SIGNAL | RIGHT_CALL) && m.w[3] == 77, "minted: fewer rights, a badge");
  long badged = native3(CAP_COPY, n, RIGHT_ALL, 5);
  check(cap_call(ep, 11, badged, SEND_MINT, RIGHT_ALL, 6, &m) == -EACCES, "a badge is given once");
  check(cap_call(ep, 11, badged, SEND_MINT, RIGHT_WAIT, 0, &m) == 12 && m.w[2] == RIGHT_WAIT && m.w[3] == 5, "and kept");
  native1(CAP_REVOKE, n);
  native2(NOTIFICATION_WAIT, n, 1);
  native1(CAP_DROP, silent);
}

static void long_messages(void) {
  long ep = native0(ENDPOINT_CREATE);
  pid_t pid = child_with(long_server, 1, (uint64_t[]){ep}, (uint32_t[]){RIGHT_RECEIVE}, (uint64_t[]){0});
  long_message m;
  for (int i = 0; i < BIG; i++) sent[i] = i * 7 + (i >> 8);
  int good = 1;
  for (uint32_t bytes = 1; bytes <= BIG; bytes = bytes * 3 > BIG && bytes < BIG ? BIG : bytes * 3) {
    good &= long_call(ep, 1, bytes, &m) == 2 && m.label == 2 && m.receive_bytes == bytes && m.w[1] == bytes && m.w[0] == 1000 && turned_around(bytes);
  }
  check(good, "bytes go and come, up to 64 KiB");
  check(long_call(ep, 1, 0, &m) == 2 && m.receive_bytes == 0, "none are fine too");
  check(long_call(ep, 1, BIG + 1, &m) == -EMSGSIZE, "more are not");
  message plain = {0, {5, 0, 0, 0}};
  check(ipc(IPC_CALL, ep, 3, &plain) == 4 && plain.w[0] == 5 && plain.w[1] == 0, "a plain call reaches a server of long messages");
  long_message none = {.label = 1, .send = 4096, .send_bytes = 10};
  check(ipc_call_extra(ep, &none) == -EFAULT, "bytes that are not there");
  none = (long_message){.label = 1, .flags = 1};
  check(ipc_call_extra(ep, &none) == -EINVAL, "unknown flags");
  none = (long_message){.label = 1, .send_caps = 5};
  check(ipc_call_extra(ep, &none) == -EINVAL, "five capabilities");
  check(ipc_call_extra(ep, 8) == -EFAULT && ipc_call_extra(ep, -4096) == -EFAULT, "a message that is not there");
  none = (long_message){.label = 1, .send = (uint64_t)sent, .send_bytes = 64, .receive = 4096, .receive_max = BIG};
  check(ipc_call_extra(ep, &none) == -EFAULT, "an answer has nowhere to go");
  check(long_call(ep, 5, 100, &m) == 6 && m.receive_bytes == 0 && m.w[1] == 100, "the server goes on");

  long n = native0(NOTIFICATION_CREATE), kept = native3(CAP_COPY, n, RIGHT_SIGNAL | RIGHT_GRANT, 0);
  memset(&m, 0, sizeof m);
  m.label = 6, m.send_caps = 2, m.cap[0] = kept, m.cap[1] = n;
  check(ipc_call_extra(ep, &m) == 7 && m.w[2] == 2 && m.w[3] == 0, "two capabilities arrive, and work");
  check(native2(NOTIFICATION_WAIT, n, 1) == 4, "their object is the same");
  check(native1(CAP_REVOKE, n) == 3, "what was sent can be revoked: the copy, its copy, the other");
  long narrow = native3(CAP_COPY, n, RIGHT_SIGNAL, 0);
  memset(&m, 0, sizeof m);
  m.label = 6, m.send_caps = 2, m.cap[0] = n, m.cap[1] = narrow;
  check(ipc_call_extra(ep, &m) == -EACCES, "without GRANT nothing is sent");
  m.label = 6, m.send_caps = 2, m.cap[0] = n, m.cap[1] = 0x12345678;
  check(ipc_call_extra(ep, &m) == -EBADF && native1(CAP_REVOKE, n) == 1, "nor beside a wild handle; the first one is nowhere");
  memset(&m, 0, sizeof m);
  m.label = 7, m.send_caps = 1, m.cap[0] = n;
  check(ipc_call_extra(ep, &m) == 8 && m.receive_caps == 1 && m.cap[0] != n, "a capability comes back with the answer");
  check(native2(NOTIFICATION_SIGNAL, m.cap[0], 16) == 0 && native2(NOTIFICATION_WAIT, n, 1) == 16, "and works");

  moving(ep, n);
  memset(&m, 0, sizeof m);
  m.label = 8, m.deadline = now_ns() + 30000000;
  check(ipc_call_extra(ep, &m) == -ETIMEDOUT, "a deadline ends a call");
  check(long_call(ep, 1, 10, &m) == 2, "the late answer goes nowhere, the next one comes");
  uint64_t caller = native3(CAP_COPY, ep, RIGHT_CALL, 0);
  check(long_call(caller, 9, BIG, &m) == -EPIPE, "a server that dies");
  status_of(pid);
  native1(CAP_DROP, n);

  long other = native0(ENDPOINT_CREATE);
  pid = child_with(short_server, 1, (uint64_t[]){other}, (uint32_t[]){RIGHT_RECEIVE}, (uint64_t[]){0});
  sleep_ms(20);
  check(long_call(other, 3, 10, &m) == -EMSGSIZE, "a plain receiver has no room for bytes");
  check(long_call(other, 3, 0, &m) == 4 && m.w[0] == 1000, "words it takes");
  kill(pid, SIGKILL);
  status_of(pid);
  memset(&m, 0, sizeof m);
  m.deadline = now_ns() + 20000000;
  check(ipc_reply_wait_extra(other, &m) == -ETIMEDOUT, "a deadline ends a receive");
  native1(CAP_DROP, other);
  native1(CAP_DROP, ep);
}

/* What callers of a server with bad memory get. */
static void blind_server(void) {
  long_message m = {.receive = 4096, .receive_max = BIG};
  long first = ipc_reply_wait_extra(given[0], &m);
  m = (long_message){.receive = (uint64_t)got, .receive_max = 16};
  long second = ipc_reply_wait_extra(given[0], &m);
  m.send = (uint64_t)sent, m.send_bytes = BIG, m.label = 1;
  long third = ipc_reply_wait_extra(given[0], &m); /* more than its caller has room for: still owed */
  message plain = {0, {first == -EFAULT, second == 2, third == -EMSGSIZE, 0}};
  ipc(IPC_REPLY_WAIT, given[0], 44, &plain);
  _exit(0);
}

static void bad_receivers(void) {
  long ep = native0(ENDPOINT_CREATE);
  pid_t pid = child_with(blind_server, 1, (uint64_t[]){ep}, (uint32_t[]){RIGHT_RECEIVE}, (uint64_t[]){0});
  long_message m;
  check(long_call(ep, 1, 100, &m) == -EIO, "a server that cannot read what was sent");
  check(long_call(ep, 1, 17, &m) == -EMSGSIZE, "one that has less room");
  long_message small = {.label = 2, .send = (uint64_t)sent, .send_bytes = 16, .receive = (uint64_t)got, .receive_max = 8};
  check(ipc_call_extra(ep, &small) == 44, "one whose answer is too long tries again");
  check(small.w[0] == 1 && small.w[1] == 1 && small.w[2] == 1, "and was told all of it");
  native1(CAP_DROP, ep);
  kill(pid, SIGKILL);
  status_of(pid);
}

/* Writes into the memory it is given. */
static void memory_server(void) {
  long_message m = {0};
  while (ipc_reply_wait_extra(given[0], &m) == 1) {
    cap_info info = {0};
    native2(CAP_INFO, m.cap[0], (uint64_t)&info);
    char *at = mmap(0, BIG, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    long mapped = native(MEMORY_MAP, m.cap[0], (uint64_t)at, 0, BIG, PROT_READ | PROT_WRITE, 0);
    if (mapped >= 0 && at[4096] == 'a') for (int i = 0; i < BIG; i += 4096) at[i] = 'b';
    native1(CAP_DROP, m.cap[0]);
    munmap(at, BIG);
    m = (long_message){.label = 2, .w = {mapped >= 0, -mapped, info.detail, info.size}};
  }
  _exit(1);
}

static void memory_grants(void) {
  long root = native0(ROOT_CLAIM), quota = native2(QUOTA_CREATE, root, 2 * BIG), memory = native3(MEMORY_CREATE, quota, BIG, 0);
  long ep = native0(ENDPOINT_CREATE);
  pid_t pid = child_with(memory_server, 1, (uint64_t[]){ep}, (uint32_t[]){RIGHT_RECEIVE}, (uint64_t[]){0});
  char *at = mmap(0, BIG, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  check(memory > 0 && native(MEMORY_MAP, memory, (uint64_t)at, 0, BIG, PROT_READ | PROT_WRITE, 0) >= 0, "memory of one's own");
  memset(at, 'a', BIG);
  long_message m = {.label = 1, .send_caps = 1, .cap = {memory}};
  check(ipc_call_extra(ep, &m) == 2 && m.w[0] == 1, "a server maps memory it was sent");
  check(at[0] == 'b' && at[1] == 'a' && at[BIG - 4096] == 'b', "its writing is seen: nothing was copied");
  m = (long_message){.label = 1, .send_caps = 1, .cap = {native3(CAP_COPY, memory, RIGHT_READ | RIGHT_GRANT, 0)}};
  check(ipc_call_extra(ep, &m) == 2 && m.w[0] == 0 && m.w[1] == EACCES, "without WRITE it is not mapped for writing");
  check(m.w[2] != 0, "a receiver sees that others reach it");
  m = (long_message){.label = 1, .send_caps = 1, .cap = {memory}, .how = SEND_MOVE};
  check(ipc_call_extra(ep, &m) == -EBUSY, "memory does not move while it is mapped");
  fflush(stdout);
  pid_t holder = fork();
  if (holder == 0) for (;;) pause();
  munmap(at, BIG);
  m = (long_message){.label = 1, .send_caps = 1, .cap = {memory}, .how = SEND_MOVE};
  check(ipc_call_extra(ep, &m) == -EBUSY, "nor while a relative has it mapped");
  kill(holder, SIGKILL);
  status_of(holder);
  native1(CAP_REVOKE, memory);
  m = (long_message){.label = 1, .send_caps = 1, .cap = {memory}, .how = SEND_MOVE};
  check(ipc_call_extra(ep, &m) == 2 && m.w[0] == 1 && m.w[2] == 0 && m.w[3] == BIG, "then it does, and the receiver sees that it has it alone");
  at = mmap(0, BIG, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  check(native(MEMORY_MAP, memory, (uint64_t)at, 0, BIG, PROT_READ, 0) == -EBADF, "its former owner maps it no more");
  munmap(at, BIG);
  kill(pid, SIGKILL);
  status_of(pid);
  memory = native3(MEMORY_CREATE, quota, 2 * BIG, 0);
  check(memory > 0, "it is all given back");
  native1(CAP_DROP, memory);
  native1(CAP_DROP, quota);
  native1(CAP_DROP, ep);
  native1(CAP_DROP, root);
}

static void become_stranger(void) {
  char text[32];
  if (native2(NOTIFICATION_SIGNAL, given[0], 1) != 0) _exit(3);
  snprintf(text, sizeof text, "%lu", (unsigned long)given[0]);
  execl("/proc/self/exe", "ipc", "stranger", text, (char *)0);
  _exit(4);
}

/* After execve: the old handle is nothing, new ones can be had. */
static void stranger(long handle) {
  long n = native2(NOTIFICATION_SIGNAL, handle, 1) == -EBADF ? native0(NOTIFICATION_CREATE) : 0;
  _exit(n > 0 && native2(NOTIFICATION_SIGNAL, n, 1) == 0 ? 0 : 5);
}

static void inheritance(void) {
  long n = native0(NOTIFICATION_CREATE);
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) _exit(native2(NOTIFICATION_SIGNAL, n, 1) == -EBADF ? 0 : 1);
  check(status_of(pid) == 0, "fork passes no capability on");
  uint64_t handle[] = {n};
  pid = child_with(become_stranger, 1, handle, (uint32_t[]){RIGHT_ALL}, (uint64_t[]){0});
  check(status_of(pid) == 0, "nor execve, of an unconfined program");
  native1(CAP_DROP, n);
}

/* What this program does when it was started confined: only its own memory and its own end are left to it. */
static void confined(long handle) {
  if (native2(NOTIFICATION_SIGNAL, handle, 1) != 0) _exit(11);
  if (open("/etc/passwd", O_RDONLY) >= 0 || errno != EPERM) _exit(12);
  if (getpid() >= 0 || write(1, "x", 1) >= 0 || fork() >= 0) _exit(13);
  if (mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED) _exit(14);
  if (mmap(0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED) _exit(15);
  if (native0(ROOT_CLAIM) != -EPERM || native0(ENDPOINT_CREATE) != -EPERM || native0(NOTIFICATION_CREATE) != -EPERM || native1(PROCESS_OPEN, 1) != -EPERM) _exit(16);
  struct timespec t;
  if (clock_gettime(CLOCK_MONOTONIC, &t) == 0 || clock_gettime(CLOCK_REALTIME, &t) == 0 || native1(TIME_NOW, handle) != -EBADF) _exit(17);
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
  if (argc == 3 && !strcmp(argv[1], "stranger")) stranger(atol(argv[2]));
  capabilities();
  root_is_one();
  check(in_child(nobody_claims) == 0, "nobody does not");
  timers_and_waits();
  calls();
  labels();
  revoked_while_waiting();
  callers_at_once();
  deaths();
  long_messages();
  bad_receivers();
  memory_grants();
  inheritance();
  confinement();
  return tap_done();
}
