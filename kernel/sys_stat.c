/*
 * kernel/sys_stat.c - system calls about attributes: stat, access, chmod, chown, times, sizes, statfs.
 */
#include "kernel/sys_file.h"
#include "arch/uaccess.h"
#include "lib/string.h"
#include "vm/mmap.h"

/* ---- stat -------------------------------------------------------------------------------------------------------------- */

static long put_stat(struct vnode *v, vaddr_t to)
{
	struct vattr a;
	int error = vfs_getattr(v, &a);
	struct linux_stat s = {
		.dev = v->mount->dev, .ino = a.ino, .nlink = a.nlink, .mode = a.mode, .uid = a.uid, .gid = a.gid, .rdev = a.rdev,
		.size = (int64_t)a.size, .blksize = (int64_t)PAGE_SIZE, .blocks = (int64_t)a.blocks,
		.atime = a.atime, .mtime = a.mtime, .ctime = a.ctime,
	};

	return error ? error : user_put(to, s);
}

static long stat_at(int dirfd, vaddr_t path, unsigned flags, vaddr_t to)
{
	struct vnode *v;

	if (flags & ~(unsigned)(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE))
		return -EINVAL;
	long result = vnode_at(dirfd, path, flags, &v);
	if (result)
		return result;
	result = put_stat(v, to);
	vnode_put(v);
	return result;
}

long sys_stat(const unsigned long args[6])
{
	return stat_at(AT_CWD, args[0], 0, args[1]);
}

long sys_lstat(const unsigned long args[6])
{
	return stat_at(AT_CWD, args[0], AT_SYMLINK_NOFOLLOW, args[1]);
}

long sys_newfstatat(const unsigned long args[6])
{
	return stat_at((int)args[0], args[1], (unsigned)args[3], args[2]);
}

long sys_fstat(const unsigned long args[6])
{
	struct file *f = files_get(current->files, (int)args[0]);
	if (!f)
		return -EBADF;
	long result = put_stat(f->vnode, args[1]);
	file_put(f);
	return result;
}

struct statx_time { int64_t sec; uint32_t nsec; int32_t pad; };
struct linux_statx {
	uint32_t mask, blksize;
	uint64_t attributes;
	uint32_t nlink, uid, gid;
	uint16_t mode, pad0;
	uint64_t ino, size, blocks, attributes_mask;
	struct statx_time atime, btime, ctime, mtime;
	uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
	uint64_t mnt_id, spare[13];
};
_Static_assert(sizeof(struct linux_statx) == 256, "struct statx has 256 bytes");
enum { STATX_BASIC = 0x7ff, STATX_BTIME = 0x800, STATX_MNT_ID = 0x1000, STATX_ATTR_MOUNT_ROOT = 0x2000 };
#define STATX_RESERVED 0x80000000u

static struct statx_time statx_time(struct timespec64 t) { return (struct statx_time){ .sec = t.sec, .nsec = (uint32_t)t.nsec }; }
static uint32_t dev_major(uint64_t dev) { return (uint32_t)(dev >> 8 & 0xfff); }
static uint32_t dev_minor(uint64_t dev) { return (uint32_t)((dev & 0xff) | (dev >> 12 & 0xfff00)); }

static long put_statx(struct vnode *v, vaddr_t to)
{
	struct vattr a;
	int error = vfs_getattr(v, &a);
	struct linux_statx s = {
		.mask = STATX_BASIC | STATX_MNT_ID | (a.btime.sec ? STATX_BTIME : 0), .attributes_mask = STATX_ATTR_MOUNT_ROOT,
		.attributes = v == v->mount->root ? STATX_ATTR_MOUNT_ROOT : 0, .blksize = (uint32_t)PAGE_SIZE, .nlink = a.nlink, .uid = a.uid, .gid = a.gid,
		.mode = (uint16_t)a.mode, .ino = a.ino, .size = a.size, .blocks = a.blocks,
		.atime = statx_time(a.atime), .ctime = statx_time(a.ctime), .mtime = statx_time(a.mtime), .btime = statx_time(a.btime),
		.rdev_major = dev_major(a.rdev), .rdev_minor = dev_minor(a.rdev),
		.dev_major = dev_major(v->mount->dev), .dev_minor = dev_minor(v->mount->dev), .mnt_id = v->mount->id,
	};

	return error ? error : user_put(to, s);
}

