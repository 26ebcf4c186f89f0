/* tests/host/test_mmap.c - vm/mmap.c: arguments and errors as Linux has them, splits and merges, brk. */
#include <string.h>
#include "harness.h"
#include "vm/account.h"
#include "vm/heap.h"
#include "vm/frame.h"
#include "vm/object.h"
#include "vm/range.h"
#include "vm/vm.h"

enum { MIB = 1 << 20, RW = VM_READ | VM_WRITE };
static const vaddr_t A = 0x200000;
static const pfn_t IMAGE = 0x100000 >> PAGE_SHIFT;
static struct census before;
static struct space *s;

static int setup(void **state)
{
	(void)state;
	sim_boot_config(&(struct sim_config){ .ram = { { 0, 8 * MIB } }, .image = { 0x100000, 0x140000 } });
	before = census_take();
	s = new_space();
	return 0;
}

static void finish(void)
{
	check_sound();
	drop_space(s);
	census_check(&before);
}

static vaddr_t page(unsigned n) { return A + n * PAGE_SIZE; }

static ssize try_mmap(vaddr_t hint, size_t length, unsigned flags)
{
	return (ssize)vm_mmap(s, hint, length, RW, flags, NULL, 0);
}

TEST(arguments_of_mmap)
{
	const unsigned anon = MAP_PRIVATE | MAP_ANONYMOUS;
	(void)state;
	assert_int_equal(try_mmap(0, 0, anon), -EINVAL);
	assert_int_equal(try_mmap(0, PAGE_SIZE, MAP_ANONYMOUS), -EINVAL);
	assert_int_equal(try_mmap(A + 1, PAGE_SIZE, anon | MAP_FIXED), -EINVAL);
	assert_int_equal(try_mmap(0, (size_t)-1, anon), -ENOMEM);
	assert_int_equal(try_mmap(0, (size_t)-PAGE_SIZE, anon), -ENOMEM);
	assert_int_equal(try_mmap(0, USER_MAX, anon), -ENOMEM);
	assert_int_equal(try_mmap(KSPACE_START, PAGE_SIZE, anon | MAP_FIXED), -ENOMEM);
	assert_int_equal(try_mmap(USER_MAX, PAGE_SIZE, anon | MAP_FIXED), -ENOMEM);
	assert_int_equal(try_mmap(USER_MAX - PAGE_SIZE, 2 * PAGE_SIZE, anon | MAP_FIXED), -ENOMEM);
	assert_int_equal(try_mmap((vaddr_t)-PAGE_SIZE, PAGE_SIZE, anon | MAP_FIXED), -ENOMEM);
	assert_int_equal(try_mmap(0, PAGE_SIZE, anon | MAP_FIXED), -EPERM);
	assert_int_equal(try_mmap(A, PAGE_SIZE, MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN), -EINVAL);
	assert_int_equal(try_mmap(0, PAGE_SIZE, anon | MAP_HUGETLB), -ENOMEM);
	assert_int_equal(s->regions.count, 0);
	finish();
}

TEST(arguments_of_file_mappings)
{
	(void)state;
	struct test_file f;
	file_create(&f, 4 * PAGE_SIZE);
	assert_int_equal((ssize)vm_mmap(s, 0, PAGE_SIZE, RW, MAP_PRIVATE, f.object, 100), -EINVAL);
	assert_int_equal((ssize)vm_mmap(s, 0, 2 * PAGE_SIZE, RW, MAP_PRIVATE, f.object, -(uint64_t)PAGE_SIZE), -EOVERFLOW);
	assert_int_equal((ssize)vm_mmap(s, A, PAGE_SIZE, RW, MAP_PRIVATE | MAP_GROWSDOWN, f.object, 0), -EINVAL);
	assert_int_equal(f.object->refs, 1);
	drop_space(s);
	file_drop(&f);
	census_check(&before);
}

TEST(places)
{
	const unsigned anon = MAP_PRIVATE | MAP_ANONYMOUS;
	(void)state;
	vaddr_t top = (vaddr_t)try_mmap(0, 3 * PAGE_SIZE, anon);
	assert_int_equal(top, USER_MAX - 3 * PAGE_SIZE);
	assert_int_equal(try_mmap(0, 1, anon), top - PAGE_SIZE);
	assert_int_equal(try_mmap(A + 123, PAGE_SIZE, anon), A);		/* a hint is rounded */
	assert_int_equal(try_mmap(PAGE_SIZE, PAGE_SIZE, anon), USER_MIN);	/* and not below what programs may have */
	vaddr_t other = (vaddr_t)try_mmap(A, PAGE_SIZE, anon);		/* taken: elsewhere */
	assert_int_equal(other, top - 2 * PAGE_SIZE);
	assert_int_equal(try_mmap(A, PAGE_SIZE, anon | MAP_FIXED_NOREPLACE), -EEXIST);
	assert_int_equal(try_mmap(A - PAGE_SIZE, 2 * PAGE_SIZE, anon | MAP_FIXED_NOREPLACE), -EEXIST);
	assert_int_equal(try_mmap(A + PAGE_SIZE, PAGE_SIZE, anon | MAP_FIXED_NOREPLACE), A + PAGE_SIZE);
	s->mmap_top = A;
	assert_int_equal(try_mmap(0, PAGE_SIZE, anon), A - PAGE_SIZE);
	finish();
}

TEST(equal_neighbours_merge)
{
	(void)state;
	map(s, page(0), 2, RW, MAP_PRIVATE);
	map(s, page(4), 2, RW, MAP_PRIVATE);
	assert_int_equal(s->regions.count, 2);
	map(s, page(2), 2, RW, MAP_PRIVATE);
	assert_int_equal(s->regions.count, 1);
	map(s, page(6), 1, VM_READ, MAP_PRIVATE);
	assert_int_equal(s->regions.count, 2);
	assert_int_equal(vm_mprotect(s, page(2), PAGE_SIZE, VM_READ), 0);
	assert_int_equal(s->regions.count, 4);
	assert_int_equal(vm_mprotect(s, page(2), PAGE_SIZE, RW), 0);
	assert_int_equal(s->regions.count, 2);
	assert_int_equal(vm_mprotect(s, page(0), 6 * PAGE_SIZE, VM_READ), 0);
	assert_int_equal(s->regions.count, 2);			/* these stay committed: they may have been written */
	assert_int_equal(s->mapped, 7);
	finish();
}

