/* tests/host/test_stats.c - vm/stats.c: counters are added up and handed out as they are. */
#include "harness.h"
#include "thread.h"
#include "vm/reclaim.h"
#include "vm/stats.h"

/* Each counter has a number of its own, so that none can stand for another. */
static struct fault_stats numbered(uint64_t from)
{
	struct fault_stats s;

	for (int i = 0; i < FAULT_CLASSES; i++) {
		s.count[i] = from++;
		s.cost[i] = 1000 * from++;
	}
	for (int i = 0; i < FAULT_FLAGS; i++)
		s.flags[i] = from++;
	s.neighbours = from;
	return s;
}

TEST(adding)
{
	(void)state;
	struct fault_stats sum = numbered(1), one = numbered(1), other = numbered(500);
	stats_add(&sum, &other);
	for (int i = 0; i < FAULT_CLASSES; i++) {
		assert_int_equal(sum.count[i], one.count[i] + other.count[i]);
		assert_int_equal(sum.cost[i], one.cost[i] + other.cost[i]);
	}
	for (int i = 0; i < FAULT_FLAGS; i++)
		assert_int_equal(sum.flags[i], one.flags[i] + other.flags[i]);
	assert_int_equal(sum.neighbours, one.neighbours + other.neighbours);
}

/* As getrusage: what had to be read is major; a signal is neither. */
TEST(minor_and_major)
{
	(void)state;
	struct fault_stats s = { .neighbours = 50 };
	s.count[FAULT_DEMAND_ZERO] = 10;
	s.count[FAULT_SPURIOUS] = 5;
	s.count[FAULT_FILE_MAJOR] = 3;
	s.count[FAULT_SEGV] = 100;
	s.count[FAULT_BUS] = 100;
	s.count[FAULT_OOM] = 100;
	s.flags[FAULT_FLAG_READ] = 4;		/* a private write had its page read too */
	s.flags[FAULT_FLAG_KERNEL] = 7;
	assert_int_equal(stats_major(&s), 4);
	assert_int_equal(stats_minor(&s), 14);
}

TEST(exported)
{
	(void)state;
	struct fault_stats s = numbered(1);
	struct faultstat out;
	system_pages_read = 33;
	stats_export(&s, STATS_OF_PROCESS, &out);
	assert_int_equal(out.size, sizeof out);
	assert_int_equal(out.version, FAULTSTAT_VERSION);
	assert_memory_equal(out.count, s.count, sizeof s.count);
	assert_memory_equal(out.cost, s.cost, sizeof s.cost);
	assert_memory_equal(out.flags, s.flags, sizeof s.flags);
	assert_int_equal(out.neighbours, s.neighbours);
	assert_int_equal(out.pages_read, 0);		/* that is the system's */
	reclaim_stats.scanned = 5;
	reclaim_stats.stolen = 4;
	stats_export(&s, STATS_OF_SYSTEM, &out);
	assert_int_equal(out.pages_read, 33);
	assert_int_equal(out.count[3], s.count[3]);
	assert_int_equal(out.pages_scanned, 5);
	assert_int_equal(out.pages_reclaimed, 4);
}

TEST(what_processors_count_is_added_up)
{
	(void)state;
	struct faultstat out;
	sim_boot(4 << 20);
	struct space *space = new_space();
	map(space, USER_MIN, 4, VM_READ | VM_WRITE, MAP_PRIVATE);
	write_byte(space, USER_MIN, 1);
	assert_int_equal(vm_munmap(space, USER_MIN, PAGE_SIZE), 0);
	drop_space(space);

	*stats_here() = numbered(1);
	cpu_count = 2;
	sim_current->cpu = 1;
	*stats_here() = numbered(500);
	sim_current->cpu = 0;
	struct fault_stats sum = stats_system();
	for (int i = 0; i < FAULT_CLASSES; i++)
		assert_int_equal(sum.count[i], numbered(1).count[i] + numbered(500).count[i]);
	assert_int_equal(sum.neighbours, numbered(1).neighbours + numbered(500).neighbours);

	struct tlb_stats tlb = mmu_tlb_stats();
	stats_export(&sum, STATS_OF_SYSTEM, &out);
	assert_true(tlb.pages > 0 && tlb.loads > 0);
	assert_int_equal(out.tlb_pages, tlb.pages);
	assert_int_equal(out.tlb_full, tlb.full);
	assert_int_equal(out.tlb_loads, tlb.loads);
	assert_int_equal(out.tlb_interrupts, tlb.interrupts);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(what_processors_count_is_added_up),
	cmocka_unit_test(adding),
	cmocka_unit_test(minor_and_major),
	cmocka_unit_test(exported),
};
RUN_TESTS("stats", tests)
