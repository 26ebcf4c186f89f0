# Named pipes between processes.
mkfifo pipe && ls -l pipe | cut -c1-10
(echo through the pipe > pipe) &
cat pipe
(seq 1000 > pipe) & wc -l < pipe
exec 3<> pipe; echo both >&3; read -r line <&3; echo $line; exec 3>&-
[ -p pipe ] && stat -c %F pipe
rm pipe
