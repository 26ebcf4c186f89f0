/* tests/host/fat_drive.c - see fat_drive.h. */
#include <stdlib.h>
#include "fat_drive.h"
#include "fs/vfs.h"
#include "lib/print.h"
#include "lib/string.h"
#include "vm/heap.h"
#include "vm/mmap.h"
#include "vm/vm.h"

size_t drive_blocks;
unsigned long drive_fail_at;
unsigned drive_pauses;
uint32_t drive_change_seed;

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
void file_wake(struct waitq *q, unsigned events) { (void)events, wake_all(q); }
void file_unwatch(struct file *f) { (void)f; }
void file_end_async(struct file *f) { (void)f; }
bool pipe_unlimited(void) { return true; }
ssize vfs_clip_write(uint64_t pos, size_t n) { return (void)pos, (ssize)n; }

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

/* ---- changes, whatever the image is like ------------------------------------------------------------------------------- */

static uint32_t change_seed;
static unsigned any(unsigned n)
{
	change_seed = change_seed * 1664525u + 1013904223u;
	return change_seed / 65536 % n;
}

static void change_file(struct vnode *v)
{
	static char bytes[9000];
	struct file file = { .vnode = v, .flags = any(2) ? OPEN_APPEND : 0 };
	struct uio uio = uio_kernel(bytes, 1 + any(sizeof bytes));
	uint64_t pos = any(20000);
	if (v->ops->open(v, &file))
		return;
	struct vattr a = { .size = any(4) ? any(30000) : (uint64_t)any(65536) << 16, .mode = any(2) ? 0755 : 0555, .mtime = { (int64_t)any(65536) << 20, 0 } };
	switch (any(4)) {
	case 0: file.ops->write(&file, &uio, &pos); break;
	case 1: v->ops->setattr(v, &a, VATTR_SIZE); break;
	case 2: v->ops->setattr(v, &a, VATTR_MODE | VATTR_MTIME); break;
	default: vm_writeback(v->object, 0, OBJECT_ENDLESS);
	}
}

/* One entry: removed, renamed, or changed.  As in fs/names.c, a directory does not get below itself. */
static void change_entry_of(struct vnode *dir, const char *name, struct vnode *v, struct vnode *other)
{
	static const char *const new_names[] = { "new", "NEW.TXT", "a rather long new name", "x" };
	const char *to = new_names[any(4)];
	struct vnode *replaced = NULL;
	mutex_lock(&dir->lock);
	switch (any(3)) {
	case 0:
		v->ops->unlink(dir, name, strlen(name), v);
		break;
	case 1:
		if (S_ISDIR(v->mode))
			other = dir;
		if (!other->ops->lookup(other, to, strlen(to), &replaced) && S_ISDIR(replaced->mode) != S_ISDIR(v->mode))
			break;
		if (replaced != v)
			v->ops->rename(dir, name, strlen(name), v, other, to, strlen(to), replaced, false);
	}
	mutex_unlock(&dir->lock);
	vnode_put(replaced);
}

static void change(struct vnode *dir, struct vnode *root, unsigned depth)
{
	static const char *const new_names[] = { "made", "Made too", "MADE.DIR" };
	struct names names = { 0 };
	uint64_t pos = DIR_FIRST;
	struct vnode *v;
	const char *made = new_names[any(3)];
	dir->ops->readdir(dir, &pos, take_name, &names);
	for (size_t at = 0; at < names.len; at += strlen(names.text + at) + 1) {
		if (drive_lookup(dir, names.text + at, &v))
			continue;
		if (S_ISREG(v->mode) && any(2))
			change_file(v);
		else if (S_ISDIR(v->mode) && depth > 0 && any(4))
			change(v, root, depth - 1);
		else
			change_entry_of(dir, names.text + at, v, any(2) ? dir : root);
		vnode_put(v);
	}
	free(names.text);
	if (!drive_lookup(dir, made, &v)) {
		vnode_put(v);
	} else if (!dir->unlinked && !dir->ops->create(dir, made, strlen(made), any(2) ? S_IFREG : S_IFDIR, 0, &v)) {
		if (S_ISREG(v->mode))
			change_file(v);
		vnode_put(v);
	}
}

const char *drive_everything(void *image, size_t size, pfn_t first_frame, struct drive_report *r)
{
	const char *why_not;
	struct mount *m = fat_mount(image, size, first_frame, &why_not);
	*r = (struct drive_report){ 0 };
	if (!m)
		return why_not;
	visit(m->root, 50, r);
	if (drive_change_seed) {
		struct drive_report after = { 0 };
		change_seed = drive_change_seed;
		for (unsigned i = 0; i < 3; i++)
			change(m->root, m->root, 5);
		vm_sync();
		visit(m->root, 50, &after);
	}
	fat_unmount(m);
	return NULL;
}
