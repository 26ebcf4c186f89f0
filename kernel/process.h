/*
 * kernel/process.h - processes and threads.
 *
 * A process is what has an address space, files, signal handlers and a parent; a thread is what runs.  In this slice each process has
 * one thread, but nothing relies on it: what belongs to a thread (registers, mask, pending thread signals) is in struct thread.
 *
 * Locks: tree_lock (mutex RANK_PROCESS) guards parent, children, pgid, sid, exit status, the pid table, and which space, files and
 * program a process has (its own thread reads those without); scheduling state is under the run queue's spinlock (RANK_RUNQUEUE); signal state under process->signal_lock (spinlock, RANK_WAITQ - 1, interrupts off: the tick raises signals).
 */
#pragma once
#include "vm/space.h"
#include "vm/stats.h"
#include "arch/thread.h"
#include "fs/vfs.h"
#include "kernel/signal.h"
#include "vm/sync.h"

typedef int32_t pid_type;
struct tty;
struct file_table;

enum {				/* indices of process->limits: RLIMIT_* */
	LIMIT_CPU, LIMIT_FSIZE, LIMIT_DATA, LIMIT_STACK, LIMIT_CORE, LIMIT_RSS, LIMIT_NPROC, LIMIT_NOFILE, LIMIT_MEMLOCK, LIMIT_AS, LIMIT_LOCKS,
	LIMIT_SIGPENDING, LIMIT_MSGQUEUE, LIMIT_NICE, LIMIT_RTPRIO, LIMIT_RTTIME, LIMITS
};
enum { GROUPS_MAX = 32 };
#define LIMIT_NONE	(~(uint64_t)0)

/* A thread's place in a wait queue.  Protected by the queue's lock. */
struct waiter {
	struct list link;
	struct waitq *queue;		/* NULL: in none */
	struct thread *thread;
	bool woken;
};

enum thread_state { THREAD_READY, THREAD_RUNNING, THREAD_WAITING, THREAD_STOPPED, THREAD_DEAD };

/* thread->work.  Sticky until it has been looked at. */
enum thread_work {
	WORK_SIGNAL = 1,		/* signal_deliver has something to look at */
	WORK_RESCHEDULE = 2,		/* the slice is over */
};

struct thread {
	struct arch_thread arch;
	struct process *process;	/* NULL: a kernel thread */
	pid_type tid;
	enum thread_state state;	/* run queue's lock */
	struct list run;		/* in the run queue */
	struct waiter waiter;		/* of wait_prepare */
	struct list timer;		/* in the list of sleeps that end by themselves; with the next two under the run queue's lock */
	uint64_t deadline_ns;
	enum wait_how how;		/* which signals end the sleep */
	struct list siblings;		/* in process->threads */
	void *stack;			/* kstack_alloc */
	int slice;			/* ticks that it may still run while others wait */
	uint64_t user_ticks, kernel_ticks;
	uint64_t blocked;		/* signal mask, bit signo-1 */
	struct signal_queue signals;	/* thread-directed; process->signal_lock */
	unsigned work;			/* enum thread_work: what it has to do before it may go to user mode; atomic */
	uint64_t awaited;		/* sigtimedwait waits for these: they are kept and wake, though blocked */
	struct { uint64_t deadline_ns; vaddr_t remaining; } restart;	/* an interrupted sleep, for restart_syscall */
	struct {			/* the fault signal of this thread: taken before all others */
		struct siginfo info;	/* signo 0: none is waiting */
		unsigned trapno;	/* these stay, for the frames of later signals, as Linux has it */
		unsigned long hw_error;
		vaddr_t addr;
	} fault;
	uint64_t saved_mask;		/* sigsuspend, ppoll: to restore; valid if restore_mask */
	bool restore_mask;
	struct { vaddr_t sp; int32_t flags; uint32_t pad; uint64_t size; } altstack;	/* Linux's stack_t */
	vaddr_t set_child_tid;		/* clone: where the new thread writes its number when it runs first */
	vaddr_t clear_child_tid;	/* set_tid_address */
	vaddr_t robust_list;
#ifdef LOCK_CHECK
	struct { const void *lock; const char *name; unsigned rank; bool sleeps; } held[16];
	unsigned nheld;
#endif
};

