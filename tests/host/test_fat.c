/*
 * tests/host/test_fat.c - fs/fat*.c against images made by mkfs.fat, mtools and initrd/mkimage (tests/host/fat_images), compared byte for byte with
 * the trees that they were made from; and against images that lie.
 *
 * The images are made anew in a folder that goes away with the test program's first process.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "harness.h"
#include "fat_drive.h"
#include "lib/string.h"
#include "vm/heap.h"

static char folder[] = "/tmp/test_fat.XXXXXX";

static void path_of(char to[PATH_MAX], const char *name)
{
	snprintf(to, PATH_MAX, "%s/%s", folder, name);
}

/* Reads an image to the reserved RAM of the machine; its size. */
static size_t load(const char *name)
{
	char path[PATH_MAX];
	path_of(path, name);
	FILE *f = fopen(path, "rb");
	assert_non_null(f);
	size_t size = fread(drive_image(), 1, DRIVE_IMAGE_MAX, f);
	assert_true(size > 0 && size < DRIVE_IMAGE_MAX);
	fclose(f);
	return size;
}

static struct mount *mount_image(size_t size)
{
	const char *why_not;
	struct mount *m = fat_mount(drive_image(), size, drive_image_pfn(), &why_not);
	if (!m)
		print_error("%s\n", why_not);
	assert_non_null(m);
	return m;
}

static void unmount(struct mount *m)
{
	fat_unmount(m);
	assert_int_equal(drive_blocks, 0);
	assert_int_equal(vnode_count(), 0);
}

static struct vnode *must_find(struct mount *m, const char *path)
{
	struct vnode *v = NULL;
	assert_int_equal(drive_path(m, path, &v), 0);
	return v;
}

/* ---- the same tree? ---------------------------------------------------------------------------------------------------- */

enum borrowing { BORROWS_ALL, BORROWS_SOME, BORROWS_NONE };
static struct { unsigned files, pages, borrowed; } seen;

static void compare_pages(struct vnode *v, const uint8_t *want, size_t size)
{
	for (size_t at = 0; at < size; at += PAGE_SIZE) {
		size_t n = size - at < PAGE_SIZE ? size - at : PAGE_SIZE;
		struct page_record *r;
		assert_int_equal(object_pin(v->object, at / PAGE_SIZE, &r), 0);
		const uint8_t *page = direct(r->pfn);
		assert_memory_equal(page, want + at, n);
		for (size_t i = n; i < PAGE_SIZE; i++)
			assert_int_equal(page[i], 0);
		bool in_image = page >= drive_image() && page < drive_image() + DRIVE_IMAGE_MAX;
		assert_int_equal(in_image, r->borrowed);
		seen.pages++;
		seen.borrowed += r->borrowed;
		object_unpin(v->object, r);
	}
}

static void compare_file(struct vnode *v, const char *host)
{
	int fd = open(host, O_RDONLY);
	struct stat st;
	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	uint8_t *want = malloc(st.st_size + 1);
	assert_int_equal(read(fd, want, st.st_size), st.st_size);
	close(fd);
	assert_int_equal(drive_open(v), 0);
	assert_int_equal(v->object->size, st.st_size);
	compare_pages(v, want, st.st_size);
	free(want);
	seen.files++;
}

static void compare_link(struct vnode *v, const char *host)
{
	char want[PATH_MAX], got[PATH_MAX];
	ssize n = readlink(host, want, sizeof want);
	assert_true(n > 0);
	assert_int_equal(v->ops->readlink(v, got, sizeof got), n);
	assert_memory_equal(got, want, n);
	assert_int_equal(v->ops->readlink(v, got, 1), 1);
}

static int count_entry(void *context, const char *name, size_t len, uint64_t ino, unsigned type, uint64_t next)
{
	(void)name, (void)len, (void)ino, (void)type, (void)next;
	++*(unsigned *)context;
	return 0;
}

enum manifest { WITHOUT_MANIFEST, WITH_MANIFEST };

