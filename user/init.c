/*
 * init - the first process.
 *
 * With a job from the host (run.sh -c) it runs the job's command in a shell whose standard streams are the host's, and reports how that ended.
 * Without one it gives a login shell on the console.  Either way it adopts and reaps orphans in the meantime, and the machine is switched off
 * when the shell has ended.  What else the kernel's command line says is not for us.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STATUS_NOT_STARTED = 127 };

static void put(int fd, const char *text)
{
	for (size_t n = strlen(text); n > 0;) {
		ssize_t done = write(fd, text, n);
		if (done <= 0)
			return;
		text += done;
		n -= (size_t)done;
	}
}

/* The size of the host's window, if the kernel's command line told it. */
static void set_window_size(int fd)
{
	const char *lines = getenv("LINES"), *columns = getenv("COLUMNS");
	if (lines && columns) {
		struct winsize size = { .ws_row = (unsigned short)atoi(lines), .ws_col = (unsigned short)atoi(columns) };
		ioctl(fd, TIOCSWINSZ, &size);
	}
	unsetenv("LINES");
	unsetenv("COLUMNS");
}

/* A new session on this device, which becomes standard input, output and error. */
static int use_terminal(const char *device)
{
	setsid();
	int fd = open(device, O_RDWR);
	if (fd < 0)
		return -1;
	ioctl(fd, TIOCSCTTY, 0);
	set_window_size(fd);
	for (int to = 0; to < 3; to++)
		dup2(fd, to);
	if (fd > 2)
		close(fd);
	return 0;
}

static int use_stream(const char *device, int flags, int to)
{
	int fd = open(device, flags);
	if (fd < 0 || dup2(fd, to) < 0)
		return -1;
	if (fd != to)
		close(fd);
	return 0;
}

/* The whole text of the job; NULL: it cannot be had. */
static char *read_command(void)
{
	int fd = open("/dev/job-command", O_RDONLY);
	size_t room = 4096, n = 0;
	char *text = malloc(room);
	if (fd < 0 || !text)
		return NULL;
	for (;;) {
		ssize_t got = read(fd, text + n, room - n - 1);
		if (got < 0)
			return NULL;
		if (got == 0)
			break;
		n += (size_t)got;
		if (n + 1 == room && !(text = realloc(text, room *= 2)))
			return NULL;
	}
	text[n] = '\0';
	close(fd);
	return text;
}

static void run_job(void)
{
	char *command = read_command();
	setsid();
	if (!command || use_stream("/dev/job-stdin", O_RDONLY, 0) || use_stream("/dev/job-stdout", O_WRONLY, 1)
		|| use_stream("/dev/job-stderr", O_WRONLY, 2)) {
		perror("init: the job's streams");
		_exit(STATUS_NOT_STARTED);
	}
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	perror("init: /bin/sh");
	_exit(STATUS_NOT_STARTED);
}

static void greet(void)
{
	char text[512];
	int fd = open("/etc/motd", O_RDONLY);
	if (fd < 0)
		return;
	for (ssize_t n; (n = read(fd, text, sizeof text)) > 0;)
		if (write(1, text, (size_t)n) != n)
			break;
	close(fd);
}

static void run_shell(void)
{
	if (use_terminal("/dev/console"))
		_exit(STATUS_NOT_STARTED);
	greet();
	if (chdir("/root"))
		perror("init: /root");
	execl("/bin/sh", "-sh", (char *)NULL);
	perror("init: /bin/sh");
	_exit(STATUS_NOT_STARTED);
}

/* Reaps until this child has ended: its status as a shell reports it. */
static int wait_for(pid_t child)
{
	for (;;) {
		int status;
		pid_t pid = wait(&status);
		if (pid < 0 && errno != EINTR)
			return STATUS_NOT_STARTED;
		if (pid == child)
			return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	}
}

/* The whole environment, whatever the kernel gave us. */
static void set_environment(void)
{
	setenv("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", 0);
	setenv("HOME", "/root", 1);
	setenv("USER", "root", 1);
	setenv("LOGNAME", "root", 1);
	setenv("SHELL", "/bin/sh", 1);
	setenv("TERM", "vt100", 0);
}

int main(void)
{
	char report[32];
	int status_fd = open("/dev/job-status", O_WRONLY | O_CLOEXEC);
	set_environment();
	put(status_fd, "started\n");

	pid_t child = fork();
	if (child == 0) {
		if (status_fd >= 0)
			run_job();
		run_shell();
	}
	if (child < 0)
		perror("init: fork");
	int status = child < 0 ? STATUS_NOT_STARTED : wait_for(child);
	snprintf(report, sizeof report, "exit %d\n", status);
	put(status_fd, report);
	kill(-1, SIGTERM);
	sync();
	reboot(RB_POWER_OFF);
	return status;
}
