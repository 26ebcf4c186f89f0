/*
 * arch_cpu.h - x86-64: the inline part of arch/cpu.h, and the per-CPU data.
 *
 * In the kernel the GS base is always that of the processor's struct arch_cpu; on the way to user mode it changes places with the user's
 * (SWAPGS).  The assembler files know the first fields by their offsets.  Each is written by its processor alone, but for those that are set before it starts.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "arch_types.h"

struct arch_thread;

struct arch_cpu {
	void *current;			/* the running struct thread */
	vaddr_t kernel_stack;		/* top of its kernel stack: where SYSCALL puts the frame */
	vaddr_t user_sp;		/* scratch of the SYSCALL entry */
	struct arch_thread *running;	/* whose registers are loaded; NULL before the first switch */
	unsigned index;			/* set before it starts */
	uint32_t apic_id;		/* of its local interrupt controller; set before others look */
	int64_t cycles_behind;		/* its counter of cycles against processor 0's (time.c) */
	uint64_t timer_ns;		/* what time_arm was told last */
} __attribute__((aligned(64)));
extern struct arch_cpu arch_cpus[];	/* by index: CPUS_MAX of them */

static inline void cpu_relax(void) { __asm__ volatile("pause" ::: "memory"); }
static inline void cpu_irq_enable(void) { __asm__ volatile("sti" ::: "memory"); }
static inline void cpu_irq_disable(void) { __asm__ volatile("cli" ::: "memory"); }

static inline bool cpu_irq_enabled(void)
{
	unsigned long flags;
	__asm__ volatile("pushf; pop %0" : "=r"(flags));
	return flags & 0x200;
}

static inline unsigned long cpu_irq_save(void)
{
	unsigned long flags;
	__asm__ volatile("pushfq; popq %0; cli" : "=r"(flags) :: "memory");
	return flags;
}

static inline void cpu_irq_restore(unsigned long flags)
{
	enum { INTERRUPTS_ON = 1 << 9 };
	if (flags & INTERRUPTS_ON)
		cpu_irq_enable();
}

static inline void *cpu_current(void)
{
	void *thread;
	/* Volatile: after a switch another thread's stack runs the same code. */
	__asm__ volatile("movq %%gs:%c1, %0" : "=r"(thread) : "i"(offsetof(struct arch_cpu, current)));
	return thread;
}

static inline void cpu_set_current(void *thread)
{
	__asm__ volatile("movq %0, %%gs:%c1" :: "r"(thread), "i"(offsetof(struct arch_cpu, current)) : "memory");
}

static inline unsigned cpu_index(void)
{
	unsigned index;
	__asm__ volatile("movl %%gs:%c1, %0" : "=r"(index) : "i"(offsetof(struct arch_cpu, index)));
	return index;
}

static inline struct arch_cpu *this_cpu(void) { return &arch_cpus[cpu_index()]; }

static inline uint64_t cpu_cycles(void)
{
	uint32_t low, high;
	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

static inline void page_zero(void *page)
{
	size_t words = ((size_t)1 << PAGE_SHIFT) / 8;
	__asm__ volatile("rep stosq" : "+D"(page), "+c"(words) : "a"(0) : "memory");
}

static inline void page_copy(void *to, const void *from)
{
	size_t words = ((size_t)1 << PAGE_SHIFT) / 8;
	__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) :: "memory");
}

static inline void cpu_copy(void *to, const void *from, size_t n)
{
	size_t words = n / 8, rest = n % 8;
	__asm__ volatile("rep movsq; movq %3, %2; rep movsb" : "+D"(to), "+S"(from), "+c"(words) : "r"(rest) : "memory");
}

static inline void cpu_fill(void *to, int byte, size_t n)
{
	size_t words = n / 8, rest = n % 8;
	uint64_t pattern = (uint8_t)byte * 0x0101010101010101u;
	__asm__ volatile("rep stosq; movq %3, %1; rep stosb" : "+D"(to), "+c"(words) : "a"(pattern), "r"(rest) : "memory");
}
