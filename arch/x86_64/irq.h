/* arch/x86_64/irq.h - hardware interrupts, by the two 8259 interrupt controllers. */
#pragma once
#include "vm/types.h"

struct trap_frame;
enum { IRQS = 16, IRQ_TIMER = 0 };

/* All lines masked, vectors from VECTOR_IRQ. */
void irq_init(void);
/* From now on handler(frame) runs for this line, with interrupts off; unmasks it. */
void irq_handle(unsigned irq, void (*handler)(const struct trap_frame *));
/* Called by the trap entry, on processor 0. */
void irq_dispatch(unsigned irq, const struct trap_frame *);
