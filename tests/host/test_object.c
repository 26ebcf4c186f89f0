/* tests/host/test_object.c - vm/object.c: pages of files and of shared memory, by read, write, pin and resize. */
#include "harness.h"
#include "vm/frame.h"
#include "vm/heap.h"
#include "vm/object.h"
#include "vm/stats.h"
#include "vm/mmap.h"

enum { MIB = 1 << 20 };
static const vaddr_t A = 0x200000;
static const pfn_t IMAGE = 0x100000 >> PAGE_SHIFT;
static struct census before;

static int setup(void **state)
{
	(void)state;
	sim_boot_config(&(struct sim_config){ .ram = { { 0, 8 * MIB } }, .image = { 0x100000, 0x140000 } });
	before = census_take();
	return 0;
}

static struct object_stats stats(void)
{
	struct object_stats s;
	object_get_stats(&s);
	return s;
}

static ssize read_at(struct object *o, void *to, size_t n, uint64_t offset)
{
	struct uio uio = uio_kernel(to, n);
	return object_read(o, &uio, offset);
}

static ssize write_at(struct object *o, const void *from, size_t n, uint64_t offset)
{
	struct uio uio = uio_kernel((void *)(uintptr_t)from, n);
	return object_write(o, &uio, offset);
}

TEST(reading_clips_to_the_end)
{
	(void)state;
	struct test_file f;
	uint8_t bytes[3 * 4096];
	file_create(&f, 2 * PAGE_SIZE + 10);
	assert_int_equal(read_at(f.object, bytes, sizeof bytes, 0), 2 * PAGE_SIZE + 10);
	for (size_t i = 0; i < 2 * PAGE_SIZE + 10; i++)
		assert_int_equal(bytes[i], file_byte(i));
	assert_int_equal(f.reads, 3);
	assert_int_equal(read_at(f.object, bytes, 100, 2 * PAGE_SIZE), 10);
	assert_int_equal(read_at(f.object, bytes, 100, 2 * PAGE_SIZE + 10), 0);
	assert_int_equal(read_at(f.object, bytes, 100, (uint64_t)-1), 0);
	assert_int_equal(read_at(f.object, bytes, 0, 0), 0);
	assert_int_equal(f.reads, 3);
	check_sound();
	file_drop(&f);
	census_check(&before);
}

/* Pages are pinned a few at a time: across the leaves of the index, and where the next one must be read or is a hole. */
TEST(long_reads)
{
	enum { PAGES = 150 };
	static uint8_t bytes[PAGES * 4096];
	(void)state;
	struct test_file f;
	struct object *o = object_create(NULL, NULL, 0);
	file_create(&f, PAGES * PAGE_SIZE);
	for (uint64_t i = 0; i < PAGES; i += 7)
		assert_int_equal(read_at(f.object, bytes, 1, i * PAGE_SIZE), 1);
	for (int round = 0; round < 2; round++) {
		memset(bytes, 0, sizeof bytes);
		assert_int_equal(read_at(f.object, bytes, sizeof bytes, 100), sizeof bytes - 100);
		for (size_t i = 0; i < sizeof bytes - 100; i++)
			assert_int_equal(bytes[i], file_byte(i + 100));
		assert_int_equal(f.reads, PAGES);
	}
	assert_int_equal(stats().records_pinned, 0);
	for (uint64_t i = 0; i < PAGES; i++)
		if (i % 20 < 3 || i / 64 == 1)
			assert_int_equal(write_at(o, &(uint8_t){ (uint8_t)(i + 1) }, 1, i * PAGE_SIZE), 1);
	size_t npages = o->npages;
	object_resize(o, PAGES * PAGE_SIZE);
	assert_int_equal(read_at(o, bytes, sizeof bytes, 0), sizeof bytes);
	for (uint64_t i = 0; i < PAGES; i++) {
		assert_int_equal(bytes[i * PAGE_SIZE], i % 20 < 3 || i / 64 == 1 ? i + 1 : 0);
		assert_int_equal(bytes[i * PAGE_SIZE + 1], 0);
	}
	assert_int_equal(o->npages, npages);
	assert_int_equal(stats().records_pinned, 0);
	check_sound();
	object_put(o);
	file_drop(&f);
	census_check(&before);
}

