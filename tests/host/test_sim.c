/* tests/host/test_sim.c - the simulated machine itself: each mistake that it is there to find ends the program. */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
#include "harness.h"
#include "vm/frame.h"
#include "vm/uio.h"

enum { MIB = 1 << 20, RW = VM_READ | VM_WRITE };
static const vaddr_t A = 0x200000;
static struct space *s;

/* A machine with one space, of which the TLB knows a page. */
static int setup(void **state)
{
	(void)state;
	sim_boot(4 * MIB);
	s = new_space();
	map(s, A, 4, RW, MAP_PRIVATE);
	write_byte(s, A, 1);
	return 0;
}

/* Does it end by panic(), or by a sanitizer? In a process of its own. */
static bool panics(void (*mistake)(void))
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		fclose(stderr);
		signal(SIGABRT, SIG_DFL);
		mistake();
		_exit(0);
	}
	waitpid(child, &status, 0);
	return (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT) || (WIFEXITED(status) && WEXITSTATUS(status));
}

static pfn_t some_frame(void) { return frame_alloc(0, page_kernel(0, USE_BLOCK), FRAME_KERNEL); }

static void nothing(void) { check_sound(); }

static void free_a_frame_that_a_tlb_holds(void) { frame_free(mmu_query(&s->mmu, A).pfn, 0); }

static void free_twice(void)
{
	pfn_t pfn = some_frame();
	page_word word = pages[pfn];
	frame_free(pfn, 0);
	pages[pfn] = word;
	frame_free(pfn, 0);
}

static void write_after_free(void)
{
	pfn_t pfn = some_frame();
	frame_free(pfn, 0);
	((uint8_t *)direct(pfn))[1000] = 1;
	while (frame_alloc(0, page_kernel(0, USE_BLOCK), FRAME_KERNEL) != PFN_NONE)
		;
}

static void change_an_entry_and_forget_the_flush(void)
{
	struct mmu_gather gather;
	write_lock(&s->lock);
	mmu_gather_begin(&gather, &s->mmu);
	mmu_protect(&s->mmu, A, A + PAGE_SIZE, VM_READ, MMU_WRITE_OWN, &gather);
	write_unlock(&s->lock);
	uint8_t byte;
	sim_read_byte(s, A, &byte);
}

static void unmap_and_forget_the_flush(void)
{
	struct mmu_gather gather;
	write_lock(&s->lock);
	mmu_gather_begin(&gather, &s->mmu);
	mmu_unmap(&s->mmu, A, A + PAGE_SIZE, &gather);
	write_unlock(&s->lock);
	sim_tlb_check();
}

static void change_an_entry_without_the_lock(void)
{
	struct mmu_gather gather;
	mmu_gather_begin(&gather, &s->mmu);
	mmu_unmap(&s->mmu, A, A + PAGE_SIZE, &gather);
}

static struct spinlock heap = SPINLOCK_INIT("heap", RANK_HEAP), zone = SPINLOCK_INIT("zone", RANK_ZONE);

static void take_locks_in_the_wrong_order(void)
{
	spin_lock(&zone);
	spin_lock(&heap);
}

static void take_a_lock_twice(void)
{
	spin_lock(&zone);
	spin_lock(&zone);
}

static void look_at_guarded_data_without_the_lock(void)
{
	static volatile size_t seen;
	for (struct list *l = space_list.next; l != &space_list; l = l->next)
		seen++;
}

static void sleep_with_a_spinlock(void)
{
	spin_lock(&zone);
	sim_yield();
}

static void copy_user_memory_with_the_space_locked(void)
{
	struct uio uio = uio_user(A, 1);
	char byte;
	sim_enter(s);
	write_lock(&s->lock);
	uio_in(&uio, &byte, 1);
}

static void wait_for_what_nobody_does(void)
{
	struct waitq q;
	waitq_init(&q);
	wait_prepare(&q);
	wait_sleep(&q, WAIT_UNINTERRUPTIBLE);
}

/* Two threads want one mutex: the second waits, and has it when the first has let go. */
static struct mutex wanted;
static unsigned in_it, turns;

static void take_turns(void *unused)
{
	(void)unused;
	for (int i = 0; i < 3; i++) {
		mutex_lock(&wanted);
		in_it++;
		sim_yield();
		assert_int_equal(in_it, 1);
		assert_true(mutex_held(&wanted));
		in_it--;
		turns++;
		mutex_unlock(&wanted);
	}
}

TEST(a_mutex_is_one_thread_s)
{
	(void)state;
	mutex_init(&wanted, "wanted", RANK_FILE);
	struct sim_thread *t[3];
	for (int i = 0; i < 3; i++)
		t[i] = sim_thread_start(take_turns, NULL);
	for (int i = 0; i < 3; i++)
		sim_thread_join(t[i]);
	assert_int_equal(turns, 9);
	assert_int_equal(wanted.owner, 0);
	assert_true(mutex_trylock(&wanted));
	assert_false(mutex_trylock(&wanted));
	mutex_unlock(&wanted);
}

static void drop_a_space_that_runs(void) { space_put(s); }

/* ---- many processors ------------------------------------------------------------------------------------------------------------------- */

enum { PERIOD = 3 };
static unsigned turn;				/* whose it is: of two threads that wait for each other's steps */

