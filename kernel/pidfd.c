/*
 * kernel/pidfd.c - descriptors of processes, and the calls that take one: pidfd_open, pidfd_send_signal, pidfd_getfd, process_madvise.
 *
 * A file keeps the number and the start time of its process, and looks for it each time: nothing of a process is held.  Who polls one waits in one of a few queues, by the number, which
 * outlive all processes.
 *
 * Lock: tree_lock.
 */
#include "kernel/pidfd.h"
#include "arch/uaccess.h"
#include "fs/anon.h"
#include "fs/synth.h"
#include "kernel/files.h"
#include "kernel/proc.h"
#include "kernel/sched.h"
#include "kernel/syscall.h"
#include "vm/heap.h"
#include "vm/mmap.h"

enum { QUEUES = 64 };
static struct waitq exits[QUEUES];

struct pidfd { pid_type pid; uint64_t start_ns; };

static struct waitq *queue_of(pid_type pid) { return &exits[(uint32_t)pid % QUEUES]; }

void pidfd_init(void)
{
	for (unsigned i = 0; i < QUEUES; i++)
		waitq_init(&exits[i]);
}

void pidfd_exited(const struct process *p)
{
	file_wake(queue_of(p->pid), POLL_IN | POLL_READ_NORMAL);
}

static struct process *find(const struct pidfd *d)
{
	struct process *p = process_find(d->pid);
	return p && p->start_ns == d->start_ns ? p : NULL;
}

static unsigned pidfd_poll(struct file *f, struct waitq **queue)
{
	const struct pidfd *d = f->data;
	*queue = queue_of(d->pid);
	mutex_lock(&tree_lock);
	const struct process *p = find(d);
	bool ended = !p || p->state == PROCESS_ZOMBIE;
	mutex_unlock(&tree_lock);
	return ended ? POLL_IN | POLL_READ_NORMAL : 0;
}

static void pidfd_show(struct file *f, struct text *t)
{
	mutex_lock(&tree_lock);
	const struct process *p = find(f->data);
	const pid_type number = p ? p->pid : -1;
	mutex_unlock(&tree_lock);
	text_print(t, "Pid:\t%d\nNSpid:\t%d\n", number, number);
}

static void pidfd_release(struct file *f)
{
	kfree(f->data);
}

static const struct file_ops pidfd_ops = { .name = "anon_inode:[pidfd]", .seek = file_zero_seek, .poll = pidfd_poll, .show = pidfd_show, .release = pidfd_release };

struct file *pidfd_create(unsigned flags)
{
	struct pidfd *d = kzalloc(sizeof *d);
	struct file *f = d ? anon_file(&pidfd_ops, d, OPEN_READ_WRITE | flags) : NULL;
	if (!f)
		kfree(d);
	return f;
}

void pidfd_name(struct file *f, const struct process *p)
{
	*(struct pidfd *)f->data = (struct pidfd){ p->pid, p->start_ns };
}

struct process *pidfd_process(const struct file *f, long *error)
{
	*error = f->ops == &pidfd_ops ? -ESRCH : -EBADF;
	return f->ops == &pidfd_ops ? find(f->data) : NULL;
}

long pidfd_number(const struct file *f)
{
	long error;
	mutex_lock(&tree_lock);
	const struct process *p = pidfd_process(f, &error);
	long number = p ? p->pid : error;
	mutex_unlock(&tree_lock);
	return number;
}

/* ---- the calls ----------------------------------------------------------------------------------- */

/* pidfd_open(pid, flags) */
long sys_pidfd_open(const unsigned long args[6])
{
	const pid_type pid = (pid_type)args[0];
	if ((unsigned)args[1] & ~(unsigned)PIDFD_NONBLOCK || pid <= 0)
		return -EINVAL;
	struct file *f = pidfd_create((unsigned)args[1]);
	if (!f)
		return -ENOMEM;
	mutex_lock(&tree_lock);
	const struct process *p = process_find(pid);
	if (p)
		pidfd_name(f, p);
	long fd = p ? 0 : thread_find(pid) ? -EINVAL : -ESRCH;
	mutex_unlock(&tree_lock);
	if (!fd)
		fd = files_install(current->files, f, 0, true);
	if (fd < 0)
		file_put(f);
	return fd;
}

