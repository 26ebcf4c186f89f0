/* tests/guest/mlock.c - memory that is locked, fetched at once, or kept from children: mlock and its family, MAP_POPULATE, MADV_DONTFORK, MADV_WIPEONFORK. */
#include "tap.h"
#include <sys/resource.h>

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif

static char *reserve(long pages)
{
	char *p = mmap(NULL, (size_t)pages * PAGE, RW, ANON, -1, 0);

	NEED(p != MAP_FAILED);
	return p;
}

static long resident(const char *p, long pages)
{
	unsigned char in[512];
	long n = 0;

	NEED(mincore((void *)p, (size_t)pages * PAGE, in) == 0);
	for (long i = 0; i < pages; i++)
		n += in[i] & 1;
	return n;
}

/* The number behind a name in a file of /proc, in KiB; without memory of its own. */
static long proc_value(const char *file, const char *name)
{
	static char text[8192];
	int fd = open(file, O_RDONLY);

	NEED(fd >= 0);
	ssize_t n = read(fd, text, sizeof text - 1);
	NEED(n > 0);
	text[n] = '\0';
	close(fd);
	char *at = strstr(text, name);
	return at ? strtol(at + strlen(name), NULL, 10) : -1;
}

/* Without the library, which has errors of its own. */
static long raw_mmap(size_t size, int flags)
{
	return syscall(SYS_mmap, NULL, size, RW, flags, -1, 0);
}

static long locked_kb(void)
{
	return proc_value("/proc/self/status", "VmLck:");
}

static void limit_to(long pages)
{
	struct rlimit r = { (rlim_t)pages * PAGE, (rlim_t)pages * PAGE };

	NEED(setrlimit(RLIMIT_MEMLOCK, &r) == 0);
	NEED(setuid(1000) == 0);
}

TEST(locking_fetches_pages)
{
	char *p = reserve(16);

	EQ(resident(p, 16), 0);
	EQ(mlock(p + 2 * PAGE + 5, 3 * PAGE), 0);
	EQ(resident(p, 16), 4);
	EQ(locked_kb(), 16);
	EQ(munlock(p + 3 * PAGE, PAGE), 0);
	EQ(locked_kb(), 12);
	EQ(mlock2(p + 10 * PAGE, 2 * PAGE, MLOCK_ONFAULT), 0);
	EQ(resident(p, 16), 4);
	EQ(locked_kb(), 20);
	p[10 * PAGE] = 1;
	EQ(resident(p, 16), 5);
	EQ(munlockall(), 0);
	EQ(locked_kb(), 0);
	EQ(munmap(p, 16 * PAGE), 0);
}

TEST(locking_makes_private_copies)
{
	char *p = reserve(4);
	struct faultstat before;

	p[0] = p[PAGE] = 1;
	int status;
	CHILD(status) {
		EQ(mlock(p, 4 * PAGE), 0);
		if (on_faultline())
			faults_now(&before);
		for (int i = 0; i < 4; i++)
			p[i * PAGE] = 2;
		if (on_faultline())
			EQ(faults_since(&before, FAULT_COW_COPY) + faults_since(&before, FAULT_DEMAND_ZERO), 0);
	}
	EQ(status, 0);
	EQ(p[0], 1);
}

