/*
 * kernel/signal.c - taking signals: what a thread does about them on its way to user mode.
 *
 * signal_deliver is called for a thread that has WORK_SIGNAL.  It takes one signal after the other: a default action is
 * done here (die, stop until SIGCONT, nothing), a handler gets a frame on the user stack.  Then the system call that was
 * interrupted is settled: it answered with one of the internal results ERESTART*, and either is made again or fails with EINTR.
 *
 *	result				no handler ran		a handler ran
 *	ERESTARTSYS			again			again if SA_RESTART, else EINTR
 *	ERESTARTNOINTR			again			again
 *	ERESTARTNOHAND			again			EINTR
 *	ERESTART_RESTARTBLOCK		restart_syscall		EINTR		(sleeps: what is left of the time counts)
 *
 * Locks: signal_lock around the queues and actions; never across the copy to the user stack.
 */
#include "kernel/core.h"
#include "kernel/sched.h"
#include "kernel/syscall.h"
#include "lib/string.h"
#include "vm/heap.h"

enum { SYS_RESTART_SYSCALL = 219 };
enum { SS_ONSTACK = 1, SS_DISABLE = 2 };
#define SS_AUTODISARM	(1u << 31)

static const uint64_t UNBLOCKABLE = (uint64_t)1 << (SIGKILL - 1) | (uint64_t)1 << (SIGSTOP - 1);

static int  next_handler(struct thread *, struct siginfo *, struct sigaction64 *);
static void settle_call(struct trap_frame *, const struct sigaction64 *);
static bool run_handler(struct thread *, struct siginfo *, const struct sigaction64 *);
static void force_bad_frame(struct thread *, int signo);

void signal_deliver(struct trap_frame *frame)
{
	struct thread *t = current_thread();
	struct siginfo info;
	struct sigaction64 action;

	while (next_handler(t, &info, &action)) {
		settle_call(frame, &action);
		if (!run_handler(t, &info, &action))
			force_bad_frame(t, info.signo);
	}
	settle_call(frame, NULL);
	if (t->restore_mask) {
		t->restore_mask = false;
		signal_set_mask(t->saved_mask);
		if (thread_work(t, WORK_SIGNAL))
			signal_deliver(frame);		/* once: restore_mask is gone */
	}
}

/* The handler of signo cannot get its frame: SIGSEGV instead, without its handler if that is the one. */
static void force_bad_frame(struct thread *t, int signo)
{
	struct process *p = t->process;
	if (signo == SIGSEGV) {
		unsigned long irq = spin_lock_irq(&p->signal_lock);
		p->actions[SIGSEGV - 1].handler = SIG_DFL;
		spin_unlock_irq(&p->signal_lock, irq);
	}
	signal_force(t, SIGSEGV, NULL, t->fault.trapno, t->fault.hw_error);
}

/* Settles an interrupted call: action is that of the handler that is about to run, NULL when none has run. */
static void settle_call(struct trap_frame *frame, const struct sigaction64 *action)
{
	long number = frame_syscall(frame);
	if (number < 0)
		return;
	long result = frame_result(frame);
	bool again;
	switch (result) {
	case -ERESTARTSYS:
		again = !action || (action->flags & SA_RESTART);
		break;
	case -ERESTARTNOINTR:
		again = true;
		break;
	case -ERESTARTNOHAND:
		again = !action;
		break;
	case -ERESTART_RESTARTBLOCK:
		again = !action;
		number = SYS_RESTART_SYSCALL;
		break;
	default:
		return;
	}
	if (again)
		frame_restart_syscall(frame, number);
	else
		frame_set_result(frame, -EINTR);
}

/* The process stops: so does this thread, until it goes on.  The last one to stop tells the parent, and so does the first that goes on. */
static void take_part_in_stop(struct thread *t)
{
	struct process *p = t->process;
	mutex_lock(&tree_lock);
	unsigned long irq = spin_lock_irq(&p->signal_lock);
	if (p->stopping && !t->stopped) {
		t->stopped = true;
		p->nstopped++;
	}
	bool complete = signal_stop_complete(p);
	spin_unlock_irq(&p->signal_lock, irq);
	if (complete)
		signal_notify_parent(p, CLD_STOPPED, p->stop_signal);
	mutex_unlock(&tree_lock);

	wait_prepare(&p->stop_event);
	while (__atomic_load_n(&t->stopped, __ATOMIC_ACQUIRE) && !__atomic_load_n(&t->trace, __ATOMIC_ACQUIRE)) {
		wait_sleep(&p->stop_event, WAIT_UNINTERRUPTIBLE);
		wait_prepare(&p->stop_event);
	}
	wait_finish(&p->stop_event);
	if (t->trace && t->stopped)
		trace_group_stop(p->stop_signal);
	__atomic_store_n(&t->stopped, false, __ATOMIC_RELAXED);

	mutex_lock(&tree_lock);
	irq = spin_lock_irq(&p->signal_lock);
	bool tell = p->tell_continued;
	p->tell_continued = false;
	spin_unlock_irq(&p->signal_lock, irq);
	if (tell)
		signal_notify_parent(p, CLD_CONTINUED, SIGCONT);
	mutex_unlock(&tree_lock);
}

