/*
 * kernel/sys_inotify.c - inotify_init, inotify_add_watch and inotify_rm_watch.
 */
#include "kernel/sys_file.h"
#include "fs/inotify.h"

static long init(unsigned flags)
{
	if (flags & ~(unsigned)(OPEN_NONBLOCK | OPEN_CLOSE_ON_EXEC))
		return -EINVAL;
	return file_install(inotify_create(flags & OPEN_NONBLOCK), flags & OPEN_CLOSE_ON_EXEC);
}

long sys_inotify_init(const unsigned long args[6])  { (void)args; return init(0); }
long sys_inotify_init1(const unsigned long args[6]) { return init((unsigned)args[0]); }

static long add_watch(struct file *f, vaddr_t path, uint32_t mask)
{
	struct vnode *v;

	if ((mask & IN_MASK_ADD && mask & IN_MASK_CREATE) || !file_is_inotify(f))
		return -EINVAL;
	long result = vnode_at(AT_CWD, path, mask & IN_DONT_FOLLOW ? AT_SYMLINK_NOFOLLOW : 0, &v);
	if (result)
		return result;
	result = mask & IN_ONLYDIR && !S_ISDIR(v->mode) ? -ENOTDIR : vfs_permission(my_fs(), v, MAY_READ);
	if (!result)
		result = inotify_add(f, v, mask);
	vnode_put(v);
	return result;
}

/* inotify_add_watch(fd, path, mask) */
long sys_inotify_add_watch(const unsigned long args[6])
{
	const uint32_t known = IN_ALL_EVENTS | IN_UNMOUNT | IN_OVERFLOW | IN_IGNORED | IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK | IN_MASK_CREATE | IN_MASK_ADD
		| IN_ISDIR | IN_ONESHOT;
	uint32_t mask = (uint32_t)args[2];

	if (mask & ~known || !mask)
		return -EINVAL;
	struct file *f = file_get((int)args[0]);
	long result = f ? add_watch(f, args[1], mask) : -EBADF;
	file_put(f);
	return result;
}

/* inotify_rm_watch(fd, wd) */
long sys_inotify_rm_watch(const unsigned long args[6])
{
	struct file *f = file_get((int)args[0]);
	long result = !f ? -EBADF : file_is_inotify(f) ? inotify_remove(f, (int)args[1]) : -EINVAL;

	file_put(f);
	return result;
}
