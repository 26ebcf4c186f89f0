/*
 * fs/walk.c - from a path to a directory and a name, or to a vnode; see walk.h.
 *
 * The text is walked in place.  A symbolic link replaces what is left of it by its target and what comes after the link, in a new
 * buffer; 40 of them end the walk, which is what ends circles.
 *
 * Locks: the lock of one directory at a time, during the lookup of one name.
 */
#include "fs/walk.h"
#include "vm/heap.h"
#include "lib/string.h"

int dir_lookup_locked(struct vnode *dir, const char *name, size_t len, struct vnode **out)
{
	if (!dir->ops->lookup)
		return -ENOTDIR;
	int error = dir->ops->lookup(dir, name, len, out);
	if (!error && (!(*out)->parent || (*out)->unlinked)) {
		error = vnode_set_link(*out, dir, name, len);
		if (error)
			vnode_put(*out);
	}
	return error;
}

int walk_cross(struct walk *w, struct vnode **v)
{
	struct vnode *root = vnode_cross_mounts(*v);

	if (root == *v || !(w->resolve & RESOLVE_NO_XDEV)) {
		*v = root;
		return 0;
	}
	vnode_put(root);
	return -EXDEV;
}

static int lookup(struct walk *w, struct vnode **out)
{
	struct vnode *dir = w->dir;

	mutex_lock(&dir->lock);
	int error = dir_lookup_locked(dir, w->last, w->last_len, out);
	mutex_unlock(&dir->lock);
	return !error && (*out)->covered_by ? walk_cross(w, out) : error;
}

static bool is_root(const struct walk *w)
{
	return w->dir == (w->resolve & RESOLVE_IN_ROOT ? w->top : __atomic_load_n(&w->fs->root, __ATOMIC_RELAXED));
}

static int step_up(struct walk *w, struct vnode **out)
{
	if (w->resolve & RESOLVE_BENEATH && w->dir == w->top)
		return -EXDEV;
	*out = is_root(w) ? vnode_ref(w->dir) : vnode_parent(w->dir);
	if (!(w->resolve & RESOLVE_NO_XDEV) || (*out)->mount == w->dir->mount)
		return 0;
	vnode_put(*out);
	return -EXDEV;
}

/* What the component w->last is, in w->dir. */
static int step(struct walk *w, struct vnode **out)
{
	switch (w->kind) {
	case LAST_NAME:
		return lookup(w, out);
	case LAST_DOT_DOT:
		return step_up(w, out);
	default:
		*out = vnode_ref(w->dir);
		return 0;
	}
}

int walk_begin(struct walk *w, struct fs_context *fs, struct vnode *at, const char *path)
{
	*w = (struct walk){ .fs = fs, .rest = path };
	if (*path == '\0')
		return -ENOENT;
	w->dir = *path == '/' ? fs_context_root(fs) : at ? vnode_ref(at) : fs_context_cwd(fs);
	return 0;
}

int walk_restrict(struct walk *w, struct vnode *at, unsigned resolve)
{
	w->resolve = resolve;
	if (!(resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)))
		return 0;
	if (*w->rest == '/' && resolve & RESOLVE_BENEATH)
		return -EXDEV;
	w->top = at ? vnode_ref(at) : fs_context_cwd(w->fs);
	vnode_put(w->dir);
	w->dir = vnode_ref(w->top);
	return 0;
}

void walk_end(struct walk *w)
{
	vnode_put(w->dir);
	vnode_put(w->top);
	kfree(w->buffer);
}

static void walk_enter(struct walk *w, struct vnode *dir)
{
	vnode_put(w->dir);
	w->dir = dir;
}

/* Takes the next component off the rest: w->last, kind, slash. */
static int next_component(struct walk *w)
{
	const char *end = w->rest;

	while (*end != '/' && *end != '\0')
		end++;
	w->last = w->rest;
	w->last_len = (size_t)(end - w->last);
	w->slash = *end == '/';
	while (*end == '/')
		end++;
	w->rest = end;
	if (w->last_len > NAME_MAX_BYTES)
		return -ENAMETOOLONG;
	w->kind = LAST_NAME;
	if (w->last[0] == '.' && w->last_len == 1)
		w->kind = LAST_DOT;
	else if (w->last[0] == '.' && w->last_len == 2 && w->last[1] == '.')
		w->kind = LAST_DOT_DOT;
	return 0;
}

