/* tests/guest/procfiles.c - files of /proc that programs parse or reach memory through: formats, pagemap, mem, what can be changed, what getrusage counts. */
#include "tap.h"
#include <dirent.h>
#include <elf.h>
#include <link.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static char text[1 << 17];

static const char *slurp(const char *name)
{
	int fd = open(name, O_RDONLY);
	size_t n = 0;
	ssize_t got;

	text[0] = 0;
	if (fd < 0) {
		FAIL("cannot open %s: %s", name, strerror(errno));
		return text;
	}
	while ((got = read(fd, text + n, sizeof text - 1 - n)) > 0)
		n += (size_t)got;
	text[n] = 0;
	close(fd);
	return text;
}

static long long field(const char *in, const char *name)
{
	const char *p = strstr(in, name);
	if (!p) {
		FAIL("no %s", name);
		return -1;
	}
	return strtoll(p + strlen(name), NULL, 0);
}

static long stat_field(const char *name, int which)
{
	char *p = strrchr(slurp(name), ')');
	NEED(p);
	p = strtok(p + 2, " ");
	for (int i = 3; i < which && p; i++)
		p = strtok(NULL, " ");
	NEED(p);
	return (long)strtoull(p, NULL, 10);
}

TEST(config_can_be_unpacked_and_names_what_is_there)
{
	const unsigned char *zip = (const unsigned char *)slurp("/proc/config.gz");
	CHECK(zip[0] == 0x1f && zip[1] == 0x8b);
	FILE *f = popen("zcat /proc/config.gz", "r");
	char line[256];
	int found = 0;
	NEED(f);
	while (fgets(line, sizeof line, f))
		found += strcmp(line, "CONFIG_FUTEX=y\n") == 0 || strcmp(line, "CONFIG_SYSVIPC=y\n") == 0;
	CHECK(pclose(f) == 0);
	CHECK(found == 2);
}

static void touch(volatile char *p, size_t n)
{
	for (size_t i = 0; i < n; i += PAGE)
		p[i] = 1;
}

TEST(stat_says_where_the_program_is)
{
	static int datum = 1;
	unsigned long start = stat_field("/proc/self/stat", 26), end = stat_field("/proc/self/stat", 27);
	CHECK((unsigned long)&test_stat_says_where_the_program_is > start && (unsigned long)&test_stat_says_where_the_program_is < end);
	unsigned long data = stat_field("/proc/self/stat", 45), data_end = stat_field("/proc/self/stat", 46);
	CHECK((unsigned long)&datum >= data && (unsigned long)&datum < data_end);
	unsigned long stack = stat_field("/proc/self/stat", 28), here = (unsigned long)&start;
	CHECK(here < stack && stack - here < 1 << 20);
	CHECK((unsigned long)stat_field("/proc/self/stat", 48) > stack);		/* arg_start */
	EQ(stat_field("/proc/self/stat", 18), 20);
	EQ(stat_field("/proc/self/stat", 38), SIGCHLD);
	EQ(stat_field("/proc/self/stat", 41), SCHED_OTHER);
}

TEST(status_counts_memory)
{
	enum { PAGES = 256 };
	const char *s = slurp("/proc/self/status");
	long long size = field(s, "VmSize:"), peak = field(s, "VmPeak:"), rss = field(s, "VmRSS:"), anon = field(s, "RssAnon:"), data = field(s, "VmData:");
	CHECK(peak >= size && field(s, "VmHWM:") >= rss);
	CHECK(field(s, "VmStk:") >= 128 && field(s, "VmExe:") > 8 && field(s, "VmPTE:") >= 4);
	char *p = map_anon(PAGES * PAGE, MAP_PRIVATE);
	touch(p, PAGES * PAGE);
	s = slurp("/proc/self/status");
	EQ(field(s, "VmSize:") - size, PAGES * 4);
	EQ(field(s, "VmData:") - data, PAGES * 4);
	long long more = field(s, "RssAnon:") - anon;
	CHECK(more >= PAGES * 4 - 64 && more <= PAGES * 4 + 64);
	CHECK(field(s, "VmPeak:") >= size + PAGES * 4);
	munmap(p, PAGES * PAGE);
	s = slurp("/proc/self/status");
	EQ(field(s, "VmSize:"), size);
	CHECK(field(s, "VmPeak:") >= size + PAGES * 4);
	CHECK(field(s, "VmHWM:") >= rss + PAGES * 4 - 256);
	static const char *const keys[] = { "Name:\t", "\nUmask:\t", "\nState:\tR (running)\n", "\nTgid:\t", "\nNgid:\t", "\nPid:\t", "\nPPid:\t", "\nTracerPid:\t0\n", "\nUid:\t", "\nGid:\t",
		"\nFDSize:\t", "\nGroups:\t", "\nVmLck:\t", "\nVmPin:\t", "\nRssFile:\t", "\nRssShmem:\t", "\nVmLib:\t", "\nVmSwap:\t", "\nHugetlbPages:\t", "\nCoreDumping:\t0\n",
		"\nThreads:\t1\n", "\nSigQ:\t", "\nSigCgt:\t", "\nCapInh:\t", "\nCapAmb:\t", "\nNoNewPrivs:\t0\n", "\nSeccomp:\t", "\nCpus_allowed:\t", "\nMems_allowed_list:\t",
		"\nvoluntary_ctxt_switches:\t", "\nnonvoluntary_ctxt_switches:\t" };
	for (unsigned i = 0; i < sizeof keys / sizeof *keys; i++)
		if (!strstr(s, keys[i]))
			FAIL("no %s", keys[i]);
}

