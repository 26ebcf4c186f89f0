/*
 * tests/host/sim/tlb.c - processors of the simulated machine: TLBs, the hardware's table walk, user accesses.
 *
 * A processor's TLB has a slot for each page and a slot for each upper entry, so nothing is ever pushed out: an entry goes when a flush names
 * it, or when the processor loads another address space.  Each walk takes in all of the leaf table's entries that are present, as a
 * processor that speculates may.  holders[pfn] counts the slots that name a frame: freeing a frame that has some is an error.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include "sim.h"
#include "arch/uaccess.h"

enum { ENTRIES = 1 << SIM_TABLE_BITS };

/* What is cached of an upper entry: the frame of the table below, + 1 (0: nothing), and whether all entries down to it allow writing. */
struct way { pfn_t table_plus_one; bool write; };

struct cpu {
	pfn_t root;			/* what it runs */
	struct space *space;		/* whose root that is; NULL: the kernel's alone */
	unsigned long used;		/* when it was last given a space: the oldest is taken for a new one */
	sim_pte *leaf;			/* by page */
	struct way *upper[SIM_LEVELS];	/* by page >> bits of the level; level 1 to the root's */
	unsigned nleaf;			/* slots in use */
	size_t npages;			/* no slot of a page behind these has ever been used */
	size_t last_page;		/* that was used */
};

static struct cpu cpus[SIM_CPUS];
static struct cpu *here = cpus;		/* the processor that the running thread is on */
static __thread struct space *entered;	/* the thread's space, for user_copy_* */
static unsigned *holders;
static unsigned long clock_now;

struct fault_stats sim_faults;
struct fault_result sim_last_fault;

void sim_faults_clear(void)
{
	sim_faults = (struct fault_stats){ 0 };
}

__attribute__((constructor)) static void cpus_begin(void)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

	holders = mmap(NULL, SIM_MAX_PFN * sizeof *holders, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (holders == MAP_FAILED)
		abort();
	for (unsigned i = 0; i < SIM_CPUS; i++) {
		cpus[i].root = PFN_NONE;
		cpus[i].leaf = mmap(NULL, SIM_PAGES * sizeof(sim_pte), PROT_READ | PROT_WRITE, flags, -1, 0);
		for (unsigned level = 1; level < SIM_LEVELS; level++)
			cpus[i].upper[level] = calloc((SIM_PAGES >> (SIM_TABLE_BITS * level)) + 1, sizeof(struct way));
	}
}

/* Slots. */

static void set_leaf(struct cpu *cpu, size_t page, sim_pte e)
{
	sim_pte old = cpu->leaf[page];

	if (old)
		holders[sim_pte_pfn(old)]--, cpu->nleaf--;
	if (e)
		holders[sim_pte_pfn(e)]++, cpu->nleaf++;
	if (e && page >= cpu->npages)
		cpu->npages = page + 1;
	cpu->leaf[page] = e;
}

static void set_upper(struct cpu *cpu, unsigned level, size_t page, struct way way)
{
	struct way *slot = &cpu->upper[level][page >> (SIM_TABLE_BITS * level)];

	if (slot->table_plus_one)
		holders[slot->table_plus_one - 1]--;
	if (way.table_plus_one)
		holders[way.table_plus_one - 1]++;
	if (way.table_plus_one && page >= cpu->npages)
		cpu->npages = page + 1;
	*slot = way;
}

static void flush_upper(struct cpu *cpu)
{
	for (unsigned level = 1; level < SIM_LEVELS; level++)
		for (size_t page = 0; page < cpu->npages; page += (size_t)1 << (SIM_TABLE_BITS * level))
			set_upper(cpu, level, page, (struct way){ 0 });
}

static void flush_all(struct cpu *cpu)
{
	for (size_t page = 0; page < cpu->npages && cpu->nleaf; page++)
		set_leaf(cpu, page, 0);
	flush_upper(cpu);
}

bool sim_tlb_holds(pfn_t pfn)
{
	return holders[pfn];
}

bool sim_tlb_runs(pfn_t root)
{
	for (unsigned i = 0; i < SIM_CPUS; i++)
		if (cpus[i].root == root)
			return true;
	return false;
}

pfn_t sim_tlb_root(void)
{
	return here->root;
}

/* Where a walk has ended: at an entry of a leaf table, or at a large one above; what that says of each page of the table's reach, by value_of. */
struct found { sim_pte *entry; bool large, write; };

static bool walk(struct cpu *cpu, size_t page, struct found *);
static sim_pte value_of(const struct found *, size_t from, size_t page);

/* A processor may walk the tables at any time for what it expects to need, and keep what it finds. */
static void speculate(struct cpu *cpu, size_t page)
{
	struct found found;

	if (cpu->space && walk(cpu, page, &found))
		set_leaf(cpu, page, value_of(&found, page, page));
}

void sim_tlb_speculate(void)
{
	for (unsigned i = 0; i < SIM_CPUS; i++)
		speculate(&cpus[i], cpus[i].last_page);
}

