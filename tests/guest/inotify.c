/* tests/guest/inotify.c - what programs are told of files: which events, in which order, with which names. */
#include "tap.h"
#include <limits.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

static char folder[64];
static int enter(void)
{
	strcpy(folder, "/dev/shm/inotify-XXXXXX");
	NEED(mkdtemp(folder) && !chdir(folder));
	int fd = inotify_init1(IN_NONBLOCK);
	NEED(fd >= 0);
	return fd;
}

static void leave(void)
{
	NEED(!chdir("/"));
	EQ(rmdir(folder), 0);
}

static void make(const char *name)
{
	int fd = open(name, O_CREAT | O_RDWR | O_EXCL, 0644);
	CHECK(fd >= 0);
	close(fd);
}

static const struct { uint32_t mask; const char *name; } names[] = {
	{ IN_ACCESS, "access" }, { IN_MODIFY, "modify" }, { IN_ATTRIB, "attrib" }, { IN_CLOSE_WRITE, "close-write" }, { IN_CLOSE_NOWRITE, "close" }, { IN_OPEN, "open" },
	{ IN_MOVED_FROM, "from" }, { IN_MOVED_TO, "to" }, { IN_CREATE, "create" }, { IN_DELETE, "delete" }, { IN_DELETE_SELF, "delete-self" }, { IN_MOVE_SELF, "move-self" },
	{ IN_UNMOUNT, "unmount" }, { IN_Q_OVERFLOW, "overflow" }, { IN_IGNORED, "ignored" }, { IN_ISDIR, "dir" },
};

/* All events that are queued, as a text. */
static const char *events(int fd)
{
	static char text[4096];
	char buffer[8192] __attribute__((aligned(8)));
	ssize_t n = read(fd, buffer, sizeof buffer);

	text[0] = 0;
	for (char *at = buffer; n > 0 && at < buffer + n; ) {
		const struct inotify_event *e = (void *)at;
		sprintf(text + strlen(text), "%s%d:", text[0] ? " " : "", e->wd);
		for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
			if (e->mask & names[i].mask)
				sprintf(text + strlen(text), "%s,", names[i].name);
		if (e->len) {
			EQ(e->len % sizeof *e, 0);
			strcat(text, e->name);
		}
		at += sizeof *e + e->len;
	}
	return text;
}
#define TOLD(fd, text) do { const char *e_ = events(fd); if (strcmp(e_, text)) FAIL("told \"%s\", not \"%s\"", e_, text); } while (0)

TEST(a_file)
{
	char text[8];
	int fd = enter();

	make("f");
	EQ(inotify_add_watch(fd, "f", IN_ALL_EVENTS), 1);
	FAILS(read(fd, text, 8), EAGAIN);
	int f = open("f", O_RDWR);
	EQ(write(f, "abc", 3), 3);
	EQ(pread(f, text, 8, 0), 3);
	EQ(pread(f, text, 8, 3), 0);
	EQ(fchmod(f, 0600), 0);
	EQ(ftruncate(f, 0), 0);
	close(f);
	TOLD(fd, "1:open, 1:modify, 1:access, 1:attrib, 1:modify, 1:close-write,");
	close(open("f", O_RDONLY));
	close(open("f", O_PATH));
	TOLD(fd, "1:open, 1:close,");
	EQ(rename("f", "g"), 0);
	EQ(link("g", "h"), 0);
	EQ(unlink("g"), 0);
	TOLD(fd, "1:move-self, 1:attrib,");			/* twice the same is told once */
	EQ(unlink("h"), 0);
	TOLD(fd, "1:attrib, 1:delete-self, 1:ignored,");
	FAILS(inotify_rm_watch(fd, 1), EINVAL);
	make("f");
	EQ(inotify_add_watch(fd, "f", IN_MODIFY | IN_DELETE_SELF), 2);
	f = open("f", O_RDWR);
	EQ(unlink("f"), 0);
	TOLD(fd, "");						/* it is still there, for who has it open */
	EQ(write(f, "x", 1), 1);
	close(f);
	TOLD(fd, "2:modify, 2:delete-self, 2:ignored,");
	close(fd);
	leave();
}

