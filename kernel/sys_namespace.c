/*
 * kernel/sys_namespace.c - unshare and setns: a process leaves what it shares with others.  There is one namespace of each kind, which nobody leaves, as on a Linux
 * that is built without them.
 */
#include "kernel/clone.h"
#include "kernel/files.h"
#include "kernel/process.h"
#include "kernel/syscall.h"

/* What threads share they cannot have apart. */
long sys_unshare(const unsigned long args[6])
{
	const unsigned of_threads = CLONE_THREAD | CLONE_SIGHAND | CLONE_VM;
	unsigned flags = (unsigned)args[0];
	struct process *p = current;

	if (args[0] & ~(unsigned long)(of_threads | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_NAMESPACES))
		return -EINVAL;
	if (flags & (CLONE_NEWUSER | CLONE_NEWNS))
		flags |= CLONE_FS;
	if (flags & CLONE_NEWUSER)
		flags |= CLONE_THREAD;
	if ((flags & (of_threads | CLONE_FS)) && p->nthreads > 1)
		return -EINVAL;
	if ((flags & CLONE_VM) && __atomic_load_n(&p->space->refs, __ATOMIC_RELAXED) > 1)
		return -EINVAL;
	if (flags & CLONE_NAMESPACES)
		return (flags & CLONE_NEWUSER) || p->euid == 0 ? -EINVAL : -EPERM;
	int error = flags & CLONE_FILES ? files_unshare(p) : 0;
	if (!error && (flags & CLONE_FS))
		fs_context_unshare(&p->fs);
	return error;
}

/* setns(fd, kinds): no file here stands for a namespace. */
long sys_setns(const unsigned long args[6])
{
	struct file *file = files_get(current->files, (int)args[0]);

	if (!file)
		return -EBADF;
	file_put(file);
	return -EINVAL;
}
