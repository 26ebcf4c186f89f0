/*
 * kernel/sys_process.c - system calls about processes: life, families, groups and sessions, and what a thread keeps in the kernel.
 */
#include "kernel/clone.h"
#include "kernel/files.h"
#include "kernel/pidfd.h"
#include "kernel/sched.h"
#include "kernel/settings.h"
#include "kernel/syscall.h"
#include "arch/uaccess.h"
#include "lib/print.h"
#include "lib/string.h"
#include "vm/heap.h"

/* ---- fork, exec, exit ------------------------------------------------------------- */

long sys_fork(const unsigned long args[6])
{
	(void)args;
	return process_clone(&(struct clone_args){ .exit_signal = SIGCHLD });
}

long sys_vfork(const unsigned long args[6])
{
	(void)args;
	return process_clone(&(struct clone_args){ .flags = CLONE_VFORK | CLONE_VM, .exit_signal = SIGCHLD });
}

/* clone(flags, stack, parent_tid, child_tid, tls); the place of the child's number is that of its descriptor as well. */
long sys_clone(const unsigned long args[6])
{
	const uint32_t flags = (uint32_t)args[0];
	if (flags & CLONE_PIDFD && flags & (CLONE_PARENT_SETTID | CLONE_DETACHED))
		return -EINVAL;
	return process_clone(&(struct clone_args){
		.flags = flags & ~(uint32_t)CLONE_SIGNAL_MASK, .exit_signal = (int)(flags & CLONE_SIGNAL_MASK), .stack = args[1],
		.parent_tid = args[2], .child_tid = args[3], .tls = args[4], .pidfd = args[2],
	});
}

/* struct clone_args of Linux, as far as it has grown. */
struct clone3_args {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
	uint64_t set_tid, set_tid_size;		/* version 1: 80 bytes */
	uint64_t cgroup;			/* version 2: 88 bytes */
};
enum { CLONE3_BYTES_MIN = 64, CLONE3_BYTES_MOST = 4096 };

/* A structure that is longer than ours is taken if what we do not know is zero: 0, -E2BIG, -EFAULT. */
static int get_clone3_args(struct clone3_args *a, vaddr_t from, size_t size)
{
	char more[64];
	memset(a, 0, sizeof *a);
	for (size_t at = sizeof *a; at < size; at += sizeof more) {
		size_t n = size - at < sizeof more ? size - at : sizeof more;
		if (user_copy_in(more, from + at, n))
			return -EFAULT;
		for (size_t i = 0; i < n; i++)
			if (more[i])
				return -E2BIG;
	}
	return user_copy_in(a, from, size < sizeof *a ? size : sizeof *a) ? -EFAULT : 0;
}

/* What clone does not look at, or not alike.  A choice of the child's cgroup is not to be had. */
static bool clone3_makes_sense(const struct clone3_args *a)
{
	const uint64_t refused = CLONE_DETACHED | CLONE_INTO_CGROUP | CLONE_SIGNAL_MASK;
	if ((a->flags & refused) || !a->set_tid != !a->set_tid_size || a->exit_signal > SIGNALS)
		return false;
	if ((a->flags & (CLONE_THREAD | CLONE_PARENT)) && a->exit_signal)
		return false;
	if (!a->stack || !a->stack_size)
		return !a->stack && !a->stack_size;
	return a->stack < USER_MAX && a->stack_size <= USER_MAX - a->stack;
}

/* The child's number as wanted, of which there is one, in the one namespace of numbers: 0, or an errno. */
static long get_wanted(const struct clone3_args *a, pid_type *wanted)
{
	*wanted = 0;
	if (!a->set_tid)
		return 0;
	if (a->set_tid_size > 1)
		return -EINVAL;
	if (user_get(*wanted, a->set_tid))
		return -EFAULT;
	if (*wanted < 1 || *wanted >= (pid_type)pid_max)
		return -EINVAL;
	return capable(CAP_SYS_ADMIN) || capable(CAP_CHECKPOINT_RESTORE) ? 0 : -EPERM;
}

/* clone3(*args, size) */
long sys_clone3(const unsigned long args[6])
{
	struct clone3_args a;
	if (args[1] > CLONE3_BYTES_MOST)
		return -E2BIG;
	if (args[1] < CLONE3_BYTES_MIN)
		return -EINVAL;
	int error = get_clone3_args(&a, args[0], args[1]);
	if (error)
		return error;
	if (!clone3_makes_sense(&a))
		return -EINVAL;
	pid_type wanted;
	long wrong = get_wanted(&a, &wanted);
	if (wrong)
		return wrong;
	return process_clone(&(struct clone_args){
		.flags = a.flags, .exit_signal = (int)a.exit_signal, .stack = a.stack + a.stack_size, .parent_tid = a.parent_tid, .child_tid = a.child_tid, .tls = a.tls,
		.pidfd = a.pidfd, .wanted = wanted,
	});
}

