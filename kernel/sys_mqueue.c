/*
 * kernel/sys_mqueue.c - mq_open, mq_unlink, mq_timedsend, mq_timedreceive, mq_notify, mq_getsetattr.
 *
 * A message is copied from the user before its queue is locked, and to the user after it has been taken out.  There is no SIGEV_THREAD, for which C libraries want a netlink socket.
 */
#include "arch/uaccess.h"
#include "kernel/mqueue.h"
#include "kernel/sys_file.h"
#include "kernel/sys_time.h"
#include "vm/heap.h"
#include "vm/reclaim.h"

enum { SIGEV_SIGNAL, SIGEV_NONE };
struct sigevent64 { uint64_t value; int32_t signo, notify; uint64_t rest[6]; };

/* mq_open(name, flags, mode, *attributes): the descriptor is closed by exec. */
long sys_mq_open(const unsigned long args[6])
{
	struct mq_attributes a;
	struct path name;
	struct file *f;

	if (args[3] && user_get(a, args[3]))
		return -EFAULT;
	int error = path_get(&name, args[0]);
	if (error)
		return error;
	error = mqueue_open(my_fs(), name.text, (unsigned)args[1], (uint32_t)args[2], args[3] ? &a : NULL, &f);
	path_drop(&name);
	return error ? error : file_install(f, true);
}

/* mq_unlink(name) */
long sys_mq_unlink(const unsigned long args[6])
{
	struct path name;
	int error = path_get(&name, args[0]);

	if (error)
		return error;
	error = mqueue_unlink(my_fs(), name.text);
	path_drop(&name);
	return error;
}

/* The descriptor's file, which must be a queue's. */
static long get_queue(int fd, struct file **f, struct mqueue **q)
{
	*f = file_get(fd);
	*q = *f ? mqueue_of(*f) : NULL;
	if (*q)
		return 0;
	file_put(*f);
	return -EBADF;
}

/* By the wall clock; 0: for ever. */
static long get_deadline(vaddr_t at, uint64_t *deadline_ns)
{
	struct timespec64 t;

	*deadline_ns = FOREVER;
	if (!at)
		return 0;
	if (user_get(t, at))
		return -EFAULT;
	if (!timespec_valid(&t))
		return -EINVAL;
	*deadline_ns = clock_wall_deadline(ns_of_timespec(&t));
	return 0;
}

static long get_message(vaddr_t from, size_t size, unsigned priority, struct mq_message **out)
{
	struct mq_message *m = reclaim_keep_free() ? kmalloc(sizeof *m + size) : NULL;

	if (!m)
		return -ENOMEM;
	m->priority = priority;
	m->size = size;
	if (user_copy_in(m->bytes, from, size)) {
		kfree(m);
		return -EFAULT;
	}
	*out = m;
	return 0;
}

static long send(const struct file *f, struct mqueue *q, const unsigned long args[6], uint64_t deadline_ns)
{
	struct mq_message *m;
	struct mq_notice notice;

	if (!file_writable(f))
		return -EBADF;
	if (args[2] > q->size)
		return -EMSGSIZE;
	long error = get_message(args[1], args[2], (unsigned)args[3], &m);
	if (error)
		return error;
	error = mqueue_send(q, m, !(f->flags & OPEN_NONBLOCK), deadline_ns, &notice);
	if (error)
		kfree(m);
	else
		mqueue_tell(&notice);
	return error;
}

/* mq_timedsend(fd, *bytes, size, priority, *deadline) */
long sys_mq_timedsend(const unsigned long args[6])
{
	struct file *f;
	struct mqueue *q;
	uint64_t deadline_ns;
	long error = get_deadline(args[4], &deadline_ns);

	if (!error && (unsigned)args[3] >= MQ_PRIORITY_MAX)
		error = -EINVAL;
	if (!error)
		error = get_queue((int)args[0], &f, &q);
	if (error)
		return error;
	error = send(f, q, args, deadline_ns);
	file_put(f);
	return io_result(error);
}

static long receive(const struct file *f, struct mqueue *q, const unsigned long args[6], uint64_t deadline_ns)
{
	struct mq_message *m;

	if (!file_readable(f))
		return -EBADF;
	if (args[2] < q->size)
		return -EMSGSIZE;
	long result = mqueue_receive(q, !(f->flags & OPEN_NONBLOCK), deadline_ns, &m);
	if (result)
		return result;
	uint32_t priority = m->priority;
	result = (args[3] && user_put(args[3], priority)) || user_copy_out(args[1], m->bytes, m->size) ? -EFAULT : (long)m->size;
	kfree(m);
	return result;
}

/* mq_timedreceive(fd, *bytes, size, *priority, *deadline): the bytes of the message. */
long sys_mq_timedreceive(const unsigned long args[6])
{
	struct file *f;
	struct mqueue *q;
	uint64_t deadline_ns;
	long result = get_deadline(args[4], &deadline_ns);

	if (!result)
		result = get_queue((int)args[0], &f, &q);
	if (result)
		return result;
	result = receive(f, q, args, deadline_ns);
	file_put(f);
	return io_result(result);
}

/* *wanted NULL: not any more. */
static long change_notice(struct mqueue *q, const struct mq_notice *wanted)
{
	long error = 0;

	mutex_lock(&q->lock);
	if (wanted && q->notice.pid)
		error = -EBUSY;
	else if (wanted)
		q->notice = *wanted;
	else if (q->notice.pid == current->pid)
		q->notice.pid = 0;
	mutex_unlock(&q->lock);
	return error;
}

/* mq_notify(fd, *event) */
long sys_mq_notify(const unsigned long args[6])
{
	struct sigevent64 event = { 0 };
	struct file *f;
	struct mqueue *q;

	if (args[1] && user_get(event, args[1]))
		return -EFAULT;
	if (event.notify != SIGEV_SIGNAL && event.notify != SIGEV_NONE)
		return -EINVAL;
	if (event.notify == SIGEV_SIGNAL && (event.signo < 0 || event.signo > SIGNALS))
		return -EINVAL;
	long error = get_queue((int)args[0], &f, &q);
	if (error)
		return error;
	const struct mq_notice notice = { current->pid, event.notify == SIGEV_NONE ? MQ_NOTIFY_NONE : MQ_NOTIFY_SIGNAL, event.signo, event.value };
	error = change_notice(q, args[1] ? &notice : NULL);
	file_put(f);
	return error;
}

/* mq_getsetattr(fd, *new, *old): of the new ones, O_NONBLOCK alone counts. */
long sys_mq_getsetattr(const unsigned long args[6])
{
	struct mq_attributes new = { 0 }, old = { 0 };
	struct file *f;
	struct mqueue *q;

	if (args[1] && user_get(new, args[1]))
		return -EFAULT;
	if (new.flags & ~(int64_t)OPEN_NONBLOCK)
		return -EINVAL;
	long error = get_queue((int)args[0], &f, &q);
	if (error)
		return error;
	mutex_lock(&q->lock);
	old = (struct mq_attributes){ f->flags & OPEN_NONBLOCK, (int64_t)q->max, (int64_t)q->size, (int64_t)q->count, { 0 } };
	mutex_unlock(&q->lock);
	if (args[1])
		file_change_flags(f, OPEN_NONBLOCK, (unsigned)new.flags);
	file_put(f);
	return args[2] && user_put(args[2], old) ? -EFAULT : 0;
}
