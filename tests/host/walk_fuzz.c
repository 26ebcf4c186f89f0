/*
 * tests/host/walk_fuzz.c - libFuzzer's way into paths: bytes become calls that make, link, rename, remove and open files of two tmpfs.
 *
 *   make fuzz-walk TIME=60
 *
 * Names are few, so that calls meet: most paths lead over links, '..', mounts and what another call has just removed.  Some calls have an allocation
 * fail.  Now and then, and at the end, the trees are looked at from outside (audit): a directory is found again by its '..' and by its own path, and
 * links are counted by what there is.  When all is closed and removed, nothing may be left.
 */
#include "sim.h"
#include "fs/tmpfs.h"
#include "vm/check.h"
#include "vm/frame.h"
#include "vm/heap.h"
#include <stdio.h>		/* last: it has RENAME_* of its own, as macros */
#include <stdlib.h>
#include <string.h>

enum { RAM = 4 << 20, LIMIT_PAGES = 24, OPEN_MAX = 6, DEPTH_MAX = 40, NODES_MAX = 4000 };

static struct fs_context fs;
static struct file *opened[OPEN_MAX];
static struct mount *mounts[2];			/* of "/" and "/m" */
static struct { size_t vnodes, files, objects, bytes; } clean;
static const uint8_t *input;			/* what is left of the program */
static size_t left;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct timespec64 vfs_now(void)
{
	static int64_t seconds;
	return (struct timespec64){ ++seconds, 0 };
}

void file_wake(struct waitq *q, unsigned events) { (void)events, wake_all(q); }
void file_unwatch(struct file *f) { (void)f; }
void file_end_async(struct file *f) { (void)f; }
bool pipe_unlimited(void) { return true; }

ssize vfs_clip_write(uint64_t pos, size_t n)
{
	(void)pos;
	return (ssize)n;
}

void random_bytes(void *to, size_t n)
{
	memset(to, 4, n);
}

static void must(bool so, const char *what)
{
	if (so)
		return;
	fprintf(stderr, "walk: not so: %s\n", what);
	abort();
}

/* ---- the trees, from outside --------------------------------------------------------------------------------------------------- */

struct name { char text[256]; };
struct names { struct name *name; size_t n; };

static int add_name(void *context, const char *name, size_t len, uint64_t ino, unsigned type, uint64_t next)
{
	struct names *list = context;

	(void)ino, (void)type, (void)next;
	if ((len == 1 && name[0] == '.') || (len == 2 && memcmp(name, "..", 2) == 0))
		return 0;
	list->name = realloc(list->name, (list->n + 1) * sizeof *list->name);
	must(list->name && len < sizeof list->name->text, "a name is short");
	memcpy(list->name[list->n].text, name, len);
	list->name[list->n++].text[len] = '\0';
	return 0;
}

static struct names names_in(struct vnode *dir)
{
	struct names list = { NULL, 0 };
	uint64_t pos = 0;

	must(vfs_readdir(dir, &pos, add_name, &list) == 0, "a directory can be read");
	return list;
}

static struct vnode *child_of(struct vnode *dir, const char *name)
{
	struct vnode *v = NULL;

	must(vfs_walk(&fs, dir, name, WALK_NOFOLLOW, &v) == 0, "a name that is listed is found");
	return v;
}

/* All links seen so far, by file. */
static struct { const struct vnode *vnode; unsigned names; } seen[NODES_MAX];
static unsigned nseen;

static void note_name(const struct vnode *v)
{
	unsigned i = 0;

	while (i < nseen && seen[i].vnode != v)
		i++;
	must(i < NODES_MAX, "there are not so many files");
	if (i == nseen) {
		seen[nseen++].names = 0;
		seen[i].vnode = v;
	}
	seen[i].names++;
}

static void audit_path(struct vnode *dir)
{
	char path[PATH_MAX_BYTES];
	struct vnode *again;

	if (vnode_path(fs.root, dir, path, sizeof path) < 0)
		return;				/* too long for the buffer */
	must(vfs_walk(&fs, NULL, path, WALK_NOFOLLOW, &again) == 0, "the path of a directory leads somewhere");
	must(again == dir, "the path of a directory leads to it");
	vnode_put(again);
}

