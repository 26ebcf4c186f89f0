/*
 * fs/tmpfs.h - files that live in memory; also the body of /dev.
 *
 *   tmpfs.c       the mount, nodes, their attributes and contents
 *   tmpfs_dir.c   directories: entries, and every operation that changes them
 *   tmpfs_options.c   what mount(2) says of it
 *
 * A node is the part behind its vnode.  An entry holds a reference to its vnode, so a file lives as long as it has a name or a user.
 *
 * Locks: entries of a directory and contents' size: its vnode->lock; link counts, times, `charged` and the mount's counters: tmpfs->lock (spinlock).
 */
#pragma once
#include "fs/vfs.h"

struct tmpfs_entry {
	struct list order;		/* in the directory's entries, by position */
	struct tmpfs_entry *chain;	/* next in the hash bucket */
	struct vnode *vnode;		/* referenced */
	uint64_t pos;			/* for readdir: grows with each new entry */
	uint32_t hash;
	uint8_t len;
	char name[];
};

struct tmpfs_dir {
	struct list entries;
	struct tmpfs_entry **bucket;	/* mask + 1 of them; NULL: none yet */
	uint32_t mask, count;
	uint64_t next_pos;
};

struct tmpfs_node {
	struct timespec64 atime, mtime, ctime, btime;
	uint32_t nlink;
	struct list xattrs;		/* vnode->lock */
	struct mqueue *queue;		/* in /dev/mqueue (kernel/mqueue.c): a file's message queue */
	union {
		struct tmpfs_dir dir;
		size_t charged;		/* of a regular file: pages that the mount's count has of it */
		char *target;		/* of a symbolic link; owned */
	};
};

struct tmpfs {
	struct mount mount;
	struct spinlock lock;
	size_t limit, charged;		/* pages; SIZE_MAX: no limit */
	size_t node_limit, nodes;	/* files */
	uint64_t next_ino;
};

static inline struct tmpfs *tmpfs_of(const struct vnode *v) { return container_of(v->mount, struct tmpfs, mount); }
static inline struct tmpfs_node *tmpfs_node(const struct vnode *v) { return v->data; }

/* tmpfs.c */
extern const struct vnode_ops tmpfs_ops;
/* A new node with one link and one reference; -ENOMEM, -ENOSPC. */
int tmpfs_create_node(struct tmpfs *, uint32_t mode, uint64_t rdev, struct vnode **out);
/* Its contents or entries changed now. */
void tmpfs_changed(struct vnode *);
/* Its link count becomes n more; its ctime is now. */
void tmpfs_count_link(struct vnode *, int n);

/* tmpfs_dir.c: vnode_ops, see there. */
int tmpfs_lookup(struct vnode *dir, const char *name, size_t len, struct vnode **out);
int tmpfs_create(struct vnode *dir, const char *name, size_t len, uint32_t mode, uint64_t rdev, struct vnode **out);
int tmpfs_symlink(struct vnode *dir, const char *name, size_t len, const char *target, struct vnode **out);
int tmpfs_link(struct vnode *dir, const char *name, size_t len, struct vnode *to);
int tmpfs_unlink(struct vnode *dir, const char *name, size_t len, struct vnode *victim);
int tmpfs_rename(struct vnode *from_dir, const char *from, size_t from_len, struct vnode *moved,
	struct vnode *to_dir, const char *to, size_t to_len, struct vnode *replaced, bool exchange);
int tmpfs_temporary(struct vnode *dir, uint32_t mode, struct vnode **out);
int tmpfs_readdir(struct vnode *dir, uint64_t *pos, dirent_fn, void *context);

/* mount->empty: nobody uses it any more, all names go. */
void tmpfs_empty(struct mount *);

/* tmpfs_options.c: mount->configure and mount->show. */
int tmpfs_configure(struct mount *, char *options, bool again);
void tmpfs_show(struct mount *, struct text *);

/* A node in the root directory, owned by root: 0, -ENOMEM, -EEXIST.  For boot. */
int tmpfs_add(struct mount *, const char *name, uint32_t mode, uint64_t rdev);
int tmpfs_add_link(struct mount *, const char *name, const char *target);
