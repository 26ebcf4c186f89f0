/*
 * tests/host/sim/tlb.c - processors of the simulated machine: TLBs, the hardware's table walk, flushes that processors ask of each other.
 *
 * A TLB has a slot for each page and a slot for each upper entry, so nothing is ever pushed out: an entry goes when a flush names
 * it, or when the processor loads another address space.  Each walk takes in all of the leaf table's entries that are present, as a
 * processor that speculates may.  holders[pfn] counts the slots that name a frame: freeing a frame that has some is an error.
 *
 * While another processor has the space, or the leaf table, locked, an entry may be there that the tables have no more: until it is told to flush, and has done so.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "thread.h"
#include "vm/page.h"

enum { ENTRIES = 1 << SIM_TABLE_BITS };

/* What is cached of an upper entry: the frame of the table below, + 1 (0: nothing), and whether all entries down to it allow writing. */
struct way { pfn_t table_plus_one; bool write; };

struct tlb {
	unsigned cpu;			/* whose it is */
	pfn_t root;			/* what it runs */
	struct space *space;		/* whose root that is; NULL: the kernel's alone */
	bool resting;			/* not used at the moment: what it has of pages is no obstacle to freeing them */
	bool missed;			/* and was not told to forget some of it */
	unsigned long used;		/* when it was last given a space: the oldest is taken for a new one */
	sim_pte *leaf;			/* by page */
	struct way *upper[SIM_LEVELS];	/* by page >> bits of the level; level 1 to the root's */
	unsigned nleaf;			/* slots in use */
	size_t npages;			/* no slot of a page behind these has ever been used */
	size_t last_page;		/* that was used */
};

enum { TLBS = CPUS_MAX * SIM_SPACES };
static struct tlb tlbs[TLBS];
static struct tlb *current[CPUS_MAX];	/* what each processor uses */
static unsigned *holders;
static unsigned long clock_now;

static struct tlb *here(void) { return current[cpu_index()]; }
static struct tlb *end_of_tlbs(void) { return tlbs + cpu_count * SIM_SPACES; }

/* Where the processor wants memory that costs nothing until it is used. */
static void *zeros(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		abort();
	return p;
}

__attribute__((constructor)) static void tlbs_begin(void)
{
	holders = zeros(SIM_MAX_PFN * sizeof *holders);
	for (unsigned i = 0; i < TLBS; i++) {
		tlbs[i].cpu = i / SIM_SPACES;
		tlbs[i].root = PFN_NONE;
		tlbs[i].leaf = zeros(SIM_PAGES * sizeof(sim_pte));
		for (unsigned level = 1; level < SIM_LEVELS; level++)
			tlbs[i].upper[level] = zeros(((SIM_PAGES >> (SIM_TABLE_BITS * level)) + 1) * sizeof(struct way));
		if (i % SIM_SPACES == 0)
			current[i / SIM_SPACES] = &tlbs[i];
	}
}

/* Slots. */

static void set_leaf(struct tlb *tlb, size_t page, sim_pte e)
{
	sim_pte old = tlb->leaf[page];

	if (old)
		holders[sim_pte_pfn(old)] -= !tlb->resting, tlb->nleaf--;
	if (e)
		holders[sim_pte_pfn(e)] += !tlb->resting, tlb->nleaf++;
	if (e && page >= tlb->npages)
		tlb->npages = page + 1;
	tlb->leaf[page] = e;
}

static void set_upper(struct tlb *tlb, unsigned level, size_t page, struct way way)
{
	struct way *slot = &tlb->upper[level][page >> (SIM_TABLE_BITS * level)];

	if (slot->table_plus_one)
		holders[slot->table_plus_one - 1]--;
	if (way.table_plus_one)
		holders[way.table_plus_one - 1]++;
	if (way.table_plus_one && page >= tlb->npages)
		tlb->npages = page + 1;
	*slot = way;
}

static void flush_upper(struct tlb *tlb)
{
	for (unsigned level = 1; level < SIM_LEVELS; level++)
		for (size_t page = 0; page < tlb->npages; page += (size_t)1 << (SIM_TABLE_BITS * level))
			set_upper(tlb, level, page, (struct way){ 0 });
}

static void flush_all(struct tlb *tlb)
{
	for (size_t page = 0; page < tlb->npages && tlb->nleaf; page++)
		set_leaf(tlb, page, 0);
	flush_upper(tlb);
}

bool sim_tlb_holds(pfn_t pfn)
{
	return holders[pfn];
}