static void compare_tree(struct vnode *dir, const char *host, enum manifest manifest)
{
	unsigned entries = 0, wanted = 0;
	uint64_t pos = DIR_FIRST;
	DIR *d = opendir(host);
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));) {
		char path[PATH_MAX];
		struct stat st;
		struct vnode *v = NULL;
		struct vattr a = { 0 };
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		snprintf(path, sizeof path, "%s/%s", host, e->d_name);
		assert_int_equal(lstat(path, &st), 0);
		if (drive_lookup(dir, e->d_name, &v))
			print_error("%s is missing\n", path);
		assert_non_null(v);
		assert_int_equal(v->mode & S_IFMT, st.st_mode & S_IFMT);
		assert_int_equal(v->ops->getattr(v, &a), 0);
		if (manifest == WITH_MANIFEST)
			assert_int_equal(v->mode, st.st_mode);
		if (S_ISREG(v->mode)) {
			assert_int_equal(a.size, st.st_size);
			assert_int_equal(a.mtime.sec, st.st_mtime & ~1);
		}
		wanted++;
		if (S_ISDIR(v->mode))
			compare_tree(v, path, manifest);
		else if (S_ISREG(v->mode))
			compare_file(v, path);
		else if (S_ISLNK(v->mode))
			compare_link(v, path);
		vnode_put(v);
	}
	closedir(d);
	assert_int_equal(dir->ops->readdir(dir, &pos, count_entry, &entries), 0);
	assert_int_equal(entries, wanted);
}

static void check_image(const char *image, const char *tree, enum manifest manifest, enum borrowing borrowing)
{
	char host[PATH_MAX];
	path_of(host, tree);
	struct mount *m = mount_image(load(image));
	memset(&seen, 0, sizeof seen);
	compare_tree(m->root, host, manifest);
	unmount(m);
	assert_true(seen.files > 15 && seen.pages > 100);
	if (borrowing == BORROWS_ALL)
		assert_int_equal(seen.borrowed, seen.pages);
	else if (borrowing == BORROWS_NONE)
		assert_int_equal(seen.borrowed, 0);
	print_message("# %s: %u files, %u pages, %u of them borrowed\n", image, seen.files, seen.pages, seen.borrowed);
}

TEST(every_type_and_cluster_size)
{
	static const char *const images[] = { "12-512.img", "12-1024.img", "12-4096.img", "12-32768.img", "16-512.img", "16-4096.img",
		"32-512.img", "32-4096.img" };
	(void)state;
	drive_boot();
	for (size_t i = 0; i < sizeof images / sizeof *images; i++)
		check_image(images[i], "plain", WITHOUT_MANIFEST, BORROWS_SOME);
}

TEST(files_in_pieces)
{
	(void)state;
	drive_boot();
	check_image("frag-12.img", "plain", WITHOUT_MANIFEST, BORROWS_SOME);
	check_image("frag-16.img", "plain", WITHOUT_MANIFEST, BORROWS_SOME);
	check_image("frag-32.img", "plain", WITHOUT_MANIFEST, BORROWS_SOME);
}

TEST(what_fat_cannot_carry)
{
	(void)state;
	drive_boot();
	check_image("aligned.img", "unix", WITH_MANIFEST, BORROWS_ALL);
	check_image("packed.img", "unix", WITH_MANIFEST, BORROWS_NONE);
	check_image("full16.img", "unix", WITH_MANIFEST, BORROWS_ALL);
}

TEST(an_image_off_its_frame_lends_nothing)
{
	const char *why_not;
	char host[PATH_MAX];
	(void)state;
	drive_boot();
	size_t size = load("aligned.img");
	memmove(drive_image() + 512, drive_image(), size);
	struct mount *m = fat_mount(drive_image() + 512, size, PFN_NONE, &why_not);
	assert_non_null(m);
	path_of(host, "unix");
	memset(&seen, 0, sizeof seen);
	compare_tree(m->root, host, WITH_MANIFEST);
	assert_int_equal(seen.borrowed, 0);
	unmount(m);
}

TEST(names_must_be_exact)
{
	struct vnode *v;
	(void)state;
	drive_boot();
	struct mount *m = mount_image(load("aligned.img"));
	assert_int_equal(drive_path(m, "/Case/nothing", &v), -ENOENT);
	assert_int_equal(drive_path(m, "/CASE", &v), -ENOENT);
	assert_int_equal(drive_path(m, "/.faultline-meta", &v), -ENOENT);
	assert_int_equal(drive_path(m, "/size-1/x", &v), -ENOTDIR);
	unmount(m);
}