TEST(auxv_is_what_the_program_got)
{
	static ElfW(auxv_t) v[64];
	int fd = open("/proc/self/auxv", O_RDONLY);
	ssize_t n = read(fd, v, sizeof v);
	NEED(n > 0 && n % (ssize_t)sizeof v[0] == 0);
	size_t count = (size_t)n / sizeof v[0], checked = 0;
	for (size_t i = 0; i < count && v[i].a_type; i++) {
		if (v[i].a_type != AT_HWCAP)		/* glibc has its own idea of that */
			EQ(v[i].a_un.a_val, getauxval(v[i].a_type));
		checked++;
	}
	CHECK(checked > 10);
	EQ(getauxval(AT_PAGESZ), PAGE);
	close(fd);
}

TEST(mem_reads_and_writes)
{
	static volatile char word[8] = "abcdefg";
	static const char constant[PAGE] __attribute__((aligned(PAGE))) = "constant";
	char buffer[16] = "";
	int fd = open("/proc/self/mem", O_RDWR);
	NEED(fd >= 0);
	EQ(pread(fd, buffer, 8, (off_t)(uintptr_t)word), 8);
	CHECK(!strcmp(buffer, "abcdefg"));
	EQ(pwrite(fd, "ABC", 3, (off_t)(uintptr_t)word), 3);
	CHECK(!strcmp((const char *)word, "ABCdefg"));
	/* What may not be written by the program may be by this: a private copy is made. */
	EQ(pwrite(fd, "C", 1, (off_t)(uintptr_t)constant), 1);
	EQ(((volatile const char *)constant)[0], 'C');
	EQ(lseek(fd, (off_t)(uintptr_t)word, SEEK_SET), (uintptr_t)word);
	EQ(read(fd, buffer, 3), 3);
	CHECK(!strncmp(buffer, "ABC", 3));
	FAILS(pread(fd, buffer, 1, 0), EIO);
	/* It ends where the memory does. */
	char *p = map_anon(2 * PAGE, MAP_PRIVATE);
	munmap(p + PAGE, PAGE);
	EQ(pread(fd, buffer, 16, (off_t)(uintptr_t)(p + PAGE - 4)), 4);
	/* A page that nobody has touched is zero. */
	buffer[0] = 1;
	EQ(pread(fd, buffer, 1, (off_t)(uintptr_t)p), 1);
	EQ(buffer[0], 0);
	mprotect(p, PAGE, PROT_READ);
	EQ(pwrite(fd, "x", 1, (off_t)(uintptr_t)p), 1);
	EQ(p[0], 'x');
	char *shared = map_anon(PAGE, MAP_SHARED);
	mprotect(shared, PAGE, PROT_READ);
	FAILS(pwrite(fd, "x", 1, (off_t)(uintptr_t)shared), EIO);
	close(fd);
}

/* A write through mem to a page that a child shares is the writer's alone. */
TEST(mem_writes_one_process_alone)
{
	char *p = map_anon(PAGE, MAP_PRIVATE), name[64];
	p[0] = 'a';
	mprotect(p, PAGE, PROT_READ);
	int go[2];
	NEED(!pipe(go));
	pid_t child = fork();
	if (!child) {
		char c;
		close(go[1]);
		read(go[0], &c, 1);
		_exit(p[0] == 'b' ? 0 : 1);
	}
	snprintf(name, sizeof name, "/proc/%d/mem", child);
	int fd = open(name, O_RDWR);
	EQ(pwrite(fd, "b", 1, (off_t)(uintptr_t)p), 1);
	EQ(p[0], 'a');
	close(go[1]);
	EQ(wait_status(child), 0);
	char c;
	CHECK(pread(fd, &c, 1, (off_t)(uintptr_t)p) <= 0);
	close(fd);
}

