/* Local sockets: pairs, streams, datagrams, names, ends, poll. */
#include "tap.h"
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

static socklen_t name_of(struct sockaddr_un *a, const char *name, int length) {
  memset(a, 0, sizeof *a);
  a->sun_family = AF_UNIX;
  memcpy(a->sun_path, name, length);
  return offsetof(struct sockaddr_un, sun_path) + length;
}

static void pairs(void) {
  int s[2];
  char buffer[256];
  check_errno(socket(255, SOCK_STREAM, 0), EAFNOSUPPORT, "no other family");
  check_errno(socket(AF_UNIX, 99, 0), EINVAL, "no such type");
  check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s) == 0 && fcntl(s[0], F_GETFD) == FD_CLOEXEC, "socketpair with flags");
  struct stat st;
  check(fstat(s[0], &st) == 0 && S_ISSOCK(st.st_mode), "fstat says socket");
  check(write(s[0], "hello", 5) == 5 && read(s[1], buffer, 2) == 2 && recv(s[1], buffer, 100, 0) == 3, "stream: a short read leaves the rest");
  check(send(s[1], "abc", 3, 0) == 3 && recv(s[0], buffer, 100, MSG_PEEK) == 3 && recv(s[0], buffer, 100, 0) == 3, "peek leaves everything");
  check_errno(recv(s[0], buffer, 1, MSG_DONTWAIT), EAGAIN, "empty and not waiting");
  int waiting = -1;
  check(write(s[0], "xy", 2) == 2 && ioctl(s[1], FIONREAD, &waiting) == 0 && waiting == 2, "FIONREAD");
  struct pollfd p = {.fd = s[1], .events = POLLIN | POLLOUT};
  check(poll(&p, 1, 0) == 1 && p.revents == (POLLIN | POLLOUT), "poll: data and room");
  read(s[1], buffer, 100);
  int type;
  socklen_t size = sizeof type;
  check(getsockopt(s[0], SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM, "SO_TYPE");
  struct ucred cred;
  size = sizeof cred;
  check(getsockopt(s[0], SOL_SOCKET, SO_PEERCRED, &cred, &size) == 0 && cred.pid == getpid() && cred.uid == getuid(), "SO_PEERCRED");
  check(shutdown(s[0], SHUT_WR) == 0 && read(s[1], buffer, 1) == 0, "shutdown ends the other's input");
  check(write(s[1], "z", 1) == 1 && read(s[0], buffer, 1) == 1, "and leaves the other direction");
  signal(SIGPIPE, SIG_IGN);
  check_errno(write(s[0], "z", 1), EPIPE, "no sending after shutdown");
  close(s[0]);
  check_errno(send(s[1], "z", 1, MSG_NOSIGNAL), EPIPE, "no sending to a closed end");
  check(read(s[1], buffer, 1) == 0, "a closed end reads as end of file");
  p.events = POLLIN;
  check(poll(&p, 1, 0) == 1 && (p.revents & POLLHUP), "poll: hang-up");
  close(s[1]);
}

static void bulk(void) {
  int s[2];
  check(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0, "a pair for bulk data");
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    close(s[0]);
    static unsigned char out[100000];
    for (int i = 0; i < 100000; i++) out[i] = i * 7;
    for (int round = 0; round < 20; round++) if (write(s[1], out, sizeof out) != sizeof out) _exit(1);
    _exit(0);
  }
  close(s[1]);
  static unsigned char in[7777];
  long total = 0, bad = 0, n;
  while ((n = read(s[0], in, sizeof in)) > 0)
    for (long i = 0; i < n; i++, total++) bad += in[i] != (unsigned char)(total % 100000 * 7);
  int status;
  waitpid(pid, &status, 0);
  check(total == 2000000 && bad == 0 && status == 0, "two million bytes arrive in order");
  close(s[0]);
}

static void datagrams(void) {
  int s[2];
  char buffer[256];
  check(socketpair(AF_UNIX, SOCK_DGRAM, 0, s) == 0, "datagram pair");
  check(write(s[0], "one", 3) == 3 && write(s[0], "second", 6) == 6, "two messages");
  check(read(s[1], buffer, 2) == 2, "a short read cuts the message");
  check(read(s[1], buffer, 100) == 6, "the next read gives the next message");
  struct iovec v[2] = {{"ab", 2}, {"cde", 3}};
  struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};
  check(sendmsg(s[0], &m, 0) == 5, "sendmsg gathers");
  struct iovec w[2] = {{buffer, 1}, {buffer + 10, 2}};
  struct msghdr r = {.msg_iov = w, .msg_iovlen = 2};
  check(recvmsg(s[1], &r, 0) == 3 && (r.msg_flags & MSG_TRUNC) && buffer[0] == 'a' && !memcmp(buffer + 10, "bc", 2), "recvmsg scatters and tells of the cut");
  int t = socket(AF_UNIX, SOCK_DGRAM, 0), u = socket(AF_UNIX, SOCK_DGRAM, 0);
  struct sockaddr_un a, b, from;
  socklen_t al = name_of(&a, "\0tap-t", 6), bl = name_of(&b, "\0tap-u", 6), fl = sizeof from;
  check(bind(t, (void *)&a, al) == 0 && bind(u, (void *)&b, bl) == 0, "abstract names");
  check_errno(bind(socket(AF_UNIX, SOCK_DGRAM, 0), (void *)&a, al), EADDRINUSE, "a name has one owner");
  check(sendto(t, "hi", 2, 0, (void *)&b, bl) == 2, "sendto");
  check(recvfrom(u, buffer, 100, 0, (void *)&from, &fl) == 2 && fl == al && !memcmp(&from, &a, al), "recvfrom names the sender");
  close(u);
  check_errno(sendto(t, "hi", 2, 0, (void *)&b, bl), ECONNREFUSED, "nobody there");
}