TEST(a_pager_that_fails)
{
	(void)state;
	struct test_file f;
	uint8_t bytes[2 * 4096];
	struct page_record *r;
	file_create(&f, 4 * PAGE_SIZE);
	assert_int_equal(read_at(f.object, bytes, 10, 0), 10);
	f.error = -EIO;
	assert_int_equal(read_at(f.object, bytes, 10, PAGE_SIZE), -EIO);
	assert_int_equal(read_at(f.object, bytes, 2 * PAGE_SIZE, 0), PAGE_SIZE);	/* what could be read */
	assert_int_equal(object_pin(f.object, 2, &r), -EIO);
	assert_int_equal(f.object->npages, 1);
	f.error = 0;
	assert_int_equal(read_at(f.object, bytes, 2 * PAGE_SIZE, 0), 2 * PAGE_SIZE);
	check_sound();
	file_drop(&f);
	census_check(&before);
}

TEST(pins)
{
	(void)state;
	struct test_file f;
	struct page_record *r, *again;
	file_create(&f, 4 * PAGE_SIZE);
	assert_int_equal(object_pin(f.object, 1, &r), 0);
	assert_int_equal(object_pin(f.object, 1, &again), 0);
	assert_ptr_equal(r, again);
	assert_int_equal(r->pins, 2);
	assert_int_equal(stats().records_pinned, 1);
	assert_int_equal(*(uint8_t *)direct(r->pfn), file_byte(PAGE_SIZE));
	object_unpin(f.object, r);
	assert_int_equal(stats().records_pinned, 1);
	object_unpin(f.object, r);
	assert_int_equal(stats().records_pinned, 0);
	assert_int_equal(object_pin(f.object, 4, &r), -ENXIO);
	assert_int_equal(object_pin(f.object, (uint64_t)1 << 50, &r), -ENXIO);
	file_drop(&f);
	census_check(&before);
}

TEST(memory_objects_have_holes)
{
	(void)state;
	struct object *o = object_create(NULL, NULL, 0);
	uint8_t bytes[4096];
	assert_int_equal(write_at(o, "hello", 5, 100 * PAGE_SIZE + 4094), 5);
	assert_int_equal(o->size, 100 * PAGE_SIZE + 4099);
	assert_int_equal(o->npages, 2);
	memset(bytes, 1, sizeof bytes);
	assert_int_equal(read_at(o, bytes, 4096, 50 * PAGE_SIZE + 7), 4096);
	for (size_t i = 0; i < sizeof bytes; i++)
		assert_int_equal(bytes[i], 0);
	assert_int_equal(o->npages, 2);				/* reading a hole makes no page */
	assert_int_equal(read_at(o, bytes, 4096, 100 * PAGE_SIZE + 4090), 9);
	assert_memory_equal(bytes, "\0\0\0\0hello", 9);
	assert_int_equal(write_at(o, "x", 1, (uint64_t)1 << 45), 1);
	assert_int_equal(read_at(o, bytes, 10, (uint64_t)1 << 45), 1);
	assert_int_equal(read_at(o, bytes, 5, 100 * PAGE_SIZE + 4094), 5);
	assert_memory_equal(bytes, "hello", 5);
	assert_int_equal(stats().records_shared, 3);
	check_sound();
	object_put(o);
	census_check(&before);
}

TEST(bytes_from_and_to_user_memory)
{
	(void)state;
	struct object *o = object_create(NULL, NULL, 0);
	struct space *s = new_space();
	uint8_t byte;
	map(s, A, 2, VM_READ | VM_WRITE, MAP_PRIVATE);
	sim_enter(s);
	write_byte(s, A + PAGE_SIZE, 5);
	write_byte(s, A + 2 * PAGE_SIZE - 1, 6);
	struct uio uio = uio_user(A, 3 * PAGE_SIZE);
	assert_int_equal(object_write(o, &uio, 100), 2 * PAGE_SIZE);	/* as far as the memory goes */
	assert_int_equal(uio.left, PAGE_SIZE);
	assert_int_equal(uio.base, A + 2 * PAGE_SIZE);
	assert_int_equal(object_write(o, &uio, 2 * PAGE_SIZE + 100), -EFAULT);
	assert_int_equal(o->size, 2 * PAGE_SIZE + 100);
	assert_int_equal(read_at(o, &byte, 1, 100 + PAGE_SIZE), 1);
	assert_int_equal(byte, 5);
	uio = uio_user(A + PAGE_SIZE, 4 * PAGE_SIZE);
	assert_int_equal(object_read(o, &uio, 100 + 2 * PAGE_SIZE - 1), 1);
	assert_int_equal(read_byte(s, A + PAGE_SIZE), 6);
	uio = uio_user(A + 2 * PAGE_SIZE, 1);
	assert_int_equal(object_read(o, &uio, 0), -EFAULT);
	drop_space(s);
	object_put(o);
	census_check(&before);
}

