/*
 * tests/host/model/main.c - the model test: random programs on vm/, beside a reference that is too plain to be wrong.
 *
 *   model SEED STEPS [brief]   the regressions, then programs of that seed, until they have done so many steps
 *   model program SEED [N]     one program (of N steps): as a failure tells
 *   model bytes FILE           the program of these bytes (tests/host/model_fuzz.c)
 *
 * Each program runs in a process of its own, on a new machine.  One that fails is made short and printed, to be pasted into regressions.c
 * (not with `brief`).
 * The same seed gives the same programs.  Results are TAP; what was done is counted on lines of comment, which tests/host/model/soak adds up.
 */
#include <sanitizer/common_interface_defs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "child.h"
#include "generate.h"
#include "regressions.h"
#include "shrink.h"

enum { PROGRAM_STEPS = 2000 };

static const struct program *failing;
static bool brief;

/* However a child ends, the step is told. */
static void tell_step(void)
{
	unsigned i = run_stats->step;

	if (failing && i < failing->nsteps)
		fprintf(stderr, "# at step %u: %s\n", i, op_name[failing->step[i].op]);
}

static void on_signal(int signo)
{
	if (signo == SIGINT || signo == SIGTERM) {
		interrupted = true;
		return;
	}
	tell_step();
	signal(signo, SIG_DFL);
	raise(signo);
}

static void on_death(void)
{
	tell_step();
}

static void print_counts(void)
{
	static const char *const fault[] = FAULT_CLASS_NAMES;
	const struct run_stats *s = run_stats;

	printf("# count %dx%d programs %lu\n# count %dx%d steps %lu\n", SIM_LEVELS, SIM_TABLE_BITS, s->programs, SIM_LEVELS, SIM_TABLE_BITS, s->steps);
	for (unsigned i = 0; i < OPS; i++)
		for (unsigned k = 0; k < OUTCOMES; k++)
			if (s->count[i][k])
				printf("# count step %s %s %lu\n", op_name[i], outcome_name[k], s->count[i][k]);
	for (unsigned i = 0; i < FAULT_CLASSES; i++)
		if (s->faults[i])
			printf("# count fault %s %lu\n", fault[i], s->faults[i]);
	printf("# count fault waited %lu\n", s->waited);
}

/* True: it ends well.  Else it is made short and printed. */
static bool try(const struct program *p, const char *name)
{
	failing = p;
	if (child_run(p, CHILD_SPEAKS) || interrupted)
		return true;
	struct run_stats *counts = run_stats;
	unsigned last = counts->step;
	printf("# %s fails at step %u of %u\n", name, last, p->nsteps);
	if (brief)
		return false;
	fflush(stdout);
	run_stats = child_shared(sizeof *run_stats);		/* what is run from here on does not count */
	struct program shorter = shrink(p, last);
	failing = &shorter;
	if (!interrupted) {
		program_print(&shorter, stdout);
		child_run(&shorter, CHILD_SPEAKS);
	}
	program_free(&shorter);
	run_stats = counts;
	return false;
}

static bool try_seed(uint64_t seed, unsigned nsteps)
{
	struct program p = generate_from_seed(seed, nsteps);
	char name[64];

	snprintf(name, sizeof name, "model program %#lx %u", (unsigned long)seed, nsteps);
	bool good = try(&p, name);
	program_free(&p);
	return good;
}

static bool try_bytes(const char *name)
{
	static uint8_t bytes[65536];
	FILE *f = fopen(name, "rb");

	if (!f)
		abort();
	struct program p = generate_from_bytes(bytes, fread(bytes, 1, sizeof bytes, f), PROGRAM_STEPS);
	fclose(f);
	bool good = try(&p, name);
	program_free(&p);
	return good;
}

static bool try_all(uint64_t seed, unsigned long steps)
{
	for (unsigned i = 0; i < nregressions; i++)
		if (!try(&regressions[i], regressions[i].found))
			return false;
	uint64_t state = seed;
	for (unsigned long done = 0; done < steps && !interrupted; done += PROGRAM_STEPS)
		if (!try_seed(random_word(&state), steps - done < PROGRAM_STEPS ? (unsigned)(steps - done) : PROGRAM_STEPS))
			return false;
	return true;
}

static bool run(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "1";
	unsigned long seed = strtoul(argc > 2 ? argv[2] : "1", NULL, 0), nsteps = argc > 3 ? strtoul(argv[3], NULL, 0) : PROGRAM_STEPS;

	if (strcmp(what, "program") == 0)
		return try_seed(seed, (unsigned)nsteps);
	if (strcmp(what, "bytes") == 0 && argc > 2)
		return try_bytes(argv[2]);
	brief = argc > 3 && strcmp(argv[3], "brief") == 0;
	return try_all(strtoul(what, NULL, 0), argc > 2 ? strtoul(argv[2], NULL, 0) : 20000);
}

int main(int argc, char **argv)
{
	run_stats = child_shared(sizeof *run_stats);
	signal(SIGABRT, on_signal);
	signal(SIGALRM, on_signal);
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	__sanitizer_set_death_callback(on_death);
	bool good = run(argc, argv);
	print_counts();
	printf("%s 1 - model %dx%d:", good ? "ok" : "not ok", SIM_LEVELS, SIM_TABLE_BITS);
	for (int i = 1; i < argc; i++)
		printf(" %s", argv[i]);
	printf("%s\n1..1\n", interrupted ? ", interrupted" : "");
	return !good;
}