static void servers(void) {
  struct sockaddr_un a, got;
  const char *path = "/tmp/tap.sock";
  unlink(path);
  socklen_t al = name_of(&a, path, strlen(path) + 1), gl = sizeof got;
  int server = socket(AF_UNIX, SOCK_STREAM, 0);
  check_errno(listen(server, 1), EINVAL, "listen needs a name");
  check(bind(server, (void *)&a, al) == 0, "bind to a path");
  struct stat st;
  check(stat(path, &st) == 0 && S_ISSOCK(st.st_mode), "the path is a socket");
  int client = socket(AF_UNIX, SOCK_STREAM, 0);
  check_errno(connect(client, (void *)&a, al), ECONNREFUSED, "nobody listens yet");
  check(listen(server, 5) == 0, "listen");
  check(getsockname(server, (void *)&got, &gl) == 0 && gl == al && !strcmp(got.sun_path, path), "getsockname");
  check(connect(client, (void *)&a, al) == 0, "connect");
  struct pollfd p = {.fd = server, .events = POLLIN};
  check(poll(&p, 1, 0) == 1, "poll: a connection waits");
  int peer = accept4(server, NULL, NULL, SOCK_CLOEXEC);
  check(peer >= 0 && write(client, "ping", 4) == 4, "accept");
  char buffer[16];
  check(read(peer, buffer, 16) == 4 && write(peer, "pong", 4) == 4 && read(client, buffer, 16) == 4, "both directions");
  fcntl(server, F_SETFL, O_NONBLOCK);
  check_errno(accept(server, NULL, NULL), EAGAIN, "no further connection");
  check_errno(connect(client, (void *)&a, al), EISCONN, "connected once");
  check_errno(bind(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&a, al), EADDRINUSE, "the path is taken");
  unlink(path);
  check_errno(connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&a, al), ENOENT, "no such path");
}

static int send_files(int socket, const int *files, int count, int level, int type) {
  char byte = 'f', control[CMSG_SPACE(64 * sizeof(int))];
  struct iovec part = {&byte, 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(count * sizeof(int))};
  memset(control, 0, sizeof control);
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = level;
  header->cmsg_type = type;
  header->cmsg_len = CMSG_LEN(count * sizeof(int));
  memcpy(CMSG_DATA(header), files, count * sizeof(int));
  return sendmsg(socket, &message, 0);
}
/* Descriptors received, at most `room`; flags of the message in *flags. */
static int receive_files(int socket, int *files, int room, int *flags) {
  char byte, control[CMSG_SPACE(64 * sizeof(int))];
  struct iovec part = {&byte, 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_LEN(room * sizeof(int))};
  if (recvmsg(socket, &message, *flags) != 1) return -1;
  *flags = message.msg_flags;
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (!header) return 0;
  int count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
  memcpy(files, CMSG_DATA(header), count * sizeof(int));
  return count;
}
static void descriptors_travel(void) {
  int pair[2], ends[2], got[4] = {-1, -1, -1, -1}, flags = 0;
  check(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && pipe(ends) == 0, "a socket pair and a pipe");
  check(send_files(pair[0], ends, 2, SOL_SOCKET, SCM_RIGHTS) == 1, "two descriptors are sent");
  check(write(pair[0], "more", 4) == 4, "and bytes after them");
  check(receive_files(pair[1], got, 4, &flags) == 2 && !(flags & MSG_CTRUNC), "two descriptors arrive");
  close(ends[0]);
  close(ends[1]);
  char text[8];
  check(write(got[1], "through", 7) == 7 && read(got[0], text, 8) == 7 && !memcmp(text, "through", 7), "they are the pipe");
  check(fcntl(got[0], F_GETFD) == 0, "without close-on-exec");
  check(read(pair[1], text, 8) == 4, "the bytes stay in order");
  send_files(pair[0], got, 2, SOL_SOCKET, SCM_RIGHTS);
  flags = MSG_CMSG_CLOEXEC;
  int one[1];
  check(receive_files(pair[1], one, 1, &flags) == 1 && (flags & MSG_CTRUNC), "room for one: the other is lost, and that is told");
  check(fcntl(one[0], F_GETFD) == FD_CLOEXEC, "MSG_CMSG_CLOEXEC");
  close(one[0]);
  close(got[1]);
  int bad[1] = {999};
  check_errno(send_files(pair[0], bad, 1, SOL_SOCKET, SCM_RIGHTS), EBADF, "a descriptor that is not open");
  check_errno(send_files(pair[0], got, 1, SOL_SOCKET, 77), EINVAL, "unknown ancillary data");
  send_files(pair[0], got, 1, SOL_SOCKET, SCM_RIGHTS);
  check(read(pair[1], text, 8) == 1, "read takes the byte and drops the descriptor");
  for (int i = 0; i < 200; i++) { /* each pair travels in the next one's queue: dropped without recursion */
    int next[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, next)) break;
    send_files(next[0], pair, 2, SOL_SOCKET, SCM_RIGHTS);
    close(pair[0]);
    close(pair[1]);
    memcpy(pair, next, sizeof pair);
  }
  check(close(pair[0]) == 0 && close(pair[1]) == 0, "a chain of sockets in sockets is closed");
  close(got[0]);
}
int main(void) {
  pairs();
  bulk();
  datagrams();
  servers();
  descriptors_travel();
  return tap_done();
}
