/* tests/guest/xattr.c - extended attributes on a tmpfs: values, lists, who may, and what is refused. */
#include "tap.h"
#include <limits.h>
#include <sys/mount.h>
#include <sys/xattr.h>

static void enter(void)
{
	char name[] = "/dev/shm/xattr-XXXXXX";
	umask(022);
	NEED(mkdtemp(name) && !chdir(name) && !chmod(".", 0755));
	int fd = open("f", O_CREAT | O_RDWR, 0644);
	NEED(fd >= 0);
	close(fd);
	if (setxattr("f", "user.test", "x", 1, 0) && errno == EOPNOTSUPP && !on_faultline())
		SKIP("this Linux's tmpfs has none");
	removexattr("f", "user.test");
}

static void leave(void)
{
	char name[PATH_MAX];
	unlink("f");
	NEED(getcwd(name, sizeof name) && !chdir("/"));
	EQ(rmdir(name), 0);
}

TEST(values)
{
	char text[64];

	enter();
	FAILS(getxattr("f", "user.a", text, sizeof text), ENODATA);
	EQ(setxattr("f", "user.a", "hello", 5, 0), 0);
	EQ(getxattr("f", "user.a", text, sizeof text), 5);
	EQ(memcmp(text, "hello", 5), 0);
	EQ(getxattr("f", "user.a", NULL, 0), 5);
	FAILS(getxattr("f", "user.a", text, 4), ERANGE);
	FAILS(setxattr("f", "user.a", "x", 1, XATTR_CREATE), EEXIST);
	FAILS(setxattr("f", "user.b", "x", 1, XATTR_REPLACE), ENODATA);
	EQ(setxattr("f", "user.a", "longer text", 11, XATTR_REPLACE), 0);
	EQ(getxattr("f", "user.a", text, sizeof text), 11);
	EQ(setxattr("f", "user.empty", NULL, 0, XATTR_CREATE), 0);
	EQ(getxattr("f", "user.empty", text, sizeof text), 0);
	EQ(removexattr("f", "user.a"), 0);
	FAILS(removexattr("f", "user.a"), ENODATA);
	FAILS(getxattr("f", "user.a", text, sizeof text), ENODATA);
	leave();
}

TEST(lists)
{
	char text[64];

	enter();
	ssize_t none = listxattr("f", text, sizeof text);
	EQ(none, 0);
	NEED(!setxattr("f", "user.b", "1", 1, 0) && !setxattr("f", "user.a", "2", 1, 0));
	EQ(listxattr("f", NULL, 0), 14);
	FAILS(listxattr("f", text, 13), ERANGE);
	EQ(listxattr("f", text, sizeof text), 14);
	CHECK(!memcmp(text, "user.a\0user.b", 14) || !memcmp(text, "user.b\0user.a", 14));
	int fd = open("f", O_RDONLY);
	EQ(flistxattr(fd, text, sizeof text), 14);
	EQ(fsetxattr(fd, "user.c", "3", 1, 0), 0);
	EQ(fgetxattr(fd, "user.c", text, 1), 1);
	EQ(fremovexattr(fd, "user.c"), 0);
	close(fd);
	FAILS(flistxattr(99, text, sizeof text), EBADF);
	fd = open("f", O_PATH);
	FAILS(syscall(SYS_fgetxattr, fd, "user.a", text, 1l), EBADF);
	close(fd);
	leave();
}

TEST(what_is_refused)
{
	static char big[65537], name[300];

	enter();
	memset(name, 'a', 299);
	memcpy(name, "user.", 5);
	FAILS(setxattr("f", name, "x", 1, 0), ERANGE);
	name[255] = 0;
	EQ(setxattr("f", name, "x", 1, 0), 0);
	FAILS(setxattr("f", "", "x", 1, 0), ERANGE);
	FAILS(setxattr("f", "user.", "x", 1, 0), EINVAL);
	FAILS(setxattr("f", "nothing.x", "x", 1, 0), EOPNOTSUPP);
	FAILS(setxattr("f", "x", "x", 1, 0), EOPNOTSUPP);
	FAILS(getxattr("f", "nothing.x", big, 1), EOPNOTSUPP);
	FAILS(setxattr("f", "user.a", "x", 1, 4), EINVAL);
	FAILS(setxattr("f", "user.a", big, 65537, 0), E2BIG);
	FAILS(setxattr("f", "user.a", (char *)-1l, 1, 0), EFAULT);
	FAILS(setxattr("f", (char *)-1l, "x", 1, 0), EFAULT);
	FAILS(setxattr((char *)-1l, "user.a", "x", 1, 0), EFAULT);
	FAILS(setxattr("none", "user.a", "x", 1, 0), ENOENT);
	FAILS(setxattr("f/x", "user.a", "x", 1, 0), ENOTDIR);
	NEED(!symlink("f", "s") && !mkfifo("p", 0600));
	FAILS(lsetxattr("s", "user.a", "x", 1, 0), EPERM);
	FAILS(lgetxattr("s", "user.a", big, 1), ENODATA);
	EQ(setxattr("s", "user.a", "x", 1, 0), 0);
	EQ(getxattr("f", "user.a", big, 1), 1);
	FAILS(getxattr("f", "user.a", (char *)-1l, 1), EFAULT);
	FAILS(setxattr("p", "user.a", "x", 1, 0), EPERM);
	EQ(setxattr(".", "user.a", "x", 1, 0), 0);
	EQ(getxattr("/proc/self/comm", "user.a", big, 1), -1);
	unlink("s");
	unlink("p");
	leave();
}

TEST(who_may)
{
	char text[64];
	int status;

	if (geteuid())
		SKIP("needs root");
	enter();
	NEED(!setxattr("f", "trusted.a", "x", 1, 0) && !setxattr("f", "user.a", "x", 1, 0));
	EQ(listxattr("f", text, sizeof text), 17);
	NEED(!mkdir("d", 0777) && !chmod("d", 01777));
	CHILD(status) {
		NEED(!setresuid(2001, 2001, 2001));
		EQ(listxattr("f", text, sizeof text), 7);
		FAILS(getxattr("f", "trusted.a", text, 1), ENODATA);
		FAILS(setxattr("f", "trusted.a", "x", 1, 0), EPERM);
		EQ(getxattr("f", "user.a", text, 1), 1);
		FAILS(setxattr("f", "user.a", "x", 1, 0), EACCES);
		FAILS(removexattr("f", "user.a"), EACCES);
		FAILS(setxattr("d", "user.a", "x", 1, 0), EPERM);
	}
	EQ(status, 0);
	NEED(!chmod("f", 0600));
	CHILD(status) {
		NEED(!setresuid(2001, 2001, 2001));
		FAILS(getxattr("f", "user.a", text, 1), EACCES);
	}
	EQ(status, 0);
	rmdir("d");
	leave();
}
