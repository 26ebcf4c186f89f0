/*
 * kernel/sys_file.c - system calls about descriptors: open, close, dup, fcntl, ioctl, pipe; and the arguments that all file calls share.
 */
#include "kernel/sys_file.h"
#include "arch/uaccess.h"
#include "fs/memfd.h"
#include "kernel/sigio.h"
#include "vm/heap.h"
#include "lib/string.h"

/* ---- arguments --------------------------------------------------------------------------------------------------------- */

struct fs_context *my_fs(void)
{
	struct process *p = current;
	uint64_t rights = p->capabilities.effective;

	if (p->fs.uid == 0 && p->euid != 0)
		rights |= p->capabilities.permitted & FS_RIGHTS_BY_USER;
	else if (p->fs.uid != 0 && p->euid == 0)
		rights &= ~(uint64_t)FS_RIGHTS_BY_USER;
	p->fs.rights = rights & FS_RIGHTS_ALL;
	return &p->fs;
}

int path_get(struct path *p, vaddr_t from)
{
	ssize len = user_string(p->few, from, sizeof p->few);

	p->text = p->few;
	if (len != -ENAMETOOLONG)
		return len < 0 ? (int)len : 0;
	p->text = kmalloc(PATH_MAX_BYTES);
	if (!p->text)
		return -ENOMEM;
	len = user_string(p->text, from, PATH_MAX_BYTES);
	if (len < 0)
		kfree(p->text);
	return len < 0 ? (int)len : 0;
}

void path_drop(struct path *p)
{
	if (p->text != p->few)
		kfree(p->text);
}

int place_get(struct place *p, int dirfd, vaddr_t path)
{
	int error = path_get(&p->path, path);

	p->file = NULL;
	p->at = NULL;
	if (error || p->path.text[0] == '/' || dirfd == AT_CWD)
		return error;
	p->file = files_get(current->files, dirfd);
	if (p->file) {
		p->at = p->file->vnode;
		return 0;
	}
	error = p->path.text[0] ? -EBADF : -ENOENT;
	path_drop(&p->path);
	return error;
}

void place_drop(struct place *p)
{
	file_put(p->file);
	path_drop(&p->path);
}

int place_vnode(struct place *p, unsigned flags, struct vnode **out)
{
	struct fs_context *fs = my_fs();

	if (p->path.text[0] == '\0' && flags & AT_EMPTY_PATH) {
		*out = p->at ? vnode_ref(p->at) : fs_context_cwd(fs);
		return 0;
	}
	return vfs_walk(fs, p->at, p->path.text, flags & AT_SYMLINK_NOFOLLOW ? WALK_NOFOLLOW : WALK_FOLLOW, out);
}

int vnode_at(int dirfd, vaddr_t path, unsigned flags, struct vnode **out)
{
	struct place p;
	int error = place_get(&p, dirfd, path);

	if (error == -ENOENT && flags & AT_EMPTY_PATH)		/* an empty path, and no file there */
		return -EBADF;
	if (error)
		return error;
	error = place_vnode(&p, flags, out);
	place_drop(&p);
	return error;
}

/* A structure that may become longer: what the kernel does not know has to be zeros. */
static int get_extensible(void *to, size_t known, vaddr_t from, size_t size)
{
	char rest[64];

	if (size < known)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	if (user_copy_in(to, from, known))
		return -EFAULT;
	for (size_t done = known, n; done < size; done += n) {
		n = size - done < sizeof rest ? size - done : sizeof rest;
		if (user_copy_in(rest, from + done, n))
			return -EFAULT;
		for (size_t i = 0; i < n; i++)
			if (rest[i])
				return -E2BIG;
	}
	return 0;
}

/* ---- open and close ---------------------------------------------------------------------------------------------------- */

static long open_at(int dirfd, vaddr_t path, const struct open_how *how)
{
	struct place p;
	struct file *f;
	long result = place_get(&p, dirfd, path);

	if (result)
		return result;
	if (how->resolve & RESOLVE_IN_ROOT && !p.file && dirfd != AT_CWD) {		/* then it matters for an absolute path, too */
		p.file = files_get(current->files, dirfd);
		p.at = p.file ? p.file->vnode : NULL;
		result = p.file ? 0 : -EBADF;
	}
	if (!result)
		result = vfs_open_how(my_fs(), p.at, p.path.text, how, &f);
	if (!result) {
		result = files_install(current->files, f, 0, how->flags & OPEN_CLOSE_ON_EXEC);
		if (result < 0)
			file_put(f);
	}
	place_drop(&p);
	return io_result(result);
}

