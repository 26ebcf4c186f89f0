#!/bin/sh
# tests/guest/stress.sh - in the guest: stress-ng's stressors one after the other, and memtester; for tests/guest/stress, which reads the lines with @.
#
#	stress.sh SECONDS INSTANCES STRESSOR...
#
# What is made once and kept (stacks and frames at hand, tables of the kernel's own ranges) is there before the first count: by many processes at once.
seconds=$1 instances=$2
shift 2

# How many pages are cached of the programs that run is chance: so all of them are.  What is kept of closed files goes.
counts() {
	cat /proc/1/exe /proc/$$/exe /host/stress.sh > /dev/null
	echo 3 > /proc/sys/vm/drop_caches
	echo "@$1 $(vmcheck --json)"
}

run() {	# NAME: one that does not end is ended
	if [ $1 = memtester ]; then
		timeout -s KILL 600 memtester 32M 1
	else
		timeout -s KILL $((seconds * 6 + 60)) stress-ng --$1 $instances --timeout $seconds --verify --metrics-brief --temp-path /tmp
	fi
}

cd /tmp
for i in $(seq 250); do sleep 100000 & done
kill $(jobs -p)
wait
counts start
for name; do
	echo "@begin $name"
	run $name < /dev/null > /tmp/stress.out 2>&1
	status=$?
	tr '\b' '\n' < /tmp/stress.out
	rm /tmp/stress.out
	echo
	echo "@end $name $status"
	counts after
done
echo "@done $(vmcheck | tail -n 1)"
