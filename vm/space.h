/*
 * vm/space.h - address spaces: create, fork, destroy.
 *
 * space->lock (readers and a writer, rank RANK_SPACE) guards the regions, the page tables below mmu, and all fields.  The fault handler is a reader (arch/mmu.h says what readers
 * may do to the tables), what changes regions a writer.  It is not held over pager calls nor over copies from or to user memory.
 */
#pragma once
#include "vm/region.h"
#include "lib/sync.h"
#include "arch/mmu.h"

struct space {
	struct rwlock lock;
	unsigned refs;			/* atomic */
	struct mmu mmu;
	struct region_tree regions;
	size_t mapped;			/* pages in all regions (VmSize); this and the next four are kept by vm/account.c */
	size_t peak_mapped;		/* the most that it has been (VmPeak) */
	size_t data, locked, committed;	/* those that count for RLIMIT_DATA, RLIMIT_MEMLOCK, and as committed memory */
	bool reaped;			/* its pages have been taken: space_reap */
	bool no_huge;			/* no huge pages: prctl(PR_SET_THP_DISABLE) */
	unsigned new_flags;		/* REGION_LOCKED and REGION_LOCKONFAULT for regions to come: mlockall(MCL_FUTURE) */
	size_t peak_resident;		/* pages (VmHWM); kept up to date lazily */
	vaddr_t brk_start, brk;		/* the break, in bytes */
	vaddr_t mmap_top;		/* free ranges are looked for below this */
	vaddr_t stack_top;
	size_t stack_limit;		/* bytes a stack may grow to (RLIMIT_STACK) */
	vaddr_t arg_start, arg_end, env_start, env_end;		/* for /proc: where exec put the strings */
	struct list all;		/* spaces list, for vm_check */
};

/* An empty space, refs 1; -ENOMEM: NULL. */
struct space *space_create(void);
/* What fork does with the page tables of private anonymous memory: both spaces have them until somebody writes, or they are copied at once. */
enum { FORK_SHARES, FORK_COPIES };
extern unsigned fork_tables;
/* A copy-on-write copy; NULL: no memory (the parent is unharmed), or the parent was reaped. Takes the parent's lock. */
struct space *space_fork(struct space *parent);
struct space *space_ref(struct space *);
/* The last reference destroys it; no processor may run on it then. */
void space_put(struct space *);
/* Before pages go: their peak.  space->lock held. */
static inline void space_note_peak(struct space *s)
{
	if (s->mmu.resident > s->peak_resident)
		s->peak_resident = s->mmu.resident;
}
/* Pages resident now. */
size_t space_resident(const struct space *);
/* Page tables, the root included. */
size_t space_tables(const struct space *);

/* Pages resident now that are not borrowed from the boot image: what its end would give back, or others would then have alone. Takes the lock, or guesses too high if it cannot. */
size_t space_owned(struct space *);
/* Takes all pages from a space whose process was killed, before it comes to its end: from now on its faults fail.  Nothing is done if others use the space. */
void space_reap(struct space *);

/* All spaces, for vm_check: under space_list_lock. */
extern struct spinlock space_list_lock;
extern struct list space_list;
size_t space_count(void);
/* Does the overcommit policy let it fork?  Takes its lock. */
bool space_may_fork(struct space *);