static long open_old(int dirfd, vaddr_t path, unsigned flags, uint32_t mode)
{
	return open_at(dirfd, path, &(struct open_how){ .flags = flags, .mode = mode });
}

long sys_open(const unsigned long args[6])
{
	return open_old(AT_CWD, args[0], (unsigned)args[1], (uint32_t)args[2]);
}

long sys_openat(const unsigned long args[6])
{
	return open_old((int)args[0], args[1], (unsigned)args[2], (uint32_t)args[3]);
}

/* openat2(dirfd, path, how, size): a longer structure may be given by programs that are newer, if the rest is zeros. */
long sys_openat2(const unsigned long args[6])
{
	enum { KNOWN_FLAGS = OPEN_ACCESS | OPEN_CREATE | OPEN_EXCLUSIVE | OPEN_NO_CTTY | OPEN_TRUNCATE | OPEN_APPEND | OPEN_NONBLOCK | OPEN_SYNC | OPEN_ASYNC
		| OPEN_DIRECT | OPEN_LARGE | OPEN_TEMPORARY | OPEN_NOFOLLOW | OPEN_NO_ATIME | OPEN_CLOSE_ON_EXEC | OPEN_PATH };
	struct open_how how;
	int error = get_extensible(&how, sizeof how, args[2], args[3]);

	if (error)
		return error;
	bool creates = how.flags & (OPEN_CREATE | (OPEN_TEMPORARY & ~OPEN_DIRECTORY));
	if (how.flags & ~(uint64_t)KNOWN_FLAGS || how.resolve & ~(uint64_t)RESOLVE_ALL || how.mode & ~(creates ? (uint64_t)07777 : 0)
		|| (how.resolve & RESOLVE_BENEATH && how.resolve & RESOLVE_IN_ROOT)
		|| (how.flags & OPEN_PATH && how.flags & ~(uint64_t)(OPEN_PATH | OPEN_DIRECTORY | OPEN_NOFOLLOW | OPEN_CLOSE_ON_EXEC)))
		return -EINVAL;
	if (how.resolve & RESOLVE_CACHED && how.flags & (OPEN_TRUNCATE | OPEN_CREATE | (OPEN_TEMPORARY & ~OPEN_DIRECTORY)))
		return -EAGAIN;
	return open_at((int)args[0], args[1], &how);
}

long sys_creat(const unsigned long args[6])
{
	return open_old(AT_CWD, args[0], OPEN_CREATE | OPEN_WRITE | OPEN_TRUNCATE, (uint32_t)args[1]);
}

long sys_close(const unsigned long args[6])
{
	return files_close(current->files, (int)args[0]);
}

long sys_close_range(const unsigned long args[6])
{
	enum { RANGE_UNSHARE = 2, RANGE_CLOSE_ON_EXEC = 4 };
	unsigned first = (unsigned)args[0], last = (unsigned)args[1], flags = (unsigned)args[2];

	if (flags & ~(unsigned)(RANGE_UNSHARE | RANGE_CLOSE_ON_EXEC) || first > last)
		return -EINVAL;
	int error = flags & RANGE_UNSHARE ? files_unshare(current) : 0;
	if (error)
		return error;
	struct file_table *t = current->files;
	for (unsigned fd = first; fd <= last && fd < (unsigned)files_size(t); fd++) {
		if (flags & RANGE_CLOSE_ON_EXEC)
			files_set_close_on_exec(t, (int)fd, true);
		else
			files_close(t, (int)fd);
	}
	return 0;
}

/* ---- copies of descriptors --------------------------------------------------------------------------------------------- */

static long dup_from(int fd, int from, bool close_on_exec)
{
	struct file *f = files_get(current->files, fd);
	if (!f)
		return -EBADF;
	if (from < 0 || (uint64_t)from >= current->limits[LIMIT_NOFILE].cur) {
		file_put(f);
		return -EINVAL;
	}
	int copy = files_install(current->files, f, from, close_on_exec);
	if (copy < 0)
		file_put(f);
	return copy;
}