TEST(file_regions_merge_when_their_pages_follow)
{
	(void)state;
	struct test_file f;
	file_create(&f, 10 * PAGE_SIZE);
	map_file(s, page(0), 3, VM_READ, MAP_PRIVATE, &f, 0);
	map_file(s, page(3), 3, VM_READ, MAP_PRIVATE, &f, 3);
	assert_int_equal(s->regions.count, 1);
	map_file(s, page(6), 1, VM_READ, MAP_PRIVATE, &f, 7);
	assert_int_equal(s->regions.count, 2);
	assert_int_equal(f.object->refs, 3);
	assert_int_equal(read_byte(s, page(4)), file_byte(4 * PAGE_SIZE));
	assert_int_equal(read_byte(s, page(6)), file_byte(7 * PAGE_SIZE));
	assert_int_equal(vm_munmap(s, page(1), PAGE_SIZE), 0);
	assert_int_equal(s->regions.count, 3);
	assert_int_equal(read_byte(s, page(2)), file_byte(2 * PAGE_SIZE));
	map_file(s, page(1), 1, VM_READ, MAP_PRIVATE, &f, 1);
	assert_int_equal(s->regions.count, 2);
	drop_space(s);
	file_drop(&f);
	census_check(&before);
}

TEST(munmap_splits_and_frees)
{
	(void)state;
	uint8_t byte;
	map(s, page(0), 10, RW, MAP_PRIVATE);
	for (unsigned i = 0; i < 10; i++)
		write_byte(s, page(i), (uint8_t)(i + 1));
	size_t frames = frame_free_count();
	assert_int_equal(vm_munmap(s, page(3), 4 * PAGE_SIZE - 100), 0);
	assert_true(frame_free_count() >= frames + 3);
	assert_int_equal(s->regions.count, 2);
	assert_int_equal(s->mapped, 6);
	for (unsigned i = 0; i < 10; i++) {
		if (i >= 3 && i < 7)
			assert_int_equal(sim_read_byte(s, page(i), &byte), FAULT_SIGNAL_SEGV_MAPERR);
		else
			assert_int_equal(read_byte(s, page(i)), i + 1);
	}
	assert_int_equal(vm_munmap(s, page(0), 100 * PAGE_SIZE), 0);
	assert_int_equal(s->regions.count, 0);
	assert_int_equal(space_resident(s), 0);
	assert_int_equal(vm_munmap(s, page(0), PAGE_SIZE), 0);		/* nothing there: no error */
	assert_int_equal(vm_munmap(s, page(0), 0), -EINVAL);
	assert_int_equal(vm_munmap(s, page(0) + 1, PAGE_SIZE), -EINVAL);
	assert_int_equal(vm_munmap(s, page(0), (size_t)-1), -EINVAL);
	assert_int_equal(vm_munmap(s, KSPACE_START, PAGE_SIZE), -EINVAL);
	finish();
}

TEST(fixed_over_what_is_there)
{
	(void)state;
	struct test_file f;
	file_create_in_image(&f, 8 * PAGE_SIZE, IMAGE);
	map(s, page(0), 8, RW, MAP_PRIVATE);
	for (unsigned i = 0; i < 8; i++)
		write_byte(s, page(i), 1);
	map_file(s, page(2), 3, VM_READ, MAP_PRIVATE, &f, 2);
	assert_int_equal(s->regions.count, 3);
	assert_int_equal(read_byte(s, page(1)), 1);
	assert_int_equal(read_byte(s, page(2)), file_byte(2 * PAGE_SIZE));
	assert_int_equal(read_byte(s, page(5)), 1);
	map(s, page(0), 8, RW, MAP_PRIVATE);
	assert_int_equal(s->regions.count, 1);
	assert_int_equal(space_resident(s), 0);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(read_byte(s, page(i)), 0);
	drop_space(s);
	file_drop(&f);
	census_check(&before);
}

TEST(tables_are_freed_when_empty)
{
	(void)state;
	struct vmcheck report;
	vm_check(&report);
	uint64_t tables = report.table_frames;
	map(s, A, 2048, RW, MAP_PRIVATE);
	for (unsigned i = 0; i < 2048; i += 16)
		write_byte(s, page(i), 1);
	vm_check(&report);
	assert_true(report.table_frames >= tables + 2048 * PAGE_SIZE / MMU_TABLE_REACH);
	for (unsigned i = 0; i < 2048; i += 16)
		assert_int_equal(vm_munmap(s, page(i), PAGE_SIZE), 0);
	vm_check(&report);
	assert_int_equal(report.table_frames, tables);
	finish();
}

/* A gather that is full is emptied halfway; a table whose last entry went with it must be flushed all the same. */
TEST(a_full_gather_and_the_table_after_it)
{
	(void)state;
	for (unsigned n = GATHER_FRAMES - 3; n < GATHER_FRAMES + 4; n++) {
		map(s, A, n, RW, MAP_PRIVATE);
		for (unsigned i = 0; i < n; i++)
			write_byte(s, page(i), 1);
		assert_int_equal(vm_munmap(s, A, n * PAGE_SIZE), 0);
		sim_tlb_check();
	}
	finish();
}

