/*
 * arch/x86_64/panic.c - the end, with reasons: message, registers, symbolised back-trace.
 *
 * Works in any context and before anything is set up: it takes no lock, allocates nothing, and looks at a stack only where
 * the page tables say that there is one.  A panic inside a panic stops at once.  The other processors are stopped first; of two that panic at the same time
 * one reports.
 */
#include "arch/x86_64/traps.h"
#include "arch/console.h"
#include "arch/mmu.h"
#include "arch/x86_64/x86.h"
#include "lib/assert.h"
#include "lib/print.h"

/* The table that symbols.awk makes, by rising address.  The first of the two links has none. */
struct kernel_symbol { uint32_t address, name; };	/* the low half of the address; offset into the names */
extern const struct kernel_symbol kernel_symbols[] __attribute__((weak)), kernel_symbols_end[] __attribute__((weak));
extern const char kernel_symbol_names[] __attribute__((weak));
extern char kernel_image_start[], kernel_text_end[];

static bool in_text(vaddr_t a)
{
	return a >= (vaddr_t)kernel_image_start && a < (vaddr_t)kernel_text_end;
}

static void print_place(vaddr_t ip)
{
	size_t low = 0, high = (size_t)(kernel_symbols_end - kernel_symbols);

	while (in_text(ip) && low < high) {		/* the first symbol above ip */
		size_t middle = (low + high) / 2;
		if (kernel_symbols[middle].address <= (uint32_t)ip)
			low = middle + 1;
		else
			high = middle;
	}
	if (low > 0)
		kprintf("  %#lx %s+%#x\n", ip, &kernel_symbol_names[kernel_symbols[low - 1].name], (uint32_t)ip - kernel_symbols[low - 1].address);
	else
		kprintf("  %#lx\n", ip);
}

/* May the 16 bytes at `at` be read as a stack frame? */
static bool readable(vaddr_t at)
{
	return at >= KERNEL_HALF && !(at & 7) && (at & PAGE_MASK) <= PAGE_SIZE - 16 && mmu_query(&kernel_mmu, at).pfn != PFN_NONE;
}

static void print_registers(const struct trap_frame *f)
{
	kprintf("rip %016lx  cs %02lx  rflags %08lx  rsp %016lx  ss %02lx\n", f->rip, f->cs, f->rflags, f->rsp, f->ss);
	kprintf("rax %016lx  rbx %016lx  rcx %016lx  rdx %016lx\n", f->rax, f->rbx, f->rcx, f->rdx);
	kprintf("rsi %016lx  rdi %016lx  rbp %016lx  r8  %016lx\n", f->rsi, f->rdi, f->rbp, f->r8);
	kprintf("r9  %016lx  r10 %016lx  r11 %016lx  r12 %016lx\n", f->r9, f->r10, f->r11, f->r12);
	kprintf("r13 %016lx  r14 %016lx  r15 %016lx  vector %lu error %#lx\n", f->r13, f->r14, f->r15, f->vector, f->error);
	kprintf("cr0 %08lx  cr2 %016lx  cr3 %09lx  cr4 %08lx\n", read_cr0(), read_cr2(), read_cr3(), read_cr4());
}

void cpu_backtrace(const struct trap_frame *frame)
{
	enum { FRAMES_MAX = 40 };
	vaddr_t at = (vaddr_t)__builtin_frame_address(0);

	if (frame) {
		print_registers(frame);
		if (from_user(frame))
			return;
		print_place(frame->rip);
		at = frame->rbp;
	}
	for (int n = 0; n < FRAMES_MAX && readable(at); n++) {
		const vaddr_t *saved = (const vaddr_t *)at;		/* the caller's rbp, the return address */
		if (!in_text(saved[1]))
			break;
		print_place(saved[1]);
		at = saved[0];
		if (saved[1] == (vaddr_t)trap_from_kernel && readable(at)) {
			const struct trap_frame *trap = (const struct trap_frame *)at;
			kprintf("  --- trap %lu ---\n", trap->vector);
			print_place(trap->rip);
			at = trap->rbp;
		}
	}
}

static void die(const struct trap_frame *, const char *format, va_list args) __attribute__((noreturn));
static void die(const struct trap_frame *frame, const char *format, va_list args)
{
	static unsigned dying;			/* atomic: the first one's index + 1 */
	unsigned first = 0, here = cpu_index() + 1;

	cpu_irq_disable();
	if (!__atomic_compare_exchange_n(&dying, &first, here, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		if (first != here)
			cpu_stop_here();
		machine_end(MACHINE_PANIC);
	}
	cpu_stop_others();
	kprintf_dying();
	kprintf("\npanic: ");
	kvprintf(format, args);
	kprintf("\n");
	if (cpu_count > 1)
		kprintf("on processor %u\n", cpu_index());
	cpu_backtrace(frame);
	kprintf("end of panic\n");
	if (job_present())
		job_put(JOB_STATUS, "panic\n", 6);
	machine_end(MACHINE_PANIC);
}

void panic_frame(const struct trap_frame *frame, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	die(frame, format, args);
}

void panic(const char *format, ...)
{
	/* The caller's registers, as far as a call keeps them; the others show 0. */
	struct trap_frame here = { .cs = KERNEL_CS, .ss = KERNEL_DS, .rip = (vaddr_t)__builtin_return_address(0),
		.rbp = *(vaddr_t *)__builtin_frame_address(0), .rsp = (vaddr_t)__builtin_frame_address(0) + 16 };
	va_list args;

	__asm__ volatile("mov %%rbx, %0; mov %%r12, %1; mov %%r13, %2; mov %%r14, %3; mov %%r15, %4; pushf; pop %5"
		: "=m"(here.rbx), "=m"(here.r12), "=m"(here.r13), "=m"(here.r14), "=m"(here.r15), "=r"(here.rflags));
	va_start(args, format);
	die(&here, format, args);
}
