/*
 * tests/host/test_files.c - fs/ on several processors: threads at the same few names, by schedules that a seed makes (sim/turns.c).
 *
 * Nothing is said of what each call answers, but that it is an answer; in the end all is removed, and nothing may be left: no vnode, file, block of memory or
 * cluster; and the sanitizer and the lock checker have looked on.  FILES_SEED, FILES_RUNS: other schedules, more of them.
 */
#include "harness.h"
#include "fat_drive.h"
#include "fs/locks.h"
#include "fs/tmpfs.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { THREADS = 4, OPERATIONS = 40, PATHS = 4, NAMES = 4 };
static struct fs_context fs;
static size_t vnodes, files;

void random_bytes(void *to, size_t n)
{
	memset(to, 4, n);
}

static unsigned long number(const char *variable, unsigned long otherwise)
{
	const char *text = getenv(variable);
	return text ? strtoul(text, NULL, 0) : otherwise;
}

/* ---- what a thread does --------------------------------------------------------------------------------------------------------- */

/* Of a run: only some operations, on some paths, so that all meet often. */
enum { MENU = 4, ALL_OPERATIONS = 14 };
static struct { unsigned operations[MENU], folders, names; } menu;

struct actor { uint64_t random; unsigned steps; };

static unsigned below(struct actor *a, unsigned n)
{
	a->random = a->random * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(a->random >> 33) % n;
}

static const char *any_path(struct actor *a, char to[16])
{
	static const char *const folders[PATHS] = { "", "/x", "/y", "/x/y" };
	snprintf(to, 16, "%s/%c", folders[below(a, menu.folders)], "xyab"[below(a, menu.names)]);
	return to;
}

static void use_file(struct actor *a, const char *path)
{
	static char zeros[6000];
	char bytes[600];
	struct file *f;
	struct waitq *queue;
	const struct record_lock lock = { .from = below(a, 3), .to = 4 + below(a, 3), .type = (int)below(a, 3), .owner = a };

	if (vfs_open(&fs, NULL, path, OPEN_READ_WRITE | OPEN_NONBLOCK | (below(a, 2) ? OPEN_CREATE : 0) | (below(a, 2) ? OPEN_APPEND : 0), 0644, &f))
		return;
	for (unsigned n = below(a, 4); n > 0; n--) {
		struct uio in = uio_kernel(bytes, sizeof bytes), out = uio_kernel(zeros, 1 + below(a, sizeof zeros));
		uint64_t pos = below(a, 9000);
		file_write(f, &out, below(a, 2) ? &pos : NULL);
		file_seek(f, 0, 0);
		file_read(f, &in, NULL);
		file_poll(f, &queue);
		file_change_flags(f, OPEN_APPEND, below(a, 2) ? OPEN_APPEND : 0);
	}
	locks_set(f->vnode, &lock, LOCK_TRY);
	locks_flock(f, below(a, 2) ? LOCK_READ : LOCK_WRITE, LOCK_TRY);
	if (S_ISREG(f->vnode->mode) && f->vnode->object && below(a, 2))
		vnode_name_object(f->vnode);
	locks_drop_owner(f->vnode, a);
	file_put(f);
}

static int ignore_entry(void *context, const char *name, size_t len, uint64_t ino, unsigned type, uint64_t next)
{
	(void)name, (void)ino, (void)type, (void)next;
	assert_true(len > 0);
	return --*(int *)context == 0;
}

static void look_at(struct actor *a, const char *path)
{
	struct vnode *v;
	struct vattr attr = { .mode = 0600 + below(a, 0200), .size = below(a, 9000) };
	char text[64];
	uint64_t pos = 0;
	int left = 1 + (int)below(a, 5);

	if (vfs_walk(&fs, NULL, path, WALK_FOLLOW, &v))
		return;
	vfs_getattr(v, &(struct vattr){ 0 });
	vfs_readdir(v, &pos, ignore_entry, &left);
	vnode_path(NULL, v, text, sizeof text);
	vfs_setattr(&fs, v, &attr, below(a, 2) ? VATTR_MODE : VATTR_MTIME);
	if (below(a, 2))
		vfs_truncate(&fs, v, attr.size);
	vnode_put(v);
}

static void stand_there(const char *path)
{
	struct vnode *v, *cwd;

	if (vfs_walk(&fs, NULL, path, WALK_FOLLOW, &v))
		return;
	if (S_ISDIR(v->mode))
		fs_context_set_cwd(&fs, v);
	else
		vnode_put(v);
	cwd = fs_context_cwd(&fs);
	vfs_getattr(cwd, &(struct vattr){ 0 });
	vnode_put(cwd);
}

static void act_once(struct actor *a)
{
	char one[16], other[16];
	struct vnode *v;

	any_path(a, one);
	any_path(a, other);
	switch (menu.operations[below(a, MENU)]) {
	case 0: vfs_unlink(&fs, NULL, one, UNLINK_FILE); break;
	case 1: vfs_unlink(&fs, NULL, one, UNLINK_DIRECTORY); break;
	case 2: vfs_make(&fs, NULL, one, S_IFDIR | 0755, 0); break;
	case 3: vfs_make(&fs, NULL, one, (below(a, 2) ? S_IFIFO : S_IFREG) | 0644, 0); break;
	case 4: case 5: vfs_rename(&fs, NULL, one, NULL, other, below(a, 3)); break;
	case 6: vfs_symlink(&fs, NULL, one, other); break;
	case 7:
		if (vfs_walk(&fs, NULL, one, WALK_NOFOLLOW, &v))
			break;
		vfs_link(&fs, v, NULL, other);
		vnode_put(v);
		break;
	case 8: look_at(a, one); break;
	case 9: look_at(a, below(a, 2) ? "." : ".."); break;
	case 10: stand_there(one); break;
	case 11: vnode_drop_idle(); break;
	default: use_file(a, one);
	}
}

