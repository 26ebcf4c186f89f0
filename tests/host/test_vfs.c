/*
 * tests/host/test_vfs.c - fs/ on a tmpfs: paths, directories, renames, open, pipes, locks, and that no failed allocation leaves anything behind.
 */
#include "harness.h"
#include "fs/locks.h"
#include "fs/synth.h"
#include "fs/tmpfs.h"
#include "vm/frame.h"
#include "vm/heap.h"
#include <stdio.h>
#include <string.h>

enum { MIB = 1 << 20 };
static struct fs_context fs;
static struct mount *root_mount;
static struct census before;
static size_t vnodes, files;

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

static int setup(void **state)
{
	(void)state;
	sim_boot_config(&(struct sim_config){ .ram = { { 0, 32 * MIB } } });
	dev_register_memory();
	root_mount = tmpfs_mount();
	root_mount->root->mode = S_IFDIR | 0755;
	assert_int_equal(vfs_mount("/", root_mount), 0);
	fs_context_init(&fs);
	assert_int_equal(vfs_make(&fs, NULL, "/dev", S_IFDIR | 0755, 0), 0);
	assert_int_equal(vfs_make(&fs, NULL, "/t", S_IFDIR | 0777, 0), 0);
	assert_int_equal(vfs_mount("/dev", dev_mount()), 0);
	/* The nodes of /dev learn their names when they are first looked up. */
	static const char *const names[] = { "/dev/null", "/dev/zero", "/dev/full" };
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct vnode *v;
		assert_int_equal(vfs_walk(&fs, NULL, names[i], WALK_FOLLOW, &v), 0);
		vnode_put(v);
	}
	before = census_take();
	vnodes = vnode_count();
	files = file_count();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_int_equal(vnode_count(), vnodes);
	assert_int_equal(file_count(), files);
	census_check(&before);
	return 0;
}

static int lookup(const char *path)
{
	struct vnode *v;
	int error = vfs_walk(&fs, NULL, path, WALK_FOLLOW, &v);
	if (!error)
		vnode_put(v);
	return error;
}

static int open_file(const char *path, unsigned flags, struct file **f) { return vfs_open(&fs, NULL, path, flags, 0644, f); }

static int touch(const char *path)
{
	struct file *f;
	int error = open_file(path, OPEN_CREATE | OPEN_WRITE, &f);
	if (!error)
		file_put(f);
	return error;
}

static int mkdir_at(const char *path) { return vfs_make(&fs, NULL, path, S_IFDIR | 0777, 0); }
static int unlink_file(const char *path) { return vfs_unlink(&fs, NULL, path, UNLINK_FILE); }
static int rmdir_at(const char *path) { return vfs_unlink(&fs, NULL, path, UNLINK_DIRECTORY); }
static int rename_to(const char *a, const char *b, unsigned flags) { return vfs_rename(&fs, NULL, a, NULL, b, flags); }

static ssize put(struct file *f, const char *text)
{
	struct uio uio = uio_kernel((void *)(uintptr_t)text, strlen(text));
	return file_write(f, &uio, NULL);
}

static ssize get(struct file *f, char *to, size_t size)
{
	struct uio uio = uio_kernel(to, size - 1);
	ssize n = file_read(f, &uio, NULL);
	to[n > 0 ? n : 0] = '\0';
	return n;
}

/* Absolute path of what (at, path) leads to: its length or an errno. */
static ssize vfs_path(struct fs_context *from, struct vnode *at, const char *path, char *to, size_t size)
{
	struct vnode *v;
	int error = vfs_walk(from, at, path, WALK_FOLLOW, &v);
	if (error)
		return error;
	ssize len = vnode_path(from->root, v, to, size);
	vnode_put(v);
	return len;
}