void sim_tlb_load(pfn_t root)
{
	flush_all(here);
	if (here->root != root)
		here->space = NULL;
	here->root = root;
	sim_tlb_speculate();
}

void sim_tlb_flush(pfn_t root, vaddr_t start, vaddr_t end, enum sim_upper upper)
{
	for (unsigned i = 0; i < SIM_CPUS; i++) {
		if (cpus[i].root != root)
			continue;
		for (vaddr_t va = start; va < end && va < cpus[i].npages << PAGE_SHIFT; va += PAGE_SIZE)
			set_leaf(&cpus[i], va >> PAGE_SHIFT, 0);
		if (upper == SIM_UPPER_TOO)
			flush_upper(&cpus[i]);
		speculate(&cpus[i], cpus[i].last_page);
		if (start < end && start < SIM_PAGES << PAGE_SHIFT)
			speculate(&cpus[i], start >> PAGE_SHIFT);
	}
}

void sim_tlb_forget(void)
{
	for (unsigned i = 0; i < SIM_CPUS; i++)
		flush_all(&cpus[i]);
}

/* The running thread goes on on the processor that runs the space, or takes one for it. */
void sim_enter(struct space *space)
{
	struct cpu *oldest = cpus;

	entered = space;
	for (unsigned i = 0; i < SIM_CPUS; i++) {
		if (cpus[i].space == space) {
			here = &cpus[i];
			here->used = ++clock_now;
			return;
		}
		if (cpus[i].used < oldest->used)
			oldest = &cpus[i];
	}
	here = oldest;
	mmu_activate(&space->mmu);
	here->space = space;
	here->used = ++clock_now;
}

void sim_stop(struct space *space)
{
	if (entered == space)
		entered = NULL;
	for (unsigned i = 0; i < SIM_CPUS; i++)
		if (cpus[i].space == space) {
			here = &cpus[i];
			mmu_activate(NULL);
			here->used = 0;
		}
}

