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
struct thread *kthread_create(const char *name, void (*fn)(void *), void *arg);

/* Wakes it if it is in an interruptible sleep: a signal has come. Any context. */
void sched_interrupt(struct thread *);

/* Wait with a deadline (ns since boot; ~0: none): like wait_sleep, plus -ETIMEDOUT. */
int wait_sleep_until(struct waitq *, enum wait_how, uint64_t deadline_ns);

/* Life (kernel/fork.c, exec.c, exit.c). */
long process_fork(uint64_t clone_flags, vaddr_t stack, vaddr_t parent_tid, vaddr_t child_tid, vaddr_t tls);
long process_exec(const char *path, vaddr_t argv, vaddr_t envp);
void process_exit(int status) __attribute__((noreturn));	/* status as wait4 reports it */
long process_wait(pid_type which, int *status, int options, struct process **reaped);
/* pid 1: from the kernel, runs `path` with these arguments. */
void process_start_init(const char *path, const char *const argv[], const char *const envp[]);
/* OOM policy: kills a process other than pid 1, says so on the console. True: something was or is being killed. */
bool oom_kill(void);
