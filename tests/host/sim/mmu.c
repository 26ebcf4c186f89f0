/*
 * tests/host/sim/mmu.c - arch/mmu.h for the simulated machine: page tables in simulated frames.
 *
 * A table is one frame, of which the first 1 << SIM_TABLE_BITS words are entries.  Level 0 is the leaf table.  An entry is a frame
 * number above PAGE_SHIFT and the bits of sim_pte.h; upper entries carry all rights, but for that of a leaf table which fork has shared:
 * it lacks the write right until the table is owned again.  A large upper entry of level 1 maps a huge page.  kernel_mmu's root reaches KSPACE, a user
 * root the user's addresses; there are no shared parts, because the kernel's own accesses are the host's.
 *
 * Locks are those of arch/mmu.h; kernel tables are counted, but need none but the kspace lock.  Each operation goes leaf table by leaf table, and has its lock while it changes entries.
 *
 * Every leaf entry of kernel_mmu is mapped in the host as well, at once: the kernel's own stale entries are not simulated.
 */
#include <stdio.h>
#include "sim.h"
#include "vm/frame.h"
#include "vm/physmap.h"

enum { ENTRIES = 1 << SIM_TABLE_BITS, WORTH_SHARING = ENTRIES / 8 };

struct mmu kernel_mmu;
static struct tlb_stats tlb_stats;		/* atomic */

/* ---- entries and tables ----------------------------------------------------------------------------------------------------------------- */

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

/* Entries are read and written whole, while processors and other readers look at them. */
static sim_pte entry_read(const sim_pte *e) { return __atomic_load_n(e, __ATOMIC_ACQUIRE); }
static void entry_write(sim_pte *e, sim_pte v) { __atomic_store_n(e, v, __ATOMIC_RELEASE); }

static size_t page_index(const struct mmu *mmu, vaddr_t va)
{
	assert(va >= mmu->base && va < mmu->base + (SIM_PAGES << PAGE_SHIFT));
	return (va - mmu->base) >> PAGE_SHIFT;
}

static vaddr_t address_of(const struct mmu *mmu, size_t page) { return mmu->base + (page << PAGE_SHIFT); }
static pfn_t table_of(const sim_pte *entry) { return direct_pfn(entry); }
static bool is_kernel(const struct mmu *mmu) { return mmu == &kernel_mmu; }

static sim_pte make_entry(pfn_t pfn, unsigned prot)
{
	return (sim_pte)pfn << PAGE_SHIFT | (sim_pte)prot * SIM_READ | SIM_PRESENT;
}

/* The frames that boot_alloc gave have no counts: their tables stay. */
static page_word lock_table(const struct mmu *mmu, pfn_t table)
{
	return is_kernel(mmu) ? page_word_of(table) : table_lock(table);
}

static void unlock_table(const struct mmu *mmu, pfn_t table, page_word word)
{
	assert(page_type(word) == PAGE_RESERVED || table_entries(word) <= 2 * ENTRIES);	/* one that entries are moved into counts those to come as well */
	if (!is_kernel(mmu))
		table_unlock(table, word);
	else if (page_type(word) != PAGE_RESERVED)
		page_word_set(table, word);
}

static page_word counted_word(page_word word, int entries, int resident)
{
	return page_type(word) == PAGE_RESERVED ? word : table_count(word, entries, resident);
}

/* Returns how many entries the table has then. */
static unsigned count_entries(const struct mmu *mmu, pfn_t table, int entries, int resident)
{
	page_word word = counted_word(lock_table(mmu, table), entries, resident);

	unlock_table(mmu, table, word);
	return page_type(word) == PAGE_RESERVED ? 1 : table_entries(word);
}

static void count_mmu(struct mmu *mmu, ssize resident, ssize tables)
{
	__atomic_fetch_add(&mmu->resident, (size_t)resident, __ATOMIC_RELAXED);
	__atomic_fetch_add(&mmu->tables, (size_t)tables, __ATOMIC_RELAXED);
}

/* The entry of level 1: it leads to the leaf table or maps a huge page.  NULL: there is none. */
static sim_pte *upper_entry(const struct mmu *mmu, size_t page)
{
	pfn_t table = mmu->root;

	for (unsigned level = SIM_LEVELS - 1; level > 1; level--) {
		sim_pte e = entry_read(sim_table_entry(table, level, page));
		if (!(e & SIM_PRESENT))
			return NULL;
		table = sim_pte_pfn(e);
	}
	sim_pte *upper = sim_table_entry(table, 1, page);
	return entry_read(upper) & SIM_PRESENT ? upper : NULL;
}

/* Its place in the leaf table; NULL: there is no table. */
static sim_pte *leaf_entry(const struct mmu *mmu, size_t page)
{
	const sim_pte *upper = upper_entry(mmu, page);
	sim_pte e = upper ? entry_read(upper) : SIM_LARGE;

	return e & SIM_LARGE ? NULL : sim_table_entry(sim_pte_pfn(e), 0, page);
}

