# GNU time: what a program took, by the kernel's account.
/usr/bin/time -f '%x %C' true
/usr/bin/time -f '%x' sh -c 'exit 5' 2>&1 | tail -n 1
/usr/bin/time -v sort -S 20M -o sorted <(seq 100000) 2> report; grep -c : report
awk -F': ' '/Maximum resident/ { print "resident", ($2 > 1000 && $2 < 200000) } /Minor/ { print "minor", ($2 > 50) } /Exit status/ { print "status", $2 } /Page size/ { print "page", $2 } /Elapsed/ { print "elapsed", ($NF != "") }' report
/usr/bin/time -f '%M' -o small true; /usr/bin/time -f '%M' -o large head -c 50000000 /dev/zero > /dev/null; /usr/bin/time -f '%M' -o huge awk 'BEGIN { for (i = 0; i < 300000; i++) a[i] = i }'
[ $(cat huge) -gt $(($(cat small) + 10000)) ] && echo "more is more"
/usr/bin/time -f '%e' sleep 0.5 2>&1 | awk '{ print ($1 >= 0.5 && $1 < 5) }'
/usr/bin/time -f '%U' sh -c 'i=0; while [ $i -lt 100000 ]; do i=$((i + 1)); done' 2>&1 | awk '{ print ($1 > 0) }'
/usr/bin/time -f '%w' sh -c 'sleep 0.1; sleep 0.1' 2>&1 | awk '{ print ($1 > 0) }'
/usr/bin/time sh -c 'kill -9 $$' 2>&1 | head -n 1
