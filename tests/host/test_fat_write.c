/*
 * tests/host/test_fat_write.c - fs/fat*.c as a file system that is written, through the VFS, against a reference in memory.
 *
 * Random programs create, write, map, truncate, rename and remove, with files that stay open or mapped when they have lost their names, with
 * volumes that are full and allocations that fail.  Every so often all that can be seen is compared, the volume is mounted a second time from its bytes
 * alone, and fsck.fat and mtools say what they think of it.
 *
 *	FAT_SEED=n FAT_STEPS=n build/host/3x5/test_fat_write	another program, a longer one
 */
#include "harness.h"
#include "fat_drive.h"
#include "fs/vfs.h"
#include "vm/reclaim.h"
#include "lib/string.h"
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

enum { HANDLES = 5, WINDOW = 48 /* pages of a mapping */, NAMES = 12, BYTES_MAX = 150000 };

static char folder[] = "/tmp/test_fat_write.XXXXXX";
static struct fs_context fs;
static uint64_t seed;

void random_bytes(void *to, size_t n) { memset(to, 4, n); }

static unsigned below(unsigned n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % n;
}

/* ---- the reference ----------------------------------------------------------------------------------------------------- */

struct ref {
	struct ref *parent, *next, *child;
	const char *name;
	bool dir, named;
	unsigned handles;
	size_t size;
	uint8_t *data;			/* BYTES_MAX bytes */
};

static struct ref root = { .dir = true, .named = true };
static const char *const names[NAMES] = {
	"A", "b", "README.TXT", "readme.txt", "a long name with blanks.tar.gz", "grüße-日本語", ".hidden", "x.y.z", "UPPER", "Upper",
	"eleven-char", "very-long-very-long-very-long-very-long-very-long-very-long-very-long-very-long-very-long-very-long-very-long"
		"-very-long-very-long-very-long-very-long-very-long-very-long-very-long-very-long-very-long-very-long",
};

static struct ref *ref_find(struct ref *dir, const char *name)
{
	struct ref *r = dir->child;
	while (r && strcmp(r->name, name) != 0)
		r = r->next;
	return r;
}

/* Is there another entry that differs by case alone? */
static bool ref_clash(struct ref *dir, const char *name, const struct ref *except)
{
	for (struct ref *r = dir->child; r; r = r->next)
		if (r != except && strcasecmp(r->name, name) == 0 && strcmp(r->name, name) != 0)
			return true;
	return false;
}

static struct ref *ref_add(struct ref *dir, const char *name, bool is_dir)
{
	struct ref *r = calloc(1, sizeof *r);
	*r = (struct ref){ .parent = dir, .next = dir->child, .name = name, .dir = is_dir, .named = true };
	if (!is_dir)
		r->data = calloc(1, BYTES_MAX);
	dir->child = r;
	return r;
}

static void ref_free(struct ref *r)
{
	if (r->named || r->handles)
		return;
	free(r->data);
	free(r);
}

static void ref_unlink(struct ref *r)
{
	struct ref **at = &r->parent->child;
	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
}

static struct ref *random_dir(void)
{
	struct ref *d = &root;
	for (unsigned depth = below(4); depth > 0; depth--) {
		struct ref *r = d->child;
		for (unsigned n = below(6); r && n > 0; n--)
			r = r->next;
		if (r && r->dir)
			d = r;
	}
	return d;
}

static const char *path_of(const struct ref *dir, const char *name)
{
	static char paths[2][PATH_MAX];
	static unsigned turn;
	char *at = paths[turn ^= 1] + PATH_MAX;
	*--at = '\0';
	for (;; name = dir->name, dir = dir->parent) {
		size_t n = strlen(name);
		at -= n;
		memcpy(at, name, n);
		*--at = '/';
		if (dir == &root)
			return at;
	}
}

/* ---- what is done --------------------------------------------------------------------------------------------------------- */

struct handle { struct file *file; struct ref *ref; vaddr_t map; };
static struct handle handles[HANDLES];
static struct space *space;
static bool failing;			/* an allocation may fail in this step */
static unsigned steps, full, starved;

/* Was the result what it had to be, or for want of clusters or memory?  true: what was asked for has been done. */
static bool happened(int got, int wanted)
{
	if (got == -ENOSPC && (wanted == 0 || wanted == -EEXIST)) {
		full++;
		return false;
	}
	if (got == -ENOMEM && failing) {
		starved++;
		return false;
	}
	if (got != wanted)
		print_error("step %u: %d, not %d\n", steps, got, wanted);
	assert_int_equal(got, wanted);
	return got == 0;
}

