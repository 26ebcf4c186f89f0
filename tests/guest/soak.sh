#!/bin/sh
# tests/guest/soak.sh - in the guest: rounds of work until the processor has been busy for so long; for tests/guest/soak, which reads the lines with @.
#
#	soak.sh CENTISECONDS
#
# The first rounds are for what is made once and kept.  All seeds come from the round's number.  What is printed while memory is short goes to a file: pipes are refused then.
target=$1 round=0 first=2

busy() {	# hundredths of a second since boot in which the processor did not sleep
	awk '{ printf "%.0f\n", ($1 - $2) * 100 }' /proc/uptime
}

# How many pages are cached of the programs that run is chance: so all of them are.  What is kept of closed files goes.
counts() {
	cat /proc/1/exe /proc/$$/exe /host/soak.sh > /dev/null
	echo 3 > /proc/sys/vm/drop_caches
	echo "@$1 $(vmcheck --json)"
}

work() {
	memstress --seed $1 --rounds 3 --file /host/large --beside > /tmp/memstress &
	forkstress --seed $1 --rounds $((4 + $1 % 4)) --depth $((2 + $1 % 3)) --width $((2 + $1 % 2)) --pages $((16 + $1 * 31 % 200)) > /tmp/forkstress || return
	wait $! || return
	mmapstress --seed $1 --rounds 10 --pages $((64 << $1 % 3)) > /tmp/mmapstress || return
	mmapstress --seed $1 --rounds 3 /host/large /bin/busybox > /tmp/mmapstress || return
	memstress --seed $((1000000 + $1)) --file /host/large > /tmp/memstress || return
	vmcheck > /tmp/vmcheck || return
	cat /tmp/forkstress /tmp/mmapstress /tmp/memstress > /tmp/said
	rm /tmp/forkstress /tmp/mmapstress /tmp/memstress /tmp/vmcheck
}

# The page tables of the kernel's own ranges are kept when they are empty: here are more kernel stacks at once than there will be later.
for i in $(seq 250); do sleep 100000 & done
kill $(jobs -p)
wait

while work $round; do
	rm /tmp/said
	[ $round -gt $first ] || counts start
	echo "@round $round $(busy)"
	[ $(busy) -ge $target ] && [ $round -gt $first ] && break
	round=$((round + 1))
done
counts end
echo "@faults $(faults --json -s -o /tmp/faults; cat /tmp/faults)"
rm /tmp/faults
[ ! -e /tmp/vmcheck ] || cat /tmp/vmcheck
echo "@busy $(busy)"