static bool is_shared(const struct mmu *mmu, sim_pte upper)
{
	return !is_kernel(mmu) && !(upper & SIM_LARGE) && table_refs(page_word_of(sim_pte_pfn(upper))) > 1;
}

enum how { READER, WRITER };

static void check_locked(const struct mmu *mmu, enum how how)
{
	const struct rwlock *lock = &container_of(mmu, const struct space, mmu)->lock;

	if (is_kernel(mmu) ? !sim_holds_rank(RANK_KSPACE) : !sim_holds(lock) || (how == WRITER && !write_held(lock)))
		panic("mmu operation without the %s lock", is_kernel(mmu) ? "kspace" : "space");
}

/* Below a table that others have too nothing may change. */
static void check_owned(const struct mmu *mmu, vaddr_t va)
{
	const sim_pte *upper = upper_entry(mmu, page_index(mmu, va));

	if (upper && is_shared(mmu, entry_read(upper)))
		panic("a change at %lx, below a table that is shared", va);
	if (upper && (entry_read(upper) & SIM_LARGE))
		panic("a change at %lx, inside a huge page", va);
}

/* Makes the tables that lead to the page's entry of level `lowest`, as far as they are missing; false: no memory, nothing changed. */
static bool make_tables(struct mmu *mmu, size_t page, unsigned lowest)
{
	pfn_t made[SIM_LEVELS], table = mmu->root;
	unsigned level = SIM_LEVELS - 1, n = 0;
	sim_pte e;

	for (; level > lowest && (e = entry_read(sim_table_entry(table, level, page))) & SIM_PRESENT; level--) {
		if (e & SIM_LARGE)
			panic("a table is asked for where a huge page is");
		table = sim_pte_pfn(e);
	}
	for (unsigned missing = level - lowest; n < missing; n++)
		if ((made[n] = frame_alloc_table()) == PFN_NONE) {
			while (n > 0)
				frame_free(made[--n], 0);
			return false;
		}
	for (; level > lowest; level--) {
		sim_pte *upper = sim_table_entry(table, level, page);
		page_word word = lock_table(mmu, table);
		bool first = !(*upper & SIM_PRESENT);		/* else another processor was, and we go on with its table */

		if (first) {
			if (is_kernel(mmu))
				page_word_set(made[n - 1], page_table(0, 0, 0));	/* vm_check walks user tables only: what it does not see has no references */
			entry_write(upper, make_entry(made[--n], VM_RIGHTS));
			count_mmu(mmu, 0, 1);
		}
		unlock_table(mmu, table, counted_word(word, first, 0));
		table = sim_pte_pfn(entry_read(upper));
	}
	while (n > 0)
		frame_free(made[--n], 0);
	return true;
}

/* The place of the page's entry of level `lowest`, with the tables that lead to it; NULL: no memory. */
static sim_pte *entry_create(struct mmu *mmu, size_t page, unsigned lowest)
{
	pfn_t table = mmu->root;

	if (!make_tables(mmu, page, lowest))
		return NULL;
	for (unsigned level = SIM_LEVELS - 1; level > lowest; level--)
		table = sim_pte_pfn(entry_read(sim_table_entry(table, level, page)));
	return sim_table_entry(table, lowest, page);
}

/* ---- flushing, and what goes after it --------------------------------------------------------------------------------------------------------- */

/* What a gather holds is a page whose entry is gone and still counted; or, with one of these bits, a table, or a huge page's frames. */
#define GATHER_TABLE	((pfn_t)1 << 62)
#define GATHER_BLOCK	((pfn_t)1 << 63)

static void count_flush(vaddr_t start, vaddr_t end, bool full)
{
	__atomic_fetch_add(&tlb_stats.pages, start < end ? (end - start) >> PAGE_SHIFT : 0, __ATOMIC_RELAXED);
	__atomic_fetch_add(&tlb_stats.full, full, __ATOMIC_RELAXED);
}

static void flush(const struct mmu *mmu, vaddr_t start, vaddr_t end, enum sim_upper upper)
{
	if (is_kernel(mmu))
		return;
	sim_tlb_flush(mmu->root, start, end, upper);
	count_flush(start, end, upper == SIM_UPPER_TOO);
}

void mmu_flush_local(struct mmu *mmu, vaddr_t va)
{
	sim_tlb_flush_here(mmu->root, page_floor(va), page_floor(va) + PAGE_SIZE, SIM_UPPER_TOO);
	count_flush(va, va + PAGE_SIZE, false);
}

static void gather_range(struct mmu_gather *g, vaddr_t start, vaddr_t end)
{
	if (start < g->start)
		g->start = start;
	if (end > g->end)
		g->end = end;
}

/* The entry has gone, or has lost rights; or only won some: others find that out by a fault. */
static void gather_entry(struct mmu_gather *g, vaddr_t va, unsigned lost)
{
	gather_range(g, va, va + PAGE_SIZE);
	g->pages++;
	g->others = g->others || lost;
}

