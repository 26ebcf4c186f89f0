#!/bin/sh
# tests/guest/inside.sh - runs test programs in the guest, one after the other, and says where each begins and how it ended.
#
#	inside.sh FOLDER PROGRAM...
#
# The lines with @ are for tests/guest/run, which sees by them whether the output is complete.
folder=$1; shift
for program; do
	echo "@begin $program"
	"$folder/$program" < /dev/null 2>&1
	echo "@end $program $?"
done
echo "@done"
