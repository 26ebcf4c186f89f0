/*
 * tests/guest/sigframe.c - signal frames that were tampered with.
 *
 * A handler may write to its frame whatever it likes before it returns.  The process may die of it, or run on with
 * what the frame says as far as a process may choose that; the kernel lives, and privileged state never changes.
 */
#include "tap.h"

static void (*tamper)(ucontext_t *);

static void on_signal(int signo, siginfo_t *info, void *context)
{
	(void)signo, (void)info;
	tamper(context);
}

/* The wait status of a child that takes one signal and then computes a little. */
static int after(void (*how)(ucontext_t *))
{
	int status;

	CHILD(status) {
		tamper = how;
		handle(SIGUSR1, on_signal, 0);
		raise(SIGUSR1);
		sleep_ms(1);
	}
	return status;
}

#define REG(u, r) ((u)->uc_mcontext.gregs[r])

static void nothing(ucontext_t *u) { (void)u; }
static void wild_ip(ucontext_t *u) { REG(u, REG_RIP) = (greg_t)0xdead000000000000; }
static void kernel_ip(ucontext_t *u) { REG(u, REG_RIP) = (greg_t)0xffffffff80100000; }
static void top_ip(ucontext_t *u) { REG(u, REG_RIP) = 0x7ffffffff000; }
static void last_ip(ucontext_t *u) { REG(u, REG_RIP) = 0x7fffffffffff; }
static void first_not_canonical(ucontext_t *u) { REG(u, REG_RIP) = 0x800000000000; }
static void wild_sp(ucontext_t *u) { REG(u, REG_RSP) = (greg_t)0x8000000000000000; }
static void kernel_sp(ucontext_t *u) { REG(u, REG_RSP) = (greg_t)0xffffffff80100000; }
static void segments_zero(ucontext_t *u) { REG(u, REG_CSGSFS) = 0; }
static void segments_kernel(ucontext_t *u) { REG(u, REG_CSGSFS) = 0x0018000000000010; }
static void segments_kernel2(ucontext_t *u) { REG(u, REG_CSGSFS) = 0x0010000000000008; }
static void segments_wild(ucontext_t *u) { REG(u, REG_CSGSFS) = (greg_t)0xffffffffffffffff; }
static void flags_all(ucontext_t *u) { REG(u, REG_EFL) = (greg_t)0xffffffffffffffff; }
static void flags_iopl(ucontext_t *u) { REG(u, REG_EFL) |= 0x3000; }
static void flags_no_interrupts(ucontext_t *u) { REG(u, REG_EFL) &= ~0x200l; }
static void flags_nt(ucontext_t *u) { REG(u, REG_EFL) |= 0x4000; }
static void flags_vm(ucontext_t *u) { REG(u, REG_EFL) |= 0x20000; }
static void flags_trace(ucontext_t *u) { REG(u, REG_EFL) |= 0x100; }
static void no_fpu(ucontext_t *u) { u->uc_mcontext.fpregs = NULL; }
static void wild_fpu(ucontext_t *u) { u->uc_mcontext.fpregs = (void *)0xdead000000000000; }
static void kernel_fpu(ucontext_t *u) { u->uc_mcontext.fpregs = (void *)0xffffffff80100000; }
static void crooked_fpu(ucontext_t *u) { u->uc_mcontext.fpregs = (void *)((char *)u->uc_mcontext.fpregs + 8); }
static void unmapped_fpu(ucontext_t *u) { u->uc_mcontext.fpregs = (void *)0x10000; }
static void bad_mxcsr(ucontext_t *u) { u->uc_mcontext.fpregs->mxcsr = 0xffffffff; }
static void fpu_noise(ucontext_t *u) { memset(u->uc_mcontext.fpregs, 0xff, 512); }
/* The bytes that say how large the extended state is, and which parts it has (offset 464: magic, size, features, size). */
static void no_magic(ucontext_t *u) { memset((char *)u->uc_mcontext.fpregs + 464, 0, 48); }
static void huge_size(ucontext_t *u) { memset((char *)u->uc_mcontext.fpregs + 468, 0xff, 4); }
static void all_features(ucontext_t *u) { memset((char *)u->uc_mcontext.fpregs + 472, 0xff, 8); }
/* The XSAVE header that follows the first 512 bytes: which parts are there, and reserved bits. */
static void header_noise(ucontext_t *u) { memset((char *)u->uc_mcontext.fpregs + 512, 0xff, 64); }
static void header_compact(ucontext_t *u) { memset((char *)u->uc_mcontext.fpregs + 520, 0xff, 8); }
static void header_zero(ucontext_t *u) { memset((char *)u->uc_mcontext.fpregs + 512, 0, 64); }
static void all_blocked(ucontext_t *u) { memset(&u->uc_sigmask, 0xff, 8); }
static void wild_altstack(ucontext_t *u) { u->uc_stack.ss_sp = (void *)-1; u->uc_stack.ss_size = ~0ul; u->uc_stack.ss_flags = 0x7fffffff; }
static void all_noise(ucontext_t *u) { memset(u, 0xff, sizeof u->uc_mcontext.gregs + 40); }
static void all_zero(ucontext_t *u) { memset(u, 0, sizeof u->uc_mcontext.gregs + 40); }

static int survives_or_segv(int status)
{
	return status == 0 || (WIFSIGNALED(status) && (WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGBUS));
}

