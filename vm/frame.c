/*
 * vm/frame.c - the buddy allocator.  See frame.h.
 *
 * A free block of 2^order frames starts at a multiple of its size.  Its first frame's word is (PAGE_FREE, order), the
 * others' are PAGE_PART, and its first bytes are its links in the zone's list of that order.  So the buddy of a block
 * is free and whole exactly if the word at (pfn XOR size) is (PAGE_FREE, order): one comparison decides a merge, and
 * split and merge change two words.
 *
 * A zone is in parts, which take turns from one block of the largest order to the next; so buddies are in the same part.  Each processor begins to
 * look at a part of its own, and those of two processors are as far apart as can be: they meet when memory is nearly used up.
 *
 * Locks: a part's own (RANK_ZONE) guards its lists, its counts, and the words of its free frames; before it, a cache's own (RANK_CACHE).
 * How many are free is claimed first, then they are looked for, and counted again after they have come back: so what has been claimed is there.
 */
#include "vm/frame.h"
#include "vm/physmap.h"
#include "lib/sync.h"
#include "arch/mmu.h"
#include "lib/list.h"
#include "lib/string.h"

static struct zone {
	struct spinlock lock;
	unsigned orders;		/* bit n: free[n] has a block.  Looked at without the lock as well */
	struct list free[FRAME_MAX_ORDER + 1];
	size_t blocks[FRAME_MAX_ORDER + 1];
} CPU_LOCAL zones[ZONES][FRAME_PARTS] = { [0 ... ZONES - 1] = { [0 ... FRAME_PARTS - 1] = { .lock = SPINLOCK_INIT("zone", RANK_ZONE) } } };

enum { RESERVE_FRAMES = 16 };		/* a slab, a region, and tables for a kernel range, twice over */

static size_t managed, reserve, reserve_low, reserve_used;	/* the last two: atomic */
struct frame_level frame_level;

const void *frame_emergency;

#ifndef NDEBUG
unsigned long alloc_fail_at;
const void *alloc_fail_thread;

bool alloc_should_fail(void)
{
	return alloc_fail_at && (!alloc_fail_thread || alloc_fail_thread == cpu_current()) && __atomic_sub_fetch(&alloc_fail_at, 1, __ATOMIC_RELAXED) == 0;
}
#endif

static struct zone *zone_of(pfn_t pfn)
{
	enum zone_id id = pfn < (pfn_t)1 << (24 - PAGE_SHIFT) ? ZONE_DMA : pfn < (pfn_t)1 << (32 - PAGE_SHIFT) ? ZONE_DMA32 : ZONE_NORMAL;

	return &zones[id][(pfn >> FRAME_MAX_ORDER) % FRAME_PARTS];
}

/* The nth of all, in the order in which this processor looks: highest zone first, in each its own part first. */
static struct zone *nth_zone(unsigned n, enum zone_id highest)
{
	return &zones[highest - n / FRAME_PARTS][(cpu_index() * FRAME_PARTS / cpu_count + n) % FRAME_PARTS];
}

static inline void set_orders(struct zone *zone, unsigned orders)
{
	__atomic_store_n(&zone->orders, orders, __ATOMIC_RELAXED);
}

static void block_push(struct zone *zone, pfn_t pfn, unsigned order)
{
	page_word_set(pfn, page_make(PAGE_FREE, order));
	list_push(&zone->free[order], direct(pfn));
	zone->blocks[order]++;
	set_orders(zone, zone->orders | 1u << order);
}

static void block_unlink(struct zone *zone, pfn_t pfn, unsigned order)
{
	list_remove(direct(pfn));
	if (--zone->blocks[order] == 0)
		set_orders(zone, zone->orders & ~(1u << order));
}

/* The smallest block that is large enough; what is too much of it goes back, half by half. */
static pfn_t take_from(struct zone *zone, unsigned order)
{
	unsigned fitting = zone->orders >> order;

	if (!fitting)
		return PFN_NONE;
	unsigned have = order + (unsigned)__builtin_ctz(fitting);
	pfn_t pfn = direct_pfn(zone->free[have].next);

	block_unlink(zone, pfn, have);
	while (have > order) {
		have--;
		block_push(zone, pfn + ((pfn_t)1 << have), have);
	}
	return pfn;
}

