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
/* Frames that the pipe keeps in use, about: for the reading end what it holds, for the writing end what it is.  0: not a pipe. */
size_t pipe_frames(const struct file *);
/* fcntl F_GETPIPE_SZ and F_SETPIPE_SZ: bytes, -EBUSY, -EPERM. */
size_t pipe_size(const struct file *);
ssize pipe_resize(struct file *, size_t bytes);
