### touch ls rm
touch a b; ls; rm a; ls; rm nosuch 2>/dev/null; echo $?; rm -f nosuch; echo $?
### ls -l shows type and mode
mkdir d; echo hi >f; ln -s f s; chmod 640 f; ls -l | awk 'NR>1 {print $1, $NF}'
### cp
echo x >a; cp a b; cat b; mkdir d; cp a b d; ls d; cp -r d e; ls e; cp -p a c; cmp a c && echo same; ln -s a s; cp -P s t; readlink t
### mv
echo x >a; mv a b; cat b; mkdir d; mv b d; ls d; mv d e; ls e; echo 1 >p; echo 2 >q; mv p q; cat q
### mkdir and rmdir
mkdir -p a/b/c; rmdir a/b/c; ls a/b; rmdir a 2>/dev/null; echo $?; rmdir -p a/b; ls
### rm -r of a tree
mkdir -p t/1/2/3 t/4; touch t/1/f t/1/2/g t/4/h; rm -r t; ls | wc -l
### ln
echo x >a; ln a b; stat -c '%h' a; ln -s a s; readlink s; rm a; cat b; cat s 2>/dev/null; echo $?
### readlink and realpath
mkdir d; touch d/f; ln -s d/f l; cd d; readlink -f ../l | sed 's#.*/work/##'; realpath . | sed 's#.*/##'
### find
mkdir -p a/b c; touch a/1 a/b/2.txt c/3.txt; find . | sort; find . -name '*.txt' | sort; find . -type d | sort; find . -type f -exec echo found {} \; | sort; find a -maxdepth 1 | sort
### find with size and time
head -c 5000 /dev/zero >big; touch small; find . -size +1k -type f; find . -empty; find . -newer big -type f; find . -mmin -5 -type f | wc -l
### find -delete
mkdir d; touch d/a d/b d/c; find d -type f -delete; ls d | wc -l; find d -perm -u+w | wc -l
### find and xargs over spaces
mkdir 'a b'; echo 1 >'a b/c d'; find . -type f -print0 | xargs -0 cat
### find / | xargs md5sum over known files
mkdir d; for i in $(seq 50); do echo $i >d/$i; done; find d -type f | sort | xargs md5sum | md5sum
### tar
mkdir -p t/s; echo 1 >t/a; echo 2 >t/s/b; ln -s a t/l; chmod 600 t/a; tar cf x.tar t; tar tf x.tar | sort; mkdir out; tar xf x.tar -C out; cat out/t/a out/t/s/b; readlink out/t/l; stat -c %a out/t/a
### tar through a pipe
mkdir -p t/s; seq 1000 >t/a; seq 500 >t/s/b; tar c t | (mkdir o; cd o; tar x); cmp t/a o/t/a && cmp t/s/b o/t/s/b && echo same
### tar gz
mkdir t; seq 1000 >t/n; tar czf x.tgz t; rm -r t; tar xzf x.tgz; md5sum t/n
### gzip
seq 10000 >f; cp f g; gzip f; ls; gzip -t f.gz && echo good; gunzip f.gz; cmp f g && echo same; gzip -c g | zcat | md5sum
### bzip2 and xz
seq 5000 >f; bzip2 -k f; bunzip2 -c f.bz2 | cmp - f && echo same; printf '\375\067\172\130\132\000' | od -An -tx1
### cpio
mkdir t; echo 1 >t/a; find t | sort | cpio -o -H newc 2>/dev/null >x; rm -r t; cpio -i <x 2>/dev/null; cat t/a
### dd
dd if=/dev/zero of=f bs=1k count=10 2>/dev/null; wc -c <f; printf abcdef >g; dd if=g bs=1 skip=2 count=3 2>/dev/null; echo; printf XY | dd of=g bs=1 seek=2 conv=notrunc 2>/dev/null; cat g
### truncate and sparse files
truncate -s 1M f; stat -c '%s' f; du f | cut -f1; truncate -s 10 f; stat -c %s f
#= 1048576
#= 0
#= 10
### stat
echo hello >f; chmod 4755 f; stat -c '%a %s %F' f; stat -c '%F' / /dev/null; ln -s f l; stat -c %F l
### chmod symbolic
touch f; chmod u=rwx,g=rx,o= f; stat -c %a f; chmod a+x,u-w f; stat -c %a f; chmod +t .; stat -c %a .
### chown
touch f; chown 1000:1000 f 2>/dev/null; stat -c '%u %g' f
#= 1000 1000
### touch with a date
touch -d '2001-09-09 01:46:40' f; TZ=UTC stat -c %Y f; TZ=UTC date -r f +%Y
### mounts list the root
grep -c ' / ' /proc/mounts
#= 1
### du
mkdir d; head -c 100000 /dev/zero >d/f; du -s d | awk '{print ($1 >= 98 && $1 < 130)}'
### mktemp
f=$(mktemp $PWD/x.XXXXXX); [ -f $f ] && echo made; d=$(mktemp -d $PWD/y.XXXXXX); [ -d $d ] && echo dir
### an unlinked file stays readable
echo kept >f; exec 5<f; rm f; cat <&5; ls
### a file that is appended by many
for i in 1 2 3 4; do (for j in 1 2 3 4 5 6 7 8 9 10; do echo $i >>f; done) & done; wait; sort f | uniq -c
### a big file
head -c 5000000 /dev/zero >f; md5sum f; cp f g; cmp f g && echo same; rm f g
### names with odd characters
touch 'a"b' "c'd" 'e$f' 'g h' 'i;j' ; ls; rm *; ls -a | wc -l
### long names and deep paths
n=$(printf 'x%.0s' $(seq 200)); touch $n; ls | wc -c; for i in $(seq 30); do mkdir d; cd d; done; pwd | sed 's#.*/work##' | wc -c; echo deep >f; cat f
### rename over an open file
echo old >f; exec 5<f; echo new >g; mv g f; cat <&5; cat f
### directory listing of many
mkdir d; cd d; for i in $(seq 300); do : >$i; done; ls | wc -l; ls | sort -n | tail -1; rm *; ls | wc -l
### cmp
echo x >a; cp a b; cmp a b; echo $?; echo y >>b; cmp a b 2>/dev/null; echo $?
### basename dirname
basename /a/b/c.txt .txt; dirname /a/b/c.txt; basename /; dirname file
### which and type
which ls | sed 's#.*/##'; type cd; command -v sh | sed 's#.*/##'
### sync
echo x >f; sync; echo $?
### shred, unlink, link
echo x >f; link f g; unlink f; cat g
### tree walk with shell only
mkdir -p a/b a/c; touch a/1 a/b/2; walk() { for f in "$1"/*; do [ -e "$f" ] || continue; echo "$f"; [ -d "$f" ] && walk "$f"; done; }; walk a
