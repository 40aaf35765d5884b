/* Pipes, FIFOs, poll, select, descriptors and their flags. */
#include "tap.h"
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/uio.h>

static volatile int pipe_signals;
static void note(int sig) { (void)sig; pipe_signals++; }

int main(void) {
  int p[2];
  char buffer[65536 * 2];
  check(pipe(p) == 0 && write(p[1], "hello", 5) == 5 && read(p[0], buffer, 100) == 5 && !memcmp(buffer, "hello", 5), "a pipe carries bytes");
  int waiting;
  check(write(p[1], "abc", 3) == 3 && ioctl(p[0], FIONREAD, &waiting) == 0 && waiting == 3, "FIONREAD");
  check(read(p[0], buffer, 2) == 2 && read(p[0], buffer, 2) == 1, "a short read leaves the rest");
  check_errno(lseek(p[0], 0, SEEK_SET), ESPIPE, "pipes do not seek");
  check_errno(write(p[0], "x", 1), EBADF, "no writing to the reading end");

  char name[40];
  struct stat ends[2];
  check(fstat(p[0], &ends[0]) == 0 && fstat(p[1], &ends[1]) == 0 && ends[0].st_ino == ends[1].st_ino && S_ISFIFO(ends[0].st_mode), "both ends are one inode");
  snprintf(name, sizeof name, "/proc/self/fd/%d", p[0]);
  int again = open(name, O_RDONLY), writer = open(name, O_WRONLY);
  check(again >= 0 && writer >= 0, "/proc/self/fd opens another end of a pipe, without waiting");
  check(write(writer, "more", 4) == 4 && read(again, buffer, 10) == 4 && !memcmp(buffer, "more", 4), "of the same pipe");
  close(again);
  close(writer);

  fcntl(p[1], F_SETFL, O_NONBLOCK);
  fcntl(p[0], F_SETFL, O_NONBLOCK);
  check_errno(read(p[0], buffer, 1), EAGAIN, "empty and non-blocking");
  long filled = 0, n;
  while ((n = write(p[1], buffer, 4096)) > 0) filled += n;
  check(errno == EAGAIN && filled == 65536, "a pipe holds 64 KiB");
  struct pollfd fds[2] = {{.fd = p[0], .events = POLLIN}, {.fd = p[1], .events = POLLOUT}};
  check(poll(fds, 2, 0) == 1 && fds[0].revents == POLLIN && fds[1].revents == 0, "poll: full");
  while (read(p[0], buffer, sizeof buffer) > 0) {}
  check(poll(fds, 2, 0) == 1 && fds[0].revents == 0 && fds[1].revents == POLLOUT, "poll: empty");
  int64_t before = now_ns();
  check(poll(fds, 1, 50) == 0 && now_ns() - before >= 49000000, "poll times out, not early");
  fflush(stdout);
  if (fork() == 0) { sleep_ms(30); if (write(p[1], "x", 1) != 1) _exit(1); _exit(0); }
  check(poll(fds, 1, 5000) == 1 && fds[0].revents == POLLIN, "poll wakes for data");
  wait(NULL);
  fd_set readable;
  FD_ZERO(&readable);
  FD_SET(p[0], &readable);
  struct timeval soon = {1, 0};
  check(select(p[0] + 1, &readable, NULL, NULL, &soon) == 1 && FD_ISSET(p[0], &readable), "select");
  close(p[1]);
  check(read(p[0], buffer, 10) == 1 && read(p[0], buffer, 10) == 0, "end of file after the last writer");
  check(poll(fds, 1, 0) == 1 && (fds[0].revents & POLLHUP), "poll: hung up");
  fds[0].fd = 99;
  check(poll(fds, 1, 0) == 1 && fds[0].revents == POLLNVAL, "poll: no such descriptor");
  close(p[0]);

  if (pipe(p)) return 1;
  close(p[0]);
  signal(SIGPIPE, note);
  check_errno(write(p[1], "x", 1), EPIPE, "no reader: EPIPE");
  check(pipe_signals == 1, "and SIGPIPE");
  close(p[1]);

  /* 8 MiB through a pipe, checked. */
  if (pipe(p)) return 1;
  fflush(stdout);
  if (fork() == 0) {
    close(p[0]);
    for (int i = 0; i < 128; i++) {
      memset(buffer, i, 65536);
      for (int done = 0; done < 65536;) { n = write(p[1], buffer + done, 65536 - done); if (n <= 0) _exit(1); done += n; }
    }
    _exit(0);
  }
  close(p[1]);
  long total = 0;
  int right = 1;
  while ((n = read(p[0], buffer, 10007)) > 0) {
    for (long i = 0; i < n; i++) right &= (unsigned char)buffer[i] == ((total + i) >> 16);
    total += n;
  }
  int status;
  wait(&status);
  check(total == 8 << 20 && right && status == 0, "8 MiB through a pipe, in order");
  close(p[0]);

  /* Ten writers of whole records of at most PIPE_BUF: never torn. */
  if (pipe(p)) return 1;
  for (int w = 0; w < 10; w++)
    if (fork() == 0) { memset(buffer, 'a' + w, 1000); for (int i = 0; i < 50; i++) if (write(p[1], buffer, 1000) != 1000) _exit(1); _exit(0); }
  close(p[1]);
  int records = 0, torn = 0;
  for (;;) {
    int have = 0;
    while (have < 1000 && (n = read(p[0], buffer + have, 1000 - have)) > 0) have += n;
    if (have < 1000) break;
    records++;
    for (int i = 1; i < 1000; i++) torn |= buffer[i] != buffer[0];
  }
  while (wait(NULL) > 0) {}
  check(records == 500 && !torn, "small writes are atomic");
  close(p[0]);

  unlink("/tmp/fifo");
  check(mkfifo("/tmp/fifo", 0600) == 0, "mkfifo");
  check_errno(open("/tmp/fifo", O_WRONLY | O_NONBLOCK), ENXIO, "no reader yet");
  fflush(stdout);
  if (fork() == 0) { int fd = open("/tmp/fifo", O_WRONLY); if (write(fd, "via fifo", 8) != 8) _exit(1); _exit(0); }
  int fd = open("/tmp/fifo", O_RDONLY);
  check(fd >= 0 && read(fd, buffer, 100) == 8 && !memcmp(buffer, "via fifo", 8), "a FIFO meets");
  wait(NULL);
  close(fd);
  unlink("/tmp/fifo");

  fd = open("/dev/null", O_RDWR);
  check(dup2(fd, 50) == 50 && fcntl(50, F_GETFD) == 0, "dup2");
  check(fcntl(fd, F_DUPFD_CLOEXEC, 60) == 60 && fcntl(60, F_GETFD) == FD_CLOEXEC, "F_DUPFD_CLOEXEC");
  check_errno(dup2(77, 78), EBADF, "dup2 of nothing");
  check((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR, "F_GETFL");
  check(pipe2(p, O_CLOEXEC | O_NONBLOCK) == 0 && fcntl(p[0], F_GETFD) == FD_CLOEXEC && (fcntl(p[1], F_GETFL) & O_NONBLOCK), "pipe2 flags");
  struct iovec parts[2] = {{"scat", 4}, {"tered", 5}};
  check(writev(p[1], parts, 2) == 9 && read(p[0], buffer, 100) == 9 && !memcmp(buffer, "scattered", 9), "writev");
  check(close(p[0]) == 0 && close(p[1]) == 0, "close");
  check_errno(close(p[0]), EBADF, "close twice");
  fd = open("/dev/zero", O_RDONLY);
  memset(buffer, 1, 100);
  check(read(fd, buffer, 100) == 100 && buffer[0] == 0 && buffer[99] == 0, "/dev/zero");
  fd = open("/dev/full", O_WRONLY);
  check_errno(write(fd, "x", 1), ENOSPC, "/dev/full");
  char other[16];
  fd = open("/dev/urandom", O_RDONLY);
  check(read(fd, buffer, 16) == 16 && read(fd, other, 16) == 16 && memcmp(buffer, other, 16), "/dev/urandom");
  return tap_done();
}
