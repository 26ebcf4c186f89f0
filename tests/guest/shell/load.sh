# many processes and much data
i=0; while [ $i -lt 60 ]; do /bin/true; i=$((i + 1)); done; echo $i
for i in 1 2 3 4; do (seq 1 3000 | sort -n | tail -n 1) & done; wait
seq 1 3000 | sort -r | sort -n | md5sum
dd if=/dev/zero bs=64k count=32 2> /dev/null | gzip | gunzip | md5sum
seq 1 300 | xargs -n 50 echo | wc -l
find /bin/ -name busybox -type f 2> /dev/null | head -n 1 | sed 's,.*/,,'
echo | (cat | (cat | (cat | (cat | (cat | wc -c)))))
