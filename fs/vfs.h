/*
 * fs/vfs.h - vnodes, mounts, open files, path walk.
 *
 * A vnode is a file, directory, link, device or pipe of a mounted file system; there is one struct vnode for one file at a time.
 * A struct file is an open file description.  Regular files keep their contents in a memory object (vnode->object), so that read(), write() and
 * mmap see the same pages.
 *
 * Locks: vnode->lock (mutex, RANK_VNODE; parent before child) guards a directory's entries and a file's size changes; file->lock guards the position.
 */
#pragma once
#include "vm/object.h"
#include "kernel/abi/stat.h"

struct vnode;
struct file;
struct mount;

struct vattr { uint32_t mode, uid, gid, nlink; uint64_t ino, size, rdev, blocks; struct timespec64 atime, mtime, ctime; };

/* One entry of a directory at a time; returns non-zero to stop (the entry was not taken). pos: where the next entry begins. */
typedef int (*dirent_fn)(void *context, const char *name, size_t len, uint64_t ino, unsigned type /* DT_* */, uint64_t pos);

/* Any may be NULL: the call then fails with the errno that Linux gives (EPERM, EINVAL, EROFS, ENOTDIR ...).  Names are not NUL-terminated.
 * dir->lock is held around lookup, create, symlink, link, unlink, rename (both), readdir. Out vnodes come with a reference. */
struct vnode_ops {
	int (*lookup)(struct vnode *dir, const char *name, size_t len, struct vnode **out);
	int (*create)(struct vnode *dir, const char *name, size_t len, uint32_t mode, uint64_t rdev, struct vnode **out);	/* S_IFREG, S_IFDIR, S_IFIFO, S_IFCHR */
	int (*symlink)(struct vnode *dir, const char *name, size_t len, const char *target);
	int (*link)(struct vnode *dir, const char *name, size_t len, struct vnode *to);
	int (*unlink)(struct vnode *dir, const char *name, size_t len, struct vnode *victim);	/* rmdir too */
	int (*rename)(struct vnode *from_dir, const char *from, size_t from_len, struct vnode *to_dir, const char *to, size_t to_len);
	ssize (*readlink)(struct vnode *, char *to, size_t size);
	int (*readdir)(struct vnode *dir, uint64_t *pos, dirent_fn, void *context);
	int (*getattr)(struct vnode *, struct vattr *);
	int (*setattr)(struct vnode *, const struct vattr *, unsigned which);		/* VATTR_* */
	int (*open)(struct vnode *, struct file *);		/* may set file->ops and file->data */
	void (*release)(struct vnode *);			/* the last reference went */
};
enum { VATTR_MODE = 1, VATTR_UID = 2, VATTR_GID = 4, VATTR_SIZE = 8, VATTR_ATIME = 16, VATTR_MTIME = 32 };

struct vnode {
	const struct vnode_ops *ops;
	struct mount *mount;
	struct mount *covered_by;	/* a mount on this directory, or NULL */
	struct mutex lock;
	unsigned refs;			/* atomic */
	uint32_t mode;			/* type and permissions */
	uint64_t ino, rdev;
	struct object *object;		/* contents of a regular file; NULL: none */
	struct pipe *pipe;		/* an open fifo's */
	void *data;			/* the file system's */
};

/* *pos is file->pos or a copy (pread).  Reads and writes return bytes, 0 at the end, or an errno. All may sleep. */
struct file_ops {
	ssize (*read)(struct file *, struct uio *, uint64_t *pos);
	ssize (*write)(struct file *, struct uio *, uint64_t *pos);
	long (*ioctl)(struct file *, unsigned command, unsigned long arg);
	int64_t (*seek)(struct file *, int64_t offset, int whence);	/* NULL: the usual way for files; pipes and ttys: -ESPIPE by op */
	unsigned (*poll)(struct file *, struct waitq **queue);		/* POLL* bits that hold now; *queue: what to wait on */
	void (*release)(struct file *);
};

struct file {
	const struct file_ops *ops;
	struct vnode *vnode;		/* NULL for none */
	unsigned refs;			/* atomic */
	unsigned flags;			/* O_ACCMODE, O_APPEND, O_NONBLOCK ... as given */
	uint64_t pos;
	struct mutex lock;		/* pos */
	void *data;
	char *path;			/* absolute path at open, for /proc/PID/fd and maps; owned; may be NULL */
};

/* Path walk.  cwd/root come from the process (kernel/process.h: fs_context). */
struct fs_context { struct vnode *root, *cwd; char *cwd_path; uint32_t umask; };
enum walk_how { WALK_FOLLOW, WALK_NOFOLLOW };
/* The vnode at path, from `at` when relative (NULL: the cwd).  -ENOENT, -ENOTDIR, -ELOOP, -ENAMETOOLONG, -EACCES. Out: referenced. */
int vfs_walk(struct fs_context *, struct vnode *at, const char *path, enum walk_how, struct vnode **out);
/* open(2): flags and mode as Linux's. */
int vfs_open(struct fs_context *, struct vnode *at, const char *path, unsigned flags, uint32_t mode, struct file **out);
int vfs_getattr(struct vnode *, struct vattr *);
ssize file_read(struct file *, struct uio *, uint64_t *pos);
ssize file_write(struct file *, struct uio *, uint64_t *pos);
struct file *file_ref(struct file *);
void file_put(struct file *);
struct vnode *vnode_ref(struct vnode *);
void vnode_put(struct vnode *);
/* Absolute path of a vnode reached as (at, path), for cwd and exe; into `to`; length or -errno. */
ssize vfs_path(struct fs_context *, struct vnode *at, const char *path, char *to, size_t size);
size_t file_count(void);	/* live open files and vnodes, for leak checks */
size_t vnode_count(void);

/* Mounts. */
struct mount { const char *type, *source; struct vnode *root, *covers; struct list all; void *data; int (*statfs)(struct mount *, void *statfs); char path[64]; };
int vfs_mount(const char *path, struct mount *);	/* "/" first */
extern struct list mount_list;

/* File systems: each gives a mount. */
struct mount *fat_mount(const void *image, size_t size, pfn_t first_frame, const char **why_not);
struct mount *tmpfs_mount(void);
struct mount *dev_mount(void);
struct mount *proc_mount(void);		/* kernel/proc.c */
/* Character devices: registered by number, opened through any vnode of type S_IFCHR with that rdev. */
void dev_register(const char *name, uint64_t rdev, uint32_t mode, const struct file_ops *);
int pipe_create(struct file *ends[2], unsigned flags);
