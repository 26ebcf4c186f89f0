/*
 * tests/guest/rows.h - tables of system calls and what each answers, for the programs errno_*.c.
 *
 *	IS(want, call, arguments...)	a row: the call is made without libc in between; want: a result, -EINVAL and the like, or DONE: whatever is not an error
 *
 * Arguments are numbers; P(x) makes one of a pointer.  Rows are made one after the other, each beside what came before.  As root, on Linux and on Faultline alike.
 */
#pragma once
#include "tap.h"
#include <limits.h>

#define DONE	LONG_MAX
#define P(x)	((long)(x))
#define IS(want, name, ...) row_check(__LINE__, #name "(" #__VA_ARGS__ ")", row_call(SYS_##name, (long[7]){ __VA_ARGS__ }), want)
/* One of two errors: where Linux's own versions differ. */
#define IS_EITHER(want, other, name, ...) row_check_either(__LINE__, #name "(" #__VA_ARGS__ ")", row_call(SYS_##name, (long[7]){ __VA_ARGS__ }), want, other)

/* No memory is mapped there: below the first page that may be mapped; the end of user memory; the kernel's. */
static const long nowhere = 8, user_end = 0x7ffffffff000, kernels = (long)0xffff888000000000;

static inline long row_call(long number, const long a[7])
{
	register long r10 __asm__("r10") = a[3], r8 __asm__("r8") = a[4], r9 __asm__("r9") = a[5];
	long result;

	__asm__ volatile ("syscall" : "=a"(result) : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
	return result;
}

static inline const char *row_word(long result)
{
	return result < 0 && result >= -4095 ? strerror((int)-result) : "";
}

static inline int row_is(long result, long want)
{
	return want == DONE ? result >= 0 || result < -4095 : result == want;
}

static inline void row_check_either(int line, const char *what, long result, long want, long other)
{
	if (row_is(result, want) || row_is(result, other))
		return;
	printf("# line %d: %s is %ld %s, not %ld %s\n", line, what, result, row_word(result), want == DONE ? 0 : want, want == DONE ? "or more" : row_word(want));
	tap_failures++;
}

/* The result. */
static inline long row_check(int line, const char *what, long result, long want)
{
	row_check_either(line, what, result, want, want);
	return result;
}

/* A folder of its own on tmpfs, where anybody may write; rows_leave removes it. */
static char rows_folder[64];
static inline void rows_leave(void)
{
	char command[100];

	for (int fd = 3; fd < 1024; fd++)
		close(fd);
	if (chdir("/") == 0 && snprintf(command, sizeof command, "rm -rf %s", rows_folder) > 0 && system(command))
		FAIL("cannot remove %s", rows_folder);
}

static inline void rows_enter(void)
{
	strcpy(rows_folder, access("/dev/shm", W_OK) == 0 ? "/dev/shm/rows.XXXXXX" : "/tmp/rows.XXXXXX");
	NEED(mkdtemp(rows_folder) && chmod(rows_folder, 0777) == 0 && chdir(rows_folder) == 0);
	umask(022);
}

static inline int rows_file(const char *name, int flags, size_t size)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);

	NEED(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
	close(fd);
	fd = open(name, flags);
	NEED(fd >= 0);
	return fd;
}

/* Statements as another user. */
#define NOBODY 65534
#define AS_NOBODY(...) do { int as_; CHILD(as_) { NEED(setresgid(NOBODY, NOBODY, NOBODY) == 0 && setresuid(NOBODY, NOBODY, NOBODY) == 0); __VA_ARGS__; } EQ(as_, 0); } while (0)
