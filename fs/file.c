/*
 * fs/file.c - open file descriptions: reading, writing, seeking; see file.h.
 *
 * Files with a position take file->lock around the operation, so that two readers of one description get different bytes; files
 * without one (pipes, terminals: seek is file_no_seek) do not, since they may sleep for ever.
 */
#include "fs/vfs.h"
#include "fs/inotify.h"
#include "fs/locks.h"
#include "vm/heap.h"
#include "vm/mmap.h"
#include "lib/assert.h"
#include "lib/print.h"
#include "lib/string.h"

static size_t live_count;		/* atomic */

struct file *file_new(const struct file_ops *ops, struct vnode *v, unsigned flags)
{
	struct file *f = kmalloc(sizeof *f);
	if (!f)
		return NULL;
	f->ops = ops;
	f->vnode = v;
	f->refs = 1;
	f->flags = flags;
	f->pos = 0;
	f->data = NULL;
	f->writes = f->opened = false;
	f->owner = (struct file_owner){ .kind = OWNER_THREAD };
	f->async = NULL;
	list_init(&f->watchers);
	mutex_init(&f->lock, "file", RANK_FILE);
	mount_use(v->mount);
	__atomic_add_fetch(&live_count, 1, __ATOMIC_RELAXED);
	return f;
}

