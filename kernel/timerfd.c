/*
 * kernel/timerfd.c - timers that are files: timerfd_create(2).
 *
 * A timer fires once, and is ready from then on.  How often it would have fired is computed when it is read; one that repeats is set again then, for a time that has not passed yet.
 *
 * Locks: t->lock (mutex, RANK_PIPE) guards what is set; cancel_lock (spinlock, RANK_WAITQ - 3, interrupts off) the list of those that want to know that the wall clock is set.
 */
#include "kernel/timerfd.h"
#include "arch/uaccess.h"
#include "fs/anon.h"
#include "fs/synth.h"
#include "kernel/sched.h"
#include "kernel/sys_file.h"
#include "kernel/sys_time.h"
#include "kernel/timer.h"
#include "vm/heap.h"

enum { SET_ABSOLUTE = 1, SET_CANCEL = 2 };

struct timerfd {
	struct mutex lock;
	struct waitq changed;
	struct timer timer;
	int clock;			/* - */
	unsigned flags;			/* of the last settime */
	uint64_t at_ns, interval_ns;	/* by the clock; at_ns 0: it is not set */
	bool wall;			/* at_ns is of the wall clock */
	bool fired;			/* atomic */
	bool cancelled;			/* the clock was set; atomic */
	struct list cancel;		/* cancel_lock */
};

static struct spinlock cancel_lock = SPINLOCK_INIT("timerfds", RANK_WAITQ - 3);
static struct list cancel_list = LIST_INIT(cancel_list);

static void fires(struct timer *timer)
{
	struct timerfd *t = container_of(timer, struct timerfd, timer);

	__atomic_store_n(&t->fired, true, __ATOMIC_RELEASE);
	file_wake(&t->changed, POLL_IN);
}

void timerfd_wall_changed(void)
{
	unsigned long irq = spin_lock_irq(&cancel_lock);

	list_for_each(l, &cancel_list) {
		struct timerfd *t = container_of(l, struct timerfd, cancel);
		__atomic_store_n(&t->cancelled, true, __ATOMIC_RELEASE);
		file_wake(&t->changed, POLL_IN);
	}
	spin_unlock_irq(&cancel_lock, irq);
}

static bool has_fired(const struct timerfd *t)
{
	return __atomic_load_n(&t->fired, __ATOMIC_ACQUIRE) || __atomic_load_n(&t->cancelled, __ATOMIC_ACQUIRE);
}

static uint64_t now_of(const struct timerfd *t)
{
	return t->wall ? clock_realtime_ns() : time_now_ns();
}

static void start(struct timerfd *t)
{
	__atomic_store_n(&t->fired, false, __ATOMIC_RELAXED);
	timer_arm(&t->timer, t->wall ? TIMER_WALL : TIMER_MONOTONIC, t->at_ns);
}

/* t->lock held. */
static int await(struct timerfd *t, bool nonblock)
{
	int error = 0;

	while (!has_fired(t) && !error) {
		if (nonblock)
			return -EAGAIN;
		wait_prepare(&t->changed);
		mutex_unlock(&t->lock);
		if (!has_fired(t))
			error = wait_sleep(&t->changed, WAIT_INTERRUPTIBLE);
		wait_finish(&t->changed);
		mutex_lock(&t->lock);
	}
	return error;
}

/* How often it was due; it goes on.  Has fired, or been cancelled. */
static uint64_t take(struct timerfd *t)
{
	uint64_t due = 1;

	if (t->interval_ns) {
		due = times_due(t->at_ns, t->interval_ns, now_of(t));
		t->at_ns += due * t->interval_ns;
		start(t);
	}
	t->fired = false;
	return due;
}

static ssize timerfd_read(struct file *f, struct uio *uio, uint64_t *pos)
{
	struct timerfd *t = f->data;
	uint64_t due = 0;

	(void)pos;
	if (uio->left < sizeof due)
		return -EINVAL;
	mutex_lock(&t->lock);
	int error = await(t, f->flags & OPEN_NONBLOCK);
	if (!error && __atomic_exchange_n(&t->cancelled, false, __ATOMIC_ACQ_REL))
		error = -ECANCELED;
	if (!error)
		due = take(t);
	mutex_unlock(&t->lock);
	return error ? error : due == 0 ? -EAGAIN : uio_out(uio, &due, sizeof due) == sizeof due ? (ssize)sizeof due : -EFAULT;
}

static unsigned timerfd_poll(struct file *f, struct waitq **queue)
{
	struct timerfd *t = f->data;

	*queue = &t->changed;
	return has_fired(t) ? POLL_IN : 0;
}

/* What is left; nothing of one that has fired and does not repeat.  t->lock held. */
static struct itimerspec64 value_of(const struct timerfd *t)
{
	uint64_t left = 0, now = now_of(t);

