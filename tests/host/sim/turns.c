/*
 * tests/host/sim/turns.c - threads that run one at a time, each as it is told: a run repeats exactly.
 *
 * A thread is a context of its own in one thread of the host.  At first it hands over only where it sleeps or yields, to the one that has waited longest: as on one processor
 * whose kernel is not preempted.  After sim_run_together each thread is on a processor of its own, and at every point the schedule, which a seed makes, says who goes on:
 * where a lock is taken or dropped, memory of a user is accessed, a frame comes or goes, and at each basic block of vm/ and of the code for page tables, which is compiled to call
 * us there.  Two ways to choose:
 *
 *   SIM_RANDOM      at one point in so many another thread goes on, any
 *   SIM_PRIORITIES  the one with the highest priority, but at a few points that falls below all others (Burckhardt et al., ASPLOS 2010)
 *
 * Who waits for another (spin_wait) goes on when no other can.  If all wait for each other, the test ends, and says which locks they hold.
 */
#include <sanitizer/common_interface_defs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "thread.h"

enum { STACK_BYTES = 1 << 19, SPINS_TOO_MANY = 200000, BLOCKS_PER_POINT = 8, SPIN_POINTS = 64 };

static struct sim_thread first_thread;
__thread struct sim_thread *sim_current;
struct list sim_threads = LIST_INIT(sim_threads);
static struct list ready = LIST_INIT(ready);
static struct sim_schedule schedule;		/* .period 0: in turns */
static uint64_t random_state;
static unsigned spins;				/* since a lock was taken or dropped */
static unsigned quiet;				/* > 0: no points */
static unsigned long points;
static long lowest;				/* priority so far */

static uint64_t random_below(uint64_t n)
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (z ^ z >> 31) % n;
}

__attribute__((constructor)) static void threads_begin(void)
{
	sim_current = &first_thread;
	sim_thread_setup(&first_thread);
	list_init(&first_thread.run);
	list_append(&sim_threads, &first_thread.all);
}

/* Goes on where the other has called this, or begins: on its stack. */
void sim_switch(void **mine, void *others);
__asm__(
	".text\n.globl sim_switch\nsim_switch:\n"
	"push %rbp\n push %rbx\n push %r12\n push %r13\n push %r14\n push %r15\n"
	"mov %rsp, (%rdi)\n mov %rsi, %rsp\n"
	"pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbx\n pop %rbp\n ret\n");

/* ---- changing hands ------------------------------------------------------------------------------------------------------------------- */

static struct sim_thread *thread_of(struct list *l) { return container_of(l, struct sim_thread, run); }

static struct sim_thread *came_from;		/* who has switched to the current thread */

static void arrived(void *fake_stack)
{
	__sanitizer_finish_switch_fiber(fake_stack, &came_from->stack_bottom, &came_from->stack_size);
}

static void switch_to(struct sim_thread *next)
{
	struct sim_thread *me = sim_current;

	list_remove(&next->run);
	next->spinning = false;
	if (next == me)
		return;
	came_from = me;
	sim_current = next;
	__sanitizer_start_switch_fiber(me->gone ? NULL : &me->fake_stack, next->stack_bottom, next->stack_size);
	sim_switch(&me->stack_pointer, next->stack_pointer);
	arrived(me->fake_stack);
}

/* The ready thread that is to run, by the schedule; one that spins only if all do.  There is one. */
static struct sim_thread *choose(void)
{
	struct sim_thread *chosen = NULL;
	unsigned n = 0;

	if (!schedule.period)
		return thread_of(ready.next);
	for (int spinning = 0; spinning < 2 && !chosen; spinning++)
		list_for_each(l, &ready) {
			struct sim_thread *t = thread_of(l);
			if (t->spinning != spinning)
				continue;
			n++;
			if (!chosen || (schedule.policy == SIM_PRIORITIES && !spinning ? t->priority > chosen->priority : random_below(n) == 0))
				chosen = t;
		}
	return chosen;
}

static void hand_over(void)
{
	if (list_empty(&ready))
		panic("all threads sleep: nobody is left to wake them");
	switch_to(choose());
}

/* Until there is none; then nothing comes before the next point. */
static void take_interrupts(struct sim_thread *me)
{
	while (me->interrupted) {
		me->interrupted = false;
		sim_interrupt();
	}
}

static void thread_main(void)
{
	struct sim_thread *me = sim_current;

	arrived(NULL);
	me->fn(me->arg);
	sim_thread_ended(me);
	take_interrupts(me);
	me->gone = true;
	hand_over();
}

struct sim_thread *sim_thread_start(void (*fn)(void *), void *arg)
{
	struct sim_thread *t = calloc(1, sizeof(*t));

