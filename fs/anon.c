/*
 * fs/anon.c - files without a place; see anon.h.
 *
 * Their vnode has one reference of its own, so that it never goes.
 */
#include "fs/anon.h"
#include "fs/mount.h"

static int anon_statfs(struct mount *m, struct linux_statfs *s)
{
	(void)m;
	s->type = STATFS_ANON;
	return 0;
}

static struct mount anon_mount = { .type = "anon_inodefs", .source = "none", .statfs = anon_statfs };
static const struct vnode_ops anon_vnode_ops = { .open = NULL };
static struct vnode *anon_vnode;

int anon_init(void)
{
	mount_number(&anon_mount);
	anon_vnode = vnode_create(&anon_mount, &anon_vnode_ops, 1, 0600, 0);
	return anon_vnode ? 0 : -ENOMEM;
}

struct file *anon_file(const struct file_ops *ops, void *data, unsigned flags)
{
	struct file *f = anon_vnode ? file_new(ops, anon_vnode, flags) : NULL;

	if (f) {
		vnode_ref(anon_vnode);
		f->data = data;
	}
	return f;
}
