/*
 * vm/reserve.h - reservations: an operation that cannot stop halfway takes all that it may need before it starts.
 *
 * The idea is mikro's critical reserve, one for each operation in place of one for all: what is reserved here nobody
 * else can take.  Decide first, then change state in a part that cannot fail.
 */
#pragma once
#include "vm/types.h"

enum { RESERVE_OBJECTS = 4 };

struct reserve {
	void *object[RESERVE_OBJECTS];
	unsigned n;
};

/* Takes n heap objects of `size` bytes; 0 or -ENOMEM, then nothing is held. */
int reserve_take(struct reserve *, size_t size, unsigned n);
/* One of them: cannot fail as long as no more are used than were taken. */
void *reserve_use(struct reserve *);
/* Gives back what was not used. */
void reserve_release(struct reserve *);