/* All below the upper entry. */
static void gather_upper(struct mmu_gather *g, vaddr_t va)
{
	gather_range(g, va, va + MMU_TABLE_REACH);
	g->others = g->tables = true;
}

static void give_back(pfn_t what)
{
	if (what & GATHER_BLOCK)
		frame_free(what & ~GATHER_BLOCK, MMU_HUGE_ORDER);
	else if (what & GATHER_TABLE)
		frame_free(what & ~GATHER_TABLE, 0);
	else if (page_entry_put(what) == PAGE_PUT_LAST)
		frame_free(what, 0);
}

void mmu_gather_finish(struct mmu_gather *g)
{
	if (g->others || g->tables)
		flush(g->mmu, g->start, g->end, g->tables ? SIM_UPPER_TOO : SIM_UPPER_STAY);
	else if (g->start < g->end && !is_kernel(g->mmu))
		sim_tlb_flush_here(g->mmu->root, g->start, g->end, SIM_UPPER_STAY);
	for (unsigned i = 0; i < g->nframes; i++)
		give_back(g->frame[i]);
	mmu_gather_begin(g, g->mmu);
}

static void gather_frame(struct mmu_gather *g, pfn_t what)
{
	if (g->nframes == GATHER_FRAMES)
		mmu_gather_finish(g);
	g->frame[g->nframes++] = what;
}

/* Takes out the tables on the way to the page that are empty, from the leaf up.  gather NULL: they were from the start; nothing is left of what a processor may know. */
static void prune(struct mmu *mmu, size_t page, struct mmu_gather *g)
{
	pfn_t way[SIM_LEVELS];
	unsigned low = SIM_LEVELS - 1;

	for (way[low] = mmu->root; low > 0; ) {
		sim_pte e = entry_read(sim_table_entry(way[low], low, page));
		if (!(e & SIM_PRESENT))
			break;
		if (e & SIM_LARGE)
			return;
		way[--low] = sim_pte_pfn(e);
	}
	for (; low < SIM_LEVELS - 1 && table_entries(page_word_of(way[low])) == 0; low++) {
		entry_write(sim_table_entry(way[low + 1], low + 1, page), 0);
		count_entries(mmu, way[low + 1], -1, 0);
		count_mmu(mmu, 0, -1);
		if (g) {
			g->tables = true;
			gather_frame(g, way[low] | GATHER_TABLE);
		} else {
			flush(mmu, 0, 0, SIM_UPPER_TOO);
			frame_free(way[low], 0);
		}
	}
}

/* ---- spaces --------------------------------------------------------------------------------------------------------------------------------- */

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

	if (cpu_irq_enabled())
		panic("mmu_activate with interrupts on");
	sim_quiet(true);			/* between the look at what it has missed and its coming back */
	if (root != sim_tlb_root()) {
		sim_tlb_load(root);
		__atomic_fetch_add(&tlb_stats.loads, 1, __ATOMIC_RELAXED);
	}
	sim_tlb_resume();
	sim_quiet(false);
}

/* sim_tlb_flush passes by who rests, and sim_tlb_root knows. */
void mmu_rest(void) {}

void cpu_poll(void)
{
	sim_tlb_serve();
}

void sim_interrupt(void)
{
	sim_tlb_serve();
}

struct tlb_stats mmu_tlb_stats(void)
{
	return tlb_stats;
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
	if (table_entries(page_word_of(mmu->root)) || mmu->resident)
		panic("mmu_destroy: %u entries in the root, %zu pages resident", table_entries(page_word_of(mmu->root)), mmu->resident);
	frame_free(mmu->root, 0);
	mmu->root = PFN_NONE;
}

/* ---- leaf entries: the table is locked ------------------------------------------------------------------------------------------------------------ */

/* An entry appears; its page is counted.  Returns whether that is resident. */
static bool install(struct mmu *mmu, sim_pte *entry, vaddr_t va, pfn_t pfn, unsigned prot)
{
	if (*entry & SIM_PRESENT)
		panic("an entry is installed at %lx over another", va);
	if (!sim_frame_in_use(pfn) && page_type(page_word_of(pfn)) != PAGE_KERNEL)
		panic("frame %lx is mapped at %lx but not allocated", pfn, va);
	bool resident = page_entry_get(pfn);
	entry_write(entry, make_entry(pfn, prot));
	if (is_kernel(mmu))
		sim_host_map(va, pfn, prot);
	return resident;
}

/* An entry vanishes; its page is counted still.  Returns whether that is resident. */
static bool take_out(struct mmu *mmu, sim_pte *entry, vaddr_t va)
{
	bool resident = page_counted(page_word_of(sim_pte_pfn(*entry)));

	entry_write(entry, 0);
	if (is_kernel(mmu))
		sim_host_unmap(va);
	return resident;
}

