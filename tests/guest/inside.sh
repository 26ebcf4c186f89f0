#!/bin/sh
# tests/guest/inside.sh - runs test programs in the guest, one after the other, and says where each begins and how it ended.
#
#	inside.sh FOLDER PROGRAM...
#
# Addresses are not random there, nor are pages served ahead, for tests count faults and tables exactly; but for those that look at it.
#
# The lines with @ are for tests/guest/run, which sees by them whether the output is complete.
folder=$1; shift
echo off > /proc/sys/vm/fault_ahead
for program; do
	echo "@begin $program"
	case $program in
	layout) "$folder/$program" < /dev/null 2>&1 ;;
	*) linux64 -R "$folder/$program" < /dev/null 2>&1 ;;
	esac
	echo "@end $program $?"
done
echo "@done"
