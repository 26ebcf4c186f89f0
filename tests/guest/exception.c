/*
 * tests/guest/exception.c - what the processor refuses, and which signal a program gets for it: number, code, address, and in the
 * frame the trap's number and error code, all as on Linux.
 *
 * QEMU's software emulation does not raise some of them (docs/limits.md); those cases are skipped there.
 */
#include "tap.h"
#include <cpuid.h>
#include <ucontext.h>

enum { DIVIDE = 0, DEBUG = 1, BREAKPOINT = 3, OVERFLOW = 4, INVALID = 6, STACK = 12, PROTECTION = 13, PAGE_FAULT = 14, X87 = 16, ALIGNMENT = 17,
	SIMD = 19 };
enum { WRITES = 2, FROM_USER = 4, FETCHES = 16, PRESENT = 1 };		/* a page fault's error code */

#define KERNEL_TEXT	0xffffffff80000000ul
#define NOT_CANONICAL	0x8000000000000000ul

static sigjmp_buf landing;
static siginfo_t caught;
static long caught_trap, caught_error;
static uintptr_t here;				/* the instruction that traps */
static char other_stack[65536];

static void land(int signo, siginfo_t *info, void *context)
{
	asm volatile("pushfq; andq $~0x40000, (%%rsp); popfq" ::: "memory", "cc");	/* AC: this is code like any other */
	const greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
	(void)signo;
	caught = *info;
	caught_trap = regs[REG_TRAPNO];
	caught_error = regs[REG_ERR];
	siglongjmp(landing, 1);
}

static void be_ready(void)
{
	static const int signals[] = { SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV };
	stack_t stack = { .ss_sp = other_stack, .ss_size = sizeof other_stack };

	NEED(!sigaltstack(&stack, NULL));
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		handle(signals[i], land, SA_ONSTACK);
	memset(&caught, 0, sizeof caught);
	caught_trap = caught_error = -1;
}

#define CATCH(statement) do { be_ready(); if (!sigsetjmp(landing, 1)) { statement; } } while (0)
#define RAISES(statement, signo, code, address, trap, error) do { CATCH(statement); \
	EQ(caught.si_signo, signo); EQ(caught.si_code, code); EQ((uintptr_t)caught.si_addr, (uintptr_t)(address)); \
	EQ(caught_trap, trap); EQ(caught_error, error); } while (0)
#define NO_SIGNAL(statement) do { CATCH(statement); EQ(caught.si_signo, 0); } while (0)
/* Instructions, the last of which is noted in `here`. */
#define CODE(before, last) asm volatile(before "; lea 1f(%%rip), %%rax; mov %%rax, %0; mov $1, %%eax; 1: " last \
	: "=m"(here) :: "rax", "rcx", "rdx", "r11", "memory", "cc")

static int is_emulated(void)
{
	unsigned a, name[3];
	__cpuid(0x40000000, a, name[0], name[1], name[2]);
	return !memcmp(name, "TCGTCGTCGTCG", 12);
}
#define NEEDS_A_REAL_PROCESSOR() do { if (is_emulated()) SKIP("software emulation does not raise it"); } while (0)

TEST(division)
{
	RAISES(CODE("xor %%ecx, %%ecx; xor %%edx, %%edx", "idivl %%ecx"), SIGFPE, FPE_INTDIV, here, DIVIDE, 0);
	RAISES(CODE("mov $-1, %%ecx; mov $0x80000000, %%edx", "idivl %%ecx"), SIGFPE, FPE_INTDIV, here, DIVIDE, 0);
}

TEST(breakpoints)
{
	RAISES(asm volatile("int3"), SIGTRAP, SI_KERNEL, 0, BREAKPOINT, 0);
	RAISES(asm volatile(".byte 0xcd, 3"), SIGTRAP, SI_KERNEL, 0, BREAKPOINT, 0);
}

TEST(the_debug_instruction)
{
	NEEDS_A_REAL_PROCESSOR();
	CATCH(asm volatile(".byte 0xf1"));
	EQ(caught.si_signo, SIGTRAP);
	EQ(caught.si_code, TRAP_BRKPT);			/* the address is that of the next instruction, or of this one under KVM */
	EQ(caught_trap, DEBUG);
}

TEST(instructions_that_do_not_exist)
{
	RAISES(CODE("", "ud2"), SIGILL, ILL_ILLOPN, here, INVALID, 0);
	RAISES(CODE("", ".byte 0x06"), SIGILL, ILL_ILLOPN, here, INVALID, 0);	/* push %es is none in 64-bit mode */
}

