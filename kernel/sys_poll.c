/*
 * kernel/sys_poll.c - waiting for one of several files: poll, ppoll, select, pselect6.
 *
 * All four become a struct watch.  watch_wait looks at each file; when none is ready it puts a waiter into the queue of each, looks again (what
 * changed before the waiter was there has not woken us), and sleeps until a queue is woken, a signal comes or the time is up.
 */
#include "kernel/sys_file.h"
#include "kernel/clock.h"
#include "kernel/exec.h"
#include "kernel/sched.h"
#include "arch/uaccess.h"
#include "vm/heap.h"
#include "lib/string.h"

#define NEVER TIME_NEVER
enum { FEW = 4, ALWAYS_TOLD = POLL_ERR | POLL_HUP | POLL_INVALID };

/* got: the POLL_ bits that hold now, of those wanted and those that are always told.  file NULL: got stays what it is. */
struct watched { struct file *file; int fd; unsigned want, got; };

struct watch {
	size_t n;
	struct watched *files;
	struct waiter *waiters;		/* one for each file */
	struct watched few[FEW];
	struct waiter few_waiters[FEW];
};

static int watch_begin(struct watch *w, size_t n)
{
	w->n = n;
	w->files = w->few;
	w->waiters = w->few_waiters;
	if (n > FEW) {
		w->files = kmalloc(n * (sizeof *w->files + sizeof *w->waiters));
		if (!w->files)
			return -ENOMEM;
		w->waiters = (struct waiter *)(w->files + n);
	}
	memset(w->files, 0, n * sizeof *w->files);
	memset(w->waiters, 0, n * sizeof *w->waiters);
	return 0;
}

static void watch_end(struct watch *w)
{
	for (size_t i = 0; i < w->n; i++)
		file_put(w->files[i].file);
	if (w->files != w->few)
		kfree(w->files);
}

enum arming { LOOK_ONLY, LOOK_AND_ARM };

/* How many files are ready. */
static long look(struct watch *w, enum arming arming)
{
	long ready = 0;

	for (size_t i = 0; i < w->n; i++) {
		struct watched *f = &w->files[i];
		struct waitq *queue;

		if (f->file) {
			unsigned events = file_poll(f->file, &queue);
			if (arming == LOOK_AND_ARM && queue) {
				w->waiters[i].want = f->want | ALWAYS_TOLD;
				waiter_add(&w->waiters[i], queue);
				events = file_poll(f->file, &queue);
			}
			f->got = events & (f->want | ALWAYS_TOLD);
		}
		ready += f->got != 0;
	}
	return ready;
}

/* How many files are ready: 0 when the time is up; -EINTR. */
static long watch_wait(struct watch *w, uint64_t deadline)
{
	long ready = look(w, LOOK_ONLY);
	int why = deadline == 0 ? -ETIMEDOUT : 0;

	while (!ready && !why) {
		ready = look(w, LOOK_AND_ARM);
		if (!ready)
			why = waiters_sleep(w->waiters, w->n, WAIT_INTERRUPTIBLE, deadline);
		for (size_t i = 0; i < w->n; i++)
			waiter_remove(&w->waiters[i]);
		if (why)
			ready = look(w, LOOK_ONLY);
	}
	return ready || why == -ETIMEDOUT ? ready : why;
}

/* ---- times ------------------------------------------------------------------------------------------------------------- */

uint64_t wait_deadline(uint64_t ns)
{
	uint64_t now = time_now_ns();

	return ns == 0 ? 0 : ns >= NEVER - now ? NEVER : now + ns;
}

int wait_span_get(const struct wait_span *s, uint64_t *deadline)
{
	int64_t t[2];

	*deadline = NEVER;
	if (!s->at)
		return 0;
	if (user_copy_in(t, s->at, sizeof t))
		return -EFAULT;
	if (s->unit_ns > 1) {			/* select takes microseconds beyond a second */
		t[0] += t[1] / 1000000;
		t[1] %= 1000000;
	}
	if (t[0] < 0 || t[1] < 0 || (uint64_t)t[1] * s->unit_ns >= NS_PER_SECOND)
		return -EINVAL;
	bool too_long = (uint64_t)t[0] >= (uint64_t)INT64_MAX / NS_PER_SECOND;
	*deadline = too_long ? NEVER : wait_deadline((uint64_t)t[0] * NS_PER_SECOND + (uint64_t)t[1] * s->unit_ns);
	return 0;
}