static long dup_to(int fd, int to, bool close_on_exec)
{
	struct file *f = files_get(current->files, fd);
	if (!f)
		return -EBADF;
	long result = files_replace(current->files, f, to, close_on_exec);
	if (result < 0)
		file_put(f);
	return result;
}

long sys_dup(const unsigned long args[6])
{
	return dup_from((int)args[0], 0, false);
}

long sys_dup2(const unsigned long args[6])
{
	if ((int)args[0] != (int)args[1])
		return dup_to((int)args[0], (int)args[1], false);
	return files_get_close_on_exec(current->files, (int)args[0]) < 0 ? -EBADF : (int)args[0];
}

long sys_dup3(const unsigned long args[6])
{
	if ((int)args[0] == (int)args[1] || (unsigned)args[2] & ~(unsigned)OPEN_CLOSE_ON_EXEC)
		return -EINVAL;
	return dup_to((int)args[0], (int)args[1], args[2] & OPEN_CLOSE_ON_EXEC);
}

/* ---- pipes ------------------------------------------------------------------------------------------------------------- */

/* The table gets references of its own: another thread may close what is there at once. */
long files_install_pair(struct file_table *t, struct file *ends[2], bool close_on_exec, vaddr_t to)
{
	int fds[2], installed = 0, error = 0;

	for (int i = 0; i < 2; i++) {
		ends[i]->vnode->uid = current->euid;
		ends[i]->vnode->gid = current->egid;
	}
	for (int i = 0; i < 2 && !error; i++) {
		fds[i] = files_install(t, file_ref(ends[i]), 0, close_on_exec);
		error = fds[i] < 0 ? fds[i] : 0;
		installed += !error;
	}
	if (error)
		file_put(ends[installed]);
	else
		error = user_put(to, fds);
	for (int i = 0; i < 2; i++) {
		if (error && i < installed)
			files_uninstall(t, fds[i], ends[i]);
		file_put(ends[i]);
	}
	return error;
}

bool pipe_unlimited(void)
{
	return capable(CAP_SYS_RESOURCE);
}

static long make_pipe(vaddr_t to, unsigned flags)
{
	struct file *ends[2];

	if (flags & ~(unsigned)(OPEN_CLOSE_ON_EXEC | OPEN_NONBLOCK | OPEN_DIRECT))
		return -EINVAL;
	int error = pipe_create(ends, flags & (OPEN_NONBLOCK | OPEN_DIRECT));
	return error ? error : files_install_pair(current->files, ends, flags & OPEN_CLOSE_ON_EXEC, to);
}

long sys_pipe(const unsigned long args[6])
{
	return make_pipe(args[0], 0);
}

long sys_pipe2(const unsigned long args[6])
{
	return make_pipe(args[0], (unsigned)args[1]);
}

/* ---- files without a place ------------------------------------------------------------------------------------------------ */

/* memfd_create(name, flags) */
long sys_memfd_create(const unsigned long args[6])
{
	enum { CLOSE_ON_EXEC = 1, ALLOW_SEALING = 2, HUGETLB = 4, NOEXEC_SEAL = 8, EXEC = 16, KNOWN = 31 };
	char name[NAME_MAX_BYTES + 1] = "memfd:";
	const size_t prefix = strlen(name);
	unsigned flags = (unsigned)args[1];
	struct file *f;

	if (flags & ~(unsigned)KNOWN || (flags & EXEC && flags & NOEXEC_SEAL))
		return -EINVAL;
	ssize len = user_string(name + prefix, args[0], sizeof name - prefix);
	if (len < 0)
		return len == -ENAMETOOLONG ? -EINVAL : len;
	if (flags & HUGETLB)
		return -ENOSYS;				/* as a Linux without such pages */
	unsigned seals = flags & NOEXEC_SEAL ? SEAL_EXEC : flags & ALLOW_SEALING ? 0 : SEAL_SEAL;
	int error = memfd_open(my_fs(), name, flags & NOEXEC_SEAL ? 0666 : 0777, seals, &f);
	if (error)
		return error;
	int fd = files_install(current->files, f, 0, flags & CLOSE_ON_EXEC);
	if (fd < 0)
		file_put(f);
	return fd;
}

/* ---- fcntl ------------------------------------------------------------------------------------------------------------- */

