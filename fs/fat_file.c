/*
 * fs/fat_file.c - the contents of a file: the pager of its object.
 *
 * The image lies in RAM, so a page whose bytes are contiguous, frame-aligned and the file's own *is* the frame of the image: it is borrowed, never
 * copied.  Of the last page the rest must be the file's own too (its last cluster fills the frame), and is zeroed in place first.  All other
 * pages are copied, cluster by cluster.
 *
 * Where a file's n-th cluster lies: for a file in one piece it is a sum.  Otherwise every 32nd cluster is noted when the map is built, once,
 * and at most 31 steps along the chain lead to the others: 4 bytes for each 16 KiB at least.
 *
 * A map is built when the first page is asked for, under volume->maps, and does not change after that.
 */
#include "fs/fat.h"
#include "lib/string.h"
#include "vm/heap.h"

enum { NOTE_SHIFT = 5, PAUSES = 2 };

struct fat_file {
	struct fat_volume *vol;
	struct fat_node *node;
	struct object *object;
	uint32_t clusters;		/* good ones, of those that the size needs */
	uint32_t *note;			/* the numbers of clusters 0, 32, 64 ...; NULL: the file is in one piece */
	bool mapped;			/* clusters and note are valid; atomic */
};

unsigned fat_pager_mode;

/* Walks the chain: how many clusters it has for the size, and whether they are in one piece.  Fills `note` unless it is NULL. */
static uint32_t walk_chain(const struct fat_file *f, uint32_t *note, bool *one_piece)
{
	uint64_t needed = ((uint64_t)f->node->size + (1u << f->vol->cluster_shift) - 1) >> f->vol->cluster_shift;
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

/* => -EAGAIN: the file is in several pieces, and MAP_IF_SIMPLE allocates nothing; -ENOMEM. */
static int build_map(struct fat_file *f, enum map_how how)
{
	bool one_piece;
	uint32_t clusters = walk_chain(f, NULL, &one_piece);
	if (!one_piece) {
		if (how == MAP_IF_SIMPLE)
			return -EAGAIN;
		f->note = kmalloc(((clusters >> NOTE_SHIFT) + 1) * sizeof(f->note[0]));
		if (!f->note)
			return -ENOMEM;
		walk_chain(f, f->note, &one_piece);
	}
	f->clusters = clusters;
	__atomic_store_n(&f->mapped, true, __ATOMIC_RELEASE);
	return 0;
}

static int need_map(struct fat_file *f, enum map_how how)
{
	if (__atomic_load_n(&f->mapped, __ATOMIC_ACQUIRE))
		return 0;
	spin_lock(&f->vol->maps);
	int err = f->mapped ? 0 : build_map(f, how);
	spin_unlock(&f->vol->maps);
	return err;
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

/* Where in the image the page at `offset` fills a frame, with all the frame's bytes the file's own; 0: nowhere. */
static uint64_t whole_frame(const struct fat_file *f, uint64_t offset)
{
	unsigned shift = f->vol->cluster_shift;
	uint64_t first = offset >> shift, last = (offset + PAGE_SIZE - 1) >> shift;
	if (last >= f->clusters)
		return 0;
	uint32_t c = cluster_of(f, first);
	uint64_t at = fat_offset(f->vol, c) + (offset & ((1u << shift) - 1));
	if (at & PAGE_MASK)
		return 0;
	for (uint64_t n = first; n < last; n++, c++)
		if (cluster_after(f, c) != c + 1)
			return 0;
	return at;
}

static pfn_t fat_borrow(struct object *o, uint64_t index)
{
	struct fat_file *f = o->backing;
	uint64_t offset = index << PAGE_SHIFT, size = f->node->size;
	if (fat_pager_mode != PAGER_NORMAL || f->vol->first_frame == PFN_NONE || offset >= size || need_map(f, MAP_IF_SIMPLE))
		return PFN_NONE;
	uint64_t at = whole_frame(f, offset);
	if (at == 0)
		return PFN_NONE;
	if (size - offset < PAGE_SIZE)
		memset((uint8_t *)f->vol->image + at + (size - offset), 0, PAGE_SIZE - (size - offset));
	return f->vol->first_frame + (at >> PAGE_SHIFT);
}

static int copy_page(const struct fat_file *f, uint64_t offset, uint8_t *to)
{
	size_t cluster = (size_t)1 << f->vol->cluster_shift, done = 0;
	size_t wanted = f->node->size - offset < PAGE_SIZE ? f->node->size - offset : PAGE_SIZE;
	uint64_t n = offset >> f->vol->cluster_shift;
	if ((offset + wanted - 1) >> f->vol->cluster_shift >= f->clusters)
		return -EIO;
	for (uint32_t c = cluster_of(f, n);; c = cluster_after(f, c)) {
		size_t within = (offset + done) & (cluster - 1);
		size_t piece = cluster - within < wanted - done ? cluster - within : wanted - done;
		memcpy(to + done, f->vol->image + fat_offset(f->vol, c) + within, piece);
		done += piece;
		if (done == wanted)
			break;
	}
	memset(to + wanted, 0, PAGE_SIZE - wanted);
	return 0;
}

static int fat_read(struct object *o, uint64_t index, void *to)
{
	struct fat_file *f = o->backing;
	unsigned mode = fat_pager_mode;
	if (mode == PAGER_EIO && !(f->node->mode & 0111))
		return -EIO;
	for (int i = 0; mode == PAGER_SLOW && i < PAUSES; i++)
		pager_pause();
	if (index >= ((uint64_t)f->node->size + PAGE_MASK) >> PAGE_SHIFT) {
		memset(to, 0, PAGE_SIZE);
		return 0;
	}
	int err = need_map(f, MAP_ANYWAY);
	return err ? err : copy_page(f, index << PAGE_SHIFT, to);
}

static void fat_release(struct object *o)
{
	struct fat_file *f = o->backing;
	spin_lock(&f->vol->maps);
	f->node->file = NULL;
	spin_unlock(&f->vol->maps);
	kfree(f->note);
	kfree(f);
}

static const struct pager fat_pager = { .borrow = fat_borrow, .read = fat_read, .release = fat_release };

/* The object outlives its vnode where it is mapped; there is never a second one, which would borrow the same frames. */
static struct object *live_object(struct fat_volume *vol, struct fat_node *node)
{
	spin_lock(&vol->maps);
	struct object *o = node->file ? object_ref(node->file->object) : NULL;
	spin_unlock(&vol->maps);
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
	spin_lock(&vol->maps);
	node->file = f;
	spin_unlock(&vol->maps);
	return f->object;
}
