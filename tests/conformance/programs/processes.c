/* Processes: fork, exec, wait, groups, sessions, orphans, limits. */
#include "tap.h"
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>

extern char **environ;
static const char *self;

static void exit_7(void) { _exit(7); }
static void stop_self(void) { raise(SIGSTOP); _exit(5); }
static int exec_status(const char *mode) {
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) { execl(self, self, mode, "two words", NULL); _exit(127); }
  int status;
  waitpid(pid, &status, 0);
  return status;
}

/* What the program does when run by itself. */
static int role(char **argv) {
  if (!strcmp(argv[1], "args")) return !(strcmp(argv[2], "two words") == 0 && !argv[3]);
  if (!strcmp(argv[1], "cloexec")) return fcntl(100, F_GETFD) != -1 || fcntl(101, F_GETFD) == -1;
  if (!strcmp(argv[1], "signals")) {
    struct sigaction ignored, caught;
    sigset_t mask;
    sigaction(SIGUSR1, NULL, &ignored);
    sigaction(SIGUSR2, NULL, &caught);
    sigprocmask(SIG_BLOCK, NULL, &mask);
    return ignored.sa_handler != SIG_IGN || caught.sa_handler != SIG_DFL || !sigismember(&mask, SIGHUP);
  }
  return 99;
}

static void nothing(int sig) { (void)sig; }
static void orphan_maker(void) {
  int p[2];
  if (pipe(p)) _exit(1);
  pid_t child = fork();
  if (child == 0) {
    if (fork() == 0) { sleep_ms(50); pid_t parent = getppid(); if (write(p[1], &parent, sizeof parent) < 0) _exit(1); _exit(0); }
    _exit(0);
  }
  waitpid(child, NULL, 0);
  pid_t parent = -1;
  if (read(p[0], &parent, sizeof parent) != sizeof parent) _exit(2);
  _exit(parent == 1 ? 0 : 3);
}
static void session(void) {
  if (setsid() != getpid() || getsid(0) != getpid() || getpgrp() != getpid()) _exit(1);
  if (setsid() != -1 || errno != EPERM) _exit(2);
  _exit(open("/dev/tty", O_RDWR) == -1 && errno == ENXIO ? 0 : 3);
}
static void too_many_files(void) {
  struct rlimit limit = {16, 16};
  setrlimit(RLIMIT_NOFILE, &limit);
  int fd;
  while ((fd = dup(0)) >= 0) if (fd >= 16) _exit(1);
  _exit(errno == EMFILE ? 0 : 2);
}
static void burn(void) {
  struct rlimit limit = {1, 2};
  setrlimit(RLIMIT_CPU, &limit);
  for (;;) {}
}
/* A grandchild uses memory and time; its parent only waits for it. */
static void waits_for_work(void) {
  if (fork() == 0) {
    volatile char *area = malloc(8 << 20);
    for (int i = 0; i < 8 << 20; i += 4096) area[i] = 1;
    while (clock() < CLOCKS_PER_SEC / 5) {}
    for (int i = 0; i < 20; i++) usleep(1000);
    _exit(0);
  }
  _exit(wait(NULL) < 0);
}
static void as_nobody(void) {
  if (setgid(65534) || setuid(65534)) _exit(1);
  if (getuid() != 65534 || geteuid() != 65534 || getgid() != 65534) _exit(2);
  if (setuid(0) != -1 || errno != EPERM) _exit(3);
  if (open("/root/secret", O_RDONLY) != -1 || errno != EACCES) _exit(4);
  if (kill(1, SIGTERM) != -1 || errno != EPERM) _exit(5);
  _exit(0);
}

