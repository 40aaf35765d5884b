/* Pseudo-terminals: pairs, the line discipline from outside, sessions, signals, hang-up, devices. */
#include "tap.h"
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <termios.h>

static volatile int got;
static void note(int sig) { got = sig; }

/* The next bytes are these; what comes after them stays. */
static int reads(int fd, const char *expected) {
  char buffer[256] = "";
  int want = strlen(expected), done = 0, n;
  while (done < want && (n = read(fd, buffer + done, want - done)) > 0) done += n;
  return done == want && !memcmp(buffer, expected, want);
}

static void session_child(int master, int slave) {
  close(master);
  struct sigaction act = {.sa_handler = note};
  sigaction(SIGINT, &act, NULL);
  sigaction(SIGWINCH, &act, NULL);
  if (setsid() < 0 || ioctl(slave, TIOCSCTTY, 0) < 0) _exit(1);
  if (tcgetpgrp(slave) != getpid() || tcgetsid(slave) != getpid()) _exit(2);
  int tty = open("/dev/tty", O_RDWR);
  if (tty < 0 || write(tty, "ready\n", 6) != 6) _exit(3);
  char c;
  if (read(tty, &c, 1) != -1 || errno != EINTR || got != SIGINT) _exit(4);
  if (write(tty, "int\n", 4) != 4) _exit(5);
  while (got != SIGWINCH) pause();
  struct winsize w;
  if (ioctl(0, TIOCGWINSZ, &w) == 0 && ioctl(tty, TIOCGWINSZ, &w) == 0 && w.ws_row != 33) _exit(6);
  if (write(tty, "size\n", 5) != 5) _exit(7);
  signal(SIGHUP, note);
  while (got != SIGHUP) pause();
  _exit(read(tty, &c, 1) == 0 ? 42 : 8);
}

/* Reads lines until one says q: exits with 0, or 1 when a read saw an end of file that nobody sent. */
static void read_lines(int slave) {
  char line[16];
  for (;;) {
    ssize_t n = read(slave, line, sizeof line);
    if (n <= 0) _exit(1);
    if (line[0] == 'q') _exit(0);
  }
}

/* Readers that take each other's lines away: whoever finds nothing left waits on. */
static int readers_compete(int master, int slave) {
  enum { READERS = 4, LINES = 20000 };
  int good = 0;
  char echo[4096];
  for (int i = 0; i < READERS; i++) if (fork() == 0) read_lines(slave);
  for (int i = 0; i < LINES + READERS; i++) {
    if (write(master, i < LINES ? "x\n" : "q\n", 2) != 2) return 0;
    if (read(master, echo, sizeof echo) <= 0) return 0;
  }
  for (int i = 0; i < READERS; i++) {
    int status;
    good += wait(&status) > 0 && status == 0;
  }
  return good == READERS;
}

int main(void) {
  int master, slave;
  char name[64];
  if (access("/dev/pts/ptmx", F_OK) != 0) {
    mkdir("/dev/pts", 0755);
    mount("pts", "/dev/pts", "devpts", 0, NULL);
  }
  check(openpty(&master, &slave, name, NULL, NULL) == 0 && !strncmp(name, "/dev/pts/", 9), "openpty");
  check(isatty(master) && isatty(slave) && !strcmp(ttyname(slave), name), "both are terminals; ttyname");
  struct termios t, old;
  check(tcgetattr(slave, &t) == 0 && (t.c_lflag & ICANON) && (t.c_oflag & ONLCR) && t.c_cc[VINTR] == 3, "default settings");
  old = t;
  check(write(master, "abc\r", 4) == 4 && reads(slave, "abc\n"), "a typed line");
  check(reads(master, "abc\r\n"), "its echo");
  check(write(slave, "x\n", 2) == 2 && reads(master, "x\r\n"), "output processing");
  cfmakeraw(&t);
  check(tcsetattr(slave, TCSANOW, &t) == 0 && write(master, "\x03z", 2) == 2 && reads(slave, "\x03z"), "raw mode");
  struct pollfd p = {.fd = slave, .events = POLLIN};
  check(poll(&p, 1, 0) == 0 && write(master, "q", 1) == 1 && poll(&p, 1, 1000) == 1, "poll on a terminal");
  int waiting;
  check(ioctl(slave, FIONREAD, &waiting) == 0 && waiting == 1 && tcflush(slave, TCIFLUSH) == 0 && poll(&p, 1, 0) == 0, "FIONREAD, tcflush");
  t.c_cc[VMIN] = 0;
  t.c_cc[VTIME] = 2;
  tcsetattr(slave, TCSANOW, &t);
  int64_t before = now_ns();
  char c;
  check(read(slave, &c, 1) == 0 && now_ns() - before >= 190000000, "VTIME ends a read");
  tcsetattr(slave, TCSANOW, &old);

  fflush(stdout);
  check(readers_compete(master, slave), "of several readers only one gets a line, and none an end of file");
  tcflush(master, TCIOFLUSH);

  pid_t pid = fork();
  if (pid == 0) session_child(master, slave);
  close(slave);
  check(reads(master, "ready\r\n"), "a session on the terminal");
  sleep_ms(50);
  check(write(master, "\x03", 1) == 1 && reads(master, "^C"), "^C is echoed");
  check(reads(master, "int\r\n"), "and interrupts the foreground");
  struct winsize w = {33, 77, 0, 0};
  check(ioctl(master, TIOCSWINSZ, &w) == 0 && reads(master, "size\r\n"), "SIGWINCH");
  sleep_ms(50);
  close(master);
  int status = 0;
  waitpid(pid, &status, 0);
  check(WIFEXITED(status) && WEXITSTATUS(status) == 42, "closing the master hangs the session up");

  int zero = open("/dev/zero", O_RDWR), full = open("/dev/full", O_RDWR), null = open("/dev/null", O_RDWR);
  unsigned char buffer[64];
  memset(buffer, 1, sizeof buffer);
  check(read(zero, buffer, 64) == 64 && !buffer[0] && !buffer[63], "/dev/zero");
  check_errno(write(full, "x", 1), ENOSPC, "/dev/full");
  check(write(null, "x", 1) == 1 && read(null, buffer, 1) == 0, "/dev/null");
  char *map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, zero, 0);
  check(map != MAP_FAILED && map[5000] == 0 && (map[5000] = 7), "/dev/zero maps as fresh memory");
  int random = open("/dev/urandom", O_RDONLY);
  uint64_t a = 0, b = 0;
  check(read(random, &a, 8) == 8 && read(random, &b, 8) == 8 && a != b, "/dev/urandom");
  return tap_done();
}