TEST(mprotect_and_its_errors)
{
	(void)state;
	map(s, page(0), 4, RW, MAP_PRIVATE);
	map(s, page(6), 2, RW, MAP_PRIVATE);
	write_byte(s, page(0), 1);
	assert_int_equal(vm_mprotect(s, page(0) + 1, PAGE_SIZE, VM_READ), -EINVAL);
	assert_int_equal(vm_mprotect(s, page(0), 0, VM_READ), 0);
	assert_int_equal(vm_mprotect(s, page(4), PAGE_SIZE, VM_READ), -ENOMEM);
	assert_int_equal(vm_mprotect(s, page(0), (size_t)-1, VM_READ), -ENOMEM);
	write_byte(s, page(0), 2);
	assert_int_equal(vm_mprotect(s, page(2), 6 * PAGE_SIZE, VM_READ), -ENOMEM);	/* what lies before the hole is changed */
	assert_int_equal(sim_write_byte(s, page(3), 1), FAULT_SIGNAL_SEGV_ACCERR);
	write_byte(s, page(6), 1);
	assert_int_equal(vm_mprotect(s, page(0), PAGE_SIZE, 0), 0);
	uint8_t byte;
	assert_int_equal(sim_read_byte(s, page(0), &byte), FAULT_SIGNAL_SEGV_ACCERR);
	assert_int_equal(vm_mprotect(s, page(0), PAGE_SIZE, VM_READ), 0);
	assert_int_equal(read_byte(s, page(0)), 2);			/* kept all the while */
	finish();
}

TEST(mprotect_of_what_grows)
{
	(void)state;
	map(s, page(4), 4, RW, MAP_PRIVATE | MAP_GROWSDOWN);
	map(s, page(20), 2, RW, MAP_PRIVATE);
	assert_int_equal(vm_mprotect(s, page(6), PAGE_SIZE, VM_READ | PROT_GROWSDOWN | PROT_GROWSUP), -EINVAL);
	assert_int_equal(vm_mprotect(s, page(6), PAGE_SIZE, VM_READ | 1 << 16), -EINVAL);
	assert_int_equal(vm_mprotect(s, page(20), PAGE_SIZE, VM_READ | PROT_GROWSDOWN), -EINVAL);	/* it does not grow */
	assert_int_equal(vm_mprotect(s, page(20), PAGE_SIZE, VM_READ | PROT_GROWSUP), -EINVAL);		/* nothing grows upwards */
	assert_int_equal(vm_mprotect(s, page(19), 2 * PAGE_SIZE, VM_READ | PROT_GROWSUP), -ENOMEM);
	assert_int_equal(vm_mprotect(s, page(3), PAGE_SIZE, VM_READ | PROT_GROWSDOWN), -ENOMEM);
	assert_int_equal(vm_mprotect(s, page(30), PAGE_SIZE, VM_READ | PROT_GROWSDOWN), -ENOMEM);
	write_byte(s, page(4), 1);
	assert_int_equal(vm_mprotect(s, page(6), PAGE_SIZE, VM_READ | PROT_GROWSDOWN), 0);
	assert_int_equal(sim_write_byte(s, page(4), 2), FAULT_SIGNAL_SEGV_ACCERR);			/* from its bottom */
	assert_int_equal(sim_write_byte(s, page(6), 2), FAULT_SIGNAL_SEGV_ACCERR);
	write_byte(s, page(7), 2);
	write_byte(s, page(20), 2);
	finish();
}

TEST(a_shared_mapping_of_a_read_only_file_stays_so)
{
	(void)state;
	struct test_file f;
	file_create(&f, 4 * PAGE_SIZE);
	map(s, page(4), 1, VM_READ, MAP_PRIVATE);
	assert_int_equal(vm_mmap(s, A, 4 * PAGE_SIZE, VM_READ | VM_NOWRITE, MAP_SHARED | MAP_FIXED, f.object, 0), A);
	assert_int_equal(vm_mprotect(s, A, 4 * PAGE_SIZE, RW), -EACCES);
	assert_int_equal(vm_mprotect(s, page(2), 3 * PAGE_SIZE, RW), -EACCES);
	assert_int_equal(vm_mprotect(s, A, 4 * PAGE_SIZE, VM_READ | VM_EXEC), 0);
	assert_int_equal(sim_write_byte(s, A, 1), FAULT_SIGNAL_SEGV_ACCERR);
	drop_space(s);
	file_drop(&f);
	census_check(&before);
}

TEST(the_break)
{
	(void)state;
	vaddr_t start = A + 100;
	uint8_t byte;
	vm_set_brk(s, start);
	assert_int_equal(vm_brk(s, 0), start);
	assert_int_equal(vm_brk(s, start - 1), start);
	assert_int_equal(s->regions.count, 0);
	assert_int_equal(vm_brk(s, start + 10), start + 10);
	assert_int_equal(sim_read_byte(s, A, &byte), FAULT_SIGNAL_SEGV_MAPERR);	/* its first page is the program's */
	assert_int_equal(vm_brk(s, page(3)), page(3));
	write_byte(s, page(1), 7);
	write_byte(s, page(3) - 1, 8);
	assert_int_equal(sim_write_byte(s, page(3), 8), FAULT_SIGNAL_SEGV_MAPERR);
	assert_int_equal(vm_brk(s, page(9)), page(9));
	assert_int_equal(s->regions.count, 1);
	assert_int_equal(vm_brk(s, page(1) + 1), page(1) + 1);
	assert_int_equal(vm_brk(s, page(9)), page(9));
	assert_int_equal(read_byte(s, page(1)), 7);
	assert_int_equal(read_byte(s, page(3) - 1), 0);			/* given up and new again */
	map(s, page(12), 1, VM_READ, MAP_PRIVATE);
	assert_int_equal(vm_brk(s, page(12)), page(12));
	assert_int_equal(vm_brk(s, page(12) + 1), page(12));
	assert_int_equal(vm_brk(s, KSPACE_START), page(12));
	assert_int_equal(vm_brk(s, (vaddr_t)-1), page(12));
	finish();
}

static int watched;
static void watch(struct object *o, int change) { (void)o; watched += change; }

