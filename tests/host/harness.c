/* tests/host/harness.c - see harness.h. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "harness.h"

enum { TEST_SECONDS = 120 };

/* In the child: cmocka runs this one test and prints its own TAP, of which the parent takes the result line. */
static void run_child(const char *suite, const struct CMUnitTest *test, int output)
{
	dup2(output, STDOUT_FILENO);
	alarm(TEST_SECONDS);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	exit(_cmocka_run_group_tests(suite, test, 1, NULL, NULL));
}

static const char *verdict(FILE *output)
{
	static char line[1024];
	bool ok = false;

	while (fgets(line, sizeof line, output)) {
		if (strncmp(line, "ok ", 3) == 0)
			ok = true;
		else if (strncmp(line, "not ok ", 7) != 0 && strncmp(line, "1..", 3) != 0 && strncmp(line, "# ok", 4) != 0
			 && strncmp(line, "# not ok", 8) != 0 && strncmp(line, "TAP", 3) != 0)
			fputs(line, stdout);
	}
	return ok ? "ok" : "not ok";
}

static bool run_one(const char *suite, const struct CMUnitTest *test, unsigned number)
{
	int ends[2], status;

	fflush(stdout);
	if (pipe(ends) < 0)
		abort();
	pid_t child = fork();
	if (child < 0)
		abort();
	if (child == 0) {
		close(ends[0]);
		run_child(suite, test, ends[1]);
	}
	close(ends[1]);
	FILE *output = fdopen(ends[0], "r");
	const char *result = verdict(output);
	fclose(output);
	waitpid(child, &status, 0);
	if (WIFSIGNALED(status)) {
		result = "not ok";
		printf("# %s: %s\n", test->name, strsignal(WTERMSIG(status)));
	} else if (status) {
		result = "not ok";
	}
	printf("%s %u - %s: %s\n", result, number, suite, test->name);
	return strcmp(result, "ok") == 0;
}

int run_suite(const char *suite, const struct CMUnitTest *tests, size_t n, const char *only)
{
	unsigned run = 0, failed = 0;

	printf("TAP version 13\n");
	for (size_t i = 0; i < n; i++)
		if (!only || strstr(tests[i].name, only))
			failed += !run_one(suite, &tests[i], ++run);
	printf("1..%u\n", run);
	return failed != 0;
}
