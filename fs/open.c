/*
 * fs/open.c - open(2).
 *
 * With OPEN_CREATE the last component is looked up, and made if it is not there, under the lock of its directory; without, the path is walked
 * to its end.  Then open_vnode checks rights and types in the order of Linux and makes the description.
 *
 * Opening a regular file reads nothing of its contents.
 */
#include "fs/inotify.h"
#include "fs/walk.h"
#include "lib/print.h"

enum { KEPT_FLAGS = ~(OPEN_CREATE | OPEN_EXCLUSIVE | OPEN_NO_CTTY | OPEN_TRUNCATE | OPEN_CLOSE_ON_EXEC) };

static const struct file_ops bare_ops = { .seek = file_no_seek };

static unsigned rights_needed(unsigned flags)
{
	static const unsigned char by_access[] = { MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE, MAY_READ | MAY_WRITE };

	return by_access[flags & OPEN_ACCESS] | (flags & OPEN_TRUNCATE ? MAY_WRITE : 0);
}

/* Is the vnode of a type that these flags may open? */
static int check_type(const struct vnode *v, unsigned flags)
{
	if (flags & OPEN_DIRECTORY && !S_ISDIR(v->mode))
		return -ENOTDIR;
	if (flags & OPEN_PATH)
		return 0;
	switch (v->mode & S_IFMT) {
	case S_IFLNK:
		return -ELOOP;
	case S_IFDIR:
		return flags & OPEN_CREATE || rights_needed(flags) & MAY_WRITE ? -EISDIR : 0;
	case S_IFBLK:
		return v->mount->flags & MOUNT_NO_DEVICES ? -EACCES : -ENXIO;
	case S_IFCHR:
		return v->mount->flags & MOUNT_NO_DEVICES ? -EACCES : 0;
	case S_IFSOCK:
	case 0:					/* anon.c */
		return -ENXIO;
	default:
		return 0;
	}
}

/* The part of opening that belongs to the kind of file. */
static int open_by_type(struct file *f)
{
	struct vnode *v = f->vnode;

	f->ops = S_ISDIR(v->mode) ? &file_directory_ops : S_ISREG(v->mode) ? &file_object_ops : &bare_ops;
	int error = v->ops->open ? v->ops->open(v, f) : 0;
	if (!error && S_ISCHR(v->mode) && f->ops == &bare_ops)
		error = dev_open(f);
	else if (!error && S_ISFIFO(v->mode) && f->ops == &bare_ops)
		error = pipe_open(f);
	return error;
}

/* Takes over the reference to v. */
static int open_vnode(struct fs_context *fs, struct vnode *v, unsigned flags, struct file **out)
{
	struct file *f = file_new(&bare_ops, v, flags | (flags & OPEN_PATH ? 0 : OPEN_LARGE));
	int error = 0;

	if (!f) {
		vnode_put(v);
		return -ENOMEM;
	}
	if (!(flags & OPEN_PATH)) {
		if (S_ISREG(v->mode) && rights_needed(flags) & MAY_WRITE) {
			error = vnode_begin_write(v);
			f->writes = !error;
		}
		if (!error)
			error = open_by_type(f);
		if (error)
			f->ops = &bare_ops;		/* it was not opened: nothing to be released */
		else if (flags & OPEN_TRUNCATE && S_ISREG(v->mode))
			error = vfs_truncate(fs, v, 0);
	}
	f->flags &= (unsigned)KEPT_FLAGS;
	if (error) {
		file_put(f);
		return error;
	}
	f->opened = !(flags & OPEN_PATH);
	if (f->opened)
		notify(v, IN_OPEN);
	*out = f;
	return 0;
}

/* Checks, and opens; takes over the reference to v. */
static int check_and_open(struct fs_context *fs, struct vnode *v, unsigned flags, struct file **out)
{
	int error = check_type(v, flags);

	if (!error && !(flags & OPEN_PATH))
		error = vfs_permission(fs, v, rights_needed(flags));
	if (!error && flags & OPEN_NO_ATIME && fs->uid != 0 && fs->uid != v->uid)
		error = -EPERM;
	if (!error)
		return open_vnode(fs, v, flags, out);
	vnode_put(v);
	return error;
}

int vfs_open_vnode(struct fs_context *fs, struct vnode *v, unsigned flags, struct file **out)
{
	return check_and_open(fs, vnode_ref(v), flags & ~(unsigned)(OPEN_CREATE | OPEN_EXCLUSIVE), out);
}

/* ---- creating ---------------------------------------------------------------------------------------------------------- */

/* dir->lock is held. */
static int create_locked(struct walk *w, uint32_t mode, struct vnode **out)
{
	struct vnode *dir = w->dir;
	int error = may_create(w->fs, dir);

	if (!error && !dir->ops->create)
		error = -EACCES;
	if (!error)
		error = dir->ops->create(dir, w->last, w->last_len, S_IFREG | (mode & 07777 & ~w->fs->umask), 0, out);
	if (error)
		return error;
	error = own_new(w->fs, dir, w->last, w->last_len, *out);
	if (error) {
		dir->ops->unlink(dir, w->last, w->last_len, *out);
		vnode_put(*out);
		return error;
	}
	notify_name(dir, IN_CREATE, w->last, w->last_len, *out, 0);
	return 0;
}

