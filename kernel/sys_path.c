/*
 * kernel/sys_path.c - system calls about names: making, removing, renaming, links, reading directories, and where a process stands.
 */
#include "kernel/sys_file.h"
#include "arch/uaccess.h"
#include "vm/heap.h"
#include "lib/string.h"

/* ---- making ------------------------------------------------------------------------------------------------------------ */

static long make_at(int dirfd, vaddr_t path, uint32_t mode, uint64_t rdev)
{
	struct place p;
	long result = place_get(&p, dirfd, path);

	if (!result) {
		result = vfs_make(my_fs(), p.at, p.path.text, mode, rdev);
		place_drop(&p);
	}
	return result;
}

long sys_mkdir(const unsigned long args[6])
{
	return make_at(AT_CWD, args[0], S_IFDIR | ((uint32_t)args[1] & 01777), 0);
}

long sys_mkdirat(const unsigned long args[6])
{
	return make_at((int)args[0], args[1], S_IFDIR | ((uint32_t)args[2] & 01777), 0);
}

static long mknod_at(int dirfd, vaddr_t path, uint32_t mode, uint32_t rdev)
{
	switch (mode & S_IFMT) {
	case 0:
		mode |= S_IFREG;
		break;
	case S_IFREG:
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		break;
	case S_IFDIR:
		return -EPERM;
	default:
		return -EINVAL;
	}
	return make_at(dirfd, path, mode & (S_IFMT | 07777), S_ISCHR(mode) || S_ISBLK(mode) ? rdev : 0);
}

long sys_mknod(const unsigned long args[6])
{
	return mknod_at(AT_CWD, args[0], (uint32_t)args[1], (uint32_t)args[2]);
}

long sys_mknodat(const unsigned long args[6])
{
	return mknod_at((int)args[0], args[1], (uint32_t)args[2], (uint32_t)args[3]);
}

static long symlink_at(vaddr_t target, int dirfd, vaddr_t path)
{
	struct path to;
	struct place p;
	long result = path_get(&to, target);

	if (result)
		return result;
	result = place_get(&p, dirfd, path);
	if (!result) {
		result = vfs_symlink(my_fs(), p.at, p.path.text, to.text);
		place_drop(&p);
	}
	path_drop(&to);
	return result;
}

long sys_symlink(const unsigned long args[6])
{
	return symlink_at(args[0], AT_CWD, args[1]);
}

long sys_symlinkat(const unsigned long args[6])
{
	return symlink_at(args[0], (int)args[1], args[2]);
}

