/*
 * vm/uio.h - where bytes come from or go to: user memory or kernel memory (the name and the idea are BSD's).
 */
#pragma once
#include "vm/types.h"

enum uio_space { UIO_USER, UIO_KERNEL };
struct uio {
	vaddr_t base;			/* next byte */
	size_t left;			/* bytes still to go */
	enum uio_space space;
};

/* Moves up to n bytes (at most uio->left) from `from` into the uio (out), or from the uio to `to` (in), and advances it.
 * => the bytes moved; fewer than asked only when user memory faulted (0: caller says -EFAULT).  May sleep for user memory. */
size_t uio_out(struct uio *, const void *from, size_t n);
size_t uio_in(struct uio *, void *to, size_t n);
size_t uio_zero(struct uio *, size_t n);
static inline struct uio uio_user(vaddr_t base, size_t n) { return (struct uio){ .base = base, .left = n, .space = UIO_USER }; }
static inline struct uio uio_kernel(void *base, size_t n) { return (struct uio){ .base = (vaddr_t)base, .left = n, .space = UIO_KERNEL }; }
