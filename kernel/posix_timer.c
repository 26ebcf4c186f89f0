/*
 * kernel/posix_timer.c - timers that send signals: timer_create(2) and its kin.
 *
 * A timer goes by the clock (kernel/timer.c) or by processor time of its own process or thread (kernel/cpu_timer.c), and fires once: its signal is queued, in an entry that it has from the
 * start.  One that repeats is set again when the signal has been taken, for a time that has not passed yet; how often it would have fired in between is its overrun.  While the signal is
 * ignored, the timer rests, until it is not.
 *
 * process->timers_lock (mutex, RANK_FILES + 1) guards the tree and what is set.  The entry's state is signal_lock's (kernel/signal_queue.c), which what fires takes.
 */
#include "kernel/posix_timer.h"
#include "arch/uaccess.h"
#include "kernel/sched.h"
#include "kernel/sys_time.h"
#include "kernel/syscall.h"
#include "vm/heap.h"

enum { SIGEV_SIGNAL, SIGEV_NONE, SIGEV_THREAD, SIGEV_THREAD_ID = 4 };
struct sigevent64 { uint64_t value; int32_t signo, notify, tid; uint8_t pad[44]; };
_Static_assert(sizeof(struct sigevent64) == 64, "struct sigevent has 64 bytes");

struct posix_timer {
	struct rb_node node;
	struct process *process;		/* - */
	int clock;				/* - */
	int notify;				/* - */
	pid_type tid;				/* whom the signal is for; 0: the process; - */
	uint64_t at_ns, interval_ns;		/* by the clock; at_ns 0: it is not set */
	bool wall;				/* at_ns is of the wall clock; else of one that is not set, or processor time */
	bool fired;				/* and not been set since; atomic */
	int overrun;
	struct signal_info entry;
	enum { BY_CLOCK, BY_CPU_TIME } kind;	/* - */
	struct timer timer;
	struct cpu_timer cpu_timer;
};

static int number_of(const struct posix_timer *t) { return t->entry.info.timer.timer; }

/* ---- running ------------------------------------------------------------------------------------------------------------------------------- */

static void fire(struct posix_timer *t)
{
	__atomic_store_n(&t->fired, true, __ATOMIC_RELEASE);
	signal_timer_send(t->process, t->tid, &t->entry);
}

static void clock_fires(struct timer *timer)
{
	fire(container_of(timer, struct posix_timer, timer));
}

static uint64_t cpu_fires(struct cpu_timer *timer, uint64_t now_ns)
{
	(void)now_ns;
	fire(container_of(timer, struct posix_timer, cpu_timer));
	return TIME_NEVER;
}

static void stop(struct posix_timer *t)
{
	if (t->kind == BY_CLOCK)
		timer_cancel(&t->timer);
	else
		cpu_timer_cancel(&t->cpu_timer);
}

static void start(struct posix_timer *t)
{
	__atomic_store_n(&t->fired, false, __ATOMIC_RELAXED);
	if (t->notify == SIGEV_NONE)
		return;				/* nobody is told: it is looked at only */
	if (t->kind == BY_CLOCK)
		timer_arm(&t->timer, t->wall ? TIMER_WALL : TIMER_MONOTONIC, t->at_ns);
	else
		cpu_timer_arm(t->process, &t->cpu_timer, t->at_ns);
}

/* By the clock that at_ns is of. */
static uint64_t now_of(const struct posix_timer *t)
{
	if (t->kind == BY_CPU_TIME)
		return cpu_timer_now(t->process, &t->cpu_timer);
	return t->wall ? clock_realtime_ns() : time_now_ns();
}

/* To the next time that is not past; how many are. */
static uint64_t move_on(struct posix_timer *t)
{
	uint64_t due = times_due(t->at_ns, t->interval_ns, now_of(t));

	t->at_ns += due * t->interval_ns;
	return due;
}

/* ---- of a process -------------------------------------------------------------------------------------------------------------------------- */

/* The timer, or NULL and where it belongs. */
static struct posix_timer *find_place(struct process *p, int number, struct rb_node **parent, int *side)
{
	*parent = NULL;
	*side = 0;
	for (struct rb_node *n = p->timers.top; n; n = n->child[*side]) {
		struct posix_timer *t = container_of(n, struct posix_timer, node);
		if (number_of(t) == number)
			return t;
		*parent = n;
		*side = number > number_of(t);
	}
	return NULL;
}

