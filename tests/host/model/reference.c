/* tests/host/model/reference.c - see reference.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "reference.h"

struct ref_process ref_process[REF_PROCESSES];
struct ref_object ref_object[REF_OBJECTS];
const uint8_t ref_zeros[REF_BYTES];

/* ---- objects ------------------------------------------------------------------------------------------------------------------ */

void ref_object_clear(struct ref_object *o)
{
	for (size_t i = 0; i < o->npages; i++) {
		free(o->page[i]);
		o->page[i] = NULL;
	}
	o->npages = 0;
	o->used = false;
}

static bool is_mapped(int object)
{
	for (struct ref_process *p = ref_process; p < ref_process + REF_PROCESSES; p++)
		for (size_t i = 0; p->alive && i < p->npages; i++)
			if (p->page[i].mapped && p->page[i].object == object)
				return true;
	return false;
}

int ref_object_create(unsigned first, uint64_t size)
{
	unsigned i = first;

	while (i < REF_OBJECTS && ref_object[i].used && is_mapped((int)i))
		i++;
	if (i == REF_OBJECTS)
		return -1;
	ref_object_clear(&ref_object[i]);
	ref_object[i].used = true;
	ref_object[i].size = size;
	return (int)i;
}

const uint8_t *ref_object_bytes(const struct ref_object *o, size_t index)
{
	return index < o->npages && o->page[index] ? o->page[index] : ref_zeros;
}

uint8_t *ref_object_writable(struct ref_object *o, size_t index)
{
	if (!o->page[index])
		o->page[index] = calloc(1, REF_BYTES);
	if (index >= o->npages)
		o->npages = index + 1;
	return o->page[index];
}

static void zero(struct ref_object *o, uint64_t from, uint64_t to)
{
	for (size_t i = 0; i < o->npages; i++) {
		uint64_t start = i * REF_BYTES, first = from > start ? from : start, last = to < start + REF_BYTES ? to : start + REF_BYTES;

		if (o->page[i] && first < last)
			memset(o->page[i] + (first - start), 0, last - first);
	}
}

/* All pages that show the object may have changed; private copies of those that are beyond its end are gone. */
static void object_changed(unsigned object)
{
	for (struct ref_process *p = ref_process; p < ref_process + REF_PROCESSES; p++)
		for (size_t i = 0; p->alive && i < p->npages; i++)
			if (p->page[i].mapped && p->page[i].object == (int)object) {
				p->page[i].own &= !ref_beyond(&p->page[i]);
				ref_changed(p, i, 1);
			}
}

void ref_truncate(unsigned object, uint64_t size)
{
	struct ref_object *o = &ref_object[object];

	zero(o, size < o->size ? size : o->size, (uint64_t)-1);		/* a mapping may have written behind the end */
	o->size = size;
	object_changed(object);
}

void ref_punch(unsigned object, uint64_t from, uint64_t to)
{
	zero(&ref_object[object], from, to);
	object_changed(object);
}

/* ---- processes ---------------------------------------------------------------------------------------------------------------- */

void ref_start(struct ref_process *p, size_t npages, size_t stack_limit)
{
	p->alive = true;
	p->npages = npages;
	p->stack_limit = stack_limit;
	memset(p->page, 0, npages * sizeof *p->page);
	ref_settled(p);
}

void ref_end(struct ref_process *p)
{
	p->alive = false;
}

void ref_fork(struct ref_process *child, const struct ref_process *parent)
{
	ref_start(child, parent->npages, parent->stack_limit);
	for (size_t i = 0; i < parent->npages; i++) {
		if (parent->page[i].kept_back)
			continue;
		child->page[i] = parent->page[i];
		child->page[i].locked = false;
		child->page[i].own &= !parent->page[i].wiped;
		if (child->page[i].own)
			memcpy(child->bytes[i], parent->bytes[i], REF_BYTES);
	}
	ref_changed(child, 0, child->npages);
}

/* ---- mappings ----------------------------------------------------------------------------------------------------------------- */

struct ref_page ref_continued(const struct ref_page *first, size_t distance)
{
	struct ref_page what = *first;

	what.own = false;
	what.index += (unsigned)distance;
	return what;
}

void ref_map(struct ref_process *p, size_t page, size_t n, struct ref_page what)
{
	for (size_t i = 0; i < n; i++)
		p->page[page + i] = ref_continued(&what, i);
	ref_changed(p, page, n);
}