static void wait_for_turn(unsigned n)
{
	while (turn < n)
		spin_wait();
}

/* Its processor knows the page, before and after the other has taken that away. */
static void read_before_and_after(void *outcome)
{
	uint8_t byte;
	sim_read_byte(s, A, &byte);
	turn = 1;
	wait_for_turn(2);
	*(int *)outcome = sim_read_byte(s, A, &byte);
}

static int read_by_another(void (*take_away)(void))
{
	int outcome = -1;
	sim_run_together((struct sim_schedule){ .seed = 1, .period = PERIOD });
	struct sim_thread *other = sim_thread_start(read_before_and_after, &outcome);
	wait_for_turn(1);
	take_away();
	turn = 2;
	sim_thread_join(other);
	return outcome;
}

static void take_away(void) { vm_munmap(s, A, PAGE_SIZE); }

static void take_away_here_only(void)
{
	struct mmu_gather gather;
	write_lock(&s->lock);
	mmu_gather_begin(&gather, &s->mmu);
	mmu_protect(&s->mmu, A, A + PAGE_SIZE, 0, MMU_WRITE_OWN, &gather);
	gather.others = false;
	mmu_gather_finish(&gather);
	write_unlock(&s->lock);
}

TEST(what_is_taken_away_is_gone_on_all_processors)
{
	(void)state;
	assert_int_equal(read_by_another(take_away), FAULT_SIGNAL_SEGV_MAPERR);
	check_sound();
}

static void change_an_entry_and_tell_no_other_processor(void) { read_by_another(take_away_here_only); }

static void wait_for_each_other(void)
{
	sim_run_together((struct sim_schedule){ .seed = 1, .period = PERIOD });
	wait_for_turn(1);
}

static void count_faults_of_both(void *unused)
{
	(void)unused;
	for (unsigned i = 0; i < 40; i++)
		vm_madvise(s, A + i % 4 * PAGE_SIZE, PAGE_SIZE, i % 3 ? MADV_POPULATE_WRITE : MADV_DONTNEED, NULL);
}

/* On a machine of its own, two threads: how many points they passed, but for multiples of 251. */
static int points_passed(uint64_t seed)
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		setup(NULL);
		sim_run_together((struct sim_schedule){ .seed = seed, .policy = SIM_PRIORITIES, .period = PERIOD });
		struct sim_thread *a = sim_thread_start(count_faults_of_both, NULL), *b = sim_thread_start(count_faults_of_both, NULL);
		sim_thread_join(a);
		sim_thread_join(b);
		_exit((int)(sim_points() % 251));
	}
	waitpid(child, &status, 0);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

TEST(a_schedule_repeats)
{
	(void)state;
	unsigned other = 0;
	for (uint64_t seed = 1; seed < 6; seed++) {
		assert_int_equal(points_passed(seed), points_passed(seed));
		other += points_passed(seed) != points_passed(seed + 1);
	}
	assert_true(other > 0);
}

#define MUST_PANIC(name) TEST(test_##name) { (void)state; assert_true(panics(name)); }
TEST(test_nothing) { (void)state; assert_false(panics(nothing)); }
MUST_PANIC(free_a_frame_that_a_tlb_holds)
MUST_PANIC(free_twice)
MUST_PANIC(write_after_free)
MUST_PANIC(change_an_entry_and_forget_the_flush)
MUST_PANIC(unmap_and_forget_the_flush)
MUST_PANIC(change_an_entry_without_the_lock)
MUST_PANIC(take_locks_in_the_wrong_order)
MUST_PANIC(take_a_lock_twice)
MUST_PANIC(look_at_guarded_data_without_the_lock)
MUST_PANIC(sleep_with_a_spinlock)
MUST_PANIC(copy_user_memory_with_the_space_locked)
MUST_PANIC(wait_for_what_nobody_does)
MUST_PANIC(drop_a_space_that_runs)
MUST_PANIC(change_an_entry_and_tell_no_other_processor)
MUST_PANIC(wait_for_each_other)

static const struct CMUnitTest tests[] = {
#define SIM_TEST(name) cmocka_unit_test_setup(test_##name, setup)
	SIM_TEST(nothing),
	SIM_TEST(free_a_frame_that_a_tlb_holds),
	SIM_TEST(free_twice),
	SIM_TEST(write_after_free),
	SIM_TEST(change_an_entry_and_forget_the_flush),
	SIM_TEST(unmap_and_forget_the_flush),
	SIM_TEST(change_an_entry_without_the_lock),
	SIM_TEST(take_locks_in_the_wrong_order),
	SIM_TEST(take_a_lock_twice),
	SIM_TEST(look_at_guarded_data_without_the_lock),
	SIM_TEST(sleep_with_a_spinlock),
	SIM_TEST(copy_user_memory_with_the_space_locked),
	SIM_TEST(wait_for_what_nobody_does),
	SIM_TEST(drop_a_space_that_runs),
	SIM_TEST(change_an_entry_and_tell_no_other_processor),
	SIM_TEST(wait_for_each_other),
	cmocka_unit_test_setup(what_is_taken_away_is_gone_on_all_processors, setup),
	cmocka_unit_test(a_schedule_repeats),
	cmocka_unit_test_setup(a_mutex_is_one_thread_s, setup),
};
RUN_TESTS("sim", tests)
