/* tests/guest/tmpfs.c - files and folders in /tmp: contents, names, links, what is refused. */
#include "tap.h"
#include <dirent.h>
#include <limits.h>
#include <sys/statfs.h>
#include <sys/uio.h>

/* A folder of this case's own, which is also the working directory. */
static void enter(void)
{
	char name[] = "/tmp/tmpfs-XXXXXX";
	NEED(mkdtemp(name) && !chdir(name));
}

static void leave(void)
{
	char name[PATH_MAX];
	NEED(getcwd(name, sizeof name) && !chdir("/"));
	EQ(rmdir(name), 0);
}

static int make(const char *name, const char *text)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
	NEED(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	return fd;
}

static const char *text_of(const char *name)
{
	static char text[256];
	int fd = open(name, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	close(fd);
	text[n < 0 ? 0 : n] = 0;
	return n < 0 ? "(none)" : text;
}

TEST(create_and_open)
{
	struct stat st;

	enter();
	FAILS(open("file", O_RDONLY), ENOENT);
	umask(022);
	close(make("file", "hello"));
	FAILS(open("file", O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
	FAILS(open("file", O_RDONLY | O_DIRECTORY), ENOTDIR);
	FAILS(open("file/x", O_RDONLY), ENOTDIR);
	FAILS(open(".", O_RDWR), EISDIR);
	FAILS(open("new/", O_RDWR | O_CREAT, 0600), EISDIR);
	EQ(stat("file", &st), 0);
	EQ(st.st_mode, S_IFREG | 0644);
	EQ(st.st_size, 5);
	EQ(st.st_nlink, 1);
	EQ(st.st_uid, getuid());
	int fd = open("file", O_WRONLY);
	FAILS(read(fd, &st, 1), EBADF);
	close(fd);
	fd = open("file", O_RDONLY);
	FAILS(write(fd, "x", 1), EBADF);
	close(fd);
	fd = open("file", O_WRONLY | O_TRUNC);
	close(fd);
	EQ(stat("file", &st), 0);
	EQ(st.st_size, 0);
	EQ(unlink("file"), 0);
	FAILS(unlink("file"), ENOENT);
	leave();
}

TEST(append_seek_and_holes)
{
	char page[PAGE];
	struct stat st;

	enter();
	int fd = make("file", "one"), other = open("file", O_WRONLY | O_APPEND);
	EQ(write(other, "two", 3), 3);
	EQ(lseek(other, 0, SEEK_SET), 0);
	EQ(write(other, "three", 5), 5);
	CHECK(!strcmp(text_of("file"), "onetwothree"));
	EQ(lseek(fd, 0, SEEK_END), 11);
	EQ(lseek(fd, 5 * PAGE, SEEK_SET), 5 * PAGE);
	EQ(write(fd, "x", 1), 1);
	EQ(pread(fd, page, PAGE, 2 * PAGE), PAGE);
	for (int i = 0; i < PAGE; i++)
		NEED(page[i] == 0);
	fstat(fd, &st);
	EQ(st.st_size, 5 * PAGE + 1);
	CHECK(st.st_blocks < 5 * 8);
	FAILS(lseek(fd, -1, SEEK_SET), EINVAL);
	FAILS(lseek(fd, 0, 77), EINVAL);
	EQ(pread(fd, page, 10, 6 * PAGE), 0);
	close(fd);
	close(other);
	unlink("file");
	leave();
}

TEST(truncate_both_ways)
{
	char page[PAGE];

	enter();
	int fd = make("file", "");
	memset(page, 'a', PAGE);
	for (int i = 0; i < 4; i++)
		EQ(write(fd, page, PAGE), PAGE);
	EQ(ftruncate(fd, PAGE + 100), 0);
	EQ(ftruncate(fd, 4 * PAGE), 0);
	EQ(pread(fd, page, PAGE, PAGE), PAGE);
	for (int i = 0; i < PAGE; i++)
		NEED(page[i] == (i < 100 ? 'a' : 0));
	EQ(pread(fd, page, PAGE, 2 * PAGE), PAGE);
	for (int i = 0; i < PAGE; i++)
		NEED(page[i] == 0);
	FAILS(ftruncate(fd, -1), EINVAL);
	EQ(truncate("file", 7), 0);
	EQ(lseek(fd, 0, SEEK_END), 7);
	FAILS(truncate(".", 0), EISDIR);
	close(fd);
	fd = open("file", O_RDONLY);
	FAILS(ftruncate(fd, 0), EINVAL);
	close(fd);
	unlink("file");
	leave();
}

TEST(unlinked_files_live_while_open)
{
	char text[8] = "";
	struct stat st;

	enter();
	int fd = make("file", "alive");
	EQ(unlink("file"), 0);
	FAILS(open("file", O_RDONLY), ENOENT);
	EQ(fstat(fd, &st), 0);
	EQ(st.st_nlink, 0);
	EQ(pread(fd, text, 5, 0), 5);
	CHECK(!strcmp(text, "alive"));
	EQ(write(fd, " still", 6), 6);
	leave();
}

FAULTLINE_TEST(frames_come_back)
{
	struct vmcheck a, b;
	static char block[1 << 16];

	enter();
	tap_vmcheck(&a);
	int fd = make("file", "");
	for (int i = 0; i < 64; i++)
		NEED(write(fd, block, sizeof block) == sizeof block);
	tap_vmcheck(&b);
	CHECK(b.object_frames >= a.object_frames + 1024);
	EQ(ftruncate(fd, 1 << 20), 0);
	tap_vmcheck(&b);
	CHECK(b.object_frames <= a.object_frames + 257);
	unlink("file");
	close(fd);
	tap_vmcheck(&b);
	EQ(b.object_frames, a.object_frames);
	leave();
}

TEST(rename_in_all_ways)
{
	struct stat st, moved;

	enter();
	close(make("a", "A"));
	close(make("b", "B"));
	stat("a", &st);
	EQ(rename("a", "c"), 0);
	stat("c", &moved);
	EQ(moved.st_ino, st.st_ino);
	FAILS(rename("a", "x"), ENOENT);
	EQ(rename("c", "b"), 0);			/* replaces */
	CHECK(!strcmp(text_of("b"), "A"));
	EQ(rename("b", "b"), 0);
	EQ(mkdir("d", 0755), 0);
	EQ(mkdir("e", 0755), 0);
	EQ(rename("b", "d/b"), 0);
	FAILS(rename("d", "e/../d/x"), EINVAL);		/* into itself */
	FAILS(rename("d", "d/b"), EINVAL);
	FAILS(rename("e", "d/b"), ENOTDIR);
	FAILS(rename("d/b", "e"), EISDIR);
	FAILS(rename("e", "d"), ENOTEMPTY);
	EQ(rename("d", "e"), 0);			/* onto an empty folder */
	CHECK(!strcmp(text_of("e/b"), "A"));
	FAILS(rename("e/.", "f"), EBUSY);
	FAILS(syscall(SYS_renameat2, AT_FDCWD, "e", AT_FDCWD, "e", 1), EEXIST);
	EQ(unlink("e/b"), 0);
	EQ(rmdir("e"), 0);
	leave();
}

TEST(hard_links)
{
	struct stat st;

	enter();
	close(make("a", "text"));
	EQ(link("a", "b"), 0);
	stat("b", &st);
	EQ(st.st_nlink, 2);
	int fd = open("b", O_WRONLY | O_APPEND);
	EQ(write(fd, "+", 1), 1);
	close(fd);
	CHECK(!strcmp(text_of("a"), "text+"));
	EQ(rename("a", "b"), 0);			/* the same file: nothing happens */
	EQ(access("a", F_OK), 0);
	EQ(unlink("a"), 0);
	stat("b", &st);
	EQ(st.st_nlink, 1);
	FAILS(link("b", "b"), EEXIST);
	FAILS(link("none", "c"), ENOENT);
	FAILS(link(".", "c"), EPERM);
	FAILS(link("b", "/dev/x"), EXDEV);
	FAILS(rename("b", "/dev/x"), EXDEV);
	EQ(unlink("b"), 0);
	leave();
}

TEST(symbolic_links)
{
	char to[64] = "";
	struct stat st;

	enter();
	close(make("target", "T"));
	EQ(symlink("target", "link"), 0);
	EQ(readlink("link", to, sizeof to), 6);
	CHECK(!strcmp(to, "target"));
	EQ(readlink("link", to, 3), 3);
	CHECK(!strcmp(text_of("link"), "T"));
	lstat("link", &st);
	CHECK(S_ISLNK(st.st_mode));
	EQ(st.st_size, 6);
	stat("link", &st);
	CHECK(S_ISREG(st.st_mode));
	FAILS(open("link", O_RDONLY | O_NOFOLLOW), ELOOP);
	FAILS(open("link", O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
	FAILS(symlink("x", "link"), EEXIST);
	FAILS(symlink("", "empty"), ENOENT);
	FAILS(readlink("target", to, sizeof to), EINVAL);
	EQ(symlink("loop2", "loop1"), 0);
	EQ(symlink("loop1", "loop2"), 0);
	FAILS(open("loop1", O_RDONLY), ELOOP);
	EQ(symlink("nowhere", "dangling"), 0);
	FAILS(open("dangling", O_RDONLY), ENOENT);
	close(make("dangling", "made"));		/* creates what it points to */
	CHECK(!strcmp(text_of("nowhere"), "made"));
	EQ(mkdir("d", 0755), 0);
	EQ(symlink("../target", "d/up"), 0);
	CHECK(!strcmp(text_of("d/up"), "T"));
	EQ(symlink("d", "dl"), 0);
	CHECK(!strcmp(text_of("dl/up"), "T"));
	FAILS(rmdir("dl"), ENOTDIR);
	static const char *const all[] = { "target", "link", "loop1", "loop2", "dangling", "nowhere", "d/up", "dl" };
	for (int i = 0; i < 8; i++)
		EQ(unlink(all[i]), 0);
	EQ(rmdir("d"), 0);
	leave();
}

TEST(folders)
{
	struct stat st;
	char name[32];

	enter();
	EQ(mkdir("d", 0700), 0);
	stat("d", &st);
	EQ(st.st_mode, S_IFDIR | 0700);
	EQ(st.st_nlink, 2);
	FAILS(mkdir("d", 0700), EEXIST);
	FAILS(mkdir("none/d", 0700), ENOENT);
	FAILS(unlink("d"), EISDIR);
	EQ(mkdir("d/e", 0700), 0);
	stat("d", &st);
	EQ(st.st_nlink, 3);
	FAILS(rmdir("d"), ENOTEMPTY);
	FAILS(rmdir("d/."), EINVAL);
	FAILS(rmdir("d/e/.."), ENOTEMPTY);
	EQ(rmdir("d/e"), 0);
	for (int i = 0; i < 300; i++) {
		sprintf(name, "d/file %d", i);
		close(make(name, ""));
	}
	DIR *d = opendir("d");
	struct dirent *e;
	char seen[300] = { 0 };
	int dots = 0;
	NEED(d);
	while ((e = readdir(d))) {
		int n;
		if (sscanf(e->d_name, "file %d", &n) == 1) {
			seen[n]++;
			EQ(e->d_type, DT_REG);
		} else
			dots++;
	}
	EQ(dots, 2);
	for (int i = 0; i < 300; i++)
		EQ(seen[i], 1);
	rewinddir(d);
	int removed = 0;
	while ((e = readdir(d)))			/* removing while reading: each is seen once */
		if (e->d_name[0] == 'f')
			removed += !unlinkat(dirfd(d), e->d_name, 0);
	EQ(removed, 300);
	closedir(d);
	EQ(rmdir("d"), 0);
	leave();
}

TEST(a_removed_working_directory)
{
	char name[PATH_MAX];

	enter();
	EQ(mkdir("d", 0700), 0);
	EQ(chdir("d"), 0);
	EQ(rmdir("../d"), 0);
	FAILS(syscall(SYS_getcwd, name, sizeof name), ENOENT);
	FAILS(open("x", O_CREAT | O_RDWR, 0600), ENOENT);
	EQ(chdir(".."), 0);
	leave();
}

TEST(long_names)
{
	char name[300], path[5000];

	enter();
	memset(name, 'n', sizeof name);
	name[256] = 0;
	FAILS(open(name, O_CREAT | O_RDWR, 0600), ENAMETOOLONG);
	name[255] = 0;
	close(make(name, "long"));
	CHECK(!strcmp(text_of(name), "long"));
	EQ(unlink(name), 0);
	memset(path, '/', sizeof path);
	path[4999] = 0;
	FAILS(open(path, O_RDONLY), ENAMETOOLONG);
	FAILS(open("", O_RDONLY), ENOENT);
	leave();
}

TEST(times_and_modes)
{
	struct timespec t[2] = { { 1000, 5 }, { 2000, 7 } };
	struct stat st;

	enter();
	int fd = make("file", "x");
	EQ(utimensat(AT_FDCWD, "file", t, 0), 0);
	fstat(fd, &st);
	EQ(st.st_atim.tv_sec, 1000);
	EQ(st.st_mtim.tv_sec, 2000);
	EQ(st.st_mtim.tv_nsec, 7);
	EQ(write(fd, "y", 1), 1);
	fstat(fd, &st);
	CHECK(st.st_mtim.tv_sec > 2000);
	EQ(fchmod(fd, 04751), 0);
	fstat(fd, &st);
	EQ(st.st_mode, S_IFREG | 04751);
	if (!geteuid()) {
		EQ(chown("file", 12, 34), 0);
		stat("file", &st);
		EQ(st.st_uid, 12);
		EQ(st.st_gid, 34);
	}
	close(fd);
	unlink("file");
	leave();
}

TEST(o_path_and_at_calls)
{
	struct stat st;

	enter();
	close(make("file", "x"));
	int here = open(".", O_RDONLY | O_DIRECTORY), path = open("file", O_PATH);
	char byte;
	FAILS(read(path, &byte, 1), EBADF);
	EQ(fstat(path, &st), 0);
	int fd = openat(here, "file", O_RDONLY);
	CHECK(fd >= 0);
	FAILS(openat(fd, "x", O_RDONLY), ENOTDIR);
	EQ(fstatat(fd, "", &st, AT_EMPTY_PATH), 0);
	FAILS(openat(999, "x", O_RDONLY), EBADF);
	EQ(openat(999, "/", O_RDONLY) >= 0, 1);
	EQ(mkdirat(here, "sub", 0700), 0);
	FAILS(unlinkat(here, "sub", 0), EISDIR);
	EQ(unlinkat(here, "sub", AT_REMOVEDIR), 0);
	EQ(unlinkat(here, "file", 0), 0);
	FAILS(read(here, &byte, 1), EISDIR);
	leave();
}

/* A full file system says so, and all of it comes back. */
TEST(a_full_file_system)
{
	static char block[1 << 20];
	struct statfs fs;
	long written = 0;

	if (!on_faultline())
		SKIP("would fill the disk");
	enter();
	NEED(!statfs(".", &fs));
	int fd = make("file", "");
	ssize_t n;
	while ((n = write(fd, block, sizeof block)) > 0)
		written += n;
	CHECK(errno == ENOSPC || errno == ENOMEM);
	CHECK(written > 1 << 20);
	EQ(ftruncate(fd, 0), 0);
	EQ(write(fd, block, sizeof block), sizeof block);
	close(fd);
	unlink("file");
	leave();
}
