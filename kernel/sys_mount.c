/*
 * kernel/sys_mount.c - mount and umount2; sysfs and ustat, which ask for types and devices.
 *
 * What can be mounted: tmpfs (and ramfs, which is one without a limit), proc, sysfs, devtmpfs.  There are no block devices, so a vfat finds nothing to read.
 * No mount namespaces: what one process mounts all see, and propagation (shared, private, slave, unbindable) has no meaning.
 */
#include "kernel/sys_file.h"
#include "kernel/proc.h"
#include "arch/uaccess.h"
#include "lib/string.h"
#include "vm/heap.h"

enum mount_call_flags {		/* Linux's MS_* */
	MS_RDONLY = 1, MS_NOSUID = 2, MS_NODEV = 4, MS_NOEXEC = 8, MS_REMOUNT = 32, MS_NOATIME = 1024, MS_NODIRATIME = 2048, MS_BIND = 4096, MS_MOVE = 8192,
	MS_UNBINDABLE = 1 << 17, MS_PRIVATE = 1 << 18, MS_SLAVE = 1 << 19, MS_SHARED = 1 << 20,
};
#define MS_NOUSER	(1ul << 31)
#define MS_MAGIC_MASK	0xffff0000ul
#define MS_MAGIC	0xc0ed0000ul

static struct mount *ramfs_mount(void)
{
	struct mount *m = tmpfs_mount();
	char unlimited[] = "size=0,nr_inodes=0";

	if (m) {
		m->type = "ramfs";
		m->configure(m, unlimited, false);
		m->root->mode = S_IFDIR | 0755;
	}
	return m;
}

/* make NULL: it lies on a block device. */
static const struct { const char *type; struct mount *(*make)(void); } file_systems[] = {
	{ "sysfs", sysfs_mount }, { "tmpfs", tmpfs_mount }, { "ramfs", ramfs_mount }, { "proc", proc_mount }, { "devtmpfs", dev_mount }, { "vfat", NULL },
};
enum { FILE_SYSTEMS = sizeof file_systems / sizeof file_systems[0] };

const char *file_system_type(unsigned index, bool *on_device)
{
	if (index >= FILE_SYSTEMS)
		return NULL;
	*on_device = !file_systems[index].make;
	return file_systems[index].type;
}

/* sysfs(1, type): its index; sysfs(2, index, *type): the other way; sysfs(3): how many there are. */
long sys_sysfs(const unsigned long args[6])
{
	char type[16];
	bool unused;
	ssize len;

	switch ((int)args[0]) {
	case 1:
		len = user_string(type, args[1], sizeof type);
		if (len < 0)
			return len == -ENAMETOOLONG ? -EINVAL : len;
		for (int i = 0; i < FILE_SYSTEMS; i++)
			if (strcmp(type, file_systems[i].type) == 0)
				return i;
		return -EINVAL;
	case 2: {
		const char *name = file_system_type((unsigned)args[1], &unused);
		return !name ? -EINVAL : user_copy_out(args[2], name, strlen(name) + 1) ? -EFAULT : 0;
	}
	case 3:
		return FILE_SYSTEMS;
	default:
		return -EINVAL;
	}
}

struct by_device { uint32_t dev; int error; struct linux_statfs s; };

static void stat_if_device(struct mount *m, void *context)
{
	struct by_device *d = context;

	if (d->error == -EINVAL && (uint32_t)m->dev == d->dev)
		d->error = mount_statfs(m, &d->s);
}

/* ustat(device, *to): what statfs told before there was statfs. */
long sys_ustat(const unsigned long args[6])
{
	struct by_device d = { .dev = (uint32_t)args[0], .error = -EINVAL };
	struct { int32_t free_blocks, pad; uint64_t free_files; char name[6], pack[6], pad2[4]; } u = { 0 };

	_Static_assert(sizeof u == 32, "struct ustat has 32 bytes");
	mount_for_each(stat_if_device, &d);
	if (d.error)
		return d.error;
	u.free_blocks = (int32_t)d.s.bfree;
	u.free_files = d.s.ffree;
	return user_put(args[1], u);
}

static unsigned mount_flags(unsigned long flags)
{
	return (flags & MS_RDONLY ? MOUNT_READONLY : 0) | (flags & MS_NOSUID ? MOUNT_NO_SETID : 0) | (flags & MS_NODEV ? MOUNT_NO_DEVICES : 0)
		| (flags & MS_NOEXEC ? MOUNT_NO_EXEC : 0) | (flags & MS_NOATIME ? MOUNT_NO_ATIME : 0) | (flags & MS_NODIRATIME ? MOUNT_NO_DIR_ATIME : 0);
}

/* Takes the options that are of all file systems out of the string. */
static void take_common_options(char *options, unsigned *flags)
{
	char *to = options;

	for (char *at = options; *at; ) {
		char *end = strchr(at, ',');
		size_t len = end ? (size_t)(end - at) : strlen(at);
		if (len == 2 && (memcmp(at, "ro", 2) == 0 || memcmp(at, "rw", 2) == 0)) {
			*flags = at[1] == 'o' ? *flags | MOUNT_READONLY : *flags & ~(unsigned)MOUNT_READONLY;
		} else {
			memmove(to, at, len);
			to += len;
			*to++ = ',';		/* in place of the one that was read, or of the end */
		}
		at += len + (end ? 1 : 0);
		if (!end)
			break;
	}
	if (to > options)
		to[-1] = '\0';
	else
		*options = '\0';
}

