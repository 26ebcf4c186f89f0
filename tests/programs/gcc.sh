# gcc compiles, links and runs: C, with libraries, threads, assembler, an archive, a shared library.
cat > hello.c <<'EOF'
#include <stdio.h>
int main(void) { printf("hello, world\n"); return 0; }
EOF
gcc -O2 hello.c && ./a.out; echo $?
gcc -O2 -Wall -static -o static hello.c && ./static; gcc -O0 -g -no-pie -o nopie hello.c && ./nopie
cat > more.c <<'EOF'
#include <math.h>
#include <pthread.h>
#include <stdio.h>
static void *thread(void *x) { *(double *)x = sqrt(*(double *)x); return NULL; }
int main(void)
{
	double x[4] = { 1, 4, 9, 2 };
	pthread_t t[4];
	for (int i = 0; i < 4; i++) pthread_create(&t[i], NULL, thread, &x[i]);
	for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
	printf("%g %g %g %.6f\n", x[0], x[1], x[2], x[3]);
	return 7;
}
EOF
gcc -O2 -Wall -Wextra -pthread more.c -lm -o more && ./more; echo $?
echo 'int twice(int x) { return 2 * x; }' > lib.c; echo '#include <stdio.h>
int twice(int); int main(void) { printf("%d\n", twice(21)); }' > use.c
gcc -O2 -fPIC -shared -o libtwice.so lib.c && gcc use.c -L. -ltwice -Wl,-rpath,'$ORIGIN' -o use && ./use; gcc -c lib.c && ar rcs libtwice.a lib.o && gcc use.c libtwice.a -o use2 && ./use2
gcc -S -O2 lib.c -o - | grep -c 'leal\|addl'; nm lib.o | grep twice; objdump -d lib.o | grep -c ret; strip more; ./more > /dev/null; size hello.o 2> /dev/null; readelf -h use | grep Type; echo 'int main(void) { return x; }' | gcc -xc - 2>&1 | grep -c error; gcc -E -dM - < /dev/null | grep -c __x86_64__