/* The path at this user address, to be kfreed; NULL: *error says why. */
static char *copy_path(vaddr_t from, long *error)
{
	char *path = kmalloc(PATH_MAX_BYTES);
	if (!path) {
		*error = -ENOMEM;
		return NULL;
	}
	*error = user_string(path, from, PATH_MAX_BYTES);
	if (*error >= 0)
		return path;
	kfree(path);
	return NULL;
}

/* execve(path, argv, envp) */
long sys_execve(const unsigned long args[6])
{
	long result;
	char *path = copy_path(args[0], &result);
	if (!path)
		return result;
	result = process_exec(NULL, path, &(struct exec_strings){ UIO_USER, args[1], args[2] });
	kfree(path);
	return result;
}

enum { AT_FDCWD = -100, AT_SYMLINK_NOFOLLOW = 0x100, AT_EMPTY_PATH = 0x1000 };

static long exec_at(int fd, char *path, const struct exec_strings *strings, unsigned flags)
{
	struct file *file = NULL;
	long result;
	if (fd != AT_FDCWD && path[0] != '/') {
		file = files_get(current->files, fd);
		if (!file)
			return -EBADF;
	}
	if (path[0] == '\0') {
		if (!(flags & AT_EMPTY_PATH) || !file) {
			file_put(file);
			return -ENOENT;
		}
		snprintf(path, PATH_MAX_BYTES, "/dev/fd/%d", fd);
		file_put(file);
		return process_exec(NULL, path, strings);
	}
	struct vnode *vnode = NULL;
	result = 0;
	if (flags & AT_SYMLINK_NOFOLLOW) {
		result = vfs_walk(&current->fs, file ? file->vnode : NULL, path, WALK_NOFOLLOW, &vnode);
		if (result == 0 && S_ISLNK(vnode->mode))
			result = -ELOOP;
		vnode_put(vnode);
	}
	if (result == 0)
		result = process_exec(file ? file->vnode : NULL, path, strings);
	file_put(file);
	return result;
}

