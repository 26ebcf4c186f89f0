# memtester: every test on eight megabytes, in memory that it locks.
memtester 8M 1 | tr -d '\b' | sed -E 's/(testing|setting) +[0-9]+//g; s/ +/ /g; s/-\\|\///g' | grep -E '^ +Stuck|: .*ok|got|locked|Done' | sed -E 's/[-\\|/]//g; s/ +/ /g; s/^ //'
echo "${PIPESTATUS[0]}"
