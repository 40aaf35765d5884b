/*
 * A seeded script of calls on a mounted FAT volume: what each answers, to be compared between kernels.
 *
 *   vfat-script SEED STEPS FOLDER      prints "STEP WHAT -> ANSWER"; ANSWER is a result with what it tells, or an errno's name
 *
 * Scripts of even seeds promise room (FALLOC_FL_KEEP_SIZE), which counts as blocks for longer or shorter: they print no blocks.
 * Everything that is printed depends on the seed and the kernel's answers alone: no inode numbers, no times that were not set here.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define FILES 5
#define PATH_BYTES 1024
#define DATA_BYTES 40000

static unsigned long state;
static unsigned step;
static int keeps_size;
static int files[FILES];
static char data[DATA_BYTES];

static unsigned below(unsigned end) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (unsigned)(state >> 11) % end;
}

static char long_name[300];
static const char *const NAMES[] = {
  "a", "b", "c", "File.txt", "FILE.TXT", "file.TXT", "README", "Readme", "longfilename1.txt", "longfilename2.txt", "LongFileName3.TXT",
  "longfilename4.text", "a b", "tilde~1", " lead", "two  spaces.c", "many.dots.in.it", ".hidden", "x.y.", "trail.", "trail..", "trail ",
  "a:b", "a*b", "q?", "p|q", "<x>", "quo\"te", "back\\slash", "con", "aux.txt", "plus+1", "semi;colon", "comma,", "[brackets]", "equals=", "tilde~", "tab\there", "\x7f",
  "\xc3\xa9t\xc3\xa9", "\xc3\xa4 long.text", "Stra\xc3\x9f" "e", "\xe6\x97\xa5\xe6\x9c\xac", "\xf0\x9f\x98\x80", "\xff\xfe", "\xc3", "\xed\xa0\x80",
  "\xd0\xb4", "\xd0\x94", "\xce\xb1", "\xce\x91", long_name, long_name + 1, long_name + 45, "..", ".", "nofile/", "noext.", "12345678.123", "123456789.123", "1234567.1234",
  "LONGFI~1.TXT", "longfi~1.txt", "LONGFI~2.TXT", "longfi~3.txt", "LONGFI~1.TEX", "MANYDO~1.IT", "TWOSPA~1.C", "HIDDEN~1",
};
static const char *const FOLDERS[] = { "", "", "", "sub/", "sub/", "Sub/", "SUB2/", "sub/deep/", "a/", "ALONGF~1/", "File.txt/", "../" };
static const char *const FOLDER_NAMES[] = { "sub", "Sub", "sub2", "sub/deep", "a", "File.txt", "a long folder name" };

static char *path_make(char *to) {
  if (below(5) == 0) strcpy(to, FOLDER_NAMES[below(ARRAY_SIZE(FOLDER_NAMES))]);
  else {
    // Few names most of the time, so that they meet.
    unsigned names = below(3) ? 14 : ARRAY_SIZE(NAMES);
    snprintf(to, PATH_BYTES, "%s%s", FOLDERS[below(ARRAY_SIZE(FOLDERS) - 1)], NAMES[below(names)]);
  }
  return to;
}

static void say(const char *what, const char *a, const char *b, long result) {
  printf("%u %s", step, what);
  for (int i = 0; i < 2; i++) {
    const char *text = i ? b : a;
    if (!text) continue;
    printf(" '");
    for (; *text; text++) printf(*text >= ' ' && *text != 0x7f ? "%c" : "\\x%02x", (unsigned char)*text);
    printf("'");
  }
  if (result < 0) printf(" -> %s\n", strerrorname_np(errno));
  else printf(" -> %ld", result);
}

static void tell(const char *what, const char *a, const char *b, long result) {
  say(what, a, b, result);
  if (result >= 0) printf("\n");
}

static unsigned sum(const void *from, size_t bytes) {
  unsigned hash = 0x811c9dc5;
  for (size_t i = 0; i < bytes; i++) hash = (hash ^ ((const unsigned char *)from)[i]) * 0x01000193;
  return hash;
}

static void stat_tell(const char *what, const char *path, int result, const struct stat *st) {
  say(what, path, 0, result);
  if (result == 0) {
    printf(" %o owner %u:%u block %ld", st->st_mode, st->st_uid, st->st_gid, (long)st->st_blksize);
    // Of directories ours says less of the size, and Linux counts one link too many where a directory replaced another.
    if (S_ISREG(st->st_mode)) printf(" links %lu size %ld", (unsigned long)st->st_nlink, (long)st->st_size);
    if (S_ISREG(st->st_mode) && !keeps_size) printf(" blocks %ld", (long)st->st_blocks);
    printf("\n");
  }
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/** Names are shown in small letters: a rename to another case does nothing on Linux, and what it should do here. */
static void fold(char *name) {
  for (; *name; name++) if (*name >= 'A' && *name <= 'Z') *name += 'a' - 'A';
}

