# arch/x86_64/symbols.awk - the table that back-traces take function names from, as assembler.
#
#	nm -n pass1 | awk -f arch/x86_64/symbols.awk > symbols.asm
#
# The kernel is linked twice: first without a table, then with that of the first link.  The table lies behind the text, so the
# addresses of functions are the same in both.
BEGIN {
	print "section .symbols progbits alloc noexec nowrite align=8"
	print "global kernel_symbols, kernel_symbol_names, kernel_symbols_end"
	print "kernel_symbols:"
}
$2 ~ /^[tT]$/ && $1 ~ /^ffffffff8/ && $3 !~ /^trap_stub_/ {
	sub(/\..*/, "", $3)		# parts that the compiler split off, and local labels
	printf "\tdd 0x%s, name%d - kernel_symbol_names\n", substr($1, 9) , n
	names[n++] = $3
}
END {
	print "kernel_symbols_end:"
	print "kernel_symbol_names:"
	for (i = 0; i < n; i++)
		printf "name%d: db \"%s\", 0\n", i, names[i]
}