ssize mmu_map(struct mmu *mmu, vaddr_t va, const pfn_t *pfns, size_t n, unsigned prot)
{
	size_t first = page_index(mmu, va);
	int installed = 0, resident = 0;

	check_locked(mmu, READER);
	if (first / ENTRIES != (first + n - 1) / ENTRIES)
		panic("mmu_map: %zu pages at %lx are more than one table", n, va);
	check_owned(mmu, va);
	sim_pte *entry = entry_create(mmu, first, 0);
	if (!entry)
		return -ENOMEM;
	page_word word = lock_table(mmu, table_of(entry));
	for (size_t i = 0; i < n; i++) {
		if (pfns[i] == PFN_NONE || entry[i] & SIM_PRESENT)
			continue;
		resident += install(mmu, &entry[i], va + (i << PAGE_SHIFT), pfns[i], prot);
		installed++;
	}
	count_mmu(mmu, resident, 0);
	unlock_table(mmu, table_of(entry), counted_word(word, installed, resident));
	return installed;
}

/* The entry of va, its table locked; NULL: it does not map pfn any more. */
static sim_pte *lock_entry(struct mmu *mmu, vaddr_t va, pfn_t pfn, page_word *word)
{
	sim_pte *entry = leaf_entry(mmu, page_index(mmu, va));

	check_locked(mmu, READER);
	check_owned(mmu, va);
	if (!entry)
		panic("no table at %lx", va);
	*word = lock_table(mmu, table_of(entry));
	if (*entry & SIM_PRESENT && sim_pte_pfn(*entry) == pfn)
		return entry;
	unlock_table(mmu, table_of(entry), *word);
	return NULL;
}

bool mmu_replace(struct mmu *mmu, vaddr_t va, pfn_t old, pfn_t new, unsigned prot)
{
	page_word word;
	sim_pte *entry = lock_entry(mmu, va, old, &word);

	if (!entry)
		return false;
	if (sim_pte_prot(*entry) & VM_WRITE) {
		unlock_table(mmu, table_of(entry), word);
		return false;
	}
	bool was_resident = take_out(mmu, entry, va);
	flush(mmu, va, va + PAGE_SIZE, SIM_UPPER_STAY);
	int resident = install(mmu, entry, va, new, prot) - was_resident;
	count_mmu(mmu, resident, 0);
	unlock_table(mmu, table_of(entry), counted_word(word, 0, resident));
	if (was_resident && page_entry_put(old) == PAGE_PUT_LAST)
		frame_free(old, 0);
	return true;
}

/* The entry with these rights, as far as it may be written. */
static sim_pte with_rights(sim_pte e, unsigned prot, enum mmu_write write)
{
	if (write == MMU_WRITE_OWN && !page_is_mine(page_word_of(sim_pte_pfn(e))))
		prot &= ~(unsigned)VM_WRITE;
	return make_entry(sim_pte_pfn(e), prot) | (e & (SIM_ACCESSED | SIM_DIRTY));
}

bool mmu_loosen(struct mmu *mmu, vaddr_t va, pfn_t pfn, unsigned prot, enum mmu_write write)
{
	page_word word;
	sim_pte *entry = lock_entry(mmu, va, pfn, &word);

	if (!entry)
		return false;
	sim_pte new = with_rights(*entry, prot, write);
	if (sim_pte_prot(*entry) & ~sim_pte_prot(new))
		panic("mmu_loosen at %lx takes rights away", va);
	entry_write(entry, new);
	unlock_table(mmu, table_of(entry), word);
	mmu_flush_local(mmu, va);
	return true;
}

/* ---- tables that fork has shared, huge pages ------------------------------------------------------------------------------------------------------- */

static vaddr_t table_start(vaddr_t va) { return va & ~(vaddr_t)(MMU_TABLE_REACH - 1); }

static bool break_huge(struct mmu *mmu, vaddr_t va, sim_pte *upper)
{
	pfn_t table = frame_alloc_table();

	if (table == PFN_NONE)
		return false;
	for (pfn_t i = 0; i < ENTRIES; i++)
		*((sim_pte *)direct(table) + i) = (*upper & ~(sim_pte)SIM_LARGE) + ((sim_pte)i << PAGE_SHIFT);
	page_word_set(table, page_table(ENTRIES, ENTRIES, 1));
	entry_write(upper, make_entry(table, VM_RIGHTS));
	count_mmu(mmu, 0, 1);
	flush(mmu, va, va, SIM_UPPER_TOO);
	return true;
}

/* Copies entries [e, last) to `to`, each counted, and takes the rights `lose` from both.  Returns how many; *lost: pages that have lost something. */
static int copy_entries(sim_pte *e, const sim_pte *last, sim_pte *to, sim_pte lose, int *resident, struct mmu_gather *g, vaddr_t va)
{
	int n = 0;

	*resident = 0;
	for (; e < last; e++, to++, va += PAGE_SIZE) {
		sim_pte old = *e;
		if (!(old & SIM_PRESENT))
			continue;
		if (old & lose) {
			entry_write(e, old & ~lose);
			if (g)
				gather_entry(g, va, VM_WRITE);
		}
		*resident += page_entry_get(sim_pte_pfn(old));
		entry_write(to, old & ~lose);
		n++;
	}
	return n;
}

