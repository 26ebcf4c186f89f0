/*
 * vm/object.c - memory objects and their pages.  See object.h.
 *
 * The index is a radix tree of slots by page number.  It grows at the root when a larger page number comes; nodes without pages go
 * after a truncation or a hole, all with the object.  A page's life:
 *
 *     (absent) --borrow--> READY            the boot image's own frame
 *     (absent) --zero----> READY            no pager
 *     (absent) ----------> FILLING --read--> READY
 *                                  \-error-> (absent), the error goes to whoever asked
 *     READY    --evict---> (absent)         the pager can read it again, and nobody maps or pins it: vm/reclaim.c; if dirty it is written back
 *     any      --punch---> cut off          record->object is NULL; freed when the last entry and pin are gone
 *
 * Record first, frame second, slot third; unwound in reverse.
 */
#include "vm/object.h"
#include "vm/account.h"
#include "vm/frame.h"
#include "vm/heap.h"
#include "vm/reclaim.h"
#include "vm/region.h"
#include "vm/stats.h"
#include "arch/mmu.h"
#include "lib/string.h"

struct spinlock object_list_lock = SPINLOCK_INIT("objects", RANK_OBJECT - 1);
struct list object_list = LIST_INIT(object_list);
LOCK_GUARDS(object_list_lock, object_list);
static struct object_stats live;	/* atomic */

static void count(size_t *what, ssize change)
{
	__atomic_fetch_add(what, (size_t)change, __ATOMIC_RELAXED);
}

/* ---- the index ------------------------------------------------------------------------------------------------------- */

static unsigned slot_in(uint64_t index, unsigned level)
{
	return (unsigned)(index >> (level * OBJECT_FANOUT_BITS)) & (OBJECT_FANOUT - 1);
}

static bool index_reaches(const struct object *o, uint64_t index)
{
	unsigned bits = o->levels * OBJECT_FANOUT_BITS;

	return o->levels > 0 && (bits >= 64 || index >> bits == 0);
}

/* The leaf node with the slot of `index`, or NULL. */
static void **leaf_of(const struct object *o, uint64_t index)
{
	void **node = o->root;

	assert(spin_held(&o->lock));
	if (!index_reaches(o, index))
		return NULL;
	for (unsigned level = o->levels; node && --level > 0; )
		node = node[slot_in(index, level)];
	return node;
}

/* object->lock held: see object_skip. */
static bool skip_gaps(const struct object *o, uint64_t *index)
{
	bool found = false;

	while (!found && index_reaches(o, *index)) {
		void **node = o->root;
		unsigned level = o->levels - 1;

		while (level > 0 && node[slot_in(*index, level)])
			node = node[slot_in(*index, level--)];
		found = level == 0;
		if (!found)			/* nothing below this slot: on to the next one */
			*index = ((*index >> (level * OBJECT_FANOUT_BITS)) + 1) << (level * OBJECT_FANOUT_BITS);
	}
	return found;
}

bool object_skip(struct object *o, uint64_t *index)
{
	spin_lock(&o->lock);
	bool found = skip_gaps(o, index);
	spin_unlock(&o->lock);
	return found;
}

static void set_size(struct object *o, uint64_t size)
{
	assert(spin_held(&o->lock));
	__atomic_store_n(&o->size, size, __ATOMIC_RELAXED);
}

static void **node_create(void)
{
	return kzalloc(OBJECT_FANOUT * sizeof(void *));
}

/* The slot of `index`, with the nodes above it made as needed; NULL: no memory. */
static void **slot_reach(struct object *o, uint64_t index)
{
	for (; !index_reaches(o, index); o->levels++) {
		void **top = o->root ? node_create() : NULL;

		if (o->root && !top)
			return NULL;
		if (o->root)
			top[0] = o->root;
		o->root = top;
	}
	if (!o->root && !(o->root = node_create())) {
		o->levels = 0;
		return NULL;
	}
	void **node = o->root;
	for (unsigned level = o->levels; --level > 0; ) {
		void **slot = &node[slot_in(index, level)];

		if (!*slot && !(*slot = node_create()))
			return NULL;
		node = *slot;
	}
	return &node[slot_in(index, 0)];
}

