/*
 * tests/host/harness.h - runs cmocka tests, each in a process of its own, and prints TAP.
 *
 * A simulated machine starts once a process, and a failed assertion of the kernel leaves it in no state to go on; so each
 * test is forked off, has its own machine, and may crash without harm to the others.
 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "sim.h"		/* last: lib/assert.h takes assert over */
#include "vm/check.h"
#include "vm/mmap.h"
#include "vm/report.h"

#define TEST(name) static void name(void **state)
#define RUN_TESTS(suite, tests) \
	int main(int argc, char **argv) { return run_suite((suite), (tests), sizeof(tests) / sizeof *(tests), argc > 1 ? argv[1] : NULL); }

/* Runs the tests whose names contain `only` (NULL: all); returns the exit status. */
int run_suite(const char *suite, const struct CMUnitTest *, size_t n, const char *only);

/* What exists; a test must leave as much of everything as there was. */
struct census { size_t frames, heap_bytes, heap_objects, objects, records, spaces, kspace_pages, kspace_ranges; };
struct census census_take(void);
/* Fails the test if anything is more or less than in `before`, or vm_check or the TLBs complain. */
void census_check(const struct census *before);
/* vm_check and the TLBs are content, and no lock is held. */
void check_sound(void);

/* Since the last of these calls, exactly n faults were taken, all of this class. */
#define EXPECT_FAULTS(class, n) expect_faults_at((class), (n), __FILE__, __LINE__)
#define EXPECT_FAULT(class) EXPECT_FAULTS(class, 1)
#define EXPECT_NO_FAULTS() expect_no_faults_at(__FILE__, __LINE__)
void expect_faults_at(enum fault_class, unsigned long n, const char *file, int line);
void expect_no_faults_at(const char *file, int line);

/* Spaces. drop_space: no processor runs it any more, then the reference goes. */
struct space *new_space(void);
void drop_space(struct space *);
void write_byte(struct space *, vaddr_t, uint8_t value);	/* must succeed */
uint8_t read_byte(struct space *, vaddr_t);

/* A file of bytes file_byte(offset). */
struct test_file {
	struct object *object;
	uint64_t size;
	pfn_t image;			/* where it lies in the image, frame-aligned; PFN_NONE: it must be read */
	unsigned reads, yields;		/* calls of the pager so far; how often each yields */
	int error;			/* what reading returns, if not 0 */
	unsigned released;
};
uint8_t file_byte(uint64_t offset);
void file_create(struct test_file *, uint64_t size);
void file_create_in_image(struct test_file *, uint64_t size, pfn_t image);
void file_drop(struct test_file *);

/* Mappings at fixed addresses that must succeed: anonymous memory, or a file from page `index` on. */
vaddr_t map(struct space *, vaddr_t at, size_t npages, unsigned rights, unsigned flags);
vaddr_t map_file(struct space *, vaddr_t at, size_t npages, unsigned rights, unsigned flags, struct test_file *, uint64_t index);
