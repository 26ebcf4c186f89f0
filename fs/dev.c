/*
 * fs/dev.c - character devices: the table of them, the memory devices, and the /dev file system; see dev.h.
 *
 * The table is filled at boot, by one thread, and only read afterwards.
 */
#include "arch/uaccess.h"
#include "fs/vfs.h"
#include "fs/tmpfs.h"
#include "lib/assert.h"
#include "lib/print.h"
#include "lib/string.h"

struct device { const char *name; uint64_t rdev, numbers /* of that many from rdev on */; uint32_t mode; const struct file_ops *ops; };

enum { DEVICES_MAX = 64 };
static struct device devices[DEVICES_MAX];
static unsigned device_count;
static struct mount *dev_fs;

static void make_node(struct mount *m, const struct device *d)
{
	if (d->name && m && tmpfs_add(m, d->name, S_IFCHR | d->mode, d->rdev))
		kprintf("dev: no node for %s\n", d->name);
}

static void add(struct device d)
{
	assert(device_count < DEVICES_MAX);
	devices[device_count] = d;
	make_node(dev_fs, &devices[device_count++]);
}

void dev_register(const char *name, uint64_t rdev, uint32_t mode, const struct file_ops *ops)
{
	add((struct device){ name, rdev, 1, mode, ops });
}

void dev_register_range(uint64_t rdev, uint64_t numbers, const struct file_ops *ops)
{
	add((struct device){ NULL, rdev, numbers, 0, ops });
}

int dev_open(struct file *f)
{
	for (unsigned i = 0; i < device_count; i++)
		if (S_ISCHR(f->vnode->mode) && f->vnode->rdev - devices[i].rdev < devices[i].numbers) {
			f->ops = devices[i].ops;
			return f->ops->open ? f->ops->open(f) : 0;
		}
	return -ENXIO;
}

struct mount *dev_mount(void)
{
	struct mount *m = tmpfs_mount();
	if (!m)
		return NULL;
	m->type = "devtmpfs";
	m->source = "dev";
	m->root->mode = S_IFDIR | 0755;
	for (unsigned i = 0; i < device_count; i++)
		make_node(m, &devices[i]);
	if (tmpfs_add(m, "shm", S_IFDIR | 01777, 0) || tmpfs_add(m, "pts", S_IFDIR | 0755, 0) || tmpfs_add(m, "mqueue", S_IFDIR | 01777, 0)
		|| tmpfs_add_link(m, "fd", "/proc/self/fd") || tmpfs_add_link(m, "stdin", "/proc/self/fd/0")
		|| tmpfs_add_link(m, "stdout", "/proc/self/fd/1") || tmpfs_add_link(m, "stderr", "/proc/self/fd/2"))
		kprintf("dev: no memory for all of /dev\n");
	if (!dev_fs) {
		dev_fs = m;
		mount_use(m);			/* it stays: devices that come later get their nodes there */
	}
	return m;
}

/* ---- memory devices ---------------------------------------------------------------------------------------------------- */

static ssize null_read(struct file *f, struct uio *uio, uint64_t *pos)
{
	(void)f, (void)uio, (void)pos;
	return 0;
}

static ssize null_write(struct file *f, struct uio *uio, uint64_t *pos)
{
	size_t n = uio->left;

	(void)f, (void)pos;
	uio->base += n;
	uio->left = 0;
	return (ssize)n;
}

static ssize zero_read(struct file *f, struct uio *uio, uint64_t *pos)
{
	size_t all = uio->left, n = uio_zero(uio, all);

	(void)f, (void)pos;
	return n || !all ? (ssize)n : -EFAULT;
}

static ssize full_write(struct file *f, struct uio *uio, uint64_t *pos)
{
	(void)f, (void)uio, (void)pos;
	return -ENOSPC;
}

static ssize random_read(struct file *f, struct uio *uio, uint64_t *pos)
{
	char block[256];
	size_t done = 0;

	(void)f, (void)pos;
	while (uio->left > 0) {
		size_t n = uio->left < sizeof block ? uio->left : sizeof block;
		random_bytes(block, n);
		size_t moved = uio_out(uio, block, n);
		done += moved;
		if (moved < n)
			return done ? (ssize)done : -EFAULT;
	}
	return (ssize)done;
}

/* The generator is always full: as many bits as /proc/sys/kernel/random/entropy_avail tells. */
static long random_ioctl(struct file *f, unsigned command, unsigned long arg)
{
	enum { GET_ENTROPY = 0x80045200, BITS = 256 };
	int bits = BITS;

	(void)f;
	return command == GET_ENTROPY ? user_put(arg, bits) : -EINVAL;
}

/* These devices take any position and stay at 0. */
static int64_t memory_seek(struct file *f, int64_t offset, int whence)
{
	(void)f, (void)offset, (void)whence;
	return 0;
}

static const struct file_ops null_ops = { .read = null_read, .write = null_write, .seek = memory_seek };
static const struct file_ops zero_ops = { .read = zero_read, .write = null_write, .seek = memory_seek };
static const struct file_ops full_ops = { .read = zero_read, .write = full_write, .seek = memory_seek };
static const struct file_ops random_ops = { .read = random_read, .write = null_write, .ioctl = random_ioctl, .seek = memory_seek };

bool dev_is_zero(const struct file *f)
{
	return f->ops == &zero_ops;
}

void dev_register_memory(void)
{
	dev_register("null", makedev64(1, 3), 0666, &null_ops);
	dev_register("zero", makedev64(1, 5), 0666, &zero_ops);
	dev_register("full", makedev64(1, 7), 0666, &full_ops);
	dev_register("random", makedev64(1, 8), 0666, &random_ops);
	dev_register("urandom", makedev64(1, 9), 0666, &random_ops);
}
