#!/bin/bash
# run.sh - builds Faultline and boots it in QEMU: for a shell, or for one command.  --help tells how.
#
# The kernel and the FAT image are on an ISO that GRUB boots.  The command to run and additions to the kernel's command line go in by QEMU's
# fw_cfg, so that no ISO has to be made for them; one is made for --debian, --add and --.  tools/supervise runs QEMU and passes streams and status through.
#
# Runs do not disturb each other: each has a folder in build/run, with its own link to the ISO; building is done under a lock.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# A standard stream that is closed would be mixed up with the next file opened.
[ -e /proc/self/fd/0 ] || exec 0< /dev/null
[ -e /proc/self/fd/1 ] || exec 1> /dev/null
[ -e /proc/self/fd/2 ] || exec 2> /dev/null

usage() {
	cat <<'END'
./run.sh                       a shell in the guest, on this terminal; Ctrl-A X leaves (commands from a pipe or file: as with sh)
./run.sh -c 'CMD; CMD'         run this in the guest's shell; its stdin, stdout and stderr are ours, byte for byte; exit with its status
./run.sh -- PROGRAM ARGS       bring this program of the host along, with the libraries that it needs, and run it, in the same way
  --debian PACKAGE,...         put Debian packages into the image, with all that they depend on (repeatable); fetched with apt, not installed
  --add HOST[:GUEST]           put a host file or folder into the image for this boot (repeatable); default place /host/NAME
  --smp N                      processors, up to 16; default 1.  Each is a thread of the emulator, which runs as many at once as the host has
  --mem SIZE                   memory (suffix K, M or G; default M); default 256M, and as much as the image takes if it is large
  --cpu MODEL  --accel NAME    QEMU's; default max and tcg
  --icount                     deterministic guest time: one instruction, one nanosecond; with one processor only; addresses are not random
  --uefi                       boot through OVMF instead of SeaBIOS
  --image-free SIZE            leave so much room in the image for what the guest writes (suffix K or M; default: next to none)
  --save-image FILE            when the guest has ended, bring its image out, with what was written to it
  --get GUEST[:HOST]           the same for one file or folder (repeatable); default place: NAME in the current folder
  --image packed               an image of 512-byte clusters that are never frame-aligned: every file page is read and copied (default: aligned)
  --append 'ARGS'              kernel command line: init=PATH, norandmaps, pager=slow, pager=eio, fork=copy,
                           transparent_hugepage=always|madvise|never, fault_ahead=on|off, panic=test; NAME=VALUE goes into init's environment
  --debug                      the kernel with assertions and lock checks
  --kernel FILE                this kernel in place of the one that is built here (a faultline.boot or faultline.elf)
  --gdb                        wait for a debugger; 'make gdb' attaches with symbols
  --timeout S                  give up S seconds after QEMU's start
  --qemu 'ARGS'  --dry-run     more for QEMU; print the command instead of running it
  --help                       this

Status: that of the command; 0 after a session.  What run.sh itself has to say goes to stderr as 'run.sh: ...', with status
2 wrong usage, 124 time-out, 125 kernel panic, 126 could not boot, 130 interrupted.
END
}

say() { echo "run.sh: $*" >&2; }
misused() { say "$* (--help tells how to call it)"; exit 2; }
failed() { say "$*"; exit 126; }

# ---- what is asked for -------------------------------------------------------------------------------------------------------------

command='' job='' program=() packages=() adds=() gets=() save='' image_free='' image=aligned smp=1 mem='' cpu=max accel=tcg icount='' uefi='' append='' gdb='' timeout=0 more=() dry_run=''
debug=${DEBUG:-} kernel=''
while [ $# -gt 0 ]; do
	case $1 in
	-c | --debian | --add | --get | --save-image | --image-free | --smp | --mem | --cpu | --accel | --image | --append | --timeout | --kernel | --qemu)
		[ $# -ge 2 ] || misused "$1 wants a value" ;;
	esac
	case $1 in
	-c) [ -z "$job" ] || misused "one -c is enough"; command=$2 job=1; shift ;;
	--) shift; [ $# -gt 0 ] || misused "-- wants a program"; program=("$@"); break ;;
	--debian) IFS=', ' read -ra words <<< "$2"; packages+=(${words[@]+"${words[@]}"}); shift ;;
	--add) adds+=("$2"); shift ;;
	--get) gets+=("$2"); shift ;;
	--save-image) save=$2; shift ;;
	--image-free) image_free=$2; shift ;;
	--smp) smp=$2; shift ;;
	--mem) mem=$2; shift ;;
	--cpu) cpu=$2; shift ;;
	--accel) accel=$2; shift ;;
	--icount) icount=1 ;;
	--uefi) uefi=1 ;;
	--image) image=$2; shift ;;
	--append) append+=${append:+ }$2; shift ;;
	--debug) debug=1 ;;
	--kernel) kernel=$2; shift ;;
	--gdb) gdb=1 ;;
	--timeout) timeout=$2; shift ;;
	--qemu) read -ra words <<< "$2"; more+=("${words[@]}"); shift ;;
	--dry-run) dry_run=1 ;;
	--help | -h) usage; exit ;;
	-*) misused "unknown option $1" ;;
	*) misused "unexpected word $1: a program of the host goes behind --, a command for the guest's shell behind -c" ;;
	esac
	shift