TEST(resize_gives_pages_up_and_zeroes_the_rest)
{
	(void)state;
	struct object *o = object_create(NULL, NULL, 0);
	uint8_t bytes[10 * 4096];
	memset(bytes, 7, sizeof bytes);
	assert_int_equal(write_at(o, bytes, sizeof bytes, 0), sizeof bytes);
	object_resize(o, 3 * PAGE_SIZE + 100);
	assert_int_equal(o->npages, 4);
	object_resize(o, 10 * PAGE_SIZE);
	assert_int_equal(o->npages, 4);
	assert_int_equal(read_at(o, bytes, sizeof bytes, 0), sizeof bytes);
	for (size_t i = 0; i < sizeof bytes; i++)
		assert_int_equal(bytes[i], i < 3 * PAGE_SIZE + 100 ? 7 : 0);
	object_resize(o, 2 * PAGE_SIZE);
	assert_int_equal(o->npages, 2);
	object_resize(o, 0);
	assert_int_equal(o->npages, 0);
	object_resize(o, OBJECT_ENDLESS);
	check_sound();
	object_put(o);
	census_check(&before);
}

TEST(holes_at_every_edge)
{
	(void)state;
	struct object *o = object_create(NULL, NULL, 0);
	static uint8_t bytes[70 * 4096];
	static const struct { size_t from, to; } hole[] = {
		{ 100, 200 }, { 4000, 4096 }, { 4096, 4097 }, { 8192, 16384 }, { 20000, 30000 }, { 63 * 4096 - 1, 65 * 4096 + 1 }, { 66 * 4096, 70 * 4096 }, { 5, 5 },
		{ 11 * 4096 - 96, 11 * 4096 + 104 },
	};
	for (size_t i = 70; i-- > 0; )			/* so that the frame behind a page's is not that of the next page */
		assert_int_equal(write_at(o, bytes, 1, i * 4096), 1);
	for (size_t h = 0; h < sizeof hole / sizeof *hole; h++) {
		memset(bytes, 7, sizeof bytes);
		assert_int_equal(write_at(o, bytes, sizeof bytes, 0), sizeof bytes);
		object_punch(o, hole[h].from, hole[h].to);
		size_t whole = hole[h].to / 4096, first = (hole[h].from + 4095) / 4096;
		assert_int_equal(o->npages, 70 - (whole > first ? whole - first : 0));
		assert_int_equal(o->size, sizeof bytes);
		assert_int_equal(read_at(o, bytes, sizeof bytes, 0), sizeof bytes);
		for (size_t i = 0; i < sizeof bytes; i++)
			assert_int_equal(bytes[i], i >= hole[h].from && i < hole[h].to ? 0 : 7);
	}
	check_sound();
	object_put(o);
	census_check(&before);
}

TEST(holes_free_the_index)
{
	(void)state;
	struct object *o = object_create(NULL, NULL, 0);
	struct heap_stats then, now;
	heap_get_stats(&then);
	for (uint64_t i = 0; i < 500; i++) {
		uint64_t at = (i * i * i << 20) + i * PAGE_SIZE;
		assert_int_equal(write_at(o, "x", 1, at), 1);
		if (i % 2)
			vm_punch(o, at & ~(uint64_t)PAGE_MASK, (at & ~(uint64_t)PAGE_MASK) + 2 * PAGE_SIZE);
		else
			vm_truncate(o, at);
		assert_int_equal(o->npages, 0);
		assert_null(o->root);
	}
	heap_get_stats(&now);
	assert_int_equal(now.objects, then.objects);
	assert_int_equal(write_at(o, "x", 1, 100 * PAGE_SIZE), 1);
	vm_punch(o, 0, 100 * PAGE_SIZE);
	assert_int_equal(o->npages, 1);				/* beside the hole */
	vm_punch(o, 101 * PAGE_SIZE, 1000 * PAGE_SIZE);
	assert_int_equal(o->npages, 1);
	object_put(o);
	census_check(&before);
}