/* ---- the image maker --------------------------------------------------------------------------------------------------- */

/* Runs a command of the shell in the images' folder; its status. $mk is the image maker. */
static int in_folder(const char *command)
{
	char line[PATH_MAX];
	snprintf(line, sizeof line, "mk=$PWD/initrd/mkimage && cd %s && { %s; } > said 2>&1", folder, command);
	int status = system(line);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(image_maker)
{
	(void)state;
	assert_int_equal(in_folder("cmp aligned.img again.img"), 0);			/* an image of an image is the same */
	assert_int_equal(in_folder("SOURCE_DATE_EPOCH=1700000000 $mk --bare --root unix --packed --keep-times --out p2 && cmp packed.img p2"), 0);
	assert_int_equal(in_folder("$mk --bare --add plain/SHORT:/a/b --out x && mcopy -n -i x ::/a/b/README.TXT - | cmp - plain/SHORT/README.TXT"), 0);
	assert_int_equal(in_folder("! $mk --bare --add nowhere:/x --out x > e 2>&1 && grep -q 'nowhere does not exist' e"), 0);
	assert_int_equal(in_folder("! $mk --bare --add plain:x --out x > e 2>&1 && grep -q 'HOST:/GUEST' e"), 0);
	assert_int_equal(in_folder("! $mk --bare --fat 12 --free 20M --out x > e 2>&1 && grep -q 'too many' e"), 0);
	assert_int_equal(in_folder("! $mk --bare > e 2>&1 && grep -q -- '--out' e"), 0);
	assert_int_equal(in_folder("$mk --bare --free 20M --out x && $mk --bare --free 300M --out x && fsck.fat -n x"), 0);
}

/* ---- objects ----------------------------------------------------------------------------------------------------------- */

/* A file that is mapped while nobody has its vnode any more has one object, the same, when it is looked up again. */
TEST(one_object_for_a_file)
{
	(void)state;
	drive_boot();
	struct mount *m = mount_image(load("aligned.img"));
	struct vnode *v = must_find(m, "/size-70000");
	assert_int_equal(drive_open(v), 0);
	struct object *mapped = object_ref(v->object);
	struct page_record *r;
	assert_int_equal(object_pin(mapped, 3, &r), 0);
	vnode_put(v);
	assert_int_equal(vnode_drop_idle(), 1);
	v = must_find(m, "/size-70000");
	assert_null(v->object);
	assert_int_equal(drive_open(v), 0);
	assert_ptr_equal(v->object, mapped);
	object_unpin(mapped, r);
	object_put(mapped);
	vnode_put(v);
	unmount(m);
}

TEST(kept_vnodes_come_back)
{
	(void)state;
	drive_boot();
	struct mount *m = mount_image(load("aligned.img"));
	struct vnode *v = must_find(m, "/size-70000");
	vnode_put(v);
	assert_ptr_equal(must_find(m, "/size-70000"), v);
	vnode_put(v);
	unmount(m);
}

TEST(slow_and_failing_pagers)
{
	char byte;
	(void)state;
	drive_boot();
	struct mount *m = mount_image(load("aligned.img"));
	struct vnode *data = must_find(m, "/size-70000"), *program = must_find(m, "/Case/a");
	drive_open(data);
	drive_open(program);
	fat_pager_mode = PAGER_EIO;
	assert_int_equal(drive_read(data, &byte, 1, 0), -EIO);
	assert_int_equal(drive_read(program, &byte, 1, 0), 1);
	fat_pager_mode = PAGER_SLOW;
	assert_int_equal(drive_pauses, 0);
	assert_int_equal(drive_read(data, &byte, 1, 5000), 1);
	assert_true(drive_pauses > 0);
	fat_pager_mode = PAGER_NORMAL;
	vnode_put(data);
	vnode_put(program);
	unmount(m);
}

/* The bytes behind a file's end are zero, whatever its last cluster holds, and no other byte of the image is changed. */
TEST(slack_is_zeroed_where_it_is_the_files_own)
{
	(void)state;
	drive_boot();
	size_t size = load("aligned.img");
	uint8_t *want = malloc(size);
	struct mount *m = mount_image(size);
	struct vnode *v = must_find(m, "/size-4097");
	drive_open(v);
	struct page_record *r;
	assert_int_equal(object_pin(v->object, 1, &r), 0);
	assert_true(r->borrowed);
	uint8_t *page = direct(r->pfn);
	object_unpin(v->object, r);
	vnode_put(v);
	unmount(m);
	memset(page + 1, 0xee, PAGE_SIZE - 1);
	memcpy(want, drive_image(), size);
	memset(want + (page - drive_image()) + 1, 0, PAGE_SIZE - 1);
	check_image("again.img", "unix", WITH_MANIFEST, BORROWS_ALL);
	assert_memory_equal(drive_image(), want, size);
	free(want);
}

TEST(every_allocation_may_fail)
{
	struct drive_report whole, part;
	(void)state;
	drive_boot();
	size_t size = load("aligned.img");
	assert_null(drive_everything(drive_image(), size, drive_image_pfn(), &whole));
	assert_int_equal(whole.errors, 0);
	bool failed = true;
	for (unsigned long n = 1; failed; n++) {
		drive_fail_at = n;
		const char *why_not = drive_everything(drive_image(), size, drive_image_pfn(), &part);
		failed = drive_fail_at == 0;
		drive_fail_at = 0;
		/* A directory can do without more buckets. */
		assert_true(!failed || why_not || part.errors > 0 || (part.nodes == whole.nodes && part.bytes == whole.bytes));
		assert_int_equal(drive_blocks, 0);
		assert_int_equal(vnode_count(), 0);
	}
	assert_int_equal(part.nodes, whole.nodes);
}

/* ---- images that lie --------------------------------------------------------------------------------------------------- */

static void put16(size_t at, unsigned value) { drive_image()[at] = value, drive_image()[at + 1] = value >> 8; }
static void put32(size_t at, uint32_t value) { put16(at, value), put16(at + 2, value >> 16); }

TEST(boot_sectors_that_make_no_sense)
{
	static const struct { unsigned at, bytes; uint32_t value; const char *says; } lies[] = {
		{ 11, 2, 0, "no FAT" }, { 11, 2, 500, "no FAT" }, { 11, 2, 256, "no FAT" }, { 11, 2, 8192, "no FAT" },
		{ 13, 1, 0, "no FAT" }, { 13, 1, 3, "no FAT" }, { 21, 1, 0x12, "no FAT" }, { 14, 2, 0, "lacks" }, { 16, 1, 0, "lacks" },
		{ 17, 2, 0, "root directory" }, { 22, 2, 1, "too small" }, { 22, 2, 65535, "no room" }, { 11, 2, 4096, "shorter" },
		{ 14, 2, 65535, "no room" }, { 16, 1, 255, NULL }, { 13, 1, 128, NULL }, { 17, 2, 65535, NULL },
	};
	struct drive_report r;
	(void)state;
	drive_boot();
	size_t size = load("seeds/16");
	for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
		load("seeds/16");
		if (lies[i].bytes == 1)
			drive_image()[lies[i].at] = lies[i].value;
		else
			put16(lies[i].at, lies[i].value);
		const char *why_not = drive_everything(drive_image(), size, drive_image_pfn(), &r);
		if (lies[i].says && (!why_not || !strstr(why_not, lies[i].says)))
			print_error("%u at %u: %s\n", lies[i].value, lies[i].at, why_not);
		assert_true(!lies[i].says || (why_not && strstr(why_not, lies[i].says)));
	}
	load("seeds/16");
	size_t told = fat_get16(drive_image() + 19) * (size_t)512;	/* the file may be longer than that, by part of a track */
	for (size_t cut = 0; cut < told; cut += cut < 2048 ? 1 : 4096)
		assert_non_null(drive_everything(drive_image(), cut, drive_image_pfn(), &r));
	load("seeds/32");
	put32(44, 0x0fffffff);
	assert_non_null(strstr(drive_everything(drive_image(), load("seeds/32"), drive_image_pfn(), &r) ?: "root", "root"));
}

