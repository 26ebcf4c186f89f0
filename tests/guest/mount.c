/* tests/guest/mount.c - mount and umount2: tmpfs with its options, read-only and other flags, who keeps a mount busy, lazy ends, and what /proc says. */
#include "tap.h"
#include <limits.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/time.h>
#include <sys/xattr.h>

#ifndef MNT_DETACH
enum { MNT_FORCE = 1, MNT_DETACH = 2, MNT_EXPIRE = 4, UMOUNT_NOFOLLOW = 8 };
#endif

static char folder[64];
static const char *in(const char *name)
{
	static char path[4][128];
	static int next;
	next = (next + 1) % 4;
	snprintf(path[next], sizeof path[next], "%s/%s", folder, name);
	return path[next];
}

/* A folder with an empty one, "m", in it; mounts are seen by this process alone, where that can be had. */
static void enter(void)
{
	if (geteuid())
		SKIP("needs root");
	umask(022);
	if (!on_faultline())
		NEED(!syscall(SYS_unshare, 0x20000) && !mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	strcpy(folder, "/dev/shm/mount-XXXXXX");
	NEED(mkdtemp(folder) && !chmod(folder, 0755) && !mkdir(in("m"), 0755));
}

static void leave(void)
{
	EQ(rmdir(in("m")), 0);
	EQ(rmdir(folder), 0);
}

static void make(const char *name)
{
	int fd = open(name, O_CREAT | O_RDWR | O_EXCL, 0644);
	CHECK(fd >= 0);
	close(fd);
}

/* The line of a file that has this text in it, or "". */
static const char *line_with(const char *file, const char *text)
{
	static char line[1024];
	FILE *f = fopen(file, "r");
	int found = 0;

	NEED(f);
	while (!found && fgets(line, sizeof line, f))
		found = strstr(line, text) != NULL;
	fclose(f);
	return found ? line : "";
}

TEST(what_is_refused)
{
	static char long_name[PATH_MAX + 10];

	enter();
	FAILS(mount("x", in("none"), "tmpfs", 0, NULL), ENOENT);
	FAILS(mount("x", in("m"), "nothing-like-this", 0, NULL), ENODEV);
	FAILS(mount("x", in("m"), NULL, 0, NULL), EINVAL);
	FAILS(mount("x", in("m"), (char *)-1l, 0, NULL), EFAULT);
	FAILS(mount((char *)-1l, in("m"), "tmpfs", 0, NULL), EFAULT);
	FAILS(mount("x", (char *)-1l, "tmpfs", 0, NULL), EFAULT);
	FAILS(mount("x", in("m"), "tmpfs", 0, (char *)-1l), EFAULT);
	FAILS(mount("x", in("m"), "tmpfs", 0, "size=abc"), EINVAL);
	FAILS(mount("x", in("m"), "tmpfs", 0, "nonsense=1"), EINVAL);
	FAILS(mount("x", in("m"), "tmpfs", 0, "mode=9"), EINVAL);
	FAILS(mount("x", in("m"), "tmpfs", MS_REMOUNT, NULL), EINVAL);
	memset(long_name, 'a', sizeof long_name - 1);
	FAILS(mount("x", long_name, "tmpfs", 0, NULL), ENAMETOOLONG);
	make(in("f"));
	FAILS(mount("x", in("f"), "tmpfs", 0, NULL), ENOTDIR);
	FAILS(mount("x", in("f/m"), "tmpfs", 0, NULL), ENOTDIR);
	FAILS(umount(in("none")), ENOENT);
	FAILS(umount(in("m")), EINVAL);
	FAILS(umount((char *)-1l), EFAULT);
	FAILS(umount(long_name), ENAMETOOLONG);
	FAILS(umount2(in("m"), 0x100), EINVAL);
	int status;
	CHILD(status) {
		NEED(!setresuid(2001, 2001, 2001));
		FAILS(mount("x", in("m"), "tmpfs", 0, NULL), EPERM);
		FAILS(umount(in("m")), EPERM);
		FAILS(umount(in("none")), ENOENT);
	}
	EQ(status, 0);
	unlink(in("f"));
	leave();
}

TEST(comes_and_goes)
{
	struct stat above, inside, st;
	char text[256];

	enter();
	NEED(!stat(in("m"), &above));
	make(in("m/below"));
	EQ(mount("some thing", in("m"), "tmpfs", 0, "size=64k,mode=1750,uid=11,gid=12,nr_inodes=100"), 0);
	NEED(!stat(in("m"), &inside));
	CHECK(inside.st_dev != above.st_dev);
	EQ(inside.st_mode, S_IFDIR | 01750);
	EQ(inside.st_uid, 11);
	EQ(inside.st_gid, 12);
	FAILS(stat(in("m/below"), &st), ENOENT);
	NEED(!stat(in("m/.."), &st) && !stat(folder, &above));
	EQ(st.st_ino, above.st_ino);
	make(in("m/f"));
	NEED(!stat(in("m/f"), &st));
	EQ(st.st_dev, inside.st_dev);
	FAILS(rmdir(in("m")), EBUSY);
	FAILS(rename(in("m"), in("n")), EBUSY);
	FAILS(link(in("m/f"), in("f")), EXDEV);
	FAILS(rename(in("m/f"), in("f")), EXDEV);
	snprintf(text, sizeof text, "some\\040thing %s tmpfs rw,", in("m"));
	const char *line = line_with("/proc/self/mounts", "some\\040thing");
	CHECK(!strncmp(line, text, strlen(text)));
	CHECK(strstr(line, ",size=64k") && strstr(line, ",nr_inodes=100") && strstr(line, ",mode=1750") && strstr(line, ",uid=11") && strstr(line, ",gid=12"));
	snprintf(text, sizeof text, " / %s rw,", in("m"));
	line = line_with("/proc/self/mountinfo", "some\\040thing");
	CHECK(strstr(line, text));
	CHECK(strstr(line, " - tmpfs some\\040thing rw,size=64k"));
	EQ(umount(in("m")), 0);
	CHECK(!*line_with("/proc/self/mounts", "some\\040thing"));
	EQ(stat(in("m/below"), &st), 0);
	EQ(unlink(in("m/below")), 0);
	FAILS(umount(in("m")), EINVAL);
	leave();
}

TEST(limits_of_a_tmpfs)
{
	static char block[65536];
	struct statfs s;
	char name[32];

	enter();
	NEED(!mount("x", in("m"), "tmpfs", 0, "size=128k,nr_inodes=5"));
	NEED(!statfs(in("m"), &s));
	EQ(s.f_type, 0x01021994);
	EQ(s.f_blocks * (unsigned long)s.f_bsize, 131072);
	EQ(s.f_files, 5);
	EQ(s.f_ffree, 4);
	int fd = open(in("m/f"), O_CREAT | O_RDWR, 0600);
	EQ(write(fd, block, sizeof block), 65536);
	EQ(write(fd, block, sizeof block), 65536);
	FAILS(write(fd, block, sizeof block), ENOSPC);
	NEED(!statfs(in("m"), &s));
	EQ(s.f_bfree, 0);
	FAILS(fallocate(fd, 0, 131072, 4096), ENOSPC);
	EQ(ftruncate(fd, 100000), 0);
	NEED(!statfs(in("m"), &s));
	EQ(s.f_bfree, 7);
	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof name, "m/%d", i);
		make(in(name));
	}
	FAILS(mkdir(in("m/d"), 0700), ENOSPC);
	FAILS(open(in("m/g"), O_CREAT | O_RDWR, 0600), ENOSPC);
	FAILS(symlink("x", in("m/l")), ENOSPC);
	EQ(unlink(in("m/0")), 0);
	EQ(mkdir(in("m/d"), 0700), 0);
	FAILS(mount("x", in("m"), NULL, MS_REMOUNT, "size=64k"), EINVAL);		/* less than is in use */
	EQ(mount("x", in("m"), NULL, MS_REMOUNT, "size=256k,nr_inodes=6"), 0);
	EQ(lseek(fd, 0, SEEK_END), 100000);
	EQ(write(fd, block, sizeof block), 65536);
	make(in("m/g"));
	close(fd);
	EQ(umount(in("m")), 0);
	NEED(!mount("x", in("m"), "tmpfs", 0, "size=25%"));
	NEED(!statfs(in("m"), &s));
	CHECK(s.f_blocks > 1000);
	EQ(umount(in("m")), 0);
	leave();
}

