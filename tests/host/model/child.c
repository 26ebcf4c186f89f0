/* tests/host/model/child.c - see child.h. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "child.h"

volatile bool interrupted;

/* What is left is the runner's to see; to look through all memory at the end of each child takes longer than its program. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

void *child_shared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		abort();
	return p;
}

static void silence(void)
{
	int nowhere = open("/dev/null", O_WRONLY);

	dup2(nowhere, STDOUT_FILENO);
	dup2(nowhere, STDERR_FILENO);
}

bool child_run(const struct program *program, enum child_output output)
{
	int status;

	fflush(NULL);
	pid_t pid = fork();
	if (pid < 0)
		abort();
	if (pid == 0) {
		if (output == CHILD_SILENT)
			silence();
		signal(SIGINT, SIG_IGN);	/* we decide */
		alarm(CHILD_SECONDS);
		run_boot(program->kib % 65536);
		run_program(program);
		exit(0);		/* not _exit: coverage is written there */
	}
	while (waitpid(pid, &status, 0) < 0)
		;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
