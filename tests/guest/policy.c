/* tests/guest/policy.c - what stress-ng asks beside the mmap family: remap_file_pages, NUMA policies with one node, unshare and setns. */
#include "tap.h"
#include <sched.h>

enum { DEFAULT, PREFERRED, BIND, INTERLEAVE, LOCAL, PREFERRED_MANY, MODES = 64, BALANCING = 1 << 13, RELATIVE = 1 << 14, STATIC = 1 << 15 };
enum { OF_NODE = 1, OF_ADDR = 2, ALLOWED = 4 };

static long set_policy(int mode, const unsigned long *mask, unsigned long max) { return syscall(SYS_set_mempolicy, mode, mask, max); }
static long bind(void *start, unsigned long size, int mode, const unsigned long *mask, unsigned long max, unsigned flags)
{
	return syscall(SYS_mbind, start, size, mode, mask, max, flags);
}
static long get_policy(int *mode, unsigned long *mask, unsigned long max, const void *at, unsigned long flags)
{
	return syscall(SYS_get_mempolicy, mode, mask, max, at, flags);
}

TEST(a_thread_has_a_policy)
{
	unsigned long first = 1, second = 2, none = 0, got = 77;
	int mode = 77, status;

	EQ(get_policy(&mode, &got, 64, NULL, 0), 0);
	EQ(mode, DEFAULT);
	EQ(got, 0);
	EQ(set_policy(BIND | STATIC, &first, 64), 0);
	EQ(get_policy(&mode, &got, 64, NULL, 0), 0);
	EQ(mode, BIND | STATIC);
	EQ(got, 1);
	CHILD(status) {
		EQ(get_policy(&mode, NULL, 0, NULL, 0), 0);
		EQ(mode, BIND | STATIC);
	}
	EQ(status, 0);
	EQ(set_policy(PREFERRED, &none, 64), 0);
	EQ(get_policy(&mode, &got, 64, NULL, 0), 0);
	EQ(mode, LOCAL);
	EQ(got, 0);
	EQ(set_policy(INTERLEAVE | RELATIVE, &second, 64), 0);		/* the second of one, counted around, is the first */
	EQ(get_policy(&mode, &got, 64, NULL, OF_NODE), 0);
	EQ(mode, 0);
	EQ(set_policy(DEFAULT, NULL, 0), 0);
	FAILS(get_policy(&mode, NULL, 0, NULL, OF_NODE), EINVAL);
}

TEST(wrong_policies_are_refused)
{
	unsigned long first = 1, second = 2, none = 0, far[32] = { 1, [16] = 1 };
	int mode;

	FAILS(set_policy(MODES, &first, 64), EINVAL);
	FAILS(set_policy(-1, &first, 64), EINVAL);
	FAILS(set_policy(BIND | STATIC | RELATIVE, &first, 64), EINVAL);
	FAILS(set_policy(DEFAULT, &first, 64), EINVAL);
	FAILS(set_policy(LOCAL, &first, 64), EINVAL);
	FAILS(set_policy(PREFERRED | STATIC, &none, 64), EINVAL);
	FAILS(set_policy(BIND, NULL, 0), EINVAL);
	FAILS(set_policy(BIND, &none, 64), EINVAL);
	FAILS(set_policy(BIND, &second, 64), EINVAL);
	FAILS(set_policy(BIND, &first, 0), EINVAL);
	FAILS(set_policy(BIND, &first, 8 * PAGE + 2), EINVAL);
	FAILS(set_policy(BIND, far, 32 * 64 + 1), EINVAL);
	EQ(set_policy(BIND, far, 64 + 1), 0);
	FAILS(set_policy(BIND, (void *)16, 64), EFAULT);
	EQ(set_policy(DEFAULT, NULL, 0), 0);
	FAILS(get_policy(&mode, NULL, 0, NULL, 8), EINVAL);
	FAILS(get_policy(&mode, NULL, 0, &mode, 0), EINVAL);
	FAILS(get_policy(&mode, &none, 0, NULL, 0), EINVAL);
	FAILS(get_policy(&mode, NULL, 0, (void *)PAGE, OF_ADDR), EFAULT);
	FAILS(get_policy(&mode, NULL, 0, NULL, ALLOWED | OF_NODE), EINVAL);
	FAILS(get_policy((int *)16, NULL, 0, NULL, 0), EFAULT);
}

TEST(a_mask_is_filled_as_far_as_it_goes)
{
	unsigned long mask[4] = { 7, 7, 7, 7 };
	int mode;

	EQ(get_policy(&mode, mask, 3 * 64, NULL, ALLOWED), 0);
	EQ(mask[0], 1);
	EQ(mask[1], 0);
	EQ(mask[2], 0);
	EQ(mask[3], 7);
}

