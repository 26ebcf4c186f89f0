/*
 * arch/uaccess.h - contract: the one pair of functions that reaches user memory.
 *
 * Any user address may be given, mapped or not, inside user space or not.  They may fault and sleep: the caller holds no spinlock
 * and not the lock of the space.
 * => both return the number of bytes that were NOT copied: 0 when all went well.
 */
#pragma once
#include "vm/types.h"

size_t user_copy_in(void *to, vaddr_t from, size_t n);
size_t user_copy_out(vaddr_t to, const void *from, size_t n);

/* Copies a NUL-terminated string: its length, -EFAULT, or -ENAMETOOLONG if no NUL came within size bytes. Built on user_copy_in. */
ssize user_string(char *to, vaddr_t from, size_t size);
/* Zeroes; returns the number of bytes not zeroed. */
size_t user_zero(vaddr_t to, size_t n);

/* An aligned word by one access: 0 or -EFAULT.  cmpxchg: *seen is what was there; it has been replaced by `new` if that is `old`; -EFAULT also where it cannot be written. */
int user_load32(vaddr_t from, uint32_t *value);
int user_cmpxchg32(vaddr_t at, uint32_t old, uint32_t new, uint32_t *seen);

/* 0 or -EFAULT for one object of C. */
#define user_get(lvalue, from)	(user_copy_in(&(lvalue), (from), sizeof(lvalue)) ? -EFAULT : 0)
#define user_put(to, lvalue)	(user_copy_out((to), &(lvalue), sizeof(lvalue)) ? -EFAULT : 0)
