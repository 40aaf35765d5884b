/* disk-calls errors DEVICE BYTE: what is written at BYTE cannot reach the device. Each open file hears of it once from fsync.
 * disk-calls direct DEVICE: with O_DIRECT and without it one sees the same bytes.
 * disk-calls unreadable DEVICE BYTE: what cannot be read is EIO, what lies before it is read.
 * disk-calls lost FILE BYTE FOLDER: what cannot reach the device is told to syncfs of who was there before, when nobody waited for it.
 * disk-calls synced FOLDER: files that are on the medium when the call returns that says so. All print a line per call. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

enum { CHUNK = 262144 };

static void told(const char *what, long result) { printf("%s: %s\n", what, result < 0 ? strerrorname_np(errno) : "0"); }

static int errors(const char *device, long bad) {
  char block[512];
  memset(block, 'x', sizeof block);
  int writer = open(device, O_RDWR), other = open(device, O_RDWR);
  if (writer < 0 || other < 0) return 1;
  told("write", pwrite(writer, block, sizeof block, bad));
  told("fsync of the writer", fsync(writer));
  told("and again", fsync(writer));
  told("fsync of the other", fsync(other));
  told("and again", fsync(other));
  told("fsync of one who came later", fsync(open(device, O_RDWR)));
  told("write elsewhere", pwrite(writer, block, sizeof block, 0));
  told("fsync", fsync(writer));
  told("read of what could not be written", pread(writer, block, sizeof block, bad));
  return 0;
}

static void fill(char *bytes, int seed) { for (int i = 0; i < CHUNK; i++) bytes[i] = (i * 31 + seed) >> 3; }

static int direct(const char *device) {
  char *ours, *theirs;
  int past = open(device, O_RDWR | O_DIRECT), through = open(device, O_RDWR);
  if (past < 0 || through < 0 || posix_memalign((void **)&ours, 4096, CHUNK) || posix_memalign((void **)&theirs, 4096, CHUNK)) return 1;
  fill(ours, 1);
  told("write through the cache", pwrite(through, ours, CHUNK, 4096));
  told("read past it", pread(past, theirs, CHUNK, 4096));
  printf("the same: %s\n", memcmp(ours, theirs, CHUNK) ? "no" : "yes");
  fill(ours, 2);
  told("write past it", pwrite(past, ours, CHUNK, 4096));
  told("read through it", pread(through, theirs, CHUNK, 4096));
  printf("the same: %s\n", memcmp(ours, theirs, CHUNK) ? "no" : "yes");
  told("part of a sector", pread(past, theirs, 100, 0));
  told("from the middle of one", pread(past, theirs, 512, 100));
  told("into the middle of one", pread(past, theirs + 100, 512, 0));
  return 0;
}

static void counted(const char *what, long result) {
  if (result < 0) told(what, result);
  else printf("%s: %ld\n", what, result);
}

static int unreadable(const char *device, long bad) {
  char *block;
  int through = open(device, O_RDONLY), past = open(device, O_RDONLY | O_DIRECT);
  if (through < 0 || past < 0 || posix_memalign((void **)&block, 4096, CHUNK)) return 1;
  counted("read", pread(through, block, 512, bad));
  counted("read past the cache", pread(past, block, 512, bad));
  counted("read past the cache from before it", pread(past, block, CHUNK, bad - 131072));
  lseek(through, bad, SEEK_SET);
  counted("read at the position", read(through, block, 512));
  counted("the position is", lseek(through, 0, SEEK_CUR) == bad ? 0 : 1);
  return 0;
}

static int lost(const char *file, long bad, const char *folder) {
  char block[512] = "y";
  int before = open(folder, O_RDONLY | O_DIRECTORY), other = open(folder, O_RDONLY | O_DIRECTORY), fd = open(file, O_RDWR);
  told("write", pwrite(fd, block, sizeof block, bad));
  sync();
  told("syncfs", syncfs(before));
  told("and again", syncfs(before));
  told("syncfs of the other", syncfs(other));
  told("syncfs of one who came later", syncfs(open(folder, O_RDONLY | O_DIRECTORY)));
  told("syncfs of a place", syncfs(open(folder, O_PATH)));
  return 0;
}

static int create(const char *folder, const char *name, int flags) {
  char path[256];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return open(path, O_RDWR | O_CREAT | O_TRUNC | flags, 0644);
}

static int synced(const char *folder) {
  char *bytes = malloc(CHUNK);
  fill(bytes, 3);
  struct iovec vector[2] = {{bytes, 1000}, {bytes + 1000, CHUNK - 1000}};
  counted("O_SYNC", write(create(folder, "o_sync", O_SYNC), bytes, CHUNK));
  counted("O_DSYNC", pwrite(create(folder, "o_dsync", O_DSYNC), bytes, CHUNK, 0));
  counted("O_SYNC by writev", writev(create(folder, "writev", O_SYNC), vector, 2));
  counted("RWF_DSYNC", pwritev2(create(folder, "rwf", 0), vector, 2, 0, RWF_DSYNC));
  int fd = create(folder, "msync", 0);
  ftruncate(fd, CHUNK);
  char *map = mmap(0, CHUNK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  memcpy(map, bytes, CHUNK);
  told("msync", msync(map, CHUNK, MS_SYNC));
  return 0;
}

int main(int argc, char **argv) {
  if (!strcmp(argv[1], "direct")) return direct(argv[2]);
  if (!strcmp(argv[1], "synced")) return synced(argv[2]);
  if (!strcmp(argv[1], "lost")) return lost(argv[2], atol(argv[3]), argv[4]);
  return (strcmp(argv[1], "errors") ? unreadable : errors)(argv[2], atol(argv[3]));
}