void sim_tlb_tell(pfn_t pfn)
{
	for (struct tlb *t = tlbs; t < end_of_tlbs(); t++)
		for (size_t page = 0; page < t->npages; page++) {
			for (unsigned level = 1; level < SIM_LEVELS; level++)
				if (page % ((size_t)1 << (SIM_TABLE_BITS * level)) == 0 && t->upper[level][page >> (SIM_TABLE_BITS * level)].table_plus_one == pfn + 1)
					fprintf(stderr, "# processor %u knows frame %lx as a table of level %u, at page %lx\n", t->cpu, pfn, level - 1, page << PAGE_SHIFT);
			if (t->leaf[page] && sim_pte_pfn(t->leaf[page]) == pfn)
				fprintf(stderr, "# processor %u knows frame %lx at page %lx%s\n", t->cpu, pfn, page << PAGE_SHIFT, t->resting ? ", and rests" : "");
		}
}

bool sim_tlb_runs(pfn_t root)
{
	for (struct tlb *t = tlbs; t < end_of_tlbs(); t++)
		if (t->root == root && !t->resting)
			return true;
	return false;
}

pfn_t sim_tlb_root(void)
{
	return here()->missed ? PFN_NONE : here()->root;
}

/* Where a walk has ended: at an entry of a leaf table, or at a large one above; what that says of each page of the table's reach, by value_of. */
struct found { sim_pte *entry; bool large, write; };

static bool walk(struct tlb *tlb, size_t page, struct found *);
static sim_pte value_of(const struct found *, size_t from, size_t page);

/* A processor may walk the tables at any time for what it expects to need, and keep what it finds. */
static void speculate(struct tlb *tlb, size_t page)
{
	struct found found;

	sim_quiet(true);
	if (tlb->space && walk(tlb, page, &found))
		set_leaf(tlb, page, value_of(&found, page, page));
	sim_quiet(false);
}

void sim_tlb_speculate(void)
{
	for (struct tlb *t = tlbs; t < end_of_tlbs(); t++)
		speculate(t, t->last_page);
}

void sim_tlb_load(pfn_t root)
{
	struct tlb *t = here();

	flush_all(t);
	if (t->root != root)
		t->space = NULL;
	t->root = root;
	t->missed = false;
	sim_tlb_speculate();
}

/* ---- flushing ---------------------------------------------------------------------------------------------------------------------------- */

struct flush { pfn_t root; vaddr_t start, end; enum sim_upper upper; };
static struct flush wanted[CPUS_MAX];		/* by who wants it */
static bool pending[CPUS_MAX][CPUS_MAX];	/* [by whom][who wants it] */

static void flush(struct tlb *t, const struct flush *f)
{
	for (vaddr_t va = f->start; va < f->end && va < t->npages << PAGE_SHIFT; va += PAGE_SIZE)
		set_leaf(t, va >> PAGE_SHIFT, 0);
	if (f->upper == SIM_UPPER_TOO)
		flush_upper(t);
	speculate(t, t->last_page);
	if (f->start < f->end && f->start < SIM_PAGES << PAGE_SHIFT)
		speculate(t, f->start >> PAGE_SHIFT);
}

/* What it is not told while it rests, it makes up for. */
static void flush_on(unsigned cpu, const struct flush *f)
{
	for (struct tlb *t = &tlbs[cpu * SIM_SPACES]; t < &tlbs[(cpu + 1) * SIM_SPACES]; t++) {
		if (t->root != f->root)
			continue;
		if (t->resting && f->upper == SIM_UPPER_STAY)
			t->missed = true;
		else
			flush(t, f);
	}
}

static void serve(unsigned cpu)
{
	for (unsigned i = 0; i < cpu_count; i++)
		if (pending[cpu][i]) {
			pending[cpu][i] = false;
			flush_on(cpu, &wanted[i]);
		}
}

void sim_tlb_serve(void)
{
	serve(cpu_index());
}

static bool all_served(unsigned me)
{
	for (unsigned i = 0; i < cpu_count; i++)
		if (pending[i][me])
			return false;
	return true;
}

void sim_tlb_flush(pfn_t root, vaddr_t start, vaddr_t end, enum sim_upper upper)
{
	unsigned me = cpu_index();

	wanted[me] = (struct flush){ root, start, end, upper };
	for (struct tlb *t = tlbs; t < end_of_tlbs(); t++)
		if (t->root == root)
			pending[t->cpu][me] = true;
	for (unsigned i = 0; i < cpu_count; i++)
		if (pending[i][me] && i != me)
			sim_send_interrupt(i);
	serve(me);
	while (!all_served(me))
		spin_wait();
}

void sim_tlb_flush_here(pfn_t root, vaddr_t start, vaddr_t end, enum sim_upper upper)
{
	if (here()->root == root)
		flush(here(), &(struct flush){ root, start, end, upper });
}

void sim_tlb_forget(void)
{
	for (struct tlb *t = tlbs; t < end_of_tlbs(); t++)
		flush_all(t);
}

