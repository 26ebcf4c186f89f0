/*
 * arch/cpu.h - contract: the processor.  The inline parts come from the architecture's arch_cpu.h:
 *
 *   void cpu_relax(void)                      in a spin loop
 *   unsigned long cpu_irq_save(void)          interrupts off; returns what they were
 *   void cpu_irq_restore(unsigned long)
 *   void cpu_irq_enable(void), cpu_irq_disable(void)
 *   bool cpu_irq_enabled(void)                for the lock checker
 *   void *cpu_current(void)                   the running thread (struct thread *), from per-CPU data
 *   void cpu_set_current(void *thread)
 *   unsigned cpu_index(void)                  the number of this processor, below cpu_count; stays the same until the kernel sleeps or returns to user mode
 *   uint64_t cpu_cycles(void)                 a counter of cycles or instructions (x86: TSC); cheap, never goes back
 *   void page_zero(void *page), page_copy(void *to, const void *from)   one page, page-aligned
 *   void cpu_copy(void *to, const void *from, size_t n)   upwards, any alignment: what memcpy is made of (the kernel's own lib/string.c only)
 *   void cpu_fill(void *to, int byte, size_t n)           the same for memset
 */
#pragma once
#include "arch_cpu.h"

enum { CPUS_MAX = 16 };
extern unsigned cpu_count;			/* processors that run the kernel; 1 until cpu_start_others */
/* What one processor alone writes has a line of the cache for itself: for elements of arrays by cpu_index(). */
#define CPU_LOCAL __attribute__((aligned(64)))

/* Starts all others that there are: each calls kernel_cpu_main on a stack of its own, with interrupts off.  Returns when all have, or have failed to. */
void cpu_start_others(void);
void kernel_cpu_main(void) __attribute__((noreturn));	/* upcall: kernel/idle.c */

/* Interrupts a processor: it leaves cpu_idle, and on the way to user mode looks at kernel_work_pending.  Any context. */
void cpu_kick(unsigned cpu);
/* Serves what others want of this processor now (flushes of its TLB), whether interrupts are on or off: for loops that wait. */
void cpu_poll(void);
/* Returns when every processor has executed a full memory barrier since the call. */
void cpu_barrier(void);
/* The kernel dies: the others stop where they are. */
void cpu_stop_others(void);

/* Interrupts on and wait for one, atomically; returns after it, with interrupts off. */
void cpu_idle(void);
/* Ends the machine. status goes to the emulator where there is a way; never returns. */
enum machine_end { MACHINE_POWEROFF, MACHINE_REBOOT, MACHINE_PANIC };
void machine_end(enum machine_end) __attribute__((noreturn));
/* Fills n bytes that no one can guess, from the hardware where it has such a source, else mixed from timers. */
void cpu_random(void *to, size_t n);
/* Prints the registers (frame may be NULL) and a symbolised back-trace from here or from the frame. */
struct trap_frame;
void cpu_backtrace(const struct trap_frame *frame);
/* The paragraph of /proc/cpuinfo about a processor, into `to`, cut off at size: CPU_DESCRIPTION_BYTES will do. */
enum { CPU_DESCRIPTION_BYTES = 2048 };
void cpu_describe(unsigned cpu, char *to, size_t size);
/* The interrupt sources that there are, for /proc/interrupts: name and meaning of number n (NULL: there is none such and none above), and how often it came to a processor. */
struct interrupt_source { const char *name, *what; uint64_t count[CPUS_MAX]; };
const struct interrupt_source *cpu_interrupt_source(unsigned n);