/* Tells what is left, as Linux does; that it cannot be written does no harm. */
static void span_put(const struct wait_span *s, uint64_t deadline)
{
	uint64_t now = time_now_ns(), left = deadline > now ? deadline - now : 0;
	int64_t t[2] = { (int64_t)(left / NS_PER_SECOND), (int64_t)(left % NS_PER_SECOND / s->unit_ns) };

	if (s->at && deadline != NEVER && !(current->personality & STICKY_TIMEOUTS))
		user_copy_out(s->at, t, sizeof t);
}

int wait_mask_get(vaddr_t at, size_t size, uint64_t *mask)
{
	return size != sizeof *mask ? -EINVAL : user_get(*mask, at);
}

static long no_handler_restart(long result)
{
	return result == -EINTR ? -ERESTARTNOHAND : result;
}

/* ---- poll -------------------------------------------------------------------------------------------------------------- */

struct pollfd64 { int32_t fd; int16_t events, revents; };

static int watch_pollfds(struct watch *w, vaddr_t fds)
{
	for (size_t i = 0; i < w->n; i++) {
		struct pollfd64 p;
		struct watched *f = &w->files[i];

		if (user_get(p, fds + i * sizeof p))
			return -EFAULT;
		f->want = (uint16_t)p.events;
		f->file = p.fd < 0 ? NULL : file_get(p.fd);
		f->got = p.fd >= 0 && !f->file ? POLL_INVALID : 0;
	}
	return 0;
}

static int tell_pollfds(const struct watch *w, vaddr_t fds)
{
	for (size_t i = 0; i < w->n; i++) {
		int16_t got = (int16_t)w->files[i].got;
		if (user_put(fds + i * sizeof(struct pollfd64) + offsetof(struct pollfd64, revents), got))
			return -EFAULT;
	}
	return 0;
}

static long poll_until(vaddr_t fds, unsigned n, uint64_t deadline)
{
	struct watch w;

	if (n > current->limits[LIMIT_NOFILE].cur)
		return -EINVAL;
	long result = watch_begin(&w, n);
	if (result)
		return result;
	result = watch_pollfds(&w, fds);
	if (!result)
		result = watch_wait(&w, deadline);
	if (result >= 0 && tell_pollfds(&w, fds))
		result = -EFAULT;
	watch_end(&w);
	return result;
}

static long poll_again(struct thread *);

/* Goes on, after a signal without a handler, for what is left of the time. */
static long poll_restartable(vaddr_t fds, unsigned n, uint64_t deadline)
{
	struct thread *t = current_thread();
	long result = poll_until(fds, n, deadline);

	if (result != -EINTR)
		return result;
	t->restart.go_on = poll_again;
	t->restart.deadline_ns = deadline;
	t->restart.address = fds;
	t->restart.op = n;
	return -ERESTART_RESTARTBLOCK;
}

static long poll_again(struct thread *t)
{
	return poll_restartable(t->restart.address, t->restart.op, t->restart.deadline_ns);
}

long sys_poll(const unsigned long args[6])
{
	int ms = (int)args[2];

	return poll_restartable(args[0], (unsigned)args[1], ms < 0 ? NEVER : wait_deadline((uint64_t)ms * 1000000));
}

long sys_ppoll(const unsigned long args[6])
{
	const struct wait_span span = { args[2], 1 };
	uint64_t deadline, mask;
	long result = wait_span_get(&span, &deadline);

	if (!result && args[3])
		result = wait_mask_get(args[3], args[4], &mask);
	if (result)
		return result;
	if (args[3])
		signal_mask_for_call(mask);
	result = no_handler_restart(poll_until(args[0], (unsigned)args[1], deadline));
	span_put(&span, deadline);
	return args[3] ? signal_mask_return(result) : result;
}

/* ---- select ------------------------------------------------------------------------------------------------------------ */

enum { SELECT_SETS = 3, SET_WORDS = 1024 / 64 };

/* What makes a descriptor ready in the sets for reading, writing and exceptions. */
static const unsigned select_events[SELECT_SETS] = {
	POLL_IN | POLL_READ_NORMAL | POLL_READ_BAND | POLL_HUP | POLL_ERR | POLL_INVALID,
	POLL_OUT | POLL_WRITE_NORMAL | POLL_WRITE_BAND | POLL_ERR | POLL_INVALID, POLL_PRI | POLL_INVALID,
};

struct select_sets { vaddr_t at[SELECT_SETS]; size_t nwords; uint64_t bits[SELECT_SETS][SET_WORDS]; };