int main(int argc, char **argv) {
  self = argv[0];
  if (argc > 1) return role(argv);

  int status = in_child(exit_7);
  check(WIFEXITED(status) && WEXITSTATUS(status) == 7, "exit status");
  check_errno(wait(NULL), ECHILD, "no child left");

  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) stop_self();
  check(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP, "a stop is reported");
  check(waitpid(pid, &status, WNOHANG) == 0, "WNOHANG: nothing new");
  kill(pid, SIGCONT);
  check(waitpid(pid, &status, WCONTINUED) == pid && WIFCONTINUED(status), "a continue is reported");
  check(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 5, "and the exit");

  siginfo_t info = {0};
  pid = fork();
  if (pid == 0) _exit(9);
  check(waitid(P_PID, pid, &info, WEXITED | WNOWAIT) == 0 && info.si_pid == pid && info.si_status == 9 && info.si_code == CLD_EXITED, "waitid with WNOWAIT");
  check(waitid(P_PID, pid, &info, WEXITED) == 0, "waitid takes it");
  check_errno(waitid(P_PID, pid, &info, WEXITED), ECHILD, "once");

  int alive = 0, sum = 0;
  for (int i = 0; i < 50; i++) {
    pid = fork();
    if (pid == 0) { sleep_ms(i % 7); _exit(i); }
    if (pid > 0) alive++;
  }
  while (wait(&status) > 0) { alive--; sum += WEXITSTATUS(status); }
  check(alive == 0 && sum == 49 * 25, "fifty children at once");
  int good = 0;
  for (int i = 0; i < 300; i++) good += WEXITSTATUS(in_child(exit_7)) == 7;
  check(good == 300, "three hundred children in turn");

  volatile int seen = 0;
  pid = vfork();
  if (pid == 0) { seen = 1; _exit(4); }
  waitpid(pid, &status, 0);
  check(seen == 1 && WEXITSTATUS(status) == 4, "vfork shares memory");

  check(exec_status("args") == 0, "exec passes arguments");
  int fd = open("/dev/null", O_RDONLY);
  dup3(fd, 100, O_CLOEXEC);
  dup2(fd, 101);
  check(exec_status("cloexec") == 0, "exec closes what is close-on-exec, and only that");
  sigset_t hup, old;
  sigemptyset(&hup);
  sigaddset(&hup, SIGHUP);
  signal(SIGUSR1, SIG_IGN);
  signal(SIGUSR2, nothing);
  sigprocmask(SIG_BLOCK, &hup, &old);
  check(exec_status("signals") == 0, "exec keeps ignored and blocked signals, resets handlers");
  sigprocmask(SIG_SETMASK, &old, NULL);

  check_errno(execl("/nowhere", "x", NULL), ENOENT, "exec of nothing");
  check_errno(execl("/tmp", "x", NULL), EACCES, "exec of a directory");
  unlink("/tmp/script");
  fd = open("/tmp/script", O_WRONLY | O_CREAT | O_TRUNC, 0755);
  check(write(fd, "#!/bin/sh -e\nexit $#\n", 21) == 21, "script written");
  close(fd);
  pid = fork();
  if (pid == 0) { execl("/tmp/script", "s", "a", "b", "c", NULL); _exit(127); }
  waitpid(pid, &status, 0);
  check(WEXITSTATUS(status) == 3, "exec of a script");
  fd = open("/tmp/garbage", O_WRONLY | O_CREAT | O_TRUNC, 0755);
  check(write(fd, "\177ELFgarbage", 11) == 11, "garbage written");
  close(fd);
  check_errno(execl("/tmp/garbage", "x", NULL), ENOEXEC, "exec of garbage");
  chmod("/tmp/script", 0644);
  check_errno(execl("/tmp/script", "x", NULL), EACCES, "exec without permission");

  pid = fork();
  if (pid == 0) { setpgid(0, 0); pause(); }
  setpgid(pid, pid);
  check(getpgid(pid) == pid, "setpgid");
  check_errno(setpgid(pid, 999999), EPERM, "no such group");
  kill(-pid, SIGTERM);
  check(waitpid(-pid, &status, 0) == pid && WTERMSIG(status) == SIGTERM, "kill of a group, wait for a group");
  check(in_child(session) == 0, "setsid makes a session without a terminal");
  check(in_child(orphan_maker) == 0, "an orphan's parent is process 1");
  check(in_child(too_many_files) == 0, "RLIMIT_NOFILE");
  status = in_child(burn);
  check(WIFSIGNALED(status) && (WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL), "RLIMIT_CPU");

  mkdir("/root", 0700);
  if (getuid() == 0) check(in_child(as_nobody) == 0, "another user may do less");
  struct rusage usage;
  check(getrusage(RUSAGE_CHILDREN, &usage) == 0 && usage.ru_utime.tv_sec >= 1, "children's time is counted");
  check(usage.ru_maxrss > 0, "the largest child's size is known");
  if (fork() == 0) waits_for_work();
  check(wait4(-1, &status, 0, &usage) > 0 && status == 0, "a child that waits for a grandchild");
  check(usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec >= 150000, "a grandchild's time is its grandparent's to see");
  check(usage.ru_maxrss >= 8 << 10 && usage.ru_nvcsw >= 20, "and so are its size and its switches");
  check(nice(5) == 5 && getpriority(PRIO_PROCESS, 0) == 5, "nice");
  cpu_set_t cpus;
  check(sched_getaffinity(0, sizeof cpus, &cpus) == 0 && CPU_COUNT(&cpus) >= 1, "sched_getaffinity");
  check(sched_yield() == 0, "sched_yield");
  check(syscall(SYS_gettid) == getpid(), "the first thread's id is the process id");
  return tap_done();
}
