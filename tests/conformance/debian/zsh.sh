# Run by Debian's zsh-static -f, here and on the host: what it prints must be the same.
typeset -A map; map=(one 1 two 2 three 3); for k in ${(ko)map}; do print "$k=$map[$k]"; done
list=(pear apple fig apple); print ${(o)list} ${(u)list} $#list ${list[-1]} ${(j:,:)list}
print ${(U)${:-shout}} ${${:-/a/b/c.txt}:t:r} ${${:-/a/b/c.txt}:h}
setopt extended_glob; mkdir -p q/r; touch q/{1..5}.t q/r/x; print q/*.t(on) q/**/*(.on) q/<2-4>.t
float f=1.5; integer n=7; print $(( f * n )) $(( n / 2 )) $(( n / 2. ))
fact() { (( $1 < 2 )) && print 1 || print $(( $1 * $(fact $(( $1 - 1 ))) )) }; fact 10
print -l a b c | while read x; do print "<$x>"; done
TRAPUSR1() { print "usr1" }; kill -USR1 $$
( exit 3 ); print $?
sleep() { : }; for i in {1..10}; do { print -n "" } & done; wait; print waited
print ${(l:8::0:)n} ${(s.:.)${:-a:b:c}}
cat <<< "here string" 2>/dev/null || read -r l <<< "here string"; print ${l:-none}