static void each_below(void **node, unsigned level, void (*fn)(void *, struct page_record *), void *context)
{
	for (unsigned i = 0; i < OBJECT_FANOUT; i++) {
		if (!node[i])
			continue;
		if (level == 0)
			fn(context, node[i]);
		else
			each_below(node[i], level - 1, fn, context);
	}
}

void object_each(struct object *o, void (*fn)(void *context, struct page_record *), void *context)
{
	if (o->root)
		each_below(o->root, o->levels - 1, fn, context);
}

/* Frees the nodes below this one that have nothing in them, as far as they are of pages first to last: is this one such? */
static bool prune(void **node, unsigned level, uint64_t base, uint64_t first, uint64_t last)
{
	const uint64_t step = (uint64_t)1 << (level * OBJECT_FANOUT_BITS);
	bool empty = true;

	for (unsigned i = 0; i < OBJECT_FANOUT; i++, base += step) {
		bool within = base + (step - 1) >= first && base <= last;

		if (node[i] && level > 0 && within && prune(node[i], level - 1, base, first, last)) {
			kfree(node[i]);
			node[i] = NULL;
		}
		empty &= !node[i];
	}
	return empty;
}

void object_trim(struct object *o, uint64_t first, uint64_t last)
{
	spin_lock(&o->lock);
	if (o->root && prune(o->root, o->levels - 1, 0, first, last)) {
		kfree(o->root);
		o->root = NULL;
		o->levels = 0;
	}
	spin_unlock(&o->lock);
}

/* ---- records --------------------------------------------------------------------------------------------------------- */

static size_t *reason(const struct object *o)
{
	return o->pager ? &live.records_file : &live.records_shared;
}

/* Puts a record for this frame into the index; NULL: no memory. */
static struct page_record *record_insert(struct object *o, uint64_t index, pfn_t pfn, enum record_state state, bool borrowed)
{
	struct page_record *r = kmalloc(sizeof *r);
	void **slot = r ? slot_reach(o, index) : NULL;

	assert(spin_held(&o->lock));
	if (!slot) {
		kfree(r);
		return NULL;
	}
	*r = (struct page_record){ .object = o, .index = index, .uses = RECORD_HOLD, .pfn = pfn, .state = (unsigned char)state, .borrowed = borrowed };
	*slot = r;
	page_word_set(pfn, (page_word)r | PAGE_RECORD);
	o->npages++;
	count(reason(o), 1);
	count(&live.borrowed, borrowed);
	list_init(&r->age);
	if (o->pager && !borrowed)
		reclaim_add(r);
	return r;
}

/*
 * One use less: an entry, or a RECORD_HOLD.  With the last the record goes, which has been cut off before; the frame's word becomes what it is without it.  true: the frame is the
 * caller's to free.
 */
static bool record_drop(struct page_record *r, uint64_t use)
{
	if (__atomic_sub_fetch(&r->uses, use, __ATOMIC_ACQ_REL) > 0)
		return false;
	bool borrowed = r->borrowed;
	assert(!r->object && r->pins == 0);
	count(&live.records_cut, -1);
	count(&live.borrowed, -(ssize)borrowed);
	page_word_set(r->pfn, borrowed ? page_make(PAGE_RESERVED, 0) : page_make(PAGE_ANON, 0));
	kfree(r);
	return !borrowed;
}

static void record_drop_hold(struct page_record *r)
{
	pfn_t pfn = r->pfn;

	if (record_drop(r, RECORD_HOLD))
		frame_free(pfn, 0);
}

/* Does each of its pages commit itself? */
static bool commits_pages(const struct object *o)
{
	return !o->pager && !o->committed;
}

