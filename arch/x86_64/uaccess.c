/*
 * arch/x86_64/uaccess.c - the range check in front of every copy from and to user memory.  See arch/uaccess.h; the copies are in entry.asm.
 */
#include "arch/uaccess.h"
#include "arch/x86_64/traps.h"
#include "lib/string.h"

/* How much of [at, at + n) lies in user space, from its start on. */
static size_t inside(vaddr_t at, size_t n)
{
	if (at >= USER_MAX)
		return 0;
	return n < USER_MAX - at ? n : USER_MAX - at;
}

size_t user_copy_in(void *to, vaddr_t from, size_t n)
{
	size_t part = inside(from, n);

	if (__builtin_expect(part == n, 1))
		return user_copy(to, (const void *)from, n);
	return n - part + user_copy(to, (const void *)from, part);
}

size_t user_copy_out(vaddr_t to, const void *from, size_t n)
{
	size_t part = inside(to, n);

	if (__builtin_expect(part == n, 1))
		return user_copy((void *)to, from, n);
	return n - part + user_copy((void *)to, from, part);
}

size_t user_zero(vaddr_t to, size_t n)
{
	size_t part = inside(to, n);

	return n - part + user_fill_zero((void *)to, part);
}

ssize user_string(char *to, vaddr_t from, size_t size)
{
	enum { CHUNK = 64 };

	for (size_t n = 0; n < size; ) {
		/* In pieces that end at multiples of CHUNK: what lies behind the string's page is not touched. */
		size_t part = CHUNK - (from + n) % CHUNK;
		if (part > size - n)
			part = size - n;
		size_t got = part - user_copy_in(to + n, from + n, part);
		size_t length = strnlen(to + n, got);
		if (length < got)
			return (ssize)(n + length);
		if (got < part)
			return -EFAULT;
		n += part;
	}
	return -ENAMETOOLONG;
}

int user_load32(vaddr_t from, uint32_t *value)
{
	return from >= USER_MAX || user_word_load((const uint32_t *)from, value) ? -EFAULT : 0;
}

int user_cmpxchg32(vaddr_t at, uint32_t old, uint32_t new, uint32_t *seen)
{
	return at >= USER_MAX || user_word_cmpxchg((uint32_t *)at, old, new, seen) ? -EFAULT : 0;
}
