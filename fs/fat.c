/*
 * fs/fat.c - a FAT volume as a mounted file system: mount and the vnode operations on one file.  See fs/fat.h.
 *
 * What is kept of a directory is never out of date, and a node's place in memory stands for the file.
 * Where FAT cannot hold what is asked for, the answer is that of Linux's vfat, mounted for root with umask 022.
 */
#include "fs/fat.h"
#include "fs/vfs.h"
#include "lib/string.h"
#include "vm/heap.h"

static const struct vnode_ops fat_vnode_ops;

struct vnode *fat_vnode(struct fat_volume *vol, struct fat_node *n)
{
	struct vnode *v = n->vnode ? vnode_revive(n->vnode) : NULL;
	if (v)
		return v;
	v = vnode_create(&vol->mount, &fat_vnode_ops, n->ino, n->mode, 0);
	if (!v)
		return NULL;
	v->uid = n->uid;
	v->gid = n->gid;
	v->data = n;
	if (S_ISCHR(n->mode) || S_ISBLK(n->mode))
		v->rdev = n->start;
	n->vnode = v;
	spin_lock(&vol->chains);
	n->vnodes++;
	spin_unlock(&vol->chains);
	return v;
}

static int fat_lookup(struct vnode *dir, const char *name, size_t len, struct vnode **out)
{
	struct fat_volume *vol = fat_volume_of(dir);
	struct fat_node *parent = dir->data;
	mutex_lock(&vol->tree);
	int err = fat_dir_load(vol, parent);
	if (!err) {
		struct fat_node *n = fat_dir_find(parent->dir, name, len);
		*out = n ? fat_vnode(vol, n) : NULL;
		err = !n ? -ENOENT : *out ? 0 : -ENOMEM;
	}
	mutex_unlock(&vol->tree);
	return err;
}

/* Entries come and go under the directory's lock, which the caller has. */
static int fat_readdir(struct vnode *dir, uint64_t *pos, dirent_fn fn, void *context)
{
	struct fat_volume *vol = fat_volume_of(dir);
	struct fat_node *parent = dir->data;
	mutex_lock(&vol->tree);
	int err = fat_dir_load(vol, parent);
	mutex_unlock(&vol->tree);
	if (err)
		return err;
	list_for_each(l, &parent->dir->entries) {
		const struct fat_node *n = container_of(l, struct fat_node, order);
		if (n->pos < *pos)
			continue;
		*pos = n->pos;
		if (fn(context, n->name, n->name_len, n->ino, n->mode >> 12, n->pos + 1))
			return 0;
	}
	*pos = parent->dir->next_pos;
	return 0;
}

static ssize fat_readlink(struct vnode *v, char *to, size_t size)
{
	const struct fat_node *n = v->data;
	size_t len = n->size < size ? n->size : size;
	memcpy(to, n->target, len);
	return len;
}

static int fat_getattr(struct vnode *v, struct vattr *a)
{
	const struct fat_node *n = v->data;
	uint64_t cluster = 1u << fat_volume_of(v)->cluster_shift;
	a->nlink = !n->removed;			/* of a directory: not counted, as on btrfs */
	a->size = S_ISDIR(n->mode) ? cluster : n->size;
	a->blocks = S_ISREG(n->mode) || S_ISDIR(n->mode) ? (a->size + cluster - 1) / cluster * (cluster / 512) : 0;
	a->atime = a->mtime = a->ctime = (struct timespec64){ n->mtime, 0 };
	return 0;
}

/* The contents are needed from now on. */
static int need_object(struct vnode *v)
{
	struct fat_volume *vol = fat_volume_of(v);
	mutex_lock(&vol->tree);
	if (!v->object)
		v->object = fat_file_object(vol, v->data);
	mutex_unlock(&vol->tree);
	return v->object ? 0 : -ENOMEM;
}

static int fat_open(struct vnode *v, struct file *file)
{
	if (!S_ISREG(v->mode))
		return 0;
	file->ops = &fat_file_ops;
	return need_object(v);
}

void fat_node_changed(struct fat_volume *vol, struct fat_node *n)
{
	spin_lock(&vol->chains);
	n->mtime = vfs_now().sec;
	fat_update_entry(n);
	spin_unlock(&vol->chains);
}

void fat_node_unused(struct fat_volume *vol, struct fat_node *n)
{
	if (!n->removed || n->vnodes > 0 || (S_ISREG(n->mode) && n->file))
		return;
	if (S_ISREG(n->mode) || S_ISDIR(n->mode))
		fat_free_chain(vol, n->start);
	fat_node_free(n);
}

static void fat_release_vnode(struct vnode *v)
{
	struct fat_volume *vol = fat_volume_of(v);
	struct fat_node *n = v->data;
	struct object *o = v->object;
	mutex_lock(&vol->tree);
	if (n->vnode == v)			/* else a new one took its place while it was on its way out */
		n->vnode = NULL;
	spin_lock(&vol->chains);
	n->vnodes--;
	fat_node_unused(vol, n);
	spin_unlock(&vol->chains);
	mutex_unlock(&vol->tree);
	if (o)
		object_put(o);
}

