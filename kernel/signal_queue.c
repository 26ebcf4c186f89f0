/*
 * kernel/signal_queue.c - sending signals: queues, who is woken, and who is told of a child's change.
 *
 * To send is to do, under the receiver's signal_lock:
 *   1. what the number does at once: SIGCONT continues a stopped process and takes pending stop signals back, a stop signal takes a
 *      pending SIGCONT back, SIGKILL lets a stopped process go on (to die);
 *   2. nothing more, if the receiver ignores it and does not block it;
 *   3. put it into the queue; mark and wake a thread that does not block it.
 *
 * The siginfo of a signal is an entry of its own, allocated before the lock is taken (the heap's lock ranks lower) and freed after
 * it is dropped.  Signals of the kernel have none, so that interrupts can send them without allocating.
 */
#include "kernel/clock.h"
#include "kernel/posix_timer.h"
#include "kernel/sched.h"
#include "lib/string.h"
#include "vm/heap.h"

enum { FIRST_REALTIME = 32, PAYERS = 256, WAITQS = 64 };

/* ---- entries ----------------------------------------------------------------------------------------------------------------------------- */

static unsigned queued[PAYERS];			/* entries by user; those whose numbers are the same in the low bits share one count; atomic */

unsigned signal_queued(uint32_t uid)
{
	return __atomic_load_n(&queued[uid % PAYERS], __ATOMIC_RELAXED);
}

/* One more for the user of p, as long as there are fewer than `limit`. */
static bool count_entry(struct signal_info *i, const struct process *p, uint64_t limit)
{
	i->payer = (unsigned char)(p->uid % PAYERS);
	if (__atomic_fetch_add(&queued[i->payer], 1, __ATOMIC_RELAXED) < limit)
		return true;
	__atomic_fetch_sub(&queued[i->payer], 1, __ATOMIC_RELAXED);
	return false;
}

static void uncount_entry(const struct signal_info *i)
{
	__atomic_fetch_sub(&queued[i->payer], 1, __ATOMIC_RELAXED);
}

/* NULL: there is no room, or no memory. */
static struct signal_info *new_entry(const struct process *p, const struct siginfo *info, int signo)
{
	uint64_t limit = signo < FIRST_REALTIME && info->code >= 0 ? LIMIT_NONE : p->limits[LIMIT_SIGPENDING].cur;
	struct signal_info *i = kmalloc(sizeof *i);

	if (i && !count_entry(i, p, limit)) {
		kfree(i);
		return NULL;
	}
	if (i) {
		i->info = *info;
		i->info.signo = signo;
		i->kind = INFO_PLAIN;
	}
	return i;
}

static void free_entry(struct signal_info *i)
{
	if (i)
		uncount_entry(i);
	kfree(i);
}

#define SIGNAL_SET2(a, b)	(((uint64_t)1 << ((a) - 1)) | ((uint64_t)1 << ((b) - 1)))
static const uint64_t STOP_SIGNALS = SIGNAL_SET2(SIGSTOP, SIGTSTP) | SIGNAL_SET2(SIGTTIN, SIGTTOU);
/* Raised by what the thread itself did: handled before others, so that the handler sees the state of the fault. */
static const uint64_t SYNCHRONOUS = SIGNAL_SET2(SIGSEGV, SIGBUS) | SIGNAL_SET2(SIGILL, SIGTRAP) | SIGNAL_SET2(SIGFPE, SIGSYS);

enum signal_default signal_default_action(int signo)
{
	switch (signo) {
	case SIGCHLD: case SIGURG: case SIGWINCH:
		return DEFAULT_IGNORE;
	case SIGCONT:
		return DEFAULT_CONTINUE;
	case SIGSTOP: case SIGTSTP: case SIGTTIN: case SIGTTOU:
		return DEFAULT_STOP;
	default:
		return DEFAULT_TERMINATE;
	}
}

static bool is_ignored(const struct process *p, int signo)
{
	uint64_t handler = p->actions[signo - 1].handler;
	enum signal_default action = signal_default_action(signo);
	if (handler == SIG_DFL && p->pid == 1)
		return true;			/* nobody may end or stop the first process, SIGKILL or not */
	return handler == SIG_IGN || (handler == SIG_DFL && (action == DEFAULT_IGNORE || action == DEFAULT_CONTINUE));
}

