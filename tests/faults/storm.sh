#!/bin/sh
# storm MEGABYTES KILLS: a tree is copied to /dev/vda, synced, compared and deleted, over and over, while the disk's driver is
# killed every 200 ms and the file system's server every second. Prints what went wrong, and at last "storm: ok".
fail() { echo "storm: FAILED: $*"; }
kill_loop() { # NAME PAUSE FILE
  n=0
  while true; do
    usleep "$2"
    kill -9 "$(pidof "$1")" 2>/dev/null && n=$((n+1))
    echo $n > "$3"
  done
}

mkdir -p /tmp/tree/a/b/c/d
i=0
while [ $i -lt $(($1 / 2)) ]; do
  head -c 1500001 /dev/urandom > /tmp/tree/a/f$i.bin
  head -c 500000 /dev/urandom > "/tmp/tree/a/b/c/a longer name $i.dat"
  echo $i > /tmp/tree/a/b/c/d/small$i
  i=$((i+1))
done
(cd /tmp/tree; find . -type f -print0 | sort -z | xargs -0 md5sum) > /tmp/sums
mkdir -p /mnt
until [ -b /dev/vda ]; do usleep 100000; done # its driver has just been started
mount -t vfat /dev/vda /mnt || fail mount
kill_loop virtio-blk 200000 /tmp/kills-disk & disk=$!
kill_loop fat32 1000000 /tmp/kills-fs & fs=$!
usleep 300000
kills=0
round=0
while [ $kills -lt "$2" ]; do
  rm -rf /mnt/t || fail rm
  cp -r /tmp/tree /mnt/t || fail cp
  sync
  (cd /mnt/t && md5sum -c /tmp/sums) > /tmp/compared 2>&1 || { fail compare; grep -v OK /tmp/compared | head -5; }
  umount /mnt || fail umount
  mount -t vfat /dev/vda /mnt || fail mount
  (cd /mnt/t && md5sum -c /tmp/sums) > /tmp/compared 2>&1 || { fail compare after mount; grep -v OK /tmp/compared | head -5; }
  round=$((round+1))
  kills=$(($(cat /tmp/kills-disk) + $(cat /tmp/kills-fs 2>/dev/null || echo 0)))
done
kill $disk $fs
echo "storm: rounds $round kills of virtio-blk $(cat /tmp/kills-disk) of fat32 $(cat /tmp/kills-fs)"
umount /mnt || fail umount
rm -rf /tmp/tree
echo "storm: ok"
