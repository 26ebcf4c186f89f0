/*
 * kernel/sys_memory.c - system calls about memory: Linux's argument checks before vm/mmap.h, and Faultline's own reports.
 */
#include "kernel/files.h"
#include "kernel/main.h"
#include "kernel/process.h"
#include "kernel/sched.h"
#include "kernel/syscall.h"
#include "arch/uaccess.h"
#include "vm/check.h"
#include "vm/frame.h"
#include "vm/mmap.h"

static bool is_address(vaddr_t result)
{
	return result < USER_MAX;
}

/* The result of a call that has perhaps mapped memory there: what of it is locked is fetched now. */
static long fetch_locked(vaddr_t at, size_t size)
{
	struct process *p = current;
	if (is_address(at) && p->space->locked)
		vm_populate(p->space, page_floor(at), at + size, POPULATE_LOCKED, &current_thread()->faults);
	return (long)at;
}

/* mmap(hint, length, rights, flags, fd, offset) */
long sys_mmap(const unsigned long args[6])
{
	unsigned rights = (unsigned)args[2] & VM_RIGHTS, flags = (unsigned)args[3];
	struct object *object = NULL;
	struct file *file = NULL;

	if (args[5] & PAGE_MASK)
		return -EINVAL;
	if (!(flags & MAP_ANONYMOUS)) {
		file = files_get(current->files, (int)args[4]);
		if (!file)
			return -EBADF;
		int error = flags & MAP_HUGETLB ? -EINVAL : file_map_check(file, rights, flags, &object);
		if (error) {
			file_put(file);
			return error;
		}
		if (!object)
			flags |= MAP_ANONYMOUS;		/* /dev/zero */
		else if ((flags & MAP_TYPE) != MAP_PRIVATE && !file_writable(file))
			rights |= VM_NOWRITE;
	}
	vaddr_t at = vm_mmap(current->space, args[0], args[1], rights, flags, object, object ? args[5] : 0);
	file_put(file);
	if ((flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE && is_address(at))
		vm_populate(current->space, at, at + args[1], POPULATE_MAPPED, &current_thread()->faults);
	return fetch_locked(at, args[1]);
}

long sys_munmap(const unsigned long args[6])
{
	return vm_munmap(current->space, args[0], args[1]);
}

long sys_mprotect(const unsigned long args[6])
{
	int error = vm_mprotect(current->space, args[0], args[1], args[2]);
	if (!error && (args[2] & VM_WRITE))
		fetch_locked(args[0], args[1]);		/* private pages that were locked read-only are copied now */
	return error;
}

long sys_brk(const unsigned long args[6])
{
	vaddr_t before = current->space->brk, now = vm_brk(current->space, args[0]);
	if (now > before)
		fetch_locked(before, now - before);
	return (long)now;
}

long sys_mremap(const unsigned long args[6])
{
	return fetch_locked(vm_mremap(current->space, args[0], args[1], args[2], (unsigned)args[3], args[4]), args[2]);
}

/* remap_file_pages(start, size, rights, index, flags): the rights are those that the mapping has, and 0 is to be said. */
long sys_remap_file_pages(const unsigned long args[6])
{
	vaddr_t start = page_floor(args[0]), end = start + page_floor(args[1]);
	uint64_t index = args[3];

	if (args[2] || end <= start || end > USER_MAX || index + ((end - start) >> PAGE_SHIFT) < index)
		return -EINVAL;
	int error = vm_remap_pages(current->space, start, end, index);
	if (!error && !(args[4] & MAP_NONBLOCK))
		vm_populate(current->space, start, end, POPULATE_MAPPED, &current_thread()->faults);
	return error;
}

long sys_madvise(const unsigned long args[6])
{
	return vm_madvise(current->space, args[0], args[1], (int)args[2], &current_thread()->faults);
}

/* mincore(start, length, *to): a byte a page, written piece by piece. */
long sys_mincore(const unsigned long args[6])
{
	unsigned char piece[256];
	vaddr_t start = args[0];

	if (start & PAGE_MASK)
		return -EINVAL;
	if (start > USER_MAX || args[1] > USER_MAX - start)
		return -ENOMEM;
	if (args[2] > USER_MAX || page_ceil(args[1]) >> PAGE_SHIFT > USER_MAX - args[2])
		return -EFAULT;
	for (size_t left = page_ceil(args[1]) >> PAGE_SHIFT, done = 0; left > 0; ) {
		ssize n = vm_mincore(current->space, start + (done << PAGE_SHIFT), left < sizeof piece ? left : sizeof piece, piece);

		if (n < 0)
			return n;
		if (user_copy_out(args[2] + done, piece, (size_t)n))
			return -EFAULT;
		done += (size_t)n;
		left -= (size_t)n;
	}
	return 0;
}

long sys_msync(const unsigned long args[6])
{
	unsigned long flags = args[2];

	if ((flags & ~(unsigned long)(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) || ((flags & MS_ASYNC) && (flags & MS_SYNC)) || (args[0] & PAGE_MASK))
		return -EINVAL;
	return vm_msync(current->space, args[0], args[1], (unsigned)flags);
}

long sys_mlock(const unsigned long args[6])
{
	return vm_mlock(current->space, args[0], args[1], 0, &current_thread()->faults);
}

long sys_mlock2(const unsigned long args[6])
{
	return vm_mlock(current->space, args[0], args[1], (enum mlock_flags)args[2], &current_thread()->faults);
}

long sys_munlock(const unsigned long args[6])
{
	return vm_munlock(current->space, args[0], args[1]);
}

long sys_mlockall(const unsigned long args[6])
{
	return vm_mlockall(current->space, (unsigned)args[0], &current_thread()->faults);
}

long sys_munlockall(const unsigned long args[6])
{
	(void)args;
	vm_munlockall(current->space);
	return 0;
}

/* ---- Faultline's own ---------------------------------------------------------------- */

/* How much of a structure that may have grown since the program was built; 0: not even its head. */
static size_t known_size(size_t asked, size_t size)
{
	return asked < 2 * sizeof(uint32_t) ? 0 : asked < size ? asked : size;
}

static int find_stats(enum faultstat_what what, pid_type pid, struct faultstat *to)
{
	int error = 0;
	if (what == FAULTSTAT_SYSTEM) {
		struct fault_stats sum = stats_system();
		stats_export(&sum, STATS_OF_SYSTEM, to);
		return 0;
	}
	mutex_lock(&tree_lock);
	struct process *p = what == FAULTSTAT_PROCESS ? process_of(pid) : current;
	if (p) {
		struct fault_stats sum = what == FAULTSTAT_CHILDREN ? p->child_faults : process_faults(p);
		stats_export(&sum, STATS_OF_PROCESS, to);
	} else {
		error = -ESRCH;
	}
	mutex_unlock(&tree_lock);
	return error;
}

/* faultstat(what, pid, *to, size) */
long sys_faultstat(const unsigned long args[6])
{
	struct faultstat stat;
	size_t size = known_size(args[3], sizeof stat);
	if (!size || args[0] > FAULTSTAT_SYSTEM)
		return -EINVAL;
	int error = find_stats((enum faultstat_what)args[0], (pid_type)args[1], &stat);
	if (error)
		return error;
	stat.size = (uint32_t)size;
	stat.version = FAULTSTAT_VERSION;
	return user_copy_out(args[2], &stat, size) ? -EFAULT : 0;
}

/* vmcheck(*to, size) */
long sys_vmcheck(const unsigned long args[6])
{
	struct vmcheck report = { 0 };
	size_t size = known_size(args[1], sizeof report);
	if (!size)
		return -EINVAL;
	sched_stop_others();
	vm_check(&report);
	sched_release_others();
	report.module_frames = image_frames;
	report.tasks = process_count();
	report.open_files = file_count();
	report.vnodes = vnode_count();
	report.size = (uint32_t)size;
	report.version = VMCHECK_VERSION;
	return user_copy_out(args[0], &report, size) ? -EFAULT : 0;
}

#ifndef NDEBUG
/* allocfail(k, whose) */
long sys_allocfail(const unsigned long args[6])
{
	long left = (long)alloc_fail_at;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (args[1] > ALLOCFAIL_ALL)
		return -EINVAL;
	alloc_fail_thread = args[1] == ALLOCFAIL_SELF ? current_thread() : NULL;
	alloc_fail_at = args[0];
	return left;
}
#endif