static void list(const char *path) {
  static char *names[4096];
  unsigned count = 0;
  DIR *dir = opendir(path);
  say("list", path, 0, dir ? 0 : -1);
  if (!dir) return;
  for (struct dirent *entry = readdir(dir); entry && count < ARRAY_SIZE(names); entry = readdir(dir)) {
    names[count] = malloc(strlen(entry->d_name) + 8);
    sprintf(names[count], "%s/%d", entry->d_name, entry->d_type);
    fold(names[count++]);
  }
  closedir(dir);
  qsort(names, count, sizeof(names[0]), by_name);
  for (unsigned i = 0; i < count; i++) {
    printf(" %s", names[i]);
    free(names[i]);
  }
  printf("\n");
}

static int some_file(void) { return below(FILES); }

static void file_open(void) {
  static const int FLAGS[] = { O_RDWR | O_CREAT, O_RDWR | O_CREAT, O_RDWR | O_CREAT | O_EXCL, O_RDWR | O_CREAT | O_TRUNC, O_RDWR, O_RDONLY,
                               O_RDWR | O_CREAT | O_APPEND, O_RDONLY | O_DIRECTORY, O_WRONLY | O_CREAT | O_NOFOLLOW, O_RDWR | O_TMPFILE };
  char path[PATH_BYTES];
  int slot = some_file();
  if (files[slot] >= 0) close(files[slot]);
  int flags = FLAGS[below(ARRAY_SIZE(FLAGS))];
  path_make(path);
  files[slot] = open((flags & O_TMPFILE) == O_TMPFILE ? "." : path, flags, below(4) ? 0644 : 0444);
  printf("flags %o ", flags);
  tell("open", path, 0, files[slot] < 0 ? -1 : 0);
}

static void file_write(void) {
  int fd = files[some_file()];
  unsigned at = below(8) ? below(9000) : below(200000);
  unsigned bytes = below(3) ? below(3000) : below(DATA_BYTES);
  for (unsigned i = 0; i < bytes; i++) data[i] = (char)(state >> (i & 31)) ^ (char)i;
  tell("write", 0, 0, pwrite(fd, data, bytes, at));
}

static void file_read(void) {
  int fd = files[some_file()];
  unsigned bytes = below(DATA_BYTES);
  long got = pread(fd, data, bytes, below(9000));
  say("read", 0, 0, got);
  if (got >= 0) printf(" %08x\n", sum(data, (size_t)got));
}

static void times_set(void) {
  static const long TIMES[] = { 0, 1, 315532799, 315532800, 315532801, 946684799, 1700000001, 4354819198, 4354819199, 4354819200, 9999999999, -1 };
  static const long PARTS[] = { 0, 1, 10000000, 999999999, 500000000, UTIME_OMIT };
  char path[PATH_BYTES];
  struct timespec times[2] = { { TIMES[below(12)], PARTS[below(6)] }, { TIMES[below(12)], PARTS[below(6)] } };
  struct stat st;
  path_make(path);
  int result = utimensat(AT_FDCWD, path, times, 0);
  tell("utimensat", path, 0, result);
  if (result == 0 && stat(path, &st) == 0 && times[0].tv_nsec != UTIME_OMIT && times[1].tv_nsec != UTIME_OMIT) {
    printf("set %ld.%ld %ld.%ld got %ld.%ld %ld.%ld\n", times[0].tv_sec, times[0].tv_nsec, times[1].tv_sec, times[1].tv_nsec, (long)st.st_atime,
           st.st_atim.tv_nsec, (long)st.st_mtime, st.st_mtim.tv_nsec);
  }
}

static void room_tell(void) {
  struct statfs fs;
  sync();
  int result = statfs(".", &fs);
  say("statfs", 0, 0, result);
  printf(" type %lx bsize %ld frsize %ld blocks %lu files %lu %lu flags %lx\n", (long)fs.f_type, (long)fs.f_bsize, (long)fs.f_frsize,
         (long)fs.f_blocks, (long)fs.f_files, (long)fs.f_ffree, (long)fs.f_flags & 0xf);
}

static void file_other(void) {
  const int MODES[] = { 0, keeps_size ? FALLOC_FL_KEEP_SIZE : 0, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, FALLOC_FL_ZERO_RANGE, 64 };
  int fd = files[some_file()];
  struct stat st;
  switch (below(6)) {
    case 0: return tell("fsync", 0, 0, fsync(fd));
    case 1: return stat_tell("fstat", 0, fstat(fd, &st), &st);
    case 2:
      if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) return; // Linux answers by the directory's size
      return tell("seek data", 0, 0, lseek(fd, below(9000), below(2) ? SEEK_DATA : SEEK_HOLE));
    case 3: return tell("fchmod", 0, 0, fchmod(fd, below(2) ? 0444 : 0600));
    case 4: return tell("read 0", 0, 0, pread(fd, data, 0, below(9000)));
    default: return tell("fallocate", 0, 0, fallocate(fd, MODES[below(2) ? 0 : below(ARRAY_SIZE(MODES))], below(9000), 1 + below(20000)));
  }
}

