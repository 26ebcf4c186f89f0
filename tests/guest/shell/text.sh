# the text tools
seq 1 12 | awk '{ s += $1 } NR % 4 == 0 { print NR, s } END { printf "%.2f\n", s / NR }'
printf 'b 2\na 10\nc 1\n' | sort -k2n
printf 'x\ny\nx\n' | sort | uniq -c
printf 'one two\nthree four\n' | sed -n 's/\(.*\) \(.*\)/\2 \1/p'
printf 'apple\nbanana\ncherry\n' | grep -n 'an'
printf 'apple\nbanana\n' | grep -c -v x
echo 'a:b:c' | cut -d: -f2
printf 'a\tb\n' | expand -t 4
printf '1\n2\n3\n4\n' | paste - -
seq 5 | tac | xargs echo
seq 100 | fold -w 2 | wc -l
printf 'same\n' > a; printf 'same\n' > b; cmp a b && echo equal
printf '1\n2\n3\n' > a; printf '1\nx\n3\n' > b; diff a b; echo $?
echo hello | md5sum; echo hello | sha1sum; echo hello | sha256sum
seq 3000 | md5sum
echo text | od -c | head -n 1
printf '\001\002\377' | hexdump -C
echo hello | rev; echo 'x y' | wc
seq 5 | shuf | sort -n | tr '\n' ' '; echo
echo 'some text for base64' | base64 | base64 -d
awk 'BEGIN { for (i = 0; i < 3; i++) a[i] = i * i; for (i = 0; i < 3; i++) print i, a[i]; print length("four"), substr("abcdef", 2, 3), toupper("up") }'
date -u -d @86400 '+%Y-%m-%d %H:%M:%S'
expr 6 \* 7; echo '2 3 + p' | dc; echo 'scale=3; 10/4' | bc
seq 20 | sed -e '5,15d' -e 's/^/n/'
printf 'k1 a\nk2 b\n' > j1; printf 'k1 x\nk2 y\n' > j2; awk 'NR == FNR { m[$1] = $2; next } { print $1, m[$1], $2 }' j1 j2
printf 'a\nalpha\nbeta\n.\n1s/al/AL/\nw new\nq\n' | ed > /dev/null 2>&1; cat new
