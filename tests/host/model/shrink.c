/*
 * tests/host/model/shrink.c - see shrink.h.
 *
 * First what is behind the failure goes, then chunks of steps, halved again and again down to single steps (Zeller and Hildebrandt, Simplifying and
 * Isolating Failure-Inducing Input, 2002, without their complements), then numbers are made plainer.  All of it again, as long as it helps.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "shrink.h"
#include "child.h"

enum { RUNS_AT_MOST = 6000, SECONDS_AT_MOST = 120 };

static unsigned runs;
static time_t began;

static bool fails(const struct program *p)
{
	return runs++ < RUNS_AT_MOST && time(NULL) - began < SECONDS_AT_MOST && !interrupted && !child_run(p, CHILD_SILENT);
}

/* Leaves out steps [from, from + n) if it still fails then. */
static bool leave_out(struct program *p, unsigned from, unsigned n)
{
	struct program shorter = program_copy(p);

	memmove(&shorter.step[from], &shorter.step[from + n], (p->nsteps - from - n) * sizeof *p->step);
	shorter.nsteps -= n;
	bool helps = fails(&shorter);
	if (helps) {
		program_free(p);
		*p = shorter;
	} else {
		program_free(&shorter);
	}
	return helps;
}

static bool drop_steps(struct program *p)
{
	bool helped = false;

	for (unsigned chunk = (p->nsteps + 1) / 2; chunk > 0; chunk /= 2)
		for (unsigned end = p->nsteps; end > 0; ) {
			unsigned from = end > chunk ? end - chunk : 0;

			helped |= leave_out(p, from, end - from);
			end = from;
		}
	return helped;
}

/* Sets *number, which is in p, to another value if it still fails with that. */
static bool set(const struct program *p, unsigned long *number, unsigned long value)
{
	unsigned long old = *number;

	if (value == old)
		return false;
	*number = value;
	if (fails(p))
		return true;
	*number = old;
	return false;
}

static bool simplify_number(const struct program *p, unsigned long *number)
{
	unsigned long v = *number;

	return set(p, number, 0) || set(p, number, v & ~(unsigned long)PAGE_MASK) || set(p, number, v / 2 & ~(unsigned long)PAGE_MASK)
		|| set(p, number, v / 2) || (v > PAGE_SIZE && set(p, number, v - PAGE_SIZE)) || (v < PAGE_SIZE && v > 0 && set(p, number, v - 1));
}

static bool set_small(const struct program *p, unsigned *number, unsigned value)
{
	unsigned old = *number;

	if (value == old)
		return false;
	*number = value;
	if (fails(p))
		return true;
	*number = old;
	return false;
}

static bool simplify_step(const struct program *p, struct step *s)
{
	bool helped = set_small(p, &s->seek, 0) | set_small(p, &s->fail, 0) | set_small(p, &s->slow, 0) | set_small(p, &s->io_error, 0) | set_small(p, &s->who, 0);

	for (unsigned i = 0; i < ARGUMENTS; i++)
		while (s->a[i] && simplify_number(p, &s->a[i]))
			helped = true;
	return helped;
}

struct program shrink(const struct program *failing, unsigned last)
{
	struct program p = program_copy(failing);
	bool helped = true;

	runs = 0;
	began = time(NULL);
	if (last + 1 < p.nsteps) {
		p.nsteps = last + 1;
		if (!fails(&p))
			p.nsteps = failing->nsteps;
	}
	set_small(&p, &p.threads, 1);
	while (helped) {
		helped = drop_steps(&p);
		for (unsigned i = 0; i < p.nsteps; i++)
			helped |= simplify_step(&p, &p.step[i]);
	}
	return p;
}