TEST(paths)
{
	char text[64], name[300];

	(void)state;
	assert_int_equal(lookup(""), -ENOENT);
	assert_int_equal(lookup("/"), 0);
	assert_int_equal(lookup("///"), 0);
	assert_int_equal(lookup("/../.."), 0);
	assert_int_equal(lookup("/t/."), 0);
	assert_int_equal(lookup("/t/x"), -ENOENT);
	assert_int_equal(lookup("/t/x/y"), -ENOENT);
	assert_int_equal(touch("/t/f"), 0);
	assert_int_equal(lookup("/t/f"), 0);
	assert_int_equal(lookup("/t/f/"), -ENOTDIR);
	assert_int_equal(lookup("/t/f/.."), -ENOTDIR);
	assert_int_equal(lookup("/dev/../t/f"), 0);
	memset(name, 'a', sizeof name);
	name[0] = '/';
	name[257] = '\0';
	assert_int_equal(lookup(name), -ENAMETOOLONG);
	name[256] = '\0';
	assert_int_equal(lookup(name), -ENOENT);
	assert_int_equal(vfs_path(&fs, NULL, "/dev/./../dev/zero", text, sizeof text), 9);
	assert_string_equal(text, "/dev/zero");
	assert_int_equal(vfs_path(&fs, NULL, "/dev/zero", text, 9), -ERANGE);
	assert_int_equal(unlink_file("/t/f"), 0);
}

TEST(symbolic_links)
{
	char text[64];
	struct vnode *v;

	(void)state;
	assert_int_equal(mkdir_at("/t/d"), 0);
	assert_int_equal(touch("/t/d/f"), 0);
	assert_int_equal(vfs_symlink(&fs, NULL, "/t/l", "d"), 0);
	assert_int_equal(vfs_symlink(&fs, NULL, "/t/abs", "/t/l/f"), 0);
	assert_int_equal(vfs_symlink(&fs, NULL, "/t/loop", "loop"), 0);
	assert_int_equal(vfs_symlink(&fs, NULL, "/t/empty", ""), -ENOENT);
	assert_int_equal(lookup("/t/l/f"), 0);
	assert_int_equal(lookup("/t/abs"), 0);
	assert_int_equal(lookup("/t/abs/"), -ENOTDIR);
	assert_int_equal(lookup("/t/loop"), -ELOOP);
	assert_int_equal(lookup("/t/loop/x"), -ELOOP);
	assert_int_equal(vfs_path(&fs, NULL, "/t/l/f", text, sizeof text), 6);
	assert_string_equal(text, "/t/d/f");
	assert_int_equal(vfs_walk(&fs, NULL, "/t/l", WALK_NOFOLLOW, &v), 0);
	assert_true(S_ISLNK(v->mode));
	assert_int_equal(vfs_readlink(v, text, sizeof text), 1);
	vnode_put(v);
	assert_int_equal(vfs_walk(&fs, NULL, "/t/l/", WALK_NOFOLLOW, &v), 0);
	assert_true(S_ISDIR(v->mode));
	vnode_put(v);
	/* A new file through a dangling link. */
	assert_int_equal(vfs_symlink(&fs, NULL, "/t/to", "d/new"), 0);
	assert_int_equal(touch("/t/to"), 0);
	assert_int_equal(lookup("/t/d/new"), 0);
	static const char *const all[] = { "/t/to", "/t/l", "/t/abs", "/t/loop", "/t/d/new", "/t/d/f" };
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		assert_int_equal(unlink_file(all[i]), 0);
	assert_int_equal(rmdir_at("/t/d"), 0);
}

TEST(open_errors)
{
	struct file *f;

	(void)state;
	assert_int_equal(open_file("/t", OPEN_WRITE, &f), -EISDIR);
	assert_int_equal(open_file("/t", OPEN_CREATE | OPEN_READ, &f), -EISDIR);
	assert_int_equal(open_file("/t/n", OPEN_READ, &f), -ENOENT);
	assert_int_equal(open_file("/t/n/", OPEN_CREATE | OPEN_WRITE, &f), -EISDIR);
	assert_int_equal(open_file("/t/.", OPEN_CREATE | OPEN_WRITE, &f), -EISDIR);
	assert_int_equal(open_file("/dev/null", OPEN_DIRECTORY, &f), -ENOTDIR);
	assert_int_equal(touch("/t/f"), 0);
	assert_int_equal(open_file("/t/f", OPEN_CREATE | OPEN_EXCLUSIVE | OPEN_WRITE, &f), -EEXIST);
	assert_int_equal(vfs_symlink(&fs, NULL, "/t/l", "f"), 0);
	assert_int_equal(open_file("/t/l", OPEN_NOFOLLOW, &f), -ELOOP);
	assert_int_equal(open_file("/t/l", OPEN_NOFOLLOW | OPEN_CREATE, &f), -ELOOP);
	assert_int_equal(open_file("/t/l", OPEN_CREATE | OPEN_EXCLUSIVE, &f), -EEXIST);
	assert_int_equal(open_file("/t/l", OPEN_NOFOLLOW | OPEN_PATH, &f), 0);
	file_put(f);
	fs.uid = 5;
	fs.rights = 0;
	assert_int_equal(open_file("/t/f", OPEN_WRITE, &f), -EACCES);
	assert_int_equal(open_file("/t/f", OPEN_READ, &f), 0);
	file_put(f);
	assert_int_equal(touch("/new"), -EACCES);
	fs.uid = 0;
	fs.rights = FS_RIGHTS_ALL;
	assert_int_equal(unlink_file("/t/l"), 0);
	assert_int_equal(unlink_file("/t/f"), 0);
}

