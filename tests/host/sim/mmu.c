/*
 * tests/host/sim/mmu.c - arch/mmu.h for the simulated machine: page tables in simulated frames.
 *
 * A table is one frame, of which the first 1 << SIM_TABLE_BITS words are entries.  Level 0 is the leaf table.  An entry is a frame
 * number above PAGE_SHIFT and the bits of sim_pte.h; upper entries carry all rights, but for that of a leaf table which fork has shared:
 * it lacks the write right until the table is owned again.  A large upper entry of level 1 maps a huge page.  kernel_mmu's root reaches KSPACE, a user
 * root the user's addresses; there are no shared parts, because the kernel's own accesses are the host's.
 *
 * Every leaf entry of kernel_mmu is mapped in the host as well, at once: the kernel's own stale entries are not simulated.
 */
#include <stdio.h>
#include "sim.h"
#include "vm/frame.h"
#include "vm/physmap.h"

enum { ENTRIES = 1 << SIM_TABLE_BITS };

struct mmu kernel_mmu;
struct tlb_stats tlb_stats;

/* Tables. */

static size_t index_at(unsigned level, size_t page)
{
	return page >> (SIM_TABLE_BITS * level) & (ENTRIES - 1);
}

static size_t pages_below(unsigned level)		/* what one entry of this level reaches */
{
	return (size_t)1 << (SIM_TABLE_BITS * level);
}

sim_pte *sim_table_entry(pfn_t table, unsigned level, size_t page)
{
	return (sim_pte *)direct(table) + index_at(level, page);
}

static size_t page_index(const struct mmu *mmu, vaddr_t va)
{
	assert(va >= mmu->base && va < mmu->base + (SIM_PAGES << PAGE_SHIFT));
	return (va - mmu->base) >> PAGE_SHIFT;
}

/* The frames that boot_alloc gave have no counts: their tables stay. */
static unsigned count_entries(pfn_t table, int entries, int resident)
{
	if (page_type(pages[table]) == PAGE_RESERVED)
		return 1;
	unsigned n = table_count(table, entries, resident);
	assert(n <= 2 * ENTRIES);		/* a table that entries are moved into counts those to come as well */
	return n;
}

/* The entry of level 1: it leads to the leaf table or maps a huge page.  NULL: there is none. */
static sim_pte *upper_entry(const struct mmu *mmu, size_t page)
{
	pfn_t table = mmu->root;

	for (unsigned level = SIM_LEVELS - 1; level > 1; level--) {
		sim_pte e = *sim_table_entry(table, level, page);
		if (!(e & SIM_PRESENT))
			return NULL;
		table = sim_pte_pfn(e);
	}
	sim_pte *upper = sim_table_entry(table, 1, page);
	return *upper & SIM_PRESENT ? upper : NULL;
}

/* Its place in the leaf table; NULL: there is no table. */
static sim_pte *leaf_entry(const struct mmu *mmu, size_t page)
{
	const sim_pte *upper = upper_entry(mmu, page);

	return upper && !(*upper & SIM_LARGE) ? sim_table_entry(sim_pte_pfn(*upper), 0, page) : NULL;
}

static bool is_shared(sim_pte upper)
{
	page_word word = pages[sim_pte_pfn(upper)];

	return !(upper & SIM_LARGE) && page_type(word) == PAGE_TABLE && table_refs(word) > 1;
}

static pfn_t table_of(const sim_pte *entry)
{
	return direct_pfn(entry);
}

static sim_pte make_entry(pfn_t pfn, unsigned prot)
{
	return (sim_pte)pfn << PAGE_SHIFT | (sim_pte)prot * SIM_READ | SIM_PRESENT;
}

static bool is_kernel(const struct mmu *mmu)
{
	return mmu == &kernel_mmu;
}

static void check_locked(const struct mmu *mmu)
{
	if (is_kernel(mmu) ? !sim_holds_rank(RANK_KSPACE) : !mutex_held(&container_of(mmu, const struct space, mmu)->lock))
		panic("mmu operation without the %s lock", is_kernel(mmu) ? "kspace" : "space");
}

/* Takes empty tables out, from the leaf up, and gives them to the gather (NULL: frees them at once, nobody runs the mmu). */
static void prune(struct mmu *mmu, size_t page, struct mmu_gather *g);