/* Does the thread notice it now?  One that waits for it in sigtimedwait does, though it blocks it. */
static bool heeds(const struct thread *t, int signo)
{
	return signo == SIGKILL || !((t->blocked & ~t->awaited) & signal_bit(signo));
}

/* Takes the bits away, and moves the entries of `set` from the queue to `gone`.  NULL: an interrupt, which cannot free them; they are passed over, or stand in for the next of their kind. */
static void forget_in(struct signal_queue *q, uint64_t set, struct list *gone)
{
	if (!(q->pending & set))
		return;
	q->pending &= ~set;
	if (!gone)
		return;
	list_for_each_safe(l, &q->infos) {
		struct signal_info *i = container_of(l, struct signal_info, link);
		if (!(signal_bit(i->info.signo) & set))
			continue;
		list_remove(l);
		if (i->kind == INFO_PLAIN)
			list_append(gone, l);
		else
			i->kind = INFO_TIMER_IGNORED;
	}
}

static void forget_locked(struct process *p, uint64_t set, struct list *gone)
{
	forget_in(&p->signals, set, gone);
	list_for_each(l, &p->threads)
		forget_in(&container_of(l, struct thread, siblings)->signals, set, gone);
}

static void free_all(struct list *gone)
{
	for (struct list *l; (l = list_pop(gone)); )
		free_entry(container_of(l, struct signal_info, link));
}

void signal_forget(struct process *p, uint64_t set)
{
	struct list gone = LIST_INIT(gone);
	unsigned long irq = spin_lock_irq(&p->signal_lock);
	forget_locked(p, set, &gone);
	spin_unlock_irq(&p->signal_lock, irq);
	free_all(&gone);
}

void signal_queue_drain(struct signal_queue *q)
{
	struct list gone = LIST_INIT(gone);
	forget_in(q, ~(uint64_t)0, &gone);
	free_all(&gone);
}

void signal_cancel_stop(struct process *p)
{
	p->stopping = p->stopped = false;
	p->nstopped = 0;
	list_for_each(l, &p->threads) {
		struct thread *t = container_of(l, struct thread, siblings);
		t->stop_wanted = false;
		__atomic_store_n(&t->stopped, false, __ATOMIC_RELEASE);
	}
	wake_all(&p->stop_event);
}

bool signal_stop_complete(struct process *p)
{
	if (!p->stopping || p->stopped || p->nstopped < p->nthreads)
		return false;
	p->stopped = true;
	return true;
}

/* What a signal does at the moment it is sent, whatever the receiver thinks of it. */
static void act_at_once(struct process *p, int signo, struct list *gone)
{
	if (signo == SIGCONT) {
		forget_locked(p, STOP_SIGNALS, gone);
		if (p->stopped)
			p->continued = p->tell_continued = true;
		signal_cancel_stop(p);
		trace_continued(p);
	} else if (signo == SIGKILL) {
		signal_cancel_stop(p);
		trace_let_die(p);
	} else if (signal_bit(signo) & STOP_SIGNALS) {
		forget_locked(p, signal_bit(SIGCONT), gone);
	}
}

void signal_mark(struct thread *t)
{
	thread_work_add(t, WORK_SIGNAL);
	sched_interrupt(t);
}

/* Who takes a signal of the process: the leader if it can, else one that has nothing to look at yet, else one that has; NULL: all block it. */
static struct thread *find_receiver(struct process *p, int signo)
{
	struct thread *busy = NULL;
	list_for_each(l, &p->threads) {
		struct thread *t = container_of(l, struct thread, siblings);
		if (!heeds(t, signo) || thread_work(t, WORK_EXIT))
			continue;
		if (t->tid == p->pid || !thread_work(t, WORK_SIGNAL))
			return t;
		if (!busy)
			busy = t;
	}
	return busy;
}

/* Marks a thread that will take the signal: `to`, or one of the process; whichever is first, when it ends all. */
static void mark_receiver(struct process *p, struct thread *to, int signo)
{
	if (signo == SIGKILL) {
		list_for_each(l, &p->threads)
			signal_mark(container_of(l, struct thread, siblings));
		return;
	}
	if (!to)
		to = find_receiver(p, signo);
	if (to && heeds(to, signo))
		signal_mark(to);
}

static bool another_in(const struct signal_queue *q, int signo)
{
	list_for_each(l, &q->infos)
		if (container_of(l, struct signal_info, link)->info.signo == signo)
			return true;
	return false;
}

