/* tests/guest/stack.c - the stack grows by faults, down to its limit and not an inch further. */
#include "tap.h"
#include <sys/resource.h>

static char alternate[65536];

static void use_alternate_stack(void)
{
	stack_t s = { .ss_sp = alternate, .ss_size = sizeof alternate };
	NEED(!sigaltstack(&s, NULL));
}

static uintptr_t stack_pointer(void)
{
	uintptr_t sp;
	__asm__ volatile("mov %%rsp, %0" : "=r"(sp));
	return sp;
}

/* Touches each page from the stack pointer down to `size` bytes below it. */
__attribute__((noinline)) static void touch_down(size_t size)
{
	volatile char *top = (volatile char *)(stack_pointer() & ~(uintptr_t)(PAGE - 1));

	for (size_t down = PAGE; down <= size; down += PAGE)
		top[-(long)down] = 1;
}

TEST(grows_by_touch)
{
	struct faultstat before;
	int faultline = on_faultline();

	if (faultline)
		faults_now(&before);
	touch_down(4 << 20);
	if (faultline) {
		struct faultstat after;
		faults_now(&after);
		CHECK(after.count[FAULT_DEMAND_ZERO] - before.count[FAULT_DEMAND_ZERO] >= 1000);
		CHECK(after.flags[FAULT_FLAG_GREW] - before.flags[FAULT_FLAG_GREW] >= 900);
	}
}

/* A program may jump far down the stack at once: only the page it touches is there then. */
TEST(grows_by_a_leap)
{
	volatile char *top = (volatile char *)(stack_pointer() & ~(uintptr_t)(PAGE - 1));

	top[-(6l << 20)] = 1;
	CHECK(top[-(5l << 20)] == 0);
}

TEST(ends_at_the_limit)
{
	struct rlimit limit;
	volatile char *top = (volatile char *)(stack_pointer() & ~(uintptr_t)(PAGE - 1));

	use_alternate_stack();
	getrlimit(RLIMIT_STACK, &limit);
	if (limit.rlim_cur == RLIM_INFINITY)
		SKIP("no limit");
	top[-(long)limit.rlim_cur + (1l << 20)] = 1;
	volatile char *beyond = top - (long)limit.rlim_cur - PAGE;
	REFUSED(*beyond = 1, SIGSEGV, SEGV_MAPERR, beyond);
	REFUSED((void)*beyond, SIGSEGV, SEGV_MAPERR, beyond);
}

TEST(limit_can_be_lowered)
{
	struct rlimit limit = { 1 << 20, 1 << 20 };
	volatile char *top = (volatile char *)(stack_pointer() & ~(uintptr_t)(PAGE - 1));

	use_alternate_stack();
	NEED(!setrlimit(RLIMIT_STACK, &limit));
	top[-(500l << 10)] = 1;
	volatile char *beyond = top - (1l << 20) - PAGE;
	REFUSED(*beyond = 1, SIGSEGV, SEGV_MAPERR, beyond);
}

static volatile long depth_reached;

__attribute__((noinline)) static void recurse(volatile char *above)
{
	volatile char here[4096];

	here[0] = above ? above[0] : 1;
	depth_reached++;
	recurse(here);
	here[1] = 1;
}

TEST(endless_recursion_is_caught)
{
	use_alternate_stack();
	TRY(recurse(NULL));
	EQ(tap_caught.si_signo, SIGSEGV);
	CHECK(depth_reached > 1000);
}

TEST(endless_recursion_kills)
{
	int status;

	CHILD(status)
		recurse(NULL);
	EQ(WTERMSIG(status), SIGSEGV);
}

/* The kernel grows it as well, when it is told to write there. */
TEST(grows_for_a_system_call)
{
	char *far = (char *)((stack_pointer() & ~(uintptr_t)(PAGE - 1)) - (3 << 20));
	int fd = open("/dev/zero", O_RDONLY);

	EQ(read(fd, far, 2 * PAGE), 2 * PAGE);
}

TEST(is_inherited_by_fork)
{
	volatile char big[1 << 20];
	int status;

	for (size_t i = 0; i < sizeof big; i += PAGE)
		big[i] = (char)(i / PAGE);
	CHILD(status)
		for (size_t i = 0; i < sizeof big; i += PAGE) {
			CHECK(big[i] == (char)(i / PAGE));
			big[i] = 0;
		}
	EQ(status, 0);
	for (size_t i = 0; i < sizeof big; i += PAGE)
		CHECK(big[i] == (char)(i / PAGE));
}
