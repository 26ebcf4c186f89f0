/*
 * fs/vnode.c - the life of vnodes, and their place in the tree of names; see vnode.h.
 *
 * The step of a reference count from 1 to 0, and back, happens under vnode_idle_lock, so that vnode_revive and the last vnode_put agree on
 * who wins.  A vnode at 0 is either in the idle list or on its way out.
 *
 * A child holds a reference to the directory that it was found in.  Where the directory's file system keeps its children by reference too
 * (tmpfs), unlink cuts that side of the circle.
 *
 * Locks: vnode_idle_lock and vnode_links_lock are leaves: nothing is taken under them.
 */
#include "fs/vfs.h"
#include "vm/heap.h"
#include "lib/assert.h"
#include "lib/string.h"

enum { IDLE_MAX = 1024 };

static struct spinlock vnode_idle_lock = SPINLOCK_INIT("vnode_idle", RANK_LEAF);
static struct spinlock vnode_links_lock = SPINLOCK_INIT("vnode_links", RANK_LEAF);
static struct list idle_vnodes = LIST_INIT(idle_vnodes);	/* the longest idle first; vnode_idle_lock, as the next two */
static size_t idle_count, live_count;

struct vnode *vnode_create(struct mount *mount, const struct vnode_ops *ops, uint64_t ino, uint32_t mode, size_t extra)
{
	struct vnode *v = kzalloc(sizeof *v + extra);
	if (!v)
		return NULL;
	v->ops = ops;
	v->mount = mount;
	mutex_init(&v->lock, "vnode", RANK_VNODE);
	v->refs = 1;
	v->mode = mode;
	v->ino = ino;
	v->data = extra ? v + 1 : NULL;
	list_init(&v->idle);
	__atomic_add_fetch(&mount->vnodes, 1, __ATOMIC_RELAXED);
	spin_lock(&vnode_idle_lock);
	live_count++;
	spin_unlock(&vnode_idle_lock);
	return v;
}

struct vnode *vnode_ref(struct vnode *v)
{
	assert(v->refs > 0);
	__atomic_add_fetch(&v->refs, 1, __ATOMIC_RELAXED);
	return v;
}

struct vnode *vnode_revive(struct vnode *v)
{
	spin_lock(&vnode_idle_lock);
	if (v->refs == 0 && list_empty(&v->idle)) {
		v = NULL;
	} else if (__atomic_fetch_add(&v->refs, 1, __ATOMIC_RELAXED) == 0) {
		list_remove(&v->idle);
		idle_count--;
		live_count++;
	}
	spin_unlock(&vnode_idle_lock);
	return v;
}

