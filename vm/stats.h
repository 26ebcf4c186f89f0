/*
 * vm/stats.h - fault counters.
 *
 * A thread has a struct fault_stats, and so has each processor; the fault handler counts into both, and nobody else writes them.  Sums are made by those who read.
 */
#pragma once
#include "vm/types.h"
#include "abi/faultline.h"
#include "arch/cpu.h"

struct fault_stats {
	uint64_t count[FAULT_CLASSES];
	uint64_t cost[FAULT_CLASSES];	/* cycles; of those that were measured */
	uint64_t flags[FAULT_FLAGS];
	uint64_t neighbours;
};

/* Is measured what a fault costs?  AUTO: on one processor; emulators have a lock for the cycle counters of all. */
enum { COST_AUTO, COST_ON, COST_OFF };
extern unsigned stats_cost;			/* one word, read and written whole */
static inline bool stats_cost_wanted(void) { return stats_cost == COST_ON || (stats_cost == COST_AUTO && cpu_count == 1); }

extern struct cpu_stats { struct fault_stats faults; } CPU_LOCAL cpu_stats[CPUS_MAX];
/* This processor's. */
static inline struct fault_stats *stats_here(void) { return &cpu_stats[cpu_index()].faults; }
/* Those of all processors. */
struct fault_stats stats_system(void);
extern uint64_t system_pages_read;		/* atomic */

void stats_add(struct fault_stats *to, const struct fault_stats *what);
/* As getrusage counts: major faults had to read, minor ones did not; signals are neither. */
uint64_t stats_minor(const struct fault_stats *);
uint64_t stats_major(const struct fault_stats *);
/* The ABI structure; STATS_OF_SYSTEM: with what is counted for the whole system alone. */
enum stats_scope { STATS_OF_PROCESS, STATS_OF_SYSTEM };
void stats_export(const struct fault_stats *, enum stats_scope, struct faultstat *);
