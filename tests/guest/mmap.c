/* tests/guest/mmap.c - mmap, munmap, mprotect, brk: where things go, what is split, what is refused. */
#include "tap.h"

static char *reserve(long pages)
{
	char *p = mmap(NULL, (size_t)pages * PAGE, PROT_NONE, ANON, -1, 0);
	NEED(p != MAP_FAILED);
	return p;
}

static int a_file(void)
{
	int fd = open("/proc/self/exe", O_RDONLY);
	NEED(fd >= 0);
	return fd;
}

TEST(arguments_of_mmap)
{
	int fd = a_file(), write_only = open("/tmp/mmap-wo", O_WRONLY | O_CREAT, 0600), ends[2];

	NEED(!pipe(ends));
	FAILS(mmap(NULL, 0, RW, ANON, -1, 0), EINVAL);
	FAILS(mmap(NULL, PAGE, RW, MAP_ANONYMOUS, -1, 0), EINVAL);
	FAILS(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 1), EINVAL);
	FAILS(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, 999, 0), EBADF);
	FAILS(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, -1, 0), EBADF);
	FAILS(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, write_only, 0), EACCES);
	FAILS(mmap(NULL, PAGE, PROT_WRITE, MAP_PRIVATE, write_only, 0), EACCES);
	FAILS(mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0), EACCES);
	FAILS(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, ends[0], 0), ENODEV);
	FAILS(mmap((void *)123, PAGE, RW, ANON | MAP_FIXED, -1, 0), EINVAL);
	FAILS(mmap(NULL, ~0ul - PAGE, RW, ANON, -1, 0), ENOMEM);
	FAILS(mmap(NULL, ~0ul, RW, ANON, -1, 0), ENOMEM);
	FAILS(mmap(NULL, 1ul << 47, RW, ANON, -1, 0), ENOMEM);
	FAILS(mmap((void *)0xffff800000000000, PAGE, RW, ANON | MAP_FIXED, -1, 0), ENOMEM);
	FAILS(mmap((void *)0xffffffff80000000, PAGE, RW, ANON | MAP_FIXED, -1, 0), ENOMEM);
	FAILS(mmap((void *)0x7ffffffff000, PAGE, RW, ANON | MAP_FIXED, -1, 0), ENOMEM);
	FAILS(mmap((void *)0x7fffffffe000, 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0), ENOMEM);
	FAILS(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, ~0xfffl), EOVERFLOW);
	close(write_only);
	unlink("/tmp/mmap-wo");
}

TEST(arguments_of_munmap_and_mprotect)
{
	char *p = map_anon(4 * PAGE, MAP_PRIVATE);

	FAILS(munmap(p + 1, PAGE), EINVAL);
	FAILS(munmap(p, 0), EINVAL);
	FAILS(munmap((void *)0xffff800000000000, PAGE), EINVAL);
	FAILS(munmap(p, 1ul << 47), EINVAL);
	FAILS(syscall(SYS_mprotect, p + 1, PAGE, PROT_READ), EINVAL);
	EQ(mprotect(p, 0, PROT_READ), 0);
	FAILS(syscall(SYS_mprotect, p, ~0ul, PROT_READ), ENOMEM);
	FAILS(mprotect(p, PAGE, 0x100000), EINVAL);
	EQ(munmap(p + PAGE, PAGE), 0);
	EQ(munmap(p + PAGE, PAGE), 0);			/* what is not mapped can be unmapped */
	FAILS(mprotect(p, 4 * PAGE, PROT_READ), ENOMEM);
	REFUSED(*(volatile char *)p = 1, SIGSEGV, SEGV_ACCERR, p);	/* the part before the hole was changed */
	EQ(munmap(p, 1), 0);				/* the length is rounded up */
	REFUSED((void)*(volatile char *)p, SIGSEGV, SEGV_MAPERR, p);
}

TEST(hints)
{
	char *hole = reserve(16), *p;

	munmap(hole, 16 * PAGE);
	p = mmap(hole, PAGE, RW, ANON, -1, 0);
	EQ((uintptr_t)p, (uintptr_t)hole);
	p = mmap(hole, PAGE, RW, ANON, -1, 0);
	CHECK(p != hole && p != MAP_FAILED);
	munmap(p, PAGE);
	FAILS(mmap(hole, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0), EEXIST);
	p = mmap(hole + 4 * PAGE, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0);
	EQ((uintptr_t)p, (uintptr_t)(hole + 4 * PAGE));
	munmap(p, PAGE);
	munmap(hole, PAGE);
	p = mmap(hole + 123, PAGE, RW, ANON, -1, 0);	/* a hint that is not aligned is rounded */
	CHECK(((uintptr_t)p & (PAGE - 1)) == 0);
	munmap(p, PAGE);
}