/* Takes a record out of its object (its slot is the caller's to clear); it lives on while it is used. */
static void record_cut(struct object *o, struct page_record *r)
{
	assert(spin_held(&o->lock));
	if (commits_pages(o))
		commit_release(1);
	o->npages--;
	count(reason(o), -1);
	count(&live.records_cut, 1);
	reclaim_remove(r);
	__atomic_store_n(&r->object, NULL, __ATOMIC_RELAXED);
	record_drop_hold(r);
}

/* object->lock held.  A page that is written again while it is cleaned stays dirty. */
static void write_back(struct object *o, struct page_record *r)
{
	if (r->dirty == RECORD_CLEAN)
		return;
	o->pager->write(o, r->index, direct(r->pfn));
	if (r->dirty == RECORD_CLEANING || record_entries(r) == 0)
		r->dirty = RECORD_CLEAN;
}

void object_evict(struct object *o, struct page_record *r)
{
	write_back(o, r);
	leaf_of(o, r->index)[slot_in(r->index, 0)] = NULL;
	record_cut(o, r);
}

enum page_put page_put_record(struct page_record *r)
{
	assert(record_entries(r) > 0);
	return record_drop(r, 1) ? PAGE_PUT_LAST : PAGE_PUT_KEPT;
}

static void pin(struct page_record *r)
{
	if (r->pins++ > 0)
		return;
	__atomic_fetch_add(&r->uses, RECORD_HOLD, __ATOMIC_RELAXED);
	count(&live.records_pinned, 1);
}

static void unpin(struct page_record *r)
{
	assert(r->pins > 0);
	if (--r->pins > 0)
		return;
	count(&live.records_pinned, -1);
	record_drop_hold(r);
}

void object_unpin(struct object *o, struct page_record *r)
{
	spin_lock(&o->lock);
	unpin(r);
	spin_unlock(&o->lock);
}

/* ---- pages ------------------------------------------------------------------------------------------------------------- */

/* An absent page, if it can be had without sleeping. */
static struct page_record *make_at_once(struct object *o, uint64_t index, int *why, bool *made)
{
	struct page_record *r;

	*why = -EAGAIN;
	if (o->pager) {
		pfn_t pfn = o->pager->borrow ? o->pager->borrow(o, index) : PFN_NONE;
		if (pfn == PFN_NONE || page_type(page_word_of(pfn)) != PAGE_RESERVED)
			return NULL;		/* or a damaged image gives one cluster to two files: the second gets a copy */
		r = record_insert(o, index, pfn, RECORD_READY, true);
	} else {
		size_t commits = commits_pages(o);
		if (commit_charge(NULL, commits) < 0) {
			*why = -ENOSPC;
			return NULL;
		}
		pfn_t pfn = frame_alloc_anon_zeroed();

		r = pfn == PFN_NONE ? NULL : record_insert(o, index, pfn, RECORD_READY, false);
		if (!r && pfn != PFN_NONE)
			frame_free(pfn, 0);
		if (!r)
			commit_release(commits);
		*made = r != NULL;
	}
	if (!r)
		*why = -ENOMEM;
	return r;
}

struct page_record *object_lookup(struct object *o, uint64_t index, int *why, bool *made)
{
	void **leaf = leaf_of(o, index);
	struct page_record *r = leaf ? leaf[slot_in(index, 0)] : NULL;

	*made = false;
	if (!r)
		return make_at_once(o, index, why, made);
	*why = -EAGAIN;
	r->used = true;
	return r->state == RECORD_READY ? r : NULL;
}

void object_peek(struct object *o, uint64_t index, pfn_t *frame)
{
	void **leaf = leaf_of(o, index);
	struct page_record *r = leaf ? leaf[slot_in(index, 0)] : NULL;

	if (r && r->state == RECORD_READY)
		*frame = r->pfn;
	else if (!r && o->pager && o->pager->borrow && !object_beyond(o, index))
		*frame = o->pager->borrow(o, index);
}

