/*
 * tests/host/smp/main.c - several threads change the same memory at once.
 *
 *   smp SEED STEPS          programs of that seed, until they have done so many steps
 *   smp program SEED        one program, as a failure tells; what it does is printed
 *
 * Each program runs in a process of its own, on a new machine.  On the deterministic machine its seed says who goes on at each point, too: it repeats exactly.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "child.h"
#include "world.h"

enum { CHECK_STEPS = 200, CHILD_SECONDS = 60 };

static struct totals { unsigned long programs, steps, points, contended, faults[FAULT_CLASSES]; } *totals;

/* ---- all threads stand ------------------------------------------------------------------------------------------------------------------ */

static unsigned running, standing, rounds;		/* atomic */
static bool stop;						/* atomic */
static struct waitq go_on = WAITQ_INIT(go_on);

/* The last to come looks whether all is well, and lets the others go on. */
static void stand(void)
{
	unsigned round = __atomic_load_n(&rounds, __ATOMIC_ACQUIRE);

	if (__atomic_add_fetch(&standing, 1, __ATOMIC_ACQ_REL) == __atomic_load_n(&running, __ATOMIC_ACQUIRE)) {
		world_check();
		__atomic_store_n(&standing, 0, __ATOMIC_RELAXED);
		__atomic_store_n(&stop, false, __ATOMIC_RELAXED);
		__atomic_add_fetch(&rounds, 1, __ATOMIC_RELEASE);
		wake_all(&go_on);
		return;
	}
	wait_prepare(&go_on);
	while (__atomic_load_n(&rounds, __ATOMIC_ACQUIRE) == round) {
		wait_sleep(&go_on, WAIT_UNINTERRUPTIBLE);
		wait_prepare(&go_on);
	}
	wait_finish(&go_on);
}

static void count_faults(void)
{
	for (unsigned i = 0; i < FAULT_CLASSES; i++)
		__atomic_fetch_add(&totals->faults[i], sim_faults.count[i], __ATOMIC_RELAXED);
}

static void print_totals(const char *how)
{
	static const char *const name[] = FAULT_CLASS_NAMES;

	printf("# smp %dx%d%s: %lu programs, %lu steps, %lu points, %lu times a lock was not to be had; faults:", SIM_LEVELS, SIM_TABLE_BITS, how,
		totals->programs, totals->steps, totals->points, totals->contended);
	for (unsigned i = 0; i < FAULT_CLASSES; i++)
		printf(" %s %lu", name[i], totals->faults[i]);
	printf("\n");
}

/* All do the same number of steps, and stand at the end: so nobody waits for one who has gone. */
static void work(void *arg)
{
	struct worker *w = arg;

	do_first(w);
	for (unsigned i = 0; i < program.steps; i++) {
		if (i % (CHECK_STEPS / program.threads) == 0)
			stand();
		do_step(w);
	}
	stand();
	if (!MODELLED)				/* each counts its own; else there is one count */
		count_faults();
}

static void run_program(const void *what)
{
	const struct program *p = what;
	struct sim_thread *thread[THREADS_MAX];

	world_boot(p);
	sim_run_together(p->schedule);
	running = p->threads;
	for (unsigned i = 0; i < p->threads; i++)
		thread[i] = sim_thread_start(work, &worker[i]);
	for (unsigned i = 0; i < p->threads; i++)
		sim_thread_join(thread[i]);
	totals->points += sim_points();
	if (MODELLED)
		count_faults();
	totals->contended += sim_contended();
	world_end();
	totals->programs++;
	totals->steps += p->threads * p->steps;
}

/* ---- programs -------------------------------------------------------------------------------------------------------------------------------- */

static struct program make_program(uint64_t seed)
{
	struct worker w = { .random = seed };
	struct program p = { .seed = seed, .threads = 2 + (unsigned)random_below(&w, THREADS_MAX - 1), .steps = 200, .style = (unsigned)random_below(&w, 3), .spaces = !one_in(&w, 3) };
	static const unsigned periods[] = { 2, 5, 20, 100, 500 };
	bool large = p.style == DENSE && HUGE_SHIFT > 17;

	p.fork = one_in(&w, 4) ? FORK_COPIES : FORK_SHARES;
	p.fail = one_in(&w, 2) ? 8 : 0;
	p.memory = ((large ? 12288u : 1536u) << random_below(&w, 3)) << 10;
	p.schedule = (struct sim_schedule){ .seed = seed, .policy = one_in(&w, 3) ? SIM_PRIORITIES : SIM_RANDOM, .period = periods[random_below(&w, 5)] };
	if (p.schedule.policy == SIM_PRIORITIES)
		p.schedule.period *= 20;
	return p;
}

static bool try(uint64_t seed)
{
	struct program p = make_program(seed);
	enum child_end end = child_run(run_program, &p, CHILD_SECONDS);

	if (end == CHILD_WELL)
		return true;
	printf("# smp program %#lx %s (%u threads, %s, period %u)\n", (unsigned long)seed, end == CHILD_HANGS ? "hangs" : "fails", p.threads,
		p.schedule.policy == SIM_PRIORITIES ? "priorities" : "random", p.schedule.period);
	return false;
}

static bool try_all(uint64_t seed, unsigned long steps)
{
	struct worker w = { .random = seed };

	while (totals->steps < steps)
		if (!try(random_below(&w, (uint64_t)-1)))
			return false;
	return true;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "1", *number = argc > 2 ? argv[2] : "20000";
	const char *how = MODELLED ? "" : ", at once";
	bool one = strcmp(what, "program") == 0;

	totals = child_shared(sizeof *totals);
	verbose = one;
	bool good = one ? try(strtoull(number, NULL, 0)) : try_all(strtoull(what, NULL, 0), strtoul(number, NULL, 0));
	print_totals(how);
	printf("%s 1 - smp %dx%d%s %s %s\n1..1\n", good ? "ok" : "not ok", SIM_LEVELS, SIM_TABLE_BITS, how, what, number);
	return !good;
}