/*
 * FAT keeps one bit of a mode: whether a file can be written.  chmod takes that from the bits for writing and leaves all others; if it asks for more it
 * is silently not done, as by vfat.
 */
static void change_mode(struct vnode *v, uint32_t mode)
{
	struct fat_node *n = v->data;
	uint32_t now = mode & 0777 & ~022u;
	if ((now & 0555) != (n->mode & 0555u) || (S_ISDIR(n->mode) && !(now & 0222)))
		return;
	v->mode = n->mode = (n->mode & S_IFMT) | now;
	if (n->line)
		fat_meta_set_mode(fat_volume_of(v), n->line, now);
}

static int fat_setattr(struct vnode *v, const struct vattr *a, unsigned which)
{
	struct fat_volume *vol = fat_volume_of(v);
	struct fat_node *n = v->data;
	if ((which & VATTR_UID && a->uid != n->uid) || (which & VATTR_GID && a->gid != n->gid) || (which & VATTR_MODE && a->mode & 07000))
		return -EPERM;
	if (which & VATTR_SIZE) {
		int error = need_object(v);
		return error ? error : fat_file_resize(v->object, a->size);
	}
	mutex_lock(&vol->tree);
	if (which & VATTR_MODE)
		change_mode(v, a->mode);
	spin_lock(&vol->chains);
	if (which & VATTR_MTIME)
		n->mtime = a->mtime.sec & ~1;
	fat_update_entry(n);
	spin_unlock(&vol->chains);
	mutex_unlock(&vol->tree);
	return 0;
}

/* A FAT file has no holes: to make it longer is all that there is to do.  Clusters beyond its end would be lost. */
static int fat_allocate(struct vnode *v, unsigned how, uint64_t from, uint64_t to)
{
	(void)from;
	if (how)
		return -EOPNOTSUPP;
	return to > v->object->size ? fat_file_resize(v->object, to) : 0;
}

static const struct vnode_ops fat_vnode_ops = {
	.lookup = fat_lookup, .create = fat_create, .unlink = fat_unlink, .rename = fat_rename, .readdir = fat_readdir, .readlink = fat_readlink,
	.getattr = fat_getattr, .setattr = fat_setattr, .allocate = fat_allocate, .open = fat_open, .release = fat_release_vnode,
};

static int fat_statfs(struct mount *m, struct linux_statfs *s)
{
	const struct fat_volume *vol = m->data;
	s->type = STATFS_MSDOS;
	s->bsize = s->frsize = 1 << vol->cluster_shift;
	s->blocks = vol->clusters;
	s->bfree = s->bavail = __atomic_load_n(&vol->free_clusters, __ATOMIC_RELAXED);
	return 0;
}

static struct fat_volume *volume_create(void *image, pfn_t first_frame)
{
	struct fat_volume *vol = kzalloc(sizeof(*vol));
	if (!vol)
		return NULL;
	vol->image = image;
	vol->first_frame = first_frame;
	mutex_init(&vol->tree, "fat tree", RANK_VNODE + 1);
	spin_init(&vol->chains, "fat chains", RANK_OBJECT + 1);
	vol->root = (struct fat_node){ .parent = &vol->root, .name = "", .mode = S_IFDIR | 0755, .ino = 1 };
	vol->last_ino = 1;
	vol->mount = (struct mount){ .type = "vfat", .source = "image", .flags = MOUNT_KEEP_VNODES | MOUNT_ONE_OWNER, .data = vol, .statfs = fat_statfs };
	return vol;
}

static void volume_free(struct fat_volume *vol)
{
	fat_dir_free(vol->root.dir);
	fat_meta_free(vol->meta);
	kfree(vol->hidden);
	kfree(vol->crossed);
	kfree(vol->linked);
	kfree(vol);
}

/* NULL, or why this is not a volume that can be mounted. */
static const char *volume_open(struct fat_volume *vol, size_t size)
{
	const char *why_not = fat_check_geometry(vol, size);
	if (why_not)
		return why_not;
	if (fat_survey(vol))
		return "there is not enough memory";
	if (vol->root_size == 0 && !fat_claim(vol, vol->root.start))
		return "its root directory is not where a chain begins";
	if (fat_meta_load(vol))
		return "there is not enough memory";
	vol->mount.root = fat_vnode(vol, &vol->root);
	return vol->mount.root ? NULL : "there is not enough memory";
}

struct mount *fat_mount(void *image, size_t size, pfn_t first_frame, const char **why_not)
{
	struct fat_volume *vol = volume_create(image, first_frame);
	*why_not = vol ? volume_open(vol, size) : "there is not enough memory";
	if (!*why_not)
		return &vol->mount;
	if (vol)
		volume_free(vol);
	return NULL;
}

void fat_unmount(struct mount *m)
{
	vnode_put(m->root);
	vnode_drop_idle();
	volume_free(m->data);
}
