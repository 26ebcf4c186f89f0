/*
 * fs/vnode.h - vnodes: a file, directory, link, device or pipe of a mounted file system; one struct vnode for one file at a time.
 *
 * A file system makes them with vnode_create and gives them out by its operations; what the user sees of a file goes through these.
 * Regular files keep their contents in a memory object (vnode->object), so that read(), write() and mmap see the same pages.
 *
 * A vnode without references is released, or, where its mount says MOUNT_KEEP_VNODES, kept for a while with the pages of its
 * object: the file system may give it out again (vnode_revive) until its release operation is called.
 *
 * Locks: vnode->lock (mutex, RANK_VNODE; parent before child, directories before others) guards a directory's entries and a file's size changes; vnode_links_lock (spinlock)
 * parent and name; vnode_idle_lock (spinlock) the list of kept ones and the step of a count to or from 0.  mode, uid, gid: single words, changed under vnode->lock.
 * unlinked: a byte; it becomes true under vnode->lock and vnode_links_lock, so that either is enough to rely on it.
 */
#pragma once
#include "vm/object.h"
#include "abi/stat.h"

struct vnode;
struct file;
struct mount;
struct pipe;
struct unix_socket;
struct lock_list;

struct vattr { uint32_t mode, uid, gid, nlink; uint64_t ino, size, rdev, blocks /* of 512 bytes */; struct timespec64 atime, mtime, ctime, btime /* 0: not known */; };
enum { VATTR_MODE = 1, VATTR_UID = 2, VATTR_GID = 4, VATTR_SIZE = 8, VATTR_ATIME = 16, VATTR_MTIME = 32,
	VATTR_NOW = 64 /* vfs_setattr only: both times are the present one, which needs less of a right */,
	VATTR_CHOWN = 128 /* vfs_setattr only: a chown, which takes set-user-ID and set-group-ID away even if it changes no owner */ };

enum { ALLOCATE_KEEP_SIZE = 1, ALLOCATE_PUNCH_HOLE = 2 };		/* Linux's FALLOC_FL_* */

/* One entry of a directory at a time; returns non-zero to stop (the entry was not taken). next: the position of the entry after it. */
typedef int (*dirent_fn)(void *context, const char *name, size_t len, uint64_t ino, unsigned type /* FT_* */, uint64_t next);

/* The first position that a file system's readdir sees: '.' and '..' are 0 and 1, and vfs_readdir's. */
enum { DIR_FIRST = 2 };

/*
 * Any may be NULL: the call then fails with the errno that Linux gives (EPERM, EINVAL, ENOTDIR ...); on a MOUNT_READONLY mount
 * those that change something are not called.  Names are not NUL-terminated, are 1 to 255 bytes long, and never '.' or '..'.
 * dir->lock is held around lookup, create, symlink, link, unlink, rename (both directories) and readdir.  Out vnodes come with a reference.
 * What exists, may be done and is permitted has been checked by the caller: create, symlink and link are called for names that lookup did not find.
 */
struct vnode_ops {
	int (*lookup)(struct vnode *dir, const char *name, size_t len, struct vnode **out);
	int (*create)(struct vnode *dir, const char *name, size_t len, uint32_t mode, uint64_t rdev, struct vnode **out);	/* S_IFREG, S_IFDIR, S_IFIFO, S_IFCHR ... */
	int (*temporary)(struct vnode *dir, uint32_t mode, struct vnode **out);	/* a regular file without a name (O_TMPFILE); NULL: -EOPNOTSUPP */
	int (*symlink)(struct vnode *dir, const char *name, size_t len, const char *target, struct vnode **out);
	int (*link)(struct vnode *dir, const char *name, size_t len, struct vnode *to);
	int (*unlink)(struct vnode *dir, const char *name, size_t len, struct vnode *victim);	/* rmdir too: -ENOTEMPTY */
	/* to's old vnode is `replaced` (NULL: there is none); exchange: both change places. */
	int (*rename)(struct vnode *from_dir, const char *from, size_t from_len, struct vnode *moved,
		struct vnode *to_dir, const char *to, size_t to_len, struct vnode *replaced, bool exchange);
	ssize (*readlink)(struct vnode *, char *to, size_t size);		/* bytes, not NUL-terminated, cut off at size */
	int (*follow)(struct vnode *link, struct vnode **out);			/* a link that leads to a vnode, not to a path: /proc/PID/fd, exe, cwd */
	int (*readdir)(struct vnode *dir, uint64_t *pos, dirent_fn, void *context);	/* from *pos on (DIR_FIRST: the start); leaves *pos where it stopped */
	int (*getattr)(struct vnode *, struct vattr *);				/* vfs_getattr has filled in what it knows */
	int (*setattr)(struct vnode *, const struct vattr *, unsigned which);	/* VATTR_* */
	int (*allocate)(struct vnode *, unsigned how, uint64_t from, uint64_t to);	/* fallocate, ALLOCATE_*; with the lock, open for writing */
	struct list *(*xattrs)(struct vnode *);			/* its extended attributes, for fs/xattr.c; NULL: it has none */
	int (*open)(struct vnode *, struct file *);		/* may set file->ops and file->data */
	void (*release)(struct vnode *);			/* the vnode goes; it frees what data points to, and puts the object */
};

