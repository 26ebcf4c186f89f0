/*
 * kernel/signalfd.c - signals that are read: signalfd(2).
 *
 * The file has a set of signals alone: whoever reads gets those that are pending for itself.  It waits in a queue of its process, which each signal that is sent wakes.
 */
#include "arch/uaccess.h"
#include "fs/anon.h"
#include "fs/synth.h"
#include "kernel/sched.h"
#include "kernel/sys_file.h"
#include "lib/string.h"
#include "vm/heap.h"

/* Linux's struct signalfd_siginfo. */
struct signal_record {
	uint32_t signo;
	int32_t error, code;
	uint32_t pid, uid;
	int32_t fd;
	uint32_t timer, band, overrun, trapno;
	int32_t status, integer;
	uint64_t pointer, utime, stime, addr;
	uint16_t addr_lsb, pad2;
	int32_t syscall;
	uint64_t call_addr;
	uint32_t arch;
	uint8_t pad[28];
};
_Static_assert(sizeof(struct signal_record) == 128, "struct signalfd_siginfo has 128 bytes");

struct signalfd { uint64_t set; };	/* atomic */

static uint64_t set_of(const struct file *f)
{
	return __atomic_load_n(&((const struct signalfd *)f->data)->set, __ATOMIC_RELAXED);
}

static struct signal_record record_of(const struct siginfo *i)
{
	struct signal_record r = { .signo = (uint32_t)i->signo, .error = i->error, .code = i->code };
	bool fault = i->code > 0 && i->code != SI_KERNEL && i->signo != SIGCHLD;

	if (i->code == SI_TIMER) {
		r.timer = (uint32_t)i->timer.timer;
		r.overrun = (uint32_t)i->timer.overrun;
		r.pointer = i->timer.value;
		r.integer = (int32_t)i->timer.value;
	} else if (fault) {
		r.addr = i->fault.addr;
	} else {
		r.pid = (uint32_t)i->child.pid;
		r.uid = i->child.uid;
	}
	if (i->signo == SIGCHLD && i->code > 0) {
		r.status = i->child.status;
		r.utime = (uint64_t)i->child.utime;
		r.stime = (uint64_t)i->child.stime;
	} else if (i->code < 0 && i->code != SI_TIMER) {
		memcpy(&r.pointer, &i->raw[8], sizeof r.pointer);	/* sigqueue's value, behind pid and uid */
		r.integer = (int32_t)r.pointer;
	}
	return r;
}

static int take(uint64_t set, struct siginfo *info)
{
	struct thread *t = current_thread();
	struct process *p = t->process;
	struct signal_taken taken;
	unsigned long irq = spin_lock_irq(&p->signal_lock);
	int signo = signal_take(t, ~set, info, &taken);

	spin_unlock_irq(&p->signal_lock, irq);
	if (signo)
		signal_taken(info, &taken);
	return signo;
}

/* The signal, or -EAGAIN, -EINTR. */
static int await(struct file *f, struct siginfo *info, bool wait)
{
	struct waitq *q = signal_waitq(current);
	int signo = take(set_of(f), info), error = wait ? 0 : -EAGAIN;

	if (signo || error)
		return signo ? signo : error;
	wait_prepare(q);
	while (!(signo = take(set_of(f), info)) && !error) {
		error = wait_sleep(q, WAIT_INTERRUPTIBLE);
		if (!error)
			wait_prepare(q);
	}
	wait_finish(q);
	return signo ? signo : error;
}

static ssize signalfd_read(struct file *f, struct uio *uio, uint64_t *pos)
{
	ssize done = 0;
	int signo = 0;

	(void)pos;
	if (uio->left < sizeof(struct signal_record))
		return -EINVAL;
	while (uio->left >= sizeof(struct signal_record)) {
		struct siginfo info;
		signo = await(f, &info, done == 0 && !(f->flags & OPEN_NONBLOCK));
		if (signo < 0)
			break;
		struct signal_record r = record_of(&info);
		if (uio_out(uio, &r, sizeof r) != sizeof r) {
			signo = -EFAULT;
			break;
		}
		done += (ssize)sizeof r;
	}
	return done ? done : signo;
}

static unsigned signalfd_poll(struct file *f, struct waitq **queue)
{
	const struct thread *t = current_thread();

	*queue = signal_waitq(t->process);
	return (t->signals.pending | t->process->signals.pending) & set_of(f) ? POLL_IN : 0;
}

static void signalfd_show(struct file *f, struct text *t)
{
	text_print(t, "sigmask:\t%016llx\n", (unsigned long long)set_of(f));
}

static void signalfd_release(struct file *f)
{
	kfree(f->data);
}

static const struct file_ops signalfd_ops = {
	.name = "anon_inode:[signalfd]", .read = signalfd_read, .seek = file_zero_seek, .poll = signalfd_poll, .show = signalfd_show, .release = signalfd_release,
};

static long create(uint64_t set, unsigned flags)
{
	struct signalfd *s = kmalloc(sizeof *s);

	if (!s)
		return -ENOMEM;
	s->set = set;
	struct file *f = anon_file(&signalfd_ops, s, OPEN_READ_WRITE | (flags & OPEN_NONBLOCK));
	if (!f)
		kfree(s);
	return file_install(f, flags & OPEN_CLOSE_ON_EXEC);
}

static long change(int fd, uint64_t set)
{
	struct file *f = file_get(fd);
	long result = !f ? -EBADF : f->ops != &signalfd_ops ? -EINVAL : fd;

	if (result >= 0) {
		__atomic_store_n(&((struct signalfd *)f->data)->set, set, __ATOMIC_SEQ_CST);
		file_wake(signal_waitq(current), POLL_IN);
	}
	file_put(f);
	return result;
}

static long make_signalfd(int fd, vaddr_t from, size_t size, unsigned flags)
{
	uint64_t set;

	if (size != sizeof set)
		return -EINVAL;
	if (user_get(set, from))
		return -EFAULT;
	if (flags & ~(unsigned)(OPEN_CLOSE_ON_EXEC | OPEN_NONBLOCK))
		return -EINVAL;
	set &= ~(signal_bit(SIGKILL) | signal_bit(SIGSTOP));
	return fd == -1 ? create(set, flags) : change(fd, set);
}

long sys_signalfd(const unsigned long args[6])
{
	return make_signalfd((int)args[0], args[1], args[2], 0);
}

long sys_signalfd4(const unsigned long args[6])
{
	return make_signalfd((int)args[0], args[1], args[2], (unsigned)args[3]);
}
