/*
 * tests/host/model/reference.h - memory as POSIX describes it, too plain to be wrong.
 *
 * A process is an array of pages; each has rights and flags, and 4096 bytes of its own or those of an object.  An object (a file,
 * shared memory) is an array of pages of bytes.  There are no regions, tables, frames or faults, nothing is shared to save memory, nothing is lazy.
 * Pages are numbered from the start of the arena.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	REF_PROCESSES = 6, REF_OBJECTS = 40, REF_PAGES = 2560, REF_OBJECT_PAGES = REF_PAGES,
	REF_BYTES = 4096,		/* of a page */
	REF_GUARD_PAGES = 256,		/* that a stack keeps free below itself */
	REF_READ = 1, REF_WRITE = 2, REF_EXEC = 4,
};

struct ref_page {
	bool mapped;
	bool shared, stack /* grows down */, never_written /* mprotect must not make it writable */;
	bool locked, kept_back /* MADV_DONTFORK */, wiped /* MADV_WIPEONFORK */;
	bool own;			/* private bytes, in ref_process.bytes; else the object's, or zeros */
	uint8_t rights;
	int16_t object;			/* -1: none */
	unsigned index;			/* page of the object */
};

struct ref_process {
	bool alive;
	size_t npages;			/* of the arena that are used */
	size_t stack_limit;		/* pages that a stack may grow to */
	struct ref_page page[REF_PAGES];
	uint8_t bytes[REF_PAGES][REF_BYTES];
	size_t changed_from, changed_to;	/* pages that may have changed since ref_settled */
};
extern struct ref_process ref_process[REF_PROCESSES];

struct ref_object {
	bool used;
	uint64_t size;
	size_t npages;			/* that have been written: no page behind these has bytes */
	uint8_t *page[REF_OBJECT_PAGES];	/* NULL: zeros */
};
extern struct ref_object ref_object[REF_OBJECTS];
extern const uint8_t ref_zeros[REF_BYTES];

/* Processes.  ref_start: nothing is mapped. */
void ref_start(struct ref_process *, size_t npages, size_t stack_limit);
void ref_end(struct ref_process *);
void ref_fork(struct ref_process *child, const struct ref_process *parent);

/* Objects.  ref_object_create looks from number `first` on for one that nobody maps; -1: there is none. */
int ref_object_create(unsigned first, uint64_t size);
void ref_object_clear(struct ref_object *);
uint8_t *ref_object_writable(struct ref_object *, size_t index);
const uint8_t *ref_object_bytes(const struct ref_object *, size_t index);
/* Another size: what is cut off is gone, private copies too; what is new is zeros. */
void ref_truncate(unsigned object, uint64_t size);
/* A hole: the object's bytes [from, to) are zeros, private copies stay. */
void ref_punch(unsigned object, uint64_t from, uint64_t to);

/* Mappings.  `what` is the first page's; those behind it have the following pages of the object. */
void ref_map(struct ref_process *, size_t page, size_t n, struct ref_page what);
void ref_unmap(struct ref_process *, size_t page, size_t n);
/* 0, -ENOMEM or -EACCES at the first page that cannot have these rights; those before it get them. */
int  ref_protect(struct ref_process *, size_t page, size_t n, unsigned rights);
/* Private pages go back to what they were at first. */
void ref_discard(struct ref_process *, size_t page, size_t n);
/* mremap that moves: `old` pages at `from` are `new` pages at `to` afterwards. */
void ref_move(struct ref_process *, size_t from, size_t old, size_t to, size_t new, bool stays_mapped);
/* Page `first` + distance as it would be, were the mapping of `first` longer. */
struct ref_page ref_continued(const struct ref_page *first, size_t distance);

bool ref_is_free(const struct ref_process *, size_t page, size_t n);
/* How many pages from `page` on, at most n, are mapped without a hole. */
size_t ref_mapped(const struct ref_process *, size_t page, size_t n);
/* Are n pages free somewhere below `end`, and guard more before a stack? */
bool ref_has_gap(const struct ref_process *, size_t n, size_t end, size_t guard);
/* The first mapped page from `page` on; npages: none. */
size_t ref_next(const struct ref_process *, size_t page);

/* Accesses. */
enum ref_access { REF_OK, REF_NOT_MAPPED, REF_NOT_ALLOWED, REF_BEYOND_END };
enum ref_access ref_access(const struct ref_process *, size_t page, unsigned right);
const uint8_t *ref_bytes(const struct ref_process *, size_t page);
uint8_t *ref_writable(struct ref_process *, size_t page);
bool ref_beyond(const struct ref_page *);
/* The page may have changed, or should not have. */
void ref_changed(struct ref_process *, size_t page, size_t n);
void ref_settled(struct ref_process *);
