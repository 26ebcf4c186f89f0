/*
 * kernel/ipc.h - what the objects of System V IPC have in common: keys, numbers, rights.
 *
 * A number has a sequence number in its high bits, so that an old one does not name a new object.
 */
#pragma once
#include "lib/list.h"
#include "lib/sync.h"
#include "vm/types.h"

enum ipc_flags { IPC_CREATE = 01000, IPC_EXCLUSIVE = 02000, IPC_NOWAIT = 04000 };
enum ipc_command { IPC_RMID, IPC_SET, IPC_STAT, IPC_INFO };
enum { IPC_OBJECTS = 4096, IPC_INDEX_BITS = 15 };

/* Linux's struct ipc64_perm of x86-64. */
struct ipc_perm { int32_t key; uint32_t uid, gid, cuid, cgid, mode; uint16_t seq, pad; uint64_t unused[2]; };

/* Rights as in a mode, for owner, group and others; wanted: 0444, 0222 and the like. */
bool ipc_permitted(const struct ipc_perm *, unsigned wanted);
bool ipc_owned(const struct ipc_perm *);		/* may change and remove it */

/* ---- semaphores and message queues ------------------------------------------------------------ */

/* At the head of each object.  refs: who is at work on it without the table's lock, and the table; the last frees it. */
struct ipc_object {
	struct ipc_perm perm;		/* lock */
	int id;
	unsigned refs;			/* table's lock */
	bool removed;			/* lock */
	struct mutex lock;
};
/* Objects of one kind.  Locks: the table's, then an object's. */
struct ipc_table {
	struct mutex lock;
	struct ipc_object *slots[IPC_OBJECTS];
	unsigned used, made;
	void (*free)(struct ipc_object *);
};
#define IPC_TABLE_INIT(name_, free_) { .lock = { .rank = RANK_FILES + 1, .name = name_ }, .free = free_ }

/* The object of this number, locked and referenced; NULL, and *error is -EINVAL, -EIDRM. ipc_done gives it back. */
struct ipc_object *ipc_lock(struct ipc_table *, int id, long *error);
/* The same by its place in the table, for SEM_STAT and the like. */
struct ipc_object *ipc_lock_index(struct ipc_table *, int index, long *error);
void ipc_done(struct ipc_table *, struct ipc_object *);
/* With the object locked, and after a sleep: it is taken out of the table, and `removed`. */
void ipc_remove(struct ipc_table *, struct ipc_object *);
/*
 * The number of the object with this key; or of one that make(context) gives (NULL: *error), of which there may be `most`.  check: is one that is there as the caller
 * wants it?  0 or an errno.
 */
struct ipc_maker {
	struct ipc_object *(*make)(void *context, long *error);
	long (*check)(const struct ipc_object *, void *context);
	void *context;
	unsigned long most;
};
long ipc_get(struct ipc_table *, int32_t key, unsigned flags, const struct ipc_maker *);
/* IPC_SET: owner, group and rights; the object is locked. */
long ipc_set(struct ipc_object *, const struct ipc_perm *);
int ipc_highest(struct ipc_table *);			/* index in use; 0: none */
