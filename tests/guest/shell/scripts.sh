# the shell as a language: functions, loops, expansions, scripts that are run by name
f() { local x=$1; shift; echo "$x: $# $*"; return 5; }
f a b "c d"; echo $?
for i in 1 2 3; do [ $i = 2 ] && continue; echo $i; done
i=0; while [ $i -lt 5 ]; do i=$((i + 1)); done; echo $i
case foobar in foo*) echo matched;; *) echo no;; esac
x=abcdef; echo ${#x} ${x%ef} ${x#ab} ${x:-none} ${y:-none} ${x:2:3} ${x/cd/XX}
set -- one "two three" four; echo $#; for a; do echo "<$a>"; done
echo "$(echo nested "$(echo deep)")"
echo {1..3} *.none
printf '#!/bin/sh\necho "script $0 $1"; exit 6\n' > s; chmod +x s; ./s arg; echo $?
printf 'echo no magic line: $1\n' > t; chmod +x t; ./t arg
./missing 2> /dev/null; echo $?
: > plain; ./plain 2> /dev/null; echo $?
fib() { if [ $1 -lt 2 ]; then echo $1; else echo $(($(fib $(($1 - 1))) + $(fib $(($1 - 2))))); fi; }
fib 9
eval 'echo evaluated $((6 * 7))'
env -i A=1 B="2 3" sh -c 'echo $A $B'
echo 'a "quoted" $word' | while read -r line; do echo "[$line]"; done
getopts_test() { while getopts ab: o; do echo "$o $OPTARG"; done; }; getopts_test -a -b val
[ -f s ] && [ -x s ] && [ ! -d s ] && echo tests
ulimit -n 64; ulimit -n
umask 027; : > masked; ls -l masked | cut -c1-10
