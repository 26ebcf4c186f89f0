/* arch/x86_64/irq.h - hardware interrupts, by the two 8259 interrupt controllers. */
#pragma once
#include "vm/types.h"

struct trap_frame;
enum { IRQS = 16 };

/* All lines masked, vectors from VECTOR_IRQ. */
void irq_init(void);
/* From now on handler(frame) runs for this line, with interrupts off; unmasks it. */
void irq_handle(unsigned irq, void (*handler)(const struct trap_frame *));
/* In a handler: did the interrupt come out of user mode? */
bool irq_from_user(void);
/* Called by the trap entry. */
void irq_dispatch(unsigned irq, const struct trap_frame *);
