/* arch/x86_64/traps.h - descriptor tables, and what entry.asm and C have in common. */
#pragma once
#include "arch/cpu.h"
#include "arch/x86_64/frame.h"

/* Segments, exceptions and system calls work on this processor, which is this one; no interrupts yet. */
void descriptors_init(struct arch_cpu *);
/*
 * Gives a processor stacks of its own for the exceptions that cannot trust the one in use; needs kernel ranges.  Before it starts, or on processor 0,
 * which does with an early one until then.  false: no memory.
 */
bool exception_stacks_make(struct arch_cpu *);
void exception_stacks_free(struct arch_cpu *);		/* it did not start */
/* The stack that a trap from user mode begins on. */
void trap_stack_set(vaddr_t top);
/* Writes STAC and CLAC into the code where they belong; before the code becomes read-only. */
void smap_enable(void);

/* C side of entry.asm. */
void trap_dispatch(struct trap_frame *);
void trap_dispatch_paranoid(struct trap_frame *);
/* Prints the registers and stops the machine with this reason. */
void panic_frame(const struct trap_frame *, const char *format, ...) __attribute__((noreturn, cold, format(printf, 2, 3)));

/* requests.c: has another processor told this one to stop; does so. */
bool cpu_stopping(void);
void cpu_stop_here(void) __attribute__((noreturn));

/* entry.asm */
extern const vaddr_t trap_stubs[VECTORS];
extern char trap_from_kernel[];
void syscall_entry(void);
void thread_first(void);
void stack_switch(vaddr_t *save, vaddr_t load);
size_t user_copy(void *to, const void *from, size_t n);
size_t user_fill_zero(void *to, size_t n);
int user_word_load(const uint32_t *from, uint32_t *value);
int user_word_cmpxchg(uint32_t *at, uint32_t old, uint32_t new, uint32_t *seen);