/* As pidfd_process; a directory of /proc names one as well.  tree_lock held. */
static struct process *receiver(const struct file *f, long *error)
{
	const struct proc_node *n = proc_process_directory(f->vnode);
	if (!n)
		return pidfd_process(f, error);
	*error = -ESRCH;
	return find(&(const struct pidfd){ n->pid, n->start_ns });
}

static long send_to(const struct file *f, int signo, const struct siginfo *info, bool given)
{
	long error;
	mutex_lock(&tree_lock);
	struct process *p = receiver(f, &error);
	if (p)
		error = signal_permitted(p, signo);
	if (p && !error && given && (info->code >= 0 || info->code == SI_TKILL) && p != current)
		error = -EPERM;
	if (p && !error && signo)
		error = signal_send_process(p, signo, info);
	mutex_unlock(&tree_lock);
	return error;
}

/* pidfd_send_signal(fd, signo, *siginfo, flags) */
long sys_pidfd_send_signal(const unsigned long args[6])
{
	int signo = (int)args[1];
	struct siginfo info = { .signo = signo, .code = SI_USER, .child = { .pid = current->pid, .uid = current->uid } };
	if (args[3])
		return -EINVAL;
	struct file *f = files_get(current->files, (int)args[0]);
	if (!f)
		return -EBADF;
	long result;
	if (f->ops != &pidfd_ops && !proc_process_directory(f->vnode))
		result = -EBADF;
	else if (args[2] && user_get(info, args[2]))
		result = -EFAULT;
	else if (info.signo != signo || signo < 0 || signo > SIGNALS)
		result = -EINVAL;
	else
		result = send_to(f, signo, &info, args[2]);
	file_put(f);
	return result;
}

/* The file at this descriptor of another process. */
static struct file *file_of(const struct file *pidfd, int fd, long *error)
{
	struct file *f = NULL;
	mutex_lock(&tree_lock);
	const struct process *p = pidfd_process(pidfd, error);
	if (p && !proc_may_inspect(p))
		*error = -EPERM;
	else if (p && p->files)
		f = files_get(p->files, fd);
	if (p && proc_may_inspect(p) && !f)
		*error = p->files ? -EBADF : -ESRCH;
	mutex_unlock(&tree_lock);
	return f;
}

/* pidfd_getfd(pidfd, fd, flags) */
long sys_pidfd_getfd(const unsigned long args[6])
{
	if (args[2])
		return -EINVAL;
	struct file *pidfd = files_get(current->files, (int)args[0]);
	if (!pidfd)
		return -EBADF;
	long result;
	struct file *f = file_of(pidfd, (int)args[1], &result);
	if (f) {
		result = files_install(current->files, f, 0, true);
		if (result < 0)
			file_put(f);
	}
	file_put(pidfd);
	return result;
}

/* ---- process_madvise ------------------------------------------------------------------------------- */

static long find_space(const struct file *pidfd, struct space **s)
{
	long error;
	*s = NULL;
	mutex_lock(&tree_lock);
	const struct process *p = pidfd_process(pidfd, &error);
	if (p)
		error = !p->space ? -ESRCH : !proc_may_inspect(p) || (p != current && !capable(CAP_SYS_NICE)) ? -EPERM : 0;
	if (p && !error)
		*s = space_ref(p->space);
	mutex_unlock(&tree_lock);
	return error;
}

/* Range by range: the bytes that were advised, or why not even the first was. */
static long advise(struct space *s, vaddr_t ranges, size_t n, int advice)
{
	struct { uint64_t base, len; } v;
	long total = 0, error = 0;
	for (size_t i = 0; i < n && !error; i++) {
		error = user_get(v, ranges + i * sizeof v);
		if (!error)
			error = vm_madvise(s, v.base, v.len, advice, NULL);
		if (!error)
			total += (long)v.len;
	}
	return total ? total : error;
}

/* process_madvise(pidfd, *ranges, n, advice, flags) */
long sys_process_madvise(const unsigned long args[6])
{
	enum { RANGES_MOST = 1024 };
	const int advice = (int)args[3];
	struct space *s;
	if (args[4] || args[2] > RANGES_MOST)
		return -EINVAL;
	struct file *pidfd = files_get(current->files, (int)args[0]);
	if (!pidfd)
		return -EBADF;
	bool known = advice == MADV_COLD || advice == MADV_PAGEOUT || advice == MADV_WILLNEED;
	long result = find_space(pidfd, &s);
	if (s) {
		result = known ? advise(s, args[1], args[2], advice) : -EINVAL;
		space_put(s);
	}
	file_put(pidfd);
	return result;
}
