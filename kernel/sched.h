/*
 * kernel/sched.h - preemptive round robin.  User mode is preempted by the tick; the kernel is not: it runs until it sleeps or returns.
 */
#pragma once
#include "kernel/process.h"

void sched_init(void);				/* makes the boot stack the idle thread */
void sched_add(struct thread *);		/* ready to run */
void sched_yield(void);				/* lets others run; any thread context without spinlocks */
void sched_sleep_until(uint64_t ns);		/* uninterruptible; time_now_ns() */
/* Interruptible sleep: 0, or -EINTR when a signal is pending. */
int  sched_sleep_interruptible(uint64_t until_ns);
void sched_exit(void) __attribute__((noreturn));	/* the current thread is gone; its stack is freed by the next one */
bool sched_needed(void);			/* the slice is over */
/* A thread of the kernel; NULL: no memory. */
struct thread *kthread_create(void (*fn)(void *), void *arg);

/* Wakes it if it is in an interruptible sleep: a signal has come. Any context. */
void sched_interrupt(struct thread *);

/* Wait with a deadline (ns since boot; ~0: none): like wait_sleep, plus -ETIMEDOUT. */
int wait_sleep_until(struct waitq *, enum wait_how, uint64_t deadline_ns);
/*
 * Several queues at once (poll): add a waiter of yours to each, test the conditions, sleep until one of the n is woken, remove them all.
 * => waiters_sleep: 0, -EINTR, -ETIMEDOUT.  A waiter that was woken is out of its queue; adding it again arms it again.
 */
void waiter_add(struct waiter *, struct waitq *);
void waiter_remove(struct waiter *);			/* may be in no queue */
/* The same with the queue locked: one comes in, one is taken out and woken. */
void waiter_enter(struct waiter *, struct waitq *);
void waiter_wake(struct waiter *);
int  waiters_sleep(struct waiter *, size_t n, enum wait_how, uint64_t deadline_ns);
/* file_wake with the queue locked: wakes and tells those that want one of the events.  Was any of them of use to somebody? */
bool waiters_wake(struct waitq *, unsigned events);

/* The current thread is to be ticked by then. */
void sched_tick_by(uint64_t ns);
/* What is due on this processor may be due earlier than before: kernel/timer.c. */
void sched_timers_changed(unsigned cpu);

/* Counts what the current thread has used up to now: in its `time`. */
void sched_count_time(void);
/* For /proc: time by kind, switches, forks, and timer interrupts since boot; of one processor, which writes them, or of all. */
struct sched_stats { struct cpu_time time; uint64_t idle_ns, switches, forks, interrupts; };
struct sched_stats sched_stats_of(unsigned cpu);
struct sched_stats sched_stats_all(void);
void sched_count_fork(void);
unsigned sched_runnable(void);			/* threads that run or are ready, the idle thread apart; any context */

void lock_init(void);				/* kernel/lock.c; first of all */
/* For /proc/lock_stat: how often locks of a name were not to be had at once. */
enum { LOCK_STATS = 64 };
struct lock_stat { const char *name; unsigned long contended; };
const struct lock_stat *lock_stats(void);		/* LOCK_STATS of them, up to the first without a name; the last is all others */

/* Runs this processor on the space (NULL: on none): for exec and exit, which change the space under a running thread. */
void sched_use_space(struct space *);
/* A round of a loop that waits for another processor: after many of them this one naps, if it may be interrupted, so that one that is only emulated lets the other run. */
void sched_spun(void);
/* Is this the thread of a processor?  It is compared, not looked at. */
bool sched_is_running(const void *thread);
bool sched_sleeps(const struct thread *);	/* it has left its processor, and waits for something */
/* The processor where it runs, or ran last. */
unsigned sched_cpu_of(const struct thread *);
/*
 * All other processors stand still, outside of whatever a thread does between two sleeps; until sched_release_others.  One caller at a time; may sleep before.
 * The caller does not sleep meanwhile.
 */
void sched_stop_others(void);
void sched_release_others(void);

/* What the boot stack does once all else runs. */
void sched_idle(void) __attribute__((noreturn));

/* Ticks of a turn with nice value 0; more or less as it is lower or higher. */
enum { SLICE_TICKS = 3 };
void sched_init_policy(struct thread *, struct sched_policy);	/* of one that has not run yet */
void sched_set_policy(struct thread *, struct sched_policy);
void sched_boost(struct thread *, int priority);	/* 0: it is not awaited any more */
/* May the current process give a thread of this one so low a nice value?  (kernel/sys_sched.c) */
bool sched_may_have_nice(const struct process *, int nice);
/* It may run on the processors of the mask alone, one of which there is; one that runs elsewhere goes to one of them at its next switch. */
void sched_set_affinity(struct thread *, uint64_t mask);

/* A thread with a kernel stack, belonging to no process, with no registers yet (arch_thread_init, arch_thread_fork); NULL: no memory. */
struct thread *thread_create(void);
void thread_free(struct thread *);		/* one that never ran */
vaddr_t thread_stack_top(const struct thread *);

#include "kernel/life.h"
