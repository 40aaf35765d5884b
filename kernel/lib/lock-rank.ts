/**
 * Lock ranks: a CPU may take a spinlock only when its rank is higher than every spinlock it holds.
 *
 * Sleeping locks (Mutex) are ordered by the comment at their declaration and are always taken before any spinlock.
 * Gaps leave room for newcomers.
 */
export const enum Rank {
  NONE = 0,          // unranked: leaf locks of tests
  TTY = 10,
  PIPE = 12,
  POLL = 14,
  PROCESS_TREE = 20, // pid table, parents and children, process groups, sessions
  SIGNAL = 24,       // pending signals and handlers of one process
  FD_TABLE = 28,
  CAP = 30,          // every capability space and the derivation tree
  DENTRY = 32,
  SERVER_FS = 33,    // inodes of served file systems: which are alive, dirty, doomed; a connection's server
  INODE = 34,
  MAPPING = 36,      // page-cache tree of one inode
  MOUNT = 38,
  SYSFS = 40,        // adding to the tree of /sys
  FUTEX = 44,
  TIMER_POSIX = 46,
  MM_LIST = 48,      // list of address spaces
  VMA = 50,
  PAGE_TABLE = 52,
  BLOCK = 51,        // a disk's requests and ring
  IRQ_OBJECT = 53,   // which capability object an interrupt vector belongs to
  NOTIFICATION = 54,
  ENDPOINT = 56,
  WAIT_QUEUE = 60,
  TIMER = 64,        // per-CPU timer queue
  TASK = 66,         // task list
  RUNQUEUE = 70,
  PCI = 72,          // holders and command registers of PCI functions
  IRQ = 74,
  IOMMU = 76,        // domains, their mappings and tables
  IOMMU_UNIT = 77,   // invalidation queue of one unit
  DEVICE_MAP = 78,   // tables of the direct map
  SLAB = 80,
  HEAP = 82,
  BUDDY = 84,
  FRAME = 86,
  SHOOTDOWN = 88,
  RANDOM = 90,
  LOG = 98,
  CONSOLE = 99,      // registers of a console, pixels: the log writes to them; nothing is logged under it
}
