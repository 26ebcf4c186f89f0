#!/bin/sh
# tests/guest/stress.sh - in the guest: stress-ng's stressors one after the other, and memtester; for tests/guest/stress, which reads the lines with @.
#
#	stress.sh SECONDS INSTANCES STRESSOR...
#
# Each runs for a second first, so that what is made once and kept (tables for as many kernel stacks as there will be at once, names that stay cached) is there before the
# first count.
seconds=$1 instances=$2
shift 2

# How many pages are cached of the programs that run is chance: so all of them are.  What is kept of closed files goes, and of threads: grandchildren of stress-ng may still be on their
# way out when it has ended.
counts() {
	sleep 1
	cat /proc/1/exe /proc/$$/exe /host/stress.sh > /dev/null
	echo 3 > /proc/sys/vm/drop_caches
	echo "@$1 $(vmcheck --json)"
}

run() {	# NAME SECONDS: what would take all memory that there is by default gets a half, or less where it is touched again and again; the instances share it
	stress="stress-ng --$1 $instances --timeout $2 --verify --metrics-brief --temp-path /tmp"
	case $1 in
	memtester) memtester 32M 1 ;;
	exec) su -s /bin/sh user -c "$stress --exec-max 64" ;;		# it refuses to be run by root, and would begin 4,096 at once
	vm | mmap | msync | memfd) $stress --$1-bytes 128M ;;
	mremap) $stress --mremap-bytes 16M ;;
	shm) $stress --shm-bytes 2M ;;			# of 32 objects, and as much memory beside
	*) $stress ;;
	esac
}

one() {
	run $1 $2 < /dev/null > /tmp/stress.out 2>&1
	status=$?
	tr '\b' '\n' < /tmp/stress.out
	rm -f /tmp/stress.out /dev/shm/stress-ng-*		# what is left there when one is killed
	echo
}

# The same steps both times: the shell's own memory is as large then, too.
round() {	# WHICH-COUNTS SECONDS NAME...
	which=$1 for=$2
	shift 2
	for name; do
		echo "@begin $name"
		[ $which$name = startmemtester ] || one $name $for
		echo "@end $name $status"
		counts $which
	done
}

cd /tmp
round start 1 "$@"
round after $seconds "$@"
echo "@done $(vmcheck | tail -n 1)"