static struct posix_timer *find(struct process *p, int number)
{
	struct rb_node *parent;
	int side;

	return find_place(p, number, &parent, &side);
}

void posix_timer_taken(struct process *p, struct siginfo *info)
{
	mutex_lock(&p->timers_lock);
	struct posix_timer *t = find(p, info->timer.timer);
	if (t && t->entry.kind == INFO_TIMER_IDLE && __atomic_load_n(&t->fired, __ATOMIC_ACQUIRE)) {
		uint64_t due = t->interval_ns ? move_on(t) : 1;
		t->overrun = due - 1 < INT32_MAX ? (int)(due - 1) : INT32_MAX;
		info->timer.overrun = t->overrun;
		if (t->interval_ns)
			start(t);
		else
			t->at_ns = 0;
	}
	mutex_unlock(&p->timers_lock);
}

void posix_timers_heeded(struct process *p, int signo)
{
	if (!p->timers.top)
		return;
	mutex_lock(&p->timers_lock);
	for (struct rb_node *n = rb_end(&p->timers, 0); n; n = rb_step(n, 1)) {
		struct posix_timer *t = container_of(n, struct posix_timer, node);
		if (t->entry.kind == INFO_TIMER_IGNORED && t->entry.info.signo == signo)
			signal_timer_send(p, t->tid, &t->entry);
	}
	mutex_unlock(&p->timers_lock);
}

static void drop(struct posix_timer *t)
{
	stop(t);
	signal_timer_withdraw(t->process, &t->entry);
	signal_timer_end(&t->entry);
	rb_remove(&t->process->timers, &t->node, NULL);
	kfree(t);
}

void posix_timers_drop(struct process *p)
{
	mutex_lock(&p->timers_lock);
	for (struct rb_node *n; (n = p->timers.top); )
		drop(container_of(n, struct posix_timer, node));
	p->next_timer = 0;
	mutex_unlock(&p->timers_lock);
}

/* ---- timer_create -------------------------------------------------------------------------------------------------------------------------- */

static int check_clock(int clock, struct posix_timer *t)
{
	bool user;
	pid_type tid;

	if (clock_is_own_cpu(clock, &tid, &user)) {
		t->kind = BY_CPU_TIME;
		cpu_timer_init(&t->cpu_timer, user, tid, cpu_fires);
		return 0;
	}
	t->timer.fire = clock_fires;
	switch (clock) {
	case CLOCK_REALTIME: case CLOCK_MONOTONIC: case CLOCK_BOOTTIME: case CLOCK_TAI:
		return 0;
	case CLOCK_MONOTONIC_RAW: case CLOCK_REALTIME_COARSE: case CLOCK_MONOTONIC_COARSE: case CLOCK_REALTIME_ALARM: case CLOCK_BOOTTIME_ALARM:
		return -EOPNOTSUPP;
	default:
		return -EINVAL;
	}
}

static bool is_thread_of_ours(pid_type tid)
{
	mutex_lock(&tree_lock);
	struct thread *t = thread_find(tid);
	bool ours = t && t->process == current;
	mutex_unlock(&tree_lock);
	return ours;
}

static int check_event(const struct sigevent64 *e)
{
	switch (e->notify) {
	case SIGEV_THREAD_ID:
		if (!is_thread_of_ours(e->tid))
			return -EINVAL;
		break;
	case SIGEV_SIGNAL: case SIGEV_THREAD:
		break;
	case SIGEV_NONE:
		return 0;
	default:
		return -EINVAL;
	}
	return e->signo < 1 || e->signo > SIGNALS ? -EINVAL : 0;
}

/* A number that no timer has: they rise, and begin again. */
static void insert(struct process *p, struct posix_timer *t)
{
	struct rb_node *parent;
	int side;

	while (find_place(p, p->next_timer, &parent, &side))
		p->next_timer = p->next_timer == INT32_MAX ? 0 : p->next_timer + 1;
	t->entry.info.timer.timer = p->next_timer;
	p->next_timer = p->next_timer == INT32_MAX ? 0 : p->next_timer + 1;
	rb_insert(&p->timers, &t->node, parent, side, NULL);
}

static void fill_in(struct posix_timer *t, const struct sigevent64 *event)
{
	struct siginfo *info = &t->entry.info;

	t->notify = event ? event->notify : SIGEV_SIGNAL;
	t->tid = t->notify == SIGEV_THREAD_ID ? event->tid : 0;
	info->signo = event ? event->signo : SIGALRM;
	info->code = SI_TIMER;
	info->timer.value = event ? event->value : (unsigned)number_of(t);
}

