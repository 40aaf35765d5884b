/* How far a capability reaches: what its rights keep out, and what goes when it goes. */
#include "tap.h"
#include "native.h"

#define PAGE 4096

static char *room(void) { return mmap(0, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }

/* 0 or a negated errno. */
static long map(long memory, char *at, int prot) {
  long result = native(MEMORY_MAP, memory, (uint64_t)at, 0, PAGE, prot, 0);
  return result == (long)at ? 0 : result;
}

static void mappings_keep_rights(long quota) {
  long memory = native3(MEMORY_CREATE, quota, PAGE, 0), reader = native3(CAP_COPY, memory, RIGHT_READ, 0);
  char *whole = room(), *part = room(), *later = room();
  check(map(memory, whole, PROT_READ | PROT_WRITE) == 0 && map(reader, part, PROT_READ) == 0, "memory, and the same to be read");
  whole[7] = 'x';
  check(part[7] == 'x', "is one memory");
  check(map(reader, part, PROT_READ | PROT_WRITE) == -EACCES, "a capability without WRITE maps nothing writable");
  check(mprotect(part, PAGE, PROT_READ | PROT_WRITE) == -1 && errno == EACCES, "and its mapping becomes none by mprotect");
  check(map(memory, later, PROT_READ) == 0 && mprotect(later, PAGE, PROT_READ | PROT_WRITE) == 0, "that of one with WRITE does");
  later[7] = 'y';
  check(part[7] == 'y', "and is written to");
  native1(CAP_DROP, memory);
  native1(CAP_DROP, reader);
}

static void memory_hangs_below_its_quota(long quota) {
  long some = native3(CAP_COPY, quota, RIGHT_ALL, 0), memory = native3(MEMORY_CREATE, some, PAGE, 0);
  long plain = native3(CAP_COPY, quota, RIGHT_MANAGE | RIGHT_READ, 0), weak = native3(MEMORY_CREATE, plain, PAGE, 1);
  check(memory > 0 && weak > 0, "memory of two quotas");
  check(map(weak, room(), PROT_READ | PROT_WRITE) == -EACCES && map(weak, room(), PROT_READ) == 0, "has no right that its quota has not");
  check(native1(CAP_REVOKE, quota) == 4, "revoking a quota takes copies and what was made of them");
  check(map(memory, room(), PROT_READ) < 0 && native3(MEMORY_CREATE, some, PAGE, 0) < 0, "for good");
}

struct geometry {
  uint64_t sectors;
  uint32_t sector_bytes, queues, most_sectors, most_segments, flags, most_discarded, most_zeroed, pad;
};

/* BLOCK_DRIVER ports: 2 is the service, its operation 1 attaches. */
static void disks_need_devices(long root) {
  struct geometry geometry = {2048, 512, 1, 4096, 256, 0, 0, 0, 0};
  long port = native3(SERVICE_OPEN, root, 2, 5), n = native0(NOTIFICATION_CREATE);
  check(port > 0, "a port for the sixth disk");
  check(native(SERVICE_CALL, port, 1, (uint64_t)&geometry, n, 0, 0) == -EBADF, "offers none without a device that reaches memory");
  check(native(SERVICE_CALL, port, 1, (uint64_t)&geometry, n, root, 0) == -EBADF, "nor with something else");
  long none = native3(SERVICE_OPEN, root, 2, 5000);
  check(native(SERVICE_CALL, none, 1, (uint64_t)&geometry, n, 0, 0) == -EINVAL, "there are not that many disks");
  native1(CAP_DROP, n);
}

int main(void) {
  long root = native0(ROOT_CLAIM), quota = native2(QUOTA_CREATE, root, 16 * PAGE);
  mappings_keep_rights(quota);
  memory_hangs_below_its_quota(quota);
  disks_need_devices(root);
  native1(CAP_REVOKE, root);
  native1(CAP_DROP, root);
  return tap_done();
}
