/*
 * kernel/sys_file.h - what the system calls about files share: arguments that are descriptors and paths, and results.
 *
 *   sys_file.c    descriptors: open, close, dup, fcntl, ioctl, pipe
 *   sys_io.c      bytes: read, write and their kin, lseek, sendfile
 *   sys_splice.c  splice, tee, vmsplice
 *   sys_lock.c    fcntl's locks, flock
 *   sys_mount.c   mount, umount2
 *   sys_path.c    names: mkdir, unlink, rename, links, directories, where a process stands
 *   sys_stat.c    attributes: stat, access, chmod, chown, times, sizes, statfs
 *   sys_xattr.c   extended attributes
 *   sys_poll.c    waiting: poll, select
 *   sys_socket.c, sys_message.c, sys_sockopt.c    sockets
 *   sys_event.c   files to wait with: epoll, eventfd
 */
#pragma once
#include "kernel/files.h"
#include "kernel/process.h"
#include "kernel/syscall.h"

enum {
	AT_CWD = -100, AT_SYMLINK_NOFOLLOW = 0x100, AT_REMOVEDIR = 0x200, AT_EACCESS = 0x200, AT_SYMLINK_FOLLOW = 0x400,
	AT_NO_AUTOMOUNT = 0x800, AT_EMPTY_PATH = 0x1000, AT_STATX_SYNC_TYPE = 0x6000,
};
/* The most bytes that one call moves: INT_MAX, cut to whole pages. */
#define IO_MAX ((size_t)0x7ffff000)

/* The current process's place and rights. */
struct fs_context *my_fs(void);

/* A path argument in kernel memory; short ones need no memory of the heap. */
struct path { char *text; char few[200]; };
int path_get(struct path *, vaddr_t from);		/* -EFAULT, -ENAMETOOLONG, -ENOMEM: then there is nothing to drop */
void path_drop(struct path *);

/* A descriptor of a directory and a path, as the ...at calls take them. */
struct place {
	struct path path;
	struct file *file;		/* NULL: the path is absolute or starts at the cwd */
	struct vnode *at;		/* file's vnode, or NULL */
};
int place_get(struct place *, int dirfd, vaddr_t path);	/* also -EBADF */
void place_drop(struct place *);
/* What the place leads to; flags: AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH. Others: -EINVAL, if not in `allowed`. */
int place_vnode(struct place *, unsigned flags, struct vnode **out);
/* The three steps in one. */
int vnode_at(int dirfd, vaddr_t path, unsigned flags, struct vnode **out);

/* The buffers of readv and its kin: at most 1,024, together no more than IO_MAX; few need no memory of the heap. */
struct iovec64 { uint64_t base, len; };
enum { IOV_MAX_COUNT = 1024, IOV_FEW = 8 };
struct vector { struct uio *v; size_t n, total; struct uio few[IOV_FEW]; };
int vector_get(struct vector *, vaddr_t from, size_t n);	/* -EINVAL, -EFAULT, -ENOMEM: then there is nothing to drop */
void vector_drop(struct vector *);

/* fcntl's lock commands: what is 0 (F_GETLK), 1 (F_SETLK) or 2 (F_SETLKW). */
enum lock_owner_kind { LOCKS_OF_PROCESS, LOCKS_OF_FILE };
long fcntl_lock(struct file *, int fd, int what, enum lock_owner_kind, vaddr_t arg);

/* The file at fd of the current process, with a reference; NULL: there is none, or it stands for a path alone (O_PATH). */
struct file *file_get(int fd);
/* A new file gets a descriptor; NULL: -ENOMEM. It is put if that fails. */
long file_install(struct file *, bool close_on_exec);

/* Waiting, for poll, select and epoll.  A span as a deadline; 0 stands for 'do not wait', and does so there. */
uint64_t wait_deadline(uint64_t ns);
/* Where the user's time span lies (0: none), and in which unit its second word is.  -EFAULT, -EINVAL. */
struct wait_span { vaddr_t at; uint64_t unit_ns; };
int wait_span_get(const struct wait_span *, uint64_t *deadline_ns);
/* The signal mask for one call. */
int wait_mask_get(vaddr_t at, size_t size, uint64_t *mask);

/* Both ends of a result: an interrupted sleep is restarted, a write to nobody raises SIGPIPE. */
long io_result(ssize);
/* Do n bytes at base lie in user space? */
static inline bool user_range(vaddr_t base, size_t n) { return n <= USER_MAX && base <= USER_MAX - n; }

/* Two new files, whose references it takes over, get descriptors, which are told at `to`, and belong to the caller. */
long files_install_pair(struct file_table *, struct file *ends[2], bool close_on_exec, vaddr_t to);

/* fsync, or (whole) syncfs, of a descriptor. */
long sync_fd(int fd, bool whole);
/* May the file get this size?  If it is to grow over the limit, raises SIGXFSZ and returns -EFBIG. */
int check_file_limit(struct vnode *, uint64_t size);
