/* tests/guest/remap.c - mremap, madvise, mincore, msync: what moves, what is discarded, what is refused. */
#include "tap.h"

static char *filled(long pages)
{
	char *p = mmap(NULL, (size_t)pages * PAGE, RW, ANON, -1, 0);

	NEED(p != MAP_FAILED);
	for (long i = 0; i < pages; i++)
		p[i * PAGE] = (char)(i + 1);
	return p;
}

static long wrong_pages(const char *p, long first, long n)
{
	long wrong = 0;

	for (long i = 0; i < n; i++)
		wrong += p[i * PAGE] != (char)(first + i + 1);
	return wrong;
}

TEST(shrinks_and_grows_in_place)
{
	char *p = filled(8);

	EQ(mremap(p, 8 * PAGE, 4 * PAGE, 0), p);
	EQ(wrong_pages(p, 0, 4), 0);
	REFUSED((void)((volatile char *)p)[4 * PAGE], SIGSEGV, SEGV_MAPERR, p + 4 * PAGE);
	EQ(mremap(p, 4 * PAGE, 8 * PAGE, 0), p);
	EQ(wrong_pages(p, 0, 4), 0);
	EQ(p[4 * PAGE], 0);
	EQ(mremap(p, 8 * PAGE, 8 * PAGE, 0), p);
	EQ(munmap(p, 8 * PAGE), 0);
}

TEST(moves_with_its_pages)
{
	char *p = filled(1024), *wall = mmap(p + 512 * PAGE, PAGE, PROT_NONE, ANON | MAP_FIXED, -1, 0);

	EQ(wall, p + 512 * PAGE);
	FAILS(mremap(p, 512 * PAGE, 600 * PAGE, 0), ENOMEM);
	char *q = mremap(p, 512 * PAGE, 600 * PAGE, MREMAP_MAYMOVE);
	NEED(q != MAP_FAILED);
	CHECK(q != p);
	EQ(wrong_pages(q, 0, 512), 0);
	EQ(q[599 * PAGE], 0);
	REFUSED((void)*(volatile char *)p, SIGSEGV, SEGV_MAPERR, p);
}