TEST(a_watched_object_is_detached_whole)
{
	(void)state;
	struct object *o = object_create(NULL, NULL, 8 * PAGE_SIZE), *other = object_create(NULL, NULL, 8 * PAGE_SIZE);
	watched = 0;
	o->watch = other->watch = watch;
	assert_int_equal(vm_mmap(s, page(10), 6 * PAGE_SIZE, RW, MAP_SHARED | MAP_FIXED, o, 0), page(10));
	assert_int_equal(watched, 1);
	write_byte(s, page(13), 1);
	assert_int_equal(vm_munmap(s, page(12), PAGE_SIZE), 0);		/* two are left of it */
	assert_int_equal(watched, 2);
	assert_int_equal(vm_mprotect(s, page(14), PAGE_SIZE, VM_READ), 0);
	assert_int_equal(watched, 4);
	assert_int_equal(vm_mmap(s, page(12), PAGE_SIZE, RW, MAP_SHARED | MAP_FIXED, other, 2 * PAGE_SIZE), page(12));	/* would fit, but is another's */
	assert_int_equal(vm_mmap(s, page(20), PAGE_SIZE, RW, MAP_SHARED | MAP_FIXED, o, 0), page(20));
	struct space *child = space_fork(s);
	assert_int_equal(watched, 12);
	drop_space(child);
	assert_int_equal(watched, 6);
	assert_int_equal(vm_detach(s, page(11)), -EINVAL);
	assert_int_equal(vm_detach(s, page(10)), 0);
	assert_int_equal(watched, 2);
	assert_int_equal(s->regions.count, 2);
	assert_int_equal(vm_detach(s, page(10)), 0);				/* the other one, which lies as if it began there */
	assert_int_equal(vm_detach(s, page(20)), 0);
	assert_int_equal(vm_detach(s, page(20)), -EINVAL);
	assert_int_equal(watched, 0);
	assert_int_equal(s->regions.count, 0);
	object_put(o);
	object_put(other);
	finish();
}

TEST(seals_against_writing)
{
	(void)state;
	struct object *o = object_create(NULL, NULL, PAGE_SIZE);
	o->seals = SEAL_FUTURE_WRITE;
	assert_int_equal((ssize)vm_mmap(s, A, PAGE_SIZE, RW, MAP_SHARED | MAP_FIXED, o, 0), -EPERM);
	assert_int_equal(vm_mmap(s, page(1), PAGE_SIZE, RW, MAP_PRIVATE | MAP_FIXED, o, 0), page(1));
	assert_int_equal(vm_mmap(s, page(2), PAGE_SIZE, VM_READ, MAP_SHARED | MAP_FIXED, o, 0), page(2));
	assert_int_equal(vm_mprotect(s, page(2), PAGE_SIZE, RW), -EACCES);
	o->seals = 0;
	assert_int_equal(vm_mmap(s, A, PAGE_SIZE, VM_READ, MAP_SHARED | MAP_FIXED, o, 0), A);
	assert_int_equal(vm_mprotect(s, A, PAGE_SIZE, RW), 0);
	object_put(o);
	finish();
}

TEST(region_info_names_and_counts)
{
	(void)state;
	struct test_file f;
	struct region_info info;
	file_create(&f, 8 * PAGE_SIZE);
	f.object->name = kmalloc(sizeof "file");
	strcpy(f.object->name, "file");
	map_file(s, page(0), 4, VM_READ, MAP_PRIVATE, &f, 2);
	read_byte(s, page(1));
	vm_set_brk(s, page(8));
	vm_brk(s, page(10));
	vm_map_stack(s, page(100), PAGE_SIZE, RW);
	assert_true(vm_region_info(s, 0, &info));
	assert_int_equal(info.start, page(0));
	assert_int_equal(info.end, page(4));
	assert_int_equal(info.offset, 2 * PAGE_SIZE);
	assert_int_equal(info.resident, 1);
	assert_string_equal(info.name, "file");
	assert_true(vm_region_info(s, info.end, &info));
	assert_string_equal(info.name, "[heap]");
	assert_true(vm_region_info(s, info.end, &info));
	assert_string_equal(info.name, "[stack]");
	assert_false(vm_region_info(s, info.end, &info));
	drop_space(s);
	file_drop(&f);
	census_check(&before);
}

TEST(a_stack_needs_room)
{
	(void)state;
	map(s, page(399), 2, RW, MAP_PRIVATE);
	assert_int_equal(vm_map_stack(s, page(402), 2 * PAGE_SIZE, RW), -ENOMEM);	/* its lower page is taken */
	assert_int_equal(vm_map_stack(s, page(401), PAGE_SIZE, RW), -ENOMEM);
	assert_int_equal(vm_map_stack(s, page(402), 0, RW), -ENOMEM);
	assert_int_equal(vm_map_stack(s, page(402), PAGE_SIZE, RW), 0);
	assert_int_equal(s->mapped, 3);
	finish();
}

/* As many regions as there may be: what would need one more fails, and nothing has changed. */
TEST(too_many_regions)
{
	(void)state;
	map(s, page(0), 4, RW, MAP_PRIVATE);
	size_t few = s->regions.count;
	s->regions.count = MAX_REGIONS - 1;
	assert_int_equal(try_mmap(page(8), PAGE_SIZE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED), page(8));
	assert_int_equal(try_mmap(page(10), PAGE_SIZE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED), -ENOMEM);
	assert_int_equal(vm_munmap(s, page(1), PAGE_SIZE), -ENOMEM);		/* a hole in the middle makes one more */
	assert_int_equal(vm_mprotect(s, page(1), PAGE_SIZE, VM_READ), -ENOMEM);
	assert_int_equal((ssize)vm_mremap(s, page(1), PAGE_SIZE, PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, page(20)), -ENOMEM);
	vm_set_brk(s, page(30));
	assert_int_equal(vm_brk(s, page(31)), page(30));
	assert_int_equal(vm_munmap(s, page(8), PAGE_SIZE), 0);
	s->regions.count = MAX_REGIONS - 2;
	assert_int_equal(vm_mprotect(s, page(1), PAGE_SIZE, VM_READ), 0);	/* two more, and no more than may be */
	assert_int_equal(vm_mprotect(s, page(1), PAGE_SIZE, RW), 0);
	assert_int_equal(vm_mlock(s, page(1), PAGE_SIZE, 0, NULL), 0);
	assert_int_equal(s->regions.count, MAX_REGIONS);
	assert_int_equal(vm_munlock(s, page(1), PAGE_SIZE), 0);
	assert_int_equal(s->regions.count, MAX_REGIONS - 2);
	s->regions.count = few;
	assert_int_equal(s->mapped, 4);
	finish();
}

