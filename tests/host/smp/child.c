/* tests/host/smp/child.c - see child.h. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "child.h"

void *child_shared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		abort();
	return p;
}

enum child_end child_run(void (*fn)(const void *), const void *arg, unsigned seconds)
{
	int status;

	fflush(NULL);
	pid_t child = fork();
	if (child < 0)
		abort();
	if (child == 0) {
		alarm(seconds);
		fn(arg);
		exit(0);		/* not _exit: coverage is written there */
	}
	while (waitpid(child, &status, 0) < 0)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return CHILD_WELL;
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? CHILD_HANGS : CHILD_FAILS;
}