/* Enters the directory w->last, which is not the last component. */
static int descend(struct walk *w)
{
	struct vnode *child;
	int error = step(w, &child);
	if (error)
		return error;
	if (S_ISDIR(child->mode)) {
		walk_enter(w, child);
		return 0;
	}
	error = S_ISLNK(child->mode) ? walk_link(w, child) : -ENOTDIR;
	vnode_put(child);
	return error;
}

int walk_to_last(struct walk *w)
{
	for (;;) {
		while (*w->rest == '/')
			w->rest++;
		if (*w->rest == '\0') {
			w->kind = w->kind == LAST_JUMPED ? LAST_JUMPED : LAST_NONE;
			return 0;
		}
		if (!S_ISDIR(w->dir->mode))
			return -ENOTDIR;
		int error = vfs_permission(w->fs, w->dir, MAY_EXECUTE);
		if (!error)
			error = next_component(w);
		if (error || *w->rest == '\0')
			return error;
		error = descend(w);
		if (error)
			return error;
	}
}

/* New text to walk: the target, and what comes after the link. */
static int replace_rest(struct walk *w, const char *target, size_t len)
{
	size_t tail = strlen(w->rest);

	if (len == 0)
		return -ENOENT;
	if (len + 1 + tail >= PATH_MAX_BYTES)
		return -ENAMETOOLONG;
	struct vnode *root = *target != '/' ? NULL : w->resolve & RESOLVE_IN_ROOT ? vnode_ref(w->top) : fs_context_root(w->fs);
	if (root && (w->resolve & RESOLVE_BENEATH || (w->resolve & RESOLVE_NO_XDEV && root->mount != w->dir->mount))) {
		vnode_put(root);
		return -EXDEV;
	}
	char *text = kmalloc(len + 1 + tail + 1);
	if (!text) {
		vnode_put(root);
		return -ENOMEM;
	}
	memcpy(text, target, len);
	if (w->slash)
		text[len++] = '/';
	memcpy(text + len, w->rest, tail + 1);
	kfree(w->buffer);
	w->buffer = text;
	w->rest = text;
	if (root)
		walk_enter(w, root);
	return 0;
}

/* By a link that leads to a vnode. */
static int jump(struct walk *w, struct vnode *link)
{
	struct vnode *to;

	if (w->resolve & RESOLVE_NO_MAGICLINKS)
		return -ELOOP;
	if (w->resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT))
		return -EXDEV;
	int error = link->ops->follow(link, &to);
	if (error)
		return error;
	if (w->resolve & RESOLVE_NO_XDEV && to->mount != w->dir->mount) {
		vnode_put(to);
		return -EXDEV;
	}
	walk_enter(w, to);
	w->kind = LAST_JUMPED;
	return 0;
}

int walk_link(struct walk *w, struct vnode *link)
{
	char few[128], *target = few;

	if (++w->links > LINKS_MAX || w->resolve & RESOLVE_NO_SYMLINKS)
		return -ELOOP;
	if (link->ops->follow)
		return jump(w, link);
	ssize len = vfs_readlink(link, few, sizeof few);
	if (len == sizeof few) {
		target = kmalloc(PATH_MAX_BYTES);
		if (!target)
			return -ENOMEM;
		len = vfs_readlink(link, target, PATH_MAX_BYTES);
	}
	int error = len < 0 ? (int)len : replace_rest(w, target, (size_t)len);
	if (target != few)
		kfree(target);
	return error;
}

int walk_final(struct walk *w, enum walk_how how, struct vnode **out)
{
	for (;;) {
		int error = walk_to_last(w);
		if (!error)
			error = step(w, out);
		if (error)
			return error;
		if (!S_ISLNK((*out)->mode) || w->kind != LAST_NAME || (how == WALK_NOFOLLOW && !w->slash))
			break;
		error = walk_link(w, *out);
		vnode_put(*out);
		if (error)
			return error;
	}
	if (!w->slash || S_ISDIR((*out)->mode))
		return 0;
	vnode_put(*out);
	return -ENOTDIR;
}

int vfs_walk(struct fs_context *fs, struct vnode *at, const char *path, enum walk_how how, struct vnode **out)
{
	struct walk w;
	int error = walk_begin(&w, fs, at, path);
	if (!error)
		error = walk_final(&w, how, out);
	walk_end(&w);
	if (error)
		*out = NULL;
	return error;
}

ssize vfs_readlink(struct vnode *v, char *to, size_t size)
{
	if (!S_ISLNK(v->mode) || !v->ops->readlink)
		return -EINVAL;
	return v->ops->readlink(v, to, size);
}