TEST(a_full_address_space)
{
	(void)state;
	size_t all = USER_MAX - USER_MIN;
	assert_int_equal((ssize)vm_mmap(s, USER_MIN, all - 2 * PAGE_SIZE, 0, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0), USER_MIN);
	assert_int_equal(try_mmap(0, 3 * PAGE_SIZE, MAP_PRIVATE | MAP_ANONYMOUS), -ENOMEM);
	assert_int_equal(try_mmap(0, 2 * PAGE_SIZE, MAP_PRIVATE | MAP_ANONYMOUS), USER_MAX - 2 * PAGE_SIZE);
	assert_int_equal(try_mmap(0, 1, MAP_PRIVATE | MAP_ANONYMOUS), -ENOMEM);
	assert_int_equal(try_mmap(0, 1, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT), -ENOMEM);
	assert_int_equal(vm_munmap(s, page(0), 2 * PAGE_SIZE), 0);
	assert_int_equal(try_mmap(0, 1, MAP_PRIVATE | MAP_ANONYMOUS), page(1));
	vaddr_t low = (USER_MAX < (vaddr_t)1 << 31 ? USER_MAX : (vaddr_t)1 << 31) / 2;
	assert_int_equal(try_mmap(0, 1, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT), -ENOMEM);	/* it is in the lower half */
	assert_int_equal(try_mmap(page(0), 1, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT), page(0));
	low = page_ceil(low);
	assert_int_equal(vm_munmap(s, low - PAGE_SIZE, 2 * PAGE_SIZE), 0);
	assert_int_equal(try_mmap(0, 1, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT), low);
	finish();
}

TEST(below_the_mmap_top_first)
{
	(void)state;
	s->mmap_top = page(2);
	assert_int_equal(try_mmap(0, PAGE_SIZE, MAP_PRIVATE | MAP_ANONYMOUS), page(1));
	map(s, USER_MIN, (page(1) - USER_MIN) >> PAGE_SHIFT, 0, MAP_PRIVATE);
	assert_int_equal(try_mmap(0, PAGE_SIZE, MAP_PRIVATE | MAP_ANONYMOUS), USER_MAX - PAGE_SIZE);
	finish();
}

TEST(a_reference_keeps_a_space)
{
	(void)state;
	map(s, page(0), 1, RW, MAP_PRIVATE);
	assert_ptr_equal(space_ref(s), s);
	space_put(s);
	write_byte(s, page(0), 1);
	assert_int_equal(space_count(), before.spaces + 1);
	assert_int_equal(space_resident(s), 1);
	finish();
}

TEST(limits_of_size)
{
	(void)state;
	sim_limits[VM_LIMIT_AS] = 10 * PAGE_SIZE + 100;
	map(s, page(0), 8, RW, MAP_PRIVATE);
	assert_int_equal(try_mmap(page(8), 3 * PAGE_SIZE, MAP_PRIVATE | MAP_FIXED), -ENOMEM);
	assert_int_equal(try_mmap(page(6), 4 * PAGE_SIZE, MAP_PRIVATE | MAP_FIXED), page(6));	/* what it replaces does not count */
	assert_int_equal((ssize)vm_mremap(s, page(0), 2 * PAGE_SIZE, 3 * PAGE_SIZE, MREMAP_MAYMOVE, 0), -ENOMEM);
	assert_int_equal((ssize)vm_mremap(s, page(0), PAGE_SIZE, PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0), -ENOMEM);
	assert_int_equal((ssize)vm_mremap(s, page(0), PAGE_SIZE, PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, page(20)), page(20));
	vm_set_brk(s, page(40));
	assert_int_equal(vm_brk(s, page(41)), page(40));
	sim_limits[VM_LIMIT_AS] = SIZE_MAX;
	sim_limits[VM_LIMIT_DATA] = 12 * PAGE_SIZE;
	assert_int_equal(vm_brk(s, page(41)), page(41));
	assert_int_equal(vm_brk(s, page(43)), page(41));
	map(s, page(60), 5, RW, MAP_SHARED);
	map(s, page(70), 5, VM_READ, MAP_PRIVATE);
	assert_int_equal(vm_mprotect(s, page(70), 2 * PAGE_SIZE, RW), -ENOMEM);
	assert_int_equal(vm_mprotect(s, page(70), PAGE_SIZE, RW), 0);
	assert_int_equal(s->data, 12);
	assert_int_equal(vm_mprotect(s, page(60), 2 * PAGE_SIZE, VM_READ), 0);
	assert_int_equal(s->data, 12);
	finish();
}

static size_t committed(void)
{
	return s->committed;
}

TEST(what_is_committed)
{
	(void)state;
	struct test_file f;
	size_t total = commit_total();
	file_create(&f, 10 * PAGE_SIZE);
	map(s, page(0), 4, RW, MAP_PRIVATE);
	assert_int_equal(committed(), 4);
	map(s, page(10), 4, VM_READ, MAP_PRIVATE);
	map(s, page(20), 4, RW, MAP_PRIVATE | MAP_NORESERVE);
	map_file(s, page(30), 4, VM_READ, MAP_PRIVATE, &f, 0);
	assert_int_equal(committed(), 4);
	assert_int_equal(commit_total(), total + 4);
	assert_int_equal(vm_mprotect(s, page(31), 2 * PAGE_SIZE, RW), 0);
	assert_int_equal(committed(), 6);
	assert_int_equal(vm_mprotect(s, page(31), 2 * PAGE_SIZE, VM_READ), 0);
	assert_int_equal(committed(), 6);			/* they may have been written */
	assert_int_equal(vm_mprotect(s, page(31), 2 * PAGE_SIZE, RW), 0);
	assert_int_equal(vm_mprotect(s, page(20), PAGE_SIZE, VM_READ), 0);
	assert_int_equal(vm_mprotect(s, page(20), PAGE_SIZE, RW), 0);
	assert_int_equal(committed(), 6);
	map(s, page(40), 8, RW, MAP_SHARED);
	map(s, page(50), 8, RW, MAP_SHARED | MAP_NORESERVE);
	assert_int_equal(commit_total(), total + 14);
	write_byte(s, page(50), 1);
	write_byte(s, page(40), 1);
	assert_int_equal(commit_total(), total + 15);
	assert_int_equal((ssize)vm_mremap(s, page(0), 4 * PAGE_SIZE, 6 * PAGE_SIZE, 0, 0), page(0));
	assert_int_equal((ssize)vm_mremap(s, page(0), 6 * PAGE_SIZE, 7 * PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, page(100)), page(100));
	assert_int_equal(committed(), 9);
	struct space *child = space_fork(s);
	assert_int_equal(child->committed, 9);
	assert_int_equal(commit_total(), total + 9 + 9 + 9);
	check_sound();
	drop_space(child);
	assert_int_equal(vm_munmap(s, page(101), PAGE_SIZE), 0);
	assert_int_equal(committed(), 8);
	check_sound();
	drop_space(s);
	file_drop(&f);
	assert_int_equal(commit_total(), total);
	census_check(&before);
}