done
[ -z "$job" ] || [ ${#program[@]} -eq 0 ] || misused "either -c or --"
# Without a terminal the guest's console would be no use: its shell reads commands from standard input then.
if [ -z "$job" ] && [ ${#program[@]} -eq 0 ] && [ ! -t 0 ]; then job=1 command='cd; exec sh -l'; fi
[[ $smp =~ ^[1-9][0-9]*$ ]] || misused "--smp $smp: not a number of processors"
[[ $smp =~ ^([1-9]|1[0-6])$ ]] || misused "--smp $smp: Faultline runs on up to 16 processors"
[[ $mem =~ ^([1-9][0-9]*[KMGkmg]?)?$ ]] || misused "--mem $mem: not a size"
[[ $timeout =~ ^[0-9]+(\.[0-9]+)?$ ]] || misused "--timeout $timeout: not a number of seconds"
[ -z "$kernel" ] || [ -r "$kernel" ] || failed "--kernel $kernel: it cannot be read"
[[ $image_free =~ ^([1-9][0-9]*[KMkm]?)?$ ]] || misused "--image-free $image_free: not a size"
case $image in aligned | packed) ;; *) misused "--image $image: it is aligned or packed" ;; esac
case $icount$accel in 1tcg | [!1]*) ;; *) misused "--icount works with --accel tcg only" ;; esac
[ -z "$icount" ] || [ "$smp" = 1 ] || misused "--icount counts the instructions of one processor: not with --smp $smp"
[ "$smp" = 1 ] || [ "$accel" != tcg ] || accel=tcg,thread=multi

# Prints the text so that the guest's shell reads it as one word.
quote() { printf "'%s'" "${1//\'/\'\\\'\'}"; }

# "HOST:GUEST" for mkimage.  A name of the host that has a colon itself is taken as it is if there is such a file.
add_pair() {
	local host=$1 guest=''
	if [ ! -e "$host" ] && [[ $host == *:/* ]]; then
		guest=/${host##*:/} host=${host%:/*}
	fi
	[ -e "$host" ] || failed "--add $1: $host does not exist"
	[ -r "$host" ] || failed "--add $1: $host cannot be read"
	host=$(realpath -s -- "$host")
	echo "$host:${guest:-/host/${host##*/}}"
}

