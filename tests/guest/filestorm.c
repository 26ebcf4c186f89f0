/*
 * tests/guest/filestorm.c - many at the same files, names, pipes and descriptors at once: what each did must be there, whole, and nothing else.
 *
 * Run it with several processors (run.sh --smp 4): with one it shows little.  Cases about a shared table of files need threads.  Those on the image
 * need room there.
 */
#include "tap.h"
#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <sys/file.h>
#include <sys/shm.h>
#include <sys/statfs.h>

enum { CROWD = 4, NOREPLACE = 1, EXCHANGE = 2 };
static const char *const names[] = { "a", "b", "c", "d", "e", "f", "g", "h" };
enum { NAMES = sizeof names / sizeof *names };

/* What all processes of a case see. */
static struct shared { int ready, stop, counts[64]; unsigned turn; } *shared;

/* ---- crowds ------------------------------------------------------------------------------------------------------------------ */

static void enter_folder(const char *parent)
{
	char path[100];

	snprintf(path, sizeof path, "%s/filestorm", parent);
	NEED(!mkdir(path, 0700) || errno == EEXIST);
	NEED(!chdir(path));
	shared = map_anon(sizeof *shared, MAP_SHARED);
}

static void leave_folder(void)
{
	char path[100];
	struct dirent *e;
	DIR *d = opendir(".");

	NEED(d && getcwd(path, sizeof path));
	while ((e = readdir(d)))
		if (e->d_name[0] != '.' && unlink(e->d_name))
			EQ(rmdir(e->d_name), 0);
	closedir(d);
	NEED(!chdir("/"));
	EQ(rmdir(path), 0);
}

/* All begin at the same time. */
static void wait_for_all(int n)
{
	__atomic_add_fetch(&shared->ready, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&shared->ready, __ATOMIC_SEQ_CST) < n)
		sched_yield();
}

static pid_t start(void (*fn)(int), int i, int n)
{
	fflush(stdout);
	pid_t pid = fork();
	NEED(pid >= 0);
	if (pid)
		return pid;
	tap_failures = 0;
	wait_for_all(n);
	fn(i);
	fflush(stdout);
	_exit(tap_failures ? 1 : 0);
}

/* n processes, of which the last ones run others[0], others[1] ... until the rest has ended. */
static void crowd(int n, void (*fn)(int), void (*const *others)(int), int nothers)
{
	pid_t pids[16];

	shared->ready = shared->stop = 0;
	for (int i = 0; i < n + nothers; i++)
		pids[i] = start(i < n ? fn : others[i - n], i, n + nothers);
	for (int i = 0; i < n + nothers; i++) {
		if (i == n)
			__atomic_store_n(&shared->stop, 1, __ATOMIC_SEQ_CST);
		EQ(wait_status(pids[i]), 0);
	}
}

static int stopped(void) { return __atomic_load_n(&shared->stop, __ATOMIC_SEQ_CST); }

static void threads(int n, void *(*fn)(void *))
{
	pthread_t t[16];

	shared->ready = 0;
	for (int i = 0; i < n; i++)
		NEED(!pthread_create(&t[i], NULL, fn, (void *)(intptr_t)i));
	for (int i = 0; i < n; i++)
		pthread_join(t[i], NULL);
}

static void *nothing(void *arg) { return arg; }

static void need_threads(void)
{
	pthread_t t;

	if (pthread_create(&t, NULL, nothing, NULL))
		SKIP("no threads");
	pthread_join(t, NULL);
}

static unsigned next_random(unsigned *seed) { return (*seed = *seed * 1664525 + 1013904223) >> 8; }

static int on_image(void)
{
	struct statfs s;
	return !statfs("/root", &s) && s.f_type == 0x4d44 && s.f_bavail * s.f_bsize > 3 << 20;
}

