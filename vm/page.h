/*
 * vm/page.h - what is known of each frame: one word, or a record that the word points to.
 *
 * pages[pfn] is one machine word a frame.  Its low three bits are a type, the rest belongs to the type:
 *
 *   PAGE_RESERVED  0                     firmware, kernel image, modules, holes: never handed out
 *   PAGE_FREE      order                 first frame of a free block of 2^order frames
 *   PAGE_PART      0                     inside a block, free or in use; its first frame knows all
 *   PAGE_KERNEL    order, use            first frame of a block that the kernel uses
 *   PAGE_TABLE     locked, entries, resident, references   a page table: its present entries, those of counted pages, the upper entries that point to it
 *   PAGE_ANON      references            private anonymous memory: the leaf entries that point to it
 *   PAGE_RECORD    pointer               a struct page_record: the frame belongs to a memory object
 *   PAGE_SWAP      pointer               its contents are on the way to or from a swap device: whoever moves them.  There is no swap yet,
 *                                        but room for it: see MMU_VALUE_BITS in arch/mmu.h for what the entry holds then
 *
 * One counting rule: a page counts the distinct leaf entries that point to it, a table the upper entries that
 * point to it.  'Mine alone' is a count of 1, of the page and of every table above it.  A count cannot overflow: an entry takes a word of memory, and the count
 * has all but a few bits of a word.
 *
 * Words change while several processors look at them: a count goes up and down by atomic operations.  Who has an entry that counts knows that the
 * word keeps its type and the record stays; who sees a count of 1 and has that entry, and the space locked so that nobody forks it, knows that it stays 1.
 *
 * A table's word is its lock (RANK_TABLE) as well: table_lock and table_unlock.  It guards the entries of a leaf table, and the word itself.
 */
#pragma once
#include "vm/types.h"
#include "lib/sync.h"
#include "lib/assert.h"
#include "lib/list.h"

typedef uintptr_t page_word;

enum page_type { PAGE_RESERVED, PAGE_FREE, PAGE_PART, PAGE_KERNEL, PAGE_TABLE, PAGE_ANON, PAGE_RECORD, PAGE_SWAP };
enum { PAGE_TYPE_BITS = 3, PAGE_TYPE_MASK = 7 };

/* The array: an address inside the kernel's ranges, mapped only where frames exist; see physmap.h for which. */
static page_word *const pages = (page_word *)PAGE_WORDS;

struct object;

/* A frame of a memory object.  Fields are protected by the object's lock; uses is atomic. */
struct page_record {
	struct object *object;		/* NULL: cut off (truncated) while still mapped or pinned; goes with the last of those */
	uint64_t index;			/* which page of the object */
	uint64_t uses;			/* leaf entries that point to the frame, and RECORD_HOLD for each: it is in its object's index; it is pinned.  0: it goes */
	pfn_t pfn;
	unsigned pins;			/* kernel users: copies in progress */
	unsigned char state;		/* enum record_state */
	bool borrowed;			/* the frame is part of the boot image: never freed */
	bool used;			/* looked up since vm/reclaim.c last looked at it */
	struct list age;		/* in vm/reclaim.c's list, by its lock */
	unsigned char dirty;		/* enum record_dirty; of objects whose pager writes back */
};
enum record_state { RECORD_FILLING, RECORD_READY };
#define RECORD_HOLD	((uint64_t)1 << 32)
static inline unsigned record_entries(const struct page_record *r) { return (unsigned)__atomic_load_n(&r->uses, __ATOMIC_ACQUIRE); }
/* CLEANING: it will be clean once it has been written back; whoever writes it meanwhile makes it DIRTY again. */
enum record_dirty { RECORD_CLEAN, RECORD_CLEANING, RECORD_DIRTY };

static inline enum page_type page_type(page_word w) { return (enum page_type)(w & PAGE_TYPE_MASK); }
static inline page_word page_make(enum page_type t, uintptr_t value) { return value << PAGE_TYPE_BITS | t; }
static inline uintptr_t page_value(page_word w) { return w >> PAGE_TYPE_BITS; }

/* PAGE_KERNEL: what for.  PAGE_FREE and PAGE_KERNEL: the order. */
enum kernel_use { USE_BLOCK, USE_HEAP, USE_STACK, USE_ZERO, USE_RANGE, USE_AT_HAND, KERNEL_USES };	/* AT_HAND: free, in a processor's cache of frames */
static inline page_word page_kernel(unsigned order, enum kernel_use use) { return page_make(PAGE_KERNEL, order | use << 8); }
static inline unsigned page_order(page_word w) { return page_value(w) & 0xff; }
static inline enum kernel_use page_use(page_word w) { return (enum kernel_use)(page_value(w) >> 8); }