TEST(a_hole_leaves_private_copies)
{
	(void)state;
	const uint64_t far = (uint64_t)1 << 30;
	struct object *o = object_create(NULL, NULL, 0);
	uint8_t bytes[8 * 4096];
	memset(bytes, 7, sizeof bytes);
	assert_int_equal(write_at(o, bytes, sizeof bytes, far * PAGE_SIZE), sizeof bytes);
	struct space *s = new_space(), *other = new_space();
	const vaddr_t b = A + 16 * PAGE_SIZE;
	assert_int_equal(vm_mmap(s, A, 8 * PAGE_SIZE, VM_READ | VM_WRITE, MAP_SHARED | MAP_FIXED, o, far * PAGE_SIZE), A);
	assert_int_equal(vm_mmap(s, b, 8 * PAGE_SIZE, VM_READ | VM_WRITE, MAP_PRIVATE | MAP_FIXED, o, far * PAGE_SIZE), b);
	assert_int_equal(vm_mmap(other, A, 8 * PAGE_SIZE, VM_READ, MAP_SHARED | MAP_FIXED, o, far * PAGE_SIZE), A);
	write_byte(s, b + 2 * PAGE_SIZE, 9);
	for (size_t i = 0; i < 8; i++) {
		assert_int_equal(read_byte(s, A + i * PAGE_SIZE), 7);
		assert_int_equal(read_byte(s, b + i * PAGE_SIZE), i == 2 ? 9 : 7);
		assert_int_equal(read_byte(other, A + i * PAGE_SIZE), 7);
	}
	assert_int_equal(space_resident(s), 16);
	vm_punch(o, (far + 1) * PAGE_SIZE, (far + 4) * PAGE_SIZE + 5);
	assert_int_equal(o->npages, 5);
	assert_int_equal(stats().records_cut, 0);			/* they left every mapping */
	assert_int_equal(space_resident(s), 16 - 3 - 2);
	assert_int_equal(space_resident(other), 5);
	check_sound();
	for (size_t i = 0; i < 8; i++) {
		bool hole = i >= 1 && i <= 4;
		assert_int_equal(read_byte(s, A + i * PAGE_SIZE), hole ? 0 : 7);
		assert_int_equal(read_byte(s, b + i * PAGE_SIZE), i == 2 ? 9 : hole ? 0 : 7);
		assert_int_equal(read_byte(other, A + i * PAGE_SIZE), hole ? 0 : 7);
	}
	assert_int_equal(read_byte(s, A + 4 * PAGE_SIZE + 5), 7);
	drop_space(s);
	drop_space(other);
	object_put(o);
	census_check(&before);
}