/* The default action of a stop signal.  SIGCONT may have come since it was taken: stop_wanted is gone then. */
static void begin_stop(struct thread *t, int signo)
{
	struct process *p = t->process;
	mutex_lock(&tree_lock);
	bool refused = signo != SIGSTOP && signal_group_orphaned(p->pgid, NULL);
	unsigned long irq = spin_lock_irq(&p->signal_lock);
	if (t->stop_wanted && !refused && !p->stopping && !thread_work(t, WORK_EXIT)) {
		p->stopping = true;
		p->stop_signal = signo;
		p->stop_reported = p->continued = p->tell_continued = false;
		list_for_each(l, &p->threads) {
			container_of(l, struct thread, siblings)->traced.past_stop = false;
			signal_mark(container_of(l, struct thread, siblings));
		}
	}
	t->stop_wanted = false;
	spin_unlock_irq(&p->signal_lock, irq);
	mutex_unlock(&tree_lock);
}

/* Takes one signal and copies its action; notes what has to be known under the lock. 0: none, and nothing else to do. -1: look again. */
static int take_signal(struct thread *t, struct siginfo *info, struct sigaction64 *action, bool *forced)
{
	struct process *p = t->process;
	struct signal_taken taken = { NULL, false };
	unsigned long irq = spin_lock_irq(&p->signal_lock);
	bool first = thread_work(t, WORK_EXIT) || (p->stopping && !t->traced.past_stop);		/* other things come first */
	int signo = first ? -1 : t->fault.info.signo;
	*forced = signo > 0;
	if (signo > 0) {
		*info = t->fault.info;
		t->fault.info.signo = 0;
	} else if (signo == 0) {
		signo = signal_take(t, t->blocked, info, &taken);
	}
	if (signo > 0) {
		*action = signal_action_get(p, signo);
		if ((action->flags & SA_RESETHAND) && action->handler != SIG_IGN)
			p->actions[signo - 1].handler = SIG_DFL;
		t->stop_wanted = action->handler == SIG_DFL && signal_default_action(signo) == DEFAULT_STOP;
	} else if (signo == 0) {
		thread_work_done(t, WORK_SIGNAL);
	}
	spin_unlock_irq(&p->signal_lock, irq);
	if (signo > 0 && !*forced)
		signal_taken(info, &taken);
	return signo;
}

/* The signal that the tracer wants in place of this one: its action; -1: none, or one that is blocked and waits now. */
static int ask_tracer(struct thread *t, int signo, struct siginfo *info, struct sigaction64 *action)
{
	struct process *p = t->process;
	signo = trace_signal(signo, info);
	if (signo && t->blocked & signal_bit(signo)) {
		signal_send_thread(t, signo, info);
		signo = 0;
	}
	unsigned long irq = spin_lock_irq(&p->signal_lock);
	if (signo)
		*action = signal_action_get(p, signo);
	t->stop_wanted = signo && action->handler == SIG_DFL && signal_default_action(signo) == DEFAULT_STOP;
	spin_unlock_irq(&p->signal_lock, irq);
	return signo ? signo : -1;
}

/* Does default actions until a signal with a handler comes (its number) or there is none (0). */
static int next_handler(struct thread *t, struct siginfo *info, struct sigaction64 *action)
{
	struct process *p = t->process;
	for (;;) {
		bool forced;
		if (thread_work(t, WORK_EXIT))
			thread_exit(p->exit_status);
		if ((p->stopping && !t->traced.past_stop) || p->tell_continued)
			take_part_in_stop(t);
		if (t->trace)
			trace_interrupted();
		int signo = take_signal(t, info, action, &forced);
		if (signo == 0)
			return 0;
		if (signo > 0 && t->trace && signo != SIGKILL)
			signo = ask_tracer(t, signo, info, action);
		if (signo < 0 || action->handler == SIG_IGN)
			continue;
		if (action->handler != SIG_DFL)
			return signo;
		if (p->pid == 1 && !forced)
			continue;
		switch (signal_default_action(signo)) {
		case DEFAULT_TERMINATE:
			process_exit(core_dump(signo, info) ? signo | EXIT_DUMPED : signo);
		case DEFAULT_STOP:
			begin_stop(t, signo);
			break;
		case DEFAULT_IGNORE:
		case DEFAULT_CONTINUE:
			break;
		}
	}
}

static bool on_altstack(const struct thread *t, vaddr_t sp)
{
	return !((unsigned)t->altstack.flags & SS_AUTODISARM) && sp > t->altstack.sp && sp - t->altstack.sp <= t->altstack.size;
}