TEST(contents)
{
	char text[64];
	struct file *f, *g;

	(void)state;
	assert_int_equal(open_file("/t/f", OPEN_CREATE | OPEN_READ_WRITE, &f), 0);
	assert_int_equal(put(f, "hello world"), 11);
	assert_int_equal(file_seek(f, 6, 0), 6);
	assert_int_equal(get(f, text, sizeof text), 5);
	assert_string_equal(text, "world");
	assert_int_equal(get(f, text, sizeof text), 0);
	assert_int_equal(open_file("/t/f", OPEN_APPEND | OPEN_WRITE, &g), 0);
	assert_int_equal(get(g, text, sizeof text), -EBADF);
	assert_int_equal(put(g, "!"), 1);
	assert_int_equal(vfs_truncate(&fs, f->vnode, 3), 0);
	assert_int_equal(put(g, "p"), 1);
	assert_int_equal(file_seek(f, 0, 0), 0);
	assert_int_equal(get(f, text, sizeof text), 4);
	assert_string_equal(text, "help");
	assert_int_equal(file_seek(f, 100000, 0), 100000);
	assert_int_equal(put(f, "x"), 1);
	assert_int_equal(f->vnode->object->npages, 2);
	assert_int_equal(file_seek(f, -2, 2), 99999);
	assert_int_equal(get(f, text, sizeof text), 2);
	assert_int_equal(text[0], 0);
	assert_int_equal(text[1], 'x');
	assert_int_equal(file_seek(f, -1, 0), -EINVAL);
	assert_int_equal(unlink_file("/t/f"), 0);
	assert_true(file_path(fs.root, f, text, sizeof text) > 0);
	assert_string_equal(text, "/t/f (deleted)");
	file_put(g);
	file_put(f);
}

TEST(tmpfs_is_limited)
{
	static char block[65536];
	struct file *f;
	size_t all = 0;
	ssize n;

	(void)state;
	assert_int_equal(open_file("/t/f", OPEN_CREATE | OPEN_READ_WRITE, &f), 0);
	for (;;) {
		struct uio uio = uio_kernel(block, sizeof block);
		n = file_write(f, &uio, NULL);
		if (n <= 0)
			break;
		all += (size_t)n;
	}
	assert_int_equal(n, -ENOSPC);
	assert_int_equal(all / PAGE_SIZE, tmpfs_of(f->vnode)->limit);
	assert_int_equal(unlink_file("/t/f"), 0);
	file_put(f);
	assert_int_equal(container_of(root_mount, struct tmpfs, mount)->charged, 0);
}