TEST(a_directory)
{
	int fd = enter();

	EQ(inotify_add_watch(fd, ".", IN_ALL_EVENTS), 1);
	make("f");
	TOLD(fd, "1:create,f 1:open,f 1:close-write,f");
	NEED(!mkdir("d", 0700) && !symlink("f", "s") && !mkfifo("p", 0600) && !link("f", "h"));
	TOLD(fd, "1:create,dir,d 1:create,s 1:create,p 1:create,h");
	NEED(!chmod("f", 0600) && !truncate("f", 10));
	TOLD(fd, "1:attrib,f 1:modify,f");
	NEED(!rename("f", "g"));
	TOLD(fd, "1:from,f 1:to,g");
	NEED(!rename("g", "d/g"));
	TOLD(fd, "1:from,g");
	NEED(!rename("d/g", "f"));
	TOLD(fd, "1:to,f");
	NEED(!unlink("s") && !unlink("p") && !unlink("h") && !rmdir("d") && !unlink("f"));
	TOLD(fd, "1:delete,s 1:delete,p 1:delete,h 1:delete,dir,d 1:delete,f");
	NEED(!chmod(".", 0755));
	TOLD(fd, "1:attrib,dir,");
	NEED(!chdir("/") && !rmdir(folder));
	TOLD(fd, "1:delete-self, 1:ignored,");
	close(fd);
}

TEST(cookies_and_both_sides)
{
	char buffer[4096] __attribute__((aligned(8)));
	int fd = enter();

	NEED(!mkdir("a", 0700) && !mkdir("b", 0700));
	make("a/f");
	EQ(inotify_add_watch(fd, "a", IN_MOVE), 1);
	EQ(inotify_add_watch(fd, "b", IN_MOVE), 2);
	EQ(inotify_add_watch(fd, "a/f", IN_MOVE_SELF), 3);
	NEED(!rename("a/f", "b/g"));
	ssize_t n = read(fd, buffer, sizeof buffer);
	EQ(n, 32 + 32 + 16);
	struct inotify_event *from = (void *)buffer, *to = (void *)(buffer + 32), *self = (void *)(buffer + 64);
	EQ(from->mask, IN_MOVED_FROM);
	EQ(to->mask, IN_MOVED_TO);
	EQ(to->wd, 2);
	CHECK(from->cookie && from->cookie == to->cookie);
	EQ(self->mask, IN_MOVE_SELF);
	EQ(self->cookie, 0);
	make("a/h");
	NEED(!rename("a/h", "b/g"));				/* over it */
	TOLD(fd, "1:from,h 2:to,g 3:ignored,");
	unlink("b/g");
	rmdir("a");
	rmdir("b");
	close(fd);
	leave();
}

TEST(masks_and_numbers)
{
	int fd = enter();

	make("f");
	EQ(inotify_add_watch(fd, "f", IN_OPEN), 1);
	EQ(inotify_add_watch(fd, "f", IN_CLOSE), 1);		/* the same watch, with another mask */
	close(open("f", O_RDONLY));
	TOLD(fd, "1:close,");
	EQ(inotify_add_watch(fd, "f", IN_OPEN | IN_MASK_ADD), 1);
	close(open("f", O_RDONLY));
	TOLD(fd, "1:open, 1:close,");
	FAILS(inotify_add_watch(fd, "f", IN_OPEN | 0x10000000), EEXIST);	/* IN_MASK_CREATE */
	EQ(inotify_rm_watch(fd, 1), 0);
	TOLD(fd, "1:ignored,");
	EQ(inotify_add_watch(fd, "f", IN_OPEN | IN_ONESHOT), 2);
	close(open("f", O_RDONLY));
	close(open("f", O_RDONLY));
	TOLD(fd, "2:open, 2:ignored,");
	EQ(inotify_add_watch(fd, ".", IN_MODIFY | IN_EXCL_UNLINK), 3);
	int f = open("f", O_RDWR);
	EQ(write(f, "x", 1), 1);
	NEED(!unlink("f"));
	EQ(write(f, "x", 1), 1);
	close(f);
	TOLD(fd, "3:modify,f");
	close(fd);
	leave();
}

