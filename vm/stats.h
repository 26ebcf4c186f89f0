/*
 * vm/stats.h - fault counters.
 *
 * A process has a struct fault_stats, the system has one; the fault handler counts into both.  Protected by: the system's, one processor
 * (per-CPU later); a process's, its own threads (one now).
 */
#pragma once
#include "vm/types.h"
#include "abi/faultline.h"

struct fault_stats {
	uint64_t count[FAULT_CLASSES];
	uint64_t cost[FAULT_CLASSES];	/* cycles */
	uint64_t flags[FAULT_FLAGS];
	uint64_t neighbours;
};
extern struct fault_stats system_faults;
extern uint64_t system_pages_read;

void stats_add(struct fault_stats *to, const struct fault_stats *what);
/* As getrusage counts: major faults had to read, minor ones did not; signals are neither. */
uint64_t stats_minor(const struct fault_stats *);
uint64_t stats_major(const struct fault_stats *);
/* The ABI structure; system-wide extras only for system_faults. */
void stats_export(const struct fault_stats *, struct faultstat *);
