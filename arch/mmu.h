/*
 * arch/mmu.h - contract: page tables and TLB.
 *
 * Five operations (map, unmap, copy, drop, protect), query, and a walk for the checker.  vm/ never sees a table, its depth or an entry's bits.
 * The operations work in bulk and keep the counts of vm/page.h themselves, inlined in their loops: a leaf entry that appears or vanishes counts
 * at its page (page_entry_get, page_entry_put), an upper entry at its table.  A table whose last entry goes is freed.  mmu->resident counts the leaf
 * entries of counted pages, mmu->tables the tables below the root (shared ones too).
 *
 * Rights: `prot` is VM_READ|VM_WRITE|VM_EXEC; an entry with rights 0 (PROT_NONE) keeps its page but lets nobody at it.  User or kernel
 * follows from the address.  Hardware that cannot express a right gives more reading, never more writing.
 * An entry that is not present can hold a value of vm/'s own, such as a place in a swap device: MMU_VALUE_BITS (arch_mmu.h) bits of it, not all 0.  A bit of
 * the format, which only such an entry has, tells it from an empty one and from one with rights 0.  No operation makes one yet.
 *
 * => map, replace, loosen, query and flush_local of a user mmu are called with its space locked for reading or writing (vm/space.h), all others for
 *    writing; those on kernel_mmu with the kspace lock.  So while faults of one space run side by side, tables may come, but none goes, and none is replaced.
 *    A leaf table's entries and counts change under its own lock (vm/page.h: table_lock), as does its count of references, which belongs to several spaces.
 *
 * Order of memory: a table is empty, or a page filled, before the store that makes it reachable; that store releases.  An entry that is taken out is
 * written before the flush is asked for, and a processor that begins to run a space says so before it loads the root: so either it is asked,
 * or it does not see the entry.  What was mapped is given back, and a count that falls told to others, after the flush.
 * The processor itself sets accessed and dirty bits at any time.  Those that it sets while an entry is rewritten may be lost: they are hints.
 *
 * struct mmu, struct mmu_gather's size and the inline parts are in arch_mmu.h:
 *
 *   void *direct(pfn_t)            the frame in the direct map
 *   pfn_t direct_pfn(const void *) the reverse, for addresses inside the direct map
 */
#pragma once
#include "vm/types.h"
#include "arch_mmu.h"

extern struct mmu kernel_mmu;

/* A huge page is what a leaf table maps. */
#define MMU_HUGE_ORDER	(HUGE_SHIFT - PAGE_SHIFT)

/*
 * What has been taken out, to be given back once no TLB can hold it, and the range to flush for that.  Filled by the operations, emptied by mmu_gather_finish: first
 * flushes (every processor that runs the space; paging-structure caches too when tables went), then drops the entry that each page had counted, and frees
 * pages and tables that nobody has.  Also when full.
 */
enum { GATHER_FRAMES = 128 };
struct mmu_gather {
	struct mmu *mmu;
	vaddr_t start, end;		/* what to flush: nothing when start >= end */
	unsigned pages;			/* entries changed in that range */
	bool others;			/* other processors must not go on with what they have; else it is only stricter than need be */
	bool tables;			/* tables were taken out */
	unsigned nframes;
	pfn_t frame[GATHER_FRAMES];
};
static inline void mmu_gather_begin(struct mmu_gather *g, struct mmu *mmu)
{
	g->mmu = mmu;
	g->start = (vaddr_t)-1;
	g->end = 0;
	g->pages = 0;
	g->others = g->tables = false;
	g->nframes = 0;
}
void mmu_gather_finish(struct mmu_gather *);

/* A root with the kernel's part in it; -ENOMEM.  destroy: after mmu_drop. */
int  mmu_create(struct mmu *);
void mmu_destroy(struct mmu *);
/* Runs this processor on it (NULL: on the kernel's alone).  Interrupts are off. */
void mmu_activate(struct mmu *);
/*
 * This processor uses no user memory until the next mmu_activate, but may keep what it has loaded: it is not interrupted for flushes meanwhile, they are made up for when it
 * comes back.  A space that goes away may be under it: then it is moved to the kernel's tables.
 */