static void let_go(struct handle *h)
{
	if (h->file)
		file_put(h->file);
	if (h->map)
		assert_int_equal(vm_munmap(space, h->map, WINDOW * PAGE_SIZE), 0);
	if (h->ref) {
		h->ref->handles--;
		ref_free(h->ref);
	}
	*h = (struct handle){ 0 };
}

static void do_open(struct handle *h)
{
	struct ref *dir = random_dir();
	const char *name = names[below(NAMES)];
	struct ref *r = ref_find(dir, name);
	struct file *f = NULL;
	let_go(h);
	if (r && r->dir)
		return;
	int wanted = !r && ref_clash(dir, name, NULL) ? -EEXIST : 0;
	bool opened = happened(vfs_open(&fs, NULL, path_of(dir, name), OPEN_CREATE | OPEN_READ_WRITE, 0600, &f), wanted);
	struct vnode *v;
	drive_fail_at = 0;
	if (!r && vfs_walk(&fs, NULL, path_of(dir, name), WALK_FOLLOW, &v) == 0) {	/* made, and perhaps not opened */
		vnode_put(v);
		r = ref_add(dir, name, false);
	}
	if (!opened)
		return;
	assert_non_null(r);
	r->handles++;
	*h = (struct handle){ .file = f, .ref = r };
}

static void do_mkdir(void)
{
	struct ref *dir = random_dir();
	const char *name = names[below(NAMES)];
	int wanted = ref_find(dir, name) || ref_clash(dir, name, NULL) ? -EEXIST : 0;
	if (happened(vfs_make(&fs, NULL, path_of(dir, name), S_IFDIR | 0700, 0), wanted))
		ref_add(dir, name, true);
}

static void do_unlink(void)
{
	struct ref *dir = random_dir(), *r = ref_find(dir, names[below(NAMES)]);
	if (!r)
		return;
	int wanted = r->child ? -ENOTEMPTY : 0;
	if (happened(vfs_unlink(&fs, NULL, path_of(dir, r->name), r->dir ? UNLINK_DIRECTORY : UNLINK_FILE), wanted)) {
		ref_unlink(r);
		r->named = false;
		ref_free(r);
	}
}

static bool is_below(const struct ref *r, const struct ref *top)
{
	for (; r; r = r->parent)
		if (r == top)
			return true;
	return false;
}

static void do_rename(void)
{
	struct ref *from = random_dir(), *to = random_dir(), *r = ref_find(from, names[below(NAMES)]);
	const char *name = names[below(NAMES)];
	struct ref *old = ref_find(to, name);
	if (!r)
		return;
	int wanted = is_below(to, r) ? -EINVAL : old && is_below(from, old) ? -ENOTEMPTY : old && r->dir != old->dir ? (r->dir ? -ENOTDIR : -EISDIR) :
		old && old != r && old->child ? -ENOTEMPTY : !old && ref_clash(to, name, r) ? -EEXIST : 0;
	if (!happened(vfs_rename(&fs, NULL, path_of(from, r->name), NULL, path_of(to, name), 0), wanted) || old == r)
		return;
	if (old) {
		ref_unlink(old);
		old->named = false;
		ref_free(old);
	}
	ref_unlink(r);
	r->name = name;
	r->parent = to;
	r->next = to->child;
	to->child = r;
}

static void fill(uint8_t *to, size_t n)
{
	uint8_t byte = (uint8_t)below(256);
	for (size_t i = 0; i < n; i++)
		to[i] = byte += 7;
}

static void do_write(struct handle *h)
{
	static uint8_t bytes[40000];
	uint64_t pos = below(4) ? below((unsigned)h->ref->size + 1) : below(BYTES_MAX - sizeof bytes);
	size_t n = below(4) ? 1 + below(600) : 1 + below(sizeof bytes);
	if (pos + n > BYTES_MAX)
		return;
	fill(bytes, n);
	struct uio uio = uio_kernel(bytes, n);
	ssize done = file_write(h->file, &uio, &pos);
	if (done < 0) {
		assert_false(happened((int)done, 0));
		return;
	}
	assert_true((size_t)done == n || done > 0);
	full += (size_t)done < n;
	pos -= (uint64_t)done;
	memcpy(h->ref->data + pos, bytes, (size_t)done);
	if (pos + (size_t)done > h->ref->size)
		h->ref->size = pos + (size_t)done;
}