/* Builds the frame of a handler.  False: the stack cannot take it. */
static bool run_handler(struct thread *t, struct siginfo *info, const struct sigaction64 *action)
{
	struct trap_frame *frame = thread_frame(&t->arch);
	struct signal_setup setup = {
		.signo = info->signo, .handler = action->handler, .restorer = action->restorer,
		.mask = t->restore_mask ? t->saved_mask : t->blocked, .siginfo = info, .altstack = &t->altstack,
		.hw_error = t->fault.hw_error, .trapno = t->fault.trapno, .fault_addr = t->fault.addr,
	};
	bool nested = on_altstack(t, frame_sp(frame));

	if (!(action->flags & SA_RESTORER))
		return false;			/* as on Linux: x86-64 has no other way back */
	if ((action->flags & SA_ONSTACK) && t->altstack.size && !nested)
		setup.stack_top = t->altstack.sp + t->altstack.size;
	rseq_interrupt(t, frame);
	if (signal_frame_push(&t->arch, &setup) != 0)
		return false;
	if ((nested || setup.stack_top) && frame_sp(frame) < t->altstack.sp)
		return false;			/* the alternate stack is full: what lies below it is not ours to run on */
	if ((unsigned)t->altstack.flags & SS_AUTODISARM) {
		memset(&t->altstack, 0, sizeof t->altstack);
		t->altstack.flags = SS_DISABLE;
	}

	uint64_t also = action->mask | (action->flags & SA_NODEFER ? 0 : signal_bit(info->signo));
	t->restore_mask = false;
	signal_set_mask(t->blocked | also);
	return true;
}

void signal_set_mask(uint64_t blocked)
{
	struct thread *t = current_thread();
	struct process *p = t->process;
	unsigned long irq = spin_lock_irq(&p->signal_lock);
	uint64_t before = t->blocked;
	t->blocked = blocked & ~UNBLOCKABLE;
	signal_retarget(p, t, t->blocked & ~before);
	if ((t->signals.pending | p->signals.pending) & ~t->blocked)
		thread_work_add(t, WORK_SIGNAL);
	spin_unlock_irq(&p->signal_lock, irq);
}

void signal_mask_for_call(uint64_t blocked)
{
	struct thread *t = current_thread();
	t->saved_mask = t->blocked;
	t->restore_mask = true;
	signal_set_mask(blocked);
}

long signal_mask_return(long result)
{
	struct thread *t = current_thread();
	if (result == -EINTR || result == -ERESTARTSYS || result == -ERESTARTNOHAND) {
		thread_work_add(t, WORK_SIGNAL);	/* signal_deliver restores the mask, after the handler's frame has it */
		return result;
	}
	t->restore_mask = false;
	signal_set_mask(t->saved_mask);
	return result;
}

/* ---- actions --------------------------------------------------------------------- */

struct signal_actions *signal_actions_of(const struct process *p)
{
	return container_of(p->actions, struct signal_actions, action[0]);
}

struct signal_actions *signal_actions_create(const struct process *from)
{
	struct signal_actions *a = kzalloc(sizeof *a);
	if (!a)
		return NULL;
	a->refs = 1;
	spin_init(&a->lock, "signal actions", RANK_WAITQ - 1);
	if (from) {
		struct signal_actions *other = signal_actions_of(from);
		unsigned long irq = spin_lock_irq(&other->lock);
		memcpy(a->action, other->action, sizeof a->action);
		spin_unlock_irq(&other->lock, irq);
	}
	return a;
}

void signal_actions_put(struct signal_actions *a)
{
	if (a && __atomic_sub_fetch(&a->refs, 1, __ATOMIC_ACQ_REL) == 0)
		kfree(a);
}

struct sigaction64 signal_action_get(const struct process *p, int signo)
{
	struct signal_actions *a = signal_actions_of(p);
	spin_lock_nested(&a->lock);
	struct sigaction64 action = a->action[signo - 1];
	spin_unlock(&a->lock);
	return action;
}

void signal_action_set(struct process *p, int signo, const struct sigaction64 *to)
{
	struct signal_actions *a = signal_actions_of(p);
	spin_lock_nested(&a->lock);
	a->action[signo - 1] = *to;
	spin_unlock(&a->lock);
}

void signal_init_process(struct process *p)
{
	spin_init(&p->signal_lock, "signal", RANK_WAITQ - 1);
	list_init(&p->signals.infos);
	waitq_init(&p->stop_event);
}

void signal_init_thread(struct thread *t, const struct thread *other)
{
	list_init(&t->signals.infos);
	if (other) {
		t->blocked = other->restore_mask ? other->saved_mask : other->blocked;
		t->altstack = other->altstack;
	}
}

void signal_reset(struct process *p)
{
	unsigned long irq = spin_lock_irq(&p->signal_lock);
	struct signal_actions *all = signal_actions_of(p);
	spin_lock_nested(&all->lock);
	for (struct sigaction64 *a = all->action; a < all->action + SIGNALS; a++)
		if (a->handler | a->flags | a->restorer | a->mask)
			*a = (struct sigaction64){ .handler = a->handler == SIG_IGN ? SIG_IGN : SIG_DFL };
	spin_unlock(&all->lock);
	spin_unlock_irq(&p->signal_lock, irq);
}

void signal_exec(struct process *p)
{
	struct thread *t = current_thread();
	signal_reset(p);
	memset(&t->altstack, 0, sizeof t->altstack);
}
