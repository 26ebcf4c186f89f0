/*
 * tests/host/sim/thread.h - a thread of the simulated machine, for the files that make it run: turns.c (one at a time), parallel.c (really at once),
 * sync.c (locks and waiting), tlb.c (its processor).
 */
#pragma once
#include <pthread.h>
#include "sim.h"

enum { MAX_LOCKS = 16 };

struct held_lock { const void *lock; const char *name; unsigned rank; bool sleeps; };

/* A thread's place in a queue: its own, between wait_prepare and wait_finish, or that of a mutex that it wants meanwhile.  The queue's lock; woken is atomic. */
struct place { struct list link; struct sim_thread *thread; bool woken; };

struct sim_thread {
	struct list all;
	unsigned cpu;			/* the processor that it runs on */
	bool irq_off;
	bool finished, gone;		/* gone: never runs again */
	struct place wait;
	struct waitq done;
	void (*fn)(void *);
	void *arg;
	struct space *entered;		/* whose memory user_copy_* means */
	unsigned nlocks;
	struct held_lock locks[MAX_LOCKS];
	bool blocked, permit;		/* sleeps in sim_block; need not sleep the next time */
	/* turns.c */
	struct list run;		/* in ready, when it could run */
	bool spinning;			/* waits for another, so that it is not chosen while others could run */
	long priority;
	void *stack, *stack_pointer, *fake_stack;
	const void *stack_bottom;
	size_t stack_size;
	/* parallel.c */
	pthread_t pthread;
	pthread_mutex_t mutex;		/* blocked and permit */
	pthread_cond_t wake;
	unsigned long accesses;		/* odd while it is inside one; atomic */
	bool interrupted;		/* atomic */
};
extern struct list sim_threads;

/* The current thread sleeps until it is unblocked; it does not if it has been since it last slept. */
void sim_block(void);
void sim_unblock(struct sim_thread *);

/* sync.c */
void sim_thread_setup(struct sim_thread *);
void sim_thread_ended(struct sim_thread *);
void sim_locks_print(void);
/* No datum is guarded any more: threads take a lock while others have it. */
void sim_guard_nothing(void);
