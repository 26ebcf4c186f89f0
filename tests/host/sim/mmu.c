/*
 * tests/host/sim/mmu.c - arch/mmu.h for the simulated machine: page tables in simulated frames.
 *
 * A table is one frame, of which the first 1 << SIM_TABLE_BITS words are entries.  Level 0 is the leaf table.  An entry is a frame
 * number above PAGE_SHIFT and the bits of sim.h; upper entries carry all rights.  kernel_mmu's root reaches KSPACE, a user
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
static unsigned count_entries(pfn_t table, int delta)
{
	if (page_type(pages[table]) == PAGE_RESERVED)
		return 1;
	unsigned n = table_count(table, delta);
	assert(n <= 2 * ENTRIES);		/* a table that entries are moved into counts those to come as well */
	return n;
}

static sim_pte *leaf_entry(const struct mmu *mmu, size_t page)
{
	pfn_t table = mmu->root;

	for (unsigned level = SIM_LEVELS - 1; level > 0; level--) {
		sim_pte e = *sim_table_entry(table, level, page);
		if (!(e & SIM_PRESENT))
			return NULL;
		table = sim_pte_pfn(e);
	}
	return sim_table_entry(table, 0, page);
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
	if (!sim_holds_rank(is_kernel(mmu) ? RANK_KSPACE : RANK_SPACE))
		panic("mmu operation without the %s lock", is_kernel(mmu) ? "kspace" : "space");
}

/* Takes empty tables out, from the leaf up, and gives them to the gather (NULL: frees them at once, nobody runs the mmu). */
static void prune(struct mmu *mmu, size_t page, struct mmu_gather *g);

/* The leaf entry's place, with the tables that lead to it; NULL: no memory (and no new table is left). */
static sim_pte *leaf_entry_create(struct mmu *mmu, size_t page)
{
	pfn_t table = mmu->root;

	for (unsigned level = SIM_LEVELS - 1; level > 0; level--) {
		sim_pte *e = sim_table_entry(table, level, page);
		if (!(*e & SIM_PRESENT)) {
			pfn_t below = frame_alloc_table();
			if (below == PFN_NONE) {
				prune(mmu, page, NULL);
				return NULL;
			}
			*e = make_entry(below, VM_RIGHTS);
			count_entries(table, 1);
			mmu->tables++;
		}
		table = sim_pte_pfn(*e);
	}
	return sim_table_entry(table, 0, page);
}

