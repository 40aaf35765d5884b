/** Registers and structures of virtio over PCI. Spec: Virtual I/O Device 1.2; 4.1.4 (PCI layout), 2.7 (split queues), 5.2 (block). */

/** PCI vendor capability; 4.1.4 "Virtio Structure PCI Capabilities". */
export const CAP_VENDOR: u32 = 9;
export const enum CfgType { COMMON = 1, NOTIFY = 2, ISR = 3, DEVICE = 4 }
/** Offsets in the capability. */
export const enum CapField { TYPE = 3, BAR = 4, OFFSET = 8, LENGTH = 12, NOTIFY_MULTIPLIER = 16 }

/** struct virtio_pci_common_cfg; 4.1.4.3. */
export const enum Common {
  DEVICE_FEATURE_SELECT = 0, DEVICE_FEATURE = 4, DRIVER_FEATURE_SELECT = 8, DRIVER_FEATURE = 12, MSIX_CONFIG = 16, STATUS = 20,
  QUEUE_SELECT = 22, QUEUE_SIZE = 24, QUEUE_MSIX_VECTOR = 26, QUEUE_ENABLE = 28, QUEUE_NOTIFY_OFF = 30, QUEUE_DESC = 32,
  QUEUE_DRIVER = 40, QUEUE_DEVICE = 48,
}
/** Device status; 2.1. */
export const enum Status { ACKNOWLEDGE = 1, DRIVER = 2, DRIVER_OK = 4, FEATURES_OK = 8, NEEDS_RESET = 64, FAILED = 128 }
export const NO_VECTOR: u32 = 0xffff;

/** Feature bits; 5.2.3 and 6. */
export const F_READ_ONLY: u64 = 1 << 5;
export const F_FLUSH: u64 = 1 << 9;
export const F_MULTI_QUEUE: u64 = 1 << 12;
export const F_DISCARD: u64 = 1 << 13;
export const F_WRITE_ZEROES: u64 = 1 << 14;
export const F_INDIRECT: u64 = 1 << 28;
export const F_VERSION_1: u64 = 1 << 32;
/** The device uses bus addresses, which an IOMMU may translate. */
export const F_ACCESS_PLATFORM: u64 = 1 << 33;

/** struct virtio_blk_config; 5.2.4. */
export const enum Config { CAPACITY = 0, NUM_QUEUES = 34, MAX_DISCARD_SECTORS = 36, MAX_WRITE_ZEROES_SECTORS = 48 }

/** Descriptor flags; 2.7.5. */
export const enum Desc { NEXT = 1, WRITE = 2, INDIRECT = 4 }
/** Request types and results; 5.2.6. */
export const enum Type { IN = 0, OUT = 1, FLUSH = 4, DISCARD = 11, WRITE_ZEROES = 13 }
export const enum Result { OK = 0, IOERR = 1, UNSUPPORTED = 2 }