TEST(remove_by_madvise)
{
	(void)state;
	struct test_file f;
	struct object *o = object_create(NULL, NULL, 0);
	struct space *s = new_space();
	uint8_t bytes[4 * 4096];
	const vaddr_t b = A + 8 * PAGE_SIZE;
	memset(bytes, 7, sizeof bytes);
	assert_int_equal(write_at(o, bytes, sizeof bytes, 0), sizeof bytes);
	assert_int_equal(vm_mmap(s, A, 4 * PAGE_SIZE, VM_READ, MAP_SHARED | MAP_FIXED, o, 0), A);
	assert_int_equal(vm_mmap(s, b, 4 * PAGE_SIZE, VM_READ | VM_NOWRITE, MAP_SHARED | MAP_FIXED, o, 0), b);
	assert_int_equal(read_byte(s, b), 7);
	assert_int_equal(vm_madvise(s, b, PAGE_SIZE, MADV_REMOVE, NULL), -EACCES);
	o->seals = SEAL_FUTURE_WRITE;
	assert_int_equal(vm_madvise(s, A, PAGE_SIZE, MADV_REMOVE, NULL), -EPERM);
	o->seals = 0;
	assert_int_equal(vm_madvise(s, A, 2 * PAGE_SIZE, MADV_REMOVE, NULL), 0);
	assert_int_equal(read_byte(s, b), 0);
	assert_int_equal(read_byte(s, b + 2 * PAGE_SIZE), 7);
	assert_int_equal(vm_madvise(s, A + 3 * PAGE_SIZE, 3 * PAGE_SIZE, MADV_REMOVE, NULL), -ENOMEM);	/* what is mapped of it has gone */
	assert_int_equal(read_byte(s, b + 3 * PAGE_SIZE), 0);
	assert_int_equal(vm_munmap(s, b, 4 * PAGE_SIZE), 0);
	assert_int_equal(vm_mmap(s, b, PAGE_SIZE, VM_READ | VM_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0), b);
	assert_int_equal(vm_madvise(s, b, PAGE_SIZE, MADV_REMOVE, NULL), -EINVAL);
	file_create(&f, PAGE_SIZE);
	assert_int_equal(vm_mmap(s, b, PAGE_SIZE, VM_READ, MAP_SHARED | MAP_FIXED, f.object, 0), b);
	assert_int_equal(vm_madvise(s, b, PAGE_SIZE, MADV_REMOVE, NULL), -EOPNOTSUPP);
	check_sound();
	drop_space(s);
	file_drop(&f);
	object_put(o);
	census_check(&before);
}

TEST(a_page_that_is_pinned_or_mapped_outlives_its_place)
{
	(void)state;
	struct object *o = object_create(NULL, NULL, 0);
	struct page_record *r;
	assert_int_equal(write_at(o, "abc", 3, 5 * PAGE_SIZE), 3);
	assert_int_equal(write_at(o, "def", 3, 6 * PAGE_SIZE), 3);
	struct space *s = new_space();
	assert_int_equal(vm_mmap(s, A, 8 * PAGE_SIZE, VM_READ | VM_WRITE, MAP_SHARED | MAP_FIXED, o, 0), A);
	assert_int_equal(read_byte(s, A + 6 * PAGE_SIZE), 'd');
	assert_int_equal(read_byte(s, A + 5 * PAGE_SIZE), 'a');
	assert_int_equal(object_pin(o, 5, &r), 0);
	object_resize(o, PAGE_SIZE);
	assert_int_equal(stats().records_cut, 2);
	assert_memory_equal(direct(r->pfn), "abc", 3);
	assert_null(r->object);
	check_sound();
	object_resize(o, 8 * PAGE_SIZE);
	assert_int_equal(write_at(o, "new", 3, 5 * PAGE_SIZE), 3);	/* a new page: the pinned one is not of the file any more */
	assert_memory_equal(direct(r->pfn), "abc", 3);
	assert_int_equal(vm_munmap(s, A, 8 * PAGE_SIZE), 0);
	assert_int_equal(stats().records_cut, 1);
	assert_memory_equal(direct(r->pfn), "abc", 3);
	object_unpin(o, r);
	assert_int_equal(stats().records_cut, 0);
	check_sound();
	drop_space(s);
	object_put(o);
	census_check(&before);
}

TEST(borrowed_frames_are_used_in_place_and_never_freed)
{
	(void)state;
	struct test_file f;
	struct page_record *r;
	uint8_t bytes[10];
	file_create_in_image(&f, 5 * PAGE_SIZE + 1, IMAGE);
	size_t frames = frame_free_count();
	assert_int_equal(object_pin(f.object, 3, &r), 0);
	assert_int_equal(r->pfn, IMAGE + 3);
	assert_true(r->borrowed);
	object_unpin(f.object, r);
	assert_true(frames - frame_free_count() <= 2);		/* the record and the index */
	assert_int_equal(read_at(f.object, bytes, 10, 5 * PAGE_SIZE), 1);
	assert_int_equal(f.reads, 1);				/* the last page is not all the file's own */
	assert_int_equal(stats().borrowed, 1);
	check_sound();
	file_drop(&f);
	assert_int_equal(page_type(pages[IMAGE + 3]), PAGE_RESERVED);
	assert_int_equal(stats().borrowed, 0);
	census_check(&before);
}