/* signal_lock held. */
static void withdraw(struct signal_info *i)
{
	list_remove(&i->link);
	if (i->kind == INFO_TIMER_QUEUED && !another_in(i->queue, i->info.signo))
		i->queue->pending &= ~signal_bit(i->info.signo);
	i->kind = INFO_TIMER_IDLE;
}

/* Threads are marked until each signal of the set has one that heeds it; if there is one. */
void signal_retarget(struct process *p, const struct thread *from, uint64_t set)
{
	set &= p->signals.pending;
	if (!set)
		return;
	list_for_each(l, &p->threads) {
		struct thread *t = container_of(l, struct thread, siblings);
		uint64_t heeded = set & ~(t->blocked & ~t->awaited);
		if (t == from || !heeded || thread_work(t, WORK_EXIT))
			continue;
		signal_mark(t);
		set &= ~heeded;
		if (!set)
			break;
	}
}

void signal_thread_left(struct process *p, struct thread *t)
{
	signal_retarget(p, t, ~t->blocked);
	list_for_each_safe(l, &t->signals.infos)
		if (container_of(l, struct signal_info, link)->kind != INFO_PLAIN)
			withdraw(container_of(l, struct signal_info, link));
}

static bool is_traced(const struct process *p, const struct thread *to)
{
	if (to)
		return to->trace != NULL;
	list_for_each(l, &p->threads)
		if (container_of(l, struct thread, siblings)->trace)
			return true;
	return false;
}

/*
 * Ignored?  A signal that is blocked is kept: its handler may be another one by the time it is unblocked.  For one of the process the leader's mask counts, as on Linux, while
 * there is a leader.
 */
static bool discard(struct process *p, struct thread *to, int signo)
{
	if (!is_ignored(p, signo))
		return false;
	if (is_traced(p, to))
		return false;			/* its tracer wants to know of it */
	if (!to && !list_empty(&p->threads))
		to = container_of(p->threads.next, struct thread, siblings);
	return !to || !((to->blocked | to->awaited) & signal_bit(signo));
}

static struct waitq waitqs[WAITQS];		/* by process, and they outlive it */

struct waitq *signal_waitq(const struct process *p)
{
	return &waitqs[(uintptr_t)p / sizeof *p % WAITQS];
}

void signal_init(void)
{
	for (unsigned i = 0; i < WAITQS; i++)
		waitq_init(&waitqs[i]);
}

/* Returns whether the entry has been used. */
static bool enqueue(struct process *p, struct thread *to, int signo, struct signal_info *entry)
{
	struct signal_queue *q = to ? &to->signals : &p->signals;
	bool pending = q->pending & signal_bit(signo), of_timer = entry && entry->kind != INFO_PLAIN;
	if (pending && !of_timer && (signo < FIRST_REALTIME || !entry))
		return false;
	q->pending |= signal_bit(signo);
	if (entry)
		list_append(&q->infos, &entry->link);
	file_wake(signal_waitq(p), POLL_IN);
	mark_receiver(p, to, signo);
	return entry != NULL;
}

static int send(struct process *p, struct thread *to, int signo, const struct siginfo *info)
{
	struct list gone = LIST_INIT(gone);
	struct signal_info *entry = NULL;
	bool used = false;

	if (signo == SIGKILL)
		to = NULL;			/* it is for the whole process: process_killed looks there */
	if (info) {
		entry = new_entry(p, info, signo);
		if (!entry && signo >= FIRST_REALTIME && info->code != SI_USER)
			return -EAGAIN;
	}
	unsigned long irq = spin_lock_irq(&p->signal_lock);
	if (p->state == PROCESS_ALIVE && !p->exiting) {
		act_at_once(p, signo, &gone);
		if (!discard(p, to, signo))
			used = enqueue(p, to, signo, entry);
	}
	spin_unlock_irq(&p->signal_lock, irq);
	free_all(&gone);
	if (!used)
		free_entry(entry);
	return 0;
}

int signal_send_process(struct process *p, int signo, const struct siginfo *info)
{
	return send(p, NULL, signo, info);
}

int signal_send_thread(struct thread *t, int signo, const struct siginfo *info)
{
	return send(t->process, t, signo, info);
}

