# Run by Debian's bash-static, here and on the host: what it prints must be the same.
set -u; shopt -s extglob globstar nullglob
declare -A count=()
for word in the quick brown fox jumps over the lazy dog the end; do ((count[$word]++)) || true; done
for word in "${!count[@]}"; do printf '%s=%d\n' "$word" "${count[$word]}"; done | while read -r line; do lines+=("$line"); done; echo "${#count[@]} words"
mapfile -t sorted < <(for word in "${!count[@]}"; do echo "$word ${count[$word]}"; done | { while read -r w n; do echo "$n:$w"; done; })
printf '%s\n' "${#sorted[@]} entries"
[[ "linux-6.1.0" =~ ^([a-z]+)-([0-9]+)\.([0-9]+) ]] && echo "${BASH_REMATCH[1]} ${BASH_REMATCH[2]} ${BASH_REMATCH[3]}"
text="Hello, World"; echo "${text,,} ${text^^} ${text//o/0} ${text:7} ${#text} ${text%%,*}"
fib() { local n=$1; if ((n < 2)); then REPLY=$n; else fib $((n-1)); local a=$REPLY; fib $((n-2)); REPLY=$((a+REPLY)); fi; }
fib 15; echo "fib $REPLY"
coproc ADDER { while read -r a b; do echo $((a+b)); done; }
echo "20 22" >&"${ADDER[1]}"; read -r answer <&"${ADDER[0]}"; echo "coproc $answer"
exec {fd}>&"${ADDER[1]}"; exec {fd}>&-; eval "exec ${ADDER[1]}>&-"; wait "$ADDER_PID"; echo "coproc ended $?"
trap 'echo "got USR1"' USR1; kill -USR1 $$; trap - USR1
(exit 7) & wait $!; echo "child $?"
for i in {1..20}; do (exit $i) & pids[i]=$!; done; sum=0; for i in {1..20}; do wait "${pids[i]}"; ((sum+=$?)); done; echo "sum $sum"
diff_by_cat() { while IFS= read -r -u3 a && IFS= read -r -u4 b; do [ "$a" = "$b" ] || echo "differ: $a $b"; done 3<"$1" 4<"$2"; }
printf '%s\n' one two three > a; printf '%s\n' one 2 three > b; diff_by_cat a b
mkdir -p d/e/f; touch d/x.c d/e/y.c d/e/f/z.h; echo **/*.c; echo d/**/!(*.c)
printf 'heredoc:\n'; cat() { while IFS= read -r l; do printf '%s\n' "$l"; done; }; cat <<END
  $((6*7)) $(echo nested $(echo twice))
END
ulimit -n 64; (ulimit -n 32; ulimit -n); ulimit -n
set -o pipefail; false | true; echo "pipefail $?"
time_format() { TIMEFORMAT=; time for ((i=0;i<20000;i++)); do :; done; echo "loop done $i"; }; time_format 2>/dev/null
mkfifo=1; echo data >plain; read -r line <plain; echo "$line"
declare -p count | wc_chars() { local s; IFS= read -r s; echo $(( ${#s} > 20 )); }; declare -i x=010; echo $x; echo $((16#ff)) $((2**40)) $((-7/2)) $((-7%3))
printf '%(%Y)T %q %b\n' 0 "a b" 'tab\there'
