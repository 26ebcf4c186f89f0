/*
 * fs/anon.h - files without a place in any file system: event counters, timers, sets of files to wait for.  As on Linux they share one vnode.
 */
#pragma once
#include "fs/file.h"

/* Flags: OPEN_READ_WRITE, OPEN_NONBLOCK ...; ops->seek is file_zero_seek, ops->name "anon_inode:[...]".  NULL: no memory, data stays the caller's. */
struct file *anon_file(const struct file_ops *, void *data, unsigned flags);
/* At boot. */
int anon_init(void);