enum fcntl_command {
	F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETLK, F_SETLK, F_SETLKW, F_SETOWN, F_GETOWN, F_SETSIG, F_GETSIG,
	F_SETOWN_EX = 15, F_GETOWN_EX, F_GETOWNER_UIDS, F_OFD_GETLK = 36, F_OFD_SETLK, F_OFD_SETLKW, F_SETLEASE = 1024, F_GETLEASE, F_DUPFD_CLOEXEC = 1030, F_SETPIPE_SZ, F_GETPIPE_SZ, F_ADD_SEALS, F_GET_SEALS,
};
enum { FD_CLOEXEC = 1, UNLOCKED = 2 /* F_UNLCK */ };
#define PIPE_SIZE_MOST	(1u << 31)

static long set_flags(struct file *f, int fd, unsigned flags)
{
	const unsigned changeable = OPEN_APPEND | OPEN_NONBLOCK | OPEN_DIRECT | OPEN_NO_ATIME;

	if (flags & ~f->flags & OPEN_NO_ATIME && !fs_has(my_fs(), FS_OWNER) && my_fs()->uid != f->vnode->uid)
		return -EPERM;
	int error = (flags ^ f->flags) & OPEN_ASYNC ? sigio_set(f, fd, flags & OPEN_ASYNC) : 0;
	if (error && error != -ENOTTY)			/* other files do without */
		return error;
	file_change_flags(f, changeable, flags & changeable);
	return 0;
}

/* Who is told of what happens to the file (SIGIO): a thread, a process or a group of them, and by which signal (0: SIGIO). */
static long set_owner(struct file *f, enum file_owner_kind kind, int32_t number)
{
	mutex_lock(&tree_lock);
	bool there = number == 0 || (kind == OWNER_THREAD ? (bool)thread_find(number) : kind == OWNER_PROCESS ? (bool)process_of(number) : process_group_exists(number));
	mutex_unlock(&tree_lock);
	if (!there)
		return -ESRCH;
	f->owner = (struct file_owner){ .kind = kind, .number = number, .uid = current->uid, .euid = current->euid, .signo = f->owner.signo };
	return 0;
}

static long fcntl_owner(struct file *f, int command, unsigned long arg)
{
	struct { int32_t kind, number; } ex = { (int32_t)f->owner.kind, f->owner.number };
	uint32_t ids[2] = { f->owner.uid, f->owner.euid };
	int32_t number = (int32_t)arg;

	switch (command) {
	case F_SETOWN:
		if (number == INT32_MIN)
			return -EINVAL;
		return number < 0 ? set_owner(f, OWNER_GROUP, -number) : set_owner(f, OWNER_PROCESS, number);
	case F_GETOWN:
		return f->owner.kind == OWNER_GROUP ? -(long)f->owner.number : f->owner.number;
	case F_SETSIG:
		if (arg > SIGNALS)
			return -EINVAL;
		f->owner.signo = (unsigned char)arg;
		return 0;
	case F_GETSIG:
		return f->owner.signo;
	case F_SETOWN_EX:
		if (user_get(ex, arg))
			return -EFAULT;
		return ex.kind < OWNER_THREAD || ex.kind > OWNER_GROUP ? -EINVAL : set_owner(f, (enum file_owner_kind)ex.kind, ex.number);
	case F_GETOWN_EX:
		return user_put(arg, ex);
	default:
		return user_put(arg, ids);
	}
}

static long fcntl_file(struct file *f, int fd, int command, unsigned long arg)
{
	switch (command) {
	case F_GETFL:
		return (long)f->flags;
	case F_SETFL:
		return set_flags(f, fd, (unsigned)arg);
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
		return fcntl_lock(f, fd, command - F_GETLK, LOCKS_OF_PROCESS, arg);
	case F_OFD_GETLK:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		return fcntl_lock(f, fd, command - F_OFD_GETLK, LOCKS_OF_FILE, arg);
	case F_SETOWN:
	case F_GETOWN:
	case F_SETSIG:
	case F_GETSIG:
	case F_SETOWN_EX:
	case F_GETOWN_EX:
	case F_GETOWNER_UIDS:
		return fcntl_owner(f, command, arg);
	case F_SETLEASE:			/* there are no leases: none is given, and none is held */
		return arg == UNLOCKED ? -EAGAIN : -EINVAL;
	case F_GETLEASE:
		return UNLOCKED;
	case F_SETPIPE_SZ:
		return !file_is_pipe(f) ? -EBADF : (unsigned)arg > PIPE_SIZE_MOST ? -EINVAL : pipe_resize(f, (unsigned)arg);
	case F_ADD_SEALS:
		return file_add_seals(f, (unsigned)arg);
	case F_GET_SEALS:
		return file_seals(f);
	case F_GETPIPE_SZ:
		return file_is_pipe(f) ? (long)pipe_size(f) : -EBADF;
	default:
		return -EINVAL;
	}
}

