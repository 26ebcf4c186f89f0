/* tests/guest/proc.c - /proc: every file can be read, and what programs parse is where they look for it. */
#include "tap.h"
#include <dirent.h>
#include <limits.h>

static char text[65536];

static const char *slurp(const char *name)
{
	int fd = open(name, O_RDONLY);
	size_t n = 0;
	ssize_t got;

	if (fd < 0) {
		FAIL("cannot open %s: %s", name, strerror(errno));
		return strcpy(text, "");
	}
	while ((got = read(fd, text + n, sizeof text - 1 - n)) > 0)
		n += (size_t)got;
	if (got < 0)
		FAIL("cannot read %s: %s", name, strerror(errno));
	text[n] = 0;
	close(fd);
	return text;
}

TEST(meminfo)
{
	unsigned long total = 0, free = 0, available = 0;
	const char *s = slurp("/proc/meminfo"), *p;

	NEED(sscanf(s, "MemTotal: %lu kB", &total) == 1);
	NEED((p = strstr(s, "\nMemFree:")) && sscanf(p, "\nMemFree: %lu kB", &free) == 1);
	NEED((p = strstr(s, "\nMemAvailable:")) && sscanf(p, "\nMemAvailable: %lu kB", &available) == 1);
	CHECK(total > 16384 && free < total && available <= total);
	static const char *const keys[] = { "Buffers:", "Cached:", "SwapTotal:", "SwapFree:", "Shmem:" };
	for (unsigned i = 0; i < 5; i++)
		CHECK(strstr(s, keys[i]));
}

FAULTLINE_TEST(memfree_follows_use)
{
	unsigned long before = 0, after = 0;
	enum { PAGES = 1000 };

	sscanf(strstr(slurp("/proc/meminfo"), "MemFree:"), "MemFree: %lu", &before);
	volatile char *p = map_anon(PAGES * PAGE, MAP_PRIVATE);
	for (int i = 0; i < PAGES; i++)
		p[i * PAGE] = 1;
	sscanf(strstr(slurp("/proc/meminfo"), "MemFree:"), "MemFree: %lu", &after);
	CHECK(before - after >= PAGES * 4 && before - after < PAGES * 4 + 200);
}

TEST(stat_of_the_system)
{
	unsigned long user, nice, system, idle, n = 0;
	const char *s = slurp("/proc/stat"), *p;

	EQ(sscanf(s, "cpu %lu %lu %lu %lu", &user, &nice, &system, &idle), 4);
	CHECK(strstr(s, "\ncpu0 "));
	CHECK((p = strstr(s, "\nbtime ")) && sscanf(p, "\nbtime %lu", &n) == 1 && n > 1600000000);
	CHECK((p = strstr(s, "\nprocesses ")) && sscanf(p, "\nprocesses %lu", &n) == 1 && n > 1);
	double up = 0, idle_time;
	EQ(sscanf(slurp("/proc/uptime"), "%lf %lf", &up, &idle_time), 2);
	CHECK(up > 0);
	double a, b, c;
	int running, all, last;
	EQ(sscanf(slurp("/proc/loadavg"), "%lf %lf %lf %d/%d %d", &a, &b, &c, &running, &all, &last), 6);
	CHECK(running >= 1 && all >= running && last >= getpid() - 10);
	CHECK(strlen(slurp("/proc/version")) > 5);
	CHECK(strstr(slurp("/proc/mounts"), "/proc proc "));
	slurp("/proc/cpuinfo");
	slurp("/proc/filesystems");
}

TEST(stat_of_a_process)
{
	char name[64], state;
	int pid, parent, group, session;

	NEED(sscanf(slurp("/proc/self/stat"), "%d (%63[^)]) %c %d %d %d", &pid, name, &state, &parent, &group, &session) == 6);
	EQ(pid, getpid());
	EQ(parent, getppid());
	EQ(group, getpgrp());
	EQ(session, getsid(0));
	EQ(state, 'R');
	int fields = 0;
	for (char *p = strtok(strrchr(text, ')') + 2, " \n"); p; p = strtok(NULL, " \n"))
		fields++;
	EQ(fields, 50);
	const char *s = slurp("/proc/self/status");
	CHECK(strstr(s, "\nPid:\t") && strstr(s, "\nPPid:\t") && strstr(s, "\nVmRSS:\t") && strstr(s, "\nUid:\t") && !strncmp(s, "Name:\t", 6));
	CHECK(strstr(s, "\nState:\tR"));
	unsigned long size, resident;
	EQ(sscanf(slurp("/proc/self/statm"), "%lu %lu", &size, &resident), 2);
	CHECK(size >= resident && resident > 5);
}

