/* tests/host/sim/arch_cpu.h - the simulated processor.  Where one is interrupted, it is at a point of turns.c. */
#pragma once
#include <stdint.h>
#include <string.h>
#include "arch_types.h"

struct sim_thread;
extern __thread struct sim_thread *sim_current;

static inline void cpu_relax(void) {}
bool sim_irq_set(bool off);		/* what it was */
static inline unsigned long cpu_irq_save(void) { return sim_irq_set(true); }
static inline void cpu_irq_restore(unsigned long state) { sim_irq_set(state); }
static inline void cpu_irq_enable(void) { sim_irq_set(false); }
static inline void cpu_irq_disable(void) { sim_irq_set(true); }
bool cpu_irq_enabled(void);
static inline void *cpu_current(void) { return sim_current; }
unsigned cpu_index(void);
static inline void cpu_set_current(void *thread) { sim_current = thread; }
/* Whole pages, of which a program of the user may change bytes at the same time: not the sanitizers' business. */
void page_zero(void *page);
void page_copy(void *to, const void *from);
/* lib/sync.h: the datum is poisoned while nobody holds the lock. */
void sim_guard(const void *lock, const void *datum, size_t size);
#define LOCK_GUARDS(lock, datum) __attribute__((constructor)) static void guard_##datum(void) { sim_guard(&(lock), &(datum), sizeof(datum)); }
/* Counts its own calls: repeats from run to run. */
uint64_t cpu_cycles(void);
