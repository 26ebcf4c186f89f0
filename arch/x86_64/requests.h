/* arch/x86_64/requests.h - what a processor asks of another: to flush its TLB, or no more than a sign of life. */
#pragma once
#include "arch/mmu.h"

/* Flush [start, end) of this mmu if it is loaded, all if empty; everything; leave the tables on which it rests. */
struct request {
	const struct mmu *mmu;		/* NULL: nothing to flush */
	vaddr_t start, end;
	bool everything, leave;
};

/* Asks; the ticket is for request_wait, which returns when that has been done. Any context. */
uint64_t request_post(unsigned cpu, const struct request *);
void request_wait(unsigned cpu, uint64_t ticket);

/* tlb.c: does it, here.  Interrupts are off. */
void tlb_serve(const struct request *);
