/*
 * kernel/proc.h - /proc and /sys: what their files share.
 *
 *	proc.c           the tree: directories and links, lookup and listing
 *	proc_process.c   the texts of /proc/PID
 *	proc_memory.c    those about its memory: maps, smaps, statm, cmdline, environ
 *	proc_system.c    the texts about the whole machine
 *
 * A vnode is made by each lookup, and knows its entry in a table, and the process by number and start time, so that a new process with an old
 * number is not taken for it.  Nothing of a process is kept: every read looks for it under tree_lock.
 */
#pragma once
#include "fs/synth.h"
#include "fs/vfs.h"
#include "kernel/process.h"

/* One name in a directory of a fixed kind.  A table ends with a name of NULL. */
struct proc_entry {
	const char *name;
	uint32_t mode;				/* type and permissions */
	const struct synth *text;		/* regular files */
	const struct proc_entry *inside;	/* directories with fixed contents */
	const struct vnode_ops *ops;		/* directories and links with operations of their own */
	bool setting;				/* in /proc/sys: not even root writes what nobody may */
};

struct proc_node {
	struct mount *mount;			/* /proc, or /sys */
	const struct proc_entry *entry;		/* NULL: the directory of a process or thread */
	pid_type pid, tid;			/* 0: not about a process */
	bool single;				/* under task/: about this thread, not all of them */
	uint64_t start_ns;			/* the process's */
	uint64_t id;				/* place in the tree: with pid, the inode number */
	int fd;					/* in fd/ and fdinfo/: the descriptor; in /sys/devices/system/cpu/cpuN: the processor */
};

/* The process of a node, with tree_lock held; NULL (and nothing held): it is gone. */
struct process *proc_lock_process(const struct proc_node *);
void proc_unlock_process(void);
/* The same, and the thread of the node; *t NULL: it is the leader, and has exited before the others. */
struct process *proc_lock_thread(const struct proc_node *, struct thread **t);
/* Of the directory of a process; NULL: the vnode is another. */
const struct proc_node *proc_process_directory(const struct vnode *);
/* May the current process see its files and memory?  tree_lock held. */
bool proc_may_inspect(const struct process *);

/* What a directory of the machine or of a process contains. */
extern const struct proc_entry proc_root_entries[], proc_process_entries[], proc_thread_entries[], proc_net_entries[], sys_root_entries[];
extern const struct vnode_ops proc_pagemap_ops, proc_mem_ops, proc_ns_ops, proc_fd_ops, proc_fdinfo_ops, proc_task_ops, proc_exe_ops, proc_cwd_ops, proc_root_link_ops, proc_self_ops,
	proc_thread_self_ops, sys_cpu_ops;
extern const struct proc_entry sys_cpu_entry;		/* the directory of one processor */

int proc_text_setattr(struct vnode *, const struct vattr *, unsigned which);	/* of regular files: O_TRUNC does nothing */

/* For the texts of both: "1234", a size in kB. */
#define KB(pages)	((unsigned long)(pages) * (PAGE_SIZE / 1024))
struct fault_stats;
void proc_print_faults(struct text *, const struct fault_stats *);
/* Names of the types of file systems, in the order of /proc/filesystems (kernel/sys_mount.c); NULL: no more. */
const char *file_system_type(unsigned index, bool *on_device);
int proc_print_mounts(struct text *);
int proc_print_mountinfo(struct text *);
/* A decimal number with a sign, white space around it; -EINVAL: it is none, or too large. */
int proc_parse_int(const char *, long *value);

extern const struct vnode_ops proc_kpagecount_ops, proc_kpageflags_ops;
extern const struct synth proc_setting_text;
int proc_make_meminfo(struct text *, struct vnode *, void *);
extern const struct synth proc_shm_text /* sys_shm.c */, proc_sem_text, proc_sem_limits_text /* sys_sem.c */, proc_msg_text /* sys_msg.c */, proc_maps_text, proc_smaps_text, proc_smaps_rollup_text, proc_statm_text, proc_cmdline_text, proc_environ_text, proc_auxv_text;