static int sets_get(struct select_sets *s, size_t nfds)
{
	s->nwords = (nfds + 63) / 64;
	memset(s->bits, 0, sizeof s->bits);
	for (int i = 0; i < SELECT_SETS; i++) {
		if (s->at[i] && user_copy_in(s->bits[i], s->at[i], s->nwords * 8))
			return -EFAULT;
		if (nfds % 64)
			s->bits[i][s->nwords - 1] &= ((uint64_t)1 << nfds % 64) - 1;
	}
	return 0;
}

static unsigned set_events(const struct select_sets *s, size_t fd)
{
	unsigned events = 0;

	for (int i = 0; i < SELECT_SETS; i++)
		if (s->bits[i][fd / 64] >> fd % 64 & 1)
			events |= select_events[i];
	return events;
}

static size_t sets_count(const struct select_sets *s)
{
	size_t n = 0;

	for (size_t fd = 0; fd < s->nwords * 64; fd++)
		n += set_events(s, fd) != 0;
	return n;
}

static int watch_sets(struct watch *w, const struct select_sets *s)
{
	struct watched *f = w->files;

	for (size_t fd = 0; fd < s->nwords * 64; fd++) {
		unsigned events = set_events(s, fd);
		if (!events)
			continue;
		f->fd = (int)fd;
		f->want = events;
		f->file = file_get((int)fd);
		if (!f->file && files_get_close_on_exec(current->files, (int)fd) < 0)
			return -EBADF;
		f->got = f->file ? 0 : POLL_INVALID;		/* O_PATH */
		f++;
	}
	return 0;
}

/* Leaves the bits of what is ready, copies the sets out; how many bits. */
static long tell_sets(const struct watch *w, struct select_sets *s)
{
	long count = 0;

	for (size_t i = 0; i < w->n; i++)
		for (int set = 0; set < SELECT_SETS; set++) {
			uint64_t *word = &s->bits[set][w->files[i].fd / 64], bit = (uint64_t)1 << w->files[i].fd % 64;
			if (!(*word & bit))
				continue;
			if (w->files[i].got & select_events[set])
				count++;
			else
				*word &= ~bit;
		}
	for (int set = 0; set < SELECT_SETS; set++)
		if (s->at[set] && user_copy_out(s->at[set], s->bits[set], s->nwords * 8))
			return -EFAULT;
	return count;
}

/* POLL_HUP and POLL_ERR come unasked: they count for a descriptor only where its sets have them. */
static void keep_wanted(struct watch *w)
{
	for (size_t i = 0; i < w->n; i++)
		w->files[i].got &= w->files[i].want;
}

static long select_until(int nfds, const unsigned long at[SELECT_SETS], uint64_t deadline)
{
	struct select_sets s = { .at = { at[0], at[1], at[2] } };
	struct watch w;

	if (nfds < 0)
		return -EINVAL;
	if (nfds > SET_WORDS * 64)
		nfds = SET_WORDS * 64;
	long result = sets_get(&s, (size_t)nfds);
	if (!result)
		result = watch_begin(&w, sets_count(&s));
	if (result)
		return result;
	result = watch_sets(&w, &s);
	if (!result)
		result = watch_wait(&w, deadline);
	keep_wanted(&w);
	if (result >= 0)
		result = tell_sets(&w, &s);
	watch_end(&w);
	return no_handler_restart(result);
}

long sys_select(const unsigned long args[6])
{
	const struct wait_span span = { args[4], 1000 };
	uint64_t deadline;
	long result = wait_span_get(&span, &deadline);

	if (result)
		return result;
	result = select_until((int)args[0], args + 1, deadline);
	span_put(&span, deadline);
	return result;
}

long sys_pselect6(const unsigned long args[6])
{
	const struct wait_span span = { args[4], 1 };
	struct { uint64_t at, size; } mask_arg = { 0, 0 };
	uint64_t deadline, mask;
	long result = args[5] ? user_get(mask_arg, args[5]) : 0;

	if (!result)
		result = wait_span_get(&span, &deadline);
	if (!result && mask_arg.at)
		result = wait_mask_get(mask_arg.at, mask_arg.size, &mask);
	if (result)
		return result;
	if (mask_arg.at)
		signal_mask_for_call(mask);
	result = select_until((int)args[0], args + 1, deadline);
	span_put(&span, deadline);
	return mask_arg.at ? signal_mask_return(result) : result;
}
