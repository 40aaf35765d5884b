/* Files and directories on tmpfs: what open, rename, unlink, links, times and listings promise. */
#include "tap.h"
#include <dirent.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#define DIR_NAME "/tmp/files-test"

static int content_is(const char *path, const char *text) {
  char buffer[256] = {0};
  int fd = open(path, O_RDONLY);
  ssize_t n = read(fd, buffer, sizeof buffer - 1);
  close(fd);
  return n == (ssize_t)strlen(text) && !strcmp(buffer, text);
}
static int put(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  int good = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
  close(fd);
  return good;
}
static int entries(const char *path) {
  int n = 0;
  DIR *d = opendir(path);
  if (!d) return -1;
  while (readdir(d)) n++;
  closedir(d);
  return n;
}

int main(void) {
  if (system("rm -rf " DIR_NAME)) return 1;
  umask(022);
  struct stat st, other;
  check(mkdir(DIR_NAME, 0777) == 0 && chdir(DIR_NAME) == 0, "mkdir and chdir");
  check(stat(".", &st) == 0 && S_ISDIR(st.st_mode) && (st.st_mode & 0777) == 0755 && st.st_nlink == 2, "a directory's mode obeys umask");
  char cwd[100];
  check(getcwd(cwd, sizeof cwd) && !strcmp(cwd, DIR_NAME), "getcwd");
  check_errno(mkdir(".", 0777), EEXIST, "mkdir of what is there");

  check_errno(open("/proc/self/exe", O_WRONLY), ETXTBSY, "a running program is not written to");
  check_errno(open("/proc/self/exe", O_RDONLY | O_TRUNC), ETXTBSY, "nor cut by opening it for reading");
  check_errno(truncate("/proc/self/exe", 0), ETXTBSY, "nor by truncate");

  check(put("a", "alpha") && content_is("a", "alpha"), "write and read back");
  check_errno(open("a", O_CREAT | O_EXCL, 0644), EEXIST, "O_EXCL");
  check_errno(open("none", O_RDONLY), ENOENT, "no such file");
  check_errno(open("a/b", O_RDONLY), ENOTDIR, "a file is no directory");
  check_errno(open(".", O_WRONLY), EISDIR, "no writing to a directory");
  check_errno(open("a", O_DIRECTORY), ENOTDIR, "O_DIRECTORY");
  int fd = open("a", O_WRONLY | O_APPEND), second = open("a", O_WRONLY | O_APPEND);
  check(write(fd, "1", 1) == 1 && write(second, "2", 1) == 1 && write(fd, "3", 1) == 1 && content_is("a", "alpha123"), "O_APPEND");
  close(fd);
  close(second);

  fd = open("sparse", O_RDWR | O_CREAT, 0600);
  char byte = 9;
  check(pwrite(fd, "end", 3, 1 << 20) == 3 && pread(fd, &byte, 1, 5000) == 1 && byte == 0, "a hole reads as zero");
  check(fstat(fd, &st) == 0 && st.st_size == (1 << 20) + 3 && st.st_blocks * 512 < 65536, "and takes no room");
  check(lseek(fd, -3, SEEK_END) == 1 << 20 && read(fd, cwd, 10) == 3 && !memcmp(cwd, "end", 3), "lseek from the end");
  check_errno(lseek(fd, -1, SEEK_SET), EINVAL, "lseek before the start");
  check(ftruncate(fd, 10) == 0 && fstat(fd, &st) == 0 && st.st_size == 10, "truncate");
  check(ftruncate(fd, 20) == 0 && pread(fd, &byte, 1, 15) == 1 && byte == 0, "extend");
  close(fd);

  check(link("a", "b") == 0 && stat("a", &st) == 0 && stat("b", &other) == 0 && st.st_ino == other.st_ino && st.st_nlink == 2, "a hard link");
  check(unlink("a") == 0 && content_is("b", "alpha123") && stat("b", &st) == 0 && st.st_nlink == 1, "unlink leaves the other name");
  check_errno(unlink("a"), ENOENT, "unlink twice");
  fd = open("b", O_RDONLY);
  unlink("b");
  check(read(fd, cwd, 100) == 8 && fstat(fd, &st) == 0 && st.st_nlink == 0, "an open file outlives its name");
  close(fd);

  check(put("target", "T") && symlink("target", "sym") == 0 && content_is("sym", "T"), "a symbolic link is followed");
  ssize_t n = readlink("sym", cwd, sizeof cwd);
  check(n == 6 && !memcmp(cwd, "target", 6), "readlink");
  check(lstat("sym", &st) == 0 && S_ISLNK(st.st_mode) && st.st_size == 6, "lstat sees the link");
  check_errno(open("sym", O_RDONLY | O_NOFOLLOW), ELOOP, "O_NOFOLLOW");
  check(symlink("loop2", "loop1") == 0 && symlink("loop1", "loop2") == 0, "a loop of links");
  check_errno(open("loop1", O_RDONLY), ELOOP, "is detected");
  check_errno(readlink("target", cwd, sizeof cwd), EINVAL, "readlink of a file");

  check(put("x", "X") && put("y", "Y") && rename("x", "y") == 0 && content_is("y", "X") && access("x", F_OK) == -1, "rename replaces");
  check(put("x", "new") && syscall(SYS_renameat2, AT_FDCWD, "x", AT_FDCWD, "y", 2) == 0 && content_is("x", "X") && content_is("y", "new"), "RENAME_EXCHANGE");
  check_errno(syscall(SYS_renameat2, AT_FDCWD, "x", AT_FDCWD, "y", 1), EEXIST, "RENAME_NOREPLACE");
  check(mkdir("d1", 0755) == 0 && mkdir("d1/d2", 0755) == 0, "nested directories");
  check_errno(rename("d1", "d1/d2/d3"), EINVAL, "not into itself");
  check_errno(rmdir("d1"), ENOTEMPTY, "rmdir of a full directory");
  check_errno(rename("x", "d1"), EISDIR, "a file does not replace a directory");
  check_errno(rename("d1", "x"), ENOTDIR, "nor the reverse");
  check_errno(unlink("d1"), EISDIR, "unlink of a directory");
  check(rename("d1/d2", "d2") == 0 && stat("d1", &st) == 0 && st.st_nlink == 2 && rmdir("d1") == 0, "moving a directory out");
  check(stat("d2/..", &st) == 0 && stat(".", &other) == 0 && st.st_ino == other.st_ino, "its .. follows");
  check(chdir("d2") == 0 && rmdir("../d2") == 0 && open("new", O_CREAT, 0600) == -1 && errno == ENOENT && chdir(DIR_NAME) == 0, "a removed directory takes no files");

  check(mkdir("many", 0755) == 0, "a directory of many");
  char name[40];
  for (int i = 0; i < 500; i++) { sprintf(name, "many/file-%03d", i); if (!put(name, "")) break; }
  check(entries("many") == 502, "lists every name once");
  DIR *d = opendir("many");
  int seen = 0;
  for (struct dirent *e; (e = readdir(d));) if (e->d_name[0] != '.') { unlinkat(dirfd(d), e->d_name, 0); seen++; }
  closedir(d);
  check(seen == 500 && entries("many") == 2, "removing while listing misses none");

  check(chmod("y", 04751) == 0 && stat("y", &st) == 0 && (st.st_mode & 07777) == 04751, "chmod");
  if (getuid() == 0) check(chown("y", 1000, 1000) == 0 && stat("y", &st) == 0 && st.st_uid == 1000 && !(st.st_mode & 04000), "chown drops set-user-id");
  struct timespec times[2] = {{1000000000, 5}, {1100000000, 7}};
  check(utimensat(AT_FDCWD, "y", times, 0) == 0 && stat("y", &st) == 0 && st.st_mtim.tv_sec == 1100000000 && st.st_mtim.tv_nsec == 7 && st.st_atim.tv_sec == 1000000000, "utimensat");
  check(put("y", "z") && stat("y", &st) == 0 && st.st_mtim.tv_sec != 1100000000, "writing changes the time");

#ifdef STATX_BASIC_STATS /* musl 1.2.3 has no statx */
  struct statx sx;
  check(statx(AT_FDCWD, "y", 0, STATX_BASIC_STATS, &sx) == 0 && sx.stx_size == 1 && sx.stx_ino == st.st_ino && S_ISREG(sx.stx_mode), "statx");
#endif
  struct statfs fs;
  check(statfs("/tmp", &fs) == 0 && fs.f_bsize == 4096, "statfs");
  check(stat("/dev/null", &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3), "a device's number");
  int dir = open(".", O_RDONLY | O_DIRECTORY);
  check(openat(dir, "y", O_RDONLY) >= 0 && faccessat(dir, "y", R_OK, 0) == 0 && fstatat(dir, "sym", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode), "the *at calls");
  check(fchdir(dir) == 0, "fchdir");
  memset(cwd, 'n', sizeof cwd);
  char longname[300];
  memset(longname, 'n', 299);
  longname[299] = 0;
  check_errno(open(longname, O_CREAT, 0600), ENAMETOOLONG, "a name too long");
  check_errno(open("", O_RDONLY), ENOENT, "an empty name");
  check(stat("y/.", &st) == -1 && errno == ENOTDIR && stat("many/", &st) == 0 && stat("./././/many//.", &st) == 0, "dots and slashes");
  fd = open("/tmp", O_RDWR | O_TMPFILE, 0600);
  check(fd == -1 || write(fd, "t", 1) == 1, "O_TMPFILE works or is refused");
  fd = open("locked", O_RDWR | O_CREAT, 0600);
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  check(fcntl(fd, F_SETLK, &lock) == 0, "a record lock");
  check(fsync(fd) == 0 && fdatasync(fd) == 0, "fsync");
  check(posix_fallocate(fd, 0, 4096) == 0 && fstat(fd, &st) == 0 && st.st_size == 4096, "fallocate");
  chdir("/");
  check(system("rm -rf " DIR_NAME) == 0 && access(DIR_NAME, F_OK) == -1, "cleaned up");
  return tap_done();
}
