/*
 * kernel/wait.c - waiting for children: wait4, waitid; and what a process has used.
 *
 * A child has something to tell when it is a zombie, was stopped, or was continued.  Each is told once (unless WAIT_KEEP), and a
 * zombie that has been told is freed; what it used is added to its parent's account of children.
 */
#include "kernel/life.h"
#include "kernel/clock.h"
#include "kernel/sched.h"
#include "kernel/syscall.h"
#include "lib/string.h"
#include "vm/heap.h"

static bool matches(const struct process *child, enum wait_which, pid_type number, unsigned options);
static bool take_event(struct process *child, unsigned options, struct wait_result *);

struct which_trace { enum wait_which which; pid_type number; };

static bool matches_trace(const struct trace *trace, const void *context)
{
	const struct which_trace *wanted = context;
	return wanted->which == WAIT_ALL || (wanted->which == WAIT_PID ? trace->tid : trace->pgid) == wanted->number;
}

/* One look at all children, and at what is traced: a number, 0 (none has changed) or -ECHILD (there is none that could). */
static long look(struct process *p, enum wait_which which, pid_type number, unsigned options, struct wait_result *result)
{
	long found = -ECHILD;
	mutex_lock(&tree_lock);
	list_for_each(l, &p->children) {
		struct process *child = container_of(l, struct process, sibling);
		if (!matches(child, which, number, options))
			continue;
		found = 0;
		if (take_event(child, options, result)) {
			found = result->pid;
			break;
		}
	}
	if (found <= 0) {
		const struct which_trace wanted = { which, number };
		long traced = trace_wait(p, matches_trace, &wanted, options, result);
		found = traced >= 0 ? traced : found;
	}
	mutex_unlock(&tree_lock);
	return found;
}

long process_wait(enum wait_which which, pid_type number, unsigned options, struct wait_result *result)
{
	struct process *p = current;
	long found;

	for (;;) {
		wait_prepare(&p->child_event);
		found = look(p, which, number, options, result);
		if (found || (options & WAIT_NOHANG))
			break;
		if (wait_sleep(&p->child_event, WAIT_INTERRUPTIBLE) != 0) {
			found = -ERESTARTSYS;
			break;
		}
	}
	wait_finish(&p->child_event);
	return found;
}

static bool matches(const struct process *child, enum wait_which which, pid_type number, unsigned options)
{
	if (which == WAIT_PID && child->pid != number)
		return false;
	if (which == WAIT_GROUP && child->pgid != number)
		return false;
	if (options & WAIT_ANY_KIND)
		return true;
	return (child->exit_signal != SIGCHLD) == !!(options & WAIT_CLONE_KIND);
}

static void describe(struct process *child, struct wait_result *result, int status, int code)
{
	result->pid = child->pid;
	result->uid = child->uid;
	result->status = status;
	result->code = code;
	process_usage(child, USAGE_SELF | USAGE_CHILDREN, &result->usage);
}

/* Its stops are told by what traces it. */
static bool is_traced_by(const struct process *child, const struct process *parent)
{
	list_for_each(l, &child->threads) {
		const struct trace *trace = container_of(l, struct thread, siblings)->trace;
		if (trace && trace->tracer == parent)
			return true;
	}
	return false;
}

/* What it has used counts for its parent once that has waited for it; not if it goes unasked, where SIGCHLD is ignored. */
static void count_child(const struct process *zombie)
{
	struct process *parent = zombie->parent;
	stats_add(&parent->child_faults, &zombie->dead_faults);
	if (zombie->has_reaped)
		stats_add(&parent->child_faults, &zombie->child_faults);
	parent->has_reaped = true;
	cpu_time_add(&parent->child_time, zombie->dead_time);
	cpu_time_add(&parent->child_time, zombie->child_time);
	counts_add(&parent->child_counts, &zombie->dead_counts);
	counts_add(&parent->child_counts, &zombie->child_counts);
	if (parent->child_max_resident < zombie->max_resident)
		parent->child_max_resident = zombie->max_resident;
	if (parent->child_max_resident < zombie->child_max_resident)
		parent->child_max_resident = zombie->child_max_resident;
}

