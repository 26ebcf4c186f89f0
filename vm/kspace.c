/*
 * vm/kspace.c - kernel address ranges.  See kspace.h.
 *
 * Ranges are regions in a tree of their own between KSPACE_START and KSPACE_END.  A region spans its two guard pages too,
 * which are never mapped.  Payload frames are taken first and leave the emergency reserve alone; the region and the page
 * tables come last, from inside the allocator, and may use it: so a range whose payload was found can be finished.
 *
 * Lock: kspace_lock (RANK_KSPACE) guards the tree, the kernel's page tables in this area, and the stack cache.
 */
#include "vm/kspace.h"
#include "vm/fault.h"
#include "vm/frame.h"
#include "vm/heap.h"
#include "vm/region.h"
#include "vm/sync.h"
#include "arch/mmu.h"
#include "arch/thread.h"

enum { STACK_CACHE = 8 };

static struct spinlock kspace_lock = SPINLOCK_INIT("kspace", RANK_KSPACE);
static struct region_tree ranges;
static size_t mapped_pages;
static void *stack_cache[STACK_CACHE];
static size_t stacks_cached;
LOCK_GUARDS(kspace_lock, ranges);
LOCK_GUARDS(kspace_lock, stack_cache);

/* Takes out and frees the pages of [start, end), as far as there are any. */
static void unmap_free(vaddr_t start, vaddr_t end)
{
	enum { CHUNK = 32 };
	pfn_t frame[CHUNK];

	while (start < end) {
		size_t n = 0;
		vaddr_t stop = end - start > CHUNK * PAGE_SIZE ? start + CHUNK * PAGE_SIZE : end;

		for (vaddr_t va = start; va < stop; va += PAGE_SIZE) {
			pfn_t pfn = mmu_query(&kernel_mmu, va).pfn;
			if (pfn != PFN_NONE)
				frame[n++] = pfn;
		}
		mmu_discard(&kernel_mmu, start, stop);
		mapped_pages -= n;
		while (n > 0)
			frame_free(frame[--n], 0);
		start = stop;
	}
}

/* One level: what is below does not come back here.  kspace_lock is held. */
static void begin_emergency(void)
{
	assert(!frame_emergency);
	__atomic_store_n(&frame_emergency, cpu_current(), __ATOMIC_RELAXED);
}

static void end_emergency(void)
{
	__atomic_store_n(&frame_emergency, NULL, __ATOMIC_RELAXED);
}

/* Maps one zeroed frame; payload frames do not come from the reserve, tables may. */
static int map_one(vaddr_t va, enum kernel_use use)
{
	pfn_t pfn = frame_alloc(0, page_kernel(0, use), FRAME_USER);
	if (pfn == PFN_NONE)
		return -ENOMEM;

	page_zero(direct(pfn));
	begin_emergency();
	ssize n = mmu_map(&kernel_mmu, va, &pfn, 1, VM_READ | VM_WRITE);
	end_emergency();
	if (n != 1) {
		frame_free(pfn, 0);
		return -ENOMEM;
	}
	mapped_pages++;
	return 0;
}

static struct region *range_create(size_t npages, unsigned flags)
{
	vaddr_t start;
	size_t size = (npages + 2) << PAGE_SHIFT;

	if (npages == 0 || npages > (KSPACE_END - KSPACE_START) >> PAGE_SHIFT
	    || !region_gap(&ranges, size, KSPACE_START, KSPACE_END, &start))
		return NULL;
	begin_emergency();
	struct region *r = kzalloc(sizeof *r);
	end_emergency();
	if (!r)
		return NULL;
	r->start = start;
	r->end = start + size;
	r->rights = VM_READ | VM_WRITE;
	r->flags = flags;
	region_insert(&ranges, r);
	return r;
}

static void range_destroy(struct region *r)
{
	unmap_free(r->start + PAGE_SIZE, r->end - PAGE_SIZE);
	region_remove(&ranges, r);
	kfree(r);
}

