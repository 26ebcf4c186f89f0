/*
 * fs/eventfd.c - counters that can be waited for: eventfd(2).
 *
 * lock (mutex, RANK_PIPE) guards the count.
 */
#include "fs/eventfd.h"
#include "fs/anon.h"
#include "fs/synth.h"
#include "vm/heap.h"

#define COUNT_MAX	(~(uint64_t)0 - 1)

struct eventfd {
	struct mutex lock;
	struct waitq changed;
	uint64_t count;
	enum eventfd_kind kind;
};

static int wait_change(struct eventfd *e)
{
	wait_prepare(&e->changed);
	mutex_unlock(&e->lock);
	int error = wait_sleep(&e->changed, WAIT_INTERRUPTIBLE);
	wait_finish(&e->changed);
	mutex_lock(&e->lock);
	return error;
}

static ssize eventfd_read(struct file *f, struct uio *uio, uint64_t *pos)
{
	struct eventfd *e = f->data;
	uint64_t value = 0;
	int error = 0;

	(void)pos;
	if (uio->left < sizeof value)
		return -EINVAL;
	mutex_lock(&e->lock);
	while (e->count == 0 && !error)
		error = f->flags & OPEN_NONBLOCK ? -EAGAIN : wait_change(e);
	if (!error) {
		value = e->kind == EVENTFD_SEMAPHORE ? 1 : e->count;
		e->count -= value;
		file_wake(&e->changed, POLL_OUT);
	}
	mutex_unlock(&e->lock);
	if (error)
		return error;
	return uio_out(uio, &value, sizeof value) == sizeof value ? (ssize)sizeof value : -EFAULT;
}

static ssize eventfd_write(struct file *f, struct uio *uio, uint64_t *pos)
{
	struct eventfd *e = f->data;
	uint64_t value;
	int error = 0;

	(void)pos;
	if (uio->left != sizeof value)
		return -EINVAL;
	if (uio_in(uio, &value, sizeof value) != sizeof value)
		return -EFAULT;
	if (value > COUNT_MAX)
		return -EINVAL;
	mutex_lock(&e->lock);
	while (COUNT_MAX - e->count < value && !error)
		error = f->flags & OPEN_NONBLOCK ? -EAGAIN : wait_change(e);
	if (!error) {
		e->count += value;
		file_wake(&e->changed, POLL_IN);
	}
	mutex_unlock(&e->lock);
	return error ? error : (ssize)sizeof value;
}

static unsigned eventfd_poll(struct file *f, struct waitq **queue)
{
	struct eventfd *e = f->data;

	*queue = &e->changed;
	mutex_lock(&e->lock);
	unsigned events = (e->count > 0 ? POLL_IN : 0) | (e->count < COUNT_MAX ? POLL_OUT : 0);
	mutex_unlock(&e->lock);
	return events;
}

static void eventfd_show(struct file *f, struct text *t)
{
	struct eventfd *e = f->data;

	text_print(t, "eventfd-count: %16llx\neventfd-semaphore: %d\n", (unsigned long long)e->count, e->kind == EVENTFD_SEMAPHORE);
}

static void eventfd_release(struct file *f)
{
	kfree(f->data);
}

static const struct file_ops eventfd_ops = {
	.name = "anon_inode:[eventfd]", .read = eventfd_read, .write = eventfd_write, .seek = file_zero_seek, .poll = eventfd_poll, .show = eventfd_show,
	.release = eventfd_release,
};

struct file *eventfd_create(uint64_t count, enum eventfd_kind kind, unsigned flags)
{
	struct eventfd *e = kzalloc(sizeof *e);

	if (!e)
		return NULL;
	mutex_init(&e->lock, "eventfd", RANK_PIPE);
	waitq_init(&e->changed);
	e->count = count;
	e->kind = kind;
	struct file *f = anon_file(&eventfd_ops, e, flags | OPEN_READ_WRITE);
	if (!f)
		kfree(e);
	return f;
}