TEST(what_cannot_be_locked)
{
	char *p = reserve(8), *none = mmap(NULL, 2 * PAGE, PROT_NONE, ANON, -1, 0);

	EQ(munmap(p + 4 * PAGE, PAGE), 0);
	FAILS(mlock(p, 8 * PAGE), ENOMEM);
	EQ(locked_kb(), 16);
	FAILS(munlock(p, 8 * PAGE), ENOMEM);
	EQ(locked_kb(), 0);
	FAILS(mlock(p + 4 * PAGE, PAGE), ENOMEM);
	FAILS(mlock(p, (size_t)-3 * PAGE), EINVAL);
	EQ(mlock(p, (size_t)-1), 0);
	EQ(mlock(p, 0), 0);
	EQ(mlock(NULL, 0), 0);
	FAILS(munlock(NULL, PAGE), ENOMEM);
	FAILS(syscall(SYS_mlock2, p, PAGE, 2), EINVAL);
	FAILS(mlockall(0), EINVAL);
	FAILS(mlockall(4), EINVAL);
	FAILS(mlockall(8), EINVAL);
	FAILS(mlock(none, PAGE), ENOMEM);
	EQ(mlock2(none + PAGE, PAGE, MLOCK_ONFAULT), 0);
	int fd = memfd_create("short", 0);
	NEED(fd >= 0 && ftruncate(fd, 2 * PAGE) == 0);
	char *f = mmap(NULL, 3 * PAGE, RW, MAP_SHARED, fd, 0);
	EQ(mlock(f, 2 * PAGE), 0);
	FAILS(mlock(f, 3 * PAGE), ENOMEM);
}

TEST(locked_memory_is_not_discarded)
{
	char *p = reserve(2);

	p[0] = 1;
	EQ(mlock(p, 2 * PAGE), 0);
	FAILS(madvise(p, PAGE, MADV_DONTNEED), EINVAL);
	FAILS(madvise(p, PAGE, MADV_FREE), EINVAL);
	FAILS(madvise(p, PAGE, MADV_COLD), EINVAL);
	FAILS(madvise(p, PAGE, MADV_PAGEOUT), EINVAL);
	FAILS(madvise(p, PAGE, MADV_REMOVE), EINVAL);
	EQ(madvise(p, PAGE, MADV_WILLNEED), 0);
	FAILS(msync(p, PAGE, MS_INVALIDATE), EBUSY);
	EQ(msync(p, PAGE, MS_SYNC), 0);
	EQ(p[0], 1);
	EQ(madvise(p, PAGE, MADV_DONTNEED_LOCKED), 0);
	EQ(p[0], 0);
}

TEST(locks_follow_their_regions)
{
	char *p = reserve(12);
	int status;

	EQ(mlock(p, 8 * PAGE), 0);
	EQ(munmap(p + 2 * PAGE, 2 * PAGE), 0);
	EQ(locked_kb(), 24);
	EQ(mprotect(p, PAGE, PROT_READ), 0);
	EQ(mprotect(p, PAGE, RW), 0);
	EQ(locked_kb(), 24);
	CHILD(status)
		EQ(locked_kb(), 0);
	EQ(status, 0);
	char *q = mremap(p + 4 * PAGE, 4 * PAGE, 6 * PAGE, MREMAP_MAYMOVE);
	NEED(q != MAP_FAILED);
	EQ(locked_kb(), 32);
	EQ(resident(q, 6), 6);
	EQ(mremap(q, 6 * PAGE, 3 * PAGE, 0), q);
	EQ(locked_kb(), 20);
	char *r = mmap(q, 3 * PAGE, RW, ANON | MAP_FIXED, -1, 0);
	EQ(r, q);
	EQ(locked_kb(), 8);
}

TEST(all_and_what_comes)
{
	char *p = reserve(4), *q;

	EQ(mlockall(MCL_FUTURE), 0);
	EQ(locked_kb(), 0);
	q = reserve(4);
	EQ(resident(q, 4), 4);
	EQ(resident(p, 4), 0);
	EQ(locked_kb(), 16);
	long end = syscall(SYS_brk, 0);
	EQ(syscall(SYS_brk, end + 2 * PAGE), end + 2 * PAGE);
	CHECK(locked_kb() >= 24);
	EQ(mlockall(MCL_FUTURE | MCL_ONFAULT), 0);
	q = reserve(4);
	EQ(resident(q, 4), 0);
	EQ(mlockall(MCL_CURRENT), 0);
	EQ(resident(p, 4), 4);
	CHECK(locked_kb() >= 48);
	q = reserve(4);
	EQ(resident(q, 4), 0);
	EQ(munlockall(), 0);
	EQ(locked_kb(), 0);
}

