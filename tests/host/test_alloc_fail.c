/*
 * tests/host/test_alloc_fail.c - every allocation fails once.
 *
 * Each operation is run on the same prepared space with its first, its second ... allocation failing, until none fails any more: frames,
 * page tables, heap objects, records and regions alike (alloc_fail_at).  After each failure the error is that of memory, the space is as it was, vm_check
 * is content, the operation succeeds when it is tried again, and once all is dropped nothing is left.  How many allocations each has is printed;
 * what says that it needs none must succeed with the first one failing.
 */
#include <stdio.h>
#include <string.h>
#include "harness.h"
#include "arch/uaccess.h"
#include "vm/heap.h"
#include "vm/frame.h"
#include "vm/object.h"

enum { MIB = 1 << 20, RW = VM_READ | VM_WRITE, MOST_REGIONS = 16 };
static const vaddr_t A = 0x200000;
static const pfn_t IMAGE = 0x100000 >> PAGE_SHIFT;
static struct census before;
static struct space *s, *other;			/* what is worked on; what an operation made beside it */
static struct test_file file, image_file;

/* What a failure leaves behind: nothing; pages and tables that were brought or given before it; a stack that has grown; all of it, for nothing is allocated. */
enum effect { CHANGES_NOTHING, KEEPS_PAGES, GROWS_STACK, NEEDS_NOTHING };

struct operation { const char *name; bool (*run)(void); enum effect effect; void (*prepare)(void); };

static vaddr_t page(unsigned n) { return A + n * PAGE_SIZE; }

static void prepare(const struct operation *op)
{
	s = new_space();
	file_create(&file, 30 * PAGE_SIZE);
	file_create_in_image(&image_file, 30 * PAGE_SIZE, IMAGE);
	map(s, page(0), 40, RW, MAP_PRIVATE);
	map(s, page(40), 10, RW, MAP_SHARED);
	map_file(s, page(50), 30, RW, MAP_PRIVATE, &file, 0);
	map_file(s, page(90), 30, VM_READ, MAP_PRIVATE, &image_file, 0);
	map(s, page(200), 40, VM_READ, MAP_PRIVATE);
	for (unsigned i = 0; i < 80; i += 3)
		write_byte(s, page(i), (uint8_t)(i + 1));
	read_byte(s, page(55));
	read_byte(s, page(210));
	map(s, page(600), 10, VM_READ, MAP_PRIVATE);
	vm_set_brk(s, page(300));
	sim_enter(s);
	if (op->prepare)
		op->prepare();
}

static void drop_all(void)
{
	if (other)
		drop_space(other);
	other = NULL;
	drop_space(s);
	file_drop(&file);
	file_drop(&image_file);
}

static void compare_bytes(struct space *in)
{
	for (unsigned i = 0; i < 80; i += 3)
		assert_int_equal(read_byte(in, page(i)), i + 1);
	assert_int_equal(read_byte(in, page(55)), file_byte(5 * PAGE_SIZE));
}

/* All regions, with their resident pages. */
static unsigned regions_of(struct space *in, struct region_info *to)
{
	unsigned n = 0;

	for (vaddr_t at = 0; n < MOST_REGIONS && vm_region_info(in, at, &to[n]); n++)
		at = to[n].end;
	assert_true(n < MOST_REGIONS);
	return n;
}

static void compare_regions(const struct region_info *then, unsigned n, enum effect effect)
{
	struct region_info now[MOST_REGIONS];

	assert_int_equal(regions_of(s, now), n);
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(now[i].start, then[i].start);
		assert_int_equal(now[i].end, then[i].end);
		assert_int_equal(now[i].rights, then[i].rights);
		assert_int_equal(now[i].flags, then[i].flags);
		assert_int_equal(now[i].offset, then[i].offset);
		assert_ptr_equal(now[i].object, then[i].object);
		if (effect == CHANGES_NOTHING)
			assert_int_equal(now[i].resident, then[i].resident);
	}
}

static void check_failure(const struct operation *op, const struct census *then, const struct region_info *regions, unsigned nregions)
{
	if (op->effect == CHANGES_NOTHING)
		census_check(then);
	if (op->effect != GROWS_STACK)
		compare_regions(regions, nregions, op->effect);
	compare_bytes(s);
	assert_true(op->run());			/* with memory it works */
	check_sound();
}