static void act(void *arg)
{
	struct actor *a = arg;
	while (a->steps-- > 0)
		act_once(a);
}

static int take_name(void *context, const char *name, size_t len, uint64_t ino, unsigned type, uint64_t next)
{
	(void)ino, (void)type;
	if (next <= DIR_FIRST)
		return 0;
	snprintf(context, 300, "%.*s", (int)len, name);
	return 1;
}

static void remove_below(struct vnode *dir)
{
	char name[300];
	struct vnode *v;

	for (;;) {
		uint64_t pos = 0;
		name[0] = '\0';
		assert_int_equal(vfs_readdir(dir, &pos, take_name, name), 0);
		if (!name[0])
			return;
		assert_int_equal(vfs_walk(&fs, dir, name, WALK_NOFOLLOW, &v), 0);
		if (S_ISDIR(v->mode))
			remove_below(v);
		assert_int_equal(vfs_unlink(&fs, dir, name, S_ISDIR(v->mode) ? UNLINK_DIRECTORY : UNLINK_FILE), 0);
		vnode_put(v);
	}
}

static void clean_up(void)
{
	fs_context_set_cwd(&fs, fs_context_root(&fs));
	remove_below(fs.root);
}

static void choose_menu(uint64_t seed)
{
	struct actor a = { seed, 0 };

	for (unsigned i = 0; i < MENU; i++)
		menu.operations[i] = below(&a, ALL_OPERATIONS);
	menu.folders = 1 + below(&a, PATHS);
	menu.names = 1 + below(&a, NAMES);
}

static void run_once(struct sim_schedule how)
{
	struct sim_thread *threads[THREADS];
	struct actor actors[THREADS];

	choose_menu(how.seed);
	if (menu.folders > 1) {
		vfs_make(&fs, NULL, "/x", S_IFDIR | 0755, 0);
		vfs_make(&fs, NULL, "/y", S_IFDIR | 0755, 0);
	}
	sim_run_together(how);
	for (unsigned i = 0; i < THREADS; i++) {
		actors[i] = (struct actor){ how.seed * THREADS + i, OPERATIONS };
		threads[i] = sim_thread_start(act, &actors[i]);
	}
	for (unsigned i = 0; i < THREADS; i++)
		sim_thread_join(threads[i]);
	sim_run_together((struct sim_schedule){ .period = 0 });
	clean_up();
}

static void run_all(void)
{
	unsigned long seed = number("FILES_SEED", 1), runs = number("FILES_RUNS", 300);

	for (unsigned long i = seed; i < seed + runs; i++) {
		run_once((struct sim_schedule){ i, i % 2 ? SIM_RANDOM : SIM_PRIORITIES, i % 2 ? 2 + i % 7 : 50 + i % 100 });
		if (vnode_count() != vnodes || file_count() != files)
			print_error("seed %lu leaves something behind\n", i);
		assert_int_equal(file_count(), files);
		assert_int_equal(vnode_count(), vnodes);
	}
}

static void stand_at_root(struct mount *m)
{
	assert_int_equal(vfs_mount("/", m), 0);
	fs_context_init(&fs);
	vnodes = vnode_count();
	files = file_count();
}

TEST(in_memory)
{
	(void)state;
	drive_boot();
	stand_at_root(tmpfs_mount());
	struct census before = census_take();
	run_all();
	cpu_count = 1 + THREADS;			/* they have frames at hand still */
	census_check(&before);
}

TEST(on_fat)
{
	static char folder[] = "/tmp/files-XXXXXX";
	char command[200];
	const char *why_not;

	(void)state;
	drive_boot();
	assert_non_null(mkdtemp(folder));
	snprintf(command, sizeof command, "cd %s && truncate -s 1500K image && mkfs.fat -F12 -s1 -S512 image > said 2>&1", folder);
	assert_int_equal(system(command), 0);
	snprintf(command, sizeof command, "%s/image", folder);
	FILE *f = fopen(command, "rb");
	assert_non_null(f);
	size_t size = fread(drive_image(), 1, DRIVE_IMAGE_MAX, f);
	fclose(f);
	snprintf(command, sizeof command, "rm -rf %s", folder);
	assert_int_equal(system(command), 0);

	struct mount *m = fat_mount(drive_image(), size, drive_image_pfn(), &why_not);
	assert_non_null(m);
	struct linux_statfs free_before = { 0 }, free_after = { 0 };
	m->statfs(m, &free_before);
	stand_at_root(m);
	run_all();
	vnode_drop_idle();
	m->statfs(m, &free_after);
	assert_int_equal(free_after.bfree, free_before.bfree);
	fs_context_drop(&fs);
	fat_unmount(m);
	assert_int_equal(drive_blocks, 0);
}

static const struct CMUnitTest tests[] = { cmocka_unit_test(in_memory), cmocka_unit_test(on_fat) };

int main(int argc, char **argv)
{
	return run_suite("files", tests, sizeof tests / sizeof *tests, argc > 1 ? argv[1] : NULL);
}
