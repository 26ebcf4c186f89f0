#!/bin/sh
# tests/guest/programs.sh - the project's own programs as they are called: faults, vmcheck, the stress programs, smpbench.  TAP on stdout.
number=0
check() {	# check NAME CONDITION: the condition is shell text
	number=$((number + 1))
	if eval "$2"; then echo "ok $number - programs: $1"; else echo "not ok $number - programs: $1"; cat /tmp/out /tmp/err | sed 's/^/# /'; fi
}
run() { "$@" > /tmp/out 2> /tmp/err; status=$?; }

run faults sh -c 'echo out; echo err >&2; exit 7'
check 'faults gives the status of its command' '[ $status = 7 ]'
check 'faults leaves the output of its command alone' '[ "$(cat /tmp/out)" = out ] && grep -q "^err" /tmp/err'
check 'faults prints a table on stderr' 'grep -q "^class  *faults" /tmp/err && grep -q "^demand-zero  *[1-9]" /tmp/err && grep -q "^total" /tmp/err'
check 'faults leaves out what did not occur' '! grep -Eq "^[a-z-]+ +0 " /tmp/err && ! grep -q "^oom" /tmp/err'
run faults /bin/none; check 'status 127 for what is not there' '[ $status = 127 ]'
run faults /etc/passwd; check 'status 126 for what cannot be run' '[ $status = 126 ]'
run faults sh -c 'kill -9 $$'; check 'status 128 + n for signal n' '[ $status = 137 ] && grep -q "signal 9" /tmp/err'
run faults -o /tmp/table true; check 'faults -o FILE' '[ $status = 0 ] && [ ! -s /tmp/err ] && grep -q "^total" /tmp/table'
run faults --json true; check 'faults --json' 'grep -q "^{.*\"classes\": {.*\"demand-zero\": {\"count\": [1-9][0-9]*, \"cost\": [1-9]" /tmp/err'
run faults -p $$; check 'faults -p PID' '[ $status = 0 ] && grep -q "^total" /tmp/err'
run faults -p 99999; check 'faults -p of nobody' '[ $status = 125 ] && grep -q "No such process" /tmp/err'
run faults -s; check 'faults -s' '[ $status = 0 ] && grep -q "TLB" /tmp/err'
run faults; check 'faults without a command' '[ $status = 125 ] && grep -q usage /tmp/err'
run faults --help; check 'faults --help' '[ $status = 0 ] && grep -q usage /tmp/out'
run faults sh -c 'faults -o /dev/null true; exit 0'; check 'faults within faults' '[ $status = 0 ] && grep -q "^total" /tmp/err'
# Two commands one after the other must be counted alike: nothing of the first is in the second.
faults --json true 2> /tmp/a; faults --json true 2> /tmp/b
counts() { grep -o '"[a-z-]*": {"count": [0-9]*' "$1"; }
check 'the same command takes the same faults' '[ "$(counts /tmp/a)" = "$(counts /tmp/b)" ]'
run vmcheck; check 'vmcheck' '[ $status = 0 ] && grep -q "^0 discrepancies" /tmp/out && grep -q "bytes a managed frame" /tmp/out'
run vmcheck --json; check 'vmcheck --json' '[ $status = 0 ] && grep -q "^{\"errors\": 0,.*}$" /tmp/out'
run forkstress --depth 2 --width 4 --pages 20 --rounds 2 --seed 9; check 'forkstress with options' '[ $status = 0 ] && grep -q "42 processes in 2 trees" /tmp/out'
run forkstress --depth x; check 'forkstress with wrong options' '[ $status = 2 ]'
run mmapstress --rounds 1 --steps 100 --seed 4 /bin/busybox; check 'mmapstress with a file' '[ $status = 0 ] && grep -q "1 files" /tmp/out'
run memstress --rounds 1 --seed 3; check 'memstress' '[ $status = 0 ] && grep -q "3 killed" /tmp/out'
run memstress --file; check 'memstress called wrongly' '[ $status = 2 ]'
run mmapstress /none; check 'mmapstress without the file' '[ $status = 2 ]'
run racestress --threads 4 --rounds 2 --changes 40 --seed 5; check 'racestress' '[ $status = 0 ] && grep -q "4 threads, 2 rounds" /tmp/out'
run racestress --processes 2 --rounds 1 --changes 20; check 'racestress, two of it' '[ $status = 0 ] && [ $(grep -c "all right" /tmp/out) = 2 ]'
run racestress --threads 0; check 'racestress with wrong options' '[ $status = 2 ]'
run smpbench --processors 1 --rounds 1 --size 1; check 'smpbench' '[ $status = 0 ] && grep -q "^ratio threads" /tmp/out'
run smpbench --processors 16; check 'smpbench with too few processors' '[ $status = 2 ] && grep -q "are needed" /tmp/err'
run vmbench -r 1 null-syscall anon-write; check 'vmbench' '[ $status = 0 ] && grep -q "^anon-write" /tmp/out'
run grep -q '^demand-zero' /proc/faults; check '/proc/faults' '[ $status = 0 ]'
echo "1..$number"