/* The place of the page's entry of level `lowest`, with the tables that lead to it; NULL: no memory (and no new table is left). */
static sim_pte *entry_create(struct mmu *mmu, size_t page, unsigned lowest)
{
	pfn_t table = mmu->root;

	for (unsigned level = SIM_LEVELS - 1; level > lowest; level--) {
		sim_pte *e = sim_table_entry(table, level, page);
		if (!(*e & SIM_PRESENT)) {
			pfn_t below = frame_alloc_table();
			if (below == PFN_NONE) {
				prune(mmu, page, NULL);
				return NULL;
			}
			if (is_kernel(mmu))
				pages[below] = page_table(0, 0, 0);	/* vm_check walks user tables only: what it does not see has no references */
			*e = make_entry(below, VM_RIGHTS);
			count_entries(table, 1, 0);
			mmu->tables++;
		}
		if (*e & SIM_LARGE)
			panic("a table is asked for where a huge page is");
		table = sim_pte_pfn(*e);
	}
	return sim_table_entry(table, lowest, page);
}

static sim_pte *leaf_entry_create(struct mmu *mmu, size_t page)
{
	return entry_create(mmu, page, 0);
}

/* Gather. */

#define GATHER_BLOCK	((pfn_t)1 << 63)	/* a huge page's frames */

static void gather_page(struct mmu_gather *g, vaddr_t va)
{
	if (va < g->start)
		g->start = va;
	if (va + PAGE_SIZE > g->end)
		g->end = va + PAGE_SIZE;
	g->pages++;
}

static void gather_flush(struct mmu_gather *g)
{
	if (!is_kernel(g->mmu) && (g->start < g->end || g->tables)) {
		sim_tlb_flush(g->mmu->root, g->start, g->end, g->tables ? SIM_UPPER_TOO : SIM_UPPER_STAY);
		tlb_stats.pages += g->start < g->end ? (g->end - g->start) >> PAGE_SHIFT : 0;
		tlb_stats.full += g->tables;
	}
	g->start = (vaddr_t)-1;
	g->end = 0;
	g->pages = 0;
	g->tables = false;
}

void mmu_gather_finish(struct mmu_gather *g)
{
	gather_flush(g);
	for (unsigned i = 0; i < g->nframes; i++)
		frame_free(g->frame[i] & ~GATHER_BLOCK, g->frame[i] & GATHER_BLOCK ? MMU_HUGE_ORDER : 0);
	g->nframes = 0;
}

static void gather_frame(struct mmu_gather *g, pfn_t pfn)
{
	if (g->nframes == GATHER_FRAMES)
		mmu_gather_finish(g);
	g->frame[g->nframes++] = pfn;
}

/* Level of the lowest table on the way to page that is there and empty, freed and its entry cleared, again and again. */
static void prune(struct mmu *mmu, size_t page, struct mmu_gather *g)
{
	pfn_t way[SIM_LEVELS];
	unsigned low = SIM_LEVELS - 1;

	way[low] = mmu->root;
	while (low > 0) {
		sim_pte e = *sim_table_entry(way[low], low, page);
		if (!(e & SIM_PRESENT))
			break;
		if (e & SIM_LARGE)
			return;
		way[--low] = sim_pte_pfn(e);
	}
	for (; low < SIM_LEVELS - 1 && table_entries(pages[way[low]]) == 0; low++) {
		*sim_table_entry(way[low + 1], low + 1, page) = 0;
		count_entries(way[low + 1], -1, 0);
		mmu->tables--;
		if (g) {
			g->tables = true;
			gather_frame(g, way[low]);
		} else {
			sim_tlb_flush(mmu->root, 0, 0, SIM_UPPER_TOO);
			frame_free(way[low], 0);
		}
	}
}

/* Spaces. */

void sim_mmu_start(void)
{
	pfn_t root = boot_alloc(1);

	if (root == PFN_NONE)
		panic("simulated RAM is too small");
	page_zero(direct(root));
	kernel_mmu = (struct mmu){ .root = root, .base = KSPACE_START };
}

