/*
 * kernel/signal.h - signals: sending, waiting for them, and what happens on the way to user mode.
 *
 * A signal is sent to a process or to one thread: it is put into a queue, and a thread that does not block it is marked (WORK_SIGNAL) and
 * woken.  Everything else happens in the marked thread itself, in signal_deliver, on its way to user mode: it runs a handler, dies,
 * stops or carries on.  Whoever was marked for a signal of the process and then blocks it, or exits, marks another.
 *
 * A process stops when all its threads have: the first that takes the signal marks the others (`stopping`), each goes to sleep in signal_deliver, and the last one
 * tells the parent.
 *
 * A standard signal (1..31) is pending once at most; a real-time signal (32..64) as often as it was sent.  A signal without an entry in
 * `infos` (sent by the kernel, or no memory was left) is reported as SI_KERNEL or SI_USER of nobody.  Entries are counted for the user whose process is to get them
 * (RLIMIT_SIGPENDING).  A timer of timer_create has one of its own, which is queued again and again.
 *
 * Lock: process->signal_lock (spinlock, RANK_WAITQ - 1, interrupts off) guards the queues, actions, masks of all its threads, and what
 * there is of stopping.
 */
#pragma once
#include "abi/signal.h"
#include "lib/list.h"
#include "lib/sync.h"

struct process;
struct thread;
struct trap_frame;

struct signal_queue {
	uint64_t pending;		/* bit signo - 1 */
	struct list infos;		/* of struct signal_info, in the order of sending */
};

/* What a process does about signals, or several that were made with CLONE_SIGHAND.  lock (RANK_WAITQ - 1, after signal_lock): structures, which are more than one word. */
struct signal_actions { struct spinlock lock; unsigned refs /* atomic */; struct sigaction64 action[SIGNALS]; };
struct signal_actions *signal_actions_create(const struct process *from);	/* as that process has them, or (NULL) all default; NULL: no memory */
struct signal_actions *signal_actions_of(const struct process *);
void signal_actions_put(struct signal_actions *);				/* NULL is allowed */
/* One structure: read whole; changed. signal_lock held. */
struct sigaction64 signal_action_get(const struct process *, int signo);
void signal_action_set(struct process *, int signo, const struct sigaction64 *);

/* TIMER_ states are those of a timer's entry: its signal is not pending; is; or would be, if it were not ignored. */
enum info_kind { INFO_PLAIN, INFO_TIMER_IDLE, INFO_TIMER_QUEUED, INFO_TIMER_IGNORED };
struct signal_info {
	struct list link;
	struct siginfo info;
	enum info_kind kind;
	unsigned char payer;		/* for whom it is counted */
	struct signal_queue *queue;	/* INFO_TIMER_QUEUED: where */
};

static inline uint64_t signal_bit(int signo) { return (uint64_t)1 << (signo - 1); }

/* Sending.  The process or thread must not go away: tree_lock, or it is the current one.  info NULL: by the kernel, and then in any context.
 * => 0, or -EAGAIN: a real-time signal of sigqueue(3) finds no room (the others arrive without their siginfo). */
int signal_send_process(struct process *, int signo, const struct siginfo *);
int signal_send_thread(struct thread *, int signo, const struct siginfo *);
/* The number of processes that got it, or -ESRCH.  Takes tree_lock. */
int  signal_send_group(int32_t pgid, int signo, const struct siginfo *);
/* A fault of the current thread: cannot be blocked or ignored; then the process dies by it. */
void signal_force(struct thread *, int signo, const struct siginfo *, unsigned trapno, unsigned long hw_error);

/* Is the thread marked to end, or one of them going to end the process?  A killable sleep ends then.  Takes no lock: for the scheduler. */
bool signal_fatal_pending(const struct thread *);
/* The last step to user mode (kernel_user_return): handlers, default actions, restart of the interrupted call.  No lock held; may not return. */
void signal_deliver(struct trap_frame *);

