/** Names and argument kinds of the system calls, for the tracer. Generated from kernel/abi/syscalls.ts by toolchain/generate.ts; do not edit. */

/** The call's name, or "" when the contract has no row for it. */
export function syscallName(nr: u32): string {
  switch (nr >> 6) {
    case 0: return syscallName0(nr);
    case 1: return syscallName1(nr);
    case 2: return syscallName2(nr);
    case 3: return syscallName3(nr);
    case 4: return syscallName4(nr);
    case 5: return syscallName5(nr);
    case 6: return syscallName6(nr);
    case 7: return syscallName7(nr);
    default: return "";
  }
}

function syscallName0(nr: u32): string {
  switch (nr) {
    case 0: return "read";
    case 1: return "write";
    case 2: return "open";
    case 3: return "close";
    case 4: return "stat";
    case 5: return "fstat";
    case 6: return "lstat";
    case 7: return "poll";
    case 8: return "lseek";
    case 9: return "mmap";
    case 10: return "mprotect";
    case 11: return "munmap";
    case 12: return "brk";
    case 13: return "rt_sigaction";
    case 14: return "rt_sigprocmask";
    case 15: return "rt_sigreturn";
    case 16: return "ioctl";
    case 17: return "pread64";
    case 18: return "pwrite64";
    case 19: return "readv";
    case 20: return "writev";
    case 21: return "access";
    case 22: return "pipe";
    case 23: return "select";
    case 24: return "sched_yield";
    case 25: return "mremap";
    case 26: return "msync";
    case 27: return "mincore";
    case 28: return "madvise";
    case 32: return "dup";
    case 33: return "dup2";
    case 34: return "pause";
    case 35: return "nanosleep";
    case 36: return "getitimer";
    case 37: return "alarm";
    case 38: return "setitimer";
    case 39: return "getpid";
    case 40: return "sendfile";
    case 41: return "socket";
    case 42: return "connect";
    case 43: return "accept";
    case 44: return "sendto";
    case 45: return "recvfrom";
    case 46: return "sendmsg";
    case 47: return "recvmsg";
    case 48: return "shutdown";
    case 49: return "bind";
    case 50: return "listen";
    case 51: return "getsockname";
    case 52: return "getpeername";
    case 53: return "socketpair";
    case 54: return "setsockopt";
    case 55: return "getsockopt";
    case 56: return "clone";
    case 57: return "fork";
    case 58: return "vfork";
    case 59: return "execve";
    case 60: return "exit";
    case 61: return "wait4";
    case 62: return "kill";
    case 63: return "uname";
    default: return "";
  }
}

function syscallName1(nr: u32): string {
  switch (nr) {
    case 72: return "fcntl";
    case 73: return "flock";
    case 74: return "fsync";
    case 75: return "fdatasync";
    case 76: return "truncate";
    case 77: return "ftruncate";
    case 78: return "getdents";
    case 79: return "getcwd";
    case 80: return "chdir";
    case 81: return "fchdir";
    case 82: return "rename";
    case 83: return "mkdir";
    case 84: return "rmdir";
    case 85: return "creat";
    case 86: return "link";
    case 87: return "unlink";
    case 88: return "symlink";
    case 89: return "readlink";
    case 90: return "chmod";
    case 91: return "fchmod";
    case 92: return "chown";
    case 93: return "fchown";
    case 94: return "lchown";
    case 95: return "umask";
    case 96: return "gettimeofday";
    case 97: return "getrlimit";
    case 98: return "getrusage";
    case 99: return "sysinfo";
    case 100: return "times";
    case 101: return "ptrace";
    case 102: return "getuid";
    case 103: return "syslog";
    case 104: return "getgid";
    case 105: return "setuid";
    case 106: return "setgid";
    case 107: return "geteuid";
    case 108: return "getegid";
    case 109: return "setpgid";
    case 110: return "getppid";
    case 111: return "getpgrp";
    case 112: return "setsid";
    case 113: return "setreuid";
    case 114: return "setregid";
    case 115: return "getgroups";
    case 116: return "setgroups";
    case 117: return "setresuid";
    case 118: return "getresuid";
    case 119: return "setresgid";
    case 120: return "getresgid";
    case 121: return "getpgid";
    case 122: return "setfsuid";
    case 123: return "setfsgid";
    case 124: return "getsid";
    case 125: return "capget";
    case 126: return "capset";
    case 127: return "rt_sigpending";
    default: return "";
  }
}