TEST(commitment_is_refused)
{
	const size_t mine = 100;
	(void)state;
	assert_int_equal(vm_map_stack(s, USER_MAX, 4 * PAGE_SIZE, RW), 0);
	map(s, page(0), 10, RW, MAP_PRIVATE);
	map(s, page(20), 10, VM_READ, MAP_PRIVATE);
	overcommit.mode = OVERCOMMIT_NEVER;
	overcommit.kbytes = (commit_total() + mine) * (PAGE_SIZE / 1024);
	assert_int_equal(try_mmap(page(40), mine * PAGE_SIZE, MAP_PRIVATE | MAP_FIXED), -ENOMEM);
	assert_int_equal(try_mmap(page(40), mine * PAGE_SIZE, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE), -ENOMEM);	/* means nothing now */
	assert_int_equal(try_mmap(page(40), mine * PAGE_SIZE, MAP_SHARED | MAP_FIXED), -ENOMEM);
	assert_int_equal(try_mmap(page(40), (mine - 2) * PAGE_SIZE, MAP_PRIVATE | MAP_FIXED), page(40));
	assert_int_equal(try_mmap(page(40), (mine - 2) * PAGE_SIZE, MAP_PRIVATE | MAP_FIXED), page(40));	/* what it replaces makes room */
	assert_int_equal(vm_mprotect(s, page(20), 10 * PAGE_SIZE, RW), -ENOMEM);
	assert_int_equal((ssize)vm_mremap(s, page(0), 10 * PAGE_SIZE, 15 * PAGE_SIZE, 0, 0), -ENOMEM);
	assert_null(space_fork(s));
	assert_false(space_may_fork(s));
	assert_int_equal(sim_write_byte(s, USER_MAX - 8 * PAGE_SIZE, 1), FAULT_SIGNAL_SEGV_MAPERR);	/* nor does the stack grow */
	assert_int_equal(vm_munmap(s, page(40), 90 * PAGE_SIZE), 0);
	assert_true(space_may_fork(s));
	struct space *child = space_fork(s);
	assert_non_null(child);
	drop_space(child);
	write_byte(s, USER_MAX - 8 * PAGE_SIZE, 1);
	overcommit.mode = OVERCOMMIT_GUESS;
	map(s, page(40), 2, RW, MAP_SHARED | MAP_NORESERVE);
	write_byte(s, page(40), 1);
	overcommit.mode = OVERCOMMIT_NEVER;
	overcommit.kbytes = commit_total() * (PAGE_SIZE / 1024);
	assert_int_equal(sim_write_byte(s, page(41), 1), FAULT_SIGNAL_BUS);	/* it would commit a page now */
	overcommit = (struct overcommit_policy){ .mode = OVERCOMMIT_GUESS };
	struct frame_stats frames;
	frame_get_stats(&frames);
	size_t all = frames.managed;
	assert_int_equal(try_mmap(0, (all + 1) * PAGE_SIZE, MAP_PRIVATE), -ENOMEM);
	vaddr_t one = (vaddr_t)try_mmap(0, all * PAGE_SIZE, MAP_PRIVATE), two = (vaddr_t)try_mmap(0, (all + 1) * PAGE_SIZE, MAP_PRIVATE | MAP_NORESERVE);
	assert_int_equal(vm_munmap(s, one, all * PAGE_SIZE) | vm_munmap(s, two, (all + 1) * PAGE_SIZE), 0);
	finish();
}

TEST(tails_and_heads_need_no_region)
{
	(void)state;
	struct test_file f;
	file_create(&f, 10 * PAGE_SIZE);
	map_file(s, page(0), 10, VM_READ, MAP_PRIVATE, &f, 0);
	alloc_fail_at = 1;
	assert_int_equal(vm_munmap(s, page(8), 2 * PAGE_SIZE), 0);
	assert_int_equal(vm_munmap(s, page(0), 2 * PAGE_SIZE), 0);
	assert_int_equal(vm_munmap(s, page(4), PAGE_SIZE), -ENOMEM);
	alloc_fail_at = 0;
	assert_int_equal(s->regions.count, 1);
	assert_int_equal(read_byte(s, page(2)), file_byte(2 * PAGE_SIZE));
	assert_int_equal(vm_munmap(s, page(4), PAGE_SIZE), 0);
	assert_int_equal(read_byte(s, page(5)), file_byte(5 * PAGE_SIZE));
	drop_space(s);
	file_drop(&f);
	census_check(&before);
}

