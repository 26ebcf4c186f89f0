/*
 * tests/guest/errno_paths.c - what calls on paths answer, row by row.
 *
 * The folder has: f (a file), d (a folder, with d/f in it), e (an empty one), l (a link to f), dl (one to d), dangling, loop, fifo, secret (a folder of root's alone, with secret/f).
 */
#include "rows.h"
#include <sys/time.h>
#include <utime.h>

#define FD	AT_FDCWD
static char long_name[300], long_path[PATH_MAX + 100], slashes[PATH_MAX + 10], just[PATH_MAX + 1], buffer[PATH_MAX];
static long data;
static int file, dir, path;

static void prepare(void)
{
	data = P(buffer);
	rows_enter();
	close(rows_file("f", O_RDWR, 10));
	NEED(mkdir("d", 0755) == 0 && mkdir("e", 0755) == 0 && mkdir("secret", 0700) == 0);
	close(rows_file("d/f", O_RDWR, 10));
	close(rows_file("secret/f", O_RDWR, 10));
	NEED(symlink("f", "l") == 0 && symlink("d", "dl") == 0 && symlink("nothing", "dangling") == 0 && symlink("loop", "loop") == 0 && mkfifo("fifo", 0600) == 0);
	memset(long_name, 'a', sizeof long_name - 1);
	memset(slashes, '/', sizeof slashes - 1);
	for (size_t i = 0; i + 1 < sizeof long_path; i++)
		long_path[i] = i % 2 ? '/' : '.';
	for (size_t i = 0; i < PATH_MAX - 2; i++)
		just[i] = i % 2 ? '/' : '.';
	just[PATH_MAX - 2] = 'f';		/* PATH_MAX - 1 bytes: the longest path */
	file = open("f", O_RDWR);
	dir = open("d", O_RDONLY);
	path = open("d", O_PATH);
}