/* A damaged image may have two files in one cluster: neither may spoil the other's count. */
TEST(two_files_that_claim_one_frame)
{
	(void)state;
	struct test_file f, g;
	struct space *s = new_space();
	file_create_in_image(&f, 2 * PAGE_SIZE, IMAGE);
	file_create_in_image(&g, 2 * PAGE_SIZE, IMAGE);
	map_file(s, A, 2, VM_READ, MAP_PRIVATE, &f, 0);
	map_file(s, A + 2 * PAGE_SIZE, 2, VM_READ, MAP_PRIVATE, &g, 0);
	assert_int_equal(read_byte(s, A), file_byte(0));
	assert_int_equal(read_byte(s, A + 2 * PAGE_SIZE), file_byte(0));
	check_sound();
	assert_int_equal(vm_munmap(s, A, 2 * PAGE_SIZE), 0);
	file_drop(&f);
	check_sound();
	assert_int_equal(read_byte(s, A + 3 * PAGE_SIZE), file_byte(PAGE_SIZE));
	drop_space(s);
	file_drop(&g);
	census_check(&before);
}

struct job { struct test_file *file; uint64_t index; int result; };

static void pin_in_thread(void *arg)
{
	struct job *job = arg;
	struct page_record *r;

	job->result = object_pin(job->file->object, job->index, &r);
	if (job->result == 0)
		object_unpin(job->file->object, r);
}

TEST(one_reads_the_others_wait)
{
	(void)state;
	struct test_file f;
	struct job job[4];
	struct sim_thread *thread[4];
	file_create(&f, 4 * PAGE_SIZE);
	f.yields = 5;
	for (int round = 0; round < 2; round++) {
		f.error = round == 0 ? -EIO : 0;
		f.reads = 0;
		for (int i = 0; i < 4; i++) {
			job[i] = (struct job){ &f, 1, 1 };
			thread[i] = sim_thread_start(pin_in_thread, &job[i]);
		}
		for (int i = 0; i < 4; i++) {
			sim_thread_join(thread[i]);
			assert_int_equal(job[i].result, f.error);
		}
		assert_int_equal(f.reads, round == 0 ? 4 : 1);	/* each that failed tried for itself */
	}
	check_sound();
	file_drop(&f);
	census_check(&before);
}

static void cut_in_thread(void *arg)
{
	struct job *job = arg;
	object_resize(job->file->object, 0);
	job->result = 0;
}

TEST(a_file_is_cut_while_its_page_is_read)
{
	(void)state;
	struct test_file f;
	file_create(&f, 4 * PAGE_SIZE);
	f.yields = 3;
	struct job reader = { &f, 2, 1 }, cutter = { &f, 0, 1 };
	struct sim_thread *r = sim_thread_start(pin_in_thread, &reader), *c = sim_thread_start(cut_in_thread, &cutter);
	sim_thread_join(r);
	sim_thread_join(c);
	assert_int_equal(reader.result, -ENXIO);
	check_sound();
	file_drop(&f);
	census_check(&before);
}

TEST(every_allocation_may_fail)
{
	(void)state;
	struct test_file f, g;
	uint8_t bytes[100];
	file_create(&f, 200 * PAGE_SIZE);
	file_create_in_image(&g, 40 * PAGE_SIZE, IMAGE);
	struct object *o = object_create(NULL, NULL, 0);
	for (unsigned k = 1; k <= 12; k++) {
		ssize n;
		alloc_fail_at = k;
		n = read_at(f.object, bytes, sizeof bytes, 190 * PAGE_SIZE);
		assert_true(n == sizeof bytes || n == -ENOMEM);
		n = read_at(g.object, bytes, sizeof bytes, 30 * PAGE_SIZE);
		assert_true(n == sizeof bytes || n == -ENOMEM);
		n = write_at(o, bytes, sizeof bytes, (uint64_t)k << 24);
		assert_true(n == sizeof bytes || n == -ENOMEM);
		struct object *other = object_create(NULL, NULL, 0);
		if (other)
			object_put(other);
		alloc_fail_at = 0;
		check_sound();
	}
	object_put(o);
	file_drop(&f);
	file_drop(&g);
	census_check(&before);
}

