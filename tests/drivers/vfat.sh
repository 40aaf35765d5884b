#!/bin/sh
# vfat PART: what users do with a FAT volume; one line for each thing that is not as it should be, and at last "vfat: ok".
fail() { echo "vfat: FAILED: $*"; }
same() { [ "$2" = "$3" ] || fail "$1: '$2', not '$3'"; }
fails() { # WHAT TEXT COMMAND…: it fails, and says so
  what=$1; text=$2; shift 2
  said=$("$@" 2>&1) && fail "$what succeeded"
  case $said in *"$text"*) ;; *) fail "$what says '$said', not '$text'" ;; esac
}
took() { echo "$(($(cut -d. -f1 /proc/uptime) - began)) s: $*" >> /tmp/figures; began=$(cut -d. -f1 /proc/uptime); }
calls() { sed -n 's/^vfat calls \([0-9]*\).*/\1/p' /proc/served; }

users() { # what is allowed, what is not, and with which error
  mkdir -p /mnt
  fails "an unknown option" "Invalid argument" mount -t vfat -o bogus=1 /dev/vdb /mnt
  dmesg | tail -5 | grep -q "bogus=1" || fail "the log does not name the option"
  mount -t vfat -o uid=12,gid=34,fmask=133,dmask=022 /dev/vdb /mnt || fail mount
  cd /mnt
  echo text > File.txt
  same mode "$(stat -c '%a %u %g' File.txt)" "644 12 34"
  same "mode of a directory" "$(stat -c '%a' .)" 755
  same "the other case" "$(cat FILE.TXT)" text
  same listing "$(ls)" "File.txt"
  fails "a symbolic link" "not permitted" ln -s File.txt link
  fails "a hard link" "not permitted" ln File.txt link
  fails "a FIFO" "not permitted" mkfifo fifo
  fails chown "not permitted" chown 1:1 File.txt
  chown 12:34 File.txt || fail "chown to the owner it has"
  fails "a forbidden character" "Invalid argument" touch 'a:b'
  chmod 444 File.txt; same "read-only" "$(stat -c %a File.txt)" 444
  chmod 644 File.txt; same "writable again" "$(stat -c %a File.txt)" 644
  touch -d '2021-02-03 04:05:07' File.txt; same mtime "$(stat -c %Y File.txt)" 1612325106
  mv File.txt FILE.txt; same "renamed in case" "$(ls)" FILE.txt
  mkdir d; touch d/x; fails "a directory that is not empty" "not empty" rmdir d
  echo more > d/y; mv d/y FILE.txt; same "renamed over a file" "$(cat file.TXT)" more
  mkdir -p 'a long directory name/and another one'; cp -a FILE.txt 'a long directory name/and another one/'
  same find "$(find . -type f | sort | tr '\n' ' ')" './FILE.txt ./a long directory name/and another one/FILE.txt ./d/x '
  same "by aliases" "$(cat ALONGD~1/andano~1/file.TXT)" more
  same "the directory behind an alias" "$(cd ALONGD~1 && pwd -P)" '/mnt/a long directory name'
  cat a~1.txt 2> /dev/null && fail "a name that is not there yet"
  echo a > 'a .txt'; same "an alias that was not there before" "$(cat A~1.TXT)" a
  echo b > A~1.TXT; same "written by its alias" "$(cat 'a .txt')" b
  rm A~1.TXT; [ -e 'a .txt' ] && fail "a file that went by its alias"
  rm -rf d 'a long directory name'
  fails "the mount in use" "busy" umount /mnt
  exec 5>>FILE.txt; fails "remount ro with a writer" "busy" mount -o remount,ro /mnt; exec 5>&-
  exec 5<FILE.txt
  mount -o remount,ro /mnt || fail "remount ro"
  exec 5<&-
  fails "a write when read-only" "Read-only" touch new
  mount -o remount,rw /mnt || fail "remount rw"
  touch new || fail "a write after remount"
  mkdir one two
  same "links of a directory" "$(stat -c %h .)" 4
  cd /; umount /mnt || fail umount
  mount -t vfat /dev/vdb /mnt || fail "another mount"
  same "links after another mount" "$(stat -c %h /mnt)" 4
  rmdir /mnt/one /mnt/two; touch /mnt/three || fail "a file beside directories that are gone"
  umount /mnt || fail umount
  mount -t vfat -o ro /dev/vdb /mnt || fail "mount ro"
  fails "a write when mounted so" "Read-only" touch /mnt/other
  mount -o remount,rw /mnt && touch /mnt/other || fail "remount of a read-only mount"
  umount /mnt || fail "umount again"
}

full() { # a full disk: it says so, keeps what it had, and has room again
  mount -t vfat /dev/vdb /mnt || fail mount
  before=$(df -k /mnt | awk 'NR == 2 { print $4 }')
  fails "filling the disk" "No space" dd if=/dev/zero of=/mnt/big bs=64k
  dd if=/dev/zero of=/mnt/more bs=4k count=1 2>/dev/null && fail "room on a full disk"
  sync
  rm -f /mnt/big /mnt/more
  dd if=/dev/zero of=/mnt/again bs=1024 count=$((before / 2)) 2>/dev/null || fail "no room after rm"
  rm /mnt/again
  sync
  same "free after all" "$(df -k /mnt | awk 'NR == 2 { print $4 }')" "$before"
  umount /mnt || fail umount
}

cached() { # what caches have makes no call
  mount -t vfat /dev/vda /mnt || fail mount
  cd /mnt
  set -- $(find . -type f ! -name '* *' | head -20)
  cat "$@" > /dev/null; stat "$@" > /dev/null; ls -l "$@" > /dev/null
  before=$(calls)
  cat "$@" > /dev/null; stat "$@" > /dev/null; ls -l "$@" > /dev/null; test -e "$1"; exec 3< "$1"; read line <&3; exec 3<&-
  same "calls for what is cached" "$(($(calls) - before))" 0
  cd /; umount /mnt || fail umount
}

tree() { # BYTES of the large file: the host's tree is read, copied, thinned out
  mount -t vfat /dev/vda /mnt || fail mount
  (cd /mnt/host && md5sum -c ../sums > /tmp/compared 2>&1) || { fail "the host's files"; grep -v OK /tmp/compared | head -5; }
  took "md5sum of the host's files"
  cp -r /mnt/host /mnt/guest || fail cp
  took "cp -r of them"
  head -c "$1" /dev/urandom > /mnt/large || fail "a large file"
  took "$1 bytes from /dev/urandom"
  rm -rf /mnt/guest/many/f1*
  mv /mnt/guest/many /mnt/guest/fewer || fail "mv of a directory"
  umount /mnt || fail umount
  took "rm of 1 in 9, umount"
  mount -t vfat /dev/vda /mnt || fail mount
  cd /mnt
  find guest large -type f -print0 | xargs -0 md5sum > /tmp/guest-sums
  took "md5sum of what was written"
  cp /tmp/guest-sums /mnt/guest-sums
  du -s guest > /dev/null
  cd /; umount /mnt || fail umount
  took du, umount
}

began=$(cut -d. -f1 /proc/uptime)
"$@"
echo "vfat: ok"
