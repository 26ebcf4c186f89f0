/* vm/uio.c - moving bytes to and from user or kernel memory; see uio.h. */
#include "vm/uio.h"
#include "arch/uaccess.h"
#include "lib/string.h"

static size_t clip(const struct uio *u, size_t n)
{
	return n < u->left ? n : u->left;
}

static size_t advance(struct uio *u, size_t n)
{
	u->base += n;
	u->left -= n;
	return n;
}

size_t uio_out(struct uio *u, const void *from, size_t n)
{
	n = clip(u, n);
	if (u->space == UIO_USER)
		n -= user_copy_out(u->base, from, n);
	else
		memcpy((void *)u->base, from, n);
	return advance(u, n);
}

size_t uio_in(struct uio *u, void *to, size_t n)
{
	n = clip(u, n);
	if (u->space == UIO_USER)
		n -= user_copy_in(to, u->base, n);
	else
		memcpy(to, (const void *)u->base, n);
	return advance(u, n);
}

size_t uio_zero(struct uio *u, size_t n)
{
	n = clip(u, n);
	if (u->space == UIO_USER)
		n -= user_zero(u->base, n);
	else
		memset((void *)u->base, 0, n);
	return advance(u, n);
}
