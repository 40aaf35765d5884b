/* Threads: mutexes, conditions, thread-local storage, barriers, futexes, and the process around them. */
#include "tap.h"
#include <pthread.h>
#include <semaphore.h>
#include <sys/syscall.h>

enum { FUTEX_WAIT_PRIVATE = 128, FUTEX_WAKE_PRIVATE = 129 };
enum { THREADS = 8, ROUNDS = 20000 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static __thread int local = 7;
static int counter, turn, atomic_counter;
static pid_t tids[THREADS];

static void *count_up(void *arg) {
  long id = (long)arg;
  tids[id] = syscall(SYS_gettid);
  local += id;
  for (int i = 0; i < ROUNDS; i++) {
    pthread_mutex_lock(&mutex);
    counter++;
    pthread_mutex_unlock(&mutex);
    __atomic_fetch_add(&atomic_counter, 1, __ATOMIC_RELAXED);
  }
  pthread_barrier_wait(&barrier);
  return (void *)(long)local;
}

static void *take_turns(void *arg) {
  long id = (long)arg;
  for (int i = 0; i < 500; i++) {
    pthread_mutex_lock(&mutex);
    while (turn != id) pthread_cond_wait(&cond, &mutex);
    turn = !id;
    pthread_cond_broadcast(&cond);
    pthread_mutex_unlock(&mutex);
  }
  return NULL;
}

static void *sleeper(void *arg) {
  (void)arg;
  for (;;) pause();
}

static void exit_with_threads(void) {
  pthread_t t;
  pthread_create(&t, NULL, sleeper, NULL);
  pthread_create(&t, NULL, sleeper, NULL);
  sleep_ms(10);
  _exit(42);
}

static void crash_with_threads(void) {
  pthread_t t;
  pthread_create(&t, NULL, sleeper, NULL);
  sleep_ms(10);
  raise(SIGKILL);
}

static void *leave_early(void *arg) {
  pthread_exit(arg);
}

static volatile int handler_tid;
static void note_tid(int sig) {
  (void)sig;
  handler_tid = syscall(SYS_gettid);
}

static void *wait_for_signal(void *arg) {
  *(volatile pid_t *)arg = syscall(SYS_gettid);
  while (!handler_tid) sleep_ms(1);
  return NULL;
}

int main(void) {
  pthread_t t[THREADS];
  pthread_barrier_init(&barrier, NULL, THREADS);
  for (long i = 0; i < THREADS; i++) check(pthread_create(&t[i], NULL, count_up, (void *)i) == 0, "thread created");
  int sum = 0;
  for (int i = 0; i < THREADS; i++) {
    void *value;
    pthread_join(t[i], &value);
    sum += (int)(long)value;
  }
  check(counter == THREADS * ROUNDS, "a mutex excludes");
  check(atomic_counter == THREADS * ROUNDS, "atomic increments are not lost");
  check(sum == THREADS * 7 + THREADS * (THREADS - 1) / 2, "thread-local variables are per thread");
  check(local == 7, "the main thread's own copy is untouched");
  int distinct = 1;
  for (int i = 0; i < THREADS; i++)
    for (int j = 0; j < i; j++) distinct &= tids[i] != tids[j];
  check(distinct && tids[0] != getpid(), "thread ids differ");

  pthread_t a, b;
  pthread_create(&a, NULL, take_turns, (void *)0);
  pthread_create(&b, NULL, take_turns, (void *)1);
  pthread_join(a, NULL);
  pthread_join(b, NULL);
  check(turn == 0, "a condition variable alternates two threads");

  sem_t sem;
  sem_init(&sem, 0, 0);
  struct timespec soon;
  clock_gettime(CLOCK_REALTIME, &soon);
  soon.tv_nsec += 50000000;
  if (soon.tv_nsec >= 1000000000) { soon.tv_sec++; soon.tv_nsec -= 1000000000; }
  check_errno(sem_timedwait(&sem, &soon), ETIMEDOUT, "a semaphore times out");
  sem_post(&sem);
  check(sem_wait(&sem) == 0, "a posted semaphore lets through");

  int word = 1;
  check_errno(syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 2, NULL, NULL, 0), EAGAIN, "futex: another value does not wait");
  struct timespec brief = {0, 20000000};
  int64_t before = now_ns();
  check_errno(syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 1, &brief, NULL, 0), ETIMEDOUT, "futex: times out");
  check(now_ns() - before >= 19000000, "futex: not before its time");
  check(syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) == 0, "futex: nobody to wake");
  check_errno(syscall(SYS_futex, 1L, FUTEX_WAIT_PRIVATE, 1, &brief, NULL, 0), EINVAL, "futex: a misaligned word");

  void *value;
  pthread_create(&a, NULL, leave_early, (void *)99L);
  pthread_join(a, &value);
  check(value == (void *)99L, "pthread_exit gives its value");

  pthread_attr_t attr;
  pthread_attr_init(&attr);
  pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
  int created = 0;
  for (int i = 0; i < 200; i++) {
    if (pthread_create(&a, &attr, leave_early, NULL) == 0) created++;
    else sleep_ms(5);
  }
  check(created > 150, "many detached threads come and go");

  struct sigaction sa = {.sa_handler = note_tid};
  sigaction(SIGUSR1, &sa, NULL);
  volatile pid_t target = 0;
  pthread_create(&a, NULL, wait_for_signal, (void *)&target);
  while (!target) sleep_ms(1);
  pthread_kill(a, SIGUSR1);
  pthread_join(a, NULL);
  check(handler_tid == target, "pthread_kill reaches that thread");

  int status = in_child(exit_with_threads);
  check(WIFEXITED(status) && WEXITSTATUS(status) == 42, "exit_group ends all threads");
  status = in_child(crash_with_threads);
  check(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "a fatal signal ends all threads");
  return tap_done();
}
