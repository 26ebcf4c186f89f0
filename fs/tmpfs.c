/*
 * fs/tmpfs.c - files that live in memory: the mount, nodes, attributes, contents; see tmpfs.h.
 *
 * Contents are an object without a pager: its pages start zeroed, and read(), write() and mmap use the same ones.  A mount holds at most
 * half of the machine's memory.  Pages that may come by a write are reserved before it; those that come and go through a mapping (faults,
 * MADV_REMOVE) are counted when the file is next written, cut or freed.
 *
 * Writers of one file are kept apart by its vnode->lock, which is also held while the bytes come from the user: a fault on the way takes the
 * locks of spaces and objects, never one of a vnode.
 */
#include "fs/tmpfs.h"
#include "fs/xattr.h"
#include "vm/mmap.h"
#include "vm/frame.h"
#include "vm/heap.h"
#include "vm/reclaim.h"
#include "lib/assert.h"
#include "lib/string.h"

static const struct file_ops tmpfs_file_ops;

/* ---- counting ---------------------------------------------------------------------------------------------------------- */

/* Counts up to n pages that are to come, as far as there is room for them; how many. */
static size_t reserve(struct tmpfs *fs, size_t n)
{
	spin_lock(&fs->lock);
	size_t room = fs->charged < fs->limit ? fs->limit - fs->charged : 0;
	if (n > room)
		n = room;
	fs->charged += n;
	spin_unlock(&fs->lock);
	return n;
}

/* Brings the mount's count of pages up to date for this file, for which so many had been reserved. */
static void charge(struct vnode *v, size_t npages, size_t reserved)
{
	struct tmpfs *fs = tmpfs_of(v);
	struct tmpfs_node *node = tmpfs_node(v);

	spin_lock(&fs->lock);
	fs->charged += npages - node->charged - reserved;
	node->charged = npages;
	spin_unlock(&fs->lock);
}

void tmpfs_changed(struct vnode *v)
{
	struct timespec64 now = vfs_now();
	struct tmpfs *fs = tmpfs_of(v);

	spin_lock(&fs->lock);
	tmpfs_node(v)->mtime = tmpfs_node(v)->ctime = now;
	spin_unlock(&fs->lock);
}

void tmpfs_count_link(struct vnode *v, int n)
{
	struct timespec64 now = vfs_now();
	struct tmpfs *fs = tmpfs_of(v);

	spin_lock(&fs->lock);
	tmpfs_node(v)->nlink += (uint32_t)n;
	tmpfs_node(v)->ctime = now;
	spin_unlock(&fs->lock);
}

static bool is_before(const struct timespec64 *a, const struct timespec64 *b)
{
	return a->sec < b->sec || (a->sec == b->sec && a->nsec <= b->nsec);
}

/* As Linux's relatime: a read is noted only if none has been since the last change. The look without the lock may see half of a change, and be wrong once. */
static void accessed(struct vnode *v)
{
	struct tmpfs_node *node = tmpfs_node(v);
	struct timespec64 now;

	if (!is_before(&node->atime, &node->mtime) || v->mount->flags & MOUNT_NO_ATIME)
		return;
	now = vfs_now();
	spin_lock(&tmpfs_of(v)->lock);
	node->atime = now;
	spin_unlock(&tmpfs_of(v)->lock);
}

/* ---- contents ---------------------------------------------------------------------------------------------------------- */

static ssize tmpfs_read(struct file *f, struct uio *uio, uint64_t *pos)
{
	ssize n = object_read(f->vnode->object, uio, *pos);
	if (n > 0)
		*pos += (uint64_t)n;
	if (n > 0 && !(f->flags & OPEN_NO_ATIME))
		accessed(f->vnode);
	return n;
}

/* Bytes of it that the seals let through: what crosses the end of a file that must not grow, up to the page of its end. */
static size_t clip_to_seals(const struct object *o, uint64_t pos, size_t n)
{
	uint64_t last_page = o->size & ~(uint64_t)PAGE_MASK;

	if (o->seals & (SEAL_WRITE | SEAL_FUTURE_WRITE))
		return 0;
	if (!(o->seals & SEAL_GROW) || (pos <= o->size && n <= o->size - pos))
		return n;
	return pos < last_page ? last_page - pos : 0;
}

