#!/bin/bash
# tests/run/run_test.sh - run.sh from outside: statuses, streams, options, what it says when something is wrong.  Prints TAP.
set -u
cd "$(dirname "$0")/../.." || exit 1
work=$(mktemp -d "${TMPDIR:-/tmp}/run_test.XXXXXX")
trap 'rm -rf "$work"' EXIT
number=0 failures=0
limit=(--timeout 60)

# run STATUS NAME ARGS...: ./run.sh with these arguments must end with this status; $work/out and $work/err are what it said.
# Its standard input is ours.
run() {
	local wanted=$1 name=$2 status
	shift 2
	./run.sh "${limit[@]}" "$@" > "$work/out" 2> "$work/err"
	status=$?
	[ $status = "$wanted" ]
	report "$name" $? "status $status, not $wanted"
}

# report NAME STATUS-OF-A-TEST WHY
report() {
	number=$((number + 1))
	if [ "$2" = 0 ]; then
		echo "ok $number - $1"
	else
		failures=$((failures + 1))
		echo "not ok $number - $1"
		echo "# ${3:-}"
		for f in out err; do head -c 600 "$work/$f" | sed "s/^/# std$f: /" | tr -d '\0'; done
		echo
	fi
}
says() { grep -q -- "$2" "$work/$1"; report "$3" $? "std$1 does not have: $2"; }
is() { printf "$2" | cmp -s - "$work/$1"; report "$3" $? "std$1 is not: $2"; }
empty() { [ ! -s "$work/$1" ]; report "$2" $? "std$1 is not empty"; }

exec < /dev/null

# ---- status and streams
run 200 'the first example' -c 'echo hello | tr a-z A-Z; echo err >&2; exit 200'
is out 'HELLO\n' 'standard output is that of the command, no more'
is err 'err\n' 'and so is standard error'
for status in 0 1 124 125 126 255; do run $status "status $status" -c "exit $status"; done
empty err 'run.sh says nothing of its own'
run 143 'a command that SIGTERM ends' -c 'kill -TERM $$'
run 137 'a program that SIGKILL ends' -c 'sh -c "kill -KILL \$\$"'
run 137 'a program that takes all memory' -c 'echo 1 > /proc/sys/vm/overcommit_memory; tail -c 400m /dev/zero'
says err 'run.sh: out of memory: killed process [0-9]* (tail)' 'and it is said why it had to go'
run 127 'a command that does not exist' -c 'no-such-command'
run 0 'orphans do not hold it up' -c 'sleep 1000 & echo done'
is out 'done\n' 'their parent has said its word'
run 0 'an empty command' -c ''
run 0 'quotes, newlines and dollar signs' -c $'x=\'a  b\'\necho "$x" $((1 + 2)); printf "%s\\n" \'c"d\''
is out 'a  b 3\nc"d\n' 'reach the shell as they are'
run 0 'control characters' -c 'printf "a\r\nb\nc\0d\377\001\033[1m"'
is out 'a\r\nb\nc\0d\377\001\033[1m' 'come through unchanged'

# ---- standard input, in all forms
run 0 'no input' -c 'cat; echo end'
is out 'end\n' 'is an end of file'
echo typed > "$work/in"
run 0 'input from a file' -c 'cat' < "$work/in"
is out 'typed\n' 'is read'
{ sleep 2; echo late; } | run 0 'input that comes late' -c 'read x; echo "got $x"' > "$work/tap"
number=$((number + 1)); cat "$work/tap"
is out 'got late\n' 'is waited for'
run 3 'input that is closed' -c 'cat; exit 3' <&-
./run.sh "${limit[@]}" -c 'echo x; exit 4' >&- 2> "$work/err"
[ $? = 4 ]; report 'output that is closed' $?
head -c 1000000 /dev/urandom > "$work/random"
run 0 '1,000,000 random bytes in and out' -c 'cat' < "$work/random"
cmp -s "$work/random" "$work/out"; report 'are the same' $?
yes 'a line of which there are many' | head -c 200000 > "$work/lines"
run 0 'input that is read in part' -c 'head -n 2' < "$work/lines"
is out 'a line of which there are many\na line of which there are many\n' 'is no reason to wait'

