/*
 * fs/file.h - open file descriptions: what open(2), pipe(2) and others make, and descriptors refer to.
 *
 * Locks: file->lock (mutex, RANK_FILE) guards the position of files that have one.  ops, data, vnode and writes are set before anybody else knows the file.
 */
#pragma once
#include "fs/vnode.h"

/* Linux's O_* (x86-64), and the access mode in the low two bits. */
enum open_flags {
	OPEN_READ = 0, OPEN_WRITE = 1, OPEN_READ_WRITE = 2, OPEN_ACCESS = 3,
	OPEN_CREATE = 0100, OPEN_EXCLUSIVE = 0200, OPEN_NO_CTTY = 0400, OPEN_TRUNCATE = 01000, OPEN_APPEND = 02000, OPEN_NONBLOCK = 04000,
	OPEN_DSYNC = 010000, OPEN_ASYNC = 020000, OPEN_DIRECT = 040000, OPEN_LARGE = 0100000, OPEN_DIRECTORY = 0200000, OPEN_NOFOLLOW = 0400000,
	OPEN_NO_ATIME = 01000000, OPEN_CLOSE_ON_EXEC = 02000000, OPEN_SYNC = 04010000, OPEN_PATH = 010000000, OPEN_TEMPORARY = 020200000,
};
/* Linux's SEEK_*. */
enum seek_whence { SEEK_FROM_START, SEEK_FROM_HERE, SEEK_FROM_END, SEEK_TO_DATA, SEEK_TO_HOLE };
/* poll(2) events. */
enum { POLL_IN = 1, POLL_PRI = 2, POLL_OUT = 4, POLL_ERR = 8, POLL_HUP = 16, POLL_INVALID = 32, POLL_READ_NORMAL = 64, POLL_READ_BAND = 128,
	POLL_WRITE_NORMAL = 256, POLL_WRITE_BAND = 512, POLL_READ_HUP = 0x2000 };
#define POLL_ALWAYS (POLL_IN | POLL_OUT | POLL_READ_NORMAL | POLL_WRITE_NORMAL)
/* What comes to hold together: bytes to read, room to write. */
#define POLL_DATA (POLL_IN | POLL_READ_NORMAL)
#define POLL_ROOM (POLL_OUT | POLL_WRITE_NORMAL | POLL_WRITE_BAND)

struct text;

/* Bytes from or to several places, one after the other. */
struct parts { struct uio *part; size_t n; };
size_t parts_left(const struct parts *);
/* As uio_in and uio_out: fewer bytes than asked for only when user memory faulted, or parts are at their end. */
size_t parts_in(struct parts *, void *to, size_t n);
size_t parts_out(struct parts *, const void *from, size_t n);

/* Results beside errno: as EINTR, but the call is never restarted; as EPIPE, but no SIGPIPE. */
enum { EINTR_FINAL = 600, EPIPE_QUIET };

/*
 * *pos is file->pos or a copy (pread).  read and write return bytes, 0 at the end, or an errno, and advance *pos.  All may sleep; an interrupted sleep is
 * -EINTR (the system call restarts it where Linux does).  NULL: -EINVAL, ioctl -ENOTTY, poll: always ready.
 */
struct file_ops {
	const char *name;		/* of files without a path, for /proc/PID/fd; or NULL */
	int (*open)(struct file *);	/* of devices: the file is complete but for this; may replace ops and data */
	ssize (*read)(struct file *, struct uio *, uint64_t *pos);
	ssize (*write)(struct file *, struct uio *, uint64_t *pos);
	ssize (*read_parts)(struct file *, struct parts *);		/* readv and writev, where what is moved at once belongs together; or NULL */
	ssize (*write_parts)(struct file *, struct parts *);
	long (*ioctl)(struct file *, unsigned command, unsigned long arg);
	int64_t (*seek)(struct file *, int64_t offset, int whence);	/* NULL: file_seek's way; file_no_seek: -ESPIPE, and pread and pwrite too */
	unsigned (*poll)(struct file *, struct waitq **queue);		/* see file_poll */
	void (*show)(struct file *, struct text *);			/* more lines for /proc/PID/fdinfo; or NULL */
	void (*closed)(struct file *);	/* the current process has closed one of its descriptors, or ends; or NULL */
	void (*release)(struct file *);	/* the last reference went; file->vnode is still there */
};

