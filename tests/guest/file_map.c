/* tests/guest/file_map.c - mapped files: the end of the file, coherence with read, and that nothing is read ahead of need. */
#define TAP_OWN_MAIN
#include "tap.h"

#define BIG_FILE "/host/big"		/* 32 MiB, made by `file_map --make FILE` on the host and brought along */
enum { BIG_SIZE = 32 << 20, WINDOW_PAGES = 16 };

/* A file in /tmp with this many bytes of a pattern. */
static int make_file(const char *name, size_t size)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	unsigned char block[PAGE];

	NEED(fd >= 0);
	for (size_t at = 0; at < size; at += sizeof block) {
		size_t n = size - at < sizeof block ? size - at : sizeof block;
		for (size_t i = 0; i < n; i++)
			block[i] = (unsigned char)((at + i) * 7 + (at >> 12) + 1);
		NEED(write(fd, block, n) == (ssize_t)n);
	}
	NEED(!unlink(name));
	return fd;
}

TEST(beyond_the_end)
{
	enum { SIZE = 2 * PAGE + 100 };
	int fd = make_file("/tmp/map-end", SIZE);
	volatile unsigned char *p = mmap(NULL, 5 * PAGE, RW, MAP_PRIVATE, fd, 0);

	NEED(p != MAP_FAILED);
	for (int i = 0; i < SIZE; i++)
		NEED(p[i] == (unsigned char)(i * 7 + (i >> 12) + 1));
	for (int i = SIZE; i < 3 * PAGE; i++)
		NEED(p[i] == 0);
	REFUSED((void)p[3 * PAGE], SIGBUS, BUS_ADRERR, p + 3 * PAGE);
	REFUSED((void)p[4 * PAGE + 77], SIGBUS, BUS_ADRERR, p + 4 * PAGE + 77);
	REFUSED(p[3 * PAGE + 1] = 1, SIGBUS, BUS_ADRERR, p + 3 * PAGE + 1);
	EQ(mprotect((void *)(p + 3 * PAGE), PAGE, PROT_NONE), 0);
	REFUSED((void)p[3 * PAGE], SIGSEGV, SEGV_ACCERR, p + 3 * PAGE);
	FAILS(write(1, (void *)(p + 4 * PAGE), 1), EFAULT);
}

TEST(image_file_beyond_its_end)
{
	struct stat st;
	unsigned char bytes[PAGE];
	int fd = open("/bin/busybox", O_RDONLY);

	NEED(fd >= 0 && !fstat(fd, &st));
	off_t last = (st.st_size - 1) / PAGE * PAGE;
	volatile unsigned char *p = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, last);
	NEED(p != MAP_FAILED);
	ssize_t n = pread(fd, bytes, PAGE, last);
	EQ(n, st.st_size - last);
	for (int i = 0; i < PAGE; i++)
		NEED(p[i] == (i < n ? bytes[i] : 0));
	REFUSED((void)p[PAGE], SIGBUS, BUS_ADRERR, p + PAGE);
}

TEST(writes_are_seen_by_mappings)
{
	int fd = make_file("/tmp/map-coherent", 4 * PAGE);
	char *a = mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, fd, 0), *b = mmap(NULL, 4 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0), byte;

	NEED(a != MAP_FAILED && b != MAP_FAILED);
	(void)*(volatile char *)a;
	EQ(pwrite(fd, "hello", 5, 2 * PAGE + 10), 5);
	CHECK(!memcmp(a + 2 * PAGE + 10, "hello", 5));
	CHECK(!memcmp(b + 2 * PAGE + 10, "hello", 5));
	EQ(pwrite(fd, "world", 5, 2 * PAGE + 10), 5);
	CHECK(!memcmp(a + 2 * PAGE + 10, "world", 5));
	char *c = mmap(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0);
	if (c == MAP_FAILED)
		return;
	c[PAGE] = 'Z';
	EQ(pread(fd, &byte, 1, PAGE), 1);
	EQ(byte, 'Z');
	CHECK(a[PAGE] == 'Z');
}

/* read() into a mapping of the same file must not lock itself out. */
TEST(read_into_its_own_mapping)
{
	int fd = make_file("/tmp/map-self", 8 * PAGE);
	unsigned char *p = mmap(NULL, 8 * PAGE, RW, MAP_PRIVATE, fd, 0);

	NEED(p != MAP_FAILED);
	EQ(pread(fd, p, 4 * PAGE, 4 * PAGE), 4 * PAGE);
	for (int i = 0; i < 4 * PAGE; i++)
		NEED(p[i] == (unsigned char)((i + 4 * PAGE) * 7 + (i >> 12) + 4 + 1));
	int image = open("/bin/busybox", O_RDONLY);
	unsigned char *q = mmap(NULL, 8 * PAGE, RW, MAP_PRIVATE, image, 0), right[PAGE];
	EQ(pread(image, right, PAGE, 5 * PAGE), PAGE);
	EQ(pread(image, q + PAGE, PAGE, 5 * PAGE), PAGE);
	CHECK(!memcmp(q + PAGE, right, PAGE));
	/* write() from a mapping of the file that is written */
	EQ(pwrite(fd, mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 3 * PAGE), PAGE, 0), PAGE);
}

