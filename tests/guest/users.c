/* tests/guest/users.c - users and groups: who a process is, what its numbers let it do with files, and what set-user-ID programs gain. */
#include "tap.h"
#include <grp.h>
#include <limits.h>
#include <sys/auxv.h>
#include <sys/fsuid.h>
#include <sys/time.h>

enum { ANNA = 2001, BERT = 2002, STAFF = 3001, GUESTS = 3002, EXTRA = 3003 };
#define ROOT_ONLY() do { if (geteuid()) SKIP("needs root"); } while (0)

/* A folder of this case's own, which anybody may use, and which is the working directory. */
static void enter(void)
{
	char name[] = "/dev/shm/users-XXXXXX";
	umask(022);
	NEED(mkdtemp(name) && !chdir(name) && !chmod(".", 0777));
}

static void leave(void)
{
	char name[PATH_MAX];
	NEED(getcwd(name, sizeof name) && !chdir("/"));
	EQ(rmdir(name), 0);
}

static void become(uid_t uid, gid_t gid)
{
	NEED(!syscall(SYS_setgroups, 0, NULL) && !setresgid(gid, gid, gid) && !setresuid(uid, uid, uid));
}

/* The statements run as that user, in a child. */
#define AS(uid, gid) do { int status_; CHILD(status_) { become(uid, gid);
#define END_AS } EQ(status_, 0); } while (0)

static void make(const char *name, mode_t mode, uid_t uid, gid_t gid)
{
	int fd = open(name, O_CREAT | O_RDWR | O_EXCL, 0600);
	NEED(fd >= 0);
	EQ(fchown(fd, uid, gid), 0);
	EQ(fchmod(fd, mode), 0);
	close(fd);
}

static mode_t mode_of(const char *name)
{
	struct stat st;
	NEED(!lstat(name, &st));
	return st.st_mode & 07777;
}

