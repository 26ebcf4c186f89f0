/*
 * kernel/sys_event.c - files to wait with: epoll_create, epoll_ctl, epoll_wait and their kin, eventfd.
 */
#include "kernel/sys_file.h"
#include "arch/uaccess.h"
#include "fs/eventfd.h"
#include "kernel/clock.h"
#include "kernel/epoll.h"
#include "kernel/sched.h"

long file_install(struct file *f, bool close_on_exec)
{
	if (!f)
		return -ENOMEM;
	int fd = files_install(current->files, f, 0, close_on_exec);
	if (fd < 0)
		file_put(f);
	return fd;
}

struct file *file_get(int fd)
{
	struct file *f = files_get(current->files, fd);

	if (f && f->flags & OPEN_PATH) {
		file_put(f);
		return NULL;
	}
	return f;
}

/* ---- eventfd --------------------------------------------------------------------------------------------------------------- */

static long make_eventfd(unsigned count, unsigned flags)
{
	enum { SEMAPHORE = 1 };

	if (flags & ~(unsigned)(SEMAPHORE | OPEN_NONBLOCK | OPEN_CLOSE_ON_EXEC))
		return -EINVAL;
	struct file *f = eventfd_create(count, flags & SEMAPHORE ? EVENTFD_SEMAPHORE : EVENTFD_COUNTER, flags & OPEN_NONBLOCK);
	return file_install(f, flags & OPEN_CLOSE_ON_EXEC);
}

long sys_eventfd(const unsigned long args[6])
{
	return make_eventfd((unsigned)args[0], 0);
}

long sys_eventfd2(const unsigned long args[6])
{
	return make_eventfd((unsigned)args[0], (unsigned)args[1]);
}

/* ---- epoll ----------------------------------------------------------------------------------------------------------------- */

long sys_epoll_create(const unsigned long args[6])
{
	return (int)args[0] <= 0 ? -EINVAL : file_install(epoll_create_file(), false);
}

long sys_epoll_create1(const unsigned long args[6])
{
	unsigned flags = (unsigned)args[0];

	return flags & ~(unsigned)OPEN_CLOSE_ON_EXEC ? -EINVAL : file_install(epoll_create_file(), flags & OPEN_CLOSE_ON_EXEC);
}

/* Errors of the arguments, in Linux's order. */
static int check_control(const struct file *epoll, int op, const struct file *f, const struct epoll_event64 *event)
{
	const unsigned exclusive_ok = POLL_IN | POLL_OUT | POLL_ERR | POLL_HUP | EPOLL_WAKEUP | EPOLL_EDGE | EPOLL_EXCLUSIVE;

	if (!f->ops->poll)
		return -EPERM;
	if (f == epoll || !file_is_epoll(epoll))
		return -EINVAL;
	if (op != EPOLL_DELETE && event->events & EPOLL_EXCLUSIVE)
		if (op == EPOLL_MODIFY || file_is_epoll(f) || event->events & ~exclusive_ok)
			return -EINVAL;
	return op < EPOLL_ADD || op > EPOLL_MODIFY ? -EINVAL : 0;
}

/* epoll_ctl(epfd, op, fd, event) */
long sys_epoll_ctl(const unsigned long args[6])
{
	int op = (int)args[1], fd = (int)args[2];
	struct epoll_event64 event = { 0, 0 };

	if (op != EPOLL_DELETE && user_get(event, args[3]))
		return -EFAULT;
	struct file *epoll = file_get((int)args[0]), *f = epoll ? file_get(fd) : NULL;
	int error = f ? check_control(epoll, op, f, &event) : -EBADF;
	if (!error)
		error = epoll_control(epoll, (enum epoll_op)op, f, fd, &event);
	file_put(f);
	file_put(epoll);
	return error;
}

static long wait_until(int fd, vaddr_t events, int max, uint64_t deadline_ns)
{
	const int most = INT32_MAX / (int)sizeof(struct epoll_event64);
	struct file *epoll = file_get(fd);

	if (!epoll)
		return -EBADF;
	long result = max <= 0 || max > most ? -EINVAL : !user_range(events, (size_t)max * sizeof(struct epoll_event64)) ? -EFAULT
		: !file_is_epoll(epoll) ? -EINVAL : epoll_wait_until(epoll, events, max, deadline_ns);
	file_put(epoll);
	return result;
}

static uint64_t deadline_of_ms(int ms)
{
	return ms < 0 ? TIME_NEVER : wait_deadline((uint64_t)ms * 1000000);
}

long sys_epoll_wait(const unsigned long args[6])
{
	return wait_until((int)args[0], args[1], (int)args[2], deadline_of_ms((int)args[3]));
}

/* With a signal mask for the call alone, or (at 0) without. */
static long wait_masked(const unsigned long args[6], uint64_t deadline_ns)
{
	uint64_t mask;
	int error = args[4] ? wait_mask_get(args[4], args[5], &mask) : 0;

	if (error)
		return error;
	if (args[4])
		signal_mask_for_call(mask);
	long result = wait_until((int)args[0], args[1], (int)args[2], deadline_ns);
	return args[4] ? signal_mask_return(result) : result;
}

long sys_epoll_pwait(const unsigned long args[6])
{
	return wait_masked(args, deadline_of_ms((int)args[3]));
}

long sys_epoll_pwait2(const unsigned long args[6])
{
	const struct wait_span span = { args[3], 1 };
	uint64_t deadline_ns;
	int error = wait_span_get(&span, &deadline_ns);

	return error ? error : wait_masked(args, deadline_ns);
}