/* A file system of this type, with its options set. */
static int make_mount(const char *type, const char *source, unsigned flags, char *options, struct mount **out)
{
	struct mount *m = NULL;
	int error = -ENODEV;

	for (int i = 0; i < FILE_SYSTEMS && error == -ENODEV; i++)
		if (file_systems[i].make && strcmp(type, file_systems[i].type) == 0) {
			m = file_systems[i].make();
			error = m ? 0 : -ENOMEM;
		}
	if (error)
		return error;
	m->own_source = vnode_copy_name(source, strlen(source));
	error = !m->own_source ? -ENOMEM : m->configure && options ? m->configure(m, options, false) : 0;
	if (error) {
		mount_discard(m);
		return error;
	}
	m->source = m->own_source;
	m->flags |= flags;
	*out = m;
	return 0;
}

/* A file system that lies on a block device: there is none. */
static int check_device(const char *source)
{
	struct vnode *v;
	int error = vfs_walk(my_fs(), NULL, source, WALK_FOLLOW, &v);

	if (error)
		return *source ? error : -EINVAL;
	error = S_ISBLK(v->mode) ? -ENXIO : -ENOTBLK;
	vnode_put(v);
	return error;
}

static int mount_new(struct vnode *on, const char *type, const char *source, unsigned flags, char *options)
{
	struct mount *m;

	if (strcmp(type, "vfat") == 0)
		return check_device(source);
	int error = make_mount(type, *source ? source : "none", flags, options, &m);
	if (error)
		return error;
	error = mount_attach(m, on);
	if (error)
		mount_discard(m);
	return error;
}

/* The strings of a mount call; "" where there was none. */
struct mount_strings { char source[PATH_MAX_BYTES], type[64], options[PAGE_SIZE]; };

static int get_string(char *to, vaddr_t from, size_t size)
{
	ssize len = from ? user_string(to, from, size) : 0;

	if (!from)
		*to = '\0';
	return len < 0 ? (int)len : 0;
}

/* Options are a page of memory, or as much of it as there is, with the end of the string somewhere. */
static int get_strings(struct mount_strings *s, const unsigned long args[6])
{
	int error = get_string(s->type, args[2], sizeof s->type);

	if (error == -ENAMETOOLONG) {		/* no file system is called like this */
		memcpy(s->type, "?", 2);
		error = 0;
	}
	if (!error)
		error = get_string(s->source, args[0], sizeof s->source);
	if (!error && args[4]) {
		size_t got = sizeof s->options - user_copy_in(s->options, args[4], sizeof s->options);
		error = got ? 0 : -EFAULT;
		memset(s->options + got, 0, sizeof s->options - got);
		s->options[sizeof s->options - 1] = '\0';
	}
	return error;
}

static int mount_at(struct vnode *on, unsigned long flags, struct mount_strings *s, bool has_type)
{
	unsigned own = mount_flags(flags);
	bool is_mount = on == on->mount->root;

	if ((flags & MS_MAGIC_MASK) == MS_MAGIC)
		flags &= ~MS_MAGIC_MASK;
	if (flags & MS_NOUSER)
		return -EINVAL;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	take_common_options(s->options, &own);
	if (flags & MS_REMOUNT)
		return is_mount ? mount_change(on->mount, own, flags & MS_BIND ? NULL : s->options) : -EINVAL;
	if (flags & (MS_BIND | MS_MOVE))
		return -EINVAL;
	if (flags & (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE))
		return is_mount ? 0 : -EINVAL;
	return has_type ? mount_new(on, s->type, s->source, own, s->options) : -EINVAL;
}

/* mount(source, target, type, flags, options) */
long sys_mount(const unsigned long args[6])
{
	struct vnode *on;
	struct mount_strings *s = kmalloc(sizeof *s);

	if (!s)
		return -ENOMEM;
	s->options[0] = '\0';
	long result = get_strings(s, args);
	if (!result)
		result = vnode_at(AT_CWD, args[1], 0, &on);
	if (!result) {
		result = mount_at(on, args[3], s, args[2]);
		vnode_put(on);
	}
	kfree(s);
	return result;
}

/* umount2(target, flags) */
long sys_umount2(const unsigned long args[6])
{
	enum { FORCE = 1, DETACH = 2, EXPIRE = 4, NOFOLLOW = 8 };
	unsigned flags = (unsigned)args[1];
	struct vnode *v;

	if (flags & ~(unsigned)(FORCE | DETACH | EXPIRE | NOFOLLOW))
		return -EINVAL;
	long result = vnode_at(AT_CWD, args[0], flags & NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0, &v);
	if (result)
		return result;
	if (!capable(CAP_SYS_ADMIN))
		result = -EPERM;
	else if (v != v->mount->root || (flags & EXPIRE && flags & (FORCE | DETACH)))
		result = -EINVAL;
	else
		result = mount_detach(v->mount, flags & DETACH ? DETACH_LAZILY : flags & EXPIRE ? DETACH_EXPIRED : DETACH_UNUSED);
	vnode_put(v);
	return result;
}
