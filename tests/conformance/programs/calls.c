/* Many calls at once, interrupted by signals: every answer belongs to its call, and what a program keeps in registers is its own. */
#include "tap.h"
#include "native.h"
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>

enum { SERVERS = 2, CALLERS = 4, CALLS = 1500, SERVER_US = 1300, CALLER_US = 700 };

typedef struct {
  uint64_t wrong, interrupted, done;
} tally;

static tally *tallies; /* shared, one for each process */
static long endpoint;
static int is_disturbed; /* by alarms */

static void pin(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (cpu >= 0) CPU_SET(cpu, &set);
  else memset(&set, 0xff, sizeof set);
  sched_setaffinity(0, sizeof set, &set);
}

static void on_alarm(int sig) { (void)sig; }

/* Ends calls with EINTR now and then: the handler is not one that restarts them. */
static void alarm_every(int us) {
  if (!is_disturbed) return;
  struct sigaction action = {.sa_handler = on_alarm};
  struct itimerval every = {{0, us}, {0, us}};
  sigaction(SIGALRM, &action, NULL);
  setitimer(ITIMER_REAL, &every, NULL);
}

static uint64_t mixed(uint64_t x) { return (x ^ x >> 29) * 0x9e3779b97f4a7c15; }

static void serve(tally *t) {
  message m = {0};
  double sum = 0; /* in a vector register across the calls */
  alarm_every(SERVER_US);
  for (int answer = 0;;) {
    long label = ipc(IPC_REPLY_WAIT, endpoint, answer, &m);
    answer = 0;
    if (label < 0) {
      t->interrupted++;
      continue;
    }
    sum += 1;
    t->done++;
    if (sum != (double)t->done || m.badge != 7) t->wrong++;
    for (int i = 0; i < 4; i++) m.w[i] = mixed(m.w[i] + i);
    answer = label + 1;
  }
}

static void call(tally *t, uint64_t seed) {
  double sum = 0.5;
  alarm_every(CALLER_US);
  for (int i = 0; i < CALLS;) {
    message m;
    uint64_t asked = seed = mixed(seed + i);
    for (int w = 0; w < 4; w++) m.w[w] = asked + w;
    int label = asked & 0xffff;
    long result = ipc(IPC_CALL, endpoint, label, &m);
    sum += 1;
    if (result == -EINTR) {
      t->interrupted++;
      sum -= 1;
      continue;
    }
    i++;
    if (result != label + 1 || sum != i + 0.5) t->wrong++;
    for (int w = 0; w < 4; w++) if (m.w[w] != mixed(asked + 2 * w)) t->wrong++;
  }
  t->done = CALLS;
  _exit(0);
}

/* A child with its own capability on the endpoint. */
static pid_t child(int index, uint32_t rights, uint64_t badge) {
  int go[2];
  if (pipe(go) != 0) exit(99);
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (read(go[0], &endpoint, sizeof endpoint) != sizeof endpoint) _exit(98);
    if (index < SERVERS) serve(&tallies[index]);
    call(&tallies[index], index);
  }
  long process = native1(PROCESS_OPEN, pid), there = native4(CAP_INSTALL, process, endpoint, rights, badge);
  if (write(go[1], &there, sizeof there) != sizeof there) exit(97);
  native1(CAP_DROP, process);
  close(go[0]);
  close(go[1]);
  return pid;
}

/* Calls that handed a CPU over, from /proc/ipc. */
static long handoffs(void) {
  char text[512] = {0}, *at;
  FILE *file = fopen("/proc/ipc", "r");
  if (!file || !fread(text, 1, sizeof text - 1, file)) return -1;
  fclose(file);
  return (at = strstr(text, "handoffs ")) ? atol(at + 9) : -1;
}

static void all_at_once(int cpu, int disturbed, const char *where) {
  pid_t pids[SERVERS + CALLERS];
  char what[100];
  tally all = {0};
  memset(tallies, 0, (SERVERS + CALLERS) * sizeof *tallies);
  endpoint = native0(ENDPOINT_CREATE);
  is_disturbed = disturbed;
  pin(cpu);
  long before = handoffs();
  for (int i = 0; i < SERVERS + CALLERS; i++) pids[i] = child(i, i < SERVERS ? RIGHT_RECEIVE : RIGHT_CALL, i < SERVERS ? 0 : 7);
  for (int i = SERVERS; i < SERVERS + CALLERS; i++) waitpid(pids[i], NULL, 0);
  for (int i = 0; i < SERVERS; i++) {
    kill(pids[i], SIGKILL);
    waitpid(pids[i], NULL, 0);
  }
  for (int i = 0; i < SERVERS + CALLERS; i++) {
    all.wrong += tallies[i].wrong;
    all.interrupted += tallies[i].interrupted;
    if (i >= SERVERS) all.done += tallies[i].done;
  }
  snprintf(what, sizeof what, "every call is answered, %s", where);
  check(all.done == CALLERS * CALLS, what);
  snprintf(what, sizeof what, "with its own words, and nobody's registers are another's, %s", where);
  check(all.wrong == 0, what);
  if (disturbed) {
    snprintf(what, sizeof what, "though signals come in between, %s", where);
    check(all.interrupted > 0, what);
  } else check(handoffs() - before > CALLS, "and the CPU is handed over by most of them"); /* with alarms it depends on how often the host lets those in */
  pin(-1);
  native1(CAP_DROP, endpoint);
}

int main(void) {
  tallies = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  all_at_once(0, 0, "undisturbed, on one CPU");
  all_at_once(0, 1, "on one CPU");
  all_at_once(-1, 1, "on any CPU");
  return tap_done();
}
