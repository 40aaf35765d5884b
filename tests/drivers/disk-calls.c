/* disk-calls errors DEVICE BYTE: what is written at BYTE cannot reach the device. Each open file hears of it once from fsync.
 * disk-calls direct DEVICE: with O_DIRECT and without it one sees the same bytes. Both print a line per call. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

int main(int argc, char **argv) { return strcmp(argv[1], "direct") ? errors(argv[2], atol(argv[3])) : direct(argv[2]); }
