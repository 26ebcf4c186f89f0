/* tests/guest/fat.c - the FAT image written: files, directories, names, full volumes, and shared mappings of its files with their faults. */
#include "tap.h"
#include <dirent.h>
#include <sys/sendfile.h>
#include <sys/statfs.h>

#define HOME "/root/"			/* on the image, with some MiB free */

static int on_image(void)
{
	struct statfs s;
	return !statfs(HOME, &s) && s.f_type == 0x4d44 && s.f_bavail * s.f_bsize > 3 << 20;
}
#define NEED_IMAGE if (!on_image()) SKIP("no room on the image")

/* The directory is read, and stays in memory, before anybody counts. */
__attribute__((constructor)) static void look(void)
{
	access(HOME "none", F_OK);
}

static int make(const char *name, size_t size)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
	NEED(fd >= 0);
	for (size_t at = 0; at < size; at += PAGE) {
		char page[PAGE];
		memset(page, (int)('a' + at / PAGE % 26), sizeof page);
		NEED(write(fd, page, size - at < PAGE ? size - at : PAGE) > 0);
	}
	return fd;
}

static long free_blocks(void)
{
	struct statfs s;
	EQ(statfs(HOME, &s), 0);
	return (long)s.f_bfree;
}

FAULTLINE_TEST(files)
{
	char bytes[200] = "";
	struct stat st;

	NEED_IMAGE;
	long before = free_blocks();
	int fd = open(HOME "file", O_RDWR | O_CREAT | O_EXCL, 0600);
	NEED(fd >= 0);
	EQ(write(fd, "hello", 5), 5);
	EQ(pwrite(fd, "end", 3, 100), 3);
	EQ(pread(fd, bytes, sizeof bytes, 0), 103);
	CHECK(!memcmp(bytes, "hello\0\0\0", 8) && !memcmp(bytes + 99, "\0end", 4));
	EQ(fstat(fd, &st), 0);
	EQ(st.st_mode, S_IFREG | 0755);			/* as vfat: one mode for all */
	EQ(st.st_size, 103);
	EQ(ftruncate(fd, 3), 0);
	EQ(ftruncate(fd, 9000), 0);
	EQ(pread(fd, bytes, sizeof bytes, 0), 200);
	CHECK(!memcmp(bytes, "hel\0\0\0", 6));
	EQ(ftruncate(fd, 0), 0);
	EQ(fstat(fd, &st), 0);
	EQ(st.st_blocks, 0);
	int more = open(HOME "file", O_WRONLY | O_APPEND);
	EQ(write(more, "one", 3), 3);
	EQ(write(fd, "two", 3), 3);			/* at 5, where the first write ended */
	EQ(write(more, "three", 5), 5);
	EQ(lseek(fd, 0, SEEK_END), 13);
	EQ(fsync(fd), 0);
	EQ(fdatasync(more), 0);
	EQ(chmod(HOME "file", 0444), 0);
	EQ(fstat(fd, &st), 0);
	EQ(st.st_mode, S_IFREG | 0755);			/* it would take the right to execute: silently not done */
	EQ(chmod(HOME "file", 0555), 0);
	EQ(fstat(fd, &st), 0);
	EQ(st.st_mode, S_IFREG | 0555);
	struct timespec times[2] = { { 0, UTIME_OMIT }, { 1000000001, 0 } };
	EQ(futimens(fd, times), 0);
	EQ(fstat(fd, &st), 0);
	EQ(st.st_mtime, 1000000000);			/* to two seconds */
	FAILS(ftruncate(fd, 1ll << 32), EFBIG);
	FAILS(pwrite(fd, "x", 1, 0xffffffff), EFBIG);
	close(fd);
	close(more);
	EQ(unlink(HOME "file"), 0);
	EQ(free_blocks(), before);
}

FAULTLINE_TEST(removed_and_still_open)
{
	char byte;
	struct stat st;

	NEED_IMAGE;
	long before = free_blocks();
	int fd = make(HOME "open", 3 * PAGE);
	char *p = mmap(NULL, 3 * PAGE, RW, MAP_SHARED, fd, 0);
	NEED(p != MAP_FAILED);
	EQ(unlink(HOME "open"), 0);
	FAILS(stat(HOME "open", &st), ENOENT);
	EQ(fstat(fd, &st), 0);
	EQ(st.st_nlink, 0);
	EQ(pwrite(fd, "X", 1, 5 * PAGE), 1);
	EQ(pread(fd, &byte, 1, PAGE), 1);
	EQ(byte, 'b');
	close(fd);
	CHECK(free_blocks() < before);
	/* Another file takes what is free; the mapping keeps its bytes. */
	int other = open(HOME "other", O_RDWR | O_CREAT, 0600);
	static char junk[65536];
	memset(junk, '#', sizeof junk);
	while (write(other, junk, sizeof junk) > 0)
		;
	EQ(errno, ENOSPC);
	EQ(p[0], 'a');
	EQ(p[2 * PAGE], 'c');
	p[0] = 'z';
	munmap(p, 3 * PAGE);
	CHECK(free_blocks() > 0);
	close(other);
	EQ(unlink(HOME "other"), 0);
	EQ(free_blocks(), before);
}

