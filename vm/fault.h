/*
 * vm/fault.h - the page-fault handler.
 */
#pragma once
#include "vm/space.h"
#include "vm/stats.h"
#include "arch/trap.h"

/* What the handler makes of a fault. */
struct fault_result {
	enum fault_class class;
	enum {
		FAULT_DONE,		/* try the instruction again */
		FAULT_SIGNAL_SEGV_MAPERR,	/* no region */
		FAULT_SIGNAL_SEGV_ACCERR,	/* no right */
		FAULT_SIGNAL_BUS,	/* beyond the end of the object, or it could not be read */
		FAULT_NO_MEMORY,	/* no frame: the OOM policy is the caller's */
	} outcome;
};

/* Who gets huge pages: everybody but who asks not to, who asks by MADV_HUGEPAGE, nobody. */
enum { HUGE_ALWAYS, HUGE_MADVISE, HUGE_NEVER };
extern unsigned huge_policy;

/* Does who writes pages one after the other get some more at once?  Off at first. */
enum { FAULT_AHEAD_OFF, FAULT_AHEAD_ON };
extern unsigned fault_ahead;

/*
 * Serves one fault at addr in a user space.  May sleep: no spinlock held, nor space->lock.
 * Counts it in `who` (may be NULL; nobody else writes it meanwhile) and for this processor.
 */
struct fault_result vm_fault(struct space *, vaddr_t addr, enum fault_access, enum fault_mode, struct fault_stats *who);

/* A fault of the kernel in a kernel range: true if it was a lazy range's page and is there now. */
bool vm_fault_kernel(vaddr_t addr, enum fault_access);