static void note_reserve_use(size_t left)
{
	size_t low = __atomic_load_n(&reserve_low, __ATOMIC_RELAXED);

	if (left >= reserve)
		return;
	__atomic_add_fetch(&reserve_used, 1, __ATOMIC_RELAXED);
	while (left < low && !__atomic_compare_exchange_n(&reserve_low, &low, left, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

/* So many frames, or if there are fewer at least `least`, will be taken: returns how many, or 0.  The reserve is for allocations inside the allocator. */
static size_t claim(size_t least, size_t most, enum frame_need need)
{
	bool all = need == FRAME_KERNEL && __atomic_load_n(&frame_emergency, __ATOMIC_RELAXED) == cpu_current();
	size_t keep = all ? 0 : reserve, free = __atomic_load_n(&frame_level.free, __ATOMIC_RELAXED), n;

	do {
		if (free < keep + least)
			return 0;
		n = free - keep < most ? free - keep : most;
	} while (!__atomic_compare_exchange_n(&frame_level.free, &free, free - n, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	note_reserve_use(free - n);
	return n;
}

static pfn_t look_for(unsigned order, page_word word, enum zone_id highest)
{
	pfn_t pfn = PFN_NONE;

	for (unsigned n = 0; pfn == PFN_NONE && n < (highest + 1) * FRAME_PARTS; n++) {
		struct zone *zone = nth_zone(n, highest);

		if (!(__atomic_load_n(&zone->orders, __ATOMIC_RELAXED) >> order))
			continue;
		spin_lock(&zone->lock);
		pfn = take_from(zone, order);
		if (pfn != PFN_NONE)
			page_word_set(pfn, word);
		spin_unlock(&zone->lock);
	}
	return pfn;
}

/* A single frame that has been claimed is somewhere, though it may be given back behind us while we look. */
static pfn_t take(unsigned order, page_word word, enum zone_id highest, enum frame_need need)
{
	size_t count = (size_t)1 << order;
	pfn_t pfn;

	if (!claim(count, count, need))
		return PFN_NONE;
	do
		pfn = look_for(order, word, highest);
	while (pfn == PFN_NONE && order == 0 && highest == ZONE_NORMAL);
	if (pfn == PFN_NONE)
		__atomic_add_fetch(&frame_level.free, count, __ATOMIC_RELAXED);
	return pfn;
}

/* The zone is locked. */
static void merge(struct zone *zone, pfn_t pfn, unsigned order)
{
	while (order < FRAME_MAX_ORDER) {
		pfn_t buddy = pfn ^ ((pfn_t)1 << order);

		if (page_word_of(buddy) != page_make(PAGE_FREE, order))
			break;
		block_unlink(zone, buddy, order);
		page_word_set(pfn | buddy, page_make(PAGE_PART, 0));	/* the upper half is a part now */
		pfn &= buddy;
		order++;
	}
	block_push(zone, pfn, order);
}

static void give_back(const pfn_t *frame, size_t n, unsigned order)
{
	struct zone *zone = NULL;

	for (size_t i = 0; i < n; i++) {
		struct zone *its = zone_of(frame[i]);

		if (its != zone) {
			if (zone)
				spin_unlock(&zone->lock);
			zone = its;
			spin_lock(&zone->lock);
		}
		merge(zone, frame[i], order);
	}
	if (zone)
		spin_unlock(&zone->lock);
	__atomic_add_fetch(&frame_level.free, n << order, __ATOMIC_RELAXED);
}

/* ---- frames at hand ----------------------------------------------------------------------------------------------------------------- */

enum { CACHE_FRAMES = 64, CACHE_BATCH = 32 };

/* The processor's own; its lock is for those who come from elsewhere to empty it. */
static struct frame_cache {
	struct spinlock lock;
	unsigned n;
	pfn_t frame[CACHE_FRAMES];
} CPU_LOCAL caches[CPUS_MAX] = { [0 ... CPUS_MAX - 1] = { .lock = SPINLOCK_INIT("frames at hand", RANK_CACHE) } };

/* It is locked; those who want to know about how many there are read without. */
static inline void count_cached(struct frame_cache *c, int change)
{
	__atomic_store_n(&c->n, c->n + (unsigned)change, __ATOMIC_RELAXED);
}

/* The cache is locked and has room. */
static void put_at_hand(struct frame_cache *c, pfn_t pfn)
{
	page_word_set(pfn, page_kernel(0, USE_AT_HAND));
	c->frame[c->n] = pfn;
	count_cached(c, 1);
}

/* Fragments first: moves at most so many frames of this zone into the cache, which is locked; returns how many. */
static size_t move_to_cache(struct zone *zone, struct frame_cache *c, size_t most)
{
	size_t moved = 0;

	spin_lock(&zone->lock);
	while (moved < most && zone->orders) {
		unsigned fits = 63 - (unsigned)__builtin_clzll(most - moved), order = (unsigned)__builtin_ctz(zone->orders);
		size_t n = (size_t)1 << (order < fits ? order : fits);
		pfn_t pfn = take_from(zone, order < fits ? order : fits);

		moved += n;
		while (n-- > 0)
			put_at_hand(c, pfn + n);
	}
	spin_unlock(&zone->lock);
	return moved;
}

/* The cache is empty and locked.  Leaves the reserve alone. */
static void refill(struct frame_cache *c)
{
	size_t want = claim(1, CACHE_BATCH, FRAME_USER);

	for (unsigned n = 0; want > 0; n = (n + 1) % (ZONES * FRAME_PARTS)) {
		struct zone *zone = nth_zone(n, ZONE_NORMAL);

		if (__atomic_load_n(&zone->orders, __ATOMIC_RELAXED))
			want -= move_to_cache(zone, c, want);
	}
}

/* The cache is locked: its oldest n frames go back. */
static void return_frames(struct frame_cache *c, unsigned n)
{
	give_back(c->frame, n, 0);
	count_cached(c, -(int)n);
	memmove(c->frame, c->frame + n, c->n * sizeof c->frame[0]);
}

static pfn_t take_at_hand(page_word word)
{
	struct frame_cache *c = &caches[cpu_index()];
	pfn_t pfn = PFN_NONE;

	spin_lock(&c->lock);
	if (c->n == 0)
		refill(c);
	if (c->n > 0) {
		count_cached(c, -1);
		pfn = c->frame[c->n];
		page_word_set(pfn, word);
	}
	spin_unlock(&c->lock);
	return pfn;
}

static void keep_at_hand(pfn_t pfn)
{
	struct frame_cache *c = &caches[cpu_index()];

	spin_lock(&c->lock);
	put_at_hand(c, pfn);
	if (c->n == CACHE_FRAMES)
		return_frames(c, CACHE_BATCH);
	spin_unlock(&c->lock);
}

/* As many as make half a cache; returns how many that were. */
static unsigned keep_some(const pfn_t *frame, unsigned n)
{
	struct frame_cache *c = &caches[cpu_index()];
	unsigned kept = 0;

	spin_lock(&c->lock);
	while (kept < n && c->n < CACHE_BATCH)
		put_at_hand(c, frame[kept++]);
	spin_unlock(&c->lock);
	return kept;
}

size_t frame_drain(void)
{
	size_t n = 0;

	for (struct frame_cache *c = caches; c < caches + cpu_count; c++) {
		spin_lock(&c->lock);
		n += c->n;
		return_frames(c, c->n);
		spin_unlock(&c->lock);
	}
	return n;
}

size_t frame_cached(void)
{
	size_t n = 0;

	for (struct frame_cache *c = caches; c < caches + cpu_count; c++)
		n += __atomic_load_n(&c->n, __ATOMIC_RELAXED);
	return n;
}

size_t frame_free_count(void)
{
	return __atomic_load_n(&frame_level.free, __ATOMIC_RELAXED) + frame_cached();
}

size_t frame_managed(void)
{
	return managed;			/* does not change after the start */
}

/* ---- the calls ------------------------------------------------------------------------------------------------------------------------ */

/* What other processors have at hand is taken from them before an allocation fails. */
static pfn_t alloc(unsigned order, page_word word, enum zone_id highest, enum frame_need need)
{
	pfn_t pfn = PFN_NONE;

	if (alloc_should_fail())
		return PFN_NONE;
	if (order == 0 && highest == ZONE_NORMAL)
		pfn = take_at_hand(word);
	if (pfn == PFN_NONE)
		pfn = take(order, word, highest, need);
	if (__builtin_expect(pfn == PFN_NONE, 0) && frame_drain() > 0)
		pfn = take(order, word, highest, need);
	return pfn;
}

pfn_t frame_alloc(unsigned order, page_word word, enum frame_need need)
{
	return alloc(order, word, ZONE_NORMAL, need);
}

pfn_t frame_alloc_zone(unsigned order, page_word word, enum zone_id highest)
{
	return alloc(order, word, highest, FRAME_USER);
}

pfn_t frame_alloc_anon_zeroed(void)
{
	pfn_t pfn = frame_alloc(0, page_make(PAGE_ANON, 0), FRAME_USER);

	if (pfn != PFN_NONE)
		page_zero(direct(pfn));
	return pfn;
}

pfn_t frame_alloc_table(void)
{
	pfn_t pfn = frame_alloc(0, page_table(0, 0, 1), FRAME_KERNEL);

	if (pfn != PFN_NONE)
		page_zero(direct(pfn));
	return pfn;
}

/* When memory is short, what is freed is to be seen by all. */
void frame_free(pfn_t pfn, unsigned order)
{
	assert(page_type(page_word_of(pfn)) != PAGE_FREE && page_type(page_word_of(pfn)) != PAGE_PART && page_word_of(pfn) != page_kernel(0, USE_AT_HAND));
	if (order == 0 && !frame_is_short()) {
		keep_at_hand(pfn);
		return;
	}
	give_back(&pfn, 1, order);
}

void frame_free_all(const pfn_t *frame, unsigned n)
{
	unsigned kept = n > 0 && !frame_is_short() ? keep_some(frame, n) : 0;

	if (kept < n)
		give_back(frame + kept, n - kept, 0);
}

void frame_get_stats(struct frame_stats *to)
{
	*to = (struct frame_stats){ .managed = managed, .free = frame_free_count(), .reserve = reserve,
		.reserve_low = __atomic_load_n(&reserve_low, __ATOMIC_RELAXED), .reserve_used = __atomic_load_n(&reserve_used, __ATOMIC_RELAXED) };
	for (unsigned n = 0; n < ZONES * FRAME_PARTS; n++) {
		struct zone *zone = &zones[n / FRAME_PARTS][n % FRAME_PARTS];

		spin_lock(&zone->lock);
		for (int order = 0; order <= FRAME_MAX_ORDER; order++)
			to->free_blocks[n / FRAME_PARTS][order] += zone->blocks[order];
		spin_unlock(&zone->lock);
	}
}

const struct list *frame_free_list(enum zone_id zone, unsigned part, unsigned order)
{
	return &zones[zone][part].free[order];
}

bool frame_exists(pfn_t pfn)
{
	size_t n;
	const struct phys_range *r = physmap_ram(&n);

	for (size_t i = 0; i < n; i++)
		if (pfn >= r[i].start && pfn < r[i].end)
			return true;
	return false;
}

/*
 * Maps the page words of every block that RAM touches; ranges are sorted, so what is mapped already is known by its end.
 * Whole blocks, so that the word of any frame's buddy can be read.
 */
static void map_page_words(void)
{
	const pfn_t block = (pfn_t)1 << FRAME_MAX_ORDER;
	vaddr_t mapped_to = 0;
	size_t n;
	const struct phys_range *r = physmap_ram(&n);

	for (size_t i = 0; i < n; i++) {
		vaddr_t from = page_floor((vaddr_t)&pages[r[i].start & ~(block - 1)]);
		vaddr_t to = page_ceil((vaddr_t)&pages[(r[i].end + block - 1) & ~(block - 1)]);

		if (from < mapped_to)
			from = mapped_to;
		if (from < to) {
			mmu_boot_map(from, (to - from) >> PAGE_SHIFT);
			page_array_bytes += to - from;
		}
		mapped_to = to;
	}
}

size_t page_array_bytes;

void frame_init(void)
{
	size_t n;

	for (struct zone *zone = zones[0]; zone < zones[ZONES]; zone++)
		for (int order = 0; order <= FRAME_MAX_ORDER; order++)
			list_init(&zone->free[order]);
	map_page_words();

	const struct phys_range *r = physmap_free(&n);
	for (size_t i = 0; i < n; i++)
		for (pfn_t pfn = r[i].start; pfn < r[i].end; ) {
			unsigned order = pfn ? (unsigned)__builtin_ctzll(pfn) : FRAME_MAX_ORDER;

			if (order > FRAME_MAX_ORDER)
				order = FRAME_MAX_ORDER;
			while (pfn + ((pfn_t)1 << order) > r[i].end)
				order--;
			for (pfn_t k = 1; k < (pfn_t)1 << order; k++)
				page_word_set(pfn + k, page_make(PAGE_PART, 0));
			give_back(&pfn, 1, order);
			managed += (size_t)1 << order;
			pfn += (pfn_t)1 << order;
		}
	reserve = reserve_low = RESERVE_FRAMES;
	frame_level.low = reserve + managed / 32;
}