TEST(mappings_do_not_overlap)
{
	enum { N = 200 };
	char *at[N];

	for (int i = 0; i < N; i++) {
		at[i] = map_anon((size_t)(1 + i % 7) * PAGE, MAP_PRIVATE);
		memset(at[i], i, (size_t)(1 + i % 7) * PAGE);
	}
	for (int i = 0; i < N; i += 2)
		EQ(munmap(at[i], (size_t)(1 + i % 7) * PAGE), 0);
	for (int i = 0; i < N; i += 2) {
		at[i] = map_anon((size_t)(1 + i % 5) * PAGE, MAP_PRIVATE);
		CHECK(at[i][0] == 0);
		memset(at[i], i, (size_t)(1 + i % 5) * PAGE);
	}
	for (int i = 0; i < N; i++)
		for (int j = 0; j < (1 + i % (i % 2 ? 7 : 5)) * PAGE; j++)
			NEED(at[i][j] == (char)i);
}

TEST(fixed_replaces_the_middle)
{
	char *p = map_anon(8 * PAGE, MAP_PRIVATE);

	memset(p, 'a', 8 * PAGE);
	EQ((uintptr_t)mmap(p + 2 * PAGE, 3 * PAGE, RW, ANON | MAP_FIXED, -1, 0), (uintptr_t)(p + 2 * PAGE));
	for (int i = 0; i < 8; i++)
		CHECK(p[i * PAGE] == (i >= 2 && i < 5 ? 0 : 'a'));
	EQ(munmap(p + 3 * PAGE, PAGE), 0);
	REFUSED(p[3 * PAGE] = 1, SIGSEGV, SEGV_MAPERR, p + 3 * PAGE);
	CHECK(p[5 * PAGE] == 'a');
}

TEST(protections_split_and_join)
{
	volatile char *p = map_anon(9 * PAGE, MAP_PRIVATE);

	memset((char *)p, 'x', 9 * PAGE);
	EQ(mprotect((char *)p + 3 * PAGE, 3 * PAGE, PROT_READ), 0);
	EQ(mprotect((char *)p + 4 * PAGE, PAGE, PROT_NONE), 0);
	p[2 * PAGE] = 1;
	p[6 * PAGE] = 1;
	REFUSED(p[3 * PAGE + 5] = 1, SIGSEGV, SEGV_ACCERR, p + 3 * PAGE + 5);
	REFUSED(p[5 * PAGE + 4095] = 1, SIGSEGV, SEGV_ACCERR, p + 5 * PAGE + 4095);
	REFUSED((void)p[4 * PAGE], SIGSEGV, SEGV_ACCERR, p + 4 * PAGE);
	CHECK(p[3 * PAGE] == 'x' && p[5 * PAGE] == 'x');
	EQ(mprotect((char *)p, 9 * PAGE, RW), 0);
	CHECK(p[4 * PAGE] == 'x');		/* what PROT_NONE hid is still there */
	for (int i = 0; i < 9; i++)
		p[i * PAGE] = (char)i;
}

FAULTLINE_TEST(equal_neighbours_are_one_region)
{
	struct vmcheck a, b;

	tap_vmcheck(&a);
	char *p = map_anon(16 * PAGE, MAP_PRIVATE);
	for (int i = 0; i < 16; i += 2)
		EQ(mprotect(p + i * PAGE, PAGE, PROT_READ), 0);
	tap_vmcheck(&b);
	EQ(b.regions, a.regions + 16);
	EQ(mprotect(p, 16 * PAGE, PROT_READ), 0);
	tap_vmcheck(&b);
	EQ(b.regions, a.regions + 1);
}

TEST(shared_anonymous_memory)
{
	int status;
	volatile int *p = map_anon(64 * PAGE, MAP_SHARED);

	CHILD(status) {
		for (int i = 0; i < 64; i++)
			p[i * 1024] = i + 1;
		int inner;
		CHILD(inner)
			p[0] = 1000;
		EQ(inner, 0);
		EQ(p[0], 1000);
		munmap((void *)(p + 1024), PAGE);
	}
	EQ(status, 0);
	EQ(p[0], 1000);
	for (int i = 1; i < 64; i++)
		EQ(p[i * 1024], i + 1);
	EQ(munmap((void *)p, 32 * PAGE), 0);
	EQ(p[40 * 1024], 41);
}

TEST(private_file_pages_are_copied_on_write)
{
	int fd = a_file(), status;
	char file[2 * PAGE];
	char *a = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE, fd, 0), *b = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);

	NEED(a != MAP_FAILED && b != MAP_FAILED);
	EQ(pread(fd, file, sizeof file, 0), sizeof file);
	CHECK(!memcmp(a, file, sizeof file) && !memcmp(b, file, sizeof file));
	a[10] ^= 0x55;
	a[PAGE + 10] ^= 0x55;
	CHECK(!memcmp(b, file, sizeof file));
	CHILD(status) {
		CHECK(a[10] == (file[10] ^ 0x55));
		a[11] ^= 0x55;
	}
	EQ(status, 0);
	CHECK(a[11] == file[11]);
	EQ(pread(fd, file, sizeof file, 0), sizeof file);
	CHECK(!memcmp(b, file, sizeof file));
	/* mprotect that makes a private mapping writable must not make the cache writable */
	EQ(mprotect(b, 2 * PAGE, RW), 0);
	b[20] ^= 0x33;
	char again[PAGE];
	EQ(pread(fd, again, PAGE, 0), PAGE);
	CHECK(!memcmp(again, file, PAGE));
}