void object_cached(struct object *o, uint64_t index, size_t n, pfn_t *frame)
{
	bool borrows = o->pager && o->pager->borrow;
	void **leaf = leaf_of(o, index);

	for (size_t i = 0; i < n; i++) {
		struct page_record *r = leaf[slot_in(index + i, 0)];
		int why;
		bool made;

		if (!r && borrows)
			r = make_at_once(o, index + i, &why, &made);
		frame[i] = r && r->state == RECORD_READY ? r->pfn : PFN_NONE;
	}
}

/* A record in state FILLING, pinned by us, for an absent page; NULL: no memory. */
static struct page_record *begin_fill(struct object *o, uint64_t index)
{
	pfn_t pfn = frame_alloc(0, page_make(PAGE_ANON, 0), FRAME_USER);
	if (pfn == PFN_NONE)
		return NULL;

	struct page_record *r = record_insert(o, index, pfn, RECORD_FILLING, false);
	if (r)
		pin(r);
	else
		frame_free(pfn, 0);
	return r;
}

static void end_fill(struct object *o, struct page_record *r, int error)
{
	spin_lock(&o->lock);
	r->state = RECORD_READY;
	if (error && r->object)
		object_evict(o, r);
	spin_unlock(&o->lock);
	object_unpin(o, r);
	wake_all(&o->filled);
}

static bool is_filling(struct object *o, uint64_t index)
{
	void **leaf = leaf_of(o, index);
	struct page_record *r = leaf ? leaf[slot_in(index, 0)] : NULL;

	return r && r->state == RECORD_FILLING;
}

/* Another is reading the page: waits until it has ended, well or not.  object->lock held, also on return. */
static void wait_filled(struct object *o, uint64_t index)
{
	wait_prepare(&o->filled);
	while (is_filling(o, index)) {
		spin_unlock(&o->lock);
		wait_sleep(&o->filled, WAIT_UNINTERRUPTIBLE);
		wait_prepare(&o->filled);
		spin_lock(&o->lock);
	}
	wait_finish(&o->filled);
}

int object_fill(struct object *o, uint64_t index, bool *waited)
{
	struct page_record *r;
	bool made;
	int error;

	reclaim_keep_free();
	spin_lock(&o->lock);
	r = object_beyond(o, index) ? NULL : object_lookup(o, index, &error, &made);
	*waited = !r && is_filling(o, index);
	if (*waited)
		wait_filled(o, index);
	if (r || *waited || object_beyond(o, index)) {
		spin_unlock(&o->lock);
		return 0;			/* the caller looks again, and finds it or meets the end */
	}
	if (error == -EAGAIN)
		r = begin_fill(o, index);
	spin_unlock(&o->lock);
	if (!r)
		return reclaim_frames(RECLAIM_BATCH) ? 0 : -ENOMEM;

	error = o->pager->read(o, index, direct(r->pfn));
	if (!error)
		__atomic_fetch_add(&system_pages_read, 1, __ATOMIC_RELAXED);
	end_fill(o, r, error);
	return error;
}

/* ---- pages that were written -------------------------------------------------------------------------------------------- */

static void begin_clean(struct object *o, struct page_record *r)
{
	(void)o;
	if (r->dirty == RECORD_DIRTY)
		r->dirty = RECORD_CLEANING;
}

static void each_between(struct object *o, uint64_t first, uint64_t last, void (*fn)(struct object *, struct page_record *))
{
	spin_lock(&o->lock);
	for (; skip_gaps(o, &first) && first <= last; first++) {
		struct page_record *r = leaf_of(o, first)[slot_in(first, 0)];

		if (r)
			fn(o, r);
	}
	spin_unlock(&o->lock);
}

void object_begin_clean(struct object *o, uint64_t first, uint64_t last)
{
	each_between(o, first, last, begin_clean);
}

void object_end_clean(struct object *o, uint64_t first, uint64_t last)
{
	each_between(o, first, last, write_back);
}

