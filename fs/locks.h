/*
 * fs/locks.h - advisory locks: of byte ranges (fcntl), owned by a process, and of whole files (flock), owned by an open file.
 */
#pragma once
#include "fs/file.h"

enum lock_type { LOCK_READ, LOCK_WRITE, LOCK_NONE };		/* F_RDLCK, F_WRLCK, F_UNLCK */
enum lock_how { LOCK_TRY, LOCK_WAIT };
#define LOCK_TO_END (~(uint64_t)0)

struct record_lock {
	uint64_t from, to;		/* bytes [from, to) */
	int type;			/* enum lock_type */
	int pid;			/* for F_GETLK; -1: it is an open file's */
	const void *owner;		/* a process's file table, or an open file */
};

/* Is there a lock of another owner in the way of this one?  *other is the first. */
bool locks_conflict(struct vnode *, const struct record_lock *, struct record_lock *other);
/* Sets, changes or (LOCK_NONE) removes the owner's lock on that range: -EAGAIN, -EINTR, -ENOMEM, -EDEADLK (processes that would wait for each other). */
int locks_set(struct vnode *, const struct record_lock *, enum lock_how);
/* Removes all that the owner has on this file. */
void locks_drop_owner(struct vnode *, const void *owner);
/* flock(2): -EAGAIN, -EINTR, -ENOMEM. */
int locks_flock(struct file *, enum lock_type, enum lock_how);
/* The open file goes. */
void locks_drop_file(struct file *);