static void *range_alloc(size_t npages, enum kspace_how how, enum kernel_use use)
{
	spin_lock(&kspace_lock);
	struct region *r = range_create(npages, how == KSPACE_LAZY ? REGION_LAZY : 0);

	for (vaddr_t va = r ? r->start + PAGE_SIZE : 0; r && how == KSPACE_MAPPED && va < r->end - PAGE_SIZE; va += PAGE_SIZE)
		if (map_one(va, use) < 0) {
			range_destroy(r);
			r = NULL;
		}
	spin_unlock(&kspace_lock);
	return r ? (void *)(r->start + PAGE_SIZE) : NULL;
}

/* The range whose payload begins at p; kspace_lock held. */
static struct region *range_at(const void *p)
{
	struct region *r = region_find(&ranges, (vaddr_t)p);

	assert(r && r->start + PAGE_SIZE == (vaddr_t)p);
	return r;
}

void *kspace_alloc(size_t npages, enum kspace_how how)
{
	return range_alloc(npages, how, USE_RANGE);
}

void kspace_free(void *p)
{
	spin_lock(&kspace_lock);
	range_destroy(range_at(p));
	spin_unlock(&kspace_lock);
}

size_t kspace_size(const void *p)
{
	spin_lock(&kspace_lock);
	struct region *r = range_at(p);
	size_t size = r->end - r->start - 2 * PAGE_SIZE;
	spin_unlock(&kspace_lock);
	return size;
}

void *kstack_alloc(void)
{
	void *stack = NULL;

	spin_lock(&kspace_lock);
	if (stacks_cached > 0)
		stack = stack_cache[--stacks_cached];
	spin_unlock(&kspace_lock);
	return stack ? stack : range_alloc(KERNEL_STACK_PAGES, KSPACE_MAPPED, USE_STACK);
}

void kstack_free(void *stack)
{
	spin_lock(&kspace_lock);
	if (stacks_cached < STACK_CACHE) {
		stack_cache[stacks_cached++] = stack;
	} else {
		/* The highest are kept: ranges are given out from the top, so that page tables further down can go. */
		for (unsigned i = 0; i < STACK_CACHE; i++)
			if (stack_cache[i] < stack) {
				void *lower = stack_cache[i];
				stack_cache[i] = stack;
				stack = lower;
			}
		range_destroy(range_at(stack));
	}
	spin_unlock(&kspace_lock);
}

size_t kstack_cached(void)
{
	return stacks_cached;
}

bool vm_fault_kernel(vaddr_t addr, enum fault_access access)
{
	bool served = false;

	if (addr < KSPACE_START || addr >= KSPACE_END || access == FAULT_EXEC)
		return false;
	spin_lock(&kspace_lock);
	struct region *r = region_find(&ranges, addr);
	if (r && (r->flags & REGION_LAZY) && addr >= r->start + PAGE_SIZE && addr < r->end - PAGE_SIZE)
		served = mmu_query(&kernel_mmu, page_floor(addr)).pfn != PFN_NONE || map_one(page_floor(addr), USE_RANGE) == 0;
	spin_unlock(&kspace_lock);
	return served;
}

const char *kspace_describe(vaddr_t addr)
{
	if (addr < KSPACE_START || addr >= KSPACE_END)
		return NULL;
	struct region *r = region_find(&ranges, addr);		/* no lock: the kernel is dying */

	if (!r || addr < r->start)
		return "unused kernel range";
	bool stack = r->end - r->start == (KERNEL_STACK_PAGES + 2) * PAGE_SIZE;
	if (addr < r->start + PAGE_SIZE)
		return stack ? "guard page below a kernel stack" : "guard page below a kernel range";
	if (addr >= r->end - PAGE_SIZE)
		return stack ? "guard page above a kernel stack" : "guard page above a kernel range";
	return NULL;
}

void kspace_get_stats(struct kspace_stats *to)
{
	spin_lock(&kspace_lock);
	*to = (struct kspace_stats){ .ranges = ranges.count, .pages = mapped_pages };
	spin_unlock(&kspace_lock);
}
