/*
 * vm/space.c - address spaces: create, fork, destroy.  See space.h.
 *
 * Fork copies regions and table entries, no page: entries of private memory lose their write right on both sides, and
 * the fault handler sorts it out when somebody writes.  Leaf tables that hold private anonymous memory alone are not even copied: both spaces
 * have them until one changes something below ('on-demand fork', Zhao, Gong and Fonseca, EuroSys 2021).  Whatever fails halfway leaves the parent as it was, but for write
 * rights that come back with a fault.
 */
#include "vm/space.h"
#include "vm/account.h"
#include "vm/heap.h"
#include "vm/page.h"
#include "vm/range.h"

struct spinlock space_list_lock = SPINLOCK_INIT("spaces", RANK_SPACE - 1);
struct list space_list = LIST_INIT(space_list);
LOCK_GUARDS(space_list_lock, space_list);
static size_t spaces;

struct space *space_create(void)
{
	struct space *s = kzalloc(sizeof *s);

	if (!s)
		return NULL;
	if (mmu_create(&s->mmu) < 0) {
		kfree(s);
		return NULL;
	}
	rwlock_init(&s->lock, "space", RANK_SPACE);
	s->refs = 1;
	s->mmap_top = USER_MAX;
	spin_lock(&space_list_lock);
	list_append(&space_list, &s->all);
	spaces++;
	spin_unlock(&space_list_lock);
	return s;
}

struct space *space_ref(struct space *s)
{
	__atomic_add_fetch(&s->refs, 1, __ATOMIC_RELAXED);
	return s;
}

static void free_regions(struct space *s)
{
	for (struct region *r; (r = region_pop(&s->regions)); ) {
		account_region(s, r, -(ssize)((r->end - r->start) >> PAGE_SHIFT));
		region_leave_object(r);
		kfree(r);
	}
}

