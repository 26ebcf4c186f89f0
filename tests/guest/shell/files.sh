# the file tools
mkdir -p d/e/f; echo one > d/one; echo two > d/e/two; ln -s ../one d/e/link; ln d/one d/hard
find d | sort
find d -type f -name 't*' -exec cat {} \;
find d -type l
cat d/e/link; readlink d/e/link; stat -c '%s %h %F' d/one
cp -r d copy; diff -r d copy && echo same
mv copy moved; ls moved
tar cf a.tar d; tar tf a.tar | sort; mkdir x; tar xf a.tar -C x; diff -r d x/d && echo untarred
tar czf a.tgz d && tar tzf a.tgz | wc -l
seq 5000 > n; gzip -k n; gunzip -c n.gz | cmp - n && echo gzip; bzip2 -k n && bunzip2 -c n.bz2 | cmp - n && echo bzip2
find d | cpio -o -H newc 2> /dev/null > a.cpio; mkdir y; (cd y; cpio -id < ../a.cpio 2> /dev/null); diff -r d y/d && echo cpio
rm -r d x y moved; ls
dd if=/dev/zero of=z bs=4096 count=10 2> /dev/null; ls -l z | awk '{ print $5 }'
dd if=/dev/zero of=z bs=1 count=1 seek=100000 conv=notrunc 2> /dev/null; stat -c %s z
truncate -s 5 z; wc -c < z
touch -d '2001-02-03 04:05:06' z; TZ=UTC ls -l --full-time z | awk '{ print $6, $7 }'
chmod 750 z; stat -c '%a' z
test z -nt n || echo older
mktemp -d ./tmp.XXXXXX | sed 's/[^.]*$/X/'
du -s . > /dev/null && echo du
basename /a/b/c.txt .txt; dirname /a/b/c.txt; realpath . > /dev/null && echo real
ls /none; echo $?
mkdir a.tar; echo $?
rmdir .. 2> /dev/null; echo $?
cat . ; echo $?
chmod u+x z; ls -l z | cut -c1-10