TEST(the_limit_of_locked_memory)
{
	char *p = reserve(16), *q;

	limit_to(8);
	EQ(mlock(p, 8 * PAGE), 0);
	FAILS(mlock(p, 9 * PAGE), ENOMEM);
	EQ(mlock(p + PAGE, 7 * PAGE), 0);
	FAILS(mlock(p + PAGE, 8 * PAGE), ENOMEM);
	FAILS(mlockall(MCL_CURRENT), ENOMEM);
	EQ(mlockall(MCL_FUTURE), 0);
	FAILS(raw_mmap(PAGE, ANON), EAGAIN);
	long end = syscall(SYS_brk, 0);
	EQ(syscall(SYS_brk, end + 2 * PAGE), end);
	EQ(munlockall(), 0);
	FAILS(raw_mmap(9 * PAGE, ANON | MAP_LOCKED), EAGAIN);
	q = mmap(NULL, 8 * PAGE, RW, ANON | MAP_LOCKED, -1, 0);
	NEED(q != MAP_FAILED);
	EQ(resident(q, 8), 8);
	FAILS((long)mremap(q, 8 * PAGE, 9 * PAGE, 0), EAGAIN);
	FAILS((long)mremap(q, 8 * PAGE, 9 * PAGE, MREMAP_MAYMOVE), EAGAIN);
	CHECK(mremap(q, 8 * PAGE, 8 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p) == p);
	EQ(locked_kb(), 32);
}

TEST(nothing_may_be_locked)
{
	char *p = reserve(2);

	limit_to(0);
	FAILS(mlock(p, PAGE), EPERM);
	FAILS(mlock(p, 0), EPERM);
	FAILS(syscall(SYS_mlock2, p, PAGE, 2), EINVAL);
	FAILS(mlockall(MCL_CURRENT), EPERM);
	FAILS(mlockall(0), EINVAL);
	FAILS(raw_mmap(PAGE, ANON | MAP_LOCKED), EPERM);
	EQ(munlock(p, PAGE), 0);
	EQ(munlockall(), 0);
}

TEST(root_may_lock_more)
{
	struct rlimit r = { 0, 0 };
	char *p = reserve(4);

	NEED(setrlimit(RLIMIT_MEMLOCK, &r) == 0);
	EQ(mlock(p, 4 * PAGE), 0);
	EQ(locked_kb(), 16);
}

TEST(populated_at_once)
{
	char *p = mmap(NULL, 8 * PAGE, RW, ANON | MAP_POPULATE, -1, 0);
	char *q = mmap(NULL, 8 * PAGE, RW, ANON | MAP_POPULATE | MAP_NONBLOCK, -1, 0);
	char *r = mmap(NULL, 8 * PAGE, PROT_READ, ANON | MAP_POPULATE, -1, 0);
	char *n = mmap(NULL, 8 * PAGE, PROT_NONE, ANON | MAP_POPULATE, -1, 0);
	char *s = mmap(NULL, 8 * PAGE, RW, SHARED | MAP_POPULATE, -1, 0);
	struct faultstat before;

	EQ(resident(p, 8), 8);
	EQ(resident(q, 8), 0);
	EQ(resident(r, 8), 8);
	EQ(resident(n, 8), 0);
	EQ(resident(s, 8), 8);
	if (!on_faultline())
		return;
	faults_now(&before);
	for (int i = 0; i < 8; i++)
		p[i * PAGE] = s[i * PAGE] = 1;
	EQ(faults_since(&before, FAULT_DEMAND_ZERO) + faults_since(&before, FAULT_SHM_ZERO) + faults_since(&before, FAULT_ZERO_UPGRADE), 0);
}