static bool take_event(struct process *child, unsigned options, struct wait_result *result)
{
	if (child->state == PROCESS_ZOMBIE) {
		if (!(options & WAIT_EXITED))
			return false;
		describe(child, result, child->exit_status, exit_cause(child->exit_status));
		if (!(options & WAIT_KEEP)) {
			count_child(child);
			process_reap(child);
		}
		return true;
	}
	enum { NOTHING, STOPPED, CONTINUED } event = NOTHING;
	unsigned long irq = spin_lock_irq(&child->signal_lock);
	int signo = child->stop_signal;
	if ((options & WAIT_STOPPED) && child->stopped && !child->stop_reported && !is_traced_by(child, child->parent)) {
		child->stop_reported = !(options & WAIT_KEEP);
		event = STOPPED;
	} else if ((options & WAIT_CONTINUED) && child->continued) {
		child->continued = options & WAIT_KEEP;
		event = CONTINUED;
	}
	spin_unlock_irq(&child->signal_lock, irq);
	if (event == STOPPED)
		describe(child, result, signo << 8 | 0x7f, CLD_STOPPED);
	else if (event == CONTINUED)
		describe(child, result, 0xffff, CLD_CONTINUED);
	return event != NOTHING;
}

void process_reap(struct process *zombie)
{
	process_remove(zombie);
	process_free(zombie);
}

/* ---- resource use ------------------------------------------------------------------ */

/* Places in struct rusage, in longs. */
enum { USAGE_USER = 0, USAGE_SYSTEM = 2, USAGE_RESIDENT = 4, USAGE_MINOR = 8, USAGE_MAJOR = 9, USAGE_VOLUNTARY = 16, USAGE_INVOLUNTARY = 17 };

static void put_time(int64_t *to, uint64_t ns)
{
	to[0] = (int64_t)(ns / NS_PER_SECOND);
	to[1] = (int64_t)(ns % NS_PER_SECOND / 1000);
}

void process_note_resident(struct process *p, const struct space *space)
{
	if (p->max_resident < space->peak_resident)
		p->max_resident = space->peak_resident;
	if (p->max_resident < space_resident(space))
		p->max_resident = space_resident(space);
}

static size_t most_resident(const struct process *p)
{
	size_t most = p->max_resident;
	if (p->space && most < p->space->peak_resident)
		most = p->space->peak_resident;
	if (p->space && most < space_resident(p->space))
		most = space_resident(p->space);
	return most;
}

struct usage { struct cpu_time time; struct counts counts; uint64_t minor, major; size_t resident; };

static void put_usage(struct rusage64 *to, const struct usage *u)
{
	memset(to, 0, sizeof *to);
	put_time(&to->value[USAGE_USER], u->time.user_ns);
	put_time(&to->value[USAGE_SYSTEM], u->time.kernel_ns);
	to->value[USAGE_RESIDENT] = (int64_t)(u->resident * PAGE_SIZE / 1024);
	to->value[USAGE_MINOR] = (int64_t)u->minor;
	to->value[USAGE_MAJOR] = (int64_t)u->major;
	to->value[USAGE_VOLUNTARY] = (int64_t)u->counts.voluntary;
	to->value[USAGE_INVOLUNTARY] = (int64_t)u->counts.involuntary;
}

static void add_faults(struct usage *u, const struct fault_stats *faults)
{
	u->minor += stats_minor(faults);
	u->major += stats_major(faults);
}

void process_usage(struct process *p, unsigned of, struct rusage64 *usage)
{
	struct usage u = { .resident = 0 };

	if (of & USAGE_SELF) {
		struct fault_stats faults = process_faults(p);
		u.time = process_time(p);
		u.counts = process_counts(p);
		u.resident = most_resident(p);
		add_faults(&u, &faults);
	}
	if (of & USAGE_CHILDREN) {
		cpu_time_add(&u.time, p->child_time);
		counts_add(&u.counts, &p->child_counts);
		add_faults(&u, &p->child_faults);
		if (u.resident < p->child_max_resident)
			u.resident = p->child_max_resident;
	}
	put_usage(usage, &u);
}

/* Memory is the process's. */
void thread_usage(const struct thread *t, struct rusage64 *usage)
{
	struct usage u = { .time = thread_time(t), .counts = t->counts, .resident = most_resident(t->process) };
	add_faults(&u, &t->faults);
	put_usage(usage, &u);
}
