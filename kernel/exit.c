/*
 * kernel/exit.c - the end of threads and processes.
 *
 * A thread that exits does in its memory what it promised, and leaves its process.  The last one ends the process: it gives back all that costs
 * memory, without a lock: space, files, names.  Then, under tree_lock, the children of the process go to process 1, its parent is told, and what is left is
 * a zombie: a structure with a status, until the parent asks for it (wait.c).  Last the thread leaves the processor; the next one frees its stack.
 *
 * A thread that ends the process (exit_group, a fatal signal), or wants it for itself (execve), marks all others with WORK_EXIT and wakes them: they exit on
 * their way to user mode.  The mark is looked at under signal_lock before a thread is added, so none slips through.
 */
#include "kernel/life.h"
#include "kernel/clock.h"
#include "kernel/core.h"
#include "kernel/futex.h"
#include "kernel/pidfd.h"
#include "kernel/posix_timer.h"
#include "kernel/sched.h"
#include "kernel/tty.h"
#include "arch/cpu.h"
#include "arch/uaccess.h"
#include "lib/print.h"

static void leave_process(struct process *, struct thread *);
static void end_process(struct process *, struct thread *) __attribute__((noreturn));
static void leave_tree(struct process *, struct thread *);
static void first_process_ended(int status) __attribute__((noreturn));

/* signal_lock held. */
static void mark_others(struct process *p)
{
	signal_cancel_stop(p);
	trace_let_die(p);
	list_for_each(l, &p->threads) {
		struct thread *t = container_of(l, struct thread, siblings);
		if (t == current_thread())
			continue;
		thread_work_add(t, WORK_EXIT);
		thread_work_add(t, WORK_SIGNAL);
		sched_interrupt(t);
	}
}

void process_exit(int status)
{
	struct process *p = current;

	if (p->pid == 1)
		first_process_ended(status);
	if (status != SIGKILL)
		trace_event(EVENT_EXIT, (unsigned long)status);
	unsigned long irq = spin_lock_irq(&p->signal_lock);
	if (!p->exiting && !thread_work(current_thread(), WORK_EXIT)) {		/* else another was first, and its word counts */
		p->exiting = true;
		p->exit_status = status;
		mark_others(p);
	}
	spin_unlock_irq(&p->signal_lock, irq);
	thread_exit(status);
}

void thread_exit(int status)
{
	struct thread *t = current_thread();
	struct process *p = t->process;

	trace_event(EVENT_EXIT, (unsigned long)status);
	if (__atomic_load_n(&p->core, __ATOMIC_RELAXED))
		core_add_thread(t);
	thread_leave_memory(t);
	mutex_lock(&tree_lock);
	unsigned long irq = spin_lock_irq(&p->signal_lock);
	bool last = p->nthreads == 1;
	if (last && !p->exiting) {
		p->exiting = true;
		p->exit_status = status;
	}
	spin_unlock_irq(&p->signal_lock, irq);
	if (!last) {
		trace_thread_left(t, status);
		leave_process(p, t);
	}
	mutex_unlock(&tree_lock);
	if (last)
		end_process(p, t);
	thread_release_vfork(t);
	signal_queue_drain(&t->signals);
	sched_exit();
}

/*
 * Others stay.  Who takes the process apart needs tree_lock to do so: until it is dropped nothing goes away under the thread.  After that it has no process, and the
 * processor is off its space.
 */
static void leave_process(struct process *p, struct thread *t)
{
	unsigned long irq = spin_lock_irq(&p->signal_lock);
	thread_remove(p, t);
	signal_thread_left(p, t);
	bool stopped = signal_stop_complete(p);
	spin_unlock_irq(&p->signal_lock, irq);
	if (stopped)
		signal_notify_parent(p, CLD_STOPPED, p->stop_signal);
	if (p->execer && p->nthreads == 1)
		wake_all(&p->alone);
	t->process = NULL;
	sched_use_space(NULL);
}