static void do_truncate(struct handle *h)
{
	size_t size = below(3) ? below((unsigned)h->ref->size + 1) : below(BYTES_MAX);
	if (!happened(vfs_truncate(&fs, h->file->vnode, size), 0))
		return;
	if (size < h->ref->size)
		memset(h->ref->data + size, 0, h->ref->size - size);
	h->ref->size = size;
}

static void do_read(struct handle *h)
{
	static uint8_t bytes[30000];
	uint64_t pos = below((unsigned)h->ref->size + 5000), at = pos;
	struct uio uio = uio_kernel(bytes, sizeof bytes);
	size_t want = pos < h->ref->size ? h->ref->size - pos : 0;
	if (want > sizeof bytes)
		want = sizeof bytes;
	ssize n = file_read(h->file, &uio, &pos);
	if (failing && (n == -ENOMEM || (n >= 0 && (size_t)n < want)))
		return;
	assert_int_equal(n, want);
	assert_memory_equal(bytes, h->ref->data + at, want);
}

static void do_map(struct handle *h)
{
	struct object *o;
	vaddr_t at = (vaddr_t)(64 + (unsigned)(h - handles) * WINDOW) * PAGE_SIZE;
	if (h->map || file_map_check(h->file, VM_READ | VM_WRITE, MAP_SHARED, &o))
		return;
	assert_int_equal(vm_mmap(space, at, WINDOW * PAGE_SIZE, VM_READ | VM_WRITE, MAP_SHARED | MAP_FIXED, o, 0), at);
	h->map = at;
}

/* Through the mapping; sometimes behind the end of the file, in its last page, where it must have no effect. */
static void do_touch(struct handle *h)
{
	size_t in_pages = (h->ref->size + PAGE_MASK) & ~(size_t)PAGE_MASK;
	if (in_pages == 0)
		return;
	for (unsigned n = 1 + below(20); n > 0; n--) {
		size_t at = below((unsigned)in_pages);
		uint8_t byte = (uint8_t)below(256), got;
		if (below(2)) {
			assert_int_equal(sim_write_byte(space, h->map + at, byte), FAULT_DONE);
			if (at < h->ref->size)
				h->ref->data[at] = byte;
		} else {
			assert_int_equal(sim_read_byte(space, h->map + at, &got), FAULT_DONE);
			if (at < h->ref->size)
				assert_int_equal(got, h->ref->data[at]);
		}
	}
}

/* ---- what is compared ----------------------------------------------------------------------------------------------------- */

static unsigned count_refs(const struct ref *dir)
{
	unsigned n = 0;
	for (const struct ref *r = dir->child; r; r = r->next)
		n++;
	return n;
}

static int count_entry(void *context, const char *name, size_t len, uint64_t ino, unsigned type, uint64_t next)
{
	(void)name, (void)len, (void)ino, (void)type, (void)next;
	++*(unsigned *)context;
	return 0;
}

/* The tree as the volume that is mounted has it. */
static void compare_tree(struct vnode *dir, const struct ref *want)
{
	unsigned entries = 0;
	uint64_t pos = DIR_FIRST;
	assert_int_equal(dir->ops->readdir(dir, &pos, count_entry, &entries), 0);
	assert_int_equal(entries, count_refs(want));
	for (const struct ref *r = want->child; r; r = r->next) {
		static uint8_t bytes[BYTES_MAX];
		struct vnode *v;
		struct vattr a = { 0 };
		assert_int_equal(drive_lookup(dir, r->name, &v), 0);
		assert_int_equal((bool)S_ISDIR(v->mode), r->dir);
		v->ops->getattr(v, &a);
		if (r->dir) {
			compare_tree(v, r);
		} else {
			assert_int_equal(a.size, r->size);
			assert_int_equal(drive_open(v), 0);
			assert_int_equal(drive_read(v, bytes, sizeof bytes, 0), r->size);
			assert_memory_equal(bytes, r->data, r->size);
		}
		vnode_put(v);
	}
}