struct object *object_next_unsynced(unsigned round)
{
	struct object *found = NULL;

	spin_lock(&object_list_lock);
	list_for_each(l, &object_list) {
		struct object *o = container_of(l, struct object, all);

		if (!object_tracks(o) || o->synced == round)
			continue;
		o->synced = round;
		found = object_try_ref(o);
		if (found)
			break;
	}
	spin_unlock(&object_list_lock);
	return found;
}

int object_pin(struct object *o, uint64_t index, struct page_record **out)
{
	for (;;) {
		bool made, waited;
		int why;

		spin_lock(&o->lock);
		if (object_beyond(o, index)) {
			spin_unlock(&o->lock);
			return -ENXIO;
		}
		*out = object_lookup(o, index, &why, &made);
		if (*out)
			pin(*out);
		spin_unlock(&o->lock);
		if (*out)
			return 0;
		if (why == -EAGAIN)
			why = object_fill(o, index, &waited);
		if (why)
			return why;
	}
}

/* ---- reading and writing ----------------------------------------------------------------------------------------------- */

enum { RUN_PAGES = 16 };		/* that are pinned at once */

/*
 * Pins the pages from `index` on that are ready, at most n, as far as they are in one leaf of the index.  A hole of an object without a pager reads as
 * zeros and is not made for that: NULL.  Returns how many; 0: the first must be borrowed or read, by object_pin.
 */
static size_t pin_run(struct object *o, uint64_t index, size_t n, struct page_record **run)
{
	size_t i = 0, room = OBJECT_FANOUT - slot_in(index, 0);

	spin_lock(&o->lock);
	void **leaf = leaf_of(o, index);
	for (n = n < room ? n : room; i < n; i++) {
		run[i] = leaf ? leaf[slot_in(index + i, 0)] : NULL;
		if (run[i] ? run[i]->state != RECORD_READY : o->pager != NULL)
			break;
		if (!run[i])
			continue;
		run[i]->used = true;
		pin(run[i]);
	}
	spin_unlock(&o->lock);
	return i;
}

static void unpin_run(struct object *o, struct page_record **run, size_t n)
{
	spin_lock(&o->lock);
	for (size_t i = 0; i < n; i++)
		if (run[i])
			unpin(run[i]);
	spin_unlock(&o->lock);
}

/* `wanted` bytes of these pages, from `within` of the first on; returns how many the user took. */
static size_t copy_run(struct uio *uio, struct page_record **run, size_t within, size_t wanted)
{
	for (size_t done = 0, n, moved; ; done += n, run++, within = 0) {
		n = PAGE_SIZE - within < wanted - done ? PAGE_SIZE - within : wanted - done;
		moved = *run ? uio_out(uio, (char *)direct((*run)->pfn) + within, n) : uio_zero(uio, n);
		if (moved < n || done + n == wanted)
			return done + moved;
	}
}

ssize object_read(struct object *o, struct uio *uio, uint64_t offset)
{
	struct page_record *run[RUN_PAGES];
	size_t done = 0;
	int error = 0;

	uint64_t size = object_size(o);

	while (uio->left > 0 && offset < size && !error) {
		size_t within = offset & PAGE_MASK, wanted = RUN_PAGES * PAGE_SIZE - within;

		if (wanted > uio->left)
			wanted = uio->left;
		if (wanted > size - offset)
			wanted = size - offset;
		size_t n = pin_run(o, offset >> PAGE_SHIFT, (within + wanted + PAGE_MASK) >> PAGE_SHIFT, run);
		if (n == 0 && (error = object_pin(o, offset >> PAGE_SHIFT, &run[n++])) != 0)
			break;
		if (wanted > n * PAGE_SIZE - within)
			wanted = n * PAGE_SIZE - within;
		size_t moved = copy_run(uio, run, within, wanted);
		unpin_run(o, run, n);
		if (moved < wanted)
			error = -EFAULT;
		done += moved;
		offset += moved;
	}
	return done ? (ssize)done : error == -ENXIO ? 0 : error;
}