/* A few pages at a time, so that what is reserved and not needed in the end is missing to no other writer. */
static ssize write_pieces(struct vnode *v, struct uio part, uint64_t pos, size_t n)
{
	enum { PIECE_PAGES = 64 };
	size_t done = 0, piece;
	ssize moved;

	do {
		size_t within = (pos + done) & PAGE_MASK;
		piece = n - done < PIECE_PAGES * PAGE_SIZE - within ? n - done : PIECE_PAGES * PAGE_SIZE - within;
		size_t npages = object_pages(within + piece), reserved = reserve(tmpfs_of(v), npages);
		part.left = reserved == npages ? piece : reserved ? reserved * PAGE_SIZE - within : 0;
		moved = part.left ? object_write(v->object, &part, pos + done) : -ENOSPC;
		charge(v, v->object->npages, reserved);
		done += moved > 0 ? (size_t)moved : 0;
	} while (moved == (ssize)piece && done < n);
	return done ? (ssize)done : moved;
}

static ssize write_once(struct file *f, struct uio *uio, uint64_t *pos)
{
	struct vnode *v = f->vnode;

	mutex_lock(&v->lock);
	if (f->flags & OPEN_APPEND || *pos == FILE_APPEND)
		*pos = v->object->size;
	ssize n = vfs_clip_write(*pos, uio->left);
	if (n > 0) {
		size_t allowed = clip_to_seals(v->object, *pos, (size_t)n);
		n = allowed ? write_pieces(v, *uio, *pos, allowed) : -EPERM;
	}
	mutex_unlock(&v->lock);
	if (n > 0) {
		*pos += (uint64_t)n;
		uio->base += (size_t)n;
		uio->left -= (size_t)n;
		tmpfs_changed(v);
	}
	return n;
}

/* When memory is out, the pages of files that nobody has open make room. */
static ssize tmpfs_write(struct file *f, struct uio *uio, uint64_t *pos)
{
	ssize n = uio->left ? write_once(f, uio, pos) : 0;

	while (n == -ENOMEM && vnode_drop_idle() > 0)
		n = write_once(f, uio, pos);
	return n;
}

static const struct file_ops tmpfs_file_ops = { .read = tmpfs_read, .write = tmpfs_write };

static int tmpfs_open(struct vnode *v, struct file *f)
{
	if (S_ISREG(v->mode))
		f->ops = &tmpfs_file_ops;
	return 0;
}

/* ---- attributes -------------------------------------------------------------------------------------------------------- */

static int tmpfs_getattr(struct vnode *v, struct vattr *attr)
{
	const struct tmpfs_node *node = tmpfs_node(v);

	spin_lock(&tmpfs_of(v)->lock);
	attr->nlink = node->nlink;
	attr->atime = node->atime;
	attr->mtime = node->mtime;
	attr->ctime = node->ctime;
	attr->btime = node->btime;
	spin_unlock(&tmpfs_of(v)->lock);
	if (S_ISREG(v->mode)) {				/* the size is there already */
		attr->blocks = v->object->npages * (PAGE_SIZE / 512);
	} else if (S_ISLNK(v->mode)) {
		attr->size = strlen(node->target);
	} else if (S_ISDIR(v->mode)) {
		attr->size = (node->dir.count + 2) * 20;
	}
	return 0;
}

static int tmpfs_setattr(struct vnode *v, const struct vattr *attr, unsigned which)
{
	struct tmpfs_node *node = tmpfs_node(v);
	unsigned seals = v->object ? v->object->seals : 0;

	if (which & VATTR_SIZE && seals & (attr->size < v->object->size ? SEAL_SHRINK : attr->size > v->object->size ? SEAL_GROW : 0))
		return -EPERM;
	if (which & VATTR_MODE && seals & SEAL_EXEC && (v->mode ^ attr->mode) & 0111)
		return -EPERM;
	if (which & VATTR_MODE)
		v->mode = (v->mode & S_IFMT) | (attr->mode & 07777);
	if (which & VATTR_UID)
		v->uid = attr->uid;
	if (which & VATTR_GID)
		v->gid = attr->gid;
	if (which & VATTR_SIZE) {
		vm_truncate(v->object, attr->size);
		charge(v, v->object->npages, 0);
		tmpfs_changed(v);
	}
	struct timespec64 now = vfs_now();
	spin_lock(&tmpfs_of(v)->lock);
	if (which & VATTR_ATIME)
		node->atime = attr->atime;
	if (which & VATTR_MTIME)
		node->mtime = attr->mtime;
	node->ctime = now;
	spin_unlock(&tmpfs_of(v)->lock);
	return 0;
}