/* ---- what a processor runs ------------------------------------------------------------------------------------------------------------------- */

static void hold_leaves(const struct tlb *t, unsigned by)
{
	for (size_t page = 0; page < t->npages; page++)
		if (t->leaf[page])
			holders[sim_pte_pfn(t->leaf[page])] += by;
}

static void rest(struct tlb *t, bool resting)
{
	if (t->resting != resting)
		hold_leaves(t, resting ? -1u : 1);
	t->resting = resting;
}

void sim_rest(void)
{
	unsigned long irq = cpu_irq_save();
	if (here()->space)
		rest(here(), true);
	mmu_rest();
	cpu_irq_restore(irq);
}

void sim_tlb_leave(pfn_t root)
{
	for (struct tlb *t = tlbs; t < end_of_tlbs(); t++)
		if (t->root == root && t->resting) {
			flush_all(t);
			t->root = PFN_NONE;
			t->space = NULL;
			t->resting = false;
		}
}

void sim_tlb_resume(void)
{
	rest(here(), false);
}

/* The running thread goes on with the TLB of its processor that is the space's, or takes one for it. */
void sim_enter(struct space *space)
{
	struct tlb *first = &tlbs[cpu_index() * SIM_SPACES], *use = first;

	sim_current->entered = space;
	for (struct tlb *t = first; t < first + SIM_SPACES && use->space != space; t++)
		if (t->space == space || t->used < use->used)
			use = t;
	unsigned long irq = cpu_irq_save();
	current[cpu_index()] = use;
	if (use->space != space || use->resting)
		mmu_activate(&space->mmu);
	rest(use, false);
	use->space = space;
	use->used = ++clock_now;
	cpu_irq_restore(irq);
}

void sim_stop(struct space *space)
{
	unsigned long irq = cpu_irq_save();
	sim_quiet(true);
	if (sim_current->entered == space)
		sim_current->entered = NULL;
	for (struct tlb *t = tlbs; t < end_of_tlbs(); t++)
		if (t->space == space) {
			unsigned cpu = sim_current->cpu;
			struct tlb *used = current[t->cpu];
			sim_current->cpu = t->cpu;
			current[t->cpu] = t;
			rest(t, false);
			mmu_activate(NULL);
			t->used = 0;
			current[t->cpu] = used;
			sim_current->cpu = cpu;
		}
	sim_quiet(false);
	cpu_irq_restore(irq);
}

/* The hardware's walk: upper entries from the TLB where it has them.  false: not present. */
static bool walk(struct tlb *tlb, size_t page, struct found *found)
{
	struct way way = { tlb->root + 1, true };
	unsigned level = SIM_LEVELS - 1;

	for (unsigned cached = 1; cached < SIM_LEVELS; cached++)	/* the lowest that is cached */
		if (tlb->upper[cached][page >> (SIM_TABLE_BITS * cached)].table_plus_one) {
			way = tlb->upper[cached][page >> (SIM_TABLE_BITS * cached)];
			level = cached - 1;
			break;
		}
	for (; level > 0; level--) {
		sim_pte *e = sim_table_entry(way.table_plus_one - 1, level, page);
		if (!(*e & SIM_PRESENT) || !sim_pte_upper_sound(*e))
			return false;
		if (sim_pte_large(*e)) {
			*found = (struct found){ .entry = e, .large = true, .write = way.write };
			return level == 1;
		}
		*e |= SIM_ACCESSED;
		way = (struct way){ sim_pte_pfn(*e) + 1, way.write && sim_pte_upper_write(*e) };
		set_upper(tlb, level, page, way);
	}
	*found = (struct found){ .entry = sim_table_entry(way.table_plus_one - 1, 0, page), .write = way.write };
	return *found->entry & SIM_PRESENT;
}

/* What a walk that has ended for page `from` says of `page`, in the reach of the same table. */
static sim_pte value_of(const struct found *found, size_t from, size_t page)
{
	sim_pte value = found->large ? (*found->entry & ~(sim_pte)SIM_LARGE) + ((sim_pte)(page & (ENTRIES - 1)) << PAGE_SHIFT)
		: found->entry[(ssize)page - (ssize)from];

	return found->write ? value : value & ~(sim_pte)SIM_WRITE;
}

static bool allows(sim_pte e, enum fault_access access)
{
	unsigned prot = sim_pte_user(e) ? sim_pte_prot(e) : 0;

	return access == FAULT_READ ? prot != 0 : prot & (access == FAULT_WRITE ? VM_WRITE : VM_EXEC);
}

/* Does the TLB say more than the tables do? */
static const char *stale(const struct tlb *tlb, size_t page)
{
	sim_pte e = tlb->leaf[page];
	struct mmu_entry now = mmu_query(&tlb->space->mmu, page << PAGE_SHIFT);

	if (!(e & SIM_PRESENT) || now.pfn != sim_pte_pfn(e))
		return "has another frame";
	if (sim_pte_prot(e) & ~now.prot)
		return "gives more rights";
	return NULL;
}