TEST(renames)
{
	char text[64];
	struct vattr a;
	struct vnode *v;

	(void)state;
	assert_int_equal(mkdir_at("/t/a"), 0);
	assert_int_equal(mkdir_at("/t/a/sub"), 0);
	assert_int_equal(mkdir_at("/t/b"), 0);
	assert_int_equal(touch("/t/f"), 0);
	assert_int_equal(rename_to("/t/a", "/t/a/sub/x", 0), -EINVAL);
	assert_int_equal(rename_to("/t/a/sub", "/t/a", 0), -ENOTEMPTY);
	assert_int_equal(rename_to("/t/f", "/t/a", 0), -EISDIR);
	assert_int_equal(rename_to("/t/a", "/t/f", 0), -ENOTDIR);
	assert_int_equal(rename_to("/t/b", "/t/a", 0), -ENOTEMPTY);
	assert_int_equal(rename_to("/t/f", "/t/g/", 0), -ENOTDIR);
	assert_int_equal(rename_to("/t/f", "/dev/f", 0), -EXDEV);
	assert_int_equal(rename_to("/dev", "/t/dev", 0), -EBUSY);
	assert_int_equal(rename_to("/t/.", "/t/dev", 0), -EBUSY);
	assert_int_equal(rename_to("/t/f", "/t/b", RENAME_NOREPLACE), -EEXIST);
	assert_int_equal(rename_to("/t/f", "/t/none", RENAME_EXCHANGE), -ENOENT);
	assert_int_equal(rename_to("/t/a/sub", "/t/b/moved", 0), 0);
	assert_int_equal(vfs_path(&fs, NULL, "/t/b/moved", text, sizeof text), 10);
	assert_string_equal(text, "/t/b/moved");
	assert_int_equal(vfs_path(&fs, NULL, "/t/b/moved/..", text, sizeof text), 4);
	assert_int_equal(vfs_walk(&fs, NULL, "/t/a", WALK_FOLLOW, &v), 0);
	assert_int_equal(vfs_getattr(v, &a), 0);
	assert_int_equal(a.nlink, 2);
	vnode_put(v);
	assert_int_equal(rename_to("/t/f", "/t/b/moved", RENAME_EXCHANGE), 0);
	assert_int_equal(vfs_walk(&fs, NULL, "/t/b/moved", WALK_FOLLOW, &v), 0);
	assert_true(S_ISREG(v->mode));
	vnode_put(v);
	assert_int_equal(rename_to("/t/f", "/t/a", 0), 0);		/* an empty directory over another */
	assert_int_equal(rmdir_at("/t/a"), 0);
	assert_int_equal(rename_to("/t/b/moved", "/t/b/moved", 0), 0);
	assert_int_equal(vfs_unlink(&fs, NULL, "/t/b", UNLINK_DIRECTORY), -ENOTEMPTY);
	assert_int_equal(unlink_file("/t/b"), -EISDIR);
	assert_int_equal(rmdir_at("/t/b/moved"), -ENOTDIR);
	assert_int_equal(rmdir_at("/t/b/."), -EINVAL);
	assert_int_equal(rmdir_at("/t/b/.."), -ENOTEMPTY);
	assert_int_equal(rmdir_at("/dev"), -EBUSY);
	assert_int_equal(unlink_file("/t/b/moved"), 0);
	assert_int_equal(rmdir_at("/t/b"), 0);
}

TEST(hard_links)
{
	struct vnode *v;
	struct vattr a;

	(void)state;
	assert_int_equal(touch("/t/f"), 0);
	assert_int_equal(vfs_walk(&fs, NULL, "/t/f", WALK_FOLLOW, &v), 0);
	assert_int_equal(vfs_link(&fs, v, NULL, "/t/g"), 0);
	assert_int_equal(vfs_link(&fs, v, NULL, "/t/g"), -EEXIST);
	assert_int_equal(vfs_link(&fs, v, NULL, "/dev/g"), -EXDEV);
	assert_int_equal(vfs_getattr(v, &a), 0);
	assert_int_equal(a.nlink, 2);
	assert_int_equal(rename_to("/t/f", "/t/g", 0), 0);		/* two names of one file: both stay */
	assert_int_equal(unlink_file("/t/f"), 0);
	assert_int_equal(unlink_file("/t/g"), 0);
	assert_int_equal(vfs_link(&fs, v, NULL, "/t/h"), -ENOENT);
	vnode_put(v);
	assert_int_equal(vfs_walk(&fs, NULL, "/t", WALK_FOLLOW, &v), 0);
	assert_int_equal(vfs_link(&fs, v, NULL, "/t/h"), -EPERM);
	vnode_put(v);
}

struct listing { char names[4096]; unsigned count, most; };

static int list_one(void *context, const char *name, size_t len, uint64_t ino, unsigned type, uint64_t next)
{
	struct listing *l = context;

	(void)ino, (void)type, (void)next;
	if (l->count == l->most)
		return 1;
	l->count++;
	snprintf(l->names + strlen(l->names), sizeof l->names - strlen(l->names), "%.*s ", (int)len, name);
	return 0;
}

