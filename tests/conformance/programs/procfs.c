/* What programs read from /proc, and who they are. */
#include "tap.h"
#include <sys/auxv.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

static char text[65536];
static int slurp(const char *path) {
  int fd = open(path, O_RDONLY), have = 0, n;
  if (fd < 0) return -1;
  while ((n = read(fd, text + have, 1000)) > 0 && have < (int)sizeof text - 1001) have += n;
  text[have] = 0;
  close(fd);
  return have;
}
static long field(const char *name) {
  char *line = strstr(text, name);
  return line ? strtol(line + strlen(name), NULL, 10) : -1;
}

int main(int argc, char **argv) {
  (void)argc;
  check(slurp("/proc/self/status") > 0 && field("Pid:\t") == getpid() && field("PPid:\t") == getppid(), "status: Pid and PPid");
  check(field("VmRSS:\t") > 0 && field("VmSize:\t") > 0 && field("Threads:\t") == 1, "status: sizes and threads");
  check(slurp("/proc/self/stat") > 0 && strtol(text, NULL, 10) == getpid(), "stat starts with the pid");
  char *after = strrchr(text, ')');
  int ppid, pgrp, sid;
  char state;
  check(after && sscanf(after, ") %c %d %d %d", &state, &ppid, &pgrp, &sid) == 4 && state == 'R' && ppid == getppid() && pgrp == getpgrp() && sid == getsid(0), "stat: state, parent, group, session");
  int words = 0;
  for (char *word = strtok(after + 1, " \n"); word; word = strtok(NULL, " \n")) words++;
  check(words == 50, "stat has 52 fields");
  check(slurp("/proc/self/cmdline") > 0 && !strcmp(text, argv[0]), "cmdline");
  check(slurp("/proc/self/comm") > 0 && strlen(text) >= 2 && strlen(text) <= 16, "comm");
  char link[256] = {0};
  check(readlink("/proc/self/exe", link, 255) > 0 && link[0] == '/', "exe");
  check(readlink("/proc/self/cwd", link, 255) > 0 && link[0] == '/', "cwd");
  memset(link, 0, sizeof link);
  int fd = open("/dev/null", O_RDONLY);
  char path[40];
  sprintf(path, "/proc/self/fd/%d", fd);
  check(readlink(path, link, 255) == 9 && !strcmp(link, "/dev/null"), "fd");
  void *here = &here;
  unsigned long low, high;
  int in_stack = 0;
  check(slurp("/proc/self/maps") > 0, "maps");
  for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
    if (sscanf(line, "%lx-%lx", &low, &high) == 2 && (unsigned long)here >= low && (unsigned long)here < high) in_stack = strstr(line, "rw-p") && strstr(line, "[stack]");
  check(in_stack, "maps names the stack");
  check(slurp("/proc/self/statm") > 0 && strtol(text, NULL, 10) > 0, "statm");
  check(slurp("/proc/self/environ") >= 0, "environ");

  check(slurp("/proc/meminfo") > 0 && field("MemTotal:") > 0 && field("MemFree:") > 0 && field("MemAvailable:") > 0, "meminfo");
  long total = field("MemTotal:");
  struct sysinfo si;
  check(sysinfo(&si) == 0 && labs((long)(si.totalram / 1024 * si.mem_unit) - total) < 16, "sysinfo agrees");
  check(slurp("/proc/cpuinfo") > 0 && strstr(text, "processor\t: 0") && strstr(text, "flags\t"), "cpuinfo");
  check(slurp("/proc/uptime") > 0 && strtod(text, NULL) > 0, "uptime");
  check(slurp("/proc/loadavg") > 0 && strchr(text, '/'), "loadavg");
  check(slurp("/proc/stat") > 0 && !strncmp(text, "cpu ", 4) && strstr(text, "\ncpu0 ") && field("btime ") > 1700000000, "stat of the system");
  check(slurp("/proc/mounts") > 0 && strstr(text, " /proc proc "), "mounts");
  check(slurp("/proc/filesystems") > 0 && strstr(text, "tmpfs"), "filesystems");
  check(slurp("/proc/version") > 0, "version");
  check(slurp("/proc/1/stat") > 0 && !strncmp(text, "1 (", 3), "process 1 is there");
  check(slurp("/proc/999999/stat") == -1 && errno == ENOENT, "no such process");
  check_errno(open("/proc/self/nothing", O_RDONLY), ENOENT, "no such file");
  check(slurp("/proc/sys/kernel/hostname") > 0, "the host's name");

  struct utsname uts;
  check(uname(&uts) == 0 && !strcmp(uts.machine, "x86_64") && uts.release[0] >= '5', "uname");
  unsigned char random[32] = {0}, more[32] = {0};
  check(getrandom(random, 32, 0) == 32 && getrandom(more, 32, 0) == 32 && memcmp(random, more, 32), "getrandom");
  check_errno(getrandom(random, 32, 0xff00), EINVAL, "getrandom: unknown flags");
  check(getauxval(AT_PAGESZ) == 4096 && getauxval(AT_RANDOM) && getauxval(AT_PHDR) && getauxval(AT_ENTRY), "the auxiliary vector");
  check(getauxval(AT_SYSINFO_EHDR) != 0 && !memcmp((void *)getauxval(AT_SYSINFO_EHDR), "\177ELF", 4), "there is a vDSO");
  struct rlimit limit;
  check(getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur >= 1 << 20, "RLIMIT_STACK");
  check(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= 256, "RLIMIT_NOFILE");
  check_errno(getrlimit(99, &limit), EINVAL, "no such limit");
  gid_t groups[8];
  check(getgroups(8, groups) >= 0 && getuid() == geteuid() && getgid() == getegid(), "credentials");
  return tap_done();
}