static void check_slot(const struct tlb *tlb, size_t page)
{
	sim_quiet(true);
	const char *how = stale(tlb, page);
	pfn_t pfn = sim_pte_pfn(tlb->leaf[page]);

	if (how)
		panic("stale TLB entry of processor %u: page %lx, frame %lx: it %s than the tables", tlb->cpu, page << PAGE_SHIFT, pfn, how);
	if (!sim_frame_in_use(pfn))
		panic("page %lx is mapped to frame %lx, which is free", page << PAGE_SHIFT, pfn);
	sim_quiet(false);
}

/* Is anybody at changing what the tables say of the page, or has asked this processor to forget it? */
static bool is_changing(const struct tlb *tlb, size_t page)
{
	pfn_t table = tlb->root;

	for (unsigned i = 0; i < cpu_count; i++)
		if (pending[tlb->cpu][i])
			return true;
	if (__atomic_load_n(&tlb->space->lock.writer.owner, __ATOMIC_RELAXED) > MUTEX_AWAITED)
		return true;
	for (unsigned level = SIM_LEVELS - 1; level > 0; level--) {
		sim_pte e = *sim_table_entry(table, level, page);
		if (!(e & SIM_PRESENT) || sim_pte_large(e))
			return false;
		table = sim_pte_pfn(e);
	}
	return page_word_of(table) & TABLE_LOCKED;
}

static void check_used(const struct tlb *tlb, size_t page)
{
	if (!is_changing(tlb, page))
		check_slot(tlb, page);
}

void sim_tlb_check(void)
{
	for (struct tlb *tlb = tlbs; tlb < end_of_tlbs(); tlb++) {
		for (size_t page = 0; page < tlb->npages && tlb->space; page++) {
			if (tlb->leaf[page] && !tlb->resting)
				check_slot(tlb, page);
			if (page % ENTRIES)
				continue;
			pfn_t table = tlb->root;
			bool write = true;
			for (unsigned level = SIM_LEVELS - 1; level > 0; level--) {
				struct way cached = tlb->upper[level][page >> (SIM_TABLE_BITS * level)];
				sim_pte e = table == PFN_NONE ? 0 : *sim_table_entry(table, level, page);
				table = e & SIM_PRESENT && !sim_pte_large(e) ? sim_pte_pfn(e) : PFN_NONE;
				write = write && sim_pte_upper_write(e);
				if (cached.table_plus_one && (cached.table_plus_one - 1 != table || (cached.write && !write && !tlb->resting)))
					panic("stale upper TLB entry at %lx, level %u", page << PAGE_SHIFT, level);
			}
		}
	}
}

/* Looks the page up, walks, sets accessed and dirty. False: a page fault. */
static bool translate(struct tlb *tlb, size_t page, enum fault_access access, pfn_t *pfn)
{
	sim_pte slot = tlb->leaf[page];

	if (slot) {
		check_used(tlb, page);
		if (!allows(slot, access))
			return false;
		*pfn = sim_pte_pfn(slot);
		if (slot & SIM_ACCESSED && (access != FAULT_WRITE || slot & SIM_DIRTY))
			return true;
	}
	struct found found;
	if (!walk(tlb, page, &found) || !allows(value_of(&found, page, page), access))
		return false;
	*found.entry |= access == FAULT_WRITE ? SIM_ACCESSED | SIM_DIRTY : SIM_ACCESSED;
	size_t first = page & ~(size_t)(ENTRIES - 1);
	for (size_t other = first; other < first + ENTRIES; other++) {
		sim_pte value = value_of(&found, page, other);
		if (value & SIM_PRESENT && (other == page || !tlb->leaf[other]))
			set_leaf(tlb, other, value);
	}
	check_used(tlb, page);
	*pfn = sim_pte_pfn(tlb->leaf[page]);
	return true;
}

bool sim_access_begin(struct space *space, vaddr_t va, enum fault_access access, pfn_t *pfn)
{
	sim_point();
	sim_enter(space);
	if (va >= SIM_PAGES << PAGE_SHIFT)
		return false;
	here()->last_page = va >> PAGE_SHIFT;
	sim_quiet(true);
	bool found = translate(here(), va >> PAGE_SHIFT, access, pfn);
	sim_quiet(false);
	return found;
}

void sim_access_end(void) {}

void sim_tlb_make_strict(struct space *space, vaddr_t va)
{
	sim_enter(space);
	set_leaf(here(), va >> PAGE_SHIFT, here()->leaf[va >> PAGE_SHIFT] & ~(sim_pte)SIM_WRITE);
}
