# less in a pipe is cat; at a terminal: see the interactive test.
seq 100 > lines; less lines | md5sum; less lines < /dev/null | wc -l; LESSOPEN= less -N lines | tail -n 1; less nothing 2>&1; echo $?; less --version | head -n 1 | cut -d' ' -f1
