/*
 * fs/names.c - changes to directories: making, linking, unlinking and renaming.
 *
 * Each walks to the directory, takes its lock, looks the name up and checks under the lock all that Linux checks, in its order of
 * errors; then the file system acts, and the vnode learns its new place.
 *
 * Locks: the directory, then what loses its name (unlink, rename) or gets another (link): nothing is made in a directory, and no link to a file, that is
 * being removed.  A rename takes rename_lock first, then of its two directories the ancestor before the other; only a rename changes who is whose ancestor.
 */
#include "fs/inotify.h"
#include "fs/walk.h"
#include "vm/heap.h"
#include "lib/string.h"

static struct mutex rename_lock = { .rank = RANK_MOUNT, .name = "rename" };

int may_create(struct fs_context *fs, const struct vnode *dir)
{
	if (dir->unlinked)
		return -ENOENT;
	return vfs_permission(fs, dir, MAY_WRITE | MAY_EXECUTE);
}

int own_new(struct fs_context *fs, struct vnode *dir, const char *name, size_t len, struct vnode *v)
{
	if (v->mount->flags & MOUNT_ONE_OWNER)
		return vnode_set_link(v, dir, name, len);
	v->uid = fs->uid;
	v->gid = dir->mode & S_ISGID ? dir->gid : fs->gid;
	if (dir->mode & S_ISGID && S_ISDIR(v->mode))
		v->mode |= S_ISGID;
	else if (dir->mode & S_ISGID && (v->mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && fs->uid != 0 && !fs_context_in_group(fs, dir->gid))
		v->mode &= ~(uint32_t)S_ISGID;		/* nobody gives away the rights of a group that he is not in */
	return vnode_set_link(v, dir, name, len);
}

/* May the entry of v be taken out of dir?  directory: the caller wants to remove a directory, and nothing else. */
static int may_delete(struct fs_context *fs, const struct vnode *dir, const struct vnode *v, bool directory)
{
	int error = vfs_permission(fs, dir, MAY_WRITE | MAY_EXECUTE);

	if (error)
		return error;
	if (dir->mode & 01000 && fs->uid != 0 && fs->uid != v->uid && fs->uid != dir->uid)
		return -EPERM;
	if (directory != (bool)S_ISDIR(v->mode))
		return directory ? -ENOTDIR : -EISDIR;
	return v->covered_by || v == v->mount->root ? -EBUSY : 0;
}

/* The name is gone from dir, by its removal or by a rename over it. */
static void lost_name(struct vnode *v, const struct vnode *dir, const char *name, size_t len)
{
	if (vnode_lose_link(v, dir, name, len))
		vnode_path_changed(v);
	notify_unlinked(v);
}

/* ---- making ------------------------------------------------------------------------------------------------------------ */

/* What is to be made: a node by mode and rdev, a symbolic link to target, or a link to an existing vnode. */
struct making { uint32_t mode; uint64_t rdev; const char *target; struct vnode *existing; };

/* Others' files may be linked to only if they could as well be copied: Linux with protected_hardlinks, as distributions set it. */
static int may_link(struct fs_context *fs, const struct vnode *v, const struct vnode *dir)
{
	if (v->mount != dir->mount)
		return -EXDEV;
	if (fs->uid == 0 || fs->uid == v->uid)
		return 0;
	bool safe = S_ISREG(v->mode) && !(v->mode & S_ISUID) && (v->mode & (S_ISGID | S_IXGRP)) != (S_ISGID | S_IXGRP);
	return safe && vfs_permission(fs, v, MAY_READ | MAY_WRITE) == 0 ? 0 : -EPERM;
}

/* A file that has lost its last name gets no other; one that never had one may. */
static int link_locked(struct vnode *dir, const struct walk *w, struct vnode *to)
{
	struct vattr attr;

	mutex_lock_nested(&to->lock);
	int error = vfs_getattr(to, &attr);
	if (!error)
		error = attr.nlink == 0 && !to->linkable ? -ENOENT : dir->ops->link(dir, w->last, w->last_len, to);
	if (!error)
		to->linkable = false;
	mutex_unlock(&to->lock);
	return error;
}

static int call_maker(struct vnode *dir, const struct walk *w, const struct making *what, struct vnode **out)
{
	const struct vnode_ops *ops = dir->ops;

	if (what->existing) {
		*out = NULL;
		return ops->link ? link_locked(dir, w, what->existing) : -EPERM;
	}
	if ((S_ISCHR(what->mode) || S_ISBLK(what->mode)) && w->fs->uid != 0)
		return -EPERM;
	if (what->target)
		return ops->symlink ? ops->symlink(dir, w->last, w->last_len, what->target, out) : -EPERM;
	return ops->create ? ops->create(dir, w->last, w->last_len, what->mode & ~w->fs->umask, what->rdev, out) : -EPERM;
}

/* dir->lock is held; the name is not there. */
static int make_locked(struct walk *w, const struct making *what)
{
	struct vnode *dir = w->dir, *v = NULL;
	int error = what->existing ? may_link(w->fs, what->existing, dir) : 0;

	if (!error)
		error = may_create(w->fs, dir);
	if (!error && what->existing && S_ISDIR(what->existing->mode))
		error = -EPERM;

	if (!error)
		error = call_maker(dir, w, what, &v);
	if (error)
		return error;
	if (!v) {
		notify_self(what->existing, IN_ATTRIB);
		notify_name(dir, IN_CREATE, w->last, w->last_len, what->existing, 0);
		return 0;
	}
	error = own_new(w->fs, dir, w->last, w->last_len, v);
	if (error)
		dir->ops->unlink(dir, w->last, w->last_len, v);
	else
		notify_name(dir, IN_CREATE, w->last, w->last_len, v, 0);
	vnode_put(v);
	return error;
}

static int make(struct fs_context *fs, struct vnode *at, const char *path, const struct making *what)
{
	struct walk w;
	struct vnode *there;
	int error = walk_begin(&w, fs, at, path);

	if (!error)
		error = walk_to_last(&w);
	if (!error && w.kind != LAST_NAME)
		error = -EEXIST;
	if (!error) {
		mutex_lock(&w.dir->lock);
		error = dir_lookup_locked(w.dir, w.last, w.last_len, &there);
		if (!error) {
			vnode_put(there);
			error = -EEXIST;
		} else if (error == -ENOENT && (!w.slash || S_ISDIR(what->mode))) {
			error = make_locked(&w, what);
		}
		mutex_unlock(&w.dir->lock);
	}
	walk_end(&w);
	return error;
}

int vfs_make(struct fs_context *fs, struct vnode *at, const char *path, uint32_t mode, uint64_t rdev)
{
	struct making what = { .mode = mode, .rdev = rdev };

	return make(fs, at, path, &what);
}

int vfs_symlink(struct fs_context *fs, struct vnode *at, const char *path, const char *target)
{
	struct making what = { .mode = S_IFLNK, .target = target };

	return *target ? make(fs, at, path, &what) : -ENOENT;
}

int vfs_link(struct fs_context *fs, struct vnode *to, struct vnode *at, const char *path)
{
	struct making what = { .mode = S_IFREG, .existing = to };

	return make(fs, at, path, &what);
}

/* ---- removing ---------------------------------------------------------------------------------------------------------- */

static int refuse_unlink_of_dots(enum walk_last kind, enum unlink_what what)
{
	if (kind == LAST_NAME)
		return 0;
	if (what == UNLINK_FILE)
		return -EISDIR;
	return kind == LAST_DOT ? -EINVAL : kind == LAST_DOT_DOT ? -ENOTEMPTY : -EBUSY;
}

/* dir->lock is held. */
static int unlink_locked(struct walk *w, enum unlink_what what, struct vnode *victim)
{
	struct vnode *dir = w->dir;
	int error = 0;

	if (w->slash && what == UNLINK_FILE)
		error = S_ISDIR(victim->mode) ? -EISDIR : -ENOTDIR;
	if (!error)
		error = may_delete(w->fs, dir, victim, what == UNLINK_DIRECTORY);
	if (!error && !dir->ops->unlink)
		error = -EPERM;
	if (error)
		return error;
	mutex_lock_nested(&victim->lock);
	error = victim->covered_by ? -EBUSY : dir->ops->unlink(dir, w->last, w->last_len, victim);
	if (!error) {
		lost_name(victim, dir, w->last, w->last_len);
		notify_name(dir, IN_DELETE, w->last, w->last_len, victim, 0);
	}
	mutex_unlock(&victim->lock);
	return error;
}

int vfs_unlink(struct fs_context *fs, struct vnode *at, const char *path, enum unlink_what what)
{
	struct walk w;
	struct vnode *victim = NULL;
	int error = walk_begin(&w, fs, at, path);

	if (!error)
		error = walk_to_last(&w);
	if (!error)
		error = refuse_unlink_of_dots(w.kind, what);
	if (!error)
		error = check_writable_mount(w.dir);
	if (!error) {
		mutex_lock(&w.dir->lock);
		error = dir_lookup_locked(w.dir, w.last, w.last_len, &victim);
		if (!error)
			error = unlink_locked(&w, what, victim);
		else
			victim = NULL;
		mutex_unlock(&w.dir->lock);
	}
	vnode_put(victim);		/* its pages go here, not under the lock */
	walk_end(&w);
	return error;
}

/* ---- renaming ---------------------------------------------------------------------------------------------------------- */

/* rename_lock is held. */
static void lock_two(struct vnode *a, struct vnode *b)
{
	bool b_first = vnode_is_below(a, b) || (!vnode_is_below(b, a) && b < a);

	mutex_lock(b_first ? &b->lock : &a->lock);
	if (a != b)
		mutex_lock_nested(b_first ? &a->lock : &b->lock);
}

static void unlock_two(struct vnode *a, struct vnode *b)
{
	mutex_unlock(&a->lock);
	if (a != b)
		mutex_unlock(&b->lock);
}

struct renaming { struct walk from, to; struct vnode *moved, *replaced; unsigned flags; };

/* A directory that gets another parent has its '..' written. */
static int may_move(const struct renaming *r, const struct vnode *v)
{
	return S_ISDIR(v->mode) && r->from.dir != r->to.dir ? vfs_permission(r->from.fs, v, MAY_WRITE) : 0;
}

static int check_rename(const struct renaming *r)
{
	struct fs_context *fs = r->from.fs;
	const struct vnode *from_dir = r->from.dir, *to_dir = r->to.dir, *moved = r->moved, *replaced = r->replaced;
	bool exchange = r->flags & RENAME_EXCHANGE, directory = S_ISDIR(moved->mode);
	int error;

	if (replaced && r->flags & RENAME_NOREPLACE)
		return -EEXIST;
	if (!replaced && exchange)
		return -ENOENT;
	if (!directory && (r->from.slash || (r->to.slash && !exchange)))
		return -ENOTDIR;
	if (exchange && r->to.slash && !S_ISDIR(replaced->mode))
		return -ENOTDIR;
	if (vnode_is_below(to_dir, moved))
		return -EINVAL;
	if (replaced && vnode_is_below(from_dir, replaced))
		return exchange ? -EINVAL : -ENOTEMPTY;
	error = may_delete(fs, from_dir, moved, directory);
	if (!error)
		error = !replaced ? may_create(fs, to_dir) : may_delete(fs, to_dir, replaced, exchange ? (bool)S_ISDIR(replaced->mode) : directory);
	if (!error)
		error = may_move(r, moved);
	if (!error && exchange)
		error = may_move(r, replaced);
	return error ? error : from_dir->ops->rename ? 0 : -EPERM;
}

static void notify_move(const struct walk *from, const struct walk *to, struct vnode *moved)
{
	uint32_t cookie = notify_cookie();

	notify_name(from->dir, IN_MOVED_FROM, from->last, from->last_len, moved, cookie);
	notify_name(to->dir, IN_MOVED_TO, to->last, to->last_len, moved, cookie);
	notify_self(moved, IN_MOVE_SELF);
}

/* Both directories are locked, and what is replaced; everything is checked. */
static int rename_locked(struct renaming *r)
{
	struct vnode *from_dir = r->from.dir, *to_dir = r->to.dir;
	bool exchange = r->flags & RENAME_EXCHANGE;
	char *name = vnode_copy_name(r->to.last, r->to.last_len);
	char *other = exchange ? vnode_copy_name(r->from.last, r->from.last_len) : NULL;
	int error = !name || (exchange && !other) ? -ENOMEM : from_dir->ops->rename(from_dir, r->from.last, r->from.last_len, r->moved,
		to_dir, r->to.last, r->to.last_len, r->replaced, exchange);

	if (error) {
		kfree(name);
		kfree(other);
		return error;
	}
	notify_move(&r->from, &r->to, r->moved);
	if (exchange)
		notify_move(&r->to, &r->from, r->replaced);
	if (r->replaced && !exchange)
		lost_name(r->replaced, to_dir, r->to.last, r->to.last_len);
	vnode_use_link(r->moved, to_dir, name);
	vnode_path_changed(r->moved);
	if (exchange) {
		vnode_use_link(r->replaced, from_dir, other);
		vnode_path_changed(r->replaced);
	}
	return 0;
}

static int rename_in_dirs(struct renaming *r)
{
	int error;

	if (r->from.dir->mount != r->to.dir->mount)
		return -EXDEV;
	if (r->from.kind != LAST_NAME)
		return -EBUSY;
	if (r->to.kind != LAST_NAME)
		return r->flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
	error = check_writable_mount(r->from.dir);
	if (error)
		return error;

	mutex_lock(&rename_lock);
	lock_two(r->from.dir, r->to.dir);
	error = dir_lookup_locked(r->from.dir, r->from.last, r->from.last_len, &r->moved);
	if (error)
		r->moved = NULL;
	if (!error) {
		error = dir_lookup_locked(r->to.dir, r->to.last, r->to.last_len, &r->replaced);
		if (error)
			r->replaced = NULL;
		if (error == -ENOENT)
			error = 0;
	}
	if (!error)
		error = check_rename(r);
	if (!error && r->moved != r->replaced) {		/* two names of one file: nothing to do */
		bool goes = r->replaced && !(r->flags & RENAME_EXCHANGE);
		if (goes)
			mutex_lock_nested(&r->replaced->lock);
		error = rename_locked(r);
		if (goes)
			mutex_unlock(&r->replaced->lock);
	}
	unlock_two(r->from.dir, r->to.dir);
	mutex_unlock(&rename_lock);
	return error;
}

int vfs_rename(struct fs_context *fs, struct vnode *from_at, const char *from, struct vnode *to_at, const char *to, unsigned flags)
{
	struct renaming r = { .flags = flags };
	int error = walk_begin(&r.from, fs, from_at, from);

	if (!error)
		error = walk_to_last(&r.from);
	if (!error)
		error = walk_begin(&r.to, fs, to_at, to);
	if (!error)
		error = walk_to_last(&r.to);
	if (!error)
		error = rename_in_dirs(&r);
	vnode_put(r.moved);
	vnode_put(r.replaced);
	walk_end(&r.from);
	walk_end(&r.to);
	return error;
}