/* One test: `state` says which operation. */
static void fail_everywhere(void **state)
{
	const struct operation *op = *state;
	struct region_info regions[MOST_REGIONS];
	unsigned long k = 0;
	bool hit;

	do {
		prepare(op);
		struct census then = census_take();
		unsigned nregions = regions_of(s, regions);
		alloc_fail_at = ++k;
		bool done = op->run();
		hit = alloc_fail_at == 0;
		alloc_fail_at = 0;
		check_sound();
		assert_true(done || hit);
		if (!done)
			check_failure(op, &then, regions, nregions);
		drop_all();
		census_check(&before);
	} while (hit);
	printf("# %s: %lu allocations\n", op->name, k - 1);
	assert_int_equal(k == 1, op->effect == NEEDS_NOTHING);
}

/* ---- processes --------------------------------------------------------------------------------------------------------------- */

static bool do_create(void) { return (other = space_create()); }
static bool do_fork(void) { return (other = space_fork(s)); }

/* The copy is right even if its first pages fail to be copied; that it is looked at takes nothing off the count. */
static bool do_fork_and_look(void)
{
	if (!do_fork())
		return false;
	unsigned long left = alloc_fail_at;
	alloc_fail_at = 0;
	compare_bytes(other);
	alloc_fail_at = left;
	return true;
}

static bool do_exit(void)
{
	drop_space(other);
	other = NULL;
	return true;
}

static bool do_fork_and_exit(void)
{
	return do_fork() && do_exit();
}

static bool is_ok(vaddr_t result)
{
	assert_true(result <= USER_MAX || (ssize)result == -ENOMEM);
	return result <= USER_MAX;
}

static bool did(int outcome)
{
	assert_true(outcome == FAULT_DONE || outcome == FAULT_NO_MEMORY);
	return outcome == FAULT_DONE;
}

/* What exec does: a new space, text, data and bss of a program, a stack, and the first pages of it. */
static bool do_exec(void)
{
	const unsigned fixed = MAP_PRIVATE | MAP_FIXED;
	struct space *n = space_create();
	uint8_t byte;

	if (!n)
		return false;
	n->stack_limit = 64 * PAGE_SIZE;
	bool ok = is_ok(vm_mmap(n, page(0), 8 * PAGE_SIZE, VM_READ | VM_EXEC, fixed, image_file.object, 0))
		&& is_ok(vm_mmap(n, page(8), 4 * PAGE_SIZE, RW, fixed, file.object, 8 * PAGE_SIZE))
		&& is_ok(vm_mmap(n, page(12), 4 * PAGE_SIZE, RW, fixed | MAP_ANONYMOUS, NULL, 0))
		&& vm_map_stack(n, page(400), PAGE_SIZE, RW) == 0
		&& did(sim_write_byte(n, page(400) - 1, 1)) && did(sim_write_byte(n, page(11), 1)) && did(sim_read_byte(n, page(1), &byte));
	drop_space(n);
	return ok;
}

/* ---- the memory calls ---------------------------------------------------------------------------------------------------------- */

static vaddr_t anon(vaddr_t hint, size_t npages, unsigned flags)
{
	return vm_mmap(s, hint, npages * PAGE_SIZE, RW, flags | MAP_ANONYMOUS, NULL, 0);
}

static vaddr_t remap(unsigned from, size_t old, size_t new, unsigned flags, unsigned to)
{
	return vm_mremap(s, page(from), old * PAGE_SIZE, new * PAGE_SIZE, flags, page(to));
}

