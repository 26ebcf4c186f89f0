#!/bin/sh
# tests/guest/stress-all.sh - in the guest: each stressor of stress-ng for a moment; for tests/guest/stress-all, which reads the lines with @.
#
#	stress-all.sh SECONDS INSTANCES [STRESSOR...]
seconds=$1 instances=$2
shift 2
# opcode makes random instructions, and QEMU 7.2 ends with an assertion of its own (gen_pinsr) at some of them.
[ $# -gt 0 ] || set -- $(stress-ng --stressors | tr ' ' '\n' | grep -vx opcode)
cd /tmp || exit 1
for name; do
	echo "@begin $name"
	timeout -s KILL 90 stress-ng --$name $instances --timeout $seconds --verify --metrics-brief --temp-path /tmp > /tmp/stress.out 2>&1 < /dev/null
	echo "@end $name $?"
	tr '\b' '\n' < /tmp/stress.out
	echo
	rm -rf /tmp/* /dev/shm/*
done
echo "@done $(vmcheck | tail -n 1)"
