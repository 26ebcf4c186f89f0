/*
 * arch/x86_64/trap.c - what to do with an exception or interrupt.  See arch/trap.h.
 *
 * In user mode everything becomes a page fault or a signal.  In kernel mode a page fault may be a copy to or from user memory (fix-up table),
 * or the first touch of a lazy kernel range; all else is a bug and a panic.
 */
#include "arch/trap.h"
#include "arch/x86_64/traps.h"
#include "arch/x86_64/apic.h"
#include "arch/x86_64/cpu_features.h"
#include "arch/x86_64/irq.h"
#include "arch/x86_64/serial.h"
#include "arch/x86_64/timer.h"
#include "abi/signal.h"
#include "lib/assert.h"
#include "vm/fault.h"
#include "vm/kspace.h"

enum { PF_PRESENT = 1, PF_WRITE = 2, PF_USER = 4, PF_RESERVED = 8, PF_FETCH = 16 };

extern const struct fixup { vaddr_t fault, resume; } fixup_table[], fixup_table_end[];

static vaddr_t find_fixup(vaddr_t ip)
{
	for (const struct fixup *f = fixup_table; f < fixup_table_end; f++)
		if (f->fault == ip)
			return f->resume;
	return 0;
}

static void bad_kernel_access(const struct trap_frame *f, vaddr_t addr) __attribute__((noreturn));
static void bad_kernel_access(const struct trap_frame *f, vaddr_t addr)
{
	const char *what = kspace_describe(addr);

	panic_frame(f, "the kernel cannot %s %#lx%s%s%s", f->error & PF_FETCH ? "execute" : f->error & PF_WRITE ? "write" : "read", addr,
		what ? " (" : "", what ? what : "", what ? ")" : "");
}

static void kernel_fault(struct trap_frame *f, vaddr_t addr, enum fault_access access)
{
	if (addr >= KERNEL_HALF) {
		if (!vm_fault_kernel(addr, access))
			bad_kernel_access(f, addr);
		return;
	}
	vaddr_t resume = find_fixup(f->rip);
	if (!resume)
		bad_kernel_access(f, addr);
	if (!kernel_page_fault(f, addr, access, FAULT_KERNEL, f->error))
		f->rip = resume;
}

static void page_fault(struct trap_frame *f)
{
	vaddr_t addr = read_cr2();		/* before interrupts are on: another fault would overwrite it */
	enum fault_access access = f->error & PF_FETCH ? FAULT_EXEC : f->error & PF_WRITE ? FAULT_WRITE : FAULT_READ;

	if (f->error & PF_RESERVED)
		panic_frame(f, "a page table is corrupt at %#lx", addr);
	if (f->rflags & FLAG_IF)
		cpu_irq_enable();
	if (from_user(f) && !(f->error & PF_USER))		/* an instruction that looked at a descriptor table or the like: nothing can be served */
		kernel_user_exception(f, SIGSEGV, SI_KERNEL, 0, VECTOR_PAGE_FAULT, f->error);
	else if (from_user(f))
		kernel_page_fault(f, addr, access, FAULT_USER, f->error);
	else
		kernel_fault(f, addr, access);
}

/* Which arithmetic exception, from its flags as x87 and SSE have them both; 0: none is left, the instruction goes on. */
static int arithmetic_code(unsigned flags)
{
	enum { INVALID = 1, DENORMAL = 2, ZERO_DIVIDE = 4, OVERFLOW = 8, UNDERFLOW = 16, INEXACT = 32 };
	enum { CODE_DIVIDE = 3, CODE_OVERFLOW = 4, CODE_UNDERFLOW = 5, CODE_INEXACT = 6, CODE_INVALID = 7 };	/* FPE_FLT... */

	return flags & INVALID ? CODE_INVALID : flags & ZERO_DIVIDE ? CODE_DIVIDE : flags & OVERFLOW ? CODE_OVERFLOW :
		flags & (UNDERFLOW | DENORMAL) ? CODE_UNDERFLOW : flags & INEXACT ? CODE_INEXACT : 0;
}

static int x87_code(void)
{
	uint16_t control, status;

	__asm__ volatile("fnstcw %0; fnstsw %1" : "=m"(control), "=m"(status));
	return arithmetic_code(status & ~(unsigned)control & 0x3f);
}

static int sse_code(void)
{
	uint32_t mxcsr;

	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
	return arithmetic_code(mxcsr & ~(mxcsr >> 7) & 0x3f);
}

static int debug_code(void)
{
	enum { SINGLE_STEP = 1 << 14 };
	uint64_t why;

	__asm__ volatile("mov %%db6, %0; mov %1, %%db6" : "=&r"(why) : "r"((uint64_t)0xffff0ff0));
	return why & SINGLE_STEP ? TRAP_TRACE : TRAP_BRKPT;
}