void mmu_rest(void);

/*
 * Map: installs pfns[i] at va + i pages, i < n, where pfns[i] is not PFN_NONE and no entry is present yet; counts each.
 * All n lie in one leaf table's reach (MMU_TABLE_REACH bytes, aligned).
 * => returns the number of entries installed (another processor may have been first), or -ENOMEM (no table to be had; nothing changed).
 */
ssize mmu_map(struct mmu *, vaddr_t va, const pfn_t *pfns, size_t n, unsigned prot);

/*
 * Replace one present entry, if it still maps `old` and nobody may write there: takes it out, flushes it everywhere, drops its page's count (freeing the page at zero), then
 * installs `new`.  false: it maps something else by now; or may be written, so that a copy that was made of the page need not have all any more.
 */
bool mmu_replace(struct mmu *, vaddr_t va, pfn_t old, pfn_t new, unsigned prot);

/*
 * Loosen one present entry, if it still maps pfn: gives it these rights, which are no fewer than it has; writing as mmu_protect gives it.  Other processors may hold the
 * stricter one until they fault, and find that all is well.  false: it maps something else by now, or may not be written.
 */
enum mmu_write { MMU_WRITE_OWN, MMU_WRITE_SHARED };
bool mmu_loosen(struct mmu *, vaddr_t va, pfn_t pfn, unsigned prot, enum mmu_write);

/*
 * A huge entry: maps a block of 2^MMU_HUGE_ORDER frames, allocated as one, at va, both aligned to MMU_TABLE_REACH, where no table is.  Its frames
 * become as many pages of PAGE_ANON with this one entry each: a huge page is always its space's alone.  0 or -ENOMEM.
 */
int mmu_map_huge(struct mmu *, vaddr_t va, pfn_t block, unsigned prot);

/*
 * Own: what is changed must not be seen by others.  Where a change of [start, end) needs it, a leaf table that is shared since a fork is copied, one that
 * is no longer shared gets its rights back, a huge entry is broken into a table.  Must come before unmap (EDGES: what the range covers as a whole goes as a
 * whole), protect and replace and map (TABLES: whole huge entries stay).
 * Tables are copied and huge entries broken with the space locked for writing; rights may also be given back by its readers.
 * => 0 or -ENOMEM; some of it may be owned then, which no program can see.
 */
enum mmu_own { MMU_OWN_EDGES, MMU_OWN_TABLES, MMU_OWN_PAGES };
int mmu_own(struct mmu *, vaddr_t start, vaddr_t end, enum mmu_own);

/* Unmap: takes out all entries in [start, end), whose edges are owned; pages and tables that nobody has any more go to the gather. Cannot fail. */
void mmu_unmap(struct mmu *, vaddr_t start, vaddr_t end, struct mmu_gather *);
/* The same alone: flushed, and what was there given back, when it returns. */
static inline void mmu_discard(struct mmu *mmu, vaddr_t start, vaddr_t end)
{
	struct mmu_gather gather;

	mmu_gather_begin(&gather, mmu);
	mmu_unmap(mmu, start, end, &gather);
	mmu_gather_finish(&gather);
}

/*
 * Copy, for fork: dst, which nobody runs yet, gets the entries of src in [start, end), each counted.  MMU_COPY_PRIVATE takes the write right from both sides;
 * MMU_COPY_SHARED leaves them as they are.  MMU_COPY_TABLES is as PRIVATE, but a leaf table that lies wholly in [low, high), where there are no other
 * entries, and is not nearly empty becomes the table of both: it counts one upper entry more, its entries stay as they are, and both upper entries refuse writing.
 * What src loses is put into the gather (its flush must be done before fork returns).
 * => 0 or -ENOMEM; then dst has a part, which the caller drops.
 */
