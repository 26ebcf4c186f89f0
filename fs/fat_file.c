/*
 * fs/fat_file.c - the contents of a file: the pager of its object, and its size.
 *
 * The image lies in RAM, so a page that is one frame of the image *is* that frame: it is borrowed, never copied, and written in place.  That
 * is so where a cluster fills frames; the rest of the last page is then the file's own too, and is zeroed first.  All other
 * pages are copied, cluster by cluster, and copied back when they are written back.
 *
 * Where a file's n-th cluster lies: for a file in one piece it is a sum.  Otherwise every 32nd cluster is noted when the map is built, once,
 * and at most 31 steps along the chain lead to the others: 4 bytes for each 16 KiB at least.
 *
 * A map is built when the first page is asked for, and follows the file when that grows or shrinks.  A file has all the clusters that its size asks for, and their
 * bytes behind its end are zeros whenever they become part of it: clusters are zeroed when they are given out, the rest of the last one when the file grows.
 *
 * Lock: volume->chains for maps, chains, node->start and node->size; a file's size changes under its vnode->lock as well.
 */
#include "fs/fat.h"
#include "fs/vfs.h"
#include "lib/string.h"
#include "vm/heap.h"
#include "vm/mmap.h"

enum { NOTE_SHIFT = 5, PAUSES = 2 };

struct fat_file {
	struct fat_volume *vol;
	struct fat_node *node;
	struct object *object;
	uint32_t clusters;		/* good ones, of those that the size needs */
	uint32_t *note;			/* the numbers of clusters 0, 32, 64 ...; NULL: the file is in one piece */
	uint32_t notes;			/* that it has room for */
	bool mapped;			/* clusters and note are valid */
	bool growing;			/* a write has made the file longer, and its bytes are still to come; set under vnode->lock; atomic */
};

unsigned fat_pager_mode;		/* atomic */

static uint64_t clusters_of(const struct fat_volume *vol, uint64_t size)
{
	return (size + (1u << vol->cluster_shift) - 1) >> vol->cluster_shift;
}

/* Walks the chain: how many clusters it has for the size, and whether they are in one piece.  Fills `note` unless it is NULL. */
static uint32_t walk_chain(const struct fat_file *f, uint32_t *note, bool *one_piece)
{
	uint64_t needed = clusters_of(f->vol, f->node->size);
	uint32_t c = f->node->start, n = 0;
	*one_piece = true;
	while (n < needed && c >= 2) {
		if (note && n % (1u << NOTE_SHIFT) == 0)
			note[n >> NOTE_SHIFT] = c;
		if (++n == needed)
			break;
		uint32_t next = fat_next(f->vol, c);
		*one_piece &= next == c + 1 || next < 2;
		c = next;
	}
	return n;
}

enum map_how { MAP_IF_SIMPLE, MAP_ANYWAY };

/* volume->chains held.  => -EAGAIN: the file is in several pieces, and MAP_IF_SIMPLE allocates nothing; -ENOMEM. */
static int need_map(struct fat_file *f, enum map_how how)
{
	bool one_piece;
	if (f->mapped)
		return 0;
	uint32_t clusters = walk_chain(f, NULL, &one_piece);
	if (!one_piece) {
		if (how == MAP_IF_SIMPLE)
			return -EAGAIN;
		f->notes = (clusters >> NOTE_SHIFT) + 1;
		f->note = kmalloc(f->notes * sizeof(f->note[0]));
		if (!f->note)
			return -ENOMEM;
		walk_chain(f, f->note, &one_piece);
	}
	f->clusters = clusters;
	f->mapped = true;
	return 0;
}

/* The file's n-th cluster, n < clusters. */
static uint32_t cluster_of(const struct fat_file *f, uint32_t n)
{
	if (!f->note)
		return f->node->start + n;
	uint32_t c = f->note[n >> NOTE_SHIFT];
	for (uint32_t steps = n % (1u << NOTE_SHIFT); steps > 0; steps--)
		c = fat_next(f->vol, c);
	return c;
}

static uint32_t cluster_after(const struct fat_file *f, uint32_t c)
{
	return f->note ? fat_next(f->vol, c) : c + 1;
}