TEST(truncated_under_the_mapping)
{
	int fd = make_file("/tmp/map-cut", 4 * PAGE);
	volatile char *p = mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE, fd, 0);

	NEED(p != MAP_FAILED);
	for (int i = 0; i < 4; i++)
		(void)p[i * PAGE];
	EQ(ftruncate(fd, PAGE + 10), 0);
	(void)p[PAGE];
	CHECK(p[PAGE + 10] == 0);
	REFUSED((void)p[2 * PAGE], SIGBUS, BUS_ADRERR, p + 2 * PAGE);
	EQ(ftruncate(fd, 4 * PAGE), 0);
	CHECK(p[2 * PAGE] == 0);
}

TEST(mapping_outlives_the_file)
{
	int fd = make_file("/tmp/map-outlive", 2 * PAGE);
	unsigned char *p = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);

	NEED(p != MAP_FAILED);
	close(fd);
	for (int i = 0; i < 2 * PAGE; i++)
		NEED(p[i] == (unsigned char)(i * 7 + (i >> 12) + 1));
}

static unsigned char big_byte(long i)
{
	return (unsigned char)(i >> 12 ^ i >> 20 ^ i);
}

/* Three pages of 32 MiB are touched: three file faults, and no more of the file comes into memory than the windows around them. */
FAULTLINE_TEST(a_big_file_costs_what_is_touched)
{
	static const long pages[] = { 100, 4000, 8000 };
	struct faultstat before, after, system_before, system_after;
	struct vmcheck a, b;
	struct stat st;
	int fd = open(BIG_FILE, O_RDONLY);

	if (fd < 0)
		SKIP("there is no " BIG_FILE);
	NEED(!fstat(fd, &st));
	EQ(st.st_size, BIG_SIZE);
	syscall(SYS_faultstat, FAULTSTAT_SYSTEM, 0, &system_before, sizeof system_before);
	tap_vmcheck(&a);
	volatile unsigned char *p = mmap(NULL, BIG_SIZE, PROT_READ, MAP_PRIVATE, fd, 0);
	NEED(p != MAP_FAILED);
	tap_vmcheck(&b);
	CHECK(a.free_frames - b.free_frames < 4);
	EQ(b.object_frames, a.object_frames);
	faults_now(&before);
	int right = 0;
	for (int i = 0; i < 3; i++)
		right += p[pages[i] * PAGE + 5] == big_byte(pages[i] * PAGE + 5);
	faults_now(&after);
	EQ(right, 3);
	EQ(after.count[FAULT_FILE_MINOR] + after.count[FAULT_FILE_MAJOR] - before.count[FAULT_FILE_MINOR] - before.count[FAULT_FILE_MAJOR], 3);
	tap_vmcheck(&b);
	CHECK(b.object_frames - a.object_frames <= 3 * WINDOW_PAGES);
	CHECK(a.free_frames - b.free_frames <= 3 * WINDOW_PAGES + 12);
	syscall(SYS_faultstat, FAULTSTAT_SYSTEM, 0, &system_after, sizeof system_after);
	CHECK(system_after.pages_read - system_before.pages_read <= 3 * WINDOW_PAGES);
	CHECK(after.neighbours - before.neighbours <= 3 * (WINDOW_PAGES - 1));
}

TEST(a_big_file_reads_right)
{
	int fd = open(BIG_FILE, O_RDONLY);
	static unsigned char buffer[65536];

	if (fd < 0)
		SKIP("there is no " BIG_FILE);
	for (long at = 0; at < 4 << 20; at += sizeof buffer) {
		NEED(read(fd, buffer, sizeof buffer) == sizeof buffer);
		for (unsigned i = 0; i < sizeof buffer; i++)
			NEED(buffer[i] == big_byte(at + i));
	}
	volatile unsigned char *p = mmap(NULL, BIG_SIZE, PROT_READ, MAP_PRIVATE, fd, 0);
	NEED(p != MAP_FAILED);
	for (long i = BIG_SIZE - PAGE; i > 0; i -= 97 * PAGE)
		NEED(p[i + 17] == big_byte(i + 17));
}

/* Pages that are cached are mapped together: reading 64 pages in a row takes few faults the second time. */
FAULTLINE_TEST(neighbours_are_mapped)
{
	int fd = open("/bin/busybox", O_RDONLY);
	struct faultstat before, after;

	for (int round = 0; round < 2; round++) {
		volatile char *p = mmap(NULL, 64 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
		NEED(p != MAP_FAILED);
		faults_now(&before);
		for (int i = 0; i < 64; i++)
			(void)p[i * PAGE];
		faults_now(&after);
		EQ(munmap((void *)p, 64 * PAGE), 0);
	}
	long faults = (long)(after.count[FAULT_FILE_MINOR] - before.count[FAULT_FILE_MINOR]);
	CHECK(faults >= 4 && faults <= 5);
	EQ(after.neighbours - before.neighbours, 64 - faults);
	EQ(after.count[FAULT_FILE_MAJOR], before.count[FAULT_FILE_MAJOR]);
}

static int make_big(const char *name)
{
	static unsigned char bytes[BIG_SIZE];
	FILE *f = fopen(name, "w");

	for (long i = 0; i < BIG_SIZE; i++)
		bytes[i] = big_byte(i);
	return !f || fwrite(bytes, BIG_SIZE, 1, f) != 1 || fclose(f);
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "--make"))
		return make_big(argv[2]);
	return tap_main(argc, argv);
}
