/*
 * fs/mount.h - mounted file systems: where they lie, who uses them, and how they go.
 *
 * A mount lives as long as one of its vnodes.  While it is attached (a path leads to it) it has a reference to its root.  It cannot be taken away while it has
 * users (open files, places of processes, programs that run), but lazily: then no path leads to it any more, and its files go with the last user.
 *
 * Locks: mount_lock (mutex, below RANK_LEAF) guards the list, `attached`, and who changes a mount; covers and covered_by change under it and vnode_links_lock, so that either is
 * enough to read them.  vnodes, users, writers, flags: atomic words.  What is attached to a directory is attached with that vnode's lock held.
 */
#pragma once
#include "fs/vnode.h"
#include "abi/statfs.h"

enum mount_flags {
	MOUNT_READONLY = 1,		/* nothing can be changed: -EROFS */
	MOUNT_ONE_OWNER = 4,		/* new files belong to whom the file system says */
	MOUNT_KEEP_VNODES = 2,		/* vnodes without references are kept for a while, with the pages of their files */
	MOUNT_NO_SETID = 8,		/* set-user-ID and set-group-ID have no effect */
	MOUNT_NO_DEVICES = 16,		/* device nodes cannot be opened: -EACCES */
	MOUNT_NO_EXEC = 32,		/* nothing can be run: -EACCES; nor mapped as code: -EPERM */
	MOUNT_NO_ATIME = 64, MOUNT_NO_DIR_ATIME = 128,
	MOUNT_CHANGEABLE = MOUNT_READONLY | MOUNT_NO_SETID | MOUNT_NO_DEVICES | MOUNT_NO_EXEC | MOUNT_NO_ATIME | MOUNT_NO_DIR_ATIME,
};

struct text;
struct mount {
	const char *type, *source;	/* for /proc/mounts */
	unsigned flags;			/* enum mount_flags */
	uint64_t dev;			/* st_dev; vfs_mount gives it */
	uint64_t id;			/* of this mount */
	struct vnode *root;		/* NULL: it has ended */
	struct vnode *cut_from, *cut_root;	/* while it is detached: what it covered, and its root, both referenced; who detaches it */
	struct vnode *covers;		/* the directory that it lies on, referenced; NULL: none */
	struct list all;
	bool attached;
	bool ended;			/* atomic */
	bool expiring;			/* marked by MNT_EXPIRE, and not used since; atomic */
	unsigned vnodes, users, writers;
	void *data;
	int (*statfs)(struct mount *, struct linux_statfs *);	/* the structure is zeroed, block and name size preset; NULL: that is all */
	int (*configure)(struct mount *, char *options, bool again);	/* by options, which it may cut to pieces: -EINVAL; NULL: it has none */
	void (*show)(struct mount *, struct text *);	/* ",name=value" for each option that has another value than by default; may be NULL */
	void (*empty)(struct mount *);	/* nobody uses it any more: its files go; may be NULL */
	void (*free)(struct mount *);	/* the last vnode went; NULL: it is static */
	char *own_source;		/* what source points to, if it is the mount's own; freed with it */
};

/* Mounts on an existing directory ("/" first), at boot: -ENOENT, -ENOTDIR. */
int vfs_mount(const char *path, struct mount *);
/* The same on a vnode, or on what is mounted there; takes over the mount, but for an error: -ENOTDIR, -ENOENT (removed), -EINVAL (no path leads there). */
int mount_attach(struct mount *, struct vnode *on);
enum detach_how { DETACH_UNUSED, DETACH_EXPIRED, DETACH_LAZILY };
/* Takes a mount away: -EBUSY, -EINVAL (it is the first one, or none any more); EXPIRED: -EAGAIN at first, and whenever it has been used since. */
int mount_detach(struct mount *, enum detach_how);
/* New flags (of MOUNT_CHANGEABLE) and options: -EBUSY (files are open for writing), -EINVAL. */
int mount_change(struct mount *, unsigned flags, char *options);
/* A mount that was never attached goes. */
void mount_discard(struct mount *);
/* Calls fn for each, in the order of their making, with mount_lock held. */
void mount_for_each(void (*fn)(struct mount *, void *context), void *context);
int mount_statfs(struct mount *, struct linux_statfs *);
/* Numbers a mount that has no path, such as the one of pipes; a number that it has stays. */
void mount_number(struct mount *);

/* Somebody uses a vnode of the mount, and has a reference to it until after mount_unuse, which may sleep. */
void mount_use(struct mount *);
void mount_unuse(struct mount *);

/* File systems: each gives a mount; NULL: no memory. */
struct mount *fat_mount(void *image, size_t size, pfn_t first_frame, const char **why_not);
struct mount *tmpfs_mount(void);
struct mount *dev_mount(void);		/* another one starts with the nodes that there are */
struct mount *proc_mount(void);		/* kernel/proc.c */
struct mount *sysfs_mount(void);
