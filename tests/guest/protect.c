/* tests/guest/protect.c - write-xor-execute, exact signals, memory that a program pages by itself. */
#include "tap.h"
#include <sys/auxv.h>

static const unsigned char return_42[] = { 0xb8, 42, 0, 0, 0, 0xc3 };

TEST(data_is_not_executed)
{
	static unsigned char data[PAGE] __attribute__((aligned(4096)));
	unsigned char stack[64], *heap = malloc(64), *map = map_anon(PAGE, MAP_PRIVATE);

	memcpy(data, return_42, sizeof return_42);
	memcpy(stack, return_42, sizeof return_42);
	memcpy(heap, return_42, sizeof return_42);
	memcpy(map, return_42, sizeof return_42);
	REFUSED(((int (*)(void))(void *)data)(), SIGSEGV, SEGV_ACCERR, data);
	REFUSED(((int (*)(void))(void *)stack)(), SIGSEGV, SEGV_ACCERR, stack);
	REFUSED(((int (*)(void))(void *)heap)(), SIGSEGV, SEGV_ACCERR, heap);
	REFUSED(((int (*)(void))(void *)map)(), SIGSEGV, SEGV_ACCERR, map);
	REFUSED(((int (*)(void))0x1000)(), SIGSEGV, SEGV_MAPERR, 0x1000);
}

TEST(text_is_not_written)
{
	volatile char *text = (volatile char *)(uintptr_t)wait_status;
	static const char constant[] = "constant";

	REFUSED(*text = 1, SIGSEGV, SEGV_ACCERR, text);
	REFUSED(*(volatile char *)(uintptr_t)constant = 1, SIGSEGV, SEGV_ACCERR, constant);
}

TEST(code_made_at_run_time)
{
	unsigned char *p = map_anon(PAGE, MAP_PRIVATE);

	memcpy(p, return_42, sizeof return_42);
	EQ(mprotect(p, PAGE, PROT_READ | PROT_EXEC), 0);
	EQ(((int (*)(void))(void *)p)(), 42);
	REFUSED(*(volatile unsigned char *)p = 1, SIGSEGV, SEGV_ACCERR, p);
	EQ(mprotect(p, PAGE, RW), 0);
	p[1] = 43;
	REFUSED(((int (*)(void))(void *)p)(), SIGSEGV, SEGV_ACCERR, p);
	EQ(mprotect(p, PAGE, PROT_READ | PROT_EXEC), 0);
	EQ(((int (*)(void))(void *)p)(), 43);
}

TEST(kernel_addresses_are_refused)
{
	static const uintptr_t at[] = { 0xffff800000000000, 0xffffffff80000000, 0xffffffffffffffff, 0xffff888000000000, 0xffffff8000000000 };

	for (unsigned i = 0; i < sizeof at / sizeof *at; i++) {
		volatile char *p = (volatile char *)at[i];
		TRY((void)*p);
		EQ(tap_caught.si_signo, SIGSEGV);
		TRY(*p = 1);
		EQ(tap_caught.si_signo, SIGSEGV);
		TRY(((void (*)(void))at[i])());
		EQ(tap_caught.si_signo, SIGSEGV);
	}
	REFUSED((void)*(volatile char *)0x7ffffffff000, SIGSEGV, SEGV_MAPERR, 0x7ffffffff000);
	/* not canonical: a general protection, which has no address */
	TRY((void)*(volatile char *)0x8000000000000000);
	EQ(tap_caught.si_signo, SIGSEGV);
	EQ(tap_caught.si_code, SI_KERNEL);
	EQ((uintptr_t)tap_caught.si_addr, 0);
}

TEST(null_is_not_mapped)
{
	REFUSED((void)*(volatile char *)(uintptr_t)(tap_caught.si_errno * 0), SIGSEGV, SEGV_MAPERR, 0);
	if (on_faultline() || geteuid())		/* Linux lets root do it */
		FAILS(mmap((void *)0, PAGE, RW, ANON | MAP_FIXED, -1, 0), EPERM);
}

/* ---- a program that pages for itself ---------------------------------------------------------------------------------------------- */

enum { N = 256 };
static char *arena;
static volatile int pages_served;
static char served[N];

static void serve(int signo, siginfo_t *info, void *context)
{
	long page = ((char *)info->si_addr - arena) / PAGE;

	(void)signo, (void)context;
	if (page < 0 || page >= N || info->si_code != SEGV_ACCERR)
		_exit(99);
	if (mprotect(arena + page * PAGE, PAGE, RW))
		_exit(98);
	served[page] = 1;
	pages_served++;
	memset(arena + page * PAGE, (int)page, PAGE);
}

TEST(user_level_paging)
{
	struct faultstat before;
	int faultline = on_faultline();

	arena = mmap(NULL, N * PAGE, PROT_NONE, ANON, -1, 0);
	handle(SIGSEGV, serve, 0);
	for (int i = 0; i < N; i += 2)
		CHECK(arena[i * PAGE + 100] == (char)i);
	EQ(pages_served, N / 2);
	EQ(mprotect(arena, N * PAGE, PROT_NONE), 0);
	if (faultline)
		faults_now(&before);
	for (int i = 0; i < N; i++)
		arena[i * PAGE] = 7;
	EQ(pages_served, N / 2 + N);
	if (faultline)
		EQ(faults_since(&before, FAULT_SEGV), N);
	for (int i = 0; i < N; i++)
		CHECK(arena[i * PAGE] == 7 && arena[i * PAGE + 1] == (char)i);
}

static void skip_over(int signo, siginfo_t *info, void *context)
{
	ucontext_t *u = context;

	(void)signo, (void)info;
	u->uc_mcontext.gregs[REG_RIP] += 2;
	u->uc_mcontext.gregs[REG_RAX] = 77;
}

/* A handler may change the registers that the program goes on with. */
TEST(handler_changes_registers)
{
	long rax = 0, error = 0;

	handle(SIGSEGV, skip_over, 0);
	__asm__ volatile("movl (%%rbx), %%eax" : "=a"(rax) : "b"(16));	/* two bytes: 8b 03 */
	EQ(rax, 77);
	(void)error;
}

static volatile unsigned long seen_error, seen_trap, seen_cr2;
static void look(int signo, siginfo_t *info, void *context)
{
	ucontext_t *u = context;

	(void)signo;
	seen_error = (unsigned long)u->uc_mcontext.gregs[REG_ERR];
	seen_trap = (unsigned long)u->uc_mcontext.gregs[REG_TRAPNO];
	seen_cr2 = (unsigned long)u->uc_mcontext.gregs[REG_CR2];
	siglongjmp(tap_landing, info->si_signo);
}

TEST(the_context_tells_the_cause)
{
	char *p = map_anon(PAGE, MAP_PRIVATE);

	handle(SIGSEGV, look, 0);
	p[0] = 1;
	mprotect(p, PAGE, PROT_READ);
	if (!sigsetjmp(tap_landing, 1))
		*(volatile char *)(p + 5) = 1;
	EQ(seen_trap, 14);
	EQ(seen_error & 7, 7);			/* present, write, user */
	EQ(seen_cr2, (uintptr_t)p + 5);
	munmap(p, PAGE);
	if (!sigsetjmp(tap_landing, 1))
		(void)*(volatile char *)(p + 6);
	EQ(seen_error & 7, 4);
	EQ(seen_cr2, (uintptr_t)p + 6);
}