/* The tree as mtools brought it out. */
static void compare_host(const char *path, const struct ref *want)
{
	for (const struct ref *r = want->child; r; r = r->next) {
		static uint8_t bytes[BYTES_MAX];
		char name[PATH_MAX];
		snprintf(name, sizeof name, "%s/%s", path, r->name);
		if (r->dir) {
			compare_host(name, r);
			continue;
		}
		FILE *f = fopen(name, "rb");
		if (!f)
			print_error("%s is missing\n", name);
		assert_non_null(f);
		assert_int_equal(fread(bytes, 1, sizeof bytes, f), r->size);
		assert_memory_equal(bytes, r->data, r->size);
		fclose(f);
	}
}

static int in_folder(const char *command)
{
	char line[PATH_MAX];
	snprintf(line, sizeof line, "export LC_ALL=C.UTF-8 PATH=$PATH:/usr/sbin MTOOLS_SKIP_CHECK=1; mk=$PWD/initrd/mkimage && cd %s && { %s; } > said 2>&1",
		folder, command);
	return system(line);
}

/* Is a file in use that has been removed? */
static bool any_removed(void)
{
	for (unsigned i = 0; i < HANDLES; i++)
		if (handles[i].ref && !handles[i].ref->named)
			return true;
	return false;
}

enum thoroughness { MOUNTED, AND_AGAIN, AND_TOOLS };

static void compare_all(struct mount *m, size_t size, enum thoroughness how)
{
	compare_tree(m->root, &root);
	check_sound();
	if (how == MOUNTED)
		return;
	vm_sync();
	uint8_t *copy = malloc(size);
	const char *why_not;
	memcpy(copy, drive_image(), size);
	struct mount *again = fat_mount(copy, size, PFN_NONE, &why_not);
	assert_non_null(again);
	compare_tree(again->root, &root);
	struct linux_statfs a = { 0 }, b = { 0 };
	m->statfs(m, &a);
	again->statfs(again, &b);
	/* What removed files still have is free for who looks at the image. */
	assert_true(any_removed() ? a.bfree <= b.bfree : a.bfree == b.bfree);
	fat_unmount(again);
	free(copy);
	if (how == AND_AGAIN)
		return;
	char path[PATH_MAX];
	snprintf(path, sizeof path, "%s/written.img", folder);
	FILE *f = fopen(path, "wb");
	assert_int_equal(fwrite(drive_image(), 1, size, f), size);
	fclose(f);
	snprintf(path, sizeof path, "%s/out", folder);
	int status = in_folder("fsck.fat -n written.img && rm -rf out && mkdir out && if [ \"$(mdir -b -i written.img)\" ]; then mcopy -s -n -i written.img '::*' out < /dev/null; fi");
	if (status)
		in_folder("cat said >&2");
	assert_int_equal(status, 0);
	compare_host(path, &root);
}

/* ---- the program --------------------------------------------------------------------------------------------------------- */

static void step(void)
{
	struct handle *h = &handles[below(HANDLES)];
	unsigned what = below(100);
	failing = what < 97 && below(5) == 0;
	drive_fail_at = failing ? 1 + below(6) : 0;
	if (what < 10)
		do_open(h);
	else if (what < 15)
		do_mkdir();
	else if (what < 22)
		do_unlink();
	else if (what < 30)
		do_rename();
	else if (what < 55 && h->file)
		do_write(h);
	else if (what < 65 && h->file)
		do_truncate(h);
	else if (what < 75 && h->file)
		do_read(h);
	else if (what < 80 && h->file)
		do_map(h);
	else if (what < 92 && h->map)
		drive_fail_at = 0, do_touch(h);
	else if (what == 92)
		let_go(h);
	else if (what == 93 && h->file && h->map)	/* closed, and still mapped */
		file_put(h->file), h->file = NULL;
	else if (what == 94)
		vm_sync();
	else if (what == 95)
		reclaim_frames(1000);
	else if (what == 96)
		vnode_drop_idle();
	drive_fail_at = 0;
}

static size_t load(const char *name)
{
	char path[PATH_MAX];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *f = fopen(path, "rb");
	assert_non_null(f);
	size_t size = fread(drive_image(), 1, DRIVE_IMAGE_MAX, f);
	fclose(f);
	return size;
}

static unsigned long number(const char *variable, unsigned long otherwise)
{
	const char *text = getenv(variable);
	return text ? strtoul(text, NULL, 0) : otherwise;
}

static void forget(struct ref *dir)
{
	while (dir->child) {
		struct ref *r = dir->child;
		if (r->dir)
			forget(r);
		ref_unlink(r);
		r->named = false;
		ref_free(r);
	}
}