/* The index gets new levels above the first page, and nodes down to the new one; each of them may be missing. */
TEST(a_page_far_off_needs_nodes)
{
	(void)state;
	const uint64_t far = (uint64_t)OBJECT_FANOUT * OBJECT_FANOUT * OBJECT_FANOUT << PAGE_SHIFT;
	struct object *o = object_create(NULL, NULL, 0);
	uint8_t byte = 5;
	unsigned failed = 0;
	assert_int_equal(write_at(o, &byte, 1, 0), 1);
	for (ssize n = 0; n != 1; ) {
		alloc_fail_at = failed + 1;
		n = write_at(o, &byte, 1, far);
		alloc_fail_at = 0;
		check_sound();
		assert_true(n == 1 || n == -ENOMEM);
		failed += n != 1;
		assert_int_equal(o->npages, 1 + (n == 1));
		assert_int_equal(read_at(o, &byte, 1, 0), 1);
		assert_int_equal(byte, 5);
	}
	assert_true(failed >= 5);			/* frame, record, and nodes of several levels */
	object_put(o);
	census_check(&before);
}

TEST(random_reads_and_writes_against_bytes)
{
	enum { SIZE = 70 * 4096, STEPS = 3000 };
	static uint8_t model[SIZE + 20000], bytes[20000];
	size_t size = 0;

	(void)state;
	struct object *o = object_create(NULL, NULL, 0);
	srand(5);
	for (int step = 0; step < STEPS; step++) {
		size_t offset = (size_t)rand() % SIZE, n = 1 + (size_t)rand() % (rand() % 4 ? 300 : sizeof bytes);
		switch (rand() % 5) {
		case 0: case 1:
			for (size_t i = 0; i < n; i++)
				bytes[i] = (uint8_t)rand();
			assert_int_equal(write_at(o, bytes, n, offset), n);
			memcpy(model + offset, bytes, n);
			size = offset + n > size ? offset + n : size;
			break;
		case 2: case 3:
			n = offset >= size ? 0 : n > size - offset ? size - offset : n;
			assert_int_equal(read_at(o, bytes, n, offset), n);
			assert_memory_equal(bytes, model + offset, n);
			break;
		case 4:
			if (rand() % 10)
				break;
			if (offset < size)
				memset(model + offset, 0, size - offset);
			size = offset;
			object_resize(o, size);
		}
		assert_int_equal(o->size, size);
	}
	check_sound();
	object_put(o);
	census_check(&before);
}

TEST(pages_read_are_counted)
{
	(void)state;
	struct test_file f;
	uint8_t bytes[100];
	uint64_t then = system_pages_read;
	file_create(&f, 4 * PAGE_SIZE);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(read_at(f.object, bytes, sizeof bytes, i * PAGE_SIZE), sizeof bytes);
	assert_int_equal(read_at(f.object, bytes, sizeof bytes, 0), sizeof bytes);
	assert_int_equal(system_pages_read - then, 3);
	f.error = -EIO;
	assert_int_equal(read_at(f.object, bytes, sizeof bytes, 3 * PAGE_SIZE), -EIO);
	assert_int_equal(system_pages_read - then, 3);
	file_drop(&f);
	census_check(&before);
}

/* The bytes to write are on a page that must be read itself, slowly; meanwhile the page that they are for is cut off. */
static struct object *cut_while_written;

static void cut_all(void *unused)
{
	(void)unused;
	object_resize(cut_while_written, 0);
}

TEST(a_page_is_cut_while_it_is_written)
{
	(void)state;
	struct test_file f;
	struct space *s = new_space();
	struct object *o = cut_while_written = object_create(NULL, NULL, PAGE_SIZE);
	file_create(&f, PAGE_SIZE);
	f.yields = 3;
	map_file(s, A, 1, VM_READ, MAP_PRIVATE, &f, 0);
	sim_enter(s);
	assert_int_equal(write_at(o, "x", 1, 0), 1);
	struct sim_thread *t = sim_thread_start(cut_all, NULL);
	struct uio uio = uio_user(A, 100);
	assert_int_equal(object_write(o, &uio, 0), 100);
	sim_thread_join(t);
	check_sound();
	drop_space(s);
	object_put(o);
	file_drop(&f);
	census_check(&before);
}

static bool may_be_written(struct object *o)
{
	spin_lock(&o->lock);
	bool may = object_mapped_for_writing(o);
	spin_unlock(&o->lock);
	return may;
}