static bool do_mmap(void) { return is_ok(anon(0, 5, MAP_PRIVATE)); }
static bool do_mmap_shared(void) { return is_ok(anon(0, 5, MAP_SHARED)); }
static bool do_mmap_over(void) { return is_ok(anon(page(205), 5, MAP_PRIVATE | MAP_FIXED)); }
static bool do_mmap_file(void) { return is_ok(vm_mmap(s, 0, PAGE_SIZE, RW, MAP_PRIVATE, file.object, 0)); }
static bool do_munmap(void) { return is_ok((vaddr_t)(ssize)vm_munmap(s, page(205), 5 * PAGE_SIZE)); }
static bool do_mprotect(void) { return is_ok((vaddr_t)(ssize)vm_mprotect(s, page(5), 5 * PAGE_SIZE, VM_READ)); }
static bool do_mremap_move(void) { return is_ok(remap(0, 40, 60, MREMAP_MAYMOVE, 0)); }
static bool do_mremap_part(void) { return is_ok(remap(10, 10, 10, MREMAP_MAYMOVE | MREMAP_FIXED, 205)); }
static bool do_mremap_keep(void) { return is_ok(remap(10, 10, 10, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0)); }
static bool do_mremap_shrink(void) { return is_ok(remap(205, 10, 5, 0, 0)); }
static bool do_mremap_again(void) { return is_ok(remap(40, 0, 10, MREMAP_MAYMOVE, 0)); }
static bool do_mremap_grow(void) { return is_ok(remap(600, 10, 12, 0, 0)); }
static bool do_populate(void) { return is_ok((vaddr_t)(ssize)vm_madvise(s, page(0), 50 * PAGE_SIZE, MADV_POPULATE_WRITE, NULL)); }
static bool do_discard(void) { return is_ok((vaddr_t)(ssize)vm_madvise(s, page(30), 10 * PAGE_SIZE, MADV_DONTNEED, NULL)); }
static bool do_brk(void) { return vm_brk(s, page(310)) == page(310); }
static bool do_stack(void) { return is_ok((vaddr_t)(ssize)vm_map_stack(s, page(400), PAGE_SIZE, RW)); }

/* What lies below a table that fork has shared must be copied before it changes; a huge page is broken where a part of it changes. */
static vaddr_t dense(size_t n) { return page(1024) + n * PAGE_SIZE; }
static const size_t DENSE = MMU_TABLE_REACH / PAGE_SIZE;

static void shared_before(void)
{
	map(s, dense(0), DENSE, RW, MAP_PRIVATE);
	for (size_t i = 0; i < DENSE; i++)
		write_byte(s, dense(i), (uint8_t)i);
	assert_true(do_fork());
	struct mmu_entry e = mmu_query(&s->mmu, dense(0));
	assert_int_equal(e.table, MMU_TABLE_SHARED);
}

static void advise_huge(void)
{
	map(s, dense(0), DENSE, RW, MAP_PRIVATE);
	assert_int_equal(vm_madvise(s, dense(0), MMU_TABLE_REACH, MADV_HUGEPAGE, NULL), 0);
}

static void huge_before(void)
{
	advise_huge();
	write_byte(s, dense(3), 3);
	struct mmu_entry e = mmu_query(&s->mmu, dense(0));
	assert_int_equal(e.table, MMU_TABLE_HUGE);
}

static bool is_done(int error)
{
	assert_true(error == 0 || error == -ENOMEM || error == -EAGAIN);
	return error == 0;
}

static bool do_dense_write(void) { return did(sim_write_byte(s, dense(3), 1)); }
static bool do_dense_munmap(void) { return is_done(vm_munmap(s, dense(3), 5 * PAGE_SIZE)); }
static bool do_dense_mprotect(void) { return is_done(vm_mprotect(s, dense(3), 5 * PAGE_SIZE, VM_READ)); }
static bool do_dense_discard(void) { return is_done(vm_madvise(s, dense(3), 5 * PAGE_SIZE, MADV_DONTNEED, NULL)); }
static bool do_dense_mremap(void) { return is_ok(vm_mremap(s, dense(3), 5 * PAGE_SIZE, 5 * PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, page(205))); }
static bool do_dense_over(void) { return is_ok(anon(dense(3), 5, MAP_PRIVATE | MAP_FIXED)); }
static bool do_dense_advice(void) { return is_done(vm_madvise(s, dense(3), 5 * PAGE_SIZE, MADV_NOHUGEPAGE, NULL)); }

static bool do_truncate(void)
{
	vm_truncate(file.object, 5 * PAGE_SIZE + 7);
	return true;
}

/* ---- faults -------------------------------------------------------------------------------------------------------------------- */

static bool reads(unsigned n)
{
	uint8_t byte;
	return did(sim_read_byte(s, page(n), &byte));
}