/* The same case in /tmp, and on the image if there is room. */
#define BOTH(name) \
	TEST(name) { enter_folder("/tmp"); run_##name(); leave_folder(); } \
	TEST_FLAGS(name##_on_image, TAP_FAULTLINE | TAP_RECLAIMS) { if (!on_image()) SKIP("no room on the image"); enter_folder("/root"); run_##name(); leave_folder(); }

/* ---- records at the end of a file --------------------------------------------------------------------------------------------- */

enum { RECORDS = 200 };
struct record { int who, number; char filler[112]; };
static int shared_fd;

static void append_records(int fd, int who)
{
	struct record r = { .who = who };

	memset(r.filler, 'a' + who, sizeof r.filler);
	for (r.number = 0; r.number < RECORDS; r.number++)
		EQ(write(fd, &r, sizeof r), sizeof r);
}

static void append_own(int i)
{
	int fd = open("log", O_WRONLY | O_APPEND);
	NEED(fd >= 0);
	append_records(fd, i);
}

static void append_shared(int i) { append_records(shared_fd, i); }

/* Each record is there once, whole, and after those that its writer wrote before. */
static void check_log(void)
{
	struct record r;
	int fd = open("log", O_RDONLY), next[CROWD] = { 0 }, n = 0;

	NEED(fd >= 0);
	for (; read(fd, &r, sizeof r) == sizeof r; n++) {
		NEED(r.who >= 0 && r.who < CROWD);
		EQ(r.number, next[r.who]);
		next[r.who] = r.number + 1;
		for (size_t i = 0; i < sizeof r.filler; i++)
			NEED(r.filler[i] == 'a' + r.who);
	}
	EQ(n, CROWD * RECORDS);
	close(fd);
}

/* Whoever reads along sees the bytes that are written, and no others. */
static void follow(int i)
{
	int fd = open("log", O_RDONLY);
	char bytes[500];

	(void)i;
	for (size_t at = 0; !stopped();) {
		ssize_t n = read(fd, bytes, sizeof bytes);
		NEED(n >= 0);
		for (ssize_t k = 0; k < n; k++, at++) {
			size_t in = at % sizeof(struct record);
			if (in >= offsetof(struct record, filler))
				NEED(bytes[k] >= 'a' && bytes[k] < 'a' + CROWD);
		}
	}
	close(fd);
}

static void run_append(void)
{
	static void (*const others[])(int) = { follow };
	close(open("log", O_CREAT | O_WRONLY, 0600));
	crowd(CROWD, append_own, others, 1);
	check_log();
}
BOTH(append)

/* One description: its position goes on by each write. */
static void run_one_position(void)
{
	shared_fd = open("log", O_CREAT | O_WRONLY, 0600);
	NEED(shared_fd >= 0);
	crowd(CROWD, append_shared, NULL, 0);
	close(shared_fd);
	check_log();
}
BOTH(one_position)

/* ---- names -------------------------------------------------------------------------------------------------------------------- */

static int rename_as(const char *from, const char *to, unsigned flags)
{
	return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
}

static void any_path(char *to, unsigned *seed)
{
	sprintf(to, "%c/%s", "xy"[next_random(seed) % 2], names[next_random(seed) % NAMES]);
}

/* Nothing is replaced: so nothing is lost. */
static void rename_around(int i)
{
	unsigned seed = (unsigned)i * 77 + 1;
	char from[8], to[8];

	for (int n = 0; n < 400; n++) {
		any_path(from, &seed);
		any_path(to, &seed);
		unsigned flags = next_random(&seed) % 3 ? NOREPLACE : EXCHANGE;
		if (rename_as(from, to, flags) && errno != ENOENT && errno != EEXIST && !(errno == EINVAL && flags == EXCHANGE))
			FAIL("rename %s to %s: %s", from, to, strerror(errno));
	}
}

static void list_names(int i)
{
	(void)i;
	while (!stopped()) {
		DIR *d = opendir("x");
		struct dirent *e;
		NEED(d);
		errno = 0;
		while ((e = readdir(d)))
			if (e->d_name[0] != '.' && (strlen(e->d_name) != 1 || e->d_name[0] < 'a' || e->d_name[0] > 'h'))
				FAIL("a name that nobody made: %s", e->d_name);
		EQ(errno, 0);
		closedir(d);
	}
}

static void look_at_names(int i)
{
	unsigned seed = (unsigned)i;
	struct stat st;
	char path[8];

	while (!stopped()) {
		any_path(path, &seed);
		if (stat(path, &st))
			EQ(errno, ENOENT);
		else
			CHECK(st.st_nlink == 1 && st.st_size > 0 && st.st_size <= NAMES);
	}
}

static void run_names(void)
{
	static void (*const others[])(int) = { list_names, look_at_names };
	char path[8];
	struct stat st;
	unsigned sizes = 0;

	NEED(!mkdir("x", 0700) && !mkdir("y", 0700));
	for (int i = 0; i < NAMES; i++) {		/* a file is known by its size */
		sprintf(path, "x/%s", names[i]);
		int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
		EQ(write(fd, "xxxxxxxx", (size_t)i + 1), i + 1);
		close(fd);
	}
	crowd(CROWD, rename_around, others, 2);
	for (int i = 0; i < 2 * NAMES; i++) {
		sprintf(path, "%c/%s", "xy"[i / NAMES], names[i % NAMES]);
		if (!stat(path, &st)) {
			CHECK(!(sizes & 1u << st.st_size));
			sizes |= 1u << st.st_size;
			EQ(unlink(path), 0);
		}
	}
	EQ(sizes, (1u << (NAMES + 1)) - 2);
}
BOTH(names)

/* Directories are renamed over one that is empty at times: what was made in it is never lost. */
static void make_inside(int i)
{
	char path[20];

	sprintf(path, "there/%d", i);
	for (int n = 0; n < 300; n++) {
		int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
		if (fd < 0) {
			EQ(errno, ENOENT);
			continue;
		}
		close(fd);
		EQ(unlink(path), 0);
	}
}

static void replace_directory(int i)
{
	char path[20];

	sprintf(path, "new %d", i);
	while (!stopped()) {
		if (mkdir(path, 0700))
			EQ(errno, EEXIST);
		if (rename(path, "there") && errno != ENOTEMPTY && errno != EEXIST)
			FAIL("rename: %s", strerror(errno));
	}
}

static void remove_directory(int i)
{
	(void)i;
	while (!stopped())
		if (rmdir("there") && errno != ENOTEMPTY && errno != ENOENT && errno != EEXIST)
			FAIL("rmdir: %s", strerror(errno));
}

static void run_directories(void)
{
	static void (*const others[])(int) = { replace_directory, replace_directory, remove_directory };
	NEED(!mkdir("there", 0700));
	crowd(CROWD, make_inside, others, 3);
}
BOTH(directories)

/* A directory goes below another, and that one below it: one of both is too late. */
static void move_below(int i)
{
	for (int n = 0; n < 200; n++) {
		if (rename(i % 2 ? "p" : "q", i % 2 ? "q/in" : "p/in") && errno != ENOENT && errno != EINVAL && errno != ENOTEMPTY && errno != EEXIST)
			FAIL("rename: %s", strerror(errno));
		if (rename(i % 2 ? "q/in" : "p/in", i % 2 ? "p" : "q") && errno != ENOENT && errno != EINVAL && errno != ENOTEMPTY && errno != EEXIST && errno != ENOTDIR)
			FAIL("rename back: %s", strerror(errno));
	}
}

static void run_ancestors(void)
{
	NEED(!mkdir("p", 0700) && !mkdir("q", 0700));
	crowd(CROWD, move_below, NULL, 0);
	rename("p/in", "q");
	rename("q/in", "p");
	rmdir("p/in/in");
	rmdir("q/in/in");
	rmdir("p/in");
	rmdir("q/in");
}
BOTH(ancestors)

/* A file that has lost its last name gets no other: link(2) comes before, or fails. */
static void make_and_unlink(int i)
{
	(void)i;
	for (int n = 0; n < 300; n++) {
		struct stat st;
		int fd = open("one", O_CREAT | O_RDWR, 0600);
		NEED(fd >= 0);
		if (unlink("one"))
			EQ(errno, ENOENT);
		EQ(fstat(fd, &st), 0);
		CHECK(st.st_nlink <= CROWD + 1);
		close(fd);
	}
}

static void link_again(int i)
{
	char path[20];

	sprintf(path, "other %d", i);
	while (!stopped()) {
		if (link("one", path)) {
			EQ(errno, ENOENT);
			continue;
		}
		struct stat st;
		EQ(stat(path, &st), 0);
		CHECK(st.st_nlink >= 1);
		EQ(unlink(path), 0);
	}
}

TEST(links)
{
	static void (*const others[])(int) = { link_again, link_again };
	enter_folder("/tmp");
	crowd(2, make_and_unlink, others, 2);
	leave_folder();
}

/* ---- contents that are replaced, removed and forgotten -------------------------------------------------------------------------- */

enum { CONTENTS = 9000 };

static void replace_contents(int i)
{
	static char bytes[CONTENTS];
	unsigned seed = (unsigned)i;
	char path[20];

	sprintf(path, "new %d", i);
	for (int n = 0; n < 100; n++) {
		const char *name = names[next_random(&seed) % 3];
		int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
		NEED(fd >= 0);
		memset(bytes, 'A' + n % 26, sizeof bytes);
		EQ(write(fd, bytes, sizeof bytes), sizeof bytes);
		close(fd);
		EQ(rename(path, name), 0);
		if (n % 5 == 4 && unlink(names[next_random(&seed) % 3]))
			EQ(errno, ENOENT);
	}
}

/* By read or by mapping: all of one writer, whatever has become of the name meanwhile. */
static void read_contents(int i)
{
	static char bytes[CONTENTS];
	unsigned seed = (unsigned)i;

	while (!stopped()) {
		int fd = open(names[next_random(&seed) % 3], O_RDONLY);
		if (fd < 0) {
			EQ(errno, ENOENT);
			continue;
		}
		char *at = bytes, *map = MAP_FAILED;
		if (next_random(&seed) % 2)
			EQ(read(fd, bytes, sizeof bytes), sizeof bytes);
		else
			at = map = mmap(NULL, sizeof bytes, PROT_READ, next_random(&seed) % 2 ? MAP_SHARED : MAP_PRIVATE, fd, 0);
		NEED(at != MAP_FAILED);
		close(fd);
		for (size_t k = 1; k < sizeof bytes; k++)
			NEED(at[k] == at[0]);
		if (map != MAP_FAILED)
			munmap(map, sizeof bytes);
	}
}

/* What nobody has open is forgotten, now and now. */
static void forget(int i)
{
	(void)i;
	while (!stopped()) {
		int fd = on_faultline() ? open("/proc/sys/vm/drop_caches", O_WRONLY) : -1;
		if (fd < 0) {
			sleep_ms(1);
			continue;
		}
		EQ(write(fd, "3", 1), 1);
		close(fd);
	}
}

static void run_contents(void)
{
	static void (*const others[])(int) = { read_contents, read_contents, forget };
	crowd(3, replace_contents, others, 3);
}
BOTH(contents)

/* ---- locks ---------------------------------------------------------------------------------------------------------------------- */

static void count_up(int fd, int whole)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 4, .l_len = 4 };
	int n = 0;

	EQ(whole ? flock(fd, LOCK_EX) : fcntl(fd, F_SETLKW, &l), 0);
	EQ(pread(fd, &n, sizeof n, 4), sizeof n);
	n++;
	EQ(pwrite(fd, &n, sizeof n, 4), sizeof n);
	l.l_type = F_UNLCK;
	EQ(whole ? flock(fd, LOCK_UN) : fcntl(fd, F_SETLK, &l), 0);
}