static int can_open(const char *name, int flags)
{
	int fd = open(name, flags);
	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static void expect_users(uid_t real, uid_t effective, uid_t saved, uid_t file)
{
	uid_t r, e, s;
	EQ(getresuid(&r, &e, &s), 0);
	EQ(r, real);
	EQ(e, effective);
	EQ(s, saved);
	EQ(setfsuid(-1), file);
}

TEST(numbers)
{
	int status;

	ROOT_ONLY();
	CHILD(status) {
		NEED(!setresuid(ANNA, BERT, 0));
		expect_users(ANNA, BERT, 0, BERT);
		FAILS(setresuid(-1, 77, -1), EPERM);
		EQ(setresuid(BERT, ANNA, -1), 0);
		expect_users(BERT, ANNA, 0, ANNA);
		EQ(setuid(0), 0);				/* by the saved one */
		expect_users(BERT, 0, 0, 0);
		EQ(setuid(ANNA), 0);				/* root: all of them */
		expect_users(ANNA, ANNA, ANNA, ANNA);
		FAILS(setuid(0), EPERM);
		FAILS(setuid(-1), EINVAL);
	}
	EQ(status, 0);
	CHILD(status) {
		EQ(setreuid(ANNA, BERT), 0);
		expect_users(ANNA, BERT, BERT, BERT);
		EQ(setreuid(-1, ANNA), 0);			/* effective becomes the real one: the saved one stays */
		expect_users(ANNA, ANNA, BERT, ANNA);
		EQ(setreuid(-1, BERT), 0);
		expect_users(ANNA, BERT, BERT, BERT);
		FAILS(setreuid(0, -1), EPERM);
		FAILS(setreuid(-1, 0), EPERM);
		EQ(setreuid(BERT, ANNA), 0);
		expect_users(BERT, ANNA, ANNA, ANNA);
		FAILS(setregid(STAFF, -1), EPERM);
		FAILS(setresgid(-1, STAFF, -1), EPERM);
		FAILS(setgid(STAFF), EPERM);
	}
	EQ(status, 0);
	CHILD(status) {
		EQ(setfsuid(ANNA), 0);
		EQ(setfsuid(-1), ANNA);
		EQ(geteuid(), 0);
		EQ(setresuid(-1, -1, 0), 0);			/* changes nothing, and so not that one either */
		EQ(setfsuid(-1), ANNA);
		EQ(setresuid(-1, 0, -1), 0);			/* now it follows the effective one again */
		EQ(setfsuid(-1), 0);
		NEED(!setresuid(ANNA, BERT, ANNA));
		EQ(setfsuid(77), BERT);				/* not one of its own: nothing happens */
		EQ(setfsuid(ANNA), BERT);
		EQ(setfsuid(-1), ANNA);
		EQ(setfsgid(-1), getegid());
	}
	EQ(status, 0);
}

TEST(groups)
{
	static gid_t many[65536], back[65536];
	int status;

	ROOT_ONLY();
	CHILD(status) {
		gid_t three[] = { EXTRA, 5, GUESTS };
		NEED(!syscall(SYS_setgroups, 3, three));
		EQ(getgroups(0, NULL), 3);
		FAILS(syscall(SYS_getgroups, 2, back), EINVAL);
		FAILS(syscall(SYS_getgroups, -1, back), EINVAL);
		EQ(getgroups(10, back), 3);
		EQ(back[0], 5);					/* in order, whatever order they came in */
		EQ(back[1], GUESTS);
		EQ(back[2], EXTRA);
		FAILS(syscall(SYS_getgroups, 3, (void *)-1l), EFAULT);
		FAILS(syscall(SYS_setgroups, 65537, many), EINVAL);
		FAILS(syscall(SYS_setgroups, -1, many), EINVAL);
		FAILS(syscall(SYS_setgroups, 3, (void *)-1l), EFAULT);
		EQ(getgroups(0, NULL), 3);
		for (int i = 0; i < 65536; i++)
			many[i] = (gid_t)(i * 40503u % 65536);
		EQ(syscall(SYS_setgroups, 65536, many), 0);
		EQ(getgroups(65536, back), 65536);
		int sorted = 1;
		for (int i = 0; i < 65536; i++)
			sorted &= back[i] == (gid_t)i;
		CHECK(sorted);
		EQ(syscall(SYS_setgroups, 0, NULL), 0);
		EQ(getgroups(0, NULL), 0);
		NEED(!setresuid(ANNA, ANNA, ANNA));
		FAILS(syscall(SYS_setgroups, 0, NULL), EPERM);
	}
	EQ(status, 0);
}

TEST(rights_of_owner_group_and_others)
{
	int status;

	ROOT_ONLY();
	enter();
	make("f", 0640, ANNA, STAFF);
	make("own", 0077, ANNA, STAFF);
	AS(ANNA, GUESTS)
		EQ(can_open("f", O_RDWR), 0);
		EQ(can_open("own", O_RDONLY), EACCES);		/* the owner has the owner's rights, not the group's or others' */
	END_AS;
	AS(BERT, STAFF)
		EQ(can_open("f", O_RDONLY), 0);
		EQ(can_open("f", O_WRONLY), EACCES);
		EQ(can_open("f", O_RDONLY | O_TRUNC), EACCES);
		EQ(can_open("own", O_RDWR), 0);
	END_AS;
	AS(BERT, GUESTS)
		EQ(can_open("f", O_RDONLY), EACCES);
	END_AS;
	CHILD(status) {					/* a further group counts */
		gid_t further[] = { EXTRA, STAFF };
		NEED(!syscall(SYS_setgroups, 2, further) && !setresgid(GUESTS, GUESTS, GUESTS) && !setresuid(BERT, BERT, BERT));
		EQ(can_open("f", O_RDONLY), 0);
		EQ(can_open("f", O_WRONLY), EACCES);
		int inner;
		CHILD(inner) EQ(can_open("f", O_RDONLY), 0);	/* children have it, too */
		EQ(inner, 0);
	}
	EQ(status, 0);
	CHILD(status) {					/* the fs ids decide */
		EQ(setfsuid(ANNA), 0);
		EQ(can_open("own", O_RDONLY), EACCES);
		setfsuid(0);
		EQ(can_open("own", O_RDONLY), 0);
		setfsgid(STAFF);
		setfsuid(BERT);
		EQ(can_open("f", O_RDONLY), 0);
		EQ(can_open("f", O_WRONLY), EACCES);
	}
	EQ(status, 0);
	unlink("f");
	unlink("own");
	leave();
}

TEST(path_walk_needs_search)
{
	struct stat st;

	ROOT_ONLY();
	enter();
	NEED(!mkdir("d", 0700) && !mkdir("d/e", 0777) && !chmod("d/e", 0777));
	make("d/f", 0666, ANNA, STAFF);
	AS(ANNA, STAFF)
		FAILS(stat("d/f", &st), EACCES);
		FAILS(open("d/f", O_RDONLY), EACCES);
		FAILS(open("d/new", O_CREAT | O_RDWR, 0600), EACCES);
		FAILS(mkdir("d/new", 0700), EACCES);
		FAILS(unlink("d/f"), EACCES);
		FAILS(chdir("d"), EACCES);
		FAILS(chdir("d/e"), EACCES);
		FAILS(link("d/f", "x"), EACCES);
		FAILS(rename("d/f", "x"), EACCES);
		FAILS(symlink("x", "d/x"), EACCES);
		FAILS(readlink("d/f", (char[9]){ 0 }, 9), EACCES);
		FAILS(truncate("d/f", 0), EACCES);
		FAILS(chmod("d/f", 0600), EACCES);
		FAILS(chown("d/f", ANNA, -1), EACCES);
		FAILS(utimes("d/f", NULL), EACCES);
		FAILS(access("d/f", F_OK), EACCES);
		FAILS(rmdir("d/e"), EACCES);
		FAILS(chroot("d"), EACCES);
		FAILS(chroot("."), EPERM);
		FAILS(stat("d/none", &st), EACCES);
	END_AS;
	chmod("d", 0711);					/* search, but no look at its names, and no change */
	AS(ANNA, STAFF)
		EQ(stat("d/f", &st), 0);
		FAILS(open("d", O_RDONLY), EACCES);
		FAILS(open("d/new", O_CREAT | O_RDWR, 0600), EACCES);
		EQ(can_open("d/f", O_CREAT | O_RDWR), 0);
		FAILS(unlink("d/f"), EACCES);
		FAILS(mkdir("d/f", 0700), EEXIST);
		FAILS(mkdir("d/g", 0700), EACCES);
		FAILS(unlink("d/none"), ENOENT);
		FAILS(rename("d/f", "d/g"), EACCES);
		FAILS(mknod("d/f", S_IFCHR | 0600, 0x103), EEXIST);
		FAILS(mknod("c", S_IFCHR | 0600, 0x103), EPERM);
		FAILS(mknod("b", S_IFBLK | 0600, 0x103), EPERM);
	END_AS;
	unlink("d/f");
	rmdir("d/e");
	rmdir("d");
	leave();
}

TEST(access_asks_for_the_real_user)
{
	int status;

	ROOT_ONLY();
	enter();
	make("f", 0600, 0, 0);
	make("x", 0644, 0, 0);
	FAILS(access("x", X_OK), EACCES);			/* not even root runs what nobody may run */
	EQ(access("f", R_OK | W_OK), 0);
	FAILS(access("f", 8), EINVAL);
	CHILD(status) {
		NEED(!setresuid(ANNA, 0, 0));
		FAILS(access("f", R_OK), EACCES);
		EQ(can_open("f", O_RDONLY), 0);
		FAILS(faccessat(AT_FDCWD, "f", R_OK, 0), EACCES);
		EQ(syscall(SYS_faccessat2, AT_FDCWD, "f", R_OK, AT_EACCESS), 0);
		FAILS(syscall(SYS_faccessat2, AT_FDCWD, "f", R_OK, 0), EACCES);
		FAILS(syscall(SYS_faccessat2, AT_FDCWD, "f", R_OK, 1), EINVAL);
		int fd = open("f", O_RDONLY);
		EQ(syscall(SYS_faccessat2, fd, "", R_OK, AT_EACCESS | AT_EMPTY_PATH), 0);
		FAILS(syscall(SYS_faccessat2, fd, "", R_OK, AT_EMPTY_PATH), EACCES);
		FAILS(syscall(SYS_faccessat2, fd, "", R_OK, AT_EACCESS), ENOENT);
		FAILS(syscall(SYS_faccessat2, 99, "", R_OK, AT_EMPTY_PATH), EBADF);
	}
	EQ(status, 0);
	unlink("f");
	unlink("x");
	leave();
}

TEST(sticky_directories)
{
	ROOT_ONLY();
	enter();
	NEED(!mkdir("d", 0777) && !chmod("d", 01777) && !chown("d", BERT, STAFF));
	make("d/anna", 0666, ANNA, STAFF);
	make("d/bert", 0666, BERT, STAFF);
	make("d/root", 0666, 0, 0);
	AS(ANNA, STAFF)
		FAILS(unlink("d/bert"), EPERM);
		FAILS(rename("d/bert", "d/x"), EPERM);
		FAILS(rename("d/anna", "d/bert"), EPERM);
		EQ(rename("d/anna", "d/anna2"), 0);
		EQ(unlink("d/anna2"), 0);
	END_AS;
	AS(BERT, STAFF)					/* the directory's owner may */
		EQ(unlink("d/root"), 0);
		EQ(unlink("d/bert"), 0);
	END_AS;
	rmdir("d");
	leave();
}

TEST(chmod_and_chown)
{
	int status;

	ROOT_ONLY();
	enter();
	make("f", 0644, ANNA, STAFF);
	AS(BERT, STAFF)
		FAILS(chmod("f", 0600), EPERM);
		FAILS(chown("f", BERT, -1), EPERM);
		FAILS(chown("f", -1, STAFF), EPERM);
		EQ(chown("f", -1, -1), 0);			/* changes nothing */
		FAILS(utimes("f", NULL), EACCES);
	END_AS;
	AS(ANNA, STAFF)
		EQ(chmod("f", 02755), 0);
		EQ(mode_of("f"), 02755);
		FAILS(chown("f", BERT, -1), EPERM);
		EQ(chown("f", ANNA, -1), 0);			/* takes the bits although it changes nothing */
		EQ(mode_of("f"), 0755);
		FAILS(chown("f", -1, GUESTS), EPERM);
		EQ(chmod("f", 04755), 0);
		EQ(chown("f", -1, STAFF), 0);
		EQ(mode_of("f"), 0755);
	END_AS;
	CHILD(status) {
		gid_t further[] = { GUESTS };
		NEED(!syscall(SYS_setgroups, 1, further) && !setresgid(EXTRA, EXTRA, EXTRA) && !setresuid(ANNA, ANNA, ANNA));
		EQ(chmod("f", 02755), 0);			/* not in the file's group: that bit is not for him to set */
		EQ(mode_of("f"), 0755);
		EQ(chown("f", -1, GUESTS), 0);			/* to a further group of his */
		EQ(chmod("f", 02755), 0);
		EQ(mode_of("f"), 02755);
	}
	EQ(status, 0);
	EQ(chmod("f", 06755), 0);
	EQ(chown("f", 0, 0), 0);				/* root loses them as well */
	EQ(mode_of("f"), 0755);
	EQ(chmod("f", 06745), 0);
	EQ(chown("f", -1, -1), 0);
	EQ(mode_of("f"), 02745);				/* without the group's x it is not a set-group-ID program */
	NEED(!mkdir("d", 0755) && !chmod("d", 06755) && !chown("d", ANNA, STAFF));
	EQ(mode_of("d"), 06755);				/* directories keep theirs */
	AS(BERT, GUESTS)
		FAILS(chown("f", -1, -1), EPERM);		/* it would take the bit of a group that he is not in */
	END_AS;
	EQ(chmod("f", 0745), 0);
	AS(BERT, GUESTS)
		EQ(chown("f", -1, -1), 0);			/* there is no bit to take */
	END_AS;
	EQ(chmod("f", 04745), 0);
	AS(BERT, GUESTS)
		FAILS(chown("f", -1, -1), EPERM);
	END_AS;
	unlink("f");
	rmdir("d");
	leave();
}

TEST(set_id_bits_go_with_a_change_of_contents)
{
	ROOT_ONLY();
	enter();
	make("f", 06777, ANNA, STAFF);
	int fd = open("f", O_RDWR);
	EQ(write(fd, "x", 1), 1);
	EQ(mode_of("f"), 06777);				/* root's writes take none */
	AS(BERT, GUESTS)
		EQ(write(fd, "", 0), 0);
		EQ(mode_of("f"), 06777);
		EQ(write(fd, "x", 1), 1);
		EQ(mode_of("f"), 0777);
	END_AS;
	chmod("f", 06777);
	AS(BERT, GUESTS)
		EQ(truncate("f", 0), 0);
		EQ(mode_of("f"), 0777);
	END_AS;
	chmod("f", 06777);
	AS(BERT, GUESTS)
		int other = open("f", O_WRONLY | O_TRUNC);
		CHECK(other >= 0);
		EQ(mode_of("f"), 0777);
		close(other);
	END_AS;
	chmod("f", 06777);
	AS(BERT, GUESTS)
		EQ(ftruncate(fd, 10), 0);
		EQ(mode_of("f"), 0777);
	END_AS;
	close(fd);
	unlink("f");
	leave();
}

TEST(groups_of_new_files)
{
	struct stat st;

	ROOT_ONLY();
	enter();
	NEED(!mkdir("d", 0777) && !chown("d", 0, STAFF) && !chmod("d", 02777));
	AS(ANNA, GUESTS)
		int fd = open("d/f", O_CREAT | O_RDWR, 02755);
		EQ(fstat(fd, &st), 0);
		EQ(st.st_uid, ANNA);
		EQ(st.st_gid, STAFF);
		EQ(st.st_mode & 07777, 0755);			/* not in that group */
		EQ(mkdir("d/sub", 0755), 0);
		EQ(mode_of("d/sub"), 02755);
		fd = open("g", O_CREAT | O_RDWR, 0666);
		EQ(fstat(fd, &st), 0);
		EQ(st.st_gid, GUESTS);
	END_AS;
	unlink("d/f");
	rmdir("d/sub");
	rmdir("d");
	unlink("g");
	leave();
}

TEST(times)
{
	struct timespec now[2] = { { 0, UTIME_NOW }, { 0, UTIME_NOW } }, omit[2] = { { 0, UTIME_OMIT }, { 0, UTIME_OMIT } };
	struct timespec set[2] = { { 5, 6 }, { 7, 8 } }, one[2] = { { 0, UTIME_NOW }, { 0, UTIME_OMIT } }, bad[2] = { { 0, 1000000000 }, { 0, 0 } };
	struct stat st;

	ROOT_ONLY();
	enter();
	make("f", 0666, ANNA, STAFF);
	make("g", 0644, ANNA, STAFF);
	NEED(!symlink("f", "s"));
	AS(BERT, GUESTS)
		EQ(utimensat(AT_FDCWD, "f", NULL, 0), 0);	/* who may write may set both to now */
		EQ(utimensat(AT_FDCWD, "f", now, 0), 0);
		FAILS(utimensat(AT_FDCWD, "f", set, 0), EPERM);
		FAILS(utimensat(AT_FDCWD, "f", one, 0), EPERM);
		FAILS(utimensat(AT_FDCWD, "g", now, 0), EACCES);
		FAILS(utimensat(AT_FDCWD, "g", set, 0), EPERM);
		EQ(utimensat(AT_FDCWD, "g", omit, 0), 0);
		EQ(utimensat(AT_FDCWD, "none", omit, 0), 0);	/* not even looked for */
		EQ(syscall(SYS_utimensat, 99, NULL, omit, 0), 0);
		FAILS(utimensat(AT_FDCWD, "none", now, 0), ENOENT);
	END_AS;
	EQ(utimensat(AT_FDCWD, "f", set, 0), 0);
	NEED(!stat("f", &st));
	EQ(st.st_atim.tv_sec, 5);
	EQ(st.st_atim.tv_nsec, 6);
	EQ(st.st_mtim.tv_sec, 7);
	EQ(utimensat(AT_FDCWD, "f", one, 0), 0);
	NEED(!stat("f", &st));
	CHECK(st.st_atim.tv_sec > 1000);
	EQ(st.st_mtim.tv_sec, 7);
	EQ(utimensat(AT_FDCWD, "s", set, AT_SYMLINK_NOFOLLOW), 0);
	NEED(!lstat("s", &st));
	EQ(st.st_mtim.tv_sec, 7);
	NEED(!stat("f", &st));
	CHECK(st.st_atim.tv_sec > 1000);
	FAILS(utimensat(AT_FDCWD, "f", bad, 0), EINVAL);
	FAILS(utimensat(AT_FDCWD, "f", set, 1), EINVAL);
	FAILS(syscall(SYS_utimensat, AT_FDCWD, NULL, set, 0), EFAULT);
	FAILS(syscall(SYS_utimensat, 99, NULL, set, 0), EBADF);
	FAILS(syscall(SYS_utimensat, 99, "f", set, 0), EBADF);
	int fd = open("f", O_RDONLY);
	EQ(futimens(fd, set), 0);
	NEED(!fstat(fd, &st));
	EQ(st.st_atim.tv_sec, 5);
	close(fd);
	AS(BERT, GUESTS)
		FAILS(open("f", O_RDONLY | O_NOATIME), EPERM);
		fd = open("f", O_RDONLY);
		FAILS(fcntl(fd, F_SETFL, O_NOATIME), EPERM);
	END_AS;
	unlink("f");
	unlink("g");
	unlink("s");
	leave();
}

/* Who the program is: asked of this one, which another process runs as "say". */
TEST(set_user_id_programs)
{
	int status;

	ROOT_ONLY();
	enter();
	char self[PATH_MAX], text[128];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	NEED(n > 0);
	self[n] = 0;
	int from = open(self, O_RDONLY), to = open("program", O_CREAT | O_RDWR, 0755);
	while ((n = read(from, text, sizeof text)) > 0)
		NEED(write(to, text, (size_t)n) == n);
	close(from);
	close(to);
	static const struct { mode_t mode; const char *answer; } cases[] = {
		{ 0755, "2001 2001 2001 3002 3002 3002 0" }, { 04755, "2001 2002 2002 3002 3002 3002 1" }, { 02755, "2001 2001 2001 3002 3001 3001 1" },
		{ 06755, "2001 2002 2002 3002 3001 3001 1" }, { 02745, "2001 2001 2001 3002 3002 3002 0" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		NEED(!chown("program", BERT, STAFF) && !chmod("program", cases[i].mode));
		int pipe_ends[2];
		NEED(!pipe(pipe_ends));
		CHILD(status) {
			become(ANNA, GUESTS);
			dup2(pipe_ends[1], 1);
			setenv("USERS_SAY", "1", 1);
			execl("program", "say", (char *)NULL);
			_exit(9);
		}
		close(pipe_ends[1]);
		n = read(pipe_ends[0], text, sizeof text - 1);
		close(pipe_ends[0]);
		text[n > 0 ? n - 1 : 0] = 0;
		if (strcmp(text, cases[i].answer))
			FAIL("mode %o: \"%s\", not \"%s\"", cases[i].mode, text, cases[i].answer);
	}
	NEED(!chmod("program", 0700));
	AS(ANNA, GUESTS)
		execl("program", "say", (char *)NULL);
		EQ(errno, EACCES);
	END_AS;
	unlink("program");
	leave();
}

__attribute__((constructor)) static void say(void)
{
	uid_t u[3];
	gid_t g[3];
	if (!getenv("USERS_SAY"))
		return;
	getresuid(&u[0], &u[1], &u[2]);
	getresgid(&g[0], &g[1], &g[2]);
	printf("%d %d %d %d %d %d %d\n", u[0], u[1], u[2], g[0], g[1], g[2], (int)getauxval(AT_SECURE));
	fflush(stdout);
	_exit(0);
}

TEST(who_may_be_signalled)
{
	ROOT_ONLY();
	pid_t victim = fork();
	if (!victim) {
		become(ANNA, STAFF);
		for (;;)
			pause();
	}
	sleep_ms(100);
	AS(BERT, STAFF)
		FAILS(kill(victim, 0), EPERM);
		FAILS(kill(victim, SIGTERM), EPERM);
	END_AS;
	AS(ANNA, GUESTS)
		EQ(kill(victim, 0), 0);
		EQ(kill(victim, SIGCONT), 0);
	END_AS;
	int status;
	CHILD(status) {
		NEED(!setresuid(ANNA, BERT, BERT));		/* the real one is enough */
		EQ(kill(victim, 0), 0);
	}
	EQ(status, 0);
	kill(victim, SIGKILL);
	wait_status(victim);
}

TEST(links_to_files_of_others)
{
	ROOT_ONLY();
	enter();
	make("f", 0644, ANNA, STAFF);
	int fd = open("f", O_RDONLY);
	NEED(!mkdir("d", 0777) && !chmod("d", 0777));
	FAILS(link("d", "x"), EPERM);
	FAILS(link("f", "d"), EEXIST);
	FAILS(link("none", "d"), ENOENT);
	EQ(linkat(fd, "", AT_FDCWD, "by-fd", AT_EMPTY_PATH), 0);
	EQ(unlink("by-fd"), 0);
	FAILS(linkat(fd, "", AT_FDCWD, "by-fd", 0), ENOENT);
	FAILS(linkat(AT_FDCWD, "f", AT_FDCWD, "g", 1), EINVAL);
	AS(ANNA, STAFF)
		EQ(link("f", "d/mine"), 0);
	END_AS;
	unlink("d/mine");
	close(fd);
	unlink("f");
	rmdir("d");
	leave();
}
