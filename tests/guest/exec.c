/* tests/guest/exec.c - execve: scripts, what cannot be run, arguments without end, what survives. */
#define TAP_OWN_MAIN
#include "tap.h"
#include <sys/prctl.h>
#include <sys/resource.h>

extern char **environ;
static char self[256];
static char *const no_env[] = { NULL };

static void put(const char *name, const void *bytes, size_t n, int mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0700);
	NEED(fd >= 0 && write(fd, bytes, n) == (ssize_t)n && !fchmod(fd, (mode_t)mode));
	close(fd);
}

static void put_text(const char *name, const char *text, int mode)
{
	put(name, text, strlen(text), mode);
}

/* The wait status of a program that is run with these arguments; its output in `output`. */
static char output[4096];
static int run(const char *path, char *const argv[])
{
	int ends[2];
	size_t n = 0;
	ssize_t got;

	NEED(!pipe(ends));
	fflush(stdout);
	pid_t pid = fork();
	if (!pid) {
		dup2(ends[1], 1);
		close(ends[0]);
		close(ends[1]);
		execve(path, argv, no_env);
		_exit(errno == ENOEXEC ? 201 : errno == ENOENT ? 202 : errno == EACCES ? 203 : errno == ELOOP ? 204 : errno == E2BIG ? 205 : 206);
	}
	close(ends[1]);
	while ((got = read(ends[0], output + n, sizeof output - 1 - n)) > 0)
		n += (size_t)got;
	output[n] = 0;
	close(ends[0]);
	return wait_status(pid);
}

