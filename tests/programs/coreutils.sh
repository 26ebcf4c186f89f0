# The everyday programs of coreutils, on known input.
seq 20 | shuf --random-source=<(yes) | sort -n | head -n 3
printf 'b 2\na 1\nc 3\na 0\n' > table
sort table; sort -k2nr table; sort -u -k1,1 table; cut -d' ' -f2 table | paste -sd+
seq 10000 | sort -R --random-source=<(yes) | sort -n -S 1M -T . | md5sum
uniq -c <(printf 'x\nx\ny\n'); comm -12 <(seq 5) <(seq 3 8); join <(sort table) <(printf 'a one\nb two\n')
tr -d '\n' < table; echo; tac table | head -n 1; nl table; fold -w 3 <<< abcdefgh; fmt -w 20 <<< 'a text that is longer than twenty columns'
od -An -tx1z <<< 'Hello'; md5sum table; sha256sum < table; sha512sum < table | cut -c1-32; b2sum table; cksum table; sum table
base64 <<< "some text" | tee encoded | base64 -d; base32 <<< hi; expr 6 \* 7; factor 1234567890123 97; numfmt --to=iec 123456789; seq -s, 1 0.5 3
split -l 2 table part.; wc part.*; csplit -s table '/c/'; cat xx01; truncate -s 10000 sparse; stat -c '%s %F %a' sparse table
dd if=/dev/zero of=zeros bs=4k count=10 2>&1 | head -n 2; cmp zeros /dev/zero 2>&1; head -c 5 zeros | od -c | head -n 1; tail -c +40960 zeros | wc -c
mkdir -p tree/a/b tree/c; echo x > tree/a/file; ln -s a/file tree/link; ln tree/a/file tree/hard; chmod 640 tree/a/file; touch -d '2001-02-03 04:05:06 UTC' tree/a/file
ls -lR --time-style=+%s tree | sed 's/root  *root *//; s/ [0-9][0-9]* \(17\|18\)[0-9]* / T /; s/^total .*/total/'
cp -a tree copy; diff -r tree copy 2> /dev/null; stat -c '%n %a %s %h %Y' copy/a/file copy/hard; readlink copy/link; readlink -f copy/link | sed 's,.*/copy,copy,'; realpath --relative-to=tree copy
mv copy moved; [ -d moved ] && [ ! -e copy ] && echo moved; rm -r moved; rmdir tree/c; ls tree; du -a tree/a | cut -f2 | sort; install -m 711 table installed; stat -c %a installed
cp --reflink=auto table table2; cp -u table table2; cmp table table2 && echo same; mv -n table table2; mv --backup table2 table; ls table*
date -u -d @86400 +%F_%T; date -u -d '2020-02-29 + 1 year' +%F; env -i A=1 env; printenv HOME > /dev/null && echo home; basename /a/b.c .c; dirname /a/b.c; pathchk name && echo good
id -u; id -un; whoami; groups; nproc > /dev/null && echo nproc; uname -s; uname -m; tty; test -w . && echo writable; pwd | sed 's,.*/,,; s/\..*//'
timeout 0.3 sleep 5; echo $?; (timeout -s KILL 0.3 sleep 5; echo $?) 2> /dev/null; nice -n 5 nice; nohup echo nohup 2> /dev/null; stdbuf -oL echo stdbuf; yes | head -n 2; sleep 0.01; true; false; echo $?
mktemp -u XXXX | wc -c; mktemp -d dir.XXXX | wc -c; tee one two <<< tee; cat one two; tsort <<< $'a b\nb c'; pr -t -2 -l 3 <(seq 6); expand <<< $'a\tb'; unexpand -a <<< 'a       b'; ptx <<< 'one two' | wc -l
printf '%s %d %c\n' a 12 xyz; echo -e 'a\tb'; [ 3 -gt 2 ] && echo '[ works'; df . > /dev/null && echo df; df --output=target / | tail -n 1; sync; sync table; link one three; unlink three; shred -u one; ls one 2>&1 | sed 's/.*access/access/'
ls --color=always -d tree | od -c | head -n 2; dircolors -b > /dev/null && echo dircolors; vdir tree > /dev/null && echo vdir; mknod null c 1 3 2> /dev/null && echo node; who | wc -l; users; stty 2>&1 | sed 's/.*: //'; hostid | wc -c; logname 2> /dev/null | wc -l
chmod u+s,g+s,o+t table; stat -c '%A %a' table; chown 1:2 table; stat -c %u:%g table; chgrp 3 table; stat -c %g table; chmod -R go= tree; stat -c %A tree/a
