/*
 * kernel/process.h - processes and threads.
 *
 * A process is what has an address space, files, signal handlers and a parent; a thread is what runs.  The thread that a process begins with is its leader
 * and has the same number.  When it exits before the others, its structure goes like theirs; the process stays, with its number, until the last has exited.
 *
 * What protects a field is said by a letter:
 *
 *	t	tree_lock (mutex, RANK_PROCESS)
 *	s	process->signal_lock (spinlock, RANK_WAITQ - 1, interrupts off: the tick raises signals)
 *	b	both to change it, one of them to read it
 *	p	changes while the process has one thread (fork, exec, exit), and then under t: its own threads read it without, others with t
 *	r	the run queue's lock, or what the scheduler says (kernel/sched.c)
 *	o	its own thread alone
 *	w	a word: read by anybody, changed by its own thread or under t; more than one word that belong together are changed under t
 *	a	atomic
 *	-	never changes
 */
#pragma once
#include "vm/space.h"
#include "vm/stats.h"
#include "arch/thread.h"
#include "arch/time.h"
#include "fs/vfs.h"
#include "kernel/capability.h"
#include "kernel/clock.h"
#include "kernel/rseq.h"
#include "kernel/signal.h"
#include "kernel/timer.h"
#include "kernel/trace.h"
#include "lib/sync.h"

typedef int32_t pid_type;
struct tty;
struct file_table;

enum {				/* indices of process->limits: RLIMIT_* */
	LIMIT_CPU, LIMIT_FSIZE, LIMIT_DATA, LIMIT_STACK, LIMIT_CORE, LIMIT_RSS, LIMIT_NPROC, LIMIT_NOFILE, LIMIT_MEMLOCK, LIMIT_AS, LIMIT_LOCKS,
	LIMIT_SIGPENDING, LIMIT_MSGQUEUE, LIMIT_NICE, LIMIT_RTPRIO, LIMIT_RTTIME, LIMITS
};
enum { TIMER_SLACK_NS = 50000 };
#define LIMIT_NONE	(~(uint64_t)0)

/* Processor time. */
struct cpu_time { uint64_t user_ns, kernel_ns; };
static inline uint64_t cpu_time_all(struct cpu_time t) { return t.user_ns + t.kernel_ns; }
static inline void cpu_time_add(struct cpu_time *to, struct cpu_time t) { to->user_ns += t.user_ns; to->kernel_ns += t.kernel_ns; }

/* What is counted of a thread: how often it has left its processor, to wait or because others were to run; and what its calls have read and written, in bytes and in calls. */
struct counts { uint64_t voluntary, involuntary, bytes_read, bytes_written, reads, writes; };
void counts_add(struct counts *to, const struct counts *);

/* How a thread is scheduled: Linux's SCHED_*.  priority: of a real-time policy, 1 to 99, else 0. */
enum { SCHED_OTHER, SCHED_FIFO, SCHED_RR, SCHED_BATCH, SCHED_IDLE = 5 };
struct sched_policy { int policy, priority, nice; bool reset_on_fork; };

/*
 * A place in a wait queue.  Protected by the queue's lock.  It is a thread's, which is woken, and then it is out of the queue; or it has `told`, which is called with the
 * queue locked (any context; it may take other queues' locks, of things that watch this one), and stays.
 */
struct waiter {
	struct list link;
	struct waitq *queue;		/* NULL: in none */
	struct thread *thread;
	bool (*told)(struct waiter *, unsigned events);		/* returns whether it has made use of it; NULL: the thread's */
	unsigned want;			/* POLL_ bits that it is to be woken for (file_wake); 0: any */
	bool exclusive;			/* of those, one that has use for it is enough */
	bool woken;
};

enum thread_state { THREAD_READY, THREAD_RUNNING, THREAD_WAITING, THREAD_STOPPED, THREAD_DEAD };

/* thread->work.  Sticky until it has been looked at. */
enum thread_work {
	WORK_SIGNAL = 1,		/* signal_deliver has something to look at: interruptible sleeps end */
	WORK_RESCHEDULE = 2,		/* the slice is over */
	WORK_RSEQ = 8,			/* it has left its processor since it was in user mode: kernel/rseq.c */
	WORK_TRACED = 16,		/* its tracer may have changed its registers: all are loaded on the way to user mode */
	WORK_EXIT = 4,			/* it is to end, as the process does or gets another program; stays, and WORK_SIGNAL with it */
};

enum { NAME_BYTES = 16 };

