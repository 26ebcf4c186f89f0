/*
 * kernel/fork.c - new processes and threads: fork, vfork, clone.
 *
 * All that can fail comes first: structures, stack, register state, descriptors, the copied address space.  Then the child is put
 * into the tree and the run queue.  Memory is not copied (vm/space.c); a vfork child runs in the parent's space, and the thread that made it sleeps
 * until it has execed or exited.
 *
 * Threads of a process share all that a process has.  What Linux lets threads have apart (descriptors, directories), or processes share (handlers,
 * directories), is refused: EINVAL.
 */
#include "kernel/sched.h"
#include "arch/time.h"
#include "kernel/clone.h"
#include "kernel/files.h"
#include "kernel/pidfd.h"
#include "kernel/settings.h"
#include "arch/uaccess.h"
#include "lib/string.h"
#include "vm/heap.h"
#include "vm/reclaim.h"

/* On the stack of the thread that waits.  tree_lock; `done` is read without. */
struct vfork_wait {
	bool done;
	struct waitq queue;
};

static int check(const struct clone_args *);
static long fork_process(const struct clone_args *, struct thread **);
static long add_thread(const struct clone_args *, struct thread **);
static long start(struct thread *, const struct clone_args *, struct trace *, enum trace_event);
static struct process *copy_with_room(struct process *parent, const struct clone_args *, struct thread **);
static int enter_tree(struct process *child, struct thread *, struct process *parent, const struct clone_args *);
static void wait_for_vfork(struct vfork_wait *, struct thread *child);

enum { FORK_PATIENCE = 100, FORK_FRAMES = 512 };	/* turns to wait for a process that was killed to make room; frames to reclaim for a turn */

#define THREAD_SHARES	((uint64_t)(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND))

/* What a process owes to System V semaphores, and I/O priorities, are never shared: the flags about them mean nothing. */
static const uint64_t KNOWN_FLAGS = THREAD_SHARES | CLONE_PIDFD | CLONE_VFORK | CLONE_PARENT | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID |
	CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID | CLONE_DETACHED | CLONE_UNTRACED | CLONE_PTRACE | CLONE_IO | CLONE_CLEAR_SIGHAND;

long process_clone(const struct clone_args *args)
{
	int error = check(args);
	if (error)
		return error;
	struct trace *trace;
	enum trace_event event;
	error = trace_prepare_child(args, &trace, &event);
	if (error)
		return error;
	struct thread *t;
	long number = args->flags & CLONE_THREAD ? add_thread(args, &t) : fork_process(args, &t);
	if (number < 0) {
		kfree(trace);
		return number;
	}
	return start(t, args, trace, event);
}

static int check(const struct clone_args *args)
{
	uint64_t flags = args->flags, shares = flags & THREAD_SHARES;
	if ((flags & ~KNOWN_FLAGS) || args->exit_signal < 0 || args->exit_signal > SIGNALS)
		return -EINVAL;
	if ((flags & CLONE_THREAD) && shares != THREAD_SHARES)
		return -EINVAL;
	if ((flags & CLONE_SIGHAND) && !(flags & CLONE_VM))
		return -EINVAL;
	if ((flags & CLONE_PIDFD) && (flags & CLONE_THREAD))
		return -EINVAL;
	if ((flags & CLONE_CLEAR_SIGHAND) && (flags & CLONE_SIGHAND))
		return -EINVAL;
	if ((flags & CLONE_PARENT) && current->pid == 1)
		return -EINVAL;				/* nobody is the parent of a sibling of the first process */
	if ((flags & CLONE_SETTLS) && args->tls >= USER_MAX)
		return -EPERM;				/* as arch_prctl: the processor would not take it */
	return 0;
}

/* The child is in the tables: what it is told, and off it goes. */
static long start(struct thread *t, const struct clone_args *args, struct trace *trace, enum trace_event event)
{
	struct vfork_wait vfork = { .done = false };
	pid_type number = t->tid;
	if (args->flags & CLONE_PARENT_SETTID)
		user_copy_out(args->parent_tid, &number, sizeof number);
	if (args->flags & CLONE_VFORK) {
		waitq_init(&vfork.queue);
		t->vfork = &vfork;
	}
	sched_count_fork();
	if (trace)
		trace_add_child(trace, t);
	arch_thread_start_user(&t->arch);
	sched_add(t);
	if (event)
		trace_event(event, (unsigned long)number);
	if (args->flags & CLONE_VFORK) {
		wait_for_vfork(&vfork, t);
		trace_event(EVENT_VFORK_DONE, (unsigned long)number);
	}
	return number;
}

/* One that has never run and is in no table. */
static void abandon_thread(struct thread *t)
{
	thread_free(t);
}

