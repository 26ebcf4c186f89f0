/*
 * kernel/sigio.c - O_ASYNC: a signal, to the owner that fcntl(F_SETOWN) has set, when a file may have become ready.
 *
 * A file with the flag has a waiter in its own queue, for as long as the flag is set.  What wakes the queue may hold any lock, and who is to get the signal is found under tree_lock:
 * so the waiter only puts the file into a list, and a thread of the kernel sends.  Files that become ready again before it has come to them give one signal.
 *
 * Locks:
 *	file->lock	what comes and goes: file->async
 *	changed.lock	(spinlock, interrupts off) the list, and what is to be told of those in it
 */
#include "kernel/sched.h"
#include "kernel/process.h"
#include "kernel/signal.h"
#include "kernel/sigio.h"
#include "fs/inotify.h"
#include "vm/heap.h"

/* What is to be sent, and to the one who was the owner then.  fd: by which the flag was set. */
struct notice { struct file_owner owner; int fd; unsigned events; };

struct async {
	struct waiter waiter;
	const struct file *file;
	struct notice notice;		/* changed.lock */
	struct list due;		/* in the list, or empty; changed.lock */
};

static struct waitq changed = WAITQ_INIT(changed);
static struct list due = LIST_INIT(due);

/* ---- what is to be told ---------------------------------------------------------------------------------------------------- */

/* The file's queue is locked. */
static bool file_changed(struct waiter *w, unsigned events)
{
	struct async *a = container_of(w, struct async, waiter);

	if (a->file->owner.number == 0)
		return false;
	spin_lock_nested(&changed.lock);
	a->notice.owner = a->file->owner;
	a->notice.events |= events & w->want;
	if (list_empty(&a->due))
		list_append(&due, &a->due);
	waiters_wake(&changed, POLL_IN);
	spin_unlock(&changed.lock);
	return false;				/* who waits for the file is woken as well */
}

static bool take_notice(struct notice *n)
{
	unsigned long irq = spin_lock_irq(&changed.lock);
	struct list *l = list_pop(&due);

	if (l) {
		struct async *a = container_of(l, struct async, due);
		list_init(l);
		*n = a->notice;
		a->notice.events = 0;
	}
	spin_unlock_irq(&changed.lock, irq);
	return l;
}

/* ---- sending ---------------------------------------------------------------------------------------------------------------- */

static bool may_signal(const struct file_owner *o, const struct process *p)
{
	return o->euid == 0 || o->euid == p->suid || o->euid == p->uid || o->uid == p->suid || o->uid == p->uid;
}

/* thread NULL: for the whole process.  tree_lock held. */
static void send_one(const struct notice *n, struct process *p, struct thread *thread)
{
	bool in = n->events & POLL_DATA;
	struct siginfo info = { .code = in ? SIGIO_IN : SIGIO_OUT, .poll = { n->events & (in ? POLL_DATA : POLL_ROOM), n->fd } };
	struct siginfo plain = { .code = SI_KERNEL };
	int signo = n->owner.signo, error = -EAGAIN;

	if (!may_signal(&n->owner, p))
		return;
	if (signo)
		error = thread ? signal_send_thread(thread, signo, &info) : signal_send_process(p, signo, &info);
	if (!error)
		return;
	if (thread)				/* no signal is asked for, or there is no room for one more */
		signal_send_thread(thread, SIGIO, &plain);
	else
		signal_send_process(p, SIGIO, &plain);
}

static void send_notice(const struct notice *n)
{
	const struct file_owner *o = &n->owner;

	mutex_lock(&tree_lock);
	struct thread *t = o->kind == OWNER_THREAD ? thread_find(o->number) : NULL;
	if (t)
		send_one(n, t->process, t);
	list_for_each(l, &process_list) {
		struct process *p = container_of(l, struct process, all);
		if (p->state == PROCESS_ALIVE && (o->kind == OWNER_PROCESS ? p->pid == o->number : o->kind == OWNER_GROUP && p->pgid == o->number))
			send_one(n, p, NULL);
	}
	mutex_unlock(&tree_lock);
}

static void sender(void *unused)
{
	struct notice n;

	(void)unused;
	for (;;) {
		wait_prepare(&changed);
		while (!take_notice(&n)) {
			wait_sleep(&changed, WAIT_UNINTERRUPTIBLE);
			wait_prepare(&changed);
		}
		wait_finish(&changed);
		send_notice(&n);
	}
}

void sigio_init(void)
{
	if (!kthread_create(sender, NULL))
		panic("no memory for the thread that sends SIGIO");
}

/* ---- the flag --------------------------------------------------------------------------------------------------------------- */

/* Streams, and inotify: as on Linux. */
static struct waitq *queue_of(struct file *f)
{
	struct waitq *queue = NULL;

	if (f->ops->poll && (f->ops->seek == file_no_seek || file_is_inotify(f)))
		file_poll(f, &queue);
	return queue;
}

static int begin(struct file *f, int fd, struct waitq *queue)
{
	struct async *a = kmalloc(sizeof *a);

	if (!a)
		return -ENOMEM;
	*a = (struct async){ .file = f, .notice.fd = fd };
	a->waiter.told = file_changed;
	a->waiter.want = (file_readable(f) ? POLL_DATA : 0) | (file_writable(f) ? POLL_ROOM : 0);
	list_init(&a->due);
	f->async = a;
	waiter_add(&a->waiter, queue);
	return 0;
}

void file_end_async(struct file *f)
{
	struct async *a = f->async;

	f->async = NULL;
	waiter_remove(&a->waiter);		/* now it gets into the list no more */
	unsigned long irq = spin_lock_irq(&changed.lock);
	if (!list_empty(&a->due))
		list_remove(&a->due);
	spin_unlock_irq(&changed.lock, irq);
	kfree(a);
}

int sigio_set(struct file *f, int fd, bool on)
{
	struct waitq *queue = queue_of(f);
	int error = 0;

	if (!queue)
		return -ENOTTY;
	mutex_lock(&f->lock);
	if (on && !f->async)
		error = begin(f, fd, queue);
	else if (!on && f->async)
		file_end_async(f);
	if (!error)
		file_change_flags(f, OPEN_ASYNC, on ? OPEN_ASYNC : 0);
	mutex_unlock(&f->lock);
	return error;
}