TEST(moves_to_a_fixed_place)
{
	char *p = filled(8), *q = filled(8);

	FAILS(mremap(p, 4 * PAGE, 4 * PAGE, MREMAP_FIXED, q), EINVAL);
	FAILS(mremap(p, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p + PAGE), EINVAL);
	FAILS(mremap(p, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q + 1), EINVAL);
	EQ(mremap(p + 2 * PAGE, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q + PAGE), q + PAGE);
	EQ(wrong_pages(q, 0, 1), 0);
	EQ(wrong_pages(q + PAGE, 2, 4), 0);
	EQ(wrong_pages(q + 5 * PAGE, 5, 3), 0);
	EQ(wrong_pages(p, 0, 2), 0);
	EQ(wrong_pages(p + 6 * PAGE, 6, 2), 0);
	REFUSED((void)((volatile char *)p)[2 * PAGE], SIGSEGV, SEGV_MAPERR, p + 2 * PAGE);
}

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
TEST(leaves_the_old_place_mapped)
{
	char *p = filled(4);

	FAILS(mremap(p, 4 * PAGE, 5 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL), EINVAL);
	char *q = mremap(p, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	NEED(q != MAP_FAILED);
	EQ(wrong_pages(q, 0, 4), 0);
	EQ(p[0], 0);
	p[0] = 9;
	EQ(q[0], 1);
}

TEST(errors_of_mremap)
{
	char *p = filled(4);

	EQ(munmap(p + 2 * PAGE, PAGE), 0);
	FAILS(mremap(p, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE), EFAULT);
	FAILS(mremap(p + 2 * PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EFAULT);
	FAILS(mremap(p + 1, PAGE, PAGE, 0), EINVAL);
	FAILS(mremap(p, PAGE, 0, 0), EINVAL);
	FAILS(mremap(p, PAGE, PAGE, 8), EINVAL);
	FAILS(mremap(p, 0x7ffffffff000, PAGE, 0), EINVAL);		/* would cut off what lies beyond user memory */
	FAILS(mremap(p, 0x7ffffffff000, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, 0x10000), EINVAL);
	FAILS(mremap(p, 0, PAGE, MREMAP_MAYMOVE), EINVAL);
	EQ(p[0], 1);
}

TEST(a_shared_mapping_is_doubled)
{
	char *p = mmap(NULL, 2 * PAGE, RW, SHARED, -1, 0);

	NEED(p != MAP_FAILED);
	p[PAGE] = 5;
	char *q = mremap(p, 0, 2 * PAGE, MREMAP_MAYMOVE);
	NEED(q != MAP_FAILED);
	EQ(q[PAGE], 5);
	q[0] = 7;
	EQ(p[0], 7);
}

TEST(discarding)
{
	char *p = filled(4);
	pid_t pid;
	int status;

	EQ(madvise(p + PAGE, 2 * PAGE, MADV_DONTNEED), 0);
	EQ(p[0], 1);
	EQ(p[PAGE], 0);
	EQ(p[2 * PAGE], 0);
	EQ(p[3 * PAGE], 4);
	pid = fork();
	if (pid == 0)
		_exit(madvise(p, 4 * PAGE, MADV_DONTNEED) || p[0] != 0);
	NEED(waitpid(pid, &status, 0) == pid);
	EQ(status, 0);
	EQ(p[0], 1);			/* the child discarded its own */
	EQ(madvise(p, 4 * PAGE, MADV_FREE), 0);
	p[0] = 3;
	EQ(p[0], 3);
}

TEST(discarding_a_file_shows_the_file)
{
	int fd = open("/proc/self/exe", O_RDONLY);
	char *p = mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0);

	NEED(p != MAP_FAILED);
	p[0] = 'x';
	FAILS(madvise(p, PAGE, MADV_FREE), EINVAL);
	EQ(p[0], 'x');
	EQ(madvise(p, PAGE, MADV_DONTNEED), 0);
	EQ(p[0], 0x7f);
}

TEST(errors_of_madvise)
{
	char *p = filled(3);

	FAILS(madvise(p + 1, PAGE, MADV_DONTNEED), EINVAL);
	FAILS(madvise(p, PAGE, 77), EINVAL);
	EQ(madvise(p, 0, MADV_DONTNEED), 0);
	EQ(munmap(p + PAGE, PAGE), 0);
	FAILS(madvise(p, 3 * PAGE, MADV_DONTNEED), ENOMEM);
	EQ(p[0], 0);			/* the rest has been done */
	EQ(p[2 * PAGE], 0);
	EQ(madvise(p, PAGE, MADV_WILLNEED), 0);
	EQ(madvise(p, PAGE, MADV_SEQUENTIAL), 0);
}

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
TEST(populating)
{
	unsigned char in[4] = { 0 };
	char *p = mmap(NULL, 4 * PAGE, RW, ANON, -1, 0);

	NEED(p != MAP_FAILED);
	EQ(mincore(p, 4 * PAGE, in), 0);
	EQ((in[0] | in[1] | in[2] | in[3]) & 1, 0);
	EQ(madvise(p + PAGE, 2 * PAGE, MADV_POPULATE_WRITE), 0);
	EQ(mincore(p, 4 * PAGE, in), 0);
	EQ((in[0] & 1) | (in[1] & 1) << 1 | (in[2] & 1) << 2 | (in[3] & 1) << 3, 6);
	EQ(mprotect(p, PAGE, PROT_READ), 0);
	FAILS(madvise(p, PAGE, MADV_POPULATE_WRITE), EINVAL);
	EQ(madvise(p, PAGE, MADV_POPULATE_READ), 0);
	EQ(munmap(p + 3 * PAGE, PAGE), 0);
	FAILS(madvise(p, 4 * PAGE, MADV_POPULATE_READ), ENOMEM);
	FAILS(mincore(p, 4 * PAGE, in), ENOMEM);
	FAILS(mincore(p + 1, PAGE, in), EINVAL);
	FAILS(mincore(p, PAGE, (void *)1), EFAULT);
}

TEST(msync_judges_the_range)
{
	char *p = filled(3);

	EQ(msync(p, 3 * PAGE, MS_SYNC), 0);
	EQ(msync(p, 3 * PAGE, MS_ASYNC), 0);
	FAILS(msync(p, PAGE, MS_SYNC | MS_ASYNC), EINVAL);
	FAILS(msync(p, PAGE, 64), EINVAL);
	FAILS(msync(p + 1, PAGE, MS_SYNC), EINVAL);
	EQ(munmap(p + PAGE, PAGE), 0);
	FAILS(msync(p, 3 * PAGE, MS_SYNC), ENOMEM);
}

TEST(both_kinds_of_mapping_are_cut)
{
	int fd = open("/tmp/remap-cut", O_RDWR | O_CREAT | O_TRUNC, 0600);

	NEED(fd >= 0);
	unlink("/tmp/remap-cut");
	EQ(ftruncate(fd, 4 * PAGE), 0);
	char *shared = mmap(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0), *own = mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE, fd, 0);
	NEED(shared != MAP_FAILED && own != MAP_FAILED);
	for (int i = 0; i < 4; i++)
		shared[i * PAGE] = 1, own[i * PAGE] = 2;
	EQ(ftruncate(fd, PAGE + 1), 0);
	EQ(shared[PAGE], 1);
	EQ(own[PAGE], 2);
	REFUSED((void)((volatile char *)shared)[2 * PAGE], SIGBUS, BUS_ADRERR, shared + 2 * PAGE);
	REFUSED((void)((volatile char *)own)[3 * PAGE], SIGBUS, BUS_ADRERR, own + 3 * PAGE);
	EQ(ftruncate(fd, 4 * PAGE), 0);
	EQ(shared[2 * PAGE], 0);
	EQ(own[3 * PAGE], 0);
	close(fd);
}

