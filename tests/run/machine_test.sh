#!/bin/bash
# tests/run/machine_test.sh - machines of other kinds: where the kernel is loaded, processors and memory that do not suffice, holes in memory.
#
# Prints TAP.  A kernel that is loaded elsewhere is booted by QEMU directly, for run.sh builds its own.  Wants build/debug/faultline.boot (make DEBUG=1).
set -u
cd "$(dirname "$0")/../.." || exit 1
work=$(mktemp -d "${TMPDIR:-/tmp}/machine_test.XXXXXX")
trap 'rm -rf "$work"' EXIT
number=0 failures=0

# report NAME STATUS: one line of TAP, with what was seen when it is not well.
report() {
	((++number))
	if [ "$2" = 0 ]; then
		echo "ok $number - machine: $1"
	else
		((++failures))
		echo "not ok $number - machine: $1"
		cat "$work"/{qemu,console,out,err} 2> /dev/null | tail -n 30 | sed 's/^/# /'
	fi
}

# ---- where the kernel is loaded ------------------------------------------------------------------------------------------------------

# relocate MIN PREFERENCE: a copy of the kernel whose Multiboot2 header asks for another place: at MIN or above, the lowest (1) or the highest (2).
relocate() {
	perl -e '
		my ($from, $to, $min, $preference) = @ARGV;
		local $/;
		open my $in, "<:raw", $from or die "$from: $!";
		my $kernel = <$in>;
		my $header = index $kernel, pack("V", 0xe85250d6);
		my $tag = index $kernel, pack("vvV", 10, 0, 24), $header;
		die "no relocatable tag" if $header < 0 || $tag < 0 || $tag > $header + 64;
		substr($kernel, $tag + 8, 4) = pack "V", hex $min;
		substr($kernel, $tag + 20, 4) = pack "V", $preference;
		open my $out, ">:raw", $to or die "$to: $!";
		print $out $kernel;
	' build/debug/faultline.boot "$work/kernel" "$1" "$2"
}

# boot MACHINE COMMAND: boots $work/kernel; leaves $work/out, $work/err, $work/status (what the command ended with) and $work/console.
boot() {
	printf '%s' "$2" > "$work/job"
	rm -f "$work"/{out,err,status,console}
	tools/mkiso "$work/iso" "$work/kernel" build/faultline.img || return
	timeout 60 qemu-system-x86_64 -machine "$1" -accel tcg -cpu max -m 128M -nodefaults -vga none -net none -display none -no-reboot \
		-device isa-debug-exit,iobase=0xf4,iosize=4 -drive media=cdrom,format=raw,readonly=on,file="$work/iso" \
		-fw_cfg name=opt/faultline/job,file="$work/job" \
		-chardev file,id=console,path="$work/console" -serial chardev:console -chardev null,id=stdin -serial chardev:stdin \
		-chardev file,id=out,path="$work/out" -device isa-debugcon,iobase=0xe9,chardev=out \
		-chardev file,id=err,path="$work/err" -device isa-debugcon,iobase=0xea,chardev=err \
		-chardev file,id=status,path="$work/status" -device isa-debugcon,iobase=0xeb,chardev=status > "$work/qemu" 2>&1
}

# Where the kernel says that it lies.
base() { tr -d '\r' < "$work/console" | sed -n 's/^kernel: .* at //p'; }

works='forkstress > /dev/null && vmcheck > /dev/null && echo works; exit 7'
well() { grep -qx works "$work/out" && grep -qx 'exit 7' "$work/status"; }

lowest=$(relocate 100000 1 && boot q35 "$works"; base)
[ $((lowest)) -ge $((0x100000)) ] && [ $((lowest)) -lt $((0x1000000)) ] && well
report 'the kernel as low as it may lie' $?
relocate 3001000 1 && boot q35 "$works"
[ "$(base)" = 0x3001000 ] && well
report 'the kernel at 48 MiB, on an odd page' $?
relocate 100000 2 && boot pc "$works"
[ $(($(base))) -gt $((0x4000000)) ] && well
report 'the kernel as high as it may lie' $?

# ---- processors and memory that do not suffice ------------------------------------------------------------------------------------------

# refuses NAME WORDS OPTION...: run.sh must end with 126 and say this.
refuses() {
	local name=$1 words=$2 status
	shift 2
	./run.sh --debug --timeout 60 "$@" -c true > "$work/out" 2> "$work/err"
	status=$?
	[ $status = 126 ] && grep -q "^run.sh: could not boot: .*$words" "$work/err"
	report "$name" $?
}

rm -f "$work"/{qemu,console}
refuses 'a processor of 32 bits' 'no 64-bit mode' --cpu qemu32
refuses 'a processor without NX' '(NX)' --cpu qemu64,-nx
for size in 2 4 5; do refuses "$size MiB of memory" 'too little memory' --mem ${size}M; done

# ---- other machines -------------------------------------------------------------------------------------------------------------------------

# page_array NAME MIB OPTION...: so much memory must be managed, and the page array may take 8.2 bytes a frame: nothing for the holes.
page_array() {
	local name=$1 mib=$2
	shift 2
	./run.sh --debug --timeout 60 "$@" -c 'vmcheck --json; forkstress > /dev/null' > "$work/out" 2> "$work/err" &&
		sed -n 's/.*"managed_frames": \([0-9]*\),.*"page_array_bytes_per_frame": \([0-9.]*\)}.*/\1 \2/p' "$work/out" |
		awk -v least=$((mib * 256)) '{ good = $1 >= least && $2 >= 8 && $2 <= 8.2 } END { exit !good }'
	report "$name" $?
}

page_array '1 GiB: the page array' 980 --mem 1G
page_array '5 GiB with a hole of 2 GiB: the page array' 5000 --mem 5G
page_array '5 GiB with a hole of 1 GiB, machine pc: the page array' 5000 --mem 5G --qemu '-machine pc'
page_array '1,100 MiB with a hole from 64 MiB to 4 GiB: the page array' 1000 --mem 1100M --qemu '-machine pc,max-ram-below-4g=64M'

echo "1..$number"
[ $failures = 0 ]
