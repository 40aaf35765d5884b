# LimitlessOS: the front door. Every target only calls the TypeScript that does the work.
#
#   make            build/kernel.elf
#   make deps       install what is missing on this machine (apt and npm)
#   make iso        dist/limitlessos.iso, for BIOS and UEFI, CD and USB stick
#   make run        boot the ISO in QEMU; serial console here, Ctrl-A x quits
#                   CPUS=4 MEM=1024 (MiB) UEFI=1 GUI=1 DISK=file.img IOMMU=1
#                   QEMU="more words for QEMU"
#   make demo       files are copied while the disk's driver is killed; docs/demo.png
#   make usb DEV=/dev/sdX [FORCE=1]   write the ISO to a USB stick
#   make unit       unit tests (seconds)          NAME=pattern picks some
#   make test       every test, unit first        NAME=pattern picks some
#   make check      types, lint and the kernel's gates
#   make bench      the table of costs, ours beside Linux
#   make gdb        boot stopped in QEMU with gdb attached
#   make clean      remove build/ and dist/

CPUS  ?= 4
MEM   ?= 1024
UEFI  ?=
GUI   ?=
DISK  ?=
IOMMU ?=
QEMU  ?=
NAME  ?=
DEV   ?=
FORCE ?=

TSX  := node_modules/.bin/tsx
JEST := node_modules/.bin/jest
ROOTFS := build/initramfs.cpio
export CPUS MEM UEFI GUI DISK IOMMU QEMU FORCE

.DEFAULT_GOAL := kernel
.PHONY: kernel deps rootfs iso run usb test unit check bench gdb demo screenshot clean

kernel: node_modules/.package-lock.json
	$(TSX) toolchain/build.ts kernel

deps:
	sh toolchain/deps.sh

rootfs: node_modules/.package-lock.json
	$(TSX) toolchain/rootfs.ts $(ROOTFS)

iso: kernel rootfs
	$(TSX) toolchain/build.ts iso

run: deps
	$(MAKE) iso
	$(TSX) qemu/run.ts

usb: iso
	$(TSX) toolchain/usb.ts $(DEV)

unit: kernel
	$(JEST) --selectProjects unit $(if $(NAME),--testPathPatterns $(NAME))

test: iso
	node_modules/.bin/tsx tests/run.ts $(NAME)

check: node_modules/.package-lock.json
	node_modules/.bin/tsc --noEmit
	node_modules/.bin/eslint toolchain qemu tests
	$(TSX) toolchain/build.ts check

bench: kernel rootfs
	$(TSX) tests/bench/bench.ts

gdb: kernel rootfs
	$(TSX) qemu/gdb.ts

demo: iso
	$(TSX) qemu/demo.ts docs/demo.png

screenshot: iso
	$(TSX) qemu/photograph.ts docs/screenshot.png

clean:
	rm -rf build dist

node_modules/.package-lock.json: package-lock.json
	sh toolchain/deps.sh npm
