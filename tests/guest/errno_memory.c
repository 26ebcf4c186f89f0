/*
 * tests/guest/errno_memory.c - what the memory calls answer, row by row.
 */
#include "rows.h"
#include <sys/resource.h>

#define FIXED	(ANON | MAP_FIXED)
#ifndef MADV_POPULATE_READ
enum { MADV_POPULATE_READ = 22, MADV_POPULATE_WRITE };
#endif
enum { SEMAPHORES = 8, DONTNEED_LOCKED = 24 };	/* PROT_SEM, MADV_DONTNEED_LOCKED */
#define HUGE_ADDRESS	(1l << 47)

static long area;			/* 16 pages: 0 to 7 writable, 8 a hole, 9 to 11 read-only, 12 to 15 without rights */

static void lay_out(void)
{
	area = P(map_anon(32 * PAGE, MAP_PRIVATE));
	NEED(munmap((void *)(area + 8 * PAGE), PAGE) == 0);
	NEED(mprotect((void *)(area + 9 * PAGE), 3 * PAGE, PROT_READ) == 0);
	NEED(mprotect((void *)(area + 12 * PAGE), 4 * PAGE, PROT_NONE) == 0);
	NEED(munmap((void *)(area + 16 * PAGE), 16 * PAGE) == 0);
}

TEST(mmap_arguments)
{
	lay_out();
	IS(-EINVAL, mmap, 0, 0, RW, ANON, -1, 0);
	IS(-EINVAL, mmap, 0, 0, RW, MAP_ANONYMOUS, -1, 0);
	IS(-EINVAL, mmap, 0, PAGE, RW, MAP_ANONYMOUS, -1, 0);
	IS(-EINVAL, mmap, 0, PAGE, RW, MAP_ANONYMOUS | MAP_SHARED | 4, -1, 0);
	IS(-EINVAL, mmap, 0, PAGE, RW, MAP_ANONYMOUS | 3, -1, 0);
	IS(-EINVAL, mmap, 0, PAGE, RW, ANON, -1, 1);
	IS(-EINVAL, mmap, 0, PAGE, RW, ANON, -1, PAGE / 2);
	IS(DONE, mmap, 0, PAGE, RW, ANON, -1, PAGE);
	IS(DONE, mmap, 0, 1, RW, ANON, -1, 0);
	IS(-ENOMEM, mmap, 0, HUGE_ADDRESS, RW, ANON | MAP_NORESERVE, -1, 0);
	IS(-ENOMEM, mmap, 0, -1, RW, ANON | MAP_NORESERVE, -1, 0);
	IS(-ENOMEM, mmap, 0, -PAGE, RW, ANON | MAP_NORESERVE, -1, 0);
	IS(-ENOMEM, mmap, 0, LONG_MAX, RW, ANON | MAP_NORESERVE, -1, 0);
	IS(-EINVAL, mmap, area + 1, PAGE, RW, FIXED, -1, 0);
	IS(-ENOMEM, mmap, HUGE_ADDRESS, PAGE, RW, FIXED, -1, 0);
	IS(-ENOMEM, mmap, HUGE_ADDRESS - PAGE, PAGE, RW, FIXED, -1, 0);
	IS(-ENOMEM, mmap, HUGE_ADDRESS - PAGE, 2 * PAGE, RW, FIXED, -1, 0);
	IS(-ENOMEM, mmap, kernels, PAGE, RW, FIXED, -1, 0);
	IS(DONE, mmap, kernels, PAGE, RW, ANON, -1, 0);
	IS(DONE, mmap, 1, PAGE, RW, ANON, -1, 0);
	IS(area, mmap, area, PAGE, RW, FIXED, -1, 0);
	IS(-EEXIST, mmap, area, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0);
	IS(-EEXIST, mmap, area + 7 * PAGE, 4 * PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0);
	IS(-EINVAL, mmap, area + 1, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0);
	IS(area + 8 * PAGE, mmap, area + 8 * PAGE, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0);
	IS(-EINVAL, mmap, 0, PAGE, RW, SHARED | MAP_GROWSDOWN, -1, 0);
	IS(DONE, mmap, 0, PAGE, RW, ANON | MAP_GROWSDOWN, -1, 0);
	IS(-ENOMEM, mmap, 0, 2 << 20, RW, ANON | MAP_HUGETLB, -1, 0);
	IS(DONE, mmap, 0, PAGE, -1, ANON, -1, 0);
	IS(DONE, mmap, 0, PAGE, RW, ANON | MAP_LOCKED, -1, 0);
	IS(DONE, mmap, 0, PAGE, RW, ANON | MAP_POPULATE | MAP_NONBLOCK, -1, 0);
	IS(-EINVAL, munmap, area + 1, PAGE);
	IS(-EINVAL, munmap, area, 0);
	IS(-EINVAL, munmap, HUGE_ADDRESS, PAGE);
	IS(-EINVAL, munmap, HUGE_ADDRESS - PAGE, 2 * PAGE);
	IS(-EINVAL, munmap, area, -1);
	IS(-EINVAL, munmap, kernels, PAGE);
	IS(0, munmap, area, 32 * PAGE);
	IS(0, munmap, area, 32 * PAGE);
	IS(0, munmap, 0, PAGE);
}

