#!/bin/bash
# tests/run/syscalls_test.sh - the table of system calls in docs/ says of each whether it is in the kernel, and so does callfuzz make each.
#
# Prints TAP.
set -u
cd "$(dirname "$0")/../.." || exit 1
number=0 failures=0

# report NAME OUTPUT: one line of TAP; output is what is wrong.
report() {
	((++number))
	if [ -z "$2" ]; then
		echo "ok $number - syscalls: $1"
	else
		((++failures))
		echo "not ok $number - syscalls: $1"
		sed 's/^/# /' <<< "$2"
	fi
}

report 'docs/syscalls.md has the calls of kernel/syscalls.def' "$(tools/syscalls > /dev/null || tools/syscalls)"
# With -f it makes allocfail as well, but not as one of its random calls.
report 'callfuzz makes every call' "$(sed -n 's/^SYSCALL([0-9]*, \(.*\))$/\1/p' kernel/syscalls.def | grep -vx allocfail | while read -r name; do
	grep -Eq "CALL\($name, |\{ \"$name\", " user/callfuzz.c || echo "$name is not in callfuzz's table"; done)"
echo "1..$number"
exit $((failures > 0))
