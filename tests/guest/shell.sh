#!/bin/sh
# tests/guest/shell.sh - runs each script of a folder in BusyBox's shell, in an empty folder of its own, and prints what it prints and its status.
#
#	shell.sh FOLDER [BUSYBOX]
#
# The same is done on the host, with the same BusyBox: its output is what is expected of the guest.
scripts=$1 busybox=${2:-/bin/busybox}
work=$(mktemp -d /tmp/shell.XXXXXX)
if [ "$2" ]; then				# on the host: the applets of this BusyBox and nothing else
	mkdir "$work/bin" && $busybox --install -s "$work/bin" && PATH=$work/bin
fi
export PATH LC_ALL=C
for s in "$scripts"/*.sh; do
	name=${s##*/}
	mkdir "$work/$name"
	echo "@begin ${name%.sh}"
	(cd "$work/$name" && exec $busybox sh "$s" 2>&1 < /dev/null)
	echo "@end ${name%.sh} $?"
done
rm -rf "$work"