static void count_with_records(int i)
{
	int fd = open("counter", O_RDWR);
	(void)i;
	for (int n = 0; n < 150; n++)
		count_up(fd, 0);
}

static void count_with_flock(int i)
{
	(void)i;
	for (int n = 0; n < 150; n++) {
		int fd = open("counter", O_RDWR);
		count_up(fd, 1);
		close(fd);
	}
}

TEST(locks)
{
	enter_folder("/tmp");
	for (int how = 0; how < 2; how++) {
		int fd = open("counter", O_CREAT | O_TRUNC | O_RDWR, 0600), n = -1;
		EQ(ftruncate(fd, 8), 0);
		crowd(CROWD, how ? count_with_flock : count_with_records, NULL, 0);
		EQ(pread(fd, &n, sizeof n, 4), sizeof n);
		EQ(n, CROWD * 150);
		close(fd);
	}
	leave_folder();
}

/* ---- pipes ----------------------------------------------------------------------------------------------------------------------- */

static int ends[2];

static void write_records(int i)
{
	close(ends[0]);
	append_records(ends[1], i);
}

/* Reads as many records as there are until all writers have gone. */
static void poll_records(int i)
{
	struct pollfd p = { .fd = ends[0], .events = POLLIN };
	struct record r;

	(void)i;
	close(ends[1]);
	for (;;) {
		EQ(poll(&p, 1, -1), 1);
		ssize_t n = read(ends[0], &r, sizeof r);
		if (n < 0 && errno == EAGAIN)
			continue;
		if (n == 0)
			break;
		NEED(n == sizeof r && r.who >= 0 && r.who < CROWD);
		for (size_t k = 0; k < sizeof r.filler; k++)
			NEED(r.filler[k] == 'a' + r.who);
		__atomic_add_fetch(&shared->counts[r.who], 1, __ATOMIC_SEQ_CST);
	}
}

