/*
 * kernel/pidfd.h - descriptors of processes: they name one for good, whatever becomes of its number, and can be waited for.
 */
#pragma once
#include "fs/file.h"

struct process;

enum { PIDFD_NONBLOCK = OPEN_NONBLOCK };
/* A file that names no process yet; NULL: no memory. */
struct file *pidfd_create(unsigned flags);
/* From now on it names this one. tree_lock held, or nobody else knows the file. */
void pidfd_name(struct file *, const struct process *);
/* The process that it names; NULL: it is gone.  tree_lock held.  -EBADF in *error: it is no such file. */
struct process *pidfd_process(const struct file *, long *error);
/* Its number; -EBADF, or -ESRCH: it has been waited for. Takes tree_lock. */
long pidfd_number(const struct file *);
/* A process has become a zombie: whoever polls is woken. */
void pidfd_exited(const struct process *);
void pidfd_init(void);