TEST(mmap_of_files)
{
	int ends[2];

	lay_out();
	rows_enter();
	int both = rows_file("f", O_RDWR, 2 * PAGE), reads = open("f", O_RDONLY), writes = open("f", O_WRONLY), path = open("f", O_PATH), dir = open(".", O_RDONLY);
	NEED(pipe(ends) == 0);
	IS(-EBADF, mmap, 0, PAGE, RW, MAP_PRIVATE, -1, 0);
	IS(-EBADF, mmap, 0, PAGE, RW, MAP_PRIVATE, 1000, 0);
	IS(-EBADF, mmap, 0, PAGE, RW, MAP_PRIVATE, path, 0);
	IS(-EBADF, mmap, 0, 0, RW, MAP_PRIVATE, -1, 0);
	IS(-EINVAL, mmap, 0, 0, RW, MAP_PRIVATE, both, 0);
	IS(-EINVAL, mmap, 0, PAGE, RW, 0, both, 0);
	IS(-EINVAL, mmap, 0, PAGE, PROT_READ, MAP_PRIVATE, both, 1);
	IS(-EACCES, mmap, 0, PAGE, PROT_READ, MAP_PRIVATE, writes, 0);
	IS(-EACCES, mmap, 0, PAGE, PROT_WRITE, MAP_PRIVATE, writes, 0);
	IS(-EACCES, mmap, 0, PAGE, PROT_WRITE, MAP_SHARED, writes, 0);
	IS(-EACCES, mmap, 0, PAGE, RW, MAP_SHARED, reads, 0);
	IS(-EACCES, mmap, 0, PAGE, PROT_WRITE, MAP_SHARED, reads, 0);
	IS(DONE, mmap, 0, PAGE, RW, MAP_PRIVATE, reads, 0);
	long shared = IS(DONE, mmap, 0, PAGE, PROT_READ, MAP_SHARED, reads, 0);
	IS(-EACCES, mprotect, shared, PAGE, RW);
	IS(-EACCES, mprotect, shared, PAGE, PROT_WRITE);
	IS(0, mprotect, shared, PAGE, PROT_NONE);
	IS(-ENODEV, mmap, 0, PAGE, PROT_READ, MAP_PRIVATE, dir, 0);
	IS(-EACCES, mmap, 0, PAGE, RW, MAP_SHARED, dir, 0);
	IS(-ENODEV, mmap, 0, PAGE, PROT_READ, MAP_PRIVATE, ends[0], 0);
	IS(-EACCES, mmap, 0, PAGE, PROT_READ, MAP_PRIVATE, ends[1], 0);
	IS(-EOPNOTSUPP, mmap, 0, PAGE, RW, MAP_SHARED_VALIDATE | (1 << 24), both, 0);
	IS(-EOPNOTSUPP, mmap, 0, PAGE, RW, MAP_SHARED_VALIDATE | MAP_SYNC, both, 0);
	IS(DONE, mmap, 0, PAGE, RW, MAP_SHARED_VALIDATE | MAP_NORESERVE, both, 0);
	IS(DONE, mmap, 0, PAGE, RW, MAP_SHARED | (1 << 24), both, 0);
	IS(-EOVERFLOW, mmap, 0, PAGE, PROT_READ, MAP_PRIVATE, both, LONG_MIN);
	IS(-EOVERFLOW, mmap, 0, 2 * PAGE, PROT_READ, MAP_PRIVATE, both, -PAGE);
	IS(-EINVAL, mmap, 0, PAGE, PROT_READ, MAP_PRIVATE | MAP_GROWSDOWN, both, 0);
	IS(-EINVAL, mmap, 0, PAGE, RW, MAP_PRIVATE | MAP_HUGETLB, both, 0);
	IS(DONE, mmap, 0, PAGE, RW, MAP_SHARED, both, 100 * PAGE);
	rows_leave();
}

