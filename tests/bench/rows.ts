/** The rows of the table of costs: what tests/bench/costs.c prints, and the budget of each (docs/decisions, design §6). */

export interface CostRow {
  /** As costs.c names it. */
  readonly name: string;
  readonly title: string;
  /** Counts of instructions for one warm operation, or null where there is none. */
  readonly budget: number | null;
}

export const COST_ROWS: readonly CostRow[] = [
  { name: "null_syscall", title: "null system call (getppid)", budget: 100 },
  { name: "pipe_ping_pong", title: "pipe ping-pong, round trip", budget: 3_000 },
  { name: "socket_ping_pong", title: "Unix socket ping-pong, round trip", budget: null },
  { name: "ipc_call", title: "IPC call + reply, one CPU", budget: 500 },
  { name: "ipc_across", title: "IPC call + reply, two CPUs", budget: null },
  { name: "pipe_across", title: "pipe ping-pong, two CPUs", budget: null },
  { name: "notification", title: "notification to and fro, one CPU", budget: null },
  { name: "notification_across", title: "notification to and fro, two CPUs", budget: null },
  { name: "notification_alone", title: "notification, signal + wait by one thread", budget: null },
  { name: "ipc_copy_64k", title: "IPC call with 64 KiB by copy, looked at", budget: null },
  { name: "ipc_grant_64k", title: "IPC call with 64 KiB granted, mapped, looked at", budget: null },
  { name: "anonymous_fault", title: "anonymous page fault", budget: 2_000 },
  { name: "cow_fault", title: "copy-on-write fault", budget: 2_500 },
  { name: "stat", title: "stat of a cached path", budget: 1_500 },
  { name: "open_close", title: "open + close", budget: 2_500 },
  { name: "signal", title: "signal to self, handled", budget: 1_500 },
  { name: "fork_exit_wait", title: "fork + exit + wait", budget: 60_000 },
  { name: "vfork_exec", title: "vfork + exec busybox true + wait", budget: 250_000 },
  { name: "fork_exec", title: "fork + exec busybox true + wait", budget: 250_000 },
  { name: "mmap_munmap", title: "mmap + munmap of 4 KiB", budget: 2_500 },
  { name: "sched_yield", title: "sched_yield, alone", budget: null },
  { name: "write_4k", title: "write 4 KiB of 64 KiB, tmpfs", budget: 2_000 },
  { name: "read_4k", title: "read 4 KiB of 64 KiB, tmpfs", budget: 1_500 },
];

/** What tests/bench/disk-costs.c prints. */
export const DISK_ROWS: readonly CostRow[] = [
  { name: "file_4k_cached", title: "read 4 KiB of a file on vfat, cached", budget: 1_500 },
  { name: "file_64k_cached", title: "read 64 KiB of a file on vfat, cached", budget: null },
  { name: "file_4k_cold", title: "read 4 KiB of a file on vfat, from the disk", budget: null },
  { name: "file_64k_cold", title: "read 64 KiB of a file on vfat, from the disk", budget: null },
  { name: "device_4k_cached", title: "read 4 KiB of /dev/vda, cached", budget: null },
  { name: "device_64k_cached", title: "read 64 KiB of /dev/vda, cached", budget: null },
  { name: "device_4k_cold", title: "read 4 KiB of /dev/vda, from the disk", budget: null },
  { name: "device_64k_cold", title: "read 64 KiB of /dev/vda, from the disk", budget: null },
];

/** What tests/bench/irq-costs.c prints. */
export const IRQ_ROWS: readonly CostRow[] = [
  { name: "irq_running", title: "interrupt of a device → its ring-3 driver, which runs and then asks", budget: null },
  { name: "irq_waiting", title: "interrupt of a device → its ring-3 driver, which waits while another runs", budget: null },
];

/** What tests/bench/restart-costs.c prints. */
export const RESTART_ROWS: readonly CostRow[] = [
  { name: "restart_driver", title: "virtio-blk killed → an uncached read of its disk is answered", budget: null },
  { name: "restart_files", title: "fat32 killed → a file is created on its mount", budget: null },
];

/** Calls into the file system's server for a hundred operations on what is cached. */
export const TRIP_ROWS: readonly CostRow[] = [
  { name: "trips_read", title: "100 reads", budget: 1 },
  { name: "trips_stat", title: "100 stats", budget: 1 },
  { name: "trips_open", title: "100 opens and closes", budget: 1 },
];
