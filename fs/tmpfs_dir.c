/*
 * fs/tmpfs_dir.c - directories of tmpfs: a list of entries in the order of their making, and a hash of their names; see tmpfs.h.
 *
 * An operation allocates first and changes after, so that one that fails has changed nothing.
 * A directory's link count is 2 and one for each directory in it.
 */
#include "fs/tmpfs.h"
#include "vm/heap.h"
#include "lib/assert.h"
#include "lib/string.h"

enum { FIRST_BUCKETS = 8 };

static uint32_t name_hash(const char *name, size_t len)		/* FNV-1a */
{
	uint32_t h = 2166136261u;
	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)name[i]) * 16777619u;
	return h;
}

static struct tmpfs_entry **entry_link(const struct tmpfs_dir *d, const char *name, size_t len)
{
	static struct tmpfs_entry *none;
	uint32_t hash = name_hash(name, len);

	if (!d->bucket)
		return &none;
	struct tmpfs_entry **at = &d->bucket[hash & d->mask];
	while (*at && ((*at)->hash != hash || (*at)->len != len || memcmp((*at)->name, name, len) != 0))
		at = &(*at)->chain;
	return at;
}

static struct tmpfs_entry *entry_find(const struct vnode *dir, const char *name, size_t len)
{
	return *entry_link(&tmpfs_node(dir)->dir, name, len);
}

/* More buckets when there are two entries for each; without memory for them the chains grow longer. -ENOMEM: there is none at all. */
static int make_room(struct tmpfs_dir *d)
{
	uint32_t n = d->bucket ? (d->mask + 1) * 4 : FIRST_BUCKETS;

	if (d->bucket && d->count <= d->mask * 2)
		return 0;
	struct tmpfs_entry **bucket = kzalloc(n * sizeof *bucket);
	if (!bucket)
		return d->bucket ? 0 : -ENOMEM;
	list_for_each(l, &d->entries) {
		struct tmpfs_entry *e = container_of(l, struct tmpfs_entry, order);
		e->chain = bucket[e->hash & (n - 1)];
		bucket[e->hash & (n - 1)] = e;
	}
	kfree(d->bucket);
	d->bucket = bucket;
	d->mask = n - 1;
	return 0;
}

/* Adds an entry, which takes over a reference to v; -ENOMEM. */
static int entry_add(struct vnode *dir, const char *name, size_t len, struct vnode *v)
{
	struct tmpfs_dir *d = &tmpfs_node(dir)->dir;
	struct tmpfs_entry *e = kmalloc(sizeof *e + len);

	if (!e || make_room(d)) {		/* the buckets last: those of an empty directory would never go */
		kfree(e);
		return -ENOMEM;
	}
	e->vnode = v;
	e->hash = name_hash(name, len);
	e->len = (uint8_t)len;
	e->pos = d->next_pos++;
	memcpy(e->name, name, len);
	e->chain = d->bucket[e->hash & d->mask];
	d->bucket[e->hash & d->mask] = e;
	list_append(&d->entries, &e->order);
	d->count++;
	tmpfs_changed(dir);
	return 0;
}

/* Takes the entry out; its reference to the vnode is the caller's now. */
static void entry_remove(struct vnode *dir, const char *name, size_t len)
{
	struct tmpfs_dir *d = &tmpfs_node(dir)->dir;
	struct tmpfs_entry **link = entry_link(d, name, len), *e = *link;

	assert(e);
	*link = e->chain;
	list_remove(&e->order);
	d->count--;
	kfree(e);
	if (d->count == 0) {
		kfree(d->bucket);
		d->bucket = NULL;
	}
	tmpfs_changed(dir);
}

int tmpfs_lookup(struct vnode *dir, const char *name, size_t len, struct vnode **out)
{
	struct tmpfs_entry *e = entry_find(dir, name, len);
	if (!e)
		return -ENOENT;
	*out = vnode_ref(e->vnode);
	return 0;
}

/* Enters a new node, whose one reference goes to the entry, and gives out another one. */
static int enter_new(struct vnode *dir, const char *name, size_t len, struct vnode *v, struct vnode **out)
{
	int error = entry_add(dir, name, len, v);
	if (error) {
		vnode_put(v);
		return error;
	}
	if (S_ISDIR(v->mode))
		tmpfs_count_link(dir, 1);
	*out = vnode_ref(v);
	return 0;
}

int tmpfs_create(struct vnode *dir, const char *name, size_t len, uint32_t mode, uint64_t rdev, struct vnode **out)
{
	struct vnode *v;
	int error = tmpfs_create_node(tmpfs_of(dir), mode, rdev, &v);
	return error ? error : enter_new(dir, name, len, v, out);
}

