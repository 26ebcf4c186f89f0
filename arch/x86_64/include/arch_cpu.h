/*
 * arch_cpu.h - x86-64: the inline part of arch/cpu.h.
 *
 * GS points to the processor's struct percpu while in the kernel; its first word is the running thread.
 */
#pragma once
#include <stdint.h>

static inline void cpu_relax(void) { __asm__ volatile("pause"); }

static inline unsigned long cpu_irq_save(void)
{
	unsigned long flags;

	__asm__ volatile("pushfq; popq %0; cli" : "=r"(flags) : : "memory");
	return flags;
}

static inline void cpu_irq_restore(unsigned long flags)
{
	if (flags & 0x200)
		__asm__ volatile("sti" : : : "memory");
}

static inline void cpu_irq_enable(void)  { __asm__ volatile("sti" : : : "memory"); }
static inline void cpu_irq_disable(void) { __asm__ volatile("cli" : : : "memory"); }

static inline void *cpu_current(void)
{
	void *thread;

	__asm__ volatile("movq %%gs:0, %0" : "=r"(thread));
	return thread;
}

static inline void cpu_set_current(void *thread) { __asm__ volatile("movq %0, %%gs:0" : : "r"(thread) : "memory"); }

static inline uint64_t cpu_cycles(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

static inline void page_zero(void *page)
{
	uint64_t n = 512;

	__asm__ volatile("rep stosq" : "+D"(page), "+c"(n) : "a"(0ul) : "memory");
}

static inline void page_copy(void *to, const void *from)
{
	uint64_t n = 512;

	__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}
