/*
 * kernel/life.h - the life of a process: process.c, fork.c, exec.c, exit.c, wait.c, oom.c.
 */
#pragma once
#include "kernel/process.h"
#include "vm/uio.h"

struct clone_args {
	uint64_t flags;				/* CLONE_* of kernel/clone.h, without the exit signal */
	int exit_signal;
	vaddr_t stack;				/* where the stack pointer begins; 0: as the parent's */
	vaddr_t parent_tid, child_tid, tls;
	vaddr_t pidfd;				/* CLONE_PIDFD: where the descriptor's number is written */
	pid_type wanted;			/* the number that the child is to have; 0: any */
};
/*
 * A new process, or with CLONE_THREAD a new thread of this one: its number, or -EINVAL, -EPERM, -EAGAIN, -ENOMEM.  With CLONE_VFORK it returns when the
 * child has a program of its own or is gone.
 */
long process_clone(const struct clone_args *);
/* The first process, number 1: runs fn(arg) in the kernel, which is to call process_exec.  NULL: no memory. */
struct process *process_create_first(void (*fn)(void *), void *arg);
/*
 * Replaces the program of the current process: 0 (user registers are set up) or a negative errno (nothing has changed).
 * `at`: where a relative path starts, NULL the cwd.  argv and envp are arrays of the user, or of the kernel for the first program.
 */
struct exec_strings { enum uio_space space; vaddr_t argv, envp; };
long process_exec(struct vnode *at, const char *path, const struct exec_strings *);
/* All threads of the current process end; or this one, and with the last of them the process.  status as wait4 reports it. */
void process_exit(int status) __attribute__((noreturn));
void thread_exit(int status) __attribute__((noreturn));
/* The current thread stops using its memory, by exec or exit: what it promised to do there then (robust list, clear_child_tid). */
void thread_leave_memory(struct thread *);
/* Ends all other threads of the current process: 0, or -EINTR: this one is to end, too. */
int process_end_others(struct process *);
void semaphores_exit(const struct process *);		/* kernel/sys_sem.c: what it owes to System V semaphores is given back */
bool semaphores_owed_by(const struct process *);	/* has it operations that are to be undone when it ends? */
static inline int exit_code(int code) { return (code & 0xff) << 8; }
enum { EXIT_DUMPED = 0x80 };		/* beside the signal: there is a core file */
static inline int exit_cause(int status) { return !(status & 0x7f) ? CLD_EXITED : status & EXIT_DUMPED ? CLD_DUMPED : CLD_KILLED; }

/* OOM policy: kills a process other than pid 1, says so on the console. True: something was or is being killed. */
bool oom_kill(void);
extern uint64_t oom_kills;		/* so many were; atomic */
/* Pages that the death of a process would give back, and what it is chosen by: that, and a thousandth of all memory for each oom_score_adj.  tree_lock held. */
enum { OOM_NEVER = -1000 };
size_t oom_memory(const struct process *);
long oom_badness(const struct process *);

/* ---- wait.c ---- */
enum wait_which { WAIT_ALL, WAIT_PID, WAIT_GROUP, WAIT_PIDFD };	/* the last is waitid's alone; as waitid's P_ALL, P_PID, P_PGID */
enum wait_options { WAIT_NOHANG = 1, WAIT_STOPPED = 2, WAIT_EXITED = 4, WAIT_CONTINUED = 8, WAIT_KEEP = 0x01000000,
	WAIT_NO_THREAD = 0x20000000, WAIT_ANY_KIND = 0x40000000 };
#define WAIT_CLONE_KIND	0x80000000u
struct wait_result { pid_type pid; int status, code; uint32_t uid; struct rusage64 { int64_t value[18]; } usage; };
/* The number of a child that has changed, described in the result; 0 with WAIT_NOHANG; -ECHILD, -ERESTARTSYS. */
long process_wait(enum wait_which, pid_type number, unsigned options, struct wait_result *);
/* The resources of a process itself, of the children it has waited for, or both: for getrusage.  tree_lock held. */
enum usage_of { USAGE_SELF = 1, USAGE_CHILDREN = 2 };
void process_usage(struct process *, unsigned of, struct rusage64 *);
void thread_usage(const struct thread *, struct rusage64 *);	/* the current one's */
/* The process leaves this space: its size counts for ru_maxrss. */
void process_note_resident(struct process *, const struct space *);
/* Takes a zombie out of the tree and frees it.  tree_lock held. */
void process_reap(struct process *zombie);
/* SIGCHLD and a wake for its parent; true: the zombie is to vanish unasked. tree_lock held. */
bool process_tell_parent(struct process *zombie);

/* ---- process.c ---- */
void process_init(void);
pid_type process_last_pid(void);
/* A process and the thread that will be its leader, both in no table; NULL: no memory. */
struct process *process_create(struct thread **);
void process_free(struct process *);		/* in no table, with neither space nor files */
/* Gives the two this number, or (0) any; -EAGAIN: there is none; -EEXIST. tree_lock held. */
int process_insert(struct process *, struct thread *, pid_type wanted);
void process_remove(struct process *);		/* tree_lock held */
/* One more thread of the current process; the same, or -EINTR: the process is about to end or to exec. tree_lock held. */
int thread_insert(struct process *, struct thread *, pid_type wanted);
/* Its account goes to the process.  tree_lock and signal_lock held. */
void thread_remove(struct process *, struct thread *);
/* The only thread takes the number of the process.  tree_lock held. */
void thread_become_leader(struct process *, struct thread *);
/* Gives back the descriptors, the place in the file system and the program's name. */
void process_drop_files(struct process *);
/* The reference of process->exe, with its mark as a running program; NULL is allowed. */
void process_put_program(struct vnode *);
/* The current thread leaves the memory that it had from a vfork: lets the one go on that waits for that. */
void thread_release_vfork(struct thread *);
void limits_init(struct process *);		/* the limits of the first process */
