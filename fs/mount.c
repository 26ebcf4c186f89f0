/*
 * fs/mount.c - the mounted file systems; see mount.h.
 */
#include "fs/vfs.h"
#include "lib/string.h"

struct list mount_list = LIST_INIT(mount_list);
static struct vnode *root_vnode;		/* set by the first vfs_mount */
static unsigned mount_numbers;			/* atomic */

void mount_number(struct mount *m)
{
	uint64_t none = 0, dev = makedev64(0, __atomic_add_fetch(&mount_numbers, 1, __ATOMIC_RELAXED));

	__atomic_compare_exchange_n(&m->dev, &none, dev, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

void fs_context_init(struct fs_context *fs)
{
	*fs = (struct fs_context){ .root = vnode_ref(root_vnode), .cwd = vnode_ref(root_vnode), .umask = 022 };
	spin_init(&fs->lock, "fs context", RANK_LEAF);
}

static int find_mount_point(const char *path, struct vnode **out)
{
	struct fs_context fs;

	fs_context_init(&fs);
	int error = vfs_walk(&fs, NULL, path, WALK_FOLLOW, out);
	fs_context_drop(&fs);
	if (error || (S_ISDIR((*out)->mode) && (*out)->mount->root != *out))
		return error;
	error = S_ISDIR((*out)->mode) ? -EBUSY : -ENOTDIR;
	vnode_put(*out);
	return error;
}

int vfs_mount(const char *path, struct mount *m)
{
	if (strlen(path) >= sizeof m->path)
		return -ENAMETOOLONG;
	if (!root_vnode) {
		root_vnode = m->root;
	} else {
		int error = find_mount_point(path, &m->covers);
		if (error)
			return error;
		m->covers->covered_by = m;
	}
	memcpy(m->path, path, strlen(path) + 1);
	mount_number(m);
	list_append(&mount_list, &m->all);
	return 0;
}

int mount_statfs(struct mount *m, struct linux_statfs *s)
{
	*s = (struct linux_statfs){ .bsize = (int64_t)PAGE_SIZE, .frsize = (int64_t)PAGE_SIZE, .namelen = NAME_MAX_BYTES };
	s->flags = STATFS_VALID | STATFS_RELATIME | (m->flags & MOUNT_READONLY ? STATFS_READONLY : 0);
	s->fsid[0] = (int32_t)m->dev;
	return m->statfs ? m->statfs(m, s) : 0;
}
