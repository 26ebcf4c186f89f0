/*
 * arch/x86_64/thread.c - register state of threads.  See arch/thread.h.
 *
 * A kernel stack, from the top down:
 *
 *	extended state (x87, SSE, AVX: as large as the processor says, aligned to 64)
 *	trap frame     (the user's registers, while the thread is in the kernel)
 *	the kernel's own frames
 *
 * The extended state is switched together with the thread: saved and loaded by one instruction each.
 */
#include "arch/thread.h"
#include "arch/uaccess.h"
#include "arch/x86_64/traps.h"
#include "arch/x86_64/xstate.h"
#include "lib/string.h"

enum { ARCH_SET_GS = 0x1001, ARCH_SET_FS = 0x1002, ARCH_GET_FS = 0x1003, ARCH_GET_GS = 0x1004, ARCH_GET_CPUID = 0x1011, ARCH_SET_CPUID = 0x1012 };

/* What stack_switch pops: the callee-saved registers, and where to go. */
struct first_switch { uint64_t r15, r14, r13, r12, rbx, rbp, ip, align; };

struct trap_frame *thread_frame(struct arch_thread *t)
{
	return (struct trap_frame *)t->xstate - 1;
}

int arch_thread_init(struct arch_thread *t, vaddr_t kernel_stack_top)
{
	*t = (struct arch_thread){ .xstate = (void *)((kernel_stack_top - cpu_features.xstate_size) & ~(vaddr_t)63) };
	xstate_reset(t->xstate);
	memset(thread_frame(t), 0, sizeof(struct trap_frame));
	return 0;
}

/* The bases live in registers while the thread runs, and programs can change them there. */
static void save_bases(struct arch_thread *t)
{
	if (cpu_features.fsgsbase)
		__asm__ volatile("rdfsbase %0" : "=r"(t->fs_base));
	else
		t->fs_base = read_msr(MSR_FS_BASE);
	t->gs_base = read_msr(MSR_KERNEL_GS_BASE);
}

static void load_bases(const struct arch_thread *t)
{
	if (cpu_features.fsgsbase)
		__asm__ volatile("wrfsbase %0" :: "r"(t->fs_base));
	else
		write_msr(MSR_FS_BASE, t->fs_base);
	write_msr(MSR_KERNEL_GS_BASE, t->gs_base);
}

static void load_tsc_right(bool no_tsc)
{
	write_cr4((read_cr4() & ~(uint64_t)CR4_TSD) | (no_tsc ? CR4_TSD : 0));
}

bool arch_tsc_allowed(void)
{
	return !this_cpu()->running->no_tsc;
}

void arch_tsc_allow(bool allowed)
{
	unsigned long irq = cpu_irq_save();
	this_cpu()->running->no_tsc = !allowed;
	load_tsc_right(!allowed);
	cpu_irq_restore(irq);
}

int arch_thread_fork(struct arch_thread *child, vaddr_t kernel_stack_top, struct arch_thread *parent)
{
	arch_thread_init(child, kernel_stack_top);
	xstate_save(child->xstate);
	save_bases(child);
	child->no_tsc = parent->no_tsc;
	*thread_frame(child) = *thread_frame(parent);
	thread_frame(child)->rax = 0;
	return 0;
}

static void start(struct arch_thread *t, void (*fn)(void *), void *arg)
{
	struct first_switch *s = (struct first_switch *)thread_frame(t) - 1;

	*s = (struct first_switch){ .r12 = (uint64_t)fn, .r13 = (uint64_t)arg, .ip = (uint64_t)thread_first };
	t->sp = (vaddr_t)s;
}

void arch_thread_start_in(struct arch_thread *t, void (*fn)(void *), void *arg)
{
	start(t, fn, arg);
}

void arch_thread_start_user(struct arch_thread *t)
{
	start(t, NULL, thread_frame(t));
}

void arch_switch(struct arch_thread *from, struct arch_thread *to)
{
	if (from->xstate) {
		xstate_save(from->xstate);
		save_bases(from);
	}
	if (to->xstate) {
		xstate_load(to->xstate);
		load_bases(to);
		trap_stack_set((vaddr_t)to->xstate);
	}
	if (from->no_tsc != to->no_tsc)
		load_tsc_right(to->no_tsc);
	this_cpu()->running = to;
	stack_switch(&from->sp, to->sp);
}

void arch_thread_save(struct arch_thread *t)
{
	unsigned long irq = cpu_irq_save();
	xstate_save(t->xstate);
	save_bases(t);
	cpu_irq_restore(irq);
}

/* Linux also starts programs with the flags clear but for interrupts. */
void frame_exec(struct arch_thread *t, vaddr_t entry, vaddr_t stack)
{
	*thread_frame(t) = (struct trap_frame){ .vector = VECTOR_REPLACED, .rip = entry, .cs = USER_CS, .rflags = FLAG_IF | FLAG_FIXED,
		.rsp = stack, .ss = USER_DS };
	unsigned long irq = cpu_irq_save();		/* the state must not be saved between the two steps */
	t->fs_base = t->gs_base = 0;
	xstate_reset(t->xstate);
	if (t == this_cpu()->running) {
		xstate_load(t->xstate);
		load_bases(t);
	}
	cpu_irq_restore(irq);
}

vaddr_t frame_sp(const struct trap_frame *f)	{ return f->rsp; }
void frame_set_sp(struct trap_frame *f, vaddr_t sp)	{ f->rsp = sp; }
vaddr_t frame_ip(const struct trap_frame *f)	{ return f->rip; }
void frame_set_ip(struct trap_frame *f, vaddr_t ip)	{ f->rip = ip; }
void frame_set_result(struct trap_frame *f, long value)	{ f->rax = (uint64_t)value; }
long frame_result(const struct trap_frame *f)	{ return (long)f->rax; }

long frame_call(const struct trap_frame *f)	{ return f->vector == VECTOR_SYSCALL ? (long)f->error : -1; }

long frame_syscall(const struct trap_frame *f)
{
	return f->vector == VECTOR_SYSCALL ? (long)(f->error & INT64_MAX) : -1;
}

void frame_restart_syscall(struct trap_frame *f, long number)
{
	enum { SYSCALL_BYTES = 2 };

	f->rax = (uint64_t)number;
	f->rip -= SYSCALL_BYTES;
}

void arch_set_tls(struct arch_thread *t, vaddr_t base)
{
	t->fs_base = base;
	if (t == this_cpu()->running)
		write_msr(MSR_FS_BASE, base);
}

long arch_prctl(struct arch_thread *t, int code, unsigned long arg)
{
	struct arch_thread now = *t;

	if (t == this_cpu()->running)
		save_bases(&now);
	switch (code) {
	case ARCH_SET_FS:
	case ARCH_SET_GS:
		if (arg >= USER_MAX)
			return -EPERM;
		if (code == ARCH_SET_FS) {
			arch_set_tls(t, arg);
			return 0;
		}
		t->gs_base = arg;
		if (t == this_cpu()->running)
			write_msr(MSR_KERNEL_GS_BASE, arg);
		return 0;
	case ARCH_GET_FS:
		return user_put(arg, now.fs_base);
	case ARCH_GET_GS:
		return user_put(arg, now.gs_base);
	case ARCH_GET_CPUID:
		return 1;		/* user mode may use the instruction, and nothing takes that away */
	case ARCH_SET_CPUID:
		return -ENODEV;
	default:
		return -EINVAL;
	}
}
