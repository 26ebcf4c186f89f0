/* tests/host/model/now.h - the step that a thread is at. */
#pragma once
#include "program.h"

struct now {
	const struct step *step;
	unsigned long refusals_before;
	unsigned reads, failed_reads;	/* of pages, by a pager */
};
extern __thread struct now now;
