/*
 * fs/memfd.c - files without a place, and seals; see memfd.h.
 *
 * A seal takes a right away from everybody for ever.  They are the object's, and are heeded where contents change: by tmpfs in writing, cutting and
 * allocating, by vm/ in mmap and MADV_REMOVE.
 *
 * Lock: seals are set under the vnode's lock, which keeps writers out, and the object's, which keeps its mappings.
 */
#include "fs/memfd.h"
#include "fs/tmpfs.h"
#include "lib/string.h"
#include "vm/region.h"

struct mount *memfd_mount;

int memfd_init(void)
{
	memfd_mount = tmpfs_mount();
	if (!memfd_mount)
		return -ENOMEM;
	mount_use(memfd_mount);			/* it stays */
	mount_number(memfd_mount);
	return 0;
}

int memfd_open(struct fs_context *fs, const char *name, uint32_t permissions, unsigned seals, struct file **out)
{
	struct vnode *v;
	int error = tmpfs_create_node(tmpfs_of(memfd_mount->root), S_IFREG | permissions, 0, &v);

	if (error)
		return error;
	error = vnode_set_link(v, memfd_mount->root, name, strlen(name));
	v->unlinked = true;
	v->uid = fs->uid;
	v->gid = fs->gid;
	v->object->seals = seals;
	tmpfs_count_link(v, -1);
	if (!error)
		error = vfs_open_vnode(fs, v, OPEN_READ_WRITE, out);
	vnode_put(v);
	return error;
}

/* The object that has a file's seals, or NULL. */
static struct object *sealable(struct file *f)
{
	struct object *o = S_ISREG(f->vnode->mode) ? f->vnode->object : NULL;

	return o && !o->pager ? o : NULL;
}

long file_seals(struct file *f)
{
	struct object *o = sealable(f);

	return o ? (long)o->seals : -EINVAL;
}

/* object->lock is held. */
static int add_seals(struct object *o, unsigned seals, uint32_t mode)
{
	if (o->seals & SEAL_SEAL)
		return -EPERM;
	if (seals & SEAL_EXEC && mode & 0111)
		seals |= SEAL_SHRINK | SEAL_GROW | SEAL_WRITE | SEAL_FUTURE_WRITE;	/* a program that stays what it is */
	if (seals & ~o->seals & SEAL_WRITE && object_mapped_for_writing(o))
		return -EBUSY;
	o->seals |= seals;
	return 0;
}

int file_add_seals(struct file *f, unsigned seals)
{
	struct object *o = sealable(f);

	if (!file_writable(f))
		return -EPERM;
	if (!o || seals & ~(unsigned)SEAL_ALL)
		return -EINVAL;
	mutex_lock(&f->vnode->lock);
	spin_lock(&o->lock);
	int error = add_seals(o, seals, f->vnode->mode);
	spin_unlock(&o->lock);
	mutex_unlock(&f->vnode->lock);
	return error;
}
