/*
 * fs/permission.c - who may do what with a file: owner, group and others, and the groups that a process is a member of.
 *
 * What a context says of its user is what Linux calls the fs ids; its rights override the bits.
 *
 * Lock: fs->lock guards which list of groups a context has; a list never changes, and lives as long as a context or a reader has it.
 */
#include "fs/vfs.h"
#include "vm/heap.h"

struct group_list *group_list_create(size_t n)
{
	struct group_list *list = kmalloc(sizeof *list + n * sizeof list->id[0]);

	if (list)
		*list = (struct group_list){ .refs = 1, .n = n };
	return list;
}

void group_list_put(struct group_list *list)
{
	if (list && __atomic_sub_fetch(&list->refs, 1, __ATOMIC_ACQ_REL) == 0)
		kfree(list);
}

/* Heap sort: many groups come from a program, and may come in any order. */
static void sift_down(uint32_t *id, size_t root, size_t n)
{
	for (size_t child; (child = 2 * root + 1) < n; root = child) {
		if (child + 1 < n && id[child] < id[child + 1])
			child++;
		if (id[root] >= id[child])
			return;
		uint32_t swap = id[root];
		id[root] = id[child];
		id[child] = swap;
	}
}

void group_list_sort(struct group_list *list)
{
	for (size_t i = list->n / 2; i-- > 0; )
		sift_down(list->id, i, list->n);
	for (size_t n = list->n; n-- > 1; ) {
		uint32_t largest = list->id[0];
		list->id[0] = list->id[n];
		list->id[n] = largest;
		sift_down(list->id, 0, n);
	}
}

struct group_list *fs_context_groups(struct fs_context *fs)
{
	spin_lock(&fs->lock);
	struct group_list *list = fs->groups;
	if (list)
		__atomic_add_fetch(&list->refs, 1, __ATOMIC_RELAXED);
	spin_unlock(&fs->lock);
	return list;
}

void fs_context_set_groups(struct fs_context *fs, struct group_list *list)
{
	spin_lock(&fs->lock);
	struct group_list *old = fs->groups;
	fs->groups = list;
	spin_unlock(&fs->lock);
	group_list_put(old);
}

static bool has_group(const struct group_list *list, uint32_t gid)
{
	size_t low = 0, high = list->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (list->id[middle] == gid)
			return true;
		if (list->id[middle] < gid)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

bool fs_context_in_group(struct fs_context *fs, uint32_t gid)
{
	if (gid == fs->gid)
		return true;
	if (!__atomic_load_n(&fs->groups, __ATOMIC_RELAXED))
		return false;
	spin_lock(&fs->lock);
	bool member = fs->groups && has_group(fs->groups, gid);
	spin_unlock(&fs->lock);
	return member;
}

/* Do the context's rights make up for the bits?  What nobody may run nobody does. */
static bool overrides(const struct fs_context *fs, uint32_t mode, unsigned may)
{
	if (fs_has(fs, FS_READ_SEARCH) && (S_ISDIR(mode) ? !(may & MAY_WRITE) : may == MAY_READ))
		return true;
	return fs_has(fs, FS_OVERRIDE) && (S_ISDIR(mode) || !(may & MAY_EXECUTE) || mode & 0111);
}

int vfs_permission(struct fs_context *fs, const struct vnode *v, unsigned may)
{
	unsigned granted = v->mode;

	if (may & MAY_WRITE && v->mount->flags & MOUNT_READONLY && (S_ISREG(v->mode) || S_ISDIR(v->mode) || S_ISLNK(v->mode)))
		return -EROFS;
	if (v->uid == fs->uid)
		granted >>= 6;
	else if ((granted >> 3 ^ granted) & may & 7 && fs_context_in_group(fs, v->gid))	/* else the group makes no difference */
		granted >>= 3;
	return may & ~granted & 7 && (v->strict || !overrides(fs, v->mode, may)) ? -EACCES : 0;
}

uint32_t vfs_mode_after_change(struct fs_context *fs, const struct vnode *v)
{
	uint32_t mode = v->mode;

	if (!S_ISREG(mode) || fs_has(fs, FS_SET_ID))
		return mode;
	return vfs_mode_without_set_ids(fs, v);
}

uint32_t vfs_mode_without_set_ids(struct fs_context *fs, const struct vnode *v)
{
	uint32_t mode = v->mode & ~(uint32_t)S_ISUID;

	if (mode & S_ISGID && (mode & S_IXGRP || (!fs_has(fs, FS_SET_ID) && !fs_context_in_group(fs, v->gid))))
		mode &= ~(uint32_t)S_ISGID;
	return mode;
}
