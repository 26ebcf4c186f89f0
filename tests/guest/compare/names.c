/*
 * names.c - random calls about names, modes and owners, as different users, in the working directory, which is a tmpfs, and becomes the root; what each answers is printed.
 *
 *	names [SEED [STEPS]]
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

static uint64_t state = 1;
static unsigned below(unsigned n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state >> 11) % n;
}

static const char *name(void)
{
	static char text[4][600];
	static unsigned next;
	static const char *const parts[] = { "a", "b", "c", "d", "a", "b", "c", "d", "e", ".", "..", "" };
	char *at = text[next++ % 4];
	unsigned n = 1 + below(3);

	at[0] = 0;
	if (below(60) == 0) {
		memset(at, 'n', 256);
		at[256] = 0;
		return at;
	}
	for (unsigned i = 0; i < n; i++) {
		const char *part = parts[below(i == 0 ? 9 : 12)];
		if (i == 0 && below(40) == 0)
			part = parts[9 + below(3)];
		sprintf(at + strlen(at), "%s%s", i ? "/" : "", part);
	}
	if (below(12) == 0)
		strcat(at, "/");
	return at;
}

static const uid_t users[] = { 0, 0, 2001, 2001, 2002 };
static void become(void)
{
	gid_t more[2] = { 3003, 3004 };
	setresuid(0, 0, 0);
	setgroups(below(3), more);
	gid_t gid = 3001 + below(3);
	setresgid(gid, gid, gid);
	uid_t uid = users[below(5)];
	setresuid(uid, uid, 0);
	printf("  now %d %d\n", (int)uid, (int)gid);
}

static void show(const char *what, const char *a, const char *b, long arg, long result)
{
	int error = errno;
	printf("%s %.40s%s%.40s %lo = ", what, a, *b ? " " : "", b, arg);
	if (result < 0)
		printf("%s\n", strerrorname_np(error));
	else
		printf("%ld\n", result);
}

static void look(const char *path)
{
	struct stat st;
	if (lstat(path, &st))
		printf("    %.40s %s\n", path, strerrorname_np(errno));
	else
		printf("    %.40s %o %u %u %lu %ld\n", path, st.st_mode, st.st_uid, st.st_gid, (unsigned long)st.st_nlink, S_ISDIR(st.st_mode) ? 0l : (long)st.st_size);
}

static long opened(int fd)
{
	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

static void step(void)
{
	static const mode_t modes[] = { 0777, 0755, 0700, 0644, 0600, 0, 01777, 02755, 04755, 06777, 02770, 0711, 0444, 07777 };
	static const int flags[] = { O_RDONLY, O_WRONLY, O_RDWR, O_RDWR | O_CREAT, O_WRONLY | O_CREAT | O_EXCL, O_RDWR | O_CREAT | O_TRUNC, O_RDONLY | O_DIRECTORY,
		O_RDONLY | O_NOFOLLOW, O_PATH, O_PATH | O_NOFOLLOW, O_RDONLY | O_TRUNC, O_RDWR | O_TMPFILE, O_RDONLY | O_NOATIME, O_RDONLY | O_CREAT };
	static const mode_t types[] = { S_IFREG, S_IFIFO, S_IFSOCK, S_IFCHR, S_IFDIR, 0, S_IFBLK };
	const char *a = name(), *b = name();
	mode_t mode = modes[below(14)];
	uid_t uid = (uid_t)((int[]){ -1, 0, 2001, 2002 })[below(4)];
	gid_t gid = (gid_t)((int[]){ -1, 3001, 3002, 3003 })[below(4)];
	int flag = flags[below(14)];
	char text[300];

	errno = 0;
	switch (below(26)) {
	case 0: case 1: case 2: show("mkdir", a, "", mode, mkdir(a, mode)); break;
	case 3: case 4: case 5: show("open", a, "", flag, opened(open(a, flag | O_NONBLOCK, mode))); break;
	case 6: mode |= types[below(7)]; show("mknod", a, "", mode, mknod(a, mode, makedev(1, 3))); break;
	case 7: show("symlink", a, b, 0, symlink(a, b)); a = b; break;
	case 8: show("link", a, b, 0, link(a, b)); a = b; break;
	case 9: flag = below(2) ? AT_SYMLINK_FOLLOW : 0; show("linkat", a, b, flag, linkat(AT_FDCWD, a, AT_FDCWD, b, flag)); a = b; break;
	case 10: case 11: show("rename", a, b, 0, rename(a, b)); look(a); a = b; break;
	case 12: flag = (int)below(4); show("renameat2", a, b, flag, syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, flag)); look(a); a = b; break;
	case 13: if (below(2)) show("unlink", a, "", 0, unlink(a)); break;
	case 14: if (below(2)) show("rmdir", a, "", 0, rmdir(a)); break;
	case 15: case 16: show("chmod", a, "", mode, chmod(a, mode)); break;
	case 17: show("chown", a, "", (long)uid * 10000 + gid, chown(a, uid, gid)); break;
	case 18: show("lchown", a, "", (long)uid * 10000 + gid, lchown(a, uid, gid)); break;
	case 19: show("truncate", a, "", mode, truncate(a, mode)); break;
	case 20: flag = (int)below(8); show("access", a, "", flag, access(a, flag)); break;
	case 21: flag = (int)below(8); show("faccessat2", a, "", flag, syscall(SYS_faccessat2, AT_FDCWD, a, flag, AT_EACCESS | (below(2) ? AT_SYMLINK_NOFOLLOW : 0))); break;
	case 22: show("readlink", a, "", 0, readlink(a, text, sizeof text)); break;
	case 23: {
		struct timespec t[2] = { { 5, below(2) ? UTIME_NOW : 7 }, { 6, below(3) ? UTIME_NOW : below(2) ? UTIME_OMIT : 8 } };
		flag = below(2) ? AT_SYMLINK_NOFOLLOW : 0;
		show("utimensat", a, "", flag, utimensat(AT_FDCWD, a, t, flag));
		break;
	}
	case 24: {
		const char *x = below(2) ? "user.x" : below(2) ? "trusted.x" : "nothing.x";
		if (below(2))
			show("lsetxattr", a, x, 0, lsetxattr(a, x, "1", 1, (int)below(3)));
		else
			show("lgetxattr", a, x, 0, lgetxattr(a, x, text, below(2)));
		break;
	}
	case 25: {
		int fd = open(a, O_WRONLY | O_NONBLOCK);
		show("write", a, "", 0, fd < 0 ? -1 : write(fd, "xyz", 3));
		close(fd);
		break;
	}
	}
	look(a);
}

int main(int argc, char **argv)
{
	unsigned steps = argc > 2 ? (unsigned)atoi(argv[2]) : 600;

	state += argc > 1 ? strtoul(argv[1], NULL, 0) * 0x9e3779b97f4a7c15u : 0x9e3779b97f4a7c15u;
	umask(022);
	chmod(".", 0777);
	if (chroot(".") || chdir("/"))		/* no name leads out of here */
		return 1;
	for (unsigned i = 0; i < steps; i++) {
		if (i % 16 == 0)
			become();
		step();
	}
	setresuid(0, 0, 0);
	return 0;
}