static void write_image(const char *name)
{
	const char *why_not;
	drive_boot();
	size_t size = load(name);
	struct mount *m = fat_mount(drive_image(), size, drive_image_pfn(), &why_not);
	assert_non_null(m);
	assert_int_equal(vfs_mount("/", m), 0);
	fs_context_init(&fs);
	seed = number("FAT_SEED", 1);
	space = new_space();
	unsigned long last = number("FAT_STEPS", 4000);
	for (steps = 1; steps <= last; steps++) {
		drive_now += below(3);
		step();
		if (steps % 100 == 0)
			compare_all(m, size, steps % 1000 == 0 ? AND_TOOLS : steps % 500 == 0 ? AND_AGAIN : MOUNTED);
	}
	for (unsigned i = 0; i < HANDLES; i++)
		let_go(&handles[i]);
	compare_all(m, size, AND_TOOLS);
	forget(&root);
	drop_space(space);
	fs_context_drop(&fs);
	fat_unmount(m);
	assert_int_equal(drive_blocks, 0);
	assert_int_equal(file_count(), 0);
	print_message("# %s: %lu steps, no room %u times, no memory %u times\n", name, last, full, starved);
}

/* ---- each allocation of each operation fails once --------------------------------------------------------------------------- */

static struct file *victim;
static uint8_t page_of_bytes[3 * 4096];

static int op_create(void)
{
	struct file *f;
	int error = vfs_open(&fs, NULL, "/a new file", OPEN_CREATE | OPEN_WRITE, 0600, &f);
	if (!error)
		file_put(f);
	return error;
}
static int op_mkdir(void) { return vfs_make(&fs, NULL, "/made", S_IFDIR | 0700, 0); }
static int op_rename(void) { return vfs_rename(&fs, NULL, "/made", NULL, "/made elsewhere", 0); }
static int op_replace(void) { return vfs_rename(&fs, NULL, "/a new file", NULL, "/pieces", 0); }
static int op_rmdir(void) { return vfs_unlink(&fs, NULL, "/made elsewhere", UNLINK_DIRECTORY); }
static int op_longer(void) { return vfs_truncate(&fs, victim->vnode, 100000); }
static int op_shorter(void) { return vfs_truncate(&fs, victim->vnode, 70000); }
static int op_unlink(void) { return vfs_unlink(&fs, NULL, "/pieces", UNLINK_FILE); }
static int op_write(void)
{
	struct uio uio = uio_kernel(page_of_bytes, sizeof page_of_bytes);
	uint64_t pos = 69000;
	ssize n = file_write(victim, &uio, &pos);
	return n < 0 ? (int)n : (size_t)n < sizeof page_of_bytes ? -ENOMEM : 0;
}

/* The file is in many pieces: two that grow in turn. */
static void make_pieces(void)
{
	struct file *other;
	assert_int_equal(vfs_open(&fs, NULL, "/pieces", OPEN_CREATE | OPEN_READ_WRITE, 0600, &victim), 0);
	assert_int_equal(vfs_open(&fs, NULL, "/other", OPEN_CREATE | OPEN_READ_WRITE, 0600, &other), 0);
	for (unsigned i = 1; i <= 64; i++) {
		assert_int_equal(vfs_truncate(&fs, victim->vnode, i * 1024), 0);
		assert_int_equal(vfs_truncate(&fs, other->vnode, i * 1024), 0);
	}
	file_put(other);
}