/* The mmu has no entry any more that points to the table, and no TLB knows the way: a reference less.  With the last the entries go, and the table. */
static void leave_table(pfn_t table)
{
	page_word word = table_lock(table);
	bool last = table_refs(word) == 1;

	table_unlock(table, last ? word : word - PAGE_TABLE_REF);
	if (!last)
		return;
	for (const sim_pte *e = direct(table); e < (sim_pte *)direct(table) + ENTRIES; e++)
		if (*e & SIM_PRESENT && page_counted(page_word_of(sim_pte_pfn(*e))))
			give_back(sim_pte_pfn(*e));
	frame_free(table, 0);
}

static bool copy_table(struct mmu *mmu, vaddr_t va, sim_pte *upper)
{
	pfn_t old = sim_pte_pfn(*upper), new = frame_alloc_table();
	int resident;

	if (new == PFN_NONE)
		return false;
	page_word word = table_lock(old);
	int n = copy_entries(direct(old), (sim_pte *)direct(old) + ENTRIES, direct(new), SIM_WRITE, &resident, NULL, va);
	table_unlock(old, word);
	page_word_set(new, page_table((unsigned)n, (unsigned)resident, 1));
	entry_write(upper, make_entry(new, VM_RIGHTS));
	flush(mmu, va, va, SIM_UPPER_TOO);
	leave_table(old);
	return true;
}

int mmu_own(struct mmu *mmu, vaddr_t start, vaddr_t end, enum mmu_own how)
{
	check_locked(mmu, READER);
	for (vaddr_t va = table_start(start); start < end && va < end; va += MMU_TABLE_REACH) {
		bool whole = va >= start && va + MMU_TABLE_REACH <= end;
		sim_pte *upper = upper_entry(mmu, page_index(mmu, va));

		if (!upper || (whole && how == MMU_OWN_EDGES))
			continue;
		if ((*upper & SIM_LARGE) || is_shared(mmu, *upper))
			check_locked(mmu, WRITER);
		if (*upper & SIM_LARGE) {
			if (!(whole && how == MMU_OWN_TABLES) && !break_huge(mmu, va, upper))
				return -ENOMEM;
		} else if (is_shared(mmu, *upper)) {
			if (!copy_table(mmu, va, upper))
				return -ENOMEM;
		} else if (!(*upper & SIM_WRITE)) {
			entry_write(upper, *upper | SIM_WRITE);
			sim_tlb_flush_here(mmu->root, va, va + MMU_TABLE_REACH, SIM_UPPER_TOO);
		}
	}
	return 0;
}

int mmu_map_huge(struct mmu *mmu, vaddr_t va, pfn_t block, unsigned prot)
{
	sim_pte *upper = entry_create(mmu, page_index(mmu, va), 1);

	check_locked(mmu, WRITER);
	if (!upper)
		return -ENOMEM;
	if (*upper || va != table_start(va))
		panic("a huge page at %lx, where something is", va);
	for (pfn_t i = 0; i < ENTRIES; i++) {
		if (!sim_frame_in_use(block + i))
			panic("a huge page of frame %lx, which is free", block + i);
		page_word_set(block + i, page_make(PAGE_ANON, 1));
	}
	entry_write(upper, make_entry(block, prot) | SIM_LARGE);
	count_entries(mmu, table_of(upper), 1, 0);
	count_mmu(mmu, ENTRIES, 0);
	return 0;
}

/* A huge page's frames are a block again: its first one. */
static pfn_t dissolve_huge(struct mmu *mmu, pfn_t pfn)
{
	for (pfn_t i = 0; i < ENTRIES; i++)
		page_word_set(pfn + i, i ? page_make(PAGE_PART, 0) : page_make(PAGE_ANON, 0));
	count_mmu(mmu, -(ssize)ENTRIES, 0);
	return pfn;
}

/* The upper entry goes, and with it this mmu's part in a huge page or in a shared table. */
static void remove_upper(struct mmu *mmu, size_t page, sim_pte *upper, struct mmu_gather *g)
{
	sim_pte old = *upper;

	entry_write(upper, 0);
	count_entries(mmu, table_of(upper), -1, 0);
	gather_upper(g, address_of(mmu, page));
	if (old & SIM_LARGE) {
		gather_frame(g, dissolve_huge(mmu, sim_pte_pfn(old)) | GATHER_BLOCK);
	} else {
		count_mmu(mmu, -(ssize)table_resident(page_word_of(sim_pte_pfn(old))), -1);
		mmu_gather_finish(g);
		leave_table(sim_pte_pfn(old));
	}
	prune(mmu, page, g);
}

/* ---- leaf table by leaf table ------------------------------------------------------------------------------------------------------------------------ */

/* A leaf table or huge page, and which pages of it are meant. */
struct part { size_t page, stop; sim_pte *upper; bool whole; };

