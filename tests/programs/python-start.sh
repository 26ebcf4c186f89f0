# python3 starts, with and without what it imports at the start.
python3 -c 'import sys; print(sys.version_info[:2], sys.maxsize)'
python3 -S -E -c 'print(sum(range(100000)))'
echo 'print("from a file", __name__)' > file.py; python3 file.py
echo 'print("from standard input")' | python3; python3 -c 'import sys; sys.exit(7)'; echo $?; python3 -c 'raise ValueError("no")' 2>&1 | tail -n 1
python3 -c 'import os, time, math, struct, re; print(math.pi, struct.pack("<I", 258), re.sub("a+", "b", "caat"))' 2>&1