/* The page `index` of an object without a pager, whatever its size: made if need be. */
static int pin_to_write(struct object *o, uint64_t index, struct page_record **out)
{
	for (;;) {
		bool made;
		int error;

		if (frame_is_short())
			reclaim_some();
		spin_lock(&o->lock);
		*out = object_lookup(o, index, &error, &made);
		if (*out)
			pin(*out);
		spin_unlock(&o->lock);
		if (*out)
			return 0;
		if (error != -ENOMEM || !reclaim_frames(RECLAIM_BATCH))
			return error;
	}
}

/* Bytes have been written to the page, which was pinned for that, up to `end` of the object; 0: none. */
static void written(struct object *o, struct page_record *r, uint64_t end)
{
	spin_lock(&o->lock);
	if (o->pager && end > 0)
		r->dirty = RECORD_DIRTY;
	if (end > o->size)
		set_size(o, end);
	unpin(r);
	spin_unlock(&o->lock);
}

ssize object_write(struct object *o, struct uio *uio, uint64_t offset)
{
	size_t done = 0;
	int error = 0;

	assert(!o->pager || object_tracks(o));
	while (uio->left > 0 && !error) {
		size_t within = offset & PAGE_MASK, n = PAGE_SIZE - within, moved;
		struct page_record *r;

		if (n > uio->left)
			n = uio->left;
		error = o->pager ? object_pin(o, offset >> PAGE_SHIFT, &r) : pin_to_write(o, offset >> PAGE_SHIFT, &r);
		if (error)
			break;
		moved = uio_in(uio, (char *)direct(r->pfn) + within, n);
		written(o, r, moved > 0 ? offset + moved : 0);
		if (moved < n)
			error = -EFAULT;
		done += moved;
		offset += moved;
	}
	return done ? (ssize)done : error;
}

/* Cuts off the records of pages first to last below this node, whose own first page is `base`. */
static void cut_below(struct object *o, void **node, unsigned level, uint64_t base, uint64_t first, uint64_t last)
{
	const uint64_t step = (uint64_t)1 << (level * OBJECT_FANOUT_BITS);

	for (unsigned i = 0; i < OBJECT_FANOUT; i++, base += step) {
		if (!node[i] || base + (step - 1) < first || base > last)
			continue;
		if (level > 0) {
			cut_below(o, node[i], level - 1, base, first, last);
		} else {
			record_cut(o, node[i]);
			node[i] = NULL;
		}
	}
}

/* Zeroes bytes [from, to) of one page, if that is in memory. */
static void zero_part(struct object *o, uint64_t from, uint64_t to)
{
	void **leaf = from < to ? leaf_of(o, from >> PAGE_SHIFT) : NULL;
	struct page_record *r = leaf ? leaf[slot_in(from >> PAGE_SHIFT, 0)] : NULL;

	if (r && r->state == RECORD_READY)
		memset((char *)direct(r->pfn) + (from & PAGE_MASK), 0, to - from);
}

/* Gives up the whole pages of bytes [from, to), zeroes what is part of a page.  object->lock held. */
static void punch(struct object *o, uint64_t from, uint64_t to)
{
	uint64_t first = object_pages(from), last = to >> PAGE_SHIFT;	/* exclusive */

	if (from & PAGE_MASK)
		zero_part(o, from, to >> PAGE_SHIFT < first ? to : first << PAGE_SHIFT);
	if (last >= first)
		zero_part(o, last << PAGE_SHIFT, to);
	if (last > first && o->root)
		cut_below(o, o->root, o->levels - 1, 0, first, last - 1);
}

void object_punch(struct object *o, uint64_t from, uint64_t to)
{
	spin_lock(&o->lock);
	punch(o, from, to);
	spin_unlock(&o->lock);
}