FAULTLINE_TEST(directories_and_names)
{
	static const char *const good[] = { "x", "UPPER.TXT", "lower.txt", "a name with blanks and more than two slots.tar.gz", "grüße-日本語", ".dot" };
	static const char *const bad[] = { "a:b", "a*", "a?", "a\"", "a<", "a>", "a|", "a\\b", "tab\t", "dot.", "blank ", "con", "AUX.c", "lpt1", "\xff" };
	char path[300];
	struct stat st;
	int seen = 0;

	NEED_IMAGE;
	long before = free_blocks();
	EQ(mkdir(HOME "d", 0700), 0);
	for (unsigned i = 0; i < 6; i++) {
		snprintf(path, sizeof path, HOME "d/%s", good[i]);
		close(make(path, 10));
		EQ(stat(path, &st), 0);
	}
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
		snprintf(path, sizeof path, HOME "d/%s", bad[i]);
		FAILS(open(path, O_CREAT | O_WRONLY, 0600), EINVAL);
		FAILS(mkdir(path, 0700), EINVAL);
	}
	FAILS(open(HOME "d/X", O_CREAT | O_WRONLY, 0600), EEXIST);
	DIR *d = opendir(HOME "d");
	for (struct dirent *e; (e = readdir(d));)
		seen++;
	closedir(d);
	EQ(seen, 8);
	FAILS(rmdir(HOME "d"), ENOTEMPTY);
	EQ(rename(HOME "d/x", HOME "d/X"), 0);			/* of itself, it may differ by case */
	EQ(rename(HOME "d/X", HOME "d/.dot"), 0);
	EQ(mkdir(HOME "e", 0700), 0);
	EQ(rename(HOME "d", HOME "e/d"), 0);
	EQ(stat(HOME "e/d/..", &st), 0);
	ino_t above = st.st_ino;
	EQ(stat(HOME "e", &st), 0);
	EQ(st.st_ino, above);
	FAILS(rename(HOME "e", HOME "e/d/e"), EINVAL);
	FAILS(symlink("x", HOME "l"), EPERM);
	FAILS(link(HOME "e/d/.dot", HOME "l"), EPERM);
	for (unsigned i = 1; i < 6; i++) {
		snprintf(path, sizeof path, HOME "e/d/%s", good[i]);
		EQ(unlink(path), 0);
	}
	EQ(rmdir(HOME "e/d"), 0);
	EQ(rmdir(HOME "e"), 0);
	EQ(free_blocks(), before);
}

/* ---- shared mappings ------------------------------------------------------------------------------------------------------------ */

FAULTLINE_TEST(first_writes_are_shared_write)
{
	struct faultstat before;

	NEED_IMAGE;
	int fd = make(HOME "m", 8 * PAGE);
	EQ(fsync(fd), 0);
	char *p = mmap(NULL, 8 * PAGE, RW, MAP_SHARED, fd, 0);
	NEED(p != MAP_FAILED);
	faults_now(&before);
	EQ(((volatile char *)p)[0], 'a');			/* and its neighbours, all read-only */
	EQ(faults_since(&before, FAULT_FILE_MINOR), 1);
	for (int i = 0; i < 8; i++)
		p[i * PAGE] = '0';
	for (int i = 0; i < 8; i++)
		p[i * PAGE + 1] = '1';
	EQ(faults_since(&before, FAULT_SHARED_WRITE), 8);
	EQ(msync(p, 8 * PAGE, MS_ASYNC), 0);
	p[0] = '2';
	EQ(faults_since(&before, FAULT_SHARED_WRITE), 8);
	EQ(msync(p, 2 * PAGE, MS_SYNC), 0);
	for (int i = 0; i < 8; i++)
		p[i * PAGE] = '3';
	EQ(faults_since(&before, FAULT_SHARED_WRITE), 10);
	EQ(fsync(fd), 0);
	p[0] = '4';
	sync();
	p[0] = '5';
	EQ(faults_since(&before, FAULT_SHARED_WRITE), 12);
	EQ(mprotect(p, 8 * PAGE, PROT_READ), 0);
	EQ(mprotect(p, 8 * PAGE, RW), 0);
	p[7 * PAGE] = '6';
	EQ(faults_since(&before, FAULT_SHARED_WRITE), 13);
	EQ(faults_since(&before, FAULT_PROTECT_UPGRADE), 0);
	munmap(p, 8 * PAGE);
	char bytes[2];
	EQ(pread(fd, bytes, 2, 7 * PAGE), 2);
	CHECK(!memcmp(bytes, "61", 2));
	close(fd);
	unlink(HOME "m");
}