/* The table of a FAT16 image, and where things begin in it. */
static size_t table_at(void) { return fat_get16(drive_image() + 14) * (size_t)512; }
static size_t root_at(void) { return table_at() + drive_image()[16] * (size_t)fat_get16(drive_image() + 22) * 512; }
static uint8_t *root_slot(const char *short_name)
{
	uint8_t *slot = drive_image() + root_at();
	while (memcmp(slot, short_name, 11) != 0)
		slot += 32;
	return slot;
}
static unsigned start_of(const uint8_t *slot) { return fat_get16(slot + 26); }
static void link_cluster(unsigned from, unsigned to) { put16(table_at() + 2 * from, to); }

static ssize read_result(const char *path, uint64_t offset)
{
	char byte;
	struct mount *m = mount_image(8 << 20);
	struct vnode *v = must_find(m, path);
	assert_int_equal(drive_open(v), 0);
	ssize n = drive_read(v, &byte, 1, offset);
	vnode_put(v);
	unmount(m);
	return n;
}

TEST(chains_that_are_none)
{
	struct vnode *v;
	(void)state;
	drive_boot();
	load("seeds/16");
	unsigned start = start_of(root_slot("SIZE-8~1   "));
	assert_int_equal(read_result("/size-8192", 8000), 1);

	link_cluster(start + 3, start + 1);			/* a circle */
	assert_int_equal(read_result("/size-8192", 8000), -EIO);
	link_cluster(start + 3, start);				/* a circle that includes the start */
	assert_int_equal(read_result("/size-8192", 0), -EIO);
	link_cluster(start + 3, 60000);				/* out of range */
	assert_int_equal(read_result("/size-8192", 0), -EIO);	/* four clusters of the eight that the page has */

	load("seeds/16");
	link_cluster(start + 9, 60000);				/* the second page lacks clusters, the first is whole */
	assert_int_equal(read_result("/size-8192", 4095), 1);
	assert_int_equal(read_result("/size-8192", 4096), -EIO);

	load("seeds/16");
	link_cluster(start + 9, 0xffff);			/* longer than its chain */
	assert_int_equal(read_result("/size-8192", 4096), -EIO);

	load("seeds/16");
	put32(root_slot("SIZE-8~1   ") + 28 - drive_image(), 0xffffffff);	/* nearly 4 GiB */
	assert_int_equal(read_result("/size-8192", 8000), 1);
	assert_int_equal(read_result("/size-8192", 8192), -EIO);
	assert_int_equal(read_result("/size-8192", 0xfffffffe), -EIO);

	load("seeds/16");
	put16(root_slot("README  TXT") + 26 - drive_image(), start);		/* two files, one chain: one of them has it */
	assert_int_equal((read_result("/size-8192", 0) == 1) + (read_result("/README.TXT", 0) == 1), 1);

	load("seeds/16");
	put16(root_slot("A          ") + 26 - drive_image(), 0);		/* a directory that is nowhere */
	struct mount *m = mount_image(8 << 20);
	assert_int_equal(drive_path(m, "/a/b", &v), -EIO);
	unmount(m);
}