void object_resize(struct object *o, uint64_t size)
{
	spin_lock(&o->lock);
	if (size <= o->size)
		punch(o, size, OBJECT_ENDLESS);
	else if (o->size & PAGE_MASK)		/* a mapping may have written behind the end */
		zero_part(o, o->size, object_pages(o->size) << PAGE_SHIFT);
	set_size(o, size);
	spin_unlock(&o->lock);
}

/* ---- seals and mappings ---------------------------------------------------------------------------------------------------- */

static bool can_write(unsigned flags)
{
	return (flags & (REGION_SHARED | REGION_NOWRITE)) == REGION_SHARED;
}

int object_will_map(struct object *o, unsigned rights, unsigned *flags)
{
	int error = 0;

	spin_lock(&o->lock);
	if (o->seals & (SEAL_WRITE | SEAL_FUTURE_WRITE) && *flags & REGION_SHARED) {
		error = rights & VM_WRITE ? -EPERM : 0;
		*flags |= REGION_NOWRITE;
	}
	o->maps_coming += !error && can_write(*flags);
	spin_unlock(&o->lock);
	return error;
}

void object_mapped(struct object *o, unsigned flags)
{
	spin_lock(&o->lock);
	o->maps_coming -= can_write(flags);
	spin_unlock(&o->lock);
}

bool object_mapped_for_writing(const struct object *o)
{
	bool found = o->maps_coming > 0;

	assert(spin_held(&o->lock));
	list_for_each(l, &o->mappings)
		found = found || can_write(container_of(l, struct region, mapping)->flags);
	return found;
}

/* ---- life ---------------------------------------------------------------------------------------------------------------- */

struct object *object_create(const struct pager *pager, void *backing, uint64_t size)
{
	struct object *o = kzalloc(sizeof *o);

	if (!o)
		return NULL;
	spin_init(&o->lock, "object", RANK_OBJECT);
	mutex_init(&o->visiting, "object visit", RANK_SPACE - 2);
	waitq_init(&o->filled);
	list_init(&o->mappings);
	o->refs = 1;
	o->pager = pager;
	o->backing = backing;
	o->size = size;
	spin_lock(&object_list_lock);
	list_append(&object_list, &o->all);
	count(&live.objects, 1);
	spin_unlock(&object_list_lock);
	return o;
}

int object_commit(struct object *o)
{
	size_t npages = page_ceil(o->size) >> PAGE_SHIFT;

	assert(!o->pager && o->npages == 0 && o->committed == 0);
	int error = commit_charge(NULL, npages);
	if (!error)
		o->committed = npages;
	return error;
}

struct object *object_ref(struct object *o)
{
	__atomic_add_fetch(&o->refs, 1, __ATOMIC_RELAXED);
	return o;
}

struct object *object_try_ref(struct object *o)
{
	unsigned n = __atomic_load_n(&o->refs, __ATOMIC_RELAXED);

	while (n > 0)
		if (__atomic_compare_exchange_n(&o->refs, &n, n + 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return o;
	return NULL;
}

void object_put(struct object *o)
{
	if (__atomic_sub_fetch(&o->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	spin_lock(&object_list_lock);
	list_remove(&o->all);
	count(&live.objects, -1);
	spin_unlock(&object_list_lock);

	if (object_tracks(o))
		object_end_clean(o, 0, OBJECT_ENDLESS);
	object_punch(o, 0, OBJECT_ENDLESS);
	object_trim(o, 0, OBJECT_ENDLESS);
	commit_release(o->committed);
	if (o->pager && o->pager->release)
		o->pager->release(o);
	kfree(o->name);
	kfree(o);
}

void object_each_of_all(void (*fn)(void *context, struct page_record *), void *context)
{
	spin_lock(&object_list_lock);
	list_for_each(l, &object_list) {
		struct object *o = container_of(l, struct object, all);

		spin_lock(&o->lock);
		object_each(o, fn, context);
		spin_unlock(&o->lock);
	}
	spin_unlock(&object_list_lock);
}

void object_get_stats(struct object_stats *to)
{
	*to = live;
}
