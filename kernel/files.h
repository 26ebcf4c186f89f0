/* kernel/files.h - file descriptors of a process: a growing table; protected by its mutex (RANK_FILES). */
#pragma once
#include "fs/vfs.h"

struct file_table;
struct file_table *files_create(void);
struct file_table *files_copy(struct file_table *);	/* fork: the same descriptions */
void files_put(struct file_table *);			/* closes all */
void files_close_on_exec(struct file_table *);
/* The file at fd with a reference, or NULL. */
struct file *files_get(struct file_table *, int fd);
/* Lowest free descriptor at or above `from`, takes over the reference; -EMFILE, -ENOMEM. */
int files_install(struct file_table *, struct file *, int from, bool close_on_exec);
/* For /proc/PID/fd: next open descriptor at or above fd, with a reference; -1: none. */
int files_next(struct file_table *, int fd, struct file **);
