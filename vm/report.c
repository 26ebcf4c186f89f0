/*
 * vm/report.c - what an address space has, region by region.  See report.h.
 *
 * Nothing is kept for this: each page that is mapped is looked at, and its word says who else has it.
 */
#include "vm/report.h"
#include "vm/object.h"
#include "lib/string.h"

/* How many leaf entries show the page to somebody: those that point to it, this one once for each space that has its table. */
static uintptr_t sharers(page_word word, const struct mmu_entry *e)
{
	return (page_type(word) == PAGE_ANON ? page_value(word) : record_entries(page_record(word))) + e->spaces - 1;
}

static bool is_dirty(const struct region *r, page_word word, const struct mmu_entry *e)
{
	if (page_type(word) == PAGE_ANON || !r->object->pager)
		return true;
	return e->dirty || page_record(word)->dirty != RECORD_CLEAN;
}

struct report { struct region_info *info; const struct region *region; };

static void report_page(void *context, vaddr_t va, struct mmu_entry e)
{
	const struct report *report = context;
	struct region_info *to = report->info;
	page_word word = page_word_of(e.pfn);

	(void)va;
	if (!page_counted(word))
		return;
	bool dirty = is_dirty(report->region, word, &e), anonymous = page_type(word) == PAGE_ANON;
	to->resident++;
	to->anonymous += anonymous;
	to->shmem += !anonymous && !report->region->object->pager;
	to->dirty += dirty;
	to->shared += sharers(word, &e) > 1;
	to->shared_dirty += dirty && sharers(word, &e) > 1;
	to->referenced += e.accessed || (!anonymous && page_record(word)->used);
	to->huge += e.table == MMU_TABLE_HUGE;
	to->proportional += PAGE_SIZE / sharers(word, &e);
	to->proportional_dirty += dirty ? PAGE_SIZE / sharers(word, &e) : 0;
}

/* As Linux shows it: shared anonymous memory is an unlinked file there. */
static void name_region(const struct region *r, struct region_info *to)
{
	const char *name = r->flags & REGION_HEAP ? "[heap]" : r->flags & REGION_STACK ? "[stack]" : "";
	struct object *o = r->object;

	if (o) {
		spin_lock(&o->lock);
		to->dev = o->dev;
		to->ino = o->ino;
		name = o->name ? o->name : o->pager ? "" : "/dev/zero (deleted)";
	}
	size_t len = strlen(name);
	memcpy(to->name, name, len < sizeof to->name ? len : sizeof to->name - 1);
	if (o)
		spin_unlock(&o->lock);
}

bool vm_region_info(struct space *s, vaddr_t from, struct region_info *to)
{
	write_lock(&s->lock);
	struct region *r = region_find(&s->regions, from);
	if (r) {
		*to = (struct region_info){ .start = r->start, .end = r->end, .rights = r->rights, .flags = r->flags,
			.offset = r->offset << PAGE_SHIFT, .object = r->object };
		struct report report = { to, r };
		struct mmu_walker walker = { .context = &report, .leaf = report_page };
		mmu_walk(&s->mmu, r->start, r->end, &walker);
		name_region(r, to);
	}
	write_unlock(&s->lock);
	return r != NULL;
}
