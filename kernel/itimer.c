/*
 * kernel/itimer.c - the interval timers of a process: SIGALRM by the clock, SIGVTALRM and SIGPROF by processor time.
 *
 * SIGALRM is sent once, and the timer that repeats is set again when that has been taken, for a time that has not passed yet: so a short interval costs no more than the process does about it.
 * The two others go on by themselves, at ticks.
 *
 * process->timers_lock (mutex) keeps apart those who set and read; interval_ns of the others is read by their tick as well, as a word.
 */
#include "kernel/clock.h"
#include "kernel/sched.h"

enum { SOON_NS = 1000 };		/* due, and about to fire: not 0, which means 'not set' */

static void real_fires(struct timer *timer)
{
	signal_send_process(container_of(timer, struct process, itimers.real), SIGALRM, NULL);
}

static uint64_t next_time(uint64_t at_ns, uint64_t interval_ns, uint64_t now_ns)
{
	return interval_ns ? at_ns + ((now_ns - at_ns) / interval_ns + 1) * interval_ns : TIME_NEVER;
}

static uint64_t virtual_fires(struct cpu_timer *timer, uint64_t now_ns)
{
	struct process *p = container_of(timer, struct process, itimers.virtual);

	signal_send_process(p, SIGVTALRM, NULL);
	return next_time(timer->at_ns, p->itimers.interval_ns[ITIMER_VIRTUAL], now_ns);
}

static uint64_t prof_fires(struct cpu_timer *timer, uint64_t now_ns)
{
	struct process *p = container_of(timer, struct process, itimers.prof);

	signal_send_process(p, SIGPROF, NULL);
	return next_time(timer->at_ns, p->itimers.interval_ns[ITIMER_PROF], now_ns);
}

void itimer_init(struct process *p)
{
	p->itimers.real.fire = real_fires;
	cpu_timer_init(&p->itimers.virtual, true, 0, virtual_fires);
	cpu_timer_init(&p->itimers.prof, false, 0, prof_fires);
}

static struct cpu_timer *cpu_timer_of(struct process *p, enum itimer_which which)
{
	return which == ITIMER_VIRTUAL ? &p->itimers.virtual : &p->itimers.prof;
}

/* What it goes by, now. */
static uint64_t timer_now(struct process *p, enum itimer_which which)
{
	if (which == ITIMER_REAL)
		return time_now_ns();
	struct cpu_time used = process_time(p);
	return which == ITIMER_VIRTUAL ? used.user_ns : cpu_time_all(used);
}

static struct itimer_value value_now(struct process *p, enum itimer_which which)
{
	struct itimer_value v = { 0, p->itimers.interval_ns[which] };
	const struct cpu_timer *cpu = cpu_timer_of(p, which);
	bool armed = which == ITIMER_REAL ? p->itimers.real.armed : !list_empty(&cpu->link);
	uint64_t at = which == ITIMER_REAL ? p->itimers.real.at_ns : cpu->at_ns, now = timer_now(p, which);

	if (armed)
		v.left_ns = at > now ? at - now : SOON_NS;
	return v;
}

struct itimer_value itimer_get(struct process *p, enum itimer_which which)
{
	mutex_lock(&p->timers_lock);
	struct itimer_value v = value_now(p, which);
	mutex_unlock(&p->timers_lock);
	return v;
}

static void set(struct process *p, enum itimer_which which, uint64_t left_ns)
{
	if (which == ITIMER_REAL && left_ns)
		timer_arm(&p->itimers.real, TIMER_MONOTONIC, time_now_ns() + left_ns);
	else if (which == ITIMER_REAL)
		timer_cancel(&p->itimers.real);
	else if (left_ns)
		cpu_timer_arm(p, cpu_timer_of(p, which), timer_now(p, which) + left_ns);
	else
		cpu_timer_cancel(cpu_timer_of(p, which));
}

struct itimer_value itimer_set(struct process *p, enum itimer_which which, struct itimer_value new)
{
	mutex_lock(&p->timers_lock);
	struct itimer_value old = value_now(p, which);
	p->itimers.interval_ns[which] = new.interval_ns;
	set(p, which, new.left_ns);
	mutex_unlock(&p->timers_lock);
	return old;
}

void itimer_taken(struct process *p)
{
	struct timer *real = &p->itimers.real;

	if (!p->itimers.interval_ns[ITIMER_REAL])
		return;
	mutex_lock(&p->timers_lock);
	uint64_t interval = p->itimers.interval_ns[ITIMER_REAL], now = time_now_ns();
	if (interval && !real->armed)		/* else SIGALRM was somebody's else */
		timer_arm(real, TIMER_MONOTONIC, now < real->at_ns ? now + interval : next_time(real->at_ns, interval, now));
	mutex_unlock(&p->timers_lock);
}

void itimer_forget(struct process *p)
{
	for (enum itimer_which w = 0; w < ITIMERS; w++)
		itimer_set(p, w, (struct itimer_value){ 0, 0 });
}
