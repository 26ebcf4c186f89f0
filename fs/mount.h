/*
 * fs/mount.h - mounted file systems.  They are mounted at boot and stay.
 *
 * Lock: mount_list grows at boot only, before there are processes.
 */
#pragma once
#include "fs/vnode.h"
#include "abi/statfs.h"

enum mount_flags {
	MOUNT_READONLY = 1,		/* nothing can be changed: -EROFS */
	MOUNT_ONE_OWNER = 4,		/* new files belong to whom the file system says */
	MOUNT_KEEP_VNODES = 2,		/* vnodes without references are kept for a while, with the pages of their files */
};

struct mount {
	const char *type, *source;	/* for /proc/mounts */
	unsigned flags;			/* enum mount_flags */
	uint64_t dev;			/* st_dev; vfs_mount gives it */
	struct vnode *root;
	struct vnode *covers;		/* the directory that it lies on; NULL: none */
	struct list all;
	void *data;
	int (*statfs)(struct mount *, struct linux_statfs *);	/* the structure is zeroed, block and name size preset; NULL: that is all */
	char path[64];			/* where */
};

/* Mounts on an existing directory ("/" first): -ENOENT, -ENOTDIR, -EBUSY, -ENAMETOOLONG. */
int vfs_mount(const char *path, struct mount *);
extern struct list mount_list;
int mount_statfs(struct mount *, struct linux_statfs *);
/* Numbers a mount that has no path, such as the one of pipes; a number that it has stays. */
void mount_number(struct mount *);

/* File systems: each gives a mount; NULL: no memory. */
struct mount *fat_mount(void *image, size_t size, pfn_t first_frame, const char **why_not);
struct mount *tmpfs_mount(void);
struct mount *dev_mount(void);
struct mount *proc_mount(void);		/* kernel/proc.c */
struct mount *sysfs_mount(void);
