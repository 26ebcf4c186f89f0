# pipes, redirection, here-documents
echo hello | tr a-z A-Z
printf 'b\na\nc\n' | sort | head -n 2 | tail -n 1
echo out; echo err >&2
{ echo one; echo two >&2; } 2>&1 | wc -l
echo text > file; echo more >> file; cat < file
cat <<END
here $((1 + 2)) $(echo sub)
END
cat <<'END' | sed 's/x/y/'
$no x
END
cat <<-END
	tabs go
	END
exec 5> five; echo fifth >&5; exec 5>&-; cat five
cat < missing || echo "no such file: $?"
yes | head -n 3
seq 1 20000 | tail -n 1
dd if=/dev/zero bs=1k count=300 2> /dev/null | wc -c
(exit 3) | true; echo $?
set -o pipefail; (exit 3) | true; echo $?
echo a b c | { read x y; echo "$y $x"; }
true > /dev/full && echo opened
echo lost > /dev/full || echo "full: $?"
