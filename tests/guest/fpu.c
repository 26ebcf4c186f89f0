/* tests/guest/fpu.c - x87, SSE and AVX registers are a process's own: across switches, fork, handlers, and a fresh start after exec. */
#include "tap.h"

struct vectors { unsigned char byte[16][32]; } __attribute__((aligned(32)));

static int have_avx(void)
{
	return __builtin_cpu_supports("avx");
}

#define SSE_ALL(op) op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7) op(8) op(9) op(10) op(11) op(12) op(13) op(14) op(15)
#define CLOBBERS "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"
#define LOAD(n) "movdqa " #n "*32(%0), %%xmm" #n "\n\t"
#define STORE(n) "movdqa %%xmm" #n ", " #n "*32(%0)\n\t"
#define VLOAD(n) "vmovdqa " #n "*32(%0), %%ymm" #n "\n\t"
#define VSTORE(n) "vmovdqa %%ymm" #n ", " #n "*32(%0)\n\t"

/* Loads all vector registers, runs one system call or a loop, stores them. */
static void through(const struct vectors *in, struct vectors *out, long number, long arg)
{
	if (have_avx())
		__asm__ volatile(SSE_ALL(VLOAD) : : "r"(in) : "memory", CLOBBERS);
	else
		__asm__ volatile(SSE_ALL(LOAD) : : "r"(in) : "memory", CLOBBERS);
	if (number >= 0)
		__asm__ volatile("syscall" : "+a"(number) : "D"(arg), "S"(SIGUSR1) : "rcx", "r11", "memory");
	else
		__asm__ volatile("1: dec %0; jnz 1b" : "+r"(arg));
	if (have_avx())
		__asm__ volatile(SSE_ALL(VSTORE) "vzeroupper" : : "r"(out) : "memory");
	else
		__asm__ volatile(SSE_ALL(STORE) : : "r"(out) : "memory");
}

static void pattern(struct vectors *v, int seed)
{
	for (int i = 0; i < 16; i++)
		for (int j = 0; j < 32; j++)
			v->byte[i][j] = (unsigned char)(seed * 31 + i * 16 + j);
}

static int same(const struct vectors *a, const struct vectors *b)
{
	for (int i = 0; i < 16; i++)
		if (memcmp(a->byte[i], b->byte[i], have_avx() ? 32 : 16))
			return 0;
	return 1;
}

TEST(kept_across_system_calls)
{
	struct vectors in, out;

	pattern(&in, 1);
	through(&in, &out, SYS_sched_yield, 0);
	CHECK(same(&in, &out));
}

TEST(kept_across_switches)
{
	pid_t pid[3];

	for (int p = 0; p < 3; p++) {
		pid[p] = fork();
		if (!pid[p]) {
			struct vectors in, out;
			for (int i = 0; i < 30; i++) {
				pattern(&in, p * 100 + i);
				through(&in, &out, -1, 3000000);
				NEED(same(&in, &out));
				through(&in, &out, SYS_sched_yield, 0);
				NEED(same(&in, &out));
			}
			_exit(0);
		}
	}
	for (int p = 0; p < 3; p++)
		EQ(wait_status(pid[p]), 0);
}

TEST(inherited_by_fork)
{
	struct vectors in, out;

	pattern(&in, 7);
	pid_t parent = getpid();
	through(&in, &out, SYS_fork, 0);
	if (getpid() != parent)
		_exit(!same(&in, &out));
	CHECK(same(&in, &out));
	int status;
	EQ(wait(&status) > 0, 1);
	EQ(status, 0);
}

static volatile int handled;
static void spoil(int signo, siginfo_t *info, void *context)
{
	struct vectors other, back;
	long double nine = 9;

	(void)signo, (void)info, (void)context;
	pattern(&other, 99);
	through(&other, &back, SYS_sched_yield, 0);
	__asm__ volatile("fninit; fldt %0; fldt %0; fldt %0" : : "m"(nine));
	unsigned mxcsr = 0x1f80 | 0x6000;
	__asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
	handled++;
}

TEST(kept_across_handlers)
{
	struct vectors in, out;
	long double pi = 3.14159265358979323846L, got;
	unsigned mxcsr = 0x1f80 | 0x2000, after;
	unsigned short control = 0x0f7f, control_after;

	handle(SIGUSR1, spoil, 0);
	pattern(&in, 3);
	__asm__ volatile("ldmxcsr %0; fninit; fldcw %1; fldt %2" : : "m"(mxcsr), "m"(control), "m"(pi));
	through(&in, &out, SYS_kill, getpid());
	__asm__ volatile("fstpt %0; fnstcw %1; stmxcsr %2" : "=m"(got), "=m"(control_after), "=m"(after));
	EQ(handled, 1);
	CHECK(same(&in, &out));
	CHECK(got == pi);
	EQ(after, mxcsr);
	EQ(control_after, control);
	__asm__ volatile("fninit");
}

TEST(kept_across_handlers_of_the_timer)
{
	struct vectors in, out;
	struct itimerspec { struct timespec a, b; };
	struct { long a, b, c, d; } every = { 0, 10000, 0, 10000 };

	handle(SIGALRM, spoil, 0);
	syscall(SYS_setitimer, 0, &every, NULL);
	while (handled < 10) {
		pattern(&in, handled);
		through(&in, &out, -1, 500000);
		NEED(same(&in, &out));
	}
}

/* A handler sees the interrupted state in its frame, and what it writes there comes into force. */
static void change(int signo, siginfo_t *info, void *context)
{
	ucontext_t *u = context;
	unsigned char *xmm0 = (unsigned char *)u->uc_mcontext.fpregs + 160;

	(void)signo, (void)info;
	handled = xmm0[0];
	memset(xmm0, 0xab, 16);
}

TEST(the_frame_has_the_state)
{
	struct vectors in, out;

	handle(SIGUSR1, change, 0);
	pattern(&in, 5);
	through(&in, &out, SYS_kill, getpid());
	EQ(handled, in.byte[0][0]);
	for (int i = 0; i < 16; i++)
		EQ(out.byte[0][i], 0xab);
	CHECK(!memcmp(out.byte[1], in.byte[1], 16));
}

/* What a computation leaves is not seen by the next program. */
TEST(floating_point_errors_are_signals)
{
	int status;

	CHILD(status) {
		unsigned mxcsr = 0x1f80 & ~0x200u;	/* division by zero is not masked */
		volatile double zero = 0, one = 1;
		__asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
		one = one / zero;
	}
	if (!on_faultline() || status)			/* QEMU's emulation never raises it */
		EQ(status, SIGFPE);
	CHILD(status) {
		unsigned short control = 0x037f & ~0x4;
		long double one = 1, zero = 0;
		__asm__ volatile("fninit; fldcw %0; fldt %1; fldt %2; fdivrp; fwait" : : "m"(control), "m"(one), "m"(zero));
	}
	EQ(status, SIGFPE);
}