TEST(mprotect)
{
	lay_out();
	IS(-EINVAL, mprotect, area + 1, PAGE, PROT_READ);
	IS(-EINVAL, mprotect, area, PAGE, 0x100);
	IS(-EINVAL, mprotect, area, PAGE, -1);
	IS(-EINVAL, mprotect, area, PAGE, RW | PROT_GROWSUP | PROT_GROWSDOWN);
	IS(-EINVAL, mprotect, area, PAGE, RW | PROT_GROWSDOWN);
	IS(0, mprotect, area, 0, 0x100);
	IS(0, mprotect, nowhere * PAGE, 0, PROT_READ);
	IS(-ENOMEM, mprotect, 0, PAGE, PROT_READ);
	IS(-ENOMEM, mprotect, area + 8 * PAGE, PAGE, PROT_READ);
	IS(-ENOMEM, mprotect, area, -1, PROT_READ);
	IS(-ENOMEM, mprotect, area, -PAGE - area, PROT_READ);
	IS(-ENOMEM, mprotect, area, user_end, PROT_READ);
	REFUSED(*(volatile char *)area = 1, SIGSEGV, SEGV_ACCERR, area);
	IS(-ENOMEM, mprotect, kernels, PAGE, PROT_READ);
	IS(-ENOMEM, mprotect, -PAGE, PAGE, PROT_READ);
	IS(-ENOMEM, mprotect, area + 7 * PAGE, 3 * PAGE, PROT_READ);
	REFUSED(*(volatile char *)(area + 7 * PAGE) = 1, SIGSEGV, SEGV_ACCERR, area + 7 * PAGE);
	IS(0, mprotect, area, 8 * PAGE, RW | SEMAPHORES);
	IS(0, mprotect, area, 1, RW);
	*(volatile char *)(area + PAGE - 1) = 1;
}

TEST(mremap)
{
	lay_out();
	IS(-EINVAL, mremap, area + 1, PAGE, 2 * PAGE, MREMAP_MAYMOVE, 0);
	IS(-EINVAL, mremap, area, PAGE, 2 * PAGE, 8, 0);
	IS(-EINVAL, mremap, area, PAGE, 2 * PAGE, MREMAP_FIXED, area + PAGE);
	IS(-EINVAL, mremap, area, PAGE, 0, MREMAP_MAYMOVE, 0);
	IS(-EINVAL, mremap, area, 0, PAGE, MREMAP_MAYMOVE, 0);
	IS(-EFAULT, mremap, area + 8 * PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE, 0);
	IS(-EFAULT, mremap, nowhere * PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE, 0);
	IS(-EFAULT, mremap, area + 6 * PAGE, 5 * PAGE, 6 * PAGE, MREMAP_MAYMOVE, 0);
	IS(-ENOMEM, mremap, area, PAGE, 2 * PAGE, 0, 0);
	IS(-EINVAL, mremap, area, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, area + 1);
	IS(-EINVAL, mremap, area, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, area + PAGE);
	IS(-EINVAL, mremap, area, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, user_end);
	IS(-EINVAL, mremap, area, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, kernels);
	IS(-EINVAL, mremap, area, PAGE, 2 * PAGE, MREMAP_MAYMOVE | 4, 0);
	IS(-EINVAL, mremap, area, PAGE, PAGE, 4, 0);
	IS(-EINVAL, mremap, area, PAGE, -1, MREMAP_MAYMOVE, 0);
	IS(-EINVAL, mremap, area, PAGE, -PAGE, MREMAP_MAYMOVE, 0);
	IS_EITHER(-ENOMEM, -EINVAL, mremap, area, PAGE, HUGE_ADDRESS, MREMAP_MAYMOVE, 0);
	IS_EITHER(-ENOMEM, -EINVAL, mremap, area, PAGE, HUGE_ADDRESS - PAGE, MREMAP_MAYMOVE, 0);
	IS(-ENOMEM, mremap, area, PAGE, HUGE_ADDRESS / 2, MREMAP_MAYMOVE, 0);
	IS(area, mremap, area, PAGE, PAGE, 0, 0);
	IS(area, mremap, area, 8 * PAGE, PAGE, 0, 0);
	IS(area, mremap, area, PAGE, 3 * PAGE, 0, 0);
	IS(area + 20 * PAGE, mremap, area, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, area + 20 * PAGE);
}