function syscallName2(nr: u32): string {
  switch (nr) {
    case 128: return "rt_sigtimedwait";
    case 129: return "rt_sigqueueinfo";
    case 130: return "rt_sigsuspend";
    case 131: return "sigaltstack";
    case 132: return "utime";
    case 133: return "mknod";
    case 135: return "personality";
    case 137: return "statfs";
    case 138: return "fstatfs";
    case 140: return "getpriority";
    case 141: return "setpriority";
    case 142: return "sched_setparam";
    case 143: return "sched_getparam";
    case 144: return "sched_setscheduler";
    case 145: return "sched_getscheduler";
    case 146: return "sched_get_priority_max";
    case 147: return "sched_get_priority_min";
    case 148: return "sched_rr_get_interval";
    case 149: return "mlock";
    case 150: return "munlock";
    case 151: return "mlockall";
    case 152: return "munlockall";
    case 155: return "pivot_root";
    case 157: return "prctl";
    case 158: return "arch_prctl";
    case 159: return "adjtimex";
    case 160: return "setrlimit";
    case 161: return "chroot";
    case 162: return "sync";
    case 164: return "settimeofday";
    case 165: return "mount";
    case 166: return "umount2";
    case 169: return "reboot";
    case 170: return "sethostname";
    case 171: return "setdomainname";
    case 186: return "gettid";
    case 187: return "readahead";
    case 188: return "setxattr";
    case 189: return "lsetxattr";
    case 190: return "fsetxattr";
    case 191: return "getxattr";
    default: return "";
  }
}

function syscallName3(nr: u32): string {
  switch (nr) {
    case 192: return "lgetxattr";
    case 193: return "fgetxattr";
    case 194: return "listxattr";
    case 195: return "llistxattr";
    case 196: return "flistxattr";
    case 197: return "removexattr";
    case 198: return "lremovexattr";
    case 199: return "fremovexattr";
    case 200: return "tkill";
    case 201: return "time";
    case 202: return "futex";
    case 203: return "sched_setaffinity";
    case 204: return "sched_getaffinity";
    case 213: return "epoll_create";
    case 216: return "remap_file_pages";
    case 217: return "getdents64";
    case 218: return "set_tid_address";
    case 219: return "restart_syscall";
    case 221: return "fadvise64";
    case 222: return "timer_create";
    case 223: return "timer_settime";
    case 224: return "timer_gettime";
    case 225: return "timer_getoverrun";
    case 226: return "timer_delete";
    case 227: return "clock_settime";
    case 228: return "clock_gettime";
    case 229: return "clock_getres";
    case 230: return "clock_nanosleep";
    case 231: return "exit_group";
    case 232: return "epoll_wait";
    case 233: return "epoll_ctl";
    case 234: return "tgkill";
    case 235: return "utimes";
    case 237: return "mbind";
    case 238: return "set_mempolicy";
    case 239: return "get_mempolicy";
    case 247: return "waitid";
    case 251: return "ioprio_set";
    case 252: return "ioprio_get";
    case 253: return "inotify_init";
    case 254: return "inotify_add_watch";
    case 255: return "inotify_rm_watch";
    default: return "";
  }
}

