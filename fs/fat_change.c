/*
 * fs/fat_change.c - create, unlink and rename: on disk and in the nodes.
 *
 * Each allocates and finds room first and changes after, so that one that fails has changed nothing but, perhaps, the length of a directory.
 * What the disk shows between two steps is consistent: a new entry is written with all that belongs to it, a file that is renamed over another
 * takes that one's entry.
 *
 * FAT has no links, devices and owners, and gives all files one mode, as Linux's vfat does.  What is in the manifest alone can be removed
 * but not renamed (-EPERM): its new name would have no place.
 *
 * Locks: volume->tree for all of it; the vnodes of the directories are locked by the caller.
 */
#include "fs/fat.h"
#include "fs/vfs.h"
#include "lib/string.h"
#include "vm/heap.h"

static bool is_manifest(const struct fat_volume *vol, const struct fat_node *dir, const char *name, size_t len)
{
	return dir == &vol->root && len == strlen(FAT_META_NAME) && memcmp(name, FAT_META_NAME, len) == 0;
}

/* An empty directory on disk and in memory. */
static int make_directory(struct fat_volume *vol, struct fat_node *n)
{
	n->dir = fat_dir_create();
	if (!n->dir)
		return -ENOMEM;
	spin_lock(&vol->chains);
	n->start = fat_append(vol, 0);
	spin_unlock(&vol->chains);
	if (n->start == 0)
		return -ENOSPC;
	fat_write_dots(vol, n);
	return 0;
}

/* The vnode of a new node, which has no name yet: it goes with its vnode, until that has changed. */
static struct vnode *new_vnode(struct fat_volume *vol, struct fat_node *parent, const char *name, size_t len, uint32_t mode)
{
	struct fat_node *n = fat_node_create(vol, parent, name, len, 0);
	if (!n)
		return NULL;
	n->mode = (mode & S_IFMT) | 0755;
	n->mtime = vfs_now().sec;
	n->removed = true;
	n->dir = NULL;
	struct vnode *v = fat_vnode(vol, n);
	if (v)
		v->unlinked = true;
	else
		fat_node_free(n);
	return v;
}

int fat_create(struct vnode *dir, const char *name, size_t len, uint32_t mode, uint64_t rdev, struct vnode **out)
{
	struct fat_volume *vol = fat_volume_of(dir);
	struct fat_node *parent = dir->data;
	uint8_t *slot;
	(void)rdev;
	if ((!S_ISREG(mode) && !S_ISDIR(mode)) || is_manifest(vol, parent, name, len))
		return -EPERM;
	mutex_lock(&vol->tree);
	struct vnode *v = new_vnode(vol, parent, name, len, mode);
	struct fat_node *n = v ? v->data : NULL;
	int error = v ? 0 : -ENOMEM;
	if (!error && S_ISDIR(mode))
		error = make_directory(vol, n);
	if (!error)
		error = fat_add_entry(vol, parent, name, len, NULL, &slot);
	if (!error) {
		spin_lock(&vol->chains);
		n->slot = slot;
		fat_update_entry(n);
		n->removed = v->unlinked = false;
		spin_unlock(&vol->chains);
		fat_dir_enter(parent->dir, n);
		fat_node_changed(vol, parent);
		*out = v;
	}
	mutex_unlock(&vol->tree);
	if (error)
		vnode_put(v);
	return error;
}

/* Has it users beside the one who removes it?  It has no name any more: nobody begins to use it, but who does already.  volume->chains held. */
static bool is_in_use(const struct fat_node *n)
{
	const struct vnode *v = n->vnode;
	if (__atomic_load_n(&v->refs, __ATOMIC_RELAXED) > 1)
		return true;
	return S_ISREG(n->mode) && n->file && (!v->object || __atomic_load_n(&v->object->refs, __ATOMIC_RELAXED) > 1);
}

