# ps, top, free, vmstat, pmap and the rest: the shape of what they print, and facts that are known.
sleep 1000 & sleeper=$!
ps -o pid=,comm=,args= -p $sleeper | sed "s/^ *$sleeper/PID/; s/  */ /g"
ps -o ppid= -p $sleeper | grep -qw $$ && echo parent; ps -o stat= -p $sleeper | cut -c1; ps -o ni=,uid=,user=,nlwp= -p $sleeper | sed 's/  */ /g'; ps -o rss=,vsz= -p $sleeper | awk '{ print ($1 > 100), ($2 > $1) }'; ps -o lstart= -p $sleeper | wc -w; ps -o etimes= -p $sleeper | awk '{ print ($1 < 100) }'
ps -ef | head -n 1 | sed 's/  */ /g'; ps aux | head -n 1 | sed 's/  */ /g'; ps -ef | grep -c "[s]leep 1000"; ps axo pid,wchan,tty,time,comm > all && grep -c sleep all; ps -T -p $sleeper | wc -l; ps --forest -e > forest; grep -q '\\_' forest && echo forest; ps -p 999999 | sed 's/^ *//'; echo ${PIPESTATUS[0]}
pgrep -x sleep -P $$ | grep -cx $sleeper; pgrep -f 'sleep 1000' -a | grep -c sleep
top -b -n 1 | sed -n '1s/.*load average.*/load/p; 7p' | sed 's/  */ /g'; top -b -n 2 -d 0.2 -p $sleeper | grep -c sleep; top -b -n 1 | sed -n '4s/:.*total.*/ total/p; 2s/:.*/ tasks/p; 3s/:.*id.*/ idle/p'
free | sed -n '1p' | sed 's/  */ /g'; free -b | awk '/Mem/ { print ($2 > $3), ($3 > 0), ($4 >= 0), ($7 <= $2) } /Swap/ { print "swap" }'; free -h -t | grep -c Total
vmstat | head -n 2 | sed 's/  */ /g; s/ *$//'; vmstat 1 2 | tail -n 1 | wc -w; vmstat -s | grep -c 'memory$'; vmstat -m 2>&1 | wc -l | awk '{ print ($1 > 0) }'
pmap $sleeper | sed '1d' | grep -o 'sleep\|libc\.so\.6\|ld-linux-x86-64\.so\.2\|\[ stack \]\|total' | sort -u; pmap -x $sleeper | awk '/total/ { print ($3 > 100), ($4 > 100) }'; pmap -X $sleeper > /dev/null && echo smaps; pmap -d $sleeper | tail -n 1 | sed 's/[0-9]\+/N/g'
uptime | grep -c 'load average: '; uptime -p | cut -c1-2; cat /proc/loadavg | wc -w; w -h 2>&1 | wc -l | awk '{ print ($1 >= 0) }'; tload -V | wc -l; sysctl -n kernel.ostype; sysctl vm.swappiness | cut -d' ' -f1; slabtop -o 2>&1 | wc -l | awk '{ print ($1 > 0) }'; pwdx $sleeper | sed 's/.*: .*/pwdx/'
kill -l 15 2> /dev/null; /usr/bin/kill -TERM $sleeper; wait $sleeper; echo $?; (sleep 1001 & pkill -f 'sleep 1001'; wait $!; echo $?; sleep 1002 & pkill -9 -x sleep; wait $!; echo $?) 2> /dev/null; sleep 0.3 & pidwait -f 'sleep 0.3'; echo waited; watch -v | wc -l