/* Would the current thread not notice it: ignored by choice or by default, or blocked?  For the terminal's SIGTTIN and SIGTTOU. */
bool signal_unheeded(int signo);
/*
 * Tells the parent of a child's change: SIGCHLD (or exit_signal) and a wake of wait4.  code is CLD_*, status the exit code or signal number.
 * => tree_lock held.  Returns whether an exited child is to vanish without being waited for (SIGCHLD ignored, SA_NOCLDWAIT).
 */
bool signal_notify_parent(struct process *child, int code, int status);
/*
 * An orphaned process group has no member whose parent is in the same session and another group: nobody could continue it when it is stopped.
 * => tree_lock held; `leaving` (or NULL) does not count as a member.
 */
bool signal_group_orphaned(int32_t pgid, const struct process *leaving);
/* A process exits: groups that this leaves orphaned, with stopped members, get SIGHUP and SIGCONT.  tree_lock held, parents still as they were. */
void signal_orphan_groups(struct process *leaving);
/* May the current process signal this one?  0 or -EPERM. */
int signal_permitted(const struct process *, int signo);

void signal_init(void);				/* at boot */
/* New mask for the current thread; KILL and STOP are never blocked. */
void signal_set_mask(uint64_t blocked);
/* For ppoll, pselect, sigsuspend: a mask for this call only.  signal_mask_return: the call ends; on -EINTR and restarts signal_deliver restores it. */
void signal_mask_for_call(uint64_t blocked);
long signal_mask_return(long result);

/* A new process: nothing pending.  A new thread of it: the mask and alternate stack of the other. */
void signal_init_process(struct process *);
void signal_init_thread(struct thread *, const struct thread *other);
/* Handlers become default; what is ignored stays so. */
void signal_reset(struct process *);
/* That, for exec: the alternate stack goes; what is blocked or pending stays. */
void signal_exec(struct process *);
/* Frees what is queued: a thread or process goes away. */
void signal_queue_drain(struct signal_queue *);
/* Entries that are counted for a user. */
unsigned signal_queued(uint32_t uid);

/* For kernel/posix_timer.c.  A timer's entry: -EAGAIN: the user of the current process has no room for it. */
int signal_timer_init(struct signal_info *);
/* Its signal is queued, for the process or (tid) a thread of it; info is filled in.  Any context. */
void signal_timer_send(struct process *, int32_t tid, struct signal_info *);
/* It is not pending any more, nor will be; false: it was not. */
bool signal_timer_withdraw(struct process *, struct signal_info *);
void signal_timer_end(struct signal_info *);	/* withdrawn; it is not counted any more */

/* The other threads are to end, or SIGCONT has come: nobody stops, and who has goes on.  signal_lock held. */
void signal_cancel_stop(struct process *);
/* Have all threads stopped that there are now?  True once: the caller is to tell the parent.  signal_lock held. */
bool signal_stop_complete(struct process *);
/* The thread, no longer in the list, may have been the one that was to take a signal of the process: another is found. signal_lock held. */
void signal_thread_left(struct process *, struct thread *);

/* Between signal_queue.c and signal.c.  There is something to look at: marks the thread and wakes it.  signal_lock held. */
void signal_mark(struct thread *);
/* Of these signals, which the thread will not take now, those that wait for any thread of the process are left to others: they are
 * marked.  signal_lock held. */
void signal_retarget(struct process *, const struct thread *, uint64_t set);
/* Takes the next signal for the current thread out of the queues; 0: none.  signal_lock held; when that has been dropped, signal_taken is to be called, which may change the siginfo. */
struct signal_taken { struct signal_info *entry; bool of_timer; };
int signal_take(struct thread *, uint64_t blocked, struct siginfo *, struct signal_taken *);
void signal_taken(struct siginfo *, const struct signal_taken *);
/* What signalfds of the process wait in: woken by every signal that is sent to it, and by some others. */
struct waitq *signal_waitq(const struct process *);
enum signal_default { DEFAULT_TERMINATE, DEFAULT_IGNORE, DEFAULT_STOP, DEFAULT_CONTINUE };
enum signal_default signal_default_action(int signo);
/* Drops a pending signal from all queues of the process: it has come to be ignored. Takes signal_lock. */
void signal_forget(struct process *, uint64_t set);
