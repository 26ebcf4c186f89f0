/*
 * kernel/trace.h - tracing: one process sees, stops and changes the threads of another (ptrace(2)).
 *
 *	trace.c       who traces whom, stops and what ends them, events
 *	sys_ptrace.c  the requests
 *	arch/         registers: arch/trace.h
 *
 * A traced thread stops itself: where a signal would be delivered, at a system call, at an event.  It says why in its struct trace, tells the tracer, and sleeps until the tracer
 * resumes it, or SIGKILL comes.  The tracer is a process here, any thread of which may make the requests.
 *
 * Locks: tree_lock for all of it; what signals look at, signal_lock as well: a thread's `trace` and `traced`.
 */
#pragma once
#include "kernel/signal.h"
#include "lib/sync.h"

struct process;
struct thread;
struct clone_args;
struct wait_result;

enum trace_options {
	TRACE_SYSGOOD = 1, TRACE_FORK = 2, TRACE_VFORK = 4, TRACE_CLONE = 8, TRACE_EXEC = 0x10, TRACE_VFORK_DONE = 0x20, TRACE_EXIT = 0x40,
	TRACE_EXITKILL = 0x100000, TRACE_OPTIONS = 0x10007f,
};
/* Events, and the bit of trace_options that asks for one: 1 << event. */
enum trace_event { EVENT_FORK = 1, EVENT_VFORK, EVENT_CLONE, EVENT_EXEC, EVENT_VFORK_DONE, EVENT_EXIT, EVENT_STOP = 128 };
enum trace_mode { TRACE_CONTINUE, TRACE_SYSCALLS, TRACE_STEP };

/* From attaching to detaching, or until the tracer has been told of the end. */
struct trace {
	struct list link;		/* in tracer->tracees */
	struct process *tracer;
	struct thread *thread;		/* NULL: it has ended */
	int32_t tid, pgid;
	uint32_t uid;
	bool seized;
	unsigned options;
	enum trace_mode mode;		/* how it was resumed last */
	bool interrupt;			/* it is to stop soon: PTRACE_INTERRUPT, a new child */
	int code;			/* why it is stopped: signal | event << 8; or how it has ended, as wait4 reports it */
	bool reported;			/* to wait4 */
	unsigned long message;		/* of an event */
	bool has_info;
	struct siginfo info;		/* of a signal */
};

/* Of a thread, traced or not. */
struct traced {
	struct waitq queue;		/* it sleeps here */
	bool stopped;			/* until this is false */
	bool listens;			/* it waits for SIGCONT as well: PTRACE_LISTEN */
	bool steps;			/* it was resumed for an instruction */
	bool past_stop;			/* the tracer has let it go on though its process is stopped */
	int signal;			/* what the tracer wants it to take when it goes on; 0: none */
};

void trace_init_thread(struct thread *);

/* ---- by the traced thread itself; each may find that it is not traced any more ----------------------------- */

/* A signal is about to be delivered: the tracer may change it, and what is told with it; 0: it is not to be. */
int trace_signal(int signo, struct siginfo *);
/* Its process has stopped, and it with that; or it was asked to stop. Returns when it may look at signals again. */
void trace_group_stop(int signo);
void trace_interrupted(void);
/* At both ends of a system call. */
enum trace_call { CALL_BEGINS = 1, CALL_ENDS = 2 };
void trace_call(enum trace_call);
void trace_event(enum trace_event, unsigned long message);
/* execve has succeeded; before it, the thread had this number. */
void trace_exec(int32_t tid_before);

/* A child is about to be made: what its tracer needs for it, NULL for none; and which event that will be (0: none).  -ENOMEM. */
int trace_prepare_child(const struct clone_args *, struct trace **, enum trace_event *);
/* It is in the tables and has not run yet. */
void trace_add_child(struct trace *, struct thread *child);

/* ---- for others; tree_lock held ------------------------------------------------------------------------------- */

/* The thread is leaving its process: its tracer is told, if the parent is not to be. */
void trace_thread_left(struct thread *, int status);
/* The process ends: those that it traced go on, or die. */
void trace_tracer_left(struct process *);
/* All threads of the process are to end: signal_lock held. */
void trace_let_die(struct process *);
/* SIGCONT has come: signal_lock held. */
void trace_continued(struct process *);
/* Has one of these something to tell?  As wait's look: a number, 0, -ECHILD. */
long trace_wait(struct process *tracer, bool (*matches)(const struct trace *, const void *), const void *context, unsigned options, struct wait_result *);

/* ---- for sys_ptrace.c: tree_lock held ---------------------------------------------------------------------------- */

/* -EPERM: it is traced already. */
int trace_attach(struct trace *, struct thread *, struct process *tracer);
void trace_resume(struct thread *, enum trace_mode, int signal);
void trace_detach(struct thread *, int signal);