static void audit(struct vnode *dir, unsigned depth)
{
	struct names list = names_in(dir);
	struct vattr attr;
	unsigned folders = 0;

	audit_path(dir);
	for (size_t i = 0; i < list.n; i++) {
		struct vnode *v = child_of(dir, list.name[i].text);

		if (S_ISDIR(v->mode)) {
			struct vnode *up = child_of(v, "..");
			must(up == dir, "'..' leads back");
			vnode_put(up);
			folders += v->mount == dir->mount;
			if (depth < DEPTH_MAX)
				audit(v, depth + 1);
		} else {
			note_name(v);
		}
		vnode_put(v);
	}
	must(vfs_getattr(dir, &attr) == 0, "a directory has attributes");
	/* The mount point that "/m" covers is one more in "/". */
	must(attr.nlink == 2 + folders + (dir == mounts[0]->root), "a directory's links are its folders'");
	free(list.name);
}

static void audit_all(void)
{
	struct vattr attr;

	nseen = 0;
	audit(fs.root, 0);
	for (unsigned i = 0; i < nseen; i++)
		must(vfs_getattr((struct vnode *)(uintptr_t)seen[i].vnode, &attr) == 0 && attr.nlink == seen[i].names, "a file's links are its names");
}

static void remove_below(struct vnode *dir)
{
	struct names list = names_in(dir);

	for (size_t i = 0; i < list.n; i++) {
		struct vnode *v = child_of(dir, list.name[i].text);
		bool folder = S_ISDIR(v->mode), mounted = v->mount != dir->mount;

		if (folder)
			remove_below(v);
		vnode_put(v);
		must(vfs_unlink(&fs, dir, list.name[i].text, folder ? UNLINK_DIRECTORY : UNLINK_FILE) == (mounted ? -EBUSY : 0), "all can be removed");
	}
	free(list.name);
}

/* ---- a program -------------------------------------------------------------------------------------------------------------------- */

static unsigned byte(void)
{
	return left ? left--, *input++ : 0;
}

/* A path of up to four components, from a byte that says how it begins and ends, and one for each component. */
static const char *path(char to[PATH_MAX_BYTES])
{
	static const char *const parts[] = { "a", "b", "c", "..", ".", "m", "a", "b" };
	unsigned shape = byte(), n = shape & 3, at = 0;

	if (shape & 4)
		to[at++] = '/';
	for (unsigned i = 0; i <= n; i++) {
		unsigned which = byte();

		if (which % 64 == 63) {			/* as long as a name may be, or longer by one */
			size_t len = which & 64 ? NAME_MAX_BYTES + 1 : NAME_MAX_BYTES;
			memset(to + at, 'n', len);
			at += (unsigned)len;
		} else {
			at += (unsigned)sprintf(to + at, "%s", parts[which % 8]);
		}
		if (i < n || shape & 8)
			to[at++] = '/';
	}
	to[shape == 0xff ? 0 : at] = '\0';
	return to;
}

static struct file **any_file(void)
{
	return &opened[byte() % OPEN_MAX];
}

static void close_one(void)
{
	struct file **slot = any_file();

	file_put(*slot);
	*slot = NULL;
}

static void open_one(const char *where)
{
	static const unsigned extra[] = { 0, OPEN_CREATE, OPEN_CREATE | OPEN_EXCLUSIVE, OPEN_TRUNCATE, OPEN_DIRECTORY, OPEN_NOFOLLOW, OPEN_PATH, OPEN_APPEND };
	struct file **slot = any_file();
	unsigned how = byte();

	if (*slot)
		file_put(*slot);
	if (vfs_open(&fs, NULL, where, (how & OPEN_ACCESS) % 3 | extra[how >> 2 & 7] | OPEN_NONBLOCK, 0666, slot))
		*slot = NULL;
}

static void move_bytes(bool out)
{
	static char bytes[6000];
	struct file *f = *any_file();
	uint64_t pos = (uint64_t)byte() << 8;

	if (!f)
		return;
	struct uio uio = uio_kernel(bytes, 1 + byte() * 23);
	out ? file_write(f, &uio, pos ? &pos : NULL) : file_read(f, &uio, pos ? &pos : NULL);
}

static void change_directory(const char *where)
{
	struct vnode *v;

	if (vfs_walk(&fs, NULL, where, WALK_FOLLOW, &v))
		return;
	if (S_ISDIR(v->mode)) {
		struct vnode *old = fs.cwd;
		fs.cwd = v;
		v = old;
	}
	vnode_put(v);
}

static void link_one(const char *from, const char *to)
{
	struct vnode *v;

	if (vfs_walk(&fs, NULL, from, WALK_NOFOLLOW, &v))
		return;
	vfs_link(&fs, v, NULL, to);
	vnode_put(v);
}