long sys_statx(const unsigned long args[6])
{
	unsigned flags = (unsigned)args[2];
	struct vnode *v;

	if (flags & ~(unsigned)(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE)
		|| (flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE || (uint32_t)args[3] & STATX_RESERVED)
		return -EINVAL;
	long result = vnode_at((int)args[0], args[1], flags, &v);
	if (result)
		return result;
	result = put_statx(v, args[4]);
	vnode_put(v);
	return result;
}

/* name_to_handle_at(dirfd, path, handle, mount_id, flags): no file system here has handles. */
long sys_name_to_handle_at(const unsigned long args[6])
{
	struct vnode *v;

	if ((unsigned)args[4] & ~(unsigned)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	long result = vnode_at((int)args[0], args[1], ((unsigned)args[4] & AT_EMPTY_PATH) | (args[4] & AT_SYMLINK_FOLLOW ? 0 : AT_SYMLINK_NOFOLLOW), &v);
	if (result)
		return result;
	vnode_put(v);
	return -EOPNOTSUPP;
}

/* ---- access ------------------------------------------------------------------------------------------------------------ */

static long access_at(int dirfd, vaddr_t path, unsigned may, unsigned flags)
{
	struct place p;
	struct vnode *v;

	if (may & ~(unsigned)(MAY_READ | MAY_WRITE | MAY_EXECUTE)
		|| flags & ~(unsigned)(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	long result = place_get(&p, dirfd, path);
	if (result)
		return result == -ENOENT && flags & AT_EMPTY_PATH ? -EBADF : result;	/* an empty path, and no file there */
	struct fs_context fs;			/* a copy: other threads of the process are on their way too */
	fs_context_copy(&fs, my_fs());
	if (!(flags & AT_EACCESS)) {		/* the real ids count, also on the way */
		fs.uid = current->uid;
		fs.gid = current->gid;
		fs.rights = current->uid ? 0 : current->capabilities.permitted & FS_RIGHTS_ALL;
	}
	if (p.path.text[0] == '\0' && flags & AT_EMPTY_PATH)
		v = p.at ? vnode_ref(p.at) : fs_context_cwd(&fs);
	else
		result = vfs_walk(&fs, p.at, p.path.text, flags & AT_SYMLINK_NOFOLLOW ? WALK_NOFOLLOW : WALK_FOLLOW, &v);
	if (!result) {
		result = may & MAY_EXECUTE && S_ISREG(v->mode) && v->mount->flags & MOUNT_NO_EXEC ? -EACCES : may ? vfs_permission(&fs, v, may) : 0;
		vnode_put(v);
	}
	fs_context_drop(&fs);
	place_drop(&p);
	return result;
}

long sys_access(const unsigned long args[6])
{
	return access_at(AT_CWD, args[0], (unsigned)args[1], 0);
}

long sys_faccessat(const unsigned long args[6])
{
	return access_at((int)args[0], args[1], (unsigned)args[2], 0);
}

long sys_faccessat2(const unsigned long args[6])
{
	return access_at((int)args[0], args[1], (unsigned)args[2], (unsigned)args[3]);
}

/* ---- changing attributes ----------------------------------------------------------------------------------------------- */

/* which: VATTR_ bits, or what is wrong with them, which counts if the file is there. */
static long set_at(int dirfd, vaddr_t path, unsigned flags, const struct vattr *attr, unsigned which)
{
	struct vnode *v;

	if (flags & ~(unsigned)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	long result = vnode_at(dirfd, path, flags, &v);
	if (result)
		return result;
	result = (int)which < 0 ? (int)which : S_ISLNK(v->mode) && which & VATTR_MODE ? -EOPNOTSUPP : vfs_setattr(my_fs(), v, attr, which);
	vnode_put(v);
	return result;
}

static long set_fd(int fd, const struct vattr *attr, unsigned which)
{
	struct file *f = files_get(current->files, fd);
	if (!f)
		return -EBADF;
	long result = f->flags & OPEN_PATH ? -EBADF : (int)which < 0 ? (int)which : vfs_setattr(my_fs(), f->vnode, attr, which);
	file_put(f);
	return result;
}

static long chmod_at(int dirfd, vaddr_t path, uint32_t mode, unsigned flags)
{
	const struct vattr attr = { .mode = mode & 07777 };

	return set_at(dirfd, path, flags, &attr, VATTR_MODE);
}

long sys_chmod(const unsigned long args[6])
{
	return chmod_at(AT_CWD, args[0], (uint32_t)args[1], 0);
}

long sys_fchmodat(const unsigned long args[6])
{
	return chmod_at((int)args[0], args[1], (uint32_t)args[2], 0);
}

long sys_fchmodat2(const unsigned long args[6])
{
	return chmod_at((int)args[0], args[1], (uint32_t)args[2], (unsigned)args[3]);
}

long sys_fchmod(const unsigned long args[6])
{
	const struct vattr attr = { .mode = (uint32_t)args[1] & 07777 };

	return set_fd((int)args[0], &attr, VATTR_MODE);
}

/* -1 leaves an owner as it is. */
static unsigned owner_change(struct vattr *attr, uint32_t uid, uint32_t gid)
{
	*attr = (struct vattr){ .uid = uid, .gid = gid };
	return VATTR_CHOWN | (uid != (uint32_t)-1 ? VATTR_UID : 0) | (gid != (uint32_t)-1 ? VATTR_GID : 0);
}

static long chown_at(int dirfd, vaddr_t path, unsigned long uid, unsigned long gid, unsigned flags)
{
	struct vattr attr;
	unsigned which = owner_change(&attr, (uint32_t)uid, (uint32_t)gid);

	return set_at(dirfd, path, flags, &attr, which);
}

long sys_chown(const unsigned long args[6])
{
	return chown_at(AT_CWD, args[0], args[1], args[2], 0);
}

long sys_lchown(const unsigned long args[6])
{
	return chown_at(AT_CWD, args[0], args[1], args[2], AT_SYMLINK_NOFOLLOW);
}

long sys_fchownat(const unsigned long args[6])
{
	return chown_at((int)args[0], args[1], args[2], args[3], (unsigned)args[4]);
}

long sys_fchown(const unsigned long args[6])
{
	struct vattr attr;
	unsigned which = owner_change(&attr, (uint32_t)args[1], (uint32_t)args[2]);

	return set_fd((int)args[0], &attr, which);
}

/* ---- times ------------------------------------------------------------------------------------------------------------- */

enum { TIME_NOW = 0x3fffffff, TIME_OMIT = 0x3ffffffe, NSEC_PER_SECOND = 1000000000 };
struct timeval64 { int64_t sec, usec; };

/* What utimensat's two times ask for: VATTR_ bits, and the values; -EINVAL. */
static int time_change(const struct timespec64 t[2], struct vattr *attr)
{
	struct timespec64 now = vfs_now(), *to[2] = { &attr->atime, &attr->mtime };
	static const unsigned bits[2] = { VATTR_ATIME, VATTR_MTIME };
	int which = 0;

	for (int i = 0; i < 2; i++) {
		if (t[i].nsec == TIME_OMIT)
			continue;
		if (t[i].nsec != TIME_NOW && (t[i].nsec < 0 || t[i].nsec >= NSEC_PER_SECOND))
			return -EINVAL;
		*to[i] = t[i].nsec == TIME_NOW ? now : t[i];
		which |= (int)bits[i];
	}
	if (t[0].nsec == TIME_NOW && t[1].nsec == TIME_NOW)
		which |= VATTR_NOW;
	return which;
}

/* path 0: the descriptor's own file. */
static long set_times(int dirfd, vaddr_t path, unsigned flags, const struct timespec64 t[2])
{
	struct vattr attr;
	int which = time_change(t, &attr);

	if (!which)				/* nothing to be done: not even the file is looked for */
		return 0;
	if (path || dirfd == AT_CWD)
		return path ? set_at(dirfd, path, flags, &attr, (unsigned)which) : -EFAULT;
	return flags ? -EINVAL : set_fd(dirfd, &attr, (unsigned)which);
}

static const struct timespec64 both_now[2] = { { 0, TIME_NOW }, { 0, TIME_NOW } };

long sys_utimensat(const unsigned long args[6])
{
	struct timespec64 t[2];

	if (args[2] && user_copy_in(t, args[2], sizeof t))
		return -EFAULT;
	return set_times((int)args[0], args[1], (unsigned)args[3], args[2] ? t : both_now);
}

static long set_times_usec(int dirfd, vaddr_t path, vaddr_t times)
{
	struct timeval64 tv[2];
	struct timespec64 t[2];

	if (!times)
		return set_times(dirfd, path, 0, both_now);
	if (user_copy_in(tv, times, sizeof tv))
		return -EFAULT;
	for (int i = 0; i < 2; i++) {
		if (tv[i].usec < 0 || tv[i].usec >= 1000000)
			return -EINVAL;
		t[i] = (struct timespec64){ tv[i].sec, tv[i].usec * 1000 };
	}
	return set_times(dirfd, path, 0, t);
}

long sys_utimes(const unsigned long args[6])
{
	return set_times_usec(AT_CWD, args[0], args[1]);
}

long sys_futimesat(const unsigned long args[6])
{
	return set_times_usec((int)args[0], args[1], args[2]);
}

long sys_utime(const unsigned long args[6])
{
	int64_t seconds[2];

	if (!args[1])
		return set_times(AT_CWD, args[0], 0, both_now);
	if (user_copy_in(seconds, args[1], sizeof seconds))
		return -EFAULT;
	const struct timespec64 t[2] = { { seconds[0], 0 }, { seconds[1], 0 } };
	return set_times(AT_CWD, args[0], 0, t);
}

/* ---- sizes ------------------------------------------------------------------------------------------------------------- */

long sys_truncate(const unsigned long args[6])
{
	struct vnode *v;

	if ((int64_t)args[1] < 0)
		return -EINVAL;
	long result = vnode_at(AT_CWD, args[0], 0, &v);
	if (result)
		return result;
	if (S_ISREG(v->mode))
		result = vfs_permission(my_fs(), v, MAY_WRITE);
	if (!result)
		result = check_file_limit(v, args[1]);
	if (!result)
		result = vfs_truncate(my_fs(), v, args[1]);
	vnode_put(v);
	return result;
}

long sys_ftruncate(const unsigned long args[6])
{
	if ((int64_t)args[1] < 0)
		return -EINVAL;
	struct file *f = files_get(current->files, (int)args[0]);
	if (!f)
		return -EBADF;
	long result = f->flags & OPEN_PATH ? -EBADF : !file_writable(f) || !S_ISREG(f->vnode->mode) ? -EINVAL : check_file_limit(f->vnode, args[1]);
	if (!result)
		result = vfs_truncate(my_fs(), f->vnode, args[1]);
	file_put(f);
	return result;
}

/* Is it a mode that Linux knows, with or without KEEP_SIZE as that mode wants? */
static bool known_allocation(unsigned how)
{
	enum { COLLAPSE = 8, ZERO = 16, INSERT = 32, UNSHARE = 64 };

	switch (how & ~(unsigned)ALLOCATE_KEEP_SIZE) {
	case 0: case ZERO: case UNSHARE:
		return true;
	case ALLOCATE_PUNCH_HOLE:
		return how & ALLOCATE_KEEP_SIZE;
	case COLLAPSE: case INSERT:
		return !(how & ALLOCATE_KEEP_SIZE);
	default:
		return false;
	}
}

/* In Linux's order. */
static long allocate(struct file *f, unsigned how, int64_t from, int64_t len)
{
	struct vnode *v = f->vnode;
	int64_t end;

	if (f->flags & OPEN_PATH)
		return -EBADF;
	if (from < 0 || len <= 0)
		return -EINVAL;
	if (!known_allocation(how))
		return -EOPNOTSUPP;
	if (!file_writable(f))
		return -EBADF;
	if (S_ISFIFO(v->mode))
		return -ESPIPE;
	if (!S_ISREG(v->mode))
		return S_ISDIR(v->mode) ? -EISDIR : -ENODEV;
	if (__builtin_add_overflow(from, len, &end))
		return -EFBIG;
	if (!v->ops->allocate)
		return -EOPNOTSUPP;
	mutex_lock(&v->lock);
	int error = how & ALLOCATE_PUNCH_HOLE ? 0 : check_file_limit(v, (uint64_t)end);
	if (!error)
		error = v->ops->allocate(v, how, (uint64_t)from, (uint64_t)end);
	mutex_unlock(&v->lock);
	return error;
}

long sys_fallocate(const unsigned long args[6])
{
	struct file *f = files_get(current->files, (int)args[0]);
	if (!f)
		return -EBADF;
	long result = allocate(f, (unsigned)args[1], (int64_t)args[2], (int64_t)args[3]);
	file_put(f);
	return result;
}

/* ---- whole file systems, and what has no effect here ------------------------------------------------------------------- */

static long put_statfs(struct vnode *v, vaddr_t to)
{
	struct linux_statfs s;
	int error = mount_statfs(v->mount, &s);

	return error ? error : user_put(to, s);
}

long sys_statfs(const unsigned long args[6])
{
	struct vnode *v;
	long result = vnode_at(AT_CWD, args[0], 0, &v);

	if (result)
		return result;
	result = put_statfs(v, args[1]);
	vnode_put(v);
	return result;
}

long sys_fstatfs(const unsigned long args[6])
{
	struct file *f = files_get(current->files, (int)args[0]);
	if (!f)
		return -EBADF;
	long result = put_statfs(f->vnode, args[1]);
	file_put(f);
	return result;
}

long sys_sync(const unsigned long args[6])
{
	(void)args;
	vm_sync();
	return 0;
}

long sync_fd(int fd, bool whole)
{
	struct file *f = files_get(current->files, fd);
	if (!f)
		return -EBADF;
	uint32_t mode = f->vnode->mode;
	long result = f->flags & OPEN_PATH ? -EBADF : whole || S_ISREG(mode) || S_ISDIR(mode) ? 0 : -EINVAL;
	if (!result && whole)
		vm_sync();
	else if (!result && f->vnode->object)
		vm_writeback(f->vnode->object, 0, OBJECT_ENDLESS);
	file_put(f);
	return result;
}

long sys_fsync(const unsigned long args[6])     { return sync_fd((int)args[0], false); }
long sys_fdatasync(const unsigned long args[6]) { return sync_fd((int)args[0], false); }
long sys_syncfs(const unsigned long args[6])    { return sync_fd((int)args[0], true); }

/* sync_file_range(fd, offset, bytes, flags): no bytes: up to the end. */
long sys_sync_file_range(const unsigned long args[6])
{
	int64_t from = (int64_t)args[1], n = (int64_t)args[2], end;
	struct file *f = files_get(current->files, (int)args[0]);
	if (!f || f->flags & OPEN_PATH) {
		file_put(f);
		return -EBADF;
	}
	long result = args[3] & ~7ul || from < 0 || n < 0 || __builtin_add_overflow(from, n, &end) ? -EINVAL :
		S_ISREG(f->vnode->mode) || S_ISDIR(f->vnode->mode) ? 0 : -ESPIPE;
	if (!result && f->vnode->object)
		vm_writeback(f->vnode->object, (uint64_t)from >> PAGE_SHIFT, n ? (uint64_t)(end - 1) >> PAGE_SHIFT : OBJECT_ENDLESS);
	file_put(f);
	return result;
}

long sys_fadvise64(const unsigned long args[6])
{
	enum { ADVICES = 6 };
	struct file *f = files_get(current->files, (int)args[0]);
	if (!f)
		return -EBADF;
	long result = f->flags & OPEN_PATH ? -EBADF : S_ISFIFO(f->vnode->mode) ? -ESPIPE : (int64_t)args[2] < 0 || (unsigned)args[3] >= ADVICES ? -EINVAL : 0;
	file_put(f);
	return result;
}

long sys_readahead(const unsigned long args[6])
{
	struct file *f = files_get(current->files, (int)args[0]);
	if (!f)
		return -EBADF;
	long result = !file_readable(f) ? -EBADF : S_ISREG(f->vnode->mode) ? 0 : -EINVAL;
	file_put(f);
	return result;
}