static void attributes_change(void) {
  static const mode_t MODES[] = { 0644, 0444, 0600, 0755, 0000, 0777, 04755, 0222 };
  char path[PATH_BYTES];
  path_make(path);
  struct stat st;
  switch (below(7)) {
    case 0: tell("chmod", path, 0, chmod(path, MODES[below(ARRAY_SIZE(MODES))])); break;
    case 1: tell("chown", path, 0, chown(path, below(2), -1)); break;
    case 2: tell("symlink", path, 0, symlink("x", path)); break;
    case 3: tell("link", path, 0, link("a", path)); break;
    case 4: tell("mknod", path, 0, mknod(path, below(2) ? S_IFIFO | 0644 : S_IFREG | 0644, 0)); break;
    case 5: tell("access", path, 0, access(path, (int)below(8))); break;
    default: tell("truncate", path, 0, truncate(path, below(4) ? below(9000) : below(60000)));
  }
  stat_tell("stat", path, stat(path, &st), &st);
}

static void rename_one(void) {
  char from[PATH_BYTES], to[PATH_BYTES];
  static const unsigned FLAGS[] = { 0, 0, 0, RENAME_NOREPLACE };
  path_make(from);
  path_make(to);
  unsigned flags = FLAGS[below(ARRAY_SIZE(FLAGS))];
  printf("flags %u ", flags);
  tell("rename", from, to, renameat2(AT_FDCWD, from, AT_FDCWD, to, flags));
}

static void one_step(void) {
  char path[PATH_BYTES];
  struct stat st;
  path_make(path);
  switch (below(18)) {
    case 0: case 1: case 2: return file_open();
    case 3: case 4: return file_write();
    case 5: return file_read();
    case 6: return tell("ftruncate", 0, 0, ftruncate(files[some_file()], below(4) ? below(9000) : below(100000)));
    case 7: case 8: return rename_one();
    case 9: return tell("unlink", path, 0, unlink(path));
    case 10: strcpy(path, FOLDER_NAMES[below(ARRAY_SIZE(FOLDER_NAMES))]);
      return tell("mkdir", path, 0, mkdir(path, below(3) ? 0755 : 0700));
    case 11: return tell("mkdir", path, 0, mkdir(path, 0755));
    case 12: return tell("rmdir", path, 0, rmdir(path));
    case 13: return stat_tell("stat", path, stat(path, &st), &st);
    case 14: return list(below(2) ? "." : FOLDER_NAMES[below(ARRAY_SIZE(FOLDER_NAMES))]);
    case 15: return times_set();
    case 16: return file_other();
    default: return below(6) ? attributes_change() : room_tell();
  }
}

static int by_entry(const void *a, const void *b) { return strcmp((*(struct dirent *const *)a)->d_name, (*(struct dirent *const *)b)->d_name); }

/** Everything that is there, with its contents. */
static void tree(const char *path) {
  struct stat st;
  if (stat(path, &st) < 0) return tell("gone", path, 0, -1);
  stat_tell("tree", path, 0, &st);
  if (S_ISREG(st.st_mode)) {
    int fd = open(path, O_RDONLY);
    unsigned hash = 0;
    for (long got = read(fd, data, DATA_BYTES); got > 0; got = read(fd, data, DATA_BYTES)) hash = hash * 31 + sum(data, (size_t)got);
    close(fd);
    printf("%s %08x\n", path, hash);
    return;
  }
  struct dirent **entries;
  int count = scandir(path, &entries, 0, 0);
  for (int i = 0; i < count; i++) fold(entries[i]->d_name);
  qsort(entries, (size_t)(count > 0 ? count : 0), sizeof(entries[0]), by_entry);
  for (int i = 0; i < count; i++) {
    char inner[PATH_BYTES * 4];
    snprintf(inner, sizeof(inner), "%s/%s", path, entries[i]->d_name);
    if (strcmp(entries[i]->d_name, ".") && strcmp(entries[i]->d_name, "..")) tree(inner);
    free(entries[i]);
  }
  free(entries);
}

int main(int argc, char **argv) {
  if (argc != 4 || chdir(argv[3])) return 2;
  memset(long_name, 'n', sizeof(long_name) - 44);
  keeps_size = strtoul(argv[1], 0, 0) % 2 == 0;
  state = strtoul(argv[1], 0, 0) * 0x9e3779b97f4a7c15ul ^ 0xbf58476d1ce4e5b9ul;
  memset(files, -1, sizeof(files));
  umask(0);
  for (step = 0; step < strtoul(argv[2], 0, 0); step++) one_step();
  for (int i = 0; i < FILES; i++) close(files[i]);
  tree(".");
  room_tell();
  return 0;
}
