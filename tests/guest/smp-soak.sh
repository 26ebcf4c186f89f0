#!/bin/sh
# tests/guest/smp-soak.sh - in the guest: rounds of racestress, with vmcheck after each, as long as a line of standard input says go; for tests/guest/smp-soak, which reads the lines with @.
#
# The first rounds are for what is made once and kept.  All seeds come from the round's number.
round=0 first=2

# How many pages are cached of the programs that run is chance: so all of them are.  What is kept of closed files goes.  Children of children that racestress
# has killed get a second to end.
counts() {
	sleep 1
	cat /proc/1/exe /proc/$$/exe /host/smp-soak.sh > /dev/null
	echo 3 > /proc/sys/vm/drop_caches
	echo "@$1 $(linux64 -R vmcheck --json)"
}

# Each fourth round is of two processes at once.
work() {
	racestress --seed $1 --processes $((1 + ($1 % 4 == 3))) > /tmp/racestress || return
	vmcheck > /tmp/vmcheck || return
	while read -r line; do echo "@said $line"; done < /tmp/racestress
	rm /tmp/racestress /tmp/vmcheck
}

echo "@processors $(nproc)"
while read -r order && [ "$order" = go ] && work $round; do
	[ $round -gt $first ] || counts start
	echo "@round $round"
	round=$((round + 1))
done
counts end
echo "@faults $(faults --json -s -o /tmp/faults; cat /tmp/faults)"
rm /tmp/faults
[ ! -e /tmp/vmcheck ] || cat /tmp/vmcheck
echo "@order $order"