struct process {
	pid_type pid, pgid, sid;
	struct process *parent;
	struct list children, sibling;	/* tree_lock */
	struct list all;		/* every process, by pid; tree_lock */
	struct list hash;		/* in the pid table; tree_lock */
	struct list threads;
	struct space *space;		/* NULL once dead */
	struct fs_context fs;
	struct file_table *files;
	char name[16];			/* comm */
	struct vnode *exe;		/* the program, referenced; for /proc/PID/exe (vnode_path) */
	uint32_t uid, euid, suid, gid, egid, sgid;
	unsigned ngroups;
	uint32_t groups[GROUPS_MAX];	/* supplementary groups */
	enum { PROCESS_ALIVE, PROCESS_ZOMBIE } state;
	int exit_status;		/* as wait4 reports it */
	bool stopped, stop_reported, continued;
	int stop_signal;
	int exit_signal;		/* what the parent gets: SIGCHLD */
	struct waitq child_event;	/* wait4 of this process */
	struct process *vfork_child;	/* it runs in our space: we sleep in vfork_done until it execs or exits; tree_lock */
	struct waitq vfork_done;
	bool borrows_space;		/* we are such a child */
	bool exiting;			/* in process_exit: signals and the OOM policy leave it alone */
	bool executed;			/* has made an execve since its fork (setpgid of the parent is refused then) */
	int death_signal;		/* prctl(PR_SET_PDEATHSIG) */
	int nice;
	bool no_new_privileges;		/* set-user-ID bits do nothing */
	struct tty *tty;		/* controlling terminal */

	struct spinlock signal_lock;
	struct sigaction64 actions[SIGNALS];
	struct signal_queue signals;	/* process-directed */
	struct waitq stop_event;	/* a stopped process sleeps here until SIGCONT or SIGKILL */
	bool stop_wanted;		/* a stop signal was taken and is about to stop it; SIGCONT takes this back */
	bool tell_continued;		/* the parent has not been told yet that SIGCONT came */
	struct list itimer_link;	/* in the list of armed real-time timers: kernel/itimer.c */

	struct fault_stats faults, child_faults;
	bool has_reaped;		/* child_faults is not all zero */
	uint64_t start_ns, child_user_ticks, child_kernel_ticks, dead_user_ticks, dead_kernel_ticks;
	size_t max_resident, child_max_resident;	/* pages */
	struct { uint64_t next_ns, interval_ns; } itimer[3];	/* ITIMER_REAL, VIRTUAL, PROF */
	struct { uint64_t cur, max; } limits[LIMITS];
	int32_t oom_score_adj;
	uint32_t personality;
};

/* The current thread; before sched_init there is none. */
static inline struct thread *current_thread(void) { return cpu_current(); }
#define current (current_thread()->process)

static inline void thread_work_add(struct thread *t, enum thread_work w) { __atomic_fetch_or(&t->work, w, __ATOMIC_SEQ_CST); }
static inline void thread_work_done(struct thread *t, enum thread_work w) { __atomic_fetch_and(&t->work, ~(unsigned)w, __ATOMIC_SEQ_CST); }
static inline bool thread_work(const struct thread *t, enum thread_work w) { return __atomic_load_n(&t->work, __ATOMIC_RELAXED) & w; }

extern struct mutex tree_lock;
extern struct list process_list;
struct process *process_find(pid_type);		/* tree_lock held */
size_t process_count(void);			/* tasks, zombies included: leak checks */
/* Is SIGKILL on its way to it? */
static inline bool process_killed(const struct process *p) { return p->signals.pending & signal_bit(SIGKILL); }