static inline page_word page_word_of(pfn_t pfn) { return __atomic_load_n(&pages[pfn], __ATOMIC_RELAXED); }
/* Where nobody else changes it. */
static inline void page_word_set(pfn_t pfn, page_word w) { __atomic_store_n(&pages[pfn], w, __ATOMIC_RELAXED); }

/* PAGE_TABLE: the lock, entries in 11 bits, how many of them point to counted pages in 11 more, references above. */
enum { TABLE_ENTRY_BITS = 11, TABLE_ENTRY_MASK = (1 << TABLE_ENTRY_BITS) - 1, TABLE_ENTRY_SHIFT = PAGE_TYPE_BITS + 1 };
#define TABLE_LOCKED	((page_word)1 << PAGE_TYPE_BITS)
#define PAGE_TABLE_REF	((page_word)1 << (2 * TABLE_ENTRY_BITS + TABLE_ENTRY_SHIFT))
static inline page_word page_table(unsigned entries, unsigned resident, uintptr_t refs)
{
	return ((refs << TABLE_ENTRY_BITS | resident) << TABLE_ENTRY_BITS | entries) << TABLE_ENTRY_SHIFT | PAGE_TABLE;
}
static inline unsigned table_entries(page_word w) { return w >> TABLE_ENTRY_SHIFT & TABLE_ENTRY_MASK; }
static inline unsigned table_resident(page_word w) { return w >> (TABLE_ENTRY_SHIFT + TABLE_ENTRY_BITS) & TABLE_ENTRY_MASK; }
static inline uintptr_t table_refs(page_word w) { return w >> (TABLE_ENTRY_SHIFT + 2 * TABLE_ENTRY_BITS); }
/* The word with so many entries more (or fewer), and so many of counted pages. */
static inline page_word table_count(page_word w, int entries, int resident)
{
	return w + ((page_word)entries << TABLE_ENTRY_SHIFT) + ((page_word)resident << (TABLE_ENTRY_SHIFT + TABLE_ENTRY_BITS));
}

void table_lock_slow(pfn_t);		/* vm/page.c */

/* Locks a table, which cannot go meanwhile: its word, without the lock.  Unlocked with the word that it is to have. */
static inline page_word table_lock(pfn_t table)
{
	lock_check_take(&pages[table], "table", RANK_TABLE, LOCK_SPINS);
	if (__builtin_expect((__atomic_fetch_or(&pages[table], TABLE_LOCKED, __ATOMIC_ACQUIRE) & TABLE_LOCKED) != 0, 0))
		table_lock_slow(table);
	assert(page_type(page_word_of(table)) == PAGE_TABLE);
	return page_word_of(table) & ~TABLE_LOCKED;
}

static inline void table_unlock(pfn_t table, page_word w)
{
	lock_check_drop(&pages[table]);
	__atomic_store_n(&pages[table], w, __ATOMIC_RELEASE);
}

#define PAGE_ANON_ONE ((page_word)1 << PAGE_TYPE_BITS)

static inline struct page_record *page_record(page_word w)
{
	assert(page_type(w) == PAGE_RECORD);
	return (struct page_record *)(w - PAGE_RECORD);
}

static inline bool page_counted(page_word w) { return page_type(w) == PAGE_ANON || page_type(w) == PAGE_RECORD; }

/* May the one leaf entry that points here be written without anyone else seeing it? */
static inline bool page_is_mine(page_word w) { return w == page_make(PAGE_ANON, 1); }

/* A leaf entry that points to pfn has appeared.  Returns whether the page is of a counted kind (and so resident). */
static inline bool page_entry_get(pfn_t pfn)
{
	page_word w = page_word_of(pfn);
	if (page_type(w) == PAGE_ANON)
		__atomic_fetch_add(&pages[pfn], PAGE_ANON_ONE, __ATOMIC_RELAXED);
	else if (page_type(w) == PAGE_RECORD)
		__atomic_fetch_add(&page_record(w)->uses, 1, __ATOMIC_RELAXED);
	else
		return false;
	return true;
}

/* What a vanished leaf entry of a counted page leaves behind. */
enum page_put {
	PAGE_PUT_KEPT,			/* others have it, or its object */
	PAGE_PUT_LAST,			/* nobody: frame_free it */
};
enum page_put page_put_record(struct page_record *);	/* vm/object.c */

/* After the flush. */
static inline enum page_put page_entry_put(pfn_t pfn)
{
	page_word w = page_word_of(pfn);
	if (page_type(w) == PAGE_RECORD)
		return page_put_record(page_record(w));
	assert(page_type(w) == PAGE_ANON && page_value(w) != 0);
	return __atomic_sub_fetch(&pages[pfn], PAGE_ANON_ONE, __ATOMIC_ACQ_REL) == page_make(PAGE_ANON, 0) ? PAGE_PUT_LAST : PAGE_PUT_KEPT;
}
