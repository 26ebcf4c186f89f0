#!/bin/bash
# tests/run/image_test.sh - boots from images of every type, and from damaged ones: right bytes, an errno, or a clear message on the console.
#
# Prints TAP.  QEMU is started directly, for run.sh makes its own images.  Wants build/debug/faultline.boot and build/user (make DEBUG=1).
set -u
cd "$(dirname "$0")/../.." || exit 1
export LC_ALL=C MTOOLS_SKIP_CHECK=1
work=$(mktemp -d "${TMPDIR:-/tmp}/image_test.XXXXXX")
trap 'rm -rf "$work"' EXIT
number=0 failures=0

# Boots $work/image with a command for the guest's shell; leaves $work/out (its standard output) and $work/console.
boot() {
	printf '%s' "$1" > "$work/job"
	: > "$work/out"
	: > "$work/console"
	tools/mkiso "$work/iso" build/debug/faultline.boot "$work/image" || return
	timeout 60 qemu-system-x86_64 -machine q35 -accel tcg -cpu max -m 256M -nodefaults -vga none -net none -display none -no-reboot \
		-device isa-debug-exit,iobase=0xf4,iosize=4 -drive media=cdrom,format=raw,readonly=on,file="$work/iso" \
		-fw_cfg name=opt/faultline/job,file="$work/job" \
		-chardev file,id=console,path="$work/console" -serial chardev:console -chardev null,id=stdin -serial chardev:stdin \
		-chardev file,id=stdout,path="$work/out" -device isa-debugcon,iobase=0xe9,chardev=stdout \
		-chardev null,id=stderr -device isa-debugcon,iobase=0xea,chardev=stderr \
		-chardev null,id=status -device isa-debugcon,iobase=0xeb,chardev=status > "$work/qemu" 2>&1
	[ $? != 124 ] || echo "timed out" >> "$work/console"
}

# report NAME STATUS: one line of TAP, with what was seen when it is not well.
report() {
	((++number))
	if [ "$2" = 0 ]; then
		echo "ok $number - image: $1"
	else
		((++failures))
		echo "not ok $number - image: $1"
		sed 's/^/# /' "$work/qemu" "$work/console" "$work/out" | tail -n 30
	fi
}

image() { initrd/mkimage --programs build/user --out "$work/image" "$@"; }
says() { grep -q "$1" "$work/console"; }

# The same bytes from every type of image as the host has.
contents='for f in /bin/busybox /usr/share/faultline/seq-*; do md5sum < $f; done'
for f in "$(command -v busybox)" 0 1 4095 4096 4097 511 512 524288 65537 8192; do
	case $f in
	/*) md5sum < "$f" ;;
	*) seq -f %07.0f 1 65536 | head -c "$f" | md5sum ;;
	esac
done > "$work/wanted"
while read -r name options; do
	# shellcheck disable=SC2086
	image $options && boot "$contents"
	cmp -s "$work/out" "$work/wanted"
	report "$name" $?
done << 'END'
FAT12
FAT12-clusters-of-32768 --cluster 32768
FAT16 --fat 16
FAT16-clusters-of-1024 --fat 16 --cluster 1024
FAT32 --fat 32 --cluster 512
FAT32-packed --fat 32 --packed
END

image
truncate -s 1M "$work/image"
boot true
says 'could not boot.*shorter than its file system'
report "cut off" $?

truncate -s 0 "$work/image"
truncate -s 1M "$work/image"
boot true
says 'could not boot.*no FAT boot sector'
report "empty" $?

image
sed -i 's/^l 777 0 0 a/q 777 0 0 a/' "$work/image"
boot 'ls -l /bin/sh /bin/ash; echo still here'
says 'lines of the image.s manifest are not understood' && grep -q 'still here' "$work/out"
report "lines of the manifest are damaged" $?

image
mdel -i "$work/image" ::/.faultline-meta
mren -i "$work/image" ::/bin/busybox ::/bin/sh
boot 'echo still here'
grep -q 'still here' "$work/out"
report "no manifest" $?

# Two chains that go round: a file's, and a folder's that begins in the middle of another file.
number_at() { od -An -t "u$2" -j "$1" -N "$2" "$work/image" | tr -d ' '; }
put16() { printf "$(printf '\\x%02x\\x%02x' $(($2 & 255)) $(($2 >> 8)))" | dd of="$work/image" bs=1 seek="$1" conv=notrunc status=none; }
image --fat 16
table=$(($(number_at 14 2) * 512))
first=$(mshowfat -i "$work/image" ::/usr/share/faultline/seq-524288 | sed 's/.*<\([0-9]*\).*/\1/')
put16 $((table + 2 * (first + 40))) $((first + 20))
boot 'cat /usr/share/faultline/seq-524288 > /dev/null || echo refused; head -c 1000 /usr/share/faultline/seq-524288 | wc -c; vmcheck > /dev/null && echo sound'
[ "$(cat "$work/out")" = $'refused\n1000\nsound' ]
report "a chain that goes round" $?

echo "1..$number"
[ "$failures" = 0 ]