/* Where in the image the page at `offset` fills a frame that is all the file's; 0: nowhere. */
static uint64_t whole_frame(const struct fat_file *f, uint64_t offset)
{
	unsigned shift = f->vol->cluster_shift;
	if (shift < PAGE_SHIFT || offset >> shift >= f->clusters)
		return 0;
	uint64_t at = fat_offset(f->vol, cluster_of(f, offset >> shift)) + (offset & ((1u << shift) - 1));
	return at & PAGE_MASK ? 0 : at;
}

static pfn_t fat_borrow(struct object *o, uint64_t index)
{
	struct fat_file *f = o->backing;
	uint64_t offset = index << PAGE_SHIFT, at = 0;
	if (__atomic_load_n(&fat_pager_mode, __ATOMIC_RELAXED) != PAGER_NORMAL || f->vol->first_frame == PFN_NONE)
		return PFN_NONE;
	spin_lock(&f->vol->chains);
	uint64_t size = f->node->size;
	if (offset < size && !need_map(f, MAP_IF_SIMPLE))
		at = whole_frame(f, offset);
	spin_unlock(&f->vol->chains);
	if (at == 0)
		return PFN_NONE;
	if (size - offset < PAGE_SIZE)
		memset(f->vol->image + at + (size - offset), 0, PAGE_SIZE - (size - offset));
	return f->vol->first_frame + (at >> PAGE_SHIFT);
}

enum direction { FROM_IMAGE, TO_IMAGE };

/* Copies what a page has of the file; how much, or -EIO.  volume->chains held, the map is built. */
static ssize copy_page(const struct fat_file *f, uint64_t offset, uint8_t *page, enum direction direction)
{
	size_t cluster = (size_t)1 << f->vol->cluster_shift, done = 0;
	if (offset >= f->node->size)
		return 0;
	size_t wanted = f->node->size - offset < PAGE_SIZE ? f->node->size - offset : PAGE_SIZE;
	uint64_t n = offset >> f->vol->cluster_shift;
	if ((offset + wanted - 1) >> f->vol->cluster_shift >= f->clusters)
		return -EIO;
	for (uint32_t c = cluster_of(f, n);; c = cluster_after(f, c)) {
		size_t within = (offset + done) & (cluster - 1);
		size_t piece = cluster - within < wanted - done ? cluster - within : wanted - done;
		uint8_t *stored = f->vol->image + fat_offset(f->vol, c) + within;
		if (direction == FROM_IMAGE)
			memcpy(page + done, stored, piece);
		else if (page + done != stored)		/* else it is borrowed */
			memcpy(stored, page + done, piece);
		done += piece;
		if (done == wanted)
			return (ssize)done;
	}
}

static int fat_read(struct object *o, uint64_t index, void *to)
{
	struct fat_file *f = o->backing;
	unsigned mode = __atomic_load_n(&fat_pager_mode, __ATOMIC_RELAXED);
	if (mode == PAGER_EIO && !(f->node->mode & 0111))
		return -EIO;
	for (int i = 0; mode == PAGER_SLOW && i < PAUSES; i++)
		pager_pause();
	spin_lock(&f->vol->chains);
	ssize n = need_map(f, MAP_ANYWAY);
	if (n == 0)
		n = copy_page(f, index << PAGE_SHIFT, to, FROM_IMAGE);
	spin_unlock(&f->vol->chains);
	if (n < 0)
		return (int)n;
	memset((uint8_t *)to + n, 0, PAGE_SIZE - (size_t)n);
	return 0;
}

/* What was read can be written: the map is there, and all clusters. */
static void fat_write_back(struct object *o, uint64_t index, const void *from)
{
	struct fat_file *f = o->backing;
	spin_lock(&f->vol->chains);
	if (!f->node->removed)
		f->node->mtime = vfs_now().sec;
	copy_page(f, index << PAGE_SHIFT, (uint8_t *)from, TO_IMAGE);
	fat_update_entry(f->node);
	spin_unlock(&f->vol->chains);
}

static void fat_release(struct object *o)
{
	struct fat_file *f = o->backing;
	struct fat_volume *vol = f->vol;
	spin_lock(&vol->chains);
	f->node->file = NULL;
	fat_node_unused(vol, f->node);
	spin_unlock(&vol->chains);
	kfree(f->note);
	kfree(f);
}

static const struct pager fat_pager = { .borrow = fat_borrow, .read = fat_read, .write = fat_write_back, .release = fat_release };

