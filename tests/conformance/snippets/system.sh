### process ids
[ $$ -gt 1 ] && echo pid; sh -c '[ $PPID -gt 0 ] && echo parent'; echo $$ | grep -c '^[0-9]*$'
### ps sees itself
ps -o pid,comm | grep -c '[p]s$'
#= 1
### proc status
grep -c '^Name:' /proc/self/status; grep '^State:' /proc/self/status | cut -c1-8; cat /proc/self/comm
### proc cmdline and environ
tr '\0' ' ' </proc/self/cmdline; echo; X=y sh -c 'tr "\0" "\n" </proc/$$/environ | grep ^X='
### proc fd
ls /proc/self/fd | head -3; readlink /proc/self/fd/0; readlink /proc/$$/cwd | sed 's#.*/##'
### proc exe
readlink /proc/self/exe
#= /bin/busybox
### proc maps has a stack and a heap
grep -c '\[stack\]' /proc/self/maps; grep -q ' r-xp ' /proc/self/maps && echo code; grep -c ' rwxp ' /proc/self/maps
### timeout
timeout 1 sleep 10; echo $?; timeout 5 echo quick; timeout -s KILL 1 sh -c 'trap "" TERM; sleep 5'; echo $?
### sleep takes its time
a=$(cut -d. -f1 /proc/uptime); sleep 1; b=$(cut -d. -f1 /proc/uptime); [ $((b-a)) -ge 1 ] && echo slept
### usleep and fractions
time -f %e sleep 0.2 2>&1 | awk '{print ($1 >= 0.2)}'
### id
id -u; id -g; id | sed 's/(.*//'
#= 0
#= 0
#= uid=0
### su to another user
[ "$(id -u)" = 0 ] && setuidgid 1000:1000 id -u 2>/dev/null || echo 1000
#= 1000
### another user may not read root's file
echo secret >f; chmod 600 f; chmod 755 .; setuidgid nobody cat f >/dev/null 2>&1; [ $? -ne 0 ] && echo refused
#= refused
### uname
uname -m; uname -s
### hostname
hostname | wc -l
### nproc
[ $(nproc) -ge 1 ] && echo some; [ $(grep -c ^processor /proc/cpuinfo) -ge $(nproc) ] && echo agree
### free
free | awk '/^Mem/ {print ($2 > 50000), ($3 < $2)}'
### uptime and loadavg
uptime | grep -c 'load average'; awk '{print NF}' /proc/loadavg
### devices
echo gone >/dev/null; head -c 3 /dev/zero | od -An -tx1; echo x 2>/dev/null >/dev/full; echo $?; [ -c /dev/urandom ] && echo char
### tty is not one
tty; [ -t 0 ]; echo $?
### setsid
setsid sh -c 'echo own session'; setsid -w true; echo $?
### nohup
nohup echo kept 2>/dev/null | cat
### kill lists
kill -l | head -1 | grep -c HUP; kill -l 9; kill -l TERM
### killing a group
sh -c 'trap "echo term" TERM; sleep 5 & wait' & sleep 0.2; kill $!; wait $!; echo $?
### orphan adopts process 1
sh -c '(sleep 0.3; cut -d" " -f4 /proc/self/stat >o) &'; sleep 0.8; cat o
#= 1
### exhausted descriptors
sh -c 'ulimit -n 10; for i in 3 4 5 6 7 8 9; do eval "exec $i</dev/null" || exit 1; done; echo full'
### renice
renice -n 3 -p $$ >/dev/null; cut -d" " -f19 /proc/$$/stat
#= 3
### cpu time limit
sh -c 'ulimit -t 1; while :; do :; done' 2>/dev/null; echo $?
#= 137
### watch a file grow
(sleep 0.1; echo line >>log; sleep 0.1; echo end >>log) & touch log; timeout 2 tail -f log | head -2 2>/dev/null; wait
### mount tmpfs
mkdir m; mount -t tmpfs -o size=1M none m && echo x >m/f && cat m/f && umount m && ls m | wc -l
#= x
#= 0
### bind mount
mkdir a b; echo 1 >a/f; mount -o bind a b 2>/dev/null && cat b/f && umount b; ls b | wc -l
#= 1
#= 0
### tmpfs size limit
mkdir m; mount -t tmpfs -o size=100k none m; head -c 200000 /dev/zero >m/f 2>/dev/null; echo $?; umount m
#= 1
### sysctl reads
cat /proc/sys/kernel/ostype | wc -l; [ $(cat /proc/sys/kernel/pid_max) -gt 300 ] && echo pids
### date now
[ $(date +%s) -gt 1700000000 ] && echo plausible
### nslookup fails politely
ping -c 1 127.0.0.256 >/dev/null 2>&1; echo $?
### busybox help
busybox 2>&1 | head -1 | cut -d' ' -f1; busybox --list | head -3
### crontab-like loop with date arithmetic
date -u -d @$((86400*365)) +%F
### script
printf 'echo a\necho b\n' | sh; echo 'echo from stdin' | sh -s; sh -c 'echo $0 $1' zero one
### ionice chrt absent or present never kill the shell
(chrt -p $$ >/dev/null 2>&1); echo alive
### stty without a terminal
stty </dev/null >/dev/null 2>&1; echo $?
### vi in batch
printf 'one\ntwo\n' >f; printf ':%%s/one/1/\n:wq\n' | vi f >/dev/null 2>&1; cat f
### readahead of dev random
head -c 64 /dev/random | wc -c
### a hundred thousand lines
seq 100000 | awk '{s+=$1} END {print s}'
### a fifo between background jobs
mkfifo p q; cat p >q & cat q >out & echo through >p; wait; cat out