/* The first at or after *page, below `end`; *page goes behind it.  false: none. */
static bool next_part(const struct mmu *mmu, size_t *page, size_t end, struct part *p)
{
	while (*page < end) {
		size_t next = (*page | (ENTRIES - 1)) + 1;

		*p = (struct part){ .page = *page, .stop = next < end ? next : end, .upper = upper_entry(mmu, *page), .whole = *page % ENTRIES == 0 && next <= end };
		*page = next;
		if (p->upper)
			return true;
	}
	return false;
}

static size_t pages_until(const struct mmu *mmu, vaddr_t end) { return (end - mmu->base) >> PAGE_SHIFT; }

static void check_small(const struct mmu *mmu, const struct part *p)
{
	if (*p->upper & SIM_LARGE)
		panic("a huge page at %lx is met in part", address_of(mmu, p->page));
}

/* There is something of ours in the table, which is going to change. */
static void check_alone(const struct mmu *mmu, const struct part *p)
{
	if (is_shared(mmu, *p->upper))
		panic("a change at %lx, below a table that is shared", address_of(mmu, p->page));
}

static void unmap_entries(struct mmu *mmu, const struct part *p, struct mmu_gather *g)
{
	pfn_t table = sim_pte_pfn(*p->upper);
	int gone = 0, resident = 0;
	page_word word = lock_table(mmu, table);

	for (size_t page = p->page; page < p->stop; page++) {
		sim_pte *entry = sim_table_entry(table, 0, page);
		pfn_t pfn = sim_pte_pfn(*entry);

		if (!(*entry & SIM_PRESENT))
			continue;
		check_alone(mmu, p);
		bool counted = take_out(mmu, entry, address_of(mmu, page));
		gather_entry(g, address_of(mmu, page), VM_RIGHTS);
		if (counted)
			gather_frame(g, pfn);
		gone++;
		resident += counted;
	}
	count_mmu(mmu, -(ssize)resident, 0);
	unlock_table(mmu, table, counted_word(word, -gone, -resident));
	if (gone)
		prune(mmu, p->page, g);
}

void mmu_unmap(struct mmu *mmu, vaddr_t start, vaddr_t end, struct mmu_gather *g)
{
	struct part p;

	check_locked(mmu, WRITER);
	assert(g->mmu == mmu);
	if (start >= end)
		return;
	for (size_t page = page_index(mmu, start), stop = pages_until(mmu, end); next_part(mmu, &page, stop, &p); ) {
		if (p.whole && (*p.upper & SIM_LARGE || is_shared(mmu, *p.upper))) {
			remove_upper(mmu, p.page, p.upper, g);
			continue;
		}
		check_small(mmu, &p);
		unmap_entries(mmu, &p, g);
	}
}

/* ---- fork and exit --------------------------------------------------------------------------------------------------------------------------------------- */

/* Frees the table of this level, or huge page, and all that hangs below; a table that others have stays. */
static void drop_below(struct mmu *mmu, sim_pte upper, unsigned level)
{
	pfn_t pfn = sim_pte_pfn(upper);

	if (upper & SIM_LARGE) {
		frame_free(dissolve_huge(mmu, pfn), MMU_HUGE_ORDER);
	} else if (level == 0) {
		count_mmu(mmu, -(ssize)table_resident(page_word_of(pfn)), -1);
		leave_table(pfn);
	} else {
		for (const sim_pte *e = direct(pfn); e < (sim_pte *)direct(pfn) + ENTRIES; e++)
			if (*e & SIM_PRESENT)
				drop_below(mmu, *e, level - 1);
		count_mmu(mmu, 0, -1);
		frame_free(pfn, 0);
	}
}

void mmu_drop(struct mmu *mmu)
{
	sim_tlb_leave(mmu->root);
	if (sim_tlb_runs(mmu->root))
		panic("mmu_drop of an address space that a processor runs");
	for (sim_pte *e = direct(mmu->root); e < (sim_pte *)direct(mmu->root) + ENTRIES; e++)
		if (*e & SIM_PRESENT) {
			drop_below(mmu, *e, SIM_LEVELS - 2);
			*e = 0;
		}
	page_word_set(mmu->root, page_table(0, 0, 1));
}

/* The leaf table becomes dst's as well; neither may write below it. */
static bool share_table(struct mmu *dst, struct mmu *src, const struct part *p, struct mmu_gather *g)
{
	pfn_t table = sim_pte_pfn(*p->upper);
	sim_pte *to = entry_create(dst, p->page, 1);

	if (!to)
		return false;
	if (*to)
		panic("a table is shared at %lx, where something is", address_of(dst, p->page));
	page_word word = table_lock(table);
	entry_write(p->upper, *p->upper & ~(sim_pte)SIM_WRITE);
	gather_upper(g, table_start(address_of(src, p->page)));
	entry_write(to, *p->upper);
	table_unlock(table, word + PAGE_TABLE_REF);
	count_entries(dst, table_of(to), 1, 0);
	count_mmu(dst, (ssize)table_resident(word), 1);
	return true;
}

