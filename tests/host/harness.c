/* tests/host/harness.c - see harness.h. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "harness.h"
#include "vm/frame.h"
#include "vm/heap.h"
#include "vm/kspace.h"
#include "vm/object.h"

enum { TEST_SECONDS = 120 };

/* In the child: cmocka runs this one test and prints its own TAP, of which the parent takes the result line. */
static void run_child(const char *suite, const struct CMUnitTest *test, int output)
{
	dup2(output, STDOUT_FILENO);
	alarm(TEST_SECONDS);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	exit(_cmocka_run_group_tests(suite, test, 1, NULL, NULL));
}

static const char *verdict(FILE *output)
{
	static char line[1024];
	bool ok = false;

	while (fgets(line, sizeof line, output)) {
		if (strncmp(line, "ok ", 3) == 0)
			ok = true;
		else if (strncmp(line, "not ok ", 7) != 0 && strncmp(line, "1..", 3) != 0 && strncmp(line, "# ok", 4) != 0
			 && strncmp(line, "# not ok", 8) != 0 && strncmp(line, "TAP", 3) != 0)
			fputs(line, stdout);
	}
	return ok ? "ok" : "not ok";
}

static bool run_one(const char *suite, const struct CMUnitTest *test, unsigned number)
{
	int ends[2], status;

	fflush(stdout);
	if (pipe(ends) < 0)
		abort();
	pid_t child = fork();
	if (child < 0)
		abort();
	if (child == 0) {
		close(ends[0]);
		run_child(suite, test, ends[1]);
	}
	close(ends[1]);
	FILE *output = fdopen(ends[0], "r");
	const char *result = verdict(output);
	fclose(output);
	waitpid(child, &status, 0);
	if (WIFSIGNALED(status)) {
		result = "not ok";
		printf("# %s: %s\n", test->name, strsignal(WTERMSIG(status)));
	} else if (status) {
		result = "not ok";
	}
	printf("%s %u - %s: %s\n", result, number, suite, test->name);
	return strcmp(result, "ok") == 0;
}

int run_suite(const char *suite, const struct CMUnitTest *tests, size_t n, const char *only)
{
	unsigned run = 0, failed = 0;

	printf("TAP version 13\n");
	for (size_t i = 0; i < n; i++)
		if (!only || strstr(tests[i].name, only))
			failed += !run_one(suite, &tests[i], ++run);
	printf("1..%u\n", run);
	return failed != 0;
}

/* ---- what exists ------------------------------------------------------------------------------------------------------------- */

struct census census_take(void)
{
	struct heap_stats heap;
	struct object_stats objects;
	struct kspace_stats kspace;

	heap_get_stats(&heap);
	object_get_stats(&objects);
	kspace_get_stats(&kspace);
	return (struct census){
		.frames = frame_free_count() + heap.slab_frames,	/* the heap may keep an empty slab of a class */
		.heap_bytes = heap.bytes, .heap_objects = heap.objects, .objects = objects.objects,
		.records = objects.records_file + objects.records_shared + objects.records_pinned + objects.records_cut,
		.spaces = space_count(), .kspace_pages = kspace.pages, .kspace_ranges = kspace.ranges,
	};
}

void check_sound(void)
{
	struct vmcheck report;

	vm_check(&report);
	assert_int_equal(report.errors, 0);
	sim_tlb_check();
	assert_int_equal(sim_locks_held(), 0);
}

void census_check(const struct census *before)
{
	struct census now = census_take();

	check_sound();
	assert_int_equal(now.spaces, before->spaces);
	assert_int_equal(now.objects, before->objects);
	assert_int_equal(now.records, before->records);
	assert_int_equal(now.heap_objects, before->heap_objects);
	assert_int_equal(now.heap_bytes, before->heap_bytes);
	assert_int_equal(now.kspace_ranges, before->kspace_ranges);
	assert_int_equal(now.kspace_pages, before->kspace_pages);
	assert_int_equal(now.frames, before->frames);
}

/* ---- faults ------------------------------------------------------------------------------------------------------------------- */

static const char *const class_names[] = FAULT_CLASS_NAMES;

static unsigned long faults_taken(void)
{
	unsigned long n = 0;

	for (unsigned i = 0; i < FAULT_CLASSES; i++)
		n += sim_faults.count[i];
	return n;
}