/* timer_create(clock, event, id) */
long sys_timer_create(const unsigned long args[6])
{
	struct process *p = current;
	struct sigevent64 event;

	if (args[1] && user_get(event, args[1]))
		return -EFAULT;
	struct posix_timer *t = kzalloc(sizeof *t);
	if (!t)
		return -EAGAIN;
	t->process = p;
	t->clock = (int)args[0];
	int error = check_clock(t->clock, t);
	if (!error)
		error = signal_timer_init(&t->entry);
	if (error) {
		kfree(t);
		return error;
	}
	error = args[1] ? check_event(&event) : 0;
	mutex_lock(&p->timers_lock);
	insert(p, t);
	fill_in(t, args[1] ? &event : NULL);
	int number = number_of(t);
	if (error)
		drop(t);
	mutex_unlock(&p->timers_lock);
	if (error || user_put(args[2], number) == 0)
		return error;
	mutex_lock(&p->timers_lock);
	if ((t = find(p, number)))
		drop(t);
	mutex_unlock(&p->timers_lock);
	return -EFAULT;
}

/* ---- the others ---------------------------------------------------------------------------------------------------------------------------- */

/* What is left of it, and that it repeats; 1 ns is left of one that is due and about to fire. */
static struct itimerspec64 value_of(const struct posix_timer *t)
{
	uint64_t left = 0, now = now_of(t);

	if (t->at_ns) {
		uint64_t next = t->at_ns + (t->interval_ns ? times_due(t->at_ns, t->interval_ns, now) * t->interval_ns : 0);
		bool over = !t->interval_ns && (t->notify == SIGEV_NONE || t->fired);
		left = next > now ? next - now : over ? 0 : 1;
	}
	return (struct itimerspec64){ timespec_of(t->interval_ns), timespec_of(left) };
}

static void set(struct posix_timer *t, const struct itimerspec64 *new, bool absolute)
{
	uint64_t value = ns_of_timespec(&new->value);

	stop(t);
	signal_timer_withdraw(t->process, &t->entry);
	t->fired = false;
	t->overrun = 0;
	t->at_ns = 0;
	t->interval_ns = ns_of_timespec(&new->interval);
	t->wall = absolute && clock_is_wall(t->clock);
	if (!value)
		return;
	t->at_ns = t->wall ? clock_to_wall(t->clock, value) : absolute ? value : time_add(now_of(t), value);
	start(t);
}

/* timer_settime(id, flags, new, old) */
long sys_timer_settime(const unsigned long args[6])
{
	struct process *p = current;
	struct itimerspec64 new, old;

	if (!args[2])
		return -EINVAL;
	if (user_get(new, args[2]))
		return -EFAULT;
	if (!timespec_valid(&new.interval) || !timespec_valid(&new.value))
		return -EINVAL;
	mutex_lock(&p->timers_lock);
	struct posix_timer *t = find(p, (int)args[0]);
	if (t) {
		old = value_of(t);
		set(t, &new, args[1] & TIMER_ABSTIME);
	}
	mutex_unlock(&p->timers_lock);
	return !t ? -EINVAL : args[3] ? user_put(args[3], old) : 0;
}

/* timer_gettime(id, value) */
long sys_timer_gettime(const unsigned long args[6])
{
	struct process *p = current;
	struct itimerspec64 value;

	mutex_lock(&p->timers_lock);
	const struct posix_timer *t = find(p, (int)args[0]);
	if (t)
		value = value_of(t);
	mutex_unlock(&p->timers_lock);
	return t ? user_put(args[1], value) : -EINVAL;
}

long sys_timer_getoverrun(const unsigned long args[6])
{
	struct process *p = current;

	mutex_lock(&p->timers_lock);
	const struct posix_timer *t = find(p, (int)args[0]);
	long overrun = t ? t->overrun : -EINVAL;
	mutex_unlock(&p->timers_lock);
	return overrun;
}

long sys_timer_delete(const unsigned long args[6])
{
	struct process *p = current;

	mutex_lock(&p->timers_lock);
	struct posix_timer *t = find(p, (int)args[0]);
	if (t)
		drop(t);
	mutex_unlock(&p->timers_lock);
	return t ? 0 : -EINVAL;
}
