#!/bin/bash
# tests/programs/inside.sh CASE... - runs the cases, each in a folder of its own; in the guest, and on Linux to see what is right (run, --expect).
CASES=$(cd "${0%/*}" && pwd)
umask 022
for name; do
	folder=$(mktemp -d "/tmp/$name.XXXXXX") && cd "$folder" || exit
	echo "@begin $name"
	env -i PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin HOME="$folder" LC_ALL=C.UTF-8 TZ=UTC CASES="$CASES" \
		timeout -k 5 240 bash "$CASES/$name.sh" < /dev/null 2>&1 | cat
	status=${PIPESTATUS[0]}
	echo "@end $name $status"
	cd /
	rm -rf "$folder"
done