/* Handlers where no program can be: on real processors some of these addresses must not even be tried to return to. */
TEST(handlers_nowhere)
{
	static const unsigned long nowhere[] = { 0x7ffffffff000, 0x800000000000, 0xffff7fffffffffff, 0x8000000000000000, 0xffff800000000000,
		0xffffffff80100000 };

	for (int i = 0; i < 6; i++) {
		int status;
		CHILD(status) {
			struct { unsigned long handler, flags, restorer, mask; } action = { nowhere[i], 0x04000000, nowhere[i], 0 };
			NEED(!syscall(SYS_rt_sigaction, SIGUSR1, &action, NULL, 8));
			raise(SIGUSR1);
		}
		EQ(status, SIGSEGV);
	}
}

TEST(an_untouched_frame_returns)
{
	EQ(after(nothing), 0);
	EQ(after(all_blocked), 0);
	EQ(after(wild_altstack), 0);
	EQ(after(no_fpu), 0);
	EQ(after(no_magic), 0);
	EQ(after(header_zero), 0);
}

TEST(wild_addresses_kill)
{
	EQ(after(wild_ip) & 0x7f, SIGSEGV);
	EQ(after(kernel_ip) & 0x7f, SIGSEGV);
	EQ(after(top_ip) & 0x7f, SIGSEGV);
	EQ(after(last_ip) & 0x7f, SIGSEGV);
	EQ(after(first_not_canonical) & 0x7f, SIGSEGV);
	CHECK(survives_or_segv(after(wild_sp)) && after(wild_sp));
	EQ(after(kernel_sp) & 0x7f, SIGSEGV);
}

TEST(wild_segments)
{
	CHECK(survives_or_segv(after(segments_zero)));
	CHECK(survives_or_segv(after(segments_kernel)));
	CHECK(survives_or_segv(after(segments_kernel2)));
	CHECK(survives_or_segv(after(segments_wild)));
}

TEST(wild_flags)
{
	EQ(after(flags_iopl), 0);
	EQ(after(flags_no_interrupts), 0);
	EQ(after(flags_nt), 0);
	EQ(after(flags_vm), 0);
	int status = after(flags_trace);		/* a single step: SIGTRAP */
	EQ(status & 0x7f, SIGTRAP);
	status = after(flags_all);
	CHECK((status & 0x7f) == SIGTRAP || survives_or_segv(status));
}

/* After a tampered flags register the program still may not do I/O nor stop interrupts. */
static void flags_try_io(ucontext_t *u) { REG(u, REG_EFL) |= 0x3000; }
TEST(no_privilege_by_flags)
{
	int status;

	CHILD(status) {
		tamper = flags_try_io;
		handle(SIGUSR1, on_signal, 0);
		raise(SIGUSR1);
		__asm__ volatile("cli");
	}
	EQ(status & 0x7f, SIGSEGV);
	CHILD(status) {
		tamper = flags_try_io;
		handle(SIGUSR1, on_signal, 0);
		raise(SIGUSR1);
		__asm__ volatile("outb %%al, $0x80" : : "a"(0));
	}
	EQ(status & 0x7f, SIGSEGV);
}

TEST(bad_extended_state)
{
	CHECK(survives_or_segv(after(wild_fpu)));
	CHECK(survives_or_segv(after(kernel_fpu)));
	CHECK(survives_or_segv(after(crooked_fpu)));
	EQ(after(unmapped_fpu) & 0x7f, SIGSEGV);
	CHECK(survives_or_segv(after(bad_mxcsr)));
	CHECK(survives_or_segv(after(fpu_noise)));
	CHECK(survives_or_segv(after(huge_size)));
	CHECK(survives_or_segv(after(all_features)));
	CHECK(survives_or_segv(after(header_noise)));
	CHECK(survives_or_segv(after(header_compact)));
}

TEST(noise)
{
	CHECK(after(all_noise) != 0);
	CHECK(after(all_zero) != 0);
}

/* rt_sigreturn with no frame at all, on good and bad stacks. */
TEST(return_without_a_frame)
{
	static const unsigned long stacks[] = { 0, 8, 0x10000, 0x7ffffffffff8, 0x8000000000000000, 0xffffffff80000000, 0xfffffffffffffff8 };
	int status;

	for (unsigned i = 0; i < sizeof stacks / sizeof *stacks; i++) {
		CHILD(status)
			__asm__ volatile("mov %0, %%rsp; mov $15, %%eax; syscall; ud2" : : "r"(stacks[i]) : "memory");
		EQ(status & 0x7f, SIGSEGV);
	}
	CHILD(status)
		__asm__ volatile("sub $4096, %%rsp; mov $15, %%eax; syscall; ud2" : : : "memory");
	CHECK(WIFSIGNALED(status));
}

/* Random bytes all over the frame. */
static uint64_t seed;
static void random_noise(ucontext_t *u)
{
	for (int i = 0; i < 6; i++) {
		seed = seed * 6364136223846793005 + 1442695040888963407;
		((unsigned char *)u)[(seed >> 33) % 900] = (unsigned char)(seed >> 55);
	}
}

TEST(random_frames)
{
	for (seed = 1; seed < 150; seed++) {
		uint64_t s = seed;
		alarm(20);
		int status;
		CHILD(status) {
			alarm(2);
			tamper = random_noise;
			handle(SIGUSR1, on_signal, 0);
			raise(SIGUSR1);
			_exit(0);
		}
		seed = s;
	}
}
