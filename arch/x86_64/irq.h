/* arch/x86_64/irq.h - hardware interrupts, by the two 8259 interrupt controllers. */
#pragma once
#include "vm/types.h"

enum { IRQS = 16 };

/* All lines masked, vectors from VECTOR_IRQ. */
void irq_init(void);
/* From now on handler() runs for this line, with interrupts off; unmasks it. */
void irq_handle(unsigned irq, void (*handler)(void));
/* Called by the trap entry. */
void irq_dispatch(unsigned irq);
