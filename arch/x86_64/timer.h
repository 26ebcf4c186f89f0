/* arch/x86_64/timer.h - the clock and the timers, for the rest of arch/x86_64/. */
#pragma once
#include "vm/types.h"

struct trap_frame;
struct arch_cpu;

/* VECTOR_TIMER has come. */
void timer_interrupt(const struct trap_frame *);
/* Has each processor a timer of its own? */
bool timer_each(void);
/*
 * Compares the counters of processor 0, which calls clock_compare, and of another, which calls clock_meet at the same time; both with interrupts off.  From then on that one's
 * time is that of processor 0.
 */
void clock_compare(struct arch_cpu *other);
void clock_meet(void);