function syscallName4(nr: u32): string {
  switch (nr) {
    case 257: return "openat";
    case 258: return "mkdirat";
    case 259: return "mknodat";
    case 260: return "fchownat";
    case 261: return "futimesat";
    case 262: return "newfstatat";
    case 263: return "unlinkat";
    case 264: return "renameat";
    case 265: return "linkat";
    case 266: return "symlinkat";
    case 267: return "readlinkat";
    case 268: return "fchmodat";
    case 269: return "faccessat";
    case 270: return "pselect6";
    case 271: return "ppoll";
    case 272: return "unshare";
    case 273: return "set_robust_list";
    case 274: return "get_robust_list";
    case 275: return "splice";
    case 276: return "tee";
    case 277: return "sync_file_range";
    case 278: return "vmsplice";
    case 280: return "utimensat";
    case 281: return "epoll_pwait";
    case 282: return "signalfd";
    case 283: return "timerfd_create";
    case 284: return "eventfd";
    case 285: return "fallocate";
    case 286: return "timerfd_settime";
    case 287: return "timerfd_gettime";
    case 288: return "accept4";
    case 289: return "signalfd4";
    case 290: return "eventfd2";
    case 291: return "epoll_create1";
    case 292: return "dup3";
    case 293: return "pipe2";
    case 294: return "inotify_init1";
    case 295: return "preadv";
    case 296: return "pwritev";
    case 297: return "rt_tgsigqueueinfo";
    case 302: return "prlimit64";
    case 305: return "clock_adjtime";
    case 306: return "syncfs";
    case 309: return "getcpu";
    case 310: return "process_vm_readv";
    case 311: return "process_vm_writev";
    case 312: return "kcmp";
    case 314: return "sched_setattr";
    case 315: return "sched_getattr";
    case 316: return "renameat2";
    case 318: return "getrandom";
    case 319: return "memfd_create";
    default: return "";
  }
}

function syscallName5(nr: u32): string {
  switch (nr) {
    case 322: return "execveat";
    case 324: return "membarrier";
    case 325: return "mlock2";
    case 326: return "copy_file_range";
    case 327: return "preadv2";
    case 328: return "pwritev2";
    case 332: return "statx";
    case 334: return "rseq";
    default: return "";
  }
}

function syscallName6(nr: u32): string {
  switch (nr) {
    case 424: return "pidfd_send_signal";
    case 434: return "pidfd_open";
    case 435: return "clone3";
    case 436: return "close_range";
    case 437: return "openat2";
    case 439: return "faccessat2";
    case 441: return "epoll_pwait2";
    default: return "";
  }
}

function syscallName7(nr: u32): string {
  switch (nr) {
    case 449: return "futex_waitv";
    default: return "";
  }
}

/** One letter an argument: d i32, u u32, l i64, x hexadecimal u64, s user string, o octal u32. */
export function syscallArgKinds(nr: u32): string {
  switch (nr >> 6) {
    case 0: return syscallArgKinds0(nr);
    case 1: return syscallArgKinds1(nr);
    case 2: return syscallArgKinds2(nr);
    case 3: return syscallArgKinds3(nr);
    case 4: return syscallArgKinds4(nr);
    case 5: return syscallArgKinds5(nr);
    case 6: return syscallArgKinds6(nr);
    case 7: return syscallArgKinds7(nr);
    default: return "xxxxxx";
  }
}

