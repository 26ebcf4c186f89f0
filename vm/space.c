/*
 * vm/space.c - address spaces: create, fork, destroy.  See space.h.
 *
 * Fork copies regions and table entries, no page: entries of private memory lose their write right on both sides, and
 * the fault handler sorts it out when somebody writes.  Leaf tables that hold private anonymous memory alone are not even copied: both spaces
 * have them until one changes something below ('on-demand fork', Zhao, Gong and Fonseca, EuroSys 2021).  Whatever fails halfway leaves the parent as it was, but for write
 * rights that come back with a fault.
 */
#include "vm/space.h"
#include "vm/heap.h"
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
	mutex_init(&s->lock, "space", RANK_SPACE);
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
	for (struct region *r; (r = region_first(&s->regions)); ) {
		region_detach(s, r);
		kfree(r);
	}
}

/* Pages go first, while the regions still hold their objects. */
void space_put(struct space *s)
{
	if (__atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	spin_lock(&space_list_lock);
	list_remove(&s->all);
	spaces--;
	spin_unlock(&space_list_lock);

	mmu_drop(&s->mmu);
	free_regions(s);
	mmu_destroy(&s->mmu);
	kfree(s);
}

static int fork_region(struct space *child, const struct region *r)
{
	struct region *copy = kmalloc(sizeof *copy);

	if (!copy)
		return -ENOMEM;
	*copy = *r;
	region_attach(child, copy);
	return 0;
}

bool fork_copies_tables;

/*
 * What is copied with `r`, private anonymous memory: neighbours of the same kind as well, if they are near, since tables may hold pages of
 * both; and the empty room on both sides.  *last: the last region in it.
 */
static struct mmu_span anonymous_span(const struct region *r, const struct region **last)
{
	const struct region *prev = region_prev(r), *next = region_next(r);

	for (*last = r; next && !next->object && next->start - (*last)->end < MMU_TABLE_REACH; next = region_next(next))
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
		if (!r->object && !fork_copies_tables) {
			span = anonymous_span(r, &last);
			how = MMU_COPY_TABLES;
		}
		error = mmu_copy(&child->mmu, &parent->mmu, span, how, gather);
	}
	return error;
}

static void copy_limits(struct space *to, const struct space *from)
{
	to->mapped = from->mapped;
	to->peak_resident = from->peak_resident;
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
	int error = 0;

	if (!child)
		return NULL;
	mutex_lock(&parent->lock);
	copy_limits(child, parent);
	mmu_gather_begin(&gather, &parent->mmu);
	for (struct region *r = region_first(&parent->regions); r && !error; r = region_next(r))
		error = fork_region(child, r);
	if (!error)
		error = fork_entries(child, parent, &gather);
	mmu_gather_finish(&gather);		/* nobody writes through an old right once fork has returned */
	mutex_unlock(&parent->lock);
	if (error) {
		space_put(child);
		return NULL;
	}
	return child;
}

size_t space_resident(const struct space *s)
{
	return s->mmu.resident;
}

size_t space_tables(const struct space *s)
{
	return s->mmu.tables + 1;
}

size_t space_count(void)
{
	return spaces;
}
