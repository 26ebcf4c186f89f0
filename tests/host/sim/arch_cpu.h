/* tests/host/sim/arch_cpu.h - the simulated processor: one runs the kernel at a time, and nothing interrupts it. */
#pragma once
#include <stdint.h>
#include <string.h>
#include "arch_types.h"

struct sim_thread;
extern __thread struct sim_thread *sim_current;

static inline void cpu_relax(void) {}
static inline unsigned long cpu_irq_save(void) { return 0; }
static inline void cpu_irq_restore(unsigned long state) { (void)state; }
static inline bool cpu_irq_enabled(void) { return true; }
static inline void cpu_irq_enable(void) {}
static inline void cpu_irq_disable(void) {}
static inline void *cpu_current(void) { return sim_current; }
static inline unsigned cpu_index(void) { return 0; }
static inline void cpu_poll(void) {}
static inline void cpu_set_current(void *thread) { sim_current = thread; }
static inline void page_zero(void *page) { memset(page, 0, (size_t)1 << PAGE_SHIFT); }
static inline void page_copy(void *to, const void *from) { memcpy(to, from, (size_t)1 << PAGE_SHIFT); }
/* vm/sync.h: the datum is poisoned while nobody holds the lock. */
void sim_guard(const void *lock, const void *datum, size_t size);
#define LOCK_GUARDS(lock, datum) __attribute__((constructor)) static void guard_##datum(void) { sim_guard(&(lock), &(datum), sizeof(datum)); }
/* Counts its own calls: repeats from run to run. */
uint64_t cpu_cycles(void);