function syscallArgKinds0(nr: u32): string {
  switch (nr) {
    case 0: return "dxl";
    case 1: return "dxl";
    case 2: return "sxo";
    case 3: return "d";
    case 4: return "sx";
    case 5: return "dx";
    case 6: return "sx";
    case 7: return "xxd";
    case 8: return "dlu";
    case 9: return "xlxxdl";
    case 10: return "xlx";
    case 11: return "xl";
    case 12: return "x";
    case 13: return "dxxl";
    case 14: return "uxxl";
    case 15: return "";
    case 16: return "dux";
    case 17: return "dxll";
    case 18: return "dxll";
    case 19: return "dxx";
    case 20: return "dxx";
    case 21: return "sx";
    case 22: return "x";
    case 23: return "dxxxx";
    case 24: return "";
    case 25: return "xllxx";
    case 26: return "xlx";
    case 27: return "xlx";
    case 28: return "xlu";
    case 32: return "d";
    case 33: return "dd";
    case 34: return "";
    case 35: return "xx";
    case 36: return "ux";
    case 37: return "u";
    case 38: return "uxx";
    case 39: return "";
    case 40: return "ddxl";
    case 41: return "ddd";
    case 42: return "dxd";
    case 43: return "dxx";
    case 44: return "dxluxd";
    case 45: return "dxluxx";
    case 46: return "dxu";
    case 47: return "dxu";
    case 48: return "dd";
    case 49: return "dxd";
    case 50: return "dd";
    case 51: return "dxx";
    case 52: return "dxx";
    case 53: return "dddx";
    case 54: return "dddxd";
    case 55: return "dddxx";
    case 56: return "xxxxx";
    case 57: return "";
    case 58: return "";
    case 59: return "sxx";
    case 60: return "d";
    case 61: return "dxxx";
    case 62: return "dd";
    case 63: return "x";
    default: return "xxxxxx";
  }
}

function syscallArgKinds1(nr: u32): string {
  switch (nr) {
    case 72: return "dux";
    case 73: return "dx";
    case 74: return "d";
    case 75: return "d";
    case 76: return "sl";
    case 77: return "dl";
    case 78: return "dxu";
    case 79: return "xl";
    case 80: return "s";
    case 81: return "d";
    case 82: return "ss";
    case 83: return "so";
    case 84: return "s";
    case 85: return "so";
    case 86: return "ss";
    case 87: return "s";
    case 88: return "ss";
    case 89: return "sxd";
    case 90: return "so";
    case 91: return "do";
    case 92: return "sdd";
    case 93: return "ddd";
    case 94: return "sdd";
    case 95: return "o";
    case 96: return "xx";
    case 97: return "ux";
    case 98: return "dx";
    case 99: return "x";
    case 100: return "x";
    case 101: return "ldxx";
    case 102: return "";
    case 103: return "dxd";
    case 104: return "";
    case 105: return "d";
    case 106: return "d";
    case 107: return "";
    case 108: return "";
    case 109: return "dd";
    case 110: return "";
    case 111: return "";
    case 112: return "";
    case 113: return "dd";
    case 114: return "dd";
    case 115: return "dx";
    case 116: return "lx";
    case 117: return "ddd";
    case 118: return "xxx";
    case 119: return "ddd";
    case 120: return "xxx";
    case 121: return "d";
    case 122: return "d";
    case 123: return "d";
    case 124: return "d";
    case 125: return "xx";
    case 126: return "xx";
    case 127: return "xl";
    default: return "xxxxxx";
  }
}

function syscallArgKinds2(nr: u32): string {
  switch (nr) {
    case 128: return "xxxl";
    case 129: return "ddx";
    case 130: return "xl";
    case 131: return "xx";
    case 132: return "sx";
    case 133: return "sou";
    case 135: return "x";
    case 137: return "sx";
    case 138: return "dx";
    case 140: return "ud";
    case 141: return "udd";
    case 142: return "dx";
    case 143: return "dx";
    case 144: return "ddx";
    case 145: return "d";
    case 146: return "d";
    case 147: return "d";
    case 148: return "dx";
    case 149: return "xl";
    case 150: return "xl";
    case 151: return "x";
    case 152: return "";
    case 155: return "ss";
    case 157: return "uxxxx";
    case 158: return "ux";
    case 159: return "x";
    case 160: return "ux";
    case 161: return "s";
    case 162: return "";
    case 164: return "xx";
    case 165: return "sssxx";
    case 166: return "sx";
    case 169: return "uuux";
    case 170: return "xl";
    case 171: return "xl";
    case 186: return "";
    case 187: return "dll";
    case 188: return "ssxlu";
    case 189: return "ssxlu";
    case 190: return "dsxlu";
    case 191: return "ssxl";
    default: return "xxxxxx";
  }
}