/* What all that look a path up have in common; `rest` are the other arguments. */
#define LOOKS_UP(name, ...) do { \
	IS(-EFAULT, name, 0, ##__VA_ARGS__); \
	IS(-EFAULT, name, nowhere, ##__VA_ARGS__); \
	IS(-EFAULT, name, kernels, ##__VA_ARGS__); \
	IS(-EFAULT, name, -1, ##__VA_ARGS__); \
	IS(-ENOENT, name, P(""), ##__VA_ARGS__); \
	IS(-ENOENT, name, P("no/x"), ##__VA_ARGS__); \
	IS(-ENOENT, name, P("dangling/x"), ##__VA_ARGS__); \
	IS(-ENOTDIR, name, P("f/x"), ##__VA_ARGS__); \
	IS(-ENOTDIR, name, P("f/."), ##__VA_ARGS__); \
	IS(-ENOTDIR, name, P("f/.."), ##__VA_ARGS__); \
	IS(-ENOTDIR, name, P("l/x"), ##__VA_ARGS__); \
	IS(-ELOOP, name, P("loop/x"), ##__VA_ARGS__); \
	IS(-ENAMETOOLONG, name, P(long_name), ##__VA_ARGS__); \
	IS(-ENAMETOOLONG, name, P(long_path), ##__VA_ARGS__); \
	IS(-ENAMETOOLONG, name, P(slashes), ##__VA_ARGS__); \
	AS_NOBODY(IS(-EACCES, name, P("secret/f"), ##__VA_ARGS__)); \
} while (0)

/* ... and of a file that must be there, the last component followed. */
#define LOOKS_UP_FILE(name, ...) do { \
	LOOKS_UP(name, ##__VA_ARGS__); \
	IS(-ENOTDIR, name, P("f/"), ##__VA_ARGS__); \
	IS(-ENOTDIR, name, P("l/"), ##__VA_ARGS__); \
	IS(-ENOENT, name, P("no"), ##__VA_ARGS__); \
	IS(-ENOENT, name, P("dangling"), ##__VA_ARGS__); \
	IS(-ELOOP, name, P("loop"), ##__VA_ARGS__); \
} while (0)

TEST(open)
{
	prepare();
	LOOKS_UP_FILE(open, O_RDONLY);
	IS(DONE, open, P(just), O_RDONLY);
	IS(-EEXIST, open, P("f"), O_CREAT | O_EXCL | O_RDWR, 0600);
	IS(-EEXIST, open, P("dangling"), O_CREAT | O_EXCL | O_RDWR, 0600);
	IS(-EEXIST, open, P("d"), O_CREAT | O_EXCL | O_RDWR, 0600);
	IS(-EEXIST, open, P("loop"), O_CREAT | O_EXCL | O_RDWR, 0600);
	IS(-EISDIR, open, P("d"), O_WRONLY);
	IS(-EISDIR, open, P("d"), O_RDWR);
	IS(-EISDIR, open, P("d"), O_RDONLY | O_CREAT, 0600);
	IS(-EISDIR, open, P("d"), O_RDONLY | O_TRUNC);
	IS(-EISDIR, open, P("d/"), O_CREAT | O_RDWR, 0600);
	IS(-EISDIR, open, P("new/"), O_CREAT | O_RDWR, 0600);
	IS(-EISDIR, open, P("f/"), O_CREAT | O_RDWR, 0600);
	IS(-EISDIR, open, P("."), O_CREAT | O_RDWR, 0600);
	IS(-ENOTDIR, open, P("f"), O_RDONLY | O_DIRECTORY);
	IS(-ENOTDIR, open, P("l"), O_RDONLY | O_DIRECTORY);
	IS(-ENOTDIR, open, P("fifo"), O_RDONLY | O_DIRECTORY);
	IS(-ELOOP, open, P("l"), O_RDONLY | O_NOFOLLOW);
	IS(-ELOOP, open, P("dl"), O_RDONLY | O_NOFOLLOW);
	IS(-ENOTDIR, open, P("dl"), O_RDONLY | O_NOFOLLOW | O_DIRECTORY);
	IS(DONE, open, P("dl/"), O_RDONLY | O_NOFOLLOW);
	IS(DONE, open, P("l"), O_PATH | O_NOFOLLOW);
	IS(-ENXIO, open, P("fifo"), O_WRONLY | O_NONBLOCK);
	IS(DONE, open, P("fifo"), O_RDONLY | O_NONBLOCK);
	IS(DONE, open, P("fifo"), O_RDWR);
	IS(DONE, open, P("f"), O_RDONLY | O_CREAT | O_TRUNC * 0, 0600);
	IS(DONE, open, P("f"), 3);
	IS(-EINVAL, open, P("f"), O_RDONLY | (020000000 | 0200000));		/* O_TMPFILE wants to write */
	AS_NOBODY({
		IS(-EACCES, open, P("f"), O_RDWR);
		IS(-EACCES, open, P("f"), O_RDONLY | O_TRUNC);
		IS(-EACCES, open, P("d/new"), O_CREAT | O_RDWR, 0600);
		IS(-EPERM, open, P("f"), O_RDONLY | O_NOATIME);
		IS(-EACCES, open, P("fifo"), O_RDONLY | O_NONBLOCK);
		IS(DONE, open, P("new"), O_CREAT | O_RDONLY | O_EXCL, 0);
		IS(-EACCES, open, P("new"), O_RDONLY);
	});
	LOOKS_UP(creat, 0600);
	IS(-EISDIR, creat, P("d"), 0600);
	IS(-ELOOP, creat, P("loop"), 0600);
	IS(DONE, creat, P("dangling"), 0600);
	IS(0, unlink, P("nothing"));
	IS(-EBADF, openat, -1, P("f"), O_RDONLY);
	IS(-EBADF, openat, 1000, P("f"), O_RDONLY);
	IS(-ENOTDIR, openat, file, P("f"), O_RDONLY);
	IS(DONE, openat, dir, P("f"), O_RDONLY);
	IS(DONE, openat, path, P("f"), O_RDONLY);
	IS(DONE, openat, -1, P("/"), O_RDONLY);
	IS(-ENOENT, openat, dir, P(""), O_RDONLY);
	IS(-EFAULT, openat, -1, nowhere, O_RDONLY);
	rows_leave();
}

TEST(stat)
{
	prepare();
	LOOKS_UP_FILE(stat, data);
	LOOKS_UP(lstat, data);
	IS(0, lstat, P("loop"), data);
	IS(-ENOTDIR, lstat, P("l/"), data);
	IS(0, lstat, P("dl/"), data);
	IS(-EFAULT, stat, P("f"), nowhere);
	IS(-EFAULT, lstat, P("f"), nowhere);
	IS(-EFAULT, stat, P("f"), kernels);
	IS(-EINVAL, newfstatat, FD, P("f"), data, 1);
	IS(-EINVAL, newfstatat, FD, P("f"), data, -1);
	IS(-EBADF, newfstatat, -1, P("f"), data, 0);
	IS(-ENOTDIR, newfstatat, file, P("f"), data, 0);
	IS(0, newfstatat, file, P(""), data, AT_EMPTY_PATH);
	IS(-ENOENT, newfstatat, file, P(""), data, 0);
	IS(-EBADF, newfstatat, -1, P(""), data, AT_EMPTY_PATH);
	IS(0, newfstatat, FD, P(""), data, AT_EMPTY_PATH);
	IS(-EFAULT, newfstatat, FD, nowhere, data, 0);
	IS(0, statx, FD, P("f"), 0, 0x7ff, data);
	IS(-EINVAL, statx, FD, P("f"), -1, 0x7ff, data);
	IS(-EINVAL, statx, FD, P("f"), 0x6000, 0x7ff, data);
	IS(-EINVAL, statx, FD, P("f"), 0, 0x80000000, data);
	IS(-EBADF, statx, -1, P("f"), 0, 0x7ff, data);
	IS(-ENOENT, statx, FD, P(""), 0, 0x7ff, data);
	IS(-ENOTDIR, statx, FD, P("f/x"), 0, 0x7ff, data);
	IS(-ELOOP, statx, FD, P("loop"), 0, 0x7ff, data);
	IS(-EFAULT, statx, FD, nowhere, 0, 0x7ff, data);
	IS(-EFAULT, statx, FD, P("f"), 0, 0x7ff, nowhere);
	IS(-ENAMETOOLONG, statx, FD, P(long_name), 0, 0x7ff, data);
	rows_leave();
}

TEST(access)
{
	prepare();
	LOOKS_UP_FILE(access, F_OK);
	IS(-EINVAL, access, P("f"), 8);
	IS(-EINVAL, access, P("f"), -1);
	IS(-EINVAL, access, P("no"), -1);
	IS(0, access, P("f"), R_OK | W_OK);
	IS(-EACCES, access, P("f"), X_OK);
	IS(0, access, P("d"), R_OK | W_OK | X_OK);
	AS_NOBODY({
		IS(0, access, P("f"), R_OK);
		IS(-EACCES, access, P("f"), W_OK);
		IS(-EACCES, access, P("f"), X_OK);
		IS(0, access, P("secret"), F_OK);
		IS(-EACCES, access, P("secret"), R_OK);
	});
	IS(-EBADF, faccessat, -1, P("f"), F_OK);
	IS(-ENOTDIR, faccessat, file, P("f"), F_OK);
	IS(-EINVAL, faccessat, FD, P("f"), 8);
	IS(-EINVAL, faccessat2, FD, P("f"), R_OK, 1);
	IS(-EINVAL, faccessat2, FD, P("f"), 8, 0);
	IS(0, faccessat2, FD, P("loop"), F_OK, AT_SYMLINK_NOFOLLOW);
	IS(0, faccessat2, FD, P("f"), R_OK, AT_EACCESS);
	IS(0, faccessat2, file, P(""), R_OK, AT_EMPTY_PATH);
	IS(-EBADF, faccessat2, -1, P("f"), R_OK, 0);
	IS(-ENOTDIR, faccessat2, file, P("f"), R_OK, 0);
	IS(-EFAULT, faccessat2, FD, nowhere, R_OK, 0);
	rows_leave();
}

TEST(chmod_and_chown)
{
	prepare();
	LOOKS_UP_FILE(chmod, 0644);
	LOOKS_UP_FILE(chown, 0, 0);
	LOOKS_UP(lchown, 0, 0);
	IS(0, chmod, P("f"), -1);
	IS(0, chmod, P("f"), 0644);
	IS(0, chown, P("f"), -1, -1);
	IS(0, lchown, P("loop"), 5, 5);
	AS_NOBODY({
		IS(-EPERM, chmod, P("f"), 0644);
		IS(-EPERM, chown, P("f"), 0, 0);
		IS(-EPERM, chown, P("f"), NOBODY, NOBODY);
		IS(0, chown, P("f"), -1, -1);
		IS(-EPERM, lchown, P("l"), NOBODY, -1);
		int mine = open("mine", O_CREAT | O_RDWR, 0600);
		NEED(mine >= 0);
		IS(0, fchmod, mine, 06777);
		IS(-EPERM, fchown, mine, 0, -1);
		IS(-EPERM, fchown, mine, -1, 0);
		IS(0, fchown, mine, NOBODY, NOBODY);
	});
	IS(-EBADF, fchmodat, -1, P("f"), 0644);
	IS(-ENOTDIR, fchmodat, file, P("f"), 0644);
	IS(-EFAULT, fchmodat, FD, nowhere, 0644);
	IS(0, fchmodat, dir, P("f"), 0644);
	IS(-EINVAL, fchownat, FD, P("f"), 0, 0, 1);
	IS(-EINVAL, fchownat, FD, P("f"), 0, 0, -1);
	IS(-EBADF, fchownat, -1, P("f"), 0, 0, 0);
	IS(-ENOTDIR, fchownat, file, P("f"), 0, 0, 0);
	IS(0, fchownat, file, P(""), 0, 0, AT_EMPTY_PATH);
	IS(-EBADF, fchownat, -1, P(""), 0, 0, AT_EMPTY_PATH);
	IS(0, fchownat, FD, P("loop"), 0, 0, AT_SYMLINK_NOFOLLOW);
	rows_leave();
}

TEST(links)
{
	prepare();
	LOOKS_UP(link, P("new"));
	IS(-EEXIST, link, P("f"), P("d"));
	IS(-EEXIST, link, P("f"), P("f"));
	IS(-EEXIST, link, P("f"), P("dangling"));
	IS(-EPERM, link, P("d"), P("new"));
	IS(-ENOTDIR, link, P("f"), P("f/x"));
	IS(-ENOENT, link, P("f"), P("new/"));
	IS(-ENOENT, link, P("f"), P(""));
	IS(-ENOENT, link, P("f"), P("no/x"));
	IS(-ENOTDIR, link, P("f/"), P("new"));
	IS(-ENAMETOOLONG, link, P("f"), P(long_name));
	IS(-EFAULT, link, P("f"), nowhere);
	IS(-ELOOP, link, P("f"), P("loop/x"));
	IS(-EXDEV, link, P("/proc/self/stat"), P("new"));
	IS(0, link, P("l"), P("new"));
	IS(DONE, readlink, P("new"), data, 10);
	IS(0, link, P("dangling"), P("new2"));
	IS(0, unlink, P("new2"));
	IS(-EINVAL, linkat, FD, P("f"), FD, P("n"), 1);
	IS(-EBADF, linkat, -1, P("f"), FD, P("n"), 0);
	IS(-EBADF, linkat, FD, P("f"), -1, P("n"), 0);
	IS(-ENOTDIR, linkat, file, P("f"), FD, P("n"), 0);
	IS(-ENOTDIR, linkat, FD, P("f"), file, P("n"), 0);
	IS(-ENOENT, linkat, FD, P("dangling"), FD, P("n"), AT_SYMLINK_FOLLOW);
	IS(0, linkat, FD, P("l"), FD, P("n"), AT_SYMLINK_FOLLOW);
	IS(0, linkat, file, P(""), FD, P("n2"), AT_EMPTY_PATH);
	AS_NOBODY({
		IS_EITHER(-EPERM, -EACCES, link, P("f"), P("d/new"));
		IS(-EPERM, link, P("f"), P("mine"));
	});
	rows_leave();
}

TEST(symlinks)
{
	prepare();
	IS(-EFAULT, symlink, nowhere, P("new"));
	IS(-EFAULT, symlink, P("f"), nowhere);
	IS(-ENOENT, symlink, P(""), P("new"));
	IS(-ENOENT, symlink, P("f"), P(""));
	IS(-ENOENT, symlink, P("f"), P("no/x"));
	IS(-ENOENT, symlink, P("f"), P("new/"));
	IS(-ENOTDIR, symlink, P("f"), P("f/x"));
	IS(-EEXIST, symlink, P("f"), P("f"));
	IS(-EEXIST, symlink, P("f"), P("loop"));
	IS(-EEXIST, symlink, P("f"), P("d"));
	IS(-EEXIST, symlink, P("f"), P("."));
	IS(-EEXIST, symlink, P("f"), P("/"));
	IS(-ENAMETOOLONG, symlink, P("f"), P(long_name));
	IS(-ENAMETOOLONG, symlink, P(long_path), P("new"));
	IS(0, symlink, P(long_name), P("to_long"));
	IS(-ENAMETOOLONG, open, P("to_long"), O_RDONLY);
	IS(-EBADF, symlinkat, P("f"), -1, P("new"));
	IS(-ENOTDIR, symlinkat, P("f"), file, P("new"));
	IS(0, symlinkat, P("f"), dir, P("new"));
	AS_NOBODY(IS(-EACCES, symlink, P("f"), P("d/x")));
	LOOKS_UP(readlink, data, 100);
	IS(-EINVAL, readlink, P("f"), data, 100);
	IS(-EINVAL, readlink, P("d"), data, 100);
	IS(-EINVAL, readlink, P("l"), data, 0);
	IS(-EINVAL, readlink, P("l"), data, -1);
	IS(-EFAULT, readlink, P("l"), nowhere, 10);
	IS(1, readlink, P("l"), data, 100);
	IS(4, readlink, P("dangling"), data, 4);
	IS(-ENOTDIR, readlink, P("l/"), data, 100);
	IS(-EINVAL, readlink, P("dl/"), data, 100);
	IS(-EBADF, readlinkat, -1, P("l"), data, 100);
	IS(-ENOTDIR, readlinkat, file, P("l"), data, 100);
	IS(-ENOENT, readlinkat, file, P(""), data, 100);
	int link = open("l", O_PATH | O_NOFOLLOW);
	IS(1, readlinkat, link, P(""), data, 100);
	IS(-ENOENT, readlinkat, FD, P(""), data, 100);
	rows_leave();
}

TEST(unlink_and_rmdir)
{
	prepare();
	LOOKS_UP(unlink);
	IS(-EISDIR, unlink, P("d"));
	IS(-EISDIR, unlink, P("e"));
	IS(-EISDIR, unlink, P("d/"));
	IS(-EISDIR, unlink, P("."));
	IS(-EISDIR, unlink, P("/"));
	IS(-ENOTDIR, unlink, P("f/"));
	IS(-ENOENT, unlink, P("no/"));
	AS_NOBODY(IS(-EACCES, unlink, P("d/f")));
	LOOKS_UP(rmdir);
	IS(-ENOTDIR, rmdir, P("f"));
	IS(-ENOTDIR, rmdir, P("l"));
	IS(-ENOTDIR, rmdir, P("dl"));
	IS(-ENOTDIR, rmdir, P("loop"));
	IS(-ENOTEMPTY, rmdir, P("d"));
	IS(-EINVAL, rmdir, P("."));
	IS(-EINVAL, rmdir, P("e/."));
	IS(-ENOTEMPTY, rmdir, P(".."));
	IS(-ENOTEMPTY, rmdir, P("e/.."));
	IS(-EBUSY, rmdir, P("/"));
	IS(-EBUSY, rmdir, P("/proc"));
	IS(0, rmdir, P("e/"));
	IS(-EINVAL, unlinkat, FD, P("f"), 1);
	IS(-EINVAL, unlinkat, FD, P("f"), -1);
	IS(-EBADF, unlinkat, -1, P("f"), 0);
	IS(-ENOTDIR, unlinkat, file, P("f"), 0);
	IS(-ENOTDIR, unlinkat, FD, P("f"), AT_REMOVEDIR);
	IS(-EISDIR, unlinkat, FD, P("d"), 0);
	IS(0, unlinkat, dir, P("f"), 0);
	NEED(mkdir("t", 01777) == 0 && chmod("t", 01777) == 0);
	close(rows_file("t/f", O_RDWR, 0));
	AS_NOBODY({
		IS(-EPERM, unlink, P("t/f"));
		IS(-EPERM, rename, P("t/f"), P("t/g"));
	});
	rows_leave();
}

TEST(rename)
{
	prepare();
	LOOKS_UP(rename, P("new"));
	IS(-ENOENT, rename, P("f"), P(""));
	IS(-ENOENT, rename, P("f"), P("no/x"));
	IS(-ENOTDIR, rename, P("f"), P("f/x"));
	IS(-ENOTDIR, rename, P("f"), P("new/"));
	IS(-ENOTDIR, rename, P("f/"), P("new"));
	IS(-ENAMETOOLONG, rename, P("f"), P(long_name));
	IS(-ENAMETOOLONG, rename, P("f"), P(long_path));
	IS(-EFAULT, rename, P("f"), nowhere);
	IS(-EISDIR, rename, P("f"), P("d"));
	IS(-EISDIR, rename, P("f"), P("e"));
	IS(-ENOTDIR, rename, P("d"), P("f"));
	IS(-ENOTEMPTY, rename, P("e"), P("d"));
	IS(-EINVAL, rename, P("d"), P("d/x"));
	IS(-ENOENT, rename, P("d"), P("d/x/y"));
	IS(-ENOTEMPTY, rename, P("d/f"), P("d"));
	IS(-EBUSY, rename, P("."), P("new"));
	IS(-EBUSY, rename, P("f"), P("."));
	IS(-EBUSY, rename, P("d/.."), P("new"));
	IS(-EBUSY, rename, P("f"), P("d/.."));
	IS(-EXDEV, rename, P("f"), P("/proc/x"));
	IS(-EXDEV, rename, P("/proc/self/stat"), P("x"));
	IS(0, rename, P("f"), P("f"));
	IS(0, rename, P("d"), P("e"));
	IS(0, rename, P("e/"), P("d/"));
	IS(-EINVAL, renameat2, FD, P("f"), FD, P("new"), 8);
	IS(-EINVAL, renameat2, FD, P("f"), FD, P("new"), 3);
	IS(-EINVAL, renameat2, FD, P("f"), FD, P("new"), -1);
	IS(-EEXIST, renameat2, FD, P("f"), FD, P("d"), 1);
	IS(-EEXIST, renameat2, FD, P("f"), FD, P("f"), 1);
	IS(-ENOENT, renameat2, FD, P("f"), FD, P("new"), 2);
	IS(0, renameat2, FD, P("f"), FD, P("d"), 2);
	IS(0, renameat2, FD, P("f"), FD, P("d"), 2);
	IS(-EBADF, renameat, -1, P("f"), FD, P("new"));
	IS(-EBADF, renameat, FD, P("f"), -1, P("new"));
	IS(-ENOTDIR, renameat, file, P("f"), FD, P("new"));
	AS_NOBODY({
		IS(-EACCES, rename, P("d/f"), P("mine"));
		IS(-EACCES, rename, P("f"), P("d/mine"));
		IS(-EACCES, rename, P("secret"), P("d/mine"));
	});
	rows_leave();
}

TEST(mkdir_and_mknod)
{
	prepare();
	IS(-EFAULT, mkdir, nowhere, 0700);
	IS(-ENOENT, mkdir, P(""), 0700);
	IS(-ENOENT, mkdir, P("no/x"), 0700);
	IS(-ENOTDIR, mkdir, P("f/x"), 0700);
	IS(-EEXIST, mkdir, P("f"), 0700);
	IS(-EEXIST, mkdir, P("d"), 0700);
	IS(-EEXIST, mkdir, P("d/"), 0700);
	IS(-EEXIST, mkdir, P("dangling"), 0700);
	IS(-EEXIST, mkdir, P("loop"), 0700);
	IS(-EEXIST, mkdir, P("."), 0700);
	IS(-EEXIST, mkdir, P(".."), 0700);
	IS(-EEXIST, mkdir, P("/"), 0700);
	IS(-ELOOP, mkdir, P("loop/x"), 0700);
	IS(-ENAMETOOLONG, mkdir, P(long_name), 0700);
	IS(-ENAMETOOLONG, mkdir, P(long_path), 0700);
	IS(0, mkdir, P("new/"), -1);
	IS(-EBADF, mkdirat, -1, P("x"), 0700);
	IS(-ENOTDIR, mkdirat, file, P("x"), 0700);
	IS(0, mkdirat, dir, P("x"), 0700);
	AS_NOBODY(IS(-EACCES, mkdir, P("d/y"), 0700));
	IS(-EEXIST, mknod, P("f"), S_IFREG | 0600, 0);
	IS(-EEXIST, mknod, P("f"), S_IFIFO | 0600, 0);
	IS(-ENOENT, mknod, P("no/x"), S_IFIFO | 0600, 0);
	IS(-ENOENT, mknod, P(""), S_IFIFO | 0600, 0);
	IS(-ENOENT, mknod, P("n/"), S_IFIFO | 0600, 0);
	IS(-ENOTDIR, mknod, P("f/x"), S_IFIFO | 0600, 0);
	IS(-EFAULT, mknod, nowhere, S_IFIFO | 0600, 0);
	IS(-ENAMETOOLONG, mknod, P(long_name), S_IFIFO | 0600, 0);
	IS(-ELOOP, mknod, P("loop/x"), S_IFIFO | 0600, 0);
	IS(-EPERM, mknod, P("n"), S_IFDIR | 0700, 0);
	IS(-EINVAL, mknod, P("n"), S_IFMT | 0700, 0);
	IS(-EINVAL, mknod, P("n"), S_IFLNK | 0700, 0);
	IS(0, mknod, P("n1"), 0600, 0);
	IS(0, mknod, P("n2"), S_IFREG | 0600, 0);
	IS(0, mknod, P("n3"), S_IFIFO | 0600, 0);
	IS(0, mknod, P("n4"), S_IFSOCK | 0600, 0);
	IS(0, mknod, P("n5"), S_IFCHR | 0600, 0x103);
	IS(-ENXIO, open, P("n4"), O_RDONLY);
	IS(-EBADF, mknodat, -1, P("x"), S_IFREG | 0600, 0);
	IS(-ENOTDIR, mknodat, file, P("x"), S_IFREG | 0600, 0);
	AS_NOBODY({
		IS(-EPERM, mknod, P("m1"), S_IFCHR | 0600, 0x103);
		IS(-EPERM, mknod, P("m2"), S_IFBLK | 0600, 0x103);
		IS(-EACCES, mknod, P("d/m3"), S_IFIFO | 0600, 0);
		IS(0, mknod, P("m4"), S_IFIFO | 0600, 0);
	});
	rows_leave();
}

TEST(standing)
{
	prepare();
	LOOKS_UP_FILE(chdir);
	IS(-ENOTDIR, chdir, P("f"));
	IS(-ENOTDIR, chdir, P("l"));
	AS_NOBODY({
		IS(-EACCES, chdir, P("secret"));
		IS(-EPERM, chroot, P("d"));
		IS(-ENOTDIR, chroot, P("f"));
		IS(-EACCES, chroot, P("secret"));
	});
	LOOKS_UP_FILE(chroot);
	IS(-ENOTDIR, chroot, P("f"));
	IS(-EBADF, fchdir, -1);
	IS(-EBADF, fchdir, 1000);
	IS(-ENOTDIR, fchdir, file);
	IS(0, fchdir, path);
	IS(0, chdir, P(".."));
	IS(-ERANGE, getcwd, data, 0);
	IS(-ERANGE, getcwd, data, 1);
	IS(-ERANGE, getcwd, nowhere, 1);
	IS(-EFAULT, getcwd, nowhere, 100);
	IS(-EFAULT, getcwd, kernels, 100);
	IS(DONE, getcwd, data, 1000);
	IS(022, umask, 0777);
	IS(0777, umask, 022);
	IS(022, umask, -1);
	IS(0777, umask, 022);
	rows_leave();
}

TEST(times)
{
	struct timespec good[2] = { { 5, 0 }, { 6, 0 } }, bad[2] = { { 5, 1000000000 }, { 6, 0 } }, now[2] = { { 0, UTIME_NOW }, { 0, UTIME_NOW } },
		omit[2] = { { 0, UTIME_OMIT }, { 0, UTIME_OMIT } }, one[2] = { { 0, UTIME_NOW }, { 0, UTIME_OMIT } };
	struct timeval t[2] = { { 5, 0 }, { 6, 0 } }, wrong[2] = { { 5, 1000000 }, { 6, 0 } };
	struct utimbuf u = { 5, 6 };

	prepare();
	LOOKS_UP_FILE(utime, P(&u));
	IS(0, utime, P("f"), 0);
	IS(-EFAULT, utime, P("f"), nowhere);
	IS(-ENOENT, utimes, P("no"), P(t));
	IS(-EINVAL, utimes, P("f"), P(wrong));
	IS(-EINVAL, utimes, P("no"), P(wrong));
	IS(-EFAULT, utimes, P("f"), nowhere);
	IS(-EFAULT, utimes, nowhere, P(t));
	IS(0, utimensat, FD, P("f"), P(good), 0);
	IS(-EINVAL, utimensat, FD, P("f"), P(bad), 0);
	IS(-EINVAL, utimensat, FD, P("f"), P(good), 1);
	IS(0, utimensat, FD, P("no"), P(omit), 0);
	IS(-EFAULT, utimensat, FD, 0, P(good), 0);
	IS(0, utimensat, file, 0, P(good), 0);
	IS(-EBADF, utimensat, -1, 0, P(good), 0);
	IS(-EINVAL, utimensat, file, 0, P(good), AT_SYMLINK_NOFOLLOW);
	IS(-EFAULT, utimensat, FD, P("f"), nowhere, 0);
	IS(-EBADF, utimensat, -1, P("f"), P(good), 0);
	IS(-ENOTDIR, utimensat, file, P("f"), P(good), 0);
	IS(0, utimensat, FD, P("loop"), P(good), AT_SYMLINK_NOFOLLOW);
	IS(0, utimensat, file, P(""), P(good), AT_EMPTY_PATH);
	IS(-EBADF, futimesat, -1, P("f"), P(t));
	IS(-ENOTDIR, futimesat, file, P("f"), P(t));
	IS(0, futimesat, dir, P("f"), P(t));
	IS(-EINVAL, futimesat, FD, P("f"), P(wrong));
	AS_NOBODY({
		IS(-EACCES, utime, P("f"), 0);
		IS(-EPERM, utime, P("f"), P(&u));
		IS(-EACCES, utimensat, FD, P("f"), P(now), 0);
		IS(-EACCES, utimensat, FD, P("f"), 0, 0);
		IS(-EPERM, utimensat, FD, P("f"), P(one), 0);
		IS(-EPERM, utimensat, FD, P("f"), P(good), 0);
		IS(0, utimensat, FD, P("f"), P(omit), 0);
	});
	rows_leave();
}

/* A read is noted if none has been since the last change; not with O_NOATIME. */
TEST(time_of_access)
{
	struct timespec before[2] = { { 5, 0 }, { 6, 0 } };
	struct stat st;

	prepare();
	IS(0, utimensat, FD, P("f"), P(before), 0);
	int quiet = open("f", O_RDONLY | O_NOATIME);
	IS(10, read, quiet, data, 10);
	NEED(stat("f", &st) == 0);
	EQ(st.st_atime, 5);
	IS(10, read, file, data, 10);
	NEED(stat("f", &st) == 0);
	CHECK(st.st_atime > 5);
	rows_leave();
}