struct thread {
	struct arch_thread arch;
	struct process *process;	/* NULL: a kernel thread, or one that has left its process; o */
	pid_type tid;			/* t, o */
	struct list hash;		/* in the table of threads; t */
	enum thread_state state;	/* r */
	struct list run;		/* in the run queue; r */
	struct run_queue *queue;	/* of the processor where it runs, or ran last; r, and its own thread reads it */
	struct waiter waiter;		/* of wait_prepare */
	struct list timer;		/* in the list of sleeps that end by themselves; r */
	uint64_t deadline_ns;		/* r */
	enum wait_how how;		/* which signals end the sleep; r */
	struct list siblings;		/* in process->threads; b */
	void *stack;			/* kstack_alloc; - */
	int slice;			/* ticks that it may still run while others wait; r */
	struct sched_policy sched;	/* r, read as words */
	int boost;			/* the priority of one that waits for a mutex of its (FUTEX_LOCK_PI); 0: none; r */
	int priority;			/* what it runs with: its policy's, or boost if that is higher; 0: neither is real-time; r, read as a word */
	int turn;			/* ticks that a slice begins with; r */
	unsigned credit;		/* what it has saved towards its next slice, whose nice value gives it less than a tick; r */
	struct cpu_time time;		/* what it has used: the scheduler's; others read it as words */
	struct counts counts;		/* so */
	enum tick_mode mode;		/* where the last tick found it; its processor's tick */
	struct fault_stats faults;	/* its own faults write it; others read it as words */
	uint64_t start_ns;		/* - */
	int ioprio;			/* ioprio_set's; w */
	uint64_t timer_slack_ns;	/* how late a timer of its may be: kept and told, none is late; w */
	uint64_t first_slack_ns;	/* the same when it began: its maker's; - */
	uint64_t affinity;		/* processors that it may run on, bit by bit: sched_set_affinity */
	char name[NAME_BYTES];		/* of one that is not the leader: thread_name; t, o */
	uint64_t blocked;		/* signal mask, bit signo-1; s to change it */
	struct signal_queue signals;	/* thread-directed; s */
	unsigned work;			/* enum thread_work: what it has to do before it may go to user mode; a */
	uint64_t awaited;		/* sigtimedwait waits for these: they are kept and wake, though blocked; s */
	bool stop_wanted;		/* has taken a stop signal and is about to stop the process; SIGCONT takes this back; s */
	bool stopped;			/* takes part in the stop of its process, and sleeps; s */
	bool no_faults;			/* a fault in its user memory fails: it holds a spinlock; o */
	struct {			/* an interrupted call, for restart_syscall; o */
		long (*go_on)(struct thread *);		/* NULL: there is none */
		uint64_t deadline_ns;
		vaddr_t address;			/* a sleep: where what remains is written; a futex: its word */
		uint32_t op, expected, bits;		/* a futex; a sleep by processor time: op is its clock */
	} restart;
	struct {			/* the fault signal of this thread: taken before all others; o */
		struct siginfo info;	/* signo 0: none is waiting */
		unsigned trapno;	/* these stay, for the frames of later signals, as Linux has it */
		unsigned long hw_error;
		vaddr_t addr;
	} fault;
	uint64_t saved_mask;		/* sigsuspend, ppoll: to restore; valid if restore_mask; o */
	bool restore_mask;
	struct { vaddr_t sp; int32_t flags; uint32_t pad; uint64_t size; } altstack;	/* Linux's stack_t; o */
	vaddr_t set_child_tid;		/* clone: where the new thread writes its number when it runs first; o */
	vaddr_t clear_child_tid;	/* set_tid_address; o */
	vaddr_t robust_list;		/* w */
	unsigned policy;		/* where its pages come from: kernel/sys_mempolicy.c; o */
	bool futex_left;		/* it is about to end: nobody begins to wait for it; t */
	struct rseq rseq;		/* o */
	struct trace *trace;		/* NULL: nobody traces it; b */
	struct traced traced;		/* s */
	struct vfork_wait *vfork;	/* the thread that waits for us to exec or exit; t */
#ifdef LOCK_CHECK
	struct { const void *lock; const char *name; unsigned rank; bool sleeps; } held[16];
	unsigned nheld;
#endif
};

/* Where execve has put a program, and what it told it: for /proc. */
enum { AUXV_WORDS_MAX = 48 };
struct program_layout {
	vaddr_t code_start, code_end, data_start, data_end, stack_start;
	size_t auxv_words;
	uint64_t auxv[AUXV_WORDS_MAX];
};