TEST(shared_memory_is_writable_again_at_once)
{
	(void)state;
	map(s, page(0), 3, RW, MAP_SHARED);
	for (unsigned i = 0; i < 3; i++)
		write_byte(s, page(i), 1);
	struct space *child = space_fork(s);
	assert_int_equal(vm_mprotect(s, page(0), 3 * PAGE_SIZE, VM_READ), 0);
	assert_int_equal(sim_write_byte(s, page(1), 2), FAULT_SIGNAL_SEGV_ACCERR);
	assert_int_equal(vm_mprotect(s, page(0), 3 * PAGE_SIZE, RW), 0);
	sim_faults_clear();
	for (unsigned i = 0; i < 3; i++)
		write_byte(s, page(i), 3);
	EXPECT_NO_FAULTS();
	assert_int_equal(read_byte(child, page(2)), 3);
	drop_space(child);
	finish();
}

TEST(what_a_child_does_not_get)
{
	uint8_t byte;
	(void)state;
	map(s, page(0), 4, RW, MAP_PRIVATE);
	map(s, page(4), 4, VM_READ, MAP_PRIVATE);
	map(s, page(8), 4, RW, MAP_PRIVATE);
	for (unsigned i = 0; i < 4; i++)
		write_byte(s, page(i), 1);
	write_byte(s, page(8), 8);
	region_find(&s->regions, page(0))->flags |= REGION_WIPEONFORK;
	region_find(&s->regions, page(8))->flags |= REGION_DONTFORK;
	struct space *child = space_fork(s);
	assert_int_equal(read_byte(child, page(0)), 0);
	assert_int_equal(read_byte(child, page(3)), 0);
	assert_int_equal(read_byte(child, page(4)), 0);
	assert_int_equal(sim_read_byte(child, page(8), &byte), FAULT_SIGNAL_SEGV_MAPERR);
	assert_int_equal(child->mapped, 8);
	struct space *grandchild = space_fork(child);
	write_byte(child, page(0), 5);
	struct space *other = space_fork(child);
	assert_int_equal(read_byte(other, page(0)), 0);		/* the advice is inherited */
	assert_int_equal(read_byte(s, page(0)), 1);
	assert_int_equal(read_byte(s, page(8)), 8);
	drop_space(other);
	drop_space(grandchild);
	drop_space(child);
	finish();
}

TEST(locking_needs_the_right)
{
	(void)state;
	sim_privileged = false;
	sim_limits[VM_LIMIT_MEMLOCK] = 0;
	assert_int_equal(try_mmap(0, PAGE_SIZE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED), -EPERM);
	assert_int_equal(vm_mlock(s, A, 0, 0, NULL), -EPERM);
	assert_int_equal(vm_mlock(s, A, 0, 2, NULL), -EINVAL);		/* no such flag: that comes first */
	assert_int_equal(vm_mlockall(s, MCL_FUTURE, NULL), -EPERM);
	assert_int_equal(vm_mlockall(s, 0, NULL), -EINVAL);
	assert_int_equal(vm_mlockall(s, MCL_ONFAULT, NULL), -EINVAL);
	assert_int_equal(vm_mlockall(s, MCL_CURRENT | 8, NULL), -EINVAL);
	sim_limits[VM_LIMIT_MEMLOCK] = 2 * PAGE_SIZE;
	assert_int_equal(try_mmap(A, 2 * PAGE_SIZE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_LOCKED), A);
	assert_int_equal(s->locked, 2);
	assert_int_equal(try_mmap(0, 1, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED), -EAGAIN);
	assert_int_equal(try_mmap(A, 2 * PAGE_SIZE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_LOCKED), -EAGAIN);	/* before anything goes */
	assert_int_equal((ssize)vm_mremap(s, A, 2 * PAGE_SIZE, 3 * PAGE_SIZE, MREMAP_MAYMOVE, 0), -EAGAIN);
	sim_privileged = true;
	assert_true((ssize)vm_mmap(s, 0, PAGE_SIZE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, NULL, 0) > 0);
	assert_int_equal(s->locked, 3);
	finish();
}

TEST(the_break_stays_when_a_table_cannot_be_had)
{
	(void)state;
	vm_set_brk(s, page(0));
	const unsigned n = 2 * MMU_TABLE_REACH / PAGE_SIZE;
	assert_int_equal(vm_brk(s, page(n)), page(n));
	for (unsigned i = 0; i < n; i++)
		write_byte(s, page(i), (uint8_t)i);
	struct space *child = space_fork(s);			/* shares the table */
	alloc_fail_at = 1;
	assert_int_equal(vm_brk(s, page(n - 2)), page(n));
	alloc_fail_at = 0;
	assert_int_equal(s->mapped, n);
	assert_int_equal(vm_brk(s, page(n - 2)), page(n - 2));
	assert_int_equal(read_byte(child, page(n - 1)), (uint8_t)(n - 1));
	drop_space(child);
	finish();
}

TEST(locks)
{
	(void)state;
	map(s, page(0), 10, RW, MAP_PRIVATE);
	assert_int_equal(vm_mlock(s, page(2), 4 * PAGE_SIZE, 0, NULL), 0);
	assert_int_equal(s->locked, 4);
	assert_int_equal(space_resident(s), 4);
	assert_int_equal(vm_populate(s, page(5), page(6), POPULATE_LOCKED, NULL), 0);	/* ends inside a region */
	assert_int_equal(vm_populate(s, page(0), page(10), POPULATE_LOCKED, NULL), 0);
	assert_int_equal(space_resident(s), 4);			/* only what is locked */
	assert_int_equal(vm_populate(s, page(8), page(10), POPULATE_MAPPED, NULL), 0);
	assert_int_equal(space_resident(s), 6);
	assert_int_equal(vm_munmap(s, page(3), PAGE_SIZE), 0);
	assert_int_equal(s->locked, 3);
	assert_int_equal(vm_madvise(s, page(2), PAGE_SIZE, MADV_DONTNEED, NULL), -EINVAL);
	assert_int_equal(vm_mlock(s, page(0), 10 * PAGE_SIZE, MLOCK_ONFAULT, NULL), -ENOMEM);	/* up to the hole */
	assert_int_equal(s->locked, 5);
	struct space *child = space_fork(s);
	assert_int_equal(child->locked, 0);
	drop_space(child);
	assert_int_equal((ssize)vm_mremap(s, page(0), 2 * PAGE_SIZE, 2 * PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0) > 0, 1);
	assert_int_equal(s->locked, 5);			/* it has moved, the old place has none */
	sim_privileged = false;
	sim_limits[VM_LIMIT_MEMLOCK] = 8 * PAGE_SIZE;
	assert_int_equal(vm_mlock(s, page(4), 4 * PAGE_SIZE, 0, NULL), 0);	/* two of them are locked already */
	assert_int_equal(vm_mlock(s, page(4), 6 * PAGE_SIZE, 0, NULL), -ENOMEM);
	assert_int_equal(vm_mlockall(s, MCL_CURRENT, NULL), -ENOMEM);
	assert_int_equal(vm_mlockall(s, MCL_FUTURE | MCL_ONFAULT, NULL), 0);
	assert_int_equal(try_mmap(page(30), 2 * PAGE_SIZE, MAP_PRIVATE), -EAGAIN);
	vm_munlockall(s);
	assert_int_equal(s->locked, 0);
	assert_int_equal(try_mmap(page(30), 2 * PAGE_SIZE, MAP_PRIVATE), page(30));
	finish();
}