TEST(a_sleeper_and_a_zombie)
{
	char path[64];
	pid_t pid = fork();

	if (!pid) {
		pause();
		_exit(0);
	}
	sleep_ms(50);
	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	CHECK(strstr(slurp(path), ") S "));
	kill(pid, SIGSTOP);
	sleep_ms(50);
	CHECK(strstr(slurp(path), ") T "));
	kill(pid, SIGKILL);
	sleep_ms(50);
	CHECK(strstr(slurp(path), ") Z "));
	snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
	EQ(strlen(slurp(path)), 0);
	EQ(wait_status(pid), SIGKILL);
	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	FAILS(open(path, O_RDONLY), ENOENT);
}

TEST(links)
{
	char name[PATH_MAX] = "", number[16];
	struct stat a, b;

	CHECK(readlink("/proc/self", name, sizeof name) > 0);
	snprintf(number, sizeof number, "%d", getpid());
	CHECK(!strcmp(name, number));
	ssize_t n = readlink("/proc/self/exe", name, sizeof name - 1);
	NEED(n > 0);
	name[n] = 0;
	EQ(stat(name, &a), 0);
	EQ(stat("/proc/self/exe", &b), 0);
	EQ(a.st_ino, b.st_ino);
	chdir("/tmp");
	n = readlink("/proc/self/cwd", name, sizeof name);
	CHECK(n == 4 && !memcmp(name, "/tmp", 4));
	int fd = open("/dev/null", O_RDONLY);
	snprintf(number, sizeof number, "/proc/self/fd/%d", fd);
	n = readlink(number, name, sizeof name - 1);
	CHECK(n == 9 && !memcmp(name, "/dev/null", 9));
	DIR *d = opendir("/proc/self/fd");
	int entries = 0;
	while (d && readdir(d))
		entries++;
	CHECK(entries >= 6);
	closedir(d);
}

TEST(command_line_and_maps)
{
	int fd = open("/proc/self/cmdline", O_RDONLY);
	char line[512];

	ssize_t n = read(fd, line, sizeof line);
	CHECK(n > 1 && line[n - 1] == 0);
	CHECK(strstr(line, "proc"));
	char *p = map_anon(3 * PAGE, MAP_PRIVATE);
	mprotect(p + PAGE, PAGE, PROT_READ | PROT_EXEC);
	snprintf(line, sizeof line, "%lx-%lx r-xp 00000000 00:00 0", (unsigned long)p + PAGE, (unsigned long)p + 2 * PAGE);
	CHECK(strstr(slurp("/proc/self/maps"), line));
	CHECK(strstr(text, "[stack]"));
	char *q = map_anon(PAGE, MAP_SHARED);
	snprintf(line, sizeof line, "%lx-%lx rw-s", (unsigned long)q, (unsigned long)q + PAGE);
	CHECK(strstr(slurp("/proc/self/maps"), line));
	fd = open("/bin/busybox", O_RDONLY);
	q = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 2 * PAGE);
	snprintf(line, sizeof line, "%lx-%lx r--p 00002000", (unsigned long)q, (unsigned long)q + PAGE);
	const char *at = strstr(slurp("/proc/self/maps"), line);
	CHECK(at && strstr(at, "/busybox"));
}

TEST(every_process_has_its_folder)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	int mine = 0, processes = 0;

	NEED(d);
	while ((e = readdir(d)))
		if (atoi(e->d_name) > 0) {
			processes++;
			mine += atoi(e->d_name) == getpid();
		}
	closedir(d);
	EQ(mine, 1);
	CHECK(processes >= 2);
}

/* Whatever is there can be read, in odd pieces as well. */
static void read_tree(const char *folder, int level)
{
	DIR *d = opendir(folder);
	struct dirent *e;
	char path[512];

	while (d && (e = readdir(d))) {
		struct stat st;
		snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
		if (e->d_name[0] == '.' || lstat(path, &st))
			continue;
		if (S_ISDIR(st.st_mode) && level && (level < 2 || !strncmp(e->d_name, "fd", 2) || atoi(e->d_name) == getpid()))
			read_tree(path, level - 1);
		if (!S_ISREG(st.st_mode))
			continue;
		int fd = open(path, O_RDONLY | O_NONBLOCK);
		char small[7];
		for (int i = 0; i < 2000 && fd >= 0 && read(fd, small, sizeof small) > 0; i++)
			;
		close(fd);
	}
	if (d)
		closedir(d);
}

FAULTLINE_TEST(everything_can_be_read)
{
	read_tree("/proc", 2);
}

TEST(seeking_in_a_generated_file)
{
	char a[32], b[32];
	int fd = open("/proc/meminfo", O_RDONLY);

	EQ(read(fd, a, sizeof a), sizeof a);
	EQ(lseek(fd, 0, SEEK_SET), 0);
	EQ(read(fd, b, 10), 10);
	CHECK(!memcmp(a, b, 10));
	EQ(pread(fd, b, 8, 4), 8);
	CHECK(!memcmp(a + 4, b, 8));
}