/* ---- where a process stands -------------------------------------------------------------------------------------------- */

static struct vnode *get_place(struct fs_context *fs, struct vnode *const *place)
{
	spin_lock(&fs->lock);
	struct vnode *v = *place ? vnode_ref(*place) : NULL;
	spin_unlock(&fs->lock);
	return v;
}

static void leave(struct vnode *v)
{
	if (v)
		mount_unuse(v->mount);
	vnode_put(v);
}

static void set_place(struct fs_context *fs, enum fs_place which, struct vnode *v)
{
	struct vnode **place = which == FS_ROOT ? &fs->root : &fs->cwd;

	mount_use(v->mount);
	spin_lock(&fs->lock);
	struct vnode *old = *place;
	*place = v;
	spin_unlock(&fs->lock);
	leave(old);
}

struct vnode *fs_context_root(struct fs_context *fs) { return get_place(fs, &fs->root); }
struct vnode *fs_context_cwd(struct fs_context *fs)  { return get_place(fs, &fs->cwd); }

/*
 * Processes that were made with CLONE_FS stand in one place: each has a context of its own, in a ring, and what one changes is changed in all of them, one after the other.
 */
static struct mutex share_lock = { .rank = RANK_MOUNT + 1, .name = "shared places" };
static struct spinlock ring_lock = SPINLOCK_INIT("shared places", RANK_LEAF);		/* rings; with share_lock to change one */

static void set_all(struct fs_context *fs, enum fs_place which, struct vnode *v)
{
	mutex_lock(&share_lock);
	list_for_each(l, &fs->sharers)
		set_place(container_of(l, struct fs_context, sharers), which, vnode_ref(v));
	set_place(fs, which, v);
	mutex_unlock(&share_lock);
}

void fs_context_set_root(struct fs_context *fs, struct vnode *v) { set_all(fs, FS_ROOT, v); }
void fs_context_set_cwd(struct fs_context *fs, struct vnode *v)  { set_all(fs, FS_CWD, v); }

uint32_t fs_context_set_umask(struct fs_context *fs, uint32_t umask)
{
	mutex_lock(&share_lock);
	list_for_each(l, &fs->sharers)
		__atomic_store_n(&container_of(l, struct fs_context, sharers)->umask, umask, __ATOMIC_RELAXED);
	uint32_t before = __atomic_exchange_n(&fs->umask, umask, __ATOMIC_RELAXED);
	mutex_unlock(&share_lock);
	return before;
}

void fs_context_share(struct fs_context *with, struct fs_context *fs)
{
	mutex_lock(&share_lock);
	spin_lock(&ring_lock);
	list_push(&with->sharers, &fs->sharers);
	spin_unlock(&ring_lock);
	set_place(fs, FS_ROOT, fs_context_root(with));		/* it may have moved since it was copied */
	set_place(fs, FS_CWD, fs_context_cwd(with));
	fs->umask = with->umask;
	mutex_unlock(&share_lock);
}

void fs_context_unshare(struct fs_context *fs)
{
	mutex_lock(&share_lock);
	spin_lock(&ring_lock);
	if (fs->sharers.next)				/* else it never was one */
		list_remove(&fs->sharers);
	spin_unlock(&ring_lock);
	mutex_unlock(&share_lock);
}

const void *fs_context_shared(struct fs_context *fs)
{
	const struct fs_context *first = fs;

	spin_lock(&ring_lock);
	list_for_each(l, &fs->sharers)
		if (container_of(l, struct fs_context, sharers) < first)
			first = container_of(l, struct fs_context, sharers);
	spin_unlock(&ring_lock);
	return first;
}

void fs_context_copy(struct fs_context *to, struct fs_context *from)
{
	*to = (struct fs_context){ .umask = from->umask, .uid = from->uid, .gid = from->gid };
	spin_init(&to->lock, "fs context", RANK_LEAF);
	list_init(&to->sharers);
	spin_lock(&from->lock);
	to->root = vnode_ref(from->root);
	to->cwd = vnode_ref(from->cwd);
	to->groups = from->groups;
	if (to->groups)
		__atomic_add_fetch(&to->groups->refs, 1, __ATOMIC_RELAXED);
	spin_unlock(&from->lock);
	mount_use(to->root->mount);
	mount_use(to->cwd->mount);
}

void fs_context_drop(struct fs_context *fs)
{
	leave(fs->root);
	leave(fs->cwd);
	fs->root = fs->cwd = NULL;
	fs_context_set_groups(fs, NULL);
}