TEST(locking_all)
{
	(void)state;
	map(s, page(0), 4, RW, MAP_PRIVATE);
	map(s, page(8), 2, VM_READ, MAP_PRIVATE);
	write_byte(s, page(1), 1);
	assert_int_equal(vm_mlockall(s, MCL_CURRENT | MCL_ONFAULT, NULL), 0);
	assert_int_equal(s->locked, 6);
	assert_int_equal(space_resident(s), 1);			/* what is touched stays, nothing is fetched */
	assert_int_equal(vm_mlockall(s, MCL_CURRENT, NULL), 0);
	assert_int_equal(s->locked, 6);
	assert_int_equal(space_resident(s), 4);			/* the rest has the zero frame */
	assert_int_equal(mmu_query(&s->mmu, page(9)).pfn, zero_frame);
	assert_int_equal(vm_msync(s, page(0), PAGE_SIZE, MS_INVALIDATE), -EBUSY);
	assert_int_equal(vm_msync(s, page(0), PAGE_SIZE, MS_ASYNC), 0);
	map(s, page(20), 1, RW, MAP_PRIVATE);
	assert_int_equal(s->locked, 6);				/* not what comes later */
	vm_munlockall(s);
	assert_int_equal(s->locked, 0);
	assert_int_equal(vm_msync(s, page(0), PAGE_SIZE, MS_INVALIDATE), 0);
	finish();
}

TEST(a_killed_space_is_reaped)
{
	(void)state;
	map(s, page(0), 4, RW, MAP_PRIVATE);
	for (unsigned i = 0; i < 4; i++)
		write_byte(s, page(i), 1);
	space_ref(s);
	space_reap(s);
	assert_int_equal(space_resident(s), 4);		/* others have it */
	space_put(s);
	size_t frames = frame_free_count();
	space_reap(s);
	assert_int_equal(space_resident(s), 0);
	assert_true(frame_free_count() >= frames + 4);
	assert_int_equal(sim_write_byte(s, page(0), 1), FAULT_NO_MEMORY);
	assert_null(space_fork(s));			/* a child would see zeros in place of what was taken */
	finish();
}

TEST(what_a_death_would_give_back)
{
	(void)state;
	struct test_file f;
	file_create_in_image(&f, 4 * PAGE_SIZE, IMAGE);
	map_file(s, page(0), 4, RW, MAP_PRIVATE, &f, 0);
	map(s, page(10), 2, RW, MAP_PRIVATE);
	read_byte(s, page(0));
	write_byte(s, page(1), 1);
	write_byte(s, page(10), 1);
	read_byte(s, page(11));
	assert_int_equal(space_owned(s), 2);		/* neither what is borrowed nor the zero frame */
	assert_true(space_resident(s) > 2);
	write_lock(&s->lock);
	assert_int_equal(space_owned(s), space_resident(s));	/* who cannot look says all */
	write_unlock(&s->lock);
	drop_space(s);
	file_drop(&f);
	census_check(&before);
}

static const struct CMUnitTest tests[] = {
#define MMAP_TEST(name) cmocka_unit_test_setup(name, setup)
	MMAP_TEST(arguments_of_mmap),
	MMAP_TEST(arguments_of_file_mappings),
	MMAP_TEST(places),
	MMAP_TEST(equal_neighbours_merge),
	MMAP_TEST(file_regions_merge_when_their_pages_follow),
	MMAP_TEST(munmap_splits_and_frees),
	MMAP_TEST(fixed_over_what_is_there),
	MMAP_TEST(tables_are_freed_when_empty),
	MMAP_TEST(a_full_gather_and_the_table_after_it),
	MMAP_TEST(mprotect_and_its_errors),
	MMAP_TEST(mprotect_of_what_grows),
	MMAP_TEST(a_shared_mapping_of_a_read_only_file_stays_so),
	MMAP_TEST(the_break),
	MMAP_TEST(a_watched_object_is_detached_whole),
	MMAP_TEST(seals_against_writing),
	MMAP_TEST(region_info_names_and_counts),
	MMAP_TEST(a_stack_needs_room),
	MMAP_TEST(too_many_regions),
	MMAP_TEST(a_full_address_space),
	MMAP_TEST(below_the_mmap_top_first),
	MMAP_TEST(a_reference_keeps_a_space),
	MMAP_TEST(locks),
	MMAP_TEST(locking_all),
	MMAP_TEST(a_killed_space_is_reaped),
	MMAP_TEST(what_a_death_would_give_back),
	MMAP_TEST(limits_of_size),
	MMAP_TEST(what_is_committed),
	MMAP_TEST(commitment_is_refused),
	MMAP_TEST(tails_and_heads_need_no_region),
	MMAP_TEST(shared_memory_is_writable_again_at_once),
	MMAP_TEST(what_a_child_does_not_get),
	MMAP_TEST(locking_needs_the_right),
	MMAP_TEST(the_break_stays_when_a_table_cannot_be_had),
};
RUN_TESTS("mmap", tests)