void mmu_activate(struct mmu *mmu)
{
	pfn_t root = (mmu ? mmu : &kernel_mmu)->root;

	if (root == sim_tlb_root())
		return;
	sim_tlb_load(root);
	tlb_stats.loads++;
}

static void flush_page(struct mmu *mmu, vaddr_t va, enum sim_upper upper)
{
	sim_tlb_flush(mmu->root, page_floor(va), page_floor(va) + PAGE_SIZE, upper);
	tlb_stats.pages++;
}

void mmu_flush_local(struct mmu *mmu, vaddr_t va)
{
	if (mmu->root == sim_tlb_root())
		flush_page(mmu, va, SIM_UPPER_TOO);
}

int mmu_create(struct mmu *mmu)
{
	pfn_t root = frame_alloc_table();

	if (root == PFN_NONE)
		return -ENOMEM;
	*mmu = (struct mmu){ .root = root };
	return 0;
}

void mmu_destroy(struct mmu *mmu)
{
	if (sim_tlb_runs(mmu->root))
		panic("mmu_destroy of an address space that a processor runs");
	if (table_entries(pages[mmu->root]) || mmu->resident)
		panic("mmu_destroy: %u entries in the root, %zu pages resident", table_entries(pages[mmu->root]), mmu->resident);
	frame_free(mmu->root, 0);
	mmu->root = PFN_NONE;
}

/* Below a table that others have too, or whose way still refuses writing, nothing may change. */
static void check_owned(const struct mmu *mmu, vaddr_t va)
{
	const sim_pte *upper = upper_entry(mmu, page_index(mmu, va));

	if (upper && is_shared(*upper))
		panic("a change at %lx, below a table that is shared", va);
	if (upper && (*upper & SIM_LARGE))
		panic("a change at %lx, inside a huge page", va);
}

/* Leaf entries. */

/* A leaf entry appears; its page is counted. */
static void install(struct mmu *mmu, sim_pte *entry, vaddr_t va, pfn_t pfn, unsigned prot)
{
	if (*entry & SIM_PRESENT)
		panic("an entry is installed at %lx over another", va);
	if (sim_frame_in_use(pfn) == false && page_type(pages[pfn]) != PAGE_RECORD && page_type(pages[pfn]) != PAGE_KERNEL)
		panic("frame %lx is mapped at %lx but not allocated", pfn, va);
	*entry = make_entry(pfn, prot);
	bool counted = page_entry_get(pfn);
	count_entries(table_of(entry), 1, counted);
	mmu->resident += counted;
	if (is_kernel(mmu))
		sim_host_map(va, pfn, prot);
}

/* A leaf entry vanishes; says what became of its page. The table may be empty then. */
static enum page_put remove_entry(struct mmu *mmu, sim_pte *entry, vaddr_t va)
{
	pfn_t pfn = sim_pte_pfn(*entry);

	*entry = 0;
	enum page_put left = page_entry_put(pfn);
	count_entries(table_of(entry), -1, -(left != PAGE_PUT_UNCOUNTED));
	mmu->resident -= left != PAGE_PUT_UNCOUNTED;
	if (is_kernel(mmu))
		sim_host_unmap(va);
	return left;
}

ssize mmu_map(struct mmu *mmu, vaddr_t va, const pfn_t *pfns, size_t n, unsigned prot)
{
	size_t first = page_index(mmu, va);
	ssize installed = 0;

	check_locked(mmu);
	if (first / ENTRIES != (first + n - 1) / ENTRIES)
		panic("mmu_map: %zu pages at %lx are more than one table", n, va);
	check_owned(mmu, va);
	for (size_t i = 0; i < n; i++) {
		if (pfns[i] == PFN_NONE)
			continue;
		sim_pte *entry = leaf_entry(mmu, first + i);
		if (entry && *entry & SIM_PRESENT)
			continue;
		entry = leaf_entry_create(mmu, first + i);
		if (!entry)
			return -ENOMEM;
		install(mmu, entry, va + (i << PAGE_SHIFT), pfns[i], prot);
		installed++;
	}
	return installed;
}

