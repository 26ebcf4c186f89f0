/*
 * kernel/sys_lock.c - system calls about advisory locks: fcntl's, of bytes of a file, and flock.
 *
 * A lock of bytes belongs to a process (its table of descriptors) or to an open file; both kinds are in each other's way.
 */
#include "kernel/sys_file.h"
#include "arch/uaccess.h"
#include "fs/locks.h"

/* struct flock, as user programs have it. */
struct user_flock { int16_t type, whence; int32_t pad; int64_t start, len; int32_t pid, pad2; };

/* The bytes that a struct flock means: [*from, *to). */
static int lock_range(struct file *f, const struct user_flock *u, uint64_t *from, uint64_t *to)
{
	struct vattr attr = { .size = 0 };
	int64_t start, end;
	int error = u->whence == 2 ? vfs_getattr(f->vnode, &attr) : 0;

	if (error)
		return error;
	if (u->whence < 0 || u->whence > 2)
		return -EINVAL;
	int64_t base = u->whence == 0 ? 0 : u->whence == 1 ? (int64_t)f->pos : (int64_t)attr.size;
	if (__builtin_add_overflow(base, u->start, &start) || __builtin_add_overflow(start, u->len, &end))
		return -EOVERFLOW;
	if (u->len < 0) {
		int64_t swap = start;
		start = end;
		end = swap;
	}
	if (start < 0)
		return -EINVAL;
	*from = (uint64_t)start;
	*to = u->len == 0 ? LOCK_TO_END : (uint64_t)end;
	return 0;
}

static int make_lock(struct file *f, const struct user_flock *u, enum lock_owner_kind kind, struct record_lock *want)
{
	if (kind == LOCKS_OF_FILE && u->pid != 0)
		return -EINVAL;
	*want = (struct record_lock){ .type = u->type, .owner = current->files, .pid = current->pid };
	if (kind == LOCKS_OF_FILE) {
		want->owner = f;
		want->pid = -1;
	}
	return lock_range(f, u, &want->from, &want->to);
}

static long get_lock(struct file *f, enum lock_owner_kind kind, vaddr_t arg)
{
	struct user_flock u;
	struct record_lock want, other;
	int error = user_get(u, arg);

	if (!error && u.type != LOCK_READ && u.type != LOCK_WRITE)
		error = -EINVAL;
	if (!error)
		error = make_lock(f, &u, kind, &want);
	if (error)
		return error;
	if (locks_conflict(f->vnode, &want, &other)) {
		u.type = (int16_t)other.type;
		u.whence = 0;
		u.start = (int64_t)other.from;
		u.len = other.to == LOCK_TO_END ? 0 : (int64_t)(other.to - other.from);
		u.pid = other.pid;
	} else {
		u.type = LOCK_NONE;
	}
	return user_put(arg, u);
}

/* A lock on what another thread has closed meanwhile would stay for ever: it goes again, as on Linux. */
static int settle_lock(struct file *f, int fd, const struct record_lock *set)
{
	if (set->type == LOCK_NONE || files_has(current->files, fd, f))
		return 0;
	locks_drop_owner(f->vnode, set->owner);
	return -EBADF;
}

static long set_lock(struct file *f, int fd, enum lock_owner_kind kind, vaddr_t arg, enum lock_how how)
{
	struct user_flock u;
	struct record_lock want;
	int error = user_get(u, arg);

	if (!error && (u.type < LOCK_READ || u.type > LOCK_NONE))
		error = -EINVAL;
	if (!error)
		error = make_lock(f, &u, kind, &want);
	if (!error && ((u.type == LOCK_READ && !file_readable(f)) || (u.type == LOCK_WRITE && !file_writable(f))))
		error = -EBADF;
	if (error)
		return error;
	error = locks_set(f->vnode, &want, how);
	return io_result(error || kind == LOCKS_OF_FILE ? error : settle_lock(f, fd, &want));
}

long fcntl_lock(struct file *f, int fd, int what, enum lock_owner_kind kind, vaddr_t arg)
{
	enum { GET, SET, SET_AND_WAIT };

	return what == GET ? get_lock(f, kind, arg) : set_lock(f, fd, kind, arg, what == SET_AND_WAIT ? LOCK_WAIT : LOCK_TRY);
}

long sys_flock(const unsigned long args[6])
{
	enum { FLOCK_SHARED = 1, FLOCK_EXCLUSIVE = 2, FLOCK_NO_WAIT = 4, FLOCK_UNLOCK = 8 };
	unsigned how = (unsigned)args[1] & ~(unsigned)FLOCK_NO_WAIT;

	if (how != FLOCK_SHARED && how != FLOCK_EXCLUSIVE && how != FLOCK_UNLOCK)
		return -EINVAL;
	struct file *f = files_get(current->files, (int)args[0]);
	if (!f)
		return -EBADF;
	long result = -EBADF;
	if (!(f->flags & OPEN_PATH))
		result = io_result(locks_flock(f, how == FLOCK_SHARED ? LOCK_READ : how == FLOCK_EXCLUSIVE ? LOCK_WRITE : LOCK_NONE,
			args[1] & FLOCK_NO_WAIT ? LOCK_TRY : LOCK_WAIT));
	file_put(f);
	return result;
}