int signal_send_group(pid_type pgid, int signo, const struct siginfo *info)
{
	int n = 0;
	mutex_lock(&tree_lock);
	list_for_each(l, &process_list) {
		struct process *p = container_of(l, struct process, all);
		if (p->pgid == pgid && p->state == PROCESS_ALIVE) {
			signal_send_process(p, signo, info);
			n++;
		}
	}
	mutex_unlock(&tree_lock);
	return n ? n : -ESRCH;
}

void signal_force(struct thread *t, int signo, const struct siginfo *info, unsigned trapno, unsigned long hw_error)
{
	struct process *p = t->process;
	unsigned long irq = spin_lock_irq(&p->signal_lock);
	struct sigaction64 *action = &p->actions[signo - 1];
	if (action->handler == SIG_IGN || (t->blocked & signal_bit(signo))) {
		action->handler = SIG_DFL;
		t->blocked &= ~signal_bit(signo);
	}
	if (info)
		t->fault.info = *info;
	else
		t->fault.info = (struct siginfo){ .code = SI_KERNEL };
	t->fault.info.signo = signo;
	t->fault.trapno = trapno;
	t->fault.hw_error = hw_error;
	t->fault.addr = t->fault.info.fault.addr;
	thread_work_add(t, WORK_SIGNAL);
	spin_unlock_irq(&p->signal_lock, irq);
}

static int take_from(struct signal_queue *q, uint64_t blocked, struct siginfo *info, struct signal_taken *taken)
{
	uint64_t ready = q->pending & ~blocked;
	if (!ready)
		return 0;
	if (ready & SYNCHRONOUS)
		ready &= SYNCHRONOUS;
	int signo = __builtin_ctzll(ready) + 1;
	struct signal_info *found = NULL;
	list_for_each(l, &q->infos) {
		found = container_of(l, struct signal_info, link);
		if (found->info.signo == signo)
			break;
		found = NULL;
	}
	if (found) {
		*info = found->info;
		list_remove(&found->link);
	} else {
		*info = (struct siginfo){ .signo = signo, .code = SI_KERNEL };
	}
	if (found && found->kind != INFO_PLAIN) {
		taken->of_timer = true;
		found->kind = INFO_TIMER_IDLE;
	} else {
		taken->entry = found;
	}
	if (!another_in(q, signo))
		q->pending &= ~signal_bit(signo);
	return signo;
}

int signal_take(struct thread *t, uint64_t blocked, struct siginfo *info, struct signal_taken *taken)
{
	*taken = (struct signal_taken){ NULL, false };
	int signo = take_from(&t->signals, blocked, info, taken);
	return signo ? signo : take_from(&t->process->signals, blocked, info, taken);
}

/* The timer that sent it, or that of setitimer, which may have, goes on from here. */
void signal_taken(struct siginfo *info, const struct signal_taken *taken)
{
	if (taken->of_timer)
		posix_timer_taken(current, info);
	else if (info->signo == SIGALRM)
		itimer_taken(current);
	free_entry(taken->entry);
}

/* ---- entries of timers -------------------------------------------------------------------------------------------------------------------- */

int signal_timer_init(struct signal_info *i)
{
	list_init(&i->link);
	i->kind = INFO_TIMER_IDLE;
	return count_entry(i, current, current->limits[LIMIT_SIGPENDING].cur) ? 0 : -EAGAIN;
}

void signal_timer_end(struct signal_info *i)
{
	uncount_entry(i);
}

/* signal_lock held. */
static struct thread *thread_of(struct process *p, pid_type tid)
{
	list_for_each(l, &p->threads)
		if (container_of(l, struct thread, siblings)->tid == tid)
			return container_of(l, struct thread, siblings);
	return NULL;
}

void signal_timer_send(struct process *p, pid_type tid, struct signal_info *i)
{
	unsigned long irq = spin_lock_irq(&p->signal_lock);
	struct thread *to = tid ? thread_of(p, tid) : NULL;
	if (p->state == PROCESS_ALIVE && !p->exiting && (to || !tid)) {
		act_at_once(p, i->info.signo, NULL);
		if (discard(p, to, i->info.signo)) {
			i->kind = INFO_TIMER_IGNORED;
		} else {
			i->kind = INFO_TIMER_QUEUED;
			i->queue = to ? &to->signals : &p->signals;
			enqueue(p, to, i->info.signo, i);
		}
	}
	spin_unlock_irq(&p->signal_lock, irq);
}