/* A new thread's registers and settings, from the current one. */
static int copy_thread(struct thread *t, const struct clone_args *args)
{
	struct thread *self = current_thread();
	if (arch_thread_fork(&t->arch, thread_stack_top(t), &self->arch) != 0)
		return -ENOMEM;
	signal_init_thread(t, self);
	t->policy = self->policy;
	if ((args->flags & CLONE_VM) && !(args->flags & CLONE_VFORK))
		t->altstack.size = t->altstack.sp = 0;		/* two that run at once cannot share a signal stack */
	if (args->stack)
		frame_set_sp(thread_frame(&t->arch), args->stack);
	if (args->flags & CLONE_SETTLS)
		arch_set_tls(&t->arch, args->tls);
	if (args->flags & CLONE_CHILD_SETTID)
		t->set_child_tid = args->child_tid;
	if (args->flags & CLONE_CHILD_CLEARTID)
		t->clear_child_tid = args->child_tid;
	memcpy(t->name, thread_name(self), sizeof t->name);
	if (!(args->flags & CLONE_VM) && self->rseq.at) {
		t->rseq = self->rseq;
		thread_work_add(t, WORK_RSEQ);
	}
	struct sched_policy policy = self->sched;
	if (policy.reset_on_fork)
		policy = (struct sched_policy){ SCHED_OTHER, 0, policy.priority || policy.nice < 0 ? 0 : policy.nice, false };
	sched_init_policy(t, policy);
	t->affinity = self->affinity;
	t->timer_slack_ns = t->first_slack_ns = self->timer_slack_ns;
	t->ioprio = self->ioprio;
	t->start_ns = time_now_ns();
	return 0;
}

/* ---- threads ------------------------------------------------------------------------ */

/* RLIMIT_NPROC, and the limit of all.  tree_lock held. */
static bool too_many(const struct process *p)
{
	const uint64_t own_limit = p->limits[LIMIT_NPROC].cur;
	if (process_count() >= __atomic_load_n(&threads_max, __ATOMIC_RELAXED))
		return true;
	return process_count() >= own_limit && p->uid != 0 && !capable(CAP_SYS_RESOURCE) && !capable(CAP_SYS_ADMIN) && process_count_of(p->uid) >= own_limit;
}

/* In the tables, not yet running: 0 or an errno. */
static long add_thread(const struct clone_args *args, struct thread **out)
{
	struct process *p = current;
	reclaim_keep_free();
	struct thread *t = thread_create();
	if (!t)
		return -ENOMEM;
	t->process = p;
	int error = copy_thread(t, args);
	if (!error) {
		mutex_lock(&tree_lock);
		error = too_many(p) ? -EAGAIN : thread_insert(p, t, args->wanted);
		mutex_unlock(&tree_lock);
	}
	if (error)
		abandon_thread(t);
	*out = t;
	return error;
}

/* ---- processes ---------------------------------------------------------------------- */

static void abandon_process(struct process *p, struct thread *t)
{
	if (p->space)
		space_put(p->space);
	process_drop_files(p);
	abandon_thread(t);
	process_free(p);
}

/* A descriptor for the child, which is told where it is wanted; it names nobody yet. */
static int make_pidfd(const struct clone_args *args, struct file **f, int *fd)
{
	*f = NULL;
	if (!(args->flags & CLONE_PIDFD))
		return 0;
	*f = pidfd_create(0);
	if (!*f)
		return -ENOMEM;
	*fd = files_install(current->files, file_ref(*f), 0, true);
	if (*fd >= 0 && user_put(args->pidfd, *fd) == 0)
		return 0;
	int error = *fd < 0 ? *fd : -EFAULT;
	if (*fd >= 0)
		files_uninstall(current->files, *fd, *f);
	else
		file_put(*f);			/* the reference that nobody took */
	file_put(*f);
	*f = NULL;
	return error;
}

static long fork_process(const struct clone_args *args, struct thread **out)
{
	struct process *parent = current;
	struct thread *t;
	struct file *pidfd;
	int fd;
	struct process *child = copy_with_room(parent, args, &t);
	if (!child)
		return -ENOMEM;
	int error = make_pidfd(args, &pidfd, &fd);
	if (!error)
		error = enter_tree(child, t, parent, args);
	if (!error && pidfd)
		pidfd_name(pidfd, child);
	else if (pidfd)
		files_uninstall(parent->files, fd, pidfd);
	file_put(pidfd);
	if (error)
		abandon_process(child, t);
	*out = t;
	return error;
}

/* The identity and the settings, which cannot fail to be copied. */
static void inherit(struct process *child, struct process *parent)
{
	memcpy(child->name, thread_name(current_thread()), sizeof child->name);
	mutex_lock(&tree_lock);
	child->uid = parent->uid;
	child->euid = parent->euid;
	child->suid = parent->suid;
	child->gid = parent->gid;
	child->egid = parent->egid;
	child->sgid = parent->sgid;
	child->no_new_privileges = parent->no_new_privileges;
	child->barrier_registered = parent->barrier_registered;
	child->oom_score_adj = parent->oom_score_adj;
	child->personality = parent->personality;
	memcpy(child->limits, parent->limits, sizeof child->limits);
	child->layout = parent->layout;
	child->capabilities = parent->capabilities;
	child->undumpable = parent->undumpable;
	mutex_unlock(&tree_lock);
}

