# find and xargs.
mkdir -p top/{a,b}/{x,y}; for i in 1 2 3 4; do head -c $((i * 1000)) /dev/zero > top/a/x/$i; echo $i > "top/b/y/name $i"; done
touch -d '2000-01-01' top/a/x/1; chmod 600 top/a/x/2; ln -s x top/a/link; ln top/a/x/3 top/b/x/hard
find top | sort; find top -type f -size +2 | sort; find top -name '*[34]' -printf '%f %s %m %y %d\n' | sort
find top ! -newermt 2001-01-01; find top -perm 600; find top -type l -printf '%p -> %l\n'; find top -samefile top/a/x/3 | sort; find top -empty -type d | sort
find top -type f -exec grep -l '^3' {} +; find top -name x -prune -o -type f -print | sort; find top -maxdepth 1 -mindepth 1 -execdir echo in {} \; | sort
find top -type f -print0 | sort -z | xargs -0 -n 3 echo; seq 20 | xargs -n 7; seq 8 | xargs -P 4 -I N sh -c 'sleep 0.0N; echo N' | sort -n | tr '\n' ' '; echo
seq 5000 | xargs echo | wc; printf 'a b\0c' | xargs -0 printf '<%s>\n'; echo x | xargs false; echo $?; find top -name 'name *' -delete; find top -name 'name *' | wc -l
find /proc/self/fd -maxdepth 0; find . -regex '.*/x/[12]' | sort; find top -type f -links 2 | sort; find top -path '*b*' -quit; find top -type f -ls | wc -l
