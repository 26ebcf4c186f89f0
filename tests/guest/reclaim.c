/*
 * tests/guest/reclaim.c - files that are larger than memory: mapped, read, by several at once, and programs started meanwhile.
 *
 * Meant for the packed image, of which every page in use is a copy: /host/large has several times the memory that is free on a machine of 64 MiB.  Its lines
 * have 16 bytes and say their number (guest.mk).  Nobody is killed: clean pages make room.
 */
#include "tap.h"
#include <sys/mount.h>

enum { LINE = 16, LINES = PAGE / LINE };
#define CASE(name) TEST_FLAGS(name, TAP_RECLAIMS)
static int file;
static unsigned long npages;

static void need_large(void)
{
	file = open("/host/large", O_RDONLY);
	if (file < 0)
		SKIP("needs /host/large");
	npages = (unsigned long)lseek(file, 0, SEEK_END) / PAGE;
}

/* Page i of the file, if it is right. */
static int is_right(const char *page, unsigned long i)
{
	return strtoul(page, NULL, 10) == i * LINES && strtoul(page + PAGE - LINE, NULL, 10) == (i + 1) * LINES - 1;
}

static const char *map_large(int prot, int flags)
{
	const char *p = mmap(NULL, npages * PAGE, prot, flags, file, 0);
	NEED(p != MAP_FAILED);
	return p;
}

static unsigned long next_random(unsigned long *state)
{
	*state = *state * 6364136223846793005ul + 1442695040888963407ul;
	return *state >> 33;
}

static void in_order(const char *p)
{
	for (unsigned long i = 0; i < npages; i++)
		NEED(is_right(p + i * PAGE, i));
}

static void at_random(const char *p, unsigned long seed)
{
	for (unsigned long n = 0; n < npages; n++) {
		unsigned long i = next_random(&seed) % npages;
		NEED(is_right(p + i * PAGE, i));
	}
}

static void by_read(unsigned long seed)
{
	static char page[PAGE + 1];

	for (unsigned long n = 0; n < npages; n++) {
		unsigned long i = seed ? next_random(&seed) % npages : n;
		NEED(pread(file, page, PAGE, (off_t)(i * PAGE)) == PAGE && is_right(page, i));
	}
}

/* Starts a child that runs the statement; all of them are waited for by the_children_are_well. */
#define MEANWHILE(statement) do { fflush(stdout); pid_t pid_ = fork(); NEED(pid_ >= 0); if (!pid_) { statement; fflush(stdout); _exit(tap_failures); } } while (0)
static void the_children_are_well(void)
{
	int status;

	while (wait(&status) > 0)
		EQ(status, 0);
	EQ(errno, ECHILD);
}

CASE(mapped_shared)
{
	need_large();
	const char *p = map_large(PROT_READ, MAP_SHARED);
	in_order(p);
	in_order(p);
	at_random(p, 1);
}

CASE(mapped_private)
{
	need_large();
	const char *p = map_large(PROT_READ, MAP_PRIVATE);
	in_order(p);
	at_random(p, 2);
}

CASE(private_copies_stay)
{
	enum { STEP = 64 };
	need_large();
	char *p = (char *)map_large(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE);
	for (unsigned long i = 0; i < npages; i += STEP)
		memset(p + i * PAGE, 'x', PAGE);
	in_order(map_large(PROT_READ, MAP_SHARED));
	for (unsigned long i = 0; i < npages; i++)
		NEED(i % STEP ? is_right(p + i * PAGE, i) : p[i * PAGE] == 'x' && p[i * PAGE + PAGE - 1] == 'x');
}

/* The byte after the first number of page i. */
static char *mark(char *p, unsigned long i)
{
	return p + i * PAGE + LINE - 1;
}

/* What is written through a mapping, or by write(), and has gone to make room, comes back as it was written. */
CASE(dirty_pages_are_written_back)
{
	need_large();
	int writable = open("/host/large", O_RDWR);
	NEED(writable >= 0);
	char *p = mmap(NULL, npages * PAGE, RW, MAP_SHARED, writable, 0);
	NEED(p != MAP_FAILED);
	for (unsigned long i = 0; i < npages; i++)
		if (i % 3 == 0)
			NEED(pwrite(writable, "w", 1, (off_t)(i * PAGE + LINE - 1)) == 1);
		else
			*mark(p, i) = 'x';
	by_read(6);
	for (unsigned long i = 0; i < npages; i++) {
		NEED(*mark(p, i) == (i % 3 == 0 ? 'w' : 'x') && is_right(p + i * PAGE, i));
		*mark(p, i) = '\n';
	}
	EQ(msync(p, npages * PAGE, MS_SYNC), 0);
	in_order(p);
}