void mmu_replace(struct mmu *mmu, vaddr_t va, pfn_t pfn, unsigned prot)
{
	sim_pte *entry = leaf_entry(mmu, page_index(mmu, va));

	check_locked(mmu);
	check_owned(mmu, va);
	if (!entry || !(*entry & SIM_PRESENT))
		panic("mmu_replace: nothing is mapped at %lx", va);
	pfn_t old = sim_pte_pfn(*entry);
	enum page_put left = remove_entry(mmu, entry, va);
	flush_page(mmu, va, SIM_UPPER_STAY);
	if (left == PAGE_PUT_LAST)
		frame_free(old, 0);
	install(mmu, entry, va, pfn, prot);
}

/*
 * Huge pages and tables that fork has shared.
 */

/* The upper entry leads elsewhere now, for the same pages. */
static void changed_way(struct mmu *mmu, vaddr_t va)
{
	sim_tlb_flush(mmu->root, va, va, SIM_UPPER_TOO);
}

static bool break_huge(struct mmu *mmu, vaddr_t va, sim_pte *upper)
{
	pfn_t table = frame_alloc_table();

	if (table == PFN_NONE)
		return false;
	for (pfn_t i = 0; i < ENTRIES; i++)
		*((sim_pte *)direct(table) + i) = (*upper & ~(sim_pte)SIM_LARGE) + ((sim_pte)i << PAGE_SHIFT);
	table_count(table, ENTRIES, ENTRIES);
	*upper = make_entry(table, VM_RIGHTS);
	mmu->tables++;
	changed_way(mmu, va);
	return true;
}

static bool copy_table(struct mmu *mmu, vaddr_t va, sim_pte *upper)
{
	pfn_t old = sim_pte_pfn(*upper), new = frame_alloc_table();
	sim_pte *from = direct(old), *to = direct(new);

	if (new == PFN_NONE)
		return false;
	for (unsigned i = 0; i < ENTRIES; i++)
		if (from[i] & SIM_PRESENT) {
			to[i] = from[i] &= ~(sim_pte)SIM_WRITE;
			table_count(new, 1, page_entry_get(sim_pte_pfn(from[i])));
		}
	pages[old] -= PAGE_TABLE_REF;
	*upper = make_entry(new, VM_RIGHTS);
	changed_way(mmu, va);
	return true;
}

static vaddr_t table_start(vaddr_t va) { return va & ~(vaddr_t)(MMU_TABLE_REACH - 1); }

int mmu_own(struct mmu *mmu, vaddr_t start, vaddr_t end, enum mmu_own how)
{
	check_locked(mmu);
	for (vaddr_t va = table_start(start); start < end && va < end; va += MMU_TABLE_REACH) {
		bool whole = va >= start && va + MMU_TABLE_REACH <= end;
		sim_pte *upper = upper_entry(mmu, page_index(mmu, va));

		if (!upper || (whole && how == MMU_OWN_EDGES))
			continue;
		if (*upper & SIM_LARGE) {
			if (!(whole && how == MMU_OWN_TABLES) && !break_huge(mmu, va, upper))
				return -ENOMEM;
		} else if (is_shared(*upper)) {
			if (!copy_table(mmu, va, upper))
				return -ENOMEM;
		} else if (!(*upper & SIM_WRITE)) {
			*upper |= SIM_WRITE;
			sim_tlb_flush(mmu->root, va, va + MMU_TABLE_REACH, SIM_UPPER_TOO);
		}
	}
	return 0;
}

int mmu_map_huge(struct mmu *mmu, vaddr_t va, pfn_t block, unsigned prot)
{
	sim_pte *upper = entry_create(mmu, page_index(mmu, va), 1);

	check_locked(mmu);
	if (!upper)
		return -ENOMEM;
	if (*upper || va != table_start(va))
		panic("a huge page at %lx, where something is", va);
	for (pfn_t i = 0; i < ENTRIES; i++) {
		if (!sim_frame_in_use(block + i))
			panic("a huge page of frame %lx, which is free", block + i);
		pages[block + i] = page_make(PAGE_ANON, 1);
	}
	*upper = make_entry(block, prot) | SIM_LARGE;
	count_entries(table_of(upper), 1, 0);
	mmu->resident += ENTRIES;
	return 0;
}