static void set_one(const char *where)
{
	struct vattr attr = { .mode = byte() * 8 | 0400, .uid = byte() % 3, .size = (uint64_t)byte() * 100 };
	unsigned which = byte() & (VATTR_MODE | VATTR_UID | VATTR_SIZE);
	struct vnode *v;

	if (vfs_walk(&fs, NULL, where, WALK_FOLLOW, &v))
		return;
	if (which & VATTR_SIZE)
		vfs_truncate(&fs, v, attr.size);
	vfs_setattr(&fs, v, &attr, which & ~(unsigned)VATTR_SIZE);
	vnode_put(v);
}

static void look_at(const char *where)
{
	char text[64];
	struct vnode *v;

	if (vfs_walk(&fs, NULL, where, WALK_NOFOLLOW, &v))
		return;
	vfs_readlink(v, text, sizeof text);
	vnode_path(fs.root, v, text, sizeof text);
	vnode_put(v);
	struct file *f = *any_file();
	if (f)
		file_path(fs.root, f, text, sizeof text);
}

static void one_call(void)
{
	char a[PATH_MAX_BYTES], b[PATH_MAX_BYTES];
	unsigned what = byte();

	path(a);
	path(b);
	if (what & 0x80)
		alloc_fail_at = 1 + byte() % 16;
	switch (what & 0x1f) {
	case 0: case 1: vfs_make(&fs, NULL, a, S_IFDIR | 0777, 0); break;
	case 2: vfs_make(&fs, NULL, a, what & 0x20 ? S_IFIFO | 0666 : S_IFREG | 0666, 0); break;
	case 3: case 4: vfs_symlink(&fs, NULL, a, b); break;
	case 5: case 6: link_one(a, b); break;
	case 7: case 8: vfs_unlink(&fs, NULL, a, UNLINK_FILE); break;
	case 9: case 10: vfs_unlink(&fs, NULL, a, UNLINK_DIRECTORY); break;
	case 11: case 12: case 13: vfs_rename(&fs, NULL, a, NULL, b, 0); break;
	case 14: vfs_rename(&fs, NULL, a, NULL, b, RENAME_NOREPLACE); break;
	case 15: case 16: vfs_rename(&fs, NULL, a, NULL, b, RENAME_EXCHANGE); break;
	case 17: case 18: case 19: open_one(a); break;
	case 20: case 21: move_bytes(true); break;
	case 22: move_bytes(false); break;
	case 23: case 24: change_directory(a); break;
	case 25: fs.uid = fs.gid = byte() % 3; fs.rights = fs.uid ? 0 : FS_RIGHTS_ALL; break;
	case 26: set_one(a); break;
	case 27: look_at(a); break;
	case 28: close_one(); break;
	case 29: vnode_drop_idle(); break;
	default: break;
	}
	alloc_fail_at = 0;
}

/* ---- all of it ---------------------------------------------------------------------------------------------------------------------- */

static size_t object_count(void)
{
	struct object_stats stats;
	object_get_stats(&stats);
	return stats.objects;
}

static size_t heap_bytes(void)
{
	struct heap_stats stats;
	heap_get_stats(&stats);
	return stats.bytes;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	sim_boot(RAM);
	for (int i = 0; i < 2; i++) {
		mounts[i] = tmpfs_mount();
		mounts[i]->root->mode = S_IFDIR | 0777;
		container_of(mounts[i], struct tmpfs, mount)->limit = LIMIT_PAGES;
		must(vfs_mount(i ? "/m" : "/", mounts[i]) == 0, "it can be mounted");
		if (i == 0) {
			fs_context_init(&fs);
			must(vfs_make(&fs, NULL, "/m", S_IFDIR | 0777, 0) == 0, "a mount point");
		}
	}
	vnode_put(child_of(fs.root, "m"));
	clean.vnodes = vnode_count();
	clean.files = file_count();
	clean.objects = object_count();
	clean.bytes = heap_bytes();
	return 0;
}

static void clean_up(void)
{
	fs.uid = fs.gid = 0;
	fs.rights = FS_RIGHTS_ALL;
	vnode_put(fs.cwd);
	fs.cwd = vnode_ref(fs.root);
	audit_all();
	for (int i = 0; i < OPEN_MAX; i++) {
		file_put(opened[i]);
		opened[i] = NULL;
	}
	remove_below(fs.root);
	vnode_drop_idle();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vmcheck report;

	input = data;
	left = size;
	while (left)
		one_call();
	clean_up();
	vm_check(&report);
	must(report.errors == 0, "vm_check is content");
	must(vnode_count() == clean.vnodes && file_count() == clean.files, "no vnode and no open file is left");
	must(object_count() == clean.objects && heap_bytes() == clean.bytes, "no object and no block of the heap is left");
	for (int i = 0; i < 2; i++)
		must(container_of(mounts[i], struct tmpfs, mount)->charged == 0, "no page is charged");
	return 0;
}