/* Pages among [first, end) that are not there. */
static size_t count_absent(struct object *o, uint64_t first, uint64_t end)
{
	size_t n = 0;

	for (uint64_t i = first; i < end; i++) {
		pfn_t pfn = PFN_NONE;

		spin_lock(&o->lock);
		object_peek(o, i, &pfn);
		spin_unlock(&o->lock);
		n += pfn == PFN_NONE;
	}
	return n;
}

/* Pages for all of [first, end), or -ENOSPC and none; those that have come before memory ends, or may not be promised any more, stay. */
static int make_pages(struct vnode *v, uint64_t first, uint64_t end)
{
	struct object *o = v->object;
	size_t needed = count_absent(o, first, end), reserved = reserve(tmpfs_of(v), needed);
	int error = reserved < needed ? -ENOSPC : 0, why;
	bool made;

	for (uint64_t i = first; i < end && !error; i++) {
		spin_lock(&o->lock);
		error = object_lookup(o, i, &why, &made) ? 0 : why;
		spin_unlock(&o->lock);
	}
	charge(v, o->npages, reserved);
	return error;
}

static int tmpfs_allocate(struct vnode *v, unsigned how, uint64_t from, uint64_t to)
{
	struct object *o = v->object;
	bool grows = !(how & ALLOCATE_KEEP_SIZE) && to > o->size;

	if (how & ~(unsigned)(ALLOCATE_KEEP_SIZE | ALLOCATE_PUNCH_HOLE))
		return -EOPNOTSUPP;
	if (o->seals & (how & ALLOCATE_PUNCH_HOLE ? SEAL_WRITE | SEAL_FUTURE_WRITE : to > o->size ? SEAL_GROW : 0))
		return -EPERM;
	if (how & ALLOCATE_PUNCH_HOLE) {
		vm_punch(o, from, to);
		charge(v, o->npages, 0);
		return 0;
	}
	uint64_t first = from >> PAGE_SHIFT, end = object_pages(to);
	reclaim_keep_free();
	int error = end - first > tmpfs_of(v)->limit ? -ENOSPC : make_pages(v, first, end);
	if (error)
		return error;
	if (grows)
		object_resize(o, to);
	tmpfs_changed(v);
	return 0;
}

static ssize tmpfs_readlink(struct vnode *v, char *to, size_t size)
{
	size_t len = strlen(tmpfs_node(v)->target);
	if (len > size)
		len = size;
	memcpy(to, tmpfs_node(v)->target, len);
	return (ssize)len;
}

static struct list *tmpfs_xattrs(struct vnode *v)
{
	return &tmpfs_node(v)->xattrs;
}

/* ---- nodes and the mount ----------------------------------------------------------------------------------------------- */

static int count_node(struct tmpfs *fs, int change)
{
	spin_lock(&fs->lock);
	int error = change > 0 && fs->nodes >= fs->node_limit ? -ENOSPC : 0;
	if (!error)
		fs->nodes += (size_t)change;
	spin_unlock(&fs->lock);
	return error;
}

static void tmpfs_release(struct vnode *v)
{
	struct tmpfs_node *node = tmpfs_node(v);

	if (S_ISREG(v->mode)) {
		charge(v, 0, 0);
		object_put(v->object);
	} else if (S_ISLNK(v->mode)) {
		kfree(node->target);
	} else if (S_ISDIR(v->mode)) {
		assert(node->dir.count == 0);
	}
	xattrs_drop(&node->xattrs);
	count_node(tmpfs_of(v), -1);
}

