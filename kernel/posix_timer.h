/*
 * kernel/posix_timer.h - the timers of timer_create(2), for signals and for the end of a process.
 */
#pragma once
#include "kernel/process.h"

/* The signal of a timer has been taken: the timer goes on; how often it was due meanwhile is filled in. */
void posix_timer_taken(struct process *, struct siginfo *);
/* The signal is not ignored any more: timers that wait for that send theirs. */
void posix_timers_heeded(struct process *, int signo);
/* exec and exit: all go. */
void posix_timers_drop(struct process *);
