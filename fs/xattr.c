/*
 * fs/xattr.c - extended attributes: names and values that a file has besides its contents.
 *
 * A file system that has them gives out a list for each vnode (vnode_ops->xattrs), kept in the order of the names; here it is looked at and changed.  The
 * names that it takes begin with "user.", "trusted." or "security.".
 *
 * Lock: the vnode's guards its list.
 */
#include "fs/xattr.h"
#include "fs/inotify.h"
#include "fs/walk.h"
#include "vm/heap.h"
#include "lib/string.h"

/* The name with its NUL, then the value. */
struct xattr { struct list link; size_t name_len, size; char bytes[]; };

enum { XATTR_TOTAL_MAX = 128 << 10 };		/* bytes of all names and values of one file */
enum space { SPACE_NONE, SPACE_USER, SPACE_TRUSTED, SPACE_SECURITY };

static enum space space_of(const char *name)
{
	static const char *const prefixes[] = { [SPACE_USER] = "user.", [SPACE_TRUSTED] = "trusted.", [SPACE_SECURITY] = "security." };

	for (enum space s = SPACE_USER; s <= SPACE_SECURITY; s++)
		if (strncmp(name, prefixes[s], strlen(prefixes[s])) == 0)
			return s;
	return SPACE_NONE;
}

/* In Linux's order: rights first, then whether there is such a thing. */
static int check(struct fs_context *fs, struct vnode *v, const char *name, unsigned may)
{
	enum space space = space_of(name);
	int refused = may & MAY_WRITE ? -EPERM : -ENODATA, error = 0;

	if (space == SPACE_TRUSTED && fs->uid != 0)
		return refused;
	if (space == SPACE_USER && !S_ISREG(v->mode) && !S_ISDIR(v->mode))
		return refused;
	if (space == SPACE_USER && S_ISDIR(v->mode) && v->mode & S_ISVTX && may & MAY_WRITE && fs->uid != 0 && fs->uid != v->uid)
		return -EPERM;
	if (space == SPACE_SECURITY && may & MAY_WRITE && fs->uid != 0)
		return -EPERM;
	if (space == SPACE_NONE || space == SPACE_USER)
		error = vfs_permission(fs, v, may);
	if (error)
		return error;
	if (!v->ops->xattrs || space == SPACE_NONE)
		return -EOPNOTSUPP;
	return strchr(name, '.')[1] ? 0 : -EINVAL;
}

/* The attribute of this name, or the first one behind it (NULL: none) and *found false. */
static struct xattr *find(struct list *l, const char *name, bool *found)
{
	*found = false;
	list_for_each(at, l) {
		struct xattr *x = container_of(at, struct xattr, link);
		int order = strcmp(x->bytes, name);
		*found = order == 0;
		if (order >= 0)
			return x;
	}
	return NULL;
}

static size_t total(const struct list *l)
{
	size_t bytes = 0;

	list_for_each(at, l)
		bytes += container_of(at, struct xattr, link)->name_len + container_of(at, struct xattr, link)->size;
	return bytes;
}

static void changed(struct vnode *v)
{
	v->ops->setattr(v, &(struct vattr){ .mode = 0 }, 0);		/* its ctime is now */
}

/* v->lock is held; takes over x. */
static int set_locked(struct fs_context *fs, struct vnode *v, struct xattr *x, unsigned how)
{
	bool found;
	int error = check_writable_mount(v);

	if (!error)
		error = check(fs, v, x->bytes, MAY_WRITE);
	if (error)
		return error;
	struct list *l = v->ops->xattrs(v);
	struct xattr *old = find(l, x->bytes, &found);
	if (found ? how & XATTR_CREATE : how & XATTR_REPLACE)
		return found ? -EEXIST : -ENODATA;
	if (total(l) + x->name_len + x->size > XATTR_TOTAL_MAX)
		return -ENOSPC;
	list_append(old ? &old->link : l, &x->link);		/* before it, or at the end */
	if (found) {
		list_remove(&old->link);
		kfree(old);
	}
	changed(v);
	return 0;
}

int vfs_set_xattr(struct fs_context *fs, struct vnode *v, const char *name, const void *value, size_t size, unsigned how)
{
	size_t name_len = strlen(name);
	struct xattr *x = kmalloc(sizeof *x + name_len + 1 + size);

	if (!x)
		return -ENOMEM;
	x->name_len = name_len;
	x->size = size;
	memcpy(x->bytes, name, name_len + 1);
	memcpy(x->bytes + name_len + 1, value, size);
	mutex_lock(&v->lock);
	int error = set_locked(fs, v, x, how);
	mutex_unlock(&v->lock);
	if (error)
		kfree(x);
	else
		notify(v, IN_ATTRIB);
	return error;
}

ssize vfs_get_xattr(struct fs_context *fs, struct vnode *v, const char *name, void *to, size_t size)
{
	bool found;

	mutex_lock(&v->lock);
	ssize result = check(fs, v, name, MAY_READ);
	if (!result) {
		struct xattr *x = find(v->ops->xattrs(v), name, &found);
		if (!found)
			result = -ENODATA;
		else if (size && size < x->size)
			result = -ERANGE;
		else
			result = (ssize)x->size;
		if (result > 0 && size)
			memcpy(to, x->bytes + x->name_len + 1, x->size);
	}
	mutex_unlock(&v->lock);
	return result;
}

int vfs_remove_xattr(struct fs_context *fs, struct vnode *v, const char *name)
{
	bool found = false;

	mutex_lock(&v->lock);
	int error = check_writable_mount(v);
	if (!error)
		error = check(fs, v, name, MAY_WRITE);
	struct xattr *x = error ? NULL : find(v->ops->xattrs(v), name, &found);
	if (found) {
		list_remove(&x->link);
		kfree(x);
		changed(v);
	}
	mutex_unlock(&v->lock);
	if (found)
		notify(v, IN_ATTRIB);
	return error ? error : found ? 0 : -ENODATA;
}

ssize vfs_list_xattrs(struct fs_context *fs, struct vnode *v, char *to, size_t size)
{
	size_t len = 0;

	if (!v->ops->xattrs)
		return 0;
	mutex_lock(&v->lock);
	list_for_each(at, v->ops->xattrs(v)) {
		const struct xattr *x = container_of(at, struct xattr, link);
		if (space_of(x->bytes) == SPACE_TRUSTED && fs->uid != 0)
			continue;
		if (size && x->name_len + 1 <= size - len)
			memcpy(to + len, x->bytes, x->name_len + 1);
		else if (size)
			size = len = SIZE_MAX;			/* no room */
		if (len == SIZE_MAX)
			break;
		len += x->name_len + 1;
	}
	mutex_unlock(&v->lock);
	return len == SIZE_MAX ? -ERANGE : (ssize)len;
}

void xattrs_drop(struct list *l)
{
	for (struct list *at; (at = list_pop(l)); )
		kfree(container_of(at, struct xattr, link));
}