static void run_pipe(int i) { (i < CROWD ? write_records : poll_records)(i); }

TEST(pipes)
{
	shared = map_anon(sizeof *shared, MAP_SHARED);
	NEED(!pipe2(ends, 0));
	EQ(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	pid_t pids[CROWD + 3];
	for (int i = 0; i < CROWD + 3; i++)
		pids[i] = start(run_pipe, i, CROWD + 3);
	close(ends[0]);
	close(ends[1]);
	for (int i = 0; i < CROWD + 3; i++)
		EQ(wait_status(pids[i]), 0);
	for (int i = 0; i < CROWD; i++)
		EQ(shared->counts[i], RECORDS);
}

/* Each open waits for the other side, which may have come and gone by then; what was written to a reader that goes may be lost. */
static void write_fifo(int i)
{
	(void)i;
	signal(SIGPIPE, SIG_IGN);
	while (!stopped()) {
		int fd = open("fifo", O_WRONLY);
		NEED(fd >= 0);
		if (write(fd, "x", 1) < 0)
			EQ(errno, EPIPE);
		close(fd);
	}
	__atomic_store_n(&shared->counts[0], 1, __ATOMIC_SEQ_CST);
}

static void read_fifo(int i)
{
	char bytes[8];
	(void)i;
	for (ssize_t n, all = 0; all < 300;) {
		int fd = open("fifo", O_RDONLY);
		NEED(fd >= 0);
		while ((n = read(fd, bytes, sizeof bytes)) > 0)
			all += n;
		EQ(n, 0);
		close(fd);
	}
	__atomic_store_n(&shared->stop, 1, __ATOMIC_SEQ_CST);
	int fd = open("fifo", O_RDONLY | O_NONBLOCK);		/* lets a last open go on */
	while (!__atomic_load_n(&shared->counts[0], __ATOMIC_SEQ_CST))
		sched_yield();
	close(fd);
}

static void run_fifo(int i) { (i ? write_fifo : read_fifo)(i); }

TEST(fifos)
{
	enter_folder("/tmp");
	NEED(!mkfifo("fifo", 0600));
	crowd(2, run_fifo, NULL, 0);
	leave_folder();
}

/* ---- /proc, while descriptors come and go ------------------------------------------------------------------------------------------ */

static void make_pipes(int i)
{
	int fds[2];

	(void)i;
	for (int n = 0; n < 400; n++) {
		NEED(!pipe2(fds, 0));
		close(fds[n & 1]);
		close(fds[!(n & 1)]);
	}
}

static void look_at_descriptors(int i)
{
	char path[300], text[64];

	(void)i;
	while (!stopped())
		for (int child = getpid() - CROWD - 1; child < getpid(); child++) {
			snprintf(path, sizeof path, "/proc/%d/fd", child);
			DIR *d = opendir(path);
			struct dirent *e;
			while (d && (e = readdir(d))) {
				snprintf(path, sizeof path, "/proc/%d/fd/%s", child, e->d_name);
				if (e->d_name[0] != '.' && readlink(path, text, sizeof text) < 0)
					CHECK(errno == ENOENT || errno == EACCES);
			}
			if (d)
				closedir(d);
		}
}

static void look_at_memory(int i)
{
	static const char *const files[] = { "/proc/meminfo", "/proc/vmstat", "/proc/self/maps", "/proc/self/status", "/proc/stat" };
	char text[4096];

	while (!stopped()) {
		int fd = open(files[i++ % 5], O_RDONLY);
		NEED(fd >= 0);
		CHECK(read(fd, text, sizeof text) > 0);
		close(fd);
	}
}

TEST(proc)
{
	static void (*const others[])(int) = { look_at_descriptors, look_at_memory };
	shared = map_anon(sizeof *shared, MAP_SHARED);
	crowd(CROWD, make_pipes, others, 2);
}

/* ---- memory that is shared --------------------------------------------------------------------------------------------------------- */

static void attach_and_detach(int i)
{
	(void)i;
	for (int n = 0; n < 200; n++) {
		int id = shmget(0x5106, 3 * PAGE, IPC_CREAT | 0600);
		NEED(id >= 0);
		int *at = shmat(id, NULL, 0);
		if (at == (void *)-1) {
			CHECK(errno == EINVAL || errno == EIDRM);
			continue;
		}
		__atomic_add_fetch(at, 1, __ATOMIC_SEQ_CST);
		if (n % 8 == 7 && shmctl(id, IPC_RMID, NULL))
			CHECK(errno == EINVAL || errno == EIDRM);
		EQ(shmdt(at), 0);
	}
}

TEST(segments)
{
	shared = map_anon(sizeof *shared, MAP_SHARED);
	crowd(CROWD, attach_and_detach, NULL, 0);
	int id = shmget(0x5106, 0, 0);
	if (id >= 0)
		EQ(shmctl(id, IPC_RMID, NULL), 0);
	FAILS(shmget(0x5106, 0, 0), ENOENT);
}

/* In each round one maps a file to write it while the other seals it: not both succeed. */
enum { SEAL_ROUNDS = 150 };
static int sealed_fds[SEAL_ROUNDS];

static void in_step(int round)
{
	__atomic_add_fetch(&shared->turn, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&shared->turn, __ATOMIC_SEQ_CST) < 2 * (unsigned)round)
		sched_yield();
}

