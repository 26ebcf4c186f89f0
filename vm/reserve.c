/* vm/reserve.c - reservations; see reserve.h. */
#include "vm/reserve.h"
#include "vm/heap.h"
#include "lib/assert.h"

int reserve_take(struct reserve *r, size_t size, unsigned n)
{
	assert(n <= RESERVE_OBJECTS);
	for (r->n = 0; r->n < n; r->n++) {
		r->object[r->n] = kmalloc(size);
		if (!r->object[r->n]) {
			reserve_release(r);
			return -ENOMEM;
		}
	}
	return 0;
}

void *reserve_use(struct reserve *r)
{
	assert(r->n > 0);
	return r->object[--r->n];
}

void reserve_release(struct reserve *r)
{
	while (r->n > 0)
		kfree(r->object[--r->n]);
}