TEST(reading_a_directory_in_steps)
{
	struct listing l = { .most = 0 };
	char path[32];
	uint64_t pos = 0;
	struct vnode *v;

	(void)state;
	assert_int_equal(mkdir_at("/t/d"), 0);
	for (int i = 0; i < 40; i++) {
		snprintf(path, sizeof path, "/t/d/%d", i);
		assert_int_equal(touch(path), 0);
	}
	assert_int_equal(vfs_walk(&fs, NULL, "/t/d", WALK_FOLLOW, &v), 0);
	for (unsigned i = 0; i < 20; i++) {
		l.most += 3;
		assert_int_equal(vfs_readdir(v, &pos, list_one, &l), 0);
		if (i == 2)
			assert_int_equal(unlink_file("/t/d/5"), 0);	/* already read */
		if (i == 3)
			assert_int_equal(unlink_file("/t/d/30"), 0);	/* not yet */
	}
	assert_int_equal(l.count, 2 + 39);
	assert_null(strstr(l.names, " 30 "));
	assert_non_null(strstr(l.names, " 39 "));
	vnode_put(v);
	for (int i = 0; i < 40; i++) {
		snprintf(path, sizeof path, "/t/d/%d", i);
		assert_int_equal(unlink_file(path), i == 5 || i == 30 ? -ENOENT : 0);
	}
	assert_int_equal(rmdir_at("/t/d"), 0);
}

static struct file *ends[2];

static void read_all(void *arg)
{
	char text[5000];
	size_t *all = arg;
	ssize n;

	while ((n = get(ends[0], text, sizeof text)) > 0)
		*all += (size_t)n;
	file_put(ends[0]);
}

TEST(pipes)
{
	static char block[200000];
	struct waitq *queue;
	char text[16];
	size_t all = 0;

	(void)state;
	assert_int_equal(pipe_create(ends, OPEN_NONBLOCK), 0);
	assert_int_equal(get(ends[0], text, sizeof text), -EAGAIN);
	assert_int_equal(file_poll(ends[0], &queue), 0);
	assert_int_equal(put(ends[1], "abc"), 3);
	assert_int_equal(put(ends[1], "def"), 3);
	assert_int_equal(get(ends[0], text, 3), 2);
	assert_int_equal(get(ends[0], text, sizeof text), 4);
	assert_string_equal(text, "cdef");
	struct uio uio = uio_kernel(block, sizeof block);
	assert_int_equal(file_write(ends[1], &uio, NULL), 65536);
	assert_int_equal(put(ends[1], "x"), -EAGAIN);
	assert_int_equal(pipe_resize(ends[0], 4096), -EBUSY);
	assert_int_equal(file_seek(ends[0], 0, 0), -ESPIPE);
	file_put(ends[0]);
	assert_int_equal(file_poll(ends[1], &queue) & POLL_ERR, POLL_ERR);
	assert_int_equal(put(ends[1], "x"), -EPIPE);
	file_put(ends[1]);

	assert_int_equal(pipe_create(ends, 0), 0);
	struct sim_thread *reader = sim_thread_start(read_all, &all);
	uio = uio_kernel(block, sizeof block);
	assert_int_equal(file_write(ends[1], &uio, NULL), sizeof block);
	file_put(ends[1]);
	sim_thread_join(reader);
	assert_int_equal(all, sizeof block);
}

static void open_fifo_to_write(void *arg)
{
	struct file *f;

	(void)arg;
	assert_int_equal(open_file("/t/p", OPEN_WRITE, &f), 0);
	assert_int_equal(put(f, "through"), 7);
	file_put(f);
}

TEST(fifos)
{
	struct file *f;
	char text[16];

	(void)state;
	assert_int_equal(vfs_make(&fs, NULL, "/t/p", S_IFIFO | 0600, 0), 0);
	assert_int_equal(open_file("/t/p", OPEN_WRITE | OPEN_NONBLOCK, &f), -ENXIO);
	struct sim_thread *writer = sim_thread_start(open_fifo_to_write, NULL);
	assert_int_equal(open_file("/t/p", OPEN_READ, &f), 0);
	assert_int_equal(get(f, text, sizeof text), 7);
	assert_int_equal(get(f, text, sizeof text), 0);
	sim_thread_join(writer);
	file_put(f);
	assert_int_equal(unlink_file("/t/p"), 0);
}