int tmpfs_symlink(struct vnode *dir, const char *name, size_t len, const char *target, struct vnode **out)
{
	size_t size = strlen(target) + 1;
	char *copy = kmalloc(size);
	struct vnode *v;
	int error = copy ? tmpfs_create_node(tmpfs_of(dir), S_IFLNK | 0777, 0, &v) : -ENOMEM;

	if (error) {
		kfree(copy);
		return error;
	}
	memcpy(copy, target, size);
	tmpfs_node(v)->target = copy;
	return enter_new(dir, name, len, v, out);
}

/* A file without a name. */
int tmpfs_temporary(struct vnode *dir, uint32_t mode, struct vnode **out)
{
	int error = tmpfs_create_node(tmpfs_of(dir), mode, 0, out);
	if (!error)
		tmpfs_count_link(*out, -1);
	return error;
}

int tmpfs_link(struct vnode *dir, const char *name, size_t len, struct vnode *to)
{
	int error = entry_add(dir, name, len, to);
	if (error)
		return error;
	vnode_ref(to);
	tmpfs_count_link(to, 1);
	return 0;
}

/* A name of v is gone from dir; v may be gone with it. */
static void lose_name(struct vnode *dir, struct vnode *v)
{
	bool directory = S_ISDIR(v->mode);

	tmpfs_count_link(v, directory ? -2 : -1);
	if (directory)
		tmpfs_count_link(dir, -1);
	vnode_put(v);
}

int tmpfs_unlink(struct vnode *dir, const char *name, size_t len, struct vnode *victim)
{
	if (S_ISDIR(victim->mode) && tmpfs_node(victim)->dir.count > 0)
		return -ENOTEMPTY;
	entry_remove(dir, name, len);
	lose_name(dir, victim);
	return 0;
}

/* The parent directories of v change: their link counts. */
static void move_count(struct vnode *v, struct vnode *from_dir, struct vnode *to_dir)
{
	if (S_ISDIR(v->mode) && from_dir != to_dir) {
		tmpfs_count_link(from_dir, -1);
		tmpfs_count_link(to_dir, 1);
	}
}

int tmpfs_rename(struct vnode *from_dir, const char *from, size_t from_len, struct vnode *moved,
	struct vnode *to_dir, const char *to, size_t to_len, struct vnode *replaced, bool exchange)
{
	if (!replaced) {
		int error = entry_add(to_dir, to, to_len, moved);
		if (error)
			return error;
	} else {
		if (!exchange && S_ISDIR(replaced->mode) && tmpfs_node(replaced)->dir.count > 0)
			return -ENOTEMPTY;
		entry_find(to_dir, to, to_len)->vnode = moved;
		tmpfs_changed(to_dir);
	}
	move_count(moved, from_dir, to_dir);
	tmpfs_count_link(moved, 0);
	if (exchange) {
		entry_find(from_dir, from, from_len)->vnode = replaced;
		tmpfs_changed(from_dir);
		move_count(replaced, to_dir, from_dir);
		tmpfs_count_link(replaced, 0);
		return 0;
	}
	entry_remove(from_dir, from, from_len);
	if (replaced)
		lose_name(to_dir, replaced);
	return 0;
}

/* The entries of dir are added to the list, and their references to vnodes with them; nothing is made there any more. */
static void take_entries(struct vnode *dir, struct list *to)
{
	struct tmpfs_dir *d = &tmpfs_node(dir)->dir;

	mutex_lock_nested(&dir->lock);		/* whoever gave up the last use may hold that of a directory elsewhere */
	vnode_lose_name(dir);
	for (struct list *l; (l = list_pop(&d->entries)); )
		list_append(to, l);
	kfree(d->bucket);
	d->bucket = NULL;
	d->count = 0;
	mutex_unlock(&dir->lock);
}

void tmpfs_empty(struct mount *m)
{
	struct list all = LIST_INIT(all);

	take_entries(m->root, &all);
	for (struct list *l; (l = list_pop(&all)); ) {
		struct tmpfs_entry *e = container_of(l, struct tmpfs_entry, order);
		if (S_ISDIR(e->vnode->mode))
			take_entries(e->vnode, &all);
		vnode_put(e->vnode);
		kfree(e);
	}
}

int tmpfs_readdir(struct vnode *dir, uint64_t *pos, dirent_fn fn, void *context)
{
	struct tmpfs_dir *d = &tmpfs_node(dir)->dir;

	list_for_each(l, &d->entries) {
		struct tmpfs_entry *e = container_of(l, struct tmpfs_entry, order);
		if (e->pos < *pos)
			continue;
		*pos = e->pos;
		if (fn(context, e->name, e->len, e->vnode->ino, (e->vnode->mode & S_IFMT) >> 12, e->pos + 1))
			return 0;
	}
	*pos = d->next_pos;
	return 0;
}