TEST(pagemap)
{
	uint64_t e[4];
	int fd = open("/proc/self/pagemap", O_RDONLY);
	NEED(fd >= 0);
	char *p = map_anon(4 * PAGE, MAP_PRIVATE);
	p[0] = p[2 * PAGE] = 1;
	EQ(pread(fd, e, sizeof e, (off_t)((uintptr_t)p / PAGE * 8)), sizeof e);
	CHECK(e[0] >> 63 && !(e[1] >> 63) && e[2] >> 63 && !(e[3] >> 63));
	CHECK(e[0] >> 56 & 1);
	CHECK(!(e[0] >> 61 & 1));
	if (!geteuid())
		CHECK((e[0] & ((1ull << 55) - 1)) != (e[2] & ((1ull << 55) - 1)) && (e[0] & ((1ull << 55) - 1)) != 0);
	char *shared = map_anon(PAGE, MAP_SHARED);
	shared[0] = 1;
	EQ(pread(fd, e, 8, (off_t)((uintptr_t)shared / PAGE * 8)), 8);
	CHECK(e[0] >> 63 && e[0] >> 61 & 1);
	FAILS(pread(fd, e, 7, 0), EINVAL);
	FAILS(pread(fd, e, 8, 4), EINVAL);
	EQ(pread(fd, e, 8, 1ll << 50), 0);
	close(fd);
}

TEST(pagemap_of_root_alone_says_where)
{
	int status;
	char *p = map_anon(PAGE, MAP_PRIVATE);
	if (geteuid())
		SKIP("needs root");
	CHILD(status) {
		uint64_t e = 0;
		NEED(!setresuid(12345, 12345, 12345));
		NEED(!prctl(PR_SET_DUMPABLE, 1));
		p[0] = 1;
		int fd = open("/proc/self/pagemap", O_RDONLY);
		NEED(fd >= 0);
		EQ(pread(fd, &e, 8, (off_t)((uintptr_t)p / PAGE * 8)), 8);
		CHECK(e >> 63);
		EQ(e & ((1ull << 55) - 1), 0);
		FAILS(open("/proc/kpageflags", O_RDONLY), EACCES);
	}
	EQ(status, 0);
}

TEST(frames_have_flags)
{
	uint64_t e, flags;
	if (geteuid())
		SKIP("needs root");
	int pagemap = open("/proc/self/pagemap", O_RDONLY), kpageflags = open("/proc/kpageflags", O_RDONLY), kpagecount = open("/proc/kpagecount", O_RDONLY);
	if (kpageflags < 0)
		SKIP("no /proc/kpageflags");
	char *p = map_anon(PAGE, MAP_PRIVATE);
	p[0] = 1;
	EQ(pread(pagemap, &e, 8, (off_t)((uintptr_t)p / PAGE * 8)), 8);
	off_t at = (off_t)((e & ((1ull << 55) - 1)) * 8);
	EQ(pread(kpageflags, &flags, 8, at), 8);
	CHECK(flags >> 12 & 1);			/* KPF_ANON */
	EQ(pread(kpagecount, &e, 8, at), 8);
	EQ(e, 1);
	FAILS(pread(kpageflags, &e, 8, 1), EINVAL);

	/* A page of a file, which this process has twice, and another once more. */
	int fd = open("/tmp/procfiles.kpage", O_RDWR | O_CREAT, 0600), status;
	NEED(fd >= 0 && ftruncate(fd, PAGE) == 0);
	volatile char *a = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), *b = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	NEED(a != MAP_FAILED && b != MAP_FAILED);
	a[0] = b[0] + 1;
	NEED(pread(pagemap, &e, 8, (off_t)((uintptr_t)a / PAGE * 8)) == 8);
	at = (off_t)((e & ((1ull << 55) - 1)) * 8);
	EQ(pread(kpagecount, &e, 8, at), 8);
	EQ(e, 2);
	EQ(pread(kpageflags, &flags, 8, at), 8);
	CHECK(flags >> 11 & 1 && !(flags >> 12 & 1));		/* KPF_MMAP, not KPF_ANON */
	CHILD(status) {
		volatile char *c = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
		EQ(c[0], 1);
		EQ(pread(kpagecount, &e, 8, at), 8);
		CHECK(e >= 3);			/* and what fork has copied of the other two */
	}
	EQ(status, 0);
	munmap((void *)a, PAGE);
	munmap((void *)b, PAGE);
	EQ(pread(kpagecount, &e, 8, at), 8);
	EQ(e, 0);
	close(fd);
	EQ(unlink("/tmp/procfiles.kpage"), 0);
}