/* Who watches a vnode: fs/inotify.c. */
struct watched_vnode {
	void (*gone)(struct vnode *);	/* the vnode ends */
	struct list all, watches;
	struct vnode *vnode;
	bool pinned;			/* it has a reference */
};

struct vnode {
	const struct vnode_ops *ops;
	struct mount *mount;
	struct mount *covered_by;	/* a mount on this directory, or NULL: fs/mount.h */
	struct mutex lock;
	unsigned refs;			/* atomic */
	uint32_t mode;			/* type and permissions */
	uint32_t uid, gid;
	bool strict;			/* no right overrides the permissions: a setting; - */
	uint64_t ino, rdev;
	struct object *object;		/* contents of a regular file; NULL: none, or not yet (open makes it); from then on it stays */
	struct pipe *pipe;		/* an open fifo's, or that of a pipe without a name; lock */
	struct unix_socket *socket;	/* the socket that is bound to it; unix_lock */
	struct watched_vnode *watched;	/* its watches (fs/inotify.c), or NULL */
	struct lock_list *locks;	/* advisory locks (fs/locks.c), or NULL; locks_mutex */
	struct vnode *parent;		/* directory in which it was found last, referenced; NULL: a root, or never looked up */
	char *name;			/* its name there; owned */
	bool unlinked;			/* that name is gone */
	bool linkable;			/* it has had no name yet (O_TMPFILE), and may get one; lock */
	int writers;			/* open for writing so often; below 0: run as a program by so many processes; atomic */
	struct list idle;		/* while it has no reference: in the list of kept ones */
	void *data;			/* the file system's */
};

/* A vnode with one reference, owner root, everything else zero; extra bytes (zeroed) behind it are where data points (0: NULL).  NULL: no memory. */
struct vnode *vnode_create(struct mount *, const struct vnode_ops *, uint64_t ino, uint32_t mode, size_t extra);
struct vnode *vnode_ref(struct vnode *);
/* For file systems that remember their vnodes: a reference to one that may have none; NULL: too late, it is being released. */
struct vnode *vnode_revive(struct vnode *);
void vnode_put(struct vnode *);				/* may sleep; NULL is allowed */
/* A program that runs cannot be written, and what is being written cannot be run: 0 or -ETXTBSY. Each needs its end. */
int  vnode_begin_write(struct vnode *);
void vnode_end_write(struct vnode *);
int  vnode_begin_run(struct vnode *);
void vnode_end_run(struct vnode *);
size_t vnode_count(void);				/* with references: for leak checks */
/* Releases the kept vnodes that have no reference; how many. May sleep. */
size_t vnode_drop_idle(void);

/* vnode was found in (or put into) dir under this name: for paths and '..'.  -ENOMEM. */
int vnode_set_link(struct vnode *, struct vnode *dir, const char *name, size_t len);
/* The same in two steps, of which the second cannot fail: a copy of the name (NULL: no memory), and its use. */
char *vnode_copy_name(const char *name, size_t len);
void vnode_use_link(struct vnode *, struct vnode *dir, char *name);
/* This name has gone from dir; true: it was the one that the vnode is known by, which is unlinked now. */
bool vnode_lose_link(struct vnode *, const struct vnode *dir, const char *name, size_t len);
/* Is `above` the vnode or a directory above it, in one mount?  The answer stays while nobody renames directories. */
bool vnode_is_below(const struct vnode *, const struct vnode *above);
/* The directory above (a mount's root: above the mount point), referenced; the root's is the root. */
struct vnode *vnode_parent(struct vnode *);
/*
 * Names the vnode's object by its present path, for /proc/PID/maps: 0, or -ENOMEM and it keeps the name that it has.  The path has changed: the same, if there is an
 * object that has a name.
 */
int vnode_name_object(struct vnode *);
void vnode_path_changed(struct vnode *);
/* The root of what is mounted on v, if anything is: takes v's reference, gives one. */
struct vnode *vnode_cross_mounts(struct vnode *v);
/* m lies on dir, whose reference it takes over; and no more: the reference is the caller's. */
void vnode_cover(struct vnode *dir, struct mount *m);
struct vnode *vnode_uncover(struct mount *m);
/* The directory that it is known to be in, referenced, if that is watched, and its name there (NAME_MAX_BYTES + 1); else NULL. */
struct vnode *vnode_watched_parent(struct vnode *, char *name, bool *unlinked);
/* Its name goes with all others of its file system. */
void vnode_lose_name(struct vnode *);
/* Absolute path as seen from `root`, NUL-terminated: its length, -ERANGE.  An unlinked one ends in " (deleted)". */
ssize vnode_path(struct vnode *root, struct vnode *, char *to, size_t size);
