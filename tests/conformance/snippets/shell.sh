### variables and quoting
a=1 b='two words' c="$a-$b"; echo "$c" '$c' "\$c" \\ "a'b" 'a"b'
### parameter expansion
p=/usr/lib/libfoo.so.1; echo ${p##*/} ${p%/*} ${p%%.*} ${p#/usr} ${#p} ${unset:-default} ${a:=assigned} $a ${p:5:3} ${p/lib/LIB} ${p//lib/LIB}
### arithmetic
echo $((1+2*3)) $(((7-10)/2)) $((7%3)) $((1<<20)) $((0xff & ~0x0f)) $((5>3&&2<1)) $((x=4,x*x)) $((9223372036854775807+1))
### command substitution nests
echo "$(echo "outer $(echo "inner $(echo deep)")")" `echo old \`echo style\``
### pipeline of eight
seq 1 1000 | grep 7 | sort -rn | head -50 | tail -40 | tr 7 x | cat | wc -l
### pipeline status
true | false; echo $?; false | true; echo $?; ! true; echo $?; set -o pipefail; false | true; echo $?
### here-document
cat <<END
value $((6*7)) $(echo sub)
	tab kept
END
cat <<'END'
no $expansion `here`
END
cat <<-END
	tab stripped
	END
### here-document into a loop
while read a b; do echo "$b $a"; done <<END
1 one
2 two
3 three four
END
### for while until case
for i in a b c; do echo -n "$i "; done; echo; n=0; while [ $n -lt 5 ]; do n=$((n+1)); [ $n = 3 ] && continue; echo -n $n; done; echo; until [ $n = 0 ]; do n=$((n-1)); done; echo $n; for f in x.c y.h z; do case $f in *.c) echo C;; *.h|*.hh) echo H;; *) echo other;; esac; done
### functions and local
f() { local x=inner; echo $x "$1" $#; return 3; }; x=outer; f "a b" c; echo $? $x
### recursion
fact() { if [ $1 -le 1 ]; then echo 1; else echo $(($1 * $(fact $(($1-1))))); fi; }; fact 10
### positional parameters
set -- one "two three" four; echo $# "$2"; shift; echo "$1" "$*"; for a; do echo "<$a>"; done; IFS=,; echo "$*"
### getopts
set -- -a -b val file; while getopts ab: o; do echo $o $OPTARG; done; shift $((OPTIND-1)); echo $1
### traps
trap 'echo leaving' EXIT; trap 'echo got usr1' USR1; kill -USR1 $$; echo after; (trap 'echo sub leaving' EXIT; exit 3); echo $?
### trap of int is inherited as default
trap 'echo int' INT; kill -INT $$; sh -c 'trap'; trap
### subshells keep their changes
x=1; (x=2; cd /; echo $x); echo $x; { x=3; }; echo $x; pwd | sed 's#.*/##'
### exit status of a killed command
sh -c 'kill -9 $$'; echo $?; sh -c 'kill -TERM $$'; echo $?; sh -c 'exit 77'; echo $?
### redirections
echo one >f; echo two >>f; cat <f; cat f nosuch 2>/dev/null; ls nosuch 2>&1 | sed 's/.*: //'; exec 3>g; echo three >&3; exec 3>&-; cat g; { echo out; echo err >&2; } 2>&1 >h | cat; cat h
### descriptors in both directions
echo hello >f; exec 4<>f; read line <&4; echo more >&4; exec 4>&-; cat f; echo $line
### noclobber
set -C; echo a >f; echo b >f; echo $?; echo c >|f; cat f
### globs
touch a1 a2 b1 .hid 'sp ace'; echo *; echo a*; echo [ab]1; echo ?2; echo .h*; echo nomatch*; for f in *; do echo "[$f]"; done
### globs in directories
mkdir -p d/e; touch d/e/f1 d/e/f2 d/x; echo d/*/f?; echo */*
### background and wait
(sleep 0.1; exit 5) & p=$!; wait $p; echo $?; sleep 0.05 & sleep 0.05 & wait; echo all done
### background pipeline writes a file
{ seq 100 | tac >out; } & wait; head -3 out; wc -l <out
### twenty jobs at once
for i in $(seq 20); do (echo $i >job.$i) & done; wait; cat job.* | sort -n | tr '\n' ' '
### many forks
i=0; while [ $i -lt 100 ]; do /bin/true; i=$((i+1)); done; echo $i
### deep pipeline of subshells
(echo a; (echo b; (echo c; (echo d)))) | while read x; do echo -n $x$x; done; echo
### read with IFS
echo 'root:x:0:0::/root:/bin/sh' | { IFS=: read u p i g n h s; echo $u $i $h $s; }
### printf
printf '%5d|%-5s|%05.1f|%x|%o|%c|%%|%b\n' 42 ab 3.14159 255 8 z 'a\tb'; printf '%s-%s\n' 1 2 3 4
### echo -e
echo -e 'a\tb\nc\\d\x41'; echo -n no newline
### test operators
[ -d / ] && [ -f /bin/busybox ] && [ -x /bin/sh ] && [ ! -e /nosuch ] && [ -n x ] && [ -z '' ] && [ 3 -gt 2 ] && [ a != b ] && [ 1 -eq 1 -a 2 -eq 2 ] && echo yes; touch new; [ new -nt /bin/busybox ] && echo newer; [ -s new ] || echo empty
### eval and indirect
v=name; name=value; eval "echo \$$v"; eval 'for i in 1 2; do echo $i; done'
### dot
echo 'x=sourced; echo in $1' >s; . ./s arg; echo $x
### set -e
sh -ec 'echo a; false; echo b'; echo $?; sh -ec 'false || echo saved; if false; then :; fi; echo end'; echo $?
### set -u and -x
sh -uc 'echo $nope' 2>/dev/null; echo $?; sh -xc 'echo a b' 2>&1
### brace groups and lists
true && echo a || echo b; false && echo a || echo b; { echo c; } ; (echo d; false) || echo e
### long command line
set -- $(seq 1 5000); echo $#; /bin/echo "$@" | wc -c
### environment
X=1 sh -c 'echo $X'; export Y=2; sh -c 'echo $Y'; env -i A=b /bin/sh -c 'echo $A $HOME'; unset Y; sh -c 'echo "<$Y>"'
### a script with an interpreter line
printf '#!/bin/sh\necho script $0 $#\n' >s; chmod +x s; ./s a b; printf '#!/bin/awk -f\nBEGIN { print "awk", ARGC }\n' >a; chmod +x a; ./a x y
### command not found
nosuchcommand 2>/dev/null; echo $?; ./ 2>/dev/null; echo $?; touch noexec; ./noexec 2>/dev/null; echo $?
### umask
umask 027; touch f; mkdir d; stat -c '%a %n' f d; umask
### ulimit
ulimit -n 64; ulimit -n
### times and dates of a fixed moment
date -u -d @1000000000 '+%Y-%m-%d %H:%M:%S %j %a'; TZ=UTC date -d @0
### string comparison in case with ranges
for c in a Q 5 _; do case $c in [a-z]) echo lower;; [A-Z]) echo upper;; [0-9]) echo digit;; *) echo else;; esac; done
### process substitution by fifo
mkfifo p; sort p >out & printf '3\n1\n2\n' >p; wait; cat out
### exec replaces
sh -c 'echo before; exec echo replaced; echo never'
### signals to a background job
sleep 100 & p=$!; kill $p; wait $p; echo $?; kill -0 $p 2>/dev/null || echo gone
### stop and continue a job
sh -c 'kill -STOP $$; echo resumed' & p=$!; sleep 0.1; kill -CONT $p; wait $p; echo $?
### wait for a stopped then killed job
sh -c 'kill -STOP $$' & p=$!; sleep 0.1; kill -KILL $p; wait $p 2>/dev/null; echo $?
### yes into head
yes | head -n 1000 | md5sum
### a million bytes through a pipe
head -c 1000000 /dev/zero | tr '\0' x | md5sum
### tee
echo both | tee f1 f2 | cat; cat f1 f2
### xargs runs several
seq 10 | xargs -n 3 echo; seq 4 | xargs -I {} echo item {}; printf 'a b\0c\0' | xargs -0 -n 1 echo