static void fork_before(void) { assert_true(do_fork()); }
static void protect_before(void) { assert_int_equal(vm_mprotect(s, page(200), 40 * PAGE_SIZE, RW), 0); }
static void stack_before(void) { assert_int_equal(vm_map_stack(s, page(560), PAGE_SIZE, RW), 0); }
static void nothing_mapped_before(void)
{
	assert_int_equal(vm_mprotect(s, page(600), 10 * PAGE_SIZE, RW), 0);
	assert_int_equal(vm_munmap(s, page(200), 100 * PAGE_SIZE), 0);
}

static bool do_demand_zero(void) { return did(sim_write_byte(s, page(605), 1)); }
static bool do_zero_read(void) { return reads(605); }
static bool do_zero_upgrade(void) { return did(sim_write_byte(s, page(210), 1)); }
static bool do_cow_copy(void) { return did(sim_write_byte(s, page(3), 4)); }
static bool do_shm_zero(void) { return did(sim_write_byte(s, page(41), 1)); }
static bool do_file_minor(void) { return reads(95); }
static bool do_file_major(void) { return reads(70); }
static bool do_file_cow(void) { return did(sim_write_byte(s, page(52), 1)); }
static bool do_stack_grow(void) { return did(sim_write_byte(s, page(556), 1)); }

/* A space with one region and no table but the root: those made before one could not be had must go, and be flushed. */
static bool do_first_fault(void)
{
	struct space *n = space_create();

	if (!n)
		return false;
	bool ok = is_ok(vm_mmap(n, A, PAGE_SIZE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0)) && did(sim_write_byte(n, A, 1));
	drop_space(n);
	return ok;
}

/* ---- what the kernel does for calls ---------------------------------------------------------------------------------------------- */

static bool do_copy_out(void) { return user_copy_out(page(605), "bytes", 5) == 0; }
static bool do_copy_in(void)
{
	char bytes[5];
	return user_copy_in(bytes, page(605), 5) == 0;
}

static bool do_read(void)
{
	static char bytes[3 * PAGE_SIZE];
	struct uio uio = uio_kernel(bytes, sizeof bytes);
	ssize n = object_read(file.object, &uio, 20 * PAGE_SIZE);

	assert_true(n > 0 || n == -ENOMEM);
	for (ssize i = 0; i < n; i++)
		assert_int_equal((uint8_t)bytes[i], file_byte(20 * PAGE_SIZE + (uint64_t)i));
	return n == sizeof bytes;
}

static bool do_write(void)
{
	static char bytes[3 * PAGE_SIZE];
	struct uio uio = uio_kernel(bytes, sizeof bytes);
	struct object *o = object_create(NULL, NULL, 0);

	if (!o)
		return false;
	ssize n = object_write(o, &uio, 1000 * PAGE_SIZE);
	assert_true(n > 0 || n == -ENOMEM);
	assert_int_equal(o->size, n > 0 ? 1000 * PAGE_SIZE + (size_t)n : 0);
	object_put(o);
	return n == sizeof bytes;
}

static bool do_check(void)
{
	struct vmcheck report;

	vm_check(&report);
	return report.errors == 0;
}