TEST(instructions_of_the_kernel)
{
#define PRIVILEGED(text) RAISES(asm volatile(text ::: "rax", "rcx", "rdx", "memory"), SIGSEGV, SI_KERNEL, 0, PROTECTION, 0)
	PRIVILEGED("hlt");
	PRIVILEGED("cli");
	PRIVILEGED("sti");
	PRIVILEGED("in $0x60, %%al");
	PRIVILEGED("out %%al, $0xf4");
	PRIVILEGED("mov %%cr3, %%rax");
	PRIVILEGED("mov %%rax, %%cr0");
	PRIVILEGED("mov %%db7, %%rax");
	PRIVILEGED("rdmsr");
	PRIVILEGED("wrmsr");
	PRIVILEGED("swapgs");
	PRIVILEGED("invlpg (%%rsp)");
	PRIVILEGED("lgdt (%%rsp)");
	PRIVILEGED("lidt (%%rsp)");
	PRIVILEGED("ltr %%ax");
	PRIVILEGED("clts");
	PRIVILEGED("wbinvd");
	PRIVILEGED("sysretq");
}

TEST(gates_of_the_kernel)
{
	int bits = is_emulated() ? 4 : 3;		/* QEMU forgets that the selector's index is in units of 8 */
#define GATE(n) RAISES(asm volatile("int $" #n ::: "memory"), SIGSEGV, SI_KERNEL, 0, PROTECTION, n << bits | 2)
	GATE(0);
	GATE(1);
	GATE(2);
	GATE(8);
	GATE(14);
	GATE(32);
	GATE(255);
	RAISES(asm volatile("int $4" ::: "memory"), SIGSEGV, SI_KERNEL, 0, OVERFLOW, 0);
}

TEST(addresses)
{
	typedef void function(void);
	char *data = map_anon(PAGE, MAP_PRIVATE);

	*data = (char)0xc3;
	RAISES(*(volatile char *)8, SIGSEGV, SEGV_MAPERR, 8, PAGE_FAULT, FROM_USER);
	RAISES(*(volatile char *)8 = 1, SIGSEGV, SEGV_MAPERR, 8, PAGE_FAULT, FROM_USER | WRITES);
	RAISES(((function *)8)(), SIGSEGV, SEGV_MAPERR, 8, PAGE_FAULT, FROM_USER | FETCHES);
	RAISES(((function *)data)(), SIGSEGV, SEGV_ACCERR, data, PAGE_FAULT, FROM_USER | FETCHES | PRESENT);
	RAISES(*(volatile char *)KERNEL_TEXT, SIGSEGV, SEGV_MAPERR, KERNEL_TEXT, PAGE_FAULT, FROM_USER | PRESENT);
	RAISES(*(volatile char *)KERNEL_TEXT = 1, SIGSEGV, SEGV_MAPERR, KERNEL_TEXT, PAGE_FAULT, FROM_USER | PRESENT | WRITES);
	RAISES(((function *)KERNEL_TEXT)(), SIGSEGV, SEGV_MAPERR, KERNEL_TEXT, PAGE_FAULT, FROM_USER | PRESENT | FETCHES);
	NEED(!munmap(data, PAGE));
}

TEST(addresses_that_are_not_canonical)
{
	typedef void function(void);
	RAISES(*(volatile char *)NOT_CANONICAL, SIGSEGV, SI_KERNEL, 0, PROTECTION, 0);
	RAISES(*(volatile char *)NOT_CANONICAL = 1, SIGSEGV, SI_KERNEL, 0, PROTECTION, 0);
	RAISES(((function *)NOT_CANONICAL)(), SIGSEGV, SI_KERNEL, 0, PROTECTION, 0);
}

TEST(stacks_that_are_not_canonical)
{
	NEEDS_A_REAL_PROCESSOR();
	RAISES(asm volatile("mov %0, %%rsp; push %%rax" :: "r"(NOT_CANONICAL) : "memory"), SIGBUS, SI_KERNEL, 0, STACK, 0);
	RAISES(asm volatile("mov %0, %%rsp; iretq" :: "r"(NOT_CANONICAL) : "memory"), SIGBUS, SI_KERNEL, 0, STACK, 0);
}

#define STEP "pushfq; orq $0x100, (%%rsp); popfq; "
#define CALL_GETPID "mov $39, %%eax; syscall; "

TEST(single_steps)
{
	RAISES(asm volatile("lea 1f(%%rip), %%rax; mov %%rax, %0;" STEP "nop; 1: nop" : "=m"(here) :: "rax", "memory"),
	       SIGTRAP, TRAP_TRACE, here, DEBUG, 0);
}

TEST(single_steps_over_a_system_call)
{
	NEEDS_A_REAL_PROCESSOR();
	/* The call clears the flag, its return sets it again: the instruction behind it is the next step. */
	RAISES(asm volatile("lea 1f(%%rip), %%rdx; mov %%rdx, %0; mov $39, %%eax;" STEP "syscall; nop; 1: nop" : "=m"(here)
	       :: "rax", "rcx", "rdx", "r11", "memory"), SIGTRAP, TRAP_TRACE, here, DEBUG, 0);
}