static bool has_entries(const struct part *p)
{
	for (size_t page = p->page; page < p->stop; page++)
		if (*sim_table_entry(sim_pte_pfn(*p->upper), 0, page) & SIM_PRESENT)
			return true;
	return false;
}

static bool copy_part(struct mmu *dst, struct mmu *src, const struct part *p, sim_pte lose, struct mmu_gather *g)
{
	pfn_t table = sim_pte_pfn(*p->upper);
	int resident;

	if (!has_entries(p))
		return true;
	sim_pte *to = entry_create(dst, p->page, 0), *from = sim_table_entry(table, 0, p->page);
	if (!to)
		return false;
	page_word word = table_lock(table);
	int n = copy_entries(from, from + (p->stop - p->page), to, lose, &resident, g, address_of(src, p->page));
	table_unlock(table, word);
	count_entries(dst, table_of(to), n, resident);
	count_mmu(dst, resident, 0);
	return true;
}

/* May the table be shared, and is it worth it: does it have an eighth of its entries or more? */
static bool can_share(const struct mmu *src, const struct part *p, const struct mmu_span *span)
{
	vaddr_t start = table_start(address_of(src, p->page));

	return start >= span->low && start + MMU_TABLE_REACH <= span->high && table_entries(page_word_of(sim_pte_pfn(*p->upper))) >= WORTH_SHARING;
}

int mmu_copy(struct mmu *dst, struct mmu *src, struct mmu_span span, enum mmu_copy how, struct mmu_gather *g)
{
	struct part p;

	check_locked(src, WRITER);
	check_locked(dst, WRITER);
	assert(g->mmu == src);
	for (size_t page = page_index(src, span.start), stop = pages_until(src, span.end); next_part(src, &page, stop, &p); ) {
		if (*p.upper & SIM_LARGE && !break_huge(src, table_start(address_of(src, p.page)), p.upper))
			return -ENOMEM;
		if (!(how == MMU_COPY_TABLES && can_share(src, &p, &span) ? share_table(dst, src, &p, g)
			: copy_part(dst, src, &p, how == MMU_COPY_SHARED ? 0 : SIM_WRITE, g)))
			return -ENOMEM;
	}
	return 0;
}

/* ---- mremap ------------------------------------------------------------------------------------------------------------------------------------------------ */

/*
 * A table that entries are to be moved into counts one more for each of them, so that it stays though it may be empty: hold makes it so, and takes
 * it back again if it cannot be done for all.  The source's entries stay as they are until they move.
 */
static bool hold_target(struct mmu *mmu, size_t target)
{
	sim_pte *entry = entry_create(mmu, target, 0);

	if (entry)
		count_entries(mmu, table_of(entry), 1, 0);
	return entry;
}

static void release_target(struct mmu *mmu, size_t target)
{
	if (count_entries(mmu, table_of(leaf_entry(mmu, target)), -1, 0) == 0)
		prune(mmu, target, NULL);
}

static bool is_there(const struct mmu *mmu, size_t page)
{
	const sim_pte *entry = leaf_entry(mmu, page);

	return entry && *entry & SIM_PRESENT;
}

int mmu_move_prepare(struct mmu *mmu, vaddr_t from, vaddr_t to, size_t size)
{
	size_t source = page_index(mmu, from), target = page_index(mmu, to), n = size >> PAGE_SHIFT, i;

	check_locked(mmu, WRITER);
	if (mmu_own(mmu, from, from + size, MMU_OWN_PAGES) < 0 || mmu_own(mmu, to, to + size, MMU_OWN_PAGES) < 0)
		return -ENOMEM;
	for (i = 0; i < n; i++)
		if (is_there(mmu, source + i) && !hold_target(mmu, target + i))
			break;
	if (i == n)
		return 0;
	while (i-- > 0)
		if (is_there(mmu, source + i))
			release_target(mmu, target + i);
	return -ENOMEM;
}

static void move_page(struct mmu *mmu, size_t from, size_t to, struct mmu_gather *g)
{
	sim_pte *entry = leaf_entry(mmu, from), *target = leaf_entry(mmu, to), old = *entry;
	int resident = page_counted(page_word_of(sim_pte_pfn(old)));

	if (!target || *target & SIM_PRESENT)
		panic("mmu_move: no room at %lx", address_of(mmu, to));
	page_word word = lock_table(mmu, table_of(entry));
	entry_write(entry, 0);
	unlock_table(mmu, table_of(entry), counted_word(word, -1, -resident));
	word = lock_table(mmu, table_of(target));
	entry_write(target, old);
	unlock_table(mmu, table_of(target), counted_word(word, 0, resident));		/* the entry was counted by hold_target */
	gather_entry(g, address_of(mmu, from), VM_RIGHTS);
}

