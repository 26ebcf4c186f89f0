/* vm/stats.c - fault counters; see stats.h. */
#include "vm/stats.h"
#include "vm/reclaim.h"
#include "arch/mmu.h"
#include "lib/string.h"

unsigned stats_cost = COST_AUTO;
struct cpu_stats cpu_stats[CPUS_MAX];
uint64_t system_pages_read;

struct fault_stats stats_system(void)
{
	struct fault_stats sum = { 0 };

	for (unsigned i = 0; i < cpu_count; i++)
		stats_add(&sum, &cpu_stats[i].faults);
	return sum;
}

void stats_add(struct fault_stats *to, const struct fault_stats *what)
{
	for (int i = 0; i < FAULT_CLASSES; i++) {
		to->count[i] += what->count[i];
		to->cost[i] += what->cost[i];
	}
	for (int i = 0; i < FAULT_FLAGS; i++)
		to->flags[i] += what->flags[i];
	to->neighbours += what->neighbours;
}

uint64_t stats_major(const struct fault_stats *s)
{
	return s->flags[FAULT_FLAG_READ];
}

uint64_t stats_minor(const struct fault_stats *s)
{
	uint64_t n = 0;

	for (int i = 0; i < FAULT_SEGV; i++)
		n += s->count[i];
	return n - stats_major(s);
}

void stats_export(const struct fault_stats *s, enum stats_scope scope, struct faultstat *to)
{
	*to = (struct faultstat){ .size = sizeof *to, .version = FAULTSTAT_VERSION, .neighbours = s->neighbours };
	memcpy(to->count, s->count, sizeof s->count);
	memcpy(to->cost, s->cost, sizeof s->cost);
	memcpy(to->flags, s->flags, sizeof s->flags);
	if (scope != STATS_OF_SYSTEM)
		return;
	struct tlb_stats tlb = mmu_tlb_stats();
	to->pages_read = __atomic_load_n(&system_pages_read, __ATOMIC_RELAXED);
	to->tlb_pages = tlb.pages;
	to->tlb_full = tlb.full;
	to->tlb_loads = tlb.loads;
	to->tlb_interrupts = tlb.interrupts;
	to->pages_scanned = reclaim_stats.scanned;
	to->pages_reclaimed = reclaim_stats.stolen;
}
