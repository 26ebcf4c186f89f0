/*
 * vm/frame.c - the buddy allocator.  See frame.h.
 *
 * A free block of 2^order frames starts at a multiple of its size.  Its first frame's word is (PAGE_FREE, order), the
 * others' are PAGE_PART, and its first bytes are its links in the zone's list of that order.  So the buddy of a block
 * is free and whole exactly if the word at (pfn XOR size) is (PAGE_FREE, order): one comparison decides a merge, and
 * split and merge change two words.
 *
 * Lock: zone_lock (RANK_ZONE) guards the lists, the counts, and the words of free frames.
 */
#include "vm/frame.h"
#include "vm/physmap.h"
#include "vm/sync.h"
#include "arch/mmu.h"
#include "lib/list.h"

struct zone {
	struct list free[FRAME_MAX_ORDER + 1];
	size_t blocks[FRAME_MAX_ORDER + 1];
	unsigned orders;		/* bit n: free[n] has a block */
};

enum { RESERVE_FRAMES = 16 };		/* a slab, a region, and tables for a kernel range, twice over */

static struct spinlock zone_lock = SPINLOCK_INIT("zone", RANK_ZONE);
static struct zone zones[ZONES];
LOCK_GUARDS(zone_lock, zones);
static size_t managed, reserve, reserve_low, reserve_used;
struct frame_level frame_level;

unsigned frame_emergency;

#ifndef NDEBUG
unsigned long alloc_fail_at;
const void *alloc_fail_thread;

bool alloc_should_fail(void)
{
	return alloc_fail_at && (!alloc_fail_thread || alloc_fail_thread == cpu_current()) && --alloc_fail_at == 0;
}
#endif

static enum zone_id zone_of(pfn_t pfn)
{
	if (pfn < (pfn_t)1 << (24 - PAGE_SHIFT))
		return ZONE_DMA;
	return pfn < (pfn_t)1 << (32 - PAGE_SHIFT) ? ZONE_DMA32 : ZONE_NORMAL;
}

static void block_push(struct zone *zone, pfn_t pfn, unsigned order)
{
	pages[pfn] = page_make(PAGE_FREE, order);
	list_push(&zone->free[order], direct(pfn));
	zone->blocks[order]++;
	zone->orders |= 1u << order;
}

static void block_unlink(struct zone *zone, pfn_t pfn, unsigned order)
{
	list_remove(direct(pfn));
	if (--zone->blocks[order] == 0)
		zone->orders &= ~(1u << order);
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

/* May this allocation leave so few frames free?  The reserve is for allocations inside the allocator. */
static bool reserve_allows(size_t left, enum frame_need need)
{
	return left >= reserve || (need == FRAME_KERNEL && frame_emergency);
}

static void note_reserve_use(size_t left)
{
	if (left >= reserve)
		return;
	reserve_used++;
	if (left < reserve_low)
		reserve_low = left;
}

static pfn_t alloc_locked(unsigned order, enum zone_id highest, enum frame_need need)
{
	size_t count = (size_t)1 << order;
	pfn_t pfn = PFN_NONE;

	if (frame_level.free < count || !reserve_allows(frame_level.free - count, need) || alloc_should_fail())
		return PFN_NONE;
	for (int z = (int)highest; z >= 0 && pfn == PFN_NONE; z--)
		pfn = take_from(&zones[z], order);
	if (pfn == PFN_NONE)
		return PFN_NONE;
	frame_level.free -= count;
	note_reserve_use(frame_level.free);
	return pfn;
}

static pfn_t alloc(unsigned order, page_word word, enum zone_id highest, enum frame_need need)
{
	spin_lock(&zone_lock);
	pfn_t pfn = alloc_locked(order, highest, need);
	if (pfn != PFN_NONE)
		pages[pfn] = word;
	spin_unlock(&zone_lock);
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

void frame_free(pfn_t pfn, unsigned order)
{
	struct zone *zone = &zones[zone_of(pfn)];

	assert(page_type(pages[pfn]) != PAGE_FREE && page_type(pages[pfn]) != PAGE_PART);
	spin_lock(&zone_lock);
	frame_level.free += (size_t)1 << order;
	while (order < FRAME_MAX_ORDER) {
		pfn_t buddy = pfn ^ ((pfn_t)1 << order);

		if (pages[buddy] != page_make(PAGE_FREE, order))
			break;
		block_unlink(zone, buddy, order);
		pages[pfn | buddy] = page_make(PAGE_PART, 0);	/* the upper half is a part now */
		pfn &= buddy;
		order++;
	}
	block_push(zone, pfn, order);
	spin_unlock(&zone_lock);
}

void frame_get_stats(struct frame_stats *to)
{
	spin_lock(&zone_lock);
	*to = (struct frame_stats){ .managed = managed, .free = frame_level.free, .reserve = reserve,
		.reserve_low = reserve_low, .reserve_used = reserve_used };
	for (int z = 0; z < ZONES; z++)
		for (int order = 0; order <= FRAME_MAX_ORDER; order++)
			to->free_blocks[z][order] = zones[z].blocks[order];
	spin_unlock(&zone_lock);
}

const struct list *frame_free_list(enum zone_id zone, unsigned order)
{
	return &zones[zone].free[order];
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

	for (int z = 0; z < ZONES; z++)
		for (int order = 0; order <= FRAME_MAX_ORDER; order++)
			list_init(&zones[z].free[order]);
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
				pages[pfn + k] = page_make(PAGE_PART, 0);
			frame_free(pfn, order);
			managed += (size_t)1 << order;
			pfn += (pfn_t)1 << order;
		}
	reserve = reserve_low = RESERVE_FRAMES;
	frame_level.low = reserve + managed / 32;
}
