/*
 * kernel/files.h - file descriptors of a process: a growing table; protected by its mutex (RANK_FILES).
 */
#pragma once
#include "fs/vfs.h"

struct file_table;
struct file_table *files_create(void);			/* NULL: no memory */
struct file_table *files_copy(struct file_table *);	/* fork: the same descriptions; NULL: no memory */
struct file_table *files_share(struct file_table *);	/* clone: the same table */
bool files_shared(struct file_table *);			/* by several processes */
void files_put(struct file_table *);			/* the last reference closes all; may sleep */
void files_close_on_exec(struct file_table *);
/*
 * Other processes keep the table that they share with the current one, which gets a copy: 0 or -ENOMEM; -EINVAL: it has several threads, of which none can
 * have its own.
 */
struct process;
int files_unshare(struct process *);
/* The file at fd with a reference, or NULL. */
struct file *files_get(struct file_table *, int fd);
/* Lowest free descriptor at or above `from`, takes over the reference if it succeeds; -EMFILE, -ENOMEM. */
int files_install(struct file_table *, struct file *, int from, bool close_on_exec);
/* Would there be a descriptor now?  0, -EMFILE: for calls that must not lose what they would install. */
int files_check_room(struct file_table *);
/* files_install at this descriptor, in place of what is there (which is closed); returns fd, or -EBADF (beyond the limit), -ENOMEM. */
int files_replace(struct file_table *, struct file *, int fd, bool close_on_exec);
int files_close(struct file_table *, int fd);		/* 0, -EBADF */
/* Takes back what was installed, unless another thread has closed or replaced it already. The caller's own reference stays. */
void files_uninstall(struct file_table *, int fd, const struct file *);
/* Is it (still) the file at fd? */
bool files_has(struct file_table *, int fd, const struct file *);
/* 1, 0, or -EBADF. */
int files_get_close_on_exec(struct file_table *, int fd);
int files_set_close_on_exec(struct file_table *, int fd, bool on);
/* For /proc/PID/fd: next open descriptor at or above fd; -1: none. */
int files_next(struct file_table *, int fd);
/* Frames that its pipes keep in use, for the choice of a process to kill; 0 while somebody works on the table.  Does not sleep. */
size_t files_pipe_frames(struct file_table *);
/* Slots of the table: no descriptor is as high. */
int files_size(struct file_table *);