FAULTLINE_TEST(classes_of_a_private_file)
{
	struct faultstat before;
	int fd = a_file();
	volatile char *p = mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE, fd, 0);

	NEED(p != MAP_FAILED);
	(void)p[0];
	(void)p[PAGE];
	faults_now(&before);
	p[0] = 1;				/* mapped, written */
	EQ(faults_since(&before, FAULT_FILE_COW), 1);
	EQ(munmap((void *)p, 4 * PAGE), 0);
	p = mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE, fd, 0);
	p[PAGE] = 1;				/* written at once */
	EQ(faults_since(&before, FAULT_FILE_COW), 2);
	p[PAGE + 1] = 1;
	EQ(faults_since(&before, FAULT_FILE_COW), 2);
}

TEST(break_moves)
{
	char *start = sbrk(0), *p;

	if (start == (char *)-1 || syscall(SYS_brk, 0) <= 0)
		SKIP("no brk");
	start = (char *)(((uintptr_t)syscall(SYS_brk, 0) + PAGE - 1) & ~(uintptr_t)(PAGE - 1));
	p = (char *)syscall(SYS_brk, start + 16 * PAGE);
	EQ((uintptr_t)p, (uintptr_t)(start + 16 * PAGE));
	memset(start, 'b', 16 * PAGE);
	EQ(syscall(SYS_brk, start + 4 * PAGE), (uintptr_t)(start + 4 * PAGE));
	REFUSED(start[5 * PAGE] = 1, SIGSEGV, SEGV_MAPERR, start + 5 * PAGE);
	CHECK(start[3 * PAGE] == 'b');
	EQ(syscall(SYS_brk, start + 16 * PAGE), (uintptr_t)(start + 16 * PAGE));
	for (int i = 4 * PAGE; i < 16 * PAGE; i++)
		NEED(start[i] == 0);
	EQ(syscall(SYS_brk, (char *)0x7fffffffffff), (uintptr_t)(start + 16 * PAGE));	/* too far: the old one */
	EQ(syscall(SYS_brk, (char *)8), (uintptr_t)(start + 16 * PAGE));		/* below its start: too */
	EQ(syscall(SYS_brk, start), (uintptr_t)start);
}

TEST(break_stops_before_a_mapping)
{
	char *start = (char *)(((uintptr_t)syscall(SYS_brk, 0) + PAGE - 1) & ~(uintptr_t)(PAGE - 1));
	char *wall = mmap(start + 8 * PAGE, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0);

	if (wall == MAP_FAILED)
		SKIP("something is there already");
	uintptr_t now = (uintptr_t)syscall(SYS_brk, 0);
	EQ(syscall(SYS_brk, start + 20 * PAGE), now);
	EQ(munmap(wall, PAGE), 0);
}

TEST(many_regions)
{
	enum { N = 3000 };
	char *p = reserve(2 * N);

	for (int i = 0; i < N; i++) {
		NEED(!mprotect(p + (2 * i) * PAGE, PAGE, RW));
		p[2 * i * PAGE] = (char)i;
	}
	for (int i = 0; i < N; i++)
		NEED(p[2 * i * PAGE] == (char)i);
	for (int i = 0; i < N; i += 3)
		NEED(!munmap(p + 2 * i * PAGE, PAGE));
	for (int i = 1; i < N; i += 3)
		NEED(p[2 * i * PAGE] == (char)i);
	EQ(munmap(p, 2l * N * PAGE), 0);
}

TEST(too_many_regions)
{
	char *p = reserve(140000);
	int i;

	for (i = 0; i < 70000 && !mprotect(p + 2l * i * PAGE, PAGE, PROT_READ); i++)
		;
	CHECK(i < 70000 && errno == ENOMEM);
	CHECK(i > 30000);
	int splits = 0;				/* the last calls that fit are left to the kernel's own count */
	while (splits < 4 && !munmap(p + 2l * (i + 10 + splits) * PAGE + PAGE, PAGE))
		splits++;
	CHECK(splits < 4 && errno == ENOMEM);
	EQ(munmap(p, 140000l * PAGE), 0);
}

/* Addresses far apart need tables of their own, which go away with what they map. */
FAULTLINE_TEST(tables_are_freed)
{
	struct vmcheck a, b;

	tap_vmcheck(&a);
	for (int i = 0; i < 32; i++) {
		volatile char *p = mmap((char *)0x200000000000 + ((uintptr_t)i << 39), PAGE, RW, ANON | MAP_FIXED, -1, 0);
		NEED(p != MAP_FAILED);
		*p = 1;
	}
	tap_vmcheck(&b);
	CHECK(b.table_frames >= a.table_frames + 96);
	EQ(munmap((char *)0x200000000000, 33ul << 39), 0);
	tap_vmcheck(&b);
	EQ(b.table_frames, a.table_frames);
	EQ(b.anon_frames, a.anon_frames);
}
