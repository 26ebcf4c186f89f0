/* arch/x86_64/traps.h - descriptor tables, and what entry.asm and C have in common. */
#pragma once
#include "arch/cpu.h"
#include "arch/x86_64/frame.h"

/* Segments and exceptions work, on the boot stack; no interrupts yet. */
void descriptors_init(void);
/* Stacks of their own for the exceptions that cannot trust the one in use; needs kernel ranges. */
void exception_stacks_init(void);
/* The stack that a trap from user mode begins on. */
void trap_stack_set(vaddr_t top);
/* Writes STAC and CLAC into the code where they belong; before the code becomes read-only. */
void smap_enable(void);

/* C side of entry.asm. */
void trap_dispatch(struct trap_frame *);
void trap_dispatch_paranoid(struct trap_frame *);
/* Prints the registers and stops the machine with this reason. */
void panic_frame(const struct trap_frame *, const char *format, ...) __attribute__((noreturn, cold, format(printf, 2, 3)));

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