const struct vnode_ops tmpfs_ops = {
	.lookup = tmpfs_lookup, .create = tmpfs_create, .symlink = tmpfs_symlink, .link = tmpfs_link, .unlink = tmpfs_unlink,
	.rename = tmpfs_rename, .readlink = tmpfs_readlink, .readdir = tmpfs_readdir,
	.temporary = tmpfs_temporary, .getattr = tmpfs_getattr, .setattr = tmpfs_setattr, .allocate = tmpfs_allocate, .xattrs = tmpfs_xattrs, .open = tmpfs_open, .release = tmpfs_release,
};

int tmpfs_create_node(struct tmpfs *fs, uint32_t mode, uint64_t rdev, struct vnode **out)
{
	int error = count_node(fs, 1);

	if (error)
		return error;
	struct object *contents = S_ISREG(mode) ? object_create(NULL, NULL, 0) : NULL;
	struct vnode *v = contents || !S_ISREG(mode) ? vnode_create(&fs->mount, &tmpfs_ops, 0, mode, sizeof(struct tmpfs_node)) : NULL;
	if (!v) {
		if (contents)
			object_put(contents);
		count_node(fs, -1);
		return -ENOMEM;
	}
	struct tmpfs_node *node = tmpfs_node(v);
	v->object = contents;
	if (contents)
		contents->seals = SEAL_SEAL;		/* only memfd_create makes files that take any */
	v->rdev = rdev;
	node->nlink = S_ISDIR(mode) ? 2 : 1;
	list_init(&node->xattrs);
	node->atime = node->mtime = node->ctime = node->btime = vfs_now();
	if (S_ISDIR(mode)) {
		list_init(&node->dir.entries);
		node->dir.next_pos = DIR_FIRST;
	}
	spin_lock(&fs->lock);
	v->ino = fs->next_ino++;
	spin_unlock(&fs->lock);
	*out = v;
	return 0;
}

static int tmpfs_statfs(struct mount *m, struct linux_statfs *s)
{
	struct tmpfs *fs = container_of(m, struct tmpfs, mount);

	spin_lock(&fs->lock);
	size_t limit = fs->limit, charged = fs->charged, node_limit = fs->node_limit, nodes = fs->nodes;
	spin_unlock(&fs->lock);
	s->type = STATFS_TMPFS;
	if (limit != SIZE_MAX) {
		s->blocks = limit;
		s->bfree = s->bavail = charged < limit ? limit - charged : 0;
	}
	if (node_limit != SIZE_MAX) {
		s->files = node_limit;
		s->ffree = nodes < node_limit ? node_limit - nodes : 0;
	}
	return 0;
}

static void tmpfs_free(struct mount *m)
{
	kfree(container_of(m, struct tmpfs, mount));
}

struct mount *tmpfs_mount(void)
{
	struct tmpfs *fs = kzalloc(sizeof *fs);
	struct frame_stats frames;

	if (!fs)
		return NULL;
	frame_get_stats(&frames);
	spin_init(&fs->lock, "tmpfs", RANK_LEAF);
	fs->limit = fs->node_limit = frames.managed / 2;
	fs->next_ino = 1;
	fs->mount.type = fs->mount.source = "tmpfs";
	fs->mount.statfs = tmpfs_statfs;
	fs->mount.configure = tmpfs_configure;
	fs->mount.show = tmpfs_show;
	fs->mount.empty = tmpfs_empty;
	if (tmpfs_create_node(fs, S_IFDIR | 01777, 0, &fs->mount.root)) {
		kfree(fs);
		return NULL;
	}
	fs->mount.free = tmpfs_free;
	return &fs->mount;
}

static int add(struct mount *m, const char *name, uint32_t mode, uint64_t rdev, const char *target)
{
	struct vnode *dir = m->root, *v = NULL;
	size_t len = strlen(name);

	mutex_lock(&dir->lock);
	int error = tmpfs_lookup(dir, name, len, &v) == 0 ? -EEXIST : 0;
	if (!error)
		error = target ? tmpfs_symlink(dir, name, len, target, &v) : tmpfs_create(dir, name, len, mode, rdev, &v);
	mutex_unlock(&dir->lock);
	vnode_put(v);
	return error;
}

int tmpfs_add(struct mount *m, const char *name, uint32_t mode, uint64_t rdev)
{
	return add(m, name, mode, rdev, NULL);
}

int tmpfs_add_link(struct mount *m, const char *name, const char *target)
{
	return add(m, name, 0, 0, target);
}