TEST(smaps_adds_up)
{
	enum { PAGES = 64 };
	char *p = map_anon(PAGES * PAGE, MAP_PRIVATE), key[32];
	touch(p, PAGES / 2 * PAGE);
	snprintf(key, sizeof key, "%lx-", (unsigned long)p);
	const char *s = strstr(slurp("/proc/self/smaps"), key);
	NEED(s);
	EQ(field(s, "\nSize:"), PAGES * 4);
	EQ(field(s, "\nRss:"), PAGES * 2);
	EQ(field(s, "\nPss:"), PAGES * 2);
	EQ(field(s, "\nPss_Dirty:"), PAGES * 2);
	EQ(field(s, "\nPrivate_Dirty:"), PAGES * 2);
	EQ(field(s, "\nAnonymous:"), PAGES * 2);
	CHECK(strstr(s, "\nVmFlags: rd wr mr mw me ac "));
	s = slurp("/proc/self/smaps_rollup");
	CHECK(strstr(s, "[rollup]\n") && field(s, "\nRss:") >= PAGES * 2);
}

TEST(statm_fields)
{
	unsigned long v[7];
	EQ(sscanf(slurp("/proc/self/statm"), "%lu %lu %lu %lu %lu %lu %lu", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6]), 7);
	CHECK(v[0] > v[1] && v[1] > v[2] && v[3] > 2 && v[4] == 0 && v[5] > 30 && v[6] == 0);
}

TEST(a_title_over_the_arguments)
{
	char *start = (char *)stat_field("/proc/self/stat", 48), *end = (char *)stat_field("/proc/self/stat", 49);
	size_t n = (size_t)(end - start);
	NEED(n > 3);
	memset(start, 'x', n);			/* no NUL: it goes on in the environment, up to the first */
	int fd = open("/proc/self/cmdline", O_RDONLY);
	ssize_t got = read(fd, text, sizeof text);
	CHECK(got > (ssize_t)n);
	EQ(strnlen(text, (size_t)got), got - 1);
	memset(start, 0, n);
	memcpy(start, "ab", 2);
	EQ(pread(fd, text, sizeof text, 0), n);
	close(fd);
}

TEST(io_counts_calls)
{
	const char *s = slurp("/proc/self/io");
	if (!strstr(s, "rchar:"))
		SKIP("no /proc/PID/io");
	long long bytes = field(s, "wchar: "), calls = field(s, "syscw: ");
	int fd = open("/dev/null", O_WRONLY);
	for (int i = 0; i < 10; i++)
		EQ(write(fd, text, 1000), 1000);
	s = slurp("/proc/self/io");
	EQ(field(s, "wchar: ") - bytes, 10000);
	EQ(field(s, "syscw: ") - calls, 10);
}

TEST(namespaces_have_names)
{
	char to[64], path[64];
	static const char *const names[] = { "ipc", "mnt", "net", "pid", "user", "uts" };
	for (int i = 0; i < 6; i++) {
		snprintf(path, sizeof path, "/proc/self/ns/%s", names[i]);
		ssize_t n = readlink(path, to, sizeof to - 1);
		NEED(n > 0);
		to[n] = 0;
		CHECK(!strncmp(to, names[i], strlen(names[i])) && strstr(to, ":[4026531"));
	}
	FAILS(readlink("/proc/self/ns/nothing", to, sizeof to), ENOENT);
}