CASE(read_in_order_and_at_random)
{
	need_large();
	by_read(0);
	by_read(3);
}

CASE(two_at_once)
{
	need_large();
	MEANWHILE(in_order(map_large(PROT_READ, MAP_SHARED)));
	MEANWHILE(at_random(map_large(PROT_READ, MAP_PRIVATE), 4));
	the_children_are_well();
	MEANWHILE(by_read(5));
	MEANWHILE(in_order(map_large(PROT_READ, MAP_SHARED)); in_order(map_large(PROT_READ, MAP_PRIVATE)));
	the_children_are_well();
}

/* The same mappings in many processes: a page leaves all of them. */
CASE(inherited_by_many)
{
	need_large();
	const char *p = map_large(PROT_READ, MAP_SHARED);
	in_order(p);
	for (int i = 0; i < 8; i++)
		MEANWHILE(at_random(p, 10 + i));
	the_children_are_well();
}

CASE(programs_start_meanwhile)
{
	int status;

	need_large();
	fflush(stdout);
	pid_t busy = fork();
	NEED(busy >= 0);
	if (!busy)
		for (const char *p = map_large(PROT_READ, MAP_SHARED);;)
			at_random(p, 20);
	for (int i = 0; i < 30; i++) {
		CHILD(status)
			execl("/bin/busybox", "true", NULL);
		EQ(status, 0);
		CHILD(status)
			execl("/bin/busybox", "sh", "-c", "i=0; while [ $i -lt 20 ]; do i=$((i + 1)); done; [ $i = 20 ]", NULL);
		EQ(status, 0);
		EQ(waitpid(busy, &status, WNOHANG), 0);
	}
	kill(busy, SIGKILL);
	EQ(wait_status(busy), SIGKILL);
}

/* The number behind a name in a file of /proc. */
static unsigned long proc(const char *path, const char *name)
{
	char line[100];
	unsigned long value = 0;
	FILE *f = fopen(path, "r");

	NEED(f);
	while (fgets(line, sizeof line, f))
		if (!strncmp(line, name, strlen(name)) && strchr(" :", line[strlen(name)]))
			value = strtoul(line + strlen(name) + 1, NULL, 10);
	fclose(f);
	return value;
}

/* All that is free and all that clean pages hold can be had for private memory. */
CASE(clean_pages_make_room_for_private_memory)
{
	need_large();
	size_t size = proc("/proc/meminfo", "MemAvailable") * 1024 / 4 * 3;
	in_order(map_large(PROT_READ, MAP_SHARED));
	CHECK(proc("/proc/meminfo", "MemFree") * 1024 < size);
	char *p = map_anon(size, MAP_PRIVATE);
	for (size_t i = 0; i < size; i += PAGE)
		p[i] = 1;
}

/* And for the kernel's own: here names and files that are empty, made by calls that touch no page. */
CASE(clean_pages_make_room_for_the_kernel)
{
	enum { FILES = 1500 };
	char name[64];

	need_large();
	in_order(map_large(PROT_READ, MAP_SHARED));
	CHECK(proc("/proc/meminfo", "MemFree") < 2000);
	EQ(mount("tmpfs", "/tmp", "tmpfs", MS_REMOUNT, "nr_inodes=4000"), 0);	/* the memory that the image leaves allows fewer */
	int made;
	for (made = 0; made < FILES; made++) {
		sprintf(name, "/tmp/reclaim.%d", made);
		int fd = open(name, O_CREAT | O_RDWR, 0600);
		if (fd < 0 || close(fd))
			break;
	}
	EQ(made, FILES);
	while (made-- > 0) {
		sprintf(name, "/tmp/reclaim.%d", made);
		EQ(unlink(name), 0);
	}
}

TEST_FLAGS(the_counters_tell, TAP_FAULTLINE | TAP_RECLAIMS)
{
	const char *vmstat = "/proc/vmstat";

	need_large();
	unsigned long scanned = proc(vmstat, "pgscan_direct"), stolen = proc(vmstat, "pgsteal_direct"), read_kb = proc(vmstat, "pgpgin");
	by_read(0);
	CHECK(proc(vmstat, "pgpgin") - read_kb >= npages / 2 * (PAGE / 1024));
	CHECK(proc(vmstat, "pgsteal_direct") - stolen >= npages / 4);
	CHECK(proc(vmstat, "pgscan_direct") - scanned >= proc(vmstat, "pgsteal_direct") - stolen);
}