static int copy_resources(struct process *child, struct process *parent, uint64_t flags)
{
	struct signal_actions *actions = flags & CLONE_SIGHAND ? signal_actions_of(parent) : signal_actions_create(parent);
	if (!actions)
		return -ENOMEM;
	if (flags & CLONE_SIGHAND)
		__atomic_fetch_add(&actions->refs, 1, __ATOMIC_RELAXED);
	child->actions = actions->action;
	if (flags & CLONE_CLEAR_SIGHAND)
		signal_reset(child);
	if (parent->exe) {
		child->exe = vnode_ref(parent->exe);
		vnode_begin_run(child->exe);		/* cannot fail: the parent runs it */
		mount_use(child->exe->mount);
	}
	child->files = flags & CLONE_FILES ? files_share(parent->files) : files_copy(parent->files);
	if (!child->files)
		return -ENOMEM;
	child->space = flags & CLONE_VM ? space_ref(parent->space) : space_fork(parent->space);
	return child->space ? 0 : -ENOMEM;
}

static struct process *copy_process(struct process *parent, const struct clone_args *args, struct thread **t)
{
	struct process *child = process_create(t);
	if (!child)
		return NULL;
	inherit(child, parent);
	child->exit_signal = args->exit_signal;
	child->start_ns = time_now_ns();
	fs_context_copy(&child->fs, &parent->fs);
	if (args->flags & CLONE_FS)
		fs_context_share(&parent->fs, &child->fs);
	if (copy_thread(*t, args) != 0 || copy_resources(child, parent, args->flags) != 0) {
		abandon_process(child, *t);
		return NULL;
	}
	return child;
}

/*
 * As in a fault that finds no frame, another process is made to give its memory; for a while only, so that too many forks end in -ENOMEM.  
 * What the overcommit policy forbids nobody's death would allow.
 */
static struct process *copy_with_room(struct process *parent, const struct clone_args *args, struct thread **t)
{
	reclaim_keep_free();
	struct process *child = copy_process(parent, args, t);
	for (int n = 0; !child && n < FORK_PATIENCE && space_may_fork(parent->space) && (reclaim_frames(FORK_FRAMES) || oom_kill()) && !process_killed(parent); n++) {
		sched_yield();
		child = process_killed(parent) ? NULL : copy_process(parent, args, t);	/* another may have chosen us meanwhile */
	}
	return child;
}

static int enter_tree(struct process *child, struct thread *t, struct process *parent, const struct clone_args *args)
{
	const uint64_t flags = args->flags;
	mutex_lock(&tree_lock);
	int error = process_killed(parent) ? -EINTR : too_many(parent) ? -EAGAIN : process_insert(child, t, args->wanted);
	if (!error) {
		child->parent = flags & CLONE_PARENT ? parent->parent : parent;
		child->ppid = child->parent ? child->parent->pid : 0;
		if (flags & CLONE_PARENT)
			child->exit_signal = parent->exit_signal;
		child->pgid = parent->pgid;
		child->sid = parent->sid;
		child->tty = parent->tty;
		list_append(&child->parent->children, &child->sibling);
	}
	mutex_unlock(&tree_lock);
	return error;
}

/* Only a signal that ends the thread ends this early: the child runs on our stack. */
static void wait_for_vfork(struct vfork_wait *vfork, struct thread *child)
{
	wait_prepare(&vfork->queue);
	while (!__atomic_load_n(&vfork->done, __ATOMIC_ACQUIRE) && wait_sleep(&vfork->queue, WAIT_KILLABLE) == 0)
		wait_prepare(&vfork->queue);
	wait_finish(&vfork->queue);
	mutex_lock(&tree_lock);
	if (!vfork->done)
		child->vfork = NULL;
	mutex_unlock(&tree_lock);
}

void thread_release_vfork(struct thread *t)
{
	if (!__atomic_load_n(&t->vfork, __ATOMIC_RELAXED))
		return;
	mutex_lock(&tree_lock);
	struct vfork_wait *vfork = t->vfork;
	t->vfork = NULL;
	if (vfork) {
		__atomic_store_n(&vfork->done, true, __ATOMIC_RELEASE);
		wake_all(&vfork->queue);
	}
	mutex_unlock(&tree_lock);
}

struct process *process_create_first(void (*fn)(void *), void *arg)
{
	struct thread *t;
	struct process *p = process_create(&t);
	if (!p)
		return NULL;
	p->files = files_create();
	struct signal_actions *actions = signal_actions_create(NULL);
	p->actions = actions ? actions->action : NULL;
	if (!actions || !p->files || arch_thread_init(&t->arch, thread_stack_top(t)) != 0) {
		process_drop_files(p);
		thread_free(t);
		process_free(p);
		return NULL;
	}
	signal_init_thread(t, NULL);
	limits_init(p);
	capabilities_init(&p->capabilities);
	p->start_ns = t->start_ns = time_now_ns();
	t->timer_slack_ns = t->first_slack_ns = TIMER_SLACK_NS;
	p->exit_signal = SIGCHLD;
	mutex_lock(&tree_lock);
	process_insert(p, t, 0);
	p->pgid = p->sid = p->pid;
	mutex_unlock(&tree_lock);
	arch_thread_start_in(&t->arch, fn, arg);
	sched_add(t);
	return p;
}
