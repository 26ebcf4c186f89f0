/*
 * arch/x86_64/tlb.c - the TLBs: which processor has which tables loaded, and what must be flushed where.
 *
 * Intel SDM volume 3, 4.10: INVLPG drops one page's translation, global or not, and the paging-structure caches; loading CR3 drops all
 * that is not global; toggling CR4.PGE drops everything.  A space that a processor has not loaded has nothing in its TLB: it was flushed
 * when CR3 was loaded.
 *
 * Others are asked to flush by requests.c, and waited for.  Whom to ask says mmu->cpus: the processors that have it loaded; for kernel_mmu all that run.
 *
 * A processor that rests (mmu_rest) keeps its tables loaded but does not use them, and is not interrupted: it is marked as stale, and flushes when it comes back.  That is
 * enough as long as what it may still look at, ahead of use, are whole tables.  When tables go it is asked as well, and leaves them.
 *
 * Why no flush is lost.  Locked instructions and stores stay in order (SDM volume 3, 8.2), and a load of CR3 lets no table be read before it.
 *   comes to an mmu    asking: changes the entry, fence, reads cpus.  Coming: sets its bit (locked), loads CR3.  Either the bit is seen, or the
 *                      change is there before anything is read after the load.
 *   leaves it          its bit goes after CR3 has another value: what is not asked holds nothing.
 *   comes back         its state changes by locked instructions only, RESTING to STALE by those that ask, to RUNNING by itself.  If STALE was
 *                      first it sees that and flushes; if not, RUNNING is seen and it is asked.
 *   begins to rest     by a store after all that it did in user memory: stores are seen in order, loads are done before later stores.
 *   is asked           does so between two instructions, or where it waits; so between loading CR3 and saying so it must not be interrupted.
 *
 * Protected by: a processor's `mmu` and statistics by being its own, with interrupts off where both are changed; state and mmu->cpus are atomic.
 */
#include "arch/x86_64/tlb.h"
#include "arch/cpu.h"
#include "arch/x86_64/requests.h"
#include "arch/x86_64/x86.h"
#include "lib/assert.h"
#include "vm/frame.h"
#include "vm/page.h"

enum { FLUSH_SINGLY = 32 };		/* pages; from there on one load of CR3 is cheaper */

struct mmu kernel_mmu;

enum { RUNNING, RESTING, STALE };
static struct CPU_LOCAL tlb {
	struct mmu *mmu;		/* what is loaded */
	unsigned state;
	struct tlb_stats stats;
} tlbs[CPUS_MAX];

static struct tlb *here(void) { return &tlbs[cpu_index()]; }
static unsigned cpu_bit(unsigned cpu) { return 1u << cpu; }
static unsigned state_of(const struct tlb *tlb) { return __atomic_load_n(&tlb->state, __ATOMIC_RELAXED); }

/* ---- this processor ---------------------------------------------------------------------------------------------------------------------- */

static void flush_everything(const struct tlb *tlb)
{
	uint64_t cr4 = read_cr4();

	if (cr4 & CR4_PGE) {
		write_cr4(cr4 & ~(uint64_t)CR4_PGE);
		write_cr4(cr4);
	} else {
		write_cr3(tlb->mmu->root);
	}
}

/* [start, end) of this mmu, all of it if that is empty. */
static inline __attribute__((always_inline)) void flush_here(struct tlb *tlb, const struct mmu *mmu, vaddr_t start, vaddr_t end)
{
	size_t range = start < end ? (end - start) >> PAGE_SHIFT : 0;

	if (mmu != tlb->mmu && mmu != &kernel_mmu)
		return;
	if (range > 0 && range <= FLUSH_SINGLY) {
		for (vaddr_t va = start; va < end; va += PAGE_SIZE)
			flush_page(va);
		tlb->stats.pages += range;
		return;
	}
	unsigned long irq = cpu_irq_save();		/* one that rests may be made to leave */
	if (mmu == &kernel_mmu)
		flush_everything(tlb);
	else if (mmu == tlb->mmu)
		write_cr3(mmu->root);
	cpu_irq_restore(irq);
	tlb->stats.full++;
}

/* Interrupts are off. */
static inline void load(struct tlb *tlb, struct mmu *mmu)
{
	struct mmu *old = tlb->mmu;
	unsigned bit = cpu_bit(cpu_index());

	__atomic_store_n(&tlb->state, RUNNING, __ATOMIC_RELAXED);
	__atomic_fetch_or(&mmu->cpus, bit, __ATOMIC_SEQ_CST);
	tlb->mmu = mmu;
	write_cr3(mmu->root);
	if (old && old != &kernel_mmu)
		__atomic_fetch_and(&old->cpus, ~bit, __ATOMIC_SEQ_CST);
	tlb->stats.loads++;
}