TEST(a_directory_that_contains_itself)
{
	struct vnode *v;
	(void)state;
	drive_boot();
	load("seeds/16");
	unsigned a = start_of(root_slot("A          "));
	struct mount *m = mount_image(8 << 20);
	v = must_find(m, "/a/b");
	vnode_put(v);
	unmount(m);
	size_t data = root_at() + fat_get16(drive_image() + 17) * 32;
	put16(data + (a - 2) * 512 + 2 * 32 + 26, a);		/* the third entry of a, b, is a */
	m = mount_image(8 << 20);
	v = must_find(m, "/a/b");
	struct vnode *deeper;
	assert_int_equal(drive_lookup(v, "b", &deeper), -EIO);
	vnode_put(v);
	unmount(m);
}

static uint32_t next_random(uint32_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 17;
	return *x ^= *x << 5;
}

/* Where something stands that the driver reads as more than bytes: boot sector, tables, directories, manifest. */
static size_t interesting(uint32_t *seed, size_t size)
{
	switch (next_random(seed) % 4) {
	case 0: return next_random(seed) % 64;
	case 1: return 512 + next_random(seed) % 1024;
	case 2: return next_random(seed) % (size < 64 << 10 ? size : 64 << 10);
	default: return next_random(seed) % size;
	}
}

