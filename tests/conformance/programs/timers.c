/* Time: clocks, sleeps, interval timers. Bounds are from below only: a busy machine may always be late. */
#include "tap.h"
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/times.h>

static volatile int alarms;
static volatile siginfo_t info;
static void note(int sig) { (void)sig; alarms++; }
static void note_info(int sig, siginfo_t *si, void *context) { (void)sig; (void)context; alarms++; info = *si; }

static int64_t clock_ns(clockid_t clock) {
  struct timespec t;
  if (clock_gettime(clock, &t)) return -1;
  return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static int raced;
static int64_t race_end;

static void *timerfd_race(void *arg) {
  struct itimerspec when = {{0, (long)arg % 2 * 1000}, {0, 200000 + (long)arg * 777}};
  uint64_t count;
  while (now_ns() < race_end) {
    timerfd_settime(raced, 0, &when, NULL);
    if ((long)arg > 1 && read(raced, &count, sizeof count) < 0 && errno != EAGAIN) return arg;
  }
  return NULL;
}

static void timerfds(void) {
  int fd = timerfd_create(CLOCK_MONOTONIC, 0);
  struct itimerspec when = {{0, 10000000}, {0, 10000000}}, state;
  uint64_t count = 0, more = 0;
  int64_t before = now_ns();
  check(fd >= 0 && timerfd_settime(fd, 0, &when, NULL) == 0, "timerfd_settime");
  sleep_ms(55);
  check(read(fd, &count, sizeof count) == sizeof count && count >= 5, "periods that nobody read are counted");
  check(read(fd, &more, sizeof more) == sizeof more && now_ns() - before >= 10000000 * (int64_t)(count + more), "and none is early");
  sleep_ms(25);
  check(timerfd_gettime(fd, &state) == 0 && state.it_value.tv_nsec > 0 && state.it_value.tv_nsec <= 10000000, "the next is less than a period away");
  before = now_ns();
  when.it_interval.tv_nsec = when.it_value.tv_nsec = 1;
  timerfd_settime(fd, 0, &when, NULL);
  sleep_ms(20);
  check(read(fd, &count, sizeof count) == sizeof count && count > 19000000 && count <= (uint64_t)(now_ns() - before), "a period of 1 ns");
  when.it_interval.tv_nsec = when.it_value.tv_nsec = 0;
  check(timerfd_settime(fd, 0, &when, &state) == 0 && state.it_interval.tv_nsec == 1, "stopped");
  close(fd);

  raced = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  race_end = now_ns() + 500000000;
  pthread_t threads[4];
  void *failed = NULL, *result;
  for (long i = 0; i < 4; i++) pthread_create(&threads[i], NULL, timerfd_race, (void *)i);
  for (int i = 0; i < 4; i++) if (pthread_join(threads[i], &result) != 0 || result) failed = result;
  timerfd_settime(raced, 0, &when, NULL);
  check(!failed && read(raced, &count, sizeof count) < 0 && errno == EAGAIN, "four threads set one timerfd, and it is silent when it is stopped");
  close(raced);
}

/* Their expiries are overruns, but for the share of interrupts that a process has. */
static void many_timers(void) {
  struct sigaction sa = {.sa_sigaction = note_info, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &sa, NULL);
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
  struct itimerspec when = {{0, 1}, {0, 1}};
  timer_t id[300];
  alarms = 0;
  int made = 0;
  for (int i = 0; i < 300; i++) made += timer_create(CLOCK_MONOTONIC, &event, &id[i]) == 0 && timer_settime(id[i], 0, &when, NULL) == 0;
  while (alarms < 10) sleep_ms(1);
  check(made == 300, "300 timers with a period of 1 ns");
  for (int i = 0; i < 300; i++) timer_delete(id[i]);
}

int main(void) {
  int64_t last = now_ns(), backwards = 0;
  for (int i = 0; i < 20000; i++) { int64_t t = now_ns(); backwards += t < last; last = t; }
  check(backwards == 0, "the monotonic clock never goes back");
  check(time(NULL) > 1700000000, "the date is plausible");
  struct timespec real;
  clock_gettime(CLOCK_REALTIME, &real);
  check(labs(real.tv_sec - time(NULL)) <= 1, "time and CLOCK_REALTIME agree");
  struct timespec raw;
  check(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &raw) == 0 && raw.tv_sec * 1000000000ll + raw.tv_nsec >= last, "the vDSO and the system call agree");
  struct timespec resolution;
  check(clock_getres(CLOCK_MONOTONIC, &resolution) == 0 && resolution.tv_nsec <= 10000000, "clock_getres");
  check(clock_ns(CLOCK_BOOTTIME) >= 0 && clock_ns(CLOCK_MONOTONIC_COARSE) >= 0 && clock_ns(CLOCK_REALTIME_COARSE) > 0, "the other clocks");
  struct timespec ts;
  check_errno(syscall(SYS_clock_gettime, 99, &ts), EINVAL, "no such clock");

  int64_t before = now_ns();
  sleep_ms(50);
  check(now_ns() - before >= 50000000, "nanosleep is not early");
  struct timespec until = {0};
  before = now_ns() + 40000000;
  until.tv_sec = before / 1000000000;
  until.tv_nsec = before % 1000000000;
  check(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == 0 && now_ns() >= before, "absolute sleep");
  check_errno(nanosleep(&(struct timespec){0, 1000000000}, NULL), EINVAL, "a bad time");

  before = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
  sleep_ms(100);
  int64_t asleep = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - before;
  check(before > 0 && asleep < 90000000, "sleeping costs no processor time");
  for (int64_t end = now_ns() + 50000000; now_ns() < end;) {}
  check(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - before > 5000000, "working does");
  check(clock_ns(CLOCK_THREAD_CPUTIME_ID) > 0, "thread time");

  signal(SIGALRM, note);
  struct itimerval timer = {{0, 20000}, {0, 20000}}, old;
  before = now_ns();
  check(setitimer(ITIMER_REAL, &timer, NULL) == 0, "setitimer");
  while (alarms < 5) pause();
  check(now_ns() - before >= 100000000, "five periods take their time");
  check(getitimer(ITIMER_REAL, &old) == 0 && old.it_interval.tv_usec == 20000, "getitimer");
  memset(&timer, 0, sizeof timer);
  setitimer(ITIMER_REAL, &timer, NULL);
  int seen = alarms;
  sleep_ms(60);
  check(alarms == seen, "a stopped timer is silent");
  check(alarm(100) == 0 && alarm(0) >= 99, "alarm tells what was left");

  signal(SIGVTALRM, note);
  alarms = 0;
  timer.it_value.tv_usec = 20000;
  setitimer(ITIMER_VIRTUAL, &timer, NULL);
  for (int64_t end = now_ns() + 10000000000ll; !alarms && now_ns() < end;) {}
  check(alarms == 1, "ITIMER_VIRTUAL");

  struct sigaction sa = {.sa_sigaction = note_info, .sa_flags = SA_SIGINFO};
  sigaction(SIGRTMIN + 1, &sa, NULL);
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1};
  event.sigev_value.sival_int = 55;
  timer_t id;
  alarms = 0;
  check(timer_create(CLOCK_MONOTONIC, &event, &id) == 0, "timer_create");
  struct itimerspec when = {{0, 10000000}, {0, 10000000}};
  check(timer_settime(id, 0, &when, NULL) == 0, "timer_settime");
  while (alarms < 3) pause();
  check(info.si_code == SI_TIMER && info.si_value.sival_int == 55, "its signal carries the value");
  check(timer_gettime(id, &when) == 0 && when.it_interval.tv_nsec == 10000000, "timer_gettime");
  check(timer_delete(id) == 0, "timer_delete");
  check_errno(syscall(SYS_timer_delete, 12345), EINVAL, "no such timer");
  check_errno(syscall(SYS_timer_getoverrun, 12345), EINVAL, "nor its overruns");
  timerfds();
  many_timers();
  struct tms tms;
  check(times(&tms) != -1 && sysconf(_SC_CLK_TCK) == 100, "times");
  return tap_done();
}