TEST(msync)
{
	lay_out();
	long shared = P(map_anon(4 * PAGE, MAP_SHARED));
	IS(-EINVAL, msync, area + 1, PAGE, MS_SYNC);
	IS(-EINVAL, msync, area, PAGE, MS_ASYNC | MS_SYNC);
	IS(-EINVAL, msync, area, PAGE, 8);
	IS(-EINVAL, msync, area, PAGE, -1);
	IS(0, msync, area, PAGE, 0);
	IS(0, msync, area + 8 * PAGE, 0, MS_SYNC);
	IS(-ENOMEM, msync, area + 8 * PAGE, PAGE, MS_SYNC);
	IS(-ENOMEM, msync, area + 7 * PAGE, 3 * PAGE, MS_ASYNC);
	IS(-ENOMEM, msync, area, -1 - area, MS_SYNC);
	IS(-ENOMEM, msync, area, -PAGE, MS_SYNC);
	IS(-ENOMEM, msync, user_end, PAGE, MS_SYNC);
	IS(-ENOMEM, msync, kernels, PAGE, MS_ASYNC);
	IS(-EINVAL, msync, -1, PAGE, MS_SYNC);
	IS(0, mlock, shared, PAGE);
	IS(-EBUSY, msync, shared, 4 * PAGE, MS_INVALIDATE);
	IS(-EBUSY, msync, shared, PAGE, MS_SYNC | MS_INVALIDATE);
	IS(0, msync, shared + PAGE, PAGE, MS_SYNC | MS_INVALIDATE);
	IS(0, msync, shared, 4 * PAGE, MS_SYNC);
}

TEST(mincore)
{
	unsigned char vec[64];

	lay_out();
	IS(-EINVAL, mincore, area + 1, PAGE, P(vec));
	IS(-EFAULT, mincore, area, PAGE, 0);
	IS(-EFAULT, mincore, area, PAGE, -1);
	IS(-EFAULT, mincore, area, PAGE, kernels);
	IS(-EFAULT, mincore, area, PAGE, area + 9 * PAGE);
	IS(-ENOMEM, mincore, area, 16 * PAGE, P(vec));
	IS(-ENOMEM, mincore, area + 8 * PAGE, PAGE, P(vec));
	IS(-ENOMEM, mincore, area, -1, P(vec));
	IS(-ENOMEM, mincore, kernels, PAGE, P(vec));
	IS(-ENOMEM, mincore, user_end, 2 * PAGE, P(vec));
	IS(-ENOMEM, mincore, area, LONG_MAX, P(vec));
	IS(0, mincore, area, 0, P(vec));
	IS(0, mincore, area, 8 * PAGE, P(vec));
	IS(0, mincore, area + 12 * PAGE, 4 * PAGE - 1, P(vec));
	IS(-ENOMEM, mincore, kernels, 0, P(vec));
}

