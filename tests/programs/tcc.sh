# tcc compiles, links and runs.
cat > hello.c <<'EOF'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(int n, char **args)
{
	char *text = malloc(100000);
	memset(text, 'x', 99999);
	text[99999] = '\0';
	printf("hello, %s: %zu\n", n > 1 ? args[1] : "world", strlen(text));
	return 3;
}
EOF
tcc -o hello hello.c && ./hello; echo $?
tcc -run hello.c tcc; echo $?
tcc -c hello.c -o hello.o && tcc hello.o -o linked && ./linked linked; echo $?
echo 'int main(void) { return undefined_thing; }' | tcc - 2>&1 | sed 's/.*error/error/'
printf '#!/usr/bin/tcc -run\n#include <stdio.h>\nint main() { puts("as a script"); return 0; }\n' > script.c; chmod +x script.c; ./script.c