/* The upper entry goes, and with it this mmu's part in a huge page (its block goes to the gather, or is freed) or in a shared table. */
static void remove_upper(struct mmu *mmu, size_t page, sim_pte *upper, struct mmu_gather *g)
{
	pfn_t pfn = sim_pte_pfn(*upper);
	bool large = *upper & SIM_LARGE;
	vaddr_t va = mmu->base + (page << PAGE_SHIFT);

	*upper = 0;
	count_entries(table_of(upper), -1, 0);
	if (g) {
		gather_page(g, va);
		gather_page(g, va + MMU_TABLE_REACH - PAGE_SIZE);
		g->tables = true;
	}
	if (!large) {
		pages[pfn] -= PAGE_TABLE_REF;
		mmu->resident -= table_resident(pages[pfn]);
		mmu->tables--;
		return;
	}
	for (pfn_t i = 0; i < ENTRIES; i++)
		pages[pfn + i] = i ? page_make(PAGE_PART, 0) : page_make(PAGE_ANON, 0);
	mmu->resident -= ENTRIES;
	if (g)
		gather_frame(g, pfn | GATHER_BLOCK);
	else
		frame_free(pfn, MMU_HUGE_ORDER);
}

/*
 * Goes through what there is in [start, end), table by table.
 *
 * whole(), if given, is called for each leaf table that the range covers, and for each huge page: DESCEND lets entry() be called for each present
 * entry.  entry() may remove the entry but not the table; after the last of a table, leave() is called, if given.
 */
enum { DESCEND = 1 };
struct visitor {
	int (*whole)(void *context, struct mmu *, size_t page, sim_pte *upper);
	int (*entry)(void *context, struct mmu *, vaddr_t, sim_pte *);
	void (*leave)(void *context, struct mmu *, size_t page);
};

static int visit_table(const struct visitor *v, struct mmu *mmu, pfn_t table, size_t page, size_t stop, void *context)
{
	size_t in_table = page;

	for (; page < stop; page++) {
		sim_pte *e = sim_table_entry(table, 0, page);
		int error = *e & SIM_PRESENT ? v->entry(context, mmu, mmu->base + (page << PAGE_SHIFT), e) : 0;
		if (error)
			return error;
	}
	if (v->leave)
		v->leave(context, mmu, in_table);
	return 0;
}

static int visit(const struct visitor *v, struct mmu *mmu, vaddr_t start, vaddr_t end, void *context)
{
	size_t page = page_index(mmu, start), stop = page_index(mmu, end - 1) + 1;

	while (page < stop) {
		size_t next = (page | (ENTRIES - 1)) + 1;
		sim_pte *upper = upper_entry(mmu, page);
		int result = upper ? DESCEND : 0;
		bool covered = page % ENTRIES == 0 && next <= stop;

		if (upper && (*upper & SIM_LARGE) && (!covered || !v->whole))
			panic("a huge page at %lx is met in part", mmu->base + (page << PAGE_SHIFT));
		if (upper && covered && v->whole)
			result = v->whole(context, mmu, page, upper);
		if (result == DESCEND)
			result = visit_table(v, mmu, sim_pte_pfn(*upper), page, next < stop ? next : stop, context);
		if (result)
			return result;
		page = next;
	}
	return 0;
}

static int unmap_whole(void *context, struct mmu *mmu, size_t page, sim_pte *upper)
{
	if (!(*upper & SIM_LARGE) && !is_shared(*upper))
		return DESCEND;
	remove_upper(mmu, page, upper, context);
	prune(mmu, page, context);
	return 0;
}

static int unmap_entry(void *context, struct mmu *mmu, vaddr_t va, sim_pte *entry)
{
	struct mmu_gather *g = context;
	pfn_t pfn = sim_pte_pfn(*entry);

	check_owned(mmu, va);
	gather_page(g, va);
	if (remove_entry(mmu, entry, va) == PAGE_PUT_LAST)
		gather_frame(g, pfn);
	return 0;
}

static void unmap_leave(void *context, struct mmu *mmu, size_t page)
{
	prune(mmu, page, context);
}

void mmu_unmap(struct mmu *mmu, vaddr_t start, vaddr_t end, struct mmu_gather *g)
{
	static const struct visitor unmap = { unmap_whole, unmap_entry, unmap_leave };

	check_locked(mmu);
	assert(g->mmu == mmu);
	if (start < end)
		visit(&unmap, mmu, start, end, g);
}