function syscallArgKinds3(nr: u32): string {
  switch (nr) {
    case 192: return "ssxl";
    case 193: return "dsxl";
    case 194: return "sxl";
    case 195: return "sxl";
    case 196: return "dxl";
    case 197: return "ss";
    case 198: return "ss";
    case 199: return "ds";
    case 200: return "dd";
    case 201: return "x";
    case 202: return "xuuxxu";
    case 203: return "dlx";
    case 204: return "dlx";
    case 213: return "d";
    case 216: return "xluxu";
    case 217: return "dxu";
    case 218: return "x";
    case 219: return "";
    case 221: return "dllu";
    case 222: return "uxx";
    case 223: return "duxx";
    case 224: return "dx";
    case 225: return "d";
    case 226: return "d";
    case 227: return "ux";
    case 228: return "ux";
    case 229: return "ux";
    case 230: return "uuxx";
    case 231: return "d";
    case 232: return "dxdd";
    case 233: return "dudx";
    case 234: return "ddd";
    case 235: return "sx";
    case 237: return "xldxxu";
    case 238: return "dxx";
    case 239: return "xxxxx";
    case 247: return "udxxx";
    case 251: return "ddd";
    case 252: return "dd";
    case 253: return "";
    case 254: return "dsu";
    case 255: return "dd";
    default: return "xxxxxx";
  }
}

function syscallArgKinds4(nr: u32): string {
  switch (nr) {
    case 257: return "dsxo";
    case 258: return "dso";
    case 259: return "dsou";
    case 260: return "dsddx";
    case 261: return "dsx";
    case 262: return "dsxx";
    case 263: return "dsx";
    case 264: return "dsds";
    case 265: return "dsdsx";
    case 266: return "sds";
    case 267: return "dsxd";
    case 268: return "dso";
    case 269: return "dsx";
    case 270: return "dxxxxx";
    case 271: return "xxxxl";
    case 272: return "x";
    case 273: return "xl";
    case 274: return "dxx";
    case 275: return "dxdxlu";
    case 276: return "ddlu";
    case 277: return "dllu";
    case 278: return "dxxu";
    case 280: return "dsxx";
    case 281: return "dxddxl";
    case 282: return "dxl";
    case 283: return "ux";
    case 284: return "u";
    case 285: return "dxll";
    case 286: return "duxx";
    case 287: return "dx";
    case 288: return "dxxx";
    case 289: return "dxlx";
    case 290: return "ux";
    case 291: return "x";
    case 292: return "ddx";
    case 293: return "xx";
    case 294: return "x";
    case 295: return "dxxxx";
    case 296: return "dxxxx";
    case 297: return "dddx";
    case 302: return "duxx";
    case 305: return "ux";
    case 306: return "d";
    case 309: return "xxx";
    case 310: return "dxxxxx";
    case 311: return "dxxxxx";
    case 312: return "dddxx";
    case 314: return "dxu";
    case 315: return "dxuu";
    case 316: return "dsdsx";
    case 318: return "xlx";
    case 319: return "sx";
    default: return "xxxxxx";
  }
}

function syscallArgKinds5(nr: u32): string {
  switch (nr) {
    case 322: return "dsxxx";
    case 324: return "dud";
    case 325: return "xlu";
    case 326: return "dxdxlu";
    case 327: return "dxxxxx";
    case 328: return "dxxxxx";
    case 332: return "dsxux";
    case 334: return "xuuu";
    default: return "xxxxxx";
  }
}

function syscallArgKinds6(nr: u32): string {
  switch (nr) {
    case 424: return "ddxu";
    case 434: return "du";
    case 435: return "xl";
    case 436: return "uux";
    case 437: return "dsxl";
    case 439: return "dsxx";
    case 441: return "dxdxxl";
    default: return "xxxxxx";
  }
}

function syscallArgKinds7(nr: u32): string {
  switch (nr) {
    case 449: return "xuuxd";
    default: return "xxxxxx";
  }
}