/* The node has no name any more.  Its entry goes too, unless another node has that now. */
static void remove_node(struct fat_volume *vol, struct fat_node *n, bool keep_entry)
{
	fat_dir_leave(n->parent->dir, n);
	spin_lock(&vol->chains);
	if (n->slot && !keep_entry)
		fat_remove_entry(vol, n->parent, n->slot);
	n->slot = NULL;
	n->removed = true;
	n->vnode->unlinked = true;
	if (n->start && (S_ISREG(n->mode) || S_ISDIR(n->mode)) && is_in_use(n))
		fat_hide_chain(vol, n->start);
	spin_unlock(&vol->chains);
	if (n->line && !keep_entry)
		fat_meta_blank(vol, n->line);
	fat_node_changed(vol, n->parent);
}

/* 0; -ENOTEMPTY: a directory that holds something. */
static int check_empty(struct fat_volume *vol, struct fat_node *n)
{
	int error = S_ISDIR(n->mode) ? fat_dir_load(vol, n) : 0;
	return !error && S_ISDIR(n->mode) && n->dir->count > 0 ? -ENOTEMPTY : error;
}

int fat_unlink(struct vnode *dir, const char *name, size_t len, struct vnode *victim)
{
	struct fat_volume *vol = fat_volume_of(dir);
	struct fat_node *n = victim->data;
	(void)name, (void)len;
	mutex_lock(&vol->tree);
	int error = check_empty(vol, n);
	if (!error)
		remove_node(vol, n, false);
	mutex_unlock(&vol->tree);
	return error;
}

/* Nothing fails here: n's entry becomes `slot`, in the directory `to`, under `name`, in place of the node `old`, if there is one. */
static void move_node(struct fat_volume *vol, struct fat_node *n, struct fat_node *to, uint8_t *slot, char *name, size_t len, struct fat_node *old)
{
	struct fat_node *from = n->parent;
	bool taken_over = old && old->slot == slot;
	spin_lock(&vol->chains);
	slot[11] = n->slot[11];
	memcpy(slot + 13, n->slot + 13, FAT_SLOT - 13);
	fat_remove_entry(vol, from, n->slot);
	n->slot = slot;
	spin_unlock(&vol->chains);
	if (n->line)
		fat_meta_blank(vol, n->line);
	n->line = taken_over ? old->line : 0;
	if (n->line)
		fat_meta_set_mode(vol, n->line, n->mode & 07777);
	if (old)
		remove_node(vol, old, taken_over);
	fat_dir_leave(from->dir, n);
	fat_node_rename(n, name, len);
	n->parent = to;
	fat_dir_enter(to->dir, n);
	if (S_ISDIR(n->mode))
		fat_move_dots(vol, n);
	fat_node_changed(vol, from);
	fat_node_changed(vol, to);
}

int fat_rename(struct vnode *from_dir, const char *from, size_t from_len, struct vnode *moved,
	struct vnode *to_dir, const char *to, size_t to_len, struct vnode *replaced, bool exchange)
{
	struct fat_volume *vol = fat_volume_of(to_dir);
	struct fat_node *n = moved->data, *old = replaced ? replaced->data : NULL, *parent = to_dir->data;
	uint8_t *slot = old ? old->slot : NULL;
	(void)from_dir, (void)from, (void)from_len;
	if (exchange)
		return -EINVAL;
	if (!n->slot || is_manifest(vol, parent, to, to_len))
		return -EPERM;
	char *name = kmalloc(to_len);
	if (!name)
		return -ENOMEM;
	memcpy(name, to, to_len);
	mutex_lock(&vol->tree);
	int error = S_ISDIR(n->mode) ? fat_meta_below(vol, n) : 0;
	if (error > 0)
		error = -EXDEV;
	if (!error && S_ISDIR(n->mode) && !n->start)
		error = -EIO;
	if (!error && old)
		error = check_empty(vol, old);
	if (!error && !slot)
		error = fat_add_entry(vol, parent, to, to_len, n->slot, &slot);
	if (!error)
		move_node(vol, n, parent, slot, name, to_len, old);
	mutex_unlock(&vol->tree);
	if (error)
		kfree(name);
	return error;
}