TEST(a_region_has_a_policy)
{
	char *p = map_anon(8 * PAGE, MAP_PRIVATE);
	unsigned long first = 1, got = 0;
	int mode = 77, status;

	EQ(bind(p + 2 * PAGE, 2 * PAGE, BIND, &first, 64, 0), 0);
	EQ(get_policy(&mode, &got, 64, p + 3 * PAGE, OF_ADDR), 0);
	EQ(mode, BIND);
	EQ(got, 1);
	EQ(get_policy(&mode, NULL, 0, p + 4 * PAGE, OF_ADDR), 0);
	EQ(mode, DEFAULT);
	CHILD(status) {
		EQ(get_policy(&mode, NULL, 0, p + 2 * PAGE, OF_ADDR), 0);
		EQ(mode, BIND);
	}
	EQ(status, 0);
	*p = 1;
	EQ(get_policy(&mode, NULL, 0, p, OF_ADDR | OF_NODE), 0);
	EQ(mode, 0);
	munmap(p + 5 * PAGE, PAGE);
	FAILS(bind(p, 8 * PAGE, LOCAL, NULL, 0, 0), EFAULT);
	EQ(get_policy(&mode, NULL, 0, p, OF_ADDR), 0);
	EQ(mode, DEFAULT);
	FAILS(bind(p + 1, PAGE, LOCAL, NULL, 0, 0), EINVAL);
	FAILS(bind(p, PAGE, LOCAL, NULL, 0, 8), EINVAL);
	FAILS(bind(p, (size_t)-PAGE, LOCAL, NULL, 0, 0), EINVAL);
	EQ(bind(p, 0, LOCAL, NULL, 0, 0), 0);
	EQ(bind(p, 5 * PAGE, DEFAULT, NULL, 0, 0), 0);
}

/* Eight pages of an object, each with its number. */
static char *numbered(void)
{
	char *p = map_anon(8 * PAGE, MAP_SHARED);

	for (int i = 0; i < 8; i++)
		p[i * PAGE] = (char)i;
	return p;
}

TEST(remapped_pages)
{
	volatile char *p = numbered();	/* one page in two places */

	EQ(remap_file_pages((void *)p, PAGE, 0, 7, 0), 0);
	EQ(p[0], 7);
	EQ(p[7 * PAGE], 7);
	p[0] = 70;
	EQ(p[7 * PAGE], 70);
	EQ(remap_file_pages((char *)p + 2 * PAGE + 5, 2 * PAGE + 3, 0, 0, 0), 0);	/* both rounded down */
	EQ(p[2 * PAGE], 0);
	EQ(p[3 * PAGE], 1);
	EQ(p[4 * PAGE], 4);
	FAILS(remap_file_pages((void *)p, 8 * PAGE, PROT_READ, 0, 0), EINVAL);
	EQ(remap_file_pages((void *)p, 8 * PAGE, 0, 0, MAP_NONBLOCK), 0);		/* over several regions of one object */
	EQ(p[PAGE], 1);
	EQ(p[7 * PAGE], 70);
	EQ(remap_file_pages((void *)p, PAGE, 0, 100, 0), 0);
	REFUSED((void)*p, SIGBUS, BUS_ADRERR, p);
}

TEST(what_cannot_be_remapped)
{
	char *p = numbered(), *private = map_anon(PAGE, MAP_PRIVATE);

	FAILS(remap_file_pages(private, PAGE, 0, 0, 0), EINVAL);
	FAILS(remap_file_pages(p, 0, 0, 0, 0), EINVAL);
	FAILS(remap_file_pages(p, PAGE - 1, 0, 0, 0), EINVAL);
	FAILS(remap_file_pages(p, PAGE, 0, (size_t)-1, 0), EINVAL);
	FAILS(syscall(SYS_remap_file_pages, p, (size_t)-PAGE, 0, 0, 0), EINVAL);
	munmap(p + 4 * PAGE, PAGE);
	FAILS(remap_file_pages(p, 8 * PAGE, 0, 0, 0), EINVAL);
	FAILS(remap_file_pages(p + 4 * PAGE, PAGE, 0, 0, 0), EINVAL);
	EQ(p[3 * PAGE], 3);
}

TEST(unsharing)
{
	int status;

	EQ(unshare(0), 0);
	EQ(unshare(CLONE_FS | CLONE_FILES | CLONE_SYSVSEM), 0);
	EQ(unshare(CLONE_THREAD | CLONE_SIGHAND | CLONE_VM), 0);
	FAILS(unshare(CLONE_VFORK), EINVAL);
	FAILS(setns(-1, 0), EBADF);
	FAILS(setns(0, 0), EINVAL);
	int fd = dup(0);
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
	if (!pid) {
		int failed = unshare(CLONE_FILES);
		close(fd);
		_exit(failed);
	}
	NEED(pid > 0);
	EQ(wait_status(pid), 0);
	EQ(fcntl(fd, F_GETFD), 0);		/* it has closed its own */
	mode_t mask = umask(022);
	pid = (pid_t)syscall(SYS_clone, CLONE_FS | SIGCHLD, 0, 0, 0, 0);
	if (!pid) {
		int failed = unshare(CLONE_FS);
		umask(077);
		_exit(failed);
	}
	NEED(pid > 0);
	EQ(wait_status(pid), 0);
	EQ(umask(mask), 022);
	CHILD(status) {
		NEED(!setuid(1000));
		FAILS(unshare(CLONE_NEWUTS), EPERM);
	}
	EQ(status, 0);
}
