/*
 * kernel/fork.c - new processes: fork, vfork, clone.
 *
 * All that can fail comes first: structures, stack, register state, descriptors, the copied address space.  Then the child is put
 * into the tree and the run queue.  Memory is not copied (vm/space.c); a vfork child runs in the parent's space, and the parent sleeps
 * until it has execed or exited.
 */
#include "kernel/sched.h"
#include "arch/time.h"
#include "kernel/clone.h"
#include "kernel/files.h"
#include "arch/uaccess.h"
#include "lib/string.h"
#include "vm/heap.h"
#include "vm/reclaim.h"

static struct process *copy_with_room(struct process *parent, const struct clone_args *);
static int enter_tree(struct process *child, struct process *parent);
static void wait_for_vfork(struct process *parent, const struct process *child);

enum { FORK_PATIENCE = 100, FORK_FRAMES = 512 };	/* turns to wait for a process that was killed to make room; frames to reclaim for a turn */

/* What a process of its own can do with one thread in it. */
static const uint64_t KNOWN_FLAGS = CLONE_VM | CLONE_VFORK | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID |
	CLONE_CHILD_SETTID | CLONE_DETACHED | CLONE_UNTRACED;

long process_fork(const struct clone_args *args)
{
	struct process *parent = current;

	if ((args->flags & ~KNOWN_FLAGS) || args->exit_signal < 0 || args->exit_signal > SIGNALS)
		return -EINVAL;
	if ((args->flags & CLONE_SETTLS) && args->tls >= USER_MAX)
		return -EPERM;				/* as arch_prctl: the processor would not take it */
	struct process *child = copy_with_room(parent, args);
	if (!child)
		return -ENOMEM;
	struct thread *t = process_thread(child);
	int error = enter_tree(child, parent);
	if (error) {
		process_abandon(child);
		return error;
	}
	pid_type pid = child->pid;
	if (args->flags & CLONE_PARENT_SETTID)
		user_copy_out(args->parent_tid, &pid, sizeof pid);
	if (args->flags & CLONE_VFORK) {
		parent->vfork_child = child;
		child->borrows_space = true;
	}
	sched_stats.forks++;
	arch_thread_start_user(&t->arch);
	sched_add(t);
	if (args->flags & CLONE_VFORK)
		wait_for_vfork(parent, child);
	return pid;
}

/* The identity and the settings, which cannot fail to be copied. */
static void inherit(struct process *child, const struct process *parent)
{
	memcpy(child->name, parent->name, sizeof child->name);
	child->uid = parent->uid;
	child->euid = parent->euid;
	child->suid = parent->suid;
	child->gid = parent->gid;
	child->egid = parent->egid;
	child->sgid = parent->sgid;
	child->ngroups = parent->ngroups;
	memcpy(child->groups, parent->groups, sizeof child->groups);
	child->tty = parent->tty;
	child->nice = parent->nice;
	child->oom_score_adj = parent->oom_score_adj;
	child->personality = parent->personality;
	memcpy(child->limits, parent->limits, sizeof child->limits);
}

/* Also for one that was copied in part. */
void process_abandon(struct process *p)
{
	struct thread *t = process_thread(p);
	if (p->space)
		space_put(p->space);
	process_drop_files(p);
	arch_thread_destroy(&t->arch);
	thread_free(t);
	kfree(p);
}

static int copy_resources(struct process *child, struct process *parent, uint64_t flags)
{
	if (parent->exe) {
		child->exe = vnode_ref(parent->exe);
		vnode_begin_run(child->exe);		/* cannot fail: the parent runs it */
	}
	child->files = files_copy(parent->files);
	if (!child->files)
		return -ENOMEM;
	child->space = flags & CLONE_VM ? space_ref(parent->space) : space_fork(parent->space);
	return child->space ? 0 : -ENOMEM;
}

static struct process *copy_process(struct process *parent, const struct clone_args *args)
{
	struct thread *self = current_thread();
	struct process *child = process_create(parent);
	if (!child)
		return NULL;
	struct thread *t = process_thread(child);

