#!/bin/sh
# tests/guest/fuzz-soak.sh - in the guest: rounds of callfuzz, with vmcheck after each, as long as a line of standard input says go; for tests/guest/fuzz-soak, which reads the lines with @.
#
#	fuzz-soak.sh CALLS PROCESSES SEED
#
# The first rounds are for what is made once and kept.  A round's seed comes from its number.
calls=$1 processes=$2 seed=$3 round=0 first=2

# What is kept of closed files goes, and of the programs' pages all are cached: how many there are is chance, as is how many a stack at a random place takes.
counts() {
	sleep 1
	cat /proc/1/exe /proc/$$/exe /host/fuzz-soak.sh > /dev/null
	echo 3 > /proc/sys/vm/drop_caches
	echo "@$1 $(linux64 -R vmcheck --json)"
}

work() {
	callfuzz $((seed + round)) $calls $processes > /tmp/callfuzz 2>&1 || return
	vmcheck > /tmp/vmcheck || return
}

# A function, so that the shell has read all of it, and has the memory for that, before anything is counted.
soak() {
	while read -r order && [ "$order" = go ] && work; do
		while read -r line; do echo "@said $line"; done < /tmp/callfuzz
		rm /tmp/callfuzz /tmp/vmcheck
		[ $round -gt $first ] || counts start
		echo "@round $round"
		round=$((round + 1))
	done
	if [ -e /tmp/callfuzz ]; then
		cat /tmp/callfuzz
		[ ! -e /tmp/vmcheck ] || cat /tmp/vmcheck
		rm -f /tmp/callfuzz /tmp/vmcheck
	fi
	counts end
	tail -n +2 /proc/sysvipc/shm
	echo "@order $order"
}
soak