/* The signal of an exception in user mode, as Linux has it.  addr is the instruction's where a signal has an address at all. */
static void user_exception(struct trap_frame *f)
{
	int signo = SIGSEGV, code = SI_KERNEL;
	vaddr_t addr = 0;

	switch (f->vector) {
	case VECTOR_DIVIDE:	signo = SIGFPE, code = FPE_INTDIV, addr = f->rip; break;
	case VECTOR_DEBUG:	signo = SIGTRAP, code = debug_code(), addr = f->rip; break;
	case VECTOR_BREAKPOINT:	signo = SIGTRAP; break;
	case VECTOR_INVALID:	signo = SIGILL, code = ILL_ILLOPN, addr = f->rip; break;
	case VECTOR_FPU_OVERRUN: signo = SIGFPE; break;
	case VECTOR_NOT_PRESENT:
	case VECTOR_STACK:	signo = SIGBUS; break;
	case VECTOR_FPU:	signo = SIGFPE, code = x87_code(), addr = f->rip; break;
	case VECTOR_ALIGNMENT:	signo = SIGBUS, code = BUS_ADRALN; break;
	case VECTOR_SIMD:	signo = SIGFPE, code = sse_code(), addr = f->rip; break;
	}
	if (code == 0)
		return;
	cpu_irq_enable();
	kernel_user_exception(f, signo, code, addr, (unsigned)f->vector, f->error);
}

static const char *exception_name(uint64_t vector)
{
	static const char *const names[] = { "divide error", "debug trap", "non-maskable interrupt", "breakpoint", "overflow", "bound range",
		"invalid instruction", "no FPU", "double fault", "FPU overrun", "invalid TSS", "segment not present", "stack fault",
		"general protection fault", "page fault", "reserved", "FPU error", "alignment check", "machine check", "SIMD error" };

	return vector < sizeof names / sizeof names[0] ? names[vector] : "unknown exception";
}

/* A kick has done its work by coming: the way back looks what there is to do. */
static void local_interrupt(const struct trap_frame *f)
{
	if (f->vector != VECTOR_SPURIOUS)
		apic_end_of_interrupt();
	if (f->vector == VECTOR_TIMER)
		timer_interrupt(f);
	else if (f->vector == VECTOR_REQUEST)
		cpu_poll();
	else if (f->vector == VECTOR_APIC_ERROR)
		apic_error();
}

/* Each processor writes its own counts, with interrupts off. */
static struct interrupt_source sources[] = {
	{ "0", "8259 timer", { 0 } }, { "3", "8259 COM2", { 0 } }, { "4", "8259 COM1", { 0 } }, { "LOC", "Local timer interrupts", { 0 } },
	{ "RES", "Rescheduling interrupts", { 0 } }, { "TLB", "TLB shootdowns", { 0 } },
};

static void count_interrupt(uint64_t vector)
{
	static const uint64_t vectors[] = { VECTOR_IRQ + IRQ_TIMER, VECTOR_IRQ + IRQ_COM2, VECTOR_IRQ + IRQ_COM1, VECTOR_TIMER, VECTOR_KICK, VECTOR_REQUEST };
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
		if (vectors[i] == vector)
			sources[i].count[cpu_index()]++;
}

const struct interrupt_source *cpu_interrupt_source(unsigned n)
{
	return n < sizeof sources / sizeof *sources ? &sources[n] : NULL;
}

void trap_dispatch(struct trap_frame *f)
{
	if (f->vector >= VECTOR_EXCEPTIONS)
		count_interrupt(f->vector);
	if (f->vector == VECTOR_PAGE_FAULT)
		page_fault(f);
	else if (f->vector >= VECTOR_IRQ && f->vector < VECTOR_IRQ + IRQS)
		irq_dispatch((unsigned)f->vector - VECTOR_IRQ, f);
	else if (f->vector >= VECTOR_EXCEPTIONS)
		local_interrupt(f);
	else if (from_user(f))
		user_exception(f);
	else
		panic_frame(f, "%s in the kernel, error code %#lx", exception_name(f->vector), (unsigned long)f->error);
}

void trap_dispatch_paranoid(struct trap_frame *f)
{
	if (f->vector == VECTOR_NMI && cpu_stopping())
		cpu_stop_here();
	if (f->vector == VECTOR_DEBUG && from_user(f)) {
		user_exception(f);
		return;
	}
	if (f->vector == VECTOR_DOUBLE_FAULT) {
		vaddr_t addr = read_cr2();
		const char *what = kspace_describe(addr);
		if (what)
			panic_frame(f, "kernel stack overflow at %#lx (%s)", addr, what);
	}
	panic_frame(f, "%s", exception_name(f->vector));
}
