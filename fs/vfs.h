/*
 * fs/vfs.h - paths: from a name to a vnode or an open file, and every change to a directory.  Includes what a user of files needs.
 *
 * Locks: during a walk one directory's lock at a time; rename takes two, parent before child, under vfs_rename_lock.
 */
#pragma once
#include "fs/vnode.h"
#include "fs/file.h"
#include "fs/mount.h"
#include "fs/pipe.h"
#include "fs/dev.h"

/* Where a process stands, and who it is for the purpose of files.  The threads of a process share it: what is not under the lock is single words. */
struct fs_context {
	struct spinlock lock;		/* RANK_LEAF */
	struct vnode *root, *cwd;	/* referenced; lock: fs_context_root and _cwd give references of one's own */
	uint32_t umask;
	uint32_t uid, gid;		/* whose rights count: equal to the effective ones, until setfsuid */
	struct list sharers;		/* a ring: those of other processes that stand where this one stands */
	struct group_list *groups;	/* further groups that it is in; NULL: none; lock */
};
/* Group numbers in rising order; it does not change once a context has it. */
struct group_list { unsigned refs /* atomic */; size_t n; uint32_t id[]; };
struct group_list *group_list_create(size_t n);					/* n numbers to be filled in and sorted; NULL: no memory */
void group_list_sort(struct group_list *);
void group_list_put(struct group_list *);					/* NULL is allowed */
struct group_list *fs_context_groups(struct fs_context *);			/* with a reference; NULL: none */
void fs_context_set_groups(struct fs_context *, struct group_list *);		/* takes over the reference */
bool fs_context_in_group(struct fs_context *, uint32_t gid);
/* At boot, after "/" is mounted: both are the root. */
void fs_context_init(struct fs_context *);
void fs_context_copy(struct fs_context *to, struct fs_context *from);		/* fork */
void fs_context_drop(struct fs_context *);					/* exit, nobody else uses it; leaves NULL */
/* From now on, what is changed of the place and umask of one is changed in both (CLONE_FS); no more.  A mark that those have in common which share. */
void fs_context_share(struct fs_context *with, struct fs_context *);
void fs_context_unshare(struct fs_context *);
const void *fs_context_shared(struct fs_context *);
uint32_t fs_context_set_umask(struct fs_context *, uint32_t);			/* the one before */
/* With a reference; NULL: it has been dropped. */
enum fs_place { FS_ROOT, FS_CWD };
struct vnode *fs_context_root(struct fs_context *);
struct vnode *fs_context_cwd(struct fs_context *);
/* Take over the reference to a directory. */
void fs_context_set_root(struct fs_context *, struct vnode *);
void fs_context_set_cwd(struct fs_context *, struct vnode *);

enum { PATH_MAX_BYTES = 4096, NAME_MAX_BYTES = 255, LINKS_MAX = 40 };

enum walk_how { WALK_FOLLOW, WALK_NOFOLLOW };		/* a symbolic link at the end */
/* The vnode at path, from `at` when relative (NULL: the cwd).  -ENOENT (also for ""), -ENOTDIR, -ELOOP, -ENAMETOOLONG, -EACCES. Out: referenced; NULL on error. */
int vfs_walk(struct fs_context *, struct vnode *at, const char *path, enum walk_how, struct vnode **out);

/* What a walk must not do, openat2's RESOLVE_*: leave the mount, follow links of /proc, or any, leave the directory that it starts in; or that directory is the root. */
enum resolve { RESOLVE_NO_XDEV = 1, RESOLVE_NO_MAGICLINKS = 2, RESOLVE_NO_SYMLINKS = 4, RESOLVE_BENEATH = 8, RESOLVE_IN_ROOT = 16, RESOLVE_CACHED = 32, RESOLVE_ALL = 63 };
struct open_how { uint64_t flags, mode, resolve; };		/* Linux's */
int vfs_open_how(struct fs_context *, struct vnode *at, const char *path, const struct open_how *, struct file **out);
/* open(2): flags and mode as Linux's, umask not yet applied to mode. */
int vfs_open(struct fs_context *, struct vnode *at, const char *path, unsigned flags, uint32_t mode, struct file **out);
/* The same for a vnode that one has already, such as a program to be run. */
int vfs_open_vnode(struct fs_context *, struct vnode *, unsigned flags, struct file **out);

int vfs_make(struct fs_context *, struct vnode *at, const char *path, uint32_t mode, uint64_t rdev);	/* mkdir, mknod: by the type in mode */
int vfs_symlink(struct fs_context *, struct vnode *at, const char *path, const char *target);
int vfs_link(struct fs_context *, struct vnode *to, struct vnode *at, const char *path);
enum unlink_what { UNLINK_FILE, UNLINK_DIRECTORY };
int vfs_unlink(struct fs_context *, struct vnode *at, const char *path, enum unlink_what);
enum rename_flags { RENAME_NOREPLACE = 1, RENAME_EXCHANGE = 2 };
int vfs_rename(struct fs_context *, struct vnode *from_at, const char *from, struct vnode *to_at, const char *to, unsigned flags);

/* May it be read (4), written (2), executed or searched (1)?  0, -EACCES, -EROFS. */
enum { MAY_EXECUTE = 1, MAY_WRITE = 2, MAY_READ = 4 };
int vfs_permission(struct fs_context *, const struct vnode *, unsigned may);
/* The mode without set-user-ID and set-group-ID, as far as a change of owner takes them; and as far as a change of contents by this user does. */
uint32_t vfs_mode_without_set_ids(struct fs_context *, const struct vnode *);
uint32_t vfs_mode_after_change(struct fs_context *, const struct vnode *);
/* Contents are about to change, by a write. */
int vfs_before_change(struct fs_context *, struct vnode *);

int vfs_getattr(struct vnode *, struct vattr *);
/* Rights and read-only mounts are checked; chmod drops what the caller may not set. */
int vfs_setattr(struct fs_context *, struct vnode *, const struct vattr *, unsigned which);
/* vnode_ops->setattr of files that have no place: mode and owner are kept in the vnode, times are not. */
int vnode_setattr(struct vnode *, const struct vattr *, unsigned which);
/* '.' and '..', then the file system's entries, from *pos on. */
int vfs_readdir(struct vnode *dir, uint64_t *pos, dirent_fn, void *context);
/* The text of a symbolic link; -EINVAL: it is none. */
ssize vfs_readlink(struct vnode *, char *to, size_t size);
int vfs_truncate(struct fs_context *, struct vnode *, uint64_t size);

/* Upcall (kernel/time.c): the time of day. */
struct timespec64 vfs_now(void);
/*
 * Upcall (kernel/sys_io.c), of a file system that is about to write n bytes (1 at least) to a regular file, whose vnode->lock it holds: how many of them the
 * process's limit of file size lets it write at this position; -EFBIG and SIGXFSZ: none; -EINVAL: the position is no file's.
 */
ssize vfs_clip_write(uint64_t pos, size_t n);