static int drop_whole(void *context, struct mmu *mmu, size_t page, sim_pte *upper)
{
	(void)context;
	if (!(*upper & SIM_LARGE) && !is_shared(*upper))
		return DESCEND;
	remove_upper(mmu, page, upper, NULL);
	prune(mmu, page, NULL);
	return 0;
}

static int drop_entry(void *context, struct mmu *mmu, vaddr_t va, sim_pte *entry)
{
	pfn_t pfn = sim_pte_pfn(*entry);

	(void)context;
	if (remove_entry(mmu, entry, va) == PAGE_PUT_LAST)
		frame_free(pfn, 0);
	return 0;
}

static void drop_leave(void *context, struct mmu *mmu, size_t page)
{
	(void)context;
	prune(mmu, page, NULL);
}

void mmu_drop(struct mmu *mmu)
{
	static const struct visitor drop = { drop_whole, drop_entry, drop_leave };

	if (sim_tlb_runs(mmu->root))
		panic("mmu_drop of an address space that a processor runs");
	visit(&drop, mmu, mmu->base, mmu->base + (SIM_PAGES << PAGE_SHIFT), NULL);
}

struct copying { struct mmu *to; enum mmu_copy how; struct mmu_gather *g; };

/* A table with an eighth of its entries or more is shared. */
static int share_table(struct copying *c, vaddr_t va, sim_pte *upper)
{
	page_word *word = &pages[sim_pte_pfn(*upper)];
	sim_pte *to = entry_create(c->to, page_index(c->to, va), 1);

	if (!to)
		return -ENOMEM;
	if (*to)
		panic("a table is shared at %lx, where something is", va);
	*upper &= ~(sim_pte)SIM_WRITE;
	gather_page(c->g, va);
	gather_page(c->g, va + MMU_TABLE_REACH - PAGE_SIZE);
	c->g->tables = true;
	*to = *upper;
	count_entries(table_of(to), 1, 0);
	*word += PAGE_TABLE_REF;
	c->to->resident += table_resident(*word);
	c->to->tables++;
	return 0;
}

static int copy_entry(void *context, struct mmu *from, vaddr_t va, sim_pte *entry)
{
	struct copying *c = context;
	sim_pte *copy = leaf_entry_create(c->to, page_index(c->to, va));
	(void)from;

	if (!copy)
		return -ENOMEM;
	unsigned prot = sim_pte_prot(*entry);
	if (c->how != MMU_COPY_SHARED && prot & VM_WRITE) {
		prot &= ~(unsigned)VM_WRITE;
		*entry &= ~(sim_pte)SIM_WRITE;
		gather_page(c->g, va);
	}
	install(c->to, copy, va, sim_pte_pfn(*entry), prot);
	return 0;
}

int mmu_copy(struct mmu *dst, struct mmu *src, struct mmu_span span, enum mmu_copy how, struct mmu_gather *g)
{
	static const struct visitor copy = { NULL, copy_entry, NULL };
	struct copying c = { dst, how, g };
	int error = 0;

	check_locked(src);
	assert(g->mmu == src);
	for (vaddr_t va = span.start, next; va < span.end && !error; va = next) {
		vaddr_t start = table_start(va), end = start + MMU_TABLE_REACH;
		sim_pte *upper = upper_entry(src, page_index(src, va));

		next = end < span.end ? end : span.end;
		if (!upper)
			continue;
		if (*upper & SIM_LARGE && !break_huge(src, start, upper))
			return -ENOMEM;
		if (how == MMU_COPY_TABLES && start >= span.low && end <= span.high && table_entries(pages[sim_pte_pfn(*upper)]) >= ENTRIES / 8)
			error = share_table(&c, start, upper);
		else
			error = visit(&copy, src, va, next, &c);
	}
	return error;
}

/* A table that waits for entries counts one more than it has, for each that will come. */
struct moving { vaddr_t from, to; struct mmu_gather *g; };

