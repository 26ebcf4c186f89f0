/* tests/guest/image.c - the boot image as programs see it: contents, names, links, modes. */
#include "tap.h"
#include <dirent.h>
#include <sys/vfs.h>

#define DATA "/usr/share/faultline/"
#define NAMES DATA "names/"

/* The byte at `offset` of a seq file: lines of seven digits that count from 1. */
static char seq_byte(size_t offset)
{
	static const unsigned power[] = { 1000000, 100000, 10000, 1000, 100, 10, 1 };
	return offset % 8 == 7 ? '\n' : '0' + (offset / 8 + 1) / power[offset % 8] % 10;
}

static const int sizes[] = { 0, 1, 511, 512, 4095, 4096, 4097, 8192, 65537, 524288 };
enum { SIZES = sizeof sizes / sizeof *sizes };

static int open_seq(int size)
{
	char path[64];
	snprintf(path, sizeof path, DATA "seq-%d", size);
	int fd = open(path, O_RDONLY);
	NEED(fd >= 0);
	return fd;
}

FAULTLINE_TEST(contents_by_read)
{
	static char bytes[70001];
	for (int i = 0; i < SIZES; i++) {
		int fd = open_seq(sizes[i]), at = 0;
		struct stat st;
		EQ(fstat(fd, &st), 0);
		EQ(st.st_size, sizes[i]);
		for (ssize_t n; (n = read(fd, bytes, sizeof bytes)) != 0; at += n) {
			NEED(n > 0);
			for (int k = 0; k < n; k++)
				NEED(bytes[k] == seq_byte(at + k));
		}
		EQ(at, sizes[i]);
		EQ(pread(fd, bytes, 100, sizes[i]), 0);
		close(fd);
	}
}

FAULTLINE_TEST(contents_by_mapping)
{
	for (int i = 1; i < SIZES; i++) {
		int fd = open_seq(sizes[i]), whole = (sizes[i] + PAGE - 1) / PAGE * PAGE;
		char *p = mmap(NULL, whole, PROT_READ, MAP_PRIVATE, fd, 0);
		NEED(p != MAP_FAILED);
		close(fd);
		for (int k = sizes[i] - 1; k >= 0; k--)
			NEED(p[k] == seq_byte(k));
		for (int k = sizes[i]; k < whole; k++)
			NEED(p[k] == 0);
	}
}

/* A private page that was written is the process's own: the image keeps its bytes, also for those who map it later. */
FAULTLINE_TEST(private_writes_stay_private)
{
	int fd = open_seq(4097), status;
	char *p = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE, fd, 0), byte;
	NEED(p != MAP_FAILED);
	CHILD(status) {
		memset(p, 'x', 2 * PAGE);
		EQ(p[2 * PAGE - 1], 'x');
	}
	EQ(status, 0);
	EQ(p[0], seq_byte(0));
	p[4096] = 'y';
	p[4097] = 'z';
	EQ(pread(fd, &byte, 1, 4096), 1);
	EQ(byte, seq_byte(4096));
	char *again = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	EQ(again[4096], seq_byte(4096));
	EQ(again[4097], 0);
}

FAULTLINE_TEST(names_that_fat_cannot_hold)
{
	static const char *const names[] = { "name", "Name", "a:b", "two words", "dot.", "100%" };
	for (int i = 0; i < 6; i++) {
		char path[64], bytes[32] = "";
		snprintf(path, sizeof path, NAMES "%s", names[i]);
		int fd = open(path, O_RDONLY);
		NEED(fd >= 0);
		EQ(read(fd, bytes, sizeof bytes), strlen(names[i]));
		CHECK(!strcmp(bytes, names[i]));
		close(fd);
	}
	FAILS(open(NAMES "NAME", O_RDONLY), ENOENT);
	FAILS(open(NAMES "dot", O_RDONLY), ENOENT);
	FAILS(open(NAMES "_FL00001", O_RDONLY), ENOENT);
	FAILS(open("/.faultline-meta", O_RDONLY), ENOENT);
}

FAULTLINE_TEST(a_directory_lists_each_name_once)
{
	DIR *d = opendir(NAMES);
	int n = 0, links = 0;
	long middle = 0;
	char after[256] = "";
	NEED(d);
	for (struct dirent *e; (e = readdir(d)); n++) {
		struct stat st;
		EQ(fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW), 0);
		if (strcmp(e->d_name, ".."))
			EQ(st.st_ino, e->d_ino);
		EQ(e->d_type, st.st_mode >> 12 & 15);
		links += e->d_type == DT_LNK;
		if (n == 4)
			strcpy(after, e->d_name);
		if (n == 3)
			middle = telldir(d);
	}
	EQ(n, 9);
	EQ(links, 1);
	seekdir(d, middle);
	struct dirent *e = readdir(d);
	NEED(e);
	CHECK(!strcmp(e->d_name, after));
	closedir(d);
}

FAULTLINE_TEST(links_and_modes)
{
	char target[64] = "";
	struct stat st;
	EQ(readlink(NAMES "a link", target, sizeof target), 9);
	CHECK(!strcmp(target, "two words"));
	EQ(stat(NAMES "a link", &st), 0);
	EQ(st.st_mode, S_IFREG | 0644);
	EQ(lstat(NAMES "a link", &st), 0);
	EQ(st.st_mode, S_IFLNK | 0777);
	EQ(st.st_size, 9);
	EQ(stat(NAMES "Name", &st), 0);
	EQ(st.st_mode, S_IFREG | 0600);
	EQ(stat("/bin/sh", &st), 0);
	EQ(st.st_mode, S_IFREG | 0755);
	EQ(stat("/usr/bin/awk", &st), 0);
	CHECK(st.st_size > 1 << 20);
	EQ(stat("/root", &st), 0);
	EQ(st.st_mode, S_IFDIR | 0700);
	FAILS(open(NAMES "a link", O_RDONLY | O_NOFOLLOW), ELOOP);
	FAILS(readlink(NAMES "name", target, sizeof target), EINVAL);
	FAILS(open(NAMES "name/x", O_RDONLY), ENOTDIR);
}

FAULTLINE_TEST(the_file_system_as_programs_see_it)
{
	struct statfs s;
	FAILS(open(NAMES, O_WRONLY), EISDIR);
	FAILS(mkdir(NAMES "name", 0700), EEXIST);
	FAILS(rename(NAMES "name", "/tmp/name"), EXDEV);
	EQ(statfs(NAMES, &s), 0);
	EQ(s.f_type, 0x4d44);
	EQ(s.f_flags & 1, 0);
}