static void lose_vnode(struct mount *m)
{
	if (__atomic_sub_fetch(&m->vnodes, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	kfree(m->own_source);
	m->own_source = NULL;
	if (m->free)
		m->free(m);
}

/* Nobody has it any more: frees it, and hands over the reference to its parent. */
static struct vnode *release(struct vnode *v)
{
	struct vnode *parent = v->parent;

	if (v->watched)
		v->watched->gone(v);
	assert(v->refs == 0 && !v->covered_by && !v->pipe && !v->locks);
	if (v->ops->release)
		v->ops->release(v);
	lose_vnode(v->mount);
	kfree(v->name);
	kfree(v);
	return parent;
}

/* Gives up one reference.  Returns the vnode that has to be released for it, if any. */
static struct vnode *drop(struct vnode *v)
{
	unsigned refs = __atomic_load_n(&v->refs, __ATOMIC_RELAXED);
	struct vnode *out = NULL;

	assert(refs > 0);
	while (refs > 1)
		if (__atomic_compare_exchange_n(&v->refs, &refs, refs - 1, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
			return NULL;

	spin_lock(&vnode_idle_lock);
	if (__atomic_sub_fetch(&v->refs, 1, __ATOMIC_ACQ_REL) == 0) {
		live_count--;
		out = v;
		if (v->mount->flags & MOUNT_KEEP_VNODES && !v->unlinked) {
			list_append(&idle_vnodes, &v->idle);
			out = ++idle_count > IDLE_MAX ? container_of(list_pop(&idle_vnodes), struct vnode, idle) : NULL;
			idle_count -= out != NULL;
		}
	}
	spin_unlock(&vnode_idle_lock);
	return out;
}

void vnode_put(struct vnode *v)
{
	while (v) {
		struct vnode *dead = drop(v);
		v = dead ? release(dead) : NULL;
	}
}

size_t vnode_drop_idle(void)
{
	for (size_t n = 0;; n++) {
		spin_lock(&vnode_idle_lock);
		struct list *first = list_pop(&idle_vnodes);
		idle_count -= first != NULL;
		spin_unlock(&vnode_idle_lock);
		if (!first)
			return n;
		vnode_put(release(container_of(first, struct vnode, idle)));
	}
}

size_t vnode_count(void)
{
	return __atomic_load_n(&live_count, __ATOMIC_RELAXED);
}

/* ---- writers and programs ------------------------------------------------------------------------------------------------- */

/* One step away from zero, unless the count is on the other side of it. */
static int step(int *count, int direction)
{
	int old = __atomic_load_n(count, __ATOMIC_RELAXED);
	do {
		if (old * direction < 0)
			return -ETXTBSY;
	} while (!__atomic_compare_exchange_n(count, &old, old + direction, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
	return 0;
}

int  vnode_begin_write(struct vnode *v)
{
	int error = step(&v->writers, 1);

	if (!error)
		__atomic_add_fetch(&v->mount->writers, 1, __ATOMIC_RELAXED);
	return error;
}

void vnode_end_write(struct vnode *v)
{
	__atomic_sub_fetch(&v->mount->writers, 1, __ATOMIC_RELAXED);
	__atomic_sub_fetch(&v->writers, 1, __ATOMIC_ACQ_REL);
}

int  vnode_begin_run(struct vnode *v)   { return step(&v->writers, -1); }
void vnode_end_run(struct vnode *v)     { __atomic_add_fetch(&v->writers, 1, __ATOMIC_ACQ_REL); }

/* ---- names ------------------------------------------------------------------------------------------------------------- */

char *vnode_copy_name(const char *name, size_t len)
{
	char *copy = kmalloc(len + 1);
	if (copy) {
		memcpy(copy, name, len);
		copy[len] = '\0';
	}
	return copy;
}

void vnode_use_link(struct vnode *v, struct vnode *dir, char *name)
{
	vnode_ref(dir);
	spin_lock(&vnode_links_lock);
	char *old_name = v->name;
	struct vnode *old_parent = v->parent;
	v->name = name;
	v->parent = dir;
	v->unlinked = false;
	spin_unlock(&vnode_links_lock);

	kfree(old_name);
	vnode_put(old_parent);
}

int vnode_set_link(struct vnode *v, struct vnode *dir, const char *name, size_t len)
{
	char *copy = vnode_copy_name(name, len);
	if (!copy)
		return -ENOMEM;
	vnode_use_link(v, dir, copy);
	return 0;
}

bool vnode_lose_link(struct vnode *v, const struct vnode *dir, const char *name, size_t len)
{
	spin_lock(&vnode_links_lock);
	bool known = v->parent == dir && v->name && strlen(v->name) == len && memcmp(v->name, name, len) == 0;
	if (known)
		v->unlinked = true;
	spin_unlock(&vnode_links_lock);
	return known;
}

struct vnode *vnode_watched_parent(struct vnode *v, char *name, bool *unlinked)
{
	struct vnode *dir = NULL;

	spin_lock(&vnode_links_lock);
	if (v->parent && v->parent->watched && v->name) {
		dir = vnode_ref(v->parent);
		memcpy(name, v->name, strlen(v->name) + 1);
		*unlinked = v->unlinked;
	}
	spin_unlock(&vnode_links_lock);
	return dir;
}

void vnode_lose_name(struct vnode *v)
{
	spin_lock(&vnode_links_lock);
	v->unlinked = true;
	spin_unlock(&vnode_links_lock);
}

struct vnode *vnode_cross_mounts(struct vnode *v)
{
	while (__atomic_load_n(&v->covered_by, __ATOMIC_RELAXED)) {
		spin_lock(&vnode_links_lock);
		struct vnode *root = v->covered_by ? vnode_ref(v->covered_by->root) : NULL;
		spin_unlock(&vnode_links_lock);
		if (!root)
			break;
		vnode_put(v);
		v = root;
	}
	return v;
}

void vnode_cover(struct vnode *dir, struct mount *m)
{
	spin_lock(&vnode_links_lock);
	m->covers = dir;
	dir->covered_by = m;
	spin_unlock(&vnode_links_lock);
}

struct vnode *vnode_uncover(struct mount *m)
{
	spin_lock(&vnode_links_lock);
	struct vnode *dir = m->covers;
	dir->covered_by = NULL;
	m->covers = NULL;
	spin_unlock(&vnode_links_lock);
	return dir;
}

bool vnode_is_below(const struct vnode *v, const struct vnode *above)
{
	spin_lock(&vnode_links_lock);
	while (v && v != above)
		v = v->parent;
	spin_unlock(&vnode_links_lock);
	return v;
}

/* From the root of a mount to the directory that it covers, down to the lowest mount. */
static struct vnode *below_mounts(struct vnode *v)
{
	while (v == v->mount->root && v->mount->covers)
		v = v->mount->covers;
	return v;
}

struct vnode *vnode_parent(struct vnode *v)
{
	spin_lock(&vnode_links_lock);
	struct vnode *below = below_mounts(v);
	struct vnode *parent = vnode_ref(below->parent ? below->parent : v);
	spin_unlock(&vnode_links_lock);
	return parent;
}

/* Writes the path in front of `end`, not below `to`; returns where it begins, or NULL: no room. */
static char *path_before(struct vnode *root, struct vnode *v, char *to, char *end)
{
	char *at = end;

	while (v != root) {
		v = below_mounts(v);
		if (v == root || !v->parent)
			break;
		size_t len = strlen(v->name);
		if ((size_t)(at - to) < len + 1)
			return NULL;
		at -= len;
		memcpy(at, v->name, len);
		*--at = '/';
		v = v->parent;
	}
	if (at == end) {
		if (at == to)
			return NULL;
		*--at = '/';
	}
	return at;
}

ssize vnode_path(struct vnode *root, struct vnode *v, char *to, size_t size)
{
	static const char deleted[] = " (deleted)";
	char *at = NULL;

	spin_lock(&vnode_links_lock);
	const char *tail = v->unlinked ? deleted : "";
	size_t tail_size = strlen(tail) + 1;
	if (size > tail_size) {
		char *end = to + size - tail_size;
		memcpy(end, tail, tail_size);
		at = path_before(root, v, to, end);
	}
	spin_unlock(&vnode_links_lock);
	if (!at)
		return -ERANGE;
	size_t len = (size_t)(to + size - at);
	memmove(to, at, len);
	return (ssize)len - 1;
}

/* One after the other, so that the path that was found last is the one that stays. */
static struct mutex naming = { .rank = RANK_LEAF - 2, .name = "object names" };

/* naming is held. */
static int name_object(struct vnode *v)
{
	struct object *o = v->object;
	char *path = kmalloc(PATH_MAX_BYTES);
	if (!path)
		return -ENOMEM;
	ssize len = vnode_path(NULL, v, path, PATH_MAX_BYTES);
	char *name = len < 0 ? NULL : vnode_copy_name(path, (size_t)len);
	kfree(path);
	if (!name)
		return len < 0 ? 0 : -ENOMEM;
	spin_lock(&o->lock);
	char *old = o->name;
	o->name = name;
	o->dev = v->mount->dev;
	o->ino = v->ino;
	spin_unlock(&o->lock);
	kfree(old);
	return 0;
}

int vnode_name_object(struct vnode *v)
{
	mutex_lock(&naming);
	int error = name_object(v);
	mutex_unlock(&naming);
	return error;
}

void vnode_path_changed(struct vnode *v)
{
	mutex_lock(&naming);
	if (v->object && v->object->name)
		name_object(v);
	mutex_unlock(&naming);
}