static int make_room(void *context, struct mmu *mmu, vaddr_t va, sim_pte *entry)
{
	const struct moving *m = context;
	sim_pte *target = leaf_entry_create(mmu, page_index(mmu, m->to + (va - m->from)));

	(void)entry;
	if (!target)
		return -ENOMEM;
	table_count(table_of(target), 1, 0);
	return 0;
}

static int give_room_back(void *context, struct mmu *mmu, vaddr_t va, sim_pte *entry)
{
	const struct moving *m = context;
	size_t page = page_index(mmu, m->to + (va - m->from));
	sim_pte *target = leaf_entry(mmu, page);

	(void)entry;
	if (!target)
		return 1;		/* it failed here */
	if (table_count(table_of(target), -1, 0) == 0)
		prune(mmu, page, NULL);
	return 0;
}

static int move_entry(void *context, struct mmu *mmu, vaddr_t va, sim_pte *entry)
{
	const struct moving *m = context;
	vaddr_t to = m->to + (va - m->from);
	sim_pte *target = leaf_entry(mmu, page_index(mmu, to));
	bool counted = page_counted(pages[sim_pte_pfn(*entry)]);

	check_owned(mmu, va);
	check_owned(mmu, to);
	if (*target & SIM_PRESENT)
		panic("an entry is moved to %lx over another", to);
	*target = *entry;
	count_entries(table_of(target), 0, counted);		/* the entry was counted in make_room */
	*entry = 0;
	count_entries(table_of(entry), -1, -(int)counted);
	gather_page(m->g, va);
	return 0;
}

static void move_leave(void *context, struct mmu *mmu, size_t page)
{
	const struct moving *m = context;

	prune(mmu, page, m->g);
}

int mmu_move_prepare(struct mmu *mmu, vaddr_t from, vaddr_t to, size_t size)
{
	static const struct visitor hold = { NULL, make_room, NULL }, release = { NULL, give_room_back, NULL };
	struct moving m = { from, to, NULL };

	check_locked(mmu);
	if (mmu_own(mmu, from, from + size, MMU_OWN_PAGES) < 0 || mmu_own(mmu, to, to + size, MMU_OWN_PAGES) < 0)
		return -ENOMEM;
	if (!size || visit(&hold, mmu, from, from + size, &m) == 0)
		return 0;
	visit(&release, mmu, from, from + size, &m);
	return -ENOMEM;
}

void mmu_move(struct mmu *mmu, vaddr_t from, vaddr_t to, size_t size, struct mmu_gather *g)
{
	static const struct visitor move = { NULL, move_entry, move_leave };
	struct moving m = { from, to, g };

	check_locked(mmu);
	assert(g->mmu == mmu && !is_kernel(mmu));
	if (size)
		visit(&move, mmu, from, from + size, &m);
}

struct protecting { unsigned prot; enum mmu_write write; struct mmu_gather *g; };

static int protect_whole(void *context, struct mmu *mmu, size_t page, sim_pte *upper)
{
	struct protecting *p = context;
	vaddr_t va = mmu->base + (page << PAGE_SHIFT);

	if (!(*upper & SIM_LARGE))
		return DESCEND;
	*upper = make_entry(sim_pte_pfn(*upper), p->prot) | (*upper & (SIM_ACCESSED | SIM_DIRTY)) | SIM_LARGE;
	gather_page(p->g, va);
	gather_page(p->g, va + MMU_TABLE_REACH - PAGE_SIZE);
	return 0;
}

static int protect_entry(void *context, struct mmu *mmu, vaddr_t va, sim_pte *entry)
{
	struct protecting *p = context;
	unsigned prot = p->prot;

	check_owned(mmu, va);
	if (p->write == MMU_WRITE_OWN && !page_is_mine(pages[sim_pte_pfn(*entry)]))
		prot &= ~(unsigned)VM_WRITE;
	if (prot == sim_pte_prot(*entry))
		return 0;
	*entry = make_entry(sim_pte_pfn(*entry), prot) | (*entry & (SIM_ACCESSED | SIM_DIRTY));
	gather_page(p->g, va);
	return 0;
}

void mmu_protect(struct mmu *mmu, vaddr_t start, vaddr_t end, unsigned prot, enum mmu_write write, struct mmu_gather *g)
{
	static const struct visitor protect = { protect_whole, protect_entry, NULL };
	struct protecting p = { prot, write, g };

	check_locked(mmu);
	assert(g->mmu == mmu && !is_kernel(mmu));
	if (start < end)
		visit(&protect, mmu, start, end, &p);
}