enum mmu_copy { MMU_COPY_PRIVATE, MMU_COPY_SHARED, MMU_COPY_TABLES };
struct mmu_span { vaddr_t start, end, low, high; };
int mmu_copy(struct mmu *dst, struct mmu *src, struct mmu_span, enum mmu_copy, struct mmu_gather *);

/*
 * Move, for mremap: the entries of [from, from + size) are at [to, to + size) afterwards; pages and their counts stay.
 *
 * mmu_move_prepare owns both ranges, makes the tables and holds them, while the target may still be mapped: 0 or -ENOMEM, then nothing has changed.
 * After it the caller unmaps the target and calls mmu_move, which cannot fail; what is taken out goes into the gather.
 */
int  mmu_move_prepare(struct mmu *, vaddr_t from, vaddr_t to, size_t size);
void mmu_move(struct mmu *, vaddr_t from, vaddr_t to, size_t size, struct mmu_gather *);

/* Drop: empties the whole user part of an mmu that no processor runs (one that rests on it is moved away), so nothing is flushed. */
void mmu_drop(struct mmu *);

/*
 * Protect: entries in [start, end), which is owned (TABLES), get these rights.  Writing is given only where it cannot be seen by others: MMU_WRITE_OWN gives it where
 * page_is_mine() (vm/page.h); MMU_WRITE_SHARED everywhere.  What is stricter than the region says is loosened by the fault handler.
 */
void mmu_protect(struct mmu *, vaddr_t start, vaddr_t end, unsigned prot, enum mmu_write, struct mmu_gather *);

/*
 * Query one address.  pfn is PFN_NONE when there is no entry; prot are the rights along the whole path.
 * table tells what leads there: SHARED since a fork; HELD: shared no more, but its upper entry still refuses writing; HUGE: no table, the
 * entry is a huge one.  bare: no counted page is mapped within the table's reach.
 */
enum mmu_table { MMU_TABLE_NONE, MMU_TABLE_OWN, MMU_TABLE_HELD, MMU_TABLE_SHARED, MMU_TABLE_HUGE };
struct mmu_entry {
	pfn_t pfn;
	unsigned prot;
	bool accessed, dirty, bare;
	enum mmu_table table;
	unsigned spaces;		/* that see the entry: those which have its table */
};
struct mmu_entry mmu_query(const struct mmu *, vaddr_t va);

/* Clears the accessed bit of the entry at va, which is there; the flush, without which the processor would not set it again, goes into the gather. */
void mmu_clear_accessed(struct mmu *, vaddr_t va, struct mmu_gather *);

/* Drops a stale translation of one page from this processor, and what led there: for spurious faults. */
void mmu_flush_local(struct mmu *, vaddr_t va);

/*
 * Walk, for vm_check and reports: calls table() for each table (level 0 is the leaf table; the root included) with the number of present entries
 * that it really has, before those are visited: only if it says so.  Calls leaf() for each leaf entry (each page of a huge one) with its effective rights.
 */
struct mmu_walker {
	void *context;
	bool (*table)(void *context, pfn_t table, unsigned level, unsigned present);
	void (*leaf)(void *context, vaddr_t va, struct mmu_entry);
};
void mmu_walk(const struct mmu *, vaddr_t start, vaddr_t end, const struct mmu_walker *);

/* Boot only: maps npages frames from boot_alloc, zeroed, at a kernel address (for the page array). */
void mmu_boot_map(vaddr_t va, size_t npages);
extern size_t mmu_boot_table_bytes;	/* what the tables for that took */

/* What instruction counts do not show: entries flushed one by one, whole flushes, address-space loads, processors interrupted for a flush.  Sums over all processors. */
struct tlb_stats { uint64_t pages, full, loads, interrupts; };
struct tlb_stats mmu_tlb_stats(void);