TEST(devices)
{
	struct file *f;
	char text[16];

	(void)state;
	assert_int_equal(open_file("/dev/null", OPEN_READ_WRITE, &f), 0);
	assert_int_equal(put(f, "x"), 1);
	assert_int_equal(get(f, text, sizeof text), 0);
	file_put(f);
	assert_int_equal(open_file("/dev/zero", OPEN_READ_WRITE, &f), 0);
	assert_true(dev_is_zero(f));
	assert_int_equal(get(f, text, sizeof text), 15);
	file_put(f);
	assert_int_equal(open_file("/dev/full", OPEN_READ_WRITE, &f), 0);
	assert_int_equal(put(f, "x"), -ENOSPC);
	file_put(f);
	assert_int_equal(vfs_make(&fs, NULL, "/t/n", S_IFCHR | 0600, makedev64(99, 1)), 0);
	assert_int_equal(open_file("/t/n", OPEN_READ, &f), -ENXIO);
	assert_int_equal(unlink_file("/t/n"), 0);
}

TEST(record_locks)
{
	struct vnode *v;
	int me, you;
	struct record_lock got, mine = { 0, 100, LOCK_WRITE, 1, &me }, yours = { 50, 60, LOCK_READ, 2, &you };

	(void)state;
	assert_int_equal(touch("/t/f"), 0);
	assert_int_equal(vfs_walk(&fs, NULL, "/t/f", WALK_FOLLOW, &v), 0);
	assert_int_equal(locks_set(v, &mine, LOCK_TRY), 0);
	assert_int_equal(locks_set(v, &yours, LOCK_TRY), -EAGAIN);
	assert_true(locks_conflict(v, &yours, &got));
	assert_int_equal(got.pid, 1);
	struct record_lock part = { 40, 70, LOCK_NONE, 1, &me };
	assert_int_equal(locks_set(v, &part, LOCK_TRY), 0);		/* cut in two */
	assert_int_equal(locks_set(v, &yours, LOCK_TRY), 0);
	yours.from = 60;
	yours.to = 71;
	assert_true(locks_conflict(v, &yours, &got));
	assert_int_equal(got.from, 70);
	locks_drop_owner(v, &me);
	assert_false(locks_conflict(v, &yours, &got));
	locks_drop_owner(v, &you);
	vnode_put(v);
	assert_int_equal(unlink_file("/t/f"), 0);
}

/* One of everything; every step may fail with -ENOMEM (or what follows from an earlier failure). */
static void exercise(void)
{
	struct file *f;
	struct vnode *v;
	char path[32];

	mkdir_at("/t/d");
	vfs_symlink(&fs, NULL, "/t/l", "d");
	for (int i = 0; i < 20; i++) {
		snprintf(path, sizeof path, "/t/l/%d", i);
		if (open_file(path, OPEN_CREATE | OPEN_READ_WRITE, &f) == 0) {
			put(f, "some bytes");
			file_put(f);
		}
	}
	rename_to("/t/d/1", "/t/e", 0);
	rename_to("/t/d/2", "/t/e", RENAME_EXCHANGE);
	rename_to("/t/d", "/t/x", 0);
	if (vfs_walk(&fs, NULL, "/t/e", WALK_FOLLOW, &v) == 0) {
		vfs_link(&fs, v, NULL, "/t/h");
		vnode_put(v);
	}
	if (pipe_create(ends, OPEN_NONBLOCK) == 0) {
		put(ends[1], "text");
		file_put(ends[0]);
		file_put(ends[1]);
	}
	vfs_make(&fs, NULL, "/t/p", S_IFIFO | 0600, 0);
	if (open_file("/t/p", OPEN_READ_WRITE, &f) == 0)
		file_put(f);
}

static void clean_up(void)
{
	static const char *const names[] = { "/t/e", "/t/h", "/t/l", "/t/p" };
	char path[32];

	for (int i = 0; i < 20; i++) {
		snprintf(path, sizeof path, "/t/d/%d", i);
		unlink_file(path);
		path[3] = 'x';
		unlink_file(path);
	}
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		unlink_file(names[i]);
	rmdir_at("/t/d");
	rmdir_at("/t/x");
}

/* ---- two at once ------------------------------------------------------------------------------------------------------- */

static int rename_result, link_result, unlink_result;
static struct vnode *linked;