TEST(kept_from_children)
{
	char *p = reserve(6);
	int status;

	for (int i = 0; i < 6; i++)
		p[i * PAGE] = (char)(i + 1);
	EQ(madvise(p + PAGE, PAGE, MADV_DONTFORK), 0);
	EQ(madvise(p + 3 * PAGE, 2 * PAGE, MADV_WIPEONFORK), 0);
	CHILD(status) {
		EQ(p[0], 1);
		REFUSED((void)((volatile char *)p)[PAGE], SIGSEGV, SEGV_MAPERR, p + PAGE);
		EQ(p[2 * PAGE], 3);
		EQ(p[3 * PAGE], 0);
		EQ(p[4 * PAGE], 0);
		EQ(p[5 * PAGE], 6);
		p[3 * PAGE] = 7;
		int inner;
		CHILD(inner)
			EQ(p[3 * PAGE], 0);		/* the mark is inherited */
		EQ(inner, 0);
		EQ(p[3 * PAGE], 7);
	}
	EQ(status, 0);
	for (int i = 0; i < 6; i++)
		EQ(p[i * PAGE], i + 1);
	EQ(madvise(p, 6 * PAGE, MADV_DOFORK), 0);
	EQ(madvise(p, 6 * PAGE, MADV_KEEPONFORK), 0);
	CHILD(status)
		for (int i = 0; i < 6; i++)
			EQ(p[i * PAGE], i + 1);
	EQ(status, 0);
}

/* Where fork shares page tables: what is kept back lies in the same tables. */
TEST(kept_from_children_in_the_middle_of_much)
{
	const long n = 2048;
	char *p = reserve(n);
	int status;

	for (long i = 0; i < n; i++)
		p[i * PAGE] = (char)(i + 1);
	for (int round = 0; round < 2; round++) {
		CHILD(status)
			for (long i = 0; i < n; i++)
				EQ(p[i * PAGE], (char)(i + 1));
		EQ(status, 0);
		if (round == 0) {
			EQ(madvise(p + 700 * PAGE, 600 * PAGE, MADV_WIPEONFORK), 0);
			EQ(madvise(p + 1400 * PAGE, PAGE, MADV_DONTFORK), 0);
			CHILD(status) {
				long wrong = 0;
				for (long i = 0; i < n; i++)
					if (i != 1400)
						wrong += p[i * PAGE] != (i >= 700 && i < 1300 ? 0 : (char)(i + 1));
				EQ(wrong, 0);
				REFUSED((void)((volatile char *)p)[1400 * PAGE], SIGSEGV, SEGV_MAPERR, p + 1400 * PAGE);
			}
			EQ(status, 0);
			EQ(madvise(p, n * PAGE, MADV_KEEPONFORK), 0);
			EQ(madvise(p, n * PAGE, MADV_DOFORK), 0);
		}
	}
}

TEST(advice_that_is_refused)
{
	char *s = mmap(NULL, 2 * PAGE, RW, SHARED, -1, 0), *p = reserve(4);
	int fd = open("/proc/self/exe", O_RDONLY);
	char *f = mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0);

	NEED(f != MAP_FAILED);
	FAILS(madvise(s, PAGE, MADV_WIPEONFORK), EINVAL);
	FAILS(madvise(f, PAGE, MADV_WIPEONFORK), EINVAL);
	FAILS(madvise(f, PAGE, MADV_FREE), EINVAL);
	EQ(madvise(f, PAGE, MADV_KEEPONFORK), 0);
	EQ(madvise(f, PAGE, MADV_DONTFORK), 0);
	EQ(madvise(f, PAGE, MADV_WILLNEED), 0);
	EQ(madvise(s, PAGE, MADV_WILLNEED), 0);
	FAILS(madvise(p, PAGE, 5), EINVAL);
	FAILS(madvise(p + 1, 0, MADV_NORMAL), EINVAL);
	FAILS(madvise(p, 0, 5), EINVAL);
	EQ(munmap(p + PAGE, PAGE), 0);
	FAILS(madvise(p, 4 * PAGE, MADV_WIPEONFORK), ENOMEM);
	int status;
	p[0] = p[2 * PAGE] = 1;
	CHILD(status) {
		EQ(p[0], 0);
		EQ(p[2 * PAGE], 0);
	}
	EQ(status, 0);
}