/* What stays or is cut off may be of several mappings; what moves is of one. */
TEST(mremap_over_several_mappings)
{
	char *p = map_anon(16 * PAGE, MAP_PRIVATE), *q = p + 10 * PAGE;

	NEED(!mprotect(p + 3 * PAGE, 2 * PAGE, PROT_READ));
	EQ(mremap(p, 5 * PAGE, 5 * PAGE, 0) == p, 1);
	p[0] = 5;
	FAILS(mremap(p, 5 * PAGE, 7 * PAGE, MREMAP_MAYMOVE), EFAULT);
	EQ(mremap(p, 5 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q) == q, 1);
	EQ(q[0], 5);
	FAILS(mprotect(p, PAGE, PROT_READ), ENOMEM);
	FAILS(mprotect(p + 4 * PAGE, PAGE, PROT_READ), ENOMEM);
	EQ(mprotect(p + 5 * PAGE, PAGE, PROT_READ), 0);
}

TEST(mremap_that_keeps_the_old_place_takes_a_hint)
{
	char *p = map_anon(16 * PAGE, MAP_PRIVATE), *hint = p + 8 * PAGE;

	p[0] = 7;
	NEED(!munmap(hint, 4 * PAGE));
	EQ(syscall(SYS_mremap, p, PAGE, PAGE, 5, hint), (uintptr_t)hint);		/* musl passes no place without FIXED */
	EQ(hint[0], 7);
	EQ(p[0], 0);
	FAILS(syscall(SYS_mremap, p, PAGE, PAGE, 5, hint + 1), EINVAL);
	FAILS(syscall(SYS_mremap, p, PAGE, PAGE, 5, p), EINVAL);
}