long sys_fcntl(const unsigned long args[6])
{
	int fd = (int)args[0], command = (int)args[1];
	struct file_table *t = current->files;

	switch (command) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		return dup_from(fd, (int)args[2], command == F_DUPFD_CLOEXEC);
	case F_GETFD:
		return files_get_close_on_exec(t, fd);
	case F_SETFD:
		return files_set_close_on_exec(t, fd, args[2] & FD_CLOEXEC);
	default:
		break;
	}
	struct file *f = files_get(t, fd);
	if (!f)
		return -EBADF;
	long result = f->flags & OPEN_PATH && command != F_GETFL ? -EBADF : fcntl_file(f, fd, command, args[2]);
	file_put(f);
	return result;
}

/* ---- ioctl ------------------------------------------------------------------------------------------------------------- */

enum { FIONREAD = 0x541b, FIONBIO = 0x5421, FIONCLEX = 0x5450, FIOCLEX = 0x5451, FIOASYNC = 0x5452, FIGETBSZ = 2, FIOSETOWN = 0x8901, SIOCSPGRP, FIOGETOWN, SIOCGPGRP };

static long set_nonblock(struct file *f, vaddr_t arg)
{
	int on;
	int error = user_get(on, arg);

	if (!error)
		file_change_flags(f, OPEN_NONBLOCK, on ? OPEN_NONBLOCK : 0);
	return error;
}

static long set_async(struct file *f, int fd, vaddr_t arg)
{
	int on;
	int error = user_get(on, arg);

	return error || !on == !(f->flags & OPEN_ASYNC) ? error : sigio_set(f, fd, on);
}

/* Sockets have their own names for F_SETOWN and F_GETOWN. */
static long socket_owner(struct file *f, bool set, vaddr_t arg)
{
	int number = set ? 0 : (int)fcntl_owner(f, F_GETOWN, 0);

	if (!set)
		return user_put(arg, number);
	return user_get(number, arg) ? -EFAULT : fcntl_owner(f, F_SETOWN, (unsigned long)number);
}

/* Bytes from the position to the end. */
static long readable_bytes(struct file *f, vaddr_t arg)
{
	struct vattr attr;
	int error = vfs_getattr(f->vnode, &attr);
	uint64_t pos = __atomic_load_n(&f->pos, __ATOMIC_RELAXED);
	int bytes = attr.size > pos ? (int)(attr.size - pos) : 0;

	return error ? error : user_put(arg, bytes);
}

static long ioctl_file(struct file *f, int fd, unsigned command, unsigned long arg)
{
	int block = (int)PAGE_SIZE;

	switch (command) {
	case FIONBIO:
		return set_nonblock(f, arg);
	case FIOASYNC:
		return set_async(f, fd, arg);
	case FIGETBSZ:
		return user_put(arg, block);
	case FIONREAD:
		if (S_ISREG(f->vnode->mode))
			return readable_bytes(f, arg);
		break;
	case FIOSETOWN: case SIOCSPGRP: case FIOGETOWN: case SIOCGPGRP:
		if (S_ISSOCK(f->vnode->mode))
			return socket_owner(f, command <= SIOCSPGRP, arg);
		break;
	default:
		break;
	}
	return f->ops->ioctl ? f->ops->ioctl(f, command, arg) : -ENOTTY;
}

long sys_ioctl(const unsigned long args[6])
{
	unsigned command = (unsigned)args[1];
	struct file *f = files_get(current->files, (int)args[0]);

	if (!f)
		return -EBADF;
	long result;
	if (f->flags & OPEN_PATH)
		result = -EBADF;
	else if (command == FIOCLEX || command == FIONCLEX)
		result = files_set_close_on_exec(current->files, (int)args[0], command == FIOCLEX);
	else
		result = io_result(ioctl_file(f, (int)args[0], command, args[2]));
	file_put(f);
	return result;
}
