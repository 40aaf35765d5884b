#!/bin/sh
# Installs what building, running and testing need, on Debian 12: apt packages, then npm modules.
# Says what it does; does nothing when all is there. Needs root or sudo only when a package is missing.
set -eu
cd "$(dirname "$0")/.."

PACKAGES="gcc libc6-dev binutils cpio gdb qemu-system-x86 ovmf
  grub-common grub-pc-bin grub-efi-amd64-bin xorriso mtools dosfstools fdisk
  busybox-static musl musl-dev musl-tools bash-static zsh-static e2fsck-static e2fsprogs"
# Not installed, only downloaded and unpacked: the kernel that `make bench` measures beside ours.
REFERENCE_KERNEL=build/reference/vmlinuz
# Its modules for a FAT file system on a virtio disk, beside it.
REFERENCE_MODULES="drivers/virtio/virtio drivers/virtio/virtio_ring drivers/virtio/virtio_pci_modern_dev
  drivers/virtio/virtio_pci_legacy_dev drivers/virtio/virtio_pci drivers/block/virtio_blk fs/fat/fat fs/fat/vfat fs/nls/nls_cp437
  fs/nls/nls_ascii"

# The versions of package-lock.json. Not npm ci: it refuses a lock file that lacks packages for other platforms,
# and not every registry carries those.
npm_modules() {
  stamp=node_modules/.package-lock.json
  if [ -e "$stamp" ] && [ ! package-lock.json -nt "$stamp" ]; then return; fi
  echo "deps: installing npm modules"
  npm install --no-save --no-audit --no-fund
  touch "$stamp"
}
if [ "${1:-}" = npm ]; then
  npm_modules
  exit
fi

missing=
for package in $PACKAGES; do
  state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$state" = installed ] || missing="$missing $package"
done

if [ "$(id -u)" = 0 ]; then as_root=; else as_root=sudo; fi

if [ -n "$missing" ]; then
  if [ -n "$as_root" ] && ! command -v sudo >/dev/null; then
    {
      echo "deps: packages are missing, this user may not install them, and there is no sudo. As root, once:"
      echo "    apt-get update && apt-get install -y --no-install-recommends$missing"
      echo "then the same make again as this user."
    } >&2
    exit 1
  fi
  echo "deps: installing with apt:$missing"
  $as_root apt-get update -q
  # shellcheck disable=SC2086  # a list of words
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
fi

# modules_keep FOLDER: copies the modules out of a kernel's folder of modules.
modules_keep() {
  rm -rf modules
  mkdir modules
  for module in $REFERENCE_MODULES; do cp "$1/kernel/$module.ko" modules/; done
}

if [ ! -e "$REFERENCE_KERNEL" ] || [ ! -e build/reference/modules ]; then
  mkdir -p build/reference
  installed=$(ls /boot/vmlinuz-6.1.* 2>/dev/null | sort -V | tail -n 1 || true)
  if [ -n "$installed" ] && [ -r "$installed" ]; then
    echo "deps: the kernel to compare with is $installed"
    cp "$installed" "$REFERENCE_KERNEL"
    (cd build/reference && modules_keep "/lib/modules/${installed#/boot/vmlinuz-}") || echo "deps: its modules are missing: make bench reads no disk with it" >&2
  else
    echo "deps: fetching Debian's kernel, to compare with (it is not installed)"
    (
      cd build/reference
      image=$(apt-cache depends linux-image-amd64 | sed -n 's/^ *Depends: *\(linux-image-6.*\)$/\1/p' | head -n 1)
      apt-get download -q "${image:?no linux-image-6.* in apt}"
      dpkg-deb -x linux-image-6*.deb unpacked
      mv unpacked/boot/vmlinuz-* vmlinuz
      modules_keep "$(echo unpacked/lib/modules/*)"
      rm -rf unpacked linux-image-6*.deb
    ) || echo "deps: no kernel to compare with: make bench will show only ours" >&2
  fi
fi

npm_modules
echo "deps: all there"