	if (t->at_ns) {
		uint64_t next = t->at_ns + (t->interval_ns ? times_due(t->at_ns, t->interval_ns, now) * t->interval_ns : 0);
		left = next > now ? next - now : 0;
	}
	return (struct itimerspec64){ timespec_of(t->interval_ns), timespec_of(left) };
}

static void timerfd_show(struct file *f, struct text *text)
{
	struct timerfd *t = f->data;

	mutex_lock(&t->lock);
	struct itimerspec64 v = value_of(t);
	unsigned long long ticks = t->fired ? times_due(t->at_ns, t->interval_ns, now_of(t)) : 0;
	text_print(text, "clockid: %d\nticks: %llu\nsettime flags: 0%o\nit_value: (%llu, %llu)\nit_interval: (%llu, %llu)\n", t->clock, ticks, t->flags,
		(unsigned long long)v.value.sec, (unsigned long long)v.value.nsec, (unsigned long long)v.interval.sec, (unsigned long long)v.interval.nsec);
	mutex_unlock(&t->lock);
}

static void want_cancel(struct timerfd *t, bool wanted)
{
	unsigned long irq = spin_lock_irq(&cancel_lock);

	list_remove(&t->cancel);
	if (wanted)
		list_append(&cancel_list, &t->cancel);
	spin_unlock_irq(&cancel_lock, irq);
}

static void timerfd_release(struct file *f)
{
	struct timerfd *t = f->data;

	want_cancel(t, false);
	timer_cancel(&t->timer);
	kfree(t);
}

static const struct file_ops timerfd_ops = {
	.name = "anon_inode:[timerfd]", .read = timerfd_read, .seek = file_zero_seek, .poll = timerfd_poll, .show = timerfd_show, .release = timerfd_release,
};

/* ---- the calls ----------------------------------------------------------------------------------------------------------------------------- */

/* timerfd_create(clock, flags) */
long sys_timerfd_create(const unsigned long args[6])
{
	int clock = (int)args[0];
	unsigned flags = (unsigned)args[1];
	bool alarm = clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM;

	if (flags & ~(unsigned)(OPEN_CLOSE_ON_EXEC | OPEN_NONBLOCK))
		return -EINVAL;
	if (!alarm && clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME)
		return -EINVAL;
	if (alarm && !capable(CAP_WAKE_ALARM))
		return -EPERM;
	struct timerfd *t = kzalloc(sizeof *t);
	if (!t)
		return -ENOMEM;
	mutex_init(&t->lock, "timerfd", RANK_PIPE);
	waitq_init(&t->changed);
	list_init(&t->cancel);
	t->timer.fire = fires;
	t->clock = clock;
	struct file *f = anon_file(&timerfd_ops, t, OPEN_READ_WRITE | (flags & OPEN_NONBLOCK));
	if (!f)
		kfree(t);
	return file_install(f, flags & OPEN_CLOSE_ON_EXEC);
}

static void set(struct timerfd *t, const struct itimerspec64 *new, unsigned flags)
{
	uint64_t value = ns_of_timespec(&new->value);
	bool absolute = flags & SET_ABSOLUTE, wall = clock_is_wall(t->clock);

	want_cancel(t, wall && absolute && flags & SET_CANCEL);
	timer_cancel(&t->timer);
	t->fired = t->cancelled = false;
	t->at_ns = 0;
	t->flags = flags;
	t->interval_ns = ns_of_timespec(&new->interval);
	t->wall = wall && absolute;
	if (!value)
		return;
	t->at_ns = absolute ? value : time_add(now_of(t), value);
	start(t);
}

static struct file *timerfd_get(int fd, int *error)
{
	struct file *f = file_get(fd);

	*error = !f ? -EBADF : f->ops != &timerfd_ops ? -EINVAL : 0;
	return f;
}

/* timerfd_settime(fd, flags, new, old) */
long sys_timerfd_settime(const unsigned long args[6])
{
	unsigned flags = (unsigned)args[1];
	struct itimerspec64 new, old;
	int error;

	if (user_get(new, args[2]))
		return -EFAULT;
	if (flags & ~(unsigned)(SET_ABSOLUTE | SET_CANCEL) || !timespec_valid(&new.interval) || !timespec_valid(&new.value))
		return -EINVAL;
	struct file *f = timerfd_get((int)args[0], &error);
	if (!error) {
		struct timerfd *t = f->data;
		mutex_lock(&t->lock);
		old = value_of(t);
		set(t, &new, flags);
		mutex_unlock(&t->lock);
	}
	file_put(f);
	return error ? error : args[3] ? user_put(args[3], old) : 0;
}

/* timerfd_gettime(fd, value) */
long sys_timerfd_gettime(const unsigned long args[6])
{
	struct itimerspec64 value;
	int error;
	struct file *f = timerfd_get((int)args[0], &error);

	if (!error) {
		struct timerfd *t = f->data;
		mutex_lock(&t->lock);
		value = value_of(t);
		mutex_unlock(&t->lock);
	}
	file_put(f);
	return error ? error : user_put(args[1], value);
}