/* Who is told by a signal of what happens to the file: fcntl(F_SETOWN). */
enum file_owner_kind { OWNER_THREAD, OWNER_PROCESS, OWNER_GROUP };
struct file_owner { enum file_owner_kind kind; int32_t number; uint32_t uid, euid; unsigned char signo; };

struct file {
	const struct file_ops *ops;
	struct vnode *vnode;		/* referenced */
	unsigned refs;			/* atomic */
	unsigned flags;			/* enum open_flags as given; APPEND, NONBLOCK and the like may change later (file_change_flags); atomic */
	uint64_t pos;			/* lock */
	struct mutex lock;
	void *data;
	bool writes;			/* counted in vnode->writers */
	bool opened;			/* by a name or its vnode, to be read or written: who watches it is told of the end */
	struct file_owner owner;	/* words */
	struct async *async;		/* of O_ASYNC (kernel/sigio.c), or NULL; lock */
	struct list watchers;		/* epoll files that watch it: kernel/epoll.c */
};

/* A description with one reference that takes over the vnode's; NULL: no memory (the vnode's reference stays the caller's). */
struct file *file_new(const struct file_ops *, struct vnode *, unsigned flags);
static inline struct file *file_ref(struct file *f) { __atomic_add_fetch(&f->refs, 1, __ATOMIC_RELAXED); return f; }
void file_put(struct file *);		/* may sleep; NULL is allowed */
size_t file_count(void);		/* live ones, for leak checks */
void file_change_flags(struct file *, unsigned clear, unsigned set);

/* Access 3 is for neither, but for ioctl: as on Linux. */
static inline bool file_readable(const struct file *f) { return !(f->flags & (OPEN_WRITE | OPEN_PATH)); }
static inline bool file_writable(const struct file *f) { return (f->flags + 1) & OPEN_READ_WRITE && !(f->flags & OPEN_PATH); }

/* As a position to write at: the end, wherever that is then. */
#define FILE_APPEND (~(uint64_t)0)
/* Checks the access mode (-EBADF), then the operation. pos: NULL for the file's own, under its lock. */
ssize file_read(struct file *, struct uio *, uint64_t *pos);
ssize file_write(struct file *, struct uio *, uint64_t *pos);
int64_t file_seek(struct file *, int64_t offset, int whence);
int64_t file_no_seek(struct file *, int64_t offset, int whence);
int64_t file_zero_seek(struct file *, int64_t offset, int whence);	/* has no position either, but answers 0: as Linux's files without a place do */
/*
 * Readiness, for poll, select and epoll alike: the POLL_* bits that hold now, and the queue that is woken when one may have come to hold; NULL: they never change.  It is the
 * same one as long as the description lives, and lives until after ops->release.  May take mutexes of rank RANK_PIPE or above, does not wait for events.
 */
unsigned file_poll(struct file *, struct waitq **queue);
/*
 * Upcall (kernel/sched.c): these POLL_* bits may have come to hold by what has just changed.  Any context, any lock below RANK_WAITQ.  Say what has come, not what holds: each call is
 * an edge for those that watch by edges.  wake_all is the same with all bits.
 */
void file_wake(struct waitq *, unsigned events);
/* Upcall (kernel/epoll.c): the file, which somebody watches, is about to be released. */
void file_unwatch(struct file *);
/* Upcall (kernel/sigio.c): it has file->async, which goes; lock held, or the last reference gone. */
void file_end_async(struct file *);
/* Absolute path, or such as "pipe:[5]", NUL-terminated; its length, -ERANGE. */
ssize file_path(struct vnode *root, struct file *, char *to, size_t size);

/*
 * May it be mapped with these rights and flags (vm/mmap.h)?  *object is what to map, its name set for /proc maps; NULL: anonymous memory (/dev/zero).
 * No reference is given: the file holds it.  -EACCES, -ENODEV, -EPERM, -ENOMEM.
 */
int file_map_check(struct file *, unsigned rights, unsigned flags, struct object **);

/* Regular files whose contents are vnode->object and do not change: reading and seeking. */
extern const struct file_ops file_object_ops;
/* Directories: no read or write. */
extern const struct file_ops file_directory_ops;