TEST(madvise)
{
	lay_out();
	rows_enter();
	int f = rows_file("f", O_RDWR, 4 * PAGE);
	long shared = P(map_anon(4 * PAGE, MAP_SHARED)), file = P(mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE, f, 0));
	long read_only = P(mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, f, 0)), whole = P(mmap(NULL, 4 * PAGE, RW, MAP_SHARED, f, 0));
	IS(-EINVAL, madvise, area + 1, PAGE, MADV_NORMAL);
	IS(-EINVAL, madvise, area, PAGE, 1212);
	IS(-EINVAL, madvise, area, PAGE, -1);
	IS(-EINVAL, madvise, area, PAGE, 5);
	IS(-EINVAL, madvise, area, 0, 1212);
	IS(-EINVAL, madvise, area, -1, MADV_NORMAL);
	IS(-EINVAL, madvise, area, -PAGE, MADV_NORMAL);
	IS(0, madvise, area, 0, MADV_NORMAL);
	IS(0, madvise, area, 8 * PAGE, MADV_NORMAL);
	IS(0, madvise, area, 8 * PAGE, MADV_RANDOM);
	IS(0, madvise, area, 8 * PAGE, MADV_SEQUENTIAL);
	IS(0, madvise, area, 8 * PAGE, MADV_DONTNEED);
	IS(0, madvise, area, 8 * PAGE, MADV_FREE);
	IS(0, madvise, area, 8 * PAGE, MADV_COLD);
	IS(0, madvise, area, 8 * PAGE, MADV_PAGEOUT);
	IS(0, madvise, area, 8 * PAGE, MADV_DONTDUMP);
	IS(0, madvise, area, 8 * PAGE, MADV_DODUMP);
	IS(0, madvise, area, 8 * PAGE, MADV_POPULATE_READ);
	IS(0, madvise, area, 8 * PAGE, MADV_POPULATE_WRITE);
	IS(-ENOMEM, madvise, area, 16 * PAGE, MADV_NORMAL);
	IS(-ENOMEM, madvise, area, 16 * PAGE, MADV_DONTNEED);
	IS(-ENOMEM, madvise, area + 8 * PAGE, PAGE, MADV_NORMAL);
	IS(-ENOMEM, madvise, user_end, PAGE, MADV_DONTNEED);
	IS(-ENOMEM, madvise, kernels, PAGE, MADV_DONTNEED);
	IS(-ENOMEM, madvise, area, HUGE_ADDRESS, MADV_RANDOM);
	IS(-ENOMEM, madvise, area, HUGE_ADDRESS - area, MADV_NORMAL);
	IS(-ENOMEM, madvise, area, 16 * PAGE, MADV_POPULATE_READ);
	IS(-EINVAL, madvise, area + 9 * PAGE, PAGE, MADV_POPULATE_WRITE);
	IS(-EINVAL, madvise, area + 12 * PAGE, PAGE, MADV_POPULATE_READ);
	IS(-EINVAL, madvise, file, PAGE, MADV_FREE);
	IS(-EINVAL, madvise, shared, PAGE, MADV_FREE);
	IS(-EINVAL, madvise, file, PAGE, MADV_WIPEONFORK);
	IS(-EINVAL, madvise, shared, PAGE, MADV_WIPEONFORK);
	IS(0, madvise, area, PAGE, MADV_WIPEONFORK);
	IS(0, madvise, area, PAGE, MADV_KEEPONFORK);
	IS(0, madvise, file, PAGE, MADV_KEEPONFORK);
	IS(-EINVAL, madvise, area, PAGE, MADV_REMOVE);
	IS(-EACCES, madvise, file, PAGE, MADV_REMOVE);
	IS_EITHER(-EACCES, 0, madvise, read_only, PAGE, MADV_REMOVE);
	IS(0, madvise, whole, PAGE, MADV_REMOVE);
	IS(0, madvise, shared, PAGE, MADV_REMOVE);
	IS(0, madvise, file, PAGE, MADV_WILLNEED);
	IS(0, madvise, area, PAGE, MADV_WILLNEED);
	long same_page_merging = access("/sys/kernel/mm/ksm", F_OK) == 0 ? 0 : -EINVAL;
	IS(same_page_merging, madvise, area, PAGE, MADV_MERGEABLE);
	IS(same_page_merging, madvise, area, PAGE, MADV_UNMERGEABLE);
	IS(0, madvise, area, PAGE, MADV_DONTFORK);
	IS(0, madvise, area, PAGE, MADV_DOFORK);
	IS(0, mlock, area, PAGE);
	IS(-EINVAL, madvise, area, PAGE, MADV_DONTNEED);
	IS_EITHER(-EINVAL, 0, madvise, area, PAGE, MADV_FREE);
	IS(-EINVAL, madvise, area, PAGE, MADV_COLD);
	IS(-EINVAL, madvise, area, PAGE, MADV_PAGEOUT);
	IS(0, madvise, area, PAGE, DONTNEED_LOCKED);
	IS(-EINVAL, madvise, area, 4 * PAGE, MADV_DONTNEED);
	rows_leave();
}