void mmu_activate(struct mmu *mmu)
{
	struct tlb *tlb = here();

	if (!mmu)
		mmu = &kernel_mmu;
	if (mmu != tlb->mmu)
		load(tlb, mmu);
	else if (state_of(tlb) != RUNNING && __atomic_exchange_n(&tlb->state, RUNNING, __ATOMIC_SEQ_CST) == STALE)
		flush_here(tlb, mmu, 0, 0);
}

void mmu_rest(void)
{
	struct tlb *tlb = here();

	if (tlb->mmu != &kernel_mmu && state_of(tlb) == RUNNING)
		__atomic_store_n(&tlb->state, RESTING, __ATOMIC_RELEASE);
}

void mmu_flush_local(struct mmu *mmu, vaddr_t va)
{
	flush_here(here(), mmu, va, va + PAGE_SIZE);
}

void tlb_serve(const struct request *r)
{
	struct tlb *tlb = here();

	if (r->leave && state_of(tlb) != RUNNING)
		load(tlb, &kernel_mmu);
	if (r->everything) {
		flush_everything(tlb);
		tlb->stats.full++;
	} else if (r->mmu) {
		flush_here(tlb, r->mmu, r->start, r->end);
	}
}

/* ---- all of them --------------------------------------------------------------------------------------------------------------------------- */

/* It rests, and will flush before it goes on. */
static bool leave_stale(struct tlb *tlb)
{
	unsigned state = RESTING;

	return __atomic_compare_exchange_n(&tlb->state, &state, STALE, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST) || state == STALE;
}

/* Asks those of `cpus` that it concerns; returns which, with their tickets. */
static unsigned ask(unsigned cpus, const struct request *r, uint64_t ticket[CPUS_MAX])
{
	unsigned asked = 0;

	for (unsigned i = 0; cpus; i++, cpus >>= 1) {
		if (!(cpus & 1) || (!r->leave && r->mmu != &kernel_mmu && leave_stale(&tlbs[i])))
			continue;
		ticket[i] = request_post(i, r);
		asked |= cpu_bit(i);
		here()->stats.interrupts++;
	}
	return asked;
}

static void wait(unsigned cpus, const uint64_t ticket[CPUS_MAX])
{
	for (unsigned i = 0; cpus; i++, cpus >>= 1)
		if (cpus & 1)
			request_wait(i, ticket[i]);
}

static unsigned others(const struct mmu *mmu)
{
	return __atomic_load_n(&mmu->cpus, __ATOMIC_SEQ_CST) & ~cpu_bit(cpu_index());
}

void mmu_flush(struct mmu *mmu, vaddr_t start, vaddr_t end, enum flush what)
{
	uint64_t ticket[CPUS_MAX];
	unsigned asked = 0;

	if (what != FLUSH_HERE) {
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		unsigned cpus = others(mmu);
		if (__builtin_expect(cpus != 0, 0))
			asked = ask(cpus, &(struct request){ .mmu = mmu, .start = start, .end = end, .leave = what == FLUSH_TABLES }, ticket);
	}
	flush_here(here(), mmu, start, end);
	if (__builtin_expect(asked != 0, 0))
		wait(asked, ticket);
}

void mmu_evict(struct mmu *mmu)
{
	uint64_t ticket[CPUS_MAX];

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	unsigned long irq = cpu_irq_save();
	if (here()->mmu == mmu)
		mmu_activate(NULL);
	cpu_irq_restore(irq);
	wait(ask(others(mmu), &(struct request){ .leave = true }, ticket), ticket);
	assert(mmu->cpus == 0);
}

struct tlb_stats mmu_tlb_stats(void)
{
	struct tlb_stats sum = { 0 };

	for (unsigned i = 0; i < CPUS_MAX; i++) {
		sum.pages += tlbs[i].stats.pages;
		sum.full += tlbs[i].stats.full;
		sum.loads += tlbs[i].stats.loads;
		sum.interrupts += tlbs[i].stats.interrupts;
	}
	return sum;
}

/* ---- giving back --------------------------------------------------------------------------------------------------------------------------- */

/* Nobody can reach it any more: true if it is a frame to free. */
static bool is_free(pfn_t what)
{
	if (__builtin_expect(what & GATHER_BLOCK, 0)) {
		frame_free(what & ~GATHER_BLOCK, MMU_HUGE_ORDER);
		return false;
	}
	return what & GATHER_TABLE || page_is_mine(page_word_of(what)) || page_entry_put(what) == PAGE_PUT_LAST;
}

/* A table may be all that is left to flush: its entries went with an earlier, full gather. */
void mmu_gather_finish(struct mmu_gather *g)
{
	if (g->start < g->end || g->tables)
		mmu_flush(g->mmu, g->start, g->end, g->tables ? FLUSH_TABLES : g->others ? FLUSH_PAGES : FLUSH_HERE);
	unsigned n = 0;
	for (unsigned i = 0; i < g->nframes; i++)
		if (is_free(g->frame[i]))
			g->frame[n++] = g->frame[i] & ~GATHER_TABLE;
	frame_free_all(g->frame, n);
	mmu_gather_begin(g, g->mmu);
}