void file_put(struct file *f)
{
	if (!f || __atomic_sub_fetch(&f->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	if (!list_empty(&f->watchers))
		file_unwatch(f);
	if (f->async)
		file_end_async(f);
	locks_drop_file(f);
	if (f->ops->release)
		f->ops->release(f);
	if (f->writes)
		vnode_end_write(f->vnode);
	if (f->opened)
		notify(f->vnode, file_writable(f) ? IN_CLOSE_WRITE : IN_CLOSE_NOWRITE);
	mount_unuse(f->vnode->mount);
	vnode_put(f->vnode);
	kfree(f);
	__atomic_sub_fetch(&live_count, 1, __ATOMIC_RELAXED);
}

size_t file_count(void)
{
	return __atomic_load_n(&live_count, __ATOMIC_RELAXED);
}

void file_change_flags(struct file *f, unsigned clear, unsigned set)
{
	unsigned old = __atomic_load_n(&f->flags, __ATOMIC_RELAXED);

	while (!__atomic_compare_exchange_n(&f->flags, &old, (old & ~clear) | set, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

/* ---- reading and writing ----------------------------------------------------------------------------------------------- */

typedef ssize (*transfer_fn)(struct file *, struct uio *, uint64_t *pos);

WARM ssize transfer(struct file *f, transfer_fn fn, struct uio *uio, uint64_t *pos)
{
	uint64_t unused = 0;

	if (!fn)
		return -EINVAL;
	if (f->ops->seek == file_no_seek || f->ops->seek == file_zero_seek)
		return pos ? -ESPIPE : fn(f, uio, &unused);
	if (pos)
		return fn(f, uio, pos);
	mutex_lock(&f->lock);
	ssize n = fn(f, uio, &f->pos);
	mutex_unlock(&f->lock);
	return n;
}

ssize file_read(struct file *f, struct uio *uio, uint64_t *pos)
{
	ssize n = file_readable(f) ? transfer(f, f->ops->read, uio, pos) : -EBADF;

	if (n > 0)
		notify(f->vnode, IN_ACCESS);
	return n;
}

ssize file_write(struct file *f, struct uio *uio, uint64_t *pos)
{
	ssize n = file_writable(f) ? transfer(f, f->ops->write, uio, pos) : -EBADF;

	if (n > 0)
		notify(f->vnode, IN_MODIFY);
	return n;
}

size_t parts_left(const struct parts *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		n += p->part[i].left;
	return n;
}

/* false: the part has some left, so that its memory faulted or enough was moved. */
static bool next_part(struct parts *p)
{
	if (p->part->left)
		return false;
	p->part++;
	p->n--;
	return true;
}

size_t parts_in(struct parts *p, void *to, size_t n)
{
	size_t done = 0;

	while (p->n && done < n) {
		done += uio_in(p->part, (char *)to + done, n - done);
		if (!next_part(p))
			break;
	}
	return done;
}

size_t parts_out(struct parts *p, const void *from, size_t n)
{
	size_t done = 0;

	while (p->n && done < n) {
		done += uio_out(p->part, (const char *)from + done, n - done);
		if (!next_part(p))
			break;
	}
	return done;
}

static ssize object_file_read(struct file *f, struct uio *uio, uint64_t *pos)
{
	ssize n = object_read(f->vnode->object, uio, *pos);
	if (n > 0)
		*pos += (uint64_t)n;
	return n;
}

const struct file_ops file_object_ops = { .read = object_file_read };

static ssize directory_read(struct file *f, struct uio *uio, uint64_t *pos)
{
	(void)f, (void)uio, (void)pos;
	return -EISDIR;
}

const struct file_ops file_directory_ops = { .read = directory_read };

unsigned file_poll(struct file *f, struct waitq **queue)
{
	*queue = NULL;
	return f->ops->poll ? f->ops->poll(f, queue) : POLL_ALWAYS;
}

/* ---- position ---------------------------------------------------------------------------------------------------------- */

int64_t file_no_seek(struct file *f, int64_t offset, int whence)
{
	(void)f, (void)offset, (void)whence;
	return -ESPIPE;
}

int64_t file_zero_seek(struct file *f, int64_t offset, int whence)
{
	(void)f, (void)offset, (void)whence;
	return 0;
}

/* Is page `index` there? */
static bool has_page(struct object *o, uint64_t index)
{
	pfn_t pfn = PFN_NONE;

	spin_lock(&o->lock);
	object_peek(o, index, &pfn);
	spin_unlock(&o->lock);
	return pfn != PFN_NONE;
}

/* From offset on (below size): where data begins (-ENXIO: nowhere), or the next hole (the end is one). Pages that are not there are holes, where nothing else fills them. */
static int64_t find_data(struct object *o, uint64_t offset, uint64_t size)
{
	uint64_t index = offset >> PAGE_SHIFT, end = object_pages(size);

	while (object_skip(o, &index) && index < end) {
		if (has_page(o, index))
			return index << PAGE_SHIFT > offset ? (int64_t)(index << PAGE_SHIFT) : (int64_t)offset;
		index++;
	}
	return -ENXIO;
}

static int64_t find_hole(struct object *o, uint64_t offset, uint64_t size)
{
	uint64_t index = offset >> PAGE_SHIFT;

	if (!has_page(o, index))
		return (int64_t)offset;
	while (index << PAGE_SHIFT < size && has_page(o, index))
		index++;
	return index << PAGE_SHIFT < size ? (int64_t)(index << PAGE_SHIFT) : (int64_t)size;
}

/* Where the offset counts from, or an errno.  Files whose contents come from elsewhere have data from start to end, and the hole behind it. */
static int64_t seek_base(struct file *f, int64_t offset, int whence)
{
	struct vattr attr;

	if (whence == SEEK_FROM_START)
		return 0;
	if (whence == SEEK_FROM_HERE)
		return (int64_t)f->pos;
	if (whence < 0 || whence > (S_ISDIR(f->vnode->mode) ? SEEK_FROM_END : SEEK_TO_HOLE))
		return -EINVAL;
	int error = vfs_getattr(f->vnode, &attr);
	if (error || whence == SEEK_FROM_END)
		return error ? error : (int64_t)attr.size;
	if (offset < 0 || (uint64_t)offset >= attr.size)
		return -ENXIO;
	struct object *o = S_ISREG(f->vnode->mode) ? f->vnode->object : NULL;
	int64_t to = o && !o->pager ? (whence == SEEK_TO_DATA ? find_data : find_hole)(o, (uint64_t)offset, attr.size) : whence == SEEK_TO_DATA ? offset : (int64_t)attr.size;
	return to < 0 ? to : to - offset;
}

int64_t file_seek(struct file *f, int64_t offset, int whence)
{
	if (f->flags & OPEN_PATH)
		return -EBADF;
	if (f->ops->seek)
		return f->ops->seek(f, offset, whence);
	mutex_lock(&f->lock);
	int64_t to = seek_base(f, offset, whence);
	if (to >= 0) {
		if (__builtin_add_overflow(to, offset, &to) || to < 0)
			to = -EINVAL;
		else
			f->pos = (uint64_t)to;
	}
	mutex_unlock(&f->lock);
	return to;
}

/* ---- names and mappings ------------------------------------------------------------------------------------------------ */

ssize file_path(struct vnode *root, struct file *f, char *to, size_t size)
{
	struct vnode *v = f->vnode;
	bool numbered = (S_ISFIFO(v->mode) || S_ISSOCK(v->mode)) && !v->parent;

	if (!numbered && !f->ops->name)
		return vnode_path(root, v, to, size);
	int len = numbered ? snprintf(to, size, "%s:[%llu]", S_ISSOCK(v->mode) ? "socket" : "pipe", (unsigned long long)v->ino) : snprintf(to, size, "%s", f->ops->name);
	return len >= 0 && (size_t)len < size ? len : -ERANGE;
}

int file_map_check(struct file *f, unsigned rights, unsigned flags, struct object **object)
{
	struct vnode *v = f->vnode;
	bool shared = (flags & MAP_TYPE) != MAP_PRIVATE;

	*object = NULL;
	if (f->flags & OPEN_PATH)
		return -EBADF;
	if (!file_readable(f) || (shared && rights & VM_WRITE && !file_writable(f)))
		return -EACCES;
	if (dev_is_zero(f))
		return 0;
	if (rights & VM_EXEC && v->mount->flags & MOUNT_NO_EXEC)
		return -EPERM;
	if (!S_ISREG(v->mode) || !v->object)
		return -ENODEV;
	*object = v->object;
	return v->object->name ? 0 : vnode_name_object(v);
}