# What is to be brought out must have a place to go to, and that is looked at first.
out_of_guest=()
for g in ${gets[@]+"${gets[@]}"}; do
	host=${g#*:} guest=${g%%:*}
	[ "$host" != "$g" ] || host=${guest##*/}
	[[ $guest == /*[!/]* ]] || misused "--get $g: not an absolute path of the guest"
	[ -d "$(dirname -- "$host")" ] || failed "--get $g: there is no folder $(dirname -- "$host")"
	out_of_guest+=("$guest" "$(realpath -s -- "$host")")
done
if [ -n "$save" ]; then
	[ -d "$(dirname -- "$save")" ] || failed "--save-image $save: there is no folder $(dirname -- "$save")"
	save=$(realpath -s -- "$save")
fi

pairs=()
for a in ${adds[@]+"${adds[@]}"}; do
	pair=$(add_pair "$a") || exit
	pairs+=("$pair")
done

if [ ${#program[@]} -gt 0 ]; then
	file=${program[0]}
	if [[ $file != */* ]] && [ ! -e "$file" ]; then file=$(type -P -- "$file") || file=${program[0]}; fi
	[ -e "$file" ] || failed "${program[0]}: no such program"
	[ -f "$file" ] || failed "${program[0]}: not a file"
	[ -x "$file" ] || failed "${program[0]}: not executable"
	pairs+=("$(realpath -- "$file"):/host/${file##*/}")
	job=1 command="exec $(quote "/host/${file##*/}")"
	for word in "${program[@]:1}"; do command+=" $(quote "$word")"; done
fi

# ---- what is needed for it ---------------------------------------------------------------------------------------------------------

"$here/tools/setup.sh" || exit 126
mkdir -p "$here/build/run" "$here/build/cache" || failed "the folder $here/build cannot be made"
if [ -n "$dry_run" ]; then
	run=$here/build/run/dry-run
	mkdir -p "$run"
else
	run=$(mktemp -d "$here/build/run/XXXXXX") || failed "no folder can be made in $here/build/run"
fi
trap '[ -n "$dry_run" ] || rm -rf "$run"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
variant=build suffix='' tree=''
if [ ${#packages[@]} -gt 0 ]; then
	tree=$("$here/tools/debian" "$here/build/cache/debian" "${packages[@]}") || exit 126
fi
if [ ${#program[@]} -gt 0 ]; then
	"$here/tools/needs" "$file" "$tree" > "$run/needs" 2> "$run/said" || failed "$(cat "$run/said")"
	mapfile -t -O ${#pairs[@]} pairs < "$run/needs"
fi

[ -z "$debug" ] || variant=build/debug
[ "$image" = aligned ] || suffix=-$image

# Builds what these names say.  Under the lock.
build() {
	local log=$run/build
	if [ -t 2 ] && [ -z "$job" ]; then
		"${make[@]}" "$@" >&2
	else
		"${make[@]}" "$@" > "$log" 2>&1 || { cat "$log" >&2; false; }
	fi || failed "it does not build"
}
make=(env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS -u DEBUG FAULTLINE_SETUP=done make -j"$(nproc)" -C "$here" --no-print-directory)

# The image with what was added, from the cache if nothing has changed since.  Under the lock.
added_image() {
	local base=$here/build/faultline$suffix.img key cached pair mkimage_adds=()
	[ -z "$tree" ] || mkimage_adds=(--merged --root "$tree")
	for pair in ${pairs[@]+"${pairs[@]}"}; do mkimage_adds+=(--add "$pair"); done
	key=$({
		stat -c '%n %Y %s %i' "$base" "$here"/initrd/m*
		printf '%s\n' "free $image_free" "debian $tree" ${pairs[@]+"${pairs[@]}"}
		for pair in ${pairs[@]+"${pairs[@]}"}; do find -H "${pair%:/*}" -printf '%P %y %m %s %T@ %C@ %l\n' | sort; done
	} | sha256sum)
	cached=$here/build/cache/${key%% *}.img
	if [ ! -e "$cached" ]; then
		local options=()
		[ "$image" = aligned ] || options=(--packed)
		[ -z "$image_free" ] || options+=(--free "${image_free^^}")
		"$here/initrd/mkimage" --programs "$here/build/user" ${options[@]+"${options[@]}"} ${mkimage_adds[@]+"${mkimage_adds[@]}"} --out "$cached.new" > "$run/build" 2>&1 || {
			rm -f "$cached.new"
			sed 's/^/run.sh: /' "$run/build" >&2
			exit 126
		}
		mv "$cached.new" "$cached"
		# The dozen used last stay.
		find "$here/build/cache" -name '*.img' -printf '%T@ %p\n' | sort -rn | tail -n +13 | cut -d' ' -f2- | xargs -r -d '\n' rm -f
	fi
	touch "$cached"
	ln -f "$cached" "$run/image" || failed "no link to $cached can be made"
}

exec {lock}> "$here/build/.lock"
flock "$lock"
if [ ${#pairs[@]} -gt 0 ] || [ -n "$image_free$tree$kernel" ]; then
	build "$variant/faultline.boot" "build/faultline$suffix.img"
	added_image
	"$here/tools/mkiso" "$run/boot.iso" "${kernel:-$here/$variant/faultline.boot}" "$run/image" || exit 126
else
	build "$variant/faultline$suffix.iso"
	ln -f "$here/build/faultline$suffix.img" "$run/image" && ln -f "$here/$variant/faultline$suffix.iso" "$run/boot.iso" ||
		failed "no links to the ISO and the image can be made"
fi
exec {lock}>&-

# ---- QEMU ---------------------------------------------------------------------------------------------------------------------------

# Room for an image above the usual size comes on top.
image_bytes=$(stat -c %s "$run/image")
image_mib=$(((image_bytes + 1048575) >> 20))
rm -f "$run/image"
if [ -z "$mem" ]; then
	mem=256
	((image_mib <= 32)) || mem=$((256 + image_mib))
	mem+=M
fi

escaped=${run//,/,,}				# commas in QEMU's options
qemu=(qemu-system-x86_64 -machine q35 -accel "$accel" -cpu "$cpu" -smp "$smp" -m "$mem" -nodefaults -vga none -net none -display none -no-reboot
	-device isa-debug-exit,iobase=0xf4,iosize=4 -drive "media=cdrom,format=raw,readonly=on,file=$escaped/boot.iso")
[ -z "$icount" ] || qemu+=(-icount shift=0,sleep=off)
if [ -n "$uefi" ]; then
	cp /usr/share/OVMF/OVMF_VARS_4M.fd "$run/vars"		# a run writes to it
	qemu+=(-drive if=pflash,format=raw,unit=0,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd
		-drive "if=pflash,format=raw,unit=1,file=$escaped/vars")
fi
# The guest's memory is a file then, in which the image still lies when QEMU has ended.
if [ -n "$save" ] || [ ${#gets[@]} -gt 0 ]; then
	qemu+=(-object "memory-backend-file,id=ram,size=$mem,mem-path=$escaped/memory,share=on" -machine memory-backend=ram)
fi
redirections=''
if [ -n "$job" ]; then
	printf '%s\n' "$command" > "$run/job"
	qemu+=(-fw_cfg "name=opt/faultline/job,file=$escaped/job" -chardev "file,id=console,path=$escaped/console" -serial chardev:console
		-chardev stdio,id=stdin,signal=off -serial chardev:stdin)
	channel() { qemu+=(-add-fd "fd=$3,set=$3" -chardev "file,id=$1,path=/dev/fdset/$3,append=on" -device "isa-debugcon,iobase=$2,chardev=$1"); }
	channel stdout 0xe9 10
	channel stderr 0xea 11
	channel status 0xeb 12
	redirections=' 10>&1 11>&2 12>/dev/null'
else
	qemu+=(-chardev "stdio,id=console,mux=on,signal=off,logfile=$escaped/console" -serial chardev:console -mon chardev=console,mode=readline)
	append+=" TERM=${TERM:-vt100}"
	read -r lines columns < <(stty size 2> /dev/null) && [ "$lines$columns" != 00 ] && append+=" LINES=$lines COLUMNS=$columns"
fi
[ -z "$icount" ] || append+=${append:+ }norandmaps
[ ${#packages[@]} -eq 0 ] || append="fault_ahead=on${append:+ $append}"		# the last one counts
if [ -n "$append" ]; then
	printf '%s' "$append" > "$run/cmdline"
	qemu+=(-fw_cfg "name=opt/faultline/cmdline,file=$escaped/cmdline")
fi
boot_limit=$((120 + image_mib))
if [ -n "$gdb" ]; then
	qemu+=(-s -S)
	boot_limit=0
	[ -n "$dry_run" ] || say "waiting for a debugger at port 1234: make gdb${debug:+ DEBUG=1}"
fi
qemu+=(${more[@]+"${more[@]}"})

if [ -n "$dry_run" ]; then
	line=''
	for word in "${qemu[@]}"; do
		if [[ $word =~ ^[A-Za-z0-9_./:=,+-]+$ ]]; then line+="$word "; else line+="$(quote "$word") "; fi
	done
	echo "${line% }$redirections"
	exit 0
fi
supervise=("$here/tools/supervise" --dir "$run" ${job:+--job} --timeout "$timeout" --boot-limit "$boot_limit")
if [ -z "$save" ] && [ ${#gets[@]} -eq 0 ]; then exec "${supervise[@]}" -- "${qemu[@]}"; fi

# ---- what comes out -------------------------------------------------------------------------------------------------------------------

"${supervise[@]}" --keep -- "${qemu[@]}"
status=$?
[ "$status" != 126 ] || exit 126
# The kernel's first lines say where the image lies: "image: N KiB at 0xADDRESS".
at=$(sed -n 's/^.*image: [0-9]* KiB at \(0x[0-9a-f]*\).*/\1/p' "$run/console" | head -n 1)
[ -n "$at" ] || failed "the guest ended before it said where its image is"
brought=${save:-$run/image}
dd if="$run/memory" of="$brought" bs=1M iflag=skip_bytes,count_bytes skip=$((at)) count="$image_bytes" status=none || failed "the image cannot be written to $brought"
for ((i = 0; i < ${#out_of_guest[@]}; i += 2)); do
	guest=${out_of_guest[i]}
	escaped=$(sed 's/[][*?\\]/\\&/g' <<< "$guest")
	MTOOLS_SKIP_CHECK=1 MTOOLSRC=/dev/null LC_ALL=C.UTF-8 mcopy -s -n -m -i "$brought" "::$escaped" "${out_of_guest[i + 1]}" < /dev/null > "$run/said" 2>&1 || {
		say "--get $guest: $(head -n 1 "$run/said") (what lies in /tmp, /dev and /proc is not in the image)"
		((status)) || status=126
	}
done
exit "$status"