static int error_of(const char *path)
{
	char *argv[] = { "name", NULL };
	int status = run(path, argv);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(what_cannot_be_run)
{
	EQ(error_of("/tmp/no such program"), 202);
	EQ(error_of("/bin/busybox/x"), 206);
	EQ(error_of("/tmp"), 203);
	EQ(error_of("/dev/null"), 203);
	put_text("/tmp/exec-plain", "no magic here", 0600);
	EQ(error_of("/tmp/exec-plain"), 203);
	chmod("/tmp/exec-plain", 0700);
	EQ(error_of("/tmp/exec-plain"), 201);
	put_text("/tmp/exec-plain", "", 0700);
	EQ(error_of("/tmp/exec-plain"), 201);
	put_text("/tmp/exec-plain", "\177ELF", 0700);
	EQ(error_of("/tmp/exec-plain"), 201);
	put_text("/tmp/exec-plain", "#!/no/such/interpreter\n", 0700);
	EQ(error_of("/tmp/exec-plain"), 202);
	put_text("/tmp/exec-plain", "#!\n", 0700);
	EQ(error_of("/tmp/exec-plain"), 201);
	put_text("/tmp/exec-plain", "#!/tmp/exec-plain\n", 0700);
	EQ(error_of("/tmp/exec-plain"), 204);
	unlink("/tmp/exec-plain");
}

TEST(scripts)
{
	char *argv[] = { "name", "a b", "", "c", NULL };

	put_text("/tmp/exec-script", "#!/bin/sh\nfor a; do echo \"<$a>\"; done; echo \"$0\"; exit 9\n", 0700);
	EQ(run("/tmp/exec-script", argv), 9 << 8);
	CHECK(!strcmp(output, "<a b>\n<>\n<c>\n/tmp/exec-script\n"));
	put_text("/tmp/exec-script2", "#! /tmp/exec-script  one  argument \nanything\n", 0700);
	EQ(run("/tmp/exec-script2", argv), 9 << 8);
	CHECK(!strcmp(output, "<one  argument>\n</tmp/exec-script2>\n<a b>\n<>\n<c>\n/tmp/exec-script\n"));
	unlink("/tmp/exec-script");
	unlink("/tmp/exec-script2");
}

TEST(arguments_arrive)
{
	char big[100000];
	char *argv[] = { "exec", "--arguments", "x", big, "", "last", NULL };

	memset(big, 'b', sizeof big - 1);
	big[sizeof big - 1] = 0;
	EQ(run(self, argv), 0);
	CHECK(!strcmp(output, "4 x 1\nbbb 99999\n 0\nlast 4\n"));
	char *none[] = { NULL };
	CHECK(run("/bin/busybox", none) != -1);
}

TEST(too_many_arguments)
{
	static char text[200000];
	char *argv[] = { "exec", text, NULL };

	memset(text, 'x', sizeof text - 1);
	EQ(run(self, argv), 205 << 8);				/* one string of more than 128 KiB */
	text[100000] = 0;
	char *many[200];
	for (int i = 0; i < 199; i++)
		many[i] = text;
	many[199] = NULL;
	EQ(run(self, many), 205 << 8);				/* more than a quarter of the stack limit */
	static char *million[1000001];
	for (int i = 0; i < 1000000; i++)
		million[i] = "";
	EQ(run(self, million), 205 << 8);
}

TEST(close_on_exec)
{
	char *argv[] = { "exec", "--descriptors", NULL };

	int a = open("/dev/null", O_RDONLY), b = open("/dev/null", O_RDONLY | O_CLOEXEC);
	EQ(dup2(a, 20), 20);
	EQ(dup3(b, 21, O_CLOEXEC), 21);
	close(a);
	close(b);
	EQ(run(self, argv), 0);
	CHECK(strstr(output, " 20\n") && !strstr(output, " 21\n"));
	/* a failed exec closes nothing */
	execl("/tmp/no such program", "x", NULL);
	EQ(fcntl(21, F_GETFD), FD_CLOEXEC);
}

TEST(a_failed_exec_changes_nothing)
{
	volatile int *p = map_anon(PAGE, MAP_PRIVATE);

	*p = 5;
	put_text("/tmp/exec-bad", "\177ELF and no more", 0700);
	FAILS(execl("/tmp/exec-bad", "x", NULL), ENOEXEC);
	EQ(*p, 5);
	unlink("/tmp/exec-bad");
}

TEST(many_in_a_row)
{
	char *argv[] = { "true", NULL };

	for (int i = 0; i < 40; i++)
		NEED(run("/bin/busybox", argv) == 0);
}

TEST(execveat_of_a_path_that_ends_wrong)
{
	char *argv[] = { "true", NULL };
	struct stat st;

	int fd = open("/tmp/exec-file", O_CREAT | O_WRONLY, 0755);
	NEED(fd >= 0);
	close(fd);
	for (int i = 0; i < 10; i++)			/* each of them once gave up a reference that was not its own */
		FAILS(syscall(SYS_execveat, AT_FDCWD, "/tmp/exec-file/", argv, no_env, AT_SYMLINK_NOFOLLOW), ENOTDIR);
	EQ(stat("/tmp/exec-file", &st), 0);
	EQ(st.st_nlink, 1);
	EQ(unlink("/tmp/exec-file"), 0);
}

/* Linux runs such a program, kills it, or refuses it, according to how far it comes; any of them will do. */
TEST(no_room_for_a_stack)
{
	char *argv[] = { "true", NULL };
	static const rlim_t sizes[] = { 0, 1, 4095 };

	for (int i = 0; i < 3; i++) {
		int status;
		CHILD(status) {
			struct rlimit limit = { sizes[i], RLIM_INFINITY };
			NEED(!setrlimit(RLIMIT_STACK, &limit));
			execve("/bin/busybox", argv, no_env);
			_exit(99);
		}
		CHECK(WIFSIGNALED(status) || WIFEXITED(status));
	}
}

TEST(running_programs_cannot_be_written)
{
	static char bytes[1 << 20];
	int fd = open(self, O_RDONLY);
	ssize_t n = read(fd, bytes, sizeof bytes);

	NEED(n > 0 && n < (ssize_t)sizeof bytes);
	put("/tmp/exec-copy", bytes, (size_t)n, 0700);
	char *argv[] = { "exec", "--sleep", NULL };
	pid_t pid = fork();
	if (!pid) {
		execve("/tmp/exec-copy", argv, no_env);
		_exit(1);
	}
	sleep_ms(150);
	FAILS(open("/tmp/exec-copy", O_WRONLY), ETXTBSY);
	kill(pid, SIGKILL);
	EQ(wait_status(pid), SIGKILL);
	fd = open("/tmp/exec-copy", O_WRONLY);
	CHECK(fd >= 0);
	FAILS(execve("/tmp/exec-copy", argv, no_env), ETXTBSY);
	CHECK(ftruncate(fd, 0) == 0 && write(fd, "#!/bin/true\n", 12) == 12);
	FAILS(execve("/tmp/exec-copy", argv, no_env), ETXTBSY);	/* a script, too */
	close(fd);
	EQ(unlink("/tmp/exec-copy"), 0);
}

TEST(name_of_the_process)
{
	char name[16] = "", line[64] = "";

	EQ(prctl(PR_GET_NAME, name), 0);
	CHECK(!strncmp(name, "exec", 4));
	EQ(prctl(PR_SET_NAME, "a name that is too long"), 0);
	EQ(prctl(PR_GET_NAME, name), 0);
	CHECK(!strcmp(name, "a name that is "));
	int fd = open("/proc/self/comm", O_RDONLY);
	CHECK(fd >= 0 && read(fd, line, sizeof line) == 16);
	CHECK(!strcmp(line, "a name that is \n"));
}

static int show_arguments(int argc, char **argv)
{
	printf("%d %s %zu\n", argc - 2, argv[2], strlen(argv[2]));
	printf("%.3s %zu\n", argv[3], strlen(argv[3]));
	printf("%s %zu\n%s %zu\n", argv[4], strlen(argv[4]), argv[5], strlen(argv[5]));
	return 0;
}

int main(int argc, char **argv)
{
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	self[n < 0 ? 0 : n] = 0;
	if (argc > 5 && !strcmp(argv[1], "--arguments"))
		return show_arguments(argc, argv);
	if (argc > 1 && !strcmp(argv[1], "--descriptors")) {
		for (int fd = 0; fd < 64; fd++)
			if (fcntl(fd, F_GETFD) >= 0)
				printf(" %d\n", fd);
		return 0;
	}
	if (argc > 1 && !strcmp(argv[1], "--sleep"))
		return sleep(20), 0;
	return tap_main(argc, argv);
}
