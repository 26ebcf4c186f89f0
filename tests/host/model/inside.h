/* tests/host/model/inside.h - what the parts of the runner (run.h) share. */
#pragma once
#include "reference.h"
#include "run.h"
#include "sim.h"
#include "vm/mmap.h"

struct process {
	struct ref_process *ref;
	struct space *space;
	unsigned busy;			/* threads that do something with it at the moment */
	vaddr_t brk;
};
extern struct process process[REF_PROCESSES];
extern const struct program *running;
extern size_t arena_pages;

/* An operation: what it came to.  a: the step's arguments. */
typedef enum outcome op_fn(struct process *, const unsigned long *a);
op_fn op_mmap, op_munmap, op_mprotect, op_mremap, op_madvise, op_mincore, op_msync, op_mlock, op_brk;			/* calls.c */
op_fn op_touch, op_sweep, op_copy_in, op_copy_out;								/* access.c */
op_fn op_fork, op_exit, op_exec;										/* processes.c */
op_fn op_read, op_read_kernel, op_write, op_write_kernel, op_truncate, op_punch, op_sync, op_renew;				/* files.c */

/* Ends the test. */
void differ(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Where a range of a step's arguments lies, clipped to the arena; odd arguments stay odd. */
vaddr_t arena_address(unsigned long at);
size_t arena_clip(vaddr_t at, unsigned long length);
static inline size_t page_of(vaddr_t va) { return (va - USER_MIN) >> PAGE_SHIFT; }
static inline vaddr_t address_of(size_t page) { return USER_MIN + (page << PAGE_SHIFT); }
static inline size_t pages_in(size_t length) { return (length + PAGE_MASK) >> PAGE_SHIFT; }

/* Was memory refused since this thread's step began?  From here on none is, for what comes after. */
bool memory_was_refused(void);
/* Can pages have been unreadable since then? */
bool pager_failed(void);
/* A refused or failed call's outcome. */
enum outcome outcome_of(ssize error);
/* Is this error the one that memory which was refused explains? */
bool excused(ssize error);
/* The call must have given this; excuses are accepted. */
enum outcome expect_error(const char *call, ssize error, ssize expected);

/* access.c: may this page be accessed?  A stack that grows for it is mapped in the reference. */
enum ref_access expected_access(struct process *, size_t page, unsigned right);
/* May a transfer go on at `at`?  ended: it did not. */
bool accessible(struct process *, vaddr_t at, unsigned right, bool ended);
/* The kernel moved so many of n bytes to or from memory at `at` (in one go, page by page): was that right?  An outcome if so. */
enum outcome judge_copy(struct process *, vaddr_t at, size_t n, size_t moved, unsigned right);
enum { COPY_MAX = 3 * 4096 };
/* How many bytes a step copies that asks for `length`: more than one page's in programs of one thread only, at most COPY_MAX. */
size_t copy_length(vaddr_t at, unsigned long length);
/* The part of a transfer at `va` that lies in one page. */
size_t part_in_page(vaddr_t va, size_t left);
/* The byte that a step with this value writes as its k-th. */
static inline uint8_t value_byte(unsigned long value, size_t k) { return (uint8_t)(value + k * 7 + (k >> 8)); }

/* processes.c */
void processes_start(void);
void processes_end(void);
void kill_largest(void);

/* compare.c */
void compare_changed(void);
void compare_all(void);
void compare_nothing_left(size_t frames);
size_t frames_when_empty(void);
