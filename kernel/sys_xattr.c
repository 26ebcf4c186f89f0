/*
 * kernel/sys_xattr.c - system calls about extended attributes: set, get, list and remove, each by path, by path without following a link at its end, and by descriptor.
 */
#include "kernel/sys_file.h"
#include "arch/uaccess.h"
#include "fs/xattr.h"
#include "vm/heap.h"

enum target { BY_PATH, BY_LINK, BY_DESCRIPTOR };

/* The vnode that the first argument means; with a reference. */
static int target(const unsigned long args[6], enum target by, struct vnode **out)
{
	if (by != BY_DESCRIPTOR)
		return vnode_at(AT_CWD, args[0], by == BY_LINK ? AT_SYMLINK_NOFOLLOW : 0, out);
	struct file *f = files_get(current->files, (int)args[0]);
	int error = f && !(f->flags & OPEN_PATH) ? 0 : -EBADF;
	if (!error)
		*out = vnode_ref(f->vnode);
	file_put(f);
	return error;
}

static int get_name(char name[XATTR_NAME_MAX + 1], vaddr_t from)
{
	ssize len = user_string(name, from, XATTR_NAME_MAX + 1);

	return len == 0 || len == -ENAMETOOLONG ? -ERANGE : len < 0 ? (int)len : 0;
}

/* A buffer for so many bytes; size 0 needs none. */
static int make_buffer(void **buffer, size_t size)
{
	*buffer = size ? kmalloc(size) : NULL;
	return *buffer || !size ? 0 : -ENOMEM;
}

/* (target, name, value, size, flags) */
static long set(const unsigned long args[6], enum target by)
{
	char name[XATTR_NAME_MAX + 1];
	struct vnode *v;
	void *value;
	size_t size = args[3];

	if ((unsigned)args[4] & ~(unsigned)(XATTR_CREATE | XATTR_REPLACE))
		return -EINVAL;
	int error = get_name(name, args[1]);
	if (error)
		return error;
	if (size > XATTR_VALUE_MAX)
		return -E2BIG;
	error = make_buffer(&value, size);
	if (!error && size && user_copy_in(value, args[2], size))
		error = -EFAULT;
	if (!error)
		error = target(args, by, &v);
	if (!error) {
		error = vfs_set_xattr(my_fs(), v, name, value, size, (unsigned)args[4]);
		vnode_put(v);
	}
	kfree(value);
	return error;
}

/* What was found goes to the user; takes over the buffer. */
static long give(vaddr_t to, void *buffer, size_t size, long result)
{
	if (result > 0 && size && user_copy_out(to, buffer, (size_t)result))
		result = -EFAULT;
	kfree(buffer);
	return result;
}

/* (target, name, value, size) */
static long get(const unsigned long args[6], enum target by)
{
	char name[XATTR_NAME_MAX + 1];
	struct vnode *v;
	void *value = NULL;
	size_t size = args[3] < XATTR_VALUE_MAX ? args[3] : XATTR_VALUE_MAX;
	int error = get_name(name, args[1]);

	if (!error)
		error = target(args, by, &v);
	if (error)
		return error;
	long result = make_buffer(&value, size);
	if (!result)
		result = vfs_get_xattr(my_fs(), v, name, value, size);
	vnode_put(v);
	return give(args[2], value, size, result);
}

/* (target, list, size) */
static long list(const unsigned long args[6], enum target by)
{
	struct vnode *v;
	void *names = NULL;
	size_t size = args[2] < XATTR_LIST_MAX ? args[2] : XATTR_LIST_MAX;
	int error = target(args, by, &v);

	if (error)
		return error;
	long result = make_buffer(&names, size);
	if (!result)
		result = vfs_list_xattrs(my_fs(), v, names, size);
	vnode_put(v);
	return give(args[1], names, size, result);
}

/* (target, name) */
static long drop(const unsigned long args[6], enum target by)
{
	char name[XATTR_NAME_MAX + 1];
	struct vnode *v;
	int error = get_name(name, args[1]);

	if (!error)
		error = target(args, by, &v);
	if (error)
		return error;
	error = vfs_remove_xattr(my_fs(), v, name);
	vnode_put(v);
	return error;
}

long sys_setxattr(const unsigned long args[6])     { return set(args, BY_PATH); }
long sys_lsetxattr(const unsigned long args[6])    { return set(args, BY_LINK); }
long sys_fsetxattr(const unsigned long args[6])    { return set(args, BY_DESCRIPTOR); }
long sys_getxattr(const unsigned long args[6])     { return get(args, BY_PATH); }
long sys_lgetxattr(const unsigned long args[6])    { return get(args, BY_LINK); }
long sys_fgetxattr(const unsigned long args[6])    { return get(args, BY_DESCRIPTOR); }
long sys_listxattr(const unsigned long args[6])    { return list(args, BY_PATH); }
long sys_llistxattr(const unsigned long args[6])   { return list(args, BY_LINK); }
long sys_flistxattr(const unsigned long args[6])   { return list(args, BY_DESCRIPTOR); }
long sys_removexattr(const unsigned long args[6])  { return drop(args, BY_PATH); }
long sys_lremovexattr(const unsigned long args[6]) { return drop(args, BY_LINK); }
long sys_fremovexattr(const unsigned long args[6]) { return drop(args, BY_DESCRIPTOR); }