TEST(processors_as_sys_shows_them)
{
	char path[128];
	cpu_set_t set;
	NEED(!sched_getaffinity(0, sizeof set, &set));
	int last = 0;
	for (int i = 0; i < CPU_SETSIZE; i++)
		last = CPU_ISSET(i, &set) ? i : last;
	CHECK(!strncmp(slurp("/sys/devices/system/cpu/online"), "0", 1));
	snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/core_id", last);
	CHECK(strlen(slurp(path)) >= 2);
	snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", last);
	CHECK(strlen(slurp(path)) >= 2);
	CHECK(!strcmp(slurp("/sys/devices/system/node/online"), "0\n"));
	CHECK(strstr(slurp("/sys/devices/system/node/node0/meminfo"), "Node 0 MemTotal:"));
	CHECK(field(slurp("/sys/devices/system/node/node0/numastat"), "numa_hit ") > 0);
	CHECK(!strcmp(slurp("/sys/devices/system/node/node0/distance"), "10\n"));
	const char *s = slurp("/proc/cpuinfo");
	static const char *const keys[] = { "processor\t: 0\n", "vendor_id\t: ", "model name\t: ", "flags\t\t: fpu ", " sse2 ", " syscall ", " lm ", "bogomips\t: ", "address sizes\t: " };
	for (unsigned i = 0; i < sizeof keys / sizeof *keys; i++)
		if (!strstr(s, keys[i]))
			FAIL("no %s", keys[i]);
	CHECK(strstr(slurp("/proc/interrupts"), "CPU0") && strstr(text, "LOC:"));
	DIR *d = opendir("/sys/devices/system/cpu");
	int found = 0;
	for (struct dirent *e; d && (e = readdir(d)); )
		found += !strcmp(e->d_name, "cpu0");
	EQ(found, 1);
	closedir(d);
}

static void put(const char *file, const char *value, int error)
{
	int fd = open(file, O_WRONLY);
	NEED(fd >= 0);
	if (error)
		FAILS(write(fd, value, strlen(value)), error);
	else
		EQ(write(fd, value, strlen(value)), strlen(value));
	close(fd);
}

/* pipe-max-size is for new pipes, too, of who may not have more. */
FAULTLINE_TEST(pipe_sizes)
{
	const char *file = "/proc/sys/fs/pipe-max-size";
	int p[2], status;

	put(file, "4096", 0);
	if (fork() == 0) {
		NEED(!setuid(65534) && !pipe(p));
		EQ(fcntl(p[0], F_GETPIPE_SZ), 4096);
		FAILS(fcntl(p[0], F_SETPIPE_SZ, 8192), EPERM);
		_exit(tap_failures != 0);
	}
	NEED(!pipe(p));
	EQ(fcntl(p[0], F_GETPIPE_SZ), 65536);
	EQ(fcntl(p[0], F_SETPIPE_SZ, 2 << 20), 2 << 20);
	EQ(wait(&status) > 0, 1);
	EQ(status, 0);
	put(file, "1", EINVAL);
	put(file, "1048576", 0);
	CHECK(!strcmp(slurp(file), "1048576\n"));
	CHECK(atoi(slurp("/proc/sys/fs/inotify/max_queued_events")) == 16384);
}

TEST(entropy_by_ioctl)
{
	int fd = open("/dev/urandom", O_RDONLY), bits = 0;

	EQ(ioctl(fd, 0x80045200 /* RNDGETENTCNT */, &bits), 0);
	EQ(bits, atoi(slurp("/proc/sys/kernel/random/entropy_avail")));
	FAILS(ioctl(fd, 0x80045200, -1l), EFAULT);
	FAILS(ioctl(fd, 0x7777, &bits), EINVAL);
}

TEST(settings_that_are_fixed_are_so_for_root)
{
	FAILS(open("/proc/sys/kernel/osrelease", O_WRONLY), EACCES);
	FAILS(access("/proc/sys/kernel/osrelease", W_OK), EACCES);
	FAILS(open("/proc/sys/kernel/random/uuid", O_RDWR), EACCES);
	CHECK(access("/proc/sys/kernel/osrelease", R_OK) == 0 && access("/proc/sys/kernel/hostname", W_OK) == 0);
}