static const struct operation operations[] = {
	{ "space", do_create, CHANGES_NOTHING, NULL },
	{ "fork", do_fork_and_look, CHANGES_NOTHING, NULL },
	{ "exit", do_exit, NEEDS_NOTHING, fork_before },
	{ "fork and exit", do_fork_and_exit, CHANGES_NOTHING, NULL },
	{ "exec", do_exec, KEEPS_PAGES, NULL },
	{ "mmap", do_mmap, CHANGES_NOTHING, NULL },
	{ "mmap, shared", do_mmap_shared, CHANGES_NOTHING, NULL },
	{ "mmap, over another", do_mmap_over, CHANGES_NOTHING, NULL },
	{ "mmap, file", do_mmap_file, CHANGES_NOTHING, NULL },
	{ "munmap", do_munmap, CHANGES_NOTHING, NULL },
	{ "mprotect", do_mprotect, CHANGES_NOTHING, NULL },
	{ "mremap, grows elsewhere", do_mremap_move, CHANGES_NOTHING, NULL },
	{ "mremap, part to a fixed place", do_mremap_part, CHANGES_NOTHING, NULL },
	{ "mremap, keeps the old place", do_mremap_keep, CHANGES_NOTHING, NULL },
	{ "mremap, shrinks", do_mremap_shrink, CHANGES_NOTHING, NULL },
	{ "mremap, maps again", do_mremap_again, CHANGES_NOTHING, NULL },
	{ "mremap, grows where it is", do_mremap_grow, NEEDS_NOTHING, NULL },
	{ "madvise, populate", do_populate, KEEPS_PAGES, NULL },
	{ "madvise, discard", do_discard, NEEDS_NOTHING, NULL },
	{ "brk", do_brk, CHANGES_NOTHING, NULL },
	{ "stack", do_stack, CHANGES_NOTHING, NULL },
	{ "shared table, munmap", do_dense_munmap, KEEPS_PAGES, shared_before },
	{ "shared table, mprotect", do_dense_mprotect, KEEPS_PAGES, shared_before },
	{ "shared table, mremap", do_dense_mremap, KEEPS_PAGES, shared_before },
	{ "shared table, mmap over it", do_dense_over, KEEPS_PAGES, shared_before },
	{ "shared table, discard", do_dense_discard, KEEPS_PAGES, shared_before },
	{ "shared table, fault", do_dense_write, KEEPS_PAGES, shared_before },
	{ "shared table, exit", do_exit, NEEDS_NOTHING, shared_before },
	{ "huge page, fault", do_dense_write, KEEPS_PAGES, advise_huge },
	{ "huge page, fork", do_fork_and_look, KEEPS_PAGES, huge_before },
	{ "huge page, munmap", do_dense_munmap, KEEPS_PAGES, huge_before },
	{ "huge page, mprotect", do_dense_mprotect, KEEPS_PAGES, huge_before },
	{ "huge page, mremap", do_dense_mremap, KEEPS_PAGES, huge_before },
	{ "huge page, discard", do_dense_discard, KEEPS_PAGES, huge_before },
	{ "madvise, no huge pages", do_dense_advice, CHANGES_NOTHING, advise_huge },
	{ "truncate", do_truncate, NEEDS_NOTHING, NULL },
	{ "fault demand-zero", do_demand_zero, CHANGES_NOTHING, nothing_mapped_before },
	{ "fault zero-read", do_zero_read, CHANGES_NOTHING, NULL },
	{ "fault zero-upgrade", do_zero_upgrade, CHANGES_NOTHING, protect_before },
	{ "fault shm-zero", do_shm_zero, KEEPS_PAGES, NULL },
	{ "fault cow-copy", do_cow_copy, KEEPS_PAGES, fork_before },		/* what it keeps is the copy of a table */
	{ "fault file-minor", do_file_minor, KEEPS_PAGES, NULL },
	{ "fault file-major", do_file_major, KEEPS_PAGES, NULL },
	{ "fault file-cow", do_file_cow, KEEPS_PAGES, NULL },
	{ "fault that grows a stack", do_stack_grow, GROWS_STACK, stack_before },
	{ "first fault of a space", do_first_fault, CHANGES_NOTHING, NULL },
	{ "copy to the user", do_copy_out, CHANGES_NOTHING, nothing_mapped_before },
	{ "copy from the user", do_copy_in, CHANGES_NOTHING, NULL },
	{ "read of a file", do_read, KEEPS_PAGES, NULL },
	{ "write of a file", do_write, CHANGES_NOTHING, NULL },
	{ "vm_check", do_check, NEEDS_NOTHING, NULL },
};
enum { OPERATIONS = sizeof operations / sizeof *operations };

static int setup(void **state)
{
	(void)state;
	sim_boot_config(&(struct sim_config){ .ram = { { 0, 16 * MIB } }, .image = { 0x100000, 0x140000 } });
	before = census_take();
	return 0;
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[OPERATIONS];

	for (unsigned i = 0; i < OPERATIONS; i++)
		tests[i] = (struct CMUnitTest){ operations[i].name, fail_everywhere, setup, NULL, (void *)(uintptr_t)&operations[i] };
	return run_suite("alloc_fail", tests, OPERATIONS, argc > 1 ? argv[1] : NULL);
}