struct process {
	pid_type pid;			/* - */
	pid_type pgid, sid;		/* t; own threads read them as words */
	struct process *parent;		/* t */
	pid_type ppid;			/* its number; t, read as a word */
	struct list children, sibling;	/* t */
	struct list tracees;		/* struct trace: what it traces; t */
	struct list all;		/* every process, by pid; t */
	struct list hash;		/* in the pid table; t */
	struct list threads;		/* the leader first; b */
	unsigned nthreads;		/* b */
	struct thread *execer;		/* waits until it is the only thread; b */
	struct waitq alone;		/* there */
	struct space *space;		/* NULL once dead; p */
	struct fs_context fs;		/* has its lock; which vnodes there are when it begins and ends: p */
	struct file_table *files;	/* has its lock; p */
	char name[NAME_BYTES];		/* comm of the leader; t, and its own threads read it */
	struct vnode *exe;		/* the program, referenced; for /proc/PID/exe (vnode_path); p */
	struct program_layout layout;	/* t */
	struct capabilities capabilities;	/* t */
	/*
	 * Who it is: w.  For all threads at once, as POSIX has it and C libraries make it on Linux, where the call changes the calling thread alone; to make
	 * the same call in each thread, as they do, changes nothing more.  The fs ids and the supplementary groups are in fs.
	 */
	uint32_t uid, euid, suid, gid, egid, sgid;
	enum { PROCESS_ALIVE, PROCESS_ZOMBIE } state;	/* b */
	struct core *core;		/* being made: kernel/core.c; s */
	int exit_status;		/* as wait4 reports it; s, fixed once `exiting` */
	bool exiting;			/* exit_group, a fatal signal or the exit of the last thread: all are marked, signals leave it alone; s to set it, stays */
	bool stopped;			/* all threads have stopped; b */
	bool stop_reported, continued;	/* wait4's; s */
	int stop_signal;		/* s */
	int exit_signal;		/* what the parent gets: SIGCHLD; t */
	struct waitq child_event;	/* wait4 of this process */
	bool executed;			/* has made an execve since its fork (setpgid of the parent is refused then); t */
	int death_signal;		/* prctl(PR_SET_PDEATHSIG); w */
	bool undumpable;		/* not to be looked into by others of its user: prctl(PR_SET_DUMPABLE), and what it had more rights than; w */
	bool subreaper;			/* takes in the orphans among its descendants; w */
	bool no_new_privileges;		/* set-user-ID bits do nothing; w */
	bool barrier_registered;	/* membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED); w */
	struct tty *tty;		/* controlling terminal: it is there as long as this says so; t */
	pid_type lost_foreground;	/* of a session leader whose terminal hung up: the group that was in the foreground; t */

	struct spinlock signal_lock;
	struct sigaction64 *actions;	/* SIGNALS of them, of a struct signal_actions; s, and that one's lock for a whole structure; which: p */
	struct signal_queue signals;	/* process-directed; s */
	struct waitq stop_event;	/* stopped threads sleep here until SIGCONT or SIGKILL */
	bool stopping;			/* all threads are to stop, or have; s */
	unsigned nstopped;		/* threads that have; s */
	bool tell_continued;		/* the parent has not been told yet that SIGCONT came; s */

	struct fault_stats dead_faults;	/* of the threads that have exited: process_faults; s */
	struct fault_stats child_faults;	/* t */
	bool has_reaped;		/* child_faults is not all zero; t */
	uint64_t start_ns;		/* - */
	struct cpu_time child_time;	/* t; own threads read it as words */
	struct cpu_time dead_time;	/* s */
	struct counts dead_counts, child_counts;	/* as dead_time, child_time */
	size_t max_resident;		/* pages; p */
	size_t child_max_resident;	/* t */
	struct mutex timers_lock;	/* kernel/itimer.c, kernel/posix_timer.c: what is set, the tree */
	struct { uint64_t interval_ns[ITIMERS]; struct timer real; struct cpu_timer virtual, prof; } itimers;
	struct list cpu_timers;		/* kernel/cpu_timer.c */
	struct rb_root timers;		/* timer_create's, by their number; timers_lock */
	int next_timer;			/* the number of the next; timers_lock */
	struct { uint64_t cur, max; } limits[LIMITS];	/* w */
	int32_t oom_score_adj;		/* w */
	uint32_t personality;		/* w */
};

/* The current thread; before sched_init there is none. */
static inline struct thread *current_thread(void) { return cpu_current(); }
#define current (current_thread()->process)

static inline void thread_work_add(struct thread *t, enum thread_work w) { __atomic_fetch_or(&t->work, w, __ATOMIC_SEQ_CST); }
static inline void thread_work_done(struct thread *t, enum thread_work w) { __atomic_fetch_and(&t->work, ~(unsigned)w, __ATOMIC_SEQ_CST); }
static inline bool thread_work(const struct thread *t, enum thread_work w) { return __atomic_load_n(&t->work, __ATOMIC_RELAXED) & w; }
static inline bool signal_pending(const struct thread *t) { return thread_work(t, WORK_SIGNAL); }

extern struct mutex tree_lock;
extern struct list process_list;
struct process *process_find(pid_type);		/* tree_lock held */
struct thread *thread_find(pid_type tid);	/* of a process, not one of the kernel's; tree_lock held */
/* The process that has a thread of this number (its own, if the leader is gone): as Linux takes most numbers of processes; tree_lock held. */
struct process *process_of(pid_type tid);
/* The leader's is that of the process. */
static inline char *thread_name(struct thread *t) { return t->tid == t->process->pid ? t->process->name : t->name; }
bool process_group_exists(pid_type);			/* tree_lock held */
size_t process_count(void);			/* threads, and zombies: leak checks */
size_t process_count_of(uint32_t uid);		/* those of a real user.  tree_lock held */
/* The faults of all threads, dead ones too.  Takes signal_lock. */
struct fault_stats process_faults(struct process *);
struct counts process_counts(struct process *);	/* the same of what is counted */
/* Is SIGKILL on its way to it, or has its end begun? */
static inline bool process_killed(const struct process *p) { return (p->signals.pending & signal_bit(SIGKILL)) || p->exiting; }
