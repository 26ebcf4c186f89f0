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
#include "lib/sync.h"
#include "arch/mmu.h"
#include "arch/thread.h"

enum { STACK_CACHE = 32, STACKS_KEPT = 8 };	/* free stacks: so many, then all but a few go at once */

static struct spinlock kspace_lock = SPINLOCK_INIT("kspace", RANK_KSPACE);
static struct region_tree ranges;
static size_t mapped_pages;
static void *stack_cache[STACK_CACHE];
static size_t stacks_cached;
LOCK_GUARDS(kspace_lock, ranges);
LOCK_GUARDS(kspace_lock, stack_cache);

/* Pages that are on their way out: freed once no processor can reach them any more. */
struct leaving { struct mmu_gather gather; size_t n; pfn_t frame[64]; };

static void free_leaving(struct leaving *l)
{
	mmu_gather_finish(&l->gather);
	mapped_pages -= l->n;
	while (l->n > 0)
		frame_free(l->frame[--l->n], 0);
}

static void take_out(struct leaving *l, const struct region *r)
{
	for (vaddr_t va = r->start + PAGE_SIZE; va < r->end - PAGE_SIZE; va += PAGE_SIZE) {
		pfn_t pfn = mmu_query(&kernel_mmu, va).pfn;
		if (pfn == PFN_NONE)
			continue;
		if (l->n == sizeof l->frame / sizeof *l->frame)
			free_leaving(l);
		mmu_unmap(&kernel_mmu, va, va + PAGE_SIZE, &l->gather);
		l->frame[l->n++] = pfn;
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

/* The range whose payload begins at p; kspace_lock held. */
static struct region *range_at(const void *p)
{
	struct region *r = region_find(&ranges, (vaddr_t)p);

	assert(r && r->start + PAGE_SIZE == (vaddr_t)p);
	return r;
}

/* All of them by one flush, which every processor has to answer. */
static void ranges_destroy(void *const p[], size_t n)
{
	struct leaving leaving = { .n = 0 };

	mmu_gather_begin(&leaving.gather, &kernel_mmu);
	for (size_t i = 0; i < n; i++)
		take_out(&leaving, range_at(p[i]));
	free_leaving(&leaving);
	for (size_t i = 0; i < n; i++) {
		struct region *r = range_at(p[i]);
		region_remove(&ranges, r);
		kfree(r);
	}
}

static void *range_alloc(size_t npages, enum kspace_how how, enum kernel_use use)
{
	spin_lock(&kspace_lock);
	struct region *r = range_create(npages, how == KSPACE_LAZY ? REGION_LAZY : 0);
	void *p = r ? (void *)(r->start + PAGE_SIZE) : NULL;

	for (vaddr_t va = (vaddr_t)p; p && how == KSPACE_MAPPED && va < r->end - PAGE_SIZE; va += PAGE_SIZE)
		if (map_one(va, use) < 0) {
			ranges_destroy(&p, 1);
			p = NULL;
		}
	spin_unlock(&kspace_lock);
	return p;
}

void *kspace_alloc(size_t npages, enum kspace_how how)
{
	return range_alloc(npages, how, USE_RANGE);
}

void kspace_free(void *p)
{
	spin_lock(&kspace_lock);
	ranges_destroy(&p, 1);
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
	/* The highest come first, and stay: ranges are given out from the top, so that page tables further down can go. */
	size_t i = stacks_cached++;
	for (; i > 0 && stack_cache[i - 1] < stack; i--)
		stack_cache[i] = stack_cache[i - 1];
	stack_cache[i] = stack;
	if (stacks_cached == STACK_CACHE)
		ranges_destroy(stack_cache + (stacks_cached = STACKS_KEPT), STACK_CACHE - STACKS_KEPT);
	spin_unlock(&kspace_lock);
}

void kstack_drop(void)
{
	spin_lock(&kspace_lock);
	ranges_destroy(stack_cache, stacks_cached);
	stacks_cached = 0;
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