FAULTLINE_TEST(a_write_without_a_read)
{
	struct faultstat before;

	NEED_IMAGE;
	int fd = make(HOME "m", 4 * PAGE);
	char *p = mmap(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0);
	faults_now(&before);
	p[PAGE] = '!';
	EQ(faults_since(&before, FAULT_SHARED_WRITE), 1);
	EQ(faults_since(&before, FAULT_FILE_MINOR), 0);
	EQ(p[0], 'a');
	EQ(faults_since(&before, FAULT_FILE_MINOR), 1);
	close(fd);
	unlink(HOME "m");
	munmap(p, 4 * PAGE);
}

FAULTLINE_TEST(mappings_and_calls_agree)
{
	int status;
	char bytes[4] = "";

	NEED_IMAGE;
	int fd = make(HOME "m", 2 * PAGE + 100);
	char *p = mmap(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0), *q = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, PAGE);
	char *own = mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0);
	NEED(p != MAP_FAILED && q != MAP_FAILED && own != MAP_FAILED);
	own[0] = 'o';
	CHILD(status) {
		p[PAGE] = 'C';
		p[0] = 'D';
	}
	EQ(status, 0);
	EQ(q[0], 'C');
	EQ(own[0], 'o');
	EQ(pwrite(fd, "PW", 2, PAGE + 1), 2);
	CHECK(!memcmp(q, "CPWb", 4));
	EQ(pwrite(fd, p, PAGE, 1), PAGE);			/* from the file to itself */
	EQ(pread(fd, bytes, 3, 0), 3);
	EQ(p[0], 'D');
	p[2 * PAGE + 100] = '?';				/* behind the end, in its page */
	EQ(ftruncate(fd, 2 * PAGE + 200), 0);
	EQ(p[2 * PAGE + 100], 0);
	TRY(p[3 * PAGE] = 1);
	EQ(tap_caught.si_signo, SIGBUS);
	EQ(ftruncate(fd, PAGE), 0);
	TRY((void)*(volatile char *)q);
	EQ(tap_caught.si_signo, SIGBUS);
	EQ(ftruncate(fd, 2 * PAGE), 0);
	EQ(((volatile char *)q)[0], 0);
	p[PAGE] = 'n';
	EQ(q[0], 'n');
	munmap(p, 4 * PAGE);
	munmap(q, PAGE);
	munmap(own, PAGE);
	close(fd);
	unlink(HOME "m");
}

FAULTLINE_TEST(sync_calls_judge_their_arguments)
{
	int fds[2], fd;

	NEED_IMAGE;
	fd = make(HOME "m", 10);
	NEED(!pipe(fds));
	EQ(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE), 0);
	EQ(sync_file_range(fd, 5, 4096, 7), 0);
	FAILS(sync_file_range(fd, 0, 0, 8), EINVAL);
	FAILS(sync_file_range(fd, -1, 0, 0), EINVAL);
	FAILS(sync_file_range(fd, 0, -1, 0), EINVAL);
	FAILS(sync_file_range(fds[0], 0, 0, 0), ESPIPE);
	FAILS(sync_file_range(-1, 0, 0, 8), EBADF);
	EQ(syncfs(fd), 0);
	FAILS(fsync(fds[0]), EINVAL);
	close(fd);
	unlink(HOME "m");
}

FAULTLINE_TEST(a_full_volume)
{
	static char junk[100000];

	NEED_IMAGE;
	long before = free_blocks();
	int fd = make(HOME "full", 0), n = 0;
	ssize_t done;
	off_t size = 0;
	while ((done = write(fd, junk, sizeof junk)) > 0)
		size += done, n++;
	EQ(errno, ENOSPC);
	CHECK(n > 10);
	EQ(free_blocks(), 0);
	EQ(lseek(fd, 0, SEEK_END), size);
	FAILS(ftruncate(fd, size + (1 << 20)), ENOSPC);
	EQ(lseek(fd, 0, SEEK_END), size);
	FAILS(mkdir(HOME "d", 0700), ENOSPC);
	close(make(HOME "empty", 0));				/* a name has room in its directory */
	EQ(unlink(HOME "empty"), 0);
	EQ(ftruncate(fd, size / 2), 0);
	CHECK(free_blocks() > 100);
	close(fd);
	EQ(unlink(HOME "full"), 0);
	EQ(free_blocks(), before);
}