static long link_at(int from_fd, vaddr_t from, int dirfd, vaddr_t path, unsigned flags)
{
	struct vnode *v;
	struct place p;

	if (flags & ~(unsigned)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (flags & AT_EMPTY_PATH && !capable(CAP_DAC_READ_SEARCH))
		return -ENOENT;
	long result = vnode_at(from_fd, from, (flags & AT_EMPTY_PATH) | (flags & AT_SYMLINK_FOLLOW ? 0 : AT_SYMLINK_NOFOLLOW), &v);
	if (result)
		return result;
	result = place_get(&p, dirfd, path);
	if (!result) {
		result = vfs_link(my_fs(), v, p.at, p.path.text);
		place_drop(&p);
	}
	vnode_put(v);
	return result;
}

long sys_link(const unsigned long args[6])
{
	return link_at(AT_CWD, args[0], AT_CWD, args[1], 0);
}

long sys_linkat(const unsigned long args[6])
{
	return link_at((int)args[0], args[1], (int)args[2], args[3], (unsigned)args[4]);
}

/* ---- removing and renaming --------------------------------------------------------------------------------------------- */

static long unlink_at(int dirfd, vaddr_t path, enum unlink_what what)
{
	struct place p;
	long result = place_get(&p, dirfd, path);

	if (!result) {
		result = vfs_unlink(my_fs(), p.at, p.path.text, what);
		place_drop(&p);
	}
	return result;
}

long sys_unlink(const unsigned long args[6])
{
	return unlink_at(AT_CWD, args[0], UNLINK_FILE);
}

long sys_rmdir(const unsigned long args[6])
{
	return unlink_at(AT_CWD, args[0], UNLINK_DIRECTORY);
}

long sys_unlinkat(const unsigned long args[6])
{
	if ((unsigned)args[2] & ~(unsigned)AT_REMOVEDIR)
		return -EINVAL;
	return unlink_at((int)args[0], args[1], args[2] & AT_REMOVEDIR ? UNLINK_DIRECTORY : UNLINK_FILE);
}

static long rename_at(int from_fd, vaddr_t from, int to_fd, vaddr_t to, unsigned flags)
{
	struct place a, b;

	if (flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE) || flags == (RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	long result = place_get(&a, from_fd, from);
	if (result)
		return result;
	result = *a.path.text ? place_get(&b, to_fd, to) : -ENOENT;
	if (!result) {
		result = vfs_rename(my_fs(), a.at, a.path.text, b.at, b.path.text, flags);
		place_drop(&b);
	}
	place_drop(&a);
	return result;
}

long sys_rename(const unsigned long args[6])
{
	return rename_at(AT_CWD, args[0], AT_CWD, args[1], 0);
}

long sys_renameat(const unsigned long args[6])
{
	return rename_at((int)args[0], args[1], (int)args[2], args[3], 0);
}

long sys_renameat2(const unsigned long args[6])
{
	return rename_at((int)args[0], args[1], (int)args[2], args[3], (unsigned)args[4]);
}

/* ---- reading links and directories ------------------------------------------------------------------------------------- */

static long readlink_at(int dirfd, vaddr_t path, vaddr_t to, int size)
{
	struct place p;
	struct vnode *v;

	if (size <= 0)
		return -EINVAL;
	long result = place_get(&p, dirfd, path);
	if (result)
		return result;
	result = place_vnode(&p, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, &v);
	bool empty = p.path.text[0] == '\0';
	place_drop(&p);
	if (result)
		return result;
	size_t n = (size_t)size < PATH_MAX_BYTES ? (size_t)size : PATH_MAX_BYTES;
	char *text = kmalloc(n);
	result = text ? vfs_readlink(v, text, n) : -ENOMEM;
	if (result == -EINVAL && empty)
		result = -ENOENT;
	if (result > 0 && user_copy_out(to, text, (size_t)result))
		result = -EFAULT;
	kfree(text);
	vnode_put(v);
	return result;
}

long sys_readlink(const unsigned long args[6])
{
	return readlink_at(AT_CWD, args[0], args[1], (int)args[2]);
}

long sys_readlinkat(const unsigned long args[6])
{
	return readlink_at((int)args[0], args[1], args[2], (int)args[3]);
}

/* Entries are gathered here under the directory's lock, and copied out after it. */
enum { ENTRIES_SIZE = 4096, ENTRY_ALIGN = 8 };
enum entry_format { ENTRY_OLD, ENTRY_64 };
struct entries { char *at; size_t len, room; enum entry_format format; bool no_room; };

/* struct linux_dirent64: inode, offset, length, type, name.  struct linux_dirent: the same with the type in the last byte. */
struct entry_head { uint64_t ino, next; uint16_t len; } __attribute__((packed));

static int add_entry(void *context, const char *name, size_t len, uint64_t ino, unsigned type, uint64_t next)
{
	struct entries *e = context;
	size_t at_name = sizeof(struct entry_head) + (e->format == ENTRY_64 ? 1 : 0);
	size_t size = (at_name + len + 1 + (e->format == ENTRY_64 ? 0 : 1) + ENTRY_ALIGN - 1) & ~(size_t)(ENTRY_ALIGN - 1);
	char *to = e->at + e->len;

	if (size > e->room - e->len) {
		e->no_room = true;
		return 1;
	}
	memset(to, 0, size);
	*(struct entry_head *)to = (struct entry_head){ ino, next, (uint16_t)size };
	memcpy(to + at_name, name, len);
	to[e->format == ENTRY_64 ? sizeof(struct entry_head) : size - 1] = (char)type;
	e->len += size;
	return 0;
}

/* The bytes of the entries that could be written whole; *pos: behind the last of them. */
static long copy_entries(const struct entries *e, vaddr_t to, uint64_t *pos)
{
	size_t copied = e->len - user_copy_out(to, e->at, e->len), whole = 0;

	if (copied == e->len)
		return (long)copied;
	for (const struct entry_head *h; (h = (const struct entry_head *)(e->at + whole))->len <= copied - whole; whole += h->len)
		*pos = h->next;
	return whole ? (long)whole : -EFAULT;
}

static long read_directory(struct file *f, vaddr_t to, size_t size, enum entry_format format)
{
	struct entries e = { .room = size < ENTRIES_SIZE ? size : ENTRIES_SIZE, .format = format };

	if (!S_ISDIR(f->vnode->mode))
		return -ENOTDIR;
	e.at = kmalloc(ENTRIES_SIZE);
	if (!e.at)
		return -ENOMEM;
	mutex_lock(&f->lock);
	uint64_t pos = f->pos;
	long result = vfs_readdir(f->vnode, &pos, add_entry, &e);
	if (e.len > 0)
		result = copy_entries(&e, to, &pos);
	else if (!result && e.no_room)
		result = -EINVAL;
	if (result >= 0)
		f->pos = pos;
	mutex_unlock(&f->lock);
	kfree(e.at);
	return result;
}

static long getdents(const unsigned long args[6], enum entry_format format)
{
	struct file *f = files_get(current->files, (int)args[0]);

	if (!f)
		return -EBADF;
	long result = f->flags & OPEN_PATH ? -EBADF : read_directory(f, args[1], (unsigned)args[2], format);
	file_put(f);
	return result;
}

long sys_getdents(const unsigned long args[6])
{
	return getdents(args, ENTRY_OLD);
}

long sys_getdents64(const unsigned long args[6])
{
	return getdents(args, ENTRY_64);
}

/* ---- where a process stands -------------------------------------------------------------------------------------------- */

long sys_getcwd(const unsigned long args[6])
{
	struct fs_context *fs = my_fs();
	struct vnode *root = fs_context_root(fs), *cwd = fs_context_cwd(fs);
	char *text = kmalloc(PATH_MAX_BYTES);
	ssize len = !text ? -ENOMEM : cwd->unlinked ? -ENOENT : vnode_path(root, cwd, text, PATH_MAX_BYTES);

	if (len == -ERANGE)
		len = -ENAMETOOLONG;
	else if (len >= 0 && (size_t)len + 1 > args[1])
		len = -ERANGE;
	else if (len >= 0)
		len = user_copy_out(args[0], text, (size_t)len + 1) ? -EFAULT : len + 1;
	kfree(text);
	vnode_put(root);
	vnode_put(cwd);
	return len;
}

static long may_stand_at(struct vnode *v)
{
	return S_ISDIR(v->mode) ? vfs_permission(my_fs(), v, MAY_EXECUTE) : -ENOTDIR;
}

/* Root or cwd becomes v, unless there is an error; takes over the reference. */
static long stand_at(void (*set)(struct fs_context *, struct vnode *), struct vnode *v, long result)
{
	if (result)
		vnode_put(v);
	else
		set(&current->fs, v);
	return result;
}

long sys_chdir(const unsigned long args[6])
{
	struct vnode *v;
	long result = vnode_at(AT_CWD, args[0], 0, &v);

	return result ? result : stand_at(fs_context_set_cwd, v, may_stand_at(v));
}

long sys_fchdir(const unsigned long args[6])
{
	struct file *f = files_get(current->files, (int)args[0]);
	if (!f)
		return -EBADF;
	long result = stand_at(fs_context_set_cwd, vnode_ref(f->vnode), may_stand_at(f->vnode));
	file_put(f);
	return result;
}

long sys_chroot(const unsigned long args[6])
{
	struct vnode *v;
	long result = vnode_at(AT_CWD, args[0], 0, &v);

	if (result)
		return result;
	result = may_stand_at(v);
	if (!result && !capable(CAP_SYS_CHROOT))
		result = -EPERM;
	return stand_at(fs_context_set_root, v, result);
}

long sys_umask(const unsigned long args[6])
{
	return (long)fs_context_set_umask(&current->fs, (uint32_t)args[0] & 0777);
}