TEST(every_allocation_may_fail)
{
	static const struct { const char *name; int (*run)(void); bool allocates; } ops[] = {
		{ "create", op_create, true }, { "mkdir", op_mkdir, true }, { "write", op_write, false }, { "longer", op_longer, true }, { "shorter", op_shorter, false },
		{ "rename", op_rename, true }, { "rmdir", op_rmdir, false }, { "replace", op_replace, true }, { "unlink", op_unlink, false },
	};
	const char *why_not;
	(void)state;
	drive_boot();
	size_t size = load("packed");
	struct mount *m = fat_mount(drive_image(), size, drive_image_pfn(), &why_not);
	assert_int_equal(vfs_mount("/", m), 0);
	fs_context_init(&fs);
	make_pieces();
	for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
		int error = -ENOMEM;
		unsigned long k = 0, left = 0;
		while (error == -ENOMEM) {
			if (victim && ops[i].run == op_replace) {
				file_put(victim);
				victim = NULL;
			}
			drive_fail_at = ++k;
			error = ops[i].run();
			left = drive_fail_at;
			drive_fail_at = 0;
			vm_sync();
			check_sound();
		}
		if (error)
			print_error("%s: %d\n", ops[i].name, error);
		assert_int_equal(error, 0);
		assert_true(left > 0 || k > 1 || !ops[i].allocates);
		print_message("# %s: %lu allocations\n", ops[i].name, k - 1);
		struct linux_statfs s = { 0 };
		m->statfs(m, &s);
		FILE *f = fopen(strcat(strcpy((char [PATH_MAX]){ 0 }, folder), "/written.img"), "wb");
		assert_int_equal(fwrite(drive_image(), 1, size, f), size);
		fclose(f);
		assert_int_equal(in_folder("fsck.fat -n written.img"), 0);
	}
	fs_context_drop(&fs);
	fat_unmount(m);
	assert_int_equal(drive_blocks, 0);
}

static void forget_vnodes(void *arg)
{
	(void)arg;
	vnode_drop_idle();
}

/* A file is looked up and removed while its forgotten vnode waits for the lock under which it leaves its node: that stays so long. */
TEST(a_vnode_on_its_way_out)
{
	const char *why_not;
	struct vnode *v;
	(void)state;
	drive_boot();
	size_t size = load("packed");
	struct mount *m = fat_mount(drive_image(), size, drive_image_pfn(), &why_not);
	struct fat_volume *vol = m->data;
	assert_int_equal(vfs_mount("/", m), 0);
	fs_context_init(&fs);
	assert_int_equal(vfs_make(&fs, NULL, "/file", S_IFREG | 0600, 0), 0);
	mutex_lock(&vol->tree);
	struct sim_thread *other = sim_thread_start(forget_vnodes, NULL);
	sim_yield();
	mutex_unlock(&vol->tree);
	assert_int_equal(vfs_walk(&fs, NULL, "/file", WALK_FOLLOW, &v), 0);
	vnode_put(v);
	assert_int_equal(vfs_unlink(&fs, NULL, "/file", UNLINK_FILE), 0);
	sim_thread_join(other);
	vm_sync();
	check_sound();
	fs_context_drop(&fs);
	fat_unmount(m);
	assert_int_equal(drive_blocks, 0);
}

#define IMAGE_TEST(name, image) TEST(name) { (void)state; write_image(image); }
IMAGE_TEST(aligned_fat12, "aligned")
IMAGE_TEST(packed_fat12, "packed")
IMAGE_TEST(full_fat12, "small")
IMAGE_TEST(two_tables_fat12, "tables")
IMAGE_TEST(big_clusters_fat12, "big")
IMAGE_TEST(aligned_fat16, "fat16")
IMAGE_TEST(packed_fat16, "packed16")
IMAGE_TEST(fat32, "fat32")

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(every_allocation_may_fail), cmocka_unit_test(a_vnode_on_its_way_out), cmocka_unit_test(aligned_fat12), cmocka_unit_test(packed_fat12), cmocka_unit_test(full_fat12), cmocka_unit_test(two_tables_fat12),
	cmocka_unit_test(big_clusters_fat12), cmocka_unit_test(aligned_fat16), cmocka_unit_test(packed_fat16), cmocka_unit_test(fat32),
};

int main(int argc, char **argv)
{
	if (!mkdtemp(folder) || in_folder(
		"$mk --bare --free 3M --out aligned && $mk --bare --packed --free 1500K --out packed && $mk --bare --cluster 1024 --free 200K --out small &&"
		"truncate -s 1500K tables && mkfs.fat -F12 -f2 -s1 -S512 tables && $mk --bare --cluster 32768 --free 3M --out big &&"
		"$mk --bare --fat 16 --free 4M --out fat16 && $mk --bare --fat 16 --packed --free 2M --out packed16 &&"
		"truncate -s 34M fat32 && mkfs.fat -F32 -s1 -S512 fat32 && for i in aligned packed small big fat16 packed16; do mdel -i $i ::/.faultline-meta; done")) {
		in_folder("cat said >&2");
		return 1;
	}
	int status = run_suite("fat_write", tests, sizeof tests / sizeof *tests, argc > 1 ? argv[1] : NULL);
	in_folder("rm -rf $PWD");
	return status;
}