static void mutate(uint8_t *image, size_t size, uint32_t *seed)
{
	static const uint8_t values[] = { 0, 1, 2, 0x7f, 0x80, 0xe5, 0xf7, 0xf8, 0xff, '@', '%', ' ', '\n', '/' };
	for (unsigned n = 1 + next_random(seed) % 12; n > 0; n--) {
		size_t at = interesting(seed, size);
		uint32_t how = next_random(seed);
		if (how % 3 == 0)
			image[at] = values[how / 3 % sizeof values];
		else if (how % 3 == 1)
			image[at] ^= 1 << how / 3 % 8;
		else
			image[at] = how / 3;
		if (how >> 28 == 0)				/* a whole entry is somewhere else too */
			memmove(image + next_random(seed) % (size / 32) * 32, image + at / 32 * 32, 32);
	}
}

/* 20,000 damaged images: whatever they say, the driver ends, keeps within its bytes, and leaves nothing behind. */
TEST(twenty_thousand_mutations)
{
	static const struct { const char *name; unsigned rounds; } seeds[] = {
		{ "seeds/aligned", 7000 }, { "seeds/packed", 4000 }, { "seeds/12", 6000 }, { "seeds/32", 2500 }, { "seeds/16", 500 } };
	size_t mounted = 0, nodes = 0, errors = 0;
	uint32_t seed = 20260101;
	(void)state;
	drive_boot();
	for (size_t s = 0; s < sizeof seeds / sizeof *seeds; s++) {
		size_t size = load(seeds[s].name);
		uint8_t *good = malloc(size), *exact = malloc(size);
		memcpy(good, drive_image(), size);
		for (unsigned i = 0; i < seeds[s].rounds; i++) {
			/* Half of them on the machine's frames, so that pages are borrowed; half where a byte too far is seen. */
			bool lent = i % 2;
			uint8_t *image = lent ? drive_image() : exact;
			struct drive_report r;
			memcpy(image, good, size);
			mutate(image, size, &seed);
			drive_change_seed = i % 4 ? i : 0;
			mounted += !drive_everything(image, size, lent ? drive_image_pfn() : PFN_NONE, &r);
			nodes += r.nodes;
			errors += r.errors;
			assert_int_equal(drive_blocks, 0);
			assert_int_equal(vnode_count(), 0);
			assert_true(r.nodes <= size / 16 + 1);
		}
		free(good);
		free(exact);
	}
	print_message("# %zu of 20000 could be mounted; %zu nodes, %zu errors\n", mounted, nodes, errors);
	drive_change_seed = 0;
	struct object_stats stats;
	object_get_stats(&stats);
	assert_int_equal(stats.objects, 0);
}

/* ---- names on disk ----------------------------------------------------------------------------------------------------- */

static const char *short_entry(const char *name11, unsigned bits)
{
	static char name[FAT_NAME_MAX + 1];
	static struct fat_long none;
	uint8_t slot[32] = { 0 };
	memcpy(slot, name11, 11);
	slot[12] = bits;
	name[fat_name(&none, slot, name)] = 0;
	return name;
}

TEST(short_names)
{
	(void)state;
	assert_string_equal(short_entry("README  TXT", 0), "README.TXT");
	assert_string_equal(short_entry("README  TXT", 0x08), "readme.TXT");
	assert_string_equal(short_entry("README  TXT", 0x18), "readme.txt");
	assert_string_equal(short_entry("NOEXT      ", 0x10), "NOEXT");
	assert_string_equal(short_entry("\005BC     \x81  ", 0), "σBC.ü");
	assert_string_equal(short_entry("A/B     \001  ", 0), "A_B._");
	assert_string_equal(short_entry("           ", 0), "");
	assert_string_equal(short_entry(".          ", 0), "");
	assert_string_equal(short_entry("..         ", 0), "");
}