TEST(what_is_refused)
{
	char small[17];
	int fd = enter(), other = open("/dev/null", O_RDONLY), status, n;

	make("f");
	FAILS(inotify_init1(1), EINVAL);
	FAILS(inotify_add_watch(fd, "f", 0), EINVAL);
	FAILS(inotify_add_watch(fd, "f", 0x00100000), EINVAL);
	FAILS(inotify_add_watch(99, "f", IN_OPEN), EBADF);
	FAILS(inotify_add_watch(other, "f", IN_OPEN), EINVAL);
	FAILS(inotify_add_watch(fd, "none", IN_OPEN), ENOENT);
	FAILS(inotify_add_watch(fd, (char *)-1l, IN_OPEN), EFAULT);
	FAILS(inotify_add_watch(fd, "f", IN_OPEN | IN_ONLYDIR), ENOTDIR);
	FAILS(inotify_add_watch(fd, "f", IN_OPEN | IN_MASK_ADD | 0x10000000), EINVAL);
	FAILS(inotify_rm_watch(99, 1), EBADF);
	FAILS(inotify_rm_watch(other, 1), EINVAL);
	FAILS(inotify_rm_watch(fd, 7), EINVAL);
	FAILS(write(fd, "x", 1), EBADF);
	EQ(lseek(fd, 5, SEEK_SET), 0);
	NEED(!symlink("f", "s"));
	EQ(inotify_add_watch(fd, "s", IN_OPEN | IN_DONT_FOLLOW), 1);
	EQ(inotify_add_watch(fd, ".", IN_OPEN), 2);
	close(open("f", O_RDONLY));
	FAILS(read(fd, small, sizeof small), EINVAL);		/* no room for the name */
	EQ(ioctl(fd, FIONREAD, &n), 0);
	EQ(n, 32);
	TOLD(fd, "2:open,f");
	if (geteuid() == 0) {
		NEED(!chmod("f", 0200) && !chmod(".", 0755));
		CHILD(status) {
			NEED(!setresuid(2001, 2001, 2001));
			FAILS(inotify_add_watch(fd, "f", IN_OPEN), EACCES);
		}
		EQ(status, 0);
	}
	unlink("f");
	unlink("s");
	close(fd);
	close(other);
	leave();
}

TEST(waiting_and_overflow)
{
	int fd = enter(), n = 0;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	static char buffer[65536] __attribute__((aligned(8)));

	make("f");
	make("g");
	EQ(inotify_add_watch(fd, "f", IN_ATTRIB), 1);
	EQ(inotify_add_watch(fd, "g", IN_ATTRIB), 2);
	EQ(poll(&p, 1, 0), 0);
	if (!fork()) {
		sleep_ms(50);
		chmod("f", 0600);
		_exit(0);
	}
	EQ(poll(&p, 1, 5000), 1);
	EQ(p.revents, POLLIN);
	TOLD(fd, "1:attrib,");
	NEED(!fcntl(fd, F_SETFL, 0));
	if (!fork()) {
		sleep_ms(50);
		chmod("g", 0600);
		_exit(0);
	}
	TOLD(fd, "2:attrib,");					/* waits for it */
	while (wait(NULL) > 0)
		;
	NEED(!fcntl(fd, F_SETFL, O_NONBLOCK));
	for (int i = 0; i < 10000; i++)
		if (chmod("f", 0600) || chmod("g", 0600))
			FAIL("chmod");
	int overflowed = 0;
	for (ssize_t got; (got = read(fd, buffer, sizeof buffer)) > 0; )
		for (char *at = buffer; at < buffer + got; at += 16 + ((struct inotify_event *)at)->len, n++)
			overflowed |= ((struct inotify_event *)at)->mask == IN_Q_OVERFLOW && ((struct inotify_event *)at)->wd == -1;
	CHECK(overflowed);
	EQ(n, 16385);
	unlink("f");
	unlink("g");
	close(fd);
	leave();
}

TEST(a_mount_that_goes)
{
	int fd = enter();

	if (geteuid())
		SKIP("needs root");
	if (!on_faultline())
		NEED(!syscall(SYS_unshare, 0x20000) && !mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	NEED(!mkdir("m", 0700) && !mount("x", "m", "tmpfs", 0, NULL));
	make("m/f");
	EQ(inotify_add_watch(fd, "m/f", IN_ALL_EVENTS), 1);
	EQ(umount("m"), 0);					/* a watch keeps nothing busy */
	TOLD(fd, "1:unmount, 1:ignored,");
	NEED(!rmdir("m"));
	close(fd);
	leave();
}

/* Many change files that others begin and cease to watch. */
TEST(in_parallel)
{
	int fd = enter(), status;

	for (int i = 0; i < 4; i++)
		if (!fork()) {
			char name[16], buffer[4096];
			int own = inotify_init1(IN_NONBLOCK);
			snprintf(name, sizeof name, "%d", i % 2);
			for (int n = 0; n < 200; n++) {
				int f = open(name, O_CREAT | O_RDWR, 0600);
				int wd = inotify_add_watch(own, n % 3 ? name : ".", IN_ALL_EVENTS);
				if (f < 0 || write(f, "x", 1) != 1)
					_exit(1);
				close(f);
				if (n % 5 == 0)
					unlink(name);
				if (n % 4 == 0)
					rename(name, "other");
				while (read(own, buffer, sizeof buffer) > 0)
					;
				inotify_rm_watch(own, wd);
			}
			_exit(0);
		}
	for (int i = 0; i < 4; i++) {
		NEED(wait(&status) > 0);
		EQ(status, 0);
	}
	unlink("0");
	unlink("1");
	unlink("other");
	close(fd);
	leave();
}
