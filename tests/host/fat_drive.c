/* tests/host/fat_drive.c - see fat_drive.h. */
#include <stdlib.h>
#include "fat_drive.h"
#include "fs/vfs.h"
#include "lib/print.h"
#include "lib/string.h"
#include "vm/heap.h"
#include "vm/vm.h"

size_t drive_blocks;
unsigned long drive_fail_at;
unsigned drive_pauses;

static void *drive_kmalloc(size_t size)
{
	if (drive_fail_at && --drive_fail_at == 0)
		return NULL;
	drive_blocks++;
	return malloc(size ? size : 1);
}

static void *drive_kzalloc(size_t size)
{
	void *p = drive_kmalloc(size);
	return p ? memset(p, 0, size) : NULL;
}

static void drive_kfree(void *p)
{
	drive_blocks -= p != NULL;
	free(p);
}

/* Time passes by what it is set to; fuzzers of other things have clocks of their own. */
int64_t drive_now = 1700000000;
struct timespec64 vfs_now(void) { return (struct timespec64){ drive_now, 0 }; }

void pager_pause(void)
{
	drive_pauses++;
}

/* Damaged manifests are said so on the console: thousands of times here. */
#define kprintf(...) ((void)snprintf(NULL, 0, __VA_ARGS__))
#define kmalloc drive_kmalloc
#define kzalloc drive_kzalloc
#define kfree drive_kfree
#include "fs/fat_volume.c"
#include "fs/fat_name.c"
#include "fs/fat_slot.c"
#include "fs/fat_meta.c"
#include "fs/fat_dir.c"
#include "fs/fat_file.c"
#include "fs/fat_change.c"
#include "fs/fat.c"

enum { RAM = 64 << 20, IMAGE_AT = 8 << 20 };

void drive_boot(void)
{
	sim_boot_config(&(struct sim_config){ .ram = { { 0, RAM } }, .image = { IMAGE_AT, IMAGE_AT + DRIVE_IMAGE_MAX } });
}

uint8_t *drive_image(void) { return direct(drive_image_pfn()); }
pfn_t drive_image_pfn(void) { return pfn_of(IMAGE_AT); }

int drive_lookup(struct vnode *dir, const char *name, struct vnode **out)
{
	mutex_lock(&dir->lock);
	int err = dir->ops->lookup(dir, name, strlen(name), out);
	mutex_unlock(&dir->lock);
	return err;
}

int drive_path(struct mount *m, const char *path, struct vnode **out)
{
	char name[FAT_NAME_MAX + 1];
	struct vnode *v = vnode_ref(m->root);
	while (*path == '/')
		path++;
	while (*path) {
		size_t len = strcspn(path, "/");
		memcpy(name, path, len);
		name[len] = 0;
		struct vnode *next = NULL;
		int err = S_ISDIR(v->mode) ? drive_lookup(v, name, &next) : -ENOTDIR;
		vnode_put(v);
		if (err)
			return err;
		v = next;
		for (path += len; *path == '/';)
			path++;
	}
	*out = v;
	return 0;
}

int drive_open(struct vnode *v)
{
	struct file file = { 0 };
	return v->ops->open(v, &file);
}

ssize drive_read(struct vnode *v, void *to, size_t n, uint64_t offset)
{
	struct uio uio = uio_kernel(to, n);
	return object_read(v->object, &uio, offset);
}

/* A few pages of a file, though it may say that it has a million. */
static void visit_file(struct vnode *v, struct drive_report *r)
{
	static char page[4096];
	if (drive_open(v)) {
		r->errors++;
		return;
	}
	uint64_t size = v->object->size, pages_in = (size + PAGE_SIZE - 1) / PAGE_SIZE;
	for (uint64_t i = 0; i < pages_in; i = i < 6 || i + 3 > pages_in ? i + 1 : pages_in - 2) {
		ssize n = drive_read(v, page, sizeof page, i * PAGE_SIZE);
		r->errors += n < 0;
		r->bytes += n < 0 ? 0 : n;
	}
	r->files++;
}

static void visit_link(struct vnode *v, struct drive_report *r)
{
	char target[4096];
	ssize n = v->ops->readlink(v, target, sizeof target);
	r->links++;
	r->errors += n <= 0;
}

struct names { char *text; size_t len, room; };

static int take_name(void *context, const char *name, size_t len, uint64_t ino, unsigned type, uint64_t next)
{
	struct names *n = context;
	(void)ino, (void)type, (void)next;
	if (n->len + len + 1 > n->room)
		n->text = realloc(n->text, n->room = 2 * (n->room + len + 1));
	memcpy(n->text + n->len, name, len);
	n->text[n->len + len] = 0;
	n->len += len + 1;
	return 0;
}

static void visit(struct vnode *v, unsigned depth, struct drive_report *r)
{
	struct vattr a = { 0 };
	struct names names = { 0 };
	uint64_t pos = DIR_FIRST;
	r->nodes++;
	v->ops->getattr(v, &a);
	if (S_ISREG(v->mode))
		visit_file(v, r);
	else if (S_ISLNK(v->mode))
		visit_link(v, r);
	if (!S_ISDIR(v->mode) || depth == 0)
		return;
	if (v->ops->readdir(v, &pos, take_name, &names))
		r->errors++;
	for (size_t at = 0; at < names.len; at += strlen(names.text + at) + 1) {
		struct vnode *child;
		if (drive_lookup(v, names.text + at, &child)) {
			r->errors++;
			continue;
		}
		visit(child, depth - 1, r);
		vnode_put(child);
	}
	free(names.text);
}

const char *drive_everything(void *image, size_t size, pfn_t first_frame, struct drive_report *r)
{
	const char *why_not;
	struct mount *m = fat_mount(image, size, first_frame, &why_not);
	*r = (struct drive_report){ 0 };
	if (!m)
		return why_not;
	visit(m->root, 50, r);
	fat_unmount(m);
	return NULL;
}
