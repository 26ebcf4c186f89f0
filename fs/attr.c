/*
 * fs/attr.c - what is known of a file: reading and changing it, and reading a directory.
 */
#include "fs/inotify.h"
#include "fs/walk.h"

int vfs_getattr(struct vnode *v, struct vattr *attr)
{
	*attr = (struct vattr){ .mode = v->mode, .uid = v->uid, .gid = v->gid, .nlink = 1, .ino = v->ino, .rdev = v->rdev };
	if (v->object)
		attr->size = __atomic_load_n(&v->object->size, __ATOMIC_RELAXED);
	if (!v->ops->getattr) {
		attr->atime = attr->mtime = attr->ctime = vfs_now();
		return 0;
	}
	int error = v->ops->getattr(v, attr);
	if (!error && attr->blocks == 0 && S_ISREG(v->mode) && !v->ops->setattr)
		attr->blocks = (attr->size + 511) / 512;
	return error;
}

/* The rules of chmod, chown, utimensat and truncate; may take bits off attr->mode, and add to *which. */
static int check_setattr(struct fs_context *fs, const struct vnode *v, struct vattr *attr, unsigned *which)
{
	bool owner = fs->uid == 0 || fs->uid == v->uid;

	if (*which & VATTR_UID && fs->uid != 0 && !(owner && attr->uid == v->uid))
		return -EPERM;
	if (*which & VATTR_GID && fs->uid != 0 && !(owner && (attr->gid == v->gid || fs_context_in_group(fs, attr->gid))))
		return -EPERM;
	if (*which & (VATTR_CHOWN | VATTR_SIZE)) {
		attr->mode = *which & VATTR_CHOWN ? S_ISDIR(v->mode) ? v->mode : vfs_mode_without_set_ids(fs, v) : vfs_mode_after_change(fs, v);
		*which |= attr->mode != v->mode ? VATTR_MODE : 0;
	}
	if (*which & VATTR_MODE && !owner && !(*which & VATTR_SIZE))
		return -EPERM;
	if (*which & VATTR_MODE && fs->uid != 0 && !fs_context_in_group(fs, *which & VATTR_GID ? attr->gid : v->gid))
		attr->mode &= ~(uint32_t)S_ISGID;
	if (*which & VATTR_NOW && !owner)
		return vfs_permission(fs, v, MAY_WRITE);
	if (*which & (VATTR_ATIME | VATTR_MTIME) && !(*which & VATTR_NOW) && !owner)
		return -EPERM;
	return 0;
}

static uint32_t event_of(unsigned which)
{
	if (which & VATTR_SIZE)
		return IN_MODIFY | (which & VATTR_MODE ? IN_ATTRIB : 0);
	switch (which & (VATTR_ATIME | VATTR_MTIME)) {
	case VATTR_ATIME:
		return IN_ACCESS;
	case VATTR_MTIME:
		return IN_MODIFY;
	default:
		return IN_ATTRIB;
	}
}

int vfs_setattr(struct fs_context *fs, struct vnode *v, const struct vattr *attr, unsigned which)
{
	struct vattr change = *attr;

	mutex_lock(&v->lock);
	int error = check_writable_mount(v);
	if (!error)
		error = check_setattr(fs, v, &change, &which);
	if (!error)
		error = v->ops->setattr ? v->ops->setattr(v, &change, which) : -EPERM;
	mutex_unlock(&v->lock);
	if (!error)
		notify(v, event_of(which));
	return error;
}

int vfs_before_change(struct fs_context *fs, struct vnode *v)
{
	struct vattr attr;

	if (!(v->mode & (S_ISUID | S_ISGID)))
		return 0;
	mutex_lock(&v->lock);
	attr.mode = vfs_mode_after_change(fs, v);
	int error = attr.mode != v->mode && v->ops->setattr ? v->ops->setattr(v, &attr, VATTR_MODE) : 0;
	mutex_unlock(&v->lock);
	return error;
}

int vnode_setattr(struct vnode *v, const struct vattr *attr, unsigned which)
{
	if (which & VATTR_MODE)
		v->mode = (v->mode & S_IFMT) | (attr->mode & 07777);
	if (which & VATTR_UID)
		v->uid = attr->uid;
	if (which & VATTR_GID)
		v->gid = attr->gid;
	return 0;
}

int vfs_truncate(struct fs_context *fs, struct vnode *v, uint64_t size)
{
	struct vattr attr = { .size = size };

	if (S_ISDIR(v->mode))
		return -EISDIR;
	if (!S_ISREG(v->mode))
		return -EINVAL;
	int error = vnode_begin_write(v);
	if (error)
		return error;
	error = vfs_setattr(fs, v, &attr, VATTR_SIZE);
	vnode_end_write(v);
	return error;
}

static uint64_t parent_ino(struct vnode *dir)
{
	struct vnode *parent = vnode_parent(dir);
	uint64_t ino = parent->ino;

	vnode_put(parent);
	return ino;
}

/* dir->lock is held. */
static int read_locked(struct vnode *dir, uint64_t *pos, dirent_fn fn, void *context)
{
	if (dir->unlinked)
		return -ENOENT;
	if (*pos == 0) {
		if (fn(context, ".", 1, dir->ino, FT_DIR, 1))
			return 0;
		*pos = 1;
	}
	if (*pos == 1) {
		if (fn(context, "..", 2, parent_ino(dir), FT_DIR, DIR_FIRST))
			return 0;
		*pos = DIR_FIRST;
	}
	return dir->ops->readdir(dir, pos, fn, context);
}

int vfs_readdir(struct vnode *dir, uint64_t *pos, dirent_fn fn, void *context)
{
	if (!S_ISDIR(dir->mode) || !dir->ops->readdir)
		return -ENOTDIR;
	mutex_lock(&dir->lock);
	int error = read_locked(dir, pos, fn, context);
	mutex_unlock(&dir->lock);
	if (!error)
		notify(dir, IN_ACCESS);
	return error;
}