bool signal_timer_withdraw(struct process *p, struct signal_info *i)
{
	unsigned long irq = spin_lock_irq(&p->signal_lock);
	bool was_pending = i->kind != INFO_TIMER_IDLE;
	withdraw(i);
	spin_unlock_irq(&p->signal_lock, irq);
	return was_pending;
}

/* Each word is read once and on its own: what is sent meanwhile marks and wakes the thread again. */
bool signal_fatal_pending(const struct thread *t)
{
	const struct process *p = t->process;
	if (thread_work(t, WORK_EXIT))
		return true;
	uint64_t ready = (t->signals.pending | p->signals.pending) & ~t->blocked;

	for (; ready; ready &= ready - 1) {
		int signo = __builtin_ctzll(ready) + 1;
		if (!is_ignored(p, signo) && p->actions[signo - 1].handler == SIG_DFL && signal_default_action(signo) == DEFAULT_TERMINATE)
			return true;
	}
	return false;
}

bool signal_unheeded(int signo)
{
	return !heeds(current_thread(), signo) || current->actions[signo - 1].handler == SIG_IGN;
}

int signal_permitted(const struct process *p, int signo)
{
	const struct process *me = current;
	if (signo < 0 || signo > SIGNALS)
		return -EINVAL;
	if (capable(CAP_KILL) || me->euid == p->suid || me->euid == p->uid || me->uid == p->suid || me->uid == p->uid)
		return 0;
	return signo == SIGCONT && me->sid == p->sid ? 0 : -EPERM;
}

bool signal_notify_parent(struct process *child, int code, int status)
{
	struct process *parent = child->parent;
	if (!parent)
		return false;
	bool exited = code == CLD_EXITED || code == CLD_KILLED || code == CLD_DUMPED;
	int signo = exited ? child->exit_signal : SIGCHLD;
	const struct sigaction64 *action = &parent->actions[SIGCHLD - 1];
	bool ignored = signo == SIGCHLD && action->handler == SIG_IGN;
	bool vanish = exited && signo == SIGCHLD && (ignored || (action->flags & SA_NOCLDWAIT));

	if (signo && !ignored && (exited || !(action->flags & SA_NOCLDSTOP))) {
		struct siginfo info = { .code = code, .child = { .pid = child->pid, .uid = child->uid, .status = status,
			.utime = (int64_t)(child->dead_time.user_ns / NS_PER_TICK), .stime = (int64_t)(child->dead_time.kernel_ns / NS_PER_TICK) } };
		signal_send_process(parent, signo, &info);
	}
	wake_all(&parent->child_event);
	return vanish;
}

/* Links of the group to the rest of its session: a process that is leaving neither is one nor holds one. */
bool signal_group_orphaned(pid_type pgid, const struct process *leaving)
{
	list_for_each(l, &process_list) {
		const struct process *p = container_of(l, struct process, all);
		const struct process *parent = p->parent;
		if (p->pgid != pgid || p == leaving || p->state != PROCESS_ALIVE || !parent || parent == leaving)
			continue;
		if (parent->pid != 1 && parent->pgid != pgid && parent->sid == p->sid)
			return false;
	}
	return true;
}

static bool group_has_stopped(pid_type pgid, const struct process *leaving)
{
	list_for_each(l, &process_list) {
		const struct process *p = container_of(l, struct process, all);
		if (p->pgid == pgid && p != leaving && p->state == PROCESS_ALIVE && p->stopped)
			return true;
	}
	return false;
}

/* The link between `member` and its parent goes away, because one of the two is leaving. */
static void orphan_group(const struct process *member, const struct process *leaving)
{
	const struct process *parent = member->parent;
	pid_type pgid = member->pgid;
	if (!parent || parent->pgid == pgid || parent->sid != member->sid)
		return;				/* it was no link */
	if (!group_has_stopped(pgid, leaving) || !signal_group_orphaned(pgid, leaving))
		return;
	list_for_each(l, &process_list) {
		struct process *p = container_of(l, struct process, all);
		if (p->pgid == pgid && p != leaving) {
			signal_send_process(p, SIGHUP, NULL);
			signal_send_process(p, SIGCONT, NULL);
		}
	}
}

void signal_orphan_groups(struct process *leaving)
{
	orphan_group(leaving, leaving);
	list_for_each(l, &leaving->children)
		orphan_group(container_of(l, struct process, sibling), leaving);
}
