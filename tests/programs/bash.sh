# Here-documents, substitutions, arrays, traps, jobs: what scripts use of bash.
name=world
cat <<EOF
hello $name $((6 * 7)) $(echo nested)
EOF
cat <<'EOF'
nothing $name $(echo here)
EOF
cat <<-EOF
	tabs go
	EOF
cat <<< "a here-string of $name"
read -r a b <<< 'two words'; echo "$b $a"

echo "process substitution: $(cat <(echo one) <(echo two) | tr '\n' ' ')"
diff <(printf '%s\n' 1 2 3) <(printf '%s\n' 1 3) || echo "diff says $?"
tee >(tr a-z A-Z > upper) <<< 'to the pipe' > /dev/null
for i in {1..50}; do [ -s upper ] && break; sleep 0.1; done
cat upper
while read -r line; do count=$((count + 1)); done < <(seq 100); echo "$count lines"

declare -A of=([one]=1 [two]=2); for k in "${!of[@]}"; do echo "$k=${of[$k]}"; done | sort
list=(a b "c d" e); echo "${#list[@]} ${list[2]} ${list[@]: -2} ${list[*]/c/C}"
mapfile -t lines < <(seq 5); echo "${lines[@]}"
text=archive.tar.gz; echo "${text%%.*} ${text#*.} ${text/tar/cpio} ${text^^} ${#text} ${text:0:3}"
[[ $text =~ ^([a-z]+)\.(.*)$ ]] && echo "${BASH_REMATCH[1]} ${BASH_REMATCH[2]}"
shopt -s extglob
case foobar in +(foo|bar)) echo extglob ;; esac
printf '%q %s %05.1f %x\n' 'a b$' text 3.14159 255
printf -v padded '%-8s|' x; echo "$padded"
echo $((2 ** 62)) $((017 + 0x1f)) $((5 / 2)) $((-7 % 3)) $(( (1 << 40) >> 38 ))

false | true | false; echo "${PIPESTATUS[@]}"
set -o pipefail; true | false | true; echo "pipefail $?"; set +o pipefail
(exit 3); echo $?
( trap 'echo exit trap' EXIT; echo inside )
trap 'echo got USR1' USR1; kill -USR1 $$; trap - USR1
bash -c 'trap "echo term; exit 5" TERM; kill -TERM $$; sleep 5'; echo $?
(bash -c 'kill -9 $$'; echo $?) 2> /dev/null

set -m
sleep 100 & job=$!
jobs | sed 's/ *sleep/ sleep/'
kill -STOP %1; sleep 0.2; jobs | sed 's/  */ /g'
kill -CONT %1; sleep 0.2; jobs | sed 's/  */ /g'
kill %1; wait %1 2> /dev/null; echo "ended with $?"
set +m
(sleep 0.3; exit 7) & (exit 4) & wait -n; echo $?; wait %1; echo $?
coproc tr a-z A-Z; echo coproc >&${COPROC[1]}; exec {COPROC[1]}>&-; cat <&${COPROC[0]}
read -t 0.2 -r never < <(sleep 1); [ $? -gt 128 ] && echo "timed out"
exec 5> descriptor; echo through >&5; exec 5>&-; cat descriptor
f() { local IFS=,; echo "$*"; }; f 1 2 3
fib() { if (($1 < 2)); then echo $1; else echo $(($(fib $(($1 - 1))) + $(fib $(($1 - 2))))); fi; }; fib 9
echo {a..e}{1,2}
printf '%s\n' *.sh 2> /dev/null | wc -l
(ulimit -n 64; ulimit -n)
umask 027; touch masked; stat -c %a masked
echo "$BASH_SUBSHELL $(echo $BASH_SUBSHELL) ${FUNCNAME[0]:-none}"
echo 'echo from a script; exit 9' > script; bash script; echo $?
printf '#!/bin/bash\necho "$0 $# $2"\n' > run-me; chmod +x run-me; ./run-me x 'y z'
eval 'for i in 1 2; do printf "%s " $i; done'; echo
select x in yes no; do echo "selected $x"; break; done <<< 2 2> /dev/null
getopts 'ab:' opt -b value; echo "$opt $OPTARG"
[ -t 0 ] || echo "no terminal"
no-such-command 2>&1 | sed 's/.*: no-such/no-such/'; echo "${PIPESTATUS[0]}"
help > /dev/null && type -t cd ls if f
