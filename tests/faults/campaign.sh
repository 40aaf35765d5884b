#!/bin/sh
# campaign SEED COUNT PAUSE_MS: COUNT faults of mixed kinds into the drivers of /dev/vda and of its file system, one each PAUSE_MS, while
# a tree is copied there, synced and compared, and a bystander goes about its own business. A volume found damaged is counted and made
# anew. Prints what was seen, and at last "campaign: done".
trap '' TTOU
rm -rf /tmp/c
mkdir -p /tmp/c/tree/a/deeper/folder /mnt
cd /tmp/c || exit 1
# What makes a volume anew must not bring names back whose contents are long overwritten: a program that walks those walks for ever.
until [ -b /dev/vda ]; do usleep 100000; done # its driver has just been started
mount -t vfat /dev/vda /mnt && rm -rf /mnt/t && umount /mnt || exit 1
dd if=/dev/vda of=fresh bs=64k count=40 2>/dev/null

now() { # hundredths of a second since boot
  read -r up rest </proc/uptime
  up=${up%.*}${up#*.}
  echo "${up#0}" # a leading zero is octal
}

# Processes, pipes and files that have nothing to do with the disk: the longest pause anybody saw.
bystander() {
  gap=0 rounds=0 last=$(now)
  while [ ! -e stop ]; do
    echo "$rounds" | md5sum >bystander.sum
    usleep 20000
    at=$(now)
    [ $((at - last)) -gt $gap ] && gap=$((at - last))
    last=$at rounds=$((rounds + 1))
    echo "bystander: rounds $rounds longest pause $gap cs" >bystander.new
    mv bystander.new bystander
  done
}

seen() { # a program saw an error
  errors=$((errors + 1))
  echo "$*" >>errors
}

# Bytes that are not as they were written or not there, and files that are not there.
lost() {
  find . -type f >../names
  while read -r name; do
    size=$(wc -c <"$name") there=0
    if [ -f "/mnt/t/$name" ]; then
      there=$(wc -c <"/mnt/t/$name")
      bytes=$((bytes + $(cmp -l "$name" "/mnt/t/$name" 2>/dev/null | wc -l)))
    else
      missing=$((missing + 1))
    fi
    [ "$there" -lt "$size" ] && bytes=$((bytes + size - there))
  done <../names
}

remake() {
  umount /mnt 2>/dev/null || umount -l /mnt 2>/dev/null
  dd if=fresh of=/dev/vda bs=64k 2>/dev/null
  remakes=$((remakes + 1))
}

load() {
  errors=0 bytes=0 missing=0 remakes=0 rounds=0
  while [ ! -e stop ]; do
    before=$errors
    mount -t vfat /dev/vda /mnt 2>>errors || seen mount
    [ $errors = $before ] && { rm -rf /mnt/t 2>>errors || seen rm; }
    [ $errors = $before ] && { cp -r tree /mnt/t 2>>errors || seen cp; }
    sync
    umount /mnt 2>>errors || seen umount
    if [ $errors = $before ]; then
      if mount -t vfat /dev/vda /mnt 2>>errors; then
        (cd /mnt/t && md5sum -c /tmp/c/sums) >compared 2>&1 || { seen compare; cd tree; lost; cd ..; }
      else
        seen mount again
      fi
      umount /mnt 2>>errors || seen umount again
    fi
    [ $errors = $before ] || remake
    rounds=$((rounds + 1))
    echo "load: rounds $rounds errors $errors bytes $bytes missing $missing remakes $remakes" >load.new
    mv load.new load
  done
  touch load.ended
}

i=0
while [ $i -lt 6 ]; do
  head -c 300001 /dev/urandom >tree/a/f$i.bin
  head -c 50000 /dev/urandom >"tree/a/deeper/a longer name $i.dat"
  echo $i >tree/a/deeper/folder/small$i
  i=$((i + 1))
done
(cd tree && find . -type f -print0 | xargs -0 md5sum) >sums

bystander &
load &
fault storm "$1" "$2" virtio-blk,fat32 "$3" >storm # the console is the kernel's log meanwhile
ended() { # within SECONDS
  i=0
  while [ ! -e load.ended ] && [ $i -lt "$1" ]; do sleep 1; i=$((i + 1)); done
  [ -e load.ended ]
}

# A file system whose memory is corrupted may lead a program in circles with lawful answers: the next server knows better.
touch stop
ended 120 || {
  echo "load: led in circles"
  ps
  cat /proc/roundtrips
  kill -9 $(pidof fat32)
  ended 60 || echo "load: HANGS"
}
sleep 1
tail -n 1 storm
cat bystander load
[ -s errors ] && sort errors | uniq -c | sort -rn | head -12
echo "campaign: done"
