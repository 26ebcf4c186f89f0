#!/bin/bash
# tests/run/fat_test.sh - what the guest writes to its image is read back on the host, byte for byte, and fsck.fat has nothing to say.
#
# Prints TAP.  A file is written in the guest by write(2), through a shared mapping, and by a process that is killed after msync; aligned and packed.
set -u
cd "$(dirname "$0")/../.." || exit 1
export LC_ALL=C.UTF-8 MTOOLS_SKIP_CHECK=1 MTOOLSRC=/dev/null PATH=$PATH:/usr/sbin
work=$(mktemp -d "${TMPDIR:-/tmp}/fat_test.XXXXXX")
trap 'rm -rf "$work"' EXIT
number=0 failures=0

# report NAME STATUS: one line of TAP, with what was said when it is not well.
report() {
	((++number))
	if [ "$2" = 0 ]; then
		echo "ok $number - fat: $1"
	else
		((++failures))
		echo "not ok $number - fat: $1"
		tail -n 20 "$work/said" 2> /dev/null | sed 's/^/# /'
	fi
}

# The same bytes in three ways; the last one does not end by itself.
cat > "$work/writer.c" << 'END'
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int fd = open(argv[2], O_RDWR | O_CREAT | O_TRUNC, 0644), mapped = strcmp(argv[1], "write");
	size_t size = argc > 3 ? strtoul(argv[3], NULL, 0) : 0;
	char *bytes = malloc(size);
	if (fd < 0 || (mapped && ftruncate(fd, size)))
		return 1;
	if (mapped)
		bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	for (size_t i = 0; i < size; i++)
		bytes[i] = i * 7 + i / 4096;
	if (!mapped)
		return write(fd, bytes, size) != (ssize_t)size;
	if (!strcmp(argv[1], "killed") && !msync(bytes, size, MS_SYNC))
		kill(getpid(), SIGKILL);
	return 0;
}
END
musl-gcc -O1 -static -o "$work/writer" "$work/writer.c" && "$work/writer" write "$work/expected" 300001 || exit 1

in_guest='
	/w write /root/written 300001 && /w map /root/mapped 300001
	/w killed /root/killed 300001
	echo $?
	cd /root; mkdir -p deep/er; mv written "deep/er/a long name, with blanks.bin"; echo text > lower.txt; echo junk > junk; rm junk
	head -c 200000 /bin/busybox > cut; truncate -s 100000 cut; mkdir gone; rmdir gone; echo more >> lower.txt
	vmcheck > /dev/null && echo sound'
same() { mcopy -n -i "$work/image" "::$1" "$work/file" < /dev/null > "$work/said" 2>&1 && cmp "$work/file" "$2" > "$work/said" 2>&1; }

for image in aligned packed; do
	rm -f "$work/image" "$work/got"
	./run.sh --timeout 200 --image $image --image-free 3M --add "$work/writer:/w" --save-image "$work/image" --get /root/mapped:"$work/got" -c "$in_guest" \
		> "$work/out" 2> "$work/said"
	[ $? = 0 ] && [ "$(cat "$work/out")" = $'137\nsound' ]
	report "$image: the guest writes, and the image comes out" $?
	fsck.fat -n "$work/image" > "$work/said" 2>&1
	report "$image: fsck.fat finds nothing" $?
	cmp "$work/got" "$work/expected" > "$work/said" 2>&1
	report "$image: --get" $?
	same '/root/deep/er/a long name, with blanks.bin' "$work/expected"
	report "$image: written, and renamed" $?
	same /root/mapped "$work/expected"
	report "$image: written through a shared mapping" $?
	same /root/killed "$work/expected"
	report "$image: by a process that was killed after msync" $?
	head -c 100000 "$(command -v busybox)" > "$work/part"
	same /root/cut "$work/part"
	report "$image: cut" $?
	printf 'text\nmore\n' > "$work/text"
	same /root/lower.txt "$work/text" && [ "$(mdir -b -i "$work/image" ::/root | sort)" = $'::/root/cut\n::/root/deep/\n::/root/killed\n::/root/lower.txt\n::/root/mapped' ]
	report "$image: appended, and nothing else is there" $?
done

# ---- what is asked for wrongly -------------------------------------------------------------------------------------------------

fails() {	# fails STATUS TEXT NAME RUN-SH-ARGUMENT...
	local wanted=$1 text=$2 name=$3 status
	shift 3
	./run.sh "$@" > "$work/out" 2> "$work/said" < /dev/null
	status=$?
	[ $status = "$wanted" ] && grep -q -- "$text" "$work/said"
	report "$name" $?
}
fails 2 'not a size' 'a size that is none' --image-free big -c true
fails 2 'absolute path' 'a path that is not absolute' --get file -c true
fails 126 'no folder' 'a place that does not exist' --save-image /nowhere/image -c true
fails 126 '/root/none' 'a file that is not there' --timeout 100 --get /root/none:"$work/none" -c true
fails 3 '/tmp/x' 'a file that is not on the image; the command has failed already' --timeout 100 --get /tmp/x:"$work/none" -c 'echo > /tmp/x; exit 3'

./run.sh --timeout 30 --image packed --save-image "$work/image" -c 'sync; sleep 1000' > "$work/out" 2> "$work/said"
[ $? = 124 ] && fsck.fat -n "$work/image" > "$work/said" 2>&1
report "after a time-out the image is consistent" $?

echo "1..$number"
[ "$failures" = 0 ]