	inherit(child, parent);
	child->exit_signal = args->exit_signal;
	fs_context_copy(&child->fs, &parent->fs);
	if (arch_thread_fork(&t->arch, thread_stack_top(t), &self->arch) != 0) {
		thread_free(t);
		process_drop_files(child);
		kfree(child);
		return NULL;
	}
	signal_init_thread(t, self);
	if (args->flags & CLONE_VM && !(args->flags & CLONE_VFORK))
		t->altstack.size = t->altstack.sp = 0;		/* two that run at once cannot share a signal stack */
	if (args->stack)
		frame_set_sp(thread_frame(&t->arch), args->stack);
	if (args->flags & CLONE_SETTLS)
		arch_set_tls(&t->arch, args->tls);
	if (args->flags & CLONE_CHILD_SETTID)
		t->set_child_tid = args->child_tid;
	if (args->flags & CLONE_CHILD_CLEARTID)
		t->clear_child_tid = args->child_tid;
	child->start_ns = time_now_ns();
	if (copy_resources(child, parent, args->flags) != 0) {
		process_abandon(child);
		return NULL;
	}
	return child;
}

/*
 * As in a fault that finds no frame, another process is made to give its memory; for a while only, so that too many forks end in -ENOMEM.  
 * What the overcommit policy forbids nobody's death would allow.
 */
static struct process *copy_with_room(struct process *parent, const struct clone_args *args)
{
	reclaim_keep_free();
	struct process *child = copy_process(parent, args);
	for (int n = 0; !child && n < FORK_PATIENCE && space_may_fork(parent->space) && (reclaim_frames(FORK_FRAMES) || oom_kill()) && !process_killed(parent); n++) {
		sched_yield();
		child = process_killed(parent) ? NULL : copy_process(parent, args);	/* another may have chosen us meanwhile */
	}
	return child;
}

static int enter_tree(struct process *child, struct process *parent)
{
	mutex_lock(&tree_lock);
	int error = process_count() >= parent->limits[LIMIT_NPROC].cur && parent->euid != 0 ? -EAGAIN : process_insert(child);
	if (!error) {
		process_thread(child)->tid = child->pid;
		child->parent = parent;
		child->pgid = parent->pgid;
		child->sid = parent->sid;
		list_append(&parent->children, &child->sibling);
	}
	mutex_unlock(&tree_lock);
	return error;
}

/* Only a signal that ends the process ends this early: the child runs on our stack. */
static void wait_for_vfork(struct process *parent, const struct process *child)
{
	wait_prepare(&parent->vfork_done);
	while (parent->vfork_child == child && wait_sleep(&parent->vfork_done, WAIT_KILLABLE) == 0)
		wait_prepare(&parent->vfork_done);
	wait_finish(&parent->vfork_done);
	mutex_lock(&tree_lock);
	parent->vfork_child = NULL;
	mutex_unlock(&tree_lock);
}

void process_release_vfork(struct process *p)
{
	if (!p->borrows_space)
		return;
	mutex_lock(&tree_lock);
	p->borrows_space = false;
	struct process *parent = p->parent;
	if (parent && parent->vfork_child == p) {
		parent->vfork_child = NULL;
		wake_all(&parent->vfork_done);
	}
	mutex_unlock(&tree_lock);
}

struct process *process_create_first(void (*fn)(void *), void *arg)
{
	struct process *p = process_create(NULL);
	if (!p)
		return NULL;
	struct thread *t = process_thread(p);
	p->files = files_create();
	if (!p->files || arch_thread_init(&t->arch, thread_stack_top(t)) != 0) {
		process_drop_files(p);
		thread_free(t);
		kfree(p);
		return NULL;
	}
	signal_init_thread(t, NULL);
	limits_init(p);
	p->start_ns = time_now_ns();
	p->exit_signal = SIGCHLD;
	mutex_lock(&tree_lock);
	process_insert(p);
	t->tid = p->pgid = p->sid = p->pid;
	mutex_unlock(&tree_lock);
	arch_thread_start_in(&t->arch, fn, arg);
	sched_add(t);
	return p;
}
