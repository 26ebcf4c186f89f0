# background jobs, wait, traps, signals
sleep 0.2 & a=$!
(exit 7) & b=$!
wait $b; echo $?
wait $a; echo $?
wait 99999 2> /dev/null; echo $?
trap 'echo got USR1' USR1
kill -USR1 $$
trap 'echo bye' EXIT
sh -c 'kill -TERM $$'; echo $?
sh -c 'kill -KILL $$' 2> /dev/null; echo $?
sh -c 'trap "exit 4" TERM; kill -TERM $$; sleep 5'; echo $?
timeout 0.3 sleep 10; echo $?
(sleep 0.1; echo late) & echo early; wait
for i in 1 2 3 4 5; do (exit $i) & done; wait; echo all
sleep 10 & kill $!; wait $! 2> /dev/null; echo $?
trap '' INT; sh -c 'kill -INT $$; echo still here'
mkfifo p; (echo through > p) & cat p; wait