/* Gather. */

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
		frame_free(g->frame[i], 0);
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
		way[--low] = sim_pte_pfn(e);
	}
	for (; low < SIM_LEVELS - 1 && table_entries(pages[way[low]]) == 0; low++) {
		*sim_table_entry(way[low + 1], low + 1, page) = 0;
		count_entries(way[low + 1], -1);
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

static void flush_page(struct mmu *mmu, vaddr_t va)
{
	sim_tlb_flush(mmu->root, page_floor(va), page_floor(va) + PAGE_SIZE, SIM_UPPER_STAY);
	tlb_stats.pages++;
}

void mmu_flush_local(struct mmu *mmu, vaddr_t va)
{
	if (mmu->root == sim_tlb_root())
		flush_page(mmu, va);
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

/* Leaf entries. */

/* A leaf entry appears; its page is counted. */
static void install(struct mmu *mmu, sim_pte *entry, vaddr_t va, pfn_t pfn, unsigned prot)
{
	if (*entry & SIM_PRESENT)
		panic("an entry is installed at %lx over another", va);
	if (sim_frame_in_use(pfn) == false && page_type(pages[pfn]) != PAGE_RECORD && page_type(pages[pfn]) != PAGE_KERNEL)
		panic("frame %lx is mapped at %lx but not allocated", pfn, va);
	*entry = make_entry(pfn, prot);
	count_entries(table_of(entry), 1);
	mmu->resident += page_entry_get(pfn);
	if (is_kernel(mmu))
		sim_host_map(va, pfn, prot);
}

/* A leaf entry vanishes; says what became of its page. The table may be empty then. */
static enum page_put remove_entry(struct mmu *mmu, sim_pte *entry, vaddr_t va)
{
	pfn_t pfn = sim_pte_pfn(*entry);

	*entry = 0;
	count_entries(table_of(entry), -1);
	if (is_kernel(mmu))
		sim_host_unmap(va);
	enum page_put left = page_entry_put(pfn);
	mmu->resident -= left != PAGE_PUT_UNCOUNTED;
	return left;
}

ssize mmu_map(struct mmu *mmu, vaddr_t va, const pfn_t *pfns, size_t n, unsigned prot)
{
	size_t first = page_index(mmu, va);
	ssize installed = 0;

	check_locked(mmu);
	if (first / ENTRIES != (first + n - 1) / ENTRIES)
		panic("mmu_map: %zu pages at %lx are more than one table", n, va);
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
	if (!entry || !(*entry & SIM_PRESENT))
		panic("mmu_replace: nothing is mapped at %lx", va);
	pfn_t old = sim_pte_pfn(*entry);
	enum page_put left = remove_entry(mmu, entry, va);
	flush_page(mmu, va);
	if (left == PAGE_PUT_LAST)
		frame_free(old, 0);
	install(mmu, entry, va, pfn, prot);
}

/*
 * Calls visit for each present leaf entry in [start, end), skipping what no table covers. visit may remove the entry but not the
 * table; after the last entry of each table that it visited, leave() is called, if given.
 */
typedef int (*visit_fn)(void *context, struct mmu *, vaddr_t, sim_pte *);
static int for_each_entry(struct mmu *mmu, vaddr_t start, vaddr_t end, visit_fn visit,
			  void (*leave)(void *context, struct mmu *, size_t page), void *context)
{
	size_t page = page_index(mmu, start), stop = page_index(mmu, end - 1) + 1;

	while (page < stop) {
		pfn_t table = mmu->root;
		unsigned level = SIM_LEVELS - 1;
		for (; level > 0; level--) {
			sim_pte e = *sim_table_entry(table, level, page);
			if (!(e & SIM_PRESENT))
				break;
			table = sim_pte_pfn(e);
		}
		size_t next = (page | (pages_below(level ? level : 1) - 1)) + 1;
		if (level == 0) {
			size_t in_table = page;
			for (; page < next && page < stop; page++) {
				sim_pte *e = sim_table_entry(table, 0, page);
				int error = *e & SIM_PRESENT ? visit(context, mmu, mmu->base + (page << PAGE_SHIFT), e) : 0;
				if (error)
					return error;
			}
			if (leave)
				leave(context, mmu, in_table);
		}
		page = next;
	}
	return 0;
}

static int unmap_entry(void *context, struct mmu *mmu, vaddr_t va, sim_pte *entry)
{
	struct mmu_gather *g = context;
	pfn_t pfn = sim_pte_pfn(*entry);

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
	check_locked(mmu);
	assert(g->mmu == mmu);
	if (start < end)
		for_each_entry(mmu, start, end, unmap_entry, unmap_leave, g);
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
	if (sim_tlb_runs(mmu->root))
		panic("mmu_drop of an address space that a processor runs");
	for_each_entry(mmu, mmu->base, mmu->base + (SIM_PAGES << PAGE_SHIFT), drop_entry, drop_leave, NULL);
}

struct copying { struct mmu *to; enum mmu_copy how; struct mmu_gather *g; };

static int copy_entry(void *context, struct mmu *from, vaddr_t va, sim_pte *entry)
{
	struct copying *c = context;
	sim_pte *copy = leaf_entry_create(c->to, page_index(c->to, va));
	(void)from;

	if (!copy)
		return -ENOMEM;
	unsigned prot = sim_pte_prot(*entry);
	if (c->how == MMU_COPY_PRIVATE && prot & VM_WRITE) {
		prot &= ~(unsigned)VM_WRITE;
		*entry &= ~(sim_pte)SIM_WRITE;
		gather_page(c->g, va);
	}
	install(c->to, copy, va, sim_pte_pfn(*entry), prot);
	return 0;
}

int mmu_copy(struct mmu *dst, struct mmu *src, vaddr_t start, vaddr_t end, enum mmu_copy how, struct mmu_gather *g)
{
	struct copying c = { dst, how, g };

	check_locked(src);
	assert(g->mmu == src);
	return start < end ? for_each_entry(src, start, end, copy_entry, NULL, &c) : 0;
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
	table_count(table_of(target), 1);
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
	if (table_count(table_of(target), -1) == 0)
		prune(mmu, page, NULL);
	return 0;
}

static int move_entry(void *context, struct mmu *mmu, vaddr_t va, sim_pte *entry)
{
	const struct moving *m = context;
	sim_pte *target = leaf_entry(mmu, page_index(mmu, m->to + (va - m->from)));

	if (*target & SIM_PRESENT)
		panic("an entry is moved to %lx over another", m->to + (va - m->from));
	*target = *entry;		/* counted in make_room */
	*entry = 0;
	count_entries(table_of(entry), -1);
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
	struct moving m = { from, to, NULL };

	check_locked(mmu);
	if (!size || for_each_entry(mmu, from, from + size, make_room, NULL, &m) == 0)
		return 0;
	for_each_entry(mmu, from, from + size, give_room_back, NULL, &m);
	return -ENOMEM;
}

void mmu_move(struct mmu *mmu, vaddr_t from, vaddr_t to, size_t size, struct mmu_gather *g)
{
	struct moving m = { from, to, g };

	check_locked(mmu);
	assert(g->mmu == mmu && !is_kernel(mmu));
	if (size)
		for_each_entry(mmu, from, from + size, move_entry, move_leave, &m);
}

struct protecting { unsigned prot; enum mmu_write write; struct mmu_gather *g; };

static int protect_entry(void *context, struct mmu *mmu, vaddr_t va, sim_pte *entry)
{
	struct protecting *p = context;
	unsigned prot = p->prot;
	(void)mmu;

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
	struct protecting p = { prot, write, g };

	check_locked(mmu);
	assert(g->mmu == mmu && !is_kernel(mmu));
	if (start < end)
		for_each_entry(mmu, start, end, protect_entry, NULL, &p);
}

struct mmu_entry mmu_query(const struct mmu *mmu, vaddr_t va)
{
	const sim_pte *e = leaf_entry(mmu, page_index(mmu, va));

	if (!e || !(*e & SIM_PRESENT))
		return (struct mmu_entry){ .pfn = PFN_NONE };
	return (struct mmu_entry){ sim_pte_pfn(*e), sim_pte_prot(*e), *e & SIM_ACCESSED, *e & SIM_DIRTY };
}

static void walk_table(const struct mmu *mmu, pfn_t table, unsigned level, size_t base, size_t from, size_t to, const struct mmu_walker *w)
{
	const sim_pte *entry = direct(table);
	unsigned present = 0;

	for (unsigned i = 0; i < ENTRIES; i++)
		present += entry[i] & SIM_PRESENT;
	if (w->table)
		w->table(w->context, table, level, present);
	for (unsigned i = 0; i < ENTRIES; i++) {
		size_t page = base + i * pages_below(level);
		if (!(entry[i] & SIM_PRESENT) || page + pages_below(level) <= from || page >= to)
			continue;
		if (level)
			walk_table(mmu, sim_pte_pfn(entry[i]), level - 1, page, from, to, w);
		else if (w->leaf)
			w->leaf(w->context, mmu->base + (page << PAGE_SHIFT), mmu_query(mmu, mmu->base + (page << PAGE_SHIFT)));
	}
}

void mmu_walk(const struct mmu *mmu, vaddr_t start, vaddr_t end, const struct mmu_walker *w)
{
	vaddr_t last = mmu->base + (SIM_PAGES << PAGE_SHIFT);

	if (start < mmu->base)
		start = mmu->base;
	if (end > last)
		end = last;
	if (start < end)
		walk_table(mmu, mmu->root, SIM_LEVELS - 1, 0, page_index(mmu, start), page_index(mmu, end - 1) + 1, w);
}
