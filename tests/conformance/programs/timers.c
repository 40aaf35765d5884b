/* Time: clocks, sleeps, interval timers. Bounds are from below only: a busy machine may always be late. */
#include "tap.h"
#include <sys/syscall.h>
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
  struct tms tms;
  check(times(&tms) != -1 && sysconf(_SC_CLK_TCK) == 100, "times");
  return tap_done();
}