TEST(read_only)
{
	struct timeval t[2] = { { 1, 0 }, { 1, 0 } };

	enter();
	NEED(!mount("x", in("m"), "tmpfs", 0, NULL));
	make(in("m/f"));
	NEED(!mkdir(in("m/d"), 0755) && !symlink("f", in("m/s")) && !mkfifo(in("m/p"), 0600));
	int fd = open(in("m/f"), O_RDWR);
	FAILS(mount(NULL, in("m"), NULL, MS_REMOUNT | MS_RDONLY, NULL), EBUSY);
	close(fd);
	fd = open(in("m/f"), O_RDONLY);
	EQ(mount(NULL, in("m"), NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	FAILS(open(in("m/f"), O_RDWR), EROFS);
	FAILS(open(in("m/f"), O_RDONLY | O_TRUNC), EROFS);
	FAILS(open(in("m/g"), O_RDWR | O_CREAT, 0600), EROFS);
	FAILS(open(in("m"), O_RDWR | O_TMPFILE, 0600), EROFS);
	int same = open(in("m/f"), O_RDONLY | O_CREAT, 0600);
	CHECK(same >= 0);
	close(same);
	FAILS(mkdir(in("m/g"), 0700), EROFS);
	FAILS(mkdir(in("m/d"), 0700), EEXIST);
	FAILS(rmdir(in("m/d")), EROFS);
	FAILS(unlink(in("m/f")), EROFS);
	FAILS(unlink(in("m/none")), EROFS);
	FAILS(rename(in("m/f"), in("m/g")), EROFS);
	FAILS(link(in("m/f"), in("m/g")), EROFS);
	FAILS(symlink("x", in("m/g")), EROFS);
	FAILS(mknod(in("m/g"), S_IFIFO | 0600, 0), EROFS);
	FAILS(chmod(in("m/f"), 0600), EROFS);
	FAILS(chown(in("m/f"), 1, 1), EROFS);
	FAILS(fchmod(fd, 0600), EROFS);
	FAILS(fchown(fd, 1, 1), EROFS);
	FAILS(utimes(in("m/f"), t), EROFS);
	FAILS(utimes(in("m/f"), NULL), EROFS);
	FAILS(truncate(in("m/f"), 0), EROFS);
	FAILS(access(in("m/f"), W_OK), EROFS);
	FAILS(access(in("m/d"), W_OK), EROFS);
	EQ(access(in("m/f"), R_OK), 0);
	int fifo = open(in("m/p"), O_RDWR);			/* not the file system's contents */
	CHECK(fifo >= 0);
	close(fifo);
	CHECK(strstr(line_with("/proc/self/mounts", in("m")), " tmpfs ro,"));
	struct statfs s;
	NEED(!statfs(in("m"), &s));
	CHECK(s.f_flags & 1);
	EQ(mount(NULL, in("m"), NULL, MS_REMOUNT, NULL), 0);
	EQ(chmod(in("m/f"), 0600), 0);
	close(fd);
	EQ(umount(in("m")), 0);
	NEED(!mount("x", in("m"), "tmpfs", MS_RDONLY, NULL));
	FAILS(mkdir(in("m/d"), 0700), EROFS);
	EQ(umount(in("m")), 0);
	leave();
}

TEST(no_devices_programs_or_set_ids)
{
	enter();
	NEED(!mount("x", in("m"), "tmpfs", MS_NODEV | MS_NOEXEC | MS_NOSUID, NULL));
	NEED(!mknod(in("m/null"), S_IFCHR | 0666, 0x103));
	FAILS(open(in("m/null"), O_RDONLY), EACCES);
	int fd = open(in("m/x"), O_CREAT | O_RDWR, 0755);
	NEED(fd >= 0 && write(fd, "#!/bin/sh\n", 10) == 10);
	FAILS(mmap(NULL, 10, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -1 : 0, EPERM);
	close(fd);
	FAILS(access(in("m/x"), X_OK), EACCES);
	FAILS(execl(in("m/x"), "x", (char *)NULL), EACCES);
	const char *line = line_with("/proc/self/mounts", in("m"));
	CHECK(strstr(line, " rw,nosuid,nodev,noexec"));
	EQ(mount(NULL, in("m"), NULL, MS_REMOUNT, NULL), 0);
	fd = open(in("m/null"), O_RDONLY);
	CHECK(fd >= 0);
	close(fd);
	EQ(access(in("m/x"), X_OK), 0);
	EQ(umount(in("m")), 0);
	leave();
}

TEST(busy)
{
	int status;

	enter();
	NEED(!mount("x", in("m"), "tmpfs", 0, NULL));
	make(in("m/f"));
	int fd = open(in("m/f"), O_RDONLY);
	FAILS(umount(in("m")), EBUSY);
	FAILS(umount2(in("m"), MNT_EXPIRE), EBUSY);
	close(fd);
	fd = open(in("m"), O_PATH);
	FAILS(umount(in("m")), EBUSY);
	close(fd);
	CHILD(status) {
		NEED(!chdir(in("m")));
		FAILS(umount(in("m")), EBUSY);
	}
	EQ(status, 0);
	NEED(!mkdir(in("m/m"), 0755) && !mount("y", in("m/m"), "tmpfs", 0, NULL));
	FAILS(umount(in("m")), EBUSY);
	EQ(umount(in("m/m")), 0);
	NEED(!mount("y", in("m"), "tmpfs", 0, NULL));		/* on top: the upper one goes first */
	make(in("m/upper"));
	EQ(access(in("m/f"), F_OK), -1);
	EQ(umount(in("m")), 0);
	EQ(access(in("m/f"), F_OK), 0);
	FAILS(umount2(in("m"), MNT_EXPIRE | MNT_DETACH), EINVAL);
	FAILS(umount2(in("m"), MNT_EXPIRE), EAGAIN);
	fd = open(in("m/f"), O_RDONLY);
	close(fd);
	FAILS(umount2(in("m"), MNT_EXPIRE), EAGAIN);		/* it was used */
	EQ(umount2(in("m"), MNT_EXPIRE), 0);
	EQ(access(in("m/f"), F_OK), -1);
	leave();
}

TEST(lazy_end)
{
	struct stat st;
	char text[8];
	int status;

	enter();
	NEED(!mount("x", in("m"), "tmpfs", 0, NULL));
	NEED(!mkdir(in("m/d"), 0755) && !mkdir(in("m/d/e"), 0755) && !mkdir(in("m/m"), 0755) && !mount("y", in("m/m"), "tmpfs", 0, NULL));
	make(in("m/m/f"));
	make(in("m/d/e/f"));
	int fd = open(in("m/d/e/f"), O_RDWR);
	CHILD(status) {
		NEED(!chdir(in("m/d")));
		EQ(umount2(in("m"), MNT_DETACH), 0);
		FAILS(stat(in("m/d"), &st), ENOENT);
		EQ(write(fd, "text", 4), 4);			/* who is in there stays there */
		EQ(stat("e/f", &st), 0);
		EQ(st.st_size, 4);
		EQ(mkdir("new", 0755), 0);
		EQ(mount("z", "new", "tmpfs", 0, NULL), -1);
		CHECK(errno == EINVAL || errno == ENOENT);	/* as Linux's version has it */
		EQ(stat("../m", &st), 0);
		FAILS(stat("../m/f", &st), ENOENT);		/* what lay on it went, too */
	}
	EQ(status, 0);
	CHECK(!*line_with("/proc/self/mounts", folder));
	EQ(pread(fd, text, 8, 0), 4);
	close(fd);
	leave();
}

TEST(other_file_systems)
{
	struct stat st;
	struct statfs s;
	char text[64];

	enter();
	EQ(mount("p", in("m"), "proc", 0, NULL), 0);
	NEED(!statfs(in("m"), &s));
	EQ(s.f_type, 0x9fa0);
	snprintf(text, sizeof text, "m/%d/status", getpid());
	EQ(stat(in(text), &st), 0);
	EQ(umount(in("m")), 0);
	EQ(mount("s", in("m"), "sysfs", 0, NULL), 0);
	EQ(stat(in("m/kernel"), &st), 0);
	EQ(umount(in("m")), 0);
	EQ(mount("d", in("m"), "devtmpfs", 0, NULL), 0);
	EQ(stat(in("m/null"), &st), 0);
	EQ(st.st_rdev, 0x103);
	EQ(umount(in("m")), 0);
	EQ(mount("r", in("m"), "ramfs", 0, NULL), 0);
	make(in("m/f"));
	EQ(umount(in("m")), 0);
	leave();
}

/* A root of one's own, out of which no path leads. */
TEST(change_of_root)
{
	struct stat a, b;
	int status;

	enter();
	NEED(!mkdir(in("m/d"), 0755));
	make(in("m/f"));
	CHILD(status) {
		FAILS(chroot(in("m/f")), ENOTDIR);
		FAILS(chroot(in("none")), ENOENT);
		EQ(chroot(in("m")), 0);
		NEED(!chdir("/d"));
		NEED(!stat("/", &a) && !stat("/../..", &b));
		EQ(a.st_ino, b.st_ino);
		EQ(stat("/f", &a), 0);
		EQ(stat("../../../f", &a), 0);
		char text[64];
		CHECK(getcwd(text, sizeof text) && !strcmp(text, "/d"));
	}
	EQ(status, 0);
	unlink(in("m/f"));
	rmdir(in("m/d"));
	leave();
}

/* Many processes mount, use and unmount the same place. */
TEST(in_parallel)
{
	enter();
	for (int i = 0; i < 4; i++)
		if (!fork()) {
			for (int n = 0; n < 50; n++) {
				char name[32];
				mount("x", in("m"), "tmpfs", 0, NULL);
				snprintf(name, sizeof name, "m/%d", n);
				int fd = open(in(name), O_CREAT | O_RDWR, 0600);
				if (fd >= 0 && write(fd, "x", 1) != 1)
					_exit(1);
				close(fd);
				mkdir(in("m/d"), 0700);
				umount2(in("m"), n % 3 ? 0 : MNT_DETACH);
			}
			_exit(0);
		}
	for (int i = 0, status; i < 4; i++) {
		NEED(wait(&status) > 0);
		EQ(status, 0);
	}
	while (!umount2(in("m"), MNT_DETACH))
		;
	char command[128];
	snprintf(command, sizeof command, "rm -rf %s/m/*", folder);
	EQ(system(command), 0);
	leave();
}