/* What a seal against writing asks, and what it does to mappings that come. */
TEST(who_may_write_by_a_mapping)
{
	(void)state;
	struct space *s = new_space();
	struct object *o = object_create(NULL, NULL, 4 * PAGE_SIZE);
	unsigned flags = REGION_SHARED, private = 0;
	assert_false(may_be_written(o));
	assert_int_equal(object_will_map(o, VM_READ, &flags), 0);
	assert_true(may_be_written(o));			/* one is on its way, that mprotect can make writable */
	object_mapped(o, flags);
	assert_false(may_be_written(o));
	assert_int_equal(vm_mmap(s, A, PAGE_SIZE, VM_READ, MAP_PRIVATE | MAP_FIXED, o, 0), A);
	assert_false(may_be_written(o));
	assert_int_equal(vm_mmap(s, A, PAGE_SIZE, VM_READ, MAP_SHARED | MAP_FIXED, o, 0), A);
	assert_true(may_be_written(o));
	assert_int_equal(vm_munmap(s, A, PAGE_SIZE), 0);
	assert_false(may_be_written(o));

	o->seals = SEAL_WRITE;
	assert_int_equal(object_will_map(o, VM_READ | VM_WRITE, &flags), -EPERM);
	assert_int_equal(object_will_map(o, VM_READ | VM_WRITE, &private), 0);
	object_mapped(o, private);
	assert_int_equal(private, 0);
	assert_int_equal(vm_mmap(s, A, PAGE_SIZE, VM_READ, MAP_SHARED | MAP_FIXED, o, 0), A);
	assert_false(may_be_written(o));
	assert_int_equal(vm_mprotect(s, A, PAGE_SIZE, VM_READ | VM_WRITE), -EACCES);
	drop_space(s);
	object_put(o);
	census_check(&before);
}

static void count_page(void *context, struct page_record *r)
{
	*(size_t *)context += 1 + r->index;
}

TEST(all_pages_of_all_objects)
{
	(void)state;
	struct object *one = object_create(NULL, NULL, 0), *other = object_create(NULL, NULL, 0), *empty = object_create(NULL, NULL, 0);
	size_t n = 0;
	assert_int_equal(write_at(one, "x", 1, 0), 1);
	assert_int_equal(write_at(one, "x", 1, 7 * PAGE_SIZE), 1);
	assert_int_equal(write_at(other, "x", 1, 100 * PAGE_SIZE), 1);
	object_each_of_all(count_page, &n);
	assert_int_equal(n, 1 + 8 + 101);
	object_put(one);
	object_put(other);
	object_put(empty);
	census_check(&before);
}

static const struct CMUnitTest tests[] = {
#define OBJECT_TEST(name) cmocka_unit_test_setup(name, setup)
	OBJECT_TEST(reading_clips_to_the_end),
	OBJECT_TEST(long_reads),
	OBJECT_TEST(a_pager_that_fails),
	OBJECT_TEST(pins),
	OBJECT_TEST(memory_objects_have_holes),
	OBJECT_TEST(bytes_from_and_to_user_memory),
	OBJECT_TEST(resize_gives_pages_up_and_zeroes_the_rest),
	OBJECT_TEST(holes_at_every_edge),
	OBJECT_TEST(holes_free_the_index),
	OBJECT_TEST(a_hole_leaves_private_copies),
	OBJECT_TEST(remove_by_madvise),
	OBJECT_TEST(a_page_that_is_pinned_or_mapped_outlives_its_place),
	OBJECT_TEST(borrowed_frames_are_used_in_place_and_never_freed),
	OBJECT_TEST(two_files_that_claim_one_frame),
	OBJECT_TEST(one_reads_the_others_wait),
	OBJECT_TEST(a_file_is_cut_while_its_page_is_read),
	OBJECT_TEST(every_allocation_may_fail),
	OBJECT_TEST(a_page_far_off_needs_nodes),
	OBJECT_TEST(random_reads_and_writes_against_bytes),
	OBJECT_TEST(pages_read_are_counted),
	OBJECT_TEST(a_page_is_cut_while_it_is_written),
	OBJECT_TEST(who_may_write_by_a_mapping),
	OBJECT_TEST(all_pages_of_all_objects),
};
RUN_TESTS("object", tests)