/* The leaf entry e as it is reached by `upper`; a huge page's is made up. */
static struct mmu_entry entry_below(sim_pte upper, size_t page, sim_pte e)
{
	page_word word = pages[sim_pte_pfn(upper)];
	struct mmu_entry found = { .pfn = PFN_NONE, .table = upper & SIM_LARGE ? MMU_TABLE_HUGE
		: is_shared(upper) ? MMU_TABLE_SHARED : upper & SIM_WRITE ? MMU_TABLE_OWN : MMU_TABLE_HELD };

	found.spaces = found.table == MMU_TABLE_SHARED ? (unsigned)table_refs(word) : 1;
	found.bare = page_type(word) == PAGE_TABLE && table_resident(word) == 0;
	if (upper & SIM_LARGE)
		e = upper + ((sim_pte)(page & (ENTRIES - 1)) << PAGE_SHIFT);
	if (!(e & SIM_PRESENT))
		return found;
	found.pfn = sim_pte_pfn(e);
	found.prot = sim_pte_prot(e) & (upper & SIM_WRITE ? VM_RIGHTS : VM_RIGHTS & ~VM_WRITE);
	found.accessed = e & SIM_ACCESSED;
	found.dirty = e & SIM_DIRTY;
	return found;
}

struct mmu_entry mmu_query(const struct mmu *mmu, vaddr_t va)
{
	size_t page = page_index(mmu, va);
	const sim_pte *upper = upper_entry(mmu, page), *e = leaf_entry(mmu, page);

	return upper ? entry_below(*upper, page, e ? *e : 0) : (struct mmu_entry){ .pfn = PFN_NONE, .bare = true };
}

void mmu_clear_accessed(struct mmu *mmu, vaddr_t va, struct mmu_gather *g)
{
	check_locked(mmu);
	*leaf_entry(mmu, page_index(mmu, va)) &= ~(sim_pte)SIM_ACCESSED;
	gather_page(g, va);
}

struct range { size_t from, to; };

static void walk_huge(const struct mmu *mmu, size_t base, struct range range, const struct mmu_walker *w)
{
	for (size_t page = base; page < base + ENTRIES && w->leaf; page++)
		if (page >= range.from && page < range.to)
			w->leaf(w->context, mmu->base + (page << PAGE_SHIFT), mmu_query(mmu, mmu->base + (page << PAGE_SHIFT)));
}

static void walk_table(const struct mmu *mmu, pfn_t table, unsigned level, size_t base, struct range range, const struct mmu_walker *w)
{
	const sim_pte *entry = direct(table);
	unsigned present = 0;

	for (unsigned i = 0; i < ENTRIES; i++)
		present += entry[i] & SIM_PRESENT;
	if (w->table && !w->table(w->context, table, level, present))
		return;
	for (unsigned i = 0; i < ENTRIES; i++) {
		size_t page = base + i * pages_below(level);
		if (!(entry[i] & SIM_PRESENT) || page + pages_below(level) <= range.from || page >= range.to)
			continue;
		if (level && (entry[i] & SIM_LARGE))
			walk_huge(mmu, page, range, w);
		else if (level)
			walk_table(mmu, sim_pte_pfn(entry[i]), level - 1, page, range, w);
		else if (w->leaf)
			w->leaf(w->context, mmu->base + (page << PAGE_SHIFT), mmu_query(mmu, mmu->base + (page << PAGE_SHIFT)));
	}
}

void mmu_walk(const struct mmu *mmu, vaddr_t start, vaddr_t end, const struct mmu_walker *w)
{
	vaddr_t last = mmu->base + (SIM_PAGES << PAGE_SHIFT);

	if (!sim_all_stands)
		check_locked(mmu);
	if (start < mmu->base)
		start = mmu->base;
	if (end > last)
		end = last;
	if (start < end)
		walk_table(mmu, mmu->root, SIM_LEVELS - 1, 0, (struct range){ page_index(mmu, start), page_index(mmu, end - 1) + 1 }, w);
}