TEST(numbers_can_be_set)
{
	static const char *const files[] = { "/proc/sys/kernel/pid_max", "/proc/sys/kernel/shmmni", "/proc/sys/kernel/msgmax", "/proc/sys/kernel/msgmnb", "/proc/sys/kernel/msgmni",
		"/proc/sys/kernel/shmmax", "/proc/sys/kernel/shmall", "/proc/sys/fs/nr_open", "/proc/sys/kernel/threads-max" };
	if (geteuid() || access(files[0], W_OK))
		SKIP("needs root");
	for (unsigned i = 0; i < sizeof files / sizeof *files; i++) {
		char before[64];
		if (access(files[i], F_OK))
			continue;
		snprintf(before, sizeof before, "%s", slurp(files[i]));
		put(files[i], before, 0);
		CHECK(!strcmp(slurp(files[i]), before));
		put(files[i], "rubbish\n", EINVAL);
		put(files[i], "-1x", EINVAL);
		CHECK(!strcmp(slurp(files[i]), before));
	}
	char before[64];
	snprintf(before, sizeof before, "%s", slurp("/proc/sys/kernel/msgmax"));
	put("/proc/sys/kernel/msgmax", " 4321 \n", 0);
	CHECK(!strcmp(slurp("/proc/sys/kernel/msgmax"), "4321\n"));
	put("/proc/sys/kernel/msgmax", before, 0);
	put("/proc/sys/kernel/pid_max", "5", EINVAL);
}

FAULTLINE_TEST(pid_max_is_obeyed)
{
	char before[64];
	snprintf(before, sizeof before, "%s", slurp("/proc/sys/kernel/pid_max"));
	put("/proc/sys/kernel/pid_max", "400\n", 0);
	int highest = 0, status;
	for (int i = 0; i < 450; i++) {
		pid_t pid = fork();
		if (!pid)
			_exit(0);
		NEED(pid > 0);
		highest = pid > highest && i > 400 ? pid : highest;
		EQ(waitpid(pid, &status, 0), pid);
	}
	CHECK(highest < 400);
	put("/proc/sys/kernel/pid_max", before, 0);
}

TEST(usage_counts_switches)
{
	struct rusage before, after;
	int status;
	NEED(!getrusage(RUSAGE_SELF, &before));
	for (int i = 0; i < 30; i++)
		sleep_ms(1);
	NEED(!getrusage(RUSAGE_SELF, &after));
	long switches = after.ru_nvcsw - before.ru_nvcsw;
	CHECK(switches >= 30 && switches < 60);
	pid_t child = fork();
	if (!child) {
		for (int i = 0; i < 30; i++)
			sleep_ms(1);
		_exit(0);
	}
	struct rusage child_usage;
	EQ(wait4(child, &status, 0, &child_usage), child);
	CHECK(child_usage.ru_nvcsw >= 30 && child_usage.ru_nvcsw < 60);
	NEED(!getrusage(RUSAGE_CHILDREN, &after));
	CHECK(after.ru_nvcsw >= child_usage.ru_nvcsw);
	NEED(!getrusage(RUSAGE_THREAD, &after));
	CHECK(after.ru_nvcsw > before.ru_nvcsw);
	long long told = field(slurp("/proc/self/status"), "\nvoluntary_ctxt_switches:");
	CHECK(told >= after.ru_nvcsw);
}

TEST(children_that_nobody_waits_for_do_not_count)
{
	struct rusage usage;

	NEED(signal(SIGCHLD, SIG_IGN) == SIG_DFL);
	if (fork() == 0) {
		touch(mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 64 << 20);
		_exit(0);
	}
	FAILS(wait(NULL), ECHILD);
	CHECK(getrusage(RUSAGE_CHILDREN, &usage) == 0 && usage.ru_maxrss == 0 && usage.ru_minflt == 0);
}

TEST(the_most_resident_memory)
{
	enum { PAGES = 4096 };
	struct rusage usage;
	int status;
	CHILD(status) {
		char *p = map_anon(PAGES * PAGE, MAP_PRIVATE);
		touch(p, PAGES * PAGE);
		munmap(p, PAGES * PAGE);
	}
	EQ(status, 0);
	NEED(!getrusage(RUSAGE_CHILDREN, &usage));
	CHECK(usage.ru_maxrss >= PAGES * 4 && usage.ru_maxrss < PAGES * 4 + 8192);
	CHECK(usage.ru_minflt >= PAGES && usage.ru_minflt < PAGES + 2000);
	/* A child begins with what it is given, not with what its parent has had. */
	char *p = map_anon(PAGES * PAGE, MAP_PRIVATE);
	touch(p, PAGES * PAGE);
	munmap(p, PAGES * PAGE);
	pid_t pid = fork();
	if (!pid)
		_exit(0);
	EQ(wait4(pid, &status, 0, &usage), pid);
	CHECK(usage.ru_maxrss < PAGES * 4);
}

/* The personality changes what a program is told; it can always be asked for. */
TEST(personality_can_be_read)
{
	int now = personality(0xffffffff);
	CHECK(now >= 0);
	EQ(strtol(slurp("/proc/self/personality"), NULL, 16), now);
}