/* The object outlives its vnode where it is mapped; there is never a second one, which would borrow the same frames. */
static struct object *live_object(struct fat_volume *vol, struct fat_node *node)
{
	struct object *o = NULL;
	for (bool there = true; there && !o;) {
		spin_lock(&vol->chains);
		there = node->file != NULL;
		if (there)
			o = object_try_ref(node->file->object);
		spin_unlock(&vol->chains);
		if (there && !o)
			spin_wait();			/* it is going, on another processor */
	}
	return o;
}

struct object *fat_file_object(struct fat_volume *vol, struct fat_node *node)
{
	struct object *o = live_object(vol, node);
	if (o)
		return o;
	struct fat_file *f = kzalloc(sizeof(*f));
	if (!f)
		return NULL;
	f->vol = vol;
	f->node = node;
	f->object = object_create(&fat_pager, f, node->size);
	if (!f->object) {
		kfree(f);
		return NULL;
	}
	spin_lock(&vol->chains);
	node->file = f;
	spin_unlock(&vol->chains);
	return f->object;
}

/* ---- size ---------------------------------------------------------------------------------------------------------------- */

/* Room for more notes; the first ones, if the file was in one piece so far. */
static int make_notes(struct fat_file *f)
{
	uint32_t room = 2 * ((f->clusters >> NOTE_SHIFT) + 1);
	uint32_t *note = kmalloc(room * sizeof(note[0]));
	if (!note)
		return -ENOMEM;
	for (uint32_t i = 0; i << NOTE_SHIFT < f->clusters; i++)
		note[i] = f->note ? f->note[i] : f->node->start + (i << NOTE_SHIFT);
	kfree(f->note);
	f->note = note;
	f->notes = room;
	return 0;
}

/* One cluster of zeros more.  A chain may be longer than the file: then it is the next one. */
static int add_cluster(struct fat_file *f)
{
	struct fat_volume *vol = f->vol;
	uint32_t n = f->clusters, last = n ? cluster_of(f, n - 1) : 0, c = n ? fat_next(vol, last) : f->node->start;
	if (c == FAT_BROKEN)
		return -EIO;
	if (c >= 2)
		memset(vol->image + fat_offset(vol, c), 0, (size_t)1 << vol->cluster_shift);
	else
		c = fat_append(vol, last);
	if (c == 0)
		return -ENOSPC;
	if (n == 0)
		f->node->start = c;
	if (n == 0 && f->node->removed)
		fat_hide_chain(vol, c);
	f->clusters++;
	if (n && !f->note && c == last + 1)
		return 0;
	if (n && (!f->note || n >> NOTE_SHIFT >= f->notes)) {
		f->clusters--;
		int error = make_notes(f);
		if (error) {
			fat_cut_chain(vol, last);
			return error;
		}
		f->clusters++;
	}
	if (f->note && n % (1u << NOTE_SHIFT) == 0)
		f->note[n >> NOTE_SHIFT] = c;
	return 0;
}

/* Frees what lies behind the first n clusters. */
static void keep_clusters(struct fat_file *f, uint32_t n)
{
	if (n > 0) {
		fat_cut_chain(f->vol, cluster_of(f, n - 1));
	} else {
		fat_free_chain(f->vol, f->node->start);
		f->node->start = 0;
		kfree(f->note);
		f->note = NULL;
	}
	f->clusters = n;
}

/* volume->chains held, the map is built.  To make it shorter cannot fail. */
static int resize_chain(struct fat_file *f, uint32_t size)
{
	struct fat_volume *vol = f->vol;
	uint32_t old = f->node->size, had = clusters_of(vol, old), needed = clusters_of(vol, size), within = old & ((1u << vol->cluster_shift) - 1);
	int error = size > old && f->clusters < had ? -EIO : 0;	/* the volume is damaged */
	if (!error && size > old && within)
		memset(vol->image + fat_offset(vol, cluster_of(f, had - 1)) + within, 0, (1u << vol->cluster_shift) - within);
	while (!error && f->clusters < needed && size > old)
		error = add_cluster(f);
	if (error == 0 ? size < old && needed <= f->clusters : f->clusters > had)
		keep_clusters(f, error ? had : needed);
	return error;
}