/* The hardware's walk: upper entries from the TLB where it has them.  false: not present. */
static bool walk(struct cpu *cpu, size_t page, struct found *found)
{
	struct way way = { cpu->root + 1, true };
	unsigned level = SIM_LEVELS - 1;

	for (unsigned cached = 1; cached < SIM_LEVELS; cached++)	/* the lowest that is cached */
		if (cpu->upper[cached][page >> (SIM_TABLE_BITS * cached)].table_plus_one) {
			way = cpu->upper[cached][page >> (SIM_TABLE_BITS * cached)];
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
		set_upper(cpu, level, page, way);
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
static void check_slot(struct cpu *cpu, size_t page)
{
	sim_pte e = cpu->leaf[page];
	struct mmu_entry now = mmu_query(&cpu->space->mmu, page << PAGE_SHIFT);

	if (!(e & SIM_PRESENT) || now.pfn != sim_pte_pfn(e))
		panic("stale TLB entry: page %lx has frame %lx there, %lx in the tables", page << PAGE_SHIFT, sim_pte_pfn(e), now.pfn);
	if (sim_pte_prot(e) & ~now.prot)
		panic("stale TLB entry: page %lx has rights %u there, %u in the tables", page << PAGE_SHIFT, sim_pte_prot(e), now.prot);
	if (!sim_frame_in_use(now.pfn))
		panic("page %lx is mapped to frame %lx, which is free", page << PAGE_SHIFT, now.pfn);
}

void sim_tlb_check(void)
{
	for (unsigned i = 0; i < SIM_CPUS; i++) {
		struct cpu *cpu = &cpus[i];
		for (size_t page = 0; page < cpu->npages && cpu->space; page++) {
			if (cpu->leaf[page])
				check_slot(cpu, page);
			if (page % ENTRIES)
				continue;
			pfn_t table = cpu->root;
			bool write = true;
			for (unsigned level = SIM_LEVELS - 1; level > 0; level--) {
				struct way cached = cpu->upper[level][page >> (SIM_TABLE_BITS * level)];
				sim_pte e = table == PFN_NONE ? 0 : *sim_table_entry(table, level, page);
				table = e & SIM_PRESENT && !sim_pte_large(e) ? sim_pte_pfn(e) : PFN_NONE;
				write = write && sim_pte_upper_write(e);
				if (cached.table_plus_one && (cached.table_plus_one - 1 != table || (cached.write && !write)))
					panic("stale upper TLB entry at %lx, level %u", page << PAGE_SHIFT, level);
			}
		}
	}
}

/* Looks the page up, walks, sets accessed and dirty. False: a page fault. */
static bool translate(struct cpu *cpu, size_t page, enum fault_access access, pfn_t *pfn)
{
	sim_pte slot = cpu->leaf[page];

	if (slot) {
		check_slot(cpu, page);
		if (!allows(slot, access))
			return false;
		*pfn = sim_pte_pfn(slot);
		if (slot & SIM_ACCESSED && (access != FAULT_WRITE || slot & SIM_DIRTY))
			return true;
	}
	struct found found;
	if (!walk(cpu, page, &found) || !allows(value_of(&found, page, page), access))
		return false;
	*found.entry |= access == FAULT_WRITE ? SIM_ACCESSED | SIM_DIRTY : SIM_ACCESSED;
	size_t first = page & ~(size_t)(ENTRIES - 1);
	for (size_t other = first; other < first + ENTRIES; other++) {
		sim_pte value = value_of(&found, page, other);
		if (value & SIM_PRESENT && (other == page || !cpu->leaf[other]))
			set_leaf(cpu, other, value);
	}
	check_slot(cpu, page);
	*pfn = sim_pte_pfn(cpu->leaf[page]);
	return true;
}

/* One page's frame for an access, faults served. */
static int reach(struct space *space, vaddr_t va, enum fault_access access, enum fault_mode mode, pfn_t *pfn)
{
	for (unsigned tries = 0; tries < 8; tries++) {
		sim_enter(space);
		if (va < (SIM_PAGES << PAGE_SHIFT))
			here->last_page = va >> PAGE_SHIFT;
		if (va < (SIM_PAGES << PAGE_SHIFT) && translate(here, va >> PAGE_SHIFT, access, pfn))
			return FAULT_DONE;
		struct fault_result r = vm_fault(space, va, access, mode, &sim_faults);
		sim_last_fault = r;
		if (r.outcome != FAULT_DONE)
			return r.outcome;
	}
	panic("the fault at %lx (access %d) is served again and again", va, access);
}

enum direction { FROM_USER, TO_USER };

static int move(struct space *space, vaddr_t va, void *bytes, size_t n, enum direction direction, enum fault_mode mode, size_t *moved)
{
	for (*moved = 0; *moved < n; ) {
		vaddr_t at = va + *moved;
		size_t part = PAGE_SIZE - (at & PAGE_MASK);
		pfn_t pfn;
		if (part > n - *moved)
			part = n - *moved;
		int outcome = reach(space, at, direction == TO_USER ? FAULT_WRITE : FAULT_READ, mode, &pfn);
		if (outcome != FAULT_DONE)
			return outcome;
		char *frame = (char *)direct(pfn) + (at & PAGE_MASK);
		if (direction == TO_USER)
			memmove(frame, (char *)bytes + *moved, part);	/* a file that is written from its own mapping */
		else
			memmove((char *)bytes + *moved, frame, part);
		*moved += part;
	}
	return FAULT_DONE;
}

int sim_read(struct space *space, vaddr_t va, void *to, size_t n)
{
	size_t moved;
	return move(space, va, to, n, FROM_USER, FAULT_USER, &moved);
}

int sim_write(struct space *space, vaddr_t va, const void *from, size_t n)
{
	size_t moved;
	return move(space, va, (void *)(uintptr_t)from, n, TO_USER, FAULT_USER, &moved);
}

int sim_exec(struct space *space, vaddr_t va)
{
	pfn_t pfn;
	return reach(space, va, FAULT_EXEC, FAULT_USER, &pfn);
}

int sim_read_byte(struct space *space, vaddr_t va, uint8_t *to)
{
	return sim_read(space, va, to, 1);
}

int sim_write_byte(struct space *space, vaddr_t va, uint8_t value)
{
	return sim_write(space, va, &value, 1);
}

void sim_tlb_make_strict(struct space *space, vaddr_t va)
{
	sim_enter(space);
	set_leaf(here, va >> PAGE_SHIFT, here->leaf[va >> PAGE_SHIFT] & ~(sim_pte)SIM_WRITE);
}

/* arch/uaccess.h */

static size_t user_move(vaddr_t user, void *bytes, size_t n, enum direction direction)
{
	size_t moved;

	sim_check_unlocked("user memory is copied");
	if (user + n < user || user + n > USER_MAX || user < USER_MIN)
		return n;
	if (!entered)
		return n;
	move(entered, user, bytes, n, direction, FAULT_KERNEL, &moved);
	return n - moved;
}

size_t user_copy_in(void *to, vaddr_t from, size_t n)
{
	return user_move(from, to, n, FROM_USER);
}

size_t user_copy_out(vaddr_t to, const void *from, size_t n)
{
	return user_move(to, (void *)(uintptr_t)from, n, TO_USER);
}

size_t user_zero(vaddr_t to, size_t n)
{
	static const char zeroes[256];

	while (n) {
		size_t part = n < sizeof zeroes ? n : sizeof zeroes;
		size_t left = user_copy_out(to, zeroes, part);
		if (left)
			return n - part + left;
		to += part;
		n -= part;
	}
	return 0;
}

ssize user_string(char *to, vaddr_t from, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (user_copy_in(to + i, from + i, 1))
			return -EFAULT;
		if (!to[i])
			return (ssize)i;
	}
	return -ENAMETOOLONG;
}