static void map_or_seal(int i)
{
	for (int round = 0; round < SEAL_ROUNDS; round++) {
		int fd = sealed_fds[round], other = 0;
		void *p = MAP_FAILED;
		in_step(2 * round + 1);
		if (i)
			shared->counts[1] = fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == 0;
		else
			shared->counts[0] = (p = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0)) != MAP_FAILED;
		in_step(2 * round + 2);
		other = shared->counts[!i];
		if (shared->counts[i] && other)
			FAIL("mapped for writing, and sealed");
		if (p != MAP_FAILED)
			munmap(p, PAGE);
	}
}

TEST(seals)
{
	shared = map_anon(sizeof *shared, MAP_SHARED);
	for (int i = 0; i < SEAL_ROUNDS; i++) {
		sealed_fds[i] = memfd_create("sealed", MFD_ALLOW_SEALING);
		NEED(sealed_fds[i] >= 0);
		EQ(ftruncate(sealed_fds[i], PAGE), 0);
	}
	crowd(2, map_or_seal, NULL, 0);
}

/* ---- one table of descriptors for several threads ------------------------------------------------------------------------------------ */

enum { LOW = 100, SHARED_FDS = 16 };

/* Descriptors from LOW on are everybody's; those below belong to who has opened them. */
static void *use_table(void *arg)
{
	unsigned seed = (unsigned)(intptr_t)arg + 1;
	int fds[2], any;
	char name[20], byte;
	struct stat mine, st;

	sprintf(name, "file %d", (int)(intptr_t)arg);
	wait_for_all(CROWD);
	for (int n = 0; n < 400; n++) {
		int fd = open(name, O_CREAT | O_RDWR, 0600);
		if (fd < 0 || fstat(fd, &mine)) {
			FAIL("open: %s", strerror(errno));
			break;
		}
		any = LOW + (int)(next_random(&seed) % SHARED_FDS);
		EQ(dup2(fd, any), any);
		any = LOW + (int)(next_random(&seed) % SHARED_FDS);
		if (close(any))
			EQ(errno, EBADF);
		any = LOW + (int)(next_random(&seed) % SHARED_FDS);
		if (write(any, "x", 1) < 0)
			EQ(errno, EBADF);
		if (fcntl(any, F_SETFD, FD_CLOEXEC))
			EQ(errno, EBADF);
		struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };
		if (fcntl(any, F_SETLK, &l))
			EQ(errno, EBADF);
		EQ(pipe2(fds, O_NONBLOCK), 0);
		EQ(write(fds[1], "y", 1), 1);
		struct pollfd p[3] = { { .fd = any, .events = POLLIN }, { .fd = fds[0], .events = POLLIN }, { .fd = fd, .events = POLLOUT } };
		CHECK(poll(p, 3, 0) >= 2);
		EQ(read(fds[0], &byte, 1), 1);
		close(fds[0]);
		close(fds[1]);
		EQ(fstat(fd, &st), 0);
		EQ(st.st_ino, mine.st_ino);
		EQ(close(fd), 0);
	}
	return NULL;
}