void ref_unmap(struct ref_process *p, size_t page, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p->page[page + i] = (struct ref_page){ .mapped = false };
	ref_changed(p, page, n);
}

int ref_protect(struct ref_process *p, size_t page, size_t n, unsigned rights)
{
	ref_changed(p, page, n);
	for (size_t i = 0; i < n; i++) {
		struct ref_page *r = &p->page[page + i];

		if (!r->mapped)
			return -ENOMEM;
		if (r->never_written && rights & REF_WRITE)
			return -EACCES;
		r->rights = (uint8_t)rights;
	}
	return 0;
}

void ref_discard(struct ref_process *p, size_t page, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p->page[page + i].own = false;
	ref_changed(p, page, n);
}

void ref_move(struct ref_process *p, size_t from, size_t old, size_t to, size_t new, bool stays_mapped)
{
	static struct ref_page page[REF_PAGES];
	static uint8_t bytes[REF_PAGES][REF_BYTES];
	struct ref_page first = p->page[from];
	size_t moved = old < new ? old : new;

	for (size_t i = 0; i < moved; i++) {
		page[i] = p->page[from + i];
		if (page[i].own)
			memcpy(bytes[i], p->bytes[from + i], REF_BYTES);
	}
	if (stays_mapped)
		ref_discard(p, from, old);
	else
		ref_unmap(p, from, old);
	for (size_t i = 0; i < old; i++)
		p->page[from + i].locked = false;
	ref_map(p, to, new, first);
	for (size_t i = 0; i < moved; i++) {
		p->page[to + i] = page[i];
		if (page[i].own)
			memcpy(p->bytes[to + i], bytes[i], REF_BYTES);
	}
}

bool ref_is_free(const struct ref_process *p, size_t page, size_t n)
{
	return ref_next(p, page) >= page + n;
}

size_t ref_mapped(const struct ref_process *p, size_t page, size_t n)
{
	size_t i = 0;

	while (i < n && p->page[page + i].mapped)
		i++;
	return i;
}

bool ref_has_gap(const struct ref_process *p, size_t n, size_t end, size_t guard)
{
	for (size_t page = 0; page < end; page++) {
		size_t next = ref_next(p, page), keep = next < p->npages && p->page[next].stack ? guard : 0;

		if (next > end)
			next = end;
		if (next >= page + n + keep)
			return true;
		page = next;
	}
	return false;
}

size_t ref_next(const struct ref_process *p, size_t page)
{
	while (page < p->npages && !p->page[page].mapped)
		page++;
	return page;
}

/* ---- accesses ----------------------------------------------------------------------------------------------------------------- */

bool ref_beyond(const struct ref_page *r)
{
	return r->object >= 0 && r->index >= (ref_object[r->object].size + REF_BYTES - 1) / REF_BYTES;
}

enum ref_access ref_access(const struct ref_process *p, size_t page, unsigned right)
{
	const struct ref_page *r = &p->page[page];

	if (!r->mapped)
		return REF_NOT_MAPPED;
	if (right == REF_READ ? !r->rights : !(r->rights & right))	/* who may write or execute may read */
		return REF_NOT_ALLOWED;
	return ref_beyond(r) && !r->own ? REF_BEYOND_END : REF_OK;
}

const uint8_t *ref_bytes(const struct ref_process *p, size_t page)
{
	const struct ref_page *r = &p->page[page];

	if (r->own)
		return p->bytes[page];
	return r->object >= 0 ? ref_object_bytes(&ref_object[r->object], r->index) : ref_zeros;
}

uint8_t *ref_writable(struct ref_process *p, size_t page)
{
	struct ref_page *r = &p->page[page];

	ref_changed(p, page, 1);
	if (r->shared)
		return ref_object_writable(&ref_object[r->object], r->index);
	if (!r->own) {
		memcpy(p->bytes[page], ref_bytes(p, page), REF_BYTES);
		r->own = true;
	}
	return p->bytes[page];
}

void ref_changed(struct ref_process *p, size_t page, size_t n)
{
	if (page < p->changed_from)
		p->changed_from = page;
	if (page + n > p->changed_to)
		p->changed_to = page + n;
}

void ref_settled(struct ref_process *p)
{
	p->changed_from = REF_PAGES;
	p->changed_to = 0;
}