/* execveat(dirfd, path, argv, envp, flags) */
long sys_execveat(const unsigned long args[6])
{
	unsigned flags = (unsigned)args[4];
	long result;
	char *path = copy_path(args[1], &result);
	if (!path)
		return result;
	if (!*path && !(flags & AT_EMPTY_PATH))
		result = -ENOENT;
	else if (flags & ~(unsigned)(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		result = -EINVAL;
	else
		result = exec_at((int)args[0], path, &(struct exec_strings){ UIO_USER, args[2], args[3] }, flags);
	kfree(path);
	return result;
}

long sys_exit(const unsigned long args[6]) { thread_exit(exit_code((int)args[0])); }
long sys_exit_group(const unsigned long args[6]) { process_exit(exit_code((int)args[0])); }

/* ---- waiting ---------------------------------------------------------------------- */

/* wait4(pid, *status, options, *rusage) */
long sys_wait4(const unsigned long args[6])
{
	pid_type pid = (pid_type)args[0];
	unsigned options = (unsigned)args[2];
	enum wait_which which = pid == -1 ? WAIT_ALL : pid > 0 ? WAIT_PID : WAIT_GROUP;
	struct wait_result result;

	if (options & ~(WAIT_NOHANG | WAIT_STOPPED | WAIT_CONTINUED | WAIT_NO_THREAD | WAIT_ANY_KIND | WAIT_CLONE_KIND))
		return -EINVAL;
	if (pid == INT32_MIN)
		return -ESRCH;
	long found = process_wait(which, pid > 0 ? pid : pid == 0 ? current->pgid : -pid, options | WAIT_EXITED, &result);
	if (found <= 0)
		return found;
	if (args[1] && user_put(args[1], result.status))
		return -EFAULT;
	if (args[3] && user_put(args[3], result.usage))
		return -EFAULT;
	return found;
}

static int wait_status_value(const struct wait_result *r)
{
	switch (r->code) {
	case CLD_EXITED:
		return r->status >> 8;
	case CLD_KILLED: case CLD_DUMPED:
		return r->status & 0x7f;
	case CLD_TRAPPED:
		return r->status >> 8;
	case CLD_STOPPED:
		return r->status >> 8 & 0xff;
	default:
		return SIGCONT;
	}
}

/* What waitid writes: the first fields of siginfo; zeroes when there is nothing to tell, and on errors too, as Linux does. */
static long put_wait_info(vaddr_t to, const struct wait_result *r)
{
	struct siginfo info = { 0 };
	if (!to)
		return 0;
	if (r) {
		info.signo = SIGCHLD;
		info.code = r->code;
		info.child.pid = r->pid;
		info.child.uid = r->uid;
		info.child.status = wait_status_value(r);
	}
	return user_copy_out(to, &info, offsetof(struct siginfo, child.status) + sizeof info.child.status) ? -EFAULT : 0;
}

/* What is named by a descriptor that does not want to wait is not waited for. */
static long wait_by_pidfd(int fd, unsigned options, struct wait_result *result)
{
	if (fd < 0)
		return -EINVAL;
	struct file *f = files_get(current->files, fd);
	if (!f)
		return -EBADF;
	const bool waits = !(f->flags & OPEN_NONBLOCK);
	long number = pidfd_number(f);
	file_put(f);
	if (number < 0)
		return number == -ESRCH ? -ECHILD : number;
	long found = process_wait(WAIT_PID, (pid_type)number, options | (waits ? 0 : WAIT_NOHANG), result);
	return found == 0 && !waits && !(options & WAIT_NOHANG) ? -EAGAIN : found;
}

static long wait_by_id(unsigned long which, pid_type id, unsigned options, struct wait_result *result)
{
	if (options & ~(WAIT_NOHANG | WAIT_STOPPED | WAIT_EXITED | WAIT_CONTINUED | WAIT_KEEP | WAIT_NO_THREAD | WAIT_ANY_KIND | WAIT_CLONE_KIND))
		return -EINVAL;
	if (!(options & (WAIT_EXITED | WAIT_STOPPED | WAIT_CONTINUED)))
		return -EINVAL;
	if (which == WAIT_PIDFD)
		return wait_by_pidfd(id, options, result);
	if (which > WAIT_GROUP)
		return -EINVAL;
	if ((which == WAIT_PID && id <= 0) || (which == WAIT_GROUP && id < 0))
		return -EINVAL;
	return process_wait((enum wait_which)which, which == WAIT_GROUP && id == 0 ? current->pgid : id, options, result);
}

/* waitid(which, id, *info, options, *rusage) */
long sys_waitid(const unsigned long args[6])
{
	struct wait_result result;
	long found = wait_by_id(args[0], (pid_type)args[1], (unsigned)args[3], &result);
	if (found > 0 && args[4] && user_put(args[4], result.usage))
		return -EFAULT;
	long error = put_wait_info(args[2], found > 0 ? &result : NULL);
	return error ? error : found < 0 ? found : 0;
}

/* ---- families, groups, sessions --------------------------------------------------- */

long sys_getpid(const unsigned long args[6])
{
	(void)args;
	return current->pid;
}

long sys_gettid(const unsigned long args[6])
{
	(void)args;
	return current_thread()->tid;
}

long sys_getppid(const unsigned long args[6])
{
	(void)args;
	return __atomic_load_n(&current->ppid, __ATOMIC_RELAXED);
}

enum which_number { GROUP_OF, SESSION_OF };

static long number_of(pid_type pid, enum which_number which)
{
	mutex_lock(&tree_lock);
	const struct process *p = pid == 0 ? current : process_of(pid);
	long result = !p ? -ESRCH : which == GROUP_OF ? p->pgid : p->sid;
	mutex_unlock(&tree_lock);
	return result;
}

long sys_getpgid(const unsigned long args[6]) { return number_of((pid_type)args[0], GROUP_OF); }
long sys_getsid(const unsigned long args[6]) { return number_of((pid_type)args[0], SESSION_OF); }

long sys_getpgrp(const unsigned long args[6])
{
	(void)args;
	return current->pgid;
}

/* A process of this group in this session; NULL: none.  tree_lock held. */
static const struct process *member_of(pid_type pgid, pid_type sid)
{
	list_for_each(l, &process_list) {
		const struct process *p = container_of(l, struct process, all);
		if (p->pgid == pgid && p->sid == sid)
			return p;
	}
	return NULL;
}

/* tree_lock held. */
static long set_group(struct process *p, pid_type pgid)
{
	const struct process *self = current;
	if (!p || (p != self && p->parent != self))
		return -ESRCH;
	if (p != self && p->sid != self->sid)
		return -EPERM;
	if (p != self && p->executed)
		return -EACCES;
	if (p->sid == p->pid)
		return -EPERM;
	if (pgid != p->pid && !member_of(pgid, self->sid))
		return -EPERM;
	p->pgid = pgid;
	return 0;
}

/* setpgid(pid, pgid) */
long sys_setpgid(const unsigned long args[6])
{
	pid_type pid = (pid_type)args[0] ? (pid_type)args[0] : current->pid;
	pid_type pgid = (pid_type)args[1] ? (pid_type)args[1] : pid;
	if (pgid < 0)
		return -EINVAL;
	mutex_lock(&tree_lock);
	const struct thread *t = thread_find(pid);
	long result = t && t->tid != t->process->pid ? -EINVAL : set_group(process_find(pid), pgid);
	mutex_unlock(&tree_lock);
	return result;
}

long sys_setsid(const unsigned long args[6])
{
	struct process *p = current;
	long result = -EPERM;
	bool leads = false;
	(void)args;
	mutex_lock(&tree_lock);
	list_for_each(l, &process_list)
		leads = leads || container_of(l, struct process, all)->pgid == p->pid;
	if (!leads) {
		result = p->sid = p->pgid = p->pid;
		p->tty = NULL;
		p->lost_foreground = 0;
	}
	mutex_unlock(&tree_lock);
	return result;
}

/* ---- threads ---------------------------------------------------------------------- */

enum { ROBUST_HEAD_BYTES = 24 };

long sys_set_tid_address(const unsigned long args[6])
{
	current_thread()->clear_child_tid = args[0];
	return current_thread()->tid;
}

long sys_set_robust_list(const unsigned long args[6])
{
	if (args[1] != ROBUST_HEAD_BYTES)
		return -EINVAL;
	current_thread()->robust_list = args[0];
	return 0;
}

/* get_robust_list(tid, **head, *size) */
long sys_get_robust_list(const unsigned long args[6])
{
	const size_t size = ROBUST_HEAD_BYTES;
	pid_type tid = (pid_type)args[0];
	const struct process *me = current;
	long result = -ESRCH;
	vaddr_t head = 0;

	mutex_lock(&tree_lock);
	const struct thread *t = tid ? thread_find(tid) : current_thread();
	const struct process *p = t ? t->process : process_find(tid);
	if (p)
		result = p == me || capable(CAP_SYS_PTRACE) || (me->uid == p->uid && me->uid == p->euid && me->uid == p->suid) ? 0 : -EPERM;
	if (t)
		head = t->robust_list;
	mutex_unlock(&tree_lock);
	if (result)
		return result;
	return user_put(args[2], size) || user_put(args[1], head) ? -EFAULT : 0;
}

long sys_arch_prctl(const unsigned long args[6])
{
	return arch_prctl(&current_thread()->arch, (int)args[0], args[1]);
}

long sys_sched_yield(const unsigned long args[6])
{
	(void)args;
	sched_yield();
	return 0;
}

long sys_personality(const unsigned long args[6])
{
	struct process *p = current;
	uint32_t before = p->personality;
	if ((uint32_t)args[0] != 0xffffffff)
		p->personality = (uint32_t)args[0];
	return before;
}

enum membarrier_command {
	MEMBARRIER_QUERY = 0, MEMBARRIER_GLOBAL = 1, MEMBARRIER_GLOBAL_EXPEDITED = 2, MEMBARRIER_REGISTER_GLOBAL_EXPEDITED = 4,
	MEMBARRIER_PRIVATE_EXPEDITED = 8, MEMBARRIER_REGISTER_PRIVATE_EXPEDITED = 16,
};

/* membarrier(command, flags): there is one kind of barrier, and it is expedited and global. */
long sys_membarrier(const unsigned long args[6])
{
	struct process *p = current;
	if (args[1])
		return -EINVAL;
	switch ((int)args[0]) {
	case MEMBARRIER_QUERY:
		return MEMBARRIER_GLOBAL | MEMBARRIER_GLOBAL_EXPEDITED | MEMBARRIER_REGISTER_GLOBAL_EXPEDITED | MEMBARRIER_PRIVATE_EXPEDITED |
			MEMBARRIER_REGISTER_PRIVATE_EXPEDITED;
	case MEMBARRIER_REGISTER_PRIVATE_EXPEDITED:
		p->barrier_registered = true;
		return 0;
	case MEMBARRIER_REGISTER_GLOBAL_EXPEDITED:
		return 0;
	case MEMBARRIER_PRIVATE_EXPEDITED:
		if (!p->barrier_registered)
			return -EPERM;
		break;
	case MEMBARRIER_GLOBAL:
	case MEMBARRIER_GLOBAL_EXPEDITED:
		break;
	default:
		return -EINVAL;
	}
	cpu_barrier();
	return 0;
}