static int open_descriptors(void)
{
	int n = 0;
	for (int fd = 0; fd < 2 * LOW; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

TEST(threads_and_descriptors)
{
	int before = open_descriptors();

	need_threads();
	enter_folder("/tmp");
	threads(CROWD, use_table);
	for (int fd = LOW; fd < LOW + SHARED_FDS; fd++)
		close(fd);
	EQ(open_descriptors(), before);
	leave_folder();
}

/* A read waits for a pipe that another thread closes and uses again: it keeps what it began with. */
static void *close_under_reader(void *arg)
{
	static int fds[2], old;
	static volatile int reads;
	char byte = 0;

	if (!arg && pipe2(fds, 0))
		FAIL("pipe2: %s", strerror(errno));
	wait_for_all(2);
	if (!arg) {
		reads = 1;
		EQ(read(fds[0], &byte, 1), 1);
		EQ(byte, 'z');
		return NULL;
	}
	while (!reads)
		sleep_ms(1);
	sleep_ms(300);				/* by then it is in the call */
	old = fds[0];
	int null = open("/dev/null", O_RDONLY);
	EQ(dup2(null, old), old);
	EQ(write(fds[1], "z", 1), 1);
	close(null);
	close(old);
	close(fds[1]);
	return NULL;
}

TEST(threads_close_what_is_read)
{
	need_threads();
	enter_folder("/tmp");
	threads(2, close_under_reader);
	leave_folder();
}

/* The place where a process stands moves under the feet of its threads. */
static void *change_place(void *arg)
{
	char path[100], byte = 0;
	int i = (int)(intptr_t)arg;

	wait_for_all(CROWD);
	for (int n = 0; n < 400; n++) {
		if (i < 2) {
			EQ(chdir(n % 2 ? "/tmp/filestorm/x" : "/tmp/filestorm/y"), 0);
			continue;
		}
		int fd = open("here", O_RDONLY);
		if (fd < 0 || read(fd, &byte, 1) != 1 || (byte != 'x' && byte != 'y'))
			FAIL("open: %s, '%c'", strerror(errno), byte);
		close(fd);
		CHECK(getcwd(path, sizeof path) && !strncmp(path, "/tmp/filestorm/", 15) && strlen(path) == 16);
	}
	return NULL;
}

TEST(threads_and_cwd)
{
	need_threads();
	enter_folder("/tmp");
	for (const char *d = "xy"; *d; d++) {
		char path[] = { *d, '/', 'h', 'e', 'r', 'e', 0 }, folder[] = { *d, 0 };
		NEED(!mkdir(folder, 0700));
		int fd = open(path, O_CREAT | O_WRONLY, 0600);
		EQ(write(fd, d, 1), 1);
		close(fd);
	}
	NEED(!chdir("x"));
	threads(CROWD, change_place);
	NEED(!chdir("/tmp/filestorm"));
	unlink("x/here");
	unlink("y/here");
	leave_folder();
}