/* A long name in one slot for SHORT.TXT; units beyond the 0 are padding. */
static const char *long_entry(const uint16_t *units, unsigned order, int checksum_error)
{
	static char name[FAT_NAME_MAX + 1];
	struct fat_long l = { 0 };
	uint8_t entry[32] = "SHORT   TXT", slot[32] = { [11] = 15 }, sum = 0;
	for (int i = 0; i < 11; i++)
		sum = (uint8_t)(sum << 7 | sum >> 1) + entry[i];
	slot[0] = order;
	slot[13] = sum + checksum_error;
	for (unsigned i = 0, at = 1; i < 13; i++, at += at == 9 ? 5 : at == 24 ? 4 : 2) {
		slot[at] = units[i];
		slot[at + 1] = units[i] >> 8;
	}
	fat_long_add(&l, slot);
	name[fat_name(&l, entry, name)] = 0;
	return name;
}

TEST(long_names)
{
	static const uint16_t plain[13] = { 'l', 'o', 'n', 'g' }, pair[13] = { 0xd83d, 0xde00, 0x20ac }, half[13] = { 0xd83d, 'x' },
		tail[13] = { 'x', 0xde00 }, dots[13] = { '.', '.' }, slash[13] = { 'a', '/', 'b' }, empty[13] = { 0 },
		full[13] = { 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm' };
	(void)state;
	assert_string_equal(long_entry(plain, 0x41, 0), "long");
	assert_string_equal(long_entry(full, 0x41, 0), "abcdefghijklm");
	assert_string_equal(long_entry(pair, 0x41, 0), "😀€");
	assert_string_equal(long_entry(plain, 0x41, 1), "SHORT.TXT");
	assert_string_equal(long_entry(plain, 0x42, 0), "SHORT.TXT");
	assert_string_equal(long_entry(plain, 0x01, 0), "SHORT.TXT");
	assert_string_equal(long_entry(plain, 0x40, 0), "SHORT.TXT");
	assert_string_equal(long_entry(plain, 0x7f, 0), "SHORT.TXT");
	assert_string_equal(long_entry(half, 0x41, 0), "SHORT.TXT");
	assert_string_equal(long_entry(tail, 0x41, 0), "SHORT.TXT");
	assert_string_equal(long_entry(dots, 0x41, 0), "SHORT.TXT");
	assert_string_equal(long_entry(slash, 0x41, 0), "SHORT.TXT");
	assert_string_equal(long_entry(empty, 0x41, 0), "SHORT.TXT");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(short_names),
	cmocka_unit_test(long_names),
	cmocka_unit_test(every_type_and_cluster_size),
	cmocka_unit_test(files_in_pieces),
	cmocka_unit_test(what_fat_cannot_carry),
	cmocka_unit_test(an_image_off_its_frame_lends_nothing),
	cmocka_unit_test(names_must_be_exact),
	cmocka_unit_test(image_maker),
	cmocka_unit_test(one_object_for_a_file),
	cmocka_unit_test(kept_vnodes_come_back),
	cmocka_unit_test(slow_and_failing_pagers),
	cmocka_unit_test(slack_is_zeroed_where_it_is_the_files_own),
	cmocka_unit_test(every_allocation_may_fail),
	cmocka_unit_test(boot_sectors_that_make_no_sense),
	cmocka_unit_test(chains_that_are_none),
	cmocka_unit_test(a_directory_that_contains_itself),
	cmocka_unit_test(twenty_thousand_mutations),
};

/* tests/host/fat_images stands beside this source, and the tests run from the top folder. */
static int shell(const char *format)
{
	char command[PATH_MAX];
	snprintf(command, sizeof command, format, folder);
	return system(command);
}

int main(int argc, char **argv)
{
	if (!mkdtemp(folder) || shell("tests/host/fat_images %s")) {
		puts("Bail out! tests/host/fat_images failed");
		return 1;
	}
	int status = run_suite("fat", tests, sizeof tests / sizeof *tests, argc > 1 ? argv[1] : NULL);
	shell("rm -rf %s");
	return status;
}