# ---- a lot of output, and readers that are slow or gone
run 0 '10 MB of output' -c 'dd if=/dev/zero bs=65536 count=153 2> /dev/null'
[ "$(stat -c %s "$work/out")" = 10027008 ]; report 'are 10 MB' $? "$(stat -c %s "$work/out") bytes"
./run.sh "${limit[@]}" -c 'seq 1 60000' 2> "$work/err" | { sleep 3; md5sum; } > "$work/out"
[ "$(cat "$work/out")" = "$(seq 1 60000 | md5sum)" ]; report 'a slow reader loses nothing' $?
./run.sh "${limit[@]}" -c 'yes' 2> "$work/err" | head -n 1 > "$work/out"
[ "${PIPESTATUS[0]}" = 141 ]; report 'a reader that goes away ends it' $?

# ---- a program and files of the host
mkdir -p "$work/tree/sub dir"
echo deep > "$work/tree/sub dir/file"
ln -s 'sub dir/file' "$work/tree/link"
chmod 750 "$work/tree/sub dir"
run 0 'a folder of the host' --add "$work/tree" -c 'cat /host/tree/link; stat -c %a "/host/tree/sub dir"'
is out 'deep\n750\n' 'is there with links and modes'
run 0 'files in places of their own' --add "$work/in:/etc/typed" --add "$work/tree:/deep/er" -c 'cat /etc/typed "/deep/er/sub dir/file"'
is out 'typed\ndeep\n' 'are there'
echo changed > "$work/in"
run 0 'a file that has changed since' --add "$work/in:/etc/typed" --add "$work/tree:/deep/er" -c 'cat /etc/typed'
is out 'changed\n' 'is the new one'
printf '#include <stdio.h>\nint main(int n, char **a) { for (int i = 1; i < n; i++) printf("<%%s>", a[i]); return n; }\n' > "$work/args.c"
musl-gcc -static -o "$work/args" "$work/args.c"
run 5 'a program of the host' -- "$work/args" 'a b' "c'd" '$x' ''
is out "<a b><c'd><\$x><>" 'gets its arguments as they are'
gcc -o "$work/dynamic" "$work/args.c"
run 3 'a program that is linked dynamically' -- "$work/dynamic" a b
is out '<a><b>' 'runs with the libraries of the host'
mkdir "$work/lib"
echo 'int twice(int x) { return 2 * x; }' | gcc -shared -fPIC -xc - -o "$work/lib/libtwice.so"
echo 'int twice(int); int main(void) { return twice(4); }' > "$work/twice.c"
gcc -o "$work/twice" "$work/twice.c" -L"$work/lib" -ltwice '-Wl,-rpath,$ORIGIN/lib'
run 8 'a library beside the program' -- "$work/twice"
rm "$work/lib/libtwice.so"
run 126 'a library that is missing' -- "$work/twice"
says err '^run.sh: .*not on this machine: libtwice.so' 'is named'

# ---- Debian packages.  Two small ones: a program of the one with a library of the other.
run 126 'a package that does not exist' --debian no-such-package -c true
says err '^run.sh: --debian: no such package: no-such-package' 'is named'
run 126 'a name that no package can have' --debian 'Bad!' -c true
says err "^run.sh: .*'Bad!'" 'is named, too'
run 0 'packages of Debian' --debian bash -c 'bash -c "echo \$BASH; type -P ls; [ -L /bin ] && [ -e /usr/lib/x86_64-linux-gnu/libtinfo.so.6 ] && echo merged"'
is out '/usr/bin/bash\n/usr/bin/ls\nmerged\n' 'come with what they depend on'
run 0 'the same with a program of the host' --debian bash -- "$(type -P env)" bash -c 'exit 0'

