/* tests/guest/path.c - walking paths, the image as the root, devices. */
#include "tap.h"
#include <dirent.h>
#include <sys/ioctl.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

TEST(dots_and_slashes)
{
	struct stat a, b;

	stat("/bin/busybox", &a);
	static const char *const same[] = { "//bin//busybox", "/./bin/./busybox", "/bin/../bin/busybox", "/../../bin/busybox", "/tmp/../bin/busybox" };
	for (unsigned i = 0; i < sizeof same / sizeof *same; i++) {
		EQ(stat(same[i], &b), 0);
		EQ(b.st_ino, a.st_ino);
		EQ(b.st_dev, a.st_dev);
	}
	FAILS(stat("/bin/busybox/", &a), ENOTDIR);
	FAILS(stat("/bin/busybox/.", &a), ENOTDIR);
	FAILS(stat("/bin/busybox/..", &a), ENOTDIR);
	FAILS(stat("/bin/none", &a), ENOENT);
	FAILS(stat("/none/busybox", &a), ENOENT);
	FAILS(stat("/BIN/BUSYBOX", &a), ENOENT);
	EQ(stat("/tmp/", &a), 0);
	EQ(stat("/", &a), 0);
}

TEST(working_directory)
{
	char name[64];

	EQ(chdir("/bin"), 0);
	CHECK(!strcmp(getcwd(name, sizeof name), "/bin") || !strcmp(name, "/usr/bin"));
	EQ(access("busybox", X_OK), 0);
	EQ(chdir(".."), 0);
	EQ(chdir("/"), 0);
	CHECK(!strcmp(getcwd(name, sizeof name), "/"));
	EQ(chdir(".."), 0);
	CHECK(!strcmp(getcwd(name, sizeof name), "/"));
	EQ(chdir("/proc/self"), 0);
	EQ(chdir("/tmp"), 0);
	FAILS(syscall(SYS_getcwd, name, 1l), ERANGE);
	FAILS(chdir("/bin/busybox"), ENOTDIR);
	FAILS(chdir("/none"), ENOENT);
	int fd = open("/", O_RDONLY);
	EQ(fchdir(fd), 0);
	CHECK(!strcmp(getcwd(name, sizeof name), "/"));
}

FAULTLINE_TEST(what_the_image_refuses)
{
	FAILS(open("/proc/self/exe", O_RDWR), ETXTBSY);
	FAILS(mkdir("/bin", 0700), EEXIST);
	FAILS(rmdir("/bin"), ENOTEMPTY);
	FAILS(rmdir("/tmp"), EBUSY);
	FAILS(unlink("/bin"), EISDIR);
	FAILS(unlink("/none"), ENOENT);
	FAILS(symlink("x", "/y"), EPERM);
	FAILS(link("/bin/busybox", "/y"), EPERM);
	FAILS(mknod("/y", S_IFIFO | 0600, 0), EPERM);
	FAILS(chmod("/bin/busybox", 04755), EPERM);
	FAILS(chown("/bin/busybox", 1, 0), EPERM);
	FAILS(rename("/bin/sh", "/bin/shell"), EPERM);	/* a link, which has a line in the manifest and no entry */
	FAILS(rename("/bin", "/bin2"), EXDEV);
	FAILS(open("/.faultline-meta", O_CREAT | O_RDWR, 0600), EPERM);
	EQ(access("/bin", R_OK | W_OK | X_OK), 0);
}

TEST(devices)
{
	char bytes[PAGE];
	struct stat st;

	int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDWR), full = open("/dev/full", O_RDWR), urandom = open("/dev/urandom", O_RDONLY);
	NEED(null >= 0 && zero >= 0 && full >= 0 && urandom >= 0);
	EQ(read(null, bytes, 10), 0);
	EQ(write(null, bytes, PAGE), PAGE);
	memset(bytes, 1, sizeof bytes);
	EQ(read(zero, bytes, PAGE), PAGE);
	CHECK(!bytes[0] && !bytes[PAGE - 1]);
	FAILS(write(full, bytes, 1), ENOSPC);
	EQ(read(full, bytes, 3), 3);
	EQ(read(urandom, bytes, 64), 64);
	int different = 0;
	for (int i = 1; i < 64; i++)
		different += bytes[i] != bytes[0];
	CHECK(different > 10);
	stat("/dev/null", &st);
	CHECK(S_ISCHR(st.st_mode));
	EQ(st.st_rdev, makedev(1, 3));
	FAILS(ioctl(null, 0x5401, bytes), ENOTTY);
	char *p = mmap(NULL, PAGE, RW, MAP_PRIVATE, zero, 0);
	CHECK(p != MAP_FAILED);
	p[0] = 1;
	FAILS(open("/dev/none", O_RDONLY), ENOENT);
	FAILS(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, null, 0), ENODEV);
}

TEST(folders_are_listed)
{
	static const char *const folders[] = { "/", "/bin", "/dev", "/proc", "/tmp", "/etc" };

	for (unsigned i = 0; i < sizeof folders / sizeof *folders; i++) {
		DIR *d = opendir(folders[i]);
		struct dirent *e;
		int n = 0, dots = 0;
		NEED(d);
		while ((e = readdir(d))) {
			n++;
			dots += !strcmp(e->d_name, ".") || !strcmp(e->d_name, "..");
			CHECK(e->d_ino != 0);
		}
		closedir(d);
		CHECK(n >= 2);
		EQ(dots, 2);
	}
	int fd = open("/bin", O_RDONLY | O_DIRECTORY);
	char small[8];
	FAILS(syscall(SYS_getdents64, fd, small, sizeof small), EINVAL);
}

TEST(file_systems)
{
	struct statfs fs;

	EQ(statfs("/tmp", &fs), 0);
	CHECK(fs.f_bsize > 0 && fs.f_blocks >= fs.f_bfree);
	EQ(statfs("/proc", &fs), 0);
	EQ(fs.f_type, 0x9fa0);
	FAILS(statfs("/none", &fs), ENOENT);
}

TEST(not_for_everyone)
{
	int status;

	if (geteuid())
		SKIP("needs root");
	int fd = open("/tmp/path-secret", O_CREAT | O_RDWR | O_TRUNC, 0600);
	mkdir("/tmp/path-closed", 0700);
	close(fd);
	CHILD(status) {
		NEED(!setgid(1000) && !setuid(1000));
		EQ(getuid(), 1000);
		FAILS(setuid(0), EPERM);
		FAILS(open("/tmp/path-secret", O_RDONLY), EACCES);
		FAILS(access("/tmp/path-secret", R_OK), EACCES);
		FAILS(open("/tmp/path-closed/x", O_RDONLY), EACCES);
		FAILS(unlink("/tmp/path-secret"), EPERM);	/* the sticky bit of /tmp */
		FAILS(chown("/tmp/path-secret", 1000, 1000), EPERM);
		FAILS(chmod("/tmp/path-secret", 0666), EPERM);
		FAILS(kill(1, SIGTERM), EPERM);
	}
	EQ(status, 0);
	EQ(unlink("/tmp/path-secret"), 0);
	EQ(rmdir("/tmp/path-closed"), 0);
}