static void rename_directory(void *arg)
{
	(void)arg;
	rename_result = rename_to("/t/empty", "/t/there", 0);
}

/* A rename waits for who is making something in the directory that it would replace, and then finds it. */
TEST(rename_and_create)
{
	struct vnode *there, *made;

	(void)state;
	assert_int_equal(mkdir_at("/t/empty"), 0);
	assert_int_equal(mkdir_at("/t/there"), 0);
	assert_int_equal(vfs_walk(&fs, NULL, "/t/there", WALK_FOLLOW, &there), 0);
	mutex_lock(&there->lock);
	rename_result = 1;
	struct sim_thread *other = sim_thread_start(rename_directory, NULL);
	sim_yield();
	assert_int_equal(rename_result, 1);
	assert_int_equal(there->ops->create(there, "x", 1, S_IFREG | 0600, 0, &made), 0);
	assert_int_equal(vnode_set_link(made, there, "x", 1), 0);
	mutex_unlock(&there->lock);
	sim_thread_join(other);
	assert_int_equal(rename_result, -ENOTEMPTY);
	vnode_put(made);
	vnode_put(there);
	assert_int_equal(unlink_file("/t/there/x"), 0);
	assert_int_equal(rmdir_at("/t/there"), 0);
	assert_int_equal(rmdir_at("/t/empty"), 0);
}

static void link_file(void *arg)
{
	(void)arg;
	link_result = vfs_link(&fs, linked, NULL, "/t/d/again");
}

static void remove_file(void *arg)
{
	(void)arg;
	unlink_result = unlink_file("/t/f");
}

/* A link that has to wait for its directory comes too late for a file that loses its last name meanwhile. */
TEST(link_and_unlink)
{
	struct vnode *dir;

	(void)state;
	assert_int_equal(touch("/t/f"), 0);
	assert_int_equal(mkdir_at("/t/d"), 0);
	assert_int_equal(vfs_walk(&fs, NULL, "/t/f", WALK_FOLLOW, &linked), 0);
	assert_int_equal(vfs_walk(&fs, NULL, "/t/d", WALK_FOLLOW, &dir), 0);
	mutex_lock(&dir->lock);
	struct sim_thread *linker = sim_thread_start(link_file, NULL), *remover = sim_thread_start(remove_file, NULL);
	sim_yield();
	sim_thread_join(remover);
	assert_int_equal(unlink_result, 0);
	mutex_unlock(&dir->lock);
	sim_thread_join(linker);
	assert_int_equal(link_result, -ENOENT);
	vnode_put(dir);
	vnode_put(linked);
	assert_int_equal(rmdir_at("/t/d"), 0);
}

/* Who has taken the place where the process stood keeps it. */
TEST(places_are_referenced)
{
	struct vnode *v;

	(void)state;
	assert_int_equal(mkdir_at("/t/d"), 0);
	assert_int_equal(vfs_walk(&fs, NULL, "/t/d", WALK_FOLLOW, &v), 0);
	fs_context_set_cwd(&fs, v);
	struct vnode *cwd = fs_context_cwd(&fs);
	assert_ptr_equal(cwd, v);
	assert_int_equal(rmdir_at("/t/d"), 0);
	fs_context_set_cwd(&fs, fs_context_root(&fs));
	assert_true(cwd->unlinked);
	assert_int_equal(vfs_walk(&fs, cwd, "x", WALK_FOLLOW, &v), -ENOENT);
	vnode_put(cwd);
}

TEST(every_allocation_may_fail)
{
	(void)state;
	for (unsigned long k = 1;; k++) {
		alloc_fail_at = k;
		exercise();
		bool failed = alloc_fail_at == 0;
		alloc_fail_at = 0;
		clean_up();
		assert_int_equal(vnode_count(), vnodes);
		assert_int_equal(file_count(), files);
		census_check(&before);
		if (!failed)
			break;
	}
}

static const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	T(paths), T(symbolic_links), T(open_errors), T(contents), T(tmpfs_is_limited), T(renames), T(hard_links), T(reading_a_directory_in_steps),
	T(pipes), T(fifos), T(devices), T(record_locks), T(rename_and_create), T(link_and_unlink), T(places_are_referenced), T(every_allocation_may_fail),
};
RUN_TESTS("vfs", tests)