# ---- options
run 0 'memory' --mem 64M -c 'awk "/MemTotal/ { exit !(\$2 < 65536 && \$2 > 40000) }" /proc/meminfo'
run 0 'processors' --smp 3 -c '[ $(grep -c ^processor /proc/cpuinfo) = 3 ]'
run 0 'the packed image' --image packed -c 'awk "BEGIN { for (i = 1; i <= 65536; i++) printf \"%07d\\n\", i }" | cmp - /usr/share/faultline/seq-524288'
run 0 'more for the kernel command line' --append 'some=thing' --append pager=slow -c 'cat /proc/cmdline; tr "\0" "\n" < /proc/1/environ'
says out 'some=thing pager=slow' 'is on it'
run 7 'counted instructions' --icount --cpu qemu64 -c 'exit 7'
run 8 'another kernel' --kernel build/faultline.elf -c 'exit 8'
run 126 'a kernel that is not there' --kernel "$work/none" -c true
says err 'cannot be read' 'which is said'
run 7 'UEFI' --uefi -c 'exit 7'
run 7 'the debug kernel' --debug -c 'exit 7'
run 0 'help' --help
says out '--image packed' 'tells about options'
run 0 'a dry run' --dry-run --mem 99M -c 'true'
says out '^qemu-system-x86_64 .*-m 99M ' 'prints the command'
says out ' -accel tcg ' 'with one thread of the emulator'
sh -c "$(cat "$work/out" | sed 's/ 10>.*//') 10> $work/out2 11> /dev/null 12> /dev/null" < /dev/null > /dev/null 2>&1
[ $? = 1 ]; report 'which runs as it is' $?

# ---- when something is wrong
run 124 'time-out' --timeout 3 -c 'sleep 100'
says err '^run.sh: time-out' 'is called so'
run 125 'a kernel panic' --append panic=test -c true
says err '^run.sh: kernel panic' 'is called so'
says err '^run.sh: .*kernel_main' 'and comes with a back-trace'
says err '^run.sh: .*rip ffffffff' 'and with registers'
run 126 'a first program that does not exist' --append init=/nowhere -c true
says err '^run.sh: could not boot: .*/nowhere' 'is called so'
run 126 'QEMU does not start' --qemu '-device no-such-device' -c true
says err '^run.sh: could not boot: .*no-such-device' 'and says why'
run 2 'an unknown option' --frobnicate
says err '^run.sh: .*--frobnicate' 'is named'
run 2 'an option without its value' --mem
run 2 'a size that is none' --mem lots -c true
run 2 'too many processors' --smp 17 -c true
says err '^run.sh: --smp 17: .* 16 ' 'with the limit'
run 2 'counted instructions on two processors' --icount --smp 2 -c true
says err '^run.sh: --icount .*one processor' 'with the reason'
run 126 'a file to add that does not exist' --add /no/such/file -c true
says err '^run.sh: .*/no/such/file' 'is named'
run 126 'a program that does not exist' -- ./no-such-program
set -m
./run.sh "${limit[@]}" -c 'sleep 100' > "$work/out" 2> "$work/err" & pid=$!
set +m
sleep 3; kill -INT "$pid"; wait "$pid"
[ $? = 130 ]; report 'an interrupt ends it with 130' $?

# ---- side by side
for i in 1 2 3; do ./run.sh "${limit[@]}" -c "echo $i; exit 1$i" > "$work/out$i" 2>&1 & pids[i]=$!; done
for i in 1 2 3; do wait "${pids[i]}"; [ $? = "1$i" ] && [ "$(cat "$work/out$i")" = "$i" ]; report "three at the same time: number $i" $?; done
left=''
for dir in build/run/*; do		# other runs may be going on here
	case $dir in */dry-run) continue ;; esac
	grep -qsF "${dir##*/}" /proc/[0-9]*/cmdline || [ ! -e "$dir" ] || [ "$dir" -ot "$work/args.c" ] || left+=" $dir"
done
[ -z "$left" ]; report 'no run leaves anything behind' $? "$left"

echo "1..$number"
[ $failures = 0 ]
