### awk fields
printf 'a 1\nb 2\nc 3\n' | awk '{s+=$2; print NR, $1} END {print s, NR}'
### awk arrays and functions
awk 'function f(n) { return n<2 ? n : f(n-1)+f(n-2) } BEGIN { for (i=0;i<15;i++) printf "%d ", f(i); print ""; split("x y z", a); for (i=1;i<=3;i++) print a[i]; print length("hello"), toupper("abc"), substr("hello", 2, 3), index("hello", "ll") }'
### awk floating point
awk 'BEGIN { printf "%.6f %.6f %.6f %g\n", sin(1), exp(1), sqrt(2), 1e300*10; print 1/3, 2^10, 7%3, int(-3.7) }'
### awk regular expressions
printf 'foo123\nbar\nbaz9\n' | awk '/[0-9]+$/ { gsub(/[0-9]/, "#"); print } !/[0-9#]/ { print "plain", $0 }'
### awk separators
echo 'a:b:c' | awk -F: -v OFS=- '{ $1=$1; print; print NF, $NF }'
### awk getline and pipes
awk 'BEGIN { while (("seq 3" | getline x) > 0) print "got", x; print "to sort" | "sort -r"; close("sort -r"); printf "z\ny\n" | "sort" }'
### sed substitute
echo 'hello world' | sed -e 's/o/0/g' -e 's/\(h\)\(e\)/\2\1/' -e 's/w.*/[&]/'
### sed addresses
seq 10 | sed -n '2,4p;/7/p;$p'; seq 5 | sed '2d;4s/$/!/'; seq 6 | sed -n '1~2p'
### sed hold space
seq 5 | sed -n '1!G;h;$p'
### sed in place
printf 'one\ntwo\n' >f; sed -i 's/one/1/' f; cat f
### sed append insert change
printf 'a\nb\nc\n' | sed -e '/b/i\before' -e '/b/a\after' -e '/c/c\changed'
### grep
printf 'apple\nBanana\ncherry\n' >f; grep -n an f; grep -i APPLE f; grep -v a f; grep -c e f; grep -E '^(a|c)' f; grep -o '[aeiou]' f | sort | uniq -c | sort -rn; grep -q zzz f; echo $?
### grep through directories
mkdir -p d/e; echo needle >d/e/f; echo hay >d/g; grep -r needle d; grep -rl needle d; grep -rL needle d
### sort
printf '3 c\n1 a\n2 b\n10 d\n' >f; sort f; sort -n f; sort -rn f; sort -k2 f; sort -t' ' -k1,1n f; printf 'b\na\nb\n' | sort -u
### sort of ten thousand
seq 10000 | awk '{print ($1*7919)%10007}' | sort -n | md5sum
### uniq
printf 'a\na\nb\na\n' | uniq; printf 'a\na\nb\n' | uniq -c; printf 'a\na\nb\n' | uniq -d; printf 'a\na\nb\n' | uniq -u
### cut paste
echo 'a:b:c:d' | cut -d: -f2,4; echo abcdef | cut -c2-4; seq 3 >x; seq 4 6 >y; paste x y; paste -sd+ x
### tr
echo Hello | tr a-z A-Z; echo aabbcc | tr -s b; echo 'a1b2' | tr -d 0-9; echo abc | tr abc xyz; echo 'tab	x' | tr '\t' ' '
### head and tail
seq 20 >f; head -3 f; tail -3 f; head -n -17 f; tail -n +18 f; head -c 5 f; tail -c 5 f
### wc
printf 'one two\nthree\n' >f; wc f; wc -l f; wc -w <f; wc -c <f
### join by awk
printf 'a 1\nb 2\n' >1; printf 'b x\na y\n' >2; awk 'NR==FNR {v[$1]=$2; next} {print $1, v[$1], $2}' 1 2
### diff
printf '1\n2\n3\n' >a; printf '1\nx\n3\n4\n' >b; diff a b | grep '^[-+]' | tail -n +3; diff a a; echo $?; cmp a b; echo $?
### patch
printf '1\n2\n3\n' >a; printf '1\nx\n3\n' >b; diff -u a b >p; patch a <p; cat a
### fold expand nl rev tac
echo abcdefghij | fold -w 4; printf 'a\tb\n' | expand; echo hello | rev; seq 3 | tac; printf 'x\ny\n' | nl
### od and hexdump
printf 'ABC\000\377' | od -An -tx1; printf 'hello world, 123' | hexdump -C; echo hi | xxd
### base64 and uuencode
printf 'some binary \001\002' | base64; echo c29tZQ== | base64 -d; echo
### checksums
printf 'The quick brown fox' >f; md5sum f; sha1sum f; sha256sum f; sha512sum f
### checksum verification
echo data >f; sha256sum f >s; sha256sum -c s; echo changed >f; sha256sum -c s 2>/dev/null; echo $?
### bc and dc
echo '2^64; scale=10; 10/3; sqrt(2)' | bc; echo '3 4 + p' | dc
### expr
expr 3 + 4; expr 10 / 3; expr abc : 'a\(.\)c'; expr length hello; expr 2 \> 1
### seq
seq 3; seq 2 5; seq 1 3 10; seq -w 8 11; seq -s, 5; seq 5 -2 1
### strings
printf '\001\002hello there\000\003ab\000longer string\000' | strings
### ed
printf 'one\ntwo\n' >f; printf '1s/one/ONE/\n$a\nthree\n.\nw\nq\n' | ed f; cat f
### cal of a fixed month
cal 9 2001
### factor
factor 360 1234567 97
### numeric precision in printf
printf '%.3f %e %g\n' 2.71828 12345.678 0.0001
### od of random is random
a=$(head -c 16 /dev/urandom | md5sum); b=$(head -c 16 /dev/urandom | md5sum); [ "$a" != "$b" ] && echo differ