void mmu_move(struct mmu *mmu, vaddr_t from, vaddr_t to, size_t size, struct mmu_gather *g)
{
	size_t source = page_index(mmu, from), target = page_index(mmu, to);

	check_locked(mmu, WRITER);
	assert(g->mmu == mmu && !is_kernel(mmu));
	for (size_t i = 0; i < size >> PAGE_SHIFT; i++)
		if (is_there(mmu, source + i)) {
			move_page(mmu, source + i, target + i, g);
			prune(mmu, source + i, g);
		}
}

/* ---- rights ------------------------------------------------------------------------------------------------------------------------------------------------ */

static void protect_huge(struct mmu *mmu, const struct part *p, unsigned prot, struct mmu_gather *g)
{
	vaddr_t va = address_of(mmu, p->page);

	entry_write(p->upper, make_entry(sim_pte_pfn(*p->upper), prot) | (*p->upper & (SIM_ACCESSED | SIM_DIRTY)) | SIM_LARGE);
	gather_entry(g, va, VM_RIGHTS);
	gather_range(g, va, va + MMU_TABLE_REACH);
}

static void protect_entries(struct mmu *mmu, const struct part *p, unsigned prot, enum mmu_write write, struct mmu_gather *g)
{
	pfn_t table = sim_pte_pfn(*p->upper);
	page_word word = lock_table(mmu, table);

	for (size_t page = p->page; page < p->stop; page++) {
		sim_pte *entry = sim_table_entry(table, 0, page), old = *entry;

		if (!(old & SIM_PRESENT))
			continue;
		check_alone(mmu, p);
		sim_pte new = with_rights(old, prot, write);
		if (sim_pte_prot(new) == sim_pte_prot(old))
			continue;
		entry_write(entry, new);
		gather_entry(g, address_of(mmu, page), sim_pte_prot(old) & ~sim_pte_prot(new));
	}
	unlock_table(mmu, table, word);
}

void mmu_protect(struct mmu *mmu, vaddr_t start, vaddr_t end, unsigned prot, enum mmu_write write, struct mmu_gather *g)
{
	struct part p;

	check_locked(mmu, WRITER);
	assert(g->mmu == mmu && !is_kernel(mmu));
	if (start >= end)
		return;
	for (size_t page = page_index(mmu, start), stop = pages_until(mmu, end); next_part(mmu, &page, stop, &p); ) {
		if (p.whole && *p.upper & SIM_LARGE) {
			protect_huge(mmu, &p, prot, g);
			continue;
		}
		check_small(mmu, &p);
		protect_entries(mmu, &p, prot, write, g);
	}
}

/* ---- looking ----------------------------------------------------------------------------------------------------------------------------------------------- */

/* The leaf entry e as it is reached by `upper`; a huge page's is made up. */
static struct mmu_entry entry_below(const struct mmu *mmu, sim_pte upper, size_t page, sim_pte e)
{
	page_word word = page_word_of(sim_pte_pfn(upper));
	bool shared = is_shared(mmu, upper);
	struct mmu_entry found = { .pfn = PFN_NONE, .table = upper & SIM_LARGE ? MMU_TABLE_HUGE
		: shared ? MMU_TABLE_SHARED : upper & SIM_WRITE ? MMU_TABLE_OWN : MMU_TABLE_HELD };

	found.spaces = shared ? (unsigned)table_refs(word) : 1;
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

	return upper ? entry_below(mmu, entry_read(upper), page, e ? entry_read(e) : 0) : (struct mmu_entry){ .pfn = PFN_NONE, .bare = true };
}

void mmu_clear_accessed(struct mmu *mmu, vaddr_t va, struct mmu_gather *g)
{
	check_locked(mmu, WRITER);
	__atomic_fetch_and(leaf_entry(mmu, page_index(mmu, va)), ~(sim_pte)SIM_ACCESSED, __ATOMIC_RELAXED);
	gather_entry(g, va, VM_RIGHTS);
}

struct range { size_t from, to; };

static void walk_huge(const struct mmu *mmu, size_t base, struct range range, const struct mmu_walker *w)
{
	for (size_t page = base; page < base + ENTRIES && w->leaf; page++)
		if (page >= range.from && page < range.to)
			w->leaf(w->context, address_of(mmu, page), mmu_query(mmu, address_of(mmu, page)));
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
			w->leaf(w->context, address_of(mmu, page), mmu_query(mmu, address_of(mmu, page)));
	}
}

void mmu_walk(const struct mmu *mmu, vaddr_t start, vaddr_t end, const struct mmu_walker *w)
{
	vaddr_t last = mmu->base + (SIM_PAGES << PAGE_SHIFT);

	if (!sim_all_stands)
		check_locked(mmu, READER);
	if (start < mmu->base)
		start = mmu->base;
	if (end > last)
		end = last;
	if (start < end)
		walk_table(mmu, mmu->root, SIM_LEVELS - 1, 0, (struct range){ page_index(mmu, start), page_index(mmu, end - 1) + 1 }, w);
}