TEST(mlock)
{
	lay_out();
	IS(0, mlock, area, 8 * PAGE);
	IS(0, mlock, area + 1, 1);
	IS(0, mlock, area, 0);
	IS(-ENOMEM, mlock, area + 8 * PAGE, PAGE);
	IS(-ENOMEM, mlock, area, 16 * PAGE);
	IS(-ENOMEM, mlock, 0, PAGE);
	IS(-ENOMEM, mlock, user_end, PAGE);
	IS(-EINVAL, mlock, area, -PAGE);
	IS(-EINVAL, mlock, -PAGE, PAGE);
	IS(-ENOMEM, mlock, area + 12 * PAGE, PAGE);
	IS(0, mlock2, area, PAGE, 0);
	IS(0, mlock2, area, PAGE, 1);
	IS(-EINVAL, mlock2, area, PAGE, 2);
	IS(-EINVAL, mlock2, area, PAGE, -1);
	IS(-ENOMEM, mlock2, area + 8 * PAGE, PAGE, 1);
	IS(0, munlock, area, 8 * PAGE);
	IS(0, munlock, area, 8 * PAGE);
	IS(-ENOMEM, munlock, area + 8 * PAGE, PAGE);
	IS(-EINVAL, munlock, area, -PAGE);
	IS(-EINVAL, mlockall, 0);
	IS(-EINVAL, mlockall, 8);
	IS(-EINVAL, mlockall, -1);
	IS(-EINVAL, mlockall, MCL_ONFAULT);
	IS(0, mlockall, MCL_FUTURE);
	IS(0, mlockall, MCL_FUTURE | MCL_ONFAULT);
	IS(0, mlockall, MCL_CURRENT | MCL_ONFAULT);
	IS(0, munlockall);
	IS(0, munlockall);
	struct rlimit little = { PAGE, PAGE }, nothing = { 0, 0 };
	AS_NOBODY({
		NEED(setrlimit(RLIMIT_MEMLOCK, &little) == 0);
		IS(0, mlock, area, PAGE);
		IS(0, mlock, area, PAGE);
		IS(-ENOMEM, mlock, area, 2 * PAGE);
		IS(-ENOMEM, mlock2, area, 2 * PAGE, 0);
		IS(-EAGAIN, mmap, 0, 2 * PAGE, RW, ANON | MAP_LOCKED, -1, 0);
		IS(-EAGAIN, mremap, area, PAGE, 20 * PAGE, MREMAP_MAYMOVE, 0);
		IS(-ENOMEM, mlockall, MCL_CURRENT);
		IS(0, mlockall, MCL_FUTURE);
		NEED(setrlimit(RLIMIT_MEMLOCK, &nothing) == 0);
		IS(-EPERM, mlock, area, PAGE);
		IS(-EPERM, mlockall, MCL_CURRENT);
		IS(-EPERM, mmap, 0, 2 * PAGE, RW, ANON | MAP_LOCKED, -1, 0);
		IS(0, munlock, area, PAGE);
		IS(0, munlockall);
	});
}

TEST(brk_and_limits)
{
	long now = IS(DONE, brk, 0);
	IS(now, brk, 1);
	IS(now, brk, -1);
	IS(now, brk, kernels);
	IS(now + 100, brk, now + 100);
	IS(now + 3 * PAGE, brk, now + 3 * PAGE);
	IS(now, brk, now);
	struct rlimit few = { 0, 0 };
	NEED(getrlimit(RLIMIT_AS, &few) == 0);
	few.rlim_cur = 64 << 20;
	NEED(setrlimit(RLIMIT_AS, &few) == 0);
	IS(-ENOMEM, mmap, 0, 65 << 20, RW, ANON, -1, 0);
	IS(-ENOMEM, mmap, 0, 65 << 20, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);
	IS(now, brk, now + (65 << 20));
	long some = IS(DONE, mmap, 0, PAGE, RW, ANON, -1, 0);
	IS(-ENOMEM, mremap, some, PAGE, 65 << 20, MREMAP_MAYMOVE, 0);
}

