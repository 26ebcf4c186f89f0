/*
 * fs/pipe.h - pipes, with and without a name.
 */
#pragma once
#include "fs/file.h"

enum { PIPE_ATOMIC = 4096 };		/* writes of up to this many bytes are not mixed with others' */

/* ends[0] reads, ends[1] writes; flags: OPEN_NONBLOCK and the like for both.  -ENOMEM. */
int pipe_create(struct file *ends[2], unsigned flags);
/* open(2) of a vnode of type S_IFIFO: waits for the other side as Linux does; -ENXIO, -EINTR, -ENOMEM. */
int pipe_open(struct file *);
bool file_is_pipe(const struct file *);

/*
 * For splice and its kin: the bytes moved, 0 at the end, -EAGAIN (wait false), -EINTR, -EPIPE, or what the other file answers.  They wait until something can be moved, not longer.
 * pos: as for file_read.
 */
ssize pipe_take_some(struct file *, struct uio *, bool wait);
ssize pipe_put_some(struct file *, struct uio *, bool wait);
ssize pipe_to_file(struct file *pipe, struct file *out, uint64_t *pos, size_t n, bool wait);
ssize pipe_from_file(struct file *pipe, struct file *in, uint64_t *pos, size_t n, bool wait);
/* keep: what is moved stays in the first one as well (tee); -EINVAL: they are one. */
ssize pipe_to_pipe(struct file *from, struct file *to, size_t n, bool wait, bool keep);
/* Frames that the pipe keeps in use, about: for the reading end what it holds, for the writing end what it is.  0: not a pipe. */
size_t pipe_frames(const struct file *);
/* fcntl F_GETPIPE_SZ and F_SETPIPE_SZ: bytes, -EBUSY, -EPERM. */
size_t pipe_size(const struct file *);
/* The most bytes that a pipe is made for, or made larger to (/proc/sys/fs/pipe-max-size); one word. */
extern unsigned long pipe_size_most;
/* Upcall (kernel/sys_file.c): does that not hold for the current process? */
bool pipe_unlimited(void);
ssize pipe_resize(struct file *, size_t bytes);