	sim_thread_setup(t);
	list_init(&t->run);
	t->fn = fn;
	t->arg = arg;
	t->stack_size = STACK_BYTES;
	t->stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	t->stack_bottom = t->stack;
	if (t->stack == MAP_FAILED)
		panic("host: no stack for a thread");
	mprotect(t->stack, PAGE_SIZE, PROT_NONE);
	void **top = (void **)((char *)t->stack + STACK_BYTES) - 2;
	top[0] = (void *)thread_main;
	t->stack_pointer = top - 6;			/* registers that are popped first, all 0 */
	if (schedule.period) {
		t->priority = (long)random_below(1u << 30);
		while (sim_cpu_thread(t->cpu))
			t->cpu++;
		if (t->cpu == CPUS_MAX)
			panic("more threads than processors");
		if (t->cpu >= cpu_count)
			cpu_count = t->cpu + 1;
	}
	list_append(&sim_threads, &t->all);
	list_append(&ready, &t->run);
	return t;
}

void sim_thread_join(struct sim_thread *t)
{
	wait_prepare(&t->done);
	while (!t->finished) {
		wait_sleep(&t->done, WAIT_UNINTERRUPTIBLE);
		wait_prepare(&t->done);
	}
	wait_finish(&t->done);
	while (!t->gone)				/* it has said that it has finished, and is on its way still */
		spin_wait();
	list_remove(&t->all);
	munmap(t->stack, STACK_BYTES);
	free(t);
}

void sim_block(void)
{
	struct sim_thread *me = sim_current;

	take_interrupts(me);
	if (!me->permit) {
		me->blocked = true;
		hand_over();
	}
	me->permit = false;
}

void sim_unblock(struct sim_thread *t)
{
	t->permit = true;
	if (t->blocked) {
		t->blocked = false;
		list_append(&ready, &t->run);
	}
}

void sim_yield(void)
{
	lock_check_may_sleep();
	sim_current->spinning = schedule.period;	/* else who spins would not get on */
	list_append(&ready, &sim_current->run);
	hand_over();
}

/* ---- together ----------------------------------------------------------------------------------------------------------------------------- */

void sim_run_together(struct sim_schedule how)
{
	schedule = how;
	random_state = how.seed;
	points = spins = 0;
	sim_current->priority = (long)random_below(1u << 30);
	cpu_count = 1;
	if (how.period)
		sim_guard_nothing();
}

struct sim_thread *sim_cpu_thread(unsigned cpu)
{
	list_for_each(l, &sim_threads) {
		struct sim_thread *t = container_of(l, struct sim_thread, all);
		if (t->cpu == cpu && !t->gone)
			return t;
	}
	return NULL;
}

/* One that runs no thread at the moment takes the interrupt at once. */
void sim_send_interrupt(unsigned cpu)
{
	struct sim_thread *me = sim_current;
	unsigned mine = me->cpu;

	if (sim_cpu_runs(cpu)) {
		sim_cpu_thread(cpu)->interrupted = true;
		return;
	}
	sim_quiet(true);
	me->cpu = cpu;
	sim_interrupt();
	me->cpu = mine;
	sim_quiet(false);
}

bool sim_cpu_runs(unsigned cpu)
{
	const struct sim_thread *t = sim_cpu_thread(cpu);

	return t && !t->blocked;
}

unsigned long sim_points(void) { return points; }
void sim_quiet(bool on) { quiet += on ? 1 : -1u; }

/* Those who spin try again. */
static void spin_no_more(void)
{
	list_for_each(l, &ready)
		thread_of(l)->spinning = false;
}

static void maybe_switch(unsigned period)
{
	struct sim_thread *me = sim_current;

	points++;
	if (!me->irq_off && me->interrupted && random_below(4) == 0) {
		me->interrupted = false;
		sim_interrupt();
	}
	if (list_empty(&ready))
		return;
	bool change = random_below(period) == 0;
	if (schedule.policy == SIM_PRIORITIES) {
		if (change)
			me->priority = --lowest;
		if (points % SPIN_POINTS == 0)
			spin_no_more();
		change = choose()->priority > me->priority;
	}
	if (change) {
		struct sim_thread *next = choose();
		list_append(&ready, &me->run);
		switch_to(next);
	}
}

void sim_point(void)
{
	spins = 0;
	if (schedule.period && !quiet)
		maybe_switch(schedule.period);
}

/* Compiled into each basic block of what runs on many processors.  (libFuzzer has one, too: then that one is called, and does nothing.) */
__attribute__((weak)) void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_pc(void)
{
	if (schedule.period && !quiet)
		maybe_switch(schedule.period * BLOCKS_PER_POINT);
}

void spin_wait(void)
{
	struct sim_thread *me = sim_current;

	if (!schedule.period)
		panic("one thread runs at a time, and waits for another");
	cpu_poll();
	me->spinning = true;
	list_append(&ready, &me->run);
	if (++spins > SPINS_TOO_MANY) {
		sim_locks_print();
		panic("all threads wait for each other");
	}
	switch_to(choose());
}
