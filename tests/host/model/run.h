/*
 * tests/host/model/run.h - runs a program on vm/ and on the reference, and compares.
 *
 * Each step does one operation on both.  Its result must be right, and what it may have changed must look right at once; every few steps
 * everything is compared, and vm_check and the TLBs must be content.  At the end all processes exit, and nothing may be left.
 *
 * Memory is small, and allocations are made to fail besides.  An operation that says 'no memory' must have been refused some, and must
 * have changed nothing.
 *
 * Up to three threads take the steps in turn.  They change hands where a page is read slowly; what an operation should have come to is
 * then judged by the state at its end, when it looked for the last time.
 */
#pragma once
#include "program.h"
#include "vm/stats.h"

/* How steps ended, and how often: shared with the process that started us. */
enum outcome {
	OUT_OK, OUT_NOTHING /* the step meant nothing */, OUT_PARTIAL, OUT_REFUSED /* no memory */, OUT_UNREADABLE /* the pager failed */,
	OUT_SEGV, OUT_BUS, OUT_ENOMEM, OUT_EINVAL, OUT_EFAULT, OUT_EACCES, OUT_EEXIST, OUT_OTHER, OUTCOMES
};
extern const char *const outcome_name[OUTCOMES];
struct run_stats {
	unsigned step;			/* of the program, that was begun last */
	unsigned long programs, steps, refused, count[OPS][OUTCOMES], faults[FAULT_CLASSES], waited;
};
extern struct run_stats *run_stats;

/* Starts the machine; once a process. */
void run_boot(unsigned kib);
/* The whole program, from no process to none; does not return if something is wrong. */
void run_program(const struct program *);