void expect_faults_at(enum fault_class class, unsigned long n, const char *file, int line)
{
	if (sim_faults.count[class] != n || faults_taken() != n) {
		print_error("expected %lu %s and no other fault, but there were:\n", n, class_names[class]);
		for (unsigned i = 0; i < FAULT_CLASSES; i++)
			if (sim_faults.count[i])
				print_error("%lu %s\n", sim_faults.count[i], class_names[i]);
		_fail(file, line);
	}
	sim_faults_clear();
}

void expect_no_faults_at(const char *file, int line)
{
	expect_faults_at(FAULT_DEMAND_ZERO, 0, file, line);
}

/* ---- spaces and files --------------------------------------------------------------------------------------------------------- */

struct space *new_space(void)
{
	struct space *s = space_create();

	assert_non_null(s);
	s->stack_limit = 64 * PAGE_SIZE;
	sim_faults_clear();
	return s;
}

void drop_space(struct space *s)
{
	sim_stop(s);
	space_put(s);
}

vaddr_t map(struct space *s, vaddr_t at, size_t npages, unsigned rights, unsigned flags)
{
	vaddr_t got = vm_mmap(s, at, npages << PAGE_SHIFT, rights, flags | MAP_ANONYMOUS | MAP_FIXED, NULL, 0);

	assert_int_equal(got, at);
	return at;
}

vaddr_t map_file(struct space *s, vaddr_t at, size_t npages, unsigned rights, unsigned flags, struct test_file *f, uint64_t index)
{
	vaddr_t got = vm_mmap(s, at, npages << PAGE_SHIFT, rights, flags | MAP_FIXED, f->object, index << PAGE_SHIFT);

	assert_int_equal(got, at);
	return at;
}

uint8_t file_byte(uint64_t offset)
{
	return (uint8_t)((offset >> PAGE_SHIFT) * 37 + (offset & PAGE_MASK) % 251 + 1);
}

static int file_page_read(struct object *o, uint64_t index, void *to)
{
	struct test_file *f = o->backing;

	sim_check_unlocked("a pager reads");
	f->reads++;
	for (unsigned i = 0; i < f->yields; i++)
		sim_yield();
	if (f->error)
		return f->error;
	for (size_t i = 0; i < PAGE_SIZE; i++) {
		uint64_t offset = (index << PAGE_SHIFT) + i;
		((uint8_t *)to)[i] = offset < f->size ? file_byte(offset) : 0;
	}
	return 0;
}

static pfn_t file_page_borrow(struct object *o, uint64_t index)
{
	struct test_file *f = o->backing;

	return f->image != PFN_NONE && index < f->size >> PAGE_SHIFT ? f->image + index : PFN_NONE;
}

static void file_release(struct object *o)
{
	struct test_file *f = o->backing;

	f->released++;
	for (uint64_t i = 0; f->image != PFN_NONE && i < f->size >> PAGE_SHIFT; i++)
		assert_int_equal(page_type(pages[f->image + i]), PAGE_RESERVED);		/* nobody maps it any more */
}

static const struct pager file_pager = { .borrow = file_page_borrow, .read = file_page_read, .release = file_release };

void file_create(struct test_file *f, uint64_t size)
{
	*f = (struct test_file){ .size = size, .image = PFN_NONE };
	f->object = object_create(&file_pager, f, size);
	assert_non_null(f->object);
}

void file_create_in_image(struct test_file *f, uint64_t size, pfn_t image)
{
	file_create(f, size);
	f->image = image;
	for (uint64_t i = 0; i < size; i++)
		((uint8_t *)direct(image))[i] = file_byte(i);
}

void file_drop(struct test_file *f)
{
	object_put(f->object);
	assert_int_equal(f->released, 1);
}

/* ---- accesses that must succeed ------------------------------------------------------------------------------------------------ */

void write_byte(struct space *s, vaddr_t at, uint8_t value)
{
	assert_int_equal(sim_write_byte(s, at, value), FAULT_DONE);
}

uint8_t read_byte(struct space *s, vaddr_t at)
{
	uint8_t byte = 0;

	assert_int_equal(sim_read_byte(s, at, &byte), FAULT_DONE);
	return byte;
}