int fat_file_resize(struct object *o, uint64_t size)
{
	struct fat_file *f = o->backing;
	if (size > UINT32_MAX)
		return -EFBIG;
	spin_lock(&f->vol->chains);
	int error = need_map(f, MAP_ANYWAY);
	spin_unlock(&f->vol->chains);
	if (!error && size < o->size)
		vm_truncate(o, size);			/* no page is mapped any more when its cluster goes */
	spin_lock(&f->vol->chains);
	if (!error)
		error = resize_chain(f, size);
	if (!error) {
		f->node->size = size;
		f->node->mtime = vfs_now().sec;
		fat_update_entry(f->node);
	}
	spin_unlock(&f->vol->chains);
	if (!error)
		vm_truncate(o, size);
	return error;
}

/* ---- reading and writing --------------------------------------------------------------------------------------------- */

/* The size, once what lies below it is there: a write that makes the file longer is waited for. */
static uint64_t settled_size(struct vnode *v)
{
	const struct fat_file *f = v->object->backing;
	uint64_t size = __atomic_load_n(&v->object->size, __ATOMIC_ACQUIRE);
	if (__atomic_load_n(&f->growing, __ATOMIC_ACQUIRE)) {
		mutex_lock(&v->lock);
		size = v->object->size;
		mutex_unlock(&v->lock);
	}
	return size;
}

static ssize fat_read_file(struct file *f, struct uio *uio, uint64_t *pos)
{
	uint64_t size = settled_size(f->vnode);
	struct uio part = *uio;
	if (*pos >= size)
		return 0;
	if (part.left > size - *pos)
		part.left = size - *pos;
	ssize n = object_read(f->vnode->object, &part, *pos);
	if (n > 0) {
		*pos += (uint64_t)n;
		uio->base += (size_t)n;
		uio->left -= (size_t)n;
	}
	return n;
}

/* Makes the file so long, or as long as there is room for, if that is more than `least` bytes; *size becomes what it has. */
static int make_longer(struct object *o, uint64_t least, uint64_t *size)
{
	struct fat_file *f = o->backing;
	for (;;) {
		int error = fat_file_resize(o, *size);
		uint64_t free = __atomic_load_n(&f->vol->free_clusters, __ATOMIC_RELAXED);	/* others take some meanwhile */
		uint64_t most = (clusters_of(f->vol, o->size) + free) << f->vol->cluster_shift;
		if (error != -ENOSPC || most <= least || most >= *size)
			return error;
		*size = most;
	}
}

/*
 * The file is made as long as it will be, then the bytes come from the user; if they do not all come, it gets shorter again.  Who reads beyond the old end waits.
 */
static ssize write_locked(struct object *o, struct uio *uio, uint64_t pos, size_t wanted)
{
	struct fat_file *f = o->backing;
	struct uio part = *uio;
	uint64_t old = o->size, end = pos + wanted < UINT32_MAX ? pos + wanted : UINT32_MAX;
	if (pos >= UINT32_MAX)
		return -EFBIG;
	if (end > old)
		__atomic_store_n(&f->growing, true, __ATOMIC_SEQ_CST);
	int error = end > old ? make_longer(o, pos, &end) : 0;
	part.left = end - pos;
	ssize n = error ? error : object_write(o, &part, pos);
	uint64_t done = pos + (n > 0 ? (uint64_t)n : 0);
	if (!error && end > old && done < end)
		fat_file_resize(o, n > 0 && done > old ? done : old);
	__atomic_store_n(&f->growing, false, __ATOMIC_RELEASE);
	if (n > 0) {
		uio->base += (size_t)n;
		uio->left -= (size_t)n;
	}
	return n;
}

static ssize fat_write(struct file *f, struct uio *uio, uint64_t *pos)
{
	struct vnode *v = f->vnode;
	if (uio->left == 0)
		return 0;
	mutex_lock(&v->lock);
	if (f->flags & OPEN_APPEND || *pos == FILE_APPEND)
		*pos = v->object->size;
	ssize n = vfs_clip_write(*pos, uio->left);
	if (n > 0)
		n = write_locked(v->object, uio, *pos, (size_t)n);
	if (n > 0) {
		*pos += (uint64_t)n;
		fat_node_changed(v->mount->data, v->data);
	}
	mutex_unlock(&v->lock);
	if (n > 0 && (f->flags & OPEN_SYNC) == OPEN_SYNC)
		vm_writeback(v->object, (*pos - (uint64_t)n) >> PAGE_SHIFT, (*pos - 1) >> PAGE_SHIFT);
	return n;
}

const struct file_ops fat_file_ops = { .read = fat_read_file, .write = fat_write };
