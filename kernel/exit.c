/*
 * kernel/exit.c - the end of a process.
 *
 * The process first gives back all that costs memory, without a lock: space, files, names.  Then, under tree_lock, its children go to
 * process 1, its parent is told, and what is left is a zombie: a structure with a status, until the parent asks for it (wait.c).
 * Last the thread leaves the processor; the next one frees its stack.
 */
#include "kernel/life.h"
#include "kernel/clock.h"
#include "kernel/futex.h"
#include "kernel/sched.h"
#include "kernel/tty.h"
#include "arch/cpu.h"
#include "arch/uaccess.h"
#include "lib/print.h"

static void leave_space(struct process *, struct thread *);
static void leave_tree(struct process *, struct thread *);
static void first_process_ended(int status) __attribute__((noreturn));

void process_exit(int status)
{
	struct thread *t = current_thread();
	struct process *p = t->process;

	if (p->pid == 1)
		first_process_ended(status);
	p->exiting = true;
	p->exit_status = status;
	itimer_forget(p);
	leave_space(p, t);
	process_drop_files(p);
	leave_tree(p, t);
	sched_exit();
}

static void first_process_ended(int status)
{
	if (status & 0x7f)
		kprintf("faultline: the first process was ended by signal %d\n", status & 0x7f);
	else
		kprintf("faultline: the first process ended with status %d\n", status >> 8);
	machine_end(MACHINE_POWEROFF);
}

static void leave_space(struct process *p, struct thread *t)
{
	struct space *space = p->space;
	if (t->clear_child_tid && space->refs > 1) {
		const int32_t zero = 0;
		if (user_copy_out(t->clear_child_tid, &zero, sizeof zero) == 0)
			futex_wake(t->clear_child_tid, 1);
	}
	process_note_resident(p, space);
	mutex_lock(&tree_lock);
	p->space = NULL;
	mutex_unlock(&tree_lock);
	sched_use_space(NULL);
	process_release_vfork(p);
	space_put(space);
}

/* The nearest to a living parent that an orphan can get. */
static void give_children_away(struct process *p)
{
	struct process *init = process_find(1);
	list_for_each_safe(l, &p->children) {
		struct process *child = container_of(l, struct process, sibling);
		list_remove(l);
		list_append(&init->children, l);
		child->parent = init;
		child->exit_signal = SIGCHLD;
		if (child->death_signal && child->state == PROCESS_ALIVE)
			signal_send_process(child, child->death_signal, NULL);
		if (child->state == PROCESS_ZOMBIE && process_tell_parent(child))
			process_reap(child);
	}
}

bool process_tell_parent(struct process *zombie)
{
	int status = zombie->exit_status;
	if (status & 0x7f)
		return signal_notify_parent(zombie, CLD_KILLED, status & 0x7f);
	return signal_notify_parent(zombie, CLD_EXITED, status >> 8);
}

static void become_zombie(struct process *p, struct thread *t)
{
	unsigned long irq = spin_lock_irq(&p->signal_lock);
	p->state = PROCESS_ZOMBIE;
	p->stopped = false;
	p->dead_user_ticks += t->user_ticks;
	p->dead_kernel_ticks += t->kernel_ticks;
	list_remove(&t->siblings);
	spin_unlock_irq(&p->signal_lock, irq);
	signal_queue_drain(&t->signals);
	signal_queue_drain(&p->signals);
}

static void leave_tree(struct process *p, struct thread *t)
{
	tty_session_ends(p);
	mutex_lock(&tree_lock);
	signal_orphan_groups(p);
	give_children_away(p);
	become_zombie(p, t);
	t->process = NULL;		/* it may be gone before the thread is */
	if (process_tell_parent(p))
		process_reap(p);
	mutex_unlock(&tree_lock);
}