TEST(flags_that_a_system_call_brings_along)
{
	uint64_t before, after;
	long result;
#define WITH_FLAG(bit) NO_SIGNAL(asm volatile("pushfq; orq %3, (%%rsp); popfq; pushfq; pop %0;" CALL_GETPID "pushfq; pop %1; pushfq; andq %4, (%%rsp); popfq" \
	: "=&r"(before), "=&r"(after), "=&a"(result) : "i"(bit), "i"(~(bit)) : "rcx", "r11", "memory", "cc")); \
	EQ(result, getpid()); EQ(before & (bit), bit); EQ(after & (bit), bit)
	WITH_FLAG(0x400);		/* DF: the kernel's string instructions go up all the same */
	WITH_FLAG(0x4000);		/* NT: an iret would try to return to another task */
	WITH_FLAG(0x40000);		/* AC: with SMAP, this is what opens user memory to the kernel */
}

TEST(alignment)
{
	NEEDS_A_REAL_PROCESSOR();
	RAISES(asm volatile("pushfq; orq $0x40000, (%%rsp); popfq; movl 1(%0), %%eax" :: "r"(other_stack) : "rax", "memory", "cc"),
	       SIGBUS, BUS_ADRALN, 0, ALIGNMENT, 0);
}

TEST(x87)
{
	uint16_t control = 0x37b;		/* division by zero is not masked */
	RAISES(asm volatile("fninit; fldcw %1; fld1; fldz; fdivrp; lea 1f(%%rip), %%rax; mov %%rax, %0; 1: fwait"
	       : "=m"(here) : "m"(control) : "rax"), SIGFPE, FPE_FLTDIV, here, X87, 0);
	asm volatile("fninit");
}

TEST(sse)
{
	uint32_t divide = 0x1f80 & ~0x200u, invalid = 0x1f80 & ~0x80u, all_masked = 0x1f80;
	NEEDS_A_REAL_PROCESSOR();
	RAISES(asm volatile("ldmxcsr %1; pxor %%xmm0, %%xmm0; mov $1, %%eax; cvtsi2sd %%eax, %%xmm1; lea 1f(%%rip), %%rax; mov %%rax, %0; 1: divsd %%xmm0, %%xmm1"
	       : "=m"(here) : "m"(divide) : "rax", "xmm0", "xmm1"), SIGFPE, FPE_FLTDIV, here, SIMD, 0);
	RAISES(asm volatile("ldmxcsr %1; pxor %%xmm0, %%xmm0; lea 1f(%%rip), %%rax; mov %%rax, %0; 1: divsd %%xmm0, %%xmm0"
	       : "=m"(here) : "m"(invalid) : "rax", "xmm0"), SIGFPE, FPE_FLTINV, here, SIMD, 0);
	asm volatile("ldmxcsr %0" :: "m"(all_masked));
}

TEST(segments)
{
	unsigned cs, ss;
	asm("mov %%cs, %0; mov %%ss, %1" : "=r"(cs), "=r"(ss));
	EQ(cs, 0x33);
	EQ(ss, 0x2b);
	NO_SIGNAL(asm volatile("mov %0, %%ds; mov %0, %%es; mov %1, %%ds; mov %1, %%es" :: "r"(0x2b), "r"(0)));
	RAISES(asm volatile("mov %0, %%gs" :: "r"(0x1234)), SIGSEGV, SI_KERNEL, 0, PROTECTION, 0x1234);
	RAISES(asm volatile("mov %0, %%ds" :: "r"(0x10)), SIGSEGV, SI_KERNEL, 0, PROTECTION, 0x10);	/* the kernel's */
	RAISES(asm volatile("mov %0, %%ss" :: "r"(0)), SIGSEGV, SI_KERNEL, 0, PROTECTION, 0);
}

TEST(a_far_return_to_the_kernel)
{
	NEEDS_A_REAL_PROCESSOR();			/* the emulator reads the stack as if it were the kernel: SMAP stops it */
	RAISES(asm volatile("push $0x10; push $0; lretq" ::: "memory"), SIGSEGV, SI_KERNEL, 0, PROTECTION, 0x10);
}

/* What no handler takes ends the process with this signal. */
TEST(without_a_handler)
{
	int status;
	CHILD(status) asm volatile("ud2");
	EQ(status & 0x7f, SIGILL);
	CHILD(status) asm volatile("int3");
	EQ(status & 0x7f, SIGTRAP);
	CHILD(status) asm volatile("hlt");
	EQ(status & 0x7f, SIGSEGV);
	CHILD(status) asm volatile("xor %%ecx, %%ecx; idivl %%ecx" ::: "rax", "rcx", "rdx");
	EQ(status & 0x7f, SIGFPE);
}
