/*
 * fs/mount.c - the mounted file systems; see mount.h.
 */
#include "fs/inotify.h"

static struct mutex mount_lock = { .rank = RANK_LEAF - 3, .name = "mounts" };
static struct list mount_list = LIST_INIT(mount_list);
static struct vnode *root_vnode;		/* set by the first vfs_mount */
static unsigned device_numbers, mount_ids;	/* atomic */

void mount_number(struct mount *m)
{
	uint64_t none = 0, dev = makedev64(0, __atomic_add_fetch(&device_numbers, 1, __ATOMIC_RELAXED));

	__atomic_compare_exchange_n(&m->dev, &none, dev, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

void fs_context_init(struct fs_context *fs)
{
	*fs = (struct fs_context){ .root = vnode_ref(root_vnode), .cwd = vnode_ref(root_vnode), .umask = 022, .rights = FS_RIGHTS_ALL };
	mount_use(root_vnode->mount);
	mount_use(root_vnode->mount);
	spin_init(&fs->lock, "fs context", RANK_LEAF);
	list_init(&fs->sharers);
}

/* ---- users ------------------------------------------------------------------------------------------------------------- */

/* Nobody uses it, and no path leads to it. */
static void end(struct mount *m)
{
	struct vnode *root = m->root;

	if (__atomic_exchange_n(&m->ended, true, __ATOMIC_ACQ_REL))
		return;
	notify_unmount(m);
	if (m->empty)
		m->empty(m);
	__atomic_store_n(&m->root, NULL, __ATOMIC_RELAXED);
	vnode_put(root);			/* the mount may be gone now */
}

void mount_use(struct mount *m)
{
	__atomic_add_fetch(&m->users, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&m->expiring, __ATOMIC_RELAXED))
		__atomic_store_n(&m->expiring, false, __ATOMIC_RELAXED);
}

void mount_unuse(struct mount *m)
{
	if (__atomic_sub_fetch(&m->users, 1, __ATOMIC_SEQ_CST) == 0 && m->root && !__atomic_load_n(&m->attached, __ATOMIC_SEQ_CST) && m->empty)
		end(m);
}

/* ---- coming and going -------------------------------------------------------------------------------------------------- */

/* mount_lock is held; on is NULL for the first one. */
static void attach(struct mount *m, struct vnode *on)
{
	m->id = __atomic_add_fetch(&mount_ids, 1, __ATOMIC_RELAXED);
	mount_number(m);
	m->ended = false;
	if (on)
		vnode_cover(vnode_ref(on), m);
	__atomic_store_n(&m->attached, true, __ATOMIC_SEQ_CST);
	list_append(&mount_list, &m->all);
}

/* With its lock and mount_lock held. */
static int check_place(const struct vnode *on)
{
	if (!S_ISDIR(on->mode))
		return -ENOTDIR;
	if (on->unlinked)
		return -ENOENT;
	return on->mount->attached ? 0 : -EINVAL;
}

int mount_attach(struct mount *m, struct vnode *on)
{
	int error;

	vnode_ref(on);
	do {
		on = vnode_cross_mounts(on);
		mutex_lock(&on->lock);
		mutex_lock(&mount_lock);
		error = on->covered_by ? -EAGAIN : check_place(on);		/* another was faster: on that one */
		if (!error)
			attach(m, on);
		mutex_unlock(&mount_lock);
		mutex_unlock(&on->lock);
	} while (error == -EAGAIN);
	vnode_put(on);
	return error;
}

int vfs_mount(const char *path, struct mount *m)
{
	struct fs_context fs;
	struct vnode *on;

	if (!root_vnode) {
		root_vnode = m->root;
		mutex_lock(&mount_lock);
		attach(m, NULL);
		mutex_unlock(&mount_lock);
		return 0;
	}
	fs_context_init(&fs);
	int error = vfs_walk(&fs, NULL, path, WALK_FOLLOW, &on);
	fs_context_drop(&fs);
	if (error)
		return error;
	error = mount_attach(m, on);
	vnode_put(on);
	return error;
}

void mount_discard(struct mount *m)
{
	end(m);
}

/* mount_lock is held: one that lies on a vnode of m, or NULL. */
static struct mount *child_of(const struct mount *m)
{
	list_for_each(l, &mount_list) {
		struct mount *child = container_of(l, struct mount, all);
		if (child->covers && child->covers->mount == m)
			return child;
	}
	return NULL;
}

/* mount_lock is held: no path leads to it any more, and only then may its last user end it.  What it covered and its root, which keeps it, are the caller's to put. */
static void cut_off(struct mount *m, struct list *cut)
{
	list_remove(&m->all);
	list_append(cut, &m->all);
	m->cut_root = vnode_ref(m->root);
	m->cut_from = vnode_uncover(m);
	__atomic_store_n(&m->attached, false, __ATOMIC_SEQ_CST);
}

/* mount_lock is held. */
static int check_detach(struct mount *m, enum detach_how how)
{
	if (!m->attached || !m->covers)
		return m->attached ? -EBUSY : -EINVAL;
	if (how == DETACH_LAZILY)
		return 0;
	if (__atomic_load_n(&m->users, __ATOMIC_SEQ_CST) || child_of(m))
		return -EBUSY;
	return how == DETACH_EXPIRED && !__atomic_exchange_n(&m->expiring, true, __ATOMIC_RELAXED) ? -EAGAIN : 0;
}

/* What lay on its directories goes with it. */
int mount_detach(struct mount *m, enum detach_how how)
{
	struct list cut = LIST_INIT(cut);

	mutex_lock(&mount_lock);
	int error = check_detach(m, how);
	if (!error)
		cut_off(m, &cut);
	for (struct list *l = cut.next; l != &cut; l = l->next)
		for (struct mount *child; (child = child_of(container_of(l, struct mount, all))); )
			cut_off(child, &cut);
	mutex_unlock(&mount_lock);

	for (struct list *l; (l = list_pop(&cut)); ) {
		struct mount *gone = container_of(l, struct mount, all);
		struct vnode *root = gone->cut_root;
		vnode_put(gone->cut_from);
		if (!__atomic_load_n(&gone->users, __ATOMIC_SEQ_CST) || !gone->empty)
			end(gone);
		vnode_put(root);
	}
	return error;
}

int mount_change(struct mount *m, unsigned flags, char *options)
{
	mutex_lock(&mount_lock);
	int error = !m->attached ? -EINVAL : flags & MOUNT_READONLY && !(m->flags & MOUNT_READONLY) && __atomic_load_n(&m->writers, __ATOMIC_RELAXED) ? -EBUSY : 0;
	if (!error && options && m->configure)
		error = m->configure(m, options, true);
	if (!error)
		__atomic_store_n(&m->flags, (m->flags & ~(unsigned)MOUNT_CHANGEABLE) | flags, __ATOMIC_RELAXED);
	mutex_unlock(&mount_lock);
	return error;
}

/* ---- looking ----------------------------------------------------------------------------------------------------------- */

void mount_for_each(void (*fn)(struct mount *, void *context), void *context)
{
	mutex_lock(&mount_lock);
	list_for_each(l, &mount_list)
		fn(container_of(l, struct mount, all), context);
	mutex_unlock(&mount_lock);
}

int mount_statfs(struct mount *m, struct linux_statfs *s)
{
	static const struct { unsigned flag, shown; } flags[] = {
		{ MOUNT_READONLY, STATFS_READONLY }, { MOUNT_NO_SETID, STATFS_NOSUID }, { MOUNT_NO_DEVICES, STATFS_NODEV }, { MOUNT_NO_EXEC, STATFS_NOEXEC },
		{ MOUNT_NO_ATIME, STATFS_NOATIME }, { MOUNT_NO_DIR_ATIME, STATFS_NODIRATIME },
	};

	*s = (struct linux_statfs){ .bsize = (int64_t)PAGE_SIZE, .frsize = (int64_t)PAGE_SIZE, .namelen = NAME_MAX_BYTES };
	s->flags = STATFS_VALID | (m->flags & MOUNT_NO_ATIME ? 0 : STATFS_RELATIME);
	for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
		s->flags |= m->flags & flags[i].flag ? flags[i].shown : 0;
	s->fsid[0] = (int32_t)m->dev;
	return m->statfs ? m->statfs(m, s) : 0;
}