/* Pages go first, while the regions still hold their objects.  Locked, for reclaim comes to the space by those. */
void space_put(struct space *s)
{
	if (__atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	spin_lock(&space_list_lock);
	list_remove(&s->all);
	spaces--;
	spin_unlock(&space_list_lock);

	write_lock(&s->lock);
	mmu_drop(&s->mmu);
	free_regions(s);
	write_unlock(&s->lock);
	mmu_destroy(&s->mmu);
	kfree(s);
}

/* What a child gets of the region is charged to the commitment; this much of it. */
static size_t fork_charge(const struct region *r)
{
	return (r->flags & REGION_COMMITTED) && !(r->flags & REGION_DONTFORK) ? (r->end - r->start) >> PAGE_SHIFT : 0;
}

/* A copy of region r in `child`.  Locks on memory are not inherited. */
static int fork_region(struct space *child, const struct space *parent, const struct region *r)
{
	size_t charge = fork_charge(r);
	struct region *copy = NULL;

	if (r->flags & REGION_DONTFORK)
		return 0;
	if (commit_charge(parent, charge) < 0)
		return -ENOMEM;
	copy = kmalloc(sizeof *copy);
	if (copy) {
		*copy = region_like(r);		/* not seen yet by who visits the object's mappings: the parent's may be, and its pages not yet */
		copy->flags &= ~(unsigned)(REGION_LOCKED | REGION_LOCKONFAULT);
		account_region(child, copy, (ssize)((r->end - r->start) >> PAGE_SHIFT));
		region_attach(child, copy);
	}
	commit_release(charge);
	return copy ? 0 : -ENOMEM;
}

/* Does a child get its pages, too? */
static bool inherits_pages(const struct region *r)
{
	return !(r->flags & (REGION_DONTFORK | REGION_WIPEONFORK));
}

unsigned fork_tables;

/*
 * What is copied with `r`, private anonymous memory: neighbours of the same kind as well, if they are near, since tables may hold pages of
 * both; and the empty room on both sides.  *last: the last region in it.
 */
static struct mmu_span anonymous_span(const struct region *r, const struct region **last)
{
	const struct region *prev = region_prev(r), *next = region_next(r);

	for (*last = r; next && !next->object && inherits_pages(next) && next->start - (*last)->end < MMU_TABLE_REACH; next = region_next(next))
		*last = next;
	return (struct mmu_span){ r->start, (*last)->end, prev ? prev->end : 0, next ? next->start : USER_MAX };
}

/* The child's tables: `child` is nobody's yet, the parent is locked. */
static int fork_entries(struct space *child, struct space *parent, struct mmu_gather *gather)
{
	const struct region *r, *last;
	int error = 0;

	for (r = region_first(&parent->regions); r && !error; r = region_next(last)) {
		struct mmu_span span = { .start = r->start, .end = r->end };
		enum mmu_copy how = r->flags & REGION_SHARED ? MMU_COPY_SHARED : MMU_COPY_PRIVATE;

		last = r;
		if (!inherits_pages(r))
			continue;
		if (!r->object && fork_tables == FORK_SHARES) {
			span = anonymous_span(r, &last);
			how = MMU_COPY_TABLES;
		}
		error = mmu_copy(&child->mmu, &parent->mmu, span, how, gather);
	}
	return error;
}

static void copy_limits(struct space *to, const struct space *from)
{
	to->no_huge = from->no_huge;
	to->brk_start = from->brk_start;
	to->brk = from->brk;
	to->mmap_top = from->mmap_top;
	to->stack_top = from->stack_top;
	to->stack_limit = from->stack_limit;
	to->arg_start = from->arg_start;
	to->arg_end = from->arg_end;
	to->env_start = from->env_start;
	to->env_end = from->env_end;
}

struct space *space_fork(struct space *parent)
{
	struct space *child = space_create();
	struct mmu_gather gather;
	int error;

	if (!child)
		return NULL;
	write_lock(&parent->lock);
	error = parent->reaped ? -ENOMEM : 0;	/* a child would find zeros where its parent's memory was */
	copy_limits(child, parent);
	write_lock_nested(&child->lock);	/* reclaim finds it as soon as it has a region of an object */
	mmu_gather_begin(&gather, &parent->mmu);
	for (struct region *r = region_first(&parent->regions); r && !error; r = region_next(r))
		error = fork_region(child, parent, r);
	if (!error)
		error = fork_entries(child, parent, &gather);
	mmu_gather_finish(&gather);		/* nobody writes through an old right once fork has returned */
	write_unlock(&child->lock);
	write_unlock(&parent->lock);
	if (error) {
		space_put(child);
		return NULL;
	}
	return child;
}

bool space_may_fork(struct space *s)
{
	size_t charged = 0, charge = 0;
	bool may = true;

	read_lock(&s->lock);
	for (struct region *r = region_first(&s->regions); r && may; r = region_next(r)) {
		charged += charge;
		charge = fork_charge(r);
		may = commit_charge(s, charge) == 0;
	}
	read_unlock(&s->lock);
	commit_release(charged + (may ? charge : 0));
	return may;
}

size_t space_resident(const struct space *s)
{
	return s->mmu.resident;
}

static void count_owned(void *context, vaddr_t va, struct mmu_entry e)
{
	page_word w = page_word_of(e.pfn);

	(void)va;
	*(size_t *)context += page_counted(w) && !(page_type(w) == PAGE_RECORD && page_record(w)->borrowed);
}

size_t space_owned(struct space *s)
{
	size_t n = 0;
	struct mmu_walker walker = { .context = &n, .leaf = count_owned };

	if (!write_trylock(&s->lock))
		return s->mmu.resident;
	mmu_walk(&s->mmu, 0, USER_MAX, &walker);
	write_unlock(&s->lock);
	return n;
}

void space_reap(struct space *s)
{
	if (s->reaped || __atomic_load_n(&s->refs, __ATOMIC_ACQUIRE) > 1 || !write_trylock(&s->lock))
		return;
	s->reaped = true;
	space_note_peak(s);
	mmu_discard(&s->mmu, 0, USER_MAX);
	write_unlock(&s->lock);
}

size_t space_tables(const struct space *s)
{
	return s->mmu.tables + 1;
}

size_t space_count(void)
{
	return spaces;
}