int process_end_others(struct process *p)
{
	struct thread *t = current_thread();
	unsigned long irq = spin_lock_irq(&p->signal_lock);
	if (thread_work(t, WORK_EXIT)) {
		spin_unlock_irq(&p->signal_lock, irq);
		return -EINTR;
	}
	p->execer = t;
	mark_others(p);
	spin_unlock_irq(&p->signal_lock, irq);

	int error = 0;
	wait_prepare(&p->alone);
	while (__atomic_load_n(&p->nthreads, __ATOMIC_ACQUIRE) > 1 && error == 0) {
		error = wait_sleep(&p->alone, WAIT_KILLABLE);
		if (error == 0)
			wait_prepare(&p->alone);
	}
	wait_finish(&p->alone);
	mutex_lock(&tree_lock);				/* the last one to go has dropped it */
	irq = spin_lock_irq(&p->signal_lock);
	p->execer = NULL;
	spin_unlock_irq(&p->signal_lock, irq);
	if (!error && t->tid != p->pid)
		thread_become_leader(p, t);
	mutex_unlock(&tree_lock);
	return error;
}

static void first_process_ended(int status)
{
	if (status & 0x7f)
		kprintf("faultline: the first process was ended by signal %d\n", status & 0x7f);
	else
		kprintf("faultline: the first process ended with status %d\n", status >> 8);
	machine_end(MACHINE_POWEROFF);
}

void thread_leave_memory(struct thread *t)
{
	struct process *p = t->process;
	if (t->robust_list)
		futex_leave_robust(t);
	t->robust_list = 0;
	futex_leave_pi(t);
	if (t->clear_child_tid && (p->nthreads > 1 || p->space->refs > 1)) {		/* else nobody can see it */
		const int32_t zero = 0;
		if (user_copy_out(t->clear_child_tid, &zero, sizeof zero) == 0)
			futex_wake(t->clear_child_tid, 1);
	}
	t->clear_child_tid = 0;
}

static void leave_space(struct process *p, struct thread *t)
{
	struct space *space = p->space;
	process_note_resident(p, space);
	mutex_lock(&tree_lock);
	p->space = NULL;
	mutex_unlock(&tree_lock);
	sched_use_space(NULL);
	thread_release_vfork(t);
	space_put(space);
}

static void end_process(struct process *p, struct thread *t)
{
	if (p->pid == 1)
		first_process_ended(p->exit_status);
	itimer_forget(p);
	semaphores_exit(p);
	posix_timers_drop(p);
	leave_space(p, t);
	process_drop_files(p);
	leave_tree(p, t);
	signal_queue_drain(&t->signals);
	sched_exit();
}

/* Who takes in the children of a process that ends: the nearest above it that has said so (PR_SET_CHILD_SUBREAPER), or the first process. */
static struct process *reaper_of(const struct process *p)
{
	struct process *above = p->parent;
	while (above && above->parent && !(above->subreaper && above->state == PROCESS_ALIVE && !above->exiting))
		above = above->parent;
	return above ? above : process_find(1);
}

static void give_children_away(struct process *p)
{
	struct process *init = reaper_of(p);
	list_for_each_safe(l, &p->children) {
		struct process *child = container_of(l, struct process, sibling);
		list_remove(l);
		list_append(&init->children, l);
		child->parent = init;
		child->ppid = init->pid;
		child->exit_signal = SIGCHLD;
		if (child->death_signal && child->state == PROCESS_ALIVE) {
			const struct siginfo info = { .code = SI_USER, .child = { .pid = p->pid, .uid = p->uid } };
			signal_send_process(child, child->death_signal, &info);
		}
		if (child->state == PROCESS_ZOMBIE && process_tell_parent(child))
			process_reap(child);
	}
}

bool process_tell_parent(struct process *zombie)
{
	int status = zombie->exit_status;
	if (status & 0x7f)
		return signal_notify_parent(zombie, exit_cause(status), status & 0x7f);
	return signal_notify_parent(zombie, CLD_EXITED, status >> 8);
}

static void become_zombie(struct process *p, struct thread *t)
{
	unsigned long irq = spin_lock_irq(&p->signal_lock);
	p->state = PROCESS_ZOMBIE;
	p->stopped = false;
	thread_remove(p, t);
	spin_unlock_irq(&p->signal_lock, irq);
	signal_queue_drain(&p->signals);
}

static void leave_tree(struct process *p, struct thread *t)
{
	tty_session_ends(p, TTY_LEADER_EXITS);
	mutex_lock(&tree_lock);
	trace_tracer_left(p);
	trace_thread_left(t, p->exit_status);
	signal_orphan_groups(p);
	give_children_away(p);
	become_zombie(p, t);
	t->process = NULL;		/* it may be gone before the thread is */
	pidfd_exited(p);
	if (process_tell_parent(p))
		process_reap(p);
	mutex_unlock(&tree_lock);
}
