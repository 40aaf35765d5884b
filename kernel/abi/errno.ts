/** Linux x86-64 error numbers (asm-generic/errno-base.h, errno.h); handlers return them negated. */
export const enum Errno {
  OK = 0, PERM = 1, NOENT = 2, SRCH = 3, INTR = 4, IO = 5, NXIO = 6, TOOBIG = 7, NOEXEC = 8, BADF = 9,
  CHILD = 10, AGAIN = 11, NOMEM = 12, ACCES = 13, FAULT = 14, NOTBLK = 15, BUSY = 16, EXIST = 17, XDEV = 18,
  NODEV = 19, NOTDIR = 20, ISDIR = 21, INVAL = 22, NFILE = 23, MFILE = 24, NOTTY = 25, TXTBSY = 26, FBIG = 27,
  NOSPC = 28, SPIPE = 29, ROFS = 30, MLINK = 31, PIPE = 32, DOM = 33, RANGE = 34, DEADLK = 35, NAMETOOLONG = 36,
  NOLCK = 37, NOSYS = 38, NOTEMPTY = 39, LOOP = 40, NOMSG = 42, IDRM = 43, NODATA = 61, TIME = 62, PROTO = 71,
  BADMSG = 74, OVERFLOW = 75, LIBBAD = 80, ILSEQ = 84, USERS = 87, NOTSOCK = 88, DESTADDRREQ = 89, MSGSIZE = 90, PROTOTYPE = 91,
  NOPROTOOPT = 92, PROTONOSUPPORT = 93, SOCKTNOSUPPORT = 94, OPNOTSUPP = 95, PFNOSUPPORT = 96, AFNOSUPPORT = 97,
  ADDRINUSE = 98, ADDRNOTAVAIL = 99, NETDOWN = 100, NETUNREACH = 101, CONNABORTED = 103, CONNRESET = 104,
  NOBUFS = 105, ISCONN = 106, NOTCONN = 107, SHUTDOWN = 108, TIMEDOUT = 110, CONNREFUSED = 111, HOSTUNREACH = 113,
  ALREADY = 114, INPROGRESS = 115, STALE = 116, UCLEAN = 117, CANCELED = 125, OWNERDEAD = 130, NOTRECOVERABLE = 131,
  /** Kernel-internal: a signal interrupted a restartable call; never reaches user space (signal delivery maps it). */
  RESTARTSYS = 512,
  /** Kernel-internal: like RESTARTSYS, but always EINTR when a handler runs (nanosleep, poll, pause). */
  RESTARTNOHAND = 514,
}

/** True when `r` is a negated Errno (the top 4095 values, as on Linux). */
export function isErr(r: i64): bool {
  return <u64>r > <u64>-4096;
}
