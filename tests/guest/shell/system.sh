# what is told of the system: shapes, not figures
shape() { "$@" > out 2>&1 && echo "$1 ok" || { echo "$1 failed"; cat out; }; }
shape ps; grep -q 'ps' out && echo lists itself
ps | awk -v me=$$ '$1 == me { print "the shell is there" }'
shape free; awk '/^Mem:/ { print ($2 > 1000 && $2 >= $3) ? "sane" : "odd" }' out
shape top -b -n1; grep -q '^Mem:' out && grep -q 'top' out && echo top has lines
shape uptime; grep -q 'load average' out && echo load
shape df; shape mount; shape id; shape uname -a; shape dmesg; shape hostname
grep -q ' /proc ' /proc/mounts && echo proc is mounted
[ "$(cat /proc/self/comm)" = cat ] && echo comm
[ "$(readlink /proc/$$/exe)" ] && echo exe
[ -e /proc/self/fd/0 ] && echo descriptors
head -c 16 /dev/urandom | wc -c
pidof none; echo $?
nproc | grep -q '^[1-9]' && echo processors
cat /proc/sys/kernel/ostype > /dev/null 2>&1; pwd > /dev/null && echo pwd
tty; echo $?
time true 2>&1 | grep -c real; sh -c 'time true' 2>&1 | grep -c '^real'
(ulimit -v 200000; echo limited)
id -u; whoami