/* The vnode of the last component, made if it is not there; a symbolic link is given out as it is. */
static int find_or_create(struct walk *w, unsigned flags, uint32_t mode, struct vnode **out, bool *created)
{
	if (w->kind == LAST_JUMPED) {
		*out = vnode_ref(w->dir);
		return 0;
	}
	if (w->kind != LAST_NAME || w->slash)
		return -EISDIR;
	mutex_lock(&w->dir->lock);
	int error = dir_lookup_locked(w->dir, w->last, w->last_len, out);
	if (!error && flags & OPEN_EXCLUSIVE) {
		vnode_put(*out);
		error = -EEXIST;
	} else if (error == -ENOENT) {
		error = create_locked(w, mode, out);
		*created = !error;
	}
	mutex_unlock(&w->dir->lock);
	return error ? error : walk_cross(w, out);
}

static int open_creating(struct walk *w, unsigned flags, uint32_t mode, struct file **out)
{
	for (;;) {
		struct vnode *v;
		bool created = false;
		int error = walk_to_last(w);

		if (!error)
			error = find_or_create(w, flags, mode, &v, &created);
		if (error)
			return error;
		if (created)
			return open_vnode(w->fs, v, flags & ~(unsigned)OPEN_TRUNCATE, out);
		if (!S_ISLNK(v->mode) || w->kind == LAST_JUMPED || flags & OPEN_NOFOLLOW)
			return check_and_open(w->fs, v, flags, out);
		error = walk_link(w, v);
		vnode_put(v);
		if (error)
			return error;
	}
}

/* ---- files without a name ---------------------------------------------------------------------------------------------- */

/* dir->lock is held. */
static int make_temporary(struct fs_context *fs, struct vnode *dir, unsigned flags, uint32_t mode, struct vnode **out)
{
	char name[24];
	int error = S_ISDIR(dir->mode) ? may_create(fs, dir) : -ENOTDIR;

	if (!error && !dir->ops->temporary)
		error = -EOPNOTSUPP;
	if (!error)
		error = dir->ops->temporary(dir, S_IFREG | (mode & 07777 & ~fs->umask), out);
	if (error)
		return error;
	int len = snprintf(name, sizeof name, "#%llu", (unsigned long long)(*out)->ino);
	error = own_new(fs, dir, name, (size_t)len, *out);
	if (error) {
		vnode_put(*out);
		return error;
	}
	vnode_lose_name(*out);
	(*out)->linkable = !(flags & OPEN_EXCLUSIVE);
	return 0;
}

static int open_temporary(struct walk *w, unsigned flags, uint32_t mode, struct file **out)
{
	struct vnode *dir, *v;
	int error = walk_final(w, flags & OPEN_NOFOLLOW ? WALK_NOFOLLOW : WALK_FOLLOW, &dir);

	if (error)
		return error;
	mutex_lock(&dir->lock);
	error = make_temporary(w->fs, dir, flags, mode, &v);
	mutex_unlock(&dir->lock);
	vnode_put(dir);
	return error ? error : open_vnode(w->fs, v, flags & ~(unsigned)OPEN_TRUNCATE, out);
}

/* ---- all ways ---------------------------------------------------------------------------------------------------------- */

int vfs_open(struct fs_context *fs, struct vnode *at, const char *path, unsigned flags, uint32_t mode, struct file **out)
{
	return vfs_open_how(fs, at, path, &(struct open_how){ .flags = flags, .mode = mode }, out);
}

int vfs_open_how(struct fs_context *fs, struct vnode *at, const char *path, const struct open_how *how, struct file **out)
{
	unsigned flags = (unsigned)how->flags;
	bool temporary = !(flags & OPEN_PATH) && flags & OPEN_TEMPORARY & ~(unsigned)OPEN_DIRECTORY;
	struct walk w;
	struct vnode *v;

	if (flags & OPEN_PATH)
		flags &= OPEN_PATH | OPEN_DIRECTORY | OPEN_NOFOLLOW | OPEN_CLOSE_ON_EXEC;
	else if (temporary && (!(flags & OPEN_DIRECTORY) || !(rights_needed(flags) & MAY_WRITE)))
		return -EINVAL;
	else if (flags & OPEN_CREATE && flags & OPEN_DIRECTORY)
		return -EINVAL;
	int error = walk_begin(&w, fs, at, path);
	if (!error)
		error = walk_restrict(&w, at, (unsigned)how->resolve);
	if (!error && temporary) {
		error = open_temporary(&w, flags, (uint32_t)how->mode, out);
	} else if (!error && flags & OPEN_CREATE) {
		error = open_creating(&w, flags, (uint32_t)how->mode, out);
	} else if (!error) {
		error = walk_final(&w, flags & OPEN_NOFOLLOW ? WALK_NOFOLLOW : WALK_FOLLOW, &v);
		if (!error)
			error = check_and_open(fs, v, flags, out);
	}
	walk_end(&w);
	return error;
}
